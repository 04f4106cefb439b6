"""Passwords and PINs: from a file, the environment or a person; never from the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from weighbridge import workflow
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from weighbridge.core.ports import AskSecret

__all__ = ["ask_for_secret"]

_VARIABLE = "WEIGHBRIDGE_PASSWORD"


def ask_for_secret(file: str | None, *, confirm: bool = False) -> AskSecret:
    """Return who knows the secret: ``file``, else the environment, else whoever sits there.

    Args:
        file: Where the user said that it is.
        confirm: Whether a person has to type it twice, because it is a new one.
    """

    def ask(what: str) -> str:
        if file is not None:
            return workflow.read_secret(file)
        if _VARIABLE in os.environ:
            return os.environ[_VARIABLE]
        if not os.isatty(0):
            raise InputError(
                f"the {what} is needed and nobody can be asked; "
                f"give --password-file FILE or set {_VARIABLE}"
            )
        try:
            secret: str = click.prompt(
                what[:1].upper() + what[1:], hide_input=True, err=True, confirmation_prompt=confirm
            )
        except UnicodeDecodeError:  # not its cause: that holds the secret
            raise InputError(
                f"the {what} was typed in another encoding than the terminal's; "
                "give --password-file FILE, in UTF-8"
            ) from None
        return secret

    return ask
