"""The local Sigstore is one: sigstore-python and model_signing sign and verify against it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import id as ambient
import jwt
import pytest
import requests
import rfc3161_client
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st
from sigstore import dsse
from sigstore._internal.fulcio.client import FulcioClientError
from sigstore._internal.rekor import RekorClientError
from sigstore._internal.tuf import TrustUpdater
from sigstore.errors import TUFError, VerificationError
from sigstore.models import Bundle, ClientTrustConfig, InvalidBundle
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier, policy

from services import keys
from services.sigstore import (
    LocalSigstore,
    LocalTsa,
    assemble_bundle,
    merkle,
    start,
    start_tsa,
)
from support import ROOT

ALICE = "alice@example.com"
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "model", "digest": {"sha256": "0" * 64}}],
    "predicateType": "https://example.com/test/v1",
    "predicate": {},
}
PAYLOAD = json.dumps(STATEMENT).encode()
VERSIONS = pytest.mark.parametrize("version", [1, 2])


def load_config(local: LocalSigstore, version: int = 2) -> ClientTrustConfig:
    return ClientTrustConfig.from_json(local.trust_config(version).read_text())


def sign(local: LocalSigstore, version: int = 2, token: str = "") -> Bundle:
    context = SigningContext.from_trust_config(load_config(local, version))
    with context.signer(IdentityToken(token or local.token())) as signer:
        bundle = signer.sign_dsse(dsse.Statement(PAYLOAD))
    return Bundle.from_json(bundle.to_json())


def verify(
    local: LocalSigstore, bundle: Bundle, *, who: str = ALICE, issuer: str | None = None
) -> None:
    verifier = Verifier(trusted_root=load_config(local).trusted_root)
    expected = policy.Identity(identity=who, issuer=issuer or local.issuer)
    assert verifier.verify_dsse(bundle, expected)[1] == PAYLOAD


def assemble(local: LocalSigstore, version: int = 2, **options: Any) -> Bundle:
    bundle = assemble_bundle(local, PAYLOAD, rekor_version=version, **options)
    return Bundle.from_json(json.dumps(bundle))


def timestamps(bundle: Bundle) -> list[Any]:
    data = bundle.verification_material.timestamp_verification_data
    return list(data.rfc3161_timestamps) if data else []


# Honest services.


@VERSIONS
def test_sigstore_signs_and_verifies(local_sigstore: LocalSigstore, version: int) -> None:
    for _ in range(5):  # trees of several sizes
        bundle = sign(local_sigstore, version)
        assert len(timestamps(bundle)) == 1
        verify(local_sigstore, bundle)
    with pytest.raises(VerificationError, match="SANs"):
        verify(local_sigstore, bundle, who="bob@example.com")
    with pytest.raises(VerificationError, match="OIDCIssuer"):
        verify(local_sigstore, bundle, issuer="https://accounts.google.com")


@VERSIONS
def test_bundles_put_together_here_are_as_good(local_sigstore: LocalSigstore, version: int) -> None:
    verify(local_sigstore, assemble(local_sigstore, version))


def test_a_workflow_is_named_by_uri_and_claims(local_sigstore: LocalSigstore) -> None:
    repository = "example/bärenstark"
    token = local_sigstore.ci_token(repository=repository)
    bundle = sign(local_sigstore, token=token)
    verify(local_sigstore, bundle, who=local_sigstore.ci_identity, issuer=local_sigstore.ci_issuer)
    for said in (
        policy.OIDCSourceRepositoryURI(f"https://github.com/{repository}"),
        policy.GitHubWorkflowRepository(repository),
        policy.OIDCIssuerV2(local_sigstore.ci_issuer),
        policy.OIDCIssuer(local_sigstore.ci_issuer),
        policy.OIDCRunnerEnvironment("github-hosted"),
        policy.GitHubWorkflowTrigger("push"),
    ):
        said.verify(bundle.signing_certificate)


def test_model_signing_signs_and_verifies(local_sigstore: LocalSigstore, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.bin").write_bytes(bytes(100))
    signature = model / "model.sig"
    config = ["--trust_config", str(local_sigstore.trust_config(2))]

    def peer(verb: str, *options: str, expect: int = 0) -> None:
        module = [sys.executable, "-m", "model_signing", verb, "sigstore", str(model)]
        command = [*module, "--signature", str(signature), *config, *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == expect, done.stderr

    peer("sign", "--identity_token", local_sigstore.token())
    who = ("--identity", ALICE, "--identity_provider", local_sigstore.issuer)
    peer("verify", *who)
    peer("verify", "--identity", "bob@example.com", *who[2:], expect=1)
    (model / "weights.bin").write_bytes(bytes(99))
    peer("verify", *who, expect=1)


# Tokens.


LOG_IN = """\
import sys, sigstore.oidc
print(sigstore.oidc.Issuer(sys.argv[1]).identity_token(force_oob=len(sys.argv) > 2))
"""


def test_a_browser_yields_a_token(local_sigstore: LocalSigstore) -> None:
    environment = {**os.environ, "BROWSER": local_sigstore.browser("carol@example.com")}

    def log_in() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", LOG_IN, local_sigstore.issuer]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    done = log_in()
    token = done.stdout.strip()
    assert token, done.stderr
    assert IdentityToken(token).identity == "carol@example.com"
    verify(local_sigstore, sign(local_sigstore, token=token), who="carol@example.com")
    with local_sigstore.failing(oidc_refuses=True):
        assert "access_denied" in log_in().stderr


def test_a_code_can_be_typed_and_serves_once(local_sigstore: LocalSigstore) -> None:
    local_sigstore.people.user = ALICE

    def log_in(code: str = "") -> tuple[str, str, str]:
        command = [sys.executable, "-c", LOG_IN, local_sigstore.issuer, "by hand"]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen(command, text=True, **pipes) as process:
            link = next(line for line in process.stderr if "http" in line).strip()
            code = code or requests.get(link, timeout=10).text
            out, err = process.communicate(code + "\n", timeout=60)
        return code, out.removeprefix("Enter verification code: ").strip(), err

    code, token, _ = log_in()
    assert IdentityToken(token).identity == ALICE
    _, token, words = log_in(code)
    assert not token
    assert "Token request failed with 400" in words


def test_another_verifier_gets_no_token(local_sigstore: LocalSigstore) -> None:
    asked = {
        "response_type": "code", "client_id": "sigstore", "redirect_uri": "http://localhost/x",
        "code_challenge": "0" * 43, "code_challenge_method": "S256",
    }  # fmt: skip
    auth = f"{local_sigstore.issuer}/auth"
    sent = requests.get(auth, params=asked, allow_redirects=False, timeout=10)
    code = sent.headers["Location"].split("code=")[1].split("&")[0]
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": "guessed"}
    form["redirect_uri"] = asked["redirect_uri"]
    token = f"{local_sigstore.issuer}/token"
    assert requests.post(token, form, auth=("sigstore", ""), timeout=10).status_code == 400
    asked["redirect_uri"] = "https://evil.example/"
    assert requests.get(auth, params=asked, allow_redirects=False, timeout=10).status_code == 400


def test_a_workflow_finds_its_token(
    local_sigstore: LocalSigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_sigstore.ci_environment().items():
        monkeypatch.setenv(name, value)
    token = ambient.detect_credential("sigstore")
    assert token
    assert IdentityToken(token).issuer == local_sigstore.ci_issuer
    sign(local_sigstore, token=token)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "guessed")
    with pytest.raises(ambient.AmbientCredentialError, match="401"):
        ambient.detect_credential("sigstore")


def test_the_authority_reads_tokens_strictly(local_sigstore: LocalSigstore) -> None:
    body = jwt.decode(local_sigstore.token(), options={"verify_signature": False})
    unverified = local_sigstore.token(email_verified=False)
    other_key = local_sigstore.workflows.token(body)  # alice's claims under another issuer's key
    for token in (unverified, other_key, local_sigstore.token(iss="https://evil.example")):
        with pytest.raises(FulcioClientError):
            sign(local_sigstore, token=token)
    expired = local_sigstore.token(lifetime_s=-1)
    url = f"{local_sigstore.url}/api/v2/signingCert"
    key_less = {"certificateSigningRequest": to_request()}
    for token, words in ((expired, "expired"), ("", "token"), (local_sigstore.token(), "")):
        headers = {"Authorization": f"Bearer {token}"}
        reply = requests.post(url, json=key_less, headers=headers, timeout=10)
        assert reply.status_code == (401 if words else 200)
        assert words in reply.text


def to_request() -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.sign(keys.new_key(), hashes.SHA256())
    return keys.b64(keys.to_pem(csr).encode())


# Faults: each is refused by sigstore-python, and for its own reason.

VERIFY_FAULTS = {
    "proof": ({"log_without_proof": True}, InvalidBundle, "inclusion"),
    "checkpoint": ({"wrong_checkpoint_key": True}, VerificationError, "checkpoint"),
    "root": ({"wrong_root": True}, VerificationError, "root"),
    "sct": ({"without_sct": True}, VerificationError, "SCT"),
    "sct key": ({"wrong_sct_key": True}, VerificationError, "SCT"),
    "expired": ({"ca_clock_offset_s": -3600}, VerificationError, "validity|valid at"),
    "early": ({"ca_clock_offset_s": 3600}, VerificationError, "validity|valid at"),
    "tsa's clock": ({"tsa_clock_offset_s": 3600}, VerificationError, "validity|valid at"),
    "replayed": ({"tsa": "replayed"}, VerificationError, "time"),
    # sigstore-python 4.5 lets this error of rfc3161-client through.
    "rejected": ({"tsa": "rejected"}, ValueError, "Missing SignedData"),
}


@pytest.mark.parametrize("name", VERIFY_FAULTS)
def test_a_bundle_of_a_failing_service_is_refused(local_sigstore: LocalSigstore, name: str) -> None:
    faults, error, words = VERIFY_FAULTS[name]
    assemble(local_sigstore)  # so that there is a time stamp to replay
    with local_sigstore.failing(**faults), pytest.raises(error, match=words):
        verify(local_sigstore, assemble(local_sigstore))
    verify(local_sigstore, assemble(local_sigstore))


def test_a_false_promise_is_refused(local_sigstore: LocalSigstore) -> None:
    with local_sigstore.failing(wrong_promise=True):
        bundle = assemble(local_sigstore, 1)
    with pytest.raises(VerificationError, match="inclusion promise"):
        verify(local_sigstore, bundle)


def test_the_logs_clock_counts_without_a_time_stamp(local_sigstore: LocalSigstore) -> None:
    with local_sigstore.failing(log_clock_offset_s=3600), pytest.raises(VerificationError):
        verify(local_sigstore, assemble(local_sigstore, 1, timestamped=False))
    verify(local_sigstore, assemble(local_sigstore, 1, timestamped=False))
    with pytest.raises(InvalidBundle, match="timestamp"):
        assemble(local_sigstore, 2, timestamped=False)


@pytest.mark.parametrize("tsa", ["down", "html"])
def test_signing_goes_on_without_time_stamps(local_sigstore: LocalSigstore, tsa: str) -> None:
    with local_sigstore.failing(tsa=tsa):
        bundle = sign(local_sigstore, 1)
    assert not timestamps(bundle)
    verify(local_sigstore, bundle)


@VERSIONS
def test_signing_stops_where_it_must(local_sigstore: LocalSigstore, version: int) -> None:
    with local_sigstore.failing(ca_refuses=True), pytest.raises(FulcioClientError):
        sign(local_sigstore, version)
    with local_sigstore.failing(log_down=True), pytest.raises(RekorClientError):
        sign(local_sigstore, version)
    with local_sigstore.failing(without_sct=True), pytest.raises(VerificationError):
        sign(local_sigstore, version)
    sign(local_sigstore, version)


def test_the_log_takes_only_what_holds(local_sigstore: LocalSigstore) -> None:
    bundle = json.loads(sign(local_sigstore, 2).to_json())
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    body = json.loads(base64.b64decode(entry["canonicalizedBody"]))
    spec = body["spec"]["hashedRekordV002"]
    asked = {"digest": "A" * 43 + "=", "signature": spec["signature"]}
    url = f"{local_sigstore.url}/api/v2/log/entries"
    reply = requests.post(url, json={"hashedRekordRequestV002": asked}, timeout=10)
    assert reply.status_code == 400
    asked["digest"] = spec["data"]["digest"]
    reply = requests.post(url, json={"hashedRekordRequestV002": asked}, timeout=10)
    assert reply.status_code == 201


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40), st.data())
def test_every_leaf_leads_to_the_root(entries: list[bytes], data: st.DataObject) -> None:
    """RFC 9162, section 2.1.3.2, which is not how the path is made."""
    leaves = [merkle.to_leaf(entry) for entry in entries]
    index = data.draw(st.integers(0, len(leaves) - 1))
    node, last, found = index, len(leaves) - 1, leaves[index]
    for other in merkle.to_path(index, leaves):
        assert last > 0
        if node % 2 or node == last:
            found = keys.sha256(b"\1" + other + found)
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            found = keys.sha256(b"\1" + found + other)
        node, last = node >> 1, last >> 1
    assert last == 0
    assert found == merkle.to_root(leaves)


# A time-stamp authority alone.


@pytest.fixture(scope="module")
def tsa() -> Iterator[LocalTsa]:
    with start_tsa() as local:
        yield local


def ask(tsa: LocalTsa, data: bytes, *, certified: bool = True) -> tuple[Any, Any]:
    builder = rfc3161_client.TimestampRequestBuilder().data(data).nonce(nonce=True)
    request = builder.cert_request(cert_request=certified).build()
    headers = {"Content-Type": "application/timestamp-query"}
    reply = requests.post(tsa.url, data=request.as_bytes(), headers=headers, timeout=10)
    reply.raise_for_status()
    return request, rfc3161_client.decode_timestamp_response(reply.content)


def to_verifier(tsa: LocalTsa, request: Any) -> Any:
    leaf, root = x509.load_pem_x509_certificates(tsa.chain_pem.encode())
    builder = rfc3161_client.VerifierBuilder.from_request(request)
    return builder.tsa_certificate(leaf).add_root_certificate(root).build()


@pytest.mark.parametrize("certified", [True, False])
def test_time_stamps_hold(tsa: LocalTsa, tmp_path: Path, certified: bool) -> None:  # noqa: FBT001
    request, reply = ask(tsa, b"data", certified=certified)
    assert to_verifier(tsa, request).verify_message(reply, b"data")
    with pytest.raises(rfc3161_client.VerificationError, match="messages"):
        to_verifier(tsa, request).verify_message(reply, b"other")
    assert abs(reply.tst_info.gen_time - datetime.now(UTC)) < timedelta(minutes=1)
    if shutil.which("openssl"):
        for name, data in (("chain", tsa.chain_pem.encode()), ("reply", reply.as_bytes())):
            (tmp_path / name).write_bytes(data)
        command = ["openssl", "ts", "-verify", "-data", "/dev/stdin", "-in", tmp_path / "reply"]
        chain = ["-CAfile", tmp_path / "chain", "-untrusted", tmp_path / "chain"]
        done = subprocess.run([*command, *chain], input=b"data", capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        done = subprocess.run([*command, *chain], input=b"other", capture_output=True, check=False)
        assert done.returncode != 0


def test_a_time_stamp_authority_fails_as_told(tsa: LocalTsa) -> None:
    earlier, _ = ask(tsa, b"earlier")
    with tsa.failing(tsa="wrong-nonce"):
        request, reply = ask(tsa, b"data")
        with pytest.raises(rfc3161_client.VerificationError, match="Nonce"):
            to_verifier(tsa, request).verify_message(reply, b"data")
    with tsa.failing(tsa="replayed"):
        request, reply = ask(tsa, b"data")
        assert to_verifier(tsa, earlier).verify_message(reply, b"earlier")
        with pytest.raises(rfc3161_client.VerificationError, match="Nonce"):
            to_verifier(tsa, request).verify_message(reply, b"data")
    with tsa.failing(tsa="rejected"):
        request, reply = ask(tsa, b"data")
        with pytest.raises(rfc3161_client.VerificationError, match="GRANTED"):
            to_verifier(tsa, request).verify(reply, bytes(32))
    with tsa.failing(tsa="html"), pytest.raises(ValueError, match=r"."):
        ask(tsa, b"data")
    with tsa.failing(tsa="down"), pytest.raises(requests.HTTPError, match="503"):
        ask(tsa, b"data")
    with tsa.failing(tsa="hangs"), pytest.raises(requests.ReadTimeout):
        requests.post(tsa.url, data=b"", timeout=0.3)
    garbled = requests.post(tsa.url, data=b"garbage", timeout=10)
    assert rfc3161_client.decode_timestamp_response(garbled.content).status == 2


# The update repository.


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def test_trust_is_fetched_and_follows_new_keys(home: Path) -> None:
    with start() as local:
        config = ClientTrustConfig.from_tuf(local.tuf_url, bootstrap_root=local.root_json)
        old = sign(local)
        verify(local, old)
        local.rotate_keys()
        local.rotate_tuf_root()
        with pytest.raises(VerificationError):
            assert Verifier(trusted_root=config.trusted_root).verify_dsse(
                sign(local), policy.Identity(identity=ALICE)
            )
        renewed = ClientTrustConfig.from_tuf(local.tuf_url)
        for bundle in (old, sign(local, 1), sign(local, 2)):
            Verifier(trusted_root=renewed.trusted_root).verify_dsse(
                bundle, policy.Identity(identity=ALICE, issuer=local.issuer)
            )
        with local.failing(tuf_down=True), pytest.raises(TUFError):
            TrustUpdater(local.tuf_url)
        local.publish({"trusted_root.json": b"{}"}, lifetime_s=-1)
        with pytest.raises(TUFError):
            TrustUpdater(local.tuf_url)


def test_another_repository_is_not_believed(home: Path, local_sigstore: LocalSigstore) -> None:
    with start() as other, pytest.raises(TUFError):
        TrustUpdater(other.tuf_url, bootstrap_root=local_sigstore.root_json)


def test_the_module_serves_a_newcomer(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "services.sigstore", "--user", "dora@example.com"]
    with subprocess.Popen(
        command, cwd=ROOT / "tests", stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            lines = iter(process.stdout.readline, "Ctrl-C stops it and removes the files.\n")
            rows = {line[:23].strip(): line[23:].strip() for line in lines}
            config = ClientTrustConfig.from_json(Path(rows["trust config"]).read_text())
            token = IdentityToken(Path(rows["token (a day)"]).read_text())
            with SigningContext.from_trust_config(config).signer(token) as signer:
                bundle = signer.sign_dsse(dsse.Statement(PAYLOAD))
            expected = policy.Identity(identity="dora@example.com", issuer=rows["issuer"])
            Verifier(trusted_root=config.trusted_root).verify_dsse(bundle, expected)
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0
    assert not Path(rows["token (a day)"]).parent.exists()
