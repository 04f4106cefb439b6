"""What is told of a statement that a person made, and the options that both kinds have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from weighbridge.cli._options import print_json
from weighbridge.core import printable, to_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge import workflow
    from weighbridge.core import JsonValue

__all__ = ["show_vouched", "store_option"]

F = TypeVar("F", bound="Callable[..., Any]")


def store_option(function: F) -> F:
    """Add ``--store STORE``."""
    return click.option(
        "--store",
        metavar="STORE",
        help="Keep the claim in this folder as well: PATH or file:PATH.",
    )(function)


def show_vouched(
    vouched: workflow.Vouched,
    title: str,
    fields: dict[str, JsonValue],
    *,
    store: str | None,
    as_json: bool,
) -> None:
    """Tell people or machines what was signed.

    Args:
        vouched: What was signed.
        title: What it was, in words.
        fields: What it says, under the names of the statement's fields.
        store: Where it is kept as well.
        as_json: For machines.
    """
    ends = vouched.word.expires_at
    until = None if ends is None else to_time(ends)
    if as_json:
        print_json(
            {
                "artifact": str(vouched.artifact),
                "claims": printable(str(vouched.claims)),
                "store": store and printable(store),
                "reviewer": vouched.word.reviewer,
                "expires_at": until,
                **fields,
            }
        )
        return
    click.echo(title)
    click.echo(f"artifact: {vouched.artifact}")
    click.echo(f"reviewer: {printable(vouched.word.reviewer)}")
    click.echo(f"expires:  {until or 'never by itself'}")
    click.echo(f"claims:   {printable(str(vouched.claims))}")
    if store:
        click.echo(f"store:    {printable(store)}")
