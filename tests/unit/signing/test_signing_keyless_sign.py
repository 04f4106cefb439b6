"""Keyless signing: who signs, and services that fail, hang, drip, flood or lie."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from services.sigstore import LocalSigstore
from weighbridge.core import DEFAULT_LIMITS, Statement, Subject
from weighbridge.errors import IncompleteError, InputError
from weighbridge.signing import SignerSpec, open_signer, verify_bundle

ALICE = "alice@example.com"
STATEMENT = Statement.build(
    [Subject("model", {"sha256": "0" * 64})],
    predicate_type="https://example.com/test/v1",
    predicate={},
)
SHORT = replace(DEFAULT_LIMITS, max_wait_s=1)
CI_VARIABLES = (
    "GITHUB_ACTIONS",
    "BUILDKITE",
    "SIGSTORE_ID_TOKEN",
    "CIRCLECI",
    "BROWSER",
    "DISPLAY",
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CI_VARIABLES, "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def spec_of(local: LocalSigstore, version: int = 2, **more: Any) -> SignerSpec:
    more.setdefault("identity_token", local.token())
    return SignerSpec("sigstore:", trust_config=local.trust_config(version), **more)


@pytest.mark.parametrize("version", [1, 2])
def test_the_payload_is_signed_as_it_is(local_sigstore: LocalSigstore, version: int) -> None:
    signer = open_signer(spec_of(local_sigstore, version))
    bundle = signer.sign(STATEMENT)
    assert bundle.envelope.payload == STATEMENT.payload
    own = signer.own_verifier()
    assert own is not None
    verified = verify_bundle(bundle, {"me": own}, at=datetime.now(UTC))
    assert verified.statement == STATEMENT
    assert verified.attributions[0].identity == ALICE
    kind = {1: "dsse", 2: "hashedrekord"}[version]
    entry = json.loads(bundle.raw)["verificationMaterial"]["tlogEntries"][0]
    assert entry["kindVersion"]["kind"] == kind


def test_signing_twice_gives_two_entries(local_sigstore: LocalSigstore) -> None:
    signer = open_signer(spec_of(local_sigstore))
    assert signer.sign(STATEMENT).raw != signer.sign(STATEMENT).raw


# Tokens.


def bad_tokens(local: LocalSigstore) -> dict[str, tuple[str, str]]:
    body = jwt.decode(local.token(), options={"verify_signature": False})
    later = int(time.time()) + 900
    bare = {name: value for name, value in body.items() if name != "sub"}
    return {
        "expired": (local.token(lifetime_s=-60), "has expired"),
        "just expired": (local.token(lifetime_s=-2), "has expired"),
        "not yet": (local.token(nbf=later), "is not valid yet"),
        "audience": (local.token(aud="somebody"), "for somebody else"),
        "claim": (jwt.encode(bare, "k" * 32), "lacks a claim"),
        "empty": ("", "is not an OpenID"),
        "words": ("not a token", "is not an OpenID"),
        "dots": ("a.b.c", "is not an OpenID"),
        "control": ("\x1b[2J.x.y", "is not an OpenID"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "expired",
        "just expired",
        "not yet",
        "audience",
        "claim",
        "empty",
        "words",
        "dots",
        "control",
    ],
)
def test_a_token_that_will_not_do(local_sigstore: LocalSigstore, name: str) -> None:
    token, words = bad_tokens(local_sigstore)[name]
    asked = len(local_sigstore.requests)
    with pytest.raises(InputError, match=words) as caught:
        open_signer(spec_of(local_sigstore, identity_token=token))
    assert not token or token not in str(caught.value)
    assert len(local_sigstore.requests) == asked, "nobody is asked with a token that cannot do"


def test_a_token_that_the_authority_refuses(local_sigstore: LocalSigstore) -> None:
    for token in (
        local_sigstore.token(email_verified=False),
        local_sigstore.token(iss="https://evil.example"),
    ):
        with pytest.raises(InputError, match=r"refuses the identity token \(HTTP 401: The|There"):
            open_signer(spec_of(local_sigstore, identity_token=token))


def test_a_token_is_in_no_repr(local_sigstore: LocalSigstore) -> None:
    spec = spec_of(local_sigstore)
    assert spec.identity_token
    assert spec.identity_token not in repr(spec)
    assert spec.identity_token not in repr(open_signer(spec))


def test_a_job_signs_as_its_workflow(
    local_sigstore: LocalSigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_sigstore.ci_environment().items():
        monkeypatch.setenv(name, value)
    signer = open_signer(spec_of(local_sigstore, identity_token=None))
    found = signer.own_verifier()
    assert found is not None
    (attribution,) = verify_bundle(
        signer.sign(STATEMENT), {"me": found}, at=datetime.now(UTC)
    ).attributions
    assert attribution.issuer == local_sigstore.ci_issuer
    assert attribution.identity.startswith("https://github.com/example/models/")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "guessed")
    with pytest.raises(IncompleteError, match="401"):
        open_signer(spec_of(local_sigstore, identity_token=None))
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    with pytest.raises(InputError, match="id-token: write"):
        open_signer(spec_of(local_sigstore, identity_token=None))


def test_a_gitlab_job_signs(local_sigstore: LocalSigstore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", local_sigstore.token("job@example.com"))
    signer = open_signer(spec_of(local_sigstore, identity_token=None))
    assert "job@example.com" in repr(signer)
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    with pytest.raises(IncompleteError, match="SIGSTORE_ID_TOKEN"):
        open_signer(spec_of(local_sigstore, identity_token=None))


# A certificate lives for minutes, and hashing may take hours.


def test_a_certificate_that_ran_out_is_renewed(local_sigstore: LocalSigstore) -> None:
    with local_sigstore.failing(certificate_lifetime_s=30):
        signer = open_signer(spec_of(local_sigstore))
    asked = len(local_sigstore.requests)
    signer.sign(STATEMENT)
    assert ("POST", "/api/v2/signingCert") in local_sigstore.requests[asked:]


def test_a_token_that_ran_out_meanwhile_is_said(local_sigstore: LocalSigstore) -> None:
    with local_sigstore.failing(certificate_lifetime_s=30):
        signer = open_signer(
            spec_of(local_sigstore, identity_token=local_sigstore.token(lifetime_s=2))
        )
    time.sleep(2.1)
    with pytest.raises(InputError, match="token has expired"):
        signer.sign(STATEMENT)


def test_a_token_that_ran_out_is_asked_for_again(local_sigstore: LocalSigstore) -> None:
    tokens = iter([local_sigstore.token(lifetime_s=2), local_sigstore.token()])
    with local_sigstore.failing(certificate_lifetime_s=30):
        signer = open_signer(spec_of(local_sigstore, identity_token=lambda: next(tokens)))
    time.sleep(2.1)
    assert signer.sign(STATEMENT).envelope.payload == STATEMENT.payload


def test_nobody_else_may_end_it(
    local_sigstore: LocalSigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", local_sigstore.token())
    with local_sigstore.failing(certificate_lifetime_s=30):
        signer = open_signer(spec_of(local_sigstore, identity_token=None))
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", local_sigstore.token("mallory@example.com"))
    with pytest.raises(InputError, match=r"mallory@example\.com logged in to end it"):
        signer.sign(STATEMENT)


# Options that do not go with it.


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"offline": True}, "needs the network"),
        ({"certificate": "c.pem"}, "its own certificate"),
        ({"certificate_chain": ["c.pem"]}, "its own certificate"),
        ({"timestamp_url": "http://tsa.example"}, "its own time-stamp"),
        ({"uri": "sigstore:https://tuf.example"}, "give one"),
        ({"uri": "sigstore:nonsense", "trust_config": None}, "not the address"),
        ({"trust_config": "missing.json"}, "no trust config"),
    ],
)
def test_options_that_do_not_go_with_it(
    local_sigstore: LocalSigstore, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        open_signer(replace(spec_of(local_sigstore), **changes))


def test_a_trusted_root_does_not_say_where_to_sign(
    local_sigstore: LocalSigstore, tmp_path: Path
) -> None:
    path = tmp_path / "root.json"
    path.write_text(json.dumps(local_sigstore.trusted_root()))
    with pytest.raises(InputError, match="where to sign"):
        open_signer(replace(spec_of(local_sigstore), trust_config=path))


# Services that fail. Each is an error of the whole signing: nothing is left out in silence.

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "log down": ({"log_down": True}, "transparency log .* HTTP 503"),
    "tsa down": ({"tsa": "down"}, "time-stamp authority .* HTTP 503"),
    "tsa html": ({"tsa": "html"}, "ASN.1"),
    "tsa replays": ({"tsa": "replayed"}, "proves when"),
    "tsa rejects": ({"tsa": "rejected"}, "SignedData|status"),
    "no sct": ({"without_sct": True}, "signed certificate timestamp"),
    "wrong sct": ({"wrong_sct_key": True}, "SCT"),
    "no proof": ({"log_without_proof": True}, "inclusionProof"),
    "wrong checkpoint": ({"wrong_checkpoint_key": True}, "checkpoint"),
    "wrong root": ({"wrong_root": True}, "root"),
    "old certificate": ({"ca_clock_offset_s": -3600}, "Expired|valid at"),
    "tsa clock": ({"tsa_clock_offset_s": 3600}, "valid at"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("version", [1, 2])
def test_a_failing_service_stops_it(
    local_sigstore: LocalSigstore, fault: str, version: int
) -> None:
    faults, words = FAULTS[fault]
    open_signer(spec_of(local_sigstore, version)).sign(STATEMENT)  # something to replay
    if (fault, version) == ("tsa replays", 1):
        words = "does not vouch for"
    with local_sigstore.failing(**faults), pytest.raises(IncompleteError, match=words) as caught:
        open_signer(spec_of(local_sigstore, version), limits=SHORT).sign(STATEMENT)
    assert str(caught.value).isprintable()


def test_a_service_that_hangs_is_left(local_sigstore: LocalSigstore) -> None:
    signer = open_signer(spec_of(local_sigstore), limits=SHORT)
    start = time.monotonic()
    with (
        local_sigstore.failing(tsa="hangs"),
        pytest.raises(IncompleteError, match=r"authority .* does not answer \(no answer in time\)"),
    ):
        signer.sign(STATEMENT)
    assert time.monotonic() - start < 5


def test_nobody_listens(local_sigstore: LocalSigstore, tmp_path: Path) -> None:
    spec = redirect(local_sigstore, tmp_path, "caUrls", "http://127.0.0.1:1")
    with pytest.raises(IncompleteError, match=r"authority .* does not answer \(no connection\)"):
        open_signer(spec)


def redirect(local: LocalSigstore, folder: Path, service: str, url: str) -> SignerSpec:
    """Return a spec whose instance has one of its services elsewhere."""
    config = json.loads(local.trust_config().read_text())
    for one in config["signingConfig"][service]:
        one["url"] = url
    path = folder / "redirected.json"
    path.write_text(json.dumps(config))
    return replace(spec_of(local), trust_config=path)


@contextmanager
def raw_service(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Serve whoever connects by hand, outside of what a decent server would do."""
    done = threading.Event()

    def serve(client: socket.socket) -> None:
        try:
            with client:
                client.recv(65536)
                answer(client, done)
        except OSError:
            pass  # the client has left, as it should

    def accept() -> None:
        while not done.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"


