"""Lists of files: --manifest-out, --manifest-in, --from-manifest, --digests, and in a program."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

import weighbridge as wb
from support import build_model, run_cli
from weighbridge.errors import DigestMismatchError, InputError, ParseError
from weighbridge.workflow import sign_file_list

BIG = 3000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    model = build_model(tmp_path / "model")
    for number in range(4):
        (model / f"w{number}.bin").write_bytes(bytes([number]) * BIG)
    wb.keygen(tmp_path / "k")
    return tmp_path


def read_payload(signature: Path) -> str:
    payload: str = json.loads(signature.read_text())["dsseEnvelope"]["payload"]
    return payload


def sha256sum(place: Path, folder: str = "model") -> bytes:
    """What people write: paths with ./ and in no order."""
    command = "find . -type f ! -name model.sig -exec sha256sum {} +"
    return subprocess.run(
        ["sh", "-c", command], cwd=place / folder, check=True, capture_output=True
    ).stdout


# hash --manifest-in


@pytest.mark.parametrize("name", ["m.json", "m.sha256"])
def test_an_artifact_is_what_its_list_says(place: Path, name: str) -> None:
    assert run_cli("hash", "model", "--manifest-out", name, cwd=place).returncode == 0
    done = run_cli("hash", "model", "--manifest-in", name, cwd=place)
    assert done.stdout.strip() == str(wb.hash(place / "model").compute_digest())
    (place / "model" / "w0.bin").write_bytes(b"x")
    (place / "model" / "w1.bin").unlink()
    (place / "model" / "w2.bin").rename(place / "model" / "new.bin")
    done = run_cli("hash", "model", "--manifest-in", name, cwd=place)
    assert (done.returncode, done.stdout) == (1, "")
    for line in ("changed: w0.bin", "missing: w1.bin", "renamed: w2.bin -> new.bin"):
        assert line in done.stderr
    with pytest.raises(DigestMismatchError):
        wb.hash(place / "model", expected=place / name)


def test_what_sha256sum_prints_is_a_list(place: Path) -> None:
    (place / "list").write_bytes(sha256sum(place))
    assert run_cli("hash", "model", "--manifest-in", "list", cwd=place).returncode == 0


@pytest.mark.parametrize("name", ["m.json", "m.sha256"])
def test_a_list_is_brought_up_to_date(place: Path, name: str) -> None:
    run_cli("hash", "model", "--manifest-out", name, cwd=place)
    (place / "model" / "w0.bin").write_bytes(b"new" * BIG)
    (place / "model" / "w1.bin").unlink()
    done = run_cli(
        *("hash", "model", "--manifest-in", name, "--manifest-out", name, "--json"),
        *("--updated", "w0.bin", "--deleted", "w1.bin"),
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["artifact"] == str(wb.hash(place / "model").compute_digest())
    assert told["reused"]["reused_count"] == 2
    assert run_cli("hash", "model", "--manifest-in", name, cwd=place).returncode == 0


def test_a_list_with_sizes_shows_a_change_that_was_not_declared(place: Path) -> None:
    run_cli("hash", "model", "--manifest-out", "m.json", cwd=place)
    (place / "model" / "w0.bin").write_bytes(b"new" * BIG)
    done = run_cli("hash", "model", "--manifest-in", "m.json", "--changed", os.devnull, cwd=place)
    assert (done.returncode, "w0.bin" in done.stderr) == (1, True)


def test_changes_need_a_list(place: Path) -> None:
    done = run_cli("hash", "model", "--updated", "w0.bin", cwd=place)
    assert (done.returncode, "needs --manifest-in" in done.stderr) == (2, True)


def test_a_list_of_a_file_is_not_one_of_a_folder(place: Path) -> None:
    run_cli("hash", "model/w0.bin", "--manifest-out", "m.json", cwd=place)
    assert run_cli("hash", "model/w0.bin", "--manifest-in", "m.json", cwd=place).returncode == 0
    assert run_cli("hash", "model", "--manifest-in", "m.json", cwd=place).returncode == 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"x",
        b"\xff",
        b'{"a": 1}',
        b'{"a": "sha256:00"}',
        b'{"a": "%b", "a": "%b"}' % (b"0" * 64, b"0" * 64),
        b'{"../a": "%b"}' % (b"0" * 64),
        b'{"resources": [], "version": 1, "kind": "folder", "label": "x"}',
        b"%b  a\n%b  a\n" % (b"0" * 64, b"0" * 64),
        b"%b  a\n%b  ./a\n" % (b"0" * 64, b"0" * 64),
        b"%b  ../a\n" % (b"0" * 64),
        b"%b  /a\n" % (b"0" * 64),
        b"\\%b  a\\nb\n" % (b"0" * 64),
        b"%b  a\n" % (b"A" * 64),
        b"%b * a.bin\n" % (b"0" * 64),
        b"{" * 100_000,
    ],
)
def test_other_lists_are_refused(place: Path, text: bytes) -> None:
    (place / "list").write_bytes(text)
    for expected in (InputError, ParseError):
        with pytest.raises(InputError):
            wb.hash(place / "model", expected=place / "list")
        assert issubclass(ParseError, expected)
    with pytest.raises(InputError):
        sign_file_list(place / "list", key=place / "k.key", signature=place / "s.sig", name="x")
    assert not (place / "s.sig").exists()


def test_a_list_that_was_changed_is_refused(place: Path) -> None:
    run_cli("hash", "model", "--manifest-out", "m.json", cwd=place)
    document = json.loads((place / "m.json").read_text())
    document["resources"][0]["sha256"] = "0" * 64
    (place / "m.json").write_text(json.dumps(document))
    done = run_cli("hash", "model", "--manifest-in", "m.json", cwd=place)
    assert (done.returncode, "was changed" in done.stderr) == (2, True)


# sign --from-manifest


def test_a_list_is_signed_as_the_folder_would_be(place: Path) -> None:
    model = place / "model"
    wb.sign(model, key=place / "k.key")
    payload = read_payload(model / "model.sig")
    run_cli("hash", "model", "--manifest-out", "m.json", cwd=place)
    model.rename(place / "away")
    sign = ("sign", "--from-manifest", "m.json", "--key", "k.key")
    done = run_cli(*sign, "--signature", "new.sig", cwd=place)
    assert (done.returncode, "no file was read" in done.stderr) == (0, True)
    assert read_payload(place / "new.sig") == payload
    done = run_cli(*sign, "--signature", "new.sig", "--json", cwd=place)
    assert json.loads(done.stdout)["listed_in"] == "m.json"
    (place / "away").rename(model)
    verify = ("verify", "model", "--key", "k.pub", "--signature", "new.sig")
    assert run_cli(*verify, cwd=place).returncode == 1  # the other signature is an extra file now
    (model / "model.sig").unlink()
    assert run_cli(*verify, cwd=place).returncode == 0
    (model / "w0.bin").write_bytes(b"x" * BIG)
    assert run_cli(*verify, cwd=place).returncode == 1


def test_a_text_list_and_a_bare_file(place: Path) -> None:
    (place / "list").write_bytes(sha256sum(place))
    sign = ("sign", "--key", "k.key", "--signature", "model/model.sig", "--from-manifest", "list")
    done = run_cli(*sign, cwd=place)
    assert (done.returncode, "give it a name" in done.stderr) == (2, True)
    done = run_cli(*sign, "--name", "tiny", cwd=place)
    assert (done.returncode, "of unknown size" in done.stdout) == (0, True)
    assert run_cli("verify", "model", "--key", "k.pub", cwd=place).returncode == 0
    run_cli("hash", "model/w0.bin", "--manifest-out", "m.json", cwd=place)
    signed = sign_file_list(place / "m.json", key=place / "k.key", signature=place / "w0.sig")
    assert signed.listed_in == place / "m.json"
    wb.verify(place / "model" / "w0.bin", key=place / "k.pub", signature=place / "w0.sig")


def test_a_list_with_a_file_in_the_place_of_a_folder_is_refused(place: Path) -> None:
    (place / "list").write_text(f"{'0' * 64}  a\n{'0' * 64}  a/b/c\n")
    with pytest.raises(InputError, match="would be its folder"):
        sign_file_list(place / "list", key=place / "k.key", signature=place / "x.sig", name="x")


@pytest.mark.parametrize("name", ["model.sig", ".gitignore", ".git/config", ".github/x"])
def test_a_list_of_what_is_never_signed_is_refused(place: Path, name: str) -> None:
    (place / "list").write_text(f"{'0' * 64}  {name}\n{'0' * 64}  a\n")
    with pytest.raises(InputError, match="never part"):
        sign_file_list(place / "list", key=place / "k.key", signature=place / "x.sig", name="x")


@pytest.mark.parametrize(
    "options",
    [
        ("model", "--from-manifest", "m.json", "--signature", "x.sig"),
        ("--from-manifest", "m.json"),
        ("--from-manifest", "m.json", "--signature", "x.sig", "--hash", "sha256"),
        ("--from-manifest", "m.json", "--signature", "x.sig", "--updated", "a"),
        ("--from-manifest", "m.json", "--signature", "m.json"),
        ("--from-manifest", "m.json", "--signature", "k.key"),
        ("--from-manifest", "nowhere", "--signature", "x.sig"),
        ("model", "--name", "x"),
        (),
    ],
)
def test_what_cannot_be_meant_is_refused(place: Path, options: tuple[str, ...]) -> None:
    run_cli("hash", "model", "--manifest-out", "m.json", cwd=place)
    before = (place / "m.json").read_bytes()
    assert run_cli("sign", "--key", "k.key", *options, cwd=place).returncode == 2
    assert not (place / "x.sig").exists()
    assert (place / "m.json").read_bytes() == before


# hashing with digests that a program knows


def test_a_program_that_knows_what_it_wrote(place: Path) -> None:
    model = place / "model"
    full = wb.hash(model)
    known = {r.name: f"sha256:{r.sha256}" for r in full.resources if r.name.startswith("w")}
    assert wb.hash(model, digests=known) == full
    vouched = wb.hash(model, digests={"w0.bin": "0" * 64})  # its word is all there is
    assert vouched.resources != full.resources
    with pytest.raises(DigestMismatchError):  # small files are read all the same
        wb.hash(model, digests={"README.md": "0" * 64})
    for wrong in ({"none.bin": "0" * 64}, {"w0.bin": "sha512:00"}, {"../k.key": "0" * 64}):
        with pytest.raises(InputError):
            wb.hash(model, digests=wrong)


# sign --reuse --digests


def to_digests(model: Path) -> dict[str, str]:
    return {r.name: r.sha256 for r in wb.hash(model).resources}


def edit(model: Path) -> None:
    (model / "w0.bin").write_bytes(b"new" * BIG)
    (model / "w1.bin").unlink()
    (model / "w2.bin").rename(model / "vocab" / "moved.bin")
    (model / "added.bin").write_bytes(b"added" * BIG)


@pytest.mark.parametrize("form", ["sha256sum", "json", "manifest"])
def test_digests_say_all_that_happened(place: Path, form: str) -> None:
    model = place / "model"
    wb.sign(model, key=place / "k.key")
    edit(model)
    if form == "manifest":
        run_cli("hash", "model", "--manifest-out", "list", cwd=place)
    elif form == "json":
        digests = {name: f"sha256:{digest}" for name, digest in to_digests(model).items()}
        (place / "list").write_text(json.dumps(digests))
    else:
        (place / "list").write_bytes(sha256sum(place))
    again = ("sign", "model", "--key", "k.key", "--reuse", "model/model.sig", "--json", "--strict")
    done = run_cli(*again, "--digests", "list", cwd=place)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["reused"]
    small = {"README.md", "config.json", "model.safetensors", "vocab/vocab.txt"}
    assert set(told["hashed"]) - small == {"added.bin", "w0.bin"}
    assert (told["reused_count"], told["dropped"]) == (2, ["w1.bin", "w2.bin"])
    payload = read_payload(model / "model.sig")
    wb.sign(model, key=place / "k.key")
    assert read_payload(model / "model.sig") == payload


def test_a_digest_is_never_signed_on_its_word(place: Path) -> None:
    """Neither of a changed file, nor of one that is in the place of another."""
    model = place / "model"
    wb.sign(model, key=place / "k.key")
    old = (model / "model.sig").read_bytes()
    right = to_digests(model)
    for name in ("w0.bin", "config.json"):
        digests = {**right, name: hashlib.sha256(b"evil").hexdigest()}
        reuse = wb.Reuse(model / "model.sig", digests=digests)
        with pytest.raises(DigestMismatchError) as caught:
            wb.sign(model, key=place / "k.key", reuse=reuse)
        assert any(name in line for line in caught.value.diff.to_lines())
    (model / "w0.bin").write_bytes(b"\1" * BIG)  # has what w1.bin has, and both are there
    reuse = wb.Reuse(model / "model.sig", digests=to_digests(model))
    again = wb.sign(model, key=place / "k.key", reuse=reuse)
    assert again.reused is not None
    assert "w0.bin" in again.reused.hashed
    assert (model / "model.sig").read_bytes() != old
    wb.verify(model, key=place / "k.pub")


def test_digests_of_files_that_are_not_there_are_refused(place: Path) -> None:
    model = place / "model"
    wb.sign(model, key=place / "k.key")
    digests = to_digests(model)
    (model / "w0.bin").unlink()
    with pytest.raises(InputError, match="not there"):
        wb.sign(model, key=place / "k.key", reuse=wb.Reuse(model / "model.sig", digests=digests))
    for wrong in (["w1.bin"], "0" * 64):
        (place / "list").write_text(json.dumps(wrong))
        again = ("sign", "model", "--key", "k.key", "--reuse", "model/model.sig")
        assert run_cli(*again, "--digests", "list", cwd=place).returncode == 2
    assert run_cli(*again, "--digests", os.devnull, cwd=place).returncode == 2


def test_what_git_lfs_lists(place: Path) -> None:
    """Only some of the files, by their path in the repository; the others are hashed."""
    model = place / "model"
    wb.sign(model, key=place / "k.key")
    (model / "w0.bin").write_bytes(b"new" * BIG)
    lines = [
        f"{digest} * sub/model/{name}\n"
        for name, digest in to_digests(model).items()
        if name.startswith("w")
    ]
    (place / "list").write_text("".join(lines) + f"{'0' * 64} - other/x.bin\n")
    again = ("sign", "model", "--key", "k.key", "--reuse", "model/model.sig", "--json")
    done = run_cli(*again, "--digests", "list", "--git-prefix", "sub/model", cwd=place)
    told = json.loads(done.stdout)["reused"]
    assert ("w0.bin" in told["hashed"], told["reused_count"]) == (True, 3)
    assert run_cli("verify", "model", "--key", "k.pub", cwd=place).returncode == 0


@pytest.mark.parametrize("hash_type", ["blake2b", "sha256"])
def test_digests_beside_another_hash(place: Path, hash_type: str) -> None:
    """sha256 cannot be compared with BLAKE2b, so that everything is read and has to agree."""
    model = place / "model"
    run_cli("sign", "model", "--key", "k.key", "--hash", hash_type, cwd=place)
    (place / "list").write_text(json.dumps(to_digests(model)))
    again = ("sign", "model", "--key", "k.key", "--reuse", "model/model.sig", "--json")
    done = run_cli(*again, "--digests", "list", cwd=place)
    assert json.loads(done.stdout)["reused"]["reused_count"] == (4 if hash_type == "sha256" else 0)
    assert run_cli("verify", "model", "--key", "k.pub", cwd=place).returncode == 0
