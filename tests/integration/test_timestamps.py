"""Timestamps as a user has them made and verified, and what is done without any network."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.sigstore import LocalTsa, start_tsa
from support import WEIGHBRIDGE, build_model, run_cli
from unit.signing.certificate_samples import Cert, build_chain

NO_SOCKETS = """\
import os, sys
def hook(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        with open(os.environ["SOCKET_LOG"], "a") as log:
            log.write(event + "\\n")
        if os.environ.get("SOCKETS") != "let them":
            raise PermissionError(event)
sys.addaudithook(hook)
"""


@pytest.fixture(scope="module")
def _tsa() -> Iterator[LocalTsa]:
    with start_tsa() as tsa:
        yield tsa


@pytest.fixture
def tsa(_tsa: LocalTsa) -> Iterator[LocalTsa]:
    _tsa.faults.clear()
    yield _tsa
    _tsa.faults.clear()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    assert run_cli("keygen", tmp_path / "release").returncode == 0
    return build_model(tmp_path / "model")


@pytest.fixture
def authority(tsa: LocalTsa, tmp_path: Path) -> Path:
    path = tmp_path / "tsa.pem"
    path.write_text(tsa.chain_pem)
    return path


def sign(model: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return run_cli("sign", model, "--key", model.parent / "release.key", *options)


def verify(model: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return run_cli("verify", model, "--key", model.parent / "release.pub", *options)


def test_sign_inspect_verify(model: Path, tsa: LocalTsa, authority: Path) -> None:
    done = sign(model, "--timestamp", tsa.url, "--timestamp-authority", authority)
    assert done.returncode == 0, done.stderr

    said = run_cli("inspect", model / "model.sig").stdout
    assert " UTC, not verified\n" in said
    (claimed,) = json.loads(run_cli("inspect", model / "model.sig", "--json").stdout)[
        "claimed_times"
    ]

    done = verify(model)
    assert done.returncode == 0
    assert "note:      a timestamp, since no authority is named for it" in done.stdout
    assert "proven" not in done.stdout

    done = verify(model, "--timestamp-authority", authority, "--offline")
    assert done.returncode == 0, done.stderr
    assert "UTC at the latest, proven" in done.stdout
    assert "note:" not in done.stdout
    done = verify(model, "--timestamp-authority", authority, "--json")
    assert json.loads(done.stdout)["signed_by"]["existed_by"] == claimed


def test_a_replayed_timestamp_does_not_verify(model: Path, tsa: LocalTsa, authority: Path) -> None:
    assert sign(model, "--timestamp", tsa.url).returncode == 0
    first = json.loads((model / "model.sig").read_text())
    assert sign(model).returncode == 0
    second = json.loads((model / "model.sig").read_text())
    field = "timestampVerificationData"
    second["verificationMaterial"][field] = first["verificationMaterial"][field]
    (model / "model.sig").write_text(json.dumps(second))
    done = verify(model, "--timestamp-authority", authority)
    assert done.returncode == 1
    assert "a timestamp of another signature" in done.stderr
    assert verify(model).returncode == 0, "nobody asked for the time"


def test_a_stranger_does_not_verify(model: Path, tsa: LocalTsa, tmp_path: Path) -> None:
    assert sign(model, "--timestamp", tsa.url).returncode == 0
    with start_tsa() as other:
        (tmp_path / "other.pem").write_text(other.chain_pem)
    done = verify(model, "--timestamp-authority", tmp_path / "other.pem", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["answer"] == "fail"
    assert "nobody whose time is believed" in done.stderr


def test_an_unreadable_timestamp_is_shown_as_that(model: Path, authority: Path) -> None:
    assert sign(model).returncode == 0
    bundle = json.loads((model / "model.sig").read_text())
    junk = base64.b64encode(b"\x1b[31mred").decode()
    stamps = {"rfc3161Timestamps": [{"signedTimestamp": junk}]}
    bundle["verificationMaterial"]["timestampVerificationData"] = stamps
    (model / "model.sig").write_text(json.dumps(bundle))
    assert "a timestamp that cannot be read" in run_cli("inspect", model / "model.sig").stdout
    said = json.loads(run_cli("inspect", model / "model.sig", "--json").stdout)
    assert said["claimed_times"] == [None]
    done = verify(model, "--timestamp-authority", authority)
    assert done.returncode == 1
    assert "cannot be read" in done.stderr


def test_a_timestamp_outlives_the_signers_certificate(
    model: Path, tsa: LocalTsa, authority: Path, tmp_path: Path
) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)
    build_chain(Cert(ends=ends)).write(tmp_path)
    by = ("--key", tmp_path / "leaf.key", "--certificate", tmp_path / "leaf.pem")
    chain = ("--certificate-chain", tmp_path / "middle.pem")
    done = run_cli("sign", model, *by, *chain, "--timestamp", tsa.url)
    assert done.returncode == 0, done.stderr
    time.sleep(max((ends - datetime.now(UTC)).total_seconds() + 1, 0))

    trust = ("verify", model, "--certificate-authority", tmp_path / "root.pem")
    done = run_cli(*trust)
    assert done.returncode == 1
    assert "expired" in done.stderr
    done = run_cli(*trust, "--timestamp-authority", authority)
    assert done.returncode == 0, done.stderr
    assert "proof:     certificate release@example.com" in done.stdout
    assert "UTC at the latest, proven" in done.stdout


@pytest.mark.parametrize("fault", ["down", "html", "rejected", "wrong-nonce", "replayed"])
def test_without_a_timestamp_nothing_is_written(model: Path, tsa: LocalTsa, fault: str) -> None:
    assert sign(model).returncode == 0
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    with tsa.failing(tsa=fault):
        done = sign(model, "--timestamp", tsa.url)
    assert done.returncode == 3
    assert done.stderr.startswith("weighbridge: the time-stamp authority at http://127.0.0.1:")
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_signing_again_keeps_no_old_timestamp(model: Path, tsa: LocalTsa, authority: Path) -> None:
    """A timestamp is over one signature; the new one gets its own."""
    assert sign(model, "--timestamp", tsa.url).returncode == 0
    (model / "README.md").write_text("---\nlicense: mit\n---\n")
    again = ("--reuse", model / "model.sig", "--updated", "README.md")
    assert sign(model, *again, "--timestamp", tsa.url).returncode == 0
    assert "proven" in verify(model, "--timestamp-authority", authority).stdout
    assert sign(model, *again).returncode == 0
    done = verify(model, "--timestamp-authority", authority)
    assert done.returncode == 0
    assert "the time of signing, since there is no timestamp" in done.stdout


def test_the_reference_implementation_takes_the_bundle(model: Path, tsa: LocalTsa) -> None:
    pytest.importorskip("model_signing")
    assert sign(model, "--timestamp", tsa.url).returncode == 0
    done = subprocess.run(
        [
            *(sys.executable, "-m", "model_signing", "verify", "key", str(model)),
            *("--signature", str(model / "model.sig")),
            *("--public_key", str(model.parent / "release.pub")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--timestamp", "https://tsa.invalid/", "--offline"), "needs the network"),
        (("--timestamp", "file:///etc/passwd"), "begins with http:// or https://"),
        (("--timestamp-authority", "tsa.pem"), "--timestamp-authority needs --timestamp URL"),
        (
            ("--timestamp", "http://127.0.0.1/", "--timestamp-authority", "release.pub"),
            "holds a public key; give a file with certificates alone",
        ),
    ],
)
def test_what_cannot_be_asked_for(model: Path, options: tuple[str, ...], words: str) -> None:
    done = run_cli("sign", "model", "--key", "release.key", *options, cwd=model.parent)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (model / "model.sig").exists()


def test_an_authority_without_a_root_is_an_input_error(
    model: Path, tsa: LocalTsa, tmp_path: Path
) -> None:
    assert sign(model).returncode == 0
    (leaf, _) = tsa.chain_pem.split("-----END CERTIFICATE-----\n", 1)
    (tmp_path / "leaf.pem").write_text(leaf + "-----END CERTIFICATE-----\n")
    done = verify(model, "--timestamp-authority", tmp_path / "leaf.pem")
    assert done.returncode == 2
    assert "holds no root certificate" in done.stderr


def test_the_gate_believes_the_authorities_that_the_policy_names(
    model: Path, tsa: LocalTsa, authority: Path, tmp_path: Path
) -> None:
    assert sign(model, "--timestamp", tsa.url).returncode == 0
    policy = tmp_path / "weighbridge.toml"
    policy.write_text(
        "version = 1\n[trust.signers.release]\nkey = 'release.pub'\nroles = ['publisher']\n"
        "timestamp-authority = 'tsa.pem'\n[require]\nsignature = { by = ['release'] }\n"
    )
    assert authority.name == "tsa.pem"
    done = run_cli("check", model, "--policy", policy, "--json")
    assert done.returncode == 0, done.stderr
    assert '"existed_by": "20' in done.stdout
    with start_tsa() as other:
        authority.write_text(other.chain_pem)
    done = run_cli("check", model, "--policy", policy)
    assert done.returncode == 1
    assert "nobody whose time is believed" in " ".join(done.stdout.split())


class TestWithoutNetwork:
    """Every socket is an error, and a line in a log for those who would swallow it."""

    def run(
        self, folder: Path, *arguments: str | Path, let: bool = False
    ) -> tuple[subprocess.CompletedProcess[str], str]:
        hook, log = folder / "hook", folder / "sockets.log"
        hook.mkdir(exist_ok=True)
        (hook / "sitecustomize.py").write_text(NO_SOCKETS)
        log.write_text("")
        path = os.pathsep.join(filter(None, [str(hook), os.environ.get("PYTHONPATH")]))
        settings = {"PYTHONPATH": path, "SOCKET_LOG": str(log), "SOCKETS": "let them" * let}
        done = subprocess.run(
            [WEIGHBRIDGE, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **settings},
        )
        return done, log.read_text()

    def test_the_hook_sees_a_timestamp(self, model: Path, tsa: LocalTsa, tmp_path: Path) -> None:
        command = ("sign", model, "--key", tmp_path / "release.key", "--timestamp", tsa.url)
        done, log = self.run(tmp_path, *command, let=True)
        assert done.returncode == 0
        assert "socket.connect" in log
        done, log = self.run(tmp_path, *command)
        assert done.returncode == 3
        assert log

    def test_offline_opens_no_socket(
        self, model: Path, tsa: LocalTsa, authority: Path, tmp_path: Path
    ) -> None:
        assert sign(model, "--timestamp", tsa.url).returncode == 0
        key, public = tmp_path / "release.key", tmp_path / "release.pub"
        policy = tmp_path / "weighbridge.toml"
        policy.write_text(
            "version = 1\n[trust.signers.release]\nkey = 'release.pub'\nroles = ['publisher']\n"
            "[require]\nsignature = { by = ['release'] }\n"
        )
        for code, *command in (
            (0, "verify", model, "--key", public, "--offline"),
            (0, "verify", model, "--key", public, "--timestamp-authority", authority, "--offline"),
            (0, "check", model, "--policy", policy),
            (0, "check", model),
            (0, "scan", model),
            (0, "hash", model, "--oms-root"),
            (0, "inspect", model / "model.sig"),
            (2, "sign", model, "--key", key, "--timestamp", tsa.url, "--offline"),
            (0, "sign", model, "--key", key, "--offline"),
        ):
            done, log = self.run(tmp_path, *command)
            assert done.returncode == code, (command, done.stdout, done.stderr)
            assert not log, command
