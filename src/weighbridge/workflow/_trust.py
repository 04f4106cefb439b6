"""Trust: whose signatures a caller takes, in words, and the verifier that it leads to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import refuse_one
from weighbridge.errors import InputError
from weighbridge.signing import (
    TimestampedVerifier,
    load_certificate_verifier,
    load_public_key,
    load_timestamp_authorities,
)
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import Limits
    from weighbridge.core.ports import StrPath
    from weighbridge.signing import TimeSource, Verifier

__all__ = [
    "CertificateTrust",
    "KeyTrust",
    "KeylessTrust",
    "Trust",
    "describe_trust",
    "load_verifier",
]


@dataclass(frozen=True, slots=True)
class KeyTrust:
    """Whoever holds the private half of a key.

    Attributes:
        key: The public key, in PEM.
        timestamp_authorities: Files with the certificates of the authorities whose RFC 3161
            timestamps are believed, in PEM.
    """

    key: StrPath
    timestamp_authorities: Sequence[StrPath] = ()


@dataclass(frozen=True, slots=True)
class CertificateTrust:
    """Whoever has a code-signing certificate by an authority.

    Attributes:
        authorities: Files with root certificates, in PEM; never those of the system or the web.
        identity: A name that the certificate has to bear; None if everybody whom the authority
            certifies is trusted.
        timestamp_authorities: As in :class:`KeyTrust`.
    """

    authorities: Sequence[StrPath]
    identity: str | None = None
    timestamp_authorities: Sequence[StrPath] = ()

    def __post_init__(self) -> None:
        """Refuse an empty name, which comes from an unset variable and would mean anybody.

        Raises:
            InputError: As said.
        """
        if self.identity == "":
            raise InputError("the identity is empty; leave it out if anybody certified is trusted")


@dataclass(frozen=True, slots=True)
class KeylessTrust:
    """Whoever could log in as somebody: Sigstore's keyless signing.

    Attributes:
        identity: The account, exactly: a mail address, or the URI of a CI workflow.
        issuer: The OpenID Connect issuer that vouches for it, exactly.
        trust_config: Which Sigstore instance, as its client trust config in JSON; by default the
            public one.
        instance: Or the address of its update repository, which ``weighbridge trust update`` was
            told of once.
    """

    identity: str
    issuer: str
    trust_config: StrPath | None = None
    instance: str = ""


Trust = KeyTrust | CertificateTrust | KeylessTrust


def load_verifier(
    trust: Trust, *, limits: Limits, offline: bool = False, folder: Path | None = None
) -> Verifier:
    """Read what ``trust`` names.

    Args:
        trust: From the user, or from a policy.
        limits: Bounds on what is read.
        offline: Whether the network must not be used.
        folder: What relative paths are relative to; by default the current folder.

    Raises:
        InputError: A file is missing or is not what it is named as.
        IncompleteError: A Sigstore instance could not be asked for news.
    """
    base = folder or Path()
    if not isinstance(trust, KeyTrust | CertificateTrust | KeylessTrust):
        raise InputError(
            "trust is given as KeyTrust, CertificateTrust or KeylessTrust; give a file as the key"
        )
    match trust:
        case KeyTrust():
            key = load_public_key(base / to_path(trust.key, what="key"), limits=limits)
            times = _load_times(trust.timestamp_authorities, base=base, limits=limits)
            return key if times is None else TimestampedVerifier(key, times)
        case CertificateTrust():
            refuse_one(trust.authorities, what="certificate authorities")
            return load_certificate_verifier(
                [base / to_path(path, what="certificate") for path in trust.authorities],
                identity=trust.identity or "",
                timestamps=_load_times(trust.timestamp_authorities, base=base, limits=limits),
                limits=limits,
            )
        case KeylessTrust():
            return _load_keyless(trust, limits=limits, offline=offline, folder=base)


def _load_times(files: Sequence[StrPath], *, base: Path, limits: Limits) -> TimeSource | None:
    """Return whose timestamps are believed; None if nobody's are."""
    refuse_one(files, what="time-stamp authorities")
    paths = [base / to_path(file, what="certificate file") for file in files]
    return load_timestamp_authorities(paths, limits=limits) if paths else None


def _load_keyless(trust: KeylessTrust, *, limits: Limits, offline: bool, folder: Path) -> Verifier:
    from weighbridge.signing import load_keyless_verifier  # noqa: PLC0415 - start-up time

    config = trust.trust_config
    return load_keyless_verifier(
        trust.identity,
        trust.issuer,
        trust_config=None if config is None else folder / to_path(config, what="trust config"),
        instance=trust.instance,
        offline=offline,
        limits=limits,
    )


def describe_trust(trust: Trust) -> str:
    """Return a short name for whoever is trusted."""
    match trust:
        case KeyTrust():
            return str(trust.key)
        case CertificateTrust():
            return trust.identity or " ".join(str(path) for path in trust.authorities)
        case KeylessTrust():
            return trust.identity
