"""What lies in a GGUF file and belongs to nothing: other loaders find pickles there."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from weighbridge.workflow import scan_artifact

if TYPE_CHECKING:
    from pathlib import Path

EVIL = b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R."


def gguf(offsets: list[int], data: bytes, padding: bytes = b"") -> bytes:
    """Build a file with tensors of eight floats each."""
    table = b"".join(
        struct.pack("<Q1sIQIQ", 1, b"%d" % index, 1, 8, 0, offset)
        for index, offset in enumerate(offsets)
    )
    header = b"GGUF" + struct.pack("<IQQ", 3, len(offsets), 0) + table
    return header + (padding or bytes(-len(header) % 32)) + data


def find_rules(tmp_path: Path, raw: bytes) -> set[str]:
    path = tmp_path / "m.gguf"
    path.write_bytes(raw)
    return {finding.rule_id for finding in scan_artifact(path).findings}


@pytest.mark.parametrize(
    "raw",
    [
        gguf([], b""),
        gguf([0], bytes(32)),
        gguf([0, 32], bytes(64)),
        gguf([0], bytes(32) + bytes(4096)),
    ],
)
def test_padding_is_nothing(tmp_path: Path, raw: bytes) -> None:
    assert find_rules(tmp_path, raw) == set()


@pytest.mark.parametrize(
    "raw",
    [
        gguf([0], bytes(32) + EVIL),
        gguf([0], bytes(32) + bytes(64) + EVIL),
        gguf([0, 64], bytes(32) + EVIL.ljust(32, b"\0") + bytes(32)),
        gguf([], EVIL),
        gguf([], b"", padding=EVIL),
    ],
)
def test_a_pickle_in_a_gap_is_found(tmp_path: Path, raw: bytes) -> None:
    assert {"WB-GGF-004", "WB-PKL-001"} <= find_rules(tmp_path, raw)
