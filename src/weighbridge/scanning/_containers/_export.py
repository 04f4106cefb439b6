"""Programs of ``torch.export``: JSON whose texts PyTorch looks up as names and evaluates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from weighbridge.core import parse_json
from weighbridge.errors import ParseError
from weighbridge.scanning._notes import found, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["examine_export_program"]

_MAX_BYTES = 64 * 1024 * 1024
# Operators that compute; those that read or write files are in ``_WRITERS``.
_OPERATOR = re.compile(
    r"torch\.ops\.(?:aten|prims|prim|higher_order|quantized|quantized_decomposed|torchvision|_c10d"
    r"_functional|rngprims)\.\w+(?:\.\w+)?|torch\._?sym_\w+|math\.[a-z0-9]+|"
    r"_operator\.(?:add|sub|mul|truediv|floordiv|mod|neg|pos|pow|getitem|eq|ne|lt|le|gt|ge|and_|or_"
    r"|not_|xor|lshift|rshift|abs|invert|index|is_|is_not|matmul)"
)
_WRITERS = re.compile(r"torch\.ops\.aten\.(?:save|from_file|load|_load)\b.*")
_NAME = re.compile(r"[A-Za-z_]\w*")
_SYMBOL = re.compile(r"z?[a-z]{1,3}\d+|_\w*\d+")
# What sympy's printer writes for the sizes of tensors.
_EXPRESSION = re.compile(r"[\w\s+\-*/%(),=<>&|~'\"]*")
_DECIMAL = re.compile(r"(?<![\w.])\d+\.\d*(?:[eE][+-]?\d+)?")
_SYMPY_NAMES = (
    "Abs Add And CeilDiv CeilToInt CleanDiv Eq Equality False Float FloatPow FloatTrueDiv"
    " FloorDiv FloorToInt Ge GreaterThan Gt Half Identity Infinity IntInfinity IntTrueDiv"
    " Integer LShift Le LessThan Lt Max Min Mod ModularIndexing Mul Ne NegativeInfinity"
    " NegativeIntInfinity NegativeOne Not One Or Piecewise Pow PowByNatural PythonMod"
    " RShift Rational RoundDecimal RoundToInt StrictGreaterThan StrictLessThan Symbol"
    " ToFloat True TruncToFloat TruncToInt Uneq" + "uality Where Zero ceiling false floor"
    " int_oo integer nonnegative oo positive precision true"
)
_EXPRESSION_NAMES = frozenset(_SYMPY_NAMES.split())


def examine_export_program(
    source: ByteSource, at: Location, context: ScanContext
) -> Iterator[Note]:
    """Report what a program would look up beside operators, and evaluate beside sizes.

    Source:
        PyTorch ``torch/_export/serde/serialize.py``: ``deserialize_operator`` follows the dots of a
        ``target`` from ``torch`` on, ``_parse_sym_expr`` gives ``expr_str`` to ``sympy.sympify``,
        which is ``eval``, and ``guards_code`` is Python.
    """
    size = source.size_bytes
    if size > _MAX_BYTES or not context.budget.can_parse(size):
        yield not_examined(at, "torch.export", f"it has {size:,} bytes")
        return
    context.budget.spend_parsed_bytes(size)
    try:
        document = parse_json(source.read_at(0, size), what="it", limits=context.limits)
    except ParseError as error:
        yield not_examined(at, "torch.export", f"its program cannot be read: {error}")
        return
    seen: set[tuple[str, str]] = set()
    for key, text in _list_texts(document):
        if (key, text) not in seen:
            seen.add((key, text))
            yield from _judge(key, text, at)


def _list_texts(document: object) -> Iterator[tuple[str, str]]:
    pending: list[Any] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                if key in ("target", "expr_str", "as_operator") and isinstance(item, str):
                    yield key, item
                elif key == "guards_code" and item:
                    yield key, str(item)
                pending.append(item)


def _judge(key: str, text: str, at: Location) -> Iterator[Note]:
    shown = text[:400]
    if key == "guards_code":
        yield not_examined(at, "torch.export", "it has guards, which are Python code")
    elif key == "expr_str":
        if not _is_size(text):
            message = "The program evaluates a text that is not the size of a tensor."
            yield found("WB-TSC-002", at, message, detail=shown)
    elif _WRITERS.fullmatch(text):
        message = f"The program reads or writes files by {shown}."
        yield found("WB-TSC-002", at, message, detail=shown)
    elif not _OPERATOR.fullmatch(text):
        if text.startswith(("torch.", "math", "_operator")) and not text.startswith("torch.ops."):
            message = f"The program calls {shown}, which is no operator."
            yield found("WB-TSC-002", at, message, detail=shown)
        else:
            yield not_examined(at, "torch.export", f"nobody vouches for the operator {shown}")


def _is_size(text: str) -> bool:
    plain = _DECIMAL.sub("0", text)
    names = set(_NAME.findall(plain)) - _EXPRESSION_NAMES
    return (
        _EXPRESSION.fullmatch(plain) is not None
        and all(_SYMBOL.fullmatch(name) for name in names)
        and "__" not in plain
    )
