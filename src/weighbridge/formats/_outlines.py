"""Data that cannot act, told by a mark and by sizes that add up: outlines only, nothing is decoded.

Each has a mark, a test that its sizes fit, and where it ends; None for the end if the format does
not say, and then the end of the file is searched by whoever asks.

Source:
    IDX (MNIST), NIfTI-1 and -2, FITS 4.0, DICOM part 10, netCDF classic, MATLAB level 5, Esri
    shapefiles, dBASE III, glTF 2.0, ICC.1, SMF 1.0, GNU gettext, CRFsuite 0.12, fastText, word2vec,
    Faiss, KenLM, Tesseract, ORC 1, Avro 1.11, Netpbm, GGML before GGUF, Blosc 1 and 2, MeCab.
"""

from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core.ports import ByteSource

__all__ = ["Outline", "find_outline", "sniff_outline"]

_Spend: TypeAlias = "Callable[[int], None]"
_MAX_ITEMS = 100_000
# How an image of MGH was made, which follows its numbers.
_MGH_TAIL = 64 * 1024


class Outline(NamedTuple):
    """What something is, for people, and the offset behind its last byte; None if it is open."""

    name: str
    what: str
    end: int | None


class _Kind(NamedTuple):
    """A format: where its mark stands, and what finds its end.

    ``find_end`` returns the end, -1 if the bytes are not of the format, or None if it has no end
    of its own. Without it, the mark says all that is to be said.
    """

    name: str
    what: str
    offset: int
    mark: bytes
    find_end: Callable[[ByteSource, _Spend], int | None] | None = None


def sniff_outline(head: bytes) -> bool:
    """Return whether ``head`` has the mark of one of these formats; some have hardly any."""
    return any(head.startswith(kind.mark, kind.offset) for kind in _KINDS)


def find_outline(source: ByteSource, head: bytes, spend: _Spend) -> Outline | None:
    """Return what ``source`` is; None if the sizes in it do not fit.

    Args:
        source: All the bytes.
        head: The first of them, 512 at least if there are as many.
        spend: Is told the bytes of each step, and may raise.
    """
    for kind in _list_kinds(head):
        end = kind.find_end(source, spend) if kind.find_end is not None else None
        if end is None or 0 < end <= source.size_bytes:
            return Outline(kind.name, kind.what, end)
    return None


def _list_kinds(head: bytes) -> list[_Kind]:
    marked = [kind for kind in _KINDS if head.startswith(kind.mark, kind.offset)]
    return marked + [kind for pattern, kind in _PATTERNS if pattern.match(head)]


def _size(offset: int, code: str, scale: int = 1, plus: int = 0) -> Callable[..., int]:
    """Return what reads the end from one number."""
    width = struct.calcsize(code)

    def find(source: ByteSource, _: _Spend) -> int:
        raw = source.read_at(offset, width)
        return int(struct.unpack(code, raw)[0]) * scale + plus if len(raw) == width else -1

    return find


def _whole(offset: int, code: str, scale: int = 1, plus: int = 0) -> Callable[..., int]:
    """Return what wants a number to be the size of everything."""
    read = _size(offset, code, scale, plus)

    def find(source: ByteSource, spend: _Spend) -> int:
        return source.size_bytes if read(source, spend) == source.size_bytes else -1

    return find


def _idx(source: ByteSource, _: _Spend) -> int:
    kind, count = source.read_at(2, 2).ljust(2, b"\0")
    width = {8: 1, 9: 1, 11: 2, 12: 4, 13: 4, 14: 8}.get(kind, 0)
    raw = source.read_at(4, 4 * count)
    if not width or not 0 < count <= 8 or len(raw) < 4 * count:  # noqa: PLR2004 - as many as NumPy's
        return -1
    return int(4 + 4 * count + width * math.prod(struct.unpack(f">{count}L", raw)))


