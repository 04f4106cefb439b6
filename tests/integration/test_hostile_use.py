"""Ways to mislead the gate that were found and closed; each test names one."""

from __future__ import annotations

import base64
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import weighbridge as wb
from support import CARD, EVIL_PICKLE, WEIGHBRIDGE, build_model, run_cli, without_privileges


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A signed model and its keys."""
    build_model(tmp_path / "model")
    assert run_cli("keygen", "k", cwd=tmp_path).returncode == 0
    assert run_cli("sign", "model", "--key", "k.key", cwd=tmp_path).returncode == 0
    return tmp_path


def test_a_cache_link_that_passes_through_another_link_is_refused(tmp_path: Path) -> None:
    """The system would open evil/blobs/aa where a lexical reading sees blobs/aa."""
    cache = tmp_path / "models--org--m"
    snapshot = cache / "snapshots" / "rev"
    for folder in ("blobs", "snapshots/rev", "evil/a/b", "evil/blobs"):
        (cache / folder).mkdir(parents=True)
    (cache / "blobs" / "aa").write_text("good\n")
    (cache / "evil" / "blobs" / "aa").write_bytes(EVIL_PICKLE)
    (cache / "snapshots" / "x").symlink_to("../evil/a/b")
    (snapshot / "README.md").write_text(CARD)
    (snapshot / "model.bin").symlink_to("../x/../../blobs/aa")
    assert (snapshot / "model.bin").read_bytes() == EVIL_PICKLE
    done = run_cli("check", "models--org--m/snapshots/rev", cwd=tmp_path)
    assert (done.returncode, "model.bin" in done.stdout) == (1, True)
    assert run_cli("hash", snapshot / "model.bin", cwd=tmp_path).returncode == 2


def test_a_path_through_the_parent_of_a_link_is_the_systems_path(place: Path) -> None:
    (place / "other" / "sub").mkdir(parents=True)
    shutil.copytree(place / "model", place / "other" / "model")
    (place / "other" / "model" / "evil.pkl").write_bytes(EVIL_PICKLE)
    (place / "link").symlink_to("other/sub")
    done = run_cli("verify", "link/../model", "--key", "k.pub", cwd=place)
    assert (done.returncode, "evil.pkl" in done.stderr) == (1, True)
    assert run_cli("check", "link/../model", cwd=place).returncode == 1
    assert run_cli("hash", "nowhere/../model", cwd=place).returncode == 2


def test_dots_as_the_path(place: Path) -> None:
    expected = run_cli("hash", "model", cwd=place).stdout
    for path in (".", "./", "../model", "../model/.", "vocab/.."):
        assert run_cli("hash", path, cwd=place / "model").stdout == expected, path


def test_a_signature_that_was_named_and_is_missing_is_an_error(place: Path) -> None:
    done = run_cli("check", "model", "--signature", "typo.sig", cwd=place)
    assert (done.returncode, "typo.sig" in done.stderr) == (2, True)


def test_an_empty_path_is_not_the_current_folder(place: Path) -> None:
    for command in ("hash", "scan", "check"):
        done = run_cli(command, "", cwd=place / "model")
        assert (done.returncode, "empty" in done.stderr) == (2, True), command
    for function in (wb.hash, wb.scan, wb.check):
        with pytest.raises(ValueError, match="empty"):
            function("")
        with pytest.raises(ValueError, match="NUL"):
            function("a\0b")


def test_the_library_can_be_called_again_and_again(place: Path) -> None:
    """A room called ``scan`` once took the place of the function."""
    for _ in range(2):
        assert wb.scan(place / "model").findings == ()
        assert wb.check(str(place / "model")).verdict.answer == "pass"
        assert wb.hash(place / "model").compute_digest()
        wb.verify(place / "model", key=place / "k.pub")


@pytest.mark.parametrize(
    ("options", "victim"),
    [
        (("sign", "model", "--key", "k.key", "--signature", "k.key"), "k.key"),
        (("sign", "model", "--key", "k.key", "--signature", "model/README.md"), "model/README.md"),
        (("check", "model", "--html", "model/config.json"), "model/config.json"),
        (("check", "model", "--html", "model/model.sig"), "model/model.sig"),
        (("check", "model", "--html", "model/report.html"), "model/config.json"),
        (("check", "model", "--policy", "p.toml", "--sarif", "p.toml"), "p.toml"),
        (("check", "model", "--html", "out", "--sarif", "out"), "p.toml"),
        (("hash", "model", "--manifest", "model/config.json"), "model/config.json"),
        (("hash", "p.toml", "--manifest", "p.toml"), "p.toml"),
    ],
)
def test_nothing_that_is_read_is_written_over(
    place: Path, options: tuple[str, ...], victim: str
) -> None:
    (place / "p.toml").write_text("version = 1\n[require]\nscan = {}\n")
    before = (place / victim).read_bytes()
    done = run_cli(*options, cwd=place)
    assert done.returncode == 2, done.stdout
    assert (place / victim).read_bytes() == before
    assert not (place / "out").exists()


def test_only_a_signature_is_replaced_and_never_what_is_signed(place: Path) -> None:
    """A card that quotes a bundle, a list of bundles, one claim, and a signature of a signature."""
    model, bundle = place / "model", (place / "model" / "model.sig").read_bytes()
    card = b"---\nlicense: mit\n---\n" + b'{"mediaType": "application/vnd.dev.sigstore.bundle"}\n'
    for name, content in (
        ("README.md", card),
        ("bundles.jsonl", bundle + b"\n" + bundle + b"\n"),
        ("claims.jsonl", bundle + b"\n"),
        ("model.sig.claims.jsonl", bundle + b"\n"),
        ("config.json", b'{"about": "application/vnd.dev.sigstore.bundle.v0.3+json"}'),
    ):
        (model / name).write_bytes(content)
        done = run_cli("sign", "model", "--key", "k.key", "--signature", model / name, cwd=place)
        assert done.returncode == 2, done.stdout
        assert (model / name).read_bytes() == content
    for name in ("model/model.sig", "./model/../model/model.sig"):
        done = run_cli("sign", "model/model.sig", "--key", "k.key", "--signature", name, cwd=place)
        assert (done.returncode, "what is to be signed" in done.stderr) == (2, True)
    assert (model / "model.sig").read_bytes() == bundle
    (model / "model.sig").write_text(json.dumps(json.loads(bundle), indent=2))
    (model / "config.json").write_text("{}")
    assert run_cli("sign", "model", "--key", "k.key", cwd=place).returncode == 0


def test_where_no_signature_can_be_written_nothing_is_read(place: Path) -> None:
    (place / "model" / "hole").symlink_to("nowhere")  # an error, once the files are listed
    done = run_cli("sign", "model", "--key", "k.key", "--signature", "no/x.sig", cwd=place)
    assert (done.returncode, "there is no such folder" in done.stderr) == (2, True), done.stderr


def test_a_signature_that_begins_with_two_dots_is_recorded_as_left_out(place: Path) -> None:
    (place / "model" / "model.sig").unlink()
    signature = ("--signature", "model/..x.sig")
    assert run_cli("sign", "model", "--key", "k.key", *signature, cwd=place).returncode == 0
    shown = json.loads(run_cli("inspect", "model/..x.sig", "--json", cwd=place).stdout)
    assert "..x.sig" in shown["ignored_paths"]


def test_pipes_and_devices_are_written_into_and_not_replaced(place: Path) -> None:
    done = run_cli("hash", "model", "--manifest", "/dev/stdout", cwd=place)
    assert (done.returncode, '"resources"' in done.stdout) == (0, True)
    os.mkfifo(place / "pipe")
    with subprocess.Popen(["cat", place / "pipe"], stdout=subprocess.PIPE) as reader:
        assert run_cli("check", "model", "--html", "pipe", cwd=place).returncode == 0
        assert reader.stdout is not None
        assert b"<!DOCTYPE html>" in reader.stdout.read()
    assert (place / "pipe").is_fifo()
    done = run_cli("sign", "model", "--key", "k.key", "--signature", "pipe", cwd=place)
    assert done.returncode == 2


def test_a_file_that_is_replaced_keeps_its_permissions(place: Path) -> None:
    (place / "r.html").touch(mode=0o600)
    run_cli("check", "model", "--html", "r.html", cwd=place)
    assert (place / "r.html").stat().st_mode & 0o777 == 0o600


def test_verify_does_not_let_names_speak_to_the_terminal(place: Path) -> None:
    (place / "model" / "x\x1b]0;PWNED\x07").write_text("x")
    primary, secondary = pty.openpty()
    subprocess.run(
        [WEIGHBRIDGE, "verify", "model", "--key", "k.pub"], cwd=place, check=False, stderr=secondary
    )
    os.close(secondary)
    said = os.read(primary, 100_000)
    os.close(primary)
    assert b"x\\x1b]0;PWNED\\x07" in said
    assert b"\x1b]" not in said


def test_an_interrupt_stops_every_worker(tmp_path: Path) -> None:
    """Sparse files of 200 GB take minutes to hash; an interrupt must end that in moments."""
    (tmp_path / "big").mkdir()
    for name in "ab":
        with (tmp_path / "big" / name).open("wb") as stream:
            stream.truncate(200_000_000_000)
    for command in (["hash", "big"], ["scan", "big"]):
        process = subprocess.Popen(
            [WEIGHBRIDGE, *command], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, "interrupted" in said) == (130, True), said


def test_an_early_interrupt_shows_no_traceback(place: Path) -> None:
    for step in range(12):
        process = subprocess.Popen(
            [WEIGHBRIDGE, "check", "model"],
            cwd=place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.02 + step * 0.015)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        # Before our first line of code it is the interpreter that is interrupted.
        assert "Traceback" not in said or "weighbridge/cli" not in said


def test_names_are_utf8_whatever_the_locale(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "é.txt").write_text("x")
    expected = run_cli("hash", "m", cwd=tmp_path).stdout
    plain = ("env", "LC_ALL=C", "PYTHONUTF8=0", "PYTHONCOERCECLOCALE=0")
    assert run_cli("hash", "m", cwd=tmp_path, prefix=plain).stdout == expected != ""


def test_a_payload_that_replaces_a_file_outside_the_scope_is_seen(tmp_path: Path) -> None:
    model = build_model(tmp_path / "model")
    (model / ".github").mkdir()
    (model / ".github" / "a.txt").write_text("harmless\n")
    with (model / "big.bin").open("wb") as stream:
        stream.truncate(3_000_000_000)
    process = subprocess.Popen(
        [WEIGHBRIDGE, "scan", "model"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.8)
    (model / ".github" / "a.txt").write_bytes(EVIL_PICKLE)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert ".github/a.txt" in said


@pytest.mark.parametrize("name", [".", "/", "", "..", "n" * 252, "no/such/folder/k"])
def test_key_names_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    done = run_cli("keygen", name, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "internal error" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_keygen_leaves_no_half_pair(tmp_path: Path) -> None:
    (tmp_path / "k.pub").mkdir()
    assert run_cli("keygen", "k", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "k.key").exists()


def test_long_names_and_forbidden_folders_are_plain_errors(place: Path) -> None:
    (place / "model" / ("n" * 255)).write_text("x")
    assert run_cli("check", f"model/{'n' * 255}", cwd=place).returncode == 3
    assert run_cli("check", "n" * 300, cwd=place).returncode == 2
    (place / "model").chmod(0)
    prefix = without_privileges()
    try:
        for command in (("check",), ("verify", "--key", "k.pub"), ("sign", "--key", "k.key")):
            done = run_cli(command[0], "model/vocab", *command[1:], cwd=place, prefix=prefix)
            assert done.returncode == 2, done.stderr
            assert "internal error" not in done.stderr
    finally:
        (place / "model").chmod(0o755)


def test_a_folder_that_was_deleted_is_a_plain_error(tmp_path: Path) -> None:
    script = f"mkdir d && cd d && rmdir ../d && {WEIGHBRIDGE} hash ."
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert (done.returncode, "internal error" in done.stderr) == (2, False), done.stderr


def test_too_few_descriptors_never_hide_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    for _ in range(40):
        folder /= "d"
    folder.mkdir(parents=True)
    (folder / "evil.pkl").write_bytes(EVIL_PICKLE)
    (tmp_path / "m" / "ok.txt").write_text("ok")
    script = f"ulimit -n 30; exec {WEIGHBRIDGE} scan m"
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert (done.returncode, "internal error" in done.stderr) == (3, False), done.stdout


@pytest.mark.parametrize("redirect", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_change_no_exit_code(place: Path, redirect: str) -> None:
    for command in ("hash model", "check model", "check model --json"):
        done = subprocess.run(
            ["sh", "-c", f"{WEIGHBRIDGE} {command} {redirect}"],
            cwd=place,
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_under_the_output_is_said(place: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{WEIGHBRIDGE} check model > /dev/full"],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "no space left" in done.stderr) == (3, True), done.stderr


def test_what_a_killed_sign_left_behind_does_not_get_signed(place: Path) -> None:
    leftover = place / "model" / ".weighbridge-0123456789abcdef.tmp"
    leftover.write_text("half")
    assert run_cli("sign", "model", "--key", "k.key", cwd=place).returncode == 0
    assert not leftover.exists()
    assert run_cli("verify", "model", "--key", "k.pub", cwd=place).returncode == 0


def test_a_strangers_endless_list_is_not_read(place: Path) -> None:
    """A bundle of 40 MB that nobody trusted signed costs neither memory nor time."""
    payload = json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "x", "digest": {"sha256": "00" * 32}}],
            "predicateType": "https://model_signing/signature/v1.0",
            "predicate": {"x": [[]] * 7_000_000},
        }
    ).encode()
    bundle = json.loads((place / "model" / "model.sig").read_text())
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (place / "model" / "model.sig").write_text(json.dumps(bundle))
    # VmHWM begins anew with the process; ru_maxrss would count what the parent had.
    script = (
        "import re, weighbridge as wb\n"
        "report = wb.check('model')\n"
        "status = open('/proc/self/status').read()\n"
        "print(report.verdict.answer, int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=place, check=True, capture_output=True, text=True
    )
    answer, peak_mib = done.stdout.split()
    assert answer == "unknown"
    assert int(peak_mib) < 400


def test_a_very_deep_policy_is_refused(place: Path) -> None:
    (place / "p.toml").write_text("version = 1\n[require]\nscan." + "a." * 20_000 + "a = 1\n")
    done = run_cli("check", "model", "--policy", "p.toml", cwd=place)
    assert (done.returncode, "deeper" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    "body", ["", "<!-- nothing -->", "\u200b\u00a0", "<!-- a --> \n <!-- b", "---"]
)
def test_a_card_that_says_nothing_has_no_description(place: Path, body: str) -> None:
    (place / "model" / "README.md").write_text(f"---\nlicense: mit\n---\n{body}")
    (place / "p.toml").write_text("version = 1\n[require]\ncard = { profile = 'huggingface' }\n")
    (place / "model" / "model.sig").unlink()
    done = run_cli("check", "model", "--policy", "p.toml", cwd=place)
    assert (done.returncode, "description" in done.stdout) == (1, True), done.stdout
