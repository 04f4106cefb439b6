"""What only shows when the files of a folder are compared with each other."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.core import CoverageStatus, Location, printable
from weighbridge.scanning._facts import NamedFile, ShapeWish, ShardIndex, TensorTable
from weighbridge.scanning._notes import UNKNOWN_FORMAT, found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from weighbridge.core import Coverage, Finding
    from weighbridge.scanning._facts import Fact, TensorEntry

__all__ = ["check_folder", "explain_rows"]

_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.[\w.]+)")
_MAX_NAMED = 8
# What files of numbers are named for.
_NUMBERS = frozenset({"raw tensors", "weights", "external data", "checkpoint data"})
# Tables of embeddings, by the last parts of their names, of the models in transformers.
_EMBEDDINGS = (
    "embed_tokens.weight",
    "embeddings.word_embeddings.weight",
    "word_embeddings.weight",
    "wte.weight",
    "shared.weight",
    "tok_embeddings.weight",
)
_MATRIX_AXES = 2
_FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
# Files of weights; other sets of numbered files may be parts of a dataset.
_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


def check_folder(facts: Iterable[Fact], names: Collection[str]) -> Iterator[Finding]:
    """Yield what contradicts itself between the files of one artifact.

    Args:
        facts: What each file said, in any order.
        names: POSIX paths of all files of the artifact that could be read.
    """
    present = set(names)
    if len(present) == 1:
        return  # a file alone: what belongs to it may be where nobody looked
    facts = list(facts)
    tables = {fact.file: fact for fact in facts if isinstance(fact, TensorTable)}
    indexes = [fact for fact in facts if isinstance(fact, ShardIndex)]
    for index in sorted(indexes, key=lambda one: one.file):
        yield from _check_index(index, tables, present)
    yield from _check_numbered(present, {index.file for index in indexes})
    wishes = {_folder(fact.file): fact for fact in facts if isinstance(fact, ShapeWish)}
    for file in sorted(tables):
        if (wish := wishes.get(_folder(file))) is not None:
            yield from _check_shapes(tables[file], wish)
    yield from _compare_tables(tables)
    targets = {fact for fact in facts if isinstance(fact, NamedFile)}
    for fact in sorted(targets, key=lambda one: (one.file, one.target)):
        if _join(fact.file, fact.target) not in present:
            message = f"It names {printable(fact.target)!r} ({fact.purpose}), which is not there."
            yield found("WB-TNS-007", Location(fact.file), message, detail=fact.target[:400])


def explain_rows(facts: Iterable[Fact], rows: Iterable[Coverage]) -> Iterator[Coverage]:
    """Yield the rows, those of raw numbers that another file describes as inert.

    Only a file whose format nobody knew: what is known as something was examined as that.

    Args:
        facts: What each file said.
        rows: One or more for each file.
    """
    described = {
        _join(fact.file, fact.target): fact
        for fact in facts
        if isinstance(fact, NamedFile) and fact.purpose in _NUMBERS
    }
    for row in rows:
        at = row.location
        fact = described.get(at.file)
        unknown = row.status is CoverageStatus.NOT_EXAMINED and row.format == "unknown"
        if fact is None or at.member or not unknown or row.reason != UNKNOWN_FORMAT:
            yield row
            continue
        reason = f"numbers that {printable(fact.file)} describes ({fact.purpose})"
        yield replace(row, status=CoverageStatus.INERT, format="raw numbers", reason=reason)


def _folder(file: str) -> str:
    return file.rpartition("/")[0]


def _join(file: str, target: str) -> str:
    """Return the path inside the artifact that a name in ``file`` means."""
    parts = _folder(file).split("/") if "/" in file else []
    for part in target.replace("\\", "/").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _list(names: Iterable[str]) -> str:
    shown = sorted(names)
    text = ", ".join(printable(name, limit=100) for name in shown[:_MAX_NAMED])
    more = len(shown) - _MAX_NAMED
    return f"{text} and {more:,} more" if more > 0 else text


def _check_index(
    index: ShardIndex, tables: Mapping[str, TensorTable], present: set[str]
) -> Iterator[Finding]:
    """Compare an index with its shards; without any of them there is nothing to load."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for tensor, file in index.shards:
        wanted[_join(index.file, file)].add(tensor)
    missing = wanted.keys() - present
    at = Location(index.file)
    if missing and missing != wanted.keys():
        message = f"{len(missing):,} of {len(wanted):,} shards that the index names are not there."
        yield found("WB-TNS-005", at, message, detail=_list(missing))
    for file in sorted(wanted.keys() & tables.keys()):
        held = {one.name for one in tables[file].tensors}
        if lacking := wanted[file] - held:
            message = f"The shard lacks {len(lacking):,} tensors that the index says it has."
            yield found("WB-TNS-005", Location(file), message, detail=_list(lacking))
    counts = Counter(
        one.name for file in wanted.keys() & tables.keys() for one in tables[file].tensors
    )
    if twice := {name for name, count in counts.items() if count > 1}:
        message = f"{len(twice):,} tensors are in several shards; the loader decides which counts."
        yield found("WB-TNS-005", at, message, detail=_list(twice))


