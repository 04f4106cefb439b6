"""Whatever an unpickler does with a stream, the symbolic machine has said before.

Streams are built from opcodes, valid and not. CPython's two unpicklers load them, with a find_class
that hands out probes: nothing real is ever imported or called. Each thing that happened to a probe
must be among the events that the machine gave to its judge, in the same order.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Location
from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._pickle._judge import Judge
from weighbridge.scanning._pickle._machine import Machine
from weighbridge.scanning._pickle._scan import scan_pickles
from weighbridge.scanning._pickle._values import Global

Draw = Any


class Log(list[str]):
    """What happened, in order."""


def make_probes(log: Log) -> dict[str, Any]:
    """Return a function, a class, a class of a class and an object that write into ``log``."""

    def change(self: Any, *args: Any) -> None:
        log.append("change")

    methods = dict.fromkeys(
        ("append", "extend", "__setitem__", "__setstate__", "add", "update"), change
    )

    def call(self: Any, *args: Any) -> Any:
        log.append("call ?")
        return self

    def make(cls: Any, *args: Any, **kwargs: Any) -> Any:
        log.append(f"call {cls.__name__}")
        return object.__new__(cls)

    kind = type("Kind", (type,), dict(methods))
    probe = type("Probe", (), {**methods, "__call__": call, "__new__": make, "__init__": call_init})
    plain = kind("Plain", (), {"__new__": make, "__init__": call_init})

    def hit(*args: Any) -> Any:
        log.append("call hit")
        return object.__new__(probe)

    return {"hit": hit, "Probe": probe, "Plain": plain, "thing": object.__new__(probe)}


def call_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Accept anything."""


def load_with(base: type[Any], data: bytes) -> Log:
    """Return what happened when ``base`` loaded all pickles of ``data``."""
    log = Log()
    probes = make_probes(log)
    names = sorted(probes)

    class Loader(base):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            log.append(f"find {module} {name}")
            return probes[name] if name in probes else probes[names[len(name) % len(names)]]

        def persistent_load(self, _pid: Any) -> Any:
            return probes["thing"]

    file = io.BytesIO(data)
    try:
        while file.tell() < len(data):
            Loader(file).load()
    except Exception as error:  # noqa: BLE001  # an unpickler may raise anything at all
        log.append(f"stop {type(error).__name__}")
    return log


class SpyJudge(Judge):
    """Writes down what the machine says."""

    def __init__(self, log: Log, context: ScanContext) -> None:
        super().__init__(Location("f"), context)
        self.log = log

    def reference(self, module: str, name: str, *, protocol: int, at: int) -> Global:
        self.log.append(f"find {module} {name}")
        return super().reference(module, name, protocol=protocol, at=at)

    def call(self, callee: Any, args: Any, *, at: int, depth: int = 0, new: bool = False) -> Any:
        self.log.append(f"call {callee.name if isinstance(callee, Global) else '?'}")
        return super().call(callee, args, at=at, depth=depth, new=new)

    def record(self, rule: str, message: str, *, at: int, detail: str = "") -> None:
        if rule == "frame":
            self.log.append("trick")
        super().record(rule, message, at=at, detail=detail)

    def change(self, target: Any, what: str, *, at: int) -> None:
        self.log.append("change")
        super().change(target, what, at=at)


def make_context() -> ScanContext:
    return ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "f"))


def predict(data: bytes) -> Log:
    """Return what the machine says about all pickles of ``data``."""
    log, position, context = Log(), 0, make_context()
    source = MemorySource("f", data)
    judge = SpyJudge(log, context)
    while position < len(data):
        outcome = Machine(source, judge, budget=context.budget).run(position)
        if outcome.problem:
            if outcome.split:
                log.append("trick")
            break
        position = outcome.end
    return log


def is_predicted(happened: Log, said: Log) -> bool:
    """Return whether ``happened`` is a subsequence of ``said``.

    A name stands for another probe where the stream asks for one that does not exist; so calls
    are compared by kind: of something named, or of something computed.
    """
    if "trick" in said:  # found, and refused: nobody can say how it goes on
        return True
    rest = iter([_reduce(entry) for entry in said])
    last = ""
    for entry in happened:
        if entry.startswith("stop"):
            break
        short = _reduce(entry)
        # SETITEMS, ADDITEMS and APPENDS are one event each, and many calls.
        if short == "change" == last:
            continue
        last = short
        # The Python unpickler cuts the last byte off a last line that has no newline.
        if not any(
            short in (said_here, said_here[:-1], f"{said_here[:-2]} ") for said_here in rest
        ):
            return False
    return True


