"""Licence expressions: text -> value, and which sets of licences satisfy one.

The grammar is small and read here, so that it is bounded and ``LicenseRef-…`` keeps its own
meaning; ``license-expression``, which reads it too, takes ``LicenseRef-GPL`` for a GPL. That
package knows the ids of SPDX and ScanCode, and is asked only for one that the table of model-card
ids does not have, because loading its index takes 100 ms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from weighbridge.core import printable
from weighbridge.errors import ParseError
from weighbridge.formats._license_ids import HUGGING_FACE_LICENSES

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["LicenseChoice", "LicenseTerm", "parse_license"]

# Longer than any expression that a person wrote; both bound the work, not the language.
_MAX_CHARACTERS = 2_000
_MAX_DEPTH = 32

_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_LICENSE_REF = re.compile(
    r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+", re.IGNORECASE
)
_OPERATORS = {"AND", "OR", "WITH"}


@dataclass(frozen=True, slots=True)
class LicenseTerm:
    """One licence, with its exception if it has one: ``GPL-2.0-only WITH Classpath-exception-2.0``.

    Attributes:
        id: In SPDX's own capitals.
    """

    id: str

    def __str__(self) -> str:
        """Return the id."""
        return self.id

    def is_satisfied_by(self, allowed: Collection[str]) -> bool:
        """Return whether exactly this licence, exception included, is in ``allowed``."""
        return self.id.lower() in {entry.lower() for entry in allowed}


@dataclass(frozen=True, slots=True)
class LicenseChoice:
    """Several licences, of which all apply (AND) or one may be chosen (OR)."""

    operator: Literal["AND", "OR"]
    parts: tuple[LicenseTerm | LicenseChoice, ...]

    def __str__(self) -> str:
        """Return the SPDX expression, with parentheses around choices inside it."""
        texts = (f"({p})" if isinstance(p, LicenseChoice) else str(p) for p in self.parts)
        return f" {self.operator} ".join(texts)

    def is_satisfied_by(self, allowed: Collection[str]) -> bool:
        """Return whether all parts (AND) or any part (OR) is satisfied by ``allowed``."""
        decide = all if self.operator == "AND" else any
        return decide(part.is_satisfied_by(allowed) for part in self.parts)


def parse_license(text: str) -> LicenseTerm | LicenseChoice:
    """Read a licence id or an SPDX licence expression.

    Ids of the Hugging Face Hub (``apache-2.0``, ``llama3.1``), of SPDX (in any capitals) and of
    ScanCode are known; ``LicenseRef-NAME`` is taken as it is written. Linear in the length of
    ``text``, which is bounded.

    Raises:
        ParseError: An unknown id, or not an expression; the message names the word.

    Source:
        SPDX 3.0.1, annex B "SPDX license expressions"; the Hub's list of licence ids.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ParseError(f"a licence of {len(text):,} characters is too long to be read")
    tokens = _TOKEN.findall(text)
    if not tokens:
        raise ParseError("the licence is empty")
    tokens.reverse()
    value = _parse_choice(tokens, "OR", depth=0)
    if tokens:
        raise ParseError(f"{printable(tokens[-1], limit=80)!r} is out of place in the licence")
    return value


def _parse_choice(
    tokens: list[str], operator: Literal["AND", "OR"], *, depth: int
) -> LicenseTerm | LicenseChoice:
    """Read parts joined by ``operator`` from the end of ``tokens``; AND binds closer than OR."""
    parts: list[LicenseTerm | LicenseChoice] = []
    while True:
        part = (
            _parse_choice(tokens, "AND", depth=depth)
            if operator == "OR"
            else _parse_part(tokens, depth=depth)
        )
        if isinstance(part, LicenseChoice) and part.operator == operator:
            parts.extend(part.parts)
        else:
            parts.append(part)
        if not tokens or tokens[-1].upper() != operator:
            break
        tokens.pop()
    return parts[0] if len(parts) == 1 else LicenseChoice(operator, tuple(parts))


def _parse_part(tokens: list[str], *, depth: int) -> LicenseTerm | LicenseChoice:
    word = tokens.pop() if tokens else ""
    if word == "(":
        if depth == _MAX_DEPTH:
            raise ParseError(
                f"the licence has more than {_MAX_DEPTH} parentheses inside each other"
            )
        inner = _parse_choice(tokens, "OR", depth=depth + 1)
        if not tokens or tokens.pop() != ")":
            raise ParseError("a parenthesis in the licence is not closed")
        return inner
    identifier = _to_known_id(word, exception=False)
    if tokens and tokens[-1].upper() == "WITH":
        tokens.pop()
        exception = _to_known_id(tokens.pop() if tokens else "", exception=True)
        identifier = f"{identifier} WITH {exception}"
    return LicenseTerm(identifier)


def _to_known_id(word: str, *, exception: bool) -> str:
    if not word or word == ")" or word.upper() in _OPERATORS:
        raise ParseError("the licence ends or goes on where an id is missing")
    if not exception and (found := HUGGING_FACE_LICENSES.get(word.lower())):
        return found
    if not exception and _LICENSE_REF.fullmatch(word):
        return word
    if found := _find_in_index(word, exception=exception):
        return found
    kind = "licence exception" if exception else "licence"
    raise ParseError(
        f"{printable(word, limit=80)!r} is no {kind} id of SPDX, ScanCode or Hugging Face"
    )


def _find_in_index(word: str, *, exception: bool) -> str:
    """Return the id as SPDX writes it, or an empty text."""
    from license_expression import (  # type: ignore[import-untyped]  # noqa: PLC0415 - slow
        ExpressionError,
        LicenseSymbol,
    )

    try:
        symbol = _load_index().parse(word, validate=True)
    except ExpressionError:
        return ""
    if not isinstance(symbol, LicenseSymbol) or symbol.is_exception is not exception:
        return ""
    return str(symbol.key)


@cache
def _load_index() -> Any:  # noqa: ANN401 - the package has no types
    from license_expression import get_spdx_licensing  # noqa: PLC0415 - slow

    return get_spdx_licensing()
