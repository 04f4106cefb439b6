"""run: the standard streams that a step is handed over, and what is told about it there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, run_cli
from weighbridge.core import DEFAULT_LIMITS, parse_bundle

TAKE = "cat > out/taken"
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "out").mkdir(parents=True)
    (work / "data.csv").write_text("x,y\n1,2\n")
    (work / "other.txt").write_text("nobody declared this")
    wb.keygen(tmp_path / "k")
    return work


def start(
    place: Path,
    script: str,
    *options: str,
    stdin: int | IO[Any] = subprocess.DEVNULL,
    given: bytes | None = None,
    **streams: Any,
) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script as a step."""
    key = str(place.parent / "k.key")
    step = ("run", "--kind", "clean", "--key", key, "-i", "data=data.csv", "-o", "m=out")
    from_where = {"stdin": stdin} if given is None else {"input": given}
    captured = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(
        [WEIGHBRIDGE, *step, *options, "--", "sh", "-c", script],
        cwd=place,
        check=False,
        timeout=120,
        **from_where,
        **captured,
    )


def read(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """Return what ``--json`` says, which is all that is on stdout."""
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def read_statements(place: Path) -> list[dict[str, Any]]:
    return [
        json.loads(parse_bundle(line, what="claim", limits=DEFAULT_LIMITS).envelope.payload)
        for line in (place / "out" / "claims.jsonl").read_bytes().splitlines()
    ]


@needs_strace
def test_a_file_that_is_redirected_to_a_step_was_read(place: Path) -> None:
    with (place / "other.txt").open("rb") as stream:
        said = read(start(place, TAKE, "--json", stdin=stream))
    assert (said["completeness"], said["undeclared"]) == ("observed", [str(place / "other.txt")])
    with (place / "data.csv").open("rb") as stream:
        said = read(start(place, TAKE, "--json", stdin=stream))
    assert (said["completeness"], said["undeclared"]) == ("observed", [])
    assert (place / "out" / "taken").read_text() == "x,y\n1,2\n"


@pytest.mark.parametrize("options", [(), ("--enforce",), ("--observe", "none")])
def test_a_pipe_is_kept_from_the_step(place: Path, options: tuple[str, ...]) -> None:
    said = read(start(place, TAKE, "--json", *options, given=b"from anywhere"))
    assert (place / "out" / "taken").read_text() == ""
    assert "the step was given an empty one; declare a file with -i" in said["warnings"][0]
    assert not any("standard input" in gap for gap in said["gaps"])
    built = read_statements(place)[-1]["predicate"]["buildDefinition"]["internalParameters"]
    assert said["warnings"][0] in built["problems"]
    told = start(place, TAKE, *options, given=b"from anywhere").stderr
    assert b"warning: the standard input was no file" in told


@needs_strace
def test_a_pipe_that_nobody_reads_costs_no_class(place: Path) -> None:
    said = read(start(place, "cp data.csv out", "--json", given=b""))
    assert (said["completeness"], said["undeclared"]) == ("observed", [])


def test_a_file_without_a_name_is_kept_from_the_step(place: Path) -> None:
    with (place / "gone").open("w+b") as stream:
        stream.write(b"x")
        stream.seek(0)
        (place / "gone").unlink()
        said = read(start(place, TAKE, "--json", stdin=stream))
    assert (place / "out" / "taken").read_text() == ""
    assert said["warnings"]


def test_nothing_to_read_is_no_gap(place: Path) -> None:
    said = read(start(place, TAKE, "--json", "--observe", "none"))
    assert not any("standard input" in gap for gap in said["gaps"])
    with (place / "log").open("wb") as stream:  # cannot be read from
        said = read(start(place, "true", "--json", "--observe", "none", stdin=stream))
    assert not any("standard input" in gap for gap in said["gaps"])


def test_no_stream_leads_through_the_walls(place: Path) -> None:
    with (place / "other.txt").open("rb") as stream:
        done = start(place, TAKE, "--enforce", stdin=stream)
    assert done.returncode == 2
    assert b"other.txt, which is no input of the step; declare it" in done.stderr
    assert not (place / "out" / "taken").exists()
    with (place / "data.csv").open("rb") as stream:
        read(start(place, TAKE, "--enforce", "--json", stdin=stream))
    assert (place / "out" / "taken").read_text() == "x,y\n1,2\n"


def test_a_terminal_is_said_in_the_record(place: Path) -> None:
    other, terminal = os.openpty()
    try:
        done = start(place, "touch out/x", stdin=terminal)
    finally:
        os.close(other)
        os.close(terminal)
    assert done.returncode == 0, done.stderr
    built = read_statements(place)[-1]["predicate"]["buildDefinition"]["internalParameters"]
    assert any("was a terminal" in words for words in built["problems"])


def test_with_json_what_a_step_prints_goes_to_stderr(place: Path) -> None:
    script = "echo printed; echo said >&2; touch out/x"
    done = start(place, script, "--json")
    assert read(done)["outputs"][0]["name"] == "m"
    assert b"printed\nsaid\n" in done.stderr
    assert start(place, script).stdout == b"printed\n"
    done = start(place, "echo printed; exit 3", "--json")
    assert (done.returncode, json.loads(done.stdout)["exit_code"]) == (1, 1)


def test_json_behind_the_dashes_is_the_commands_own(place: Path) -> None:
    done = run_cli("run", "--kind", "clean", "-o", "m=out", "--", "nothing", "--json", cwd=place)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_full_stderr_has_its_exit_code(place: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        assert start(place, "touch out/x", stderr=full).returncode == 3
        assert start(place, "exit 1", stderr=full).returncode == 1
        key = ("--key", "nowhere.key")
        assert start(place, "true", *key, stderr=full).returncode == 2


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("train.py", 0o644, "put the interpreter before it"),
        ("train", 0o644, "make it executable"),
        ("missing", None, "check the command behind --"),
    ],
)
def test_a_command_that_is_none_is_told_with_what_to_do(
    place: Path, name: str, mode: int | None, words: str
) -> None:
    if mode is not None:
        (place / name).write_text("")
        (place / name).chmod(mode)
    key = ("--key", str(place.parent / "k.key"))
    done = run_cli("run", "--kind", "train", *key, "-o", "m=out", "--", name, cwd=place)
    assert done.returncode == 2
    assert f"there is no program {name}; " in done.stderr
    assert words in done.stderr


