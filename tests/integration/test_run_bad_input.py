"""run, and what goes wrong: a clear sentence, the right exit code, and nothing half written."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, bare_python, build_model, run_cli, without_privileges
from weighbridge.core import DEFAULT_LIMITS, parse_bundle
from weighbridge.errors import LimitExceededError
from weighbridge.signing import load_public_key, verify_bundle

PYTHON = bare_python()
MAKE = "mkdir -p out && echo w > out/w"
GIT = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always")


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
    script: str | list[str],
    *options: str,
    code: int = 0,
    prefix: tuple[str, ...] = (),
    observe: str = "none",
    env: dict[str, str] | None = None,
    key: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Run a step, by default a shell script; return what ``--json`` says."""
    given = options or ("-i", "data=data.csv", "-o", "model=out")
    command = ["sh", "-c", script] if isinstance(script, str) else script
    signer = key or ("--key", str(place.parent / "k.key"))
    done = run_cli(
        *("run", "--kind", "train", *signer, "--observe", observe, "--json"),
        *given,
        "--",
        *command,
        cwd=place,
        prefix=prefix,
        env=env,
    )
    assert done.returncode == code, done.stderr
    return {"stderr": done.stderr, **json.loads(done.stdout)}


def read_statements(place: Path, claims: str = "out/claims.jsonl") -> list[dict[str, Any]]:
    keys = {"k": load_public_key(place.parent / "k.pub")}
    found = []
    for line in (place / claims).read_bytes().splitlines():
        bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
        verified = verify_bundle(bundle, keys, at=datetime.now(UTC))
        found.append(json.loads(verified.statement.payload))
    return found


