"""weighbridge keygen."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE
from weighbridge.core import printable

__all__ = ["command"]


@click.command("keygen")
@click.argument("name", type=FILE, default="weighbridge")
def command(name: str) -> None:
    """Make an EC P-256 key: NAME.key (keep it secret) and NAME.pub (give it away).

    NAME may have a folder in front; without it the files are weighbridge.key and weighbridge.pub.
    """
    files = workflow.create_key_files(name)
    click.echo(f"private key: {printable(str(files.private))} (only you can read it)")
    click.echo(f"public key:  {printable(str(files.public))}")
