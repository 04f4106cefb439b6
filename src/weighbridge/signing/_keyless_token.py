"""Who signs keyless: an identity token that was given, that of the CI job, or that of a browser."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import IncompleteError, InputError
from weighbridge.signing._keyless_words import to_words

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken

__all__ = ["find_token"]

_AUDIENCE = "sigstore"
# By the name of what PyJWT raises, of which sigstore-python says the same words in every case;
# empty for what sigstore-python finds by itself.
_REASONS = {
    "": "has expired or is not valid yet; get a new one, or check the clock",
    "ExpiredSignatureError": "has expired; get a new one",
    "ImmatureSignatureError": "is not valid yet; check the clock",
    "InvalidAudienceError": f"is for somebody else; ask for one with the audience {_AUDIENCE!r}",
    "InvalidIssuedAtError": "does not say when it was issued; get a new one",
    "MissingRequiredClaimError": "lacks a claim that OpenID Connect demands; get a new one",
}
_DESKTOP_VARIABLES = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


def find_token(given: str | None, config: ClientTrustConfig) -> IdentityToken:
    """Return who signs: ``given``, else the CI job, else whoever logs in with a browser.

    Args:
        given: A token in the compact form, or None.
        config: Says where people log in.

    Raises:
        InputError: The token cannot be used, the job may not have one, the login was refused, or
            there is neither a token nor anybody who could log in.
        IncompleteError: Whoever issues tokens did not answer.
    """
    if given is not None:
        return _read_token(given.strip())
    found = _find_ambient()
    if found is not None:
        return _read_token(found)
    return _log_in(config)


def _read_token(text: str) -> IdentityToken:
    from sigstore.oidc import IdentityError, IdentityToken  # noqa: PLC0415 - start-up time

    try:
        return IdentityToken(text, _AUDIENCE)
    except IdentityError as error:
        name = type(error.__cause__).__name__
        if error.__cause__ is None and "validity" in str(error):
            name = ""
        reason = _REASONS.get(name, "is not an OpenID Connect token; get a new one")
        raise InputError(f"the identity token {reason}") from error


def _find_ambient() -> str | None:
    """Return the token of the CI job that this is, or None if it is none."""
    from sigstore.oidc import IdentityError, detect_credential  # noqa: PLC0415 - start-up time

    try:
        return detect_credential(_AUDIENCE)
    except IdentityError as error:
        if type(error.__cause__).__name__ == "GitHubOidcPermissionCredentialError":
            raise InputError(
                "this job may not have an identity token; give it the permission id-token: write"
            ) from error
        raise IncompleteError(
            f"the identity of this CI job could not be had ({to_words(error)})"
        ) from error
    except Exception as error:  # the network, in whatever words
        raise IncompleteError(
            f"the identity of this CI job could not be had ({to_words(error)})"
        ) from error


def _log_in(config: ClientTrustConfig) -> IdentityToken:
    has_terminal = os.isatty(0) and os.isatty(2)
    has_browser = any(os.environ.get(name) for name in _DESKTOP_VARIABLES)
    if not (has_terminal or has_browser):
        raise InputError(
            "nobody can log in here: there is no identity token, no CI job that has one, no "
            "terminal and no browser; give --identity-token-file FILE"
        )
    from sigstore.errors import Error, NetworkError  # noqa: PLC0415 - start-up time
    from sigstore.oidc import IdentityError, Issuer, IssuerError  # noqa: PLC0415

    try:
        url = config.signing_config.get_oidc_url()
    except Error as error:
        raise InputError(
            "this Sigstore instance does not say where to log in; give --identity-token-file FILE"
        ) from error
    shown = printable(url, limit=200)
    try:
        # stdout is data; the prompt for a code is not.
        with contextlib.redirect_stdout(sys.stderr):
            return Issuer(url).identity_token(client_id=_AUDIENCE, force_oob=not has_browser)
    except EOFError as error:
        raise InputError(
            "no browser could be opened and nobody gave a code; give --identity-token-file FILE"
        ) from error
    except IdentityError as error:
        raise InputError(
            f"{shown} did not log anybody in ({to_words(error)}); try again"
        ) from error
    except (NetworkError, IssuerError) as error:
        raise IncompleteError(
            f"{shown}, where people log in, does not answer; try later"
        ) from error
    except Exception as error:  # what a server may answer is up to it
        raise IncompleteError(
            f"logging in at {shown} failed ({to_words(error)}); try later"
        ) from error
