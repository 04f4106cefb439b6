"""Signing again: each case that the rules of it name, with real files, real git and the command."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import weighbridge as wb
from support import build_model, run_cli

BIG = 3000
SMALL = {"README.md", "config.json", "model.safetensors", "vocab/vocab.txt"}


def git(place: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=place, check=True, capture_output=True)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A signed model with 40 larger files in a repository, all of it committed."""
    model = build_model(tmp_path / "model")
    for number in range(40):
        (model / f"w{number}.bin").write_bytes(bytes([number]) * BIG)
    (model / ".gitignore").write_text("*.log\n")
    (model / "ignored.log").write_bytes(b"1" * BIG)
    wb.keygen(tmp_path / "k")
    wb.sign(model, key=tmp_path / "k.key")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "model")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def again(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    key = ("--key", "k.key", "--reuse", "model/model.sig")
    return run_cli("sign", "model", *key, *options, cwd=place)


def read_hashed(place: Path, *options: str) -> set[str]:
    """Sign again, hold the list against a full signing's, and return what was read for it."""
    done = again(place, "--json", *options)
    assert done.returncode == 0, done.stderr
    signed = read_payload(place)
    wb.sign(place / "model", key=place / "k.key")
    assert read_payload(place) == signed
    return set(json.loads(done.stdout)["reused"]["hashed"]) - SMALL


def read_payload(place: Path) -> str:
    bundle = json.loads((place / "model" / "model.sig").read_text())
    payload: str = bundle["dsseEnvelope"]["payload"]
    return payload


def edit(model: Path) -> None:
    (model / "w0.bin").write_bytes(b"\xff" * BIG)
    (model / "w1.bin").unlink()
    (model / "new.bin").write_bytes(b"\xfe" * BIG)
    (model / "w2.bin").rename(model / "vocab" / "moved.bin")
    (model / "w3.bin").rename(model / "moved and changed.bin")
    (model / "moved and changed.bin").write_bytes(b"\xfd" * BIG)


def test_a_plain_list_names_what_is_gone_new_renamed_and_changed(place: Path) -> None:
    edit(place / "model")
    names = ["w0.bin", "w1.bin", "new.bin", "w2.bin", "vocab/moved.bin", "w3.bin"]
    (place / "list").write_text("\n".join([*names, "moved and changed.bin", ".gitignore", ""]))
    wanted = {"w0.bin", "new.bin", "vocab/moved.bin", "moved and changed.bin"}
    assert read_hashed(place, "--changed", "list", "--strict") == wanted


def test_only_git_with_the_same_bytes_copies_a_digest(place: Path) -> None:
    model = place / "model"
    edit(model)
    git(place, "add", "-A", "model")
    wanted = {"w0.bin", "new.bin", "moved and changed.bin", "ignored.log"}
    assert read_hashed(place, "--git-status", "--strict") == wanted


def test_a_rename_that_git_was_not_told_of_is_read(place: Path) -> None:
    (place / "model" / "w2.bin").rename(place / "model" / "moved.bin")
    assert read_hashed(place, "--git-status") == {"moved.bin", "ignored.log"}


def test_a_rename_that_is_declared_is_read(place: Path) -> None:
    (place / "model" / "w2.bin").rename(place / "model" / "moved.bin")
    assert read_hashed(place, "--renamed", "w2.bin", "moved.bin", "--strict") == {"moved.bin"}


def test_two_files_that_changed_places_are_read(place: Path) -> None:
    git(place, "mv", "model/w1.bin", "model/x")
    git(place, "mv", "model/w2.bin", "model/w1.bin")
    git(place, "mv", "model/x", "model/w2.bin")
    assert read_hashed(place, "--git-status") == {"w1.bin", "w2.bin", "ignored.log"}


def test_a_file_that_git_ignores_is_signed_and_always_read(place: Path) -> None:
    (place / "model" / "ignored.log").write_bytes(b"2" * BIG)
    assert read_hashed(place, "--git-diff", "HEAD") == {"ignored.log"}


def test_attributes_that_git_does_not_track_are_seen(place: Path) -> None:
    """Files are checked out by them all the same."""
    model = place / "model"
    (model / "lines.txt").write_bytes(b"line\n" * BIG)
    git(place, "add", "model/lines.txt")
    git(place, "commit", "-qm", "two")
    wb.sign(model, key=place / "k.key")
    (place / ".gitattributes").write_text("*.txt text eol=crlf\n")
    (model / "lines.txt").unlink()
    git(place, "checkout", "--", "model/lines.txt")
    assert b"\r\n" in (model / "lines.txt").read_bytes()
    assert "lines.txt" in read_hashed(place, "--git-status")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--deleted", "w0.bin"), "still there"),
        (("--deleted", "never.bin"), "not in the old signature"),
        (("--updated", "w1.bin"), "not there"),
        (("--renamed", "w5.bin", "new.bin"), "still there"),
        (("--renamed", "w1.bin", "w5.bin"), "in the old signature already"),
        (("--renamed", "w1.bin", "none.bin"), "not there"),
        (("--updated", "w5.bin", "--updated", "w5.bin"), "in two operations"),
        (("--deleted", "w1.bin", "--renamed", "w1.bin", "new.bin"), "in two operations"),
        (("--renamed", "w1.bin", "x", "--renamed", "w2.bin", "x"), "not there"),
        (("--updated", "../k.key"), "plain path"),
        (("--updated", "./w5.bin"), "plain path"),
        (("--updated", "vocab/../w5.bin"), "plain path"),
        (("--updated", "/etc/passwd"), "absolute"),
        (("--updated", "vocab"), "folder"),
        (("--updated", ".gitignore"), "never signed"),
        (("--deleted", ".gitignore"), "still there"),
        (("--updated", ""), "cannot be the path"),
    ],
)
def test_a_wrong_claim_is_an_error(place: Path, options: tuple[str, ...], words: str) -> None:
    model = place / "model"
    (model / "w1.bin").unlink()
    (model / "w2.bin").unlink()
    (model / "new.bin").write_bytes(b"\xfe" * BIG)
    old = (model / "model.sig").read_bytes()
    done = again(place, *options)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert (model / "model.sig").read_bytes() == old


