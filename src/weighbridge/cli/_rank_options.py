"""The options of a step that is one rank of a distributed job."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE, refuse_empty

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RANK_OPTIONS", "apart_option", "rank_options", "say"]

# As help lists them.
RANK_OPTIONS = ("--rank", "--job", "--ranks", "--gather", "--wait", "--apart")

_WAIT_S = 600

_OPTIONS = (
    click.option(
        "--rank",
        default="auto",
        callback=refuse_empty,
        metavar="R/N",
        help="One rank of a distributed step, from 0; or none  [default: RANK and WORLD_SIZE]",
    ),
    click.option(
        "--job",
        callback=refuse_empty,
        metavar="NAME",
        help="Which job; the same for its ranks, another for each run  [default: the launcher's]",
    ),
    click.option(
        "--ranks",
        "folder",
        type=FILE,
        metavar="DIR",
        help="Where ranks leave their reports  [default: NAME.ranks beside the first output]",
    ),
    click.option(
        "--gather",
        is_flag=True,
        help="Let rank 0 wait for the others and join them at the end: weighbridge gather.",
    ),
    click.option(
        "--wait",
        "wait_s",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help=f"How long it waits for the others  [default: {_WAIT_S}]",
    ),
)


def say(words: str) -> None:
    """Tell people whom is waited for."""
    click.echo(f"weighbridge: {words}", err=True)


def apart_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--apart``."""
    return click.option(
        "--apart",
        is_flag=True,
        help="Ranks need not have run at the same time; one may have ended before another began.",
    )(function)


def rank_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command is given them as ``ranks``, one value."""

    @wraps(function)
    def command(**given: Any) -> Any:  # noqa: ANN401 - what click passes
        gather, wait_s = given.pop("gather"), given.pop("wait_s")
        if wait_s is not None and not gather:
            raise click.UsageError("--wait is for --gather; add it")
        choice = workflow.RankChoice(
            rank=given.pop("rank"),
            job=given.pop("job") or "",
            folder=given.pop("folder"),
            gather_wait_s=(_WAIT_S if wait_s is None else wait_s) if gather else None,
            apart=given.pop("apart"),
            tell=say,
        )
        return function(**given, ranks=choice)

    with_options = apart_option(command)
    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options
