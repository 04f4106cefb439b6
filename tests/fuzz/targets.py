"""Every reader and examiner of what is examined, as a function of bytes, in one table.

A target returns, or the parser is at fault: the errors that a reader promises are caught here, and
a scan never raises. Used by ``scripts/fuzz`` (Atheris) and by ``test_corpus.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeAlias
from unittest import mock

from fuzz import test_container_parsers as containers
from fuzz import test_document_parsers as documents
from fuzz import test_graphs as graphs
from fuzz import test_hdf5_and_keras as keras
from fuzz import test_parsers as parsers
from weighbridge.core import DEFAULT_LIMITS, Coverage, Location
from weighbridge.errors import IncompleteError, LimitExceededError, ParseError
from weighbridge.formats import (
    MemorySource,
    find_r_start,
    find_zip_gaps,
    looks_like_arrow,
    looks_like_msgpack,
    looks_like_ubjson,
    parse_notebook,
    read_arrow_messages,
    read_gguf,
    read_msgpack,
    read_npy_header,
    read_parquet_footer,
    read_pickle_ops,
    read_r,
    read_safetensors,
    read_tar,
    read_ubjson,
    read_zip_directory,
    read_zip_entry,
)
from weighbridge.scanning import build_inspector
from weighbridge.scanning._context import Budget
from weighbridge.scanning._notes import not_examined

Target: TypeAlias = Callable[[bytes], None]

_PROMISED = (ParseError, IncompleteError, LimitExceededError)


def _reader(read: Callable[[MemorySource, Callable[[int], None]], object]) -> Target:
    """Return a target that reads everything and lets through only what is not promised."""

    def target(data: bytes) -> None:
        budget = Budget(DEFAULT_LIMITS, "x", len(data))
        with contextlib.suppress(*_PROMISED):
            read(MemorySource("x", data), budget.spend_header_bytes)

    return target


def _read_zip(source: MemorySource) -> None:
    directory = read_zip_directory(source, max_members=1_000)
    if directory is None:
        return
    for entry in directory.entries:
        with contextlib.suppress(*_PROMISED):
            read_zip_entry(source, entry)
    list(find_zip_gaps(source, directory.entries, end=directory.start))


def _read_r(source: MemorySource, spend: Callable[[int], None]) -> None:
    start = find_r_start(source.read_at(0, 64))
    if start is not None:
        list(read_r(source, start=start, spend=spend))


def _fault_or_row(at: Location, format_name: str, reason: str) -> Coverage:
    """Let an examiner's fault through, which the inspector turns into a row."""
    if reason.startswith("the examiner failed"):
        raise  # noqa: PLE0704 - called while the fault is handled
    return not_examined(at, format_name, reason)


def scan(data: bytes, *, name: str) -> None:
    """Scan twice: no fault, at least one row, the same answer."""
    with mock.patch("weighbridge.scanning._inspector.not_examined", _fault_or_row):
        first = build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, data))
        again = build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, data))
    assert first.coverage
    assert first == again
    for row in first.coverage:
        assert "examiner failed" not in row.reason, row


def _parser(name: str) -> Target:
    def target(data: bytes) -> None:
        with contextlib.suppress(*_PROMISED):
            parsers.TARGETS[name].parse(data)

    return target


_NAMES = {
    "archive": "w.zip",
    "dockerfile": "Dockerfile",
    "env": ".env",
    "html": "a.html",
    "jinja": "chat_template.jinja",
    "json": "config.json",
    "jsonl": "a.jsonl",
    "keras": "model.keras",
    "makefile": "Makefile",
    "mlmodel": "MLmodel",
    "model": "w.bin",
    "notebook": "a.ipynb",
    "onnx": "m.onnx",
    "pmml": "m.pmml",
    "python": "a.py",
    "requirements": "requirements.txt",
    "shell": "a.sh",
    "sentencepiece": "tokenizer.model",
    "tensorflow": "saved_model.pb",
    "text": "a.txt",
    "tokenizer": "tokenizer_config.json",
    "toml": "pyproject.toml",
    "torch": "w.pt",
    "xml": "a.xml",
    "yaml": "a.yaml",
}
"""What a file is called decides who looks at it, if its bytes do not."""

TARGETS: dict[str, Target] = {
    "7z": containers.fuzz_7z,
    "arrow": _reader(
        lambda source, _: looks_like_arrow(source.data) and list(read_arrow_messages(source))
    ),
    "encoding": documents.fuzz_encoding,
    "flatbuffers": graphs.fuzz_flat_buffer,
    "gguf": _reader(lambda source, _: read_gguf(source, limits=DEFAULT_LIMITS)),
    "hdf5": keras.fuzz_hdf5,
    "json": documents.fuzz_json,
    "media": containers.fuzz_media,
    "msgpack": _reader(
        lambda source, spend: (
            looks_like_msgpack(source.data) and list(read_msgpack(source, spend=spend))
        )
    ),
    "name": documents.fuzz_name,
    "notebook": _reader(
        lambda source, _: parse_notebook(
            source.read_at(0, source.size_bytes), what="x", limits=DEFAULT_LIMITS
        )
    ),
    "npy": _reader(lambda source, spend: read_npy_header(source, spend=spend)),
    "parquet": _reader(lambda source, _: read_parquet_footer(source)),
    "pickle": _reader(lambda source, _: list(read_pickle_ops(source))),
    "protobuf": graphs.fuzz_protobuf,
    "r": _reader(_read_r),
    "requirements": documents.fuzz_requirements,
    "safetensors": _reader(lambda source, _: read_safetensors(source, limits=DEFAULT_LIMITS)),
    "streams": containers.fuzz_streams,
    "tar": _reader(lambda source, _: list(read_tar(source))),
    "textproto": graphs.fuzz_text_proto,
    "ubjson": _reader(
        lambda source, spend: (
            looks_like_ubjson(source.data) and read_ubjson(source, keep=frozenset(), spend=spend)
        )
    ),
    "xml": documents.fuzz_xml,
    "yaml": documents.fuzz_yaml,
    "zip": _reader(lambda source, _: _read_zip(source)),
    **{f"parse-{name.replace(' ', '-')}": _parser(name) for name in parsers.TARGETS},
    **{f"scan-{kind}": partial(scan, name=name) for kind, name in _NAMES.items()},
}


def build_seeds(name: str) -> list[bytes]:
    """Return small files to begin with, made by the tests' own builders."""
    if name.startswith("parse-"):
        kinds = {kind.replace(" ", "-"): target for kind, target in parsers.TARGETS.items()}
        return kinds[name.removeprefix("parse-")].seeds
    seeds = [*parsers.FILES, *containers.SEEDS, *graphs.SEEDS]
    if name in {"hdf5", "scan-keras", "scan-model"}:
        seeds += keras.SEEDS
    return seeds
