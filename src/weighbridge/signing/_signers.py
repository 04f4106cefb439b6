"""Signers by URI: ``file:``, ``pkcs11:``, ``sigstore:``, and what plug-ins add."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from weighbridge.core import DEFAULT_LIMITS, Limits, printable
from weighbridge.errors import InputError
from weighbridge.signing._certificates import add_certificate
from weighbridge.signing._keys import load_signer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core.ports import AskSecret, StrPath
    from weighbridge.signing._ports import Signer

__all__ = ["SignerSpec", "open_signer"]


@dataclass(frozen=True, slots=True)
class SignerSpec:
    """Who shall sign, and what goes with it.

    Attributes:
        uri: ``file:PATH`` of a private key in PEM; ``pkcs11:...`` of a key in a module (RFC 7512);
            ``sigstore:`` for keyless signing, or ``sigstore:URL`` of an instance's update
            repository; or a scheme that a plug-in registered.
        certificate: The signer's certificate in PEM; the bundle then carries it.
        certificate_chain: Files with the certificates that lead from there to the authority.
        trust_config: Which Sigstore instance, as its client trust config in JSON; by default the
            public one.
        identity_token: An OpenID Connect token for keyless signing; by default that of the CI job,
            else one is asked for in a browser.
        timestamp_url: Where to have the signature timestamped (RFC 3161); empty for nowhere.
        ask_secret: Who knows passwords and PINs; by default nobody.
        offline: Whether anything that needs the network is an error.
    """

    uri: str
    certificate: StrPath | None = None
    certificate_chain: Sequence[StrPath] = ()
    trust_config: StrPath | None = None
    identity_token: str | None = field(default=None, repr=False)
    timestamp_url: str = ""
    ask_secret: AskSecret | None = None
    offline: bool = False


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
    scheme = urlsplit(spec.uri).scheme
    if scheme == "sigstore":
        from weighbridge.signing._keyless_sign import open_keyless_signer  # noqa: PLC0415

        return open_keyless_signer(spec, limits=limits)
    if scheme != "file":
        raise InputError(
            f"no signer is known for {printable(spec.uri, limit=80)!r}; "
            "a file: URI with a private key is wanted"
        )
    signer = load_signer(_to_path(spec.uri), ask_secret=spec.ask_secret, limits=limits)
    if spec.certificate is not None:
        chain = [Path(path) for path in spec.certificate_chain]
        return add_certificate(signer, Path(spec.certificate), chain, limits=limits)
    if spec.certificate_chain:
        raise InputError("a certificate chain leads on from a certificate; give that one too")
    return signer


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
