"""What the symbolic machine has on its stack, and how it reads for people.

Constants are themselves (a text is its UTF-8 bytes), a short tuple is a tuple; the rest is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from weighbridge.core import printable
from weighbridge.formats import Blob

__all__ = [
    "KEPT_ITEMS",
    "MORE",
    "UNSAFE",
    "DictItems",
    "Global",
    "Items",
    "ListItems",
    "Made",
    "Persistent",
    "Rebuilder",
    "SetItems",
    "TupleItems",
    "Use",
    "Value",
    "is_hook",
    "is_plain",
    "render",
    "to_text",
]

KEPT_ITEMS = 128
_SHOWN_ITEMS = 4
_SHOWN_DEPTH = 3

MORE = object()
# Like MORE, for a dict; among its keys may be one that some reader would call.
UNSAFE = object()

# Attributes that unpicklers, NumPy, joblib and PyTorch look up on instances, to call them.
_CALLED = frozenset({b"add", b"append", b"as_subclass", b"extend", b"keys", b"read", b"update"})
_PLAIN_TYPES = (bytes, int, float, bool, type(None))

Value = Any
"""Any of the constants, ``tuple``, ``Blob``, ``Items``, ``Global``, ``Made``, ``Persistent``."""


class Use(Enum):
    """What a pickle may do with a name."""

    DATA = "data"
    CONSTRUCTOR = "constructor"
    REBUILD = "rebuild"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"
    DANGEROUS = "dangerous"


class Items(list[Any]):
    """The first items of a container, of a dict keys and values in turn; mutable and shared.

    A list itself, not something that has one: there are millions of them in a big pickle.
    ``MORE`` stands last if there are others, or if what is in it is not certain.
    """

    __slots__ = ()
    kind: ClassVar[str] = ""

    @property
    def more(self) -> bool:
        """Return whether items are missing here."""
        return bool(self) and (self[-1] is MORE or self[-1] is UNSAFE)

    def add(self, items: list[Value], limit: int = KEPT_ITEMS) -> None:
        """Put items behind the others, as far as there is room."""
        if self.more:
            return
        room = limit - len(self)
        self += items[:room]
        if len(items) > room:
            self.append(MORE)

    def find(self, key: bytes) -> Value:
        """Return the last value that a dict has for a text key; None if there is none."""
        found = None
        for index in range(0, len(self) - 1, 2):
            if self[index] == key:
                found = self[index + 1]
        return found


class ListItems(Items):
    """A list."""

    __slots__ = ()
    kind = "list"


class DictItems(Items):
    """A dict: keys and values in turn. ``UNSAFE`` stands last if what is missing may be a hook."""

    __slots__ = ()
    kind = "dict"

    def add(self, items: list[Value], limit: int = KEPT_ITEMS) -> None:
        """Put keys and values behind the others; look at those for which there is no room."""
        full = self.more
        room = 0 if full else max(0, limit - len(self))
        if not full:
            self += items[:room]
        if len(items) <= room:
            return
        if not full:
            self.append(MORE)
        if any(map(is_hook, items[room::2], items[room + 1 :: 2])):
            self[-1] = UNSAFE


class SetItems(Items):
    """A set or a frozenset."""

    __slots__ = ()
    kind = "set"


class TupleItems(Items):
    """A tuple that is too long to be kept."""

    __slots__ = ()
    kind = "tuple"


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """What find_class gives.

    Attributes:
        module: As the unpickler will import it (after its mapping of Python 2's names).
        name: Attribute, dotted if qualified.
        use: What the lists say.
        offset: Where it was referenced first.
        instance: What calling it gives, when nobody needs to know the arguments.
        vouched: Whether the user vouches for it, so that its arguments and states are not judged.
        enum: Whether it is a listed enumeration.
    """

    module: str
    name: str
    use: Use
    offset: int
    instance: Made
    vouched: bool = False
    enum: bool = False

    @property
    def path(self) -> str:
        """Return ``module.name``."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Rebuilder(Global):
    """A name whose use is checked when it is called; so it must be called, and nothing else.

    As the attribute ``append`` of some object, say, it would be called unseen. Each time that such
    a name comes to the stack there is a new object for it, which one call must use up.
    """


@dataclass(slots=True, eq=False)
class Made:
    """What a call gives: an instance, or anything else.

    Attributes:
        path: ``module.name`` of what was called; empty if that is not known.
        args: The arguments, for the few callables whose results are looked into.
        state: What BUILD gave it last, likewise.
        trusted: Whether it was made by a name on the list, with arguments as they should be.
        vouched: Whether the user vouches for the name.
    """

    path: str
    args: Value = None
    state: Value = None
    trusted: bool = False
    vouched: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Persistent:
    """What the loader puts in place of a persistent id; ``known`` if it is a PyTorch storage."""

    known: bool


def is_plain(value: Value) -> bool:
    """Return whether ``value`` is a number, a text, a byte string, a truth value or None."""
    return type(value) in _PLAIN_TYPES or type(value) is Blob


def is_hook(key: Value, value: Value) -> bool:
    """Return whether an attribute of this name and value might be called or change its object."""
    if type(key) is not bytes:
        return True
    # Nobody looks for special names with capitals: they are a class's own.
    special = key.startswith(b"__") and key.endswith(b"__") and key == key.lower()
    return (key in _CALLED or special) and not is_plain(value)


def to_text(value: Value) -> str | None:
    """Return a text constant as a string; None if ``value`` is anything else or was not kept."""
    if type(value) is bytes:
        return value.decode("utf-8", "replace")
    return None


def render(value: Value, depth: int = 0) -> str:
    """Return a short, printable likeness of ``value`` for people; never more than a few lines."""
    if type(value) is bytes:
        return repr(printable(value.decode("utf-8", "replace"), limit=200))
    if isinstance(value, Blob):
        return _render_blob(value)
    if isinstance(value, Global):
        return printable(value.path)
    if isinstance(value, Made):
        return f"<{printable(value.path) or 'object'}>"
    if isinstance(value, Persistent):
        return "<persistent object>"
    if isinstance(value, tuple | Items):
        return _render_items(value, depth)
    return printable(repr(value), limit=80)


def _render_blob(blob: Blob) -> str:
    if blob.kind == "int":
        return f"<number of {blob.size_bytes:,} bytes>"
    head = printable(blob.head.decode("utf-8", "replace"), limit=100)
    prefix = "b" if blob.kind == "bytes" else ""
    more = "" if len(blob.head) == blob.size_bytes else f"… ({blob.size_bytes:,} bytes)"
    return f"{prefix}{head!r}{more}"


def _render_items(value: tuple[Value, ...] | Items, depth: int) -> str:
    kind = value.kind if isinstance(value, Items) else "tuple"
    items = [item for item in value[: _SHOWN_ITEMS * 2] if item is not MORE and item is not UNSAFE]
    if depth >= _SHOWN_DEPTH and items:
        return "…"
    shown = [render(item, depth + 1) for item in items]
    if kind == "dict":
        shown = [": ".join(shown[i : i + 2]) for i in range(0, len(shown), 2)]
    cut = len(value) > len(items)
    inner = ", ".join((*shown, "…") if cut else shown)
    begin, end = {"tuple": ("(", ")"), "list": ("[", "]")}.get(kind, ("{", "}"))
    if kind == "tuple" and len(value) == 1:
        inner += ","
    return f"{begin}{inner}{end}"
