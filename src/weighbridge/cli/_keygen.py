"""weighbridge keygen."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE
from weighbridge.cli._secrets import ask_for_secret
from weighbridge.cli._warnings import warn
from weighbridge.core import printable

__all__ = ["command"]


@click.command("keygen")
@click.argument("name", type=FILE, default="weighbridge")
@click.option(
    "--curve",
    type=click.Choice(["P-256", "P-384", "P-521", "Ed25519"]),
    default="P-256",
    show_default=True,
    help="Ed25519 is not known to model_signing.",
)
@click.option("--encrypt", is_flag=True, help="Protect the private key with a password.")
@click.option(
    "--password-file",
    type=FILE,
    metavar="FILE",
    help="Read that password there; by default it is asked for at the terminal.",
)
def command(name: str, *, curve: str, encrypt: bool, password_file: str | None) -> None:
    """Make a key: NAME.key (keep it secret) and NAME.pub (give it away).

    NAME may have a folder in front; without it the files are weighbridge.key and weighbridge.pub.
    """
    ask = ask_for_secret(password_file, confirm=True) if encrypt or password_file else None
    files = workflow.create_key_files(name, curve=curve, ask_secret=ask)
    if curve == "Ed25519":
        warn(["model_signing 1.1.1 cannot verify what this key signs; it knows EC keys alone"])
    click.echo(f"private key: {printable(str(files.private))} (only you can read it)")
    click.echo(f"public key:  {printable(str(files.public))}")
