from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import Card, CardEvidence, LicenseEvidence
from weighbridge.formats import parse_license
from weighbridge.licenses import find_license

# The same examples everywhere; no deadline, because the first one loads slow packages.
LAW = settings(deadline=None, derandomize=True)


def find(*licenses: str, name: str = "") -> LicenseEvidence:
    return find_license(CardEvidence(Card("README.md", licenses=licenses, license_name=name)))


@pytest.mark.parametrize(
    ("licenses", "name", "declared", "expression"),
    [
        (("apache-2.0",), "", "apache-2.0", "Apache-2.0"),
        (("mit", "cc-by-4.0"), "", "mit, cc-by-4.0", "MIT AND CC-BY-4.0"),
        (("mit", "mit"), "", "mit, mit", "MIT"),
        (("mit", "isc OR zlib"), "", "mit, isc OR zlib", "MIT AND (ISC OR Zlib)"),
        (("other",), "falcon-llm", "other", "LicenseRef-falcon-llm"),
        (("Other",), "My licence (v1)", "Other", "LicenseRef-My-licence-v1"),
        (("other", "mit"), "x", "other, mit", "LicenseRef-x AND MIT"),
        (("other",), "gpl-3.0", "other", "LicenseRef-gpl-3.0"),
    ],
)
def test_declared_licences_become_an_expression(
    licenses: tuple[str, ...], name: str, declared: str, expression: str
) -> None:
    assert find(*licenses, name=name) == LicenseEvidence(declared, expression)


@pytest.mark.parametrize(
    ("licenses", "name", "words"),
    [
        ((), "", "declares no licence"),
        (("unknown",), "", "declared as unknown"),
        (("other",), "", "no license_name"),
        (("other",), "\u202e!?", "no license_name"),
        (("my own",), "", "'my' is no licence id"),
        (("mit", "zz"), "", "'zz' is no licence id"),
        (("",), "", "declares no licence"),
    ],
)
def test_what_cannot_be_told_has_no_expression(
    licenses: tuple[str, ...], name: str, words: str
) -> None:
    evidence = find(*licenses, name=name)
    assert evidence.expression == ""
    assert words in evidence.problem


def test_without_card_the_card_s_problem_is_the_reason() -> None:
    problem = "README.md: line 2: not YAML"
    evidence = find_license(CardEvidence(None, problem, malformed=True))
    assert evidence == LicenseEvidence(problem=problem)


@LAW
@given(st.lists(st.text(max_size=20), max_size=3), st.text(max_size=20))
def test_any_card_gives_an_expression_or_a_problem(licenses: list[str], name: str) -> None:
    evidence = find(*licenses, name=name)
    assert bool(evidence.expression) is not bool(evidence.problem)
    if evidence.expression:
        assert str(parse_license(evidence.expression)) == evidence.expression
    assert evidence.problem.isprintable()
