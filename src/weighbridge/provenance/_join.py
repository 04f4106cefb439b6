"""Joining the records of all ranks of a job to the record of the job. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from weighbridge.core import Completeness, Dependency, StepRecord
from weighbridge.errors import InputError
from weighbridge.provenance._agree import read_texts, take_facts
from weighbridge.provenance._slsa import PREDICATE_TYPE
from weighbridge.provenance._topology import name_report, to_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from weighbridge.core import JsonValue
    from weighbridge.provenance._agree import VerifiedRank

__all__ = ["join_ranks"]

_DIFFERS = "differs between ranks"
# What is joined in a way of its own.
_JOINED = frozenset(
    {
        *("accelerator", "completeness", "determinism", "entryPoints", "environment"),
        *("outputs", "problems", "step", "topology"),
    }
)


def join_ranks(
    ranks: Sequence[VerifiedRank],
    *,
    builder: str,
    invocation: str,
    finished_at: datetime,
    problems: Sequence[str] = (),
) -> StepRecord:
    """Return the record of the job that ``ranks`` were; their order is nothing.

    What all ranks have in common stands there once. What only some have is annotated with their
    numbers; an input of one name that is not the same everywhere is ``NAME[RANKS]``, with the name
    as its role. The inputs are as complete as those of the weakest rank. Each rank's provenance is
    among the byproducts, by the sha256 of its statement.

    Args:
        ranks: All of a job, without problems (``find_rank_problems``).
        builder: A URI that names who joins them; empty: as the ranks say.
        invocation: A URI that names this one run.
        finished_at: When the outputs were hashed, aware.
        problems: What whoever joins them has to say besides, in sentences.

    Raises:
        InputError: Two inputs would have one name.
    """
    ranks = sorted(ranks, key=lambda rank: rank.report.rank)
    first = ranks[0].record
    everyone = frozenset(rank.report.rank for rank in ranks)
    inputs = _name_apart(_unite(ranks, lambda r: r.record.inputs), everyone)
    materials = [
        _annotate(item, numbers, everyone)
        for item, numbers in _unite(ranks, lambda r: r.record.materials)
    ]
    return StepRecord(
        kind=first.kind,
        name=first.name,
        builder=builder or first.builder,
        entry_point=first.entry_point,
        parameters=first.parameters,
        inputs=inputs,
        started_at=min(
            (rank.record.started_at for rank in ranks if rank.record.started_at), default=None
        ),
        finished_at=finished_at,
        invocation=invocation,
        materials=tuple(materials),
        facts=_join_facts(ranks, everyone, materials, problems),
        byproducts=tuple(
            Dependency(
                name_report(rank.report.rank, len(ranks)).removesuffix(".json"),
                {"sha256": rank.statement},
                annotations={"predicateType": PREDICATE_TYPE, "rank": str(rank.report.rank)},
            )
            for rank in ranks
        ),
        source=first.source,
        source_path=first.source_path,
    )


@dataclass(slots=True)
class _Found:
    item: Dependency
    ranks: set[int] = field(default_factory=set)


def _unite(
    ranks: Sequence[VerifiedRank], get: Callable[[VerifiedRank], Iterable[Dependency]]
) -> list[tuple[Dependency, frozenset[int]]]:
    """Return each thing once, in the order of ranks, and who has it.

    Annotations stay as far as all agree: that a rank found a digest in its cache is not what makes
    a thing another.
    """
    seen: dict[object, _Found] = {}
    for rank in ranks:
        for item in get(rank):
            key = (item.name, item.uri, item.role, tuple(sorted(item.digest.items())))
            found = seen.setdefault(key, _Found(item))
            found.ranks.add(rank.report.rank)
            common = found.item.annotations.items() & item.annotations.items()
            if len(common) < len(found.item.annotations):
                kept = {n: v for n, v in found.item.annotations.items() if (n, v) in common}
                found.item = replace(found.item, annotations=kept)
    return [(found.item, frozenset(found.ranks)) for found in seen.values()]


def _annotate(item: Dependency, numbers: frozenset[int], everyone: frozenset[int]) -> Dependency:
    if numbers == everyone:
        return item
    return replace(item, annotations={**item.annotations, "ranks": to_ranges(numbers)})


def _name_apart(
    found: list[tuple[Dependency, frozenset[int]]], everyone: frozenset[int]
) -> tuple[Dependency, ...]:
    often = {item.name for item, numbers in found if numbers != everyone}
    named = [
        _annotate(
            replace(item, name=f"{item.name}[{to_ranges(numbers)}]")
            if item.name in often
            else item,
            numbers,
            everyone,
        )
        for item, numbers in found
    ]
    for name, count in Counter(item.name for item in named).items():
        if count > 1:
            raise InputError(f"two inputs of the job would be called {name!r}; rename one")
    return tuple(named)


def _join_facts(
    ranks: Sequence[VerifiedRank],
    everyone: frozenset[int],
    materials: Sequence[Dependency],
    problems: Sequence[str],
) -> dict[str, JsonValue]:
    variables = [_to_texts(take_facts(r.record, "environment").get("variables")) for r in ranks]
    removed = {
        name
        for rank in ranks
        for name in read_texts(take_facts(rank.record, "environment").get("removed", []))
    }
    facts: dict[str, JsonValue] = {
        **_keep_others(ranks),
        "topology": {
            "job": ranks[0].report.job,
            "worldSize": str(len(ranks)),
            "ranks": [_describe(rank) for rank in ranks],
        },
        "determinism": _differing(ranks, "determinism"),
        "accelerator": _differing(ranks, "accelerator"),
        "completeness": _join_completeness(ranks, everyone, materials),
        "environment": {"variables": _keep_common(variables), "removed": sorted(removed)},
        "problems": [
            *_label(ranks, everyone, lambda r: read_texts(r.record.facts.get("problems"))),
            *problems,
        ],
    }
    if len({rank.record.entry_point for rank in ranks}) > 1:
        points: dict[tuple[str, ...], list[int]] = {}
        for rank in ranks:
            points.setdefault(rank.record.entry_point, []).append(rank.report.rank)
        facts["entryPoints"] = [
            {"ranks": to_ranges(numbers), "entryPoint": list(point)}
            for point, numbers in points.items()
        ]
    return facts


def _keep_others(ranks: Sequence[VerifiedRank]) -> dict[str, JsonValue]:
    """Return what the steps say of themselves, as far as all say the same."""
    first, *others = (rank.record.facts for rank in ranks)
    return {
        name: value
        for name, value in first.items()
        if name not in _JOINED and all(facts.get(name) == value for facts in others)
    }


def _describe(rank: VerifiedRank) -> dict[str, JsonValue]:
    known = {
        name: value
        for name, value in take_facts(rank.record, "topology").items()
        if name in ("localRank", "localWorldSize", "node", "attempt") and isinstance(value, str)
    }
    return {
        "rank": str(rank.report.rank),
        **known,
        "builder": rank.record.builder,
        "signedBy": rank.signed_by,
        "completeness": take_facts(rank.record, "completeness")["class"],
        "began": rank.report.began_at.isoformat(timespec="seconds"),
        "ended": rank.report.ended_at.isoformat(timespec="seconds"),
    }


def _join_completeness(
    ranks: Sequence[VerifiedRank], everyone: frozenset[int], materials: Sequence[Dependency]
) -> dict[str, JsonValue]:
    groups = [take_facts(rank.record, "completeness") for rank in ranks]
    weakest = min((Completeness(str(group["class"])) for group in groups), key=lambda c: c.rank)
    unknown = any(not str(group.get("undeclared", "")).isdigit() for group in groups)
    undeclared = sum(_count_files(item) for item in materials if item.role == "undeclared")
    connections = [group.get("connections") for group in groups]
    all_connections = {c for names in connections if isinstance(names, list) for c in names}
    denied = [group.get("denied") for group in groups]
    all_denied = {name for names in denied if isinstance(names, list) for name in map(str, names)}
    return {
        "class": weakest.value,
        **{name: _one({str(g.get(name, "")) for g in groups}) for name in ("monitor", "enforcer")},
        "network": _join_network({str(group.get("network")) for group in groups}),
        "connections": sorted(map(str, all_connections))
        if all(isinstance(names, list) for names in connections)
        else "unknown",
        "denied": sorted(all_denied)
        if all(isinstance(names, list) for names in denied)
        else "unknown",
        "undeclared": "unknown" if unknown else str(undeclared),
        "gaps": _label(
            ranks, everyone, lambda r: read_texts(take_facts(r.record, "completeness").get("gaps"))
        ),
    }


def _count_files(item: Dependency) -> int:
    """Return how many files an entry stands for; a folder of very many says it."""
    said = item.annotations.get("files", "1")
    return int(said) if said.isascii() and said.isdigit() else 1


def _join_network(said: set[str]) -> str:
    """Return what all were denied, or what at least one was not; else it is not known."""
    if said == {"denied"}:
        return "denied"
    return "not restricted" if said <= {"denied", "not restricted"} else "unknown"


def _one(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else _DIFFERS


def _label(
    ranks: Sequence[VerifiedRank],
    everyone: frozenset[int],
    get: Callable[[VerifiedRank], Iterable[str]],
) -> list[JsonValue]:
    """Return sentences, each once, with the ranks in front if not all say it."""
    said: dict[str, set[int]] = {}
    for rank in ranks:
        for words in get(rank):
            said.setdefault(words, set()).add(rank.report.rank)
    return [
        words if numbers == everyone else f"ranks {to_ranges(numbers)}: {words}"
        for words, numbers in said.items()
    ]


def _differing(ranks: Sequence[VerifiedRank], group: str) -> dict[str, JsonValue]:
    """Return what is known of any rank; what is not the same everywhere is said to be so."""
    found = [_to_texts(dict(take_facts(rank.record, group))) for rank in ranks]
    common = _keep_common(found)
    return {name: common.get(name, _DIFFERS) for facts in found for name in facts}


def _to_texts(value: JsonValue) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {name: text for name, text in value.items() if isinstance(text, str)}


def _keep_common(found: Sequence[dict[str, str]]) -> dict[str, JsonValue]:
    first, *others = found
    return {
        name: value for name, value in first.items() if all(f.get(name) == value for f in others)
    }
