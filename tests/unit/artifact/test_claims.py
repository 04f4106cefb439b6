from __future__ import annotations

import fcntl
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from weighbridge.artifact import (
    append_claims,
    append_claims_to_each,
    check_claims,
    find_claims,
    read_claims,
)
from weighbridge.core import DEFAULT_LIMITS, Limits
from weighbridge.errors import IncompleteError, InputError, LimitExceededError


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


def test_a_lock_that_is_never_given_back_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    append(path, b"{1}")
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_SH)
    with pytest.raises(IncompleteError, match="has locked"):
        append_claims(path, [b"{2}"], limits=Limits(max_wait_s=0))
    os.close(holder)
    assert path.read_bytes() == b"{1}\n"
    assert append(path, b"{2}") == 1


def test_one_folder_by_two_names_is_locked_once(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "link").symlink_to("m")
    paths = (tmp_path / "m" / "a.claims.jsonl", tmp_path / "link" / "b.claims.jsonl")
    assert append_claims_to_each(paths, [b"{1}"], limits=Limits(max_wait_s=1)) == (1, 1)
    assert append_claims_to_each((), [b"{1}"], limits=DEFAULT_LIMITS) == ()


def test_writers_of_the_same_files_in_any_order(tmp_path: Path) -> None:
    """Nobody waits in a circle, and nothing is lost."""
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()

    def work(number: int) -> None:
        paths = [folder / "claims.jsonl" for folder in random.Random(number).sample(folders, 3)]
        append_claims_to_each(paths, [b"{%d}" % number], limits=DEFAULT_LIMITS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(48)))
    for folder in folders:
        lines = read_claims(folder / "claims.jsonl", limits=DEFAULT_LIMITS)
        assert sorted(lines) == sorted(b"{%d}" % number for number in range(48))


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_one_that_is_none_leaves_all_as_they_were(tmp_path: Path, kind: str) -> None:
    first, second = tmp_path / "a.claims.jsonl", tmp_path / "b.claims.jsonl"
    append(first, b"{1}")
    (tmp_path / "secret").write_bytes(b"secret\n")
    if kind == "link":
        second.symlink_to("secret")
    elif kind == "pipe":
        os.mkfifo(second)
    else:
        second.mkdir()
    with pytest.raises(InputError):
        append_claims_to_each((first, second), [b"{2}"], limits=DEFAULT_LIMITS)
    with pytest.raises(InputError):
        check_claims(tmp_path / "b", limits=DEFAULT_LIMITS)
    assert first.read_bytes() == b"{1}\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.claims.jsonl",
        "b.claims.jsonl",
        "secret",
    ]
