"""Code that a file carries: what it would import, run, fetch or write. It is parsed, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.scanning._notes import not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["examine_code", "examine_template"]


def examine_code(
    source: ByteSource, at: Location, context: ScanContext, *, language: str
) -> Iterator[Note]:
    """Examine source code.

    Args:
        source: The whole text.
        at: Where.
        context: Limits and budget.
        language: What its name says: a suffix such as ``py``, ``ipynb``, ``sh``, or a name such as
            ``dockerfile``; ``torchscript`` for code of a TorchScript archive. It is no promise.
    """
    del source, context, language
    yield not_examined(at, "code", "source code is not examined yet")


def examine_template(text: str, at: Location, context: ScanContext) -> Iterator[Note]:
    """Examine a Jinja template, such as the chat template of a tokenizer."""
    del text, context
    yield not_examined(at, "jinja template", "templates are not examined yet")
