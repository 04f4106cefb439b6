"""run: what is seen of a step, and what is kept from it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import venv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, bare_python, build_model, run_cli
from weighbridge.core import DEFAULT_LIMITS, parse_bundle
from weighbridge.signing import load_public_key, verify_bundle

PYTHON = bare_python()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    build_model(work / "base")
    (work / "data.csv").write_text("x,y\n1,2\n")
    (work / "other.txt").write_text("nobody declared this")
    (work / "out").mkdir()
    (tmp_path / "keys").mkdir()
    wb.keygen(tmp_path / "keys" / "k")
    return work


def run(
    place: Path,
    code: str,
    *options: str,
    exit_code: int = 0,
    env: dict[str, str] | None = None,
    python: str = PYTHON,
) -> dict[str, Any]:
    """Run Python code as a step that makes ``out``; return what ``--json`` says."""
    given = ("-i", "base=base", "-i", "data=data.csv", "-o", "model=out", "--json", *options)
    key = ("--key", str(place.parent / "keys" / "k.key"))
    done = subprocess.run(  # not run_cli: the step's own traceback may be there
        [WEIGHBRIDGE, "run", "--kind", "train", *key, *given, "--", python, "-c", code],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=env,
    )
    assert done.returncode == exit_code, done.stderr
    return {"stderr": done.stderr, **(json.loads(done.stdout) if done.stdout.strip() else {})}


def read_statements(place: Path) -> list[tuple[bytes, dict[str, Any]]]:
    keys = {"k": load_public_key(place.parent / "keys" / "k.pub")}
    found = []
    for line in (place / "out" / "claims.jsonl").read_bytes().splitlines():
        bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
        payload = verify_bundle(bundle, keys, at=datetime.now(UTC)).statement.payload
        found.append((payload, json.loads(payload)))
    return found


CHILD = """
import multiprocessing
child = multiprocessing.get_context("fork").Process(target=open, args=("other.txt",))
child.start()
child.join()
open("out/x", "w")
"""
COPY = "import shutil; shutil.copy('data.csv', 'out/w.bin')"
READ_OTHER = f"{COPY}; open('other.txt').read()"


def test_what_was_read_and_not_declared_is_listed(place: Path) -> None:
    said = run(place, READ_OTHER, "--observe", "strace")
    other = str(place / "other.txt")
    assert (said["completeness"], said["undeclared"]) == ("observed", [other])
    (trace_bytes, trace), (scai_bytes, scai), (_, provenance) = read_statements(place)
    assert trace["predicateType"] == "https://in-toto.io/attestation/runtime-trace/v0.1"
    accesses = trace["predicate"]["monitorLog"]["fileAccess"]
    assert {"name": other, "annotations": {"access": "read"}} in accesses
    assert scai["predicateType"] == "https://in-toto.io/attestation/scai/v0.3"
    beside = [d["digest"]["sha256"] for d in provenance["predicate"]["runDetails"]["byproducts"]]
    assert beside == [hashlib.sha256(data).hexdigest() for data in (trace_bytes, scai_bytes)]
    built = provenance["predicate"]["buildDefinition"]
    (found,) = [
        d
        for d in built["resolvedDependencies"]
        if d.get("annotations", {}).get("role") == "undeclared"
    ]
    assert found["digest"]["sha256"] == hashlib.sha256(b"nobody declared this").hexdigest()
    assert built["internalParameters"]["completeness"]["undeclared"] == "1"


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess; subprocess.run(['sh', '-c', 'cat other.txt > out/x'], check=True)",
        "import ctypes; f = ctypes.CDLL(None).open(b'other.txt', 0); open('out/x', 'w')",
        "import numpy as np; np.memmap('other.txt', mode='r').sum(); open('out/x', 'w')",
        CHILD,
    ],
    ids=["shell", "ctypes", "memmap", "child"],
)
def test_whoever_reads_it(place: Path, code: str) -> None:
    python = sys.executable if "numpy" in code else PYTHON
    said = run(place, code, "--observe", "strace", python=python)
    assert str(place / "other.txt") in said["undeclared"]


def test_without_strace(place: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    env = {**os.environ, "PATH": str(tmp_path / "bin")}
    said = run(place, COPY, "--observe", "strace", exit_code=3, env=env)
    assert "strace is not installed" in said["stderr"]
    assert not (place / "out" / "claims.jsonl").exists()
    said = run(place, COPY, env=env)
    assert said["completeness"] == "declared"
    assert "strace is not installed" in said["gaps"][0]
    assert run(place, COPY, "--observe", "none")["gaps"] == []


def test_walls_let_the_declared_through(place: Path) -> None:
    said = run(place, COPY, "--enforce")
    assert (said["completeness"], said["undeclared"]) == ("enforced", [])
    *_, (_, provenance) = read_statements(place)
    known = provenance["predicate"]["buildDefinition"]["internalParameters"]["completeness"]
    assert (known["class"], known["network"]) == ("enforced", "denied")
    assert known["enforcer"] in {"landlock", "bubblewrap"}


@pytest.mark.parametrize(
    "code",
    [
        "open('other.txt')",
        "open('../keys/k.key')",
        "open('new', 'w')",
        "open('data.csv', 'a')",
        "import subprocess; subprocess.run(['sh', '-c', 'cat other.txt'], check=True)",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
    ],
)
@pytest.mark.parametrize("observe", ["none", "strace"])
def test_walls_keep_the_rest_away(place: Path, code: str, observe: str) -> None:
    said = run(place, f"{COPY}; {code}", "--enforce", "--observe", observe, exit_code=1)
    assert "its outputs are unclaimed" in said["stderr"]
    assert "ermission" in said["stderr"] or "not permitted" in said["stderr"]
    assert not (place / "out" / "claims.jsonl").exists()


def test_an_output_has_a_folder_of_its_own(place: Path) -> None:
    (place / "out").rmdir()
    said = run(place, COPY, "--enforce", exit_code=2)
    assert "holds more than outputs" in said["stderr"]


def test_secrets_stay_out(place: Path) -> None:
    secret = "hf_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zZ12"
    env = {**os.environ, "HF_TOKEN": secret, "SSH_AUTH_SOCK": "/tmp/agent", "PYTHONHASHSEED": "7"}
    code = (
        "import os, shutil; assert not {'HF_TOKEN', 'SSH_AUTH_SOCK'} & os.environ.keys(); "
        f"t = '{secret}'; {COPY}"
    )
    said = run(place, code, "--observe", "none", env=env)
    assert {"HF_TOKEN", "SSH_AUTH_SOCK"} <= set(said["removed_variables"])
    statements = read_statements(place)
    assert all(secret.encode() not in payload for payload, _ in statements)
    provenance = statements[-1][1]
    assert secret not in said["stderr"]
    facts = provenance["predicate"]["buildDefinition"]["internalParameters"]["environment"]
    assert facts["variables"]["PYTHONHASHSEED"] == "7"


def test_the_script_and_the_commit_are_recorded(place: Path) -> None:
    (place / "train.py").write_text(COPY)
    for command in (
        ("init", "-q"),
        ("add", "train.py"),
        ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"),
    ):
        os.spawnvp(os.P_WAIT, "git", ["git", "-C", str(place), *command])
    key = ("--key", str(place.parent / "keys" / "k.key"))
    given = ("-i", "data=data.csv", "-i", "base=base", "-o", "model=out", "--observe", "strace")
    done = run_cli(
        *("run", "--kind", "train", *key, *given, "--json", "--", PYTHON, "train.py"), cwd=place
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["undeclared"] == []
    *_, (_, provenance) = read_statements(place)
    roles = {
        d.get("annotations", {}).get("role"): d
        for d in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    assert len(roles["source"]["digest"]["gitCommit"]) == 40
    script = hashlib.sha256(COPY.encode()).hexdigest()
    assert roles["entry-point"]["digest"]["sha256"] == script


def install(python: str, name: str, files: dict[str, str]) -> Path:
    """Install a package as an installer does; return the folder of packages."""
    packages = next(Path(python).parent.parent.glob("lib/python*/site-packages"))
    rows = []
    for path, text in {
        **files,
        f"{name}-1.dist-info/METADATA": f"Name: {name}\nVersion: 1\n",
    }.items():
        (packages / path).parent.mkdir(exist_ok=True)
        (packages / path).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        rows.append(f"{path},sha256={digest.rstrip('=')},{len(text)}")
    record = f"{name}-1.dist-info/RECORD"
    (packages / record).write_text("\n".join([*rows, f"{record},,", ""]))
    return packages


def test_what_no_record_lists_is_not_part_of_a_package(place: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    python = str(tmp_path / "env" / "bin" / "python")
    packages = install(
        python,
        "tiny",
        {
            "tiny/__init__.py": "import importlib.metadata as m; m.distribution('tiny').files\n",
            "tiny/changed.py": "",
        },
    )
    (packages / "tiny" / "planted.csv").write_text("1")
    (packages / "tiny" / "changed.py").write_text("x = 1")
    code = f"import tiny; {COPY}"
    assert run(place, code, "--observe", "strace", python=python)["undeclared"] == []
    assert run(place, code, "--observe", "strace", python=python)["undeclared"] == []  # bytecode
    code = f"import tiny.changed; open({str(packages / 'tiny/planted.csv')!r}).read(); {COPY}"
    said = run(place, code, "--observe", "strace", python=python)
    assert said["undeclared"] == [
        str(packages / "tiny" / name) for name in ("changed.py", "planted.csv")
    ]


def list_roles(place: Path) -> dict[str, list[str]]:
    *_, (_, provenance) = read_statements(place)
    found: dict[str, list[str]] = {}
    for item in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]:
        found.setdefault(item["annotations"]["role"], []).append(item["name"])
    return found


def test_a_python_that_a_shell_starts_is_recorded(place: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    python = str(tmp_path / "env" / "bin" / "python")
    install(python, "tiny", {"tiny/__init__.py": ""})
    env = {**os.environ, "PATH": f"{Path(python).parent}:{os.environ['PATH']}"}
    given = ("-o", "model=out", "--observe", "strace", "--key", str(tmp_path / "keys" / "k.key"))

    def run_shell(script: str) -> dict[str, list[str]]:
        command = ("run", "--kind", "train", *given, "--", "sh", "-c", script)
        done = run_cli(*command, cwd=place, env=env)
        assert done.returncode == 0, done.stderr
        return list_roles(place)

    roles = run_shell('python -c \'import tiny; open("out/x", "w")\'')
    assert "tiny" in roles["package"]
    assert "cpython" in roles["interpreter"]
    roles = run_shell("echo 1 > out/x")
    assert "package" not in roles
    assert len(roles["entry-point"]) == len(roles["base-image"]) == 1


def test_walls_do_not_open_for_an_argument(place: Path) -> None:
    given = ("-o", "model=out", "--enforce", "--key", str(place.parent / "keys" / "k.key"))
    done = run_cli("run", "--kind", "clean", *given, "--", "cp", "other.txt", "out/x", cwd=place)
    assert done.returncode == 1
    assert "ermission" in done.stderr
