"""The fast lane takes what the exact reader of opcodes would call data, and nothing else."""

from __future__ import annotations

import collections
import datetime as dt
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Location
from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, PickleOpcode, read_pickle_ops
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._pickle import _lane, _machine
from weighbridge.scanning._pickle._lane import glide
from weighbridge.scanning._pickle._scan import scan_pickles

Op = PickleOpcode
ACTS = {
    Op.GLOBAL,
    Op.STACK_GLOBAL,
    Op.INST,
    Op.EXT1,
    Op.EXT2,
    Op.EXT4,
    Op.PERSID,
    Op.BINPERSID,
    Op.NEXT_BUFFER,
    Op.READONLY_BUFFER,
    Op.PROTO,
}
CALLS = {Op.REDUCE, Op.NEWOBJ, Op.NEWOBJ_EX, Op.OBJ, Op.BUILD}
CHUNK_BYTES = 400


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lane, "_FIRST_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(_lane, "_CHUNK_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(_machine, "LANE_BYTES", 0)


def values() -> st.SearchStrategy[Any]:
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=600)
        | st.binary(max_size=600)
        | st.dates()
        | st.datetimes()
        | st.timedeltas()
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner)
            | st.lists(inner, max_size=5).map(tuple)
            | st.dictionaries(st.text(max_size=5), inner)
            | st.dictionaries(st.text(max_size=5), inner).map(collections.OrderedDict)
            | st.frozensets(st.integers())
        ),
        max_leaves=60,
    )


def scan(data: bytes) -> Any:
    source = MemorySource("x", data)
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "x", len(data)))
    return scan_pickles(source, at=Location("x"), context=context)


@settings(max_examples=100, deadline=None)
@given(values(), st.sampled_from((0, 1, 4)))
def test_data_is_taken_to_its_end(value: Any, protocol: int) -> None:
    if not any(isinstance(found, bytes) and protocol < 3 for found in walk(value)):
        data = pickle.dumps(value, protocol)
        named = [op for op, _, _ in take(data, 0) if op in ACTS - {Op.PROTO}]
        start = 2 if protocol > 1 else 0
        if not named and len(data) > start:
            assert glide(MemorySource("x", data), start, frame_end=0, calls=False).whole


def walk(value: Any) -> list[Any]:
    pending, found = [value], []
    while pending:
        one = pending.pop()
        found.append(one)
        if isinstance(one, dict):
            pending += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            pending += one
    return found


def test_classes_that_take_anything_are_taken() -> None:
    value = [
        (dt.datetime(2026, 1, 1 + i % 28, tzinfo=dt.UTC), collections.OrderedDict(a=i))
        for i in range(30_000)
    ]
    for protocol in (2, 4, 5):
        scanned = scan(pickle.dumps(value, protocol))
        assert scanned.complete
        assert not scanned.findings


def tokens() -> st.SearchStrategy[bytes]:
    """Return any opcode with an argument that fits, or that does not."""
    length = st.integers(0, 300)
    plain = st.sampled_from([bytes([op]) for op in Op])
    counted = st.builds(
        lambda op, n: bytes([op]) + bytes([n & 255]) + b"a" * (n & 255),
        st.sampled_from((Op.SHORT_BINUNICODE, Op.SHORT_BINBYTES, Op.SHORT_BINSTRING, Op.LONG1)),
        length,
    )
    counted4 = st.builds(
        lambda op, n: bytes([op]) + struct.pack("<I", n) + b"R" * n,
        st.sampled_from((Op.BINUNICODE, Op.BINBYTES, Op.BINSTRING, Op.LONG4)),
        length,
    )
    counted8 = st.builds(
        lambda op, n: bytes([op]) + struct.pack("<Q", n) + b"(" * n,
        st.sampled_from((Op.BINUNICODE8, Op.BINBYTES8, Op.BYTEARRAY8)),
        length,
    )
    fixed = st.builds(
        lambda op, rest: bytes([op]) + rest,
        st.sampled_from((Op.BININT, Op.BINFLOAT, Op.BININT2, Op.BINGET, Op.BINPUT, Op.LONG_BINGET)),
        st.binary(min_size=8, max_size=8),
    )
    lines = st.builds(
        lambda op, n: bytes([op]) + b"1" * n + b"\n",
        st.sampled_from((Op.INT, Op.LONG, Op.FLOAT, Op.GET, Op.PUT)),
        st.integers(1, 300),
    )
    frames = st.builds(lambda n: b"\x95" + struct.pack("<Q", n), st.integers(0, 700))
    return st.one_of(plain, counted, counted4, counted8, fixed, lines, frames)


def take(data: bytes, start: int) -> list[tuple[int, Any, int]]:
    """Return the opcodes from ``start`` up to the first STOP, as the exact reader sees them."""
    taken = []
    try:
        for op in read_pickle_ops(MemorySource("x", data), start):
            taken.append(op)
            if op[0] == Op.STOP:
                break
    except ParseError:
        pass
    return taken


@settings(max_examples=300, deadline=None)
@given(st.lists(tokens(), max_size=40), st.booleans(), st.integers(0, 900))
def test_what_is_taken_is_data_to_the_exact_reader(
    pieces: list[bytes],
    calls: bool,  # noqa: FBT001 - hypothesis gives it by name
    frame_end: int,
) -> None:
    data = b"".join(pieces) + b"."
    glided = glide(MemorySource("x", data), 0, frame_end=frame_end, calls=calls)
    ops = take(data, 0)
    starts = {at for _, _, at in ops}
    refused = ACTS if calls else ACTS | CALLS
    taken = [op for op, _, at in ops if at < glided.end]
    assert not refused & set(taken)
    if not ops or ops[-1][0] != Op.STOP:
        return  # a line that is no number: unpicklers end there, and the lane reads no numbers
    if glided.whole:
        assert ops[-1][2] + 1 == glided.end == len(data)
        check_frames(ops, frame_end)
    else:
        assert glided.end in starts or glided.end >= (ops[-1][2] if ops else 0)


def check_frames(ops: list[tuple[int, Any, int]], frame_end: int) -> None:
    """Assert that no opcode reaches over the end of a frame."""
    ends = [*(at for _, _, at in ops[1:]), ops[-1][2] + 1]
    for (op, arg, at), end in zip(ops, ends, strict=True):
        assert not at < frame_end < end
        if op == Op.FRAME:
            assert at >= frame_end
            frame_end = at + 9 + arg


def test_what_comes_behind_much_data_is_found() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, ("hit",)

    for protocol in range(6):
        data = pickle.dumps([["x" * 9] * 90_000, Evil()], protocol)
        assert [f.rule_id for f in scan(data).findings], protocol
