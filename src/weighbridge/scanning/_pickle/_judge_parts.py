"""What the judge of pickles needs besides: moments to return to, and how calls read for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import Answer, Finding, Severity
from weighbridge.scanning._pickle._values import Global, Items, Use, Value, render
from weighbridge.scanning._rules._pickle import PICKLE_RULES

if TYPE_CHECKING:
    from weighbridge.core import Location

__all__ = ["CALL_RULES", "Checkpoint", "is_dotted", "show_call", "tell_left_out"]


# What a call is, by the use of the name that is called.
CALL_RULES = {
    Use.DANGEROUS: "dangerous-call",
    Use.DATA: "misuse",
    Use.FOREIGN: "foreign-call",
    Use.UNKNOWN: "unknown-call",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A moment in the judge's work: how much there was of everything."""

    acted: int
    called: int
    named: int
    sizes: tuple[int, ...]
    nested: int
    templates: int


def is_dotted(name: Global) -> bool:
    """Return whether a name that is not listed reaches into an object."""
    return "." in name.name and name.use in (Use.UNKNOWN, Use.FOREIGN)


def show_call(path: str, args: Value) -> str:
    """Return a call as a person would write it."""
    if not isinstance(args, tuple) or not args:
        return f"{path}({_inner(args)})"
    shown = render(args)
    # A call has no comma behind its only argument.
    return f"{path}{shown[:-2]})" if shown.endswith(",)") else f"{path}{shown}"


def _inner(args: Value) -> str:
    if args == () or args is None:
        return ""
    return f"*{render(args)}" if isinstance(args, Items) else render(args)


def tell_left_out(at: Location, count: int, *, fails: bool) -> Finding:
    """Return the finding that stands for those that are not listed."""
    return Finding(
        rule_id=PICKLE_RULES["limit"].rule_id,
        answer=Answer.FAIL if fails else Answer.UNKNOWN,
        severity=Severity.HIGH if fails else Severity.MEDIUM,
        location=at,
        message=f"A limit was met: {count:,} more findings are not listed.",
    )
