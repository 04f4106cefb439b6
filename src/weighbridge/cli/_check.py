"""weighbridge check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from weighbridge import workflow
from weighbridge.cli._claims_options import CLAIMS_OPTIONS, claims_options
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
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, optional_signer_options
from weighbridge.cli._trust_options import offline_option
from weighbridge.core import LOCAL_VERIFIER

if TYPE_CHECKING:
    from weighbridge.export import CheckReport

__all__ = ["command"]

_SECTIONS = {
    "By what it is judged": ("--policy", "--profile"),
    "What is known of it": ("--signature", *CLAIMS_OPTIONS, "--provenance-yaml"),
    "What is written": ("--json", "--html", "--sarif", "--vsa"),
    "Who signs the summary (with --vsa)": ("--verifier", "--resource-uri", *SIGNER_OPTIONS),
}


@click.command("check", cls=SectionedCommand, sections=_SECTIONS)
@artifact_argument
@click.option("--policy", type=FILE, metavar="FILE", help="A weighbridge.toml  [default: built in]")
@click.option(
    "--profile",
    type=click.Choice(["checklist"]),
    help="Also answer the checklists of dependencies, security and reproducibility.",
)
@signature_option
@claims_options
@click.option(
    "--provenance-yaml",
    "document",
    type=FILE,
    metavar="FILE",
    help="Hold a provenance.yaml, modelcard.yaml or MANIFEST.yaml against files and lineage.",
)
@json_option
@click.option("--html", type=FILE, metavar="FILE", help="Also write one self-contained page.")
@click.option("--sarif", type=FILE, metavar="FILE", help="Also write SARIF 2.1.0.")
@click.option(
    "--vsa", type=FILE, metavar="FILE", help="Also sign the verdict: a SLSA verification summary."
)
@click.option(
    "--verifier",
    metavar="URI",
    help=f"Under which name the verdict is given  [default: {LOCAL_VERIFIER}]",
)
@click.option("--resource-uri", metavar="URI", help="What the summary says that was judged.")
@optional_signer_options
@offline_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str,
    *,
    policy: str | None,
    profile: Literal["checklist"] | None,
    signature: str | None,
    claims: tuple[str, ...],
    manifests: tuple[str, ...],
    document: str | None,
    offline: bool,
    as_json: bool,
    html: str | None,
    sarif: str | None,
    vsa: str | None,
    verifier: str | None,
    resource_uri: str | None,
    signer: workflow.SignerSpec | None,
) -> None:
    """Judge whether the file or folder PATH may enter: pass, fail or unknown, and why.

    Integrity, signature, content, licence, model card and all that it was made from are judged by a
    policy (docs/policy.md). Claims are read from the artifact's claims file and from --claims.
    """
    if (signer is None) != (vsa is None):
        raise click.UsageError("--vsa FILE needs to know who signs, such as --key; and the reverse")
    if vsa is None and (verifier or resource_uri):
        raise click.UsageError("--verifier and --resource-uri go with --vsa FILE")
    read = (policy, signature, document, *claims, *manifests)
    check_outputs((html, sarif, vsa), artifact=path, inputs=read)
    plan = None
    if signer is not None:
        plan = workflow.plan_summary(
            signer, verifier=verifier or "", resource_uri=resource_uri or ""
        )
    with show_progress("weighing") as progress:
        report = workflow.check_artifact(
            path,
            policy=policy,
            signature=signature,
            claims=claims,
            manifests=manifests,
            profile=profile or "",
            document=document,
            offline=offline,
            progress=progress,
        )
    if plan is not None and vsa is not None:
        write_output(vsa, workflow.sign_summary(report, plan).raw.decode() + "\n")
    _tell(report, html=html, sarif=sarif, as_json=as_json)
    exit_with(report.verdict.answer)


def _tell(report: CheckReport, *, html: str | None, sarif: str | None, as_json: bool) -> None:
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
