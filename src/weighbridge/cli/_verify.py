"""weighbridge verify."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._consent_options import consent_options, describe_unsigned
from weighbridge.cli._options import (
    FILE,
    artifact_argument,
    json_option,
    print_json,
    signature_option,
)
from weighbridge.cli._progress import show_progress
from weighbridge.cli._warnings import describe_collisions, warn
from weighbridge.core import printable, to_size
from weighbridge.errors import DigestMismatchError, VerificationError

__all__ = ["command"]


@click.command("verify")
@artifact_argument
@click.option("--key", type=FILE, required=True, metavar="PUBLIC", help="EC public key, PEM.")
@signature_option
@click.option(
    "--accept-ignored",
    multiple=True,
    metavar="NAME",
    help="A path that the signer left out of the signature and that you accept; repeatable.",
)
@consent_options
@json_option
def command(
    path: str,
    *,
    key: str,
    signature: str | None,
    accept_ignored: tuple[str, ...],
    consent: workflow.Consent,
    as_json: bool,
) -> None:
    """Verify that PATH is what the holder of the key signed, file by file."""
    try:
        with show_progress("verifying") as progress:
            verified = workflow.verify_artifact(
                path,
                key=key,
                signature=signature,
                accept_ignored=accept_ignored,
                consent=consent,
                progress=progress,
            )
    except VerificationError as error:
        if as_json:
            differences = error.diff.to_lines() if isinstance(error, DigestMismatchError) else ()
            reason, lines = str(error), [printable(line) for line in differences]
            print_json({"answer": "fail", "reason": reason, "differences": lines})
        raise
    manifest = verified.manifest
    warnings = describe_collisions(verified.collisions)
    warn(warnings)
    digest = str(manifest.compute_digest())
    if as_json:
        print_json(
            {
                "answer": "pass",
                "artifact": digest,
                "signature": printable(str(verified.signature)),
                "key": printable(str(verified.key)),
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
    click.echo(f"{mark} {count:,} files, {to_size(size_bytes)}")
    with_more = " (with the files that are not signed)" if verified.unsigned else ""
    click.echo(f"artifact:  {digest}{with_more}")
    click.echo(f"signed by: {printable(str(verified.key))}")
    if verified.before_v1:
        click.echo("signature: from before version 1, by model_signing 0.1 or 0.2, as accepted")
    for line in describe_unsigned(verified.unsigned):
        click.echo(line)
