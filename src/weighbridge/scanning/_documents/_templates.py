"""Chat templates inside of configurations: handed to the room that reads templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.scanning._code import examine_template
from weighbridge.scanning._documents._document import write_place
from weighbridge.scanning._notes import inside, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Link
    from weighbridge.scanning._notes import Note

__all__ = ["check_template"]

_MAX_TEMPLATES = 50


def check_template(
    value: object, link: Link, key: str, at: Location, context: ScanContext
) -> Iterator[Note]:
    """Examine ``chat_template``: a text, a list of ``name`` and ``template``, or a dictionary."""
    place = write_place(link, key)
    if isinstance(value, str):
        if value:
            yield from examine_template(value, inside(at, place), context)
        return
    if not isinstance(value, list | dict):
        return  # nothing, or the place of a word in a vocabulary
    parts = value if isinstance(value, list) else list(value.items())
    if len(parts) > _MAX_TEMPLATES:
        reason = f"it has more than {_MAX_TEMPLATES} templates"
        yield not_examined(inside(at, place), "jinja template", reason)
    for number, part in enumerate(parts[:_MAX_TEMPLATES]):
        text = part.get("template") if isinstance(part, dict) else part
        if isinstance(part, tuple):
            text = part[1]
        if isinstance(text, str):
            yield from examine_template(text, inside(at, f"{place}[{number}]"), context)
        else:
            reason = "it is no text"
            yield not_examined(inside(at, f"{place}[{number}]"), "jinja template", reason)
