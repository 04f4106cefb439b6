"""Asking for timestamps: what an authority may answer, and what it may not."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from services.sigstore import LocalTsa, start_tsa
from unit.signing.signing_samples import FILES, manifest_of, read_bundle
from unit.signing.timestamp_samples import (
    Stamper,
    believe,
    embed,
    serve_raw,
    unstamped,
)
from weighbridge.core import CertificateMaterial, Limits
from weighbridge.errors import IncompleteError, InputError, LimitExceededError
from weighbridge.signing import (
    SignerSpec,
    TimestampingSigner,
    TimestampService,
    add_timestamp,
    generate_key,
    load_timestamp_authorities,
    open_signer,
    sign_manifest,
)


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
def chain(tsa: LocalTsa, tmp_path: Path) -> Path:
    path = tmp_path / "tsa.pem"
    path.write_text(tsa.chain_pem)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "release.key"
    path.write_bytes(generate_key().private_pem)
    return path


def test_a_key_signer_gets_its_signature_stamped(tsa: LocalTsa, chain: Path, key: Path) -> None:
    spec = SignerSpec(f"file:{key}", timestamp_url=tsa.url, timestamp_authorities=[chain])
    signer = open_signer(spec)
    assert isinstance(signer, TimestampingSigner)
    data = sign_manifest(manifest_of(FILES), signer=signer, ignore_paths=[])
    bundle = read_bundle(data)
    assert len(bundle.timestamps) == 1
    proven = load_timestamp_authorities([chain]).prove(bundle, at=datetime.now(UTC))
    assert proven is not None
    verifier = signer.own_verifier()
    assert verifier is not None
    assert verifier.verify(bundle, at=datetime.now(UTC)).method == "key"


def test_the_models_of_sigstore_read_the_bundle(tsa: LocalTsa) -> None:
    from sigstore_models.bundle.v1 import Bundle as SigstoreBundle  # noqa: PLC0415

    bundle = add_timestamp(unstamped(), TimestampService(tsa.url))
    theirs = SigstoreBundle.from_json(bundle.raw)
    data = theirs.verification_material.timestamp_verification_data
    assert data is not None
    assert data.rfc3161_timestamps is not None
    (stamp,) = data.rfc3161_timestamps
    assert json.loads(bundle.raw)["verificationMaterial"]["timestampVerificationData"]
    assert len(stamp.signed_timestamp) >= len(bundle.timestamps[0])


def test_a_second_timestamp_is_added_and_none_is_lost(tsa: LocalTsa, chain: Path) -> None:
    once = add_timestamp(unstamped(), TimestampService(tsa.url))
    twice = add_timestamp(once, TimestampService(tsa.url))
    assert twice.timestamps[:1] == once.timestamps
    assert len(twice.timestamps) == 2
    assert load_timestamp_authorities([chain]).prove(read_bundle(twice.raw), at=datetime.now(UTC))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("down", "answers HTTP 503"),
        ("html", r"answers 51 bytes of text/html, which are no timestamp"),
        ("rejected", r"refuses to timestamp the signature \(status 2\)"),
        ("wrong-nonce", "answers another query than ours"),
        ("replayed", "a timestamp of another signature"),
    ],
)
def test_an_answer_of_no_use_is_no_timestamp(tsa: LocalTsa, fault: str, words: str) -> None:
    with tsa.failing(tsa=fault), pytest.raises(IncompleteError, match=words):
        add_timestamp(unstamped(), TimestampService(tsa.url))


@pytest.mark.parametrize("offset_s", [-1_000, 1_000])
def test_clocks_that_differ_are_said_to(tsa: LocalTsa, offset_s: int) -> None:
    """What is signed then could be refused as a time to come, or judged at a wrong one."""
    with tsa.failing(tsa_clock_offset_s=offset_s), pytest.raises(IncompleteError, match="set the"):
        add_timestamp(unstamped(), TimestampService(tsa.url))


def test_a_stranger_is_found_out_when_signing(tsa: LocalTsa, tmp_path: Path) -> None:
    service = TimestampService(tsa.url, believe(tmp_path, Stamper().chain))
    with pytest.raises(IncompleteError, match="nobody whose time is believed"):
        add_timestamp(unstamped(), service)


def test_an_authority_that_hangs(tsa: LocalTsa) -> None:
    with tsa.failing(tsa="hangs"), pytest.raises(IncompleteError, match=r"within 0\.3 s"):
        add_timestamp(unstamped(), TimestampService(tsa.url, timeout_s=0.3))


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    with pytest.raises(IncompleteError, match="cannot be reached"):
        add_timestamp(unstamped(), TimestampService(url))


def drip(connection: socket.socket, before: bytes, each: bytes) -> None:
    connection.sendall(before)
    for _ in itertools.repeat(None):
        connection.sendall(each)
        time.sleep(0.05)


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n"


@pytest.mark.parametrize(
    ("before", "each"),
    [(b"HTTP/1.1 200 OK\r\n", b"x"), (OK + b"\r\n", b"0"), (OK, b"X-A: b\r\n"), (b"", b"H")],
    ids=["header", "body", "headers", "status"],
)
def test_bytes_that_drip_in_do_not_hold_anybody_up(before: bytes, each: bytes) -> None:
    """Each byte sets the socket's own time-out back; the conversation still has an end."""
    with (
        serve_raw(lambda connection: drip(connection, before, each)) as url,
        pytest.raises(IncompleteError, match=r"within 0\.5 s|cannot be reached"),
    ):
        add_timestamp(unstamped(), TimestampService(url, timeout_s=0.5))


