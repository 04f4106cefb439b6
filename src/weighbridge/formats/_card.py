"""Model cards: where the metadata block of ``README.md`` begins and ends."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.core import Card, CardEvidence, printable
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from weighbridge.core import Limits

__all__ = ["parse_card"]

# What the Hub's own reader takes for the first and last line of the block; and a byte order mark.
_OPEN = re.compile(rb"(?:\xef\xbb\xbf)?\s*---(?:\r\n|\r|\n)")
_CLOSE = re.compile(rb"(?<=[\r\n])---(?=[\r\n]|\Z)")
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
# As much of a body as is looked at to tell whether it says anything.
_BODY_BYTES = 1024 * 1024


def parse_card(data: bytes, *, file: str, limits: Limits) -> CardEvidence:
    """Read the metadata of a model card; never raises on content.

    A file without a metadata block is a card that declares nothing. In the block, anchors, aliases,
    tags, keys that appear twice, and values of another kind than the Hub documents make the card
    malformed. Every value is kept as the text that was written: ``language: no`` is Norwegian.

    Args:
        data: The whole file, or at least its first ``max_card_bytes``.
        file: Its POSIX path inside the artifact.
        limits: ``max_card_bytes`` bounds the block, ``max_json_depth`` its nesting.

    Returns:
        The card; or no card, ``malformed``, and a problem that names the line.

    Source:
        https://huggingface.co/docs/hub/model-cards, "Model card metadata".
    """
    try:
        return CardEvidence(card=_read_card(data, file=file, limits=limits))
    except ParseError as error:
        return CardEvidence(card=None, problem=f"{printable(file)}: {error}", malformed=True)


def _read_card(data: bytes, *, file: str, limits: Limits) -> Card:
    head = data[: limits.max_card_bytes]
    opened = _OPEN.match(head)
    if not opened:
        return Card(file=file, has_body=_says_something(data))
    first_line = len(head[: opened.end()].splitlines())
    closed = _CLOSE.search(head, opened.end())
    if not closed:
        if len(data) > len(head):
            bound = f"max_card_bytes = {limits.max_card_bytes:,}"
            raise ParseError(f"the metadata block is over the limit {bound}")
        raise ParseError(f"line {first_line}: no line --- ends the metadata block that begins here")
    try:
        text = head[opened.end() : closed.start()].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = opened.end() + error.start
        raise ParseError(f"the metadata block is not UTF-8 at byte {offset:,}") from error
    # YAML takes 36 ms to import; whoever does not read cards does not pay.
    from weighbridge.formats._card_fields import read_fields  # noqa: PLC0415

    card = read_fields(text, file=file, first_line=first_line + 1, limits=limits)
    return replace(card, has_body=_says_something(data[closed.end() :]))


def _says_something(body: bytes) -> bool:
    """Return whether there is a letter or digit outside comments, so that a person can read it."""
    head = body[:_BODY_BYTES]
    visible = _COMMENT.sub(b"", head).decode("utf-8", "replace")
    return len(body) > _BODY_BYTES or any(char.isalnum() for char in visible)
