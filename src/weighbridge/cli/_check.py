"""weighbridge check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge import workflow
from weighbridge.cli._exit import exit_with
from weighbridge.cli._options import (
    FILE,
    artifact_argument,
    json_option,
    print_json,
    signature_option,
    terminal,
)
from weighbridge.cli._progress import show_progress

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("check")
@artifact_argument
@click.option("--policy", type=FILE, metavar="FILE", help="A weighbridge.toml  [default: built in]")
@signature_option
@json_option
@click.option("--html", type=FILE, metavar="FILE", help="Also write one self-contained page.")
@click.option("--sarif", type=FILE, metavar="FILE", help="Also write SARIF 2.1.0.")
def command(
    path: Path,
    *,
    policy: Path | None,
    signature: Path | None,
    as_json: bool,
    html: Path | None,
    sarif: Path | None,
) -> None:
    """Judge whether the file or folder PATH may enter: pass, fail or unknown, and why.

    Integrity, signature, content, licence and model card are judged by a policy (docs/policy.md).
    """
    with show_progress("weighing") as progress:
        report = workflow.check_artifact(
            path, policy=policy, signature=signature, progress=progress
        )
    from weighbridge import export  # noqa: PLC0415 - not before something is to be told

    if html is not None:
        _write(html, export.to_html(report))
    if sarif is not None:
        from weighbridge.core import to_json  # noqa: PLC0415

        _write(sarif, to_json(export.to_sarif(report)) + "\n")
    if as_json:
        print_json(export.to_json(report))
    else:
        click.echo(export.to_text(report, **terminal()))
    exit_with(report.verdict.answer)


def _write(file: Path, text: str) -> None:
    from weighbridge.artifact import write_atomically  # noqa: PLC0415

    write_atomically(file, text.encode())
