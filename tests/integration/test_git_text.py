"""--git-status-from and --git-diff-from: what git printed elsewhere says what git says here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weighbridge as wb
from support import WEIGHBRIDGE, build_model, run_cli
from weighbridge.errors import DigestMismatchError, InputError

BIG = 3000
AGAIN = (WEIGHBRIDGE, "sign", "models/tiny", "--key", "k.key", "--json")
AGAIN += ("--reuse", "models/tiny/model.sig")


def git(place: Path, *arguments: str) -> bytes:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
        cwd=place,
        check=True,
        capture_output=True,
    ).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A signed model in a folder of a repository, all of it committed."""
    model = build_model(tmp_path / "models" / "tiny")
    for number in range(6):
        (model / f"w{number}.bin").write_bytes(bytes([number]) * BIG)
    (tmp_path / "train.py").write_text("1\n")
    wb.keygen(tmp_path / "k")
    wb.sign(model, key=tmp_path / "k.key")
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("*.key\n*.pub\n*.txt\n!vocab.txt\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def again(
    place: Path, *options: str, text: bytes = b"", prefix: str = "models/tiny"
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*AGAIN, "--git-prefix", prefix, *options],
        cwd=place,
        input=text,
        check=False,
        capture_output=True,
    )
    shown = done.stderr.decode()
    assert "Traceback" not in shown
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), shown)


