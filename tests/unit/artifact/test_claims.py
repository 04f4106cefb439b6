from __future__ import annotations

import os
from pathlib import Path

import pytest

from weighbridge.artifact import append_claims, find_claims, read_claims
from weighbridge.core import DEFAULT_LIMITS, Limits
from weighbridge.errors import InputError, LimitExceededError


def append(path: Path, *claims: bytes) -> int:
    return append_claims(path, claims, limits=DEFAULT_LIMITS)


def test_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    assert find_claims(tmp_path / "m") == tmp_path / "m" / "claims.jsonl"
    assert find_claims(tmp_path / "w.bin") == tmp_path / "w.bin.claims.jsonl"


def test_each_claim_is_there_once_and_the_old_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    assert read_claims(path, limits=DEFAULT_LIMITS) == ()
    assert append(path, b"{1}", b"{2}", b"{1}") == 2
    assert append(path, b"{2}", b"{3}") == 1
    assert path.read_bytes() == b"{1}\n{2}\n{3}\n"
    before = path.stat().st_mtime_ns
    assert append(path, b"{3}") == 0
    assert path.stat().st_mtime_ns == before


def test_a_line_without_an_end_and_empty_ones_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    path.write_bytes(b"{1}\n\n  \n{2}")
    assert append(path, b"{3}") == 1
    assert read_claims(path, limits=DEFAULT_LIMITS) == (b"{1}", b"{2}", b"{3}")


@pytest.mark.parametrize("claim", [b"", b"{\n}"])
def test_what_is_no_line_is_refused(tmp_path: Path, claim: bytes) -> None:
    with pytest.raises(InputError, match="one line"):
        append(tmp_path / "claims.jsonl", claim)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    append(path, b"{1}")
    limits = Limits(max_signature_bytes=6)
    with pytest.raises(LimitExceededError):
        append_claims(path, [b"{2}"], limits=limits)
    assert path.read_bytes() == b"{1}\n"
    with pytest.raises(InputError, match="cannot be opened"):
        append(tmp_path / "nowhere" / "claims.jsonl", b"{1}")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        append(tmp_path / "pipe", b"{1}")
