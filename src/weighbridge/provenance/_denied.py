"""What the walls around a step denied it, as far as a monitor saw it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from weighbridge.core import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from weighbridge.core import Observation
    from weighbridge.provenance._landlock import Confinement

__all__ = ["find_denied", "take_attempts"]

# What the kernel answers where Landlock (EACCES), a link across (EXDEV) or a right (EPERM) ends.
_DENIALS = frozenset({"EACCES", "EPERM", "EXDEV"})
# What is not there, or not writable, in a system that bubblewrap shows.
_HIDDEN = _DENIALS | {"ENOENT", "EROFS"}


def find_denied(
    failures: Iterable[Refusal],
    confinement: Confinement,
    *,
    hides: bool = False,
    tried: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the paths that the walls denied, of all that a monitor saw fail; sorted, once each.

    A path that was granted and failed all the same (its mode forbids it, say) is not among them.
    The paths of ``failures`` are not looked up: what is there now may not be what was there.

    Args:
        failures: What failed.
        confinement: What was granted.
        hides: Whether what is not granted is not there for the step, as inside bubblewrap.
        tried: What the launcher tried once itself, to know that the walls stand.
    """
    writable = _to_granted(confinement.writable)
    readable = writable | _to_granted(confinement.readable)
    return tuple(
        sorted(
            {
                failure.path
                for failure in failures
                if failure.error in (_HIDDEN if hides else _DENIALS)
                and not _is_under(failure.path, writable if failure.writing else readable)
                and not (failure.path in tried and failure.times == 1)
            }
        )
    )


def take_attempts(
    observation: Observation, confinement: Confinement, *, own: Iterable[Path] = ()
) -> Observation:
    """Tell what was tried apart from what was done, for a monitor that sees calls begin.

    What is not granted was neither read nor written, whatever the monitor saw the step begin.

    Args:
        observation: From an audit hook.
        confinement: What was granted.
        own: What was read before the walls were up.
    """
    writable = _to_granted(confinement.writable)
    readable = writable | _to_granted((*confinement.readable, *own))
    refusals = {
        *observation.refusals,
        *(
            Refusal(path, "EACCES", writing=False)
            for path in observation.reads
            if not _is_under(path, readable)
        ),
        *(
            Refusal(path, "EACCES", writing=True)
            for path in observation.writes
            if not _is_under(path, writable)
        ),
    }
    return replace(
        observation,
        reads=tuple(path for path in observation.reads if _is_under(path, readable)),
        writes=tuple(path for path in observation.writes if _is_under(path, writable)),
        refusals=tuple(sorted(refusals)),
    )


def _to_granted(paths: Iterable[Path]) -> set[str]:
    return {str(name) for path in paths for name in (path.absolute(), path.resolve())}


def _is_under(path: str, granted: set[str]) -> bool:
    """Whether ``path`` or a folder that holds it is granted."""
    return path in granted or any(str(above) in granted for above in PurePath(path).parents)