def _nifti(source: ByteSource, _: _Spend) -> int:
    head = source.read_at(0, 540)
    small = len(head) >= 348 and head[:4] in (b"\x5c\1\0\0", b"\0\0\1\x5c")  # noqa: PLR2004
    order = "<" if head[:1] in (b"\x5c", b"\x1c") else ">"
    at, code, start = (40, "8h", (108, "f")) if small else (16, "8q", (168, "q"))
    dims = struct.unpack_from(order + code, head, at)
    (bits,) = struct.unpack_from(order + "h", head, 72 if small else 14)
    (begin,) = struct.unpack_from(order + start[1], head, start[0])
    if not 0 < dims[0] <= 7 or bits < 0 or not 0 <= begin < 2**40:  # noqa: PLR2004 - seven axes
        return -1
    if head[344:347] == b"ni1":
        return 348
    count = math.prod(max(int(dim), 1) for dim in dims[1 : int(dims[0]) + 1])
    return int(begin) + count * int(bits) // 8


def _nifti_two(source: ByteSource, spend: _Spend) -> int:
    return _nifti(source, spend) if source.size_bytes >= 540 else -1  # noqa: PLR2004 - its header


def _fits(source: ByteSource, _: _Spend) -> int | None:
    return None if source.size_bytes % 2880 == 0 else -1


def _matlab(source: ByteSource, spend: _Spend) -> int:
    """Follow the elements: each is a matrix, or one that is packed."""
    order = "<" if source.read_at(126, 2) == b"IM" else ">"
    offset, known = 128, True
    while known and offset + 8 <= source.size_bytes:
        spend(8)
        kind, size = struct.unpack(order + "2L", source.read_at(offset, 8))
        known = kind in (14, 15) and offset + 8 + size <= source.size_bytes
        offset += 8 + size if known else 0
    return offset if known or offset > 128 else -1  # noqa: PLR2004 - the header


def _chunks(source: ByteSource, spend: _Spend) -> int:
    """Follow the tracks of music."""
    offset = 0
    while source.read_at(offset, 4) in (b"MThd", b"MTrk"):
        spend(8)
        offset += 8 + int.from_bytes(source.read_at(offset + 4, 4), "big")
    return min(offset, source.size_bytes)


def _gettext(source: ByteSource, spend: _Spend) -> int:
    order = "<" if source.read_at(0, 1) == b"\xde" else ">"
    head = source.read_at(4, 24)
    if len(head) < 24:  # noqa: PLR2004 - the header
        return -1
    _, count, first, second, hashes, table = struct.unpack(order + "6L", head)
    end = table + 4 * hashes
    for start in (first, second):
        raw = source.read_at(start, 8 * min(count, _MAX_ITEMS))
        spend(len(raw))
        if len(raw) < 8 * count:
            return -1
        pairs = struct.iter_unpack(order + "2L", raw)
        end = max([end, start + len(raw), *(at + length + 1 for length, at in pairs)])
    return int(end)


def _fasttext(source: ByteSource, _: _Spend) -> int | None:
    raw = source.read_at(8, 76)
    if len(raw) < 76:  # noqa: PLR2004 - arguments and the counts of the dictionary
        return -1
    dim, window, epoch = struct.unpack("<3i", raw[:12])
    size, words, labels = struct.unpack("<3i", raw[48 + 8 : 60 + 8])
    sane = 0 < dim < 100_000 and 0 <= window < 10_000 and 0 <= epoch < 1_000_000  # noqa: PLR2004
    return None if sane and 0 <= words + labels == size else -1


def _word2vec(source: ByteSource, _: _Spend) -> int | None:
    """Look at the first words: text, a space, and numbers."""
    count, width = map(int, source.read_at(0, 32).split(b"\n")[0].split())
    offset = len(source.read_at(0, 32).split(b"\n")[0]) + 1
    if not 0 < width <= 4096 or offset + count * (4 * width + 2) > source.size_bytes:  # noqa: PLR2004
        return -1
    for _number in range(min(count, 50)):
        word, gap, _rest = source.read_at(offset, 256).partition(b" ")
        offset += len(word) + 1
        values = struct.unpack(f"<{width}f", source.read_at(offset, 4 * width).ljust(4 * width))
        if not gap or not all(-1e6 < value < 1e6 for value in values):  # noqa: PLR2004
            return -1
        offset += 4 * width
    return None


def _tesseract(source: ByteSource, spend: _Spend) -> int:
    """Want the parts in rising order, the first behind the table."""
    count = int.from_bytes(source.read_at(0, 4), "little")
    raw = source.read_at(4, 8 * min(count, 64))
    spend(len(raw))
    if not 16 <= count <= 64 or len(raw) < 8 * count:  # noqa: PLR2004 - 17 to 24 kinds of parts
        return -1
    parts = [one for one in struct.unpack(f"<{count}q", raw) if one != -1]
    fits = bool(parts) and parts == sorted(parts) and parts[0] == 4 + 8 * count
    return source.size_bytes if fits and parts[-1] <= source.size_bytes else -1