def _reduce(entry: str) -> str:
    return "call" if entry.startswith("call ") else entry


SIMPLE = [
    b"N", b"\x88", b"\x89", b"K\x07", b"M\x01\x02", b"J\x00\x00\x00\x80", b"I12\n", b"I01\n",
    b"L99999999999L\n", b"\x8a\x02\xff\x00", b"F1.5\n", b"G\x00\x00\x00\x00\x00\x00\x00\x00",
    b"S'a'\n", b"\x8c\x03hit", b"\x8c\x05Probe", b"X\x05\x00\x00\x00Plain", b"\x8c\x03mod",
    b"Vthing\n", b"U\x03hit", b"C\x02ab", b"B\x01\x00\x00\x00a", b"]", b"}", b")", b"\x8f",
    b"cmod\nhit\n", b"cmod\nProbe\n", b"cmod\nPlain\n", b"cmod\nthing\n", b"c__builtin__\nhit\n",
    b"\x8c\x03mod\x8c\x03hit\x93", b"\x8c\x03mod\x94\x8c\x05Probe\x94\x93", b"P1\n",
    b"\x8d\x03\x00\x00\x00\x00\x00\x00\x00hit",
    b"\x96\x01\x00\x00\x00\x00\x00\x00\x00a",
    # Numbers and lines as the one unpickler or the other takes them.
    b"I1\x00junk\n", b"I0x1F\n", b"I010\n", b"I 1_0\n", b"I00\n", b"I" + b"9" * 30 + b"\n",
    b"L1\x00L\n", b"L0b1\n", b"L12\n", b"F1.5\x00x\n", b"F-inf\n", b"F1_0.5\n", b"S\"a'b\"\n",
    b"S'\\x68it'\n", b"Vhi\\u0074\n", b"\x8a\x00", b"\x8b\x01\x00\x00\x00\x01",
    b"T\x03\x00\x00\x00hit",
    b"\x8e\x01\x00\x00\x00\x00\x00\x00\x00a", b"\x97", b"\x82\x01", b"\x83\x01\x00",
    b"\x84\x01\x00\x00\x00",
]  # fmt: skip
ONE = [
    b"\x85",
    b"2",
    b"0",
    b"Q",
    b"\x94",
    b"q\x01",
    b"p2\n",
    b"p1\x00\n",
    b"p 3\n",
    b"\x98",
    b"r\x03\x00\x00\x00",
    b".",
]
TWO = [b"R", b"R", b"\x81", b"\x86", b"b", b"a", b"\x93"]
THREE = [b"\x87", b"s", b"\x92"]
MARKED = [b"t", b"t", b"l", b"d", b"e", b"u", b"o", b"\x90", b"\x91", b"1", b"imod\nhit\n"]
ANYTIME = [
    b"(", b"(", b"g1\x00\n", b"\x80\x06", b"h\x01", b"h\x00", b"g2\n", b"g 1\n",
    b"j\x03\x00\x00\x00",
    b"\x80\x02", b"\x80\x04", b"\x95\x05\x00\x00\x00\x00\x00\x00\x00",
]  # fmt: skip
ALL = SIMPLE + ONE + TWO + THREE + MARKED + ANYTIME
CALLS = [
    b"cmod\nhit\n)R", b"cmod\nProbe\n)\x81", b"(cmod\nProbe\no", b"(imod\nProbe\n",
    b"cmod\nProbe\n)}\x92", b"cmod\nProbe\n)\x81Nb", b"cmod\nProbe\n)\x81Na",
    b"cmod\nProbe\n)\x81NNs", b"cmod\nProbe\n)\x81(NNu", b"cmod\nProbe\n)\x81(Ne",
    b"cmod\nProbe\n)\x81(N\x90", b"cmod\nPlain\nNa", b"cmod\nPlain\n}b", b"cmod\nhit\n)R)R",
    b"cmod\nthing\n)R", b"cmod\nPlain\n(NNu", b"P1\n)R", b"K\x01Q)R", b"(cmod\nthing\no",
    b"cmod\nhit\n(K\x01K\x02tR", b"cmod\nhit\n](K\x01eR", b"(cmod\nhit\n0NN1", b"(NN0000)",
]  # fmt: skip


