"""Archives that one reader opens and another does not."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.scan_router.router_cases import EVIL, build_zip, has_evil, rows, rules, scan, statuses
from weighbridge.core import Limits


def patched(raw: bytes, at: int, layout: str, *values: int) -> bytes:
    changed = bytearray(raw)
    struct.pack_into(layout, changed, at, *values)
    return bytes(changed)


GOOD = build_zip({"a": EVIL})
CENTRAL = GOOD.rindex(b"PK\1\2")


def test_encryption_flag_does_not_hide_the_content() -> None:
    """CVE-2025-1945: a flag bit made a scanner give up while PyTorch loaded the archive."""
    for at in (6, CENTRAL + 8):
        result = scan(patched(GOOD, at, "<H", 1))
        assert has_evil(result)
    assert "WB-ZIP-007" in rules(scan(patched(GOOD, CENTRAL + 8, "<H", 1)))
    assert "not-examined" in statuses(scan(patched(GOOD, CENTRAL + 8, "<H", 1)))


def test_names_that_disagree_do_not_hide_the_content() -> None:
    """CVE-2025-1944: the name in the local header differs from that in the directory."""
    result = scan(patched(GOOD, 30, "<B", ord("b")))
    assert has_evil(result)
    assert "WB-ZIP-002" in rules(result)


def test_wrong_crc_does_not_hide_the_content() -> None:
    """CVE-2025-10156: a wrong CRC stopped a scanner and not PyTorch."""
    raw = patched(patched(GOOD, 14, "<L", 0), CENTRAL + 16, "<L", 0)
    result = scan(raw)
    assert has_evil(result)
    assert "WB-ZIP-006" in rules(result)


@pytest.mark.parametrize("size", [0, 5, 2**31])
def test_wrong_sizes_do_not_hide_the_content(size: int) -> None:
    for at in (18, 22, CENTRAL + 20, CENTRAL + 24):
        result = scan(patched(GOOD, at, "<L", size))
        assert has_evil(result)
        assert rules(result) & {"WB-ZIP-002", "WB-ZIP-006"}


def test_directory_lengths_that_reach_behind_it_do_not_hide_the_entry() -> None:
    for at in (30, 32):
        raw = patched(GOOD, CENTRAL + at, "<H", 0x4800)
        assert has_evil(scan(raw))


def test_method_that_disagrees_is_read_both_ways() -> None:
    for at in (8, CENTRAL + 10):
        result = scan(patched(GOOD, at, "<H", 8))
        assert has_evil(result)
        assert "WB-ZIP-002" in rules(result)


def test_member_without_directory_entry_is_examined() -> None:
    hidden = GOOD[:CENTRAL]
    raw = build_zip({"innocent": b"hello"})
    directory = raw.rindex(b"PK\1\2")
    changed = bytearray(raw[:directory] + hidden + raw[directory:])
    struct.pack_into("<L", changed, len(changed) - 6, directory + len(hidden))
    result = scan(bytes(changed))
    assert has_evil(result)
    assert "WB-ZIP-003" in rules(result)


def test_archive_without_a_directory_is_followed_by_local_headers() -> None:
    raw = build_zip({"x": b"hello", "a": EVIL, "z": b"world"})
    result = scan(raw[: raw.index(b"PK\1\2")])
    assert has_evil(result)
    assert rows(result)[""] == ("examined", "zip")
    assert "not-examined" in statuses(result)
    assert rows(result)["z"] == ("inert", "text")


def test_two_archives_in_one_file() -> None:
    assert has_evil(scan(GOOD + build_zip({"b": b"hello"})))
    inside_comment = build_zip({"b": b"hello"})[:-2] + struct.pack("<H", len(GOOD)) + GOOD
    result = scan(inside_comment)
    assert has_evil(result)
    # Archives in a row are no lie: each is examined, whichever of them a reader takes.
    assert ("inert", "text") in rows(result).values()


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../../b", "..\\up", "C:\\x", "a\\..\\b"])
def test_names_that_lead_out(name: str) -> None:
    assert "WB-ZIP-005" in rules(scan(build_zip({name: b"x"})))


@pytest.mark.parametrize("name", ["a/b", "a..b", "...", "C:", "ü/x.y"])
def test_names_that_do_not(name: str) -> None:
    assert "WB-ZIP-005" not in rules(scan(build_zip({f"x/{name}": b"x"})))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_links_in_a_zip(method: int) -> None:
    for target, out in (("../../x", True), ("/etc/passwd", True), ("../x", False), ("x", False)):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            info = zipfile.ZipInfo("a/b")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target, method)
        assert ("WB-ZIP-005" in rules(scan(stream.getvalue()))) is out


def test_unknown_method_is_not_examined() -> None:
    raw = patched(patched(GOOD, 8, "<H", 99), CENTRAL + 10, "<H", 99)
    result = scan(raw)
    assert rows(result)["a"] == ("not-examined", "unknown")


def test_overlapping_members() -> None:
    """Two directory entries point at two headers, one inside the data of the other."""
    inner = build_zip({"in": b"hello"})
    outer = build_zip({"out": inner})
    at = outer.index(b"PK\3\4", 4)
    entry = inner[inner.rindex(b"PK\1\2") : inner.rindex(b"PK\5\6")]
    entry = patched(entry, 42, "<L", at)
    end = outer.rindex(b"PK\5\6")
    raw = bytearray(outer[:end] + entry + outer[end:])
    size = end + len(entry) - outer.rindex(b"PK\1\2", 0, end)
    struct.pack_into("<HHL", raw, len(raw) - 14, 2, 2, size)
    assert "WB-ZIP-008" in rules(scan(bytes(raw)))


def test_shared_bytes_are_counted_as_work() -> None:
    """A directory of many entries that all point at one large member."""
    raw = build_zip({"a": b"text " * 20_000})
    at, end = raw.rindex(b"PK\1\2"), raw.rindex(b"PK\5\6")
    entries = b"".join(patched(raw[at:end], 46, "<B", 97 + n) for n in range(26))
    tail = patched(raw[end:], 8, "<HHL", 26, 26, len(entries))
    result = scan(raw[:at] + entries + tail, limits=Limits(max_expanded_bytes=500_000))
    assert "max_expanded_bytes" in result.coverage[-1].reason


def test_bytes_between_and_behind() -> None:
    assert "WB-ZIP-009" in rules(scan(build_zip({"a": b"x"}) + b"\1tail"))
    assert scan(build_zip({"a": b"x", "b/": b"", "b/c": b"y"})).findings == ()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_whatever_zipfile_can_read_is_examined(seed: int, method: int) -> None:
    """The law: after any damage, a member that ``zipfile`` still reads whole was examined."""
    rng = random.Random(seed)
    raw = bytearray(build_zip({"x": b"hello", "a": EVIL, "z": b"world"}, method))
    if rng.random() < 0.3:
        raw[:0] = rng.randbytes(rng.randrange(40))
    for _ in range(rng.randrange(1, 4)):
        raw[rng.randrange(len(raw))] = rng.choice([0, 1, 8, 0xFF, rng.randrange(256)])
    result = scan(bytes(raw))
    assert result.coverage
    try:
        archive = zipfile.ZipFile(io.BytesIO(bytes(raw)))
        readable = [archive.read(info) for info in archive.infolist()]
    except Exception:  # noqa: BLE001 - it cannot be read, which is fine
        return
    if EVIL in readable:
        assert has_evil(result)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise_and_all_have_a_row(data: bytes) -> None:
    for magic in (
        b"",
        b"\x93NUMPY",
        b"GGUF\3\0\0\0",
        b"PK\3\4",
        b"\x1f\x8b\x08",
        b"\x80\x04",
        b"{",
    ):
        result = scan(magic + data)
        assert result.coverage
        assert not any("the examiner failed" in row.reason for row in result.coverage)
