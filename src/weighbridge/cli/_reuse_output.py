"""What signing again says about what it read and what it took over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge.core import printable

if TYPE_CHECKING:
    from weighbridge import workflow
    from weighbridge.core import JsonValue

__all__ = ["reused_to_json", "show_reused", "tell_reused"]

_SHOWN_NAMES = 5


def tell_reused(reused: workflow.Reused) -> None:
    """Say on stderr what nobody declared, and what was declared to no purpose."""
    for names, words in (
        (reused.undeclared_new, "new and not declared; taken as it is"),
        (reused.undeclared_gone, "gone and not declared; left out"),
        (reused.skipped, "declared and never signed"),
    ):
        for name in names[:_SHOWN_NAMES]:
            click.echo(f"weighbridge: {printable(name)} is {words}", err=True)
        if len(names) > _SHOWN_NAMES:
            more = len(names) - _SHOWN_NAMES
            click.echo(f"weighbridge: {more:,} more are {words}", err=True)
    if reused.outside_count:
        count = f"{reused.outside_count:,}"
        click.echo(f"weighbridge: {count} changes that git lists are elsewhere", err=True)
    if reused.in_full:
        click.echo(
            "weighbridge: the old signature lists other digests than were asked for; "
            "everything was read",
            err=True,
        )


def show_reused(reused: workflow.Reused, *, err: bool = False) -> None:
    """Say how much was read, on stdout unless that is for something else."""
    audited = f" ({reused.audited:,} of them declared unchanged)" if reused.audited else ""
    click.echo(f"read:      {len(reused.hashed):,}{audited}", err=err)
    dropped = len(reused.dropped)
    click.echo(f"reused:    {reused.reused_count:,}, not read; dropped {dropped:,}", err=err)


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
        "outside_count": reused.outside_count,
        "in_full": reused.in_full,
    }