@st.composite
def streams(draw: Draw) -> bytes:
    """Return opcodes in an order that often has enough on the stack."""
    out = [draw(st.sampled_from([b"", b"\x80\x02", b"\x80\x04", b"\x80\x05"]))]
    depths = [0]
    for _ in range(draw(st.integers(1, 25))):
        fits = [*SIMPLE, *CALLS]
        fits += [*ONE[:-1]] * 2 if depths[-1] >= 1 else []
        fits += TWO * 5 if depths[-1] >= 2 else []
        fits += THREE * 3 if depths[-1] >= 3 else []
        fits += MARKED * 4 if len(depths) > 1 else []
        fits += ANYTIME * 2
        piece = draw(st.sampled_from(fits))
        out.append(piece)
        if piece == b"(":
            depths.append(0)
        elif piece in MARKED and len(depths) > 1:
            depths.pop()
            depths[-1] += 0 if piece in (b"e", b"u", b"\x90", b"1") else 1
        elif piece in SIMPLE or piece in CALLS or piece[:1] in b"2hgj":
            depths[-1] += 1
        elif piece in TWO:
            depths[-1] -= 1
        elif piece in THREE:
            depths[-1] -= 2
        elif piece == b"0":
            depths[-1] -= 1
    out.append(draw(st.sampled_from([b".", b".", b"N.", b""])))
    return b"".join(out)


def check(data: bytes, *bases: type[Any]) -> None:
    """Load ``data`` in earnest, and compare."""
    said = predict(data)
    scan = scan_pickles(MemorySource("f", data), at=Location("f"), context=make_context())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the unpicklers warn about unknown escapes
        for base in bases:
            happened = load_with(base, data)
            assert is_predicted(happened, said), (happened, said)
            if any(entry.startswith(("call", "change")) for entry in happened):
                event("something was called")
                assert scan is not None
                assert not scan.complete or any(f.answer != "pass" for f in scan.findings)


UNPICKLERS: tuple[type[Any], ...] = (pickle.Unpickler, pickle._Unpickler)  # type: ignore[attr-defined]


@settings(max_examples=400, deadline=None)
@given(st.lists(streams(), min_size=1, max_size=3))
def test_every_call_of_both_unpicklers_was_predicted(pieces: list[bytes]) -> None:
    check(b"".join(pieces), *UNPICKLERS)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(ALL + CALLS), max_size=30))
def test_every_call_in_disorder_was_predicted(pieces: list[bytes]) -> None:
    check(b"".join(pieces), *UNPICKLERS)


@settings(max_examples=300, deadline=None)
@given(streams(), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3))
def test_every_call_in_a_damaged_stream_was_predicted(
    data: bytes, damage: list[tuple[int, int]]
) -> None:
    broken = bytearray(data)
    for index, value in damage:
        broken[index % len(broken)] = value
    assume(0x96 not in broken)  # BYTEARRAY8 makes the real unpickler allocate what it says
    # The C unpickler makes room for every memo index below the one that is named.
    check(bytes(broken), UNPICKLERS[1])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    for prefix in (b"", b"\x80\x04", b"\x80\x02]q\x00("):
        scan_pickles(MemorySource("f", prefix + data), at=Location("f"), context=make_context())


@settings(max_examples=200, deadline=None)
@given(st.lists(streams(), min_size=1, max_size=2))
def test_the_quick_loop_does_what_the_handlers_do(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    results = []
    for machine_type in (Machine, PatientMachine):
        log, context = Log(), make_context()
        judge = SpyJudge(log, context)
        machine = machine_type(MemorySource("f", data), judge, budget=context.budget)
        outcome = machine.run(0)
        held = (machine._stack, machine._outer, machine._outer_size)
        results.append((log, outcome.end, outcome.problem, outcome.ops, repr(held)))
    quick, patient = ([*map(_without_address, map(str, result))] for result in results)
    assert quick == patient


class PatientMachine(Machine):
    """Carries out everything through the handlers."""

    def _hurry(self, cursor: Any) -> None:
        """Leave it to them."""


def _without_address(text: str) -> str:
    return re.sub(r"at 0x[0-9a-f]+", "", text)


def test_the_probes_notice() -> None:  # a proof that cannot fail proves nothing
    happened = load_with(pickle.Unpickler, b"cmod\nhit\n)R.")
    assert happened == ["find mod hit", "call hit"]
    assert is_predicted(happened, predict(b"cmod\nhit\n)R."))
    assert not is_predicted(happened, Log(["find mod hit"]))
    assert not is_predicted(happened, Log(["call hit", "find mod hit"]))
