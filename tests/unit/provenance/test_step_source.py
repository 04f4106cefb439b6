"""What git says about a step's code, asked of real repositories."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from weighbridge.core import DEFAULT_LIMITS
from weighbridge.provenance import Source, read_source

IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "protocol.file.allow=always", *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **IDENTITY},
    )
    return done.stdout.strip()


def build_repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("print(1)\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "clean.py").write_text("print(2)\n")
    (folder / ".gitignore").write_text("out/\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return build_repository(tmp_path / "ml")


def read(folder: Path, **options: object) -> Source:
    source, problems = read_source(folder, **options)  # type: ignore[arg-type]
    assert problems == ()
    assert source is not None
    return source


def digest_of(*records: tuple[str, bytes, str]) -> str:
    whole = b"".join(
        f"{kind} {'-' if kind == 'gone' else hashlib.sha256(data).hexdigest()} {name}\0".encode()
        for kind, data, name in records
    )
    return hashlib.sha256(whole).hexdigest()


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:ghp_secret@example.com/acme/ml.git?x=1")
    source = read(repository / "sub")
    assert source.commit == git(repository, "rev-parse", "HEAD")
    assert (source.ref, source.path) == ("refs/heads/main", "sub")
    assert source.uri == "git+https://example.com/acme/ml.git@refs/heads/main"
    assert (source.is_dirty, source.is_detached, source.is_shallow) == (False, False, False)
    (dependency,) = source.to_dependencies()
    assert dependency.digest == {"gitCommit": source.commit}
    assert dependency.annotations["dirty"] == "false"


def test_the_remote_of_the_branch_comes_first(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://example.com/fork.git")
    git(repository, "remote", "add", "up", "git@example.com:acme/ml.git")
    git(repository, "config", "branch.main.remote", "up")
    assert read(repository).remote == "ssh://git@example.com/acme/ml.git"


def test_what_differs_is_hashed_by_name_and_content(repository: Path) -> None:
    (repository / "train.py").write_text("print(3)\n")
    (repository / "sub" / "clean.py").unlink()
    (repository / "new file.sh").write_text("#!/bin/sh\n")
    (repository / "new file.sh").chmod(0o755)
    (repository / "link").symlink_to("train.py")
    (repository / "out").mkdir()
    (repository / "out" / "ignored").write_text("x")
    source = read(repository)
    assert source.changes == ("link", "new file.sh", "sub/clean.py", "train.py")
    assert source.changes_digest == digest_of(
        ("link", b"train.py", "link"),
        ("executable", b"#!/bin/sh\n", "new file.sh"),
        ("gone", b"", "sub/clean.py"),
        ("file", b"print(3)\n", "train.py"),
    )
    own, changes = source.to_dependencies()
    assert own.annotations["dirty"] == "true"
    assert changes.digest == {"sha256": source.changes_digest}


def test_the_digest_is_the_same_staged_or_not_and_in_any_clone(
    repository: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", str(repository), str(tmp_path / "clone"))
    for folder in (repository, tmp_path / "clone"):
        (folder / "train.py").write_text("print(3)\n")
        (folder / "added.py").write_text("")
    git(repository, "add", ".")
    first, second = read(repository), read(tmp_path / "clone")
    assert first.changes_digest == second.changes_digest
    (repository / "added.py").rename(repository / "other.py")
    assert read(repository).changes_digest != first.changes_digest


def test_other_times_are_no_difference(repository: Path) -> None:
    os.utime(repository / "train.py", (1, 1))
    assert not read(repository).is_dirty


def test_what_is_recorded_elsewhere_is_left_out(repository: Path) -> None:
    (repository / "data").mkdir()
    (repository / "data" / "a").write_text("x")
    (repository / "model.bin").write_text("x")
    assert read(repository, left_out=[repository / "data", repository / "model.bin"]).changes == ()


def test_files_that_git_was_told_not_to_look_at_count_as_changed(repository: Path) -> None:
    git(repository, "update-index", "--assume-unchanged", "train.py")
    git(repository, "update-index", "--skip-worktree", "sub/clean.py")
    (repository / "train.py").write_text("evil\n")
    (repository / "sub" / "clean.py").unlink()  # as a sparse checkout does
    source = read(repository)
    assert source.changes == ("train.py",)


def test_a_replaced_commit_does_not_hide_a_difference(repository: Path) -> None:
    """``git replace`` lets git show another tree under the commit's id."""
    first = git(repository, "rev-parse", "HEAD")
    (repository / "train.py").write_text("evil\n")
    git(repository, "commit", "-q", "-a", "-m", "two")
    second = git(repository, "rev-parse", "HEAD")
    git(repository, "reset", "-q", "--soft", first)
    git(repository, "replace", first, second)
    source = read(repository)
    assert source.commit == first
    assert source.changes == ("train.py",)


