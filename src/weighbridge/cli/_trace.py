"""weighbridge trace."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge._version import __version__
from weighbridge.cli._claims_options import claims_options
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


@click.command("trace")
@artifact_argument
@click.option(
    "--policy",
    type=FILE,
    metavar="FILE",
    help="A weighbridge.toml that says whom to trust; without one nothing is believed.",
)
@claims_options
@signature_option
@offline_option
@json_option
@click.option("--dot", type=FILE, metavar="FILE", help="Also write a graph for Graphviz.")
@click.option("--html", type=FILE, metavar="FILE", help="Also write one self-contained page.")
@click.option(
    "--provenance-yaml",
    "document",
    type=FILE,
    metavar="FILE",
    help="Also write what is known in the shape of a provenance.yaml.",
)
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str,
    *,
    claims: tuple[str, ...],
    manifests: tuple[str, ...],
    policy: str | None,
    signature: str | None,
    offline: bool,
    as_json: bool,
    dot: str | None,
    html: str | None,
    document: str | None,
) -> None:
    """Show what the file or folder PATH was made from, step by step, and the weakest path.

    Only statements that somebody signed whom the policy trusts are believed; all others are listed
    with the reason. Exit code 1 if something that PATH depends on has a problem, 3 if nothing is
    known. Whether the levels are enough, weighbridge check says.
    """
    read = (policy, signature, *claims, *manifests)
    check_outputs((dot, html, document), artifact=path, inputs=read)
    with show_progress("weighing") as progress:
        report = workflow.trace_artifact(
            path,
            claims=claims,
            manifests=manifests,
            policy=policy,
            signature=signature,
            document=document,
            offline=offline,
            progress=progress,
        )
    from datetime import UTC, datetime  # noqa: PLC0415 - not before something is to be told

    from weighbridge import export  # noqa: PLC0415

    at = datetime.now(UTC)
    if dot is not None:
        write_output(dot, export.to_trace_dot(report))
    if html is not None:
        write_output(html, export.to_trace_html(report, version=__version__, at=at))
    if as_json:
        print_json(export.to_trace_json(report))
    else:
        click.echo(export.to_trace_text(report, at=at, **terminal()))
    exit_with(export.judge_trace(report))
