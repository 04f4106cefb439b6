"""Answers become exit codes."""

from __future__ import annotations

from typing import NoReturn

import click

from weighbridge.core import Answer

__all__ = ["exit_with"]

_CODES = {Answer.PASS: 0, Answer.FAIL: 1, Answer.UNKNOWN: 3}


def exit_with(answer: Answer) -> NoReturn:
    """End the command: 0 pass, 1 fail, 3 unknown."""
    raise click.exceptions.Exit(_CODES[answer])
