"""Time-stamp authorities of every kind, honest and not, and bundles that they stamped."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from services.keys import YEAR, build_ca, identifiers, new_key, now, to_name, to_pem, usage
from services.sigstore import Faults
from services.sigstore.tsa import TimestampAuthority
from unit.signing.signing_samples import FILES, read_bundle, signed_bytes
from weighbridge.core import Bundle, CertificateMaterial
from weighbridge.signing import TimestampAuthorities, load_timestamp_authorities

STAMPING = ExtendedKeyUsageOID.TIME_STAMPING


@dataclass(frozen=True)
class Leaf:
    """What is odd about the certificate that signs timestamps."""

    usages: tuple[ObjectIdentifier, ...] = (STAMPING,)
    critical: bool = True
    start: timedelta = -YEAR
    end: timedelta = YEAR
    serial: int = 0
    signs_itself: bool = False
    through: bool = False


class Stamper(TimestampAuthority):
    """An authority with a chosen certificate: its own, and the chain that leads to it."""

    def __init__(self, leaf: Leaf = Leaf(), *, root: Any = None) -> None:
        self.faults = Faults()
        super().__init__(faults=self.faults)
        self.root_key = root.root_key if root else new_key()
        self._root = root._root if root else build_ca(self.root_key, "stamping root")
        self.between: list[x509.Certificate] = []
        issuer_key, issuer = self.root_key, self._root
        if leaf.through:
            issuer_key = new_key()
            issuer = build_ca(issuer_key, "stamping middle", issuer=(self.root_key, self._root))
            self.between = [issuer]
        if leaf.signs_itself:
            issuer_key = self._key
        name = to_name("stamper")
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name if leaf.signs_itself else issuer.subject)
            .public_key(self._key.public_key())
            .serial_number(leaf.serial or x509.random_serial_number())
            .not_valid_before(now() + leaf.start)
            .not_valid_after(now() + leaf.end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(digital_signature=True), critical=True)
        )
        if leaf.usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(leaf.usages), leaf.critical)
        builder = identifiers(builder, self._key.public_key(), issuer_key)
        self._certificate = builder.sign(issuer_key, hashes.SHA256())
        if leaf.signs_itself:
            self._root = self._certificate

    @property
    def certificate(self) -> x509.Certificate:
        return self._certificate

    @property
    def root(self) -> x509.Certificate:
        return self._root

    def stamp_at(self, query: bytes, offset: timedelta = timedelta()) -> bytes:
        """Answer as if it were so much later, with every certificate between in the answer."""
        with self.faults.setting(tsa_clock_offset_s=int(offset.total_seconds())):
            answer = self.stamp(query)
        return embed(answer, [self.certificate, *self.between]) if self.between else answer


def embed(answer: bytes, certificates: Iterable[x509.Certificate]) -> bytes:
    """Return an answer with other certificates in it; its signature does not cover them."""
    old = tsp.TimeStampResp.load(answer)["time_stamp_token"]["content"]
    found = [asn1.Certificate.load(c.public_bytes(Encoding.DER)) for c in certificates]
    fields = {name: old[name] for name in ("digest_algorithms", "encap_content_info")}
    signed = cms.SignedData(
        {"version": "v3", **fields, "certificates": found, "signer_infos": old["signer_infos"]}
    )
    token = {"content_type": "signed_data", "content": signed}
    return tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()


def query_for(data: bytes, *, certified: bool = True, algorithm: str = "SHA256") -> bytes:
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder  # noqa: PLC0415

    builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm[algorithm])
    return builder.cert_request(cert_request=certified).build().as_bytes()


def unstamped(files: dict[str, bytes] = FILES) -> Bundle:
    return read_bundle(signed_bytes(files))


def signature_of(bundle: Bundle) -> bytes:
    return bundle.envelope.signatures[0].sig


def with_stamps(bundle: Bundle, *stamps: bytes) -> Bundle:
    """Return the bundle with these timestamps, read from its bytes as any other is."""
    assert not isinstance(bundle.material, CertificateMaterial)
    return read_bundle(Bundle.build(bundle.material, bundle.envelope, timestamps=stamps).raw)


def stamped(stamper: Stamper, offset: timedelta = timedelta()) -> Bundle:
    bundle = unstamped()
    return with_stamps(bundle, stamper.stamp_at(query_for(signature_of(bundle)), offset))


def believe(folder: Path, *chains: Iterable[x509.Certificate]) -> TimestampAuthorities:
    paths = []
    for index, chain in enumerate(chains):
        path = folder / f"authority-{index}.pem"
        path.write_text(to_pem(*chain))
        paths.append(path)
    return load_timestamp_authorities(paths)


def is_ago(time: datetime | None, how_long: timedelta) -> bool:
    """Return whether ``time`` is so long ago, give or take what a slow machine needs."""
    return time is not None and abs(datetime.now(UTC) - time - how_long) < timedelta(minutes=2)


@contextmanager
def serve_raw(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve an address where each connection is answered by ``talk``, which may never end."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            read_request(connection)
            talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/tsa"
    finally:
        server.close()


def read_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(4096)
    head, _, body = data.partition(b"\r\n\r\n")
    length = sum(
        int(line.split(b":")[1])
        for line in head.splitlines()
        if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(4096)
