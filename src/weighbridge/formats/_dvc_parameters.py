"""The parameters of a stage of DVC: each a name and the text that was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import printable
from weighbridge.errors import ParseError
from weighbridge.formats._yaml import YamlMapping, YamlSequence, YamlText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import JsonValue
    from weighbridge.formats._yaml import YamlNode

__all__ = ["DvcParameter", "read_parameters"]


class DvcParameter(NamedTuple):
    """One parameter.

    Attributes:
        file: Where DVC found it, as it is written: ``params.yaml``.
        name: ``train.lr``.
        value: As it was written; lists as JSON of texts.
    """

    file: str
    name: str
    value: str


def read_parameters(node: YamlNode | None, *, what: str) -> tuple[DvcParameter, ...]:
    """Return the parameters of a stage: mappings become dotted names, as DVC writes them.

    Args:
        node: ``params`` of a stage of ``dvc.lock``.
        what: The name of the file, for messages.

    Raises:
        ParseError: It is not files with names in them, or a name is there twice.
    """
    if node is None or (isinstance(node, YamlText) and node.is_null):
        return ()
    found: dict[tuple[str, str], DvcParameter] = {}
    for file, named in _to_mapping(node, what).items.items():
        for name, value in _flatten(_to_mapping(named, what), ""):
            if (file, name) in found:
                raise ParseError(
                    f"{what}, line {named.line}: the parameter {printable(name, limit=80)!r} "
                    "appears twice"
                )
            found[file, name] = DvcParameter(file, name, value)
    return tuple(found.values())


def _to_mapping(node: YamlNode, what: str) -> YamlMapping:
    if not isinstance(node, YamlMapping):
        raise ParseError(f"{what}, line {node.line}: parameters are no mapping")
    return node


def _flatten(node: YamlMapping, before: str) -> Iterator[tuple[str, str]]:
    for name, value in node.items.items():
        full = f"{before}{name}"
        if isinstance(value, YamlMapping) and value.items:
            yield from _flatten(value, f"{full}.")
        elif isinstance(value, YamlText):
            yield full, value.value
        else:
            yield full, json.dumps(_to_texts(value), ensure_ascii=False)


def _to_texts(node: YamlNode) -> JsonValue:
    if isinstance(node, YamlText):
        return None if node.is_null else node.value
    if isinstance(node, YamlSequence):
        return [_to_texts(item) for item in node.items]
    return {name: _to_texts(value) for name, value in node.items.items()}
