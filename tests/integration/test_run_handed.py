"""run: what reaches a step, or leaves it, without being opened, and what changes under it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, bare_python
from weighbridge.errors import InputError

SECRET = "hf_abcdefghijklmnopqrstuvwxyz12"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    (work / "data.csv").write_text("x,y\n1,2\n")
    (work / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "set.txt").write_text("nobody declared this")
    wb.keygen(tmp_path / "k")
    return work


def run(
    place: Path, *words: str, stdin: IO[bytes] | int = subprocess.DEVNULL, data: bytes | None = None
) -> dict[str, Any]:
    """Run ``words``, options and a command, as a step; return its provenance."""
    fixed = ("-i", "data=data.csv", "-o", "model=out", "--key", "../k.key")
    done = subprocess.run(
        [WEIGHBRIDGE, "run", "--kind", "clean", *fixed, *words],
        cwd=place,
        check=False,
        stdin=None if data is not None else stdin,
        input=data,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    lines = (place / "out" / "claims.jsonl").read_bytes().splitlines()
    payload = json.loads(lines[-1])["dsseEnvelope"]["payload"]
    predicate: dict[str, Any] = json.loads(base64.b64decode(payload))["predicate"]
    return predicate


def get_completeness(predicate: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = predicate["buildDefinition"]["internalParameters"]["completeness"]
    return found


def list_undeclared(predicate: dict[str, Any]) -> dict[str, dict[str, Any]]:
    items = predicate["buildDefinition"]["resolvedDependencies"]
    return {i["name"]: i for i in items if i["annotations"].get("role") == "undeclared"}


def test_a_file_on_standard_input_is_undeclared(place: Path) -> None:
    other = place.parent / "elsewhere" / "set.txt"
    with other.open("rb") as stream:
        found = list_undeclared(run(place, "--", "sh", "-c", "cat > out/a", stdin=stream))
    assert (place / "out" / "a").read_bytes() == other.read_bytes()
    assert found[str(other)]["digest"]["sha256"] == hashlib.sha256(other.read_bytes()).hexdigest()


def test_an_input_on_standard_input_is_declared(place: Path) -> None:
    with (place / "data.csv").open("rb") as stream:
        predicate = run(place, "--", "sh", "-c", "cat > out/a", stdin=stream)
    assert not list_undeclared(predicate)
    assert get_completeness(predicate)["class"] == "observed"


@pytest.mark.parametrize("observe", ["none", "audit", "strace"])
def test_what_an_output_held_before_could_be_read(place: Path, observe: str) -> None:
    (place / "out" / "checkpoint").write_text("from an earlier run")
    command = (bare_python(), "-c", "open('out/a', 'w').write(open('out/checkpoint').read())")
    predicate = run(place, "--enforce", "--observe", observe, "--", *command)
    gaps = "".join(get_completeness(predicate)["gaps"])
    assert ("out was there before" in gaps) is (observe != "strace")
    kept = str(place / "out" / "checkpoint")
    assert (kept in list_undeclared(predicate)) is (observe != "none")


@pytest.mark.parametrize("command", [("mv",), ("ln",), ("cp", "--reflink=auto")])
def test_what_is_moved_into_an_output_was_read(place: Path, command: tuple[str, ...]) -> None:
    other = place.parent / "elsewhere" / "set.txt"
    predicate = run(place, "--", *command, str(other), "out/a")
    assert str(other) in list_undeclared(predicate)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs shared memory")
def test_shared_memory_is_no_part_of_the_system(place: Path) -> None:
    shared = Path("/dev/shm") / f"weighbridge-test-{os.getpid()}"
    shared.write_text("somebody put this here")
    try:
        found = list_undeclared(run(place, "--", "cp", str(shared), "out/a"))
    finally:
        shared.unlink()
    digest = hashlib.sha256(b"somebody put this here").hexdigest()
    assert found[str(shared)]["digest"] == {"sha256": digest}


def test_what_was_read_and_rewritten_has_no_digest(place: Path) -> None:
    (place / "state").write_text("1")
    code = "cp state out/a; echo other > state"
    found = list_undeclared(run(place, "--", "sh", "-c", code))[str(place / "state")]
    assert not found.get("digest")
    assert "changed" in found["annotations"]["state"]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_source_that_somebody_else_changes_meanwhile(place: Path) -> None:
    git = ("git", "-C", str(place), "-c", "user.name=x", "-c", "user.email=x@example.com")
    (place / "used.py").write_text("X = 1\n")
    (place / "same.py").write_text("X = 1\n")
    for words in (("init", "-q"), ("add", "used.py", "same.py"), ("commit", "-qm", "x")):
        subprocess.run([*git, *words], check=True)
    waiting, going = place / "out" / "waiting", place / "out" / "going"
    code = f"touch {waiting}; while [ ! -e {going} ]; do sleep 0.05; done; cat used.py same.py"
    neighbour = (
        f"while [ ! -e {waiting} ]; do sleep 0.05; done; echo X=2 > {place}/used.py; touch {going}"
    )
    with subprocess.Popen(["sh", "-c", neighbour]):
        found = list_undeclared(run(place, "--", "sh", "-c", code))
    assert str(place / "same.py") not in found
    assert not found[str(place / "used.py")].get("digest")


def test_a_process_that_is_left_behind_is_a_gap(place: Path) -> None:
    code = "touch out/a; sleep 20 >/dev/null 2>&1 & echo $! > out/pid"
    said = get_completeness(run(place, "--observe", "none", "--", "sh", "-c", code))
    os.kill(int((place / "out" / "pid").read_text()), signal.SIGKILL)
    assert any("ran on after it ended" in gap for gap in said["gaps"])
    alone = get_completeness(run(place, "--observe", "none", "--", "touch", "out/a"))
    assert not alone["gaps"]


def test_parameters_bear_no_secrets(place: Path) -> None:
    secrets = ("--param", f"note={SECRET}", "--param", "api-key=Tr0ub4dor", "--param", "lr=1e-4")
    predicate = run(place, *secrets, "--", "touch", "out/a")
    given = predicate["buildDefinition"]["externalParameters"]["parameters"]
    assert given == {"note": "[redacted]", "api-key": "[redacted]", "lr": "1e-4"}


def test_addresses_of_inputs_bear_no_secrets(place: Path) -> None:
    address = f"https://example.com/x?token=Tr0ub4dor#sha256={'0' * 64}"
    step = wb.step("clean", inputs={"x": address}, signer=place.parent / "k.key")
    with pytest.raises(InputError, match="looks like a secret") as caught, step:
        pass
    assert "Tr0ub4dor" not in str(caught.value)
