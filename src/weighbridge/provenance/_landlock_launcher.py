"""The few lines that stand between a runner and a confined step.

Run as a script by ``python -I -S``, or called in a child that the runner forked. It imports the
standard library only and nothing later, so that neither the step's folder nor its environment nor a
``.pth`` file has a say before the walls are up. It reads what to do from one descriptor, confines
itself, says so on another, and becomes the step.

What it says is ``R`` once the walls are up, and ``E`` with a sentence if something failed. Both
descriptors are closed when the step begins, so that a step can say neither.

Source:
    Linux, Documentation/userspace-api/landlock.rst and seccomp_filter.rst; prctl(2).
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import stat
import struct
import sys
from typing import Any

__all__ = [
    "FAILED",
    "NOT_BEGUN",
    "READY",
    "SYSCALLS",
    "become_step",
    "build_filter",
    "confine",
    "main",
    "read_abi",
    "to_handled",
]

READY = b"R"
FAILED = b"E"
NOT_BEGUN = 127  # the exit code of a launcher that did not become a step

# Landlock: the same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_RESOLVE_UNIX = 1 << 16
_ALL_BEFORE_IOCTL = (1 << 15) - 1
_TCP = 3  # bind and connect
_SCOPES = 3  # abstract Unix sockets and signals
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
# A device that root makes in an output would be the whole disk.
_WRITE = (_ALL_BEFORE_IOCTL | _IOCTL_DEV) & ~(_MAKE_CHAR | _MAKE_BLOCK)
_ABI_IOCTL, _ABI_SCOPES, _ABI_UNIX = 5, 6, 9

# prctl
_SET_SECCOMP, _CAPBSET_DROP, _SET_NO_NEW_PRIVS, _CAP_AMBIENT = 22, 24, 38, 47
_CLEAR_ALL, _FILTER = 4, 2
# chown, dac_override, fowner, fsetid, kill, setgid, setuid, ipc_lock, sys_nice: what root needs to
# work with files and processes of its own. The rest (mknod, sys_admin, sys_ptrace, ...) is dropped.
_KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 14, 23})
_LAST_CAPABILITY = 63

# The architecture as seccomp names it; the numbers of socket and ioctl; and of what is denied
# altogether: io_uring (opens sockets past any filter) and the kernel's keyrings.
_GENERIC = (198, 29, (425, 217, 218, 219))
SYSCALLS: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, 41, 16, (425, 248, 249, 250)),
    "aarch64": (0xC00000B7, *_GENERIC),
    "riscv64": (0xC00000F3, *_GENERIC),
}
_X32_BIT = 0x40000000
# ioctls that type into the terminal which the step shares with the person who started it
_TYPING = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST, _AT_SECOND = 0, 4, 16, 24
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | errno.EACCES

Instruction = tuple[int, int, int, int]


class _Failure(Exception):  # noqa: N818 - never leaves this script
    """A sentence for the runner."""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(libc: ctypes.CDLL, number: int, *arguments: object) -> int:
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def read_abi() -> int:
    """Return the version of Landlock that the kernel speaks; 0 if it speaks none."""
    try:
        return _call(_libc(), _CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def build_filter(machine: str, families: tuple[int, ...] | None) -> list[Instruction]:
    """Return a seccomp program that opens sockets of ``families`` only; None allows all.

    It also denies io_uring, the kernel's keyrings, typing into the terminal, and whatever is asked
    in the numbers of another architecture.
    """
    architecture, socket, ioctl, denied = SYSCALLS[machine]
    deny, allow = (_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)
    program = [
        (_LOAD, 0, 0, _AT_ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        deny,
        (_LOAD, 0, 0, _AT_NUMBER),
        (_AT_LEAST, 0, 1, _X32_BIT),
        deny,
    ]
    for number in denied:
        program += [(_EQUAL, 0, 1, number), deny]
    if families is not None:
        block = [(_LOAD, 0, 0, _AT_FIRST)]
        for family in families:
            block += [(_EQUAL, 0, 1, family), allow]
        block.append(deny)
        program += [(_EQUAL, 0, len(block), socket), *block]
    block = [(_LOAD, 0, 0, _AT_SECOND)]
    for request in _TYPING:
        block += [(_EQUAL, 0, 1, request), deny]
    return [*program, (_EQUAL, 0, len(block), ioctl), *block, allow]


def _prctl(libc: ctypes.CDLL, what: int, *arguments: object) -> None:
    filled = [*arguments, *(ctypes.c_ulong(0),) * (4 - len(arguments))]
    if libc.prctl(ctypes.c_int(what), *filled):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _install_filter(libc: ctypes.CDLL, program: list[Instruction]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    _prctl(libc, _SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.c_char_p(header))


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Keep the next program from having more than it needs; without root there is nothing to do."""
    for what, *arguments in (
        (_CAP_AMBIENT, _CLEAR_ALL),
        *((_CAPBSET_DROP, n) for n in range(_LAST_CAPABILITY + 1) if n not in _KEPT_CAPABILITIES),
    ):
        try:
            _prctl(libc, what, *(ctypes.c_ulong(argument) for argument in arguments))
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EINVAL}:  # no such capability, or no root
                raise


