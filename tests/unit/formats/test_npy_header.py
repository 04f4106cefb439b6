"""The NumPy header, against NumPy."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, NpyHeader, read_npy_header

ARRAYS: list[Any] = [
    np.zeros(3),
    np.float64(3),
    np.zeros((0, 3), "f2"),
    np.zeros((2, 3), dtype=">c16", order="F"),
    np.array(["abc", "d"]),
    np.array([b"abc", b"d"]),
    np.array(["2020-01-01"], dtype="M8[D]"),
    np.zeros(2, dtype="m8[25ns]"),
    np.zeros(2, dtype=bool),
    np.zeros(2, dtype="V7"),
    np.zeros(2, dtype=np.longdouble),
    np.zeros(3, dtype=[("a", "<i4"), ("b", "<f8", (2,)), ("n", [("x", "u1"), ("ü", "S3")])]),
    np.zeros(3, dtype=[("a", "<i4", (2, 2)), (("title", "b"), "u2")]),
    np.zeros(3, dtype={"names": ["a"], "formats": ["i4"], "offsets": [4], "itemsize": 16}),
]


def saved(array: Any, version: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), version=version)
    return stream.getvalue()


def read(raw: bytes) -> NpyHeader:
    return read_npy_header(MemorySource("a.npy", raw), spend=lambda _: None)


def with_header(text: str, version: bytes = b"\1\0") -> bytes:
    raw = text.encode()
    width = 2 if version[0] == 1 else 4
    return b"\x93NUMPY" + version + len(raw).to_bytes(width, "little") + raw


@pytest.mark.filterwarnings("ignore:Stored array in format")
@pytest.mark.parametrize("index", range(len(ARRAYS)))
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_size_of_what_numpy_writes(index: int, version: tuple[int, int]) -> None:
    try:
        raw = saved(ARRAYS[index], version)
    except ValueError:
        pytest.skip("NumPy cannot write this name in this version of the format")
    header = read(raw)
    assert not header.has_objects
    assert header.data_bytes == len(raw) - header.data_offset
    assert header.shape == np.asanyarray(ARRAYS[index]).shape


@pytest.mark.parametrize("dtype", [object, [("a", object)], [("a", "i4"), ("n", [("o", "O")])]])
def test_objects_are_seen_wherever_they_are(dtype: Any) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(2, dtype=dtype), allow_pickle=True)
    header = read(stream.getvalue())
    assert header.has_objects
    assert header.data_bytes is None


def test_long_integers_of_python_2() -> None:
    header = read(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (10L, 2L), }"))
    assert header.shape == (10, 2)
    assert header.data_bytes == 80


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "__import__('os')",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [3]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2**99,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1}",
        # NumPy reads each of these as a dtype with objects.
        "{'descr': 'object', 'fortran_order': False, 'shape': ()}",
        "{'descr': 'O,i4', 'fortran_order': False, 'shape': ()}",
        "{'descr': '(2,)O', 'fortran_order': False, 'shape': ()}",
        "{'descr': {'names': ['a'], 'formats': ['O']}, 'fortran_order': False, 'shape': ()}",
        "{'descr': " + "(" * 5000 + "," * 5000 + ", 'fortran_order': False, 'shape': ()}",
        "{'descr': " + "-" * 5000 + "1, 'fortran_order': False, 'shape': ()}",
        "[" * 60_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        read(with_header(text))


def test_unknown_version_and_lying_length_are_refused() -> None:
    good = saved(np.zeros(3))
    with pytest.raises(ParseError, match=r"version 4\.0"):
        read(good[:6] + b"\4\0" + good[8:])
    with pytest.raises(ParseError, match="claims"):
        read(b"\x93NUMPY\2\0\xff\xff\xff\x7f{}")
    with pytest.raises(ParseError, match="ends inside"):
        read(good[:40])


@given(st.binary(max_size=200))
def test_only_parse_errors_come_out(tail: bytes) -> None:
    with pytest.raises(ParseError):
        read(b"\x93NUMPY\1\0" + tail + b"!")
