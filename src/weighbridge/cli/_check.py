"""weighbridge check."""

from __future__ import annotations

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
from weighbridge.cli._outputs import check_outputs, write_output
from weighbridge.cli._progress import show_progress
from weighbridge.cli._trust_options import offline_option

__all__ = ["command"]


@click.command("check")
@artifact_argument
@click.option("--policy", type=FILE, metavar="FILE", help="A weighbridge.toml  [default: built in]")
@signature_option
@offline_option
@json_option
@click.option("--html", type=FILE, metavar="FILE", help="Also write one self-contained page.")
@click.option("--sarif", type=FILE, metavar="FILE", help="Also write SARIF 2.1.0.")
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str,
    *,
    policy: str | None,
    signature: str | None,
    offline: bool,
    as_json: bool,
    html: str | None,
    sarif: str | None,
) -> None:
    """Judge whether the file or folder PATH may enter: pass, fail or unknown, and why.

    Integrity, signature, content, licence and model card are judged by a policy (docs/policy.md).
    """
    check_outputs((html, sarif), artifact=path, inputs=(policy, signature))
    with show_progress("weighing") as progress:
        report = workflow.check_artifact(
            path, policy=policy, signature=signature, offline=offline, progress=progress
        )
    from weighbridge import export  # noqa: PLC0415 - not before something is to be told

    if html is not None:
        write_output(html, export.to_html(report))
    if sarif is not None:
        from weighbridge.core import to_json  # noqa: PLC0415

        write_output(sarif, to_json(export.to_sarif(report)) + "\n")
    if as_json:
        print_json(export.to_json(report))
    else:
        click.echo(export.to_text(report, **terminal()))
    exit_with(report.verdict.answer)
