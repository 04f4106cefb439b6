from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import find_collisions

CASES = {
    "case": (["README.md", "readme.md", "a"], [("README.md", "readme.md")]),
    "unicode form": (["caf\u00e9", "cafe\u0301"], [("cafe\u0301", "caf\u00e9")]),
    "case and form": (["CAFE\u0301", "caf\u00e9"], [("CAFE\u0301", "caf\u00e9")]),
    "sharp s": (["stra\u00dfe", "STRASSE"], [("STRASSE", "stra\u00dfe")]),
    "in folders": (["A/x", "a/X"], [("A/x", "a/X")]),
    "folders that only become one": (["A/x", "a/y"], []),
    "a file and a folder": (["A", "a/x"], [("A", "a")]),
    "three": (["A", "a", "b", "B", "\u212b", "\u00e5"], None),
    "nothing": (["a", "b/a", "b/b"], []),
}


@pytest.mark.parametrize("case", CASES)
def test_names_that_are_one_file_elsewhere(case: str) -> None:
    names, groups = CASES[case]
    if groups is None:
        groups = [("A", "a"), ("B", "b"), ("\u00e5", "\u212b")]
    assert list(find_collisions(names)) == groups


@given(st.sets(st.text(alphabet="aAbB\u00e9e\u0301\u0345\u03b1/", min_size=1, max_size=5)))
def test_each_file_that_shares_its_folded_name_is_reported(names: set[str]) -> None:
    """Unicode 15, 3.13, D145: NFD(toCasefold(NFD(X))) decides whether two strings match."""

    def fold(name: str) -> str:
        folded = unicodedata.normalize("NFD", name).casefold()
        return unicodedata.normalize("NFD", folded)

    reported = {name for group in find_collisions(names) for name in group}
    for name in names:
        twins = [other for other in names if other != name and fold(other) == fold(name)]
        assert not twins or name in reported