def read_hashed(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert done.returncode == 0, done.stderr
    small = {"README.md", "config.json", "model.safetensors", "vocab/vocab.txt"}
    return set(json.loads(done.stdout)["reused"]["hashed"]) - small


def change(place: Path) -> set[str]:
    """Change a bit of everything, and return which files have to be read for it."""
    model = place / "models" / "tiny"
    (place / "train.py").write_text("2\n")
    (model / "w0.bin").write_bytes(b"changed" * BIG)
    (model / "w1.bin").unlink()
    git(place, "mv", "models/tiny/w2.bin", "models/tiny/moved.bin")
    git(place, "mv", "models/tiny/w3.bin", "models/tiny/moved and changed.bin")
    (model / "moved and changed.bin").write_bytes(b"\xaa" * BIG)
    (model / "new").mkdir()
    (model / "new" / 'ü "x"\t.bin').write_bytes(b"1" * BIG)
    return {"w0.bin", "moved.bin", "moved and changed.bin", 'new/ü "x"\\t.bin'}


@pytest.mark.parametrize("form", ["--porcelain=v1", "--porcelain=v2"])
@pytest.mark.parametrize("nul", [(), ("-z",)])
@pytest.mark.parametrize("untracked", ["normal", "all"])
def test_status(repository: Path, form: str, nul: tuple[str, ...], untracked: str) -> None:
    wanted = change(repository)
    text = git(repository, "status", form, *nul, f"--untracked-files={untracked}")
    done = again(repository, "--strict", "--git-status-from", "-", text=text)
    assert read_hashed(done) == wanted
    assert "1 changes that git lists are elsewhere" in done.stderr
    assert run_cli("verify", "models/tiny", "--key", "k.pub", cwd=repository).returncode == 0


@pytest.mark.parametrize("form", [("--raw", "--no-abbrev"), ("--raw",), ("--name-status",)])
@pytest.mark.parametrize("nul", [(), ("-z",)])
@pytest.mark.parametrize("relative", [False, True])
def test_diff(
    repository: Path, form: tuple[str, ...], nul: tuple[str, ...], *, relative: bool
) -> None:
    wanted = change(repository)
    place = repository / "models" / "tiny" if relative else repository
    extra = ("--relative",) if relative else ()
    text = git(place, "diff", "HEAD", *form, *nul, *extra)
    (repository / "text").write_bytes(text)
    prefix = "" if relative else "./models/tiny/"
    done = again(repository, "--git-diff-from", "text", prefix=prefix)
    assert read_hashed(done) == wanted
    assert run_cli("verify", "models/tiny", "--key", "k.pub", cwd=repository).returncode == 0


def test_a_similarity_of_100_percent_is_not_believed(repository: Path) -> None:
    """git counts chunks: a file with its lines in another order is 100% similar."""
    lines = [b"line %d %b\n" % (number, b"x" * 40) for number in range(200)]
    model = repository / "models" / "tiny"
    (model / "lines.bin").write_bytes(b"".join(lines))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    wb.sign(model, key=repository / "k.key")
    git(repository, "commit", "-qam", "signed")
    (model / "lines.bin").unlink()
    (model / "turned.bin").write_bytes(b"".join(reversed(lines)))
    git(repository, "add", "-A")
    for option, command in (
        ("--git-diff-from", ("diff", "HEAD", "--name-status")),
        ("--git-diff-from", ("diff", "HEAD", "--raw", "--no-abbrev")),
        ("--git-status-from", ("status", "--porcelain=v2")),
    ):
        text = git(repository, *command)
        assert b"R100" in text
        shutil.copy(model / "model.sig", repository / "old.sig")
        done = again(repository, option, "-", "--reuse", "old.sig", text=text)
        assert "turned.bin" in read_hashed(done)
        assert run_cli("verify", "models/tiny", "--key", "k.pub", cwd=repository).returncode == 0
        shutil.copy(repository / "old.sig", model / "model.sig")


@pytest.mark.parametrize("command", [("status", "--porcelain=v2"), ("diff", "HEAD", "--raw")])
def test_a_rename_between_other_line_endings_is_read(
    repository: Path, command: tuple[str, ...]
) -> None:
    """git lists R100 with one id: it keeps the same bytes for both; on disk they differ."""
    model = repository / "models" / "tiny"
    (model / "lines.sh").write_bytes(b"line\n" * BIG)
    (repository / ".gitattributes").write_text("*.bat text eol=crlf\n*.sh text eol=lf\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    wb.sign(model, key=repository / "k.key")
    git(repository, "commit", "-qam", "signed")
    git(repository, "mv", "models/tiny/lines.sh", "models/tiny/lines.bat")
    (model / "lines.bat").unlink()
    git(repository, "checkout", "--", "models/tiny/lines.bat")
    assert b"\r\n" in (model / "lines.bat").read_bytes()
    text = (
        git(repository, *command, "--no-abbrev") if "diff" in command else git(repository, *command)
    )
    assert b"R100" in text
    done = again(repository, f"--git-{command[0]}-from", "-", text=text)
    assert "lines.bat" in read_hashed(done)
    assert run_cli("verify", "models/tiny", "--key", "k.pub", cwd=repository).returncode == 0


@pytest.mark.parametrize(
    ("command", "is_read"),
    [
        (("status", "--porcelain=v2"), False),
        (("diff", "HEAD", "--raw", "--no-abbrev"), False),
        (("status", "--porcelain=v1"), True),  # it tells no ids
        (("diff", "HEAD", "--raw"), True),
        (("diff", "HEAD", "--name-status"), True),
    ],
)
def test_a_large_file_that_git_shows_as_renamed_is_not_read(
    repository: Path, command: tuple[str, ...], *, is_read: bool
) -> None:
    model = repository / "models" / "tiny"
    with (model / "large.bin").open("wb") as stream:
        stream.truncate(128 * 1024 * 1024)
    git(repository, "-c", "core.compression=0", "add", "-A")
    wb.sign(model, key=repository / "k.key")
    git(repository, "commit", "-qm", "two")
    git(repository, "commit", "-qam", "signed")
    git(repository, "mv", "models/tiny/large.bin", "models/tiny/moved.bin")
    done = again(repository, f"--git-{command[0]}-from", "-", text=git(repository, *command))
    assert ("moved.bin" in read_hashed(done)) is is_read


def test_a_bare_file(repository: Path) -> None:
    file = repository / "models" / "tiny" / "w0.bin"
    wb.sign(file, key=repository / "k.key", signature=repository / "w0.sig")
    file.write_bytes(b"2" * BIG)
    (file.parent / "w1.bin").write_bytes(b"2" * BIG)
    reuse = wb.Reuse(
        repository / "w0.sig",
        git_status=git(repository, "status", "--porcelain"),
        git_prefix="models/tiny",
    )
    signed = wb.sign(file, key=repository / "k.key", signature=repository / "w0.sig", reuse=reuse)
    assert signed.reused is not None
    assert signed.reused.hashed == ("w0.bin",)
    assert signed.manifest == wb.hash(file)


def test_attributes_that_changed_make_everything_be_read(repository: Path) -> None:
    model = repository / "models" / "tiny"
    (repository / ".gitattributes").write_text("*.bin text eol=crlf\n")
    text = git(repository, "status", "--porcelain=v2")
    assert len(read_hashed(again(repository, "--git-status-from", "-", text=text))) == 6
    assert wb.hash(model).is_known


def test_nothing_listed_is_nothing_changed(repository: Path) -> None:
    assert read_hashed(again(repository, "--git-status-from", os.devnull)) == set()


# What must not get through.


def test_another_prefix_is_noticed(repository: Path) -> None:
    change(repository)
    text = git(repository, "status", "--porcelain")
    done = again(repository, "--git-status-from", "-", text=text, prefix="models")
    assert (done.returncode, "--git-prefix" in done.stderr) == (2, True)
    done = again(repository, "--git-status-from", "-", text=text, prefix="model")
    assert "changes that git lists are elsewhere" in done.stderr


@pytest.mark.parametrize("prefix", ["../x", "/x", "a//b", "a/./b"])
def test_a_prefix_that_is_none_is_refused(repository: Path, prefix: str) -> None:
    done = again(repository, "--git-status-from", os.devnull, prefix=prefix)
    assert (done.returncode, "not a folder inside a repository" in done.stderr) == (2, True)


def test_a_prefix_without_text_is_refused(repository: Path) -> None:
    done = again(repository, "--git-status")
    assert (done.returncode, "--git-prefix needs" in done.stderr) == (2, True)


def test_one_stdin_is_no_two_lists(repository: Path) -> None:
    done = again(repository, "--git-status-from", "-", "--changed", "-")
    assert (done.returncode, "only one list" in done.stderr) == (2, True)


@pytest.mark.parametrize("form", ["--porcelain=v1", "--porcelain=v2"])
def test_submodules_and_unmerged_files_are_refused(repository: Path, form: str) -> None:
    inner = repository / "models" / "tiny" / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "x.bin").write_bytes(b"1" * BIG)
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "inner")
    git(repository, "add", "models/tiny/inner")
    git(repository, "commit", "-qm", "two")
    (inner / "x.bin").write_bytes(b"2" * BIG)
    text = git(repository, "status", form)
    assert b"inner" in text
    done = again(repository, "--git-status-from", "-", text=text)
    assert (done.returncode, "submodule" in done.stderr) == (2, True)
    inside = again(repository, "--git-status-from", "-", text=text, prefix="models/tiny/inner/deep")
    assert (inside.returncode, "submodule" in inside.stderr) == (2, True)
    git(repository, "checkout", "-qb", "side")
    (repository / "models/tiny/w1.bin").write_bytes(b"\xaa" * BIG)
    git(repository, "commit", "-qam", "side")
    git(repository, "checkout", "-q", "-")
    (repository / "models/tiny/w1.bin").write_bytes(b"\xbb" * BIG)
    git(repository, "commit", "-qam", "main")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "-q", "side")
    text = git(repository, "status", form, "--ignore-submodules=all")
    done = again(repository, "--git-status-from", "-", text=text)
    assert (done.returncode, "not merged" in done.stderr) == (2, True)


