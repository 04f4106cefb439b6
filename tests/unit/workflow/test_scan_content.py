"""wb.scan takes what a program holds: paths, bytes, file objects; and scans are statements."""

from __future__ import annotations

import io
import pickle
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

import weighbridge as wb
from support import EVIL_PICKLE
from weighbridge.core import (
    DEFAULT_LIMITS,
    SCAN_TYPE,
    Answer,
    Coverage,
    CoverageStatus,
    Finding,
    Location,
    ScanReport,
    ScanTerms,
    Severity,
    Statement,
    Subject,
    build_scan,
    parse_scan,
)
from weighbridge.errors import InputError, ParseError
from weighbridge.policy import built_in_policy
from weighbridge.workflow import load_scan_terms

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUBJECT = Subject("m", {"sha256": "ab" * 32})
GOOD = pickle.dumps({"a": 1})


class Pipe(io.RawIOBase):
    """A stream that cannot be sought in and gives a few bytes at once."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(memoryview(buffer)[:7])


def _rules(report: ScanReport) -> set[str]:
    return {finding.rule_id for finding in report.findings}


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_scanned_as_one_file_without_a_name(kind: Any) -> None:
    report = wb.scan(kind(EVIL_PICKLE))
    assert _rules(report) == {"WB-PKL-001"}
    assert report.findings[0].location.file == "-"
    assert report.findings[0].opcode == "REDUCE"
    assert report.judge(fail_on=Severity.MEDIUM, complete=True) is Answer.FAIL


def test_file_objects_are_scanned_seekable_or_not(tmp_path: Path) -> None:
    (tmp_path / "evil.pkl").write_bytes(EVIL_PICKLE)
    with (tmp_path / "evil.pkl").open("rb") as file:
        report = wb.scan(file)
        assert file.tell() == 0
    assert report.findings[0].location.file == str(tmp_path / "evil.pkl")
    assert _rules(wb.scan(io.BytesIO(EVIL_PICKLE))) == {"WB-PKL-001"}
    assert _rules(wb.scan(Pipe(EVIL_PICKLE))) == {"WB-PKL-001"}  # type: ignore[arg-type]
    with tempfile.TemporaryFile() as unnamed:  # its name is a number
        unnamed.write(EVIL_PICKLE)
        unnamed.seek(0)
        assert wb.scan(unnamed).findings[0].location.file == "-"


@pytest.mark.parametrize("position", [0, 5, len(GOOD), len(GOOD) + len(EVIL_PICKLE), 10**6])
def test_a_seekable_file_is_scanned_whole_wherever_it_stands(position: int) -> None:
    file = io.BytesIO(GOOD + EVIL_PICKLE)
    file.seek(position)
    assert "WB-PKL-001" in _rules(wb.scan(file))
    assert file.tell() == position


def test_what_begins_where_the_file_stands_is_scanned_too() -> None:
    """A loader goes on from there; before it stands what hides it from whoever begins at 0."""
    file = io.BytesIO(b"plain text, no pickle at all\n" + EVIL_PICKLE)
    file.seek(29)
    assert "WB-PKL-001" in _rules(wb.scan(file))


def test_more_than_the_limit_is_not_examined_and_no_error() -> None:
    limits = replace(DEFAULT_LIMITS, max_expanded_bytes=100)
    report = wb.scan(io.BytesIO(EVIL_PICKLE + bytes(3 * 1024 * 1024)), limits=limits)
    assert "max_expanded_bytes" in report.not_examined[-1].reason


def test_a_large_stream_goes_to_disk_and_gives_the_same_report() -> None:
    data = pickle.dumps([b"x" * 6_000_000]) + EVIL_PICKLE
    assert _rules(wb.scan(io.BytesIO(data))) == _rules(wb.scan(data))


def test_what_gives_no_bytes_is_refused() -> None:
    text: Any = io.StringIO("abc")
    with pytest.raises(InputError, match="binary mode"):
        wb.scan(text)
    closed: BinaryIO = io.BytesIO(b"abc")
    closed.close()
    with pytest.raises(InputError, match="cannot be read"):
        wb.scan(closed)


def test_no_bytes_are_inert() -> None:
    report = wb.scan(b"")
    assert report.coverage[0].status is CoverageStatus.INERT


@given(st.binary(max_size=300), st.integers(0, 300))
def test_bytes_and_file_objects_never_raise(data: bytes, position: int) -> None:
    file = io.BytesIO(data)
    file.seek(position)
    report = wb.scan(file)
    assert report.coverage
    assert file.tell() == position


# -- statements -----------------------------------------------------------------------------------


def _report(count: int) -> ScanReport:
    found = tuple(
        Finding("WB-PKL-004", Answer.UNKNOWN, Severity.MEDIUM, Location("a", (), n), f"no {n}")
        for n in range(count)
    )
    worst = Finding("WB-PKL-001", Answer.FAIL, Severity.CRITICAL, Location("b", ("c",)), "bad")
    rows = tuple(
        Coverage(Location(f"f{n}"), CoverageStatus.NOT_EXAMINED, "unknown", "nobody knows")
        for n in range(count)
    )
    return ScanReport("engine 1; allow-list 2", (*found, worst), rows)


def _build(report: ScanReport, terms: ScanTerms | None = None) -> Statement:
    return build_scan(report, terms or ScanTerms(), (SUBJECT,), scanner="key", scanned_at=NOON)


def test_a_statement_reads_as_it_was_written() -> None:
    terms = ScanTerms(
        policy="p.toml",
        policy_digest="sha256:" + "0" * 64,
        allowed=frozenset({("m", "n")}),
        fail_on=Severity.HIGH,
        complete=False,
        weights=True,
        limits=(("max_nesting", 3),),
    )
    claim = parse_scan(_build(_report(2), terms))
    assert claim.terms == terms
    assert claim.answer is Answer.FAIL
    assert claim.engine == "engine 1; allow-list 2"
    assert claim.findings[0] == Finding(
        "WB-PKL-001", Answer.FAIL, Severity.CRITICAL, Location("b", ("c",)), "bad"
    )
    assert [one.location.offset for one in claim.findings] == [None, 0, 1]
    assert claim.counts[CoverageStatus.NOT_EXAMINED] == 2
    assert claim.not_examined[1].reason == "nobody knows"
    assert claim.scanned_at == NOON


def test_a_statement_is_bounded_and_counts_the_rest() -> None:
    claim = parse_scan(_build(_report(3_000)))
    assert len(claim.findings) == 1_000
    assert claim.findings_count == 3_001
    assert claim.findings[0].rule_id == "WB-PKL-001"  # the worst is never left out
    assert len(claim.not_examined) == 1_000
    assert claim.counts[CoverageStatus.NOT_EXAMINED] == 3_000


def test_hostile_names_can_be_signed() -> None:
    name = "\x1b[31m\udce9" + "n" * 5_000
    row = Coverage(Location(name, (name,) * 100), CoverageStatus.NOT_EXAMINED, name, name)
    claim = parse_scan(_build(ScanReport(name, (), (row,))))
    assert "\x1b" not in claim.not_examined[0].location.file
    blank = Coverage(Location(" ", ("", " ")), CoverageStatus.NOT_EXAMINED, "unknown", "")
    claim = parse_scan(_build(ScanReport("e", (), (blank,))))
    assert claim.not_examined == (blank,)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("extra",), 1),
        (("result",), "ok"),
        (("engine",), ""),
        (("covered", "examined"), -1),
        (("covered", "examined"), True),
        (("findings", "total"), 0),
        (("findings", "listed"), None),
        (("notCovered",), [{}]),
        (("configuration", "failOn"), "worst"),
        (("configuration", "allow"), [["m"]]),
        (("configuration", "weights"), "some"),
        (("scannedAt",), "2026-01-01"),
    ],
)
def test_what_is_not_as_the_schema_says_is_refused(path: tuple[str, ...], value: object) -> None:
    predicate: Any = dict(_build(_report(1)).predicate)
    target = predicate
    for key in path[:-1]:
        target[key] = dict(target[key])
        target = target[key]
    target[path[-1]] = value
    statement = Statement.build((SUBJECT,), predicate_type=SCAN_TYPE, predicate=predicate)
    with pytest.raises(ParseError):
        parse_scan(statement)


def test_a_statement_pins_a_digest() -> None:
    with pytest.raises(ParseError, match="sha256"):
        build_scan(
            _report(0),
            ScanTerms(),
            (Subject("m", {"sha512": "ab" * 64}),),
            scanner="key",
            scanned_at=NOON,
        )


def test_without_a_policy_a_scan_is_judged_by_the_built_in_one() -> None:
    rule, terms = built_in_policy().scan, load_scan_terms()
    assert rule is not None
    assert (terms.fail_on, terms.complete, terms.warn_only) == (
        rule.fail_on,
        rule.complete,
        rule.warn_only,
    )
    assert terms.policy == built_in_policy().name


def test_limits_that_were_changed_are_noted() -> None:
    limits = replace(DEFAULT_LIMITS, max_nesting=3)
    assert load_scan_terms(limits=limits).limits == (("max_nesting", 3),)
