"""Where images, sound, films, fonts and the like end: outlines only, nothing is decoded.

Each function returns the offset behind the last byte that belongs to the file, or None if the bytes
are not of the format after all. ``spend`` is told the bytes of each step and may raise.

Source:
    RFC 2083 (PNG), ITU T.81 annex B (JPEG), GIF89a, RFC 9649 (WebP and RIFF), RFC 3533 (Ogg),
    RFC 9639 (FLAC), ISO 11172-3 (MPEG audio), ISO 14496-12 (MP4, HEIF, AVIF), RFC 8794 (EBML),
    the OpenType specification, WOFF and WOFF2 of the W3C, TIFF 6.0.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core.ports import ByteSource

__all__ = ["MEDIA_KINDS", "find_media_end", "sniff_media"]

_Spend: TypeAlias = "Callable[[int], None]"
_STEP_BYTES = 16
_JPEG_CHUNK_BYTES = 256 * 1024
# In packed data, FF is followed by 00; the marks that begin anew stand there as well.
_JPEG_MARK = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_NO_SIZE = 0xFFFFFFFF
_MAX_TABLES = 4_096
# Marks without a length: TEM, and RST0 to RST7; SOI and EOI are met by name.
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})

MEDIA_KINDS = {
    "png": "an image",
    "jpeg": "an image",
    "gif": "an image",
    "webp": "an image",
    "bmp": "an image",
    "ico": "an image",
    "tiff": "an image",
    "wav": "sound",
    "aiff": "sound",
    "au": "sound",
    "flac": "sound",
    "ogg": "sound or a film",
    "mp3": "sound",
    "mp4": "a film or an image",
    "matroska": "a film",
    "avi": "a film",
    "font": "a font",
    "woff": "a font",
}
"""Format -> what it is, for people."""


def sniff_media(head: bytes) -> tuple[str, ...]:
    """Return the kinds of media that ``head`` may be the start of."""
    found = [name for mark, name in _MARKS if head.startswith(mark)]
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        found.extend(_RIFF_KINDS.get(head[8:12], ()))
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        found.append("aiff")
    if head[4:8] == b"ftyp":
        found.append("mp4")
    if _is_bmp(head):
        found.append("bmp")
    if _is_icon(head):
        found.append("ico")
    if head[:4] in (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf") and _is_font(head):
        found.append("font")
    if head.startswith(b"ID3") or _mp3_frame_bytes(head[:4]):
        found.append("mp3")
    return tuple(dict.fromkeys(found))


_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b".snd\x00\x00", "au"),
    (b"fLaC\x00\x00\x00\x22", "flac"),
    (b"fLaC\x80\x00\x00\x22", "flac"),
    (b"OggS\x00", "ogg"),
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"wOFF", "woff"),
    (b"wOF2", "woff"),
)
_RIFF_KINDS = {b"WEBP": ("webp",), b"WAVE": ("wav",), b"AVI ": ("avi",)}


def _is_bmp(head: bytes) -> bool:
    header = int.from_bytes(head[14:18], "little")
    return head.startswith(b"BM") and head[6:10] == bytes(4) and header in (12, 40, 56, 108, 124)


def _is_icon(head: bytes) -> bool:
    kind, count = head[2:4], int.from_bytes(head[4:6], "little")
    if head[:2] != b"\0\0" or kind not in (b"\1\0", b"\2\0") or not 0 < count <= 64:  # noqa: PLR2004
        return False
    first = int.from_bytes(head[18:22], "little")
    return first >= 6 + 16 * count and head[9:10] == b"\0"


def _is_font(head: bytes) -> bool:
    if head.startswith(b"ttcf"):
        return head[4:6] in (b"\0\1", b"\0\2")
    count = int.from_bytes(head[4:6], "big")
    return 0 < count <= 256 and head[12:16].isascii() and head[13:15].isalnum()  # noqa: PLR2004


def find_media_end(source: ByteSource, kind: str, spend: _Spend) -> int | None:
    """Return the offset behind the end of ``source`` as one of ``MEDIA_KINDS``.

    It is the size of the source where the format has no end of its own; what is cut off ends at
    the last whole part. None if the bytes are not of the kind after all.
    """
    end = _ENDS[kind](source, spend)
    return end if end is None else min(end, source.size_bytes)


def _png(source: ByteSource, spend: _Spend) -> int | None:
    offset = 8
    while True:
        spend(_STEP_BYTES)
        head = source.read_at(offset, 8)
        following = offset + 12 + int.from_bytes(head[:4], "big")
        if len(head) < 8 or following > source.size_bytes:  # noqa: PLR2004 - a chunk's head
            return offset
        offset = following
        if head[4:] == b"IEND":
            return offset


def _jpeg(source: ByteSource, spend: _Spend) -> int | None:
    """Follow the segments; in the packed data behind SOS, the next mark is searched for."""
    offset = 2
    while True:
        spend(_STEP_BYTES)
        mark = source.read_at(offset, 4)
        if len(mark) < 2 or mark[0] != 0xFF:  # noqa: PLR2004 - every mark begins so
            return offset
        if mark[1] == 0xD9:  # noqa: PLR2004 - EOI
            return offset + 2
        if mark[1] == 0xFF or mark[1] in _JPEG_BARE:  # noqa: PLR2004 - filling
            offset += 1 if mark[1] == 0xFF else 2  # noqa: PLR2004
            continue
        following = offset + 2 + int.from_bytes(mark[2:4], "big")
        if len(mark) < 4 or following > source.size_bytes:  # noqa: PLR2004 - with its length
            return offset
        offset = _find_jpeg_mark(source, following, spend) if mark[1] == 0xDA else following  # noqa: PLR2004


def _find_jpeg_mark(source: ByteSource, offset: int, spend: _Spend) -> int:
    while chunk := source.read_at(offset, _JPEG_CHUNK_BYTES):
        spend(_STEP_BYTES)
        if (match := _JPEG_MARK.search(chunk)) is not None:
            return offset + match.start()
        if len(chunk) < _JPEG_CHUNK_BYTES:
            break
        offset += len(chunk) - 1
    return source.size_bytes


def _gif(source: ByteSource, spend: _Spend) -> int | None:
    head = source.read_at(0, 13)
    if len(head) < 13:  # noqa: PLR2004 - the logical screen
        return len(head)
    offset = 13 + _color_table(head[10])
    while True:
        spend(_STEP_BYTES)
        block = source.read_at(offset, 11)
        if block[:1] == b"\x3b":
            return offset + 1
        if block[:1] == b"\x21":
            offset += 2
        elif block[:1] == b"\x2c" and len(block) > 10:  # noqa: PLR2004 - an image's head
            offset += 11 + _color_table(block[9])
        else:
            return offset
        while size := source.read_at(offset, 1).strip(b"\0"):
            spend(1)
            offset += 1 + size[0]
        offset += 1
        if offset > source.size_bytes:
            return source.size_bytes


def _color_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _riff(source: ByteSource, _: _Spend) -> int | None:
    head = source.read_at(0, 28)
    size = int.from_bytes(head[4:8], "big" if head.startswith(b"RIFX") else "little")
    if head.startswith(b"RF64") and head[12:16] == b"ds64":
        size = int.from_bytes(head[20:28], "little")
    return min(8 + size + size % 2, source.size_bytes)


def _au(source: ByteSource, _: _Spend) -> int | None:
    start, size = struct.unpack(">2L", source.read_at(4, 8).ljust(8, b"\0"))
    return source.size_bytes if size == _NO_SIZE else min(start + size, source.size_bytes)


def _avi(source: ByteSource, spend: _Spend) -> int | None:
    """Follow the chunks: a long film has several of RIFF."""
    offset = 0
    while source.read_at(offset, 4) == b"RIFF":
        spend(_STEP_BYTES)
        size = int.from_bytes(source.read_at(offset + 4, 4), "little")
        offset += 8 + size + size % 2
    return min(offset, source.size_bytes)


def _form(source: ByteSource, _: _Spend) -> int | None:
    end = 8 + int.from_bytes(source.read_at(4, 4), "big")
    return min(end + end % 2, source.size_bytes)


def _ogg(source: ByteSource, spend: _Spend) -> int | None:
    offset = 0
    while True:
        spend(_STEP_BYTES)
        page = source.read_at(offset, 27 + 255)
        if not page.startswith(b"OggS") or len(page) < 27:  # noqa: PLR2004 - a page's head
            return offset
        following = offset + 27 + page[26] + sum(page[27 : 27 + page[26]])
        if following > source.size_bytes:
            return offset
        offset = following


def _flac(source: ByteSource, spend: _Spend) -> int | None:
    """Follow the metadata. The frames behind them have no length; see ``_containers._media``."""
    offset = 4
    last = False
    while not last:
        spend(_STEP_BYTES)
        head = source.read_at(offset, 4)
        offset += 4 + int.from_bytes(head[1:4], "big")
        if len(head) < 4 or offset > source.size_bytes:  # noqa: PLR2004 - a block's head
            return None
        last = bool(head[0] & 0x80)
    frame = source.read_at(offset, 2)
    return source.size_bytes if not frame or frame[0] == 0xFF else offset  # noqa: PLR2004


_MP3_RATES = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    0: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_SAMPLES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _mp3_frame_bytes(head: bytes) -> int:
    """Return the length of an MPEG audio frame of layer III; 0 if none begins here."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # noqa: PLR2004
        return 0
    version, rate, sample = (head[1] >> 3) & 3, head[2] >> 4, (head[2] >> 2) & 3
    if version == 1 or rate in (0, 15) or sample == 3:  # noqa: PLR2004 - none of these is defined
        return 0
    kbits = _MP3_RATES[3 if version == 3 else 0][rate]  # noqa: PLR2004
    per_frame = 144 if version == 3 else 72  # noqa: PLR2004
    return per_frame * kbits * 1000 // _MP3_SAMPLES[version][sample] + ((head[2] >> 1) & 1)