def _orc(source: ByteSource, _: _Spend) -> int:
    tail = source.read_at(max(source.size_bytes - 4, 0), 4)
    return source.size_bytes if tail[:3] == b"ORC" and tail[3:] else -1


def _avro(source: ByteSource, _: _Spend) -> int:
    """Want the mark between the blocks, which the header holds, at the end."""
    mark = source.read_at(max(source.size_bytes - 16, 0), 16)
    head = source.read_at(0, 1 << 20)
    at = head.find(mark, 4)
    return source.size_bytes if 0 < at < source.size_bytes - 16 else -1


def _netpbm(source: ByteSource, _: _Spend) -> int:
    head = re.sub(rb"#[^\n]*\n", b" ", source.read_at(0, 256))
    fields = head.split(None, 4)
    kind, wide, high = fields[0], int(fields[1]), int(fields[2])
    if kind == b"P4":
        return _behind(source, 2) + (wide + 7) // 8 * high
    width = 4 if kind in (b"PF", b"Pf") else 1 + (int(fields[3]) > 255)  # noqa: PLR2004
    return _behind(source, 3) + width * (3 if kind in (b"P6", b"PF") else 1) * wide * high


def _behind(source: ByteSource, numbers: int) -> int:
    """Return the offset behind the header, whose last number one white space follows."""
    gap = rb"(?:\s+|#[^\n]*\n)+"
    match = re.match(rb"P\w" + (gap + rb"[\d.+-]+") * numbers + rb"\s", source.read_at(0, 256))
    return match.end() if match is not None else -(2**62)


def _dbase(source: ByteSource, _: _Spend) -> int:
    head = source.read_at(0, 12)
    count, start, width = struct.unpack("<L2H", head[4:12])
    end = start + count * width
    mark = source.read_at(start - 1, 1) if start >= 65 else b""  # noqa: PLR2004 - one field
    fits = mark in (b"\r", b"\0") and bool(mark) and end <= source.size_bytes
    return (end + (source.read_at(end, 1) == b"\x1a")) if fits else -1


def _mecab(source: ByteSource, _: _Spend) -> int:
    """A dictionary's first number is its size, changed by a constant."""
    magic = int.from_bytes(source.read_at(0, 4), "little")
    return source.size_bytes if magic ^ 0xEF718F77 == source.size_bytes else -1


def _matrix(source: ByteSource, _: _Spend) -> int:
    """Costs of two words side by side: two counts, and as many small numbers."""
    left, right = struct.unpack("<2H", source.read_at(0, 4).ljust(4, b"\0"))
    fits = min(left, right) > 1 and 4 + 2 * left * right == source.size_bytes
    return source.size_bytes if fits else -1


def _mgh(source: ByteSource, _: _Spend) -> int:
    """A head of 284 bytes and numbers; what tells how they were made may follow."""
    *sizes, kind = struct.unpack(">5L", source.read_at(4, 20))
    width = {0: 1, 1: 4, 3: 4, 4: 2}.get(kind, 0)
    count = math.prod(sizes)
    end = 284 + width * count
    return (
        source.size_bytes if width and count and end <= source.size_bytes < end + _MGH_TAIL else -1
    )


def _stl(source: ByteSource, _: _Spend) -> int:
    count = int.from_bytes(source.read_at(80, 4), "little")
    return source.size_bytes if count and 84 + 50 * count == source.size_bytes else -1