def test_a_rename_with_another_size_is_an_error(place: Path) -> None:
    (place / "model" / "w1.bin").unlink()
    (place / "model" / "new.bin").write_bytes(b"\1" * (BIG + 1))
    done = again(place, "--renamed", "w1.bin", "new.bin")
    assert (done.returncode, "new.bin" in done.stderr) == (1, True)


@pytest.mark.parametrize("target", ["w2.bin", "/etc/passwd", "../k.key", "nowhere"])
def test_a_link_is_an_error_however_it_is_declared(place: Path, target: str) -> None:
    (place / "model" / "w1.bin").unlink()
    (place / "model" / "w1.bin").symlink_to(target)
    (place / "list").write_text("w1.bin\n")
    for options in (("--changed", "list"), ("--git-status",), ("--deleted", "w1.bin")):
        done = again(place, *options)
        assert (done.returncode, "link" in done.stderr) == (2, True), done.stderr


def test_an_audit_of_five_percent(place: Path) -> None:
    """41 files are large, 4 are small and read in any case; 5% of 45 files is 3 at least."""
    done = again(place, "--json", "--changed", os.devnull, "--audit", "5%")
    told = json.loads(done.stdout)["reused"]
    assert len(set(told["hashed"]) - SMALL) <= 3 <= told["audited_count"] <= 7
    assert told["reused_count"] + len(told["hashed"]) == 45
    for file in (place / "model").glob("w*.bin"):
        file.write_bytes(b"\xff" * BIG)
    found = [again(place, "--changed", os.devnull, "--audit", "30%").returncode for _ in range(3)]
    assert found == [1, 1, 1]
