"""The machine of the scan, watched: what it carries out is kept as a listing for people."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import Location, PickleListing, PickleStep, printable
from weighbridge.errors import ParseError
from weighbridge.formats import Blob, PickleArg, PickleCursor, PickleOpcode
from weighbridge.scanning._pickle._machine import Machine
from weighbridge.scanning._pickle._values import KEPT_ITEMS, Items, Value, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import Budget
    from weighbridge.scanning._pickle._judge import Judge

__all__ = ["ListingBuilder", "PickleTracer", "TracedMachine"]

# Of a run of opcodes that only build data, so many are shown at its begin and its end.
_SHOWN_FIRST, _SHOWN_LAST = 2, 8
_MAX_STEPS = 20_000  # of one file
_MAX_PICKLES = 10_000  # of one file
# From here on the short cut is taken after all, and only what it leaves over is noted.
_UNHURRIED_OPS = 200_000
_MAX_ARGUMENT = 120
_MAX_EFFECT = 400
_Op = PickleOpcode
_NAMES = {int(op): op.name for op in PickleOpcode}
_TELLING = frozenset(
    {
        *(_Op.PROTO, _Op.STOP, _Op.GLOBAL, _Op.STACK_GLOBAL, _Op.INST, _Op.OBJ, _Op.REDUCE),
        *(_Op.NEWOBJ, _Op.NEWOBJ_EX, _Op.BUILD, _Op.PERSID, _Op.BINPERSID, _Op.EXT1, _Op.EXT2),
        *(_Op.EXT4, _Op.NEXT_BUFFER, _Op.READONLY_BUFFER),
    }
)


class _Moment(NamedTuple):
    """An opcode about to be carried out, and what lies on the stack then."""

    offset: int
    op: int
    arg: PickleArg
    depth: int
    top: Value
    below: Value
    target: Value
    slots: int
    got: Value


class PickleTracer:
    """Keeps a listing of every pickle that the engine follows in one file."""

    def __init__(self) -> None:
        self.listings: list[PickleListing] = []
        self._left = _MAX_STEPS

    def keep(self, at: Location, builders: list[ListingBuilder]) -> None:
        """Keep what was followed at one place; it turned out to be pickles."""
        for builder in builders[: max(0, _MAX_PICKLES - len(self.listings))]:
            listing = builder.conclude(at, self._left)
            self._left -= len(listing.steps)
            self.listings.append(listing)


class ListingBuilder:
    """Gathers the steps of one pickle; memory stays bounded, however many there are."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._steps: list[PickleStep] = []
        self._first: list[_Moment] = []
        self._last: deque[_Moment] = deque()
        self._folded = 0
        self._folded_from = 0
        self._opcodes = 0
        self._stopped = False

    def add(self, moment: _Moment) -> None:
        """Take one more opcode."""
        self._opcodes += 1
        self._stopped = moment.op == _Op.STOP
        if moment.op in _TELLING and len(self._steps) < _MAX_STEPS:
            self._flush()
            self._steps.append(_to_step(moment))
        elif len(self._first) < _SHOWN_FIRST:
            self._first.append(moment)
        else:
            self._last.append(moment)
            if len(self._last) > _SHOWN_LAST:
                dropped = self._last.popleft()
                self._folded_from = self._folded_from if self._folded else dropped.offset
                self._folded += 1

    @property
    def is_long(self) -> bool:
        """Whether so many opcodes came that no person reads on one by one."""
        return self._opcodes > _UNHURRIED_OPS

    def skip(self, count: int, offset: int) -> None:
        """Take opcodes from ``offset`` on that only build data, without looking at them."""
        if not count:
            return
        self._opcodes += count
        self._folded_from = self._folded_from if self._folded else offset
        self._folded += count + len(self._last)
        self._last.clear()

    def glide(self, begin: int, end: int) -> None:
        """Take everything from ``begin`` to a STOP before ``end``; nothing of it was counted."""
        self._flush()
        stop = end - 1
        effect = f"{stop - begin:,} bytes of opcodes that build data, not counted"
        self._steps.append(PickleStep(begin, "", "", effect, 1))
        self._steps.append(PickleStep(stop, _Op.STOP.name, "", "the end"))
        self._opcodes += 1
        self._stopped = True

    def conclude(self, at: Location, most: int) -> PickleListing:
        """Return the listing, with ``most`` steps at most and the rest folded."""
        self._flush()
        steps = self._steps
        if len(steps) > most:
            rest = sum(step.folded or 1 for step in steps[most:])
            effect = f"{rest:,} more opcodes, not listed"
            steps = [*steps[:most], PickleStep(steps[most].offset, "", "", effect, rest)]
        place = Location(at.file, at.member, self._start)
        return PickleListing(place, tuple(steps), self._opcodes, self._stopped)

    def _flush(self) -> None:
        """Turn the run of opcodes that only build data into steps."""
        self._steps += map(_to_step, self._first)
        if self._folded:
            effect = f"{self._folded:,} opcodes that build data"
            self._steps.append(PickleStep(self._folded_from, "", "", effect, self._folded))
        self._steps += map(_to_step, self._last)
        self._first.clear()
        self._last.clear()
        self._folded = 0


