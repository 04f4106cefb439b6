"""Starting a step inside walls, and knowing that they stood."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from weighbridge.core import printable
from weighbridge.errors import IncompleteError, InputError
from weighbridge.provenance._landlock import ABI_UNIX, Bubblewrap, Confinement, Landlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ConfinedLaunch", "find_launcher_paths", "open_launch", "verify_confined"]

_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16  # address families of Linux
_REPORT_BYTES = 4096
_ACCELERATORS = ("nvidia", "kfd", "dri")
_BARE_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class ConfinedLaunch:
    """How to start a confined step: ``Popen(argv, env=environment, pass_fds=descriptors)``.

    A monitor may be put before ``argv``. ``environment`` is for the launcher (and the monitor); the
    step's own environment travels through a descriptor, so that nothing in it, such as
    ``LD_PRELOAD`` or ``PYTHONPATH``, has a say before the walls are up.

    Or, without a second start of Python, :meth:`begin` in a child of this process.

    Attributes:
        argv: The command.
        environment: All variables that the launcher needs.
        descriptors: What the command inherits besides 0, 1 and 2; the step inherits none of them.
        report: Where the launcher's report is read, by :func:`verify_confined`.
        can_fork: Whether :meth:`begin` does all that ``argv`` does: there are no other walls.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    descriptors: tuple[int, int]
    report: int
    can_fork: bool

    def begin(self) -> NoReturn:
        """Become the step, in a child that was forked while this process had a single thread."""
        from weighbridge.provenance import _landlock_launcher  # noqa: PLC0415 - is there already

        try:
            _landlock_launcher.become_step(*self.descriptors)
        finally:  # also if a signal came that the runner has a handler for
            os._exit(_landlock_launcher.NOT_BEGUN)


@contextmanager
def open_launch(
    argv: Sequence[str],
    confinement: Confinement,
    *,
    how: Landlock | Bubblewrap,
    environment: Mapping[str, str],
    folder: Path,
) -> Iterator[ConfinedLaunch]:
    """Prepare the start of a step that can touch nothing but what ``confinement`` grants.

    The walls hold for the step and all its descendants and cannot be taken down. The launcher
    closes every descriptor but 0, 1 and 2, drops capabilities beyond those for files and processes
    of one's own, forbids gaining privileges, tries that ``confinement.hidden`` cannot be read, and
    becomes the step: same process id, same exit code.

    Args:
        argv: The step; its first word is searched in the ``PATH`` of ``environment``.
        confinement: What is granted; relative paths count from ``folder``.
        how: From ``find_enforcement``.
        environment: The step's variables, and no others.
        folder: The step's working folder; start the process there.

    Raises:
        InputError: A granted path does not exist or is ``/``, or the step is empty.
    """
    if not argv:
        raise InputError("There is no step to start; name its command after --.")
    if not sys.executable:
        raise InputError("This Python cannot start another; run Weighbridge by its own command.")
    readable = _to_existing(confinement.readable, folder)
    writable = _to_existing(confinement.writable, folder)
    spec = {
        "argv": [_to_text(word) for word in argv],
        "environment": {_to_text(k): _to_text(v) for k, v in environment.items()},
        "abi": how.abi if isinstance(how, Landlock) else 0,
        "readable": [_to_text(path) for path in readable],
        "writable": [_to_text(path) for path in writable],
        "hidden": [_to_text(folder / path) for path in confinement.hidden],
        "network": confinement.network,
        "families": _to_families(how, confinement),
    }
    with ExitStack() as stack:
        spec_fd = _open_memory(json.dumps(spec).encode("ascii"))
        stack.callback(os.close, spec_fd)
        report, report_fd = os.pipe()
        stack.callback(os.close, report)
        stack.callback(os.close, report_fd)
        os.set_blocking(report, False)
        from weighbridge.provenance import _landlock_launcher  # noqa: PLC0415

        script = _landlock_launcher.__file__
        launcher = [sys.executable, "-I", "-S", "-B", script, str(spec_fd), str(report_fd)]
        if isinstance(how, Bubblewrap):
            needed = [*find_launcher_paths(), *readable]
            walls = _build_bubblewrap(how, confinement, (needed, writable), folder)
            launcher = [*walls, *launcher]
        yield ConfinedLaunch(
            tuple(launcher),
            {"PATH": _BARE_PATH, "LC_CTYPE": "C.UTF-8"},
            (spec_fd, report_fd),
            report,
            can_fork=isinstance(how, Landlock),
        )


