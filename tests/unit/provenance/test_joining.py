"""Ranks joined: pure, whatever their order; what one of them says differently is never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import (
    DEFAULT_LIMITS,
    Completeness,
    Dependency,
    StepRecord,
    Subject,
    parse_statement,
)
from weighbridge.errors import InputError, ParseError
from weighbridge.provenance import (
    RankReport,
    VerifiedRank,
    build_provenance,
    check_rank,
    find_rank_problems,
    join_ranks,
    parse_provenance,
    parse_rank_report,
    to_rank_report,
)

BEGAN = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ENDED = BEGAN + timedelta(hours=1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
NAMES = st.sampled_from(["data", "base", "lock"])
DIGESTS = st.sampled_from(["0a" * 32, "0b" * 32]).map(lambda value: {"sha256": value})
INPUTS = st.dictionaries(NAMES, st.tuples(DIGESTS, st.sampled_from(["file:a", "file:b"])))
MATERIALS = st.lists(
    st.builds(
        Dependency,
        st.sampled_from(["pip", "torch", "/etc/x"]),
        DIGESTS,
        role=st.sampled_from(["package", "undeclared"]),
    ),
    max_size=3,
)


def make_rank(
    rank: int,
    size: int,
    inputs: dict[str, tuple[dict[str, str], str]] | None = None,
    materials: list[Dependency] | None = None,
    *,
    known: str = "observed",
    **facts: object,
) -> VerifiedRank:
    given = inputs or {}
    report = RankReport(
        job="j",
        rank=rank,
        world_size=size,
        kind="train",
        name="sft",
        inputs={name: digest for name, (digest, _) in given.items()},
        outputs={"model": "file:out/model"},
        began_at=BEGAN,
        ended_at=ENDED,
    )
    record = StepRecord(
        kind="train",
        name="sft",
        builder="https://example.com/b",
        entry_point=("python", "train.py"),
        parameters={"lr": "1"},
        inputs=tuple(Dependency(n, d, uri=u, role=n) for n, (d, u) in given.items()),
        started_at=BEGAN + timedelta(seconds=rank),
        finished_at=ENDED,
        invocation=f"urn:{rank}",
        materials=tuple(materials or ()),
        facts={
            "topology": {"job": "j", "rank": str(rank), "worldSize": str(size)},
            "completeness": {
                "class": known,
                "monitor": "m",
                "enforcer": "",
                "network": "not restricted",
                "connections": [],
                "undeclared": "0",
                "gaps": [],
            },
            "environment": {"variables": {"RANK": str(rank), "TZ": "UTC"}, "removed": []},
            "determinism": {"PYTHONHASHSEED": "0"},
            "accelerator": {"kind": "none"},
            "problems": [],
            **facts,
        },
    )
    check_rank(report, record)
    return VerifiedRank(report, record, f"{rank:02x}" * 32, "key k")


def make_job(size: int = 4) -> list[VerifiedRank]:
    return [make_rank(rank, size) for rank in range(size)]


def join(ranks: list[VerifiedRank], builder: str = "") -> StepRecord:
    return join_ranks(ranks, builder=builder, invocation="urn:x", finished_at=ENDED)


@st.composite
def jobs(draw: st.DrawFn) -> list[VerifiedRank]:
    size = draw(st.integers(1, 5))
    classes = st.sampled_from([item.value for item in Completeness])
    return [
        make_rank(
            rank,
            size,
            draw(INPUTS),
            draw(MATERIALS),
            known=draw(classes),
            problems=draw(st.lists(st.sampled_from(["a", "b"]), max_size=2)),
        )
        for rank in range(size)
    ]


@given(data=st.data(), job=jobs())
def test_the_order_of_ranks_is_nothing(data: st.DataObject, job: list[VerifiedRank]) -> None:
    shuffled = data.draw(st.permutations(job))
    assert join(shuffled) == join(job)
    found = find_rank_problems(shuffled, world_size=len(job))
    assert found == find_rank_problems(job, world_size=len(job)) == ()


@given(job=jobs())
def test_nothing_is_lost_and_nothing_added(job: list[VerifiedRank]) -> None:
    """From the joined record one can tell for each rank what it took in."""
    joined = join(job)
    everyone = {rank.report.rank for rank in job}

    def ranks_of(item: Dependency) -> set[int]:
        said = item.annotations.get("ranks")
        if said is None:
            return everyone
        found: set[int] = set()
        for part in said.split(","):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
        return found

    for rank in job:
        for mine, all_of_them in (
            (rank.record.inputs, joined.inputs),
            (rank.record.materials, joined.materials),
        ):
            wanted = {(i.role, i.digest["sha256"], i.uri) for i in mine}
            there = [i for i in all_of_them if rank.report.rank in ranks_of(i)]
            assert {(i.role, i.digest["sha256"], i.uri) for i in there} == wanted
    names = [item.name for item in joined.inputs]
    assert len(set(names)) == len(names)
    classes = [Completeness(rank.record.facts["completeness"]["class"]).rank for rank in job]  # type: ignore[call-overload, index]
    assert Completeness(joined.facts["completeness"]["class"]).rank == min(classes)  # type: ignore[call-overload, index]
    assert [item.digest["sha256"] for item in joined.byproducts] == [r.statement for r in job]
    statement = build_provenance(joined, [Subject("m", {"sha256": "00" * 32})])
    assert parse_provenance(parse_statement(statement.payload)).inputs == joined.inputs


@given(data=st.data(), job=jobs())
def test_without_any_one_rank_nothing_fits(data: st.DataObject, job: list[VerifiedRank]) -> None:
    gone = data.draw(st.sampled_from(job))
    problems = find_rank_problems([r for r in job if r is not gone], world_size=len(job))
    assert problems[0].ranks == (gone.report.rank,)
    assert problems[0].may_pass
    twice = find_rank_problems([*job, gone], world_size=len(job))
    assert [(p.ranks, p.may_pass) for p in twice] == [((gone.report.rank,), False)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"job": "other"}, "rank 2: the job is other, and j elsewhere"),
        ({"kind": "clean"}, "rank 2: the kind of step is clean, and train elsewhere"),
        ({"name": "x"}, "rank 2: the name of the step is x"),
        ({"outputs": {"model": "file:elsewhere"}}, "rank 2: the list of outputs is"),
        ({"world_size": 5}, "rank 2: of a job of another size"),
        ({"ended_at": BEGAN - timedelta(microseconds=1)}, "rank 2: ended before rank 3 began"),
        ({"began_at": ENDED + timedelta(microseconds=1)}, "ranks 0-1,3: ended before rank 2 began"),
    ],
)
def test_a_report_that_does_not_fit(changes: dict[str, object], words: str) -> None:
    ranks = make_job()
    ranks[2] = replace(ranks[2], report=replace(ranks[2].report, **changes))  # type: ignore[arg-type]
    (problem,) = find_rank_problems(ranks, world_size=4)
    assert str(problem).startswith(words)
    if "began" in words:
        assert find_rank_problems(ranks, world_size=4, apart=True) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": {"lr": "2"}}, "rank 2: the parameter lr is '2', and '1' elsewhere"),
        ({"parameters": {}}, "rank 2: the parameter lr is (none), and '1' elsewhere"),
        ({"parameters": {"lr": "(none)"}}, "rank 2: the parameter lr is '(none)'"),
        ({"builder": "https://e.com/c"}, "rank 2: the builder is https://e.com/c"),
        ({"source": "git+https://e.com/x"}, "rank 2: the source is git+https://e.com/x"),
    ],
)
def test_a_record_that_does_not_fit(changes: dict[str, object], words: str) -> None:
    ranks = make_job()
    ranks[2] = replace(ranks[2], record=replace(ranks[2].record, **changes))  # type: ignore[arg-type]
    (problem,) = find_rank_problems(ranks, world_size=4)
    assert str(problem).startswith(words)


def test_of_two_halves_the_one_of_rank_0_is_right() -> None:
    ranks = make_job(2)
    ranks[1] = replace(ranks[1], report=replace(ranks[1].report, job="other"))
    (problem,) = find_rank_problems(ranks[::-1], world_size=2)
    assert str(problem) == "rank 1: the job is other, and j elsewhere"


@pytest.mark.parametrize(
    "facts",
    [
        {"topology": {"job": "j", "rank": "1", "worldSize": "4"}},
        {"topology": {"job": "k", "rank": "2", "worldSize": "4"}},
        {"topology": "2/4"},
        {"completeness": {"class": "perfect", "gaps": [], "connections": []}},
        {"completeness": {"class": ["observed"], "gaps": [], "connections": []}},
        {"completeness": {"class": "observed", "gaps": "none", "connections": []}},
        {"environment": []},
        {"determinism": None},
        {"problems": [1]},
    ],
)
def test_a_report_that_contradicts_its_provenance(facts: dict[str, object]) -> None:
    with pytest.raises(ParseError):
        make_rank(2, 4, **facts)


def test_other_inputs_than_in_the_provenance() -> None:
    rank = make_rank(2, 4, {"data": ({"sha256": "0a" * 32}, "file:a")})
    with pytest.raises(ParseError, match="other inputs"):
        check_rank(replace(rank.report, inputs={}), rank.record)


def test_what_differs_is_said() -> None:
    ranks = [
        make_rank(0, 3, determinism={"PYTHONHASHSEED": "0"}, problems=["no git"]),
        make_rank(1, 3, determinism={"PYTHONHASHSEED": "1"}, problems=["no git"]),
        make_rank(2, 3, determinism={}, accelerator={"kind": "gpu"}),
    ]
    ranks[2] = replace(ranks[2], record=replace(ranks[2].record, entry_point=("sh",)))
    facts = join(ranks, "https://example.com/joiner").facts
    assert facts["determinism"] == {"PYTHONHASHSEED": "differs between ranks"}
    assert facts["accelerator"] == {"kind": "differs between ranks"}
    assert facts["problems"] == ["ranks 0-1: no git"]
    assert facts["environment"] == {"variables": {"TZ": "UTC"}, "removed": []}
    assert facts["entryPoints"] == [
        {"ranks": "0-1", "entryPoint": ["python", "train.py"]},
        {"ranks": "2", "entryPoint": ["sh"]},
    ]
    assert join(ranks).builder == "https://example.com/b"


def test_what_only_one_rank_says_of_a_thing_does_not_make_it_another() -> None:
    """One found the digest in its cache."""
    pip = Dependency("pip", {"sha256": "0a" * 32}, role="package", annotations={"version": "1"})
    cached = replace(pip, annotations={"version": "1", "cachedFiles": "3"})
    for materials in ([pip, cached], [cached, pip]):
        ranks = [make_rank(rank, 2, {}, [item]) for rank, item in enumerate(materials)]
        assert join(ranks).materials == (pip,)


def test_what_steps_say_of_themselves_stays_if_all_say_it() -> None:
    ranks = [make_rank(rank, 2, notebook={"cells": "3"}, seed=str(rank)) for rank in range(2)]
    facts = join(ranks).facts
    assert facts["notebook"] == {"cells": "3"}
    assert "seed" not in facts


@pytest.mark.parametrize(
    ("said", "network", "connections"),
    [
        ((("denied", []), ("denied", ["a"])), "denied", ["a"]),
        ((("denied", []), ("not restricted", "unknown")), "not restricted", "unknown"),
        ((("denied", []), ("unknown", "unknown")), "unknown", "unknown"),
    ],
)
def test_what_one_rank_does_not_know_nobody_knows(
    said: tuple[tuple[str, object], ...], network: str, connections: object
) -> None:
    ranks = [
        make_rank(
            rank,
            2,
            completeness={
                "class": "declared", "network": denied, "connections": seen, "gaps": []
            },
        )
        for rank, (denied, seen) in enumerate(said)
    ]  # fmt: skip
    completeness: Any = join(ranks).facts["completeness"]
    assert (completeness["network"], completeness["connections"]) == (network, connections)


def test_an_input_that_is_called_like_a_shard() -> None:
    one, other = ({"sha256": "0a" * 32}, "file:a"), ({"sha256": "0b" * 32}, "file:a")
    ranks = [
        make_rank(0, 2, {"data": one, "data[1]": one}),
        make_rank(1, 2, {"data": other, "data[1]": one}),
    ]
    with pytest.raises(InputError, match="rename one"):
        join(ranks)


REPORTS = st.builds(
    RankReport,
    job=TEXT,
    rank=st.integers(0, 9),
    world_size=st.integers(10, 20),
    kind=TEXT,
    name=TEXT,
    inputs=st.dictionaries(TEXT, st.dictionaries(TEXT, TEXT, max_size=2), max_size=2),
    outputs=st.dictionaries(TEXT, TEXT, max_size=2),
    began_at=st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ended_at=st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)


@given(report=REPORTS)
def test_reports_are_read_as_they_were_written(report: RankReport) -> None:
    data = to_rank_report(report)
    assert parse_rank_report(data, what="report", limits=DEFAULT_LIMITS) == report


@given(report=REPORTS, data=st.data())
def test_there_is_one_way_to_write_a_report(report: RankReport, data: st.DataObject) -> None:
    raw = bytearray(to_rank_report(report))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = parse_rank_report(bytes(raw), what="report", limits=DEFAULT_LIMITS)
    except ParseError:
        return
    assert to_rank_report(read) == raw


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"rank":2', b'"rank":2.0'),
        (b'"rank":2', b'"rank":true'),
        (b'"rank":2', b'"rank":-2'),
        (b'"rank":2', b'"rank":4'),
        (b'"rank":2', b'"rank":"2"'),
        (b'"rank":2', b'"rank":2,"more":1'),
        (b'"rank":2,', b""),
        (b'"job":"j"', b'"job":null'),
        (b'"job":"j"', b'"job":"\\u006a"'),
        (b'"inputs":{}', b'"inputs":{"a":"b"}'),
        (b'"inputs":{}', b'"inputs":{"a":{"b":1}}'),
        (b'"outputs":{"model":"file:out/model"}', b'"outputs":{"model":["x"]}'),
        (b"T03:00:00.000000Z", b"T03:00:00Z"),
        (b"2026-11-22T03", b"2026-13-22T03"),
        (b"}\n", b"}"),
        (b"{", b" {"),
        (b"rank-report/v1", b"rank-report/v2"),
    ],
)
def test_reports_that_are_refused(old: bytes, new: bytes) -> None:
    data = to_rank_report(make_rank(2, 4).report)
    changed = data.replace(old, new, 1)
    assert changed != data
    with pytest.raises(ParseError):
        parse_rank_report(changed, what="report", limits=DEFAULT_LIMITS)