class TracedMachine(Machine):
    """The same machine, without its short cut: every opcode is noted before it is carried out."""

    def __init__(
        self,
        source: ByteSource,
        judge: Judge,
        *,
        budget: Budget,
        listing: ListingBuilder,
        kept_items: int = KEPT_ITEMS,
    ) -> None:
        super().__init__(source, judge, budget=budget, kept_items=kept_items)
        self._listing: ListingBuilder | None = listing
        self._reader: PickleCursor | None = None

    def load_again(self, judge: Judge) -> None:
        """As the machine does; what other readers would see is not listed."""
        self._listing = None
        super().load_again(judge)

    def _glides(self, at: int) -> bool:
        """Take the fast lane only behind as many opcodes as anybody would read."""
        if self._listing is None:
            return super()._glides(at)
        if not self._listing.is_long or not super()._glides(at):
            return False
        self._listing.glide(at, self._source.size_bytes)
        return True

    def _hurry(self, cursor: PickleCursor) -> None:
        """Note the next opcode instead of carrying out many of them."""
        if self._listing is None:
            super()._hurry(cursor)
            return
        at = cursor.base + cursor.pos
        if self._listing.is_long:
            before = self._unspent
            super()._hurry(cursor)
            self._listing.skip(self._unspent - before, at)
            at = cursor.base + cursor.pos
        if self._reader is None or self._reader.base + self._reader.pos != at:
            self._reader = PickleCursor(self._source, at)
        try:
            op, arg, at = self._reader.read()
        except ParseError:
            return  # the machine says what is wrong
        stack, memo = self._stack, self._memo
        is_get = op in (_Op.GET, _Op.BINGET, _Op.LONG_BINGET) and isinstance(arg, int)
        try:
            got = memo.get(arg) if is_get and isinstance(arg, int) else None
        except KeyError:
            got = None
        self._listing.add(
            _Moment(
                at,
                op,
                arg,
                depth=len(stack),
                top=stack[-1] if stack else None,
                below=stack[-2] if len(stack) > 1 else None,
                target=self._outer[-1][-1] if self._outer and self._outer[-1] else None,
                slots=len(memo),
                got=got,
            )
        )


def _to_step(moment: _Moment) -> PickleStep:
    describe = _EFFECTS.get(moment.op, _describe_constant)
    return PickleStep(
        moment.offset,
        _NAMES.get(moment.op, f"0x{moment.op:02x}"),
        printable(_show_argument(moment.arg), limit=_MAX_ARGUMENT),
        printable(describe(moment), limit=_MAX_EFFECT),
    )


def _show_argument(arg: PickleArg) -> str:
    if arg is None:
        return ""
    if isinstance(arg, tuple) and not isinstance(arg, Blob):
        return " ".join(part.decode("utf-8", "replace") for part in arg)
    return render(arg)


def _text(value: Value) -> str:
    return value.decode("utf-8", "replace") if type(value) is bytes else render(value)


def _show_call(callee: Value, args: Value) -> str:
    shown = render(args)
    if not isinstance(args, tuple):
        shown = f"(*{shown})"
    elif len(args) == 1:
        shown = f"{shown[:-2]})"  # a call has no comma behind its only argument
    return f"{render(callee)}{shown}"


def _describe_constant(moment: _Moment) -> str:
    return f"put {_show_argument(moment.arg)}" if moment.arg is not None else ""


def _describe_import(moment: _Moment) -> str:
    names = moment.arg if isinstance(moment.arg, tuple) else (b"?", b"?")
    return f"import {'.'.join(_text(name) for name in names)}"


def _describe_inst(moment: _Moment) -> str:
    return f"{_describe_import(moment)}, and call it with {moment.depth:,} arguments"


def _describe_items(moment: _Moment) -> str:
    return f"add {moment.depth:,} items to {_name(moment.target)}"