def _check_numbered(present: set[str], indexes: set[str]) -> Iterator[Finding]:
    """Look for gaps in sets such as ``model-00001-of-00003.safetensors`` that have no index."""
    sets: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    indexed = {_folder(index) for index in indexes}
    for name in present:
        if (match := _SHARD.fullmatch(name)) and _folder(name) not in indexed:
            stem, number, count, suffix = match.groups()
            sets[stem, count, suffix].add(int(number))
    for (stem, count, suffix), numbers in sorted(sets.items()):
        first = 0 if 0 in numbers else 1
        lacking = int(count) - len(numbers)
        if lacking > 0 and suffix in _WEIGHT_SUFFIXES:
            name = f"{stem}-{min(numbers):05d}-of-{count}{suffix}"
            gaps = (n for n in range(first, first + int(count)) if n not in numbers)
            shown = [
                f"{stem}-{n:05d}-of-{count}{suffix}" for _, n in zip(range(8), gaps, strict=False)
            ]
            message = f"{lacking:,} of {int(count):,} shards of this set are not there."
            yield found("WB-TNS-005", Location(name), message, detail=", ".join(shown))


def _check_shapes(table: TensorTable, wish: ShapeWish) -> Iterator[Finding]:
    sizes = dict(wish.sizes)
    rows, columns = sizes.get("vocab_size"), sizes.get("hidden_size")
    for one in table.tensors:
        if not one.name.endswith(_EMBEDDINGS) or len(one.shape) != _MATRIX_AXES:
            continue
        if one.dtype not in _FLOATS:
            continue  # packed by a quantizer
        wrong = [
            f"{said} instead of {key} {size:,}"
            for key, size, said in (
                ("vocab_size", rows, f"{one.shape[0]:,} rows"),
                ("hidden_size", columns, f"{one.shape[1]:,} columns"),
            )
            if size is not None and size != one.shape[0 if key == "vocab_size" else 1]
        ]
        if wrong:
            name = printable(one.name, limit=100)
            message = f"{name} has {' and '.join(wrong)}, as {printable(wish.file)} says."
            yield found("WB-TNS-004", Location(table.file), message, detail=name)
            return


def _compare_tables(tables: Mapping[str, TensorTable]) -> Iterator[Finding]:
    """Compare weights of one folder that are there in two formats."""
    folders: dict[str, dict[str, list[TensorTable]]] = defaultdict(lambda: defaultdict(list))
    for table in tables.values():
        folders[_folder(table.file)][table.format].append(table)
    for _, formats in sorted(folders.items()):
        if {"safetensors", "torch"} <= formats.keys():
            theirs = {one.name: one for table in formats["torch"] for one in table.tensors}
            for table in sorted(formats["safetensors"], key=lambda one: one.file):
                yield from _compare(table, theirs, _list(t.file for t in formats["torch"]))


def _compare(
    table: TensorTable, theirs: Mapping[str, TensorEntry], other: str
) -> Iterator[Finding]:
    differing = [
        mine.name
        for mine in table.tensors
        if (their := theirs.get(mine.name)) is not None and _differ(mine, their)
    ]
    if differing:
        message = f"{len(differing):,} tensors differ from those of the same name in {other}."
        yield found("WB-TNS-006", Location(table.file), message, detail=_list(differing))


def _differ(mine: TensorEntry, their: TensorEntry) -> bool:
    if mine.shape != their.shape:
        return True
    known = bool(mine.digest and their.digest) and mine.dtype == their.dtype
    return known and mine.digest != their.digest
