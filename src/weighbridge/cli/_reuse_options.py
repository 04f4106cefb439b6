"""The options of sign and hash that say what changed since an old signature or list of files."""

from __future__ import annotations

import os
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE, refuse_empty
from weighbridge.cli._trust_options import build_trust
from weighbridge.core import DEFAULT_LIMITS, printable
from weighbridge.errors import InputError, LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["change_options", "has_changes", "refuse_changes", "reuse_options", "to_reuse"]

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


_LIST = click.File("rb")

_BASE = (
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
    click.option(
        "--reuse-identity",
        callback=refuse_empty,
        metavar="NAME",
        help="Who made the old signature; exactly.",
    ),
    click.option(
        "--reuse-issuer",
        callback=refuse_empty,
        metavar="URL",
        help="Who vouches for that account; exactly.",
    ),
    click.option(
        "--reuse-trust-config",
        type=FILE,
        metavar="FILE",
        help="The Sigstore instance of the old signature.",
    ),
    click.option(
        "--reuse-instance",
        callback=refuse_empty,
        metavar="URL",
        help="Or the instance's update repository.",
    ),
    click.option(
        "--reuse-timestamp-authority",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Whose timestamps on the old signature are believed, PEM; repeatable.",
    ),
)
_CHANGES = (
    click.option(
        "--changed",
        type=_LIST,
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
        "--git-status-from",
        type=_LIST,
        metavar="FILE",
        help="What git status --porcelain printed elsewhere, v1 or v2; - for stdin.",
    ),
    click.option(
        "--git-diff-from",
        type=_LIST,
        metavar="FILE",
        help="What git diff --raw or --name-status REV printed elsewhere; - for stdin.",
    ),
    click.option(
        "--git-prefix",
        metavar="DIR",
        help="Where PATH is in the repository, for paths that git printed  [default: its top]",
    ),
    click.option(
        "--digests",
        type=_LIST,
        metavar="FILE",
        help="The sha256 of the files as they are now: sha256sum, git lfs ls-files --long or JSON.",
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
_CHANGE_NAMES = (
    "changed",
    "nul",
    "updated",
    "deleted",
    "renamed",
    "git_status",
    "git_diff",
    "git_status_from",
    "git_diff_from",
    "git_prefix",
    "digests",
    "strict",
    "audit",
    "full",
)
_FLAGS = {"nul": "-z"}
_NOTHING: tuple[object, ...] = (None, False, (), 0.0)


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
        base = {name: given.pop(name) for name in ("reuse", *_TRUST_NAMES)}
        changes = {name: given.pop(name) for name in _CHANGE_NAMES}
        signature = base.pop("reuse")
        if signature is None:
            refuse_changes({**base, **changes}, wanted="--reuse OLD.sig")
            return function(**given, reuse=None)
        trust = build_trust(
            {name.removeprefix("reuse_"): value for name, value in base.items()}, prefix="--reuse-"
        )
        return function(**given, reuse=to_reuse(changes, signature=signature, trust=trust))

    for option in reversed((*_BASE, *_CHANGES)):
        command = option(command)
    return command


def change_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says what changed; for the functions below it is ``changes``."""

    @wraps(function)
    def command(**given: Any) -> Any:  # noqa: ANN401 - what click passes
        changes = {name: given.pop(name) for name in _CHANGE_NAMES}
        return function(**given, changes=changes)

    for option in reversed(_CHANGES):
        command = option(command)
    return command


def has_changes(changes: Mapping[str, Any]) -> bool:
    """Return whether any of the options was given."""
    return any(value not in _NOTHING for value in changes.values())


def refuse_changes(changes: Mapping[str, Any], *, wanted: str) -> None:
    """Refuse the options where there is nothing that could have changed."""
    for name, value in changes.items():
        if value not in _NOTHING:
            option = _FLAGS.get(name, f"--{name.replace('_', '-')}")
            raise click.UsageError(f"{option} needs {wanted}")


def to_reuse(
    changes: Mapping[str, Any], *, signature: str, trust: workflow.Trust | None = None
) -> workflow.Reuse:
    """Return what was said as one value; reads the lists."""
    given = dict(changes)
    _check_together(given)
    digests = _read_digests(given["digests"], prefix=given["git_prefix"])
    return workflow.Reuse(
        signature=signature,
        trust=trust,
        changed=_read_paths(given["changed"], nul=given["nul"]),
        updated=[_to_name(path) for path in given["updated"]],
        deleted=[_to_name(path) for path in given["deleted"]],
        renamed=[(_to_name(old), _to_name(new)) for old, new in given["renamed"]],
        git_since="HEAD" if given["git_status"] else given["git_diff"],
        git_status=_read(given["git_status_from"], "what git status printed"),
        git_diff=_read(given["git_diff_from"], "what git diff printed"),
        git_prefix=_to_name(given["git_prefix"] or ""),
        digests=digests,
        strict=given["strict"],
        audit_ratio=1.0 if given["full"] else given["audit"],
    )


def _check_together(given: Mapping[str, Any]) -> None:
    if given["git_status"] and given["git_diff"] is not None:
        raise click.UsageError("--git-status and --git-diff exclude each other")
    if given["nul"] and given["changed"] is None:
        raise click.UsageError("-z needs --changed FILE")
    texts: list[object] = [given[n] for n in ("git_status_from", "git_diff_from", "digests")]
    if given["git_prefix"] is not None and not any(texts):
        raise click.UsageError("--git-prefix needs --git-status-from, --git-diff-from or --digests")
    streams = [*texts, given["changed"]]
    # What stands in for a stream that the caller closed; an empty list would mean "no change".
    if sys.stdin.name == os.devnull and any(stream is sys.stdin.buffer for stream in streams):
        raise click.UsageError("there is no stdin to read the list from: it is closed")
    if sum(stream is sys.stdin.buffer for stream in streams) > 1:
        raise click.UsageError("only one list can be read from stdin")


def _to_name(path: str) -> str:
    """Return a path as the UTF-8 that it is on disk, whatever the locale's encoding is."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _read(stream: BinaryIO | None, what: str) -> bytes | None:
    """Read a list whole.

    Raises:
        LimitExceededError: It is larger than ``max_list_bytes``.
    """
    if stream is None:
        return None
    limit_bytes = DEFAULT_LIMITS.max_list_bytes
    data = stream.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise LimitExceededError(
            "max_list_bytes", limit=limit_bytes, actual=len(data), subject=what
        )
    return data


def _read_paths(stream: BinaryIO | None, *, nul: bool) -> list[str] | None:
    data = _read(stream, "the list of changes")
    if data is None:
        return None
    from weighbridge.formats import parse_path_list  # noqa: PLC0415 - costs start-up time

    return parse_path_list(data, nul=nul)


def _read_digests(stream: BinaryIO | None, *, prefix: str | None) -> dict[str, str] | None:
    data = _read(stream, "the list of digests")
    if data is None:
        return None
    from weighbridge.formats import parse_file_list  # noqa: PLC0415 - costs start-up time

    found = parse_file_list(data, what="the list of digests", limits=DEFAULT_LIMITS)
    if not found.resources:
        raise InputError("the list of digests is empty; check the command that printed it")
    folder = f"{_to_name(prefix).removeprefix('./').rstrip('/')}/" if prefix else ""
    skip = len(folder) if found.is_lfs else 0
    return {
        resource.name[skip:]: resource.sha256
        for resource in found.resources
        if not skip or resource.name.startswith(folder)
    }
