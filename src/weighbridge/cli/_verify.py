"""weighbridge verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge import workflow
from weighbridge.cli._consent_options import consent_options, describe_unsigned
from weighbridge.cli._options import (
    artifact_argument,
    json_option,
    print_json,
    signature_option,
)
from weighbridge.cli._progress import show_progress
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._trust_options import offline_option, trust_options
from weighbridge.cli._warnings import describe_collisions, warn
from weighbridge.core import printable, to_count, to_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Attribution

__all__ = ["command"]


_SECTIONS = {
    "Whose signature is trusted": (
        "--key",
        "--certificate-authority",
        "--identity",
        "--issuer",
        "--trust-config",
        "--instance",
        "--timestamp-authority",
    ),
    "What else is accepted": (
        "--accept-ignored",
        "--ignore",
        "--ignore-unsigned-files",
        "--allow-symlinks",
        "--accept-legacy",
    ),
}


@click.command("verify", cls=SectionedCommand, sections=_SECTIONS)
@artifact_argument
@trust_options
@signature_option
@click.option(
    "--accept-ignored",
    multiple=True,
    metavar="NAME",
    help="A path that the signer left out of the signature and that you accept; repeatable.",
)
@consent_options
@offline_option
@json_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str,
    *,
    trust: workflow.Trust,
    signature: str | None,
    offline: bool,
    accept_ignored: tuple[str, ...],
    consent: workflow.Consent,
    as_json: bool,
) -> None:
    """Verify that PATH is what somebody who is trusted signed, file by file.

    Trust is a public key, a certificate authority, or with keyless signatures an account and who
    vouches for it.
    """
    with show_progress("verifying") as progress:
        verified = workflow.verify_artifact(
            path,
            trust=trust,
            signature=signature,
            offline=offline,
            accept_ignored=accept_ignored,
            consent=consent,
            progress=progress,
        )
    manifest = verified.manifest
    warnings = describe_collisions(verified.collisions)
    warn(warnings)
    digest = str(manifest.compute_digest())
    if as_json:
        from weighbridge.export import attribution_to_json  # noqa: PLC0415 - costs start-up time

        print_json(
            {
                "answer": "pass",
                "artifact": digest,
                "signature": printable(str(verified.signature)),
                "signed_by": attribution_to_json(verified.attribution),
                "file_count": len(manifest.resources),
                "size_bytes": manifest.size_bytes,
                "unsigned": [printable(resource.name) for resource in verified.unsigned],
                "before_version_1": verified.before_v1,
                "warnings": [*warnings],
            }
        )
        return
    mark = click.style("verified", fg="green", bold=True)
    count = len(manifest.resources) - len(verified.unsigned)
    size_bytes = manifest.size_bytes - sum(r.size_bytes for r in verified.unsigned)
    click.echo(f"{mark} {to_count(count, 'file')}, {to_size(size_bytes)}")
    with_more = " (with the files that are not signed)" if verified.unsigned else ""
    click.echo(f"artifact:  {digest}{with_more}")
    for line in _to_lines(verified.attribution):
        click.echo(line)
    if verified.before_v1:
        click.echo("signature: from before version 1, by model_signing 0.1 or 0.2, as accepted")
    for line in describe_unsigned(verified.unsigned):
        click.echo(line)


def _to_lines(attribution: Attribution) -> Iterator[str]:
    issuer = f", by {printable(attribution.issuer)}" if attribution.issuer else ""
    yield f"signed by: {printable(attribution.signer)}"
    yield f"proof:     {attribution.method} {printable(attribution.identity)}{issuer}"
    if attribution.existed_by is not None:
        yield f"time:      {attribution.existed_by:%Y-%m-%d %H:%M:%S} UTC at the latest, proven"
    yield from (f"note:      {printable(note)}" for note in attribution.notes)
