"""Environments are read as they were written, and strange ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from weighbridge.core import Dependency, Environment, Statement, Subject
from weighbridge.errors import ParseError
from weighbridge.provenance import SCAI_TYPE, parse_environment, to_scai

FACTS = {"cpu.model": "x", "cpu.flags": "avx2", "python.version": "3.11.7", "os": "linux"}


def build(predicate: dict[str, Any], kind: str = SCAI_TYPE) -> Statement:
    subjects = [Subject("m", {"sha256": "ab" * 32})]
    return Statement.build(subjects, predicate_type=kind, predicate=predicate)


def test_what_is_written_is_read() -> None:
    statement = build(to_scai(FACTS, producer="https://example.com/builder"))
    assert parse_environment(statement) == Environment(
        {
            "cpu": {"model": "x", "flags": "avx2"},
            "python": {"version": "3.11.7"},
            "os": {"value": "linux"},
        }
    )


def test_what_is_about_something_else_is_left_out() -> None:
    target = Dependency("compiler", {"sha256": "cd" * 32})
    assert parse_environment(build(to_scai(FACTS, target=target))) == Environment({})


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        (None, "a list"),
        ({"cpu": {}}, "a list"),
        (["cpu"], r"attributes\[0\]"),
        ([{"conditions": {}}], "no name"),
        ([{"attribute": 1}], "no name"),
        ([{"attribute": "a"}, {"attribute": "a"}], r"twice \(at attributes\[1\]\)"),
        ([{"attribute": "a", "conditions": []}], "not an object"),
        ([{"attribute": "a", "conditions": {"x": 1}}], "not a string"),
        ([{"attribute": "a", "conditions": {"x": {}}}], "not a string"),
    ],
)
def test_a_strange_one_is_refused(attributes: Any, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        parse_environment(build({"attributes": attributes}))


def test_another_type_is_refused() -> None:
    with pytest.raises(ParseError, match="of the type x"):
        parse_environment(build(to_scai(FACTS), "x"))
