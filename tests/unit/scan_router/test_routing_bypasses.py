"""Ways in which one format once hid another, each by the name of its class."""

from __future__ import annotations

import argparse
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from unit.scan_router.router_cases import (
    EVIL,
    PLAIN,
    build_tar,
    build_torch_pickle,
    build_zip,
    has_evil,
    rows,
    rules,
    scan,
    statuses,
)
from weighbridge.core import Limits


def old_header(name: bytes, size: int, *, signed: bool = False) -> bytes:
    """Return a tar header of the oldest kind (V7), which has no mark."""
    raw = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size
    raw += b"00000000000\0" + b" " * 8 + b"0"
    raw = raw.ljust(512, b"\0")
    total = sum(raw) - 256 * sum(byte > 0x7F for byte in raw) if signed else sum(raw)
    return raw[:148] + b"%06o\0 " % total + raw[156:]


def old_tar(first: bytes, *, signed: bool = False) -> bytes:
    """Return a V7 archive with a pickle in it, whose very first bytes can be chosen."""
    end = old_header(b"pickle", len(EVIL)) + EVIL.ljust(512, b"\0") + bytes(1024)
    return old_header(first, 0, signed=signed) + end


def object_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([None]), allow_pickle=True)
    return stream.getvalue()[:128] + EVIL


def tar_in_a_pickle() -> bytes:
    size = len(old_tar(b"x"))
    return old_tar(b"\x80\x04B" + struct.pack("<I", size - 7)) + b"."


def tar_in_a_png() -> bytes:
    size = len(old_tar(b"x"))
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", size - 16) + b"teXt"
    return old_tar(start) + b"CRC4" + struct.pack(">I", 0) + b"IENDcrc4"


def tar_in_safetensors() -> bytes:
    size = len(old_tar(b"x")) - 8 - 90
    header = {"t": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    return old_tar(struct.pack("<Q", 90) + json.dumps(header).encode().ljust(90))


OLD_TARS = {
    "alone": old_tar(b"a"),
    "signed checksum": old_tar(b"\xff\xfe", signed=True),
    "in a pickle": tar_in_a_pickle(),
    "in a PNG": tar_in_a_png(),
    "in safetensors": tar_in_safetensors(),
    "in a JPEG": old_tar(b"\xff\xd8\xff\xe0") + b"\xff\xd9",
    "in a GIF": old_tar(b"GIF89a") + b"\x3b",
    "in GGUF": old_tar(b"GGUF" + struct.pack("<IQQ", 3, 0, 0)),
    "before a zip": old_tar(b"a") + build_zip({"b": b"x"}),
    "around a zip": old_tar(b"PK\3\4") + build_zip({"b": b"x"}),
}


@pytest.mark.parametrize("case", OLD_TARS)
def test_a_tar_without_its_mark_is_found_whatever_else_the_file_is(case: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(OLD_TARS[case])) as archive:
        assert archive.getnames()[-1] == "pickle"
    assert has_evil(scan(OLD_TARS[case]))


def test_a_stream_around_a_zip_is_found() -> None:
    """The extra field of gzip has room for an archive; its directory may lie behind the stream."""
    inner = build_zip({"a": b"x"})
    packed = gzip.compress(EVIL)
    extra = struct.pack("<2sH", b"zz", len(inner)) + inner
    raw = packed[:3] + b"\4" + packed[4:10] + struct.pack("<H", len(extra)) + extra + packed[10:]
    assert gzip.decompress(raw) == EVIL
    assert rows(scan(raw))["a"] == ("inert", "text")
    assert has_evil(scan(raw))


def test_lzma_with_an_unusual_dictionary_is_found() -> None:
    packed = lzma.compress(EVIL, format=lzma.FORMAT_ALONE)
    for window in (0x0100, 0x1234_5600):
        raw = packed[:1] + struct.pack("<I", window) + packed[5:]
        assert lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(raw) == EVIL
        result = scan(raw)
        assert has_evil(result) or "Memory" in result.coverage[0].reason
    other = lzma.compress(EVIL, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "lc": 0}])
    assert has_evil(scan(other))


