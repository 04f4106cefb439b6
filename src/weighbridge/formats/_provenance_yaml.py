"""Documents that teams keep by hand: ``provenance.yaml``, ``modelcard.yaml``, ``MANIFEST.yaml``.

No standard says how they look. What is read here is the shape that they have in common: ``model``,
``base_model``, ``training_data``, ``dependencies``, ``training``, ``files``, each key in whatever
spelling (``base-model``, ``baseModel``). A key that is not known is kept, so that it can be told;
two keys that would say the same are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import LimitExceededError, ParseError
from weighbridge.formats._provenance_values import ProvenanceDocument

if TYPE_CHECKING:
    from weighbridge.core import Limits

__all__ = ["parse_provenance_yaml"]

_SHOWN_CHARACTERS = 80


def parse_provenance_yaml(data: bytes, *, what: str, limits: Limits) -> ProvenanceDocument:
    """Read a document that a team keeps by hand; nothing is looked up or compared.

    Anchors, aliases, tags and keys that appear twice are refused, as are two spellings of one key
    in one mapping. Every value is kept as the text that was written; ``null`` says nothing.

    Args:
        data: The whole file.
        what: Its name, for messages.
        limits: ``max_card_bytes`` bounds it, ``max_json_depth`` its nesting.

    Raises:
        LimitExceededError: Larger than ``max_card_bytes``.
        ParseError: Not UTF-8 or not YAML; a value of another kind than its key asks for; the same
            thing said twice. The message names the line.
    """
    shown = printable(what, limit=_SHOWN_CHARACTERS)
    if len(data) > limits.max_card_bytes:
        raise LimitExceededError(
            "max_card_bytes", limit=limits.max_card_bytes, actual=len(data), subject=shown
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"{shown} is not UTF-8 at byte {error.start:,}") from error
    # YAML takes 36 ms to import; whoever does not read such documents does not pay.
    from weighbridge.formats._provenance_fields import read_values  # noqa: PLC0415

    try:
        return ProvenanceDocument(read_values(text, limits=limits))
    except ParseError as error:
        raise ParseError(f"{shown}: {error}") from error
