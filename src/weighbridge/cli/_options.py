"""Options and output that several commands share."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core import JsonValue

__all__ = [
    "FILE",
    "artifact_argument",
    "colour",
    "json_option",
    "no_carry_option",
    "print_json",
    "refuse_empty",
    "signature_option",
    "stat_cache_option",
    "terminal",
    "trust_config_option",
]

F = TypeVar("F", bound="Callable[..., Any]")

# What a path leads to is judged by the library, with its own messages; so click does not look.
FILE = click.Path()


def refuse_empty(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty text; the callback of options whose text decides who or what is trusted.

    It comes from an unset variable of whoever wrote the command, and would be taken for an option
    that was left out: for an identity, that means anybody.

    Raises:
        BadParameter: It is empty.
    """
    if value == "":
        raise click.BadParameter("it is empty; check the variable that it came from")
    return value


def artifact_argument(function: F) -> F:
    """Add PATH."""
    return click.argument("path", type=FILE)(function)


def signature_option(function: F) -> F:
    """Add ``--signature FILE``."""
    return click.option(
        "--signature",
        type=FILE,
        metavar="FILE",
        help="The signature file  [default: model.sig in a folder, NAME.sig beside a file]",
    )(function)


def no_carry_option(function: F) -> F:
    """Add ``--no-carry``."""
    return click.option(
        "--no-carry", is_flag=True, help="Do not copy the inputs' claims to the outputs."
    )(function)


def trust_config_option(function: F) -> F:
    """Add ``--trust-config FILE``."""
    return click.option(
        "--trust-config",
        type=FILE,
        metavar="FILE",
        help="A Sigstore instance of your own: its client trust config  [default: the public one]",
    )(function)


def stat_cache_option(function: F) -> F:
    """Add ``--stat-cache FILE``."""
    return click.option(
        "--stat-cache",
        type=FILE,
        metavar="FILE",
        help="Remember here what was hashed; do not read files again that nobody touched since.",
    )(function)


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(
        function
    )


def print_json(value: JsonValue) -> None:
    """Print a value as JSON on stdout, in UTF-8 whatever the terminal speaks."""
    from weighbridge.core import to_json  # noqa: PLC0415 - costs start-up time

    sys.stdout.buffer.write((to_json(value) + "\n").encode())
    sys.stdout.buffer.flush()


def colour() -> bool | None:
    """Return False where nobody wants colour, else None: click then looks for a terminal.

    Source:
        https://no-color.org; click itself does not know the variable.
    """
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return False if unwanted else None


def terminal() -> dict[str, Any]:
    """Return how wide a report may be, whether it may use colour, and whether Unicode."""
    import shutil  # noqa: PLC0415 - costs start-up time

    coloured = sys.stdout.isatty() and colour() is None
    return {
        "width": max(40, min(shutil.get_terminal_size((100, 24)).columns, 120)),
        "colour": coloured,
        "unicode": (sys.stdout.encoding or "").lower().replace("-", "") == "utf8",
    }
