"""7z, zstd and lz4, tar links, and media: ordinary ones pass, odd ones are told."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from typing import Any

import lz4.frame
import py7zr
import pytest
import zstandard

from unit.scan_router.router_cases import (
    EVIL,
    PLAIN,
    build_tar,
    build_zip,
    has_evil,
    rows,
    rules,
    scan,
    statuses,
)
from unit.scan_router.test_nesting import build_7z, gates
from weighbridge.core import Limits

# -- 7z: nullifAI hid a PyTorch file in one (ReversingLabs, February 2025) -----------------------

LZMA2 = {"id": py7zr.FILTER_LZMA2, "preset": 1}
FILTERS: dict[str, list[dict[str, Any]]] = {
    "copy": [{"id": py7zr.FILTER_COPY}],
    "lzma": [{"id": py7zr.FILTER_LZMA, "preset": 1}],
    "lzma2": [LZMA2],
    "bzip2": [{"id": py7zr.FILTER_BZIP2}],
    "deflate": [{"id": py7zr.FILTER_DEFLATE}],
    "x86 and lzma": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA, "preset": 1}],
    "x86 and lzma2": [{"id": py7zr.FILTER_X86}, LZMA2],
    "x86 and bzip2": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_BZIP2}],
    "arm": [{"id": py7zr.FILTER_ARM}, LZMA2],
    "delta": [{"id": py7zr.FILTER_DELTA}, LZMA2],
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", FILTERS)
def test_7z_by_every_method(name: str, packed: bool) -> None:  # noqa: FBT001 - a parameter
    # Calls, which the filters for machine code change.
    code = b"\xe8\x01\x02\x03\x00" * 500
    evil = scan(build_7z({"a.txt": b"x", "code": code, "b": EVIL}, FILTERS[name], packed=packed))
    assert has_evil(evil)
    assert rules(evil) == {"WB-PKL-001"}
    plain = scan(build_7z({"a": b"text", "b": PLAIN, "c": b""}, FILTERS[name], packed=packed))
    assert not gates(plain)
    assert rows(plain)["b"] == ("examined", "pickle")
    assert rows(plain)["c"] == ("inert", "empty")


def test_7z_that_is_not_expanded() -> None:
    for filters in (
        [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 24}],
        [{"id": py7zr.FILTER_ZSTD}],
    ):
        result = scan(build_7z({"a": PLAIN}, filters))
        assert rows(result)["a"] == ("not-examined", "unknown")
    stream = io.BytesIO()
    with py7zr.SevenZipFile(stream, "w", password="p") as archive:
        archive.writestr(PLAIN, "a")
    (row,) = (r for r in scan(stream.getvalue()).coverage if r.location.member)
    assert "encryption" in row.reason
    stream = io.BytesIO()
    with py7zr.SevenZipFile(
        stream,
        "w",
        password="p",
        header_encryption=True,
    ) as archive:
        archive.writestr(PLAIN, "a")
    result = scan(stream.getvalue())
    assert statuses(result) == {"not-examined"}


def test_7z_names_and_damage() -> None:
    named = build_7z({"zz/x/a": b"x"}, FILTERS["copy"], packed=False)
    led = named.replace("zz/x/a".encode("utf-16-le"), "../x/a".encode("utf-16-le"))
    assert "WB-SVZ-002" in rules(scan(led))
    assert has_evil(scan(build_7z({"a": b"x"}) + EVIL))
    assert "WB-SVZ-001" in rules(scan(build_7z({"a": b"x"}) + EVIL))
    raw = bytearray(build_7z({"a": EVIL}, FILTERS["copy"], packed=False))
    raw[8] ^= 1  # the CRC of the first header, which readers exist that do not look at
    assert has_evil(scan(bytes(raw)))
    assert "WB-SVZ-001" in rules(scan(bytes(raw)))
    broken = bytearray(build_7z({"a": EVIL + bytes(99)}, FILTERS["copy"], packed=False))
    broken[32 + len(EVIL) + 5] ^= 1
    assert {"WB-SVZ-001", "WB-PKL-001"} <= rules(scan(bytes(broken)))
    assert "not-examined" in statuses(scan(build_7z({"a": EVIL})[:-9]))


def test_7z_claims_allocate_nothing() -> None:
    header = b"\x01\x04\x06\x00" + b"\xff" + b"\xff" * 7 + b"\x7f"
    head = struct.pack("<QQL", 0, len(header), zlib.crc32(header))
    raw = b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<L", zlib.crc32(head)) + head + header
    assert rows(scan(raw)) == {"": ("not-examined", "7z")}
    head = struct.pack("<QQL", 0, 2**62, 0)
    raw = b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<L", zlib.crc32(head)) + head
    assert rows(scan(raw)) == {"": ("not-examined", "7z")}


def test_7z_is_bounded_by_the_budget() -> None:
    packed = build_7z({"a": EVIL, **{str(n): bytes(1 << 20) for n in range(80)}})
    result = scan(packed, limits=Limits(max_expanded_bytes=1 << 20))
    assert has_evil(result)
    assert "not-examined" in statuses(result)


# -- zstd and lz4 --------------------------------------------------------------------------------


def test_zstd_and_lz4_with_odd_frames() -> None:
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(EVIL)
    checked = zstandard.ZstdCompressor(write_checksum=True).compress(EVIL)
    two = zstandard.ZstdCompressor().compress(EVIL[:9]) + checked
    linked = lz4.frame.compress(EVIL, block_linked=False, content_checksum=True)
    for raw in (unsized, checked, two, linked):
        assert has_evil(scan(raw)) or raw is two
    assert not gates(scan(two)) or has_evil(scan(two))


@pytest.mark.parametrize("kind", ["zstd", "lz4"])
def test_damaged_frames_keep_what_came_before(kind: str) -> None:
    noise = bytes(range(256)) * 2000
    if kind == "zstd":
        packed = zstandard.ZstdCompressor(level=1).compress(EVIL + noise[::-1] + noise[::3])
    else:
        packed = lz4.frame.compress(EVIL + noise, block_size=lz4.frame.BLOCKSIZE_MAX64KB)
    result = scan(packed[:-6])
    assert "WB-CMP-001" in rules(result)
    assert "not-examined" in statuses(result)


def test_a_window_of_two_gibibytes_is_not_allowed() -> None:
    result = scan(b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3]) + b"\x01\x00\x00")
    assert rows(result) == {"": ("not-examined", "zstd")}


@pytest.mark.parametrize("pack", [zstandard.ZstdCompressor().compress, lz4.frame.compress])
def test_many_tiny_frames_are_work(pack: Any) -> None:
    result = scan(pack(b"x") * 20_000)
    assert any("max_ratio" in row.reason for row in result.coverage)


# -- tar -----------------------------------------------------------------------------------------


def tar_with_links(*links: tuple[str, str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, target, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return stream.getvalue()


@pytest.mark.parametrize(
    "links",
    [
        [("a/b", "../../etc", tarfile.SYMTYPE)],
        [("a/b", "x/../../..", tarfile.SYMTYPE)],
        [("a", "..", tarfile.SYMTYPE)],
        [("a", "/etc/passwd", tarfile.SYMTYPE)],
        [("a/b", "../x", tarfile.LNKTYPE)],
        [("d", ".", tarfile.SYMTYPE), ("d/e", "..", tarfile.SYMTYPE)],
        [("a/../b/c", "../x", tarfile.SYMTYPE)],
    ],
)
def test_links_that_lead_out(links: list[tuple[str, str, bytes]]) -> None:
    assert "WB-TAR-001" in rules(scan(tar_with_links(*links)))


def test_links_that_stay_inside() -> None:
    inside = tar_with_links(
        ("snapshots/x/model.bin", "../../blobs/abc", tarfile.SYMTYPE),
        ("./lib/a.so", "a.so.1", tarfile.SYMTYPE),
        ("b", "a", tarfile.LNKTYPE),
    )
    assert scan(inside).findings == ()


def test_a_second_tar_behind_the_first_is_examined() -> None:
    """GNU tar goes on with ``--ignore-zeros``, and tarfile with ``ignore_zeros``."""
    result = scan(build_tar({"a": b"x"}) + build_tar({"b": EVIL}))
    assert has_evil(result)
    assert "WB-TAR-002" in rules(result)


# -- media ---------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">L4s13sL", 13, b"IHDR", bytes(13), 0)
PNG += struct.pack(">L4sL", 0, b"IEND", 0)
FRAME = b"\xff\xfb\x90\x00" + bytes(413)
TABLE = struct.pack(">4s3L", b"glyf", 0, 28, 4)
MEDIA: dict[str, bytes] = {
    "png": PNG,
    "jpeg": b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x04cd\x01\xff\x00\x02\xff\xd0\x03\xff\xd9",
    "gif": b"GIF89a" + bytes(7) + b"\x21\xfe\x03abc\x00," + bytes(9) + b"\x02\x01a\x00\x3b",
    "webp": b"RIFF" + struct.pack("<L", 12) + b"WEBP" + bytes(8),
    "wav": b"RIFF" + struct.pack("<L", 12) + b"WAVE" + bytes(8),
    "aiff": b"FORM" + struct.pack(">L", 12) + b"AIFF" + bytes(8),
    "au": b".snd" + struct.pack(">2L", 24, 8) + bytes(20),
    "mp3": b"ID3\x04\x00\x00\x00\x00\x00\x04abcd" + FRAME * 3,
    "flac": b"fLaC\x80\x00\x00\x22" + bytes(34) + b"\xff\xf8" + bytes(20),
    "ogg": b"OggS\x00" + bytes(21) + b"\x01\x05hello",
    "mp4": struct.pack(">L4s8s", 16, b"ftyp", b"isom\0\0\0\0") + struct.pack(">L4s", 8, b"mdat"),
    "matroska": b"\x1a\x45\xdf\xa3\x82ab\x18\x53\x80\x67\x83abc",
    "bmp": b"BM" + struct.pack("<LLLL", 60, 0, 54, 40) + bytes(42),
    "ico": struct.pack("<3H", 0, 1, 1) + struct.pack("<4B2H2L", 1, 1, 0, 0, 1, 1, 4, 22) + b"abcd",
    "tiff": b"II*\x00" + struct.pack("<L", 8) + bytes(20),
    "font": b"\x00\x01\x00\x00\x00\x01" + bytes(6) + TABLE + b"abcd",
    "woff": b"wOFF\x00\x01\x00\x00" + struct.pack(">L", 20) + bytes(8),
}


@pytest.mark.parametrize("kind", MEDIA)
def test_media_is_inert_and_its_tail_is_examined(kind: str) -> None:
    assert rows(scan(MEDIA[kind])) == {"": ("inert", kind)}
    assert scan(MEDIA[kind]).findings == ()
    for tail in (EVIL, build_zip({"a": EVIL}), build_tar({"a": EVIL})):
        if tail[:1] == b"c" or kind not in ("flac", "tiff"):
            assert has_evil(scan(MEDIA[kind] + tail)), tail[:4]
    assert has_evil(scan(MEDIA[kind] + build_zip({"a": EVIL})))


@pytest.mark.parametrize("kind", sorted(set(MEDIA) - {"flac", "tiff"}))
def test_unknown_bytes_behind_media_are_not_examined(kind: str) -> None:
    assert "not-examined" in statuses(scan(MEDIA[kind] + b"\xfe\xfdmore\x01"))
    assert not gates(scan(MEDIA[kind] + b"\r\n\0"))


def pdf(*objects: bytes) -> bytes:
    return b"%PDF-1.5\n" + b"\n".join(objects) + b"\nstartxref\n0\n%%EOF\n"


def packed_objects(plain: bytes) -> bytes:
    packed = zlib.compress(plain)
    name = b"/Filter/Fl" + b"ateDecode"
    return b"1 0 obj\n<</Type/ObjStm" + name + b">>\nstream\n" + packed + b"\nendstream"


def test_pdf() -> None:
    link = b"1 0 obj <</Type/Annot/A<</S/URI/URI(https://example.org)>>>>"
    for plain in (pdf(link), pdf(packed_objects(b"<</Type/Page>>"))):
        assert rows(scan(plain)) == {"": ("inert", "pdf")}
    for acting in (
        b"<</S/JavaScript/JS(app.alert(1))>>",
        b"<</S/#4aavaScript>>",
        b"<</S/Launch/F(cmd.exe)>>",
        b"<</Names<</EmbeddedFiles 3 0 R>>>>",
        packed_objects(b"<</S/JavaScript>>"),
        packed_objects(b"x").replace(b"ateDecode", b"LZWDecode"),
        b"<</Encrypt 3 0 R>>",
        packed_objects(b"x").replace(b"/ObjStm", b"/Obj#53tm"),
        packed_objects(b"x").replace(b"/Filter/", b"/Filter[/ASCIIHexDecode/"),
    ):
        assert rows(scan(pdf(acting))) == {"": ("not-examined", "pdf")}
    assert has_evil(scan(pdf(link) + EVIL))
    assert has_evil(scan(pdf(link) + build_zip({"a": EVIL})))
