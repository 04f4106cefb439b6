"""Texts whose letters are opcodes are no pickles, unless an unpickler would do something."""

from __future__ import annotations

import pytest

from weighbridge.core import DEFAULT_LIMITS, Answer, Location
from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget, PickleScan, ScanContext
from weighbridge.scanning._pickle._scan import scan_pickles


def scan(data: bytes) -> PickleScan | None:
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "f"))
    return scan_pickles(MemorySource("f", data), at=Location("f"), context=context)


@pytest.mark.parametrize(
    "text",
    [
        "const {\n  read,\n(x)\nR\nbut no more",
        "(Note that a value in a mask suppresses it.)\n",
        "(if available). So: ::\n\n int32 + float32 -> float64\n",
        "creator\nname\nof the package\n",
        "class Böse:\n    pass\nRb\u00e9\n",
    ],
)
def test_texts_are_no_pickles(text: str) -> None:
    assert scan(text.encode()) is None


@pytest.mark.parametrize(
    "text",
    [
        "cfoo\nbar\n(S'x'\ntRzzz broken",
        "cos\nsystem\n(S'x'\ntRzzz broken",
        "(S'x'\nicommands\ngetoutput\nzzz",
        "(S'x'\nifoo\nbar\nzzz",
    ],
)
def test_a_text_that_calls_something_fails_though_it_breaks_off(text: str) -> None:
    found = scan(text.encode())
    assert found is not None
    assert any(finding.answer is Answer.FAIL for finding in found.findings)


def test_bytes_that_are_no_text_stay_what_they_are() -> None:
    found = scan(b"(N\x93R\0" + b"x")
    assert found is None or not found.complete


def test_one_unknown_class_is_one_finding_however_often_it_is_called() -> None:
    found = scan(b"\x80\x02](" + b"cfoo\nBar\n)\x81" * 5_000 + b"e.")
    assert found is not None
    assert [finding.rule_id for finding in found.findings] == ["WB-PKL-004"]


def test_what_a_failed_try_called_is_still_told_of_later() -> None:
    # Behind the first pickle: one that names a class and breaks off, then one that is whole.
    broken = b"\x80\x02cfoo\nBar\n\xff"
    whole = b"\x80\x02cfoo\nBar\n)R."
    found = scan(b"\x80\x02N." + b"\0junk" + broken + whole)
    assert found is not None
    assert "WB-PKL-004" in {finding.rule_id for finding in found.findings}
