"""The inspector's promises, and the report."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save

from unit.scan_router.router_cases import EVIL, build_torch_pickle, build_zip, scan
from weighbridge.core import (
    DEFAULT_LIMITS,
    Answer,
    CoverageStatus,
    Limits,
    ReadFailure,
    ReadFailureKind,
    Severity,
)
from weighbridge.errors import ArtifactChangedError
from weighbridge.formats import MemorySource
from weighbridge.scanning import ENGINE, build_inspector, conclude


class Faulty:
    """A source whose reading fails."""

    name = "m.bin"
    size_bytes = 100

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read_at(self, offset: int, size_bytes: int) -> bytes:  # noqa: ARG002 - the port's names
        raise self.error


@pytest.mark.parametrize("error", [OSError("disk"), ArtifactChangedError(("m.bin",))])
def test_errors_of_reading_pass_through(error: Exception) -> None:
    with pytest.raises(type(error)):
        build_inspector(limits=DEFAULT_LIMITS)(Faulty(error))


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), MemoryError(), KeyError(1)])
def test_a_fault_of_an_examiner_never_reads_as_a_pass(error: Exception) -> None:
    result = build_inspector(limits=DEFAULT_LIMITS)(Faulty(error))
    (row,) = result.coverage
    assert row.status is CoverageStatus.NOT_EXAMINED
    assert type(error).__name__ in row.reason


class Counting:
    """A source that counts what is read of it."""

    name = "m"

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size_bytes = len(data)
        self.read_bytes = 0

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        piece = self.data[offset : offset + size_bytes]
        self.read_bytes += len(piece)
        return piece


def test_tensors_are_read_in_part() -> None:
    storages = {f"m/data/{n}": bytes(10_000_000) for n in range(4)}
    torch = build_zip({"m/data.pkl": build_torch_pickle("0123"), **storages, "m/version": b"3\n"})
    tensors = save({"a": np.ones(5_000_000)})
    for data, most_bytes in ((torch, 3_500_000), (tensors, 9_000_000)):
        source = Counting(data)
        result = build_inspector(limits=DEFAULT_LIMITS)(source)
        assert result.findings == ()
        assert not any(row.status is CoverageStatus.NOT_EXAMINED for row in result.coverage)
        assert source.read_bytes < most_bytes


def test_report_is_sorted_and_complete() -> None:
    scans = [scan(EVIL, "z"), scan(EVIL, "a"), scan(b"text", "m")]
    failures = (
        ReadFailure("link", ReadFailureKind.REFUSED, "is a symbolic link to /etc/passwd"),
        ReadFailure("busy", ReadFailureKind.CHANGED, "changed while it was read"),
        ReadFailure("secret", ReadFailureKind.UNREADABLE, "cannot be read: permission denied"),
    )
    report = conclude(scans, failures=failures, out_of_scope=(".git",))
    assert report.engine == ENGINE
    names = [row.location.file for row in report.coverage]
    assert names == sorted(names)
    assert set(names) == {"z", "a", "m", "link", "busy", "secret", ".git"}
    files = [finding.location.file for finding in report.findings]
    assert files == sorted(files)
    by_rule = {finding.rule_id: finding for finding in report.findings}
    assert by_rule["WB-ART-001"].location.file == "link"
    assert "/etc/passwd" in by_rule["WB-ART-001"].message
    assert by_rule["WB-ART-002"].location.file == "busy"
    assert "secret" not in files
    assert {row.location.file for row in report.not_examined} >= {"link", "busy", "secret"}
    scope = next(row for row in report.coverage if row.location.file == ".git")
    assert scope.status is CoverageStatus.OUT_OF_SCOPE
    assert report.judge(fail_on=Severity.MEDIUM, complete=True) is Answer.FAIL


def test_same_bytes_same_report() -> None:
    assert scan(EVIL, "a") == scan(EVIL, "a")


def test_pairs_that_the_user_vouches_for_are_passed_on() -> None:
    data = b"\x80\x02cmy_package\nThing\n)R."
    inspector = build_inspector(limits=Limits(), allowed=frozenset({("my_package", "Thing")}))
    assert scan(data).findings
    assert inspector(MemorySource("file", data)).findings == ()
