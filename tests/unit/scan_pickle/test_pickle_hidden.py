"""Pickles that lie in files of other formats, where no reader of the format would look."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from weighbridge.core import Answer
from weighbridge.workflow import scan_artifact

if TYPE_CHECKING:
    from pathlib import Path

EVIL = {
    "global": b"cos\nsystem\n(S'id'\ntR.",
    "inst": b"(S'id'\nicommands\ngetoutput\n.",
    "protocol 2": b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R.",
    "protocol 4": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
}
PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    for kind, data in [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (b"IEND", b"")]
)


def build_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("config.json", b"{}")
    return stream.getvalue()


CARRIERS = {
    "m.txt": b"A text.\nWith lines\n",
    "m.json": b'{"a": 1}',
    "m.md": b"# Title\ncore\n",
    "m.png": PNG,
    "m.keras": build_zip(),
    "m.bin": bytes(range(256)) * 20,
    "m.tflite": struct.pack("<I4s", 16, b"TFL3") + bytes(64),
}


@pytest.mark.parametrize("name", CARRIERS)
@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("between", [b"", b"\0" * 7, b"\n"])
def test_a_pickle_behind_something_else_fails(
    tmp_path: Path, name: str, evil: bytes, between: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(CARRIERS[name] + between + evil)
    report = scan_artifact(path)
    assert any(finding.answer is Answer.FAIL for finding in report.findings)


def test_decoys_cost_little_and_plain_words_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.txt"
    path.write_bytes(b"the topic\nos\nsystem\n" * 100 + b"import cos\nsystem\n(and no call)\n")
    assert not scan_artifact(path).findings
    path.write_bytes(b"x" + b"\x80\x02]" * 128 + b"]0" * 200_000)
    assert not any(f.answer is Answer.FAIL for f in scan_artifact(path).findings)
