"""What floods the scan is left as not examined, after work that is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weighbridge.core import DEFAULT_LIMITS, CoverageStatus, FileScan
from weighbridge.formats import MemorySource
from weighbridge.scanning import build_inspector


def scan(data: bytes, name: str) -> FileScan:
    limits = replace(DEFAULT_LIMITS, max_findings=10, max_pickle_ops=100_000)
    return build_inspector(limits=limits)(MemorySource(name, data))


def test_a_flood_of_findings_ends_the_scan_of_the_file() -> None:
    data = b"[" + b'{"_target_":"os.system"},' * 1000 + b"0]"
    result = scan(data, "a.json")
    assert len(result.findings) == 11
    assert result.findings[-1].message == "191 more findings are not listed."
    assert result.findings[-1].answer == result.findings[0].answer
    reasons = [r.reason for r in result.coverage if r.status is CoverageStatus.NOT_EXAMINED]
    assert reasons == ["it has more than 200 findings; the rest was left"]


@pytest.mark.parametrize("piece", [b"h\0)R0", b"\x97\x980", b"\x82\x010", b"P1\n0"])
def test_opcodes_that_cost_more_count_for_more(piece: bytes) -> None:
    start = b"\x80\x04ccollections\nOrderedDict\nq\0"
    result = scan(start + piece * 16_000 + b"N.", "a.pkl")
    assert any("max_pickle_ops" in row.reason for row in result.coverage)


def test_objects_of_json_are_counted() -> None:
    data = b'{"auto_map":[' + b'{"a":{}},' * 260_000 + b"0]}"
    result = scan(data, "a.json")
    assert any("500,000 objects" in row.reason for row in result.coverage)


def test_aliases_inside_aliases_are_not_written_out() -> None:
    rows = ["a0: &a0 {_target_: os.system, class_name: a}"]
    rows += [f"a{i}: &a{i} {{class_name: b, x: *a{i - 1}, y: *a{i - 1}}}" for i in range(1, 60)]
    result = scan("\n".join(rows).encode(), "a.yaml")
    assert "WB-DOC-010" in {finding.rule_id for finding in result.findings}
    assert CoverageStatus.NOT_EXAMINED in {row.status for row in result.coverage}
