"""Test results: what an evaluation says, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from weighbridge.core import (
    TEST_RESULT_TYPE,
    Statement,
    Subject,
    TestResult,
    parse_statement,
    parse_test_result,
)
from weighbridge.errors import ParseError


def build(predicate: dict[str, Any], kind: str = TEST_RESULT_TYPE) -> Statement:
    subjects = [Subject("m", {"sha256": "ab" * 32})]
    return Statement.build(subjects, predicate_type=kind, predicate=predicate)


@pytest.mark.parametrize(
    ("predicate", "result"),
    [
        ({"result": "PASSED"}, TestResult(True, {})),
        ({"result": "WARNED"}, TestResult(False, {})),
        ({"result": "FAILED", "failedTests": ["a"]}, TestResult(False, {}, ("a",))),
        ({"result": "PASSED", "failedTests": ["a"]}, TestResult(False, {}, ("a",))),
        (
            {"result": "PASSED", "metrics": {"accuracy": "0.92", "loss": "-1.5e-3", "n": "7"}},
            TestResult(True, {"accuracy": "0.92", "loss": "-1.5e-3", "n": "7"}),
        ),
        # Readers ignore what they do not know; protobuf writes an empty list as nothing or null.
        ({"result": "PASSED", "url": "x", "failedTests": None, "new": 1}, TestResult(True, {})),
    ],
)
def test_what_it_says(predicate: dict[str, Any], result: TestResult) -> None:
    assert parse_test_result(build(predicate)) == result


@pytest.mark.parametrize(
    ("predicate", "where"),
    [
        ({}, "predicate.result"),
        ({"result": "passed"}, "predicate.result"),
        ({"result": ["PASSED"]}, "predicate.result"),
        ({"result": "PASSED", "failedTests": "a"}, "predicate.failedTests"),
        ({"result": "PASSED", "failedTests": [1]}, "predicate.failedTests"),
        ({"result": "PASSED", "metrics": ["0.9"]}, "predicate.metrics"),
        ({"result": "PASSED", "metrics": {"a": 1}}, "'a' is no decimal number"),
        ({"result": "PASSED", "metrics": {"a": "NaN"}}, "'a' is no decimal number"),
        ({"result": "PASSED", "metrics": {"a": "Infinity"}}, "'a' is no decimal number"),
        ({"result": "PASSED", "metrics": {"a": "0x1"}}, "'a' is no decimal number"),
        ({"result": "PASSED", "metrics": {"a": "1_0"}}, "'a' is no decimal number"),
        ({"result": "PASSED", "metrics": {"a": "\uff11"}}, "'a' is no decimal number"),
        ({"result": "PASSED", "metrics": {"a": "1e9999"}}, "'a' is no decimal number"),
        ({"result": "PASSED", "metrics": {"a": "1\n"}}, "'a' is no decimal number"),
        ({"result": "PASSED", "metrics": {"a": "9" * 41}}, "'a' is no decimal number"),
    ],
)
def test_what_it_cannot_say(predicate: dict[str, Any], where: str) -> None:
    with pytest.raises(ParseError, match=where):
        parse_test_result(build(predicate))


def test_a_statement_of_another_type_is_refused() -> None:
    with pytest.raises(ParseError, match="of the type x"):
        parse_test_result(build({"result": "PASSED"}, "x"))


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**30])
def test_integers_that_readers_round_are_in_no_statement(number: int) -> None:
    with pytest.raises(ParseError, match=r"2\^53"):
        parse_statement(build({"n": [{"x": number}]}).payload)
    with pytest.raises(ParseError, match=r"2\^53"):
        parse_statement(build({"n": number}).payload.replace(b",", b" ,\n"))


@pytest.mark.parametrize("number", [2**53 - 1, 1 - 2**53])
def test_the_largest_that_they_do_not_round_is(number: int) -> None:
    statement = parse_statement(build({"n": number, "x": "9" * 60, "y": 1e300}).payload)
    assert statement.predicate["n"] == number
