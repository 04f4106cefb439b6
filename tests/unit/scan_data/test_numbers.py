"""Formats of numbers and words are inert if their own sizes hold; what hides behind them is not."""

from __future__ import annotations

import struct

import pytest

import weighbridge as wb

PICKLE = b"cos\nsystem\n(S'echo hello from a pickle'\ntR."
NUMBERS = bytes(range(7, 247)) * 8


def build_crfsuite() -> bytes:
    size = 48 + len(NUMBERS)
    return b"lCRF" + struct.pack("<I", size) + b"FOMC" + b"d\0\0\0" + b"\0" * 32 + NUMBERS


def build_fasttext(*, dim: int = 100) -> bytes:
    options = (dim, 5, 5, 1, 5, 1, 3, 3, 2_000_000, 0, 0, 100)
    return struct.pack("<14i", 793712314, 12, *options) + struct.pack("<d", 1e-4) + NUMBERS


def build_fits() -> bytes:
    cards = [b"SIMPLE  =                    T / conforms", b"BITPIX  = 8", b"END"]
    return b"".join(card.ljust(80) for card in cards).ljust(2880) + b"\xf0\x01" * 1440


def gated(data: bytes) -> bool:
    report = wb.scan(data)
    return bool(report.not_examined or report.findings)


@pytest.mark.parametrize("data", [build_crfsuite(), build_fasttext(), build_fits()])
def test_numbers_are_inert(data: bytes) -> None:
    assert not gated(data)


@pytest.mark.parametrize(
    "data",
    [
        build_crfsuite() + PICKLE,
        build_crfsuite()[:-100],
        build_fasttext(dim=-4),
        build_fits()[:-1],
        b"ORC" + NUMBERS,
        b"\x1bLuaS" + NUMBERS,
        b"BC\xc0\xde" + NUMBERS,
        b"dex\n035\0" + NUMBERS,
    ],
)
def test_what_its_own_sizes_do_not_explain_is_not_inert(data: bytes) -> None:
    assert gated(data)