def read_built(place: Path, claims: str = "out/claims.jsonl") -> dict[str, Any]:
    return read_statements(place, claims)[-1]["predicate"]["buildDefinition"]


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *GIT, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path, *names: str) -> str:
    """Make a repository with these files committed, and return the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-f", *names)
    git(folder, "commit", "-qm", "x")
    return git(folder, "rev-parse", "HEAD")


def find_source(built: dict[str, Any], name: str = "source") -> dict[str, Any]:
    (found,) = (d for d in built["resolvedDependencies"] if d["name"] == name)
    return found


# Paths


def test_an_output_in_the_current_folder_itself(place: Path) -> None:
    said = run(place, "true", "-i", "d=data.csv", "-o", "m=.", code=2)
    assert "overlap" in said["stderr"]
    (place.parent / "elsewhere").mkdir()
    done = run_cli(
        *("run", "--kind", "train", "--key", "../k.key", "-i", "d=../work/data.csv"),
        *("-o", "m=.", "--observe", "none", "--", "sh", "-c", "echo w > w"),
        cwd=place.parent / "elsewhere",
    )
    assert done.returncode == 0, done.stderr
    assert (place.parent / "elsewhere" / "claims.jsonl").exists()


@pytest.mark.parametrize("before", [True, False])
def test_an_output_that_is_a_link(place: Path, *, before: bool) -> None:
    (place / "real").mkdir()
    script = "echo w > real/w"
    if before:
        (place / "out").symlink_to("real")
    else:
        script += "; ln -s real out"
    said = run(place, script, code=2)
    assert "is a symbolic link" in said["stderr"]
    assert list(place.rglob("*claims.jsonl")) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ("ln -s data.csv in", "is a symbolic link"),
        ("ln -s nowhere in", "is a symbolic link"),
        ("mkfifo in", "is a named pipe"),
        ("ln -s /dev/zero in", "is a symbolic link"),
        ("mkdir in && ln -s ../../k.key in/x", "is a symbolic link"),
        ("mkdir in && mkfifo in/x", "a named pipe"),
        ("mkdir in", "in"),
        ("mkdir in && echo x > in/x && chmod 000 in", "permission denied"),
        ("mkdir in && echo x > in/x && chmod 000 in/x", "permission denied"),
    ],
)
def test_an_input_that_cannot_be_hashed(place: Path, make: str, words: str) -> None:
    subprocess.run(["sh", "-c", make], cwd=place, check=True)
    given = ("-i", "d=in", "-o", "model=out")
    said = run(place, f"touch ../ran; {MAKE}", *given, code=2, prefix=without_privileges())
    subprocess.run(["chmod", "-fR", "755", str(place / "in")], check=False)
    assert words in said["stderr"]
    assert not (place.parent / "ran").exists()


def test_a_device_as_input_or_output(place: Path) -> None:
    assert "device" in run(place, MAKE, "-i", "d=/dev/zero", "-o", "m=out", code=2)["stderr"]
    said = run(place, "true", "-i", "d=data.csv", "-o", "m=/dev/null", code=2)
    assert "device" in said["stderr"]
    assert not Path("/dev/null.claims.jsonl").exists()


@pytest.mark.parametrize(
    ("script", "words", "code"),
    [
        ("true", "the output 'model' is not at out", 2),
        ("mkdir out", "out", 2),
        ("mkfifo out", "is a named pipe", 2),
        (f"{MAKE}; ln -s /etc/passwd out/x", "is a symbolic link", 2),
        (f"{MAKE}; exit 3", "exit code 3", 1),
        (f"{MAKE}; kill -TERM $$", "ended by SIGTERM", 1),
        (f"{MAKE}; kill -SEGV $$", "ended by SIGSEGV", 1),
        (f"{MAKE}; echo 3,4 >> data.csv", "changed", 1),
        (f"{MAKE}; rm data.csv", "data.csv", 1),
        (f"{MAKE}; cp data.csv x; cat x > data.csv", "changed", 1),
        (f"{MAKE}; rm data.csv; mkdir data.csv", "data.csv", 1),
        (f"{MAKE}; mv data.csv x; ln -s x data.csv", "data.csv", 1),
        (f"{MAKE}; touch {chr(0x1B)}[2J; mv {chr(0x1B)}[2J out", "changed|out", 0),
    ],
)
def test_what_a_step_does_wrong(place: Path, script: str, words: str, code: int) -> None:
    said = run(place, script, code=code)
    assert code == 0 or words in said["stderr"]
    assert "\x1b" not in said["stderr"]
    assert (place / "out" / "claims.jsonl").exists() == (code == 0)
    assert not (place / "out.claims.jsonl").exists()


@pytest.mark.parametrize("how", ["walls", "strace"])
def test_a_step_that_is_ended_by_a_signal_however_it_is_kept(place: Path, how: str) -> None:
    (place / "out").mkdir()
    options = ("--enforce",) if how == "walls" else ()
    observe = "strace" if how == "strace" else "none"
    given = ("-i", "d=data.csv", "-o", "m=out", *options)
    said = run(place, "echo w > out/w; kill -9 $$", *given, code=1, observe=observe)
    assert "ended by SIGKILL" in said["stderr"]
    assert not (place / "out" / "claims.jsonl").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("-o", "a=w", "-o", "b=w.claims.jsonl"),
        ("-o", "b=w.claims.jsonl", "-o", "a=w"),
        ("-i", "a=w.claims.jsonl", "-o", "b=w"),
    ],
)
def test_a_claims_file_is_no_input_or_output(place: Path, options: tuple[str, ...]) -> None:
    (place / "w.claims.jsonl").write_text("{}\n")
    said = run(place, "echo w > w; touch ../ran", *options, code=2)
    assert "go to the file that is the" in said["stderr"]
    assert not (place.parent / "ran").exists()


# Names and parameters


def test_odd_names_are_recorded(place: Path) -> None:
    (place / "a=b c.csv").write_text("1")
    (place / "data\x1b[2J.csv").write_text("2")
    options = (
        *("-i", "x=a=b c.csv", "-i", "evil\x1b[2J\n=data\x1b[2J.csv", "-i", "größe=data.csv"),
        *("-o", "m\nodel=out", "--param", "a=b=c", "--param", "\x1b]0;x\x07=\n\x00".rstrip("\x00")),
        *("--name", "line\nbreak\x1b[2J"),
    )
    done = run_cli(
        *("run", "--kind", "train", "--key", "../k.key", "--observe", "none", *options),
        *("--", "sh", "-c", MAKE),
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr
    built = read_built(place)
    external = built["externalParameters"]
    assert external["inputs"]["x"] == "file:a%3Db%20c.csv"
    assert external["inputs"]["größe"] == "file:data.csv"
    assert external["parameters"]["a"] == "b=c"
    assert external["parameters"]["\x1b]0;x\x07"] == "\n"


@pytest.mark.parametrize("name", [b"\xff", b"caf\xe9"])
def test_names_that_are_not_utf8(place: Path, name: bytes) -> None:
    text = os.fsdecode(name)
    (place / text).write_text("x")
    said = run(place, MAKE, "-i", f"d={text}", "-o", "m=out", code=2)
    assert "not UTF-8" in said["stderr"]
    for options in (
        ("-i", f"{text}=data.csv", "-o", "m=out"),
        ("-i", "d=data.csv", "-o", f"{text}=out"),
        ("-i", "d=data.csv", "-o", "m=out", "--param", f"{text}=x"),
        ("-i", "d=data.csv", "-o", "m=out", "--param", f"x={text}"),
        ("-i", "d=data.csv", "-o", "m=out", "--name", text),
    ):
        said = run(place, f"touch ../ran; {MAKE}", *options, code=2)
        assert "UTF-8" in said["stderr"]
    assert not (place.parent / "ran").exists()
    # An argument may be anything; it is recorded so that it can be read.
    run(place, ["sh", "-c", MAKE, "sh", text])
    shown = "".join(c if ord(c) < 0xDC00 else f"\\x{ord(c) - 0xDC00:02x}" for c in text)
    assert read_built(place)["externalParameters"]["entryPoint"][-1] == shown


def test_a_name_that_is_not_utf8_is_read_by_the_step(place: Path) -> None:
    (place / os.fsdecode(b"o\xffr")).write_text("secret input")
    said = run(place, f"cat o*r > /dev/null; {MAKE}", observe="strace")
    assert said["undeclared"] == [f"{place}/o\\xffr"]
    trace = read_statements(place)[0]["predicate"]["monitorLog"]["fileAccess"]
    assert f"{place}/o\\xffr" in [item["name"] for item in trace]


def test_variables_and_folders_that_are_not_utf8(place: Path) -> None:
    odd = place / os.fsdecode(b"o\xff")
    odd.mkdir()
    (odd / "data.csv").write_text("x")
    commit(place, "data.csv", os.fsdecode(b"o\xff"))
    (place / "k.key").write_bytes((place.parent / "k.key").read_bytes())
    env = {
        **os.environ,
        "OMP_PLACES": os.fsdecode(b"/x\xff:/y"),
        os.fsdecode(b"\xfe\x1b[2J_TOKEN"): "x",
    }
    said = run(odd, MAKE, env=env, key=("--key", str(place.parent / "k.key")))
    assert "\x1b" not in said["stderr"]
    *_, line = (odd / "out" / "claims.jsonl").read_bytes().splitlines()
    payload = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS).envelope.payload
    built = json.loads(payload)["predicate"]["buildDefinition"]
    assert find_source(built)["annotations"]["path"] == "o\\xff"
    variables = built["internalParameters"]["environment"]["variables"]
    assert variables["OMP_PLACES"] == "/x\\xff:/y"


def test_many_parameters(place: Path) -> None:
    options = [word for n in range(2000) for word in ("--param", f"p{n}={n}")]
    run(place, MAKE, "-i", "d=data.csv", "-o", "model=out", *options)
    assert len(read_built(place)["externalParameters"]["parameters"]) == 2000


def test_a_large_parameter(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command line holds one, a program can."""
    monkeypatch.chdir(place)
    key = place.parent / "k.key"
    with (
        pytest.raises(LimitExceededError, match="max_parameters_bytes"),
        wb.step("train", params={"p": "x" * 10_000_000}, outputs={"m": "w"}, signer=key),
    ):
        pytest.fail("the work must not begin")
    many = {f"p{n}": "é" * 25_000 for n in range(100)}
    with (
        pytest.raises(LimitExceededError, match="max_parameters_bytes"),
        wb.step("train", params=many, outputs={"m": "w"}, signer=key),
    ):
        pytest.fail("the work must not begin")


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ([], 2, "there is no command to run"),
        ([""], 2, "there is no program"),
        (["no\x1b[2Jsuch"], 2, "there is no program"),
        (["/"], 2, "there is no program"),
        (["./data.csv"], 2, "there is no program"),
        (["./broken"], 2, "cannot be started"),
        (["./nothing"], 2, "cannot be started"),
    ],
)
def test_commands_that_cannot_run(place: Path, command: list[str], code: int, words: str) -> None:
    for name, content in (("broken", "#!/no/such/shell\n"), ("nothing", "")):
        (place / name).write_text(content)
        (place / name).chmod(0o755)
    said = run(place, command, code=code)
    assert words in said["stderr"]
    assert "\x1b" not in said["stderr"]
    assert not (place / "out").exists()


