"""weighbridge sign."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import (
    FILE,
    artifact_argument,
    json_option,
    print_json,
    signature_option,
)
from weighbridge.cli._progress import show_progress
from weighbridge.cli._reuse_options import reuse_options, reused_to_json, show_reused
from weighbridge.core import printable, to_size

__all__ = ["command"]


@click.command("sign")
@artifact_argument
@click.option("--key", type=FILE, required=True, metavar="PRIVATE", help="EC private key, PEM.")
@signature_option
@reuse_options
@json_option
def command(
    path: str,
    *,
    key: str,
    signature: str | None,
    reuse: workflow.Reuse | None,
    as_json: bool,
) -> None:
    """Sign the file or folder PATH: an OpenSSF Model Signing v1.0 bundle.

    The bundle lists every file with its digest; anybody with the public key can verify it, with
    this tool or another.

    With --reuse only what changed since an old signature is read: say what did, or let git tell.
    Paths are inside PATH. A file that is declared unchanged is not read, so that its digest rests
    on your word; --audit tests it.
    """
    with show_progress("hashing") as progress:
        signed = workflow.sign_artifact(
            path, key=key, signature=signature, reuse=reuse, progress=progress
        )
    manifest = signed.manifest
    digest = str(manifest.compute_digest())
    if as_json:
        print_json(
            {
                "artifact": digest,
                "signature": printable(str(signed.signature)),
                "file_count": len(manifest.resources),
                "size_bytes": manifest.size_bytes,
                **({} if signed.reused is None else {"reused": reused_to_json(signed.reused)}),
            }
        )
        return
    click.echo(f"signed {len(manifest.resources):,} files, {to_size(manifest.size_bytes)}")
    click.echo(f"artifact:  {digest}")
    click.echo(f"signature: {printable(str(signed.signature))}")
    if signed.reused is not None:
        show_reused(signed.reused)
