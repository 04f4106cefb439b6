"""What fuzzing found once, kept: each file goes through its target again."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.targets import TARGETS, build_seeds

_KEPT = sorted(
    path
    for folder in ("corpus", "crashes")
    for path in (Path(__file__).parent / folder).glob("*/*")
    if path.is_file()
)


def test_every_kept_file_has_a_target() -> None:
    assert {path.parent.name for path in _KEPT} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_all_that_is_kept(name: str) -> None:
    for path in _KEPT:
        if path.parent.name == name:
            TARGETS[name](path.read_bytes())
    for seed in build_seeds(name):
        TARGETS[name](seed)
