"""Zip archives one behind another: each is looked at, and what fits none of them is reported."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from weighbridge.core import Answer
from weighbridge.workflow import scan_artifact

if TYPE_CHECKING:
    from pathlib import Path

EVIL = b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R."
GOOD = b"\x80\x02]."


def build(pickle: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/version", b"3\n")
    return stream.getvalue()


def scan(tmp_path: Path, raw: bytes) -> set[str]:
    path = tmp_path / "__0_0.distcp"
    path.write_bytes(raw)
    report = scan_artifact(path)
    assert not report.not_examined
    return {finding.rule_id for finding in report.findings if finding.answer is not Answer.PASS}


def test_a_row_of_archives_is_nothing_bad(tmp_path: Path) -> None:
    # Archives of the same size: the offsets of the last fit the first as well.
    assert scan(tmp_path, build(GOOD) * 20) == set()
    assert scan(tmp_path, build(GOOD) + build(b"\x80\x02}.") + build(b"\x80\x02K\1.")) == set()


def test_each_archive_is_examined(tmp_path: Path) -> None:
    good = build(GOOD)
    for raw in (build(EVIL) + good, good + build(EVIL) + good, good * 2 + build(EVIL)):
        assert "WB-PKL-001" in scan(tmp_path, raw)


def test_bytes_between_and_members_of_none_are_reported(tmp_path: Path) -> None:
    good = build(GOOD)
    assert scan(tmp_path, good + b"between" + good)
    directory = good.index(b"PK\1\2")
    assert scan(tmp_path, good[:directory] + good)
