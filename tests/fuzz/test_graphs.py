"""Readers of graphs: whatever the bytes are, they answer, or raise what they promise."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from unit.scan_graphs.graph_builders import executorch, pb, saved_model, scan, tf_graph, tf_node
from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, ProtoMessage, open_flat_root, parse_text_proto

SEEDS = (
    pb((1, 8), (7, pb((1, pb((4, "Relu"))), (2, "g"))), (8, pb((2, 17)))),
    saved_model(tf_graph(tf_node("n", "WriteFile", "x"))),
    executorch(("aten::add",)),
    b'node { name: "x" op: "Const" }',
)


def _spend(_: int) -> None:
    pass


def fuzz_protobuf(data: bytes) -> None:
    message = ProtoMessage(MemorySource("m", data), spend=_spend)
    try:
        for field in message.fields():
            assert 0 <= field.start <= field.end <= len(data)
            if field.wire == 2:
                list(message.open(field).fields())
    except ParseError:
        pass


def fuzz_flat_buffer(data: bytes) -> None:
    try:
        root = open_flat_root(MemorySource("m", data), spend=_spend)
        for index in range(min(root.count, 8)):
            root.text(index)
            root.numbers(index, 4)
    except ParseError:
        pass


def fuzz_text_proto(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse_text_proto(data.decode("latin-1"), spend=_spend)


def fuzz_graph(data: bytes) -> None:
    """Nothing raises, and there is a row: an examiner that failed would say so."""
    result = scan(data)
    assert result.coverage
    assert not any("examiner failed" in row.reason for row in result.coverage)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    for target in (fuzz_protobuf, fuzz_flat_buffer, fuzz_text_proto):
        target(data)


@settings(max_examples=150, deadline=None)
@given(seed=st.sampled_from(SEEDS), at=st.integers(0, 500), junk=st.binary(max_size=6))
def test_damaged_graphs(seed: bytes, at: int, junk: bytes) -> None:
    at %= len(seed)
    data = seed[:at] + junk + seed[at + len(junk) :]
    for target in (fuzz_protobuf, fuzz_flat_buffer, fuzz_text_proto, fuzz_graph):
        target(data)
