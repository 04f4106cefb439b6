"""Chains: from a certificate in a bundle to an authority that the caller named.

Roots are those that the caller gives and no others: never the system's, never the web's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Attribution, Bundle, ChainMaterial, printable
from weighbridge.errors import InputError, SignatureError, TrustError
from weighbridge.signing._certificates import (
    MAX_CERTIFICATES,
    UNREADABLE,
    describe_subject,
    find_fault,
    find_wrong_date,
    is_issued_by,
    parse_certificate,
    read_certificates,
    read_facts,
    read_leaf_key,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509
    from cryptography.x509 import verification

    from weighbridge.core import Limits
    from weighbridge.signing._certificates import Facts
    from weighbridge.signing._ports import TimeSource

__all__ = ["CertificateVerifier", "load_certificate_verifier"]

# Between an authority that was given and the signer; two are many.
_MAX_INTERMEDIATES = 5
_MAX_AUTHORITIES = 1_000
_PURPOSES = frozenset({"1.3.6.1.5.5.7.3.3", "2.5.29.37.0"})  # code signing, any


@dataclass(frozen=True, slots=True)
class CertificateVerifier:
    """Takes bundles by whoever has a code-signing certificate by one of some authorities.

    Attributes:
        identity: A name that the certificate has to bear; empty for any.
        timestamps: Proves when a signature existed; None: it is judged at the time of judging.
    """

    identity: str
    timestamps: TimeSource | None
    _authorities: tuple[x509.Certificate, ...] = field(repr=False)

    def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:
        """Return the name in the certificate that signed, and its authority's.

        Raises:
            TrustError: The bundle bears no certificate; or the certificate does not lead to one of
                the authorities, is for something else than code signing, was not valid at the time,
                or has another name.
            SignatureError: The certificate is trusted, and its key did not make the signature; or a
                certificate or timestamp is broken.

        Source:
            OpenSSF Model Signing v1.0, section 8.2; RFC 5280, section 6.
        """
        if not isinstance(bundle.material, ChainMaterial):
            raise TrustError(
                "the signature does not come with a certificate of a signer; "
                "verify it with the public key or the account that the publisher names"
            )
        leaf, *others = _parse_chain(bundle.material)
        facts = read_facts(leaf)
        key = read_leaf_key(leaf)
        if facts is None or key is None:
            raise TrustError(
                "the signer's certificate cannot be used: its key is not an EC key on P-256, P-384 "
                "or P-521, or it cannot be read; ask the publisher for another signature"
            )
        proven = None if self.timestamps is None else self.timestamps.prove(bundle, at=at)
        time = at if proven is None else proven
        pinned = leaf in self._authorities
        if reason := find_wrong_date(facts, time) or find_fault(facts, pinned=pinned):
            raise TrustError(_to_refusal(reason, proven=proven))
        chain = [leaf] if pinned else self._build_chain(leaf, others, time)
        identity = self._find_identity(facts, chain)
        if not key.holds_for(bundle):
            raise SignatureError(
                "the signature does not hold for the key in its certificate; "
                "get the signature file again from its publisher"
            )
        issuer = describe_subject(chain[-1])
        return Attribution("", "certificate", identity, issuer, proven)

    def _build_chain(
        self, leaf: x509.Certificate, others: Sequence[x509.Certificate], at: datetime
    ) -> list[x509.Certificate]:
        """Return the certificates from the signer's to an authority's, which both are in it."""
        from cryptography.x509 import verification  # noqa: PLC0415 - start-up time

        builder = (
            verification.PolicyBuilder()
            .store(verification.Store(list(self._authorities)))
            .time(at)
            .max_chain_depth(_MAX_INTERMEDIATES)
            .extension_policies(
                ca_policy=_build_authority_policy(),
                # What the signer's own has to say was judged before.
                ee_policy=verification.ExtensionPolicy.permit_all(),
            )
        )
        try:
            return builder.build_client_verifier().verify(leaf, list(others)).chain
        except (verification.VerificationError, *UNREADABLE) as error:
            reason = self._explain(leaf, others, at)
            if not reason:
                words = str(error).removeprefix("validation failed: ")
                reason = printable(words.partition(" (encountered")[0], limit=200)
            raise TrustError(
                "the signer's certificate does not lead to an authority that is trusted "
                f"({reason}); verify it with the authority that the publisher names"
            ) from error

    def _explain(
        self, leaf: x509.Certificate, others: Sequence[x509.Certificate], at: datetime
    ) -> str:
        """Say what is wrong with the first link that is, going up; empty if all look right."""
        known = [*others, *self._authorities]
        certificate = leaf
        for _ in range(MAX_CERTIFICATES):
            issuers = [other for other in known if is_issued_by(certificate, other)]
            if not issuers:
                shown = describe_subject(certificate)
                return f"the certificate of whoever issued that of {shown} is not there"
            for issuer in issuers:
                facts = read_facts(issuer)
                if facts and (reason := find_wrong_date(facts, at)):
                    return reason
            certificate = issuers[0]
            if certificate in self._authorities:
                return ""
        return ""

    def _find_identity(self, facts: Facts, chain: Sequence[x509.Certificate]) -> str:
        """Return the name that was asked for, else the one that tells most."""
        # Authorities that may certify some names only say so of alternative names alone.
        common = "" if _has_name_constraints(chain) else facts.common_name
        names = (*facts.names, *([common] if common else []))
        if not self.identity:
            return names[0] if names else facts.subject
        if self.identity in names:
            return self.identity
        shown = ", ".join(printable(name, limit=80) for name in names[:3]) or "nobody by name"
        raise TrustError(
            f"the signer's certificate is that of {shown} and not of "
            f"{printable(self.identity, limit=80)}; ask the publisher who signs"
        )


def load_certificate_verifier(
    authorities: Sequence[Path],
    *,
    identity: str = "",
    timestamps: TimeSource | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> CertificateVerifier:
    """Read the authorities whose code-signing certificates are trusted.

    An authority that is itself the signer's certificate is trusted for exactly that certificate.

    Args:
        authorities: Files with certificates in PEM, one or several in each.
        identity: A name that the signer's certificate has to bear: one of its alternative names
            (mail address, URI, DNS name) or its common name, exactly; empty for any.
        timestamps: Who proves when a signature existed.
        limits: ``max_key_bytes`` applies to each file.

    Raises:
        InputError: No file, or one that cannot be read, holds no certificate, or holds anything
            else, such as a private key.
    """
    if not authorities:
        raise InputError("no authority is trusted; name a file with its certificate")
    found: list[x509.Certificate] = []
    for path in authorities:
        for certificate in read_certificates(path, limits=limits):
            if read_facts(certificate) is None:
                raise InputError(
                    f"{printable(str(path))} holds a certificate that cannot be read in full; "
                    "ask the authority for another"
                )
            found.append(certificate)
    if len(found) > _MAX_AUTHORITIES:
        raise InputError(
            f"{len(found):,} authorities are named and {_MAX_AUTHORITIES:,} are the most; "
            "name those that sign models"
        )
    return CertificateVerifier(identity, timestamps, tuple(dict.fromkeys(found)))


def _parse_chain(material: ChainMaterial) -> list[x509.Certificate]:
    chain: list[x509.Certificate] = []
    for index, der in enumerate(material.certificates):
        certificate = parse_certificate(der)
        if certificate is None:
            raise SignatureError(
                f"certificate {index + 1} of the signature cannot be read; "
                "get the signature file again from its publisher"
            )
        # Roots beside the signature prove nothing, and several of one name and one key multiply the
        # paths to try; so only the signer's own and those between it and a root are kept.
        if not chain or not _is_self_issued(certificate):
            chain.append(certificate)
    return chain


def _is_self_issued(certificate: x509.Certificate) -> bool:
    try:
        return certificate.subject == certificate.issuer
    except UNREADABLE:
        return True  # it cannot be read and leads nowhere


def _to_refusal(reason: str, *, proven: datetime | None) -> str:
    if proven is None:
        return f"{reason} (no timestamp that is trusted shows that it was used in time)"
    return f"{reason} (the signature was made by {proven:%Y-%m-%d %H:%M:%S} UTC)"


def _build_authority_policy() -> verification.ExtensionPolicy:
    """Return what the certificates of authorities have to say, the given ones included."""
    from cryptography import x509  # noqa: PLC0415 - start-up time
    from cryptography.x509 import verification  # noqa: PLC0415

    either = verification.Criticality.AGNOSTIC
    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, either, None)
        .may_be_present(x509.KeyUsage, either, _check_usage)
        .may_be_present(x509.ExtendedKeyUsage, either, _check_purposes)
        .may_be_present(x509.NameConstraints, either, _check_constraints)
    )


def _check_usage(
    _policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("an authority on the way may not issue certificates")


def _check_purposes(
    _policy: verification.Policy,
    _certificate: x509.Certificate,
    purposes: x509.ExtendedKeyUsage | None,
) -> None:
    if purposes is not None and _PURPOSES.isdisjoint(p.dotted_string for p in purposes):
        raise ValueError("an authority on the way is not for code signing")


def _check_constraints(
    _policy: verification.Policy,
    _certificate: x509.Certificate,
    constraints: x509.NameConstraints | None,
) -> None:
    """Refuse what ``cryptography`` does not judge; before version 50 it passes over it silently."""
    from cryptography import x509  # noqa: PLC0415 - start-up time

    if constraints is None:
        return
    judged = (x509.DNSName, x509.IPAddress, x509.RFC822Name)
    for name in (*(constraints.permitted_subtrees or ()), *(constraints.excluded_subtrees or ())):
        if not isinstance(name, judged):  # the library wants a ValueError
            raise ValueError("an authority has name constraints of a kind not known")  # noqa: TRY004


def _has_name_constraints(chain: Sequence[x509.Certificate]) -> bool:
    from cryptography import x509  # noqa: PLC0415 - start-up time

    try:
        return any(
            isinstance(extension.value, x509.NameConstraints)
            for certificate in chain
            for extension in certificate.extensions
        )
    except (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return True  # it may have some
