"""Signers by URI: ``file:``, ``pkcs11:``, ``sigstore:``, and what plug-ins add."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from weighbridge.core import DEFAULT_LIMITS, Limits, printable, refuse_one
from weighbridge.errors import InputError
from weighbridge.signing._keys import load_signer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weighbridge.core.ports import AskSecret, StrPath
    from weighbridge.signing._digest_signer import DigestSigner
    from weighbridge.signing._keys import KeySigner
    from weighbridge.signing._ports import Signer

__all__ = ["SignerSpec", "find_key_file", "open_signer"]


@dataclass(frozen=True, slots=True)
class SignerSpec:
    """Who shall sign, and what goes with it.

    Attributes:
        uri: ``file:PATH`` of a private key in PEM; ``pkcs11:...`` of a key in a module (RFC 7512);
            ``sigstore:`` for keyless signing, or ``sigstore:URL`` of an instance's update
            repository; or a scheme that a plug-in registered.
        certificate: The signer's certificate in PEM; the bundle then carries it. For a key in a
            token also ``pkcs11:``, the one beside it.
        certificate_chain: Files with the certificates that lead from there to the authority.
        trust_config: Which Sigstore instance, as its client trust config in JSON; by default the
            public one.
        identity_token: An OpenID Connect token for keyless signing, or what returns one: a step may
            take longer than a token lives, and is then asked for another. By default that of the CI
            job, else one is asked for in a browser.
        timestamp_url: Where to have the signature timestamped (RFC 3161); empty for nowhere.
        timestamp_authorities: Files with the certificates of the authority there, in PEM: its
            timestamps are verified at once. By default that is left to whoever verifies.
        ask_secret: Who knows passwords and PINs; by default nobody.
        offline: Whether anything that needs the network is an error.
    """

    uri: str
    certificate: StrPath | None = None
    certificate_chain: Sequence[StrPath] = ()
    trust_config: StrPath | None = None
    identity_token: str | Callable[[], str] | None = field(default=None, repr=False)
    timestamp_url: str = ""
    timestamp_authorities: Sequence[StrPath] = ()
    ask_secret: AskSecret | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        """Refuse one path where several belong.

        Raises:
            InputError: As said.
        """
        refuse_one(self.certificate_chain, what="certificates of the chain")
        refuse_one(self.timestamp_authorities, what="time-stamp authorities")


def open_signer(spec: SignerSpec, *, limits: Limits = DEFAULT_LIMITS) -> Signer:
    """Return the signer that ``spec`` names, ready to sign.

    Args:
        spec: From the user.
        limits: Bounds on what is read for it.

    Raises:
        InputError: Nobody knows the scheme, or the key, certificate or token cannot be used.
        MissingExtraError: The scheme needs a part that is not installed.
        IncompleteError: A service that has to answer first does not.
    """
    scheme = spec.uri.partition(":")[0].lower()
    if scheme == "sigstore":
        from weighbridge.signing._keyless_sign import open_keyless_signer  # noqa: PLC0415

        return open_keyless_signer(spec, limits=limits)
    if scheme in ("file", "pkcs11") and (spec.trust_config or spec.identity_token):
        raise InputError(
            "an identity token and a trust config are for keyless signing; leave them out, "
            "or leave out the key"
        )
    if spec.timestamp_url:
        from weighbridge.signing._timestamps import (  # noqa: PLC0415 - start-up time
            TimestampingSigner,
            prepare_timestamps,
        )

        service = prepare_timestamps(spec, limits=limits)  # before any password is asked for
        return TimestampingSigner(
            open_signer(replace(spec, timestamp_url=""), limits=limits), service
        )
    if scheme == "pkcs11":
        from weighbridge.signing._pkcs11 import open_pkcs11_signer  # noqa: PLC0415 - start-up time

        in_token, certificate = open_pkcs11_signer(spec, limits=limits)
        return _certify(in_token, spec, certificate, limits=limits)
    if scheme != "file":
        from weighbridge.signing._plugins import open_plugin_signer  # noqa: PLC0415 - start-up time

        return open_plugin_signer(spec, limits=limits)
    holder = load_signer(_to_path(spec.uri), ask_secret=spec.ask_secret, limits=limits)
    return _certify(holder, spec, limits=limits)


def find_key_file(uri: str) -> Path | None:
    """Return the file of the private key that a signer's URI names, None if it names none.

    Raises:
        InputError: It is a ``file:`` URI of no local file.
    """
    return _to_path(uri) if uri.partition(":")[0].lower() == "file" else None


def _certify(
    holder: KeySigner | DigestSigner,
    spec: SignerSpec,
    certificate: bytes | None = None,
    *,
    limits: Limits,
) -> Signer:
    """Return the holder of a key, with the certificate if one is named or came from its token."""
    if spec.certificate is not None:
        from weighbridge.signing._certificates import add_certificate  # noqa: PLC0415 - start-up time

        chain = [Path(path) for path in spec.certificate_chain]
        return add_certificate(holder, certificate or Path(spec.certificate), chain, limits=limits)
    if spec.certificate_chain:
        raise InputError("a certificate chain leads on from a certificate; give that one too")
    return holder


def _to_path(uri: str) -> Path:
    """Return the path in a ``file:`` URI; unlike RFC 8089 it may be relative: ``file:my.key``."""
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise InputError(f"{printable(uri, limit=80)} names another machine; give a local path")
    if parts.query or parts.fragment:
        raise InputError(
            f"{printable(uri, limit=80)} holds '?' or '#'; write %3F and %23 if the path does"
        )
    path = unquote(parts.path)
    if not path:
        raise InputError("the file: URI is empty; add the path of a private key")
    return Path(path)
