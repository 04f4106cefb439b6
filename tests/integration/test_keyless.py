"""Keyless signing through the command line, with a Sigstore on this machine."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from model_signing import hashing, signing, verifying
from sigstore.errors import VerificationError

import weighbridge as wb
from services.sigstore import LocalSigstore, start
from support import WEIGHBRIDGE, build_model
from weighbridge.core import DEFAULT_LIMITS, HumanReview
from weighbridge.workflow._collect import collect_claims
from weighbridge.workflow._trust import load_verifier

ALICE = "alice@example.com"
CI_VARIABLES = ("GITHUB_ACTIONS", "BUILDKITE", "GITLAB_CI", "CIRCLECI", "BROWSER", "DISPLAY")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*CI_VARIABLES, "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return build_model(tmp_path / "model")


def run(*arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line where nobody sits at a terminal."""
    done = subprocess.run(
        [WEIGHBRIDGE, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == expect, (done.stdout, done.stderr)
    if expect in (1, 2, 3):
        assert len(done.stderr.strip().splitlines()) >= 1
    return done


def token_file(local: LocalSigstore, folder: Path, *who: str, **claims: Any) -> Path:
    path = folder / "token"
    path.write_text(local.token(*who, **claims) + "\n")
    return path


def sign(local: LocalSigstore, model: Path, version: int = 2, *more: str | Path) -> Path:
    token = token_file(local, model.parent)
    config = local.trust_config(version)
    run("sign", model, "--keyless", "--trust-config", config, "--identity-token-file", token, *more)
    return model / "model.sig"


def trust(local: LocalSigstore, who: str = ALICE, issuer: str = "") -> list[str | Path]:
    options = ["--identity", who, "--issuer", issuer or local.issuer]
    return [*options, "--trust-config", local.trust_config()]


@pytest.mark.parametrize("version", [1, 2])
def test_sign_and_verify(local_sigstore: LocalSigstore, model: Path, version: int) -> None:
    sign(local_sigstore, model, version)
    told = run("verify", model, *trust(local_sigstore)).stdout
    assert "verified 4 files" in told
    assert f"keyless {ALICE}, by {local_sigstore.issuer}" in told
    assert "UTC at the latest, proven" in told
    signed_by = json.loads(run("verify", model, *trust(local_sigstore), "--json").stdout)[
        "signed_by"
    ]
    assert signed_by["method"] == "keyless"
    assert (signed_by["identity"], signed_by["issuer"]) == (ALICE, local_sigstore.issuer)
    assert signed_by["existed_by"].endswith("Z")
    assert signed_by["notes"] == []
    inspected = run("inspect", model / "model.sig").stdout
    assert "a Sigstore certificate and 1 log entries" in inspected


def test_a_review_is_by_the_account_that_logged_in(
    local_sigstore: LocalSigstore, model: Path
) -> None:
    """What the statement says of its signer is what the proof says."""
    token = token_file(local_sigstore, model.parent)
    config = local_sigstore.trust_config(2)
    run(
        *("review", model, "--scope", "training data", "--decision", "approve"),
        *("--keyless", "--trust-config", config, "--identity-token-file", token),
    )
    verifier = load_verifier(
        wb.KeylessTrust(ALICE, local_sigstore.issuer, local_sigstore.trust_config()),
        limits=DEFAULT_LIMITS,
    )
    found = collect_claims(
        model,
        (),
        {"alice": verifier},
        at=datetime.now(UTC),
        signature=model / "model.sig",
    )
    (claim,) = found.claims
    assert isinstance(claim.content, HumanReview)
    assert claim.content.reviewer == claim.attributions[0].identity == ALICE


def test_verify_says_what_is_wrong(local_sigstore: LocalSigstore, model: Path) -> None:
    signature = sign(local_sigstore, model)
    for options in (
        trust(local_sigstore, "bob@example.com"),
        trust(local_sigstore, issuer="https://accounts.google.com"),
    ):
        assert f"by {ALICE}, as" in run("verify", model, *options, expect=1).stderr
    shutil.copy(signature, model.parent / "kept.sig")
    document = json.loads(signature.read_text())
    del document["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    signature.write_text(json.dumps(document))
    assert "inclusionProof" in run("verify", model, *trust(local_sigstore), expect=1).stderr
    shutil.copy(model.parent / "kept.sig", signature)
    (model / "config.json").write_text("{}")
    told = run("verify", model, *trust(local_sigstore), expect=1).stderr
    assert "config.json" in told


def test_a_bare_file_and_shards(local_sigstore: LocalSigstore, model: Path) -> None:
    sign(local_sigstore, model, 2, "--method", "shards", "--shard-size", "100")
    run("verify", model, *trust(local_sigstore))
    file = model / "model.safetensors"
    token = token_file(local_sigstore, model.parent)
    spec = wb.SignerSpec(
        "sigstore:",
        trust_config=local_sigstore.trust_config(),
        identity_token=token.read_text(),
    )
    wb.sign(file, signer=spec)
    found = wb.verify(
        file, trust=wb.KeylessTrust(ALICE, local_sigstore.issuer, local_sigstore.trust_config())
    )
    assert found.attribution.identity == ALICE


# Services that fail: exit 3, and the old signature is what it was.


def test_an_old_signature_outlives_every_failure(
    local_sigstore: LocalSigstore, model: Path
) -> None:
    signature = sign(local_sigstore, model)
    before = signature.read_bytes()
    token = token_file(local_sigstore, model.parent)
    options = ["--keyless", "--trust-config", local_sigstore.trust_config()]
    options += ["--identity-token-file", token]
    for faults, code, words in (
        ({"ca_refuses": True}, 2, "refuses the identity token"),
        ({"log_down": True}, 3, "transparency log"),
        ({"tsa": "down"}, 3, "time-stamp authority"),
        ({"without_sct": True}, 3, "cannot be used"),
        ({"log_without_proof": True}, 3, "cannot be used"),
    ):
        with local_sigstore.failing(**faults):
            done = run("sign", model, *options, expect=code)
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert signature.read_bytes() == before
    token.write_text(local_sigstore.token(lifetime_s=-60))
    assert "has expired" in run("sign", model, *options, expect=2).stderr
    assert signature.read_bytes() == before
    assert not list(model.glob(".weighbridge*"))


def test_a_sigstore_that_is_gone(model: Path) -> None:
    with start() as local:
        sign(local, model)
        config = model.parent / "config.json"
        shutil.copy(local.trust_config(), config)
        token = token_file(local, model.parent)
        issuer = local.issuer
    before = (model / "model.sig").read_bytes()
    done = run(
        "sign", model, "--keyless", "--trust-config", config, "--identity-token-file", token,
        expect=3,
    )  # fmt: skip
    assert "does not answer (no connection)" in done.stderr
    assert (model / "model.sig").read_bytes() == before
    # What was signed stays verifiable without it.
    run("verify", model, "--identity", ALICE, "--issuer", issuer, "--trust-config", config)


# Who signs.


def test_a_job_signs_by_itself(
    local_sigstore: LocalSigstore, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = local_sigstore.trust_config()
    for name, value in local_sigstore.ci_environment().items():
        monkeypatch.setenv(name, value)
    run("sign", model, "--signer", "sigstore:", "--trust-config", config)
    who = "https://github.com/example/models/.github/workflows/release.yml@refs/heads/main"
    run("verify", model, *trust(local_sigstore, who, local_sigstore.ci_issuer))
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL")
    done = run("sign", model, "--keyless", "--trust-config", config, expect=2)
    assert "id-token: write" in done.stderr


def test_a_browser_logs_in(
    local_sigstore: LocalSigstore, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = local_sigstore.trust_config()
    monkeypatch.setenv("BROWSER", local_sigstore.browser("carol@example.com"))
    done = run("sign", model, "--keyless", "--trust-config", config, "--json")
    assert json.loads(done.stdout)["file_count"] == 4, "stdout is data, whoever logs in"
    run("verify", model, *trust(local_sigstore, "carol@example.com"))
    with local_sigstore.failing(oidc_refuses=True):
        done = run("sign", model, "--keyless", "--trust-config", config, expect=2)
    assert "access_denied" in done.stderr
    monkeypatch.setenv("BROWSER", "/bin/false")
    done = run("sign", model, "--keyless", "--trust-config", config, expect=2)
    assert "no browser could be opened and nobody gave a code" in done.stderr


def test_a_code_is_typed_where_there_is_no_browser(
    local_sigstore: LocalSigstore, model: Path
) -> None:
    """At a terminal without a browser a link is shown and a code is asked for."""
    local_sigstore.people.user = ALICE
    command = [WEIGHBRIDGE, "sign", str(model), "--keyless"]
    command += ["--trust-config", str(local_sigstore.trust_config())]
    master, slave = pty.openpty()
    with subprocess.Popen(
        command, stdin=slave, stdout=subprocess.PIPE, stderr=slave, close_fds=True
    ) as process:
        os.close(slave)
        shown = read_until(master, rb"(http://\S+/auth\?\S+)")
        code = requests.get(shown[1].decode(), timeout=10).text
        os.write(master, code.encode() + b"\n")
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
    os.close(master)
    assert out.startswith(b"signed 4 files"), "the prompt is not data"
    run("verify", model, *trust(local_sigstore))


def read_until(descriptor: int, pattern: bytes) -> re.Match[bytes]:
    seen = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([descriptor], [], [], 1)[0]:
            seen += os.read(descriptor, 65536)
        if (found := re.search(pattern, seen)) and seen.rstrip() != found[0]:
            return found
    raise AssertionError(seen)


def test_nobody_can_log_in(local_sigstore: LocalSigstore, model: Path) -> None:
    config = local_sigstore.trust_config()
    done = run("sign", model, "--keyless", "--trust-config", config, expect=2)
    assert "--identity-token-file" in done.stderr
    done = run("sign", model, "--keyless", "--trust-config", config, "--offline", expect=2)
    assert "needs the network" in done.stderr


# Signing again.


def test_signing_again_by_the_same_account(local_sigstore: LocalSigstore, model: Path) -> None:
    signature = sign(local_sigstore, model)
    (model / "README.md").write_text("---\nlicense: mit\n---\n")
    more = ("--reuse", str(signature), "--updated", "README.md")
    sign(local_sigstore, model, 2, *more)
    run("verify", model, *trust(local_sigstore))
    # Of another account only if it is named.
    token = token_file(local_sigstore, model.parent, "bob@example.com")
    options = ["--keyless", "--trust-config", local_sigstore.trust_config()]
    options += ["--identity-token-file", token, "--reuse", signature, "--changed", os.devnull]
    before = signature.read_bytes()
    assert f"by {ALICE}" in run("sign", model, *options, expect=1).stderr
    assert signature.read_bytes() == before
    named = ["--reuse-identity", ALICE, "--reuse-issuer", local_sigstore.issuer]
    named += ["--reuse-trust-config", local_sigstore.trust_config()]
    run("sign", model, *options, *named)
    run("verify", model, *trust(local_sigstore, "bob@example.com"))


def test_a_key_goes_on_where_an_account_began(local_sigstore: LocalSigstore, model: Path) -> None:
    signature = sign(local_sigstore, model)
    keys = wb.keygen(model.parent / "release")
    options = ["--key", keys.private, "--reuse", signature, "--changed", os.devnull]
    assert "certificate" in run("sign", model, *options, expect=1).stderr
    named = [f"--reuse-{str(o)[2:]}" if str(o)[:2] == "--" else o for o in trust(local_sigstore)]
    run("sign", model, *options, *named)
    run("verify", model, "--key", keys.public)


# In the gate.


def test_a_policy_names_an_account(local_sigstore: LocalSigstore, model: Path) -> None:
    signature = sign(local_sigstore, model)
    shutil.copy(local_sigstore.trust_config(), model.parent / "sigstore.json")
    policy = model.parent / "weighbridge.toml"

    def check(who: str, expect: int, *more: str) -> dict[str, Any]:
        policy.write_text(
            f"""version = 1
[trust.signers.release]
identity = "{who}"
issuer = "{local_sigstore.issuer}"
trust-config = "sigstore.json"
roles = ["publisher"]
[require]
signature = {{ by = ["release"] }}
"""
        )
        policy.write_text(policy.read_text().replace(*(more or ("", ""))))
        done = run_unconnected("check", model, "--policy", policy, "--json", "--offline")
        assert done.returncode == expect, done.stderr
        rules: dict[str, Any] = {rule["rule"]: rule for rule in json.loads(done.stdout)["rules"]}
        return rules["signature"]

    assert check(ALICE, 0)["answer"] == "pass"
    url = local_sigstore.tuf_url
    run("trust", "update", "--instance", url, "--root", local_sigstore.root_json)
    by_url = ('trust-config = "sigstore.json"', f'instance = "{url}"')
    assert check(ALICE, 0, *by_url)["answer"] == "pass"
    failed = check("bob@example.com", 1)
    assert failed["answer"] == "fail"
    assert f"by {ALICE}, as" in json.dumps(failed)
    signature.unlink()
    check(ALICE, 1)


# model_signing.


@pytest.mark.parametrize("version", [1, 2])
def test_model_signing_verifies_ours(
    local_sigstore: LocalSigstore, model: Path, version: int
) -> None:
    signature = sign(local_sigstore, model, version)
    ignored = [model / name for name in (".git", ".gitattributes", ".github", ".gitignore")]

    def peer(who: str) -> None:
        config = verifying.Config().use_sigstore_verifier(
            identity=who,
            oidc_issuer=local_sigstore.issuer,
            trust_config=local_sigstore.trust_config(version),
        )
        config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[signature, *ignored]))
        config.verify(model, signature)

    peer(ALICE)
    with pytest.raises(VerificationError, match="SANs"):
        peer("bob@example.com")


@pytest.mark.parametrize("version", [1, 2])
def test_we_verify_model_signing(local_sigstore: LocalSigstore, model: Path, version: int) -> None:
    signature = model / "model.sig"
    config = signing.Config().use_sigstore_signer(
        identity_token=local_sigstore.token(), trust_config=local_sigstore.trust_config(version)
    )
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[signature]))
    config.sign(model, signature)
    assert "verified 4 files" in run("verify", model, *trust(local_sigstore)).stdout
    (model / "config.json").write_text("{}")
    assert "config.json" in run("verify", model, *trust(local_sigstore), expect=1).stderr


# Without the network.

WATCH = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"):
        raise SystemExit(f"the network is used: {event} {arguments}")
sys.addaudithook(refuse)
from weighbridge.cli import main
main(sys.argv[1:])
"""


def run_unconnected(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WATCH, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("offline", [["--offline"], []])
def test_a_trust_config_needs_no_network(
    local_sigstore: LocalSigstore, model: Path, offline: list[str]
) -> None:
    sign(local_sigstore, model)
    done = run_unconnected("verify", model, *trust(local_sigstore), *offline)
    assert done.returncode == 0, done.stderr


def test_the_public_instance_offline(local_sigstore: LocalSigstore, model: Path) -> None:
    """Its root comes with sigstore-python: enough to tell that this is not its signature."""
    sign(local_sigstore, model)
    who = ["--identity", ALICE, "--issuer", local_sigstore.issuer]
    done = run_unconnected("verify", model, *who, "--offline")
    assert done.returncode == 1
    assert "if another instance made it, name that one" in done.stderr
    assert "the network is used" in run_unconnected("verify", model, *who).stderr


# Trust roots.


def test_an_instance_by_its_update_repository(model: Path) -> None:
    with start() as local:
        instance = ["--instance", local.tuf_url]
        who = ["--identity", ALICE, "--issuer", local.issuer, *instance]
        token = token_file(local, model.parent)
        told = run("trust", "update", *instance, expect=2).stderr
        assert "get its first root" in told
        run("trust", "show", *instance, expect=2)
        run("trust", "update", *instance, "--root", token, expect=2)
        told = run("trust", "update", *instance, "--root", local.root_json).stdout
        assert told == run("trust", "show", *instance).stdout
        assert told.count("transparency log") == 2
        signer = ["--signer", f"sigstore:{local.tuf_url}", "--identity-token-file", token]
        run("sign", model, *signer)
        run("verify", model, *who)
        old = model.with_name("old")
        shutil.copytree(model, old)
        local.rotate_keys()
        local.rotate_tuf_root()
        time.sleep(1.1)
        run("sign", model, *signer)
        run("verify", model, *who, "--offline")  # signing refreshed the root
        run("verify", old, *who)
        shown = json.loads(run("trust", "show", *instance, "--json").stdout)
        retired = [party for party in shown["parties"] if party["valid_until"]]
        assert len(retired) == 5
        assert len(shown["parties"]) == 10
    # It is gone, and what it said stays.
    told = run("verify", model, *who, expect=3).stderr
    assert "--offline" in told
    run("verify", model, *who, "--offline")


def test_a_damaged_cache_is_said(local_sigstore: LocalSigstore, model: Path) -> None:
    instance = ["--instance", local_sigstore.tuf_url]
    update = ["trust", "update", *instance, "--root", local_sigstore.root_json]
    run(*update)
    (cached,) = (model.parent / "cache").rglob("trusted_root.json")
    (first,) = (model.parent / "data").rglob("root.json")
    for folder in (*cached.relative_to(model.parent).parents, first.parent):
        if folder.name:
            assert (model.parent / folder).stat().st_mode & 0o077 == 0
    cached.write_text("{}")
    assert "is damaged" in run("trust", "show", *instance, expect=2).stderr
    run("trust", "update", *instance)  # it is fetched again
    run("trust", "show", *instance)
    first.unlink()
    first.write_text("{")
    assert "is damaged" in run("trust", "update", *instance, expect=2).stderr
    run(*update)
    cached.parent.chmod(0o777)
    assert "others may write" in run("trust", "show", *instance, expect=2).stderr
    cached.parent.chmod(0o700)
    cached.parent.parent.chmod(0o777)  # the folder itself could be put away and another put there
    assert "others may write" in run("trust", "show", *instance, expect=2).stderr
    cached.parent.parent.chmod(0o1777)
    run("trust", "show", *instance)


def test_a_gate_that_cannot_judge_says_so_and_does_not_fail_the_model(
    local_sigstore: LocalSigstore, model: Path
) -> None:
    """What is wrong with this machine or the policy says nothing about the signature."""
    config = local_sigstore.trust_config()
    token = token_file(local_sigstore, model.parent)
    run("sign", model, "--keyless", "--trust-config", config, "--identity-token-file", token)
    policy = model.parent / "weighbridge.toml"
    policy.write_text(
        "version = 1\n[trust.signers.it]\n"
        f'identity = "{ALICE}"\nissuer = "{local_sigstore.issuer}"\n'
        f'instance = "{local_sigstore.tuf_url}"\nroles = ["publisher"]\n'
        '[require]\nsignature = { by = ["it"] }\n'
    )
    check = ["check", model, "--policy", policy]
    instance = ["--instance", local_sigstore.tuf_url]
    assert "get its first root" in run(*check, expect=2).stderr
    root = ["--root", local_sigstore.root_json]
    run("trust", "update", *instance, *root)
    run(*check)
    shown = json.loads(run("trust", "show", *instance, "--json").stdout)
    Path(shown["file"]).write_text("{}")
    assert "is damaged" in run(*check, "--offline", expect=2).stderr
    run(*check)
    with local_sigstore.faults.setting(tuf_down=True):
        assert "could not be refreshed" in run(*check, expect=3).stderr
    run(*check, "--offline")


def test_an_update_that_does_not_hold(model: Path) -> None:
    with start() as local, start() as other:
        update = ["trust", "update", "--instance", local.tuf_url, "--root"]
        told = run(*update, other.root_json, expect=3).stderr
        assert "could not be refreshed" in told
        run(*update, local.root_json)
        local.publish({"trusted_root.json": b"{}", "signing_config.v0.2.json": b"{}"})
        run("trust", "update", "--instance", local.tuf_url, expect=2)


def test_the_public_root_is_there_from_the_start(model: Path) -> None:
    told = run("trust", "show").stdout
    assert "https://fulcio.sigstore.dev" in told
    assert "came with sigstore-python" in told


def test_options_that_contradict(model: Path) -> None:
    for options in (
        ["--identity", ALICE],
        ["--issuer", "https://x"],
        ["--instance", "https://x"],
        ["--trust-config", "x"],
        ["--identity", ALICE, "--issuer", "https://x", "--key", "k"],
    ):
        run("verify", model, *options, expect=2)
