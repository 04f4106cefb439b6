"""The commands as a user runs them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import (
    CARD,
    EVIL_PICKLE,
    WEIGHBRIDGE,
    build_model,
    run_cli,
    to_safetensors,
    without_privileges,
)

POLICY = """\
version = 1

[trust.signers.release]
key = "release.pub"
roles = ["publisher"]

[require]
signature = { by = ["release"] }
scan = { fail-on = "medium", coverage = "complete" }
licenses = { allow = ["Apache-2.0"] }
card = { profile = "huggingface" }
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a model, a key pair, a policy that trusts it, and a signature."""
    build_model(tmp_path / "model")
    (tmp_path / "weighbridge.toml").write_text(POLICY)
    assert run_cli("keygen", "release", cwd=tmp_path).returncode == 0
    assert run_cli("sign", "model", "--key", "release.key", cwd=tmp_path).returncode == 0
    return tmp_path


def check(place: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return run_cli("check", "model", "--policy", "weighbridge.toml", *more, cwd=place)


def test_a_signed_model_may_enter(place: Path) -> None:
    done = check(place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout.splitlines()[0]
    for rule in ("integrity", "signature", "scan", "licenses", "card"):
        assert rule in done.stdout


def test_a_flipped_byte_is_named(place: Path) -> None:
    file = place / "model" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    done = check(place)
    assert done.returncode == 1
    assert "FAIL" in done.stdout.splitlines()[0]
    assert "model.safetensors" in done.stdout
    done = run_cli("verify", "model", "--key", "release.pub", cwd=place)
    assert (done.returncode, "changed: model.safetensors" in done.stderr) == (1, True)
    done = run_cli("verify", "model", "--key", "release.pub", "--json", cwd=place)
    said = json.loads(done.stdout)
    assert (said["answer"], len(said["differences"])) == ("fail", 1)
    (change,) = said["diff"]["changed"]
    assert change["expected"]["name"] == change["actual"]["name"] == "model.safetensors"
    assert change["expected"]["sha256"] != change["actual"]["sha256"]
    assert change["actual"]["size_bytes"] == len(data)


def test_a_pickle_that_runs_code_is_named(place: Path) -> None:
    (place / "model" / "optimizer.bin").write_bytes(EVIL_PICKLE)
    done = check(place)
    assert done.returncode == 1
    assert "optimizer.bin" in done.stdout
    assert "system" in done.stdout


def test_a_payload_outside_the_scope_is_found_too(place: Path) -> None:
    (place / "model" / ".github").mkdir()
    (place / "model" / ".github" / "x").write_bytes(EVIL_PICKLE)
    done = check(place)
    assert done.returncode == 1
    assert ".github/x" in done.stdout


def test_a_model_signed_by_somebody_else_fails(place: Path) -> None:
    run_cli("keygen", "other", cwd=place)
    run_cli("sign", "model", "--key", "other.key", cwd=place)
    done = check(place)
    assert done.returncode == 1
    assert "release" in done.stdout


def test_an_unsigned_model_fails_where_a_signature_is_required(place: Path) -> None:
    (place / "model" / "model.sig").unlink()
    assert check(place).returncode == 1


def test_without_a_policy_the_built_in_one_says_what_it_did_not_check(place: Path) -> None:
    done = run_cli("check", "model", cwd=place)
    assert done.returncode == 0, done.stdout
    assert "not checked" in done.stdout.lower()
    (place / "model" / "extra.txt").write_text("unsigned\n")
    done = run_cli("check", "model", cwd=place)
    assert (done.returncode, "extra.txt" in done.stdout) == (1, True)


def test_a_file_that_nobody_examined_makes_it_unknown(place: Path) -> None:
    (place / "model" / "extra.dat").write_bytes(bytes(range(1, 256)))
    run_cli("sign", "model", "--key", "release.key", cwd=place)
    done = check(place)
    assert done.returncode == 3
    assert "UNKNOWN" in done.stdout.splitlines()[0]
    assert "extra.dat" in done.stdout


def test_reports_are_written(place: Path) -> None:
    done = check(place, "--json", "--html", "r.html", "--sarif", "r.sarif")
    report = json.loads(done.stdout)
    assert report["answer"] == "pass"
    assert (place / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads((place / "r.sarif").read_text())["version"] == "2.1.0"


def test_one_file_can_be_signed_and_verified(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(to_safetensors())
    run_cli("keygen", "k", cwd=tmp_path)
    assert run_cli("sign", "w.safetensors", "--key", "k.key", cwd=tmp_path).returncode == 0
    assert (tmp_path / "w.safetensors.sig").is_file()
    done = run_cli("verify", "w.safetensors", "--key", "k.pub", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_signature_file_elsewhere(place: Path) -> None:
    (place / "model" / "model.sig").unlink()
    for signature in ("outside.sig", "model/nested.sig"):
        arguments = ("model", "--signature", signature)
        assert run_cli("sign", *arguments, "--key", "release.key", cwd=place).returncode == 0
        done = run_cli("verify", *arguments, "--key", "release.pub", cwd=place)
        assert done.returncode == 0, done.stderr
        done = check(place, "--signature", signature)
        assert done.returncode == 0, done.stdout
        (place / signature).unlink()


def test_keygen_never_overwrites(place: Path) -> None:
    before = (place / "release.key").read_bytes()
    done = run_cli("keygen", "release", cwd=place)
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    assert (place / "release.key").read_bytes() == before
    assert (place / "release.key").stat().st_mode & 0o777 == 0o600


def test_openssl_keys_are_read(place: Path) -> None:
    subprocess.run(
        "openssl ecparam -name prime256v1 -genkey -out o.key"
        " && openssl ec -in o.key -pubout -out o.pub",
        shell=True,
        cwd=place,
        check=True,
        capture_output=True,
    )
    assert run_cli("sign", "model", "--key", "o.key", cwd=place).returncode == 0
    assert run_cli("verify", "model", "--key", "o.pub", cwd=place).returncode == 0
    assert run_cli("verify", "model", "--key", "release.pub", cwd=place).returncode == 1


def test_the_manifest_can_be_kept(place: Path) -> None:
    run_cli("hash", "model", "--manifest", "m.json", cwd=place)
    digest = run_cli("hash", "model", "--manifest", "m.sha256", cwd=place).stdout.strip()
    assert json.loads((place / "m.json").read_text())["artifact"] == digest
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "../m.sha256"],
        cwd=place / "model",
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    said = subprocess.run(
        ["sha256sum", "m.sha256"], cwd=place, check=True, capture_output=True, text=True
    )
    assert digest == f"sha256:{said.stdout.split()[0]}"


# What is wrong with the path, for every command that takes one: (make it, words, exit code).
COMMANDS = ("hash", "sign", "verify", "scan", "check")


def test_a_missing_path(place: Path) -> None:
    for command in COMMANDS:
        key = ("--key", "release.key") if command == "sign" else ()
        key = ("--key", "release.pub") if command == "verify" else key
        done = run_cli(command, "nowhere", *key, cwd=place)
        assert done.returncode == 2, (command, done.stderr)
        assert "nowhere" in done.stderr


def test_an_empty_folder(place: Path) -> None:
    (place / "void").mkdir()
    for command in ("hash", "scan", "check"):
        done = run_cli(command, "void", cwd=place)
        assert (done.returncode, "empty folder" in done.stderr) == (2, True), command


@pytest.mark.parametrize("kind", ["link", "fifo", "latin", "newline"])
def test_an_entry_that_is_no_part_of_an_artifact(place: Path, kind: str) -> None:
    model = place / "model"
    match kind:
        case "link":
            (model / "thing").symlink_to("/etc/passwd")
        case "fifo":
            os.mkfifo(model / "thing")
        case "latin":
            Path(os.fsdecode(os.fsencode(model) + b"/thing\xe9")).write_bytes(b"x")
        case "newline":
            (model / "thing\nevil").write_bytes(b"x")
    for command in ("hash", "sign", "verify"):
        key = () if command == "hash" else ("--key", "release.key")
        key = ("--key", "release.pub") if command == "verify" else key
        done = run_cli(command, "model", *key, cwd=place)
        assert (done.returncode, "thing" in done.stderr) == (2, True), done.stderr
        assert len(done.stderr.splitlines()) == 1
    for command in ("scan", "check"):
        done = run_cli(command, "model", cwd=place)
        assert (done.returncode, "thing" in done.stdout) == (1, True), done.stdout
        assert "\nevil" not in done.stdout


@pytest.mark.parametrize("what", ["file", "folder"])
def test_something_unreadable_is_never_skipped(place: Path, what: str) -> None:
    path = place / "model" / ("model.safetensors" if what == "file" else "vocab")
    path.chmod(0)
    prefix = without_privileges()
    try:
        done = run_cli("hash", "model", cwd=place, prefix=prefix)
        assert (done.returncode, path.name in done.stderr) == (2, True), done.stderr
        for command in ("scan", "check"):
            done = run_cli(command, "model", cwd=place, prefix=prefix)
            assert (done.returncode, path.name in done.stdout) == (3, True), done.stdout
    finally:
        path.chmod(0o755)


BAD_SIGNATURES = {
    "not JSON": (b"hello", 2),
    "empty": (b"", 2),
    "a list": (b"[]", 2),
    "duplicate keys": (b'{"mediaType": "a", "mediaType": "b"}', 2),
    "deep": (b"[" * 100_000, 2),
    "binary": (bytes(range(256)), 2),
}


@pytest.mark.parametrize("name", BAD_SIGNATURES)
def test_signature_files_that_are_none(place: Path, name: str) -> None:
    data, code = BAD_SIGNATURES[name]
    (place / "model" / "model.sig").write_bytes(data)
    done = run_cli("verify", "model", "--key", "release.pub", cwd=place)
    assert (done.returncode, "model.sig" in done.stderr) == (code, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert check(place).returncode == 1
    assert run_cli("check", "model", cwd=place).returncode in {1, 3}


def test_a_signature_file_of_one_gibibyte_is_not_read(place: Path) -> None:
    with (place / "model" / "model.sig").open("wb") as stream:
        stream.truncate(1024**3)
    done = run_cli("verify", "model", "--key", "release.pub", cwd=place)
    assert done.returncode == 3
    assert "1,073,741,824" in done.stderr


def test_no_signature_file(place: Path) -> None:
    (place / "model" / "model.sig").unlink()
    done = run_cli("verify", "model", "--key", "release.pub", cwd=place)
    assert (done.returncode, "model.sig" in done.stderr) == (2, True)


BAD_POLICIES = {
    "no rule": ("version = 1\n", "rule"),
    "an unknown key": ("version = 1\n[require]\nscan = { fail-onn = 'low' }\n", "fail-on"),
    "not TOML": ("version 1", "TOML"),
    "a level that there is not": (
        "version = 1\n[require]\nprovenance = { level = 4 }\n",
        "provenance",
    ),
    "a missing key file": (POLICY.replace("release.pub", "none.pub"), "none.pub"),
}


@pytest.mark.parametrize("name", BAD_POLICIES)
def test_policies_that_are_none(place: Path, name: str) -> None:
    text, words = BAD_POLICIES[name]
    (place / "weighbridge.toml").write_text(text)
    done = check(place)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert done.stdout == ""


def test_usage_errors_end_with_two(place: Path) -> None:
    for arguments in (["hash"], ["hash", "model", "--no-such"], ["nonsense"], ["sign", "model"]):
        assert run_cli(*arguments, cwd=place).returncode == 2


def test_a_report_that_cannot_be_written_is_an_error(place: Path) -> None:
    done = check(place, "--html", "no/such/folder/r.html")
    assert (done.returncode, "r.html" in done.stderr) == (2, True), done.stderr


def test_a_closed_pipe_is_no_traceback(place: Path) -> None:
    done = subprocess.run(
        f"{WEIGHBRIDGE} check model --json | head -c 1",
        shell=True,
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    "words",
    [("check", "model"), ("check", "model", "--json"), ("trace", "model"), ("policy", "explain")],
    ids=" ".join,
)
def test_a_reader_that_is_gone_is_no_verdict(place: Path, words: tuple[str, ...]) -> None:
    """1 would mean fail."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:  # noqa: PTH123 - a descriptor
        done = subprocess.run(
            [WEIGHBRIDGE, *words], cwd=place, check=False, stdout=gone, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_interrupting_sign_leaves_the_old_signature(place: Path) -> None:
    """Killed at any moment, ``sign`` leaves the old signature or the new one, whole."""
    signature = place / "model" / "model.sig"
    (place / "model" / "big.bin").write_bytes(os.urandom(20_000_000))
    command = [WEIGHBRIDGE, "sign", "model", "--key", "release.key"]
    started = time.monotonic()
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    whole = time.monotonic() - started
    for step in range(10):
        process = subprocess.Popen(
            command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(whole * (step + 1) / 10)
        process.send_signal(signal.SIGKILL if step % 2 else signal.SIGINT)
        process.wait()
        json.loads(signature.read_bytes())
        done = run_cli("verify", "model", "--key", "release.pub", cwd=place)
        assert done.returncode == 0, done.stderr


SLOW_WRITER = """
import sys, time
from pathlib import Path
file = Path(sys.argv[1])
print("ready", flush=True)
while True:
    with file.open("r+b") as stream:
        stream.write(str(time.monotonic_ns()).encode())
"""


def test_a_file_that_is_being_written_fails_by_name(place: Path) -> None:
    file = place / "model" / "big.bin"
    file.write_bytes(bytes(50_000_000))
    writer = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, str(file)], stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        done = run_cli("hash", "model", cwd=place)
        assert (done.returncode, "big.bin changed" in done.stderr) == (1, True), done.stderr
        done = run_cli("check", "model", cwd=place)
        assert (done.returncode, "big.bin" in done.stdout) == (1, True)
    finally:
        writer.kill()
        writer.communicate()


def test_names_cannot_speak_to_the_terminal(place: Path) -> None:
    (place / "model" / "\x1b[2J\x1b[31mevil\u202e").write_bytes(EVIL_PICKLE)
    (place / "model" / "README.md").write_text(CARD.replace("apache-2.0", '"\\e[31mx"'))
    for command in ("scan", "check"):
        done = run_cli(command, "model", cwd=place)
        assert done.returncode == 1
        assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)
        assert "\\x1b[2J" in done.stdout