def test_nothing_of_the_repository_is_run(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.process",
        "diff.external",
        "core.sshCommand",
    ):
        git(repository, "config", key, str(trap))
    git(repository, "config", "filter.evil.required", "true")
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    shutil.copy(trap, hooks / "post-index-change")
    (repository / ".gitattributes").write_text("*.py filter=evil\n")
    (repository / "train.py").write_text("print(5)\n")
    index = (repository / ".git" / "index").read_bytes()
    assert read(repository).changes == (".gitattributes", "train.py")
    assert not (tmp_path / "sprung").exists()
    assert (repository / ".git" / "index").read_bytes() == index


def test_a_detached_shallow_clone(repository: Path, tmp_path: Path) -> None:
    (repository / "train.py").write_text("print(4)\n")
    git(repository, "commit", "-q", "-a", "-m", "two")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(clone))
    git(clone, "checkout", "-q", "--detach")
    source = read(clone)
    assert (source.is_detached, source.is_shallow, source.ref) == (True, True, "")
    assert source.uri == f"git+file://{repository}@{source.commit}"


def test_submodules_are_sources_of_their_own(repository: Path, tmp_path: Path) -> None:
    library = build_repository(tmp_path / "library")
    git(repository, "submodule", "add", "-q", str(library), "third party")
    git(repository, "commit", "-q", "-m", "two")
    source = read(repository)
    assert not source.is_dirty
    ((name, below),) = source.submodules
    assert (name, below.commit) == ("third party", git(library, "rev-parse", "HEAD"))
    assert [d.name for d in source.to_dependencies()] == ["source", "source/third party"]

    (repository / "third party" / "train.py").write_text("evil\n")
    source = read(repository)
    assert source.is_dirty
    assert source.changes == ()
    git(repository / "third party", "commit", "-q", "-a", "-m", "evil")
    other = read(repository)
    assert other.changes == ("third party",)

    shutil.rmtree(repository / "third party")
    (repository / "third party").mkdir()
    _, problems = read_source(repository)
    assert problems == ("the submodule third party is not checked out",)


def test_a_repository_inside_that_is_not_tracked_is_said(repository: Path) -> None:
    build_repository(repository / "nested")
    source, problems = read_source(repository)
    assert problems == ("nested/ is a repository of its own that the source does not track",)
    assert source is not None
    assert source.is_dirty


def test_an_ignored_folder_is_said(repository: Path) -> None:
    (repository / "out").mkdir()
    _, problems = read_source(repository / "out")
    assert len(problems) == 1
    assert "git ignores the folder out" in problems[0]


def test_odd_names_are_hashed(repository: Path) -> None:
    raw = os.fsencode(repository) + b"/\xff\n\x1b[31m.py"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    source = read(repository)
    assert [os.fsencode(name) for name in source.changes] == [b"\xff\n\x1b[31m.py"]
    assert source.changes_digest


def test_too_much_has_no_digest_rather_than_one_of_a_part(repository: Path) -> None:
    (repository / "big").write_bytes(bytes(2000))
    limits = replace(DEFAULT_LIMITS, max_source_bytes=1000)
    source, (problem,) = read_source(repository, limits=limits)
    assert source is not None
    assert (source.changes, source.changes_digest) == (("big",), "")
    assert "max_source_bytes = 1,000" in problem
    _, changes = source.to_dependencies()
    assert changes.digest == {}


def test_no_repository_no_commit_no_git(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, (reason,) = read_source(tmp_path)
    assert source is None
    assert "not a git repository" in reason
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    source, (reason,) = read_source(empty)
    assert source is None
    assert "no commit yet" in reason
    monkeypatch.setenv("PATH", str(tmp_path))
    source, (reason,) = read_source(repository)
    assert source is None
    assert "git is not installed" in reason


def test_variables_of_a_hook_do_not_lead_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = build_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    (repository / "x").write_text("x")
    assert read(repository).changes == ("x",)


def test_a_linked_parent_is_not_followed(repository: Path, tmp_path: Path) -> None:
    shutil.move(repository / "sub", tmp_path / "elsewhere")
    (repository / "sub").symlink_to(tmp_path / "elsewhere")
    source = read(repository)
    assert source.changes_digest == digest_of(
        ("link", os.fsencode(tmp_path / "elsewhere"), "sub"), ("gone", b"", "sub/clean.py")
    )
