"""SCAI, read: from a statement to what a step ran on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.core import Environment, printable
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from weighbridge.core import Statement

__all__ = ["SCAI_TYPE", "parse_environment"]

SCAI_TYPE: Final = "https://in-toto.io/attestation/scai/v0.3"
_MAX_ATTRIBUTES = 10_000


def parse_environment(statement: Statement) -> Environment:
    """Read what ``to_scai`` writes; the statement may be anybody's.

    An attribute of something else than the statement's subjects (with a ``target``) is left out,
    and fields that are not known are ignored, as the framework demands of every reader.

    Raises:
        ParseError: It is of another type; an attribute is not an object, has no name, comes twice,
            or has a condition that is no string.

    Source:
        in-toto Attestation Framework, SCAI v0.3.
    """
    if statement.predicate_type != SCAI_TYPE:
        shown = printable(statement.predicate_type, limit=120)
        raise ParseError(f"the statement is of the type {shown}, not {SCAI_TYPE}")
    items = statement.predicate.get("attributes")
    if not isinstance(items, list) or len(items) > _MAX_ATTRIBUTES:
        raise ParseError(
            f"a list of {_MAX_ATTRIBUTES:,} attributes at most is wanted", where="attributes"
        )
    attributes: dict[str, dict[str, str]] = {}
    for index, item in enumerate(items):
        where = f"attributes[{index}]"
        if not isinstance(item, dict) or not isinstance(item.get("attribute"), str):
            raise ParseError("an attribute has no name", where=where)
        if item.get("target") is not None:
            continue
        name = item["attribute"]
        if name in attributes:
            raise ParseError(
                f"the attribute {printable(name, limit=80)!r} comes twice", where=where
            )
        attributes[name] = _parse_conditions(item.get("conditions", {}), f"{where}.conditions")
    return Environment(attributes)


def _parse_conditions(conditions: object, where: str) -> dict[str, str]:
    if not isinstance(conditions, dict):
        raise ParseError("the conditions of an attribute are not an object", where=where)
    if not all(isinstance(value, str) for value in conditions.values()):
        raise ParseError("a condition is not a string", where=where)
    return conditions