def drip(client: socket.socket, done: threading.Event) -> None:
    client.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    while not done.wait(0.1):
        client.sendall(b" ")


def flood(client: socket.socket, done: threading.Event) -> None:
    client.sendall(HEAD + b"\r\n")
    while not done.is_set():
        client.sendall(bytes(1 << 20))


def move(client: socket.socket, _: threading.Event) -> None:
    client.sendall(
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def busy(client: socket.socket, _: threading.Event) -> None:
    client.sendall(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")


def babble(client: socket.socket, _: threading.Event) -> None:
    client.sendall(HEAD + b'Content-Length: 8\r\n\r\n{"a": 1}')


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (drip, "no answer in time"),
        (flood, "more than 16,777,216 bytes"),
        (move, "HTTP 307"),
        (busy, "HTTP 429; no signature was made, try later"),
        (babble, "cannot be used"),
    ],
)
@pytest.mark.parametrize("service", ["caUrls", "rekorTlogUrls"])
def test_an_answer_has_an_end(
    local_sigstore: LocalSigstore,
    tmp_path: Path,
    service: str,
    answer: Callable[[socket.socket, threading.Event], None],
    words: str,
) -> None:
    with raw_service(answer) as url:
        spec = redirect(local_sigstore, tmp_path, service, url)
        with pytest.raises(IncompleteError, match=words):
            open_signer(spec, limits=SHORT).sign(STATEMENT)
