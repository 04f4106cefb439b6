"""Facts about the machine, and their SCAI form, from trees that tests build."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from google.protobuf import json_format
from in_toto_attestation.predicates.scai.v0 import scai_pb2

from weighbridge.core import Dependency
from weighbridge.provenance import Interpreter, describe_environment, list_runtime, to_scai

CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Big \x1b[31mCPU
flags\t\t: fpu smep sse4_2 avx2 avx512f amx_tile fma
processor\t: 1
model name\t: Little CPU
"""
NVRM = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def here(program: Path = Path(sys.executable)) -> Interpreter:
    facts = {"version": "3.12.1", "implementation": "CPython"}
    return Interpreter(program, program, program.parent, program.parent, (), facts=facts)


def test_a_machine_with_a_gpu_in_a_container(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/cpuinfo": CPUINFO,
            "proc/driver/nvidia/version": NVRM,
            "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA H100\n",
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": f"1 2 0:1 /var/lib/docker/containers/{'a' * 64}/hosts /etc/h\n",
            ".dockerenv": "",
            "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n',
            "sys/fs/cgroup/cpu.max": "200000 100000\n",
        },
    )
    facts = describe_environment(here(), {"OMP_NUM_THREADS": "4", "HF_TOKEN": "x"}, root=root)
    assert facts["cpu.flags"] == "amx_tile avx2 avx512f fma sse4_2"
    assert facts["cpu.model"] == "Big \\x1b[31mCPU"
    assert facts["cpu.models"] == "Big \\x1b[31mCPU; Little CPU"
    assert facts["cpu.count"] == "2"
    assert facts["cpu.quota"] == "200000 100000"
    assert facts["gpu.driver"] == "550.54.15"
    assert facts["gpu.0.model"] == "NVIDIA H100"
    assert facts["container.engine"] == "docker"
    assert facts["container.id"] == "a" * 64
    assert facts["base.pretty_name"] == "Debian 12"
    assert facts["python.version"] == "3.12.1"
    assert facts["variable.OMP_NUM_THREADS"] == "4"
    assert "x" not in facts.values()


def test_a_host_that_runs_containers_is_none(tmp_path: Path) -> None:
    mounts = f"1 2 0:1 /var/lib/docker/containers/{'a' * 64}/shm /x\n"
    root = write(tmp_path, {"proc/self/mountinfo": mounts})
    facts = describe_environment(here(), {}, root=root)
    assert not [key for key in facts if key.startswith("container")]


def test_podman_names_its_image(tmp_path: Path) -> None:
    words = f'engine="podman-4.9"\nname="n"\nimage="ghcr.io/a/b:1"\nimageid="{"b" * 64}"\n'
    root = write(tmp_path, {"run/.containerenv": words, "usr/lib/os-release": "ID=fedora\n"})
    program = tmp_path / "python"
    program.write_bytes(b"elf")
    found = {d.role: d for d in list_runtime(here(program), root)}
    assert found["container-image"].digest == {"sha256": "b" * 64}
    assert found["container-image"].name == "ghcr.io/a/b:1"
    assert found["interpreter"].digest == {"sha256": hashlib.sha256(b"elf").hexdigest()}
    assert found["base-image"].name == "fedora"
    assert found["base-image"].digest == {"sha256": hashlib.sha256(b"ID=fedora\n").hexdigest()}


def test_nothing_known_is_nothing_said(tmp_path: Path) -> None:
    facts = describe_environment(here(), {}, root=tmp_path)
    assert {key.partition(".")[0] for key in facts} == {"python", "kernel", "cpu"}
    (own,) = list_runtime(here(tmp_path / "gone"), tmp_path)
    assert own.digest == {}


def test_scai_is_read_by_the_protobuf_of_in_toto(tmp_path: Path) -> None:
    """The message knows each field; an unknown one would raise."""
    model = Dependency("model", {"sha256": "a" * 64})
    environment = describe_environment(here(), {}, root=tmp_path)
    predicate = to_scai(environment, target=model, producer="https://example.com/b")
    report = json_format.ParseDict(predicate, scai_pb2.AttributeReport())
    assert report.producer.uri == "https://example.com/b"
    python = next(a for a in report.attributes if a.attribute == "python")
    assert dict(python.conditions) == {"version": "3.12.1", "implementation": "CPython"}
    assert python.target.digest["sha256"] == "a" * 64