@pytest.mark.parametrize("redirect", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("kept", ["", "--observe strace", "--enforce --observe none"])
def test_closed_streams(place: Path, redirect: str, kept: str) -> None:
    (place / "out").mkdir()
    (place / "w.sh").write_text("echo w > out/w\n")
    line = (
        f"{WEIGHBRIDGE} run --kind train --key ../k.key -i d=data.csv -o m=out {kept} "
        f"-- sh w.sh {redirect}"
    )
    done = subprocess.run(
        ["sh", "-c", line], cwd=place, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (place / "out" / "w").read_text() == "w\n"
    assert read_statements(place)


# git


def test_no_git(place: Path) -> None:
    run(place, MAKE)
    built = read_built(place)
    assert "source" not in built["externalParameters"]
    problems = built["internalParameters"]["problems"]
    assert any("source is not known" in problem for problem in problems)


def test_git_is_not_installed(place: Path, tmp_path: Path) -> None:
    commit(place, "data.csv")
    (tmp_path / "bin").mkdir()
    for name in ("sh", "mkdir"):
        (tmp_path / "bin" / name).symlink_to(f"/bin/{name}")
    env = {**os.environ, "PATH": str(tmp_path / "bin")}
    run(place, MAKE, env=env)
    problems = read_built(place)["internalParameters"]["problems"]
    assert any("git" in problem for problem in problems)


def test_a_detached_shallow_clone(place: Path, tmp_path: Path) -> None:
    commit(place, "data.csv")
    (place / "more").write_text("x")
    head = commit(place, "more")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{place}", str(clone))
    git(clone, "checkout", "-q", "--detach")
    run(clone, MAKE)
    source = find_source(read_built(clone))
    assert source["digest"] == {"gitCommit": head}
    assert (source["annotations"]["detached"], source["annotations"]["shallow"]) == ("true", "true")


def test_files_of_a_submodule_are_covered_by_its_commit(place: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "code.sh").write_text("echo from the submodule\n")
    inner = commit(library, "code.sh")
    commit(place, "data.csv")
    git(place, "submodule", "--quiet", "add", str(library), "lib")
    git(place, "commit", "-qm", "submodule")
    said = run(place, f"cat lib/code.sh > /dev/null; {MAKE}", observe="strace")
    assert said["undeclared"] == []
    built = read_built(place)
    assert find_source(built, "source/lib")["digest"] == {"gitCommit": inner}
    (place / "lib" / "new.sh").write_text("echo new\n")  # covered by the digest of the changes
    said = run(place, "cat lib/new.sh > out/x", observe="strace")
    assert said["undeclared"] == []
    assert find_source(read_built(place), "source/lib")["annotations"]["dirty"] == "true"


def test_the_commit_is_the_one_before_the_step(place: Path) -> None:
    head = commit(place, "data.csv")
    words = shlex.join(["git", *GIT, "commit", "-qm", "during the step", "-a", "--allow-empty"])
    run(place, f"{words}; {MAKE}")
    assert git(place, "rev-parse", "HEAD") != head
    assert find_source(read_built(place))["digest"] == {"gitCommit": head}


def test_the_script_is_declared_by_itself(place: Path) -> None:
    (place / "train.sh").write_text(MAKE)
    said = run(place, ["sh", "train.sh"], observe="strace")
    assert said["undeclared"] == []
    roles = [
        d.get("annotations", {}).get("role") for d in read_built(place)["resolvedDependencies"]
    ]
    assert "entry-point" in roles


def test_a_former_output_that_is_read_is_undeclared(place: Path) -> None:
    """Though git tracks it: what it is now no commit says."""
    (place / "out").mkdir()
    (place / "out" / "w").write_text("from the step before\n")
    commit(place, "data.csv", "out")
    said = run(place, "cat out/w >> out/w2", observe="strace")
    assert said["undeclared"] == [str(place / "out" / "w")]


# What a step must not reach


@pytest.mark.parametrize("form", ["{}", "file:{}", "FILE:{}", "relative"])
def test_a_key_is_hidden_however_it_is_named(place: Path, form: str) -> None:
    (place / "out").mkdir()
    (place / "own").mkdir()
    wb.keygen(place / "own" / "s")
    name = "own/s.key" if form == "relative" else form.format(place / "own" / "s.key")
    option = "--signer" if ":" in name else "--key"
    given = ("-i", "d=data.csv", "-o", "m=out", "--enforce")
    said = run(place, "cat own/s.key", *given, code=1, key=(option, name))
    assert "its outputs are unclaimed" in said["stderr"]
    # In a folder that the step may read it cannot be hidden.
    given = ("-i", "d=own", "-o", "m=out", "--enforce")
    said = run(place, "touch out/ran", *given, code=3, key=(option, name))
    assert "could read" in said["stderr"]
    assert not (place / "out" / "ran").exists()


def test_what_is_around_is_out_of_reach(place: Path, tmp_path: Path) -> None:
    """Token, agent, the claims of an output that is one file, the key's password."""
    (place / "out").mkdir()
    (place / "out" / "w").write_text("")
    (tmp_path / "token").write_text("hunter2")
    (place / "other.claims.jsonl").write_text("{}\n")
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        env = {**os.environ, "SSH_AUTH_SOCK": str(tmp_path / "agent")}
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect('{tmp_path}/agent')"
        for script in (
            f"cat {tmp_path}/token",
            "cat other.claims.jsonl",
            "echo '{}' >> out/w.claims.jsonl",
            "cat /proc/$PPID/environ",
            f'python3 -c "{connect}" 2> /dev/null',
            'test -n "$SSH_AUTH_SOCK"',
        ):
            given = ("-i", "d=data.csv", "-o", "m=out/w", "--enforce")
            said = run(place, f"echo w > out/w && {script}", *given, code=1, env=env)
            assert "its outputs are unclaimed" in said["stderr"]
    assert not (place / "out" / "w.claims.jsonl").exists()


# Clocks


def test_a_clock_that_was_set_back(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step never ends before it begins; that nobody knows how long it took is said."""
    monkeypatch.chdir(place)
    step = wb.step("train", outputs={"m": "w"}, signer=place.parent / "k.key")
    with step:
        step._started_at = datetime.now(UTC) + timedelta(hours=1)
        Path("w").write_text("w")
    statement = read_statements(place, "w.claims.jsonl")[-1]["predicate"]
    times = statement["runDetails"]["metadata"]
    assert times["startedOn"] <= times["finishedOn"]
    problems = statement["buildDefinition"]["internalParameters"]["problems"]
    assert any("clock" in problem for problem in problems)


# What lies in an input and is not part of its digest


def test_what_no_digest_covers_is_undeclared(place: Path) -> None:
    """A claims file, a signature or a repository in an input is not what was hashed."""
    (place / "base" / "claims.jsonl").write_text("{}\n")
    (place / "base" / ".git").mkdir()
    (place / "base" / ".git" / "payload").write_text("a second data set")
    given = ("-i", "base=base", "-o", "model=out", "--no-carry")
    reading = f"cat base/.git/payload base/claims.jsonl base/config.json > /dev/null; {MAKE}"
    said = run(place, reading, *given, observe="strace")
    wanted = [str(place / "base" / name) for name in (".git/payload", "claims.jsonl")]
    assert said["undeclared"] == wanted
    said = run(place, "echo w > out/w", *given, "--enforce")
    assert [gap for gap in said["gaps"] if f"{place}/base/.git is not part of" in gap]
    # Named by itself it is an input like any other.
    said = run(place, reading, *given, "-i", "more=base/.git", observe="strace")
    assert said["undeclared"] == wanted[1:]