def test_hostile_paths_are_refused_and_shown_harmlessly(repository: Path) -> None:
    for path in (b"models/tiny/../../k.key", b"models/tiny//x", b"models/tiny/\x1b[2Jx"):
        done = again(repository, "--git-status-from", "-", text=b" M " + path + b"\0")
        assert (done.returncode, "\x1b" in done.stderr) == (2, False), done.stderr


# git itself decides.

NAMES = st.sampled_from(["a", "b", "c.bin", "d/a", "d/b", "d-e/a", "ü", "x y", "i.log", 'q"\\t'])
CONTENTS = st.sampled_from([b"1", b"2" * 1500, b"3\n" * 800, b"4" * 70_000, b"5" * 2000])
TREES = st.dictionaries(NAMES.filter(lambda name: "\\" not in name), CONTENTS, min_size=1)


@given(before=TREES, after=TREES, data=st.data())
@settings(max_examples=25, deadline=None)
def test_text_and_plumbing_agree(
    before: dict[str, bytes], after: dict[str, bytes], data: st.DataObject
) -> None:
    prefix = data.draw(st.sampled_from(["", "m", "m/ü x"]))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        root = place / prefix / "model" if prefix else place / "model"
        top = place / "model" if not prefix else place
        root.mkdir(parents=True)
        git(top, "init", "-q")
        (top / ".git" / "info" / "exclude").write_text("*.log\n")
        key = wb.keygen(place.parent / f"{place.name}-k").private
        try:
            write(root, before)
            wb.sign(root, key=key, signature=key.with_suffix(".sig"))
            git(top, "add", "-A")
            git(top, "commit", "-q", "--allow-empty", "-m", "signed")
            some = data.draw(st.sets(st.sampled_from(sorted({*before, *after}))))
            write(root, {**before, **{name: after.get(name) for name in some}})
            git(top, "add", "-A")
            write(root, {**dict.fromkeys(before), **after})
            inside = "" if not prefix else f"{prefix}/model"
            # git diff says nothing of what git ignores.
            ignored = sorted({"i.log"} & {*before, *after})
            compare(top, root, key, (inside, ignored), data)
        finally:
            for suffix in (".key", ".pub", ".sig"):
                key.with_suffix(suffix).unlink(missing_ok=True)


