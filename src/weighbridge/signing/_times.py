"""Proven times: RFC 3161 timestamps in bundles, and the authorities whose timestamps are believed.

``rfc3161_client`` has its home here and in ``_timestamps``, and is imported by the functions that
need it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Limits, printable
from weighbridge.errors import InputError, SignatureError
from weighbridge.signing._certificates import (
    describe_subject,
    is_issued_by,
    read_certificates,
    read_facts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse, VerifierBuilder

    from weighbridge.core import Attribution, Bundle
    from weighbridge.signing._ports import TimeSource, Verifier

__all__ = [
    "MAX_SKEW",
    "TimestampAuthorities",
    "TimestampedVerifier",
    "load_timestamp_authorities",
    "read_claimed_times",
    "read_timestamp",
]

# How far two clocks may differ before one of them is said to be wrong.
MAX_SKEW = timedelta(minutes=5)

_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_GRANTED = 0
_ADVICE = "ask its publisher for a new one"
_IMPRINTS = {
    "2.16.840.1.101.3.4.2.1": "SHA256",
    "2.16.840.1.101.3.4.2.2": "SHA384",
    "2.16.840.1.101.3.4.2.3": "SHA512",
}


@dataclass(frozen=True, slots=True)
class _Authority:
    """The certificates of one file.

    Attributes:
        name: The file.
        roots: Where a chain has to end; one at least.
        intermediates: What it may lead through.
        signers: The certificates that may sign timestamps; empty for any that a root leads to.
    """

    name: str
    roots: tuple[Certificate, ...]
    intermediates: tuple[Certificate, ...]
    signers: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class TimestampAuthorities:
    """Those whose timestamps are believed: a source of proven times."""

    _authorities: tuple[_Authority, ...] = field(repr=False)
    _limits: Limits = field(repr=False)

    def prove(self, bundle: Bundle, *, at: datetime) -> datetime | None:
        """Return when the bundle's signature existed at the latest; None if it has no timestamp.

        Every timestamp has to be over this signature, and one at least by an authority that is
        believed; of those the earliest counts. Certificates of authorities are judged at the time
        that the timestamp bears, so that a timestamp outlives them.

        Args:
            bundle: By anybody.
            at: When it is judged, aware; a proven time lies before it, give or take five minutes.

        Raises:
            SignatureError: One is malformed, of another signature or there twice; nobody who is
                believed made any of them; or a proven time lies in the future.

        Source:
            RFC 3161, sections 2.2 and 2.4.2; sigstore/protobuf-specs, ``RFC3161SignedTimestamp``:
            over the bytes of the signature.
        """
        if not bundle.timestamps:
            return None
        if len(set(bundle.timestamps)) != len(bundle.timestamps):
            raise SignatureError(f"the signature carries one timestamp twice; {_ADVICE}")
        (signature,) = bundle.envelope.signatures
        times, refusals = [], []
        stamps = [
            read_timestamp(der, signature.sig, limits=self._limits) for der in bundle.timestamps
        ]
        for stamp in stamps:
            try:
                times.append(self._prove_one(stamp, signature.sig))
            except SignatureError as error:
                refusals.append(error)
        if not times:
            raise refusals[0]
        earliest = min(times)
        if max(times) > at + MAX_SKEW:
            raise SignatureError(
                f"the timestamp says {max(times):%Y-%m-%d %H:%M:%S} UTC, which is yet to come; "
                "set this machine's clock, or do not believe that authority"
            )
        return earliest

    def _prove_one(self, stamp: TimeStampResponse, signed: bytes) -> datetime:
        reasons = []
        for authority in self._authorities:
            for builder in _build_verifiers(authority):
                try:
                    with _translated("the timestamp does not hold for this authority"):
                        builder.build().verify_message(stamp, signed)
                        return stamp.tst_info.gen_time
                except SignatureError as error:
                    reasons.append(error)
        names = ", ".join(printable(authority.name) for authority in self._authorities)
        raise SignatureError(
            f"the signature's timestamp is by nobody whose time is believed ({names}), or was "
            "changed; ask the publisher for that authority's certificates, or for a new signature"
        ) from reasons[-1]


@dataclass(frozen=True, slots=True)
class TimestampedVerifier:
    """Another verifier, beside which timestamps are verified.

    For signers whose own dates do not matter: a key holds at any time. Whoever judges certificates
    asks the source itself.
    """

    verifier: Verifier
    times: TimeSource

    def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:
        """Return what the other verifier does, and when the signature existed at the latest.

        Raises:
            TrustError: As the other verifier.
            SignatureError: The signature or its timestamp does not hold.
        """
        attribution = self.verifier.verify(bundle, at=at)
        proven = self.times.prove(bundle, at=at)
        if proven is None:
            note = "the time of signing, since there is no timestamp"
            return replace(attribution, notes=(*attribution.notes, note))
        return replace(attribution, existed_by=proven)


def load_timestamp_authorities(
    paths: Sequence[Path], *, limits: Limits = DEFAULT_LIMITS
) -> TimestampAuthorities:
    """Read whose timestamps are believed.

    Args:
        paths: One file for each authority, with certificates in PEM in any order: a root at least;
            what leads from there to the signing certificate; and that certificate, or several of
            them. If it is there, no other may have signed; else any that the root leads to.
        limits: ``max_key_bytes`` applies to each.

    Raises:
        InputError: A file is missing, holds no certificate, no root, or one that is no authority's.
        LimitExceededError: A file is too large.
    """
    if not paths:
        raise InputError("no time-stamp authority is named; give a file with its certificates")
    return TimestampAuthorities(
        tuple(_load_authority(path, limits=limits) for path in paths), limits
    )


def read_timestamp(der: bytes, signed: bytes, *, limits: Limits) -> TimeStampResponse:
    """Read a timestamp that says something about ``signed``; who says it is not looked at.

    Raises:
        SignatureError: Malformed, too large, refused by its authority, or about other bytes.
    """
    import hashlib  # noqa: PLC0415 - start-up time

    stamp = _parse(der, limits=limits)
    with _translated("the signature's timestamp cannot be read"):
        imprint = stamp.tst_info.message_imprint
        name = _IMPRINTS.get(imprint.hash_algorithm.dotted_string)
        said = imprint.message
    if name is None:
        raise SignatureError(
            f"the signature's timestamp uses a hash other than SHA-256, 384 or 512; {_ADVICE}"
        )
    if hashlib.new(name, signed).digest() != said:
        raise SignatureError(f"the signature carries a timestamp of another signature; {_ADVICE}")
    return stamp


def read_claimed_times(
    bundle: Bundle, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[datetime | None, ...]:
    """Return the time that each timestamp bears, or None where it cannot be read.

    Nothing is verified, and anybody may have written any of them.
    """
    return tuple(_read_claim(der, limits=limits) for der in bundle.timestamps)


def _read_claim(der: bytes, *, limits: Limits) -> datetime | None:
    try:
        stamp = _parse(der, limits=limits)
        with _translated("unreadable"):
            return stamp.tst_info.gen_time
    except SignatureError:
        return None


def _parse(der: bytes, *, limits: Limits) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response  # noqa: PLC0415 - start-up time

    if len(der) > limits.max_timestamp_bytes:
        raise SignatureError(
            f"the signature carries a timestamp of {len(der):,} bytes, over the limit "
            f"max_timestamp_bytes = {limits.max_timestamp_bytes:,}; {_ADVICE}"
        )
    with _translated("the signature's timestamp cannot be read"):
        stamp = decode_timestamp_response(der)
        status = stamp.status
    if status != _GRANTED:
        raise SignatureError(
            f"the signature carries an authority's refusal to timestamp it; {_ADVICE}"
        )
    return stamp


@contextmanager
def _translated(words: str) -> Iterator[None]:
    """Turn whatever the libraries raise about hostile bytes into an error of ours."""
    try:
        yield
    except SignatureError:
        raise
    except Exception as error:
        raise SignatureError(f"{words}: it is malformed or was changed; {_ADVICE}") from error


def _build_verifiers(authority: _Authority) -> Iterator[VerifierBuilder]:
    from rfc3161_client import VerifierBuilder  # noqa: PLC0415 - start-up time

    for signer in authority.signers or (None,):
        yield VerifierBuilder(
            tsa_certificate=signer,
            roots=list(authority.roots),
            intermediates=list(authority.intermediates),
        )


def _load_authority(path: Path, *, limits: Limits) -> _Authority:
    shown = printable(str(path))
    # A chain that was put together from several files often holds its root twice.
    found = dict.fromkeys(read_certificates(path, limits=limits))
    kinds = {certificate: _classify(certificate) for certificate in found}
    for certificate, kind in kinds.items():
        if not kind:
            raise InputError(
                f"{shown} holds the certificate of {describe_subject(certificate)}, which neither "
                "signs certificates nor timestamps; leave it out"
            )
    roots, intermediates, signers = (
        tuple(certificate for certificate, kind in kinds.items() if name in kind)
        for name in ("root", "intermediate", "signer")
    )
    if not roots:
        raise InputError(
            f"{shown} holds no root certificate; add the self-signed one of the authority"
        )
    return _Authority(str(path), roots, intermediates, signers)


def _classify(certificate: Certificate) -> frozenset[str]:
    """Say what a certificate may be in a chain to a timestamp; one that signs itself may be two."""
    facts = read_facts(certificate)
    if facts is None:
        return frozenset()
    stamps = _TIME_STAMPING in facts.purposes and not facts.is_authority
    signs_itself = is_issued_by(certificate, certificate)
    kinds = {
        "root": signs_itself and (facts.is_authority or stamps),
        "intermediate": facts.is_authority and not signs_itself,
        "signer": stamps,
    }
    return frozenset(name for name, holds in kinds.items() if holds)