def _add_path(libc: ctypes.CDLL, ruleset: int, path: bytes, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise _Failure(f"{os.fsdecode(path)} cannot be opened: {error.strerror}") from error
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        _call(libc, _ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def to_handled(abi: int) -> int:
    """Return the rights over files that a version of Landlock knows, from version 3 on.

    Unix sockets by path are granted nowhere: those that the step made itself are not concerned.
    """
    return (
        _ALL_BEFORE_IOCTL
        | (_IOCTL_DEV if abi >= _ABI_IOCTL else 0)
        | (_RESOLVE_UNIX if abi >= _ABI_UNIX else 0)
    )


def _restrict(libc: ctypes.CDLL, spec: dict[str, Any]) -> None:
    """Deny every path that is not granted, and TCP unless the network is."""
    abi = read_abi()
    if abi < spec["abi"]:
        raise _Failure(f"the kernel speaks Landlock {abi} where {spec['abi']} was found before")
    files = to_handled(abi)
    scopes = _SCOPES if abi >= _ABI_SCOPES else 0
    attributes = struct.pack("=QQQ", files, 0 if spec["network"] else _TCP, scopes)
    if not scopes:
        attributes = attributes[:16]
    ruleset = _call(
        libc, _CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)
    )
    for path in spec["readable"]:
        _add_path(libc, ruleset, path.encode("latin-1"), _READ & files)
    for path in spec["writable"]:
        _add_path(libc, ruleset, path.encode("latin-1"), _WRITE & files)
    _call(libc, _RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def _try_walls(spec: dict[str, Any]) -> None:
    """Try what must fail; a wall that gives way is said before the step begins."""
    hidden = [path.encode("latin-1") for path in spec["hidden"]]
    for path in [b"/", *hidden] if spec["abi"] else hidden:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError:
            continue
        raise _Failure(
            f"the step could read {os.fsdecode(path)}; keep it outside of what the step may read"
        )


def _close_inherited(kept: int) -> None:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib would cost more than the rest
        descriptor = int(name)
        if descriptor > 2 and descriptor != kept:  # noqa: PLR2004 - stdin, stdout, stderr stay
            try:
                os.close(descriptor)
            except OSError as error:  # the one that listed the folder is closed already
                if error.errno != errno.EBADF:
                    raise


def confine(spec: dict[str, Any]) -> None:
    """Confine this process and all that it starts, for good.

    Raises:
        OSError: The system refuses.
    """
    libc = _libc()
    _drop_capabilities(libc)
    _prctl(libc, _SET_NO_NEW_PRIVS, ctypes.c_ulong(1))
    if spec["abi"]:
        _restrict(libc, spec)
    families = spec["families"]
    program = build_filter(os.uname().machine, None if families is None else tuple(families))
    _install_filter(libc, program)
    _try_walls(spec)


def _read_spec(descriptor: int) -> dict[str, Any]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(descriptor, "rb") as stream:
        spec: dict[str, Any] = json.loads(stream.read())
    return spec


def become_step(spec_fd: int, report_fd: int) -> None:
    """Confine this process, then become the step; return only if that failed, and was reported."""
    os.set_inheritable(report_fd, False)
    try:
        spec = _read_spec(spec_fd)
        _close_inherited(report_fd)
        confine(spec)
        argv = [word.encode("latin-1") for word in spec["argv"]]
        environment = {
            name.encode("latin-1"): value.encode("latin-1")
            for name, value in spec["environment"].items()
        }
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.write(report_fd, READY)
        os.execvpe(argv[0], argv, environment)  # noqa: S606
    except _Failure as error:
        words = str(error)
    except (OSError, ValueError, KeyError) as error:
        words = getattr(error, "strerror", None) or repr(error)
    os.write(report_fd, FAILED + words.encode("utf-8", "surrogateescape")[:2000])


def main(arguments: list[str]) -> int:
    """Be the launcher, as a script."""
    spec_fd, report_fd = map(int, arguments)
    become_step(spec_fd, report_fd)
    return NOT_BEGUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
