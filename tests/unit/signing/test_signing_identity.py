"""What a signer calls itself before it signs is what verifying its signature gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from unit.signing.certificate_samples import Cert, build_chain
from weighbridge.core import Bundle, Statement, Subject
from weighbridge.errors import InputError
from weighbridge.signing import (
    DigestSigner,
    Signer,
    SignerSpec,
    TimestampingSigner,
    TimestampService,
    Verifier,
    describe_signer,
    generate_key,
    load_certificate_verifier,
    load_signer,
    open_signer,
)

STATEMENT = Statement.build([Subject("x", {"sha256": "ab" * 32})], predicate_type="x", predicate={})


def identify(signer: Signer, verifier: Verifier | None) -> str:
    assert verifier is not None
    return verifier.verify(signer.sign(STATEMENT), at=datetime.now(UTC)).identity


@pytest.mark.parametrize("curve", ["P-256", "P-384", "Ed25519"])
def test_a_key(tmp_path: Path, curve: str) -> None:
    file = tmp_path / "k.key"
    file.write_bytes(generate_key(curve).private_pem)
    signer = load_signer(file)
    assert describe_signer(signer) == identify(signer, signer.own_verifier())
    timestamping = TimestampingSigner(signer, TimestampService("https://example.com/tsa"))
    assert describe_signer(timestamping) == describe_signer(signer)
    token = DigestSigner(signer.public_key, lambda digest: digest)
    assert describe_signer(token) == describe_signer(signer)


@pytest.mark.parametrize("leaf", [Cert(), Cert(names=()), Cert(cn="Ä", names=())])
def test_a_certificate(tmp_path: Path, leaf: Cert) -> None:
    folder = build_chain(leaf).write(tmp_path)
    spec = SignerSpec(
        f"file:{folder}/leaf.key",
        certificate=folder / "leaf.pem",
        certificate_chain=[folder / "middle.pem"],
    )
    signer = open_signer(spec)
    verifier = load_certificate_verifier([folder / "root.pem"])
    assert describe_signer(signer) == identify(signer, verifier)


@dataclass(frozen=True)
class Nobody:
    """A signer as a plug-in may have it."""

    def sign(self, statement: Statement) -> Bundle:
        raise NotImplementedError

    def own_verifier(self) -> Verifier | None:
        return None


def test_nobody() -> None:
    with pytest.raises(InputError, match="does not say who it is"):
        describe_signer(Nobody())
