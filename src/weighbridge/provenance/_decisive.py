"""What decides whether a step gives the same numbers again: a small choice of known facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["choose_determinism", "name_accelerator"]

_VARIABLES = (
    "PYTHONHASHSEED",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "CUDNN_DETERMINISTIC",
    "FLAGS_cudnn_deterministic",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
    "KMP_DETERMINISTIC_REDUCTION",
    "MKL_CBWR",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "OMP_NUM_THREADS",
)
_FACTS = (
    "torch.deterministic",
    "torch.deterministic-warn-only",
    "torch.float32-matmul-precision",
    "torch.tf32.matmul",
    "torch.tf32.cudnn",
    "torch.cudnn.deterministic",
    "torch.cudnn.benchmark",
)


def choose_determinism(
    environment: Mapping[str, str], variables: Mapping[str, str]
) -> dict[str, str]:
    """Return those facts and variables that switch determinism on or off.

    Args:
        environment: As of ``describe_environment`` and ``describe_libraries``: how PyTorch is set
            before the step sets anything.
        variables: Those that are recorded.
    """
    return {
        **{name: variables[name] for name in _VARIABLES if name in variables},
        **{name: environment[name] for name in _FACTS if name in environment},
    }


def name_accelerator(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the GPUs and their driver; ``kind`` is ``none`` if there is none.

    Args:
        environment: As of ``describe_environment``; empty if nobody looked.
    """
    if not environment:
        return {"kind": "unknown"}
    models = {
        key.removeprefix("gpu.").removesuffix(".model"): value
        for key, value in environment.items()
        if key.startswith("gpu.") and key.endswith(".model")
    }
    found = {f"model-{number}": value for number, value in models.items()}
    for key, name in (("gpu.driver", "driver"), ("gpu.amdgpu", "driver")):
        if key in environment:
            found[name] = environment[key]
    return {"kind": "gpu", **found} if found else {"kind": "none"}
