"""run --store: claims are kept beside the outputs and in a store, or nowhere."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import weighbridge as wb
from support import build_model, run_cli, without_privileges
from weighbridge.core import DEFAULT_LIMITS, Digest, parse_bundle
from weighbridge.errors import IncompleteError, InputError
from weighbridge.signing import load_public_key, verify_bundle
from weighbridge.store import open_store

MAKE = "mkdir -p out && echo w > out/w"
GIVEN = ("-i", "data=data.csv", "-o", "model=out")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    build_model(work / "base")
    (work / "data.csv").write_text("x,y\n1,2\n")
    wb.keygen(tmp_path / "k")
    return work


def run(
    place: Path,
    script: str,
    *options: str,
    code: int = 0,
    prefix: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Run a shell script as a step; return what ``--json`` says."""
    done = run_cli(
        *("run", "--kind", "train", "--key", "../k.key", "--observe", "none", "--json"),
        *options,
        *("--", "sh", "-c", f"echo ran >> ../ran; {script}"),
        cwd=place,
        prefix=prefix,
    )
    assert done.returncode == code, done.stderr
    return {"stderr": done.stderr, **json.loads(done.stdout)}


def has_run(place: Path) -> bool:
    return (place.parent / "ran").exists()


def find(place: Path, store: str, digest: str) -> list[dict[str, Any]]:
    """Return the statements that a store has about an artifact, each verified with the key."""
    keys = {"k": load_public_key(place.parent / "k.pub")}
    found = []
    for data in open_store(place / store).find(Digest.parse(digest)):
        bundle = parse_bundle(data, what="claim", limits=DEFAULT_LIMITS)
        verified = verify_bundle(bundle, keys, at=datetime.now(UTC))
        found.append(json.loads(verified.statement.payload))
    return found


def test_a_store_gets_what_the_step_signed(place: Path) -> None:
    said = run(place, MAKE + "; echo s > s", *GIVEN, "-o", "s=s", "--store", "claims")
    assert said["store"] == "claims"
    model, scores = (output["digest"] for output in said["outputs"])
    (statement,) = find(place, "claims", model)
    assert find(place, "claims", scores) == [statement]
    (line,) = (place / "out" / "claims.jsonl").read_bytes().splitlines()
    assert list(open_store(place / "claims").find(Digest.parse(model))) == [line]


def test_what_is_carried_is_not_put_into_the_store(place: Path) -> None:
    run(place, MAKE, *GIVEN)
    given = ("-i", "base=out", "-o", "copy=copy", "--store", "claims")
    said = run(place, "mkdir copy && cp out/w copy/w2", *given)
    (output,) = said["outputs"]
    assert output["carried_count"] == 1
    assert len((place / "copy" / "claims.jsonl").read_bytes().splitlines()) == 2
    assert len(list((place / "claims").rglob("*.json"))) == 1


