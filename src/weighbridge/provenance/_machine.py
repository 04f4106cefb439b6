"""The machine: kernel, processor, GPU and container, from what the kernel shows; nothing is run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import describe_cached, hash_file
from weighbridge.core import Dependency, printable
from weighbridge.provenance._uris import to_file_uri, to_uri

if TYPE_CHECKING:
    from weighbridge.artifact import DigestCache
    from weighbridge.provenance._interpreter import Interpreter

__all__ = ["describe_machine", "list_runtime"]

_MAX_BYTES = 8 * 1024 * 1024
_MAX_GPUS = 64
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
# Those by which numerical libraries choose their kernels; on x86 and on Arm.
_CPU_FLAGS = re.compile(
    r"sse4_[12]|ssse3|avx|avx2|avx_vnni|avx512\w*|amx_\w+|f16c|fma|fma4|bf16|i8mm|asimd\w*|sve\w*"
    r"|s[m]e(?!p)\w*|fphp|vpclmulqdq|gfni"
)
_CPU_KEYS = {
    "vendor_id": "vendor",
    "model name": "model",
    "cpu family": "family",
    "model": "number",
    "stepping": "stepping",
    "microcode": "microcode",
    "CPU implementer": "implementer",
    "CPU architecture": "architecture",
    "CPU variant": "variant",
    "CPU part": "part",
    "CPU revision": "revision",
}
_CONTAINER_ID = re.compile(
    r"/(?:docker|containerd|libpod|crio|cri-containerd)[/-](?:containers/|[^\s/]*/)?([0-9a-f]{64})\b"
)
_IMAGE_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_ENV_LINE = re.compile(r"""^([A-Za-z_]+)=(["']?)(.*)\2$""", re.MULTILINE)


def describe_machine(root: Path = Path("/")) -> dict[str, str]:
    """Return kernel, processor, GPU, container and base image as ``GROUP.NAME`` and strings.

    Args:
        root: Where ``proc``, ``sys`` and ``etc`` are.
    """
    system = os.uname()
    facts = {
        "kernel.name": system.sysname,
        "kernel.release": system.release,
        "kernel.version": system.version,
        "cpu.machine": system.machine,
        "cpu.usable": str(len(os.sched_getaffinity(0))),
        **_describe_cpu(_read_text(root / "proc/cpuinfo")),
        **_describe_gpus(root),
        **_describe_container(root),
    }
    quota = _read_text(root / "sys/fs/cgroup/cpu.max").strip()
    if quota and not quota.startswith("max"):
        facts["cpu.quota"] = quota
    release = _parse_assignments(_read_text(_find_os_release(root)))
    for key in ("ID", "VERSION_ID", "PRETTY_NAME", "BUILD_ID"):
        if key in release:
            facts[f"base.{key.lower()}"] = release[key]
    return {key: printable(value, limit=4000) for key, value in facts.items() if value}


def list_runtime(
    interpreter: Interpreter | None, root: Path = Path("/"), *, cache: DigestCache | None = None
) -> tuple[Dependency, ...]:
    """Return interpreter, its library, container image and base image, as far as they are known.

    The interpreter and its library are hashed, unless the cache knows them. An image has a digest
    only if the container engine left its id in the container. The base image is named by its
    ``os-release``, whose sha256 it carries.
    """
    found = [] if interpreter is None else _name_interpreter(interpreter, cache)
    image = _describe_container(root)
    if image.get("container.image") or image.get("container.image-id"):
        digest = image.get("container.image-id", "")
        found.append(
            Dependency(
                name=printable(image.get("container.image", "image")),
                digest={"sha256": digest} if digest else {},
                uri="" if digest else to_uri(f"oci://{image['container.image']}"),
                role="container-image",
                annotations={"digestOf": "image id"} if digest else {},
            )
        )
    release = _find_os_release(root)
    words = _parse_assignments(_read_text(release))
    if words:
        base = f"{words.get('ID', 'linux')} {words.get('VERSION_ID', '')}".strip()
        found.append(_name_file(printable(base), release, "base-image", {"digestOf": "os-release"}))
    return tuple(found)


def _name_interpreter(interpreter: Interpreter, cache: DigestCache | None) -> list[Dependency]:
    facts = {"version": interpreter.facts.get("version", "")}
    name = interpreter.facts.get("implementation", "python").lower()
    found = [_name_file(name, interpreter.executable, "interpreter", facts, cache)]
    if (library := interpreter.library) is not None:
        found.append(_name_file(library.name, library, "interpreter", {}, cache))
    return found


def _describe_cpu(text: str) -> dict[str, str]:
    """Read the first processor; others are counted, and told if their model differs."""
    facts: dict[str, str] = {}
    models: set[str] = set()
    count = 0
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        key, value = key.strip(), value.strip()
        if not colon:
            continue
        if key == "processor":
            count += 1
        elif key == "model name":
            models.add(value)
        if key in {"flags", "Features"}:
            flags = sorted(flag for flag in set(value.split()) if _CPU_FLAGS.fullmatch(flag))
            facts.setdefault("cpu.flags", " ".join(flags))
        elif key in _CPU_KEYS:
            facts.setdefault(f"cpu.{_CPU_KEYS[key]}", value)
    if count:
        facts["cpu.count"] = str(count)
    if len(models) > 1:
        facts["cpu.models"] = "; ".join(sorted(models))
    return facts


def _describe_gpus(root: Path) -> dict[str, str]:
    facts: dict[str, str] = {}
    driver = _read_text(root / "proc/driver/nvidia/version")
    match = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", driver)
    if match:
        facts["gpu.driver"] = match[1]
    elif driver:
        facts["gpu.driver"] = "unknown: the driver's version is not understood"
    for number, folder in enumerate(_list_folder(root / "proc/driver/nvidia/gpus")):
        for line in _read_text(folder / "information").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"Model", "Video BIOS", "GPU Firmware"}:
                facts[f"gpu.{number}.{key.strip().lower().replace(' ', '-')}"] = value.strip()
    amd = _read_text(root / "sys/module/amdgpu/version").strip()
    if amd:
        facts["gpu.amdgpu"] = amd
    return facts


