"""Functions and classes that a pickle carries as code, as cloudpickle and dill write them.

Their code runs when they are called, and loading does not call them. So somebody has to look, but
nothing has happened: unknown. It is a failure if the names in the code are those of attacks, or
if loading runs the code after all: a call of such a function, or an instance of such a class that
has a method which unpicklers call.

Source:
    cloudpickle 1 to 3, ``cloudpickle/cloudpickle.py``; dill 0.3 and 0.4, ``dill/_dill.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weighbridge.core import printable
from weighbridge.scanning._pickle._danger import BY_VALUE_MODULES
from weighbridge.scanning._pickle._values import (
    DictItems,
    Global,
    Items,
    Made,
    Use,
    Value,
    is_plain,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CARRIED", "call_carried", "is_maker", "make_carried"]

CODE, CODE_TYPE = "code by value", "class of code by value"
FUNCTION, CLASS = "function by value", "class by value"
INSTANCE, OTHER = "instance of a class by value", "part of code by value"
CARRIED = frozenset({CODE, CODE_TYPE, FUNCTION, CLASS, INSTANCE, OTHER})
_MAKERS: dict[str, str] = {
    **dict.fromkeys(
        [
            "_builtin_type",
            "_cell_set",
            "_class_setstate",
            "_create_array",
            "_create_cell",
            "_create_dtypemeta",
            "_create_weakproxy",
            "_create_weakref",
            "_function_setstate",
            "_get_dataclass_field_type_sentinel",
            "_gen_ellipsis",
            "_gen_not_implemented",
            "_get_bases",
            "_import_module",
            "_load_type",
            "_lookup_class_or_track",
            "_make_cell",
            "_make_dict_items",
            "_make_dict_keys",
            "_make_dict_values",
            "_make_empty_cell",
            "_module_map",
            "_rehydrate_skeleton_class",
            "subimport",
        ],
        OTHER,
    ),
    "_create_code": CODE,
    "_create_function": FUNCTION,
    "_fill_function": FUNCTION,
    "_make_function": FUNCTION,
    "_make_skel_func": FUNCTION,
    "_create_namedtuple": CLASS,
    "_create_type": CLASS,
    "_make_skeleton_class": CLASS,
    "_make_skeleton_enum": CLASS,
}
# Methods that unpicklers or whoever makes an instance call.
_ON_NEW = frozenset({b"__new__", b"__setstate__", b"__getattr__", b"__getattribute__", b"__del__"})
_ON_CALL = _ON_NEW | {b"__init__", b"__post_init__"}
_LABELS = frozenset({"__doc__", "__module__", "__name__", "__qualname__"})
_ATTACKS = frozenset(
    b"CDLL Popen WinDLL __builtins__ __import__ __subclasses__ b64decode check_call check_output"
    b" connect_ex create_connection ctypes exec execfile execl execle execlp execv execve execvp"
    b" fork getoutput getstatusoutput import_module marshal popen pty rmtree runpy socket spawn"
    b" spawnl spawnv subprocess system urlopen urlretrieve".split()
)
_TOUCHING = frozenset(
    ("builtins", name) for name in ("classmethod", "getattr", "property", "setattr", "staticmethod")
) | {("types", "MethodType")}
# Types that these picklers look up by name, and make something of that does nothing.
_PLAIN_TYPES = frozenset(
    [
        "CellType",
        "bytearray",
        "bytes",
        "MappingProxyType",
        "MethodType",
        "NoneType",
        "SimpleNamespace",
        "classmethod",
        "dict",
        "frozenset",
        "list",
        "object",
        "property",
        "set",
        "staticmethod",
        "tuple",
    ]
)
_MAX_NAMES = 400
_MAX_SHOWN = 12
_SETATTR_ARGS = 3
# What namedtuple gives the only global of its ``__new__``; code that has no other name can do no
# more than call what the pickle put there, which was judged where it was met.
_TUPLE_NAMES = (b"_tuple_new",)
_TUPLE_MAKER = object()


def is_maker(callee: Global) -> bool:
    """Return whether a name is one of the functions that make such things."""
    if callee.name in _MAKERS:
        return callee.module in BY_VALUE_MODULES
    return (callee.module, callee.name) in _TOUCHING


def make_carried(callee: Global, args: Value, record: Callable[..., None], at: int) -> Made | None:
    """Judge a call of one of those functions; None if it is not used in the way of these picklers.

    Args:
        callee: See ``is_maker``.
        args: Of the call.
        record: Takes (rule, message, at=, detail=).
        at: Where the call is.
    """
    if type(args) is not tuple or not args:
        return (
            _make_other(callee, record, at)
            if args == () and callee.module in BY_VALUE_MODULES
            else None
        )
    if callee.module in ("builtins", "types"):
        return _touch(callee, args)
    kind = _MAKERS[callee.name]
    if callee.name in ("_builtin_type", "_load_type") and to_text(args[0]) == "CodeType":
        return Made(CODE_TYPE)
    if callee.name in ("_builtin_type", "_load_type"):
        record("unknown-call", "looks up a type for code that it carries", at=at)
        return Made(OTHER, args=to_text(args[0]))
    if callee.name == "_class_setstate":
        _set_class(args)
    if kind == CODE:
        return _make_code(args, record, at)
    if kind == FUNCTION:
        return _make_function(args, record, at)
    if kind == CLASS:
        return _make_class(args, record, at)
    return _make_other(callee, record, at)


def call_carried(
    callee: Made, args: Value, record: Callable[..., None], at: int, *, new: bool
) -> Made | None:
    """Judge a call of what is carried; None if it runs its code, or cannot be told."""
    if callee.path == CODE_TYPE:
        return _make_code(args, record, at)
    if callee.path == OTHER:
        return _call_plain(callee, args)
    if callee.path != CLASS:
        return None
    methods = callee.state if isinstance(callee.state, DictItems) else DictItems()
    run = _ON_NEW if new else _ON_CALL
    if methods.more:
        return None
    for key, method in zip(methods[::2], methods[1::2], strict=False):
        if type(key) is bytes and key in run and not _is_known_method(method):
            return None
    record("unknown-call", "makes an instance of a class that it carries as code", at=at)
    return Made(INSTANCE)


def _is_known_method(method: Value) -> bool:
    """Return whether a method that is called at once is one of Python's own, or as harmless."""
    if isinstance(method, Made):
        return method.path in (FUNCTION, OTHER) and method.args is _TUPLE_MAKER
    return is_plain(method) or (isinstance(method, Global) and method.use is Use.DATA)


