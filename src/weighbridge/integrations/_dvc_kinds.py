"""What kind of step a stage of DVC is: as somebody says it, never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError
from weighbridge.workflow import KINDS, check_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.integrations._dvc_repository import Stage

__all__ = ["choose_kinds", "find_group"]

_FETCH = "fetch"


def find_group(name: str) -> str:
    """Return ``train`` for ``train@item``."""
    return name.rpartition("@")[0] or name


def choose_kinds(
    stages: Sequence[Stage], kinds: Mapping[str, str], builder: str
) -> dict[str, tuple[str, str]]:
    """Return kind and who said so, by stage; nothing is guessed.

    Raises:
        InputError: A kind is none, is given for a stage that is not there, or is not known.
    """
    for kind in (KINDS[0], *kinds.values()):
        check_kind(kind, builder)
    names = {name for stage in stages for name in (stage.name, find_group(stage.name))}
    for name in kinds:
        if name and name not in names:
            raise InputError(f"a kind is given for {printable(name)!r}, which is no stage here")
    chosen: dict[str, tuple[str, str]] = {}
    unknown = []
    for stage in stages:
        found = _choose_kind(stage, kinds)
        if found is not None:
            chosen[stage.name] = found
        elif stage.recorded is not None and not stage.problem:
            unknown.append(find_group(stage.name))
    if unknown:
        several = [printable(name, limit=80) for name in dict.fromkeys(unknown)]
        raise InputError(
            f"what kind of step is {', '.join(several[:10])}? Say it for each, as in "
            f"--kind {several[0]}=KIND, with one of {', '.join(KINDS)}"
        )
    return chosen


def _choose_kind(stage: Stage, kinds: Mapping[str, str]) -> tuple[str, str] | None:
    group = find_group(stage.name)
    called = group.rpartition(":")[2].replace("_", "-")
    if given := kinds.get(stage.name) or kinds.get(group):
        return given, "caller"
    if stage.is_fetch:
        return _FETCH, "dvc"
    if called in KINDS:
        return called, "name"
    return (kinds[""], "caller") if "" in kinds else None
