"""What expressions of Python code stand for, worked out without running them."""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import contextlib
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weighbridge.errors import WeighbridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CLOSE_NAMES", "Constant", "Resolver", "TooMuchWorkError", "Value", "join_names"]

_MAX_PATTERN = 4096
_MAX_ITEMS = 20_000
_MAX_NAME = 400
_MAX_DIGITS = 4
Computed = Any
"""What an expression of constants comes to: a text, bytes, a number, a list of such; or None."""

_MAX_DEPTH = 24
_MAX_STEPS = 400_000
_MAX_VALUES = 8
_MAX_CONSTANT = 1 << 20
# Modules that other modules hold under their own name: ``shutil.os`` is ``os``.
_HELD = frozenset(
    [
        "os",
        "posix",
        "nt",
        "subprocess",
        "sys",
        "importlib",
        "builtins",
        "ctypes",
        "socket",
        "pty",
        "shutil",
        "pickle",
        "marshal",
        "urllib",
        "requests",
        "runpy",
        "base64",
        "zlib",
        "codecs",
    ]
)
_SAME = {"posix": "os", "nt": "os", "__builtin__": "builtins", "__builtins__": "builtins"}
_BUILTINS = frozenset(
    [
        "exec",
        "eval",
        "compile",
        "__import__",
        "getattr",
        "globals",
        "locals",
        "vars",
        "open",
        "chr",
        "bytes",
        "bytearray",
        "str",
        "map",
        "reversed",
        "list",
        "tuple",
        "setattr",
        "print",
        "breakpoint",
        "delattr",
        "dir",
        "type",
        "object",
        "ord",
        "int",
        "sorted",
        "input",
        "super",
    ]
)
# A helper of this name is common; calling the built-in one is not to be hidden by dead code.
CLOSE_NAMES = frozenset({"exec", "__import__"})
_TEXT_METHODS = frozenset(
    [
        "lower",
        "upper",
        "strip",
        "lstrip",
        "rstrip",
        "replace",
        "title",
        "swapcase",
        "capitalize",
        "split",
        "removeprefix",
        "removesuffix",
        "translate",
        "rsplit",
        "splitlines",
    ]
)
_CODECS = frozenset(
    [
        "rot13",
        "rot_13",
        "rot-13",
        "hex",
        "hex_codec",
        "base64",
        "base64_codec",
        "utf-8",
        "utf8",
        "ascii",
        "latin-1",
        "latin1",
        "unicode_escape",
        "unicode-escape",
        "utf-16",
        "zlib",
        "utf-32",
    ]
)
_DECODERS = {
    "base64.b64decode": base64.b64decode,
    "base64.standard_b64decode": base64.b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.decodebytes": base64.b64decode,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": base64.a85decode,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.unhexlify,
    "binascii.a2b_base64": binascii.a2b_base64,
    "builtins.bytes.fromhex": bytes.fromhex,
    "builtins.bytearray.fromhex": bytes.fromhex,
}


class TooMuchWorkError(WeighbridgeError):
    """Working out what the code says would take longer than it is worth."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the source itself states."""

    value: Any


Value = str | Constant
"""A dotted name that imports lead to (``os.system``), or a constant."""


