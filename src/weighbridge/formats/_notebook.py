"""Jupyter notebooks: what would be executed, without what was."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.core import parse_json, printable
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from weighbridge.core import Limits

__all__ = ["Notebook", "parse_notebook"]

_FORMAT = 4
_KINDS = frozenset({"code", "markdown", "raw"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_IDS_FROM_MINOR = 5
# What front ends and executors write into metadata when cells run, or are looked at.
_VOLATILE = frozenset({"language_info", "papermill", "signature", "toc", "widgets"})
_CELL_VOLATILE = frozenset(
    {"ExecuteTime", "collapsed", "execution", "outputHidden", "outputId", "papermill", "scrolled"}
)


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook as it is before it runs.

    Attributes:
        clean: The notebook without outputs, execution counts, widget state and what else is
            written when cells run, as JSON with sorted keys and no spaces, in ASCII: the same
            bytes however often it was run and whoever saved it.
        code_cells: How many cells hold code.
        language: What its cells are written in, in lower case, as it says; empty if it does not.
        kernel: The name of the kernel that it was last run with; a label.
    """

    clean: bytes
    code_cells: int
    language: str
    kernel: str

    @property
    def sha256(self) -> str:
        """Digest of ``clean``, lower-case hex."""
        return hashlib.sha256(self.clean).hexdigest()


def parse_notebook(data: bytes, *, what: str, limits: Limits) -> Notebook:
    """Read a notebook of format 4 and leave out what running it put there.

    Nothing is executed. Cells keep their order, source, id, attachments and the metadata that
    their author chose, such as tags.

    Args:
        data: The file.
        what: Its name, for messages.
        limits: ``max_json_depth`` and ``max_json_values`` apply.

    Raises:
        ParseError: It is no notebook, of another format, or a cell is not as it has to be.

    Source:
        nbformat 4.5, https://nbformat.readthedocs.io/en/latest/format_description.html.
    """
    value = parse_json(data, what=what, limits=limits)
    if not isinstance(value, dict) or "nbformat" not in value:
        raise ParseError(f"{what} is not a Jupyter notebook; it names no nbformat")
    version, minor = value["nbformat"], value.get("nbformat_minor", 0)
    if type(version) is not int or type(minor) is not int or version != _FORMAT or minor < 0:
        shown = printable(f"{version}.{minor}", limit=20)
        raise ParseError(
            f"{what} is written in notebook format {shown}, and only format 4 is read; "
            "save it again with: jupyter nbconvert --to notebook --nbformat 4"
        )
    metadata = _to_object(value.get("metadata", {}), what=what, where="metadata")
    cells = value.get("cells")
    if not isinstance(cells, list):
        raise ParseError(f"{what} holds no list of cells", where="cells")
    with_ids = minor >= _IDS_FROM_MINOR
    cleaned = [
        _clean_cell(cell, with_id=with_ids, what=what, where=f"cells[{index}]")
        for index, cell in enumerate(cells)
    ]
    spec = _to_object(metadata.get("kernelspec", {}), what=what, where="metadata.kernelspec")
    info = _to_object(metadata.get("language_info", {}), what=what, where="metadata.language_info")
    kept = {name: item for name, item in metadata.items() if name not in _VOLATILE}
    document = {
        "cells": cleaned,
        "metadata": kept,
        "nbformat": _FORMAT,
        "nbformat_minor": min(minor, _IDS_FROM_MINOR),
    }
    return Notebook(
        json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii"),
        sum(cell["cell_type"] == "code" for cell in cleaned),
        str(info.get("name") or spec.get("language") or "").lower(),
        str(spec.get("name") or ""),
    )


def _to_object(value: object, *, what: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParseError(f"{what} is not a valid notebook: an object has to be here", where=where)
    return value


def _clean_cell(value: object, *, with_id: bool, what: str, where: str) -> dict[str, Any]:
    given = _to_object(value, what=what, where=where)
    kind = given.get("cell_type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ParseError(f"{what}: a cell is of no kind that is known", where=f"{where}.cell_type")
    metadata = _to_object(given.get("metadata", {}), what=what, where=f"{where}.metadata")
    tags = metadata.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ParseError(f"{what}: tags are a list of text", where=f"{where}.metadata.tags")
    cell: dict[str, Any] = {
        "cell_type": kind,
        "metadata": {k: v for k, v in metadata.items() if k not in _CELL_VOLATILE},
        "source": _to_source(given.get("source"), what=what, where=f"{where}.source"),
    }
    if with_id:
        name = given.get("id")
        if not isinstance(name, str) or not _ID.fullmatch(name):
            raise ParseError(f"{what}: a cell has no usable id", where=f"{where}.id")
        cell["id"] = name
    if kind == "code":
        return {**cell, "execution_count": None, "outputs": []}
    if "attachments" in given:
        there = f"{where}.attachments"
        cell["attachments"] = _to_object(given["attachments"], what=what, where=there)
    return cell


def _to_source(value: object, *, what: str, where: str) -> str:
    lines: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(line, str) for line in lines):
        raise ParseError(f"{what}: the source of a cell is text, or a list of it", where=where)
    return "".join(lines)
