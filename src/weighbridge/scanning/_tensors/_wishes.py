"""What a JSON document says about tensors in other files: configs and indexes of shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.scanning._facts import ShapeWish, ShardIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Document
    from weighbridge.scanning._facts import Fact

__all__ = ["check_wishes", "list_wishes"]

_MAX_SHARDS = 1_000_000
# How wide a row of the table of embeddings is; models that have the first do not mean the last.
_WIDTHS = ("embedding_size", "word_embed_proj_dim", "d_embed", "hidden_size", "n_embd", "d_model")


def list_wishes(document: object, at: Location) -> Iterator[Fact]:
    """Yield what has to be compared with the tensors in the folder of a document.

    Source:
        transformers ``PretrainedConfig`` and ``model.safetensors.index.json``.
    """
    if at.member or not isinstance(document, dict):
        return
    weight_map = document.get("weight_map")
    if isinstance(weight_map, dict) and len(weight_map) <= _MAX_SHARDS:
        shards = ((name, file) for name, file in weight_map.items() if isinstance(file, str))
        yield ShardIndex(at.file, tuple(shards))
    if isinstance(document.get("architectures"), list) and at.file.endswith("config.json"):
        sizes = {"vocab_size": document.get("vocab_size")}
        sizes["hidden_size"] = next((document[key] for key in _WIDTHS if key in document), None)
        known = tuple((key, size) for key, size in sizes.items() if type(size) is int and size > 0)
        if known:
            yield ShapeWish(at.file, known)


def check_wishes(document: Document, at: Location, _: ScanContext) -> Iterator[Fact]:
    """Yield what a JSON document says about tensors in other files."""
    yield from list_wishes(document.value, at)
