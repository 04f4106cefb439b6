"""What every step needs to run at all, whatever it does: programs, libraries, devices."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.provenance._shebang import find_named, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["BaselinePath", "build_baseline", "find_program_paths", "find_system_libraries"]

_LIBRARIES = "programs and libraries of the system"
_LOADER = "where the loader finds libraries"
_NAMES = "names of users, hosts and services"
_TIME = "time zones and languages"
_CERTIFICATES = "certificates of public authorities"
_KERNEL = "what the kernel says of itself and of the step's processes"
_DEVICES = "devices without content"
_ACCELERATOR = "accelerators"
_INTERPRETER = "an interpreter with its libraries and packages"

_SYSTEM_LIBRARIES = (
    *((path, _LIBRARIES) for path in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")),
    *((path, _LIBRARIES) for path in ("/opt/rocm", "/opt/intel", "/nix/store", "/gnu/store")),
    *((f"/etc/{name}", _LOADER) for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d")),
    ("/etc/ld.so.preload", _LOADER),
    ("/etc/alternatives", _LIBRARIES),
)
_SYSTEM_READ = (
    *((f"/etc/{name}", _NAMES) for name in ("passwd", "group", "nsswitch.conf", "host.conf")),
    *((f"/etc/{name}", _NAMES) for name in ("hosts", "hostname", "services", "protocols")),
    *((f"/etc/{name}", _NAMES) for name in ("resolv.conf", "gai.conf", "os-release", "mime.types")),
    *((f"/etc/{name}", _TIME) for name in ("localtime", "timezone", "locale.alias", "locale.conf")),
    *((f"/etc/ssl/{name}", _CERTIFICATES) for name in ("certs", "cert.pem", "openssl.cnf")),
    *((f"/etc/pki/{name}", _CERTIFICATES) for name in ("tls/certs", "tls/openssl.cnf")),
    ("/etc/pki/ca-trust/extracted", _CERTIFICATES),
    ("/etc/ca-certificates/extracted", _CERTIFICATES),
    ("/etc/fonts", "fonts"),
    ("/etc/OpenCL/vendors", _ACCELERATOR),
    ("/proc", _KERNEL),
    *((f"/sys/{name}", _KERNEL) for name in ("devices/system", "fs/cgroup", "kernel/mm")),
    *((f"/sys/{name}", _ACCELERATOR) for name in ("bus/pci", "class/kfd", "class/drm")),
    ("/sys/module/nvidia", _ACCELERATOR),
    ("/dev/random", _DEVICES),
    ("/dev/urandom", _DEVICES),
)
_SYSTEM_WRITTEN = (
    *((f"/dev/{name}", _DEVICES) for name in ("null", "zero", "full")),
    ("/dev/shm", "memory shared by the step's processes"),  # noqa: S108
    ("/dev/dri", _ACCELERATOR),
    ("/dev/kfd", _ACCELERATOR),
)
# Of the folder in which a Python is installed; not the folder itself, which may be a project.
_PARTS = ("bin", "lib", "lib64", "libexec", "include", "ssl", "share/zoneinfo", "share/terminfo")
_PYTHONS = ("python3", "python")
_SETTINGS_BYTES = 16_384
_MAX_HOPS = 8


@dataclass(frozen=True, slots=True)
class BaselinePath:
    """One path that a step may touch without declaring it.

    Attributes:
        path: It exists; a folder stands for all in it.
        reason: What it is, in words; for the record.
        writable: Whether it may be written to: devices and shared memory.
    """

    path: Path
    reason: str
    writable: bool = False


def build_baseline(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[BaselinePath, ...]:
    """Return what ``argv`` needs to run, besides its inputs; sorted, none inside another.

    That is the system's programs and libraries, the step's program (found as the shell would, by
    the ``PATH`` of ``environment``), the interpreters that it names and those on that ``PATH``,
    each with its packages, and devices. Nothing is executed to find out. A home folder, a
    temporary folder, the working folder and the script that an interpreter is given are not in it:
    they are inputs. Neither are packages installed in editable mode or for one user only.
    """
    search = environment.get("PATH", os.defpath)
    entries = [
        *find_system_libraries(),
        *_find_existing(_SYSTEM_READ),
        *_find_existing(_SYSTEM_WRITTEN, writable=True),
        *(
            BaselinePath(path, _ACCELERATOR, writable=True)
            for path in sorted(Path("/dev").glob("nvidia*"))
        ),
    ]
    for name in (*argv[:1], *_PYTHONS):
        program = _find_program(name, search)
        if program is not None:
            entries += find_program_paths(program, search=search)
    kept: dict[Path, BaselinePath] = {}
    for entry in sorted(entries, key=lambda entry: (entry.path.parts, not entry.writable)):
        if kept.keys().isdisjoint((entry.path, *entry.path.parents)):
            kept[entry.path] = entry
    return tuple(kept.values())


def find_system_libraries() -> tuple[BaselinePath, ...]:
    """Return the folders of programs and libraries that this system has."""
    return tuple(_find_existing(_SYSTEM_LIBRARIES))


def find_program_paths(program: Path, *, search: str = "") -> tuple[BaselinePath, ...]:
    """Return a program and, if it is a Python or a script of one, the interpreter's folders.

    Args:
        program: An absolute path.
        search: The ``PATH`` by which ``#!/usr/bin/env NAME`` is found.
    """
    found: dict[Path, BaselinePath] = {}
    for hop in _follow(program, search):
        found[hop] = BaselinePath(hop, "a program")
        for prefix in _find_prefixes(hop):
            for part in _PARTS:
                if (prefix / part).is_dir():
                    found[prefix / part] = BaselinePath(prefix / part, _INTERPRETER)
            if (prefix / "pyvenv.cfg").is_file():
                settings = prefix / "pyvenv.cfg"
                found[settings] = BaselinePath(settings, _INTERPRETER)
    return tuple(found.values())


def _find_existing(
    table: Sequence[tuple[str, str]], *, writable: bool = False
) -> Iterator[BaselinePath]:
    for name, reason in table:
        path = Path(name)
        if path.exists():
            yield BaselinePath(path, reason, writable)


def _find_program(name: str, search: str) -> Path | None:
    """Search as the shell does; a program by a relative path is an input, not the system's."""
    found = _search(name, search)
    return Path(found) if found is not None else None