def test_a_dictionary_that_we_do_not_allow_is_not_passed_over() -> None:
    """A tar whose first name is an xz stream: only the limit of memory keeps it from expanding."""
    packed = bytearray(lzma.compress(EVIL, check=lzma.CHECK_NONE))
    size = (packed[12] + 1) * 4
    packed[12 + 4] = 37  # 1.5 GiB
    packed[12 + size - 4 : 12 + size] = zlib.crc32(packed[12 : 12 + size - 4]).to_bytes(4, "little")
    result = scan(bytes(packed))
    assert rows(result)[""] == ("not-examined", "xz")
    assert "Memory" in result.coverage[0].reason


def text_id(key: str, size: int) -> bytes:
    """Return a pickle of one persistent id, which calls ``key`` a storage."""
    parts = [b"\x80\x04("]
    for text in ("storage", None, key, "cpu"):
        if text is None:
            parts.append(b"ctorch\nByteStorage\n")
        else:
            parts.append(b"X" + struct.pack("<I", len(text)) + text.encode())
    return b"".join([*parts, b"M" + struct.pack("<H", size), b"tQ."])


def test_a_pickle_cannot_call_any_member_a_storage() -> None:
    """np.load takes ``d/arr.npy`` for an array, whatever ``d.pkl`` says."""
    hidden = object_array()
    for root, key in (("d", "arr.npy"), ("m/data", "arr.npy"), ("a/m/data", "0"), ("m/data", "x")):
        raw = build_zip({f"{root}.pkl": text_id(key, len(hidden)), f"{root}/{key}": hidden})
        assert has_evil(scan(raw)), (root, key)


STORAGES = {
    "pickle": EVIL,
    "object array": object_array(),
    "zip": build_zip({"a": EVIL}),
    "tar": build_tar({"a": EVIL}),
    "old tar": old_tar(b"a"),
    "gzip": gzip.compress(EVIL),
    "zlib": zlib.compress(EVIL),
    "lzma": lzma.compress(EVIL, format=lzma.FORMAT_ALONE),
    "long pickle": b"\x80\x04" + b"N0" * 9000 + EVIL,
}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("case", STORAGES)
def test_a_storage_that_is_something_else_is_examined(case: str, order: int) -> None:
    data = STORAGES[case]
    members = [("m/data.pkl", build_torch_pickle("0")), ("m/data/0", data), ("m/version", b"3\n")]
    raw = build_zip(members[::order])
    assert has_evil(scan(raw))
    assert "m/data/" not in rows(scan(raw))
    packed = build_zip(members[::order], zipfile.ZIP_DEFLATED)
    assert has_evil(scan(packed))


def test_a_storage_that_calls_an_unknown_name_is_no_numbers() -> None:
    call = b"\x80\x04cmy_package\nThing\n)R"
    for data in (call + b".", call + b"\xff" * 99):
        raw = build_zip({"m/data.pkl": build_torch_pickle("0"), "m/data/0": data})
        assert "WB-PKL-004" in rules(scan(raw))


def test_storages_that_begin_like_something_by_chance_are_still_numbers() -> None:
    pickled = build_torch_pickle(["0"])
    for data in (
        b"",
        b"MZ" + bytes(99),
        b"P\n0\n" * 9,
        b"x\x9c" + b"\xff" * 99,
        b"]\0\xff\xff\xff" * 9,
    ):
        result = scan(build_zip({"m/data.pkl": pickled, "m/data/0": data}))
        assert rows(result)["m/data/"] == ("inert", "raw tensors"), data
        assert result.findings == ()


