"""The options that say who signs."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE, refuse_empty, trust_config_option
from weighbridge.cli._secrets import ask_for_secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SIGNER_OPTIONS", "key_options", "optional_signer_options", "signer_options"]

# As help lists them.
SIGNER_OPTIONS = (
    "--key",
    "--keyless",
    "--signer",
    "--certificate",
    "--certificate-chain",
    "--password-file",
    "--identity-token-file",
    "--trust-config",
    "--timestamp",
    "--timestamp-authority",
)

_KEY = click.option("--key", type=FILE, metavar="PRIVATE", help="Private key, PEM.")
_SIGNER = click.option(
    "--signer",
    metavar="URI",
    help="Who signs: file:KEY, pkcs11:... (RFC 7512), sigstore:[URL], or what a plug-in adds.",
)
_PASSWORD_FILE = click.option(
    "--password-file",
    type=FILE,
    metavar="FILE",
    help="Read the password or PIN there; by default it is asked for at the terminal.",
)
_OPTIONS = (
    _KEY,
    _SIGNER,
    click.option(
        "--keyless",
        is_flag=True,
        help="Sign as whoever logs in, in a public log (Sigstore); the same as --signer sigstore:.",
    ),
    click.option("--certificate", type=FILE, metavar="FILE", help="The signer's certificate, PEM."),
    click.option(
        "--certificate-chain",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Certificates between it and the authority, PEM; repeatable.",
    ),
    _PASSWORD_FILE,
    trust_config_option,
    click.option(
        "--identity-token-file",
        type=FILE,
        metavar="FILE",
        help="An OpenID Connect token  [default: that of the CI job, else a browser is opened]",
    ),
    click.option(
        "--timestamp",
        "timestamp_url",
        callback=refuse_empty,
        metavar="URL",
        help="Have the signature timestamped by this RFC 3161 authority.",
    ),
    click.option(
        "--timestamp-authority",
        "timestamp_authorities",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Its certificates, PEM: verify the timestamp before it is kept; repeatable.",
    ),
)
_NAMES = (
    "key",
    "signer",
    "keyless",
    "certificate",
    "certificate_chain",
    "password_file",
    "trust_config",
    "identity_token_file",
    "timestamp_url",
    "timestamp_authorities",
)


def signer_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command is given them as ``signer``, one value."""
    return _add(function, may_miss=False)


def optional_signer_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command that need not sign; ``signer`` is None if none is given."""
    return _add(function, may_miss=True)


def _add(function: Callable[..., Any], *, may_miss: bool) -> Callable[..., Any]:
    @wraps(function)
    def command(*, offline: bool, **given: Any) -> Any:  # noqa: ANN401 - what click passes
        mine = {name: given.pop(name) for name in _NAMES}
        signs = not may_miss or any(mine.values())
        signer = _build(mine, offline=offline) if signs else None
        return function(**given, offline=offline, signer=signer)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def key_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add those that say which key; the command is given them as ``signer``, one value."""

    @wraps(function)
    def command(**given: Any) -> Any:  # noqa: ANN401 - what click passes
        mine = {name: given.pop(name) for name in ("key", "signer", "password_file")}
        if (mine["key"] is None) == (mine["signer"] is None):
            raise click.UsageError("whose public key? Give --key or --signer, and one of them")
        uri = mine["signer"] or f"file:{quote(mine['key'] or '')}"
        ask = ask_for_secret(mine["password_file"])
        return function(**given, signer=workflow.SignerSpec(uri, ask_secret=ask))

    for option in (_PASSWORD_FILE, _SIGNER, _KEY):
        command = option(command)
    return command


def _build(given: dict[str, Any], *, offline: bool) -> workflow.SignerSpec:
    ways = {
        "--key": None if given["key"] is None else f"file:{quote(given['key'])}",
        "--signer": given["signer"],
        "--keyless": "sigstore:" if given["keyless"] else None,
    }
    named = [option for option, uri in ways.items() if uri is not None]
    if not named:
        raise click.UsageError("who signs? Give --key, --keyless or --signer")
    if len(named) > 1:
        raise click.UsageError(f"{named[0]} and {named[1]} exclude each other")
    if given["timestamp_authorities"] and not given["timestamp_url"]:
        raise click.UsageError("--timestamp-authority needs --timestamp URL")
    token_file = given["identity_token_file"]
    return workflow.SignerSpec(
        ways[named[0]] or "",
        certificate=given["certificate"],
        certificate_chain=given["certificate_chain"],
        trust_config=given["trust_config"],
        identity_token=None if token_file is None else partial(workflow.read_secret, token_file),
        timestamp_url=given["timestamp_url"] or "",
        timestamp_authorities=given["timestamp_authorities"],
        ask_secret=ask_for_secret(given["password_file"]),
        offline=offline,
    )
