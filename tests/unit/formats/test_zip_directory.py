"""The zip reader, against ``zipfile`` and against archives that no writer makes."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.formats import (
    ZIP_METHODS,
    MemorySource,
    ZipDirectory,
    expand_stream,
    find_zip_gaps,
    read_zip_directory,
    read_zip_entry,
)

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def build(
    members: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b""
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = comment
    return stream.getvalue()


def read(raw: bytes, *, max_members: int = 1000) -> ZipDirectory:
    directory = read_zip_directory(MemorySource("a", raw), max_members=max_members)
    assert directory is not None
    return directory


def contents(raw: bytes) -> dict[str, bytes]:
    source = MemorySource("a", raw)
    result = {}
    for entry in read(raw).entries:
        (reading, *_), problem = read_zip_entry(source, entry)
        assert problem == ""
        size = reading.packed_bytes
        if reading.method == 0:
            result[entry.name] = source.read_at(reading.data_offset, size)
        else:
            method = ZIP_METHODS[reading.method]
            pieces = expand_stream(source, method, start=reading.data_offset, size_bytes=size)
            result[entry.name] = b"".join(pieces)
    return result


@given(
    st.dictionaries(st.text(min_size=1, max_size=8), st.binary(max_size=50), max_size=4),
    st.sampled_from(METHODS),
    st.binary(max_size=40),
    st.binary(max_size=40),
)
def test_reads_what_zipfile_writes(
    members: dict[str, bytes], method: int, comment: bytes, prefix: bytes
) -> None:
    members = {n.replace("\0", "0").replace("\\", "/"): d for n, d in members.items()}
    members = {n: d for n, d in members.items() if not n.endswith("/")}
    raw = build(members, method, comment.replace(b"P", b"p"))
    assert contents(raw) == members
    assert read(raw).disagreements == ()
    assert contents(prefix.replace(b"P", b"p") + raw) == members


def test_members_that_are_streamed_and_forced_to_zip64() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for name in ("a", "b"):
            with archive.open(name, "w", force_zip64=name == "b") as member:
                member.write(b"data of " + name.encode())
    assert contents(pipe.data) == {"a": b"data of a", "b": b"data of b"}
    located = [
        read_zip_entry(MemorySource("a", pipe.data), e)[0][0] for e in read(pipe.data).entries
    ]
    gaps = find_zip_gaps(MemorySource("a", pipe.data), located, end=read(pipe.data).start)
    assert list(gaps) == []


def build_zip64(members: dict[str, bytes], *, wrong: bytes = b"", right: bytes = b"") -> bytes:
    """Build an archive as PyTorch does: a zip64 end record that nobody would need."""
    raw = build(members)
    at = raw.rindex(b"PK\5\6")
    count, _, size, offset = struct.unpack_from("<2H2L", raw, at + 8)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 798, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    return raw[:at] + (end64 + locator + raw[at:]).replace(right, wrong, 1)


def test_a_zip64_record_that_fits_leaves_no_other_reading() -> None:
    # The header of the first entry is as long as the two records of zip64: 46 + 30 bytes.
    members = {"n" * 30: b"one", "b": b"two"}
    assert contents(build_zip64(members)) == members
    assert read(build_zip64(members)).disagreements == ()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (struct.pack("<Q", 44), struct.pack("<Q", 45)),
        (struct.pack("<4sL", b"PK\6\7", 0), struct.pack("<4sL", b"PK\6\7", 1)),
        (struct.pack("<2L2Q", 0, 0, 2, 2), struct.pack("<2L2Q", 0, 0, 2, 1)),
        (b"PK\6\6", b"PK\6\5"),
        (b"PK\5\6\0\0\0\0\2\0\2\0", b"PK\5\6\0\0\0\0\2\0\1\0"),
    ],
)
def test_a_zip64_record_that_does_not_fit_leaves_both(right: bytes, wrong: bytes) -> None:
    members = {"n" * 30: b"one", "b": b"two"}
    assert read(build_zip64(members, right=right, wrong=wrong)).disagreements


def test_more_than_65535_members() -> None:
    raw = build({f"{n}": b"" for n in range(65_600)})
    directory = read(raw, max_members=100_000)
    assert len(directory.entries) == 65_600
    assert directory.disagreements == ()
    few = read(raw, max_members=10)
    assert len(few.entries) == 11
    assert few.disagreements == ()


@pytest.mark.parametrize(
    "raw", [b"", b"PK\5\6", b"x" * 100, b"PK\5\6" + b"\xff" * 18, bytes(70_000)]
)
def test_no_archive(raw: bytes) -> None:
    assert read_zip_directory(MemorySource("a", raw), max_members=9) is None


def test_empty_archive() -> None:
    assert read(build({})).entries == ()


def test_bytes_behind_the_archive() -> None:
    raw = build({"a": b"x"})
    assert read(raw + b"junk").end == len(raw)
    assert contents(raw + b"\0" * 65_000) == {"a": b"x"}


def test_two_end_records_are_both_followed() -> None:
    """One reader takes the last end record, another the one whose comment reaches the end."""
    one, other = build({"good": b"1"}), build({"evil": b"2"})
    raw = one[:-2] + struct.pack("<H", len(other)) + other
    assert {entry.name for entry in read(raw).entries} == {"good", "evil"}
    assert read(raw).disagreements
    # Now the last one claims a comment that does not fit, which only some readers mind.
    raw = raw[:-2] + b"\xff\xff"
    assert {entry.name for entry in read(raw).entries} == {"good", "evil"}
    assert read(raw).disagreements


def test_directory_at_the_declared_place_and_before_the_end_record() -> None:
    """``zipfile`` goes back from the end record, miniz goes to the declared offset."""
    inner = build({"evil": b"2"})
    outer = build({"good": b"1"})
    at, size = outer.rindex(b"PK\1\2"), outer.rindex(b"PK\5\6") - outer.rindex(b"PK\1\2")
    second = inner[inner.rindex(b"PK\1\2") : inner.rindex(b"PK\5\6")]
    assert len(second) == size
    raw = outer[: at + size] + second + outer[at + size :]
    assert {entry.name for entry in read(raw).entries} == {"good", "evil"}
    assert read(raw).disagreements


def test_duplicate_names_and_wrong_count() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", b"2")
    assert "'a' appears twice" in "".join(read(stream.getvalue()).disagreements)
    raw = bytearray(build({"a": b"1"}))
    struct.pack_into("<HH", raw, len(raw) - 14, 7, 7)
    assert "counts 7" in "".join(read(bytes(raw)).disagreements)


def patched_local(raw: bytes, field: int, layout: str, value: int) -> bytes:
    patched = bytearray(raw)
    struct.pack_into(layout, patched, field, value)
    return bytes(patched)


@pytest.mark.parametrize(
    ("field", "layout", "value", "words", "readings"),
    [
        (6, "<H", 1, "encryption", 1),
        (8, "<H", 8, "method", 2),
        (14, "<L", 1, "CRC", 1),
        (18, "<L", 9, "packed size", 2),
        (22, "<L", 900, "the size", 2),
        (30, "<B", 66, "name", 1),
    ],
)
def test_local_header_that_disagrees(
    field: int, layout: str, value: int, words: str, readings: int
) -> None:
    raw = patched_local(build({"a": b"data"}), field, layout, value)
    found, problem = read_zip_entry(MemorySource("a", raw), read(raw).entries[0])
    assert words in problem
    assert len(found) == readings


def test_local_header_that_is_not_there() -> None:
    raw = patched_local(build({"a": b"data"}), 0, "<L", 0)
    found, problem = read_zip_entry(MemorySource("a", raw), read(raw).entries[0])
    assert found == ()
    assert "no local header" in problem


def test_gaps_and_hidden_members() -> None:
    hidden = build({"hidden": b"h"})
    hidden = hidden[: hidden.rindex(b"PK\1\2")]
    raw = build({"a": b"data", "b": b"more"})
    at = raw.index(b"PK\3\4", 4)
    for extra, name in ((hidden, "hidden"), (b"junk", None), (bytes(9), "zeros")):
        changed = bytearray(raw[:at] + extra + raw[at:])
        directory = changed.rindex(b"PK\1\2")
        struct.pack_into("<L", changed, directory + 42, at + len(extra))
        struct.pack_into("<L", changed, len(changed) - 6, changed.index(b"PK\1\2"))
        source = MemorySource("a", bytes(changed))
        found = read(bytes(changed))
        located = [read_zip_entry(source, e)[0][0] for e in found.entries]
        assert [e.name for e in located] == ["a", "b"]
        gaps = list(find_zip_gaps(source, located, end=found.start))
        if name == "zeros":
            assert gaps == []
        else:
            ((start, size, entry),) = gaps
            assert (start, size) == (at, len(extra))
            assert (entry.name if entry else None) == name


@given(st.data())
def test_damage_never_raises(data: st.DataObject) -> None:
    raw = bytearray(build({"a": b"data", "b/c": b"more"}, zipfile.ZIP_DEFLATED))
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    source = MemorySource("a", bytes(raw))
    directory = read_zip_directory(source, max_members=10)
    if directory is not None:
        located = [r for e in directory.entries for r in read_zip_entry(source, e)[0]]
        list(find_zip_gaps(source, located, end=directory.start))