@needs_strace
def test_a_data_set_is_one_entry_of_the_trace(place: Path) -> None:
    (place / "data").mkdir()
    names = [f"{number:04}.txt" for number in range(300)]
    for name in names:
        (place / "data" / name).write_text(name)
    (place / "data" / "claims.jsonl").write_text("")  # in the folder, and not part of its digest
    script = "cat data/* other.txt > out/x; for n in $(seq 30); do echo > out/$n; done"
    said = read(start(place, script, "--json", "-i", "set=data"))
    apart = sorted([str(place / "data" / "claims.jsonl"), str(place / "other.txt")])
    assert said["undeclared"] == apart
    trace, *_, provenance = read_statements(place)
    listed = {
        (item["name"], item["annotations"]["access"]): item["annotations"]
        for item in trace["predicate"]["monitorLog"]["fileAccess"]
    }
    assert listed[str(place / "data"), "read"]["files"] == "300"
    assert listed[str(place / "out"), "write"]["files"] == "31"
    assert all((name, "read") in listed for name in apart)
    assert not any(name.endswith("0001.txt") for name, _ in listed)
    built = provenance["predicate"]["buildDefinition"]
    assert {"set", *apart} <= {item["name"] for item in built["resolvedDependencies"]}
    assert len((place / "out" / "claims.jsonl").read_bytes()) < 40_000


@needs_strace
def test_very_many_undeclared_files_are_recorded_by_folder(place: Path) -> None:
    (place / "images").mkdir()
    for number in range(10_001):
        (place / "images" / str(number)).touch()
    script = "cat other.txt images/* > out/x"
    said = read(start(place, script, "--json"))
    assert len(said["undeclared"]) == 10_002
    trace, *_, provenance = read_statements(place)
    built = provenance["predicate"]["buildDefinition"]
    found = {
        item["name"]: item
        for item in built["resolvedDependencies"]
        if item["annotations"].get("role") == "undeclared"
    }
    assert set(found) == {str(place), str(place / "images")}
    nothing = hashlib.sha256().hexdigest()
    lines = sorted(f"{place}/images/{number}" for number in range(10_001))
    listed = "".join(f"{nothing} {path}\0" for path in lines).encode()
    images = found[str(place / "images")]
    assert images["digest"]["sha256"] == hashlib.sha256(listed).hexdigest()
    assert images["annotations"]["files"] == "10001"
    assert built["internalParameters"]["completeness"]["undeclared"] == "10002"
    assert len(json.dumps(trace)) < 20_000


def test_what_a_blind_monitor_did_not_see_is_unknown(place: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cat"):
        (programs / name).symlink_to(shutil.which(name) or "")
    env = {**os.environ, "PATH": str(programs)}  # where there is no strace
    for options in ((), ("--enforce",)):
        said = read(start(place, "cat data.csv > out/x", "--json", *options, env=env))
        assert any("the audit hook did not come up" in gap for gap in said["gaps"])
        assert said["denied"] == (None if options else [])
        built = read_statements(place)[-1]["predicate"]["buildDefinition"]
        known = built["internalParameters"]["completeness"]
        assert (known["undeclared"], known["denied"]) == (
            "unknown",
            "unknown" if options else [],
        )
    shown = run_cli("inspect", "out/claims.jsonl", cwd=place).stdout
    assert "command:  sh -c 'cat data.csv > out/x'" in shown
    assert "inputs:   declared; read and not declared: unknown" in shown
    assert "gap:      strace is not installed" in shown