SCRIPTS = (
    "m/Constants.PKL",
    "code/a",
    "m/CODE/x/y",
    "n/bytecode.pkl",
    "m/model.json",
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_only_some_reader_takes_for_torchscript_is_not_examined(name: str) -> None:
    """A name in its pickles means a class of its own code, so that no allowed name is harmless."""
    members = {"m/data.pkl": PLAIN, name: b"", "m/version": b"3\n"}
    result = scan(build_zip(members))
    reasons = [row.reason for row in result.coverage if row.format == "torchscript"]
    assert len(reasons) == 1
    assert "not-examined" in statuses(result)
    assert not any(row.format == "torchscript" for row in scan(build_zip({"m/a": b""})).coverage)


@pytest.mark.parametrize("protocol", range(6))
def test_a_zip_is_no_pickle_because_a_pickle_in_it_has_lines(protocol: int) -> None:
    """P of PK reads to the first line feed; what follows is read out of step."""
    state = {"args": argparse.Namespace(lr=1, items=[1, 2])}
    raw = build_zip({"m/data.pkl": pickle.dumps(state, protocol)})
    assert scan(raw).findings == ()
    assert rows(scan(raw))[""][0] == "examined"


def test_other_things_that_begin_with_p_are_no_pickles() -> None:
    for data in (b"PyTorch\n0 a\n", b"Pets\nN\n0.\n\n", b"P6\n2 2\n255\n" + bytes(range(12))):
        assert scan(data).findings == (), data
    assert has_evil(scan(b"Pid\n" + EVIL))


def test_zeros_are_at_worst_not_examined() -> None:
    """Sparse tensors pack as well as a bomb does, and are none."""
    stream = io.BytesIO()
    np.savez_compressed(stream, a=np.zeros(10_000_000), b=np.zeros(3))
    result = scan(stream.getvalue())
    assert result.findings == ()
    assert "max_ratio = 100" in result.coverage[-1].reason
    array = io.BytesIO()
    np.save(array, np.zeros(10_000_000))
    result = scan(gzip.compress(array.getvalue()))
    assert result.findings == ()
    assert "max_ratio = 100" in result.coverage[-1].reason


def test_work_on_array_headers_is_bounded_over_the_whole_file() -> None:
    header = b"{'descr': [" + b"('a','<f8')," * 5000 + b"], 'fortran_order': False, 'shape': (0,)}"
    raw = b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header
    members = {f"{n}.npy": raw for n in range(5)}
    assert scan(build_zip(members, zipfile.ZIP_DEFLATED)).findings == ()
    limits = Limits(max_headers_bytes=3 * len(header))
    result = scan(build_zip(members, zipfile.ZIP_DEFLATED), limits=limits)
    assert "max_headers_bytes" in result.coverage[-1].reason


def test_work_on_texts_is_bounded_over_the_whole_file() -> None:
    named = b'{"chat_template": 0, "a": [' + b"1," * 3000 + b"1]}"
    members = {f"{n}.json": named for n in range(9)}
    raw = build_zip(members, zipfile.ZIP_DEFLATED)
    assert statuses(scan(raw)) == {"examined", "inert"}
    for limits in (Limits(max_parsed_bytes=20_000), Limits(max_text_bytes=20_000)):
        result = scan(raw, limits=limits)
        assert "is over the limit" in result.coverage[-1].reason
    plain = build_zip({f"{n}.json": b"[" + b"1," * 3000 + b"1]" for n in range(9)})
    assert statuses(scan(plain, limits=Limits(max_parsed_bytes=0))) == {"examined", "inert"}


def with_checksum(raw: bytearray) -> bytes:
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    return bytes(raw)


def test_tar_headers_with_two_meanings_are_refused() -> None:
    """One reader passes over data where another finds a member: both are right by their rules."""
    inner = build_tar({"b": EVIL})
    good = bytearray(build_tar({"a": inner}, tarfile.USTAR_FORMAT))
    for at, value in (
        (156, b"5"),
        (156, b"1"),
        (156, b"2"),
        (124, b"\0"),
        (124, b"-"),
        (129, b"_"),
    ):
        raw = bytearray(good)
        raw[at : at + 1] = value
        result = scan(with_checksum(raw))
        assert "WB-TAR-002" in rules(result), (at, value)
        assert "not-examined" in statuses(result)
    twice = build_tar({"a": EVIL}, tarfile.PAX_FORMAT, {"size": "3", "path": "x"})
    assert "WB-TAR-002" in rules(scan(twice[:1024] + twice))
    stream = io.BytesIO()
    sparse = {"GNU.sparse.size": "9"}
    with tarfile.open(fileobj=stream, mode="w", pax_headers=sparse) as archive:
        archive.addfile(tarfile.TarInfo("a"))
    assert "WB-TAR-002" in rules(scan(stream.getvalue()))
