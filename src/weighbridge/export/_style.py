"""How lines of a report are laid out on a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.core import Answer, printable
from weighbridge.export._wrap import count_cells, shorten, wrap

if TYPE_CHECKING:
    from weighbridge.core import RuleResult

__all__ = ["BOLD", "COLOURS", "DIM", "GREEN", "MIN_WIDTH", "RED", "YELLOW", "Style"]

MIN_WIDTH = 40
_MAX_SENTENCE = 2_000

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
COLOURS = {Answer.PASS: GREEN, Answer.FAIL: RED, Answer.UNKNOWN: YELLOW}
_SYMBOLS = {Answer.PASS: "✔", Answer.FAIL: "✖", Answer.UNKNOWN: "?"}
_ASCII_SYMBOLS = {Answer.PASS: "+", Answer.FAIL: "x", Answer.UNKNOWN: "?"}


@dataclass(frozen=True, slots=True)
class Style:
    """How lines are laid out: columns, colours, and whether the terminal shows Unicode."""

    width: int
    colour: bool
    unicode: bool

    def paint(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colour and text else text

    def clean(self, text: str) -> str:
        """Return words of a stranger so that the terminal shows them and does nothing else."""
        safe = printable(text, limit=_MAX_SENTENCE)
        if self.unicode or safe.isascii():
            return safe
        return safe.replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")

    def symbol(self, answer: Answer) -> str:
        return (_SYMBOLS if self.unicode else _ASCII_SYMBOLS)[answer]

    def rule_mark(self, rule: RuleResult) -> tuple[str, str]:
        """Return the symbol of a rule and its colour; only one that counts can have a pass mark."""
        if rule.waiver:
            return "~", YELLOW
        if rule.is_warning:
            return ("-", DIM) if rule.answer is Answer.PASS else ("!", YELLOW)
        return self.symbol(rule.answer), COLOURS[rule.answer]

    def mark(self, answer: Answer, text: str) -> str:
        return self.paint(text, BOLD, COLOURS[answer])

    def shorten(self, text: str, width: int) -> str:
        return shorten(text, width, mark="…" if self.unicode else "...")

    def hang(self, first: str, text: str, *codes: str) -> list[str]:
        """Wrap ``text`` behind ``first`` (plain), with the following lines indented as far."""
        indent = count_cells(first)
        lines = wrap(self.clean(text), self.width - indent)
        painted = [self.paint(line, *codes) if codes else line for line in lines]
        return [first + painted[0], *(" " * indent + line for line in painted[1:])]

    def title(self, title: str, text: str, *codes: str) -> list[str]:
        """Return a bold title with ``text`` wrapped behind it."""
        first, *rest = self.hang(f"{title}  ", text)
        return [self.paint(title, BOLD, *codes) + first.removeprefix(title), *rest]