@pytest.mark.parametrize(
    "head",
    [b"\r\n", b"Content-Length: 999999999\r\n\r\n", b"Content-Length: 65537\r\n\r\n"],
    ids=["endless", "announced", "one too many"],
)
def test_a_body_has_a_bound(head: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(OK + head)
        for _ in range(10_000):
            connection.sendall(bytes(65_537))

    with (
        serve_raw(talk) as url,
        pytest.raises(LimitExceededError, match="max_timestamp_bytes = 65,536"),
    ):
        add_timestamp(unstamped(), TimestampService(url))


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x00\xff\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", OK + b"Content-Length: 500\r\n\r\n0"],
    ids=["nothing", "noise", "no body", "cut"],
)
def test_what_is_no_answer(answer: bytes) -> None:
    with (
        serve_raw(lambda connection: connection.sendall(answer)) as url,
        pytest.raises(IncompleteError, match=r"cannot be reached|no timestamp"),
    ):
        add_timestamp(unstamped(), TimestampService(url))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["tsa", "file:///etc/passwd", "\x1b[31mred"])
def test_redirects_are_named_and_not_followed(tsa: LocalTsa, status: int, target: str) -> None:
    location = tsa.url if target == "tsa" else target
    answer = f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    before = len(tsa.server.requests)
    with (
        serve_raw(lambda connection: connection.sendall(answer.encode())) as url,
        pytest.raises(IncompleteError, match=r"redirects to .*which is not followed") as caught,
    ):
        add_timestamp(unstamped(), TimestampService(url))
    assert len(tsa.server.requests) == before
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "data:,x",
        "127.0.0.1:80",
        "http://",
        "http:///path",
        "https://user:secret@127.0.0.1/",
        "http://127.0.0.1/#part",
        "http://127.0.0.1:port/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nX-Header: 1",
        "http://ex\u00e4mple.org/",
        "http://[::1/",
    ],
)
def test_what_is_no_address_is_refused_before_the_key_is_read(tmp_path: Path, url: str) -> None:
    spec = SignerSpec(f"file:{tmp_path}/missing.key", timestamp_url=url)
    with pytest.raises(InputError, match="address") as caught:
        open_signer(spec)
    assert "secret" not in str(caught.value)
    assert "missing.key" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"offline": True}, "needs the network"), ({"uri": "sigstore:"}, "names its own time-stamp")],
)
def test_where_no_timestamp_can_be(
    tsa: LocalTsa, key: Path, change: dict[str, object], words: str
) -> None:
    spec = SignerSpec(f"file:{key}", timestamp_url=tsa.url)
    with pytest.raises(InputError, match=words):
        open_signer(replace(spec, **change))  # type: ignore[arg-type]


def test_a_keyless_bundle_is_left_alone(tsa: LocalTsa) -> None:
    bundle = replace(unstamped(), material=CertificateMaterial(b"der", 1))
    with pytest.raises(InputError, match="keyless"):
        add_timestamp(bundle, TimestampService(tsa.url))


def test_an_answer_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """Nobody could verify it who does not have that certificate already."""
    stamper = Stamper()
    with (
        serve_stamps(lambda query: embed(stamper.stamp(query), [])) as url,
        pytest.raises(IncompleteError, match="leaves its certificate out"),
    ):
        add_timestamp(unstamped(), TimestampService(url))


def test_the_answer_is_bounded_by_the_callers_limits(tsa: LocalTsa) -> None:
    service = TimestampService(tsa.url, limits=Limits(max_timestamp_bytes=100))
    with pytest.raises(LimitExceededError, match="max_timestamp_bytes = 100"):
        add_timestamp(unstamped(), service)


class TestTls:
    def test_the_certificate_of_the_server_counts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stamper = Stamper()
        pem = tmp_path / "server.pem"
        make_server_certificate(pem)
        with serve_stamps(stamper.stamp, certificate=pem) as url:
            with pytest.raises(IncompleteError, match=r"cannot be reached \(.*verify failed"):
                add_timestamp(unstamped(), TimestampService(url))
            monkeypatch.setenv("SSL_CERT_FILE", str(pem))
            bundle = add_timestamp(unstamped(), TimestampService(url))
        assert believe(tmp_path, stamper.chain).prove(bundle, at=datetime.now(UTC))


def make_server_certificate(path: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path), "-out", str(path) + ".crt", "-days", "2"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())


class serve_stamps:  # noqa: N801 - read as a function
    """Serve a function of queries, over TLS if there is a certificate for it."""

    def __init__(
        self, answer: Callable[[bytes], bytes], *, certificate: Path | None = None
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"

    def __enter__(self) -> str:
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}/"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
