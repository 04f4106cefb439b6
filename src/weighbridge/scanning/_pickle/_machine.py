"""The symbolic pickle machine: does to symbols what an unpickler does to objects.

Marks, memo and stack behave as in CPython's unpicklers; what they would do to the world goes to
the judge instead. Where the two unpicklers differ, the machine goes on rather than stop, because
going on finds more.
"""

# ruff: noqa: PLR2004, SLF001
# The numbers in _hurry are opcodes; as names they would cost a tenth of its speed. The table at the
# end is a part of the class.

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from weighbridge.errors import LimitExceededError, ParseError
from weighbridge.formats import PickleArg, PickleCursor, PickleOpcode
from weighbridge.scanning._pickle._joblib import is_wrapper
from weighbridge.scanning._pickle._lane import LANE_BYTES, glide
from weighbridge.scanning._pickle._machine_parts import Memo, Outcome
from weighbridge.scanning._pickle._values import (
    KEPT_ITEMS,
    UNSAFE,
    DictItems,
    Items,
    ListItems,
    Made,
    Rebuilder,
    SetItems,
    TupleItems,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import Budget
    from weighbridge.scanning._pickle._judge import Judge

__all__ = ["Machine"]

_OPS_BETWEEN_CHECKS = 1 << 14
# In common opcodes: any that _hurry leaves; a call or id; an instance or state; a listed function.
_OPS_PER_READ, _OPS_PER_ACT, _OPS_PER_INSTANCE, _OPS_PER_PUSH = 7, 80, 20, 24
_NO_EDGE = 1 << 65
_FRAME_BYTES = 9
_SHORT_BYTES = 255
_INT4, _UINT4 = struct.Struct("<i").unpack_from, struct.Struct("<I").unpack_from
_FLOAT8 = struct.Struct(">d").unpack_from
_INLINE_CONTAINERS: dict[int, type[Items]] = {0x7D: DictItems, 0x5D: ListItems, 0x8F: SetItems}
_INLINE_ADDERS: dict[int, type[Items]] = {0x75: DictItems, 0x65: ListItems}
_INLINE_CONSTANTS = {0x4E: None, 0x88: True, 0x89: False, 0x29: ()}
_Op = PickleOpcode


class Machine:
    """Runs one pickle, from its first opcode to its STOP."""

    def __init__(
        self, source: ByteSource, judge: Judge, *, budget: Budget, kept_items: int = KEPT_ITEMS
    ) -> None:
        self._source = source
        self._judge = judge
        self._budget = budget
        self._kept_items = kept_items
        self._stack: list[Value] = []
        self._outer: list[list[Value]] = []
        self._outer_size = 0
        self._memo = Memo()
        self._protocol = self._frame_end = 0
        self._edge = _NO_EDGE
        self._split = False
        self._ops = self._unspent = self._extra = self._containers = 0
        # Where the lane is tried next; what it did not take is taken op by op first.
        self._next_glide = 0

    def run(self, start: int) -> Outcome:
        """Carry out opcodes from ``start`` until STOP, an array of joblib's, or a problem.

        May be called again behind an array. Never raises on content.
        """
        cursor = PickleCursor(self._source, start)
        at, op, ended = start, -1, False
        self._next_glide = start
        try:
            while not ended:
                if self._unspent >= _OPS_BETWEEN_CHECKS or not self._ops:
                    self._spend()
                    if self._glides(cursor.base + cursor.pos):
                        return Outcome(end=self._source.size_bytes, ops=self._ops)
                self._hurry(cursor)
                at = cursor.base + cursor.pos
                op, arg, at = cursor.read()
                self._unspent += 1
                self._extra += _OPS_PER_READ
                if at >= self._edge:
                    self._leave_frame(at)
                handler = _HANDLERS[op]
                if handler is None:
                    self._stack.append(arg)
                else:
                    ended = bool(handler(self, arg, at))
            self._spend()
        except ParseError as error:
            return self._stopped(at, str(error))
        except LimitExceededError as error:
            self._judge.record("limit", f"was not followed further: {error}", at=at)
            return replace(self._stopped(at, str(error)), limited=True)
        except (IndexError, KeyError):
            name = PickleOpcode(op).name
            return self._stopped(at, f"{name} at byte {at} finds too little to work on")
        top = self._stack.pop()
        stopped = op == _Op.STOP
        return Outcome(
            end=at + 1,
            value=top if stopped else None,
            frame_end=self._frame_end,
            ops=self._ops,
            wrapper=None if stopped else top,
        )

    def _hurry(self, cursor: PickleCursor) -> None:  # noqa: C901, PLR0912, PLR0915
        """Carry out the commonest opcodes right here, up to the first that is none of them.

        Nine in ten opcodes of a big pickle are handled in this one loop, several times as fast as
        through ``read`` and the handlers. It does what they do, and leaves to them whatever is
        not plain: an argument that is not at hand, too little on the stack, a frame's end.
        """
        data, pos = cursor.data, cursor.pos
        limit = min(cursor.safe, self._edge - cursor.base)
        stack, outer, memo = self._stack, self._outer, self._memo.dense
        sparse, kept_items = self._memo.sparse, self._kept_items
        outer_size, ops, containers = self._outer_size, 0, 0
        try:
            while pos < limit:
                op = data[pos]
                if op == 0x68:  # BINGET
                    value = memo[data[pos + 1]]
                    if type(value) is Rebuilder:
                        break
                    stack.append(value)
                    pos += 2
                elif op == 0x94:  # MEMOIZE
                    if sparse:
                        break
                    memo.append(stack[-1])
                    pos += 1
                elif op == 0x8C:  # SHORT_BINUNICODE
                    end = pos + 2 + data[pos + 1]
                    if end > limit:
                        break
                    stack.append(data[pos + 2 : end])
                    pos = end
                elif op == 0x4B:  # BININT1
                    stack.append(data[pos + 1])
                    pos += 2
                elif op == 0x71:  # BINPUT
                    if data[pos + 1] != len(memo) or sparse:
                        break
                    memo.append(stack[-1])
                    pos += 2
                elif op == 0x72:  # LONG_BINPUT
                    if _UINT4(data, pos + 1)[0] != len(memo) or sparse:
                        break
                    memo.append(stack[-1])
                    pos += 5
                elif op == 0x6A:  # LONG_BINGET
                    value = memo[_UINT4(data, pos + 1)[0]]
                    if type(value) is Rebuilder:
                        break
                    stack.append(value)
                    pos += 5
                elif op == 0x28:  # MARK
                    outer.append(stack)
                    outer_size += len(stack)
                    stack = []
                    pos += 1
                elif op in _INLINE_CONTAINERS:  # EMPTY_DICT, EMPTY_LIST
                    stack.append(_INLINE_CONTAINERS[op]())
                    containers += 1
                    pos += 1
                elif op in _INLINE_ADDERS:  # SETITEMS, APPENDS
                    target: Value = outer[-1][-1]
                    if type(target) is not _INLINE_ADDERS[op]:
                        break
                    if target or len(stack) > kept_items:
                        target.add(stack, kept_items)
                    else:
                        target += stack
                    stack = outer.pop()
                    outer_size -= len(stack)
                    pos += 1
                elif op == 0x58:  # BINUNICODE
                    (length,) = _UINT4(data, pos + 1)
                    end = pos + 5 + length
                    if length > _SHORT_BYTES or end > limit:
                        break
                    stack.append(data[pos + 5 : end])
                    pos = end
                elif op == 0x47:  # BINFLOAT
                    stack.append(_FLOAT8(data, pos + 1)[0])
                    pos += 9
                elif op == 0x4A:  # BININT
                    stack.append(_INT4(data, pos + 1)[0])
                    pos += 5
                elif op == 0x4D:  # BININT2
                    stack.append(data[pos + 1] | data[pos + 2] << 8)
                    pos += 3
                elif op == 0x87 and len(stack) > 2:  # TUPLE3
                    stack[-3:] = [(stack[-3], stack[-2], stack[-1])]
                    containers += 1
                    pos += 1
                elif op == 0x86 and len(stack) > 1:  # TUPLE2
                    stack[-2:] = [(stack[-2], stack[-1])]
                    containers += 1
                    pos += 1
                elif op == 0x30 and stack:  # POP
                    stack.pop()
                    pos += 1
                elif op in _INLINE_CONSTANTS:
                    stack.append(_INLINE_CONSTANTS[op])
                    pos += 1
                else:
                    break
                ops += 1
        except (IndexError, struct.error):
            pass  # nothing was changed; what comes next says what is wrong
        self._stack, self._outer_size = stack, outer_size
        self._unspent += ops
        self._containers += containers
        cursor.pos = pos

    def _glides(self, at: int) -> bool:
        """Return whether all that follows is data up to a STOP at the end of the source."""
        if at < self._next_glide or self._source.size_bytes - at < LANE_BYTES:
            return False
        # The memo outlives the pickle for some readers: nothing may come behind the STOP then. The
        # keys of PyTorch's storages are wanted as they are.
        judge = self._judge
        if self._kept_items != KEPT_ITEMS or not judge.has_inert_names:
            return False
        end, whole = glide(self._source, at, frame_end=self._frame_end, calls=judge.has_names)
        self._next_glide = end
        return whole

    def push_array(self, array: Made) -> None:
        """Put what joblib read, behind the last frame, in place of its wrapper."""
        self._edge = _NO_EDGE
        self._stack.append(array)

    def load_again(self, judge: Judge) -> None:
        """Become what an unpickler is when its ``load`` is called once more: the memo stays."""
        self._judge = judge
        self._stack, self._outer, self._outer_size = [], [], 0
        self._protocol, self._frame_end, self._edge = 0, 0, _NO_EDGE

    def fork(self, judge: Judge) -> Machine:
        """Return a machine in the same state; containers stay shared. Costs a copy of the memo."""
        twin = Machine(self._source, judge, budget=self._budget)
        twin._stack, twin._outer = [*self._stack], [[*items] for items in self._outer]
        twin._memo = self._memo.copy()
        twin._protocol = self._protocol
        return twin

    @property
    def memo_size(self) -> int:
        """Return how many slots of the memo are set."""
        return len(self._memo)

    def _stopped(self, at: int, problem: str) -> Outcome:
        self._ops += self._unspent
        # What another unpickler would read instead at a frame's end is not known here.
        split = self._split or at < self._frame_end <= self._source.size_bytes
        return Outcome(
            end=at, problem=problem, frame_end=self._frame_end, ops=self._ops, split=split
        )

    def _spend(self) -> None:
        ops, extra = self._unspent, self._extra
        self._unspent = self._extra = 0
        self._ops += ops
        self._budget.spend_pickle_ops(ops + extra)
        # Containers are held by others, or by the memo that picklers put them into.
        held = len(self._stack) + self._outer_size + len(self._outer)
        held += max(len(self._memo), self._containers)
        limit = self._budget.limits.max_pickle_stack
        if held > limit:
            raise LimitExceededError(
                "max_pickle_stack", limit=limit, actual=held, subject=self._budget.subject
            )

    # -- stack -----------------------------------------------------------------------------------

    def _mark(self, _: PickleArg, __: int) -> None:
        self._outer.append(self._stack)
        self._outer_size += len(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[Value]:
        items = self._stack
        self._stack = self._outer.pop()
        self._outer_size -= len(self._stack)
        return items

    def _drop_mark(self, _: PickleArg, __: int) -> None:
        self._pop_mark()

    def _pop(self, _: PickleArg, __: int) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _dup(self, _: PickleArg, __: int) -> None:
        self._push_again(self._stack[-1])

    def _stop(self, _: PickleArg, at: int) -> bool:
        self._stack[-1]  # raises if there is nothing to return
        if at + 1 < self._frame_end:
            # Some readers find the next pickle right here, others behind the frame.
            self._record_frame_trick(at, "ends before the frame that it is in")
        return True

    def _proto(self, arg: int, at: int) -> None:
        if arg > 5:
            message = f"protocol {arg} does not exist"
            raise ParseError(message, where=f"byte {at}")
        self._protocol = arg

    def _frame(self, arg: int, at: int) -> None:
        begin = at + _FRAME_BYTES
        if begin < self._frame_end:
            self._tell_frame_trick(at, "begins a frame before the last one ends")
        self._frame_end = begin + arg
        self._edge = self._frame_end

    def _leave_frame(self, at: int) -> None:
        """Go past the end of a frame, which must be where an opcode begins.

        CPython's C unpickler drops the part of an argument that lies in a frame when the rest
        does not, and reads the whole argument behind the frame: other bytes than anyone else.
        """
        edge, self._edge = self._edge, _NO_EDGE
        if at > edge:
            self._tell_frame_trick(edge, "has an argument that begins in a frame and ends behind")

    def _tell_frame_trick(self, at: int, message: str) -> NoReturn:
        self._split = True
        self._record_frame_trick(at, message)
        raise ParseError("unpicklers disagree about how to read on", where=f"byte {at}")

    def _record_frame_trick(self, at: int, message: str) -> None:
        self._judge.acted += 1
        self._judge.record("frame", message, at=at)

    # -- memo ------------------------------------------------------------------------------------

    def _put(self, arg: int, at: int) -> None:
        if arg < 0:
            raise ParseError("a memo index is negative", where=f"byte {at}")
        self._memo.put(arg, self._stack[-1])

    def _memoize(self, _: PickleArg, __: int) -> None:
        memo = self._memo
        if memo.sparse:
            memo.put(len(memo), self._stack[-1])
        else:
            memo.dense.append(self._stack[-1])

    def _get(self, arg: int, _: int) -> None:
        self._push_again(self._memo.get(arg))

    def _push_again(self, value: Value) -> None:
        if type(value) is Rebuilder:
            self._extra += _OPS_PER_PUSH
            value = self._judge.push(value)
        self._stack.append(value)

    # -- constants and containers ----------------------------------------------------------------

    def _true(self, _: PickleArg, __: int) -> None:
        self._stack.append(True)

    def _false(self, _: PickleArg, __: int) -> None:
        self._stack.append(False)

    def _empty_tuple(self, _: PickleArg, __: int) -> None:
        self._stack.append(())

    def _tuple1(self, _: PickleArg, __: int) -> None:
        self._containers += 1
        self._stack[-1] = (self._stack[-1],)

    def _tuple2(self, _: PickleArg, __: int) -> None:
        self._containers += 1
        stack = self._stack
        top = stack.pop()
        stack[-1] = (stack[-1], top)

    def _tuple3(self, _: PickleArg, __: int) -> None:
        self._containers += 1
        stack = self._stack
        top = stack.pop()
        middle = stack.pop()
        stack[-1] = (stack[-1], middle, top)

    def _tuple(self, _: PickleArg, __: int) -> None:
        items = self._pop_mark()
        if len(items) > KEPT_ITEMS:
            self._push_items(TupleItems(), items)
        else:
            self._containers += 1
            self._stack.append(tuple(items))

    def _push_items(self, made: Items, items: list[Value]) -> None:
        self._containers += 1
        made.add(items, self._kept_items)
        self._stack.append(made)

    def _empty_list(self, _: PickleArg, __: int) -> None:
        self._containers += 1
        self._stack.append(ListItems())

    def _empty_dict(self, _: PickleArg, __: int) -> None:
        self._containers += 1
        self._stack.append(DictItems())

    def _empty_set(self, _: PickleArg, __: int) -> None:
        self._containers += 1
        self._stack.append(SetItems())

    def _list(self, _: PickleArg, __: int) -> None:
        self._push_items(ListItems(), self._pop_mark())

    def _dict(self, _: PickleArg, __: int) -> None:
        self._push_items(DictItems(), self._pop_mark())

    def _frozenset(self, _: PickleArg, __: int) -> None:
        self._push_items(SetItems(), self._pop_mark())

    def _append(self, _: PickleArg, at: int) -> None:
        value = self._stack.pop()
        self._extend(self._stack[-1], [value], ListItems, at)

    def _appends(self, _: PickleArg, at: int) -> None:
        items = self._pop_mark()
        self._extend(self._stack[-1], items, ListItems, at)

    def _setitem(self, _: PickleArg, at: int) -> None:
        value = self._stack.pop()
        key = self._stack.pop()
        self._extend(self._stack[-1], [key, value], DictItems, at)

    def _setitems(self, _: PickleArg, at: int) -> None:
        items = self._pop_mark()
        self._extend(self._stack[-1], items, DictItems, at)

    def _additems(self, _: PickleArg, at: int) -> None:
        items = self._pop_mark()
        self._extend(self._stack[-1], items, SetItems, at)

    def _extend(self, target: Value, items: list[Value], kind: type[Items], at: int) -> None:
        if not isinstance(target, Items):
            self._judge.add_items(target, kind, at=at, items=items)
        elif type(target) is kind:
            target.add(items, self._kept_items)
        else:
            # list[index] = value is possible; what the list then holds is not followed.
            target.append(UNSAFE)

    # -- names, calls, state ---------------------------------------------------------------------

    def _refer(self, module: bytes, name: bytes, at: int) -> Value:
        return self._judge.reference(
            module.decode("utf-8", "replace"),
            name.decode("utf-8", "replace"),
            protocol=self._protocol,
            at=at,
        )

    def _global(self, arg: tuple[bytes, bytes], at: int) -> None:
        self._stack.append(self._refer(*arg, at))

    def _stack_global(self, _: PickleArg, at: int) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is bytes and type(module) is bytes:
            self._stack.append(self._refer(module, name, at))
        else:
            self._stack.append(self._judge.computed_name(module, name, at=at))

    def _ext(self, arg: int, at: int) -> None:
        self._extra += _OPS_PER_PUSH
        self._stack.append(self._judge.extension(arg, at=at))

    def _inst(self, arg: tuple[bytes, bytes], at: int) -> None:
        self._extra += _OPS_PER_ACT
        cls = self._refer(*arg, at)
        args = tuple(self._pop_mark())
        # Without arguments a class is made as by NEWOBJ, unless it has __getinitargs__.
        self._stack.append(self._judge.call(cls, args, at=at, new=not args))

    def _obj(self, _: PickleArg, at: int) -> None:
        self._extra += _OPS_PER_ACT
        items = self._pop_mark()
        cls, args = items[0], tuple(items[1:])
        self._stack.append(self._judge.call(cls, args, at=at, new=not args))

    def _reduce(self, _: PickleArg, at: int) -> None:
        self._extra += _OPS_PER_ACT
        args = self._stack.pop()
        self._stack[-1] = self._judge.call(self._stack[-1], args, at=at)

    def _newobj(self, _: PickleArg, at: int) -> None:
        self._extra += _OPS_PER_INSTANCE
        args = self._stack.pop()
        self._stack[-1] = self._judge.call(self._stack[-1], args, at=at, new=True)

    def _newobj_ex(self, _: PickleArg, at: int) -> None:
        self._extra += _OPS_PER_ACT
        kwargs, args = self._stack.pop(), self._stack.pop()
        if not (isinstance(kwargs, DictItems) and not kwargs):
            args = (args, kwargs)
        self._stack[-1] = self._judge.call(self._stack[-1], args, at=at, new=True)

    def _build(self, _: PickleArg, at: int) -> bool:
        self._extra += _OPS_PER_INSTANCE
        state = self._stack.pop()
        target = self._stack[-1]
        self._judge.build(target, state, at=at)
        return is_wrapper(target)

    def _persid(self, arg: PickleArg, at: int) -> None:
        self._extra += _OPS_PER_ACT
        self._stack.append(self._judge.persistent(arg, at=at))

    def _binpersid(self, _: PickleArg, at: int) -> None:
        self._extra += _OPS_PER_ACT
        self._stack.append(self._judge.persistent(self._stack.pop(), at=at))

    def _next_buffer(self, _: PickleArg, at: int) -> None:
        self._stack.append(self._judge.out_of_band(at=at))

    def _readonly_buffer(self, _: PickleArg, __: int) -> None:
        self._stack[-1]  # raises if there is nothing


# Opcodes that are not here push their argument.
_METHODS: dict[int, Callable[[Machine, Any, int], bool | None]] = {
    _Op.MARK: Machine._mark,
    _Op.POP_MARK: Machine._drop_mark,
    _Op.POP: Machine._pop,
    _Op.DUP: Machine._dup,
    _Op.STOP: Machine._stop,
    _Op.PROTO: Machine._proto,
    _Op.FRAME: Machine._frame,
    _Op.PUT: Machine._put,
    _Op.BINPUT: Machine._put,
    _Op.LONG_BINPUT: Machine._put,
    _Op.MEMOIZE: Machine._memoize,
    _Op.GET: Machine._get,
    _Op.BINGET: Machine._get,
    _Op.LONG_BINGET: Machine._get,
    _Op.NEWTRUE: Machine._true,
    _Op.NEWFALSE: Machine._false,
    _Op.EMPTY_TUPLE: Machine._empty_tuple,
    _Op.TUPLE1: Machine._tuple1,
    _Op.TUPLE2: Machine._tuple2,
    _Op.TUPLE3: Machine._tuple3,
    _Op.TUPLE: Machine._tuple,
    _Op.EMPTY_LIST: Machine._empty_list,
    _Op.EMPTY_DICT: Machine._empty_dict,
    _Op.EMPTY_SET: Machine._empty_set,
    _Op.LIST: Machine._list,
    _Op.DICT: Machine._dict,
    _Op.FROZENSET: Machine._frozenset,
    _Op.APPEND: Machine._append,
    _Op.APPENDS: Machine._appends,
    _Op.SETITEM: Machine._setitem,
    _Op.SETITEMS: Machine._setitems,
    _Op.ADDITEMS: Machine._additems,
    _Op.GLOBAL: Machine._global,
    _Op.STACK_GLOBAL: Machine._stack_global,
    _Op.EXT1: Machine._ext,
    _Op.EXT2: Machine._ext,
    _Op.EXT4: Machine._ext,
    _Op.INST: Machine._inst,
    _Op.OBJ: Machine._obj,
    _Op.REDUCE: Machine._reduce,
    _Op.NEWOBJ: Machine._newobj,
    _Op.NEWOBJ_EX: Machine._newobj_ex,
    _Op.BUILD: Machine._build,
    _Op.PERSID: Machine._persid,
    _Op.BINPERSID: Machine._binpersid,
    _Op.NEXT_BUFFER: Machine._next_buffer,
    _Op.READONLY_BUFFER: Machine._readonly_buffer,
}
_HANDLERS = tuple(_METHODS.get(op) for op in range(256))
