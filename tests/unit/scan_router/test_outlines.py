"""Data that cannot act: known by a mark and by sizes that add up, and the rest is examined."""

from __future__ import annotations

import sqlite3
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.scan_router.router_cases import EVIL, has_evil, scan
from unit.scan_router.test_nesting import gates
from weighbridge.formats import MemorySource, find_outline

if TYPE_CHECKING:
    from pathlib import Path


def _nifti(magic: bytes = b"n+1\0") -> bytes:
    head = bytearray(352)
    struct.pack_into("<l", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, 4, 5, 2, 1, 1, 1, 1)
    struct.pack_into("<hh", head, 70, 4, 16)
    struct.pack_into("<f", head, 108, 352.0)
    head[344:348] = magic
    return bytes(head) + b"\x07\0" * 40


def _gettext() -> bytes:
    head = struct.pack("<7L", 0x950412DE, 0, 1, 28, 36, 0, 44)
    return head + struct.pack("<4L", 1, 44, 1, 46) + b"a\0b\0"


def _shape(code: int = 9994) -> bytes:
    return struct.pack(">L20xL", code, 60) + struct.pack("<LL", 1000, 1) + b"\x01" * 84


def _dbase() -> bytes:
    head = struct.pack("<B3BLHH20x", 3, 99, 1, 2, 2, 65, 5)
    field = b"NAME".ljust(11, b"\0") + b"C" + bytes(4) + b"\4" + bytes(15)
    return head + field + b"\r" + b" abcd ef\xe9h"


def _matlab() -> bytes:
    head = b"MATLAB 5.0 MAT-file, by a test".ljust(124) + b"\0\1IM"
    return head + struct.pack("<2L", 15, 16) + b"x\x9c" + bytes(14)


def _tesseract() -> bytes:
    offsets = [4 + 8 * 24, *[-1] * 22, 4 + 8 * 24 + 10]
    return struct.pack("<l24q", 24, *offsets) + b"\1" * 20


CLOSED = {
    "crfsuite": b"lCRF" + struct.pack("<L", 40) + b"\1\0" * 16,
    "gettext": _gettext(),
    "idx": b"\0\0\x08\x03" + struct.pack(">3L", 2, 3, 3) + b"\x80\4" * 9,
    "nifti": _nifti(),
    "matlab": _matlab(),
    "shapefile": _shape(),
    "dbase": _dbase(),
    "glb": b"glTF\2\0\0\0" + struct.pack("<L", 20) + bytes(8),
    "midi": b"MThd\0\0\0\6" + bytes(6) + b"MTrk\0\0\0\4\0\xff\x2f\0",
    "netpbm": b"P6\n# a\n2 2\n255\n" + b"\x80\1\2" * 4,
    "icc": struct.pack(">L", 132) + bytes(32) + b"acsp" + bytes(92),
}
OPEN = {
    "ggml": b"lmgg" + struct.pack("<9L", *range(9)) + bytes(range(256)),
    "kenlm": b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(64),
    "fasttext": struct.pack("<14l", 793712314, 12, 100, 5, 5, 1, 5, 1, 1, 1, 0, 0, 0, 0)
    + bytes(8)
    + struct.pack("<3lqq", 2, 2, 0, 10, -1),
    "word2vec": b"2 2\nab " + struct.pack("<2f", 0.5, -1) + b"\ncd " + struct.pack("<3f", 1, 2, 3),
    "tesseract": _tesseract(),
    "orc": b"ORC" + bytes(range(100)) + b"ORC\x06",
    "avro": b"Obj\1\2\x16avro.schema\4{}\0" + bytes(range(99, 115)) * 2,
    "fits": (b"SIMPLE  =                    T".ljust(80) + b"END").ljust(2880) + bytes(2880),
    "dicom": bytes(128) + b"DICM" + bytes(16),
    "netcdf": b"CDF\1" + bytes(60),
    "faiss": b"IxF2" + struct.pack("<lqqq", 4, 1, 1 << 20, 1 << 20) + bytes(32),
    "mecab": struct.pack("<L", 0xEF718F77 ^ 48) + b"f\0\0\0" + bytes(40),
    "blosc": b"\2\1\1\4" + struct.pack("<3L", 64, 64, 32) + bytes(16),
    "stata": b"\x72\2\1\0" + b"\4\0" + b"\1\0\0\0" + b"title".ljust(81, b"\0") + bytes(40),
}


