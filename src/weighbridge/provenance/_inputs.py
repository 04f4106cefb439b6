"""Inputs that are not on this machine: by the digest that their address bears."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from weighbridge.core import Dependency, printable
from weighbridge.errors import InputError
from weighbridge.provenance._secrets import redact_text
from weighbridge.provenance._uris import is_uri

__all__ = ["check_address", "is_lock_file", "is_remote", "parse_remote_input", "to_reference"]

_LOCK_FILE = re.compile(
    r"uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock|pylock(?:\.[^.]+)?\.toml|pixi\.lock"
    r"|conda-lock\.ya?ml|environment\.ya?ml|requirements[^/]*\.txt"
)

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://")
_REVISION = re.compile(r"hf://(?P<place>[!-?A-~]+)@(?P<revision>[0-9a-f]{40})")
_DIGEST = re.compile(r"(?P<algorithm>sha256|sha512)[=:](?P<hex>[0-9a-f]{64}(?:[0-9a-f]{64})?)")
_PINNED = re.compile(r"@(?:[0-9a-f]{40}|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
_HEX_DIGITS = {"sha256": 64, "sha512": 128}


def is_lock_file(name: str) -> bool:
    """Tell by a file's name whether it lists what is to be installed.

    Source:
        PEP 751 for ``pylock.toml`` and ``pylock.NAME.toml``; the others are their tools' own.
    """
    return _LOCK_FILE.fullmatch(name) is not None


def is_remote(text: str) -> bool:
    """Return whether an input is named by an address and not by a path."""
    return _SCHEME.match(text) is not None


def check_address(text: str, *, what: str) -> None:
    """Refuse an address that no record may hold.

    Args:
        text: From the user.
        what: What is there, for messages: ``input 'data'``.

    Raises:
        InputError: It is no URI, or bears a name, a password or what looks like a secret.
    """
    if not is_uri(text):
        shown = printable(text, limit=120)
        raise InputError(f"the {what} is {shown}, which is no URI; write spaces as %20")
    parts = urlsplit(text)
    if "@" in parts.netloc and parts.scheme != "hf":
        raise InputError(f"the {what} has a name or password in its address; leave it out")
    if redact_text(text) != text:
        raise InputError(
            f"the {what} has what looks like a secret in its address, which would be "
            "recorded; give an address without it"
        )


def parse_remote_input(name: str, text: str) -> Dependency:
    """Return an input that the step fetches itself; nothing is fetched here.

    Args:
        name: What the step calls it.
        text: ``hf://ORG/NAME@REVISION`` with the full revision, or any address that ends with
            ``#sha256=HEX`` or, as in OCI, ``@sha256:HEX``.

    Raises:
        InputError: The address bears no digest, or a password.
    """
    check_address(text, what=f"input {name!r}")
    shown = printable(text, limit=120)
    if match := _REVISION.fullmatch(text):
        return Dependency(name, {"gitCommit": match["revision"]}, uri=text, role=name)
    address, mark, digest = text.rpartition("#" if "#" in text else "@")
    match = _DIGEST.fullmatch(digest)
    if not mark or match is None or len(match["hex"]) != _HEX_DIGITS[match["algorithm"]]:
        raise InputError(
            f"the input {name!r} is {shown}, which does not say what is there; add its digest: "
            "hf://ORG/NAME@REVISION in full, or #sha256=HEX at the end"
        )
    uri = address if mark == "#" else text
    return Dependency(name, {match["algorithm"]: match["hex"]}, uri=uri, role=name)


def to_reference(uri: str) -> str:
    """Return what an input was asked for, without the digest that says what came.

    Source:
        SLSA v1.0: ``externalParameters`` are compared with what a consumer expects, which is the
        same for each version; digests are in ``resolvedDependencies``.
    """
    head, mark, end = uri.rpartition("@")
    return head if is_remote(uri) and _PINNED.fullmatch(mark + end) else uri
