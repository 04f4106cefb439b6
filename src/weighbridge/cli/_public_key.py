"""weighbridge public-key."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE
from weighbridge.cli._signer_options import key_options
from weighbridge.core import printable

__all__ = ["command"]


@click.command("public-key")
@key_options
@click.option("--out", "-o", type=FILE, metavar="FILE", help="Where to write it  [default: stdout]")
def command(*, signer: workflow.SignerSpec, out: str | None) -> None:
    """Write the public half of a signer's key, for those who verify: PEM.

    The key may be in a file, in a token (pkcs11:) or wherever a plug-in keeps it. A file that is
    there already stays.
    """
    pem = workflow.export_public_key(signer=signer, out=out)
    if out is None:
        click.echo(pem, nl=False)
    else:
        click.echo(f"public key: {printable(out)}")
