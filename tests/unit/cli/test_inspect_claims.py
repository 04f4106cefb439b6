"""What people are told of claims: what is not known reads as not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from weighbridge.cli._inspect_claims import claims_to_lines
from weighbridge.core import (
    Bundle,
    Decision,
    Dependency,
    Envelope,
    HumanReview,
    PublicKeyMaterial,
    RootAcceptance,
    StepRecord,
    Subject,
    TestResult,
    VerificationSummary,
)
from weighbridge.provenance import build_provenance
from weighbridge.workflow import InspectedClaim

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
RECORD = StepRecord(
    kind="train",
    name="n",
    builder="https://example.com/b",
    entry_point=("python",),
    parameters={},
    inputs=(Dependency("d", {"sha256": "00"}, role="d"),),
    started_at=NOON,
    finished_at=NOON + timedelta(seconds=5),
    invocation="urn:x",
    facts={"completeness": {"class": "observed", "undeclared": "0", "gaps": []}},
)


def show(**changes: Any) -> str:
    record = replace(RECORD, **changes)
    statement = build_provenance(RECORD, [Subject("m", {"sha256": "11"})])
    envelope = Envelope(statement.payload, ())
    bundle = Bundle(PublicKeyMaterial("k"), envelope, b"{}")
    return "\n".join(claims_to_lines("c", [InspectedClaim(bundle, statement, record)]))


@pytest.mark.parametrize(
    ("began", "ended", "words"),
    [
        (NOON, NOON + timedelta(seconds=5), "2026-01-01 12:00:00 UTC, for 5 s"),
        (None, NOON, "ended 2026-01-01 12:00:00 UTC, begin not recorded"),
        (NOON, None, "began 2026-01-01 12:00:00 UTC, end not recorded"),
        (None, None, "not recorded"),
        (
            NOON,
            NOON - timedelta(seconds=1),
            "began 2026-01-01 12:00:00 UTC, and ended before that, 2026-01-01 11:59:59 UTC",
        ),
    ],
)
def test_when(began: datetime | None, ended: datetime | None, words: str) -> None:
    assert f"when:     {words}\n" in show(started_at=began, finished_at=ended)


def to_source(name: str, commit: str, **said: str) -> Dependency:
    return Dependency(name, {"gitCommit": commit}, role="source", annotations=said)


def test_the_commit_is_that_of_the_source_and_not_of_a_submodule() -> None:
    said = show(
        materials=(
            to_source("source", "a" * 40, dirty="true"),
            to_source("source/sub", "b" * 40, dirty="false"),
            to_source("source/other", "c" * 40),
        )
    )
    assert "code:     commit aaaaaaaaaaaa, with changes\n" in said
    assert "commit bbbbbbbbbbbb, without changes, source/sub\n" in said
    assert "commit cccccccccccc, changes unknown, source/other\n" in said


@pytest.mark.parametrize(
    ("completeness", "words"),
    [
        ({"class": "declared", "gaps": ["no strace"]}, "gap:      no strace"),
        ({"class": "audited by all"}, "unknown, since 'audited by all' is no class"),
        ({"class": "observed", "gaps": "none"}, "not told as a list: none"),
        ({"class": "observed", "gaps": 5}, "not told as a list: 5"),
        ({}, "inputs:   unknown; read and not declared: unknown"),
        ("enforced", "inputs:   unknown"),
    ],
)
def test_how_complete(completeness: Any, words: str) -> None:
    assert words in show(facts={"completeness": completeness})


def show_content(content: Any) -> str:
    statement = build_provenance(RECORD, [Subject("m", {"sha256": "11"})])
    bundle = Bundle(PublicKeyMaterial("k"), Envelope(statement.payload, ()), b"{}")
    return "\n".join(claims_to_lines("c", [InspectedClaim(bundle, statement, None, content)]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            RootAcceptance("base", "https://e.org/m", "MIT", "", "ann", NOON, LATER, 2),
            (
                "1. root acceptance",
                "reason:   base",
                "from:     https://e.org/m",
                "licence:  MIT; found in the artifact: none",
                "level:    2 at most",
                "when:     2026-01-01 12:00:00 UTC, until 2026-01-02 12:00:00 UTC",
            ),
        ),
        (
            HumanReview(Decision.REJECT, "data", "bad\x1b[2J", "ann", NOON),
            (
                "1. human review",
                "result:   reject, for data",
                r"note:     bad\x1b[2J",
                "when:     2026-01-01 12:00:00 UTC, no end of its own",
            ),
        ),
        (
            VerificationSummary(
                "https://e.org/gate", NOON, "r", "p", "sha256:ab", True, 3, {3: 2, 1: 1, 0: 0}
            ),
            (
                "1. verification summary",
                "result:   passed",
                "level:    3",
                "below:    1 of level 1, 2 of level 3",
                "policy:   sha256:ab p",
            ),
        ),
        (
            TestResult(False, {"accuracy": "0.9"}),
            ("1. test result", "result:   not passed; accuracy 0.9"),
        ),
    ],
)
def test_what_people_and_verifiers_say(content: Any, words: tuple[str, ...]) -> None:
    said = show_content(content)
    assert [word for word in words if word not in said] == []
