"""Timestamps (RFC 3161) on the signatures of any signer that has none of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Bundle, CertificateMaterial, Limits, printable
from weighbridge.errors import IncompleteError, InputError, SignatureError
from weighbridge.signing._times import MAX_SKEW, load_timestamp_authorities, read_timestamp
from weighbridge.signing._timestamp_client import TIMEOUT_S, check_url, post

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

    from weighbridge.core import Statement
    from weighbridge.signing._ports import Signer, TimeSource, Verifier
    from weighbridge.signing._signers import SignerSpec
    from weighbridge.signing._timestamp_client import Answer

__all__ = ["TimestampService", "TimestampingSigner", "add_timestamp", "prepare_timestamps"]

_GRANTED = 0


@dataclass(frozen=True, slots=True)
class TimestampService:
    """Where timestamps are asked for.

    Attributes:
        url: Of the authority.
        believed: What verifies its answers at once; None if that is left to whoever verifies.
        limits: ``max_timestamp_bytes`` bounds an answer.
        timeout_s: For one conversation as a whole.
    """

    url: str
    believed: TimeSource | None = None
    limits: Limits = field(default=DEFAULT_LIMITS, repr=False)
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True)
class TimestampingSigner:
    """Another signer, whose signatures are timestamped before anybody sees them."""

    signer: Signer
    service: TimestampService

    def sign(self, statement: Statement) -> Bundle:
        """Seal ``statement`` and have the signature timestamped.

        Raises:
            IncompleteError: No timestamp could be had.
        """
        return add_timestamp(self.signer.sign(statement), self.service)

    def own_verifier(self) -> Verifier | None:
        """Return the other signer's verifier."""
        return self.signer.own_verifier()


def prepare_timestamps(spec: SignerSpec, *, limits: Limits = DEFAULT_LIMITS) -> TimestampService:
    """Return where ``spec`` wants its signatures timestamped; nobody is asked yet.

    Raises:
        InputError: It is offline, or the address or the certificates cannot be used.
    """
    if spec.offline:
        raise InputError("a timestamp needs the network; leave out the timestamp, or offline")
    check_url(spec.timestamp_url)
    paths = [Path(path) for path in spec.timestamp_authorities]
    believed = load_timestamp_authorities(paths, limits=limits) if paths else None
    return TimestampService(spec.timestamp_url, believed, limits)


def add_timestamp(bundle: Bundle, service: TimestampService) -> Bundle:
    """Return the bundle with one more timestamp over its signature.

    The answer has to be granted, to this query (nonce), over this signature, with the certificate
    of whoever made it, and by a clock that does not differ from this one by more than five minutes.
    Whether its authority is believed is tested if ``service`` says by whom; else it is for whoever
    verifies.

    Raises:
        InputError: The bundle is a keyless one.
        IncompleteError: No such answer could be had; the bundle is as it was.

    Source:
        RFC 3161, sections 2.4 and 3.4 (HTTP); sigstore/protobuf-specs, ``RFC3161SignedTimestamp``.
    """
    material = bundle.material
    if isinstance(material, CertificateMaterial):
        raise InputError("a keyless signature is timestamped when it is made, and not later")
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder  # noqa: PLC0415

    (signature,) = bundle.envelope.signatures
    query = (
        TimestampRequestBuilder()
        .data(signature.sig)
        .hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    answer = post(service.url, query.as_bytes(), limits=service.limits, timeout_s=service.timeout_s)
    who = f"the time-stamp authority at {printable(service.url, limit=200)}"
    _check_granted(answer, who)
    try:
        stamp = read_timestamp(answer.body, signature.sig, limits=service.limits)
        _check_answer(stamp, nonce=query.nonce, who=who)
        stamped = Bundle.build(
            material, bundle.envelope, timestamps=(*bundle.timestamps, answer.body)
        )
        if service.believed is not None:
            alone = Bundle.build(material, bundle.envelope, timestamps=(answer.body,))
            service.believed.prove(alone, at=datetime.now(UTC))
    except SignatureError as error:
        reason = str(error).partition(";")[0]  # the advice there is for whoever verifies
        raise IncompleteError(f"{who} is of no use: {reason}; name another") from error
    return stamped


def _check_granted(answer: Answer, who: str) -> None:
    """Refuse what is no answer of the protocol, and an answer that says no."""
    from rfc3161_client import decode_timestamp_response  # noqa: PLC0415 - start-up time

    try:
        said = decode_timestamp_response(answer.body)
        status, words = said.status, " ".join(said.status_string)
    except Exception as error:
        kind = printable(answer.kind, limit=80)
        raise IncompleteError(
            f"{who} answers {len(answer.body):,} bytes of {kind}, which are no timestamp; "
            "check the address"
        ) from error
    if status != _GRANTED:
        reason = f": {printable(words, limit=200)}" if words else ""
        raise IncompleteError(
            f"{who} refuses to timestamp the signature (status {status}{reason}); name another"
        )


def _check_answer(stamp: TimeStampResponse, *, nonce: int | None, who: str) -> None:
    """Refuse an answer to another query, without a certificate, or by a clock that is wrong."""
    try:
        info = stamp.tst_info
        said, time, certificates = info.nonce, info.gen_time, stamp.signed_data.certificates
    except Exception as error:
        raise SignatureError("it is malformed") from error
    if said != nonce:
        raise IncompleteError(f"{who} answers another query than ours; try again, or name another")
    if not certificates:
        raise IncompleteError(
            f"{who} leaves its certificate out, without which nobody can verify; name another"
        )
    if abs(time - datetime.now(UTC)) > MAX_SKEW:
        raise IncompleteError(
            f"{who} says that it is {time:%Y-%m-%d %H:%M:%S} UTC, and this machine's clock does "
            "not; set the clock, or name another"
        )
