"""Find the licence that a model card declares, and write it as an SPDX expression."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import LicenseEvidence, printable
from weighbridge.errors import ParseError
from weighbridge.formats import LicenseChoice, LicenseTerm, parse_license

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import Card, CardEvidence

__all__ = ["find_license", "is_allowed"]

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.-]+")


def find_license(card: CardEvidence) -> LicenseEvidence:
    """Say which licence a card declares; never raises on content.

    Several declared licences all apply: they are joined with AND, because a card lists them for the
    parts of a model and does not offer a choice. ``other`` becomes ``LicenseRef-`` and the card's
    ``license_name``. ``unknown`` names no licence. If one of several cannot be told, none is.

    Returns:
        What is declared, and the SPDX expression for it or the reason why there is none.

    Source:
        https://huggingface.co/docs/hub/repositories-licenses; SPDX 3.0.1, annex B.
    """
    if card.card is None:
        return LicenseEvidence(problem=card.problem or "there is no model card")
    declared = ", ".join(card.card.licenses)
    if not declared:
        return LicenseEvidence(problem=f"{printable(card.card.file)} declares no licence")
    try:
        expression = _to_expression(card.card)
    except ParseError as error:
        problem = f"{printable(card.card.file)}: {error}"
        return LicenseEvidence(declared=declared, problem=problem)
    return LicenseEvidence(declared=declared, expression=expression)


def is_allowed(expression: str, allow: Sequence[str]) -> bool:
    """Return whether the licences in ``allow`` are enough for ``expression``.

    AND needs every part, OR needs one. ``X WITH Y`` needs exactly that entry: neither ``X`` nor
    another exception is taken for it.

    Args:
        expression: An SPDX expression or an id of the Hub.
        allow: Licences, written the same way; capitals do not matter.

    Raises:
        ParseError: ``expression`` or an entry is not one, or an entry is a choice of several.
    """
    allowed = set()
    for entry in allow:
        term = parse_license(entry)
        if isinstance(term, LicenseChoice):
            raise ParseError(f"{printable(entry)!r}: list licences one by one, without AND and OR")
        allowed.add(str(term))
    return parse_license(expression).is_satisfied_by(allowed)


def _to_expression(card: Card) -> str:
    parts = tuple(_parse_declared(declared, card=card) for declared in dict.fromkeys(card.licenses))
    return str(parts[0] if len(parts) == 1 else LicenseChoice("AND", parts))


def _parse_declared(declared: str, *, card: Card) -> LicenseTerm | LicenseChoice:
    match declared.lower():
        case "unknown":
            raise ParseError("the licence is declared as unknown")
        case "other":
            name = _NOT_IN_A_NAME.sub("-", card.license_name).strip("-")
            if not name:
                raise ParseError("the licence is declared as other, and no license_name says which")
            return LicenseTerm(f"LicenseRef-{name}")
        case _:
            return parse_license(declared)
