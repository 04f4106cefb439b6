"""run: what is seen of a step, and what is kept from it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, bare_python, build_model, run_cli, to_safetensors
from weighbridge.core import DEFAULT_LIMITS, parse_bundle
from weighbridge.signing import load_public_key, verify_bundle

PYTHON = bare_python()
ENV_PATH = os.environ.get("PYTHONPATH", "")


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


def list_accesses(trace: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (item["name"], item["uri"], item["annotations"]["access"])
        for item in trace["predicate"]["monitorLog"]["fileAccess"]
    }


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
    accesses = list_accesses(trace)
    assert (other, f"file://{other}", "read") in accesses
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
    said = run(place, READ_OTHER, env=env)
    assert said["completeness"] == "declared"
    assert "strace is not installed" in said["gaps"][0]
    assert "what Rust, C and C++ read" in said["gaps"][1]
    assert said["undeclared"] == [str(place / "other.txt")]
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


# A program that is forbidden to trace, as in a container.
NO_PTRACE = """
import ctypes, os, platform, struct, sys
number = {"x86_64": 101, "aarch64": 117}[platform.machine()]
rules = b"".join(struct.pack("HBBI", *rule) for rule in [
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)])
buffer = ctypes.create_string_buffer(rules)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ((sys.executable, "-c", NO_PTRACE), "strace does not work here"),
        (("strace", "-f", "-o", "/dev/null", "--"), "strace does not work here"),
    ],
    ids=["filter", "traced already"],
)
def test_where_tracing_is_forbidden(place: Path, prefix: tuple[str, ...], words: str) -> None:
    given = ("--key", str(place.parent / "keys" / "k.key"), "-o", "model=out", "-i", "d=data.csv")
    for observe, code in (("strace", 3), ("auto", 0)):
        done = run_cli(
            *("run", "--kind", "train", *given, "--observe", observe, "--json", "--"),
            *(PYTHON, "-c", READ_OTHER),
            cwd=place,
            prefix=prefix,
        )
        assert done.returncode == code, done.stderr
        said = json.loads(done.stdout)
        if code:
            assert done.stderr.count("\n") == 1
            assert words in done.stderr
            assert not (place / "out" / "w.bin").exists()
        else:
            assert said["completeness"] == "declared"
            assert words in said["gaps"][0]
            assert said["undeclared"] == [str(place / "other.txt")]


def test_an_audit_hook_is_a_monitor(place: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [ENV_PATH, str(place)]))}
    said = run(place, READ_OTHER, "--observe", "audit", env=env)
    assert (said["completeness"], said["undeclared"]) == ("declared", [str(place / "other.txt")])
    (_, trace), *_, (_, provenance) = read_statements(place)
    assert trace["predicate"]["monitor"]["type"] == "https://weighbridge.dev/monitors/audit/v1"
    accesses = list_accesses(trace)
    written = str(place / "out" / "w.bin")
    assert (written, f"file://{written}", "write") in accesses
    built = provenance["predicate"]["buildDefinition"]["internalParameters"]
    assert (
        built["environment"]["variables"].get("PYTHONPATH", env["PYTHONPATH"])
        == (env["PYTHONPATH"])
    )
    assert "/site" not in json.dumps(built["environment"])
    assert "safetensors, pyarrow" in built["completeness"]["gaps"][0]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("cat", "data.csv"), "the command is no Python"),
        ((PYTHON, "-I", "-c", COPY), "Python is started with -I"),
    ],
)
def test_where_no_audit_hook_can_be(place: Path, command: tuple[str, ...], words: str) -> None:
    given = ("--key", str(place.parent / "keys" / "k.key"), "-o", "model=out")
    done = run_cli(
        "run", "--kind", "train", *given, "--observe", "audit", "--", *command, cwd=place
    )
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert f"the step cannot be watched: {words}" in done.stderr


def test_an_audit_hook_that_did_not_come_up_claims_nothing(place: Path) -> None:
    script = place / "train"
    script.write_text(f"#!{PYTHON} -I\n{COPY}\n")
    script.chmod(0o755)
    given = ("--key", str(place.parent / "keys" / "k.key"), "-o", "model=out")
    done = run_cli("run", "--kind", "train", *given, "--observe", "audit", "--", script, cwd=place)
    assert done.returncode == 3
    assert "the audit hook did not come up" in done.stderr
    assert not (place / "out" / "claims.jsonl").exists()


TRY = """
for name, mode in (("other.txt", "r"), ("new.txt", "w"), ("../keys/k.key", "r")):
    try:
        open(name, mode)
    except OSError:
        pass
"""


