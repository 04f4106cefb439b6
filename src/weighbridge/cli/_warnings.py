"""Words on stderr that fail nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["describe_collisions", "warn"]

_MOST_WARNINGS = 5


def describe_collisions(collisions: Sequence[Sequence[str]]) -> list[str]:
    """Return a sentence for each group of names that are one file elsewhere."""
    return [
        f"{', '.join(ascii(printable(name)) for name in group)} are one file where case or "
        "Unicode form does not count (macOS, Windows); rename all but one"
        for group in collisions
    ]


def warn(sentences: Sequence[str]) -> None:
    """Print the first few."""
    for sentence in sentences[:_MOST_WARNINGS]:
        click.echo(f"{click.style('warning:', fg='yellow')} {sentence}", err=True)
    if len(sentences) > _MOST_WARNINGS:
        click.echo(f"  and {len(sentences) - _MOST_WARNINGS:,} more warnings", err=True)