def _describe_pairs(moment: _Moment) -> str:
    return f"set {moment.depth // 2:,} items of {_name(moment.target)}"


def _name(value: Value) -> str:
    if isinstance(value, Items):
        return f"the {value.kind}"
    return render(value)


def _say(words: str) -> Callable[[_Moment], str]:
    return lambda _: words


_EFFECTS: dict[int, Callable[[_Moment], str]] = {
    _Op.PROTO: lambda m: f"protocol {_show_argument(m.arg)}",
    _Op.FRAME: lambda m: f"a frame of {m.arg:,} bytes" if isinstance(m.arg, int) else "a frame",
    _Op.STOP: lambda m: f"the end: gives {_name(m.top)}",
    _Op.GLOBAL: _describe_import,
    _Op.STACK_GLOBAL: lambda m: f"import {_text(m.below)}.{_text(m.top)}",
    _Op.INST: _describe_inst,
    _Op.OBJ: lambda m: f"call what was imported, with {max(m.depth - 1, 0):,} arguments",
    _Op.REDUCE: lambda m: f"call {_show_call(m.below, m.top)}",
    _Op.NEWOBJ: lambda m: f"make an instance: {_show_call(m.below, m.top)}",
    _Op.NEWOBJ_EX: lambda m: f"make an instance, with arguments {render(m.below)} {render(m.top)}",
    _Op.BUILD: lambda m: f"set the state of {_name(m.below)}: {render(m.top)}",
    _Op.PERSID: lambda m: f"ask the loader for the object {_show_argument(m.arg)}",
    _Op.BINPERSID: lambda m: f"ask the loader for the object {render(m.top)}",
    _Op.EXT1: lambda m: f"import what copyreg calls {_show_argument(m.arg)}",
    _Op.EXT2: lambda m: f"import what copyreg calls {_show_argument(m.arg)}",
    _Op.EXT4: lambda m: f"import what copyreg calls {_show_argument(m.arg)}",
    _Op.NEXT_BUFFER: _say("take the next buffer of the loader"),
    _Op.READONLY_BUFFER: _say("make that buffer read-only"),
    _Op.MARK: _say("mark this place on the stack"),
    _Op.POP: lambda m: f"drop {_name(m.top)}" if m.depth else "drop the mark",
    _Op.POP_MARK: lambda m: f"drop {m.depth:,} things and the mark",
    _Op.DUP: lambda m: f"put {_name(m.top)} once more",
    _Op.NEWTRUE: _say("put True"),
    _Op.NEWFALSE: _say("put False"),
    _Op.NONE: _say("put None"),
    _Op.EMPTY_TUPLE: _say("an empty tuple"),
    _Op.EMPTY_LIST: _say("an empty list"),
    _Op.EMPTY_DICT: _say("an empty dict"),
    _Op.EMPTY_SET: _say("an empty set"),
    _Op.TUPLE1: _say("a tuple of 1"),
    _Op.TUPLE2: _say("a tuple of 2"),
    _Op.TUPLE3: _say("a tuple of 3"),
    _Op.TUPLE: lambda m: f"a tuple of {m.depth:,}",
    _Op.LIST: lambda m: f"a list of {m.depth:,} items",
    _Op.DICT: lambda m: f"a dict of {m.depth // 2:,} items",
    _Op.FROZENSET: lambda m: f"a frozen set of {m.depth:,}",
    _Op.APPEND: lambda m: f"add an item to {_name(m.below)}",
    _Op.SETITEM: _say("set an item"),
    _Op.APPENDS: _describe_items,
    _Op.ADDITEMS: _describe_items,
    _Op.SETITEMS: _describe_pairs,
    _Op.MEMOIZE: lambda m: f"memo[{m.slots}] = {_name(m.top)}",
    _Op.PUT: lambda m: f"memo[{_show_argument(m.arg)}] = {_name(m.top)}",
    _Op.BINPUT: lambda m: f"memo[{_show_argument(m.arg)}] = {_name(m.top)}",
    _Op.LONG_BINPUT: lambda m: f"memo[{_show_argument(m.arg)}] = {_name(m.top)}",
    _Op.GET: lambda m: f"put memo[{_show_argument(m.arg)}], {_name(m.got)}",
    _Op.BINGET: lambda m: f"put memo[{_show_argument(m.arg)}], {_name(m.got)}",
    _Op.LONG_BINGET: lambda m: f"put memo[{_show_argument(m.arg)}], {_name(m.got)}",
}
