"""Text in other encodings than UTF-8, where it surely is text."""

from __future__ import annotations

import codecs

__all__ = ["decode_text"]

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SURE_BYTES = 16
_SURE_SHARE = 0.85
# What a log of a terminal has besides text: bell, backspace, escape.
_TERMINAL = bytes([0x07, 0x08, 0x1B])
_CONTROLS = bytes([*range(9), *range(0x0E, 0x20)])
_PLAIN = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x7F)])


def decode_text(data: bytes) -> str | None:
    """Return the text that bytes are which are no clean UTF-8; None if that is not certain.

    UTF-16 and UTF-32 need their mark, or (UTF-16) a zero in every second place of a text that is
    mostly ASCII. Latin-1 needs to be mostly ASCII, without control characters. UTF-8 may have the
    controls of a terminal.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], encoding)
    if len(data) % 2 == 0 and len(data) >= _SURE_BYTES:
        for first, encoding in ((0, "utf-16-be"), (1, "utf-16-le")):
            if not any(data[first::2][:4096]) and all(data[1 - first :: 2][:4096]):
                return _decode(data, encoding)
    return _decode_bytes(data)


def _decode(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if _is_clean(text) else None


def _decode_bytes(data: bytes) -> str | None:
    if len(data.translate(None, _CONTROLS)) == len(data):
        plain = len(data) - len(data.translate(None, _PLAIN))
        sure = len(data) >= _SURE_BYTES and plain >= _SURE_SHARE * len(data)
        return data.decode("latin-1") if sure else None
    bare = data.translate(None, _TERMINAL)
    if len(bare.translate(None, _CONTROLS)) != len(bare) or len(bare) < _SURE_SHARE * len(data):
        return None
    try:
        return bare.decode()
    except UnicodeDecodeError:
        return None


def _is_clean(text: str) -> bool:
    """Return whether there are no controls but those of text, and no unpaired surrogates."""
    return all(char >= " " or char in "\t\n\v\f\r" for char in set(text[:1_000_000])) and (
        "\0" not in text
    )