def _mp3(source: ByteSource, spend: _Spend) -> int | None:
    offset, frames = 0, 0
    while True:
        spend(4)
        head = source.read_at(offset, 10)
        if head.startswith(b"ID3") and len(head) == 10:  # noqa: PLR2004
            a, b, c, d = (byte & 0x7F for byte in head[6:])  # seven bits of each byte
            offset += 10 + (a << 21 | b << 14 | c << 7 | d)
        elif length := _mp3_frame_bytes(head[:4]):
            offset += length
            frames += 1
        elif head.startswith(b"TAG"):
            offset += 128
        elif source.read_at(offset, 8) == b"APETAGEX":
            offset += 32 + int.from_bytes(source.read_at(offset + 12, 4), "little")
        else:
            break
    whole = frames > 1 or offset == source.size_bytes
    return min(offset, source.size_bytes) if frames and whole else None


def _mp4(source: ByteSource, spend: _Spend) -> int | None:
    offset = 0
    while True:
        spend(_STEP_BYTES)
        head = source.read_at(offset, 16)
        if len(head) < 8 or not head[4:8].replace(b" ", b"a").isalnum():  # noqa: PLR2004
            return offset
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        elif not size:
            return source.size_bytes
        if size < 8 or offset + size > source.size_bytes:  # noqa: PLR2004
            return offset
        offset += size


