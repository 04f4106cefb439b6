"""run: a command as a step, through the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sigstore.dsse import Statement as SigstoreStatement

import weighbridge as wb
from support import bare_python, build_model, run_cli
from weighbridge.core import DEFAULT_LIMITS, parse_bundle
from weighbridge.signing import load_public_key, verify_bundle

PYTHON = bare_python()
COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    build_model(tmp_path / "base")
    (tmp_path / "data.csv").write_text("x,y\n1,2\n")
    wb.keygen(tmp_path / "k")
    return tmp_path


def run(place: Path, *options: str, code: int = 0, command: tuple[str, ...] = ()) -> str:
    """Run a step that copies base to out, unless another command is given."""
    step = command or (PYTHON, "-c", COPY, "base", "out")
    chosen = options or ("-i", "base-model=base", "-i", "data=data.csv", "-o", "model=out")
    done = run_cli("run", "--kind", "train", "--key", "k.key", *chosen, "--", *step, cwd=place)
    assert done.returncode == code, done.stderr
    return done.stderr


def read_claims(place: Path, artifact: str = "out/claims.jsonl") -> list[dict[str, Any]]:
    """Return the statements of a claims file, each verified with the key."""
    found = []
    for line in (place / artifact).read_bytes().splitlines():
        bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
        keys = {"k": load_public_key(place / "k.pub")}
        payload = verify_bundle(bundle, keys, at=datetime.now(UTC)).statement.payload
        SigstoreStatement(payload)
        found.append(json.loads(payload))
    return found


def is_provenance(statement: dict[str, Any]) -> bool:
    return statement["predicateType"] == "https://slsa.dev/provenance/v1"


def test_a_step_is_recorded(place: Path) -> None:
    run(place, "--param", "lr=1e-4", "-i", "base-model=base", "-o", "model=out", "--name", "sft")
    *_, statement = read_claims(place)
    digest = wb.hash(place / "out").compute_digest().hex
    assert statement["subject"] == [{"name": "model", "digest": {"sha256": digest}}]
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    built = statement["predicate"]["buildDefinition"]
    assert built["buildType"] == "https://weighbridge.dev/buildtypes/train/v1"
    assert built["externalParameters"]["parameters"] == {"lr": "1e-4"}
    assert built["externalParameters"]["inputs"] == {"base-model": "file:base"}
    assert "sha256" not in json.dumps(built["externalParameters"])
    assert built["internalParameters"]["step"] == {"kind": "train", "name": "sft"}
    assert built["internalParameters"]["completeness"]["class"] == "observed"
    base = built["resolvedDependencies"][0]
    assert base["digest"]["sha256"] == wb.hash(place / "base").compute_digest().hex
    assert base["annotations"]["role"] == "base-model"
    details = statement["predicate"]["runDetails"]
    assert details["builder"]["id"] == "https://weighbridge.dev/builders/local/v1"
    assert details["metadata"]["startedOn"] <= details["metadata"]["finishedOn"]


def test_what_decides_numbers_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    (place / "uv.lock").write_text("")
    run(place, "-i", "pins=uv.lock", "-i", "base=base", "-o", "model=out")
    built = read_claims(place)[-1]["predicate"]["buildDefinition"]
    internal = built["internalParameters"]
    assert internal["topology"] == {"worldSize": "1"}
    assert internal["determinism"]["PYTHONHASHSEED"] == "7"
    assert internal["accelerator"]["kind"] in ("none", "gpu")
    lock, base = built["resolvedDependencies"][:2]
    assert lock["annotations"]["lockFile"] == "uv.lock"
    assert "lockFile" not in base["annotations"]


def test_claims_travel(place: Path) -> None:
    run(place, "-i", "data=data.csv", "-o", "m=out")
    step = (PYTHON, "-c", COPY, "out", "second")
    run(place, "-i", "base=out", "-o", "m=second", command=step)
    steps = [s for s in read_claims(place, "second/claims.jsonl") if is_provenance(s)]
    first, second = steps
    made_from = second["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]
    assert made_from == first["subject"][0]["digest"]
    run(place, "-i", "base=out", "-o", "m=third", "--no-carry", command=(*step[:-1], "third"))
    # The copy brought the claims of the first with it; they are not there twice.
    third = read_claims(place, "third/claims.jsonl")
    assert len([s for s in third if is_provenance(s)]) == 2


def test_a_single_file_has_its_claims_beside_it(place: Path) -> None:
    step = (PYTHON, "-c", "open('w.bin', 'wb').write(b'w')")
    run(place, "-i", "data=data.csv", "-o", "weights=w.bin", command=step)
    *_, statement = read_claims(place, "w.bin.claims.jsonl")
    assert (
        statement["subject"][0]["digest"]["sha256"] == wb.hash(place / "w.bin").resources[0].sha256
    )


@pytest.mark.parametrize(
    ("options", "step", "code", "words"),
    [
        (("-i", "a=base"), "pass", 2, "a step without an output"),
        (("-o", "a=out"), "pass", 2, "out"),
        (("-i", "a=nowhere", "-o", "m=out"), "pass", 2, "nowhere"),
        (("-i", "a=base", "-o", "m=base"), "pass", 2, "overlap"),
        (("-i", "a=base", "-o", "m=base/sub"), "pass", 2, "overlap"),
        (("-i", "a=base", "-o", "m=out", "-o", "n=out"), "pass", 2, "overlap"),
        (("-i", "a=base", "-i", "a=data.csv", "-o", "m=out"), "pass", 2, "given twice"),
        (("-i", "a=https://example.com/x", "-o", "m=out"), "pass", 2, "add its digest"),
        (("-i", "a=base", "-o", "m=out", "--builder", "me"), "pass", 2, "not a URI"),
        (("-i", "source=base", "-o", "m=out"), "pass", 2, "choose another"),
        (("-i", "a=base", "-o", "m=out"), "raise SystemExit(7)", 1, "exit code 7"),
        (("-i", "a=base", "-o", "m=out"), "import os; os.kill(os.getpid(), 9)", 1, "by SIGKILL"),
        (("-i", "a=base", "-o", "m=out"), f"{COPY}; open('base/new', 'w')", 1, "changed"),
    ],
)
def test_what_is_not_recorded(
    place: Path, options: tuple[str, ...], step: str, code: int, words: str
) -> None:
    said = run(place, *options, code=code, command=(PYTHON, "-c", step, "base", "out"))
    assert words in said
    assert not (place / "out" / "claims.jsonl").exists()


@pytest.mark.parametrize("option", [("--builder", "me"), ("-i", "package=base")])
def test_what_cannot_be_recorded_is_told_before_the_step(
    place: Path, option: tuple[str, ...]
) -> None:
    run(place, "-o", "m=out", *option, code=2, command=(PYTHON, "-c", "open('ran', 'w')"))
    assert not (place / "ran").exists()


def test_a_program_that_is_not_there(place: Path) -> None:
    assert "no program nothing-here" in run(place, code=2, command=("nothing-here",))


def test_inputs_elsewhere_go_by_digest(place: Path) -> None:
    revision, sha256 = "1f" * 20, "ab" * 32
    remote = (f"-i a=hf://org/model@{revision} -i b=https://e.com/x#sha256={sha256} "
              f"-i c=oci://r.io/m@sha256:{sha256} -o m=out").split()  # fmt: skip
    run(place, *remote)
    *_, statement = read_claims(place)
    built = statement["predicate"]["buildDefinition"]
    assert [item["digest"] for item in built["resolvedDependencies"][:3]] == [
        {"gitCommit": revision},
        {"sha256": sha256},
        {"sha256": sha256},
    ]
    assert built["externalParameters"]["inputs"] == {
        "a": "hf://org/model",
        "b": "https://e.com/x",
        "c": "oci://r.io/m",
    }


def test_claims_can_be_read_by_people_and_machines(place: Path) -> None:
    run(place)
    claims = place / "out" / "claims.jsonl"
    with claims.open("ab") as stream:
        stream.write(b'{"\x1b[2J": 1}\nnot JSON\n')
    said = run_cli("inspect", "out/claims.jsonl", cwd=place)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("nothing was verified")
    for words in ("train step 'train'", "data (file:data.csv)", "inputs:   ", "cannot be read"):
        assert words in said.stdout
    assert "\x1b" not in said.stdout
    listed = json.loads(run_cli("inspect", "out/claims.jsonl", "--json", cwd=place).stdout)
    assert listed["verified"] is False
    *good, bad, worse = listed["claims"]
    assert [claim["predicate_type"] for claim in good][-1] == "https://slsa.dev/provenance/v1"
    assert bad["problem"]
    assert worse["problem"]
    missing = run_cli("inspect", "nowhere/claims.jsonl", cwd=place)
    assert (missing.returncode, missing.stdout) == (2, "")