def _search(name: str, search: str) -> str | None:
    found = shutil.which(name, path=search)
    return found if found is not None and found.startswith("/") else None


def _follow(program: Path, search: str) -> Iterator[Path]:
    """Yield a program, what its links lead to, and the interpreter that its first line names."""
    for _ in range(_MAX_HOPS):
        if not program.is_file():
            return
        yield program
        if program.is_symlink():
            program = program.parent / program.readlink()
            continue
        named = _read_shebang(program, search)
        if named is None:
            return
        program = named


def _read_shebang(program: Path, search: str) -> Path | None:
    try:
        return find_named(read_head(program), lambda name: _search(name, search))
    except OSError:
        return None


def _find_prefixes(program: Path) -> Iterator[Path]:
    """Yield the folders in which the Python of this program is installed."""
    prefix = Path(os.path.normpath(program.parent)).parent
    home = _read_home(prefix / "pyvenv.cfg")
    if home is not None:
        yield prefix
        yield home.parent
    elif any((prefix / "lib").glob("python3*/os.py")) and prefix != Path("/"):
        yield prefix


def _read_home(settings: Path) -> Path | None:
    """Return the folder of the Python that a virtual environment was made from."""
    try:
        with settings.open("rb") as stream:
            text = os.fsdecode(stream.read(_SETTINGS_BYTES))
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home" and value.strip().startswith("/"):
            return Path(value.strip()).resolve()
    return None
