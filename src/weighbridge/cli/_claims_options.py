"""The options that say where claims are, and what is known of files that are not here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from weighbridge.cli._options import FILE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CLAIMS_OPTIONS", "claims_options"]

CLAIMS_OPTIONS = ("--claims", "--manifest")

F = TypeVar("F", bound="Callable[..., Any]")


def claims_options(function: F) -> F:
    """Add ``--claims`` and ``--manifest``, given as ``claims`` and ``manifests``."""
    for option in (
        click.option(
            "--manifest",
            "manifests",
            type=FILE,
            multiple=True,
            metavar="FILE",
            help="What a folder holds that is not here (hash --manifest-out); repeatable.",
        ),
        click.option(
            "--claims",
            multiple=True,
            metavar="PATH",
            help="More claims: a file, a folder or a store; repeatable.",
        ),
    ):
        function = option(function)
    return function
