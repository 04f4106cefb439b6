"""Root acceptances and human reviews: what is refused, and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from weighbridge.core import (
    HUMAN_REVIEW_TYPE,
    ROOT_ACCEPTANCE_TYPE,
    Decision,
    HumanReview,
    RootAcceptance,
    Statement,
    Subject,
    build_acceptance,
    build_review,
    parse_acceptance,
    parse_review,
    parse_statement,
    parse_time,
    to_time,
)
from weighbridge.errors import InputError, ParseError
from weighbridge.export import load_schema

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SUBJECTS = (Subject("m", {"sha256": "ab" * 32}),)
ACCEPTANCE = RootAcceptance(
    reason="base",
    fetched_from="https://example.com/m",
    license="MIT",
    license_found="",
    reviewer="me@example.com",
    accepted_at=NOW,
    expires_at=NOW + timedelta(days=30),
    max_level=2,
)
REVIEW = HumanReview(Decision.REJECT, "training data", "biased", "me@example.com", NOW)

Change = Callable[[dict[str, Any]], None]


def put(name: str, value: object) -> Change:
    return lambda predicate: predicate.__setitem__(name, value)


def drop(name: str) -> Change:
    return lambda predicate: predicate.pop(name)


def change(statement: Statement, how: Change) -> Statement:
    document = json.loads(statement.payload)
    how(document["predicate"])
    return parse_statement(json.dumps(document).encode())


COMMON: dict[str, tuple[Change, str]] = {
    "unknown field": (put("maxlevel", 3), "no field 'maxlevel'"),
    "no tool": (drop("tool"), "predicate.tool"),
    "tool of a word": (put("tool", "weighbridge"), "predicate.tool"),
    "tool with more": (put("tool", {"name": "a", "version": "1", "x": ""}), "no field 'x'"),
    "tool without version": (put("tool", {"name": "a"}), "predicate.tool.version"),
    "covered is a word": (put("covered", "all"), "predicate.covered"),
    "covered holds a number": (put("covered", [1]), r"predicate.covered.0"),
    "covered is endless": (put("covered", ["a"] * 21), "20 strings"),
    "no not covered": (drop("notCovered"), "predicate.notCovered"),
    "reviewer missing": (drop("reviewer"), "predicate.reviewer"),
    "reviewer blank": (put("reviewer", "  "), "empty"),
    "reviewer too long": (put("reviewer", "x" * 401), "401 characters"),
    "half a pair": (put("reviewer", "\ud800"), "surrogate"),
    "result null": (put("result", None), "predicate.result"),
    "expires before": (put("expiresAt", "2026-11-30T12:00:00Z"), "after it begins"),
    "expires in 11 years": (put("expiresAt", "2037-11-30T12:00:00Z"), "10 years"),
    "expires at no time": (put("expiresAt", "2027-02-30T12:00:00Z"), "not a time"),
    "expires in another zone": (put("expiresAt", "2027-01-30T12:00:00+01:00"), "not a time"),
    "expires null": (put("expiresAt", None), "a time is wanted"),
    "expires in full width": (put("expiresAt", "\uff12027-01-30T12:00:00Z"), "not a time"),
}
OF_ACCEPTANCE: dict[str, tuple[Change, str]] = {
    **COMMON,
    "no end": (drop("expiresAt"), "predicate.expiresAt"),
    "level true": (put("maxLevel", True), "0 to 3"),
    "level as text": (put("maxLevel", "3"), "0 to 3"),
    "level as float": (put("maxLevel", 1.0), "0 to 3"),
    "level 4": (put("maxLevel", 4), "0 to 3"),
    "level -1": (put("maxLevel", -1), "0 to 3"),
    "rejected": (put("result", "rejected"), "accepted"),
    "no reason": (put("reason", ""), "empty"),
    "a long reason": (put("reason", "x" * 4001), "4,001"),
    "no licence found": (drop("licenseFound"), "predicate.licenseFound"),
    "no address": (put("fetchedFrom", None), "predicate.fetchedFrom"),
}
OF_REVIEW: dict[str, tuple[Change, str]] = {
    **COMMON,
    "two scopes": (put("covered", ["a", "b"]), "exactly one scope"),
    "no scope": (put("covered", []), "exactly one scope"),
    "another decision": (put("result", "maybe"), "approve or reject"),
    "a list of decisions": (put("result", ["approve"]), "approve or reject"),
    "no note": (drop("note"), "predicate.note"),
    "level": (put("maxLevel", 3), "no field"),
}


def is_valid(name: Any, statement: Statement) -> bool:
    return Draft202012Validator(load_schema(name)).is_valid(statement.predicate)


@pytest.mark.parametrize("case", OF_ACCEPTANCE)
def test_a_strange_acceptance_is_refused(case: str) -> None:
    how, words = OF_ACCEPTANCE[case]
    with pytest.raises(ParseError, match=words):
        parse_acceptance(change(build_acceptance(ACCEPTANCE, SUBJECTS), how))


@pytest.mark.parametrize("case", OF_REVIEW)
def test_a_strange_review_is_refused(case: str) -> None:
    how, words = OF_REVIEW[case]
    ends = replace(REVIEW, expires_at=NOW + timedelta(days=1))
    with pytest.raises(ParseError, match=words):
        parse_review(change(build_review(ends, SUBJECTS), how))


# What JSON Schema cannot say: which of two times is later, and which days there are.
BEYOND_SCHEMA = {"expires before", "expires in 11 years", "expires at no time", "half a pair"}


@pytest.mark.parametrize("case", sorted(OF_ACCEPTANCE.keys() - BEYOND_SCHEMA - {"level as float"}))
def test_the_schema_of_acceptances_refuses_it_too(case: str) -> None:
    statement = build_acceptance(ACCEPTANCE, SUBJECTS)
    assert is_valid("root-acceptance-v1", statement)
    assert not is_valid("root-acceptance-v1", change(statement, OF_ACCEPTANCE[case][0]))


@pytest.mark.parametrize("case", sorted(OF_REVIEW.keys() - BEYOND_SCHEMA))
def test_the_schema_of_reviews_refuses_it_too(case: str) -> None:
    statement = build_review(REVIEW, SUBJECTS)
    assert is_valid("human-review-v1", statement)
    assert not is_valid("human-review-v1", change(statement, OF_REVIEW[case][0]))


def test_one_is_not_taken_for_the_other() -> None:
    acceptance, review = build_acceptance(ACCEPTANCE, SUBJECTS), build_review(REVIEW, SUBJECTS)
    with pytest.raises(ParseError, match=HUMAN_REVIEW_TYPE):
        parse_review(acceptance)
    with pytest.raises(ParseError, match=ROOT_ACCEPTANCE_TYPE):
        parse_acceptance(review)
    with pytest.raises(ParseError, match="no field"):
        parse_review(replace(acceptance, predicate_type=HUMAN_REVIEW_TYPE))


@pytest.mark.parametrize(
    "digest", [{"sha512": "ab" * 64}, {"sha256": "ab"}, {"gitCommit": "ab" * 20}]
)
def test_what_pins_nothing_is_refused(digest: dict[str, str]) -> None:
    with pytest.raises(ParseError, match=r"subject\[1\]"):
        build_acceptance(ACCEPTANCE, (*SUBJECTS, Subject("x", digest)))
    with pytest.raises(InputError, match="at least one subject"):
        build_review(REVIEW, ())


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": " "},
        {"fetched_from": ""},
        {"license": "x" * 401},
        {"max_level": 4},
        {"expires_at": NOW},
        {"expires_at": datetime.max.replace(tzinfo=UTC)},
    ],
)
def test_nothing_is_written_that_would_not_be_read(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParseError):
        build_acceptance(replace(ACCEPTANCE, **wrong), SUBJECTS)


def test_the_last_second_of_time_is_no_trap() -> None:
    end = datetime.max.replace(tzinfo=UTC)
    word = replace(ACCEPTANCE, accepted_at=end - timedelta(days=1), expires_at=end)
    assert parse_acceptance(build_acceptance(word, SUBJECTS)) == word


def test_times() -> None:
    assert to_time(NOW) == "2026-11-30T12:00:00Z"
    assert parse_time("2026-11-30T12:00:00.5Z", where="x") == NOW + timedelta(seconds=0.5)
