"""Model cards: which keys of the metadata block mean what, and of which kind their values are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Card
from weighbridge.errors import ParseError
from weighbridge.formats._yaml import YamlMapping, YamlNode, YamlSequence, YamlText, parse_yaml

if TYPE_CHECKING:
    from weighbridge.core import Limits

__all__ = ["read_fields"]

# More than any id, name or address needs.
_MAX_CHARACTERS = 4_096


def read_fields(text: str, *, file: str, first_line: int, limits: Limits) -> Card:
    """Read the metadata block of a model card; keys that are not read here may hold anything.

    Raises:
        ParseError: Not YAML, not a mapping, or a value of the wrong kind; names the line.
    """
    root = parse_yaml(text, first_line=first_line, max_depth=limits.max_json_depth)
    if isinstance(root, YamlMapping):
        fields = root.items
    elif isinstance(root, YamlText) and root.is_null:
        fields = {}
    else:
        raise ParseError(f"line {root.line}: the metadata block is not made of `key: value` lines")
    return Card(
        file=file,
        licenses=_to_texts(fields, "license"),
        license_name=_to_text(fields, "license_name"),
        license_link=_to_text(fields, "license_link"),
        base_models=_to_texts(fields, "base_model"),
        datasets=_to_texts(fields, "datasets"),
        languages=_to_texts(fields, "language"),
        library_name=_to_text(fields, "library_name"),
        pipeline_tag=_to_text(fields, "pipeline_tag"),
        tags=_to_texts(fields, "tags"),
    )


def _to_text(fields: dict[str, YamlNode], key: str) -> str:
    """Return the text at ``key``; empty if the key is absent or null."""
    node = fields.get(key)
    if node is None:
        return ""
    if not isinstance(node, YamlText):
        raise ParseError(f"line {node.line}: {key} must be one text")
    return _check_text(node, key)


def _to_texts(fields: dict[str, YamlNode], key: str) -> tuple[str, ...]:
    """Return the texts at ``key``, one or a list of them; none if the key is absent or null."""
    node = fields.get(key)
    if not isinstance(node, YamlSequence):
        if isinstance(node, YamlMapping):
            raise ParseError(f"line {node.line}: {key} must be text, or a list of texts")
        text = _to_text(fields, key)
        return (text,) if text else ()
    texts = []
    for item in node.items:
        if not isinstance(item, YamlText) or item.is_null:
            raise ParseError(f"line {item.line}: every entry of {key} must be text")
        texts.append(_check_text(item, key))
    return tuple(texts)


def _check_text(node: YamlText, key: str) -> str:
    if len(node.value) > _MAX_CHARACTERS:
        size = f"{len(node.value):,} characters"
        raise ParseError(f"line {node.line}: {key} has {size}, more than {_MAX_CHARACTERS:,}")
    return "" if node.is_null else node.value.strip()