@pytest.mark.parametrize("observe", ["strace", "audit", "none"])
def test_what_the_walls_denied_is_named(place: Path, observe: str) -> None:
    given = ("--enforce", "--observe", observe)
    names = [str(place / "new.txt"), str(place / "other.txt"), str(place.parent / "keys/k.key")]
    denied = None if observe == "none" else sorted(names)
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env["PYTHONPATH"] = ENV_PATH
    failed = run(place, f"{TRY}\nopen('other.txt')", *given, exit_code=1, env=env)
    said = run(place, f"{COPY}\n{TRY}", *given, env=env)
    for got in (failed["denied"], said["denied"]):
        assert (got if got is None else [n for n in got if n not in ENV_PATH]) == denied
    *_, (_, provenance) = read_statements(place)
    known = provenance["predicate"]["buildDefinition"]["internalParameters"]["completeness"]
    assert known["denied"] == ("unknown" if denied is None else said["denied"])
    if denied is None:
        assert "is not known, since nothing watched it: use --observe auto" in failed["reason"]
        return
    assert f"  denied: {names[1]}\n" in failed["stderr"]
    assert "the walls denied it" in failed["reason"]
    assert said["undeclared"] == []
    (_, trace), *_ = read_statements(place)
    accesses = list_accesses(trace)
    assert (names[1], f"file://{names[1]}", "denied") in accesses


def test_what_bubblewrap_hides_is_named(place: Path) -> None:
    """As on a kernel without Landlock: the step sees that nothing is there."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    code = """
import sys
from weighbridge.provenance import Bubblewrap, _landlock
import weighbridge.workflow._step_watch as watch
watch.find_enforcement = lambda: Bubblewrap("/usr/bin/bwrap")
from weighbridge.cli import main
main(sys.argv[1:])
"""
    given = ("--key", str(place.parent / "keys" / "k.key"), "-o", "model=out", "--enforce")
    done = subprocess.run(
        [
            *(sys.executable, "-c", code, "run", "--kind", "train", *given, "--observe", "strace"),
            *("--", PYTHON, "-c", "open('other.txt')"),
        ],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert f"  denied: {place / 'other.txt'}\n" in done.stderr


@pytest.mark.parametrize("observe", ["strace", "audit"])
def test_a_name_that_is_no_utf8_is_listed(place: Path, observe: str) -> None:
    Path(os.fsdecode(bytes(place) + b"/odd\xff\n.txt")).write_text("odd")
    code = f"{COPY}; open(b'odd\\xff\\n.txt').read()"
    said = run(place, code, "--observe", observe)
    name = str(place / "odd") + "\\xff\\n.txt"
    assert said["undeclared"] == [name]
    (_, trace), *_, (_, provenance) = read_statements(place)
    accesses = list_accesses(trace)
    assert (name, f"file://{place}/odd%FF%0A.txt", "read") in accesses
    names = {
        d["name"]: d for d in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    assert names[name]["digest"]["sha256"] == hashlib.sha256(b"odd").hexdigest()


@pytest.mark.parametrize(
    ("observe", "sees"), [("strace", True), ("audit", False)], ids=["strace", "audit"]
)
@pytest.mark.parametrize("reader", ["safetensors", "pyarrow"])
def test_a_reader_that_is_not_in_python(
    place: Path, observe: str, reader: str, *, sees: bool
) -> None:
    pytest.importorskip(reader, reason=f"{reader} is not installed", exc_type=ImportError)
    (place / "t.csv").write_text("x\n1\n")
    (place / "t.safetensors").write_bytes(to_safetensors())
    code = {
        "safetensors": "from safetensors.numpy import load_file; load_file('t.safetensors')",
        "pyarrow": "import pyarrow.csv; pyarrow.csv.read_csv('t.csv')",
    }[reader]
    said = run(place, f"{COPY}; {code}", "--observe", observe, python=sys.executable)
    found = [name for name in said["undeclared"] if "/t." in name]
    assert bool(found) is sees
    assert sees or any(reader in gap for gap in said["gaps"])


def test_a_pipe_that_the_step_read_does_not_stop_the_record(place: Path) -> None:
    code = f"""
import os, threading
writer = threading.Thread(target=lambda: os.close(os.open("pipe", os.O_WRONLY)))
writer.start()
open("pipe").read()
writer.join()
{COPY}
"""
    os.mkfifo(place / "pipe")
    said = run(place, code, "--observe", "strace")
    assert str(place / "pipe") in said["undeclared"]


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
