"""Searching a text for many needles at once finds what searching for each of them finds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.formats import MemorySource, _text, read_text
from weighbridge.formats._needles import find_needles, keep_rare
from weighbridge.scanning._documents import _words

NEEDLES = tuple(dict.fromkeys((*_words.TEXT_NEEDLES, *_words.JSON_NEEDLES)))
TABLES = (
    _words.TEXT_NEEDLES,
    _words.JSON_NEEDLES,
    _words.LARGE_TEXT_NEEDLES,
    _words.LARGE_JSON_NEEDLES,
    (b"__", b"_", b"a_b_", b"_b_a", b"zzz", b"-", b"\xc3\xa9_", b"ab", b"b"),
)
# Texts in which anchors are missing, rare, or everywhere.
FILLERS = (b"lorem ipsum dolor\n", b"a", b"_", b'": ', b"_-/|%<=!", b"\xc3\xa9", b"auto_ma", b"x")


def search_each(window: bytes, needles: tuple[bytes, ...]) -> set[bytes]:
    return {needle for needle in needles if needle in window}


@given(
    st.sampled_from(TABLES),
    st.lists(
        st.one_of(
            st.sampled_from(NEEDLES),
            st.sampled_from(NEEDLES).map(lambda needle: needle[:-1]),
            st.tuples(st.sampled_from(FILLERS), st.integers(0, 3000)).map(lambda p: p[0] * p[1]),
            st.binary(max_size=20),
        ),
        max_size=20,
    ).map(b"".join),
    st.sets(st.sampled_from(NEEDLES)),
)
def test_the_same_is_found(needles: tuple[bytes, ...], window: bytes, before: set[bytes]) -> None:
    found = set(before)
    find_needles(window, keep_rare(window), needles, found)
    assert found == before | search_each(window, needles)


@pytest.mark.parametrize("needles", TABLES)
@pytest.mark.parametrize("filler", FILLERS)
def test_each_needle_is_found_alone(needles: tuple[bytes, ...], filler: bytes) -> None:
    rest = filler * (4000 // len(filler))
    for needle in needles:
        for window in (needle, rest + needle, needle + rest, rest + needle + rest):
            found: set[bytes] = set()
            find_needles(window, keep_rare(window), needles, found)
            assert found == search_each(window, needles)


@given(st.sampled_from(TABLES[:4]), st.integers(0, 2**32))
def test_needles_across_borders_of_pieces_are_found(needles: tuple[bytes, ...], seed: int) -> None:
    make = random.Random(seed)
    size = 300
    pieces = []
    for needle in make.sample(needles, 5):
        filler = make.choice((b"lorem ipsum ", b"_ ", b"x")) * size
        pieces.append(filler[: size - make.randrange(len(needle) + 1)] + needle)
        pieces.append(filler[: make.randrange(size)])
    data = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_text, "_CHUNK_BYTES", size)
        patch.setattr(_text, "_OVERLAP_BYTES", 40)
        text = read_text(
            MemorySource("a", data), needles, max_whole_bytes=1 << 20, spend=lambda _: None
        )
    assert text is not None
    assert text.data == data
    assert text.found == search_each(data, needles)


@pytest.mark.parametrize("control", [0, 8, 14, 27, 31])
def test_no_text_has_controls(control: int) -> None:
    source = MemorySource("a", b"a_b" + bytes([control]))
    assert read_text(source, (), max_whole_bytes=100, spend=lambda _: None) is None
    source = MemorySource("a", b"a\t\n\x0b\x0c\r\x7fb")
    assert read_text(source, (), max_whole_bytes=100, spend=lambda _: None) is not None