def test_a_store_is_no_change_of_the_source(place: Path) -> None:
    for command in (
        ("init", "-q"),
        ("add", "data.csv", "base"),
        ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"),
    ):
        subprocess.run(["git", *command], cwd=place, check=True)
    made = "echo s > s"
    for _ in range(2):
        said = run(place, made, "-i", "d=data.csv", "-o", "s=s", "--store", "file:claims")
    statements = find(place, "claims", said["outputs"][0]["digest"])
    assert len(statements) == 2
    for statement in statements:
        built = statement["predicate"]["buildDefinition"]
        (source,) = (d for d in built["resolvedDependencies"] if d["name"] == "source")
        assert source["annotations"]["dirty"] == "false"


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("out", "overlap"),
        ("out/claims", "overlap"),
        ("base/claims", "overlap"),
        (".", "overlap"),
        ("../work", "overlap"),
        ("data.csv", "overlap"),
        ("oci://r.io/x", "no kind of store"),
        ("sqlite:claims.db", "no kind of store"),
        ("", "empty"),
        ("../k.key", "not a directory"),
        ("/proc", "no store"),
        ("nowhere/claims", "its folder is missing"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_before(place: Path, store: str, words: str) -> None:
    said = run(place, MAKE, *GIVEN, "-i", "b=base", "--store", store, code=2)
    assert words in said["stderr"]
    assert not has_run(place)


@pytest.mark.parametrize("what", ["store", "claims", "beside"])
def test_what_cannot_be_written_is_told_before(place: Path, what: str) -> None:
    prefix = without_privileges()
    (place / "out").mkdir()
    (place / "claims").mkdir()
    output = "out"
    if what == "store":
        (place / "claims").chmod(0o555)
    elif what == "claims":
        (place / "out").chmod(0o555)
    else:
        (place / "shut").mkdir()
        (place / "shut" / "w").write_text("w")
        (place / "shut").chmod(0o555)
        output = "shut/w"
    given = ("-i", "d=data.csv", "-o", f"m={output}", "--store", "claims")
    said = run(place, "true", *given, code=2, prefix=prefix)
    for folder in ("out", "claims", *(("shut",) if what == "beside" else ())):
        (place / folder).chmod(0o755)
    assert "permission denied" in said["stderr"]
    assert not has_run(place)


SPOIL = {
    "folder": ("mkdir {}", "not a regular file|is a folder"),
    "pipe": ("mkfifo {}", "not a regular file"),
    "link": ('ln -s "$PWD/../k.key" {}', "symbolic link"),
    "dangling": ("ln -s nowhere {}", "symbolic link"),
}


@pytest.mark.parametrize("kind", SPOIL)
def test_a_claims_file_that_is_none_is_told_before(place: Path, kind: str) -> None:
    (place / "out").mkdir()
    subprocess.run(["sh", "-c", SPOIL[kind][0].format("out/claims.jsonl")], cwd=place, check=True)
    said = run(place, MAKE, *GIVEN, code=2)
    assert any(words in said["stderr"] for words in SPOIL[kind][1].split("|"))
    assert not has_run(place)
    key = place.parent / "k.key"
    with (
        pytest.raises(InputError, match=SPOIL[kind][1]),
        wb.step("train", outputs={"model": place / "out"}, signer=key),
    ):
        pytest.fail("the work must not begin")


@pytest.mark.parametrize("kind", SPOIL)
@pytest.mark.parametrize("store", [True, False])
def test_a_step_that_spoils_a_claims_file(place: Path, kind: str, *, store: bool) -> None:
    """Two outputs, and one of them cannot be claimed: then neither is."""
    (place / "first").mkdir()
    (place / "first" / "claims.jsonl").write_bytes(b'{"old": 1}\n')
    script = f"echo f > first/f; echo w > w; {SPOIL[kind][0].format('w.claims.jsonl')}"
    given = ("-i", "d=data.csv", "-o", "first=first", "-o", "weights=w")
    options = ("--store", "claims") if store else ()
    said = run(place, script, *given, *options, code=3 if store else 2)
    assert ("the store has the claims of this step" in said["stderr"]) == store
    assert (place / "first" / "claims.jsonl").read_bytes() == b'{"old": 1}\n'
    assert len(list(place.glob("claims/**/*.json"))) == (2 if store else 0)
    key = (place.parent / "k.key").read_text()
    written = [p.read_text() for p in place.rglob("*.jsonl") if p.is_file() and not p.is_symlink()]
    assert all(key.splitlines()[1] not in text for text in written)


def test_a_link_among_the_claims_of_an_input_is_not_followed(place: Path) -> None:
    """What it leads to would travel with the claims."""
    (place / "data.csv.claims.jsonl").symlink_to(place.parent / "k.key")
    said = run(place, MAKE, *GIVEN, code=2)
    assert "data.csv.claims.jsonl is a symbolic link" in said["stderr"]
    assert not has_run(place)
    run(place, MAKE, *GIVEN, "--no-carry")


def test_a_store_that_is_gone_after_the_step(place: Path) -> None:
    (place / "claims").mkdir()
    script = f"{MAKE}; rmdir claims; echo > claims"
    said = run(place, script, *GIVEN, "--store", "claims", code=2)
    assert "claims" in said["stderr"]
    assert not (place / "out" / "claims.jsonl").exists()


@pytest.mark.parametrize("store", [True, False])
def test_a_limit_on_the_size_of_files(place: Path, *, store: bool) -> None:
    prefix = ("bash", "-c", 'ulimit -f 1; exec "$@"', "limited")
    options = ("--store", "claims") if store else ()
    (place / "out").mkdir()
    (place / "out" / "claims.jsonl").write_bytes(b"{}\n")
    said = run(place, MAKE, *GIVEN, *options, code=3, prefix=prefix)
    assert "file too large; make room" in said["stderr"]
    assert (place / "out" / "claims.jsonl").read_bytes() == b"{}\n"
    assert sorted(path.name for path in (place / "out").iterdir()) == ["claims.jsonl", "w"]
    assert [
        p for p in place.rglob("*") if p.suffix in {".json", ".tmp"} and "base" not in str(p)
    ] == []


def test_a_full_disk(place: Path) -> None:
    """In a mount name space of its own, since only there may a test mount a small disk."""
    unshare = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-rm")
    probe = [*unshare, "mount", "-t", "tmpfs", "none", str(place)]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("no mount name space can be made here")
    (place / "disk").mkdir()
    script = """
    mount -t tmpfs -o size=64k none disk && mkdir disk/out && "$@"
    code=$?
    ls -AR disk | grep -q claims && exit 91
    exit $code
    """
    prefix = (*unshare, "sh", "-c", script, "small")
    fill = "echo w > disk/out/w; dd if=/dev/zero of=disk/filler bs=1k count=100 2>/dev/null; true"
    given = ("-i", "d=data.csv", "-o", "model=disk/out", "--store", "claims")
    said = run(place, fill, *given, code=3, prefix=prefix)
    assert "no space left on device; make room" in said["stderr"]
    assert "the store has the claims of this step" in said["stderr"]
    assert len(list((place / "claims").rglob("*.json"))) == 1


def test_walls_hide_the_store(place: Path) -> None:
    (place / "out").mkdir()
    (place / "claims" / "sha256").mkdir(parents=True)
    for code, script in ((0, "true"), (1, "ls claims"), (1, "echo x > claims/x")):
        said = run(
            place,
            f"echo w > out/w && {script}",
            *GIVEN,
            "--store",
            "claims",
            "--enforce",
            code=code,
        )
    assert "its outputs are unclaimed" in said["stderr"]
    assert [path.name for path in (place / "claims").iterdir()] == ["sha256"]
    # Walls that let the step at the store are no walls.
    (place / "new").mkdir()
    given = ("-i", "d=data.csv", "-o", "m=new/out", "--store", "new/claims", "--enforce")
    assert "holds more than outputs" in run(place, "true", *given, code=2)["stderr"]


def test_a_step_in_a_program(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    key = place.parent / "k.key"
    with wb.step("clean", inputs={"d": "data.csv"}, store="claims", signer=key) as step:
        Path("c").write_text("c")
        step.output("c", "c")
        with pytest.raises(InputError, match="overlap"):
            step.output("d", "claims/d")
        Path("bad.claims.jsonl").mkdir()
        with pytest.raises(InputError, match="is a folder"):
            step.output("bad", "bad")
    assert step.recorded is not None
    (output,) = step.recorded.outputs
    found = list(open_store("claims").find(output.digest))
    assert step.recorded.bundle.raw in found
    own = open_store(place / "another")
    with wb.step("clean", outputs={"c": "c"}, store=own, signer=key):
        pass
    assert list(own.find(output.digest))
    with (
        pytest.raises(InputError, match="no kind"),
        wb.step("clean", outputs={"c": "c"}, store="s3://x", signer=key),
    ):
        pytest.fail("the work must not begin")


def test_many_outputs_are_claimed_together_or_told(place: Path, monkeypatch) -> None:  # noqa: ANN001
    monkeypatch.chdir(place)
    key = place.parent / "k.key"
    names = {f"o{number}": f"o{number}" for number in range(150)}
    with wb.step("split", outputs=names, signer=key, store="claims"):
        for name in names:
            Path(name).write_text(name)
    assert len(list(place.glob("o*.claims.jsonl"))) == 150
    with (  # noqa: PT012 - the block is the step
        pytest.raises(IncompleteError, match="64 claims files before it were written"),
        wb.step("split", outputs=names, signer=key),
    ):
        Path("o100.claims.jsonl").unlink()
        Path("o100.claims.jsonl").mkdir()
