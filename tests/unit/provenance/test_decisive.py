"""Which facts are said to decide numbers, and what they ran on."""

from __future__ import annotations

import pytest

from weighbridge.provenance import choose_determinism, is_lock_file, name_accelerator


def test_what_switches_determinism() -> None:
    environment = {
        "torch.deterministic": "true",
        "torch.version": "2",
        "torch.cudnn.benchmark": "x",
    }
    variables = {"PYTHONHASHSEED": "0", "LANG": "C", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    assert choose_determinism(environment, variables) == {
        "PYTHONHASHSEED": "0",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "torch.deterministic": "true",
        "torch.cudnn.benchmark": "x",
    }


@pytest.mark.parametrize(
    ("facts", "accelerator"),
    [
        ({}, {"kind": "unknown"}),
        ({"cpu.machine": "x86_64"}, {"kind": "none"}),
        (
            {"gpu.0.model": "H100", "gpu.1.model": "H100", "gpu.driver": "550.1"},
            {"kind": "gpu", "model-0": "H100", "model-1": "H100", "driver": "550.1"},
        ),
        ({"gpu.amdgpu": "6.7"}, {"kind": "gpu", "driver": "6.7"}),
    ],
)
def test_what_a_step_ran_on(facts: dict[str, str], accelerator: dict[str, str]) -> None:
    assert name_accelerator(facts) == accelerator


@pytest.mark.parametrize(
    "name",
    ["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "pylock.gpu.toml",
     "conda-lock.yml", "environment.yaml", "requirements.txt", "requirements-gpu.txt"],
)  # fmt: skip
def test_lock_files_by_name(name: str) -> None:
    assert is_lock_file(name)
    assert not is_lock_file(f"{name}.bak")
    assert not is_lock_file(f"my-{name}")