@dataclass(slots=True)
class Resolver:
    """Names of one source and what they were bound to, wherever that happened."""

    bindings: dict[str, list[Value | ast.expr]] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)
    steps: int = 0
    _known: dict[int, tuple[Value, ...]] = field(default_factory=dict)
    _local: dict[str, Any] = field(default_factory=dict)

    def bind(self, name: str, value: Value | ast.expr) -> None:
        """Remember one more thing that a name may stand for."""
        values = self.bindings.setdefault(name, [])
        if len(values) < _MAX_VALUES:
            values.append(value)

    def resolve(self, node: ast.expr, depth: int = 0) -> tuple[Value, ...]:
        """Return what an expression may stand for, as far as the source says.

        Raises:
            TooMuchWorkError: It takes too many steps.
        """
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise TooMuchWorkError("its expressions are too many to be followed")
        if depth > _MAX_DEPTH:
            return ()
        if not self._local and (known := self._known.get(id(node))) is not None:
            return known
        if not self._local:
            self._known[id(node)] = ()
        way = getattr(self, f"_from_{type(node).__name__.lower()}", None)
        values = tuple(way(node, depth + 1)) if way is not None else ()
        unique = tuple(_unique(values))[:_MAX_VALUES]
        self.steps += sum(_weigh(value) for value in unique)
        if not self._local:
            self._known[id(node)] = unique
        return unique

    def names(self, node: ast.expr) -> tuple[str, ...]:
        """Return the dotted names that an expression may stand for."""
        return tuple(value for value in self.resolve(node) if isinstance(value, str))

    def constant(self, node: ast.expr, depth: int = 0) -> Computed:
        """Return the constant that an expression is; None if it is none."""
        for value in self.resolve(node, depth):
            if isinstance(value, Constant):
                return value.value
        return None

    def _from_constant(self, node: ast.Constant, _: int) -> Iterator[Value]:
        yield Constant(node.value)

    def _from_name(self, node: ast.Name, depth: int) -> Iterator[Value]:
        name = node.id
        if name in self._local:
            yield Constant(self._local[name])
            return
        bound = self.bindings.get(name, ())
        for value in bound:
            if isinstance(value, ast.expr):
                yield from self.resolve(value, depth)
            else:
                yield value
        if name in {"__builtins__", "__builtin__"}:
            yield "builtins"
        elif name in _BUILTINS and (name in CLOSE_NAMES or name not in self.defined):
            yield f"builtins.{name}"

    def _from_attribute(self, node: ast.Attribute, depth: int) -> Iterator[Value]:
        for base in self.resolve(node.value, depth):
            if isinstance(base, str):
                yield join_names(base, node.attr)

    def _from_namedexpr(self, node: ast.NamedExpr, depth: int) -> Iterator[Value]:
        yield from self.resolve(node.value, depth)

    def _from_ifexp(self, node: ast.IfExp, depth: int) -> Iterator[Value]:
        yield from self.resolve(node.body, depth)
        yield from self.resolve(node.orelse, depth)

    def _from_boolop(self, node: ast.BoolOp, depth: int) -> Iterator[Value]:
        for value in node.values[:_MAX_VALUES]:
            yield from self.resolve(value, depth)

    def _from_binop(self, node: ast.BinOp, depth: int) -> Iterator[Value]:
        left, right = self.constant(node.left, depth), self.constant(node.right, depth)
        if left is None or right is None:
            return
        try:
            if isinstance(node.op, ast.Add):
                result = left + right
            elif (
                isinstance(node.op, ast.Mod) and isinstance(left, str) and len(left) < _MAX_PATTERN
            ):
                result = _fill_in(left, right)
            elif isinstance(left, int) and isinstance(right, int):
                result = _count(node.op, left, right)
            else:
                result = None
        except (TypeError, ValueError, OverflowError):
            return
        if _is_small(result):
            yield Constant(result)

    def _from_joinedstr(self, node: ast.JoinedStr, depth: int) -> Iterator[Value]:
        parts: list[str] = []
        for part in node.values[:1000]:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            value = self.constant(inner, depth)
            if value is None or not isinstance(value, str | int):
                return
            parts.append(str(value)[:_MAX_CONSTANT])
        yield Constant("".join(parts)[:_MAX_CONSTANT])

    def _from_tuple(self, node: ast.Tuple | ast.List, depth: int) -> Iterator[Value]:
        values = []
        for item in node.elts[:20_000]:
            value = self.constant(item, depth)
            if value is None:
                return
            values.append(value)
        yield Constant(values)

    _from_list = _from_tuple

    def _from_subscript(self, node: ast.Subscript, depth: int) -> Iterator[Value]:
        if isinstance(node.slice, ast.Slice):
            yield from self._slice(node, node.slice, depth)
            return
        key = self.constant(node.slice, depth)
        if key is None:
            return
        if isinstance(node.value, ast.Dict | ast.List | ast.Tuple):
            yield from self._pick(node.value, key, depth)
            return
        for base in self.resolve(node.value, depth):
            yield from self._get_item(base, key, depth)
        if isinstance(node.value, ast.Name):
            for bound in self.bindings.get(node.value.id, ()):
                if isinstance(bound, ast.Dict | ast.List | ast.Tuple):
                    yield from self._pick(bound, key, depth)

    def _get_item(self, base: Value, key: Computed, depth: int) -> Iterator[Value]:
        if isinstance(base, Constant):
            with contextlib.suppress(TypeError, LookupError):
                yield Constant(base.value[key])
        elif isinstance(key, str):
            yield from self._look_up(base, key, depth)

    def _pick(
        self, node: ast.Dict | ast.List | ast.Tuple, key: Computed, depth: int
    ) -> Iterator[Value]:
        if isinstance(node, ast.Dict):
            for name, value in zip(node.keys[:1000], node.values, strict=False):
                if name is not None and self.constant(name, depth) == key:
                    yield from self.resolve(value, depth)
        elif isinstance(key, int) and -len(node.elts) <= key < len(node.elts):
            yield from self.resolve(node.elts[key], depth)

    def _look_up(self, base: str, key: str, depth: int) -> Iterator[Value]:
        if base == "sys.modules":
            yield _SAME.get(key, key)
        elif base.endswith(".__dict__"):
            yield join_names(base.removesuffix(".__dict__"), key)
        elif base in {"builtins", "builtins.__dict__"}:
            yield f"builtins.{key}"
        elif base in {"builtins.globals()", "builtins.locals()", "builtins.vars()"}:
            yield from self._from_name(ast.Name(key), depth)

    def _slice(self, node: ast.Subscript, part: ast.Slice, depth: int) -> Iterator[Value]:
        base = self.constant(node.value, depth)
        if not isinstance(base, str | bytes | list):
            return
        edges = [
            None if edge is None else self.constant(edge, depth)
            for edge in (part.lower, part.upper, part.step)
        ]
        if all(edge is None or (type(edge) is int and edge) or edge == 0 for edge in edges[:2]):
            step = edges[2]
            if step is None or (type(step) is int and step):
                yield Constant(base[slice(*edges)])

    def _from_unaryop(self, node: ast.UnaryOp, depth: int) -> Iterator[Value]:
        value = self.constant(node.operand, depth)
        if type(value) is int and isinstance(node.op, ast.USub):
            yield Constant(-value)

    def _from_listcomp(self, node: ast.ListComp | ast.GeneratorExp, depth: int) -> Iterator[Value]:
        loop = node.generators[0]
        if len(node.generators) != 1 or loop.ifs or not isinstance(loop.target, ast.Name):
            return
        items = self.constant(loop.iter, depth)
        if not isinstance(items, list | str | bytes) or len(items) > _MAX_ITEMS or self._local:
            return
        results = []
        try:
            for item in items:
                self._local[loop.target.id] = item
                value = self.constant(node.elt, depth)
                if value is None:
                    return
                results.append(value)
        finally:
            self._local.clear()
        yield Constant(results)

    _from_generatorexp = _from_listcomp

    def _from_await(self, node: ast.Await, depth: int) -> Iterator[Value]:
        yield from self.resolve(node.value, depth)

    def _from_starred(self, node: ast.Starred, depth: int) -> Iterator[Value]:
        yield from self.resolve(node.value, depth)

    def _from_call(self, node: ast.Call, depth: int) -> Iterator[Value]:
        if isinstance(node.func, ast.Attribute):
            yield from self._call_method(node, node.func, depth)
        for name in self.resolve(node.func, depth):
            if isinstance(name, str):
                yield from self._call_name(name, node, depth)

    def _call_method(self, node: ast.Call, func: ast.Attribute, depth: int) -> Iterator[Value]:
        base = self.constant(func.value, depth)
        if not isinstance(base, str | bytes | list):
            return
        arguments = [self.constant(argument, depth) for argument in node.args[:64]]
        if any(argument is None for argument in arguments):
            return
        try:
            result = _text_method(base, func.attr, arguments)
        except (TypeError, ValueError, LookupError, zlib.error):
            return
        if result is not None and _is_small(result):
            yield Constant(result)

    def _call_name(self, name: str, node: ast.Call, depth: int) -> Iterator[Value]:
        arguments = node.args
        if not arguments:
            yield f"{name}()"
        elif name in {"builtins.globals", "builtins.locals", "builtins.vars"}:
            bases = self.resolve(arguments[0], depth)
            yield from (f"{base}.__dict__" for base in bases if isinstance(base, str))
        elif name in {"builtins.__import__", "importlib.import_module", "importlib.__import__"}:
            module = self.constant(arguments[0], depth)
            if isinstance(module, str):
                top = module.partition(".")[0] if name.endswith("__import__") else module
                yield _SAME.get(top, top)
        elif name == "builtins.getattr" or name.endswith((".__getattribute__", ".__getattr__")):
            yield from self._get_attribute(name, arguments, depth)
        elif name in {"functools.partial", "functools.partialmethod"}:
            yield from self.resolve(arguments[0], depth)
        elif name.endswith((".get", ".__getitem__", ".pop")):
            key = self.constant(arguments[0], depth)
            if isinstance(key, str):
                yield from self._look_up(name.rpartition(".")[0], key, depth)
        else:
            yield from self._compute(name, arguments, depth)

    def _get_attribute(self, name: str, arguments: list[ast.expr], depth: int) -> Iterator[Value]:
        if name == "builtins.getattr" and len(arguments) > 1:
            bases, key = self.resolve(arguments[0], depth), self.constant(arguments[1], depth)
        else:
            bases = (name.rpartition(".")[0],)
            key = self.constant(arguments[-1], depth)
        if isinstance(key, str):
            for base in bases:
                if isinstance(base, str):
                    yield join_names(base, key)

    def _compute(self, name: str, arguments: list[ast.expr], depth: int) -> Iterator[Value]:
        if name == "builtins.map" and len(arguments) > 1:
            value = self._map(arguments, depth)
        else:
            value = self._compute_plain(name, self.constant(arguments[0], depth), arguments, depth)
        if value is not None and _is_small(value):
            yield Constant(value)
        elif name not in _DECODERS:
            yield f"{name}()"

    def _map(self, arguments: list[ast.expr], depth: int) -> Computed:
        items = self.constant(arguments[1], depth)
        names = [value for value in self.resolve(arguments[0], depth) if isinstance(value, str)]
        if "builtins.chr" in names and isinstance(items, list | bytes):
            try:
                return [chr(item) for item in items]
            except (TypeError, ValueError, OverflowError):
                return None
        return None

    def _compute_plain(
        self, name: str, given: Computed, arguments: list[ast.expr], depth: int
    ) -> Computed:
        try:
            if name in _DECODERS and isinstance(given, str | bytes):
                return _DECODERS[name](given)  # type: ignore[arg-type]
            if name == "codecs.decode" and len(arguments) > 1:
                return _decode(given, self.constant(arguments[1], depth))
            if name == "zlib.decompress" and isinstance(given, bytes):
                return zlib.decompressobj().decompress(given, _MAX_CONSTANT)
            return _convert(name, given)
        except (TypeError, ValueError, LookupError, OverflowError, zlib.error):
            return None