def write(root: Path, tree: dict[str, Any]) -> None:
    for name, content in tree.items():
        if content is None:
            (root / name).unlink(missing_ok=True)
        elif not (root / name).exists() or (root / name).read_bytes() != content:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)


def compare(
    top: Path, root: Path, key: Path, said: tuple[str, list[str]], data: st.DataObject
) -> None:
    """Sign again by what git says here and by what it printed."""
    prefix, ignored = said
    git(top, "status")  # refreshes the index: the text knows no file times, the plumbing does
    old, new = key.with_suffix(".sig"), key.with_suffix(".new")
    version = data.draw(st.sampled_from(["v1", "v2"]))
    nul = data.draw(st.sampled_from([(), ("-z",)]))
    quote = data.draw(st.sampled_from(["core.quotePath=true", "core.quotePath=false"]))
    status = ("--untracked-files=all", "--ignored=matching", f"--porcelain={version}")
    text = git(top, "-c", quote, "status", *status, *nul)
    diff_form = data.draw(st.sampled_from([("--raw", "--no-abbrev"), ("--name-status",)]))
    diff = git(top, "-c", quote, "diff", "HEAD", *diff_form, *nul)
    full = wb.hash(root)
    try:
        found = []
        for reuse in (
            wb.Reuse(old, git_since="HEAD"),
            wb.Reuse(old, git_status=text, git_prefix=prefix),
            wb.Reuse(old, git_diff=diff, git_prefix=prefix, changed=ignored),
        ):
            signed = wb.sign(root, key=key, signature=new, reuse=reuse)
            assert signed.manifest.resources == full.resources
            assert signed.reused is not None
            found.append(set(signed.reused.hashed))
    except (InputError, DigestMismatchError) as error:
        raise AssertionError(str(error)) from error
    finally:
        new.unlink(missing_ok=True)
    here, by_status, by_diff = found
    assert here <= by_status  # which reads what was renamed, too
    assert by_diff <= by_status | {r.name for r in full.resources}
