"""Walls around a step: what this machine can enforce, and how."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Bubblewrap",
    "Confinement",
    "Landlock",
    "Unenforceable",
    "describe_gaps",
    "find_enforcement",
]

_ABI_TCP = 4
_ABI_SCOPES = 6
ABI_UNIX = 9  # from here on, Unix sockets by path are behind walls too
_TRIAL_S = 10


@dataclass(frozen=True, slots=True)
class Landlock:
    """The kernel itself, for any user.

    Attributes:
        abi: The version of Landlock that the kernel speaks; 4 or more.
    """

    abi: int


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """Namespaces in which nothing else exists, made by ``bwrap``.

    Attributes:
        program: Where ``bwrap`` is.
    """

    program: str


@dataclass(frozen=True, slots=True)
class Unenforceable:
    """Nothing on this machine can confine a step.

    Attributes:
        reason: Why, and what to do about it; sentences.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a step and all its children may touch; the rest is denied.

    Attributes:
        readable: Files and folders, with all in them, that may be read and executed.
        writable: Files and folders, with all in them, that may also be written; they exist.
        hidden: What must not be readable, such as the signing key: it is tried before the step
            begins, and a step that could read it is not started.
        network: Whether the network may be used.
        local_sockets: Whether Unix sockets may be made where Landlock is older than version 9
            (Linux 7.1). It cannot tell the socket of a helper process from that of an agent, a
            session bus or a container engine, which start programs outside the walls when asked.
            Pipes, ``socketpair`` and shared memory need no grant.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()
    network: bool = False
    local_sockets: bool = False


def find_enforcement() -> Landlock | Bubblewrap | Unenforceable:
    """Return how a step can be confined here: Landlock, else bubblewrap, else why not.

    Both are tried, not believed: a kernel may know Landlock and have it turned off, and ``bwrap``
    may be there where namespaces are forbidden. Starts no more than a ``bwrap`` around ``true``.
    """
    from weighbridge.provenance._landlock_launcher import SYSCALLS, read_abi  # noqa: PLC0415

    machine = os.uname().machine
    if machine not in SYSCALLS:
        return Unenforceable(
            f"Weighbridge has no filter of system calls for {machine}. "
            f"Run the step on {', '.join(sorted(SYSCALLS))}, or without --enforce."
        )
    abi = read_abi()
    if abi >= _ABI_TCP:
        return Landlock(abi)
    return _find_bubblewrap(_explain_abi(abi))


def _explain_abi(abi: int) -> str:
    if abi == 0:
        return "The kernel does not offer Landlock."
    return f"The kernel's Landlock is version {abi}, which cannot deny TCP; 4 (Linux 6.7) can."


def _find_bubblewrap(reason: str) -> Bubblewrap | Unenforceable:
    advice = "Run on Linux 6.7 or newer with Landlock, or without --enforce."
    program = shutil.which("bwrap")
    if program is None:
        return Unenforceable(
            f"{reason} Bubblewrap (bwrap) is not installed either. Install it, or: {advice}"
        )
    try:
        trial = subprocess.run(  # noqa: S603
            [program, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "true"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRIAL_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Unenforceable(f"{reason} Bubblewrap could not be tried ({error}). {advice}")
    if trial.returncode == 0:
        return Bubblewrap(program)
    from weighbridge.core import printable  # noqa: PLC0415

    said = printable(trial.stderr.decode("utf-8", "replace").strip(), limit=200)
    return Unenforceable(f"{reason} Bubblewrap does not work here ({said}). {advice}")


def describe_gaps(how: Landlock | Bubblewrap, confinement: Confinement) -> tuple[str, ...]:
    """Say in words what the walls do not keep out; for the record beside ``enforced``."""
    gaps = []
    if confinement.network:
        gaps.append("The step could use the network.")
    if isinstance(how, Bubblewrap):
        return tuple(gaps)
    gaps.append(
        "Landlock does not cover metadata: names, sizes, times and extended attributes of files "
        "outside and the command lines of other processes could be looked up, and modes, owners "
        "and times of files changed where the user may."
    )
    shared = "System V, /dev/shm" if Path("/dev/shm") in confinement.writable else "System V"  # noqa: S108
    gaps.append(f"Shared memory ({shared}) was shared with other processes.")
    if confinement.local_sockets and how.abi < ABI_UNIX:
        gaps.append("The step could connect to services that listen on Unix sockets with a path.")
    if how.abi < _ABI_SCOPES:
        gaps.append("The step could send signals to other processes of the same user.")
        if confinement.local_sockets:
            gaps.append("The step could connect to abstract Unix sockets.")
    return tuple(gaps)
