"""weighbridge scan."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._exit import exit_with
from weighbridge.cli._options import (
    artifact_argument,
    json_option,
    print_json,
    signature_option,
    terminal,
)
from weighbridge.cli._progress import show_progress
from weighbridge.core import Severity

__all__ = ["command"]


@click.command("scan")
@artifact_argument
@click.option(
    "--allow",
    multiple=True,
    nargs=2,
    metavar="MODULE NAME",
    help="Something that a pickle may refer to, besides the built-in list; repeatable.",
)
@signature_option
@json_option
def command(
    path: str,
    *,
    allow: tuple[tuple[str, str], ...],
    signature: str | None,
    as_json: bool,
) -> None:
    """Look for dangerous content in the file or folder PATH; nothing is executed or unpickled.

    Fails on findings of medium severity and above; unknown (exit code 3) if somebody has to look,
    or if a file could not be examined.
    """
    with show_progress("scanning") as progress:
        report = workflow.scan_artifact(
            path, allowed=frozenset(allow), signature=signature, progress=progress
        )
    from weighbridge import export  # noqa: PLC0415 - not before something is to be told

    if as_json:
        print_json(export.scan_to_json(report))
    else:
        click.echo(export.scan_to_text(report, **terminal()))
    exit_with(report.judge(fail_on=Severity.MEDIUM, complete=True))
