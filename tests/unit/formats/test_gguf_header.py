"""The GGUF header, against the library that writes it."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Limits
from weighbridge.formats import GgufHeader, MemorySource, read_gguf


def read(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> GgufHeader:
    return read_gguf(MemorySource("m.gguf", raw), limits=limits)


def written(folder: Path, *, big: bool = False, alignment: int = 0) -> bytes:
    path = folder / "m.gguf"
    order = gguf.GGUFEndian.BIG if big else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    if alignment:
        writer.add_custom_alignment(alignment)
    writer.add_token_list(["<s>", "a", "b" * 300])
    writer.add_token_scores([0.0, 1.0, 2.0])
    writer.add_chat_template("{{ messages }}")
    writer.add_uint64("x.big", 2**60)
    writer.add_tensor("a", np.ones((4, 32), dtype=np.float32))
    writer.add_tensor("b", np.ones((3,), dtype=np.float16))
    blocks = np.zeros((2, 34), dtype=np.uint8)
    writer.add_tensor("q", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("alignment", [0, 64])
def test_what_the_library_writes_is_accepted(tmp_path: Path, big: bool, alignment: int) -> None:  # noqa: FBT001
    header = read(written(tmp_path, big=big, alignment=alignment))
    assert header.problems == ()
    assert header.version == 3
    assert header.tensor_count == 3
    assert "tokenizer.chat_template" in header.keys


def test_every_type_of_the_library_is_known(tmp_path: Path) -> None:
    sizes = {int(kind): pair for kind, pair in gguf.GGML_QUANT_SIZES.items()}
    for kind, (elements, size) in sizes.items():
        raw = head(tensors=1) + name("t") + struct.pack("<IQIQ", 1, elements, kind, 0)
        raw += bytes(-len(raw) % 32)
        assert read(raw + bytes(size)).problems == (), kind
        assert read(raw + bytes(size - 1)).problems, kind


def head(*, version: int = 3, tensors: int = 0, keys: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def name(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def tensor(text: str, *dims: int, kind: int = 0, offset: int = 0) -> bytes:
    return (
        name(text)
        + struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
        + struct.pack("<IQ", kind, offset)
    )


def padded(raw: bytes, data: int) -> bytes:
    return raw + bytes(-len(raw) % 32) + bytes(data)


NESTED = struct.pack("<IQ", 9, 1) * 6
BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing behind the magic": (b"GGUF", "header"),
    "version 1": (head(version=1), "header"),
    "version 99": (head(version=99), "header"),
    "too many keys": (head(keys=2**60), "header"),
    "too many tensors": (head(tensors=2**60), "header"),
    "a name of exabytes": (head(keys=1) + struct.pack("<Q", 2**60), "header"),
    "a string of exabytes": (head(keys=1) + name("k") + struct.pack("<IQ", 8, 2**60), "header"),
    "an array of exabytes": (head(keys=1) + name("k") + struct.pack("<IIQ", 9, 8, 2**60), "header"),
    "numbers of exabytes": (head(keys=1) + name("k") + struct.pack("<IIQ", 9, 4, 2**62), "header"),
    "arrays in arrays": (head(keys=1) + name("k") + struct.pack("<I", 9) + NESTED, "header"),
    "unknown value type": (head(keys=1) + name("k") + struct.pack("<I", 77), "header"),
    "name is not UTF-8": (head(keys=1) + struct.pack("<Q", 1) + b"\xff", "header"),
    "key twice": (head(keys=2) + (name("k") + struct.pack("<IB", 0, 1)) * 2, "header"),
    "alignment zero": (head(keys=1) + name("general.alignment") + bytes([4] + [0] * 7), "header"),
    "too many dimensions": (head(tensors=1) + name("t") + struct.pack("<I", 2**31), "header"),
    "behind the end": (padded(head(tensors=1) + tensor("t", 4), 15), "tensor"),
    "far behind the end": (padded(head(tensors=1) + tensor("t", 4, offset=2**62), 16), "tensor"),
    "not aligned": (padded(head(tensors=1) + tensor("t", 1, offset=4), 64), "tensor"),
    "overlap": (
        padded(head(tensors=2) + tensor("t", 16) + tensor("u", 1, offset=32), 96),
        "tensor",
    ),
    "same name": (
        padded(head(tensors=2) + tensor("t", 8) + tensor("t", 8, offset=32), 96),
        "tensor",
    ),
    "half a block": (padded(head(tensors=1) + tensor("t", 31, kind=8), 64), "tensor"),
    "overflow": (padded(head(tensors=1) + tensor("t", 2**40, 2**40), 64), "tensor"),
    "unknown tensor type": (padded(head(tensors=1) + tensor("t", 1, kind=999), 64), "type"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused(case: str) -> None:
    raw, kind = BROKEN[case]
    assert [problem.kind for problem in read(raw).problems] == [kind]


def test_header_over_the_limit_is_not_read(tmp_path: Path) -> None:
    raw = written(tmp_path)
    assert read(raw, Limits(max_header_bytes=100)).problems[0].kind == "header"


@given(st.data())
def test_damage_never_raises(data: st.DataObject) -> None:
    raw = bytearray(padded(head(tensors=1, keys=1) + name("k") + struct.pack("<IB", 0, 1), 0))
    raw[29:] = b"" + bytes(raw[29:]) + tensor("t", 4)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(read(bytes(raw)), GgufHeader)
