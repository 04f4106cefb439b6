"""What the judge of pickles needs besides: moments to return to, and how calls read for people."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.scanning._pickle._values import Global, Items, Use, Value, render

__all__ = ["Checkpoint", "is_dotted", "show_call"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A moment in the judge's work: how much there was of everything."""

    acted: int
    called: int
    named: int
    sizes: tuple[int, int, int]
    nested: int
    templates: int


def is_dotted(name: Global) -> bool:
    """Return whether a name that is not listed reaches into an object."""
    return "." in name.name and name.use in (Use.UNKNOWN, Use.FOREIGN)


def show_call(path: str, args: Value) -> str:
    """Return a call as a person would write it."""
    shown = render(args)
    return f"{path}{shown}" if isinstance(args, tuple) and args else f"{path}({_inner(args)})"


def _inner(args: Value) -> str:
    if args == () or args is None:
        return ""
    return f"*{render(args)}" if isinstance(args, Items) else render(args)
