"""What a stranger types and calls, wrongly: one sentence each, and nothing signed or let in."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, build_model, run_cli
from weighbridge.errors import InputError, SignatureError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A signed model and its keys, in the current folder."""
    monkeypatch.chdir(tmp_path)
    build_model(tmp_path / "model")
    wb.keygen("k")
    wb.sign("model", key="k.key")
    return tmp_path


def run_at_terminal(place: Path, *arguments: str, typed: bytes = b"", **variables: str) -> str:
    """Return what a person at a terminal sees."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        # With a terminal of its own: passwords are asked for at /dev/tty.
        ["setsid", "--ctty", "--wait", WEIGHBRIDGE, *arguments],
        cwd=place,
        stdin=there,
        stdout=there,
        stderr=there,
        env={**os.environ, "TERM": "xterm", **variables},
    )
    os.close(there)
    seen = b""
    try:
        while True:
            seen += os.read(here, 4096)
            if typed and seen.rstrip().endswith(b":"):
                os.write(here, typed)
                typed = b""
    except OSError:  # the terminal is gone: the end
        pass
    finally:
        os.close(here)
        process.wait(timeout=30)
    return seen.decode(errors="replace")


@pytest.mark.parametrize("secret", [None, "", b"word", 7])
def test_a_vault_that_knows_no_password_makes_no_open_key(place: Path, secret: Any) -> None:
    """None from ``ask_secret`` once wrote the private key without any password."""
    with pytest.raises(InputError, match=r"is empty|is no text"):
        wb.keygen("new", ask_secret=lambda what: secret)  # noqa: ARG005
    assert not [*place.glob("new*")]


@pytest.mark.parametrize("secret", [None, "", b"word", "\ud800"])
def test_a_password_that_is_none_is_refused(place: Path, secret: Any) -> None:
    wb.keygen("new", ask_secret=lambda what: "word")  # noqa: ARG005
    spec = wb.SignerSpec("file:new.key", ask_secret=lambda what: secret)  # noqa: ARG005
    with pytest.raises(InputError, match=r"password of new\.key"):
        wb.sign("model", signer=spec)
    assert wb.verify("model", key="k.pub"), place


ONE_FOR_SEVERAL: dict[str, Callable[[], object]] = {
    "accept_ignored": lambda: wb.verify("model", key="k.pub", accept_ignored="notes"),
    "authorities": lambda: wb.verify("model", trust=wb.CertificateTrust("ca.pem")),
    "path": lambda: wb.verify("model", trust=wb.CertificateTrust(Path("ca.pem"))),  # type: ignore[arg-type]
    "timestamps": lambda: wb.verify("model", trust=wb.KeyTrust("k.pub", "tsa.pem")),
    "chain": lambda: wb.SignerSpec("file:k.key", certificate_chain="ca.pem"),
    "ignore": lambda: wb.sign("model", key="k.key", ignore="notes"),
    "changed": lambda: sign_again(changed="README.md"),
}
NO_SUCH_TYPE: dict[str, Callable[[], object]] = {
    "trust": lambda: wb.verify("model", trust="k.pub"),  # type: ignore[arg-type]
    "reuse": lambda: wb.sign("model", key="k.key", reuse="model/model.sig"),  # type: ignore[arg-type]
    "name": lambda: sign_again(changed=[Path("README.md")]),
    "bytes": lambda: sign_again(updated=[b"README.md"]),
    "pair": lambda: sign_again(renamed=["ab"]),
    "three": lambda: sign_again(renamed=[("a", "b", "c")]),
    "share": lambda: sign_again(changed=[], audit_ratio="5%"),
    "git": lambda: sign_again(git_status=" M README.md\n"),
    "pairs": lambda: sign_again(digests=[("README.md", "0" * 64)]),
    "digest": lambda: wb.hash("model", digests={"README.md": b"0"}),  # type: ignore[dict-item]
    "file": lambda: wb.hash("model", digests={3: "0" * 64}),  # type: ignore[dict-item]
    "dialect": lambda: wb.sign("model", key="k.key", dialect="model-signing-1.1"),  # type: ignore[arg-type]
    "serialization": lambda: wb.sign("model", key="k.key", serialization="shards"),  # type: ignore[arg-type]
}


def sign_again(**changes: Any) -> object:
    return wb.sign("model", key="k.key", reuse=wb.Reuse("model/model.sig", **changes))


def test_an_empty_identity_is_not_anybody() -> None:
    with pytest.raises(InputError, match="identity is empty"):
        wb.CertificateTrust(["ca.pem"], identity="")


@pytest.mark.parametrize("call", ONE_FOR_SEVERAL.values(), ids=ONE_FOR_SEVERAL)
def test_one_string_is_no_list(place: Path, call: Callable[[], object]) -> None:
    """It was taken letter by letter: each letter was a path that one had agreed to."""
    with pytest.raises(InputError, match="one string or path"):
        call()
    assert place


@pytest.mark.parametrize("call", NO_SUCH_TYPE.values(), ids=NO_SUCH_TYPE)
def test_a_value_of_another_type_is_refused_in_words(
    place: Path, call: Callable[[], object]
) -> None:
    before = Path("model/model.sig").read_bytes()
    with pytest.raises(InputError):
        call()
    assert (place / "model/model.sig").read_bytes() == before


@pytest.mark.parametrize("option", ["--changed", "--git-status-from", "--git-diff-from"])
def test_a_closed_stdin_is_no_empty_list(place: Path, option: str) -> None:
    """Nothing to read once meant that nothing had changed, and the old list was signed again."""
    before = Path("model/model.sig").read_bytes()
    sign = [WEIGHBRIDGE, "sign", "model", "--key", "k.key", "--reuse", "model/model.sig"]
    script = f'"$@" {option} - <&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *sign], check=False, capture_output=True, text=True, cwd=place
    )
    assert (done.returncode, "stdin" in done.stderr) == (2, True)
    assert Path("model/model.sig").read_bytes() == before


def test_the_old_signature_is_named_if_it_does_not_hold(place: Path) -> None:
    wb.keygen("other")
    reuse = wb.Reuse("model/model.sig", changed=[])
    with pytest.raises(SignatureError, match=r"the old signature model/model\.sig: .*--reuse-key"):
        wb.sign("model", key="other.key", reuse=reuse)
    assert place


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("verify", "model", "--key", "k.pub", "--json"), 2, "there is no signature file"),
        (("verify", "--json"), 2, "Missing argument"),
        (("verify", "model", "--key", "other.pub", "--json"), 1, "another key"),
        (("hash", "nowhere", "--json"), 2, "does not exist"),
        (("scan", "nowhere", "--json"), 2, "does not exist"),
        (("check", "nowhere", "--json"), 2, "does not exist"),
        (("inspect", "nowhere", "--json"), 2, "there is no signature file"),
        (("sign", "model", "--key", "nowhere", "--json"), 2, "there is no key"),
        (
            ("sign", "model", "--key", "k.key", "--timestamp", "http://127.0.0.1:9/", "--json"),
            3,
            "cannot be reached",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_json_is_asked_for_and_there_is_no_result(
    place: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    wb.keygen("other")
    if words == "there is no signature file":
        Path("model/model.sig").unlink()
    done = run_cli(*arguments, cwd=place)
    said = json.loads(done.stdout)
    assert (done.returncode, said["exit_code"]) == (code, code)
    assert said["answer"] == ("fail" if code == 1 else "unknown")
    assert words in said["reason"]
    assert words in done.stderr


def test_a_password_in_another_encoding_is_no_defect(place: Path) -> None:
    wb.keygen("new", ask_secret=lambda what: "word")  # noqa: ARG005
    seen = run_at_terminal(place, "sign", "model", "--key", "new.key", typed=b"\xff\xfe\n")
    assert "another encoding" in seen
    assert "internal error" not in seen


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_nobody_gets_colour_against_their_will(place: Path, variables: dict[str, str]) -> None:
    """On stderr and in what ``verify`` prints, too; reports had it before."""
    verify = ("verify", "model", "--key")
    assert "\x1b[" in run_at_terminal(place, *verify, "k.pub", NO_COLOR="")
    for key in ("k.pub", "nowhere"):
        assert "\x1b" not in run_at_terminal(place, *verify, key, **variables)


def test_ctrl_c_twice_shows_no_traceback(place: Path) -> None:
    """Sparse files take minutes to hash; the second one comes while threads are ending."""
    for number in range(4):
        with (place / "model" / f"w{number}.bin").open("wb") as file:
            file.truncate(200_000_000_000)
    process = subprocess.Popen(
        [WEIGHBRIDGE, "sign", "model", "--key", "k.key"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said = process.stderr.readline() + process.stderr.readline()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    said += process.stderr.read()
    process.stderr.close()
    assert process.returncode in (130, -signal.SIGINT)
    assert said.strip("\n") == "weighbridge: interrupted; nothing was left half written"


def test_one_file_is_not_files(place: Path) -> None:
    (place / "w.bin").write_bytes(b"w")
    assert "signed 1 file, " in run_cli("sign", "w.bin", "--key", "k.key", cwd=place).stdout
    assert "verified 1 file, " in run_cli("verify", "w.bin", "--key", "k.pub", cwd=place).stdout
    assert "1 file, sha256" in run_cli("inspect", "w.bin.sig", cwd=place).stdout


def test_a_folder_where_a_file_belongs_is_said_once(place: Path) -> None:
    done = run_cli("inspect", "model", cwd=place)
    assert done.stderr == (
        "weighbridge: the signature file model is a folder; name the file itself\n"
    )


def test_a_keyless_signer_has_no_public_key_to_ask_the_network_for(place: Path) -> None:
    done = run_cli("public-key", "--signer", "sigstore:", cwd=place)
    assert (done.returncode, "no lasting key" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "extra", [{"trust_config": "nowhere.json"}, {"identity_token": "token"}], ids=str
)
def test_what_is_for_keyless_signing_is_not_passed_over(place: Path, extra: Any) -> None:
    """A key once signed although the caller had named an account."""
    with pytest.raises(InputError, match="for keyless signing"):
        wb.sign("model", signer=wb.SignerSpec("file:k.key", **extra))
    assert place


def test_a_list_signed_with_ed25519_has_the_note_too(place: Path) -> None:
    run_cli("keygen", "ed", "--curve", "Ed25519", cwd=place)
    run_cli("hash", "model", "--manifest-out", "m.json", cwd=place)
    sign = ("sign", "--from-manifest", "m.json", "--key", "ed.key", "--signature", "m.sig")
    assert "cannot verify this signature" in run_cli(*sign, cwd=place).stderr
