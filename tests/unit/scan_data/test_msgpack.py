"""What Flax writes passes; arrays that lie and values of other types do not."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, FileScan
from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, read_msgpack
from weighbridge.scanning import build_inspector


def scan(data: bytes) -> FileScan:
    return build_inspector(limits=DEFAULT_LIMITS)(MemorySource("flax_model.msgpack", data))


def rules(data: bytes) -> set[str]:
    return {found.rule_id for found in scan(data).findings}


def array(shape: tuple[int, ...], dtype: str, data: bytes) -> msgpack.ExtType:
    """Pack an array as flax.serialization does."""
    return msgpack.ExtType(1, msgpack.packb((shape, dtype, data), use_bin_type=True))


def weights(**values: Any) -> bytes:
    return msgpack.packb({"params": values}, use_bin_type=True)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "bool", "complex64"])
def test_arrays_of_flax(dtype: str) -> None:
    value = np.ones((3, 4), dtype=dtype)
    result = scan(weights(w=array(value.shape, dtype, value.tobytes()), step=7, name="x"))
    assert not result.findings
    assert [(row.status.value, row.format) for row in result.coverage] == [("examined", "msgpack")]


def test_arrays_that_lie() -> None:
    assert rules(weights(w=array((1_000,), "float32", bytes(8)))) == {"WB-MSG-002"}
    assert rules(weights(w=array((1,), "object", b"12345678"))) == {"WB-MSG-001"}
    assert rules(weights(w=msgpack.ExtType(1, b"\x93abc"))) == {"WB-MSG-001"}


def test_other_types() -> None:
    assert rules(weights(w=msgpack.ExtType(42, b"cos\nsystem\n"))) == {"WB-MSG-001"}
    assert rules(weights(w=msgpack.ExtType(2, b"\x92\x01\x02"))) == set()


def test_what_is_no_msgpack_is_something_else() -> None:
    assert {row.status for row in scan(weights(a=1) + b"rest").coverage} == {"not-examined"}
    assert {row.status for row in scan(b"\x81\xa1a" + b"\x91" * 5_000).coverage} == {"not-examined"}


def values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
    texts = st.text(max_size=400) | st.binary(max_size=400)
    return st.recursive(
        leaves | texts,
        lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=9), inner),
    )


@settings(max_examples=200, deadline=None)
@given(values())
def test_what_msgpack_writes_is_read_to_its_end(value: Any) -> None:
    source = MemorySource("x", msgpack.packb(value, use_bin_type=True))
    assert list(read_msgpack(source, spend=lambda _: None)) == []


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100))
def test_what_is_read_to_its_end_is_msgpack(data: bytes) -> None:
    try:
        list(read_msgpack(MemorySource("x", data), spend=lambda _: None))
    except ParseError:
        return
    unpacker = msgpack.Unpacker(strict_map_key=False, raw=True, object_pairs_hook=list)
    unpacker.feed(data)
    unpacker.skip()
    assert unpacker.tell() == len(data)