def verify_confined(launch: ConfinedLaunch) -> None:
    """Hold that the step ran inside its walls; call it once the process has ended.

    Raises:
        InputError: The walls stood, but the step's program could not be started.
        IncompleteError: The walls did not come up, so that the step was not started.
    """
    from weighbridge.provenance._landlock_launcher import FAILED, READY  # noqa: PLC0415

    try:
        said = os.read(launch.report, _REPORT_BYTES)
    except BlockingIOError:
        said = b""
    state, failed, words = said.partition(FAILED)
    reason = printable(words.decode("utf-8", "replace"), limit=1000)
    if state == READY and not failed:
        return
    if state == READY:
        raise InputError(
            f"The step's program could not be started inside its walls: {reason}. "
            "Check its name, and that it is among the inputs."
        )
    if not failed:
        reason = "its launcher ended before the walls were up; what it said is on standard error"
    raise IncompleteError(f"The step was not started: {reason}.")


def _to_text(name: str | Path) -> str:
    """One character a byte, whatever the locale; the launcher turns it back."""
    return os.fsencode(name).decode("latin-1")


def _to_existing(paths: Sequence[Path], folder: Path) -> list[Path]:
    absolute = [folder.absolute() / path for path in paths]
    for path in absolute:
        shown = printable(str(path))
        if not path.exists():
            raise InputError(
                f"{shown} does not exist, so that no step can be given it; "
                "create it first (an output as an empty file or folder)."
            )
        if path.resolve() == Path("/"):
            raise InputError(f"{shown} is the whole system; name the folders that the step needs.")
    return absolute


def _to_families(how: Landlock | Bubblewrap, confinement: Confinement) -> list[int]:
    """Which kinds of sockets may be made; ``socketpair`` is always allowed.

    Source:
        Landlock restricts TCP only; UDP, raw and Unix sockets are left to this filter.
    """
    network = [_INET, _INET6, _NETLINK] if confinement.network else []
    # Where the sockets of others are out of reach, the step may have its own.
    alone = how.abi >= ABI_UNIX if isinstance(how, Landlock) else not confinement.network
    return [*network, *([_UNIX] if confinement.local_sockets or alone else [])]


def _open_memory(content: bytes) -> int:
    descriptor = os.memfd_create("weighbridge-step", os.MFD_CLOEXEC)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def find_launcher_paths() -> list[Path]:
    """Return what the launcher itself reads; a monitor before it sees that as the step's.

    Behind Landlock, a step can read none of it that is not granted as well.
    """
    from weighbridge.provenance import _landlock_launcher  # noqa: PLC0415
    from weighbridge.provenance._confined_baseline import (  # noqa: PLC0415
        find_program_paths,
        find_system_libraries,
    )

    script = Path(_landlock_launcher.__file__)
    found = (*find_system_libraries(), *find_program_paths(Path(sys.executable)))
    return [*(entry.path for entry in found), script]


def _build_bubblewrap(
    how: Bubblewrap,
    confinement: Confinement,
    granted: tuple[list[Path], list[Path]],
    folder: Path,
) -> list[str]:
    """Return the walls of ``bwrap``: outer folders first, so that inner ones lie over them."""
    words = [how.program, "--unshare-all", "--die-with-parent"]
    words += ["--share-net"] if confinement.network else []
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path, kind in _to_binds(*granted).items():
        words += [kind, str(path), str(path)]
    words += ["--dir", str(folder.absolute()), "--remount-ro", "/", "--remount-ro", "/proc"]
    return [*words, "--chdir", str(folder.absolute()), "--"]


def _to_binds(readable: list[Path], writable: list[Path]) -> dict[Path, str]:
    """Return what is laid where, by real path, and by the name that was used if that is a link."""
    kinds = {path.resolve(): "--ro-bind" for path in readable}
    kinds |= {path.resolve(): "--bind" for path in writable}
    aliases = {path: kinds[path.resolve()] for path in (*readable, *writable) if path not in kinds}
    binds: dict[Path, str] = {}
    for path, kind in sorted((kinds | aliases).items(), key=lambda item: item[0].parts):
        if path.parts[1] in {"proc", "dev"}:  # namespaces have their own
            if path.name.startswith(_ACCELERATORS):
                binds[path] = "--dev-bind"
            continue
        above = next((binds[parent] for parent in path.parents if parent in binds), None)
        if above is None or (path in kinds and above != kind):
            binds[path] = kind
    return binds
