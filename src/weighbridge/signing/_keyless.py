"""Keyless: signatures by whoever could log in as somebody (Sigstore).

The rules of Sigstore are sigstore-python's; what it leaves to its callers or does not look at is
here: which payload was verified, exact identities, and the periods of authorities and logs.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from weighbridge.core import (
    DEFAULT_LIMITS,
    Attribution,
    CertificateMaterial,
    printable,
)
from weighbridge.errors import InputError, SignatureError, TrustError, WeighbridgeError
from weighbridge.signing._keyless_trust import SigstoreInstance, load_trusted_root, restrict
from weighbridge.signing._keyless_words import to_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sigstore.models import Bundle as SigstoreBundle
    from sigstore.models import TrustedRoot
    from sigstore.verify.policy import VerificationPolicy

    from weighbridge.core import Bundle, Limits

__all__ = ["KeylessVerifier", "load_keyless_verifier", "read_account"]

# Fulcio, docs/oid-info.md: the issuer as bare text, and later as an ASN.1 string.
_ISSUER_OID = "1.3.6.1.4.1.57264.1.1"
_ISSUER_V2_OID = "1.3.6.1.4.1.57264.1.8"
_AGAIN = "get the signature file again from its publisher"


@dataclass(frozen=True, slots=True)
class KeylessVerifier:
    """Tells the signatures of one account, as one issuer vouches for it, from all others.

    Attributes:
        identity: The account, exactly.
        issuer: The OpenID Connect issuer, exactly.
    """

    identity: str
    issuer: str
    _load_root: Callable[[], TrustedRoot] = field(repr=False, compare=False)

    def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:  # noqa: ARG002 - see below
        """Return that this account signed the bundle's envelope, and when at the latest.

        The certificate is judged at each time that is proven: those of the time-stamp authorities
        and that of the transparency log; ``at`` does not matter.

        Raises:
            TrustError: Somebody else signed, or in another way.
            SignatureError: The certificate bears this account's name, and something does not hold.
            InputError: What is known of the instance cannot be used.
            IncompleteError: The instance could not be asked for news.

        Source:
            Sigstore client specification, section 4, "Verification".
        """
        material = bundle.material
        if not isinstance(material, CertificateMaterial):
            raise TrustError(
                "the signature was made with a key or a chain of certificates, and not keyless; "
                "verify it with the key or the authority that the publisher names"
            )
        if material.log_entry_count != 1:
            count = material.log_entry_count or "no"
            raise SignatureError(
                f"the keyless signature comes with {count} entries of a transparency log, and "
                f"exactly one is wanted; {_AGAIN}"
            )
        identity, issuer = read_account(material.certificate)
        if (identity, issuer) != (self.identity, self.issuer):
            raise TrustError(
                f"the signature is by {printable(identity, limit=200)}, as "
                f"{printable(issuer, limit=200)} says, and not by {printable(self.identity)}, as "
                f"{printable(self.issuer)} says"
            )
        existed_by, stamped = self._verify_proof(bundle, material)
        notes: tuple[str, ...] = ()
        if strange := len(bundle.timestamps) - stamped:
            notes = (f"timestamps that this Sigstore instance does not vouch for: {strange}",)
        return Attribution("", "keyless", identity, issuer, existed_by, notes)

    def _verify_proof(self, bundle: Bundle, material: CertificateMaterial) -> tuple[datetime, int]:
        """Return the earliest time that is proven, and how many timestamps hold."""
        whole_root = self._load_root()
        from sigstore.models import Bundle as SigstoreBundle  # noqa: PLC0415 - start-up time
        from sigstore.verify import Verifier  # noqa: PLC0415

        with _hostile("the keyless signature does not hold"):
            theirs = SigstoreBundle.from_json(bundle.raw)
            policy = _build_policy(theirs, self.identity, self.issuer)
            issued_at = theirs.signing_certificate.not_valid_before_utc
            # Timestamps are verified by this; the log's own time, below, with the entry.
            proven = Verifier(trusted_root=whole_root)._establish_time(theirs)  # noqa: SLF001
            times = sorted({one.time for one in proven})
            if not times:
                raise SignatureError(
                    "nobody whom this Sigstore instance names proves when the signature was made; "
                    "if another instance made it, name that one"
                )
            for signed_at in times:
                root = restrict(whole_root, signed_at=signed_at, issued_at=issued_at)
                _check_restricted(root, signed_at)
                verified = Verifier(trusted_root=root).verify_dsse(theirs, policy)
                _check_same(bundle, material, theirs, verified=verified)
        stamped = [one for one in proven if one.source.name == "TIMESTAMP_AUTHORITY"]
        return times[0], len(stamped)


@contextmanager
def _hostile(what: str) -> Iterator[None]:
    """Turn whatever a library does with hostile bytes into a refusal."""
    try:
        yield
    except WeighbridgeError:
        raise
    except Exception as error:
        raise SignatureError(f"{what} ({to_words(error)}); {_AGAIN}") from error


def _check_restricted(root: TrustedRoot, signed_at: datetime) -> None:
    inner = root._inner  # noqa: SLF001 - there is no public way
    for listed, what in (
        (inner.certificate_authorities, "certificate authority"),
        (inner.tlogs, "transparency log"),
        (inner.ctlogs, "log of certificates"),
    ):
        if not listed:
            raise SignatureError(
                f"no {what} of this Sigstore instance was in use at {signed_at:%Y-%m-%d %H:%M:%S} "
                "UTC, when the signature was made; refresh the trust root"
            )


def _check_same(
    bundle: Bundle,
    material: CertificateMaterial,
    theirs: SigstoreBundle,
    *,
    verified: tuple[str, bytes],
) -> None:
    """Refuse a bundle that the library read otherwise than we do."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    (signature,) = bundle.envelope.signatures
    same = (
        verified == (bundle.envelope.payload_type, bundle.envelope.payload)
        and theirs.signature == signature.sig
        and theirs.signing_certificate.public_bytes(Encoding.DER) == material.certificate
    )
    if not same:
        raise SignatureError(f"the bundle can be read in two ways; {_AGAIN}")