def _describe_container(root: Path) -> dict[str, str]:
    """Tell engine, container and image, each only if something says so plainly."""
    facts: dict[str, str] = {}
    if (root / ".dockerenv").exists():
        facts["container.engine"] = "docker"
    podman = root / "run/.containerenv"
    if podman.exists():
        said = _parse_assignments(_read_text(podman))
        facts["container.engine"] = said.get("engine") or "podman"
        if said.get("image"):
            facts["container.image"] = said["image"]
        image = _IMAGE_ID.fullmatch(said.get("imageid", ""))
        if image:
            facts["container.image-id"] = image[1]
    seen = {
        match[1]
        for name in ("proc/self/cgroup", "proc/self/mountinfo")
        for match in _CONTAINER_ID.finditer(_read_text(root / name))
    }
    if len(seen) == 1 and facts:  # mounts of a host that runs containers name them too
        facts["container.id"] = seen.pop()
    return facts


def _find_os_release(root: Path) -> Path:
    first = root / "etc/os-release"
    return first if first.exists() else root / "usr/lib/os-release"


def _parse_assignments(text: str) -> dict[str, str]:
    return {match[1]: match[3] for match in _ENV_LINE.finditer(text)}


def _list_folder(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[:_MAX_GPUS]
    except OSError:
        return []


def _read_text(path: Path) -> str:
    """Read a small file that the kernel or the image has made; empty if it cannot be read."""
    try:
        descriptor = os.open(path, _OPEN)
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _name_file(
    name: str,
    path: Path,
    role: str,
    annotations: dict[str, str],
    cache: DigestCache | None = None,
) -> Dependency:
    digest, is_cached = hash_file(path, cache)
    annotations = {**annotations, **describe_cached(int(is_cached))}
    return Dependency(
        name=name,
        digest={"sha256": digest} if digest else {},
        uri="" if digest else to_file_uri(str(path)),
        role=role,
        annotations={key: value for key, value in annotations.items() if value},
    )