def _unique(values: tuple[Value, ...]) -> Iterator[Value]:
    seen: set[str] = set()
    for value in values:
        if isinstance(value, str):
            if value in seen or len(value) > _MAX_NAME:
                continue
            seen.add(value)
        yield value


def _weigh(value: Value) -> int:
    """Return in steps what copying a constant costs."""
    plain = value.value if isinstance(value, Constant) else ""
    return len(plain) >> 8 if isinstance(plain, str | bytes | list) else 0


def join_names(base: str, name: str) -> str:
    if name.lstrip("_") in _HELD and base != "builtins":
        return _SAME.get(name.lstrip("_"), name.lstrip("_"))
    if name in {"__builtins__", "__builtin__"}:
        return "builtins"
    if name == "__self__" and base.startswith("builtins."):
        return "builtins"
    return f"{base}.{name}"


def _fill_in(pattern: str, values: Computed) -> str | None:
    if "*" in pattern or _wide(pattern):
        return None
    return pattern % (tuple(values) if isinstance(values, list) else values)


def _wide(pattern: str) -> bool:
    digits = 0
    for letter in pattern:
        digits = digits + 1 if letter.isdigit() else 0
        if digits > _MAX_DIGITS:
            return True
    return False


def _count(operator: ast.operator, left: int, right: int) -> int | None:
    if abs(left) > 1 << 64 or abs(right) > 1 << 64:
        return None
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.BitXor):
        return left ^ right
    if isinstance(operator, ast.Mult):
        return left * right
    return None


