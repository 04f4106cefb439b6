"""Whether ranks are all there and of one job. Pure: values in, words out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from weighbridge.core import Completeness, printable
from weighbridge.errors import ParseError
from weighbridge.provenance._topology import to_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from weighbridge.core import JsonValue, StepRecord
    from weighbridge.provenance._rank_report import RankReport

__all__ = [
    "RankProblem",
    "VerifiedRank",
    "check_rank",
    "find_rank_problems",
    "read_texts",
    "take_facts",
]


@dataclass(frozen=True, slots=True)
class VerifiedRank:
    """A rank's report, and the provenance of it whose signature holds.

    Attributes:
        report: What the rank says of its part.
        record: How it came about.
        statement: The sha256 of the provenance statement.
        signed_by: Who signed it, as the proof tells.
    """

    report: RankReport
    record: StepRecord
    statement: str
    signed_by: str


@dataclass(frozen=True, slots=True)
class RankProblem:
    """Why ranks cannot be joined.

    Attributes:
        ranks: Which are to blame, sorted.
        words: What is wrong, without their numbers.
        may_pass: Whether the job only has to go on for it to be mended.
    """

    ranks: tuple[int, ...]
    words: str
    may_pass: bool = False

    def __str__(self) -> str:
        """Return a sentence without its end."""
        return f"rank{'' if len(self.ranks) == 1 else 's'} {to_ranges(self.ranks)}: {self.words}"


def check_rank(report: RankReport, record: StepRecord) -> None:
    """Refuse a report that says something else than its own provenance.

    Raises:
        ParseError: It does, or the provenance lacks what is to be joined.
    """
    topology = take_facts(record, "topology")
    told = (topology.get("job"), topology.get("rank"), topology.get("worldSize"))
    if told != (report.job, str(report.rank), str(report.world_size)):
        raise ParseError("its provenance is of another rank or job")
    if (record.kind, record.name) != (report.kind, report.name):
        raise ParseError("its provenance is of another step")
    if {item.name: dict(item.digest) for item in record.inputs} != {
        name: dict(digest) for name, digest in report.inputs.items()
    }:
        raise ParseError("its provenance has other inputs")
    completeness = take_facts(record, "completeness")
    if completeness.get("class") not in [item.value for item in Completeness]:
        raise ParseError("its provenance does not say how complete its inputs are")
    read_texts(completeness.get("gaps"))
    if completeness.get("connections") != "unknown":
        read_texts(completeness.get("connections"))
    for name in ("environment", "determinism", "accelerator"):
        take_facts(record, name)
    read_texts(record.facts.get("problems"))


def take_facts(record: StepRecord, name: str) -> Mapping[str, JsonValue]:
    """Return a group of facts.

    Raises:
        ParseError: It is not there.
    """
    value = record.facts.get(name)
    if not isinstance(value, dict):
        raise ParseError(f"its provenance has no {name}")
    return value


def read_texts(value: JsonValue) -> tuple[str, ...]:
    """Return a list of strings.

    Raises:
        ParseError: It is something else.
    """
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ParseError("its provenance has a list that is none of strings")
    return tuple(value)


def find_rank_problems(
    ranks: Sequence[VerifiedRank], *, world_size: int, job: str = "", apart: bool = False
) -> tuple[RankProblem, ...]:
    """Return why ``ranks`` are not all of one job; nothing if they are. Their order is nothing.

    Args:
        ranks: Each consistent in itself, :func:`check_rank`.
        world_size: How many there have to be.
        job: Which job it has to be; empty: the one that most are of.
        apart: Whether a rank may have ended before another began. Otherwise that counts as left
            over from an earlier run of the same name.
    """
    return tuple(_find_problems(ranks, world_size, job, apart=apart))


def _find_problems(
    ranks: Sequence[VerifiedRank], world_size: int, job: str, *, apart: bool
) -> Iterator[RankProblem]:
    numbers = Counter(rank.report.rank for rank in ranks)
    if missing := tuple(n for n in range(world_size) if n not in numbers):
        yield RankProblem(
            missing,
            "missing: it failed, or has not ended yet; --wait SECONDS waits for it",
            may_pass=True,
        )
    if doubled := tuple(sorted(n for n, count in numbers.items() if count > 1)):
        yield RankProblem(doubled, "there more than once")
    if sizes := tuple(r.report.rank for r in ranks if r.report.world_size != world_size):
        yield RankProblem(
            tuple(sorted(sizes)), f"of a job of another size than {world_size:,}", may_pass=True
        )
    yield from _compare(ranks, "the job", lambda r: r.report.job, wanted=job, may_pass=True)
    if not apart:
        yield from _find_apart(ranks)
    for what, get in _AGREED:
        yield from _compare(ranks, what, get)
    for name in sorted({name for rank in ranks for name in rank.record.parameters}):
        yield from _compare(
            ranks, f"the parameter {printable(name, limit=80)}", partial(_get_parameter, name=name)
        )


def _find_apart(ranks: Sequence[VerifiedRank]) -> Iterator[RankProblem]:
    if not ranks:
        return
    reports = [rank.report for rank in ranks]
    last = max(reports, key=lambda report: (report.began_at, report.rank))
    early = tuple(sorted(r.rank for r in reports if r is not last and r.ended_at < last.began_at))
    if early:
        words = (
            f"ended before rank {last.rank} began, as if left over from an earlier run; if ranks "
            "need not run at the same time, say --apart"
        )
        yield RankProblem(early, words, may_pass=True)


def _get_parameter(rank: VerifiedRank, *, name: str) -> str:
    """Return the parameter in quotes, so that one that is missing is not one of any value."""
    parameters = rank.record.parameters
    return repr(parameters[name]) if name in parameters else "(none)"


def _to_words(items: Mapping[str, str]) -> str:
    return ", ".join(f"{name!r}: {value!r}" for name, value in sorted(items.items()))


_AGREED: tuple[tuple[str, Callable[[VerifiedRank], str]], ...] = (
    ("the kind of step", lambda rank: rank.report.kind),
    ("the name of the step", lambda rank: rank.report.name),
    ("the list of outputs", lambda rank: _to_words(rank.report.outputs)),
    ("the builder", lambda rank: rank.record.builder),
    ("the source", lambda rank: f"{rank.record.source} {rank.record.source_path}".strip()),
)


def _compare(
    ranks: Sequence[VerifiedRank],
    what: str,
    get: Callable[[VerifiedRank], str],
    *,
    wanted: str = "",
    may_pass: bool = False,
) -> Iterator[RankProblem]:
    """Tell who differs from most; of two equally frequent, from that of the lowest rank."""
    found = {id(rank): get(rank) for rank in ranks}
    if len({*found.values(), *([wanted] if wanted else [])}) <= 1:
        return
    if not wanted:
        counts = Counter(found.values())
        ordered = sorted(ranks, key=lambda rank: (-counts[found[id(rank)]], rank.report.rank))
        wanted = found[id(ordered[0])]
    others: dict[str, list[int]] = {}
    for rank in ranks:
        if found[id(rank)] != wanted:
            others.setdefault(found[id(rank)], []).append(rank.report.rank)
    for value, numbers in sorted(others.items(), key=lambda item: min(item[1])):
        shown, usual = printable(value, limit=200), printable(wanted, limit=200)
        words = f"{what} is {shown or '(none)'}, and {usual or '(none)'} elsewhere"
        yield RankProblem(tuple(sorted(numbers)), words, may_pass=may_pass)
