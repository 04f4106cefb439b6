"""SLSA provenance: what is written is what is read; what a stranger writes never gets by."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import Dependency, Statement, StepRecord, Subject, parse_statement
from weighbridge.errors import InputError, ParseError
from weighbridge.provenance import KINDS, PREDICATE_TYPE, build_provenance, parse_provenance
from weighbridge.provenance._slsa import OWN_ROLES

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
DIGEST = st.dictionaries(st.sampled_from(["sha256", "gitCommit"]), st.just("0a" * 20), max_size=2)
TEXTS = st.dictionaries(TEXT.filter(lambda name: name != "role"), TEXT, max_size=3)
TIME = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda time: time.replace(microsecond=0)
)
SUBJECTS = [Subject("m", {"sha256": "00" * 32})]


def dependencies(roles: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[Dependency, ...]]:
    one = st.builds(Dependency, TEXT, DIGEST, uri=TEXT, role=roles, annotations=TEXTS)
    return st.lists(one, max_size=3, unique_by=lambda item: item.name).map(tuple)


RECORDS = st.builds(
    StepRecord,
    kind=st.sampled_from(KINDS),
    name=TEXT,
    builder=st.just("https://example.com/b"),
    entry_point=st.lists(TEXT, max_size=3).map(tuple),
    parameters=TEXTS,
    inputs=dependencies(TEXT.filter(lambda role: role not in OWN_ROLES)).filter(
        lambda items: not OWN_ROLES.intersection(item.name for item in items)
    ),
    materials=dependencies(st.sampled_from(sorted(OWN_ROLES))),
    started_at=TIME,
    finished_at=TIME,
    invocation=TEXT,
    facts=st.dictionaries(TEXT.filter(lambda name: name != "step"), TEXT, max_size=2),
    byproducts=dependencies(TEXT),
    source=TEXT.filter(bool),
    source_path=TEXT,
)


@given(record=RECORDS)
def test_what_was_written_is_what_is_read(record: StepRecord) -> None:
    built = build_provenance(record, SUBJECTS)
    assert parse_provenance(parse_statement(built.payload)) == record


def to_statement(predicate: dict[str, Any], kind: str = PREDICATE_TYPE) -> Statement:
    return Statement.build(SUBJECTS, predicate_type=kind, predicate=predicate)


def good() -> dict[str, Any]:
    record = StepRecord(
        kind="train",
        name="n",
        builder="https://example.com/b",
        entry_point=("python",),
        parameters={},
        inputs=(Dependency("d", {"sha256": "00"}, role="d"),),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        finished_at=datetime(2026, 1, 1, tzinfo=UTC),
        invocation="urn:x",
    )
    predicate: dict[str, Any] = json.loads(build_provenance(record, SUBJECTS).payload)["predicate"]
    return predicate


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("buildDefinition.buildType", "https://weighbridge.dev/buildtypes/bake/v1", "not a build"),
        ("buildDefinition.buildType", "https://example.com/train/v1", "not a build type"),
        ("buildDefinition.buildType", None, "buildType"),
        ("buildDefinition.externalParameters.extra", "x", "not known"),
        ("buildDefinition.externalParameters.parameters", {"a": 1}, "not a string"),
        ("buildDefinition.externalParameters.inputs", {"d": "", "hidden": "s3://x"}, "'hidden' is"),
        ("buildDefinition.externalParameters.inputs", {"d": 1}, "not a string"),
        ("buildDefinition.externalParameters.inputs", ["d"], "an object"),
        ("buildDefinition.externalParameters.source", {"uri": "a:b", "ref": "x"}, "'ref' is an ex"),
        ("buildDefinition.resolvedDependencies", [], "not among the dependencies"),
        ("buildDefinition.externalParameters.entryPoint", ["a", 1], "not a string"),
        ("buildDefinition.externalParameters.entryPoint", "a", "a list"),
        ("buildDefinition.resolvedDependencies", ["x"], "not an object"),
        ("buildDefinition.resolvedDependencies", [{"digest": {"sha256": 1}}], "not a string"),
        ("buildDefinition.resolvedDependencies", [{"annotations": {"role": []}}], "not a string"),
        ("buildDefinition.resolvedDependencies", {}, "a list"),
        ("runDetails.builder", {}, "no id"),
        ("runDetails.builder", "x", "no builder"),
        ("runDetails.metadata.startedOn", "yesterday", "not a time"),
        ("runDetails.metadata.startedOn", "2026-02-30T00:00:00Z", "not a time"),
        ("runDetails.metadata.finishedOn", "2026-01-01T00:00:00+01:00", "not a time"),
        ("runDetails.metadata.finishedOn", 5, "finishedOn"),
        ("runDetails", [], "runDetails"),
    ],
)
def test_what_does_not_fit_is_refused(path: str, value: object, words: str) -> None:
    predicate = good()
    *folders, last = path.split(".")
    place = predicate
    for name in folders:
        place = place[name]
    place[last] = value
    with pytest.raises(ParseError, match=words):
        parse_provenance(to_statement(predicate))


def test_other_statements_are_none() -> None:
    with pytest.raises(ParseError, match=r"not https://slsa\.dev/provenance/v1"):
        parse_provenance(to_statement(good(), "https://example.com/x"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    *(("buildDefinition", n) for n in ("buildType", "externalParameters", "internalParameters")),
    ("buildDefinition", "resolvedDependencies"),
    *(("runDetails", name) for name in ("builder", "metadata", "byproducts")),
]


@given(place=st.sampled_from(PLACES), value=JSON)
def test_anything_is_read_or_refused(place: tuple[str, str], value: Any) -> None:
    predicate = good()
    predicate[place[0]][place[1]] = value
    with suppress(ParseError):
        parse_provenance(to_statement(predicate))


@pytest.mark.parametrize("name", sorted(OWN_ROLES))
def test_an_input_is_not_mistaken_for_what_was_found_out(name: str) -> None:
    record = parse_provenance(to_statement(good()))
    taken = Dependency(name, {"sha256": "00"}, role=name)
    with pytest.raises(InputError, match="choose another"):
        build_provenance(replace(record, inputs=(taken,)), SUBJECTS)