_KINDS = (
    _Kind("crfsuite", "weights of a CRF", 0, b"lCRF", _whole(4, "<L")),
    _Kind("ggml", "tensors of GGML before GGUF", 0, b"lmgg"),
    _Kind("ggml", "tensors of GGML before GGUF", 0, b"fmgg"),
    _Kind("ggml", "tensors of GGML before GGUF", 0, b"tjgg"),
    _Kind("fasttext", "words and their vectors", 0, b"\xba\x16\x4f\x2f\x0c\0\0\0", _fasttext),
    _Kind("fasttext", "words and their vectors", 0, b"\xba\x16\x4f\x2f\x0b\0\0\0", _fasttext),
    _Kind("kenlm", "a language model", 0, b"mmap lm http://kheafield.com/code format version"),
    _Kind("pocketsphinx", "a language model", 0, b"Trie Language Model"),
    _Kind("pocketsphinx", "a model of speech", 0, b"s3\nversion "),
    _Kind("pocketsphinx", "a model of speech", 0, b"BMDF"),
    _Kind("pocketsphinx", "a model of speech", 0, b"FMDB"),
    _Kind("openfst", "a finite automaton", 0, b"\xd6\xfd\xb2\x7e"),
    _Kind("kaldi", "numbers", 0, b"\0BFM \4"),
    _Kind("marisa", "a table of words", 0, b"We love Marisa.\0"),
    _Kind("gettext", "translations", 0, b"\xde\x12\x04\x95", _gettext),
    _Kind("gettext", "translations", 0, b"\x95\x04\x12\xde", _gettext),
    _Kind("orc", "a table", 0, b"ORC", _orc),
    _Kind("avro", "records", 0, b"Obj\x01", _avro),
    _Kind("recordio", "records", 0, b"\x0a\x23\xd7\xce"),
    _Kind("megatron index", "offsets of texts", 0, b"MMIDIDX\0\0"),
    _Kind("idx", "numbers", 0, b"\0\0\x08", _idx),
    _Kind("idx", "numbers", 0, b"\0\0\x09", _idx),
    _Kind("idx", "numbers", 0, b"\0\0\x0b", _idx),
    _Kind("idx", "numbers", 0, b"\0\0\x0c", _idx),
    _Kind("idx", "numbers", 0, b"\0\0\x0d", _idx),
    _Kind("idx", "numbers", 0, b"\0\0\x0e", _idx),
    _Kind("nifti", "an image", 344, b"n+1\0", _nifti),
    _Kind("nifti", "an image", 344, b"ni1\0", _nifti),
    _Kind("nifti", "an image", 4, b"n+2\0\r\n\x1a\n", _nifti_two),
    _Kind("fits", "images and tables", 0, b"SIMPLE  =                    T", _fits),
    _Kind("dicom", "an image", 128, b"DICM"),
    _Kind("netcdf", "arrays", 0, b"CDF\1"),
    _Kind("netcdf", "arrays", 0, b"CDF\2"),
    _Kind("netcdf", "arrays", 0, b"CDF\5"),
    _Kind("hdf4", "arrays", 0, b"\x0e\x03\x13\x01"),
    _Kind("matlab", "arrays", 124, b"\0\1IM", _matlab),
    _Kind("matlab", "arrays", 124, b"\1\0MI", _matlab),
    _Kind("sas", "a table", 0, bytes(12) + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf\xbd\x92\x08\0"),
    _Kind("sas", "a table", 0, b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!"),
    _Kind("stata", "a table", 0, b"<stata_dta><header><release>"),
    _Kind("spss", "a table", 0, b"$FL2@(#)"),
    _Kind("spss", "a table", 0, b"$FL3@(#)"),
    _Kind("grib", "weather", 0, b"GRIB"),
    _Kind("shapefile", "shapes", 0, b"\0\0\x27\x0a" + bytes(20), _size(24, ">L", 2)),
    _Kind(
        "shapefile", "an index of shapes", 0, b"\0\0\x27\x0a\xff\xff\xfe\x70", _whole(24, ">L", 2)
    ),
    _Kind("icns", "an image", 0, b"icns", _size(4, ">L")),
    _Kind("pil font", "a font", 0, b"PILfont\n"),
    _Kind("trackvis", "tracks", 0, b"TRACK\0"),
    _Kind("mrtrix", "tracks", 0, b"mrtrix "),
    _Kind("fiff", "signals", 0, b"\0\0\0\x64\0\0\0\x1f\0\0\0\x14\0\0\0"),
    _Kind("mgh", "an image", 0, b"\0\0\0\1", _mgh),
    _Kind("las", "points", 0, b"LASF"),
    _Kind("ply", "a shape", 0, b"ply\nformat binary_"),
    _Kind("ply", "a shape", 0, b"ply\r\nformat binary_"),
    _Kind("pcd", "points", 0, b"# .PCD v"),
    _Kind("glb", "a scene", 0, b"glTF\2\0\0\0", _size(8, "<L")),
    _Kind("optical flow", "numbers", 0, b"PIEH"),
    _Kind("icc", "a profile of colours", 36, b"acsp", _size(0, ">L")),
    _Kind("psd", "an image", 0, b"8BPS\0\1"),
    _Kind("jpeg 2000", "an image", 0, b"\0\0\0\x0cjP  \r\n\x87\n"),
    _Kind("jpeg 2000", "an image", 0, b"\xff\x4f\xff\x51"),
    _Kind("jpeg xl", "an image", 0, b"\0\0\0\x0cJXL \r\n\x87\n"),
    _Kind("openexr", "an image", 0, b"v/1\x01"),
    _Kind("radiance", "an image", 0, b"#?RADIANCE\n"),
    _Kind("dds", "an image", 0, b"DDS \x7c\0\0\0"),
    _Kind("ktx", "an image", 0, b"\xabKTX 11\xbb\r\n\x1a\n"),
    _Kind("ktx", "an image", 0, b"\xabKTX 20\xbb\r\n\x1a\n"),
    _Kind("midi", "music", 0, b"MThd\0\0\0\6", _chunks),
    _Kind("sphere", "sound", 0, b"NIST_1A\n   1024\n"),
    _Kind("amr", "sound", 0, b"#!AMR"),
    _Kind("caf", "sound", 0, b"caff\0\1\0\0"),
    _Kind("asf", "sound or a film", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    _Kind("flv", "a film", 0, b"FLV\1"),
    _Kind("mpeg", "a film", 0, b"\0\0\1\xba"),
    _Kind("eot", "a font", 34, b"LP", _whole(0, "<L")),
    _Kind("x cursor", "an image", 0, b"Xcur\x10\0\0\0"),
    _Kind("qt translations", "translations", 0, bytes.fromhex("3cb86418caef9c95cd211cbf60a1bddd")),
    _Kind("grid shifts", "numbers", 0, b"NUM_OREC"),
    _Kind("hunspell", "a dictionary", 0, b"BDic\2\0\2\0"),
    _Kind("vtk", "a shape", 0, b"# vtk DataFile Version "),
    _Kind("time zone", "times", 0, b"TZif"),
)
# Marks of some letters, or hardly any mark, for which the sizes have to speak.
_PATTERNS = (
    (
        re.compile(rb"(?:Ix|Iw|IH|IB|Il)[A-Z][0-9A-Za-z].\0\0\0", re.DOTALL),
        _Kind("faiss", "vectors to search", 0, b""),
    ),
    (re.compile(rb"[1-9]\d{0,8} [1-9]\d{0,3}\n"), _Kind("word2vec", "words", 0, b"", _word2vec)),
    (
        re.compile(rb"P[4-6Ff](?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+\d+\s"),
        _Kind("netpbm", "an image", 0, b"", _netpbm),
    ),
    (
        re.compile(rb"[\x10-\x40]\0\0\0", re.DOTALL),
        _Kind("tesseract", "a model of letters", 0, b"", _tesseract),
    ),
    (
        re.compile(rb"[\x03\x83\x8b\xf5\x30].[\x00-\x0c][\x00-\x1f].{4}[^\x00].", re.DOTALL),
        _Kind("dbase", "a table", 0, b"", _dbase),
    ),
    (
        re.compile(rb"[\x01-\x02][\x01-\x05].[\x01-\x20].{12}", re.DOTALL),
        _Kind("blosc", "packed numbers", 0, b"", _whole(12, "<L")),
    ),
    (re.compile(rb".{4}f\0\0\0", re.DOTALL), _Kind("mecab", "a dictionary", 0, b"", _mecab)),
    (re.compile(rb".{4}", re.DOTALL), _Kind("mecab", "costs of words", 0, b"", _matrix)),
    (re.compile(rb".{84}", re.DOTALL), _Kind("stl", "a shape", 0, b"", _stl)),
    (re.compile(rb"\0B<[A-Z]\w{1,40}> "), _Kind("kaldi", "numbers", 0, b"")),
    (
        re.compile(rb"[\w./-]{1,200} \0B(?:[FDC][MV]\d?) ", re.ASCII),
        _Kind("kaldi", "numbers", 0, b""),
    ),
    (
        re.compile(rb"[\x68-\x73][\x01\x02]\x01\x00.{6}[\x00\x20-\x7e]", re.DOTALL),
        _Kind("stata", "a table", 0, b""),
    ),
)
