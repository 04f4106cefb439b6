"""The options of verify that agree to something beyond the strict reading of a signature."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from weighbridge import workflow
from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weighbridge.core import Resource

__all__ = ["consent_options", "describe_unsigned"]

_OPTIONS = (
    click.option(
        "--ignore",
        multiple=True,
        metavar="P",
        help="Files at or below P that are not signed do not fail; repeatable.",
    ),
    click.option(
        "--ignore-unsigned-files",
        "ignore_unsigned",
        is_flag=True,
        help="No file that is not signed fails; each is said.",
    ),
    click.option(
        "--allow-symlinks",
        is_flag=True,
        help="If the signer followed links, follow those to files inside PATH.",
    ),
    click.option(
        "--accept-legacy",
        "before_v1",
        is_flag=True,
        help="Accept a signature by model_signing 0.1 or 0.2, from before version 1.",
    ),
)


def consent_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command gets them as ``consent``."""

    @wraps(function)
    def command(
        *arguments: object,
        ignore: tuple[str, ...],
        ignore_unsigned: bool,
        allow_symlinks: bool,
        before_v1: bool,
        **options: Any,  # noqa: ANN401 - the command's own
    ) -> None:
        consent = workflow.Consent(
            ignore=ignore,
            ignore_unsigned=ignore_unsigned,
            allow_symlinks=allow_symlinks,
            before_v1=before_v1,
        )
        function(*arguments, consent=consent, **options)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def describe_unsigned(unsigned: Sequence[Resource]) -> list[str]:
    """Return a line for each file that is not signed and was agreed to."""
    return [f"not signed: {printable(r.name)} ({r.size_bytes:,} bytes)" for r in unsigned]
