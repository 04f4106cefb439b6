"""Parquet and Arrow files by PyArrow pass; a schema with a pickle in it does not."""

from __future__ import annotations

import contextlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather

from weighbridge.core import DEFAULT_LIMITS, FileScan
from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, read_arrow_messages, read_parquet_footer
from weighbridge.scanning import build_inspector

TABLE = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [[1.5], [], None]})
EVIL = {
    b"ARROW:extension:name": b"arrow.py_extension_type",
    b"ARROW:extension:metadata": b"cos\nsystem\n(S'id'\ntR.",
}


def scan(data: bytes, name: str = "x.parquet") -> FileScan:
    return build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, data))


def rules(data: bytes) -> set[str]:
    return {found.rule_id for found in scan(data).findings}


def parquet(table: pa.Table, compression: str = "snappy") -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression=compression)
    return sink.getvalue()


def stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def file(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def feathered(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    feather.write_feather(table, sink)
    return sink.getvalue()


WRITERS = {"parquet": parquet, "stream": stream, "file": file, "feather": feathered}


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_tables_of_data(writer: str) -> None:
    result = scan(WRITERS[writer](TABLE))
    assert not result.findings
    assert {row.status.value for row in result.coverage} == {"examined"}


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd", "lz4", "brotli"])
def test_compressions_of_parquet(compression: str) -> None:
    assert rules(parquet(TABLE, compression)) == set()


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_types_that_are_pickles(writer: str) -> None:  # CVE-2023-47248
    field = pa.field("a", pa.int64(), metadata=EVIL)
    evil = pa.table({"a": [1]}).cast(pa.schema([field]))
    assert "WB-ARW-001" in rules(WRITERS[writer](evil))


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_what_is_cut_or_changed_is_told(writer: str) -> None:
    data = WRITERS[writer](TABLE)
    cut = scan(data[:-9])
    assert cut.findings or any(row.status == "not-examined" for row in cut.coverage)
    grown = scan(data + b"\0" * 9)
    assert grown.findings or any(row.status == "not-examined" for row in grown.coverage)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_footer_gives_an_answer(data: bytes) -> None:
    whole = b"PAR1" + bytes(16) + data + len(data).to_bytes(4, "little") + b"PAR1"
    with contextlib.suppress(ParseError):
        read_parquet_footer(MemorySource("x", whole))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_message_gives_an_answer(data: bytes) -> None:
    whole = b"\xff\xff\xff\xff" + len(data).to_bytes(4, "little") + data
    with contextlib.suppress(ParseError):
        list(read_arrow_messages(MemorySource("x", whole)))
