"""The safetensors header, against the reference implementation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from weighbridge.core import DEFAULT_LIMITS, Limits
from weighbridge.formats import MemorySource, read_safetensors


def build(header: Any, data: bytes = b"", *, pad: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    raw += pad
    return len(raw).to_bytes(8, "little") + raw + data


def tensor(dtype: str, shape: list[Any], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def problems(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    return [p.kind for p in read_safetensors(MemorySource("m", raw), limits=limits).problems]


def reference_accepts(raw: bytes) -> bool:
    try:
        safetensors.deserialize(raw)
    except Exception:  # noqa: BLE001 - Rust and Python errors alike mean "refused"
        return False
    return True


def test_what_the_reference_writes_is_accepted() -> None:
    arrays = {"a": np.zeros((2, 3), "f4"), "b": np.ones(5, "i8"), "c": np.zeros((0, 4), "f2")}
    raw = save(arrays, metadata={"format": "pt"})
    header = read_safetensors(MemorySource("m", raw), limits=DEFAULT_LIMITS)
    assert header.problems == ()
    assert header.tensor_count == 3
    assert header.metadata == {"format": "pt"}


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "header"),
    "short": (b"\1\0\0", "header"),
    "longer than the file": ((99).to_bytes(8, "little") + b"{}", "header"),
    "huge length": ((2**63).to_bytes(8, "little") + b"{}", "header"),
    "not JSON": (build(b"{nope}"), "header"),
    "a list": (build([]), "header"),
    "leading space": (build(b" {}"), "header"),
    "key twice": (build(b'{"a":1,"a":1}'), "header"),
    "metadata of numbers": (build({"__metadata__": {"a": 1}}), "header"),
    "deep": (build(b'{"__metadata__":' + b"[" * 5000 + b"]" * 5000 + b"}"), "header"),
    "unknown dtype": (build({"a": tensor("F31", [1], 0, 4)}, bytes(4)), "tensor"),
    "dtype is a list": (
        build({"a": {**tensor("F32", [1], 0, 4), "dtype": []}}, bytes(4)),
        "tensor",
    ),
    "no shape": (build({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)), "tensor"),
    "negative size": (build({"a": tensor("F32", [-1], 0, 4)}, bytes(4)), "tensor"),
    "fraction": (build({"a": tensor("F32", [1.0], 0, 4)}, bytes(4)), "tensor"),
    "truth as size": (build({"a": tensor("F32", [True], 0, 4)}, bytes(4)), "tensor"),
    "overflow": (build({"a": tensor("F32", [2**40, 2**40], 0, 4)}, bytes(4)), "tensor"),
    "wrong product": (build({"a": tensor("F32", [2], 0, 4)}, bytes(4)), "tensor"),
    "ends before it begins": (build({"a": tensor("F32", [1], 4, 0)}, bytes(4)), "tensor"),
    "three offsets": (
        build({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 2]}}, bytes(1)),
        "tensor",
    ),
    "half a byte": (build({"a": tensor("F4", [1], 0, 0)}), "tensor"),
    "overlap": (
        build({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)}, bytes(6)),
        "layout",
    ),
    "hole": (
        build({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 5, 9)}, bytes(9)),
        "layout",
    ),
    "bytes behind": (build({"a": tensor("U8", [4], 0, 4)}, bytes(5)), "layout"),
    "too few bytes": (build({"a": tensor("U8", [4], 0, 4)}, bytes(3)), "layout"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_as_the_reference_refuses_them(name: str) -> None:
    raw, kind = BROKEN[name]
    assert set(problems(raw)) == {kind}
    # The specification forbids these two and the reference takes them.
    if name not in ("key twice", "leading space"):
        assert not reference_accepts(raw)


def test_header_over_the_limit_is_not_read() -> None:
    raw = build({"a": tensor("U8", [1], 0, 1)}, b"x")
    assert problems(raw, Limits(max_header_bytes=10)) == ["header"]


def test_problems_are_bounded() -> None:
    raw = build({f"t{n}": tensor("U8", [1], 7, 8) for n in range(5000)}, b"x")
    assert len(problems(raw)) == 100


SIZES = st.integers(-1, 6) | st.sampled_from([2**32, 2**63, 2**64])
INFO = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "I64", "F16", "BOOL", "F4", "C64", "nope"]),
        "shape": st.lists(SIZES, max_size=3),
        "data_offsets": st.lists(st.integers(0, 40), min_size=2, max_size=2),
    }
)


@given(st.dictionaries(st.text(max_size=3), INFO, max_size=3), st.integers(0, 40), st.data())
def test_never_more_lenient_than_the_reference(
    header: dict[str, Any], size: int, data: st.DataObject
) -> None:
    """The law: what we accept, the reference loads; what it refuses, we refuse."""
    if data.draw(st.booleans()):  # make sound files likely
        offset = 0
        for info in header.values():
            info["dtype"] = "U8"
            info["shape"] = [s for s in info["shape"] if 0 <= s <= 6]
            length = int(np.prod(info["shape"], dtype=int))
            info["data_offsets"] = [offset, offset + length]
            offset += length
        size = offset
    raw = build(header, bytes(size), pad=b" " * data.draw(st.integers(0, 3)))
    if not problems(raw):
        assert reference_accepts(raw)
