"""The order of DVC's stages: what makes before what takes, and what cannot be put in order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from weighbridge.integrations._dvc_repository import Place, Stage

__all__ = ["order_stages"]

# The claim names every input and is put beside every output.
_MOST_CLAIMED = 1_000_000


def order_stages(
    stages: Sequence[Stage], *, root: Path, data: Iterable[Path] = ()
) -> tuple[Stage, ...]:
    """Return all stages, each behind those whose outputs it takes in.

    A stage that cannot stand as it is recorded gets a problem: it makes what it takes in, what
    another makes, or needs itself by way of others. So does one that only data speaks of: a dataset
    may hold a ``dvc.yaml`` of whoever made it. Costs as much as there are paths.

    Args:
        stages: As they were found.
        root: The repository.
        data: What DVC tracks besides their outputs.
    """
    checked = [_check_own(stage) for stage in stages]
    checked = _check_documents(checked, root, data)
    checked = _check_outputs(checked)
    checked = _check_claims(checked)
    ordered, rest = _sort(checked, root)
    circle = "needs what it makes itself, by way of other stages"
    return (*ordered, *(s if s.problem else _blame(s, circle) for s in rest))


def _blame(stage: Stage, problem: str) -> Stage:
    return replace(stage, problem=problem, contradicts=True)


def _check_documents(stages: Sequence[Stage], root: Path, data: Iterable[Path]) -> list[Stage]:
    """Give a problem to stages whose files lie in data, as DVC does not look for any there."""
    folders = {*data, *(p.path for s in stages for p in s.outputs if p.path is not None)}
    problem = "is in a file that lies in data; DVC does not look there"
    return [
        replace(stage, problem=stage.problem or problem)
        if any(
            not folders.isdisjoint((root / document.path).parents) for document in stage.documents
        )
        else stage
        for stage in stages
    ]


def _check_own(stage: Stage) -> Stage:
    if stage.problem or stage.recorded is None:
        return stage
    if not stage.outputs:
        return replace(stage, problem="has no output of which anything could be claimed")
    entries = len(stage.inputs) + len(stage.outputs)
    if entries * len(stage.outputs) > _MOST_CLAIMED:
        return replace(
            stage,
            problem=f"has {len(stage.outputs):,} outputs and {len(stage.inputs):,} dependencies, "
            "too many to claim each; make folders of them",
        )
    for places, what in ((stage.inputs, "dependency"), (stage.outputs, "output")):
        names = [place.name for place in places]
        if len(set(names)) != len(names):
            return _blame(stage, f"has the same {what} twice")
    taken = {place.path: place for place in stage.inputs if place.path is not None}
    made = {place.path for place in stage.outputs if place.path is not None}
    for place in stage.outputs:
        if place.path is not None and not taken.keys().isdisjoint(
            (place.path, *place.path.parents)
        ):
            return _blame(stage, f"makes {printable(place.name)}, which it takes in too")
    for path, place in taken.items():
        if not made.isdisjoint(path.parents):
            return _blame(stage, f"takes in {printable(place.name)}, which it makes too")
    return stage


def _check_outputs(stages: list[Stage]) -> list[Stage]:
    """Give a problem to stages whose outputs are or hold each other."""
    made: dict[Path, list[int]] = {}
    for index, place in _list_outputs(stages):
        made.setdefault(_to_path(place), []).append(index)
    problems: dict[int, str] = {}
    for index, place in _list_outputs(stages):
        path = _to_path(place)
        others = [i for i in made[path][:2] if i != index]
        around = next((parent for parent in path.parents if parent in made), None)
        if around is not None:
            others = made[around][:1]
        for other in others:
            words = f"makes {printable(place.name)}, and so does the stage {{}}"
            problems.setdefault(index, words.format(printable(stages[other].name)))
            problems.setdefault(other, words.format(printable(stages[index].name)))
    return [
        _blame(stage, problems[index]) if index in problems else stage
        for index, stage in enumerate(stages)
    ]


def _check_claims(stages: list[Stage]) -> list[Stage]:
    """Give a problem to stages whose claims would lie in a folder that another takes in."""
    folders = {
        place.path: stage.name
        for stage in stages
        if not stage.problem
        for place in stage.inputs
        if place.path is not None and place.entry.is_folder
    }
    found = []
    for stage in stages:
        problem = stage.problem
        for place in stage.outputs:
            if problem or place.path is None:
                continue
            around = next((p for p in place.path.parents if p in folders), None)
            if around is not None and not place.entry.is_folder:
                reader = printable(folders[around])
                problem = (
                    f"makes {printable(place.name)} in a folder that the stage {reader} takes in "
                    "whole, so that a claim beside it would change that; make the folder the output"
                )
        found.append(replace(stage, problem=problem))
    return found


def _sort(stages: list[Stage], root: Path) -> tuple[list[Stage], list[Stage]]:
    """Sort; folders are nodes of their own, so that there are no more edges than parts of paths."""
    made = {_to_path(place): index for index, place in _list_outputs(stages)}
    sorter: TopologicalSorter[int | Path] = TopologicalSorter()
    for path, index in made.items():
        sorter.add(path, index)
        below = path
        for parent in path.parents:
            if below == root or not parent.is_relative_to(root):
                break
            sorter.add(parent, below)
            below = parent
    for index, stage in enumerate(stages):
        sorter.add(index)
        for place in stage.inputs:
            if place.path is not None and not stage.problem:
                sorter.add(index, place.path)
                makers = [made[p] for p in place.path.parents if p in made]
                sorter.add(index, *makers)
    with suppress(CycleError):  # what is outside of the circles still comes
        sorter.prepare()
    ordered: list[int] = []
    while ready := sorter.get_ready():
        ordered += sorted(node for node in ready if isinstance(node, int))
        sorter.done(*ready)
    left = set(range(len(stages))) - set(ordered)
    return [stages[index] for index in ordered], [stages[index] for index in sorted(left)]


def _list_outputs(stages: list[Stage]) -> Iterator[tuple[int, Place]]:
    for index, stage in enumerate(stages):
        for place in stage.outputs:
            if not stage.problem and place.path is not None:
                yield index, place


def _to_path(place: Place) -> Path:
    assert place.path is not None  # noqa: S101 - _list_outputs gives no others
    return place.path
