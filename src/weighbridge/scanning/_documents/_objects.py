"""Objects that a document has rebuilt: jsonpickle, and Keras until its own check reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import Answer, Finding
from weighbridge.scanning._documents._document import show, write_place
from weighbridge.scanning._documents._targets import is_dangerous
from weighbridge.scanning._notes import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Link
    from weighbridge.scanning._notes import Note

__all__ = ["check_jsonpickle", "check_reduce"]

_NAME = re.compile(r"[A-Za-z_][\w.]*")


def check_jsonpickle(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge ``py/object`` and its kin: jsonpickle imports the name, and may call it."""
    names = [value] if isinstance(value, str) else _list_names(value)
    if isinstance(value, int | float) or not value:
        return  # the place of a word in a vocabulary
    place = write_place(link, key)
    dangerous = next((name for name in names if is_dangerous(name.partition("/")[2] or name)), None)
    if dangerous is not None:
        message = f"Reading this with jsonpickle calls {show(dangerous)}, which {place} names."
        yield found("WB-DOC-005", at, message, detail=show(dangerous))
    else:
        message = f"Reading this with jsonpickle rebuilds {show(value)} ({place})."
        yield found("WB-DOC-007", at, message, detail=show(value))


def _list_names(value: object) -> list[str]:
    """Return the names in the first two levels of a list, as ``py/reduce`` has them."""
    if isinstance(value, dict):
        return [part for part in value.values() if isinstance(part, str)]
    if not isinstance(value, list):
        return []
    names: list[str] = []
    for part in value[:20]:
        if isinstance(part, str) and _NAME.fullmatch(part):
            names.append(part)
        elif isinstance(part, dict):
            names.extend(item for item in part.values() if isinstance(item, str))
    return names


def check_reduce(
    value: object, link: Link, key: str, at: Location, context: ScanContext
) -> Iterator[Note]:
    """Judge ``__reduce__``: other serializers of the kind call what it names.

    A node of skops says how it is loaded, and who judges skops judges the names in it.
    """
    node = isinstance(value, dict) and isinstance(value.get("args"), dict)
    by_skops = node and "__loader__" in value["args"]  # type: ignore[index]
    for note in check_jsonpickle(value, link, key, at, context):
        if not by_skops or (isinstance(note, Finding) and note.answer is Answer.FAIL):
            yield note
