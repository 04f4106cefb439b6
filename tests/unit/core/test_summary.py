"""Verification summaries: written as they are read, and read no better than they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import (
    SUMMARY_TYPE,
    Statement,
    Subject,
    VerificationSummary,
    build_summary,
    parse_statement,
    parse_summary,
)
from weighbridge.errors import InputError, ParseError

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SUBJECTS = [Subject("model", {"sha256": "ab" * 32})]
POLICY = "sha256:" + "77" * 32

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
digests = st.binary(min_size=32, max_size=32).map(lambda data: f"sha256:{data.hex()}")
levels = st.integers(min_value=0, max_value=3)


@st.composite
def summaries(draw: st.DrawFn) -> VerificationSummary:
    passed = draw(st.booleans())
    counts = st.dictionaries(levels, st.integers(min_value=0, max_value=10**15 - 1))
    hours = draw(st.integers(min_value=-12, max_value=12))
    zone = timezone(timedelta(hours=hours))
    return VerificationSummary(
        verifier=draw(text),
        verified_at=draw(st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(zone))),  # noqa: DTZ001
        resource_uri=draw(text),
        policy_uri=draw(text),
        policy_digest=draw(digests | st.just("")),
        passed=passed,
        level=draw(st.none() | levels) if passed else None,
        dependency_levels=draw(st.none() | counts),
        inputs=tuple(draw(st.lists(digests, max_size=3))),
    )


@given(summaries())
def test_what_was_written_is_what_is_read(summary: VerificationSummary) -> None:
    statement = build_summary(summary, SUBJECTS)
    assert parse_summary(parse_statement(statement.payload)) == summary


def given_predicate(**changes: Any) -> Statement:
    predicate: dict[str, Any] = {
        "verifier": {"id": "https://example.com/v", "version": {"v": "1"}},
        "timeVerified": "2026-11-21T09:30:00Z",
        "resourceUri": "https://example.com/m",
        "policy": {"uri": "https://example.com/p", "digest": {"sha256": "77" * 32}},
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_2"],
        "https://example.com/extension": [1],
        **changes,
    }
    predicate = {name: value for name, value in predicate.items() if value != "absent"}
    return Statement.build(SUBJECTS, predicate_type=SUMMARY_TYPE, predicate=predicate)


def test_fields_that_the_specification_does_not_name_are_ignored() -> None:
    """ "Consumers MUST ignore unrecognized fields." """
    summary = parse_summary(given_predicate())
    assert (summary.verifier, summary.level) == ("https://example.com/v", 2)
    assert summary.dependency_levels is None
    assert summary.inputs == ()


@pytest.mark.parametrize(
    ("named", "level"),
    [
        ([], None),
        (["SLSA_BUILD_LEVEL_0"], 0),
        (["SLSA_BUILD_LEVEL_3", "SLSA_SOURCE_LEVEL_1", "OUR_OWN"], 3),
        (["SLSA_SOURCE_LEVEL_3"], None),
        (["SLSA_BUILD_LEVEL_UNEVALUATED"], None),
        (["SLSA_BUILD_LEVEL_4"], None),
        (["SLSA_BUILD_LEVEL_3", "SLSA_BUILD_LEVEL_UNEVALUATED"], None),
        (["SLSA_BUILD_LEVEL_3", "SLSA_BUILD_LEVEL_1"], 1),
    ],
)
def test_only_levels_of_the_build_track_count_and_the_least_of_them(
    named: list[str], level: int | None
) -> None:
    assert parse_summary(given_predicate(verifiedLevels=named)).level == level


def test_a_summary_that_failed_has_no_level() -> None:
    failed = {"verificationResult": "FAILED", "verifiedLevels": ["SLSA_BUILD_LEVEL_3"]}
    summary = parse_summary(given_predicate(**failed))
    assert (summary.passed, summary.level) == (False, None)


@pytest.mark.parametrize(
    ("counts", "read"),
    [
        ({}, {}),
        ({"SLSA_BUILD_LEVEL_3": 5, "SLSA_BUILD_LEVEL_1": 0}, {3: 5, 1: 0}),
        ({"SLSA_BUILD_LEVEL_3": 5, "SLSA_BUILD_LEVEL_UNEVALUATED": 2}, {3: 5, 0: 2}),
        ({"FAILED": 1, "SLSA_BUILD_LEVEL_0": 1}, {0: 2}),
        ({"SLSA_BUILD_LEVEL_9": 1}, {0: 1}),
        ({"SLSA_SOURCE_LEVEL_2": 4}, None),
        ({"SLSA_SOURCE_LEVEL_2": 4, "SLSA_BUILD_LEVEL_2": "3"}, {2: 3}),
        ({"SLSA_BUILD_LEVEL_2": 3.0}, {2: 3}),
    ],
)
def test_dependencies_of_which_nothing_is_known_count_as_level_0(
    counts: dict[str, Any], read: dict[int, int] | None
) -> None:
    assert parse_summary(given_predicate(dependencyLevels=counts)).dependency_levels == read


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"verifier": "me"}, "verifier"),
        ({"verifier": {"id": 1}}, "verifier.id"),
        ({"verifier": {"id": ""}}, "verifier.id"),
        ({"timeVerified": "absent"}, "timeVerified"),
        ({"timeVerified": "2026-11-21 09:30:00"}, "timeVerified"),
        ({"timeVerified": "2026-11-21T09:30:00+01:00"}, "timeVerified"),
        ({"timeVerified": "2026-13-21T09:30:00Z"}, "timeVerified"),
        ({"timeVerified": "0000-01-01T00:00:00Z"}, "timeVerified"),
        ({"resourceUri": 1}, "resourceUri"),
        ({"policy": []}, "policy"),
        ({"policy": {"uri": 1}}, "policy.uri"),
        ({"policy": {"digest": []}}, "policy.digest"),
        ({"policy": {"digest": {"sha256": "AB" * 32}}}, "policy.digest.sha256"),
        ({"policy": {"digest": {"sha256": ""}}}, "policy.digest.sha256"),
        ({"inputAttestations": {}}, "inputAttestations"),
        ({"inputAttestations": ["x"]}, r"inputAttestations\[0\]"),
        ({"inputAttestations": [{"digest": {"sha256": 1}}]}, r"\[0\].digest.sha256"),
        ({"verificationResult": "passed"}, "verificationResult"),
        ({"verificationResult": True}, "verificationResult"),
        ({"verifiedLevels": "SLSA_BUILD_LEVEL_3"}, "verifiedLevels"),
        ({"verifiedLevels": [3]}, r"verifiedLevels\[0\]"),
        ({"verifiedLevels": ["FAILED"]}, r"verifiedLevels\[0\]"),
        ({"dependencyLevels": []}, "dependencyLevels"),
        ({"dependencyLevels": None}, "dependencyLevels"),
        ({"dependencyLevels": {"SLSA_BUILD_LEVEL_3": -1}}, "dependencyLevels"),
        ({"dependencyLevels": {"SLSA_BUILD_LEVEL_3": 1.5}}, "dependencyLevels"),
        ({"dependencyLevels": {"SLSA_BUILD_LEVEL_3": True}}, "dependencyLevels"),
        ({"dependencyLevels": {"SLSA_BUILD_LEVEL_3": "-1"}}, "dependencyLevels"),
        ({"dependencyLevels": {"SLSA_BUILD_LEVEL_3": 10**300}}, "dependencyLevels"),
        ({"dependencyLevels": {"other": "x"}}, "dependencyLevels"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ParseError, match=rf"\(at .*{place}"):
        parse_summary(given_predicate(**changes))


def test_another_type_of_statement_is_refused() -> None:
    other = Statement.build(SUBJECTS, predicate_type="https://example.com/x", predicate={})
    with pytest.raises(ParseError, match="is of the type"):
        parse_summary(other)


def test_digests_of_other_algorithms_are_not_taken_for_sha256() -> None:
    policy = {"uri": "https://example.com/p", "digest": {"sha512": "77" * 64}}
    inputs = [{"digest": {"sha512": "ab" * 64}}, {"digest": {"sha256": "ab" * 32}}]
    summary = parse_summary(given_predicate(policy=policy, inputAttestations=inputs))
    assert summary.policy_digest == ""
    assert summary.inputs == ("sha256:" + "ab" * 32,)


@pytest.mark.parametrize(
    "changes",
    [
        {"verifier": ""},
        {"resource_uri": ""},
        {"policy_uri": ""},
        {"policy_digest": "77" * 32},
        {"policy_digest": "sha256:77"},
        {"verified_at": datetime(2026, 11, 21)},  # noqa: DTZ001
        {"level": 4},
        {"level": -1},
        {"level": 2, "passed": False},
        {"dependency_levels": {4: 1}},
        {"dependency_levels": {3: -1}},
        {"inputs": ("sha512:" + "ab" * 64,)},
    ],
)
def test_what_no_reader_could_use_is_not_written(changes: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "verifier": "https://example.com/v",
        "verified_at": AT,
        "resource_uri": "https://example.com/m",
        "policy_uri": "https://example.com/p",
        "policy_digest": POLICY,
        "passed": True,
    }
    build_summary(VerificationSummary(**good), SUBJECTS)
    with pytest.raises(InputError):
        build_summary(VerificationSummary(**{**good, **changes}), SUBJECTS)