@pytest.mark.parametrize("name", [*CLOSED, *OPEN])
def test_data_is_inert(name: str) -> None:
    report = scan({**CLOSED, **OPEN}[name], "file")
    assert not gates(report)
    assert {(row.status.value, row.format) for row in report.coverage} == {("inert", name)}


@pytest.mark.parametrize("name", CLOSED)
def test_what_lies_behind_data_is_examined(name: str) -> None:
    report = scan(CLOSED[name] + EVIL, "file")
    assert gates(report)


def test_a_pickle_behind_data_is_told() -> None:
    assert has_evil(scan(CLOSED["idx"] + EVIL, "file"))
    assert has_evil(scan(OPEN["ggml"] + EVIL, "file"))


@pytest.mark.parametrize(
    "data",
    [
        b"lCRF" + struct.pack("<L", 41) + b"\1\0" * 16,
        b"\0\0\x08\x03" + struct.pack(">3L", 2, 3, 4) + b"\x80\4" * 9,
        _nifti()[:400],
        b"Obj\1\2\x16avro.schema\4{}\0" + bytes(range(90)),
    ],
)
def test_sizes_that_do_not_fit(data: bytes) -> None:
    assert gates(scan(data, "file"))


@pytest.mark.parametrize(
    "head", [b"ply\nformat binary_\n", b"1 1\n", b"s3\nversion 1\n", b"#!AMR\n"]
)
def test_a_script_that_begins_like_data(head: bytes) -> None:
    assert gates(scan(head + b"import os\nos.system('id')\n", "a.py"))


@given(st.sampled_from([*CLOSED.values(), *OPEN.values()]), st.data())
def test_outlines_of_damaged_data_end(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    piece = draw.draw(st.binary(max_size=8))
    damaged = data[:at] + piece + data[at + draw.draw(st.integers(0, 8)) :]
    assert scan(damaged, "file").coverage
    try:
        outline = find_outline(MemorySource("a", damaged), damaged[:512], lambda _: None)
    except (struct.error, ValueError, IndexError):
        return
    assert outline is None or outline.end is None or 0 < outline.end <= len(damaged)


def _database(folder: Path, *commands: str | tuple[str, bytes]) -> bytes:
    path = folder / "a.db"
    with sqlite3.connect(path) as connection:
        for one in commands:
            connection.execute(*(one,) if isinstance(one, str) else (one[0], (one[1],)))
        connection.commit()
    connection.close()
    return path.read_bytes()


def test_databases(tmp_path: Path) -> None:
    plain = [f"create table t{n} (a text, b blob)" for n in range(200)]
    data = _database(
        tmp_path, *plain, "create trigger x after insert on t1 begin delete from t2; end"
    )
    assert not gates(scan(data, "a.db"))
    assert gates(scan(data[:512], "a.db"))


def test_databases_that_act(tmp_path: Path) -> None:
    view = "create view v as select load_extension('./a.so')"
    assert gates(scan(_database(tmp_path, view), "a.db"))


def test_pickles_in_rows(tmp_path: Path) -> None:
    data = _database(tmp_path, "create table t (a)", ("insert into t values (?)", EVIL))
    assert has_evil(scan(data, "a.db"))


def test_vocabularies_are_no_python() -> None:
    merges = b'"bpe_simple_vocab#version: 0.2\n' + b"i n\nt h\nan d</w>\n" * 10
    assert not gates(scan(merges + b"import ant\neval (\nexec (\n", "merges.txt"))
    assert gates(scan(b"import os\nos.system('id')\n", "merges.txt"))


def test_msgpack_of_a_list() -> None:
    assert not gates(scan(b"\xdc\x00\x11\x82\xa6format\xa2cB\xa7version\x01" + b"\x90" * 16, "a"))


def test_drawings_with_namespaces() -> None:
    head = b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'a.dtd' [%s]><svg/>"
    assert not gates(scan(head % b"<!ENTITY ns 'http://ns.adobe.com/x/1.0/'>", "a.svg"))
    assert gates(scan(head % b"<!ENTITY ns SYSTEM 'http://e.example/x'>", "a.svg"))
    assert gates(scan(head % b"<!ATTLIST svg onload CDATA 'alert(1)'>", "a.svg"))
