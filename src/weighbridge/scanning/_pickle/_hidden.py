"""Pickles in the middle of something else, which no format leads to and which call something bad.

A model file of any format may carry one: whoever knows the offset loads it. Nearly every two bytes
that might begin a pickle are numbers, so only what calls a dangerous name counts.
"""

from __future__ import annotations

import re
from _compat_pickle import IMPORT_MAPPING
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget
from weighbridge.scanning._pickle._allow import classify, map_python2_name
from weighbridge.scanning._pickle._danger import DANGEROUS_MODULES, DANGEROUS_NAMES
from weighbridge.scanning._pickle._scan import scan_pickles
from weighbridge.scanning._pickle._values import Use
from weighbridge.scanning._rules._pickle import PICKLE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Finding, Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext

__all__ = ["find_hidden_pickle"]

# Files up to the first are looked at as a whole, of others the end.
_WHOLE_BYTES = 1024 * 1024
_END_BYTES = 64 * 1024
_MAX_TRIES = 128
# A pickle that does harm does so soon, and decoys must not cost much.
_OPS_PER_TRY = 20_000
_OPS = 400_000
_BYTES_PER_OP = 10
# How GLOBAL and INST write a name: module and name, each up to the end of a line. Only the last
# such lines are looked at.
_MODULE_END = re.compile(rb"\n(?=(\w[\w.]{0,60})\n)")
_MODULE = re.compile(rb"[a-zA-Z_][\w.]*\Z")
_MODULE_BYTES = 60
_MAX_LINES = 2_000
# What is dangerous, as Python 2 or 3 calls it.
_ROOTS = {module.partition(".")[0] for module in (*DANGEROUS_MODULES, *DANGEROUS_NAMES)}
_ROOTS |= {old for old, new in IMPORT_MAPPING.items() if new.partition(".")[0] in _ROOTS}
# The arguments of INST stand before it, behind a mark.
_ARGS_BYTES = 300
_HEADER = re.compile(rb"\x80[\x02-\x05](?=[\x95\x8c()\]}cX\x8fUTC])")
_CALLS = frozenset({PICKLE_RULES["dangerous-call"].rule_id})


def find_hidden_pickle(
    source: ByteSource, at: Location, context: ScanContext
) -> tuple[Finding, ...]:
    """Return what the first such pickle does; nothing if there is none.

    Args:
        source: Bytes that are something else, or that nobody knows.
        at: Where they are.
        context: Limits and budget.
    """
    size = source.size_bytes
    length = size if size <= _WHOLE_BYTES else _END_BYTES
    if not context.budget.may_search(length):
        return ()
    base = size - length
    data = source.read_at(base, length)
    part = MemorySource(source.name, data)
    left = _OPS
    for start in _list_begins(data):
        limits = replace(context.limits, max_pickle_ops=min(_OPS_PER_TRY, left))
        budget = Budget(limits, context.budget.subject, size)
        trial = replace(context, limits=limits, budget=budget, tracer=None)
        scan = scan_pickles(part, at=at, context=trial, start=start)
        if scan is not None and any(one.rule_id in _CALLS for one in scan.findings):
            whole = scan_pickles(source, at=at, context=context, start=base + start)
            return whole.findings if whole is not None else ()
        left -= budget.pickle_ops
        if left <= 0 or not context.budget.may_search(_BYTES_PER_OP * budget.pickle_ops):
            break
    return ()


def _list_begins(data: bytes) -> list[int]:
    """Return where a pickle might begin, from the end on."""
    begins = {match.start() for match in _HEADER.finditer(data)}
    for match in list(_MODULE_END.finditer(data))[-_MAX_LINES:]:
        begins.update(_list_named(data, match.start(), match[1]))
    return sorted(begins, reverse=True)[:_MAX_TRIES]


def _list_named(data: bytes, end: int, name: bytes) -> Iterator[int]:
    """Yield where GLOBAL or the arguments of INST begin, if a module's name ends at ``end``."""
    line = data[max(end - _MODULE_BYTES, 0) : end]
    word = _MODULE.search(line)
    for at in range(word.start() if word else len(line), len(line)):
        if line[at] not in b"ci":
            continue
        module = line[at + 1 :].decode("ascii")
        if module.partition(".")[0] not in _ROOTS or not _is_bad(module, name.decode("ascii")):
            continue
        begin = end - len(line) + at
        if line[at] == ord("i"):
            begin = data.rfind(b"(", max(begin - _ARGS_BYTES, 0), begin)
        if begin >= 0:
            yield begin


def _is_bad(module: str, name: str) -> bool:
    return classify(*map_python2_name(module, name)) is Use.DANGEROUS