def _matroska(source: ByteSource, spend: _Spend) -> int | None:
    """Follow the outermost elements: the header and the segment."""
    offset = 0
    while offset < source.size_bytes:
        spend(_STEP_BYTES)
        head = source.read_at(offset, 12)
        mark = head[:4]
        if mark not in (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67") or len(head) < 5:  # noqa: PLR2004
            return offset
        width = 9 - head[4].bit_length()
        size = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
        if width > 8 or size == (1 << 7 * width) - 1:  # noqa: PLR2004 - a size that is not known
            return source.size_bytes
        offset += 4 + width + size
    return min(offset, source.size_bytes)


def _font(source: ByteSource, spend: _Spend) -> int | None:
    head = source.read_at(0, 12)
    if not head.startswith(b"ttcf"):
        return _font_tables(source, 0, spend)
    count = int.from_bytes(head[8:12], "big")
    if not 0 < count <= _MAX_TABLES:
        return None
    offsets = struct.unpack(f">{count}L", source.read_at(12, 4 * count).ljust(4 * count, b"\0"))
    ends = [_font_tables(source, offset, spend) for offset in offsets]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == count else None


def _font_tables(source: ByteSource, start: int, spend: _Spend) -> int | None:
    count = int.from_bytes(source.read_at(start + 4, 2), "big")
    if not 0 < count <= _MAX_TABLES:
        return None
    raw = source.read_at(start + 12, 16 * count)
    spend(len(raw))
    if len(raw) < 16 * count:
        return None
    records = struct.iter_unpack(">4s3L", raw)
    end = max(offset + length for _, _, offset, length in records)
    return end + -end % 4 if end <= source.size_bytes else None


def _woff(source: ByteSource, _: _Spend) -> int | None:
    return min(int.from_bytes(source.read_at(8, 4), "big"), source.size_bytes)


def _bmp(source: ByteSource, _: _Spend) -> int | None:
    size = int.from_bytes(source.read_at(2, 4), "little")
    return min(size, source.size_bytes) if size > 14 else None  # noqa: PLR2004 - its own header


def _icon(source: ByteSource, spend: _Spend) -> int | None:
    count = int.from_bytes(source.read_at(4, 2), "little")
    raw = source.read_at(6, 16 * count)
    spend(len(raw))
    if not raw or len(raw) < 16 * count:
        return None
    ends = [offset + size for size, offset in struct.iter_unpack("<8x2L", raw)]
    return max(ends) if max(ends) <= source.size_bytes else None


def _tiff(source: ByteSource, spend: _Spend) -> int | None:
    """Ask for a first directory and no more: the parts may lie in any order."""
    spend(_STEP_BYTES)
    order = "little" if source.read_at(0, 1) == b"I" else "big"
    first = int.from_bytes(source.read_at(4, 4), order)  # type: ignore[arg-type]
    return source.size_bytes if 8 <= first < source.size_bytes else None  # noqa: PLR2004


_ENDS: dict[str, Callable[[ByteSource, _Spend], int | None]] = {
    "png": _png,
    "jpeg": _jpeg,
    "gif": _gif,
    "webp": _riff,
    "wav": _riff,
    "avi": _avi,
    "aiff": _form,
    "au": _au,
    "ogg": _ogg,
    "flac": _flac,
    "mp3": _mp3,
    "mp4": _mp4,
    "matroska": _matroska,
    "font": _font,
    "woff": _woff,
    "bmp": _bmp,
    "ico": _icon,
    "tiff": _tiff,
}
