"""The options of sign that say what changed since an old signature."""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE
from weighbridge.cli._trust_options import build_trust
from weighbridge.core import DEFAULT_LIMITS, printable
from weighbridge.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core import JsonValue

__all__ = ["reuse_options", "reused_to_json", "show_reused"]

_SHOWN_NAMES = 5
_PERCENT = 100


def _to_ratio(_context: click.Context, _option: click.Parameter, value: str) -> float:
    """Read a share in percent: ``5%`` or ``5``."""
    try:
        percent = float(value.removesuffix("%"))
    except ValueError:
        percent = -1
    if not 0 <= percent <= _PERCENT:
        raise click.BadParameter(f"{printable(value)} is not a share such as 5%")
    return percent / _PERCENT


_OPTIONS = (
    click.option(
        "--reuse",
        type=FILE,
        metavar="OLD.sig",
        help="Take the digests of files that did not change from this signature, once verified.",
    ),
    click.option(
        "--reuse-key",
        type=FILE,
        metavar="PUBLIC",
        help="Public key of the old signature  [default: it is by whoever signs now]",
    ),
    click.option(
        "--reuse-certificate-authority",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Root certificates for the old signature, PEM; repeatable.",
    ),
    click.option("--reuse-identity", metavar="NAME", help="Who made the old signature; exactly."),
    click.option("--reuse-issuer", metavar="URL", help="Who vouches for that account; exactly."),
    click.option(
        "--reuse-trust-config",
        type=FILE,
        metavar="FILE",
        help="The Sigstore instance of the old signature.",
    ),
    click.option("--reuse-instance", metavar="URL", help="Or the instance's update repository."),
    click.option(
        "--reuse-timestamp-authority",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Whose timestamps on the old signature are believed, PEM; repeatable.",
    ),
    click.option(
        "--changed",
        type=click.File("rb"),
        metavar="FILE",
        help="A list of files that are new, gone or changed, one a line; - for stdin.",
    ),
    click.option("-z", "nul", is_flag=True, help="NUL ends each path in the list of --changed."),
    click.option("--updated", multiple=True, metavar="P", help="P has new bytes; repeatable."),
    click.option("--deleted", multiple=True, metavar="P", help="P is gone; repeatable."),
    click.option(
        "--renamed",
        nargs=2,
        multiple=True,
        metavar="OLD NEW",
        help="OLD is now called NEW, with the same bytes; repeatable.",
    ),
    click.option("--git-status", is_flag=True, help="Ask git what changed since the last commit."),
    click.option(
        "--git-diff",
        "--since",
        "git_diff",
        metavar="REV",
        help="Ask git what changed since the commit REV, at which the old signature was made.",
    ),
    click.option(
        "--strict", is_flag=True, help="Refuse new and missing files that were not declared."
    ),
    click.option(
        "--audit",
        callback=_to_ratio,
        default="0%",
        metavar="SHARE",
        help="Hash a random share of the reused files all the same, such as 5%.",
    ),
    click.option("--full", is_flag=True, help="Hash all of them: --audit 100%."),
)


_TRUST_NAMES = (
    "reuse_key",
    "reuse_certificate_authority",
    "reuse_identity",
    "reuse_issuer",
    "reuse_trust_config",
    "reuse_instance",
    "reuse_timestamp_authority",
)


def reuse_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command is given them as ``reuse``, one value or None."""

    @wraps(function)
    def command(**given: Any) -> Any:  # noqa: ANN401 - what click passes
        names = (
            "reuse",
            *_TRUST_NAMES,
            "changed",
            "nul",
            "updated",
            "deleted",
            "renamed",
            "git_status",
            "git_diff",
            "strict",
            "audit",
            "full",
        )
        mine = {name: given.pop(name) for name in names}
        return function(**given, reuse=_build(mine))

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _build(given: dict[str, Any]) -> workflow.Reuse | None:
    old = given.pop("reuse")
    if old is None:
        for name, value in given.items():
            if value not in (None, False, (), 0.0):
                option = "-z" if name == "nul" else f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{option} needs --reuse OLD.sig")
        return None
    if given["git_status"] and given["git_diff"] is not None:
        raise click.UsageError("--git-status and --git-diff exclude each other")
    if given["nul"] and given["changed"] is None:
        raise click.UsageError("-z needs --changed FILE")
    return workflow.Reuse(
        signature=old,
        trust=build_trust(
            {name.removeprefix("reuse_"): given[name] for name in _TRUST_NAMES}, prefix="--reuse-"
        ),
        changed=_read_list(given["changed"], nul=given["nul"]),
        updated=[_to_name(path) for path in given["updated"]],
        deleted=[_to_name(path) for path in given["deleted"]],
        renamed=[(_to_name(old), _to_name(new)) for old, new in given["renamed"]],
        git_since="HEAD" if given["git_status"] else given["git_diff"],
        strict=given["strict"],
        audit_ratio=1.0 if given["full"] else given["audit"],
    )


def _to_name(path: str) -> str:
    """Return a path as the UTF-8 that it is on disk, whatever the locale's encoding is."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _read_list(stream: BinaryIO | None, *, nul: bool) -> list[str] | None:
    if stream is None:
        return None
    from weighbridge.formats import parse_path_list  # noqa: PLC0415 - costs start-up time

    limit_bytes = DEFAULT_LIMITS.max_list_bytes
    data = stream.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise LimitExceededError(
            "max_list_bytes", limit=limit_bytes, actual=len(data), subject="the list of changes"
        )
    return parse_path_list(data, nul=nul)


def show_reused(reused: workflow.Reused) -> None:
    """Say on stderr what nobody declared, and on stdout what was read."""
    for names, words in (
        (reused.undeclared_new, "new and not declared; signed as it is"),
        (reused.undeclared_gone, "gone and not declared; left out"),
        (reused.skipped, "declared and never signed"),
    ):
        for name in names[:_SHOWN_NAMES]:
            click.echo(f"weighbridge: {printable(name)} is {words}", err=True)
        if len(names) > _SHOWN_NAMES:
            more = len(names) - _SHOWN_NAMES
            click.echo(f"weighbridge: {more:,} more are {words}", err=True)
    audited = f" ({reused.audited:,} of them declared unchanged)" if reused.audited else ""
    click.echo(f"read:      {len(reused.hashed):,}{audited}")
    click.echo(f"reused:    {reused.reused_count:,}, not read; dropped {len(reused.dropped):,}")


def reused_to_json(reused: workflow.Reused) -> JsonValue:
    """Return the same for machines."""
    return {
        "hashed": [printable(name) for name in reused.hashed],
        "audited_count": reused.audited,
        "reused_count": reused.reused_count,
        "dropped": [printable(name) for name in reused.dropped],
        "undeclared_new": [printable(name) for name in reused.undeclared_new],
        "undeclared_gone": [printable(name) for name in reused.undeclared_gone],
        "skipped": [printable(name) for name in reused.skipped],
    }