def _call_plain(callee: Made, args: Value) -> Made | None:
    """Judge a call of a type that was looked up by name, or of dill's way to fill a cell."""
    if callee.args == "setattr":
        first = args[0] if type(args) is tuple and args else None
        right = isinstance(first, Made) and first.path in CARRIED
        return Made(OTHER) if right else None
    return Made(OTHER) if callee.args in _PLAIN_TYPES else None


def _make_other(callee: Global, record: Callable[..., None], at: int) -> Made:
    record("unknown-call", f"rebuilds code that it carries, by {printable(callee.path)}", at=at)
    return Made(OTHER)


def _touch(callee: Global, args: tuple[Value, ...]) -> Made | None:
    """Let through what dill does to its own classes, and methods of what is carried."""
    first = args[0]
    if isinstance(first, Global) and first.path == "dill._dill" and callee.name == "getattr":
        return Made(OTHER, args="setattr") if to_text(args[1]) == "_setattr" else None
    name = to_text(args[1]) if len(args) > 1 else None
    if callee.name == "setattr":
        right = len(args) == _SETATTR_ARGS and name in _LABELS and type(args[2]) is bytes
        known = isinstance(first, Made) and first.path in CARRIED
        known = known or (isinstance(first, Global) and first.use is Use.UNKNOWN)
        return Made(OTHER) if right and known else None
    if not isinstance(first, Made) or first.path not in CARRIED:
        return None
    if callee.name == "getattr" and name == "__new__":
        return Made(OTHER)  # a call of it fails
    if callee.name == "getattr":
        return Made(FUNCTION) if name and not name.startswith("__") else None
    # A static method or a method of a class.
    return Made(OTHER, args=first.args) if first.path == FUNCTION else None


def _set_class(args: tuple[Value, ...]) -> None:
    target, state = args[0], args[1] if len(args) > 1 else None
    if (
        not isinstance(target, Made)
        or target.path != CLASS
        or type(state) is not tuple
        or not state
    ):
        return
    if isinstance(state[0], DictItems):
        merged = target.state if isinstance(target.state, DictItems) else DictItems()
        merged.add(list(state[0]))
        target.state = merged


def _make_code(args: Value, record: Callable[..., None], at: int) -> Made:
    names = _collect_names(args)
    attacks = sorted(name.decode() for name in names & _ATTACKS)
    if attacks:
        record(
            "dangerous-name",
            f"carries code that uses {', '.join(attacks)}",
            at=at,
            detail=_show(names),
        )
    record("unknown-call", "carries compiled code", at=at)
    return Made(CODE, args=names, state=_TUPLE_MAKER if _makes_tuples(args) else None)


def _makes_tuples(args: Value) -> bool:
    """Return whether the arguments of a code object, constants and names, are those of a tuple."""
    tables = [arg for arg in args if type(arg) is tuple] if type(args) is tuple else []
    return len(tables) > 1 and tables[1] == _TUPLE_NAMES and all(map(is_plain, tables[0]))


def _make_function(args: tuple[Value, ...], record: Callable[..., None], at: int) -> Made:
    code = args[0]
    if not isinstance(code, Made) or code.path not in CARRIED:
        record("dangerous-call", "makes a function of what is no code that it carries", at=at)
        return Made(FUNCTION)
    names: Any = code.args if isinstance(code, Made) and code.path == CODE else None
    shown = _show(names) if names else "names that cannot be told"
    record("unknown-call", f"carries the code of a function, which uses {shown}", at=at)
    return Made(FUNCTION, args=code.state if isinstance(code, Made) else None)


def _make_class(args: tuple[Value, ...], record: Callable[..., None], at: int) -> Made:
    texts = [to_text(arg) for arg in args if type(arg) is bytes]
    name = printable(texts[0] or "") if texts else "a class"
    record("unknown-call", f"carries the code of the class {name}", at=at)
    made = Made(CLASS)
    tables = [arg for arg in args if isinstance(arg, DictItems)]
    made.state = tables[0] if tables else None
    return made


def _collect_names(args: Value) -> frozenset[bytes]:
    """Return the texts in the arguments of a code object, which are its names among others."""
    found: set[bytes] = set()
    for arg in args if type(args) is tuple or isinstance(args, Items) else ():
        if type(arg) is tuple or isinstance(arg, Items):
            found.update(item for item in arg[:_MAX_NAMES] if type(item) is bytes)
    return frozenset(found)


def _show(names: frozenset[bytes]) -> str:
    shown = sorted(printable(name.decode("utf-8", "replace"), limit=40) for name in names)
    more = ", …" if len(shown) > _MAX_SHOWN else ""
    return (", ".join(shown[:_MAX_SHOWN]) or "no names") + more