def _is_small(value: Computed) -> bool:
    if isinstance(value, int):
        return abs(value) < 1 << 128
    return value is not None and hasattr(value, "__len__") and len(value) <= _MAX_CONSTANT


def _decode(value: Computed, encoding: Computed) -> Computed:
    if not isinstance(encoding, str) or encoding.lower() not in _CODECS:
        return None
    if encoding.lower().startswith("zlib"):
        return zlib.decompressobj().decompress(value, _MAX_CONSTANT)
    return codecs.decode(value, encoding)


def _text_method(base: Computed, method: str, arguments: list[Computed]) -> Computed:
    if method == "join" and isinstance(base, str | bytes):
        return base.join(arguments[0])
    if isinstance(base, list):
        return base if method == "copy" else None
    if method == "replace" and len(arguments) > 1:
        bigger = len(arguments[1]) * (base.count(arguments[0]) + 1)
        return base.replace(*arguments[:2]) if bigger <= _MAX_CONSTANT else None
    if method in _TEXT_METHODS:
        return getattr(base, method)(*arguments)
    if method == "decode" and isinstance(base, bytes):
        return _decode(base, (arguments or ["utf-8"])[0])
    if method == "encode" and isinstance(base, str):
        encoding = (arguments or ["utf-8"])[0]
        return codecs.encode(base, encoding) if encoding.lower() in _CODECS else None
    if method == "format" and isinstance(base, str) and not any(x in base for x in ".[:!"):
        return base.format(*arguments)
    return None


def _convert(name: str, given: Computed) -> Computed:
    if name == "builtins.chr" and isinstance(given, int):
        return chr(given)
    if name == "builtins.ord" and isinstance(given, str):
        return ord(given)
    if name in {"builtins.bytes", "builtins.bytearray"} and isinstance(given, list | bytes):
        return bytes(given)
    if name == "builtins.str" and isinstance(given, str | int):
        return str(given)
    if name in {"builtins.list", "builtins.tuple"} and isinstance(given, list | str):
        return list(given)
    if name == "builtins.reversed" and isinstance(given, list | str):
        return list(reversed(given))
    return None