def _build_policy(bundle: SigstoreBundle, identity: str, issuer: str) -> VerificationPolicy:
    from cryptography.x509 import ObjectIdentifier  # noqa: PLC0415 - start-up time
    from sigstore.verify import policy  # noqa: PLC0415

    wanted: list[VerificationPolicy] = [policy.Identity(identity=identity, issuer=issuer)]
    oids = {extension.oid for extension in bundle.signing_certificate.extensions}
    if ObjectIdentifier(_ISSUER_V2_OID) in oids:
        wanted.append(policy.OIDCIssuerV2(issuer))
    return policy.AllOf(wanted)


def read_account(der: bytes) -> tuple[str, str]:
    """Return the identity and the issuer in a certificate that nobody has verified.

    Raises:
        SignatureError: It is not a certificate of Sigstore's kind.
    """
    from cryptography import x509  # noqa: PLC0415 - start-up time

    with _hostile("the certificate is not one that a Sigstore instance issues"):
        extensions = x509.load_der_x509_certificate(der).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        issuer: Any = extensions.get_extension_for_oid(x509.ObjectIdentifier(_ISSUER_OID)).value
        accounts = [
            name.value
            for name in names
            if isinstance(name, x509.RFC822Name | x509.UniformResourceIdentifier)
        ]
        if len(accounts) != 1 or len(list(names)) != 1:
            raise SignatureError(
                "the certificate does not name exactly one mail address or URI, which is what "
                "keyless signatures are by"
            )
        return accounts[0], issuer.value.decode()


def load_keyless_verifier(
    identity: str,
    issuer: str,
    *,
    trust_config: Path | None = None,
    instance: str = "",
    offline: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> KeylessVerifier:
    """Return what verifies the signatures of one account.

    The instance is asked for news when a bundle seems to be by this account, and not before.

    Args:
        identity: The account, exactly: a mail address, or the URI of a CI workflow.
        issuer: The OpenID Connect issuer that vouches for it, exactly.
        trust_config: The Sigstore instance, as a client trust config or trusted root in JSON.
        instance: Or the address of its update repository; by default the public instance.
        offline: Whether the network must not be used.
        limits: ``max_key_bytes`` applies to ``trust_config``.

    Raises:
        InputError: One of the two is missing, or ``trust_config`` cannot be used.
    """
    if not identity or not issuer:
        raise InputError("a keyless signature is trusted by identity and issuer; give both")
    chosen = SigstoreInstance.build(trust_config, instance)
    load_root = cache(lambda: load_trusted_root(chosen, limits=limits, offline=offline))
    if trust_config is not None:
        load_root()  # a wrong file is told at once
    return KeylessVerifier(identity, issuer, load_root)
