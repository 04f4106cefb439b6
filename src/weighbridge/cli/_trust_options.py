"""The options that say whose signature is trusted."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE, refuse_empty, trust_config_option

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["build_trust", "offline_option", "trust_options"]

_OPTIONS = (
    click.option("--key", type=FILE, metavar="PUBLIC", help="Public key, PEM."),
    click.option(
        "--certificate-authority",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Root certificates of signers, PEM; repeatable. Never those of the system.",
    ),
    click.option(
        "--identity",
        callback=refuse_empty,
        metavar="NAME",
        help="The account that signed keyless, or the name in the certificate; exactly.",
    ),
    click.option(
        "--issuer",
        callback=refuse_empty,
        metavar="URL",
        help="Who vouches for the account; exactly.",
    ),
    trust_config_option,
    click.option(
        "--instance",
        callback=refuse_empty,
        metavar="URL",
        help="Or its update repository, once weighbridge trust update knows it.",
    ),
    click.option(
        "--timestamp-authority",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Certificates of whose RFC 3161 timestamps are believed, PEM; repeatable.",
    ),
)


def offline_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--offline``."""
    return click.option("--offline", is_flag=True, help="Never use the network.")(function)


def trust_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command is given them as ``trust``, one value."""

    @wraps(function)
    def command(**given: Any) -> Any:  # noqa: ANN401 - what click passes
        names = (
            "key",
            "certificate_authority",
            "identity",
            "issuer",
            "trust_config",
            "instance",
            "timestamp_authority",
        )
        mine = {name: given.pop(name) for name in names}
        trust = build_trust(mine)
        if trust is None:
            raise click.UsageError(
                "whose signature is trusted? Give --key, --certificate-authority, "
                "or --identity with --issuer"
            )
        return function(**given, trust=trust)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def build_trust(given: dict[str, Any], *, prefix: str = "--") -> workflow.Trust | None:
    """Return the trust that options say, or None if they say nothing.

    Args:
        given: What click read: ``key``, ``certificate_authority``, ``identity``, ``issuer``,
            ``trust_config``, ``instance`` and ``timestamp_authority``.
        prefix: What the options' names begin with, for messages.

    Raises:
        UsageError: They contradict each other.
    """
    key, authorities = given["key"], given["certificate_authority"]
    issuer, timestamps = given["issuer"], given["timestamp_authority"]
    ways = [
        f"{prefix}{name}"
        for name, is_given in (
            ("key", key is not None),
            ("certificate-authority", bool(authorities)),
            ("issuer", issuer is not None),
        )
        if is_given
    ]
    if len(ways) > 1:
        raise click.UsageError(f"{ways[0]} and {ways[1]} exclude each other")
    for name in ("trust-config", "instance"):
        if given[name.replace("-", "_")] is not None and issuer is None:
            raise click.UsageError(f"{prefix}{name} needs {prefix}identity and {prefix}issuer")
    if authorities:
        return workflow.CertificateTrust(authorities, given["identity"], timestamps)
    if issuer is None and given["identity"] is not None:
        raise click.UsageError(
            f"{prefix}identity needs {prefix}issuer URL (keyless) or {prefix}certificate-authority"
        )
    if issuer is not None:
        return _build_keyless(given, issuer, prefix=prefix)
    if key is not None:
        return workflow.KeyTrust(key, timestamps)
    if timestamps:
        raise click.UsageError(f"{prefix}timestamp-authority needs somebody whose signature it is")
    return None


def _build_keyless(given: dict[str, Any], issuer: str, *, prefix: str) -> workflow.KeylessTrust:
    if not given["identity"]:
        raise click.UsageError(f"{prefix}issuer needs {prefix}identity")
    if given["timestamp_authority"]:
        raise click.UsageError(
            f"{prefix}timestamp-authority does not go with keyless signatures: "
            "the Sigstore instance names its own"
        )
    return workflow.KeylessTrust(
        given["identity"], issuer, given["trust_config"], given["instance"] or ""
    )
