"""sign --reuse as a user runs it: bases, lists, git, and what must not get through."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, build_model, run_cli
from weighbridge.core import Limits
from weighbridge.errors import (
    ArtifactChangedError,
    DigestMismatchError,
    InputError,
    LimitExceededError,
    SignatureError,
)

BIG = 3000  # bytes; larger than what is read in any case
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize 3000\n" % (b"0" * 64)


def git(place: Path, *arguments: str, **environment: str) -> bytes:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
        cwd=place,
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
    ).stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with keys and a signed model whose weights are larger than a pointer."""
    model = build_model(tmp_path / "model")
    for number in range(6):
        (model / f"w{number}.bin").write_bytes(bytes([number]) * BIG)
    wb.keygen(tmp_path / "k")
    wb.keygen(tmp_path / "other")
    wb.sign(model, key=tmp_path / "k.key")
    return tmp_path


@pytest.fixture
def repository(place: Path) -> Path:
    """The same, with the model in a folder of a git repository and committed."""
    git(place, "init", "-q")
    (place / ".gitignore").write_text("*.key\n")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "one")
    return place


AGAIN = (WEIGHBRIDGE, "sign", "model", "--key", "k.key", "--reuse", "model/model.sig")


def again(place: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return run_cli(*AGAIN[1:], *options, cwd=place)


def read_hashed(place: Path, *options: str) -> list[str]:
    """Sign again, check that a full reading agrees, and return what was read for it."""
    done = again(place, "--json", *options)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["artifact"] == str(wb.hash(place / "model").compute_digest())
    verified = run_cli("verify", "model", "--key", "k.pub", cwd=place)
    assert verified.returncode == 0, verified.stderr
    small = {"README.md", "config.json", "model.safetensors", "vocab/vocab.txt"}
    return sorted(set(told["reused"]["hashed"]) - small)


def read_payload(place: Path) -> bytes:
    bundle = json.loads((place / "model" / "model.sig").read_text())
    payload: str = bundle["dsseEnvelope"]["payload"]
    return payload.encode()


def spoil_quietly(file: Path, content: bytes = b"\xff" * BIG) -> None:
    """Change a file and put its times back, as far as a program can."""
    status = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_is_signed_is_what_a_full_signing_signs(place: Path) -> None:
    (place / "model" / "w1.bin").write_bytes(b"new" * BIG)
    (place / "model" / "w2.bin").unlink()
    (place / "model" / "w3.bin").rename(place / "model" / "vocab" / "w3.bin")
    (place / "list").write_text("w1.bin\n./w2.bin\nw3.bin\nvocab/w3.bin\n")
    assert read_hashed(place, "--changed", "list", "--strict") == ["vocab/w3.bin", "w1.bin"]
    payload = read_payload(place)
    wb.sign(place / "model", key=place / "k.key")
    assert read_payload(place) == payload


def test_the_peer_verifies_the_result_and_its_own_signature_is_a_base(place: Path) -> None:
    peer = [sys.executable, "-m", "model_signing"]
    key = ["--private_key", "k.key", "--signature", "model/model.sig"]
    subprocess.run([*peer, "sign", "key", *key, "model"], cwd=place, check=True)
    (place / "model" / "README.md").write_text("---\nlicense: mit\n---\n")
    assert read_hashed(place, "--updated", "README.md") == []
    key = ["--public_key", "k.pub", "--signature", "model/model.sig"]
    subprocess.run([*peer, "verify", "key", *key, "model"], cwd=place, check=True)


def test_a_list_from_stdin_with_nul(place: Path) -> None:
    odd = 'odd "name" ü.bin'
    (place / "model" / odd).write_bytes(b"1" * BIG)
    done = subprocess.run(
        [*AGAIN, "--changed", "-", "-z", "--strict"],
        cwd=place,
        input=f"./{odd}\0w1.bin\0".encode(),
        check=True,
        capture_output=True,
    )
    assert b"read:      6" in done.stdout  # two of the list, four that are tiny
    assert b"reused:    5, not read" in done.stdout


def test_undeclared_files_are_told(place: Path) -> None:
    (place / "model" / "new.bin").write_bytes(b"1" * BIG)
    (place / "model" / "w1.bin").unlink()
    done = again(place, "--changed", os.devnull, "--strict")
    assert (done.returncode, "new.bin" in done.stderr) == (2, True)
    done = again(place, "--changed", os.devnull)
    assert "new.bin is new and not declared" in done.stderr
    assert "w1.bin is gone and not declared" in done.stderr
    assert run_cli("verify", "model", "--key", "k.pub", cwd=place).returncode == 0


def test_a_bare_file(tmp_path: Path) -> None:
    pair = wb.keygen(tmp_path / "k")
    file = tmp_path / "w.bin"
    file.write_bytes(b"1" * BIG)
    wb.sign(file, key=pair.private)
    signature = tmp_path / "w.bin.sig"
    same = wb.sign(file, key=pair.private, reuse=wb.Reuse(signature, changed=[]))
    assert same.reused is not None
    assert same.reused.reused_count == 1
    file.write_bytes(b"2" * BIG)
    wb.sign(file, key=pair.private, reuse=wb.Reuse(signature, updated=["w.bin"]))
    wb.verify(file, key=pair.public)


# What must not get through.


def test_a_base_that_somebody_else_signed_is_refused(place: Path) -> None:
    wb.sign(place / "model", key=place / "other.key")
    done = again(place, "--changed", os.devnull)
    assert (done.returncode, "another key" in done.stderr) == (1, True)
    assert again(place, "--changed", os.devnull, "--reuse-key", "other.pub").returncode == 0


def test_a_base_that_was_tampered_with_is_refused(place: Path) -> None:
    file = place / "model" / "model.sig"
    bundle = json.loads(file.read_text())
    payload = bundle["dsseEnvelope"]["payload"]
    bundle["dsseEnvelope"]["payload"] = payload[:200] + ("A" if payload[200] != "A" else "B")
    bundle["dsseEnvelope"]["payload"] += payload[201:]
    file.write_text(json.dumps(bundle))
    with pytest.raises(SignatureError):
        wb.sign(place / "model", key=place / "k.key", reuse=wb.Reuse(file, changed=[]))
    assert json.loads(file.read_text()) == bundle


def test_nothing_declared_is_no_declaration(place: Path) -> None:
    done = again(place)
    assert (done.returncode, "what changed" in done.stderr) == (2, True)


def test_one_string_is_no_list(place: Path) -> None:
    for form in ("changed", "updated", "deleted"):
        reuse = wb.Reuse(place / "model/model.sig", **{form: "README.md"})
        with pytest.raises(InputError, match="one string"):
            wb.sign(place / "model", key=place / "k.key", reuse=reuse)


@pytest.mark.parametrize(
    "options",
    [("--updated", "w1.bin"), ("--strict",), ("--audit", "5%"), ("--git-status",), ("-z",)],
)
def test_options_without_a_base_are_refused(place: Path, options: tuple[str, ...]) -> None:
    done = run_cli("sign", "model", "--key", "k.key", *options, cwd=place)
    assert (done.returncode, "needs --reuse" in done.stderr) == (2, True)


@pytest.mark.parametrize("share", ["101", "-1%", "x", "nan", "inf"])
def test_an_odd_share_is_refused(place: Path, share: str) -> None:
    assert again(place, "--changed", os.devnull, f"--audit={share}").returncode == 2
    with pytest.raises(InputError):
        wb.sign(
            place / "model",
            key=place / "k.key",
            reuse=wb.Reuse(place / "model/model.sig", changed=[], audit_ratio=float("nan")),
        )


def test_an_audit_names_what_differs_and_the_old_signature_stays(place: Path) -> None:
    old = (place / "model" / "model.sig").read_bytes()
    (place / "model" / "w1.bin").write_bytes(b"\xff" * BIG)
    for options in (("--full",), ("--audit", "100%", "--changed", os.devnull)):
        done = again(place, *options)
        assert (done.returncode, "w1.bin" in done.stderr) == (1, True)
        assert (place / "model" / "model.sig").read_bytes() == old
    assert again(place, "--full", "--updated", "w1.bin").returncode == 0


def test_an_audit_reads_the_share_that_was_asked_for(place: Path) -> None:
    read = read_hashed(place, "--changed", os.devnull, "--audit", "50%")
    assert len(read) <= 5
    assert len(read_hashed(place, "--changed", os.devnull, "--audit", "0.1%")) <= 1


def test_a_very_small_file_is_read_whatever_is_declared(place: Path) -> None:
    (place / "model" / "config.json").write_text('{"model_type": "evil"}\n')
    done = again(place, "--changed", os.devnull)
    assert (done.returncode, "config.json" in done.stderr) == (1, True)


def test_a_renamed_file_with_other_bytes_is_refused(place: Path) -> None:
    (place / "model" / "w1.bin").unlink()
    (place / "model" / "z.bin").write_bytes(b"\xff" * BIG)
    with pytest.raises(DigestMismatchError) as caught:
        wb.sign(
            place / "model",
            key=place / "k.key",
            reuse=wb.Reuse(place / "model/model.sig", renamed=[("w1.bin", "z.bin")]),
        )
    assert any("z.bin" in line for line in caught.value.diff.to_lines())


@pytest.mark.parametrize("options", [("--changed", os.devnull), ("--updated", "w1.bin")])
def test_a_pointer_in_the_place_of_a_file_is_refused(place: Path, options: tuple[str, ...]) -> None:
    (place / "model" / "w1.bin").write_bytes(POINTER)
    done = again(place, *options)
    assert (done.returncode, "git lfs pull" in done.stderr) == (2, True)


def test_a_pointer_that_was_signed_as_one_is_reused(place: Path) -> None:
    (place / "model" / "pointer.txt").write_bytes(POINTER)
    wb.sign(place / "model", key=place / "k.key")
    assert again(place, "--changed", os.devnull).returncode == 0


def test_links_are_refused(place: Path) -> None:
    (place / "model" / "w1.bin").unlink()
    (place / "model" / "w1.bin").symlink_to("w2.bin")
    for options in (("--updated", "w1.bin"), ("--changed", os.devnull)):
        done = again(place, *options)
        assert (done.returncode, "symbolic link" in done.stderr) == (2, True)


def test_names_are_shown_harmlessly(place: Path) -> None:
    done = again(place, "--updated", "\x1b[2Jx")
    assert (done.returncode, "\x1b" in done.stderr) == (2, False)


def test_lists_that_are_not_understood_are_refused(place: Path) -> None:
    for content in (b'"w\\3031.bin"\n', b"w\xff.bin\n"):
        (place / "list").write_bytes(content)
        done = again(place, "--changed", "list")
        assert (done.returncode, "entry 1" in done.stderr) == (2, True)
    assert again(place, "--changed", "nowhere").returncode == 2


class ChangingExecutor:
    """Does something to the artifact while a file is read."""

    workers = 1

    def __init__(self, change: Callable[[], object]) -> None:
        self.change = change

    def map(self, function: object, items: object) -> object:
        self.change()
        return map(function, items)  # type: ignore[call-overload]


@pytest.mark.parametrize("what", ["came", "went", "was renamed"])
def test_a_file_that_comes_or_goes_meanwhile_is_noticed(place: Path, what: str) -> None:
    old = (place / "model" / "model.sig").read_bytes()
    other = place / "model" / "w2.bin"
    change = {
        "came": lambda: (place / "model" / "new").write_bytes(b"new"),
        "went": other.unlink,
        "was renamed": lambda: other.rename(place / "model" / "new"),
    }[what]
    os.utime(place / "model", ns=(10**18, 10**18))
    with pytest.raises(ArtifactChangedError):
        wb.sign(
            place / "model",
            key=place / "k.key",
            reuse=wb.Reuse(place / "model/model.sig", changed=["w1.bin"]),
            executor=ChangingExecutor(change),
        )
    assert (place / "model" / "model.sig").read_bytes() == old


# git


def test_git_tells_of_everything_that_may_have_changed(repository: Path) -> None:
    model = repository / "model"
    (model / "w0.bin").write_bytes(b"changed" * BIG)
    (model / "w1.bin").unlink()
    git(repository, "mv", "model/w2.bin", "model/moved.bin")
    git(repository, "mv", "model/w3.bin", "model/moved and changed.bin")
    (model / "moved and changed.bin").write_bytes(b"\xaa" * BIG)
    (model / "untracked.bin").write_bytes(b"1" * BIG)
    (model / "ünused\t.bin").write_bytes(b"2" * BIG)
    read = read_hashed(repository, "--git-status", "--strict")
    assert read == ["moved and changed.bin", "untracked.bin", "w0.bin", "ünused\\t.bin"]


def test_a_change_that_git_is_told_not_to_see_is_seen(repository: Path) -> None:
    model = repository / "model"
    (repository / ".gitignore").write_text("*.key\nignored.bin\n")
    (model / "ignored.bin").write_bytes(b"1" * BIG)
    git(repository, "update-index", "--assume-unchanged", "model/w1.bin")
    git(repository, "update-index", "--skip-worktree", "model/w2.bin")
    wb.sign(model, key=repository / "k.key")
    for name in ("ignored.bin", "w1.bin", "w2.bin"):
        (model / name).write_bytes(b"\xaa" * BIG)
    assert read_hashed(repository, "--git-status") == ["ignored.bin", "w1.bin", "w2.bin"]


@pytest.mark.parametrize("setting", ["core.checkStat=minimal", "core.trustctime=false"])
def test_a_change_that_hides_its_time_is_seen(repository: Path, setting: str) -> None:
    file = repository / "model" / "w1.bin"
    os.utime(file, ns=(10**18, 10**18))  # or git would look at the bytes of a file so new
    git(repository, "config", *setting.split("="))
    git(repository, "add", "model")
    time.sleep(1.1)  # git keeps the time of the last change in seconds
    spoil_quietly(file)
    assert git(repository, "diff-files") == b""
    assert "w1.bin" in read_hashed(repository, "--git-status")


def test_what_was_committed_since_a_revision(repository: Path) -> None:
    (repository / "model" / "w1.bin").write_bytes(b"\xaa" * BIG)
    git(repository, "mv", "model/w2.bin", "model/moved.bin")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    (repository / "model" / "w3.bin").write_bytes(b"\xbb" * BIG)
    assert read_hashed(repository, "--git-diff", "HEAD~1") == ["w1.bin", "w3.bin"]
    assert "w3.bin" in read_hashed(repository, "--since", "HEAD")


def test_a_rename_between_other_line_endings_is_read(repository: Path) -> None:
    """git keeps the same bytes for both; on disk they differ."""
    model = repository / "model"
    (model / "lines.bin").write_bytes(b"line\n" * BIG)
    (repository / ".gitattributes").write_text("*.txt text eol=crlf\n*.bin -text\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    wb.sign(model, key=repository / "k.key")
    git(repository, "mv", "model/lines.bin", "model/lines.txt")
    (model / "lines.txt").unlink()
    git(repository, "checkout", "--", "model/lines.txt")
    assert b"\r\n" in (model / "lines.txt").read_bytes()
    assert "lines.txt" in read_hashed(repository, "--git-status")


def test_files_that_are_checked_out_in_another_way_are_read(repository: Path) -> None:
    model = repository / "model"
    (model / "lines.txt").write_bytes(b"line\n" * BIG)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    wb.sign(model, key=repository / "k.key")
    (repository / ".gitattributes").write_text("*.txt text eol=crlf\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "three")
    (model / "lines.txt").unlink()
    git(repository, "checkout", "--", "model/lines.txt")
    assert b"\r\n" in (model / "lines.txt").read_bytes()
    assert "lines.txt" in read_hashed(repository, "--git-diff", "HEAD~1")


@pytest.mark.parametrize(
    ("attributes", "autocrlf", "signed"),
    [
        ("*.txt text eol=crlf", "false", b"line\n"),
        ("*.txt eol=crlf", "false", b"line\n"),
        ("*.txt crlf=input", "false", b"line\r\n"),
        ("*.txt text=auto eol=lf", "false", b"line\r\n"),
        ("*.txt ident -text", "false", b"$Id: 1 $\n"),
        ("", "input", b"line\r\n"),
        ("", "true", b"line\n"),
    ],
)
def test_what_git_converts_is_read_though_git_sees_no_difference(
    repository: Path, attributes: str, autocrlf: str, signed: bytes
) -> None:
    """Several contents on disk are one for git; it writes another than was signed."""
    file = repository / "model" / "lines.txt"
    (repository / ".gitattributes").write_text(f"{attributes}\n")
    git(repository, "config", "core.autocrlf", autocrlf)
    git(repository, "config", "core.safecrlf", "false")
    file.write_bytes(signed * BIG)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    wb.sign(repository / "model", key=repository / "k.key", signature=repository / "old.sig")
    file.unlink()
    git(repository, "checkout", "--", "model/lines.txt")
    assert file.read_bytes() != signed * BIG
    assert git(repository, "diff", "HEAD", "--", "model/lines.txt") == b""
    reuse = wb.Reuse(repository / "old.sig", git_since="HEAD")
    found = wb.sign(repository / "model", key=repository / "k.key", reuse=reuse)
    assert found.manifest == wb.hash(repository / "model")


def test_a_commit_that_is_replaced_is_no_revision_that_was_signed(repository: Path) -> None:
    """git filter-repo leaves the old id behind, as a name of what it rewrote."""
    (repository / "model" / "w1.bin").write_bytes(b"\xaa" * BIG)
    git(repository, "commit", "-qam", "two")
    git(repository, "replace", "HEAD~1", "HEAD")
    git(repository, "tag", "signed", "HEAD~1")
    done = again(repository, "--git-diff", "signed")
    assert (done.returncode, "replaces objects" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", "", "HEAD:model"])
def test_a_revision_that_is_none_is_refused(repository: Path, revision: str) -> None:
    done = again(repository, f"--git-diff={revision}")
    assert done.returncode == 2
    assert not (repository / "x").exists()


def test_no_repository(place: Path) -> None:
    done = again(place, "--git-status")
    assert (done.returncode, "git" in done.stderr) == (2, True)


def test_no_git(repository: Path) -> None:
    done = subprocess.run(
        [*AGAIN, "--git-status"],
        cwd=repository,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": str(repository)},
    )
    assert (done.returncode, "not installed" in done.stderr) == (2, True)


def test_a_submodule_is_refused(repository: Path) -> None:
    (repository / "inner").mkdir()
    git(repository / "inner", "init", "-q")
    (repository / "inner" / "x.bin").write_bytes(b"1" * BIG)
    git(repository / "inner", "add", "-A")
    git(repository / "inner", "commit", "-qm", "inner")
    (repository / "inner").rename(repository / "model" / "inner")
    git(repository, "add", "model/inner")
    done = again(repository, "--git-status")
    assert (done.returncode, "submodule" in done.stderr) == (2, True)


def test_an_unmerged_file_is_refused(repository: Path) -> None:
    git(repository, "checkout", "-qb", "side")
    (repository / "model" / "w1.bin").write_bytes(b"\xaa" * BIG)
    git(repository, "commit", "-qam", "side")
    git(repository, "checkout", "-q", "-")
    (repository / "model" / "w1.bin").write_bytes(b"\xbb" * BIG)
    git(repository, "commit", "-qam", "main")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "side")
    done = again(repository, "--git-status")
    assert (done.returncode, "not merged" in done.stderr) == (2, True)


def test_a_repository_cannot_run_anything(repository: Path) -> None:
    """Filters, the file-system monitor and hooks are commands that a repository's files name."""
    trap = repository / "trap"
    trap.write_text(f"#!/bin/sh\ntouch '{repository}/ran'\ncat\n")
    trap.chmod(0o755)
    model = repository / "model"
    (model / ".gitattributes").write_text("*.bin filter=a.b=c\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "attributes")
    for what in ("clean", "smudge"):
        git(repository, "config", f"filter.a.b=c.{what}", str(trap))
    git(repository, "config", "core.fsmonitor", str(trap))
    git(repository, "config", "core.hooksPath", str(repository))
    git(repository, "config", "diff.external", str(trap))
    (repository / "post-index-change").symlink_to(trap)
    (model / "w1.bin").write_bytes(b"\xaa" * BIG)
    # The index is not newer than the files: git has to look at their bytes to know.
    for file in model.glob("*.bin"):
        os.utime(file, ns=(10**18, 10**18))
    git(repository, "add", "model")
    os.utime(repository / ".git" / "index", ns=(10**18, 10**18))
    git(repository, "diff-files")
    assert (repository / "ran").exists()
    git(repository, "config", "filter.a.b=c.process", str(trap))
    git(repository, "config", "filter.a.b=c.required", "true")
    (repository / "ran").unlink(missing_ok=True)
    assert "w1.bin" in read_hashed(repository, "--git-status")
    assert not (repository / "ran").exists()


def test_a_repository_that_points_elsewhere_is_refused(repository: Path) -> None:
    (repository / "elsewhere").mkdir()
    git(repository, "config", "core.worktree", str(repository / "elsewhere"))
    done = again(repository, "--git-status")
    assert done.returncode == 2, done.stdout


def test_the_environment_does_not_choose_the_repository(repository: Path) -> None:
    """In the other repository the change is committed already."""
    (repository / "model" / "w1.bin").write_bytes(b"\xbb" * BIG)
    other = repository / "other"
    shutil.copytree(repository / ".git", other / ".git")
    wrong = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(repository)}
    git(repository, "commit", "-qam", "two", **wrong)
    done = subprocess.run(
        [*AGAIN, "--git-status"],
        cwd=repository,
        check=False,
        capture_output=True,
        env={**os.environ, **wrong},
    )
    assert done.returncode == 0, done.stderr
    assert run_cli("verify", "model", "--key", "k.pub", cwd=repository).returncode == 0


def test_what_git_prints_is_bounded(repository: Path) -> None:
    with pytest.raises(LimitExceededError, match="max_list_bytes"):
        wb.sign(
            repository / "model",
            key=repository / "k.key",
            reuse=wb.Reuse(repository / "model/model.sig", git_since="HEAD"),
            limits=Limits(max_list_bytes=100),
        )
