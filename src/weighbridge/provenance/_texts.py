"""What a step's author calls things: text that a record can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError, LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import Limits

__all__ = ["check_names", "check_parameters"]


def check_names(names: Iterable[str], *, what: str) -> None:
    """Refuse names that a record could not hold, before the step.

    Args:
        names: As the author gave them.
        what: What they name, for messages: ``input``.

    Raises:
        InputError: One is empty, no string, or not UTF-8.
    """
    for name in names:
        if not name:
            raise InputError(f"the name of an {what} is empty; say what it is to the step")
        _check_text(name, f"name of the {what}")


def check_parameters(parameters: Mapping[str, str], *, limits: Limits) -> None:
    """Refuse parameters that a record could not hold, before the step.

    Args:
        parameters: Name to value.
        limits: ``max_parameters_bytes`` bounds names and values together.

    Raises:
        InputError: One is no string, or not UTF-8.
        LimitExceededError: They are too large.
    """
    size_bytes = 0
    for name, value in parameters.items():
        size_bytes += _check_text(name, "name of the parameter")
        size_bytes += _check_text(value, f"parameter {_show(name)}")
        if size_bytes > limits.max_parameters_bytes:
            raise LimitExceededError(
                "max_parameters_bytes",
                limit=limits.max_parameters_bytes,
                actual=size_bytes,
                subject=f"the parameters up to {_show(name)}, which could be an input by digest",
            )


def _check_text(text: object, what: str) -> int:
    """Return the size in UTF-8."""
    if not isinstance(text, str):
        raise InputError(f"the {what} is not text; write it as a string")
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InputError(f"the {what} is not UTF-8: {_show(text)}; write it so") from error


def _show(text: str) -> str:
    return repr(printable(text, limit=80))
