"""Pickles that cost: floods of each kind of opcode, names without end, objects inside objects."""

from __future__ import annotations

import pickle
import struct

from benchmarks._bombs import MIB, bomb, repeat, text

HEAD = b"\x80\x04"


def _stream(piece: bytes, size: int, start: bytes = b"", end: bytes = b".") -> bytes:
    return HEAD + start + repeat(piece, size) + end


_FLOODS: dict[str, tuple[bytes, bytes, int]] = {
    # name: what comes first, what is repeated, MiB
    "none-pop": (b"", b"N0", 50),
    "none": (b"", b"N", 20),
    "memoize": (b"N", b"\x94", 20),
    "memoize-pop": (b"", b"N\x940", 50),
    "get": (b"Nq\0", b"h\0", 40),
    "get-pop": (b"Nq\0", b"h\x000", 50),
    "long-get": (b"Nq\0", b"j\0\0\0\0" + b"0", 50),
    "text-get": (b"Np0\n", b"g0\n0", 40),
    "text-put": (b"N", b"p7\n", 40),
    "dup-pop": (b"N", b"20", 50),
    "dup": (b"]", b"2", 20),
    "mark": (b"", b"(", 20),
    "mark-pop": (b"", b"(1", 50),
    "mark-tuple": (b"", b"(t0", 50),
    "nested-lists": (b"", b"]", 20),
    "nested-tuples": (b")", b"\x85", 20),
    "nested-dicts": (b"", b"}K\0", 20),
    "append": (b"]", b"Na", 50),
    "append-lists": (b"]", b"]a", 50),
    "setitem": (b"}", b"K\0Ns", 50),
    "setitem-tuple": (b"}", b"K\0)\x85s", 50),
    "dicts-pop": (b"", b"}K\0Ns0", 50),
    "frozenset": (b"", b"(K\0\x910", 50),
    "addition": (b"\x8f", b"(K\0\x90", 50),
    "ints": (b"", b"I0\n0", 40),
    "floats": (b"", b"F0\n0", 40),
    "longs": (b"", b"L0L\n0", 40),
    "long1": (b"", b"\x8a\x01\x070", 40),
    "strings": (b"", b"S''\n0", 40),
    "unicode": (b"", b"V\n0", 40),
    "persid": (b"", b"P1\n0", 40),
    "binpersid": (b"", b"K\0Q0", 40),
    "global": (b"", b"cos\nsystem\n0", 20),
    "global-listed": (b"", b"ccollections\nOrderedDict\n0", 40),
    "stack-global": (b"\x8c\x02osq\0\x8c\x06systemq\x01", b"h\0h\x01\x930", 20),
    "reduce": (b"ccollections\nOrderedDict\nq\0", b"h\0)R0", 40),
    "reduce-state": (b"ccollections\nOrderedDict\nq\0", b"h\0)R}b0", 40),
    "reduce-kept": (b"ccollections\nOrderedDict\nq\0(", b"h\0)R", 20),
    "reduce-chain": (b"ccollections\nOrderedDict\n", b")R", 20),
    "reduce-bad": (b"cos\nsystem\nq\0", b"h\0)R0", 20),
    "reduce-unknown": (b"cmine\nfun\nq\0", b"h\0)R0", 20),
    "newobj": (b"csklearn.tree._classes\nDecisionTreeClassifier\nq\0", b"h\0)\x81}b0", 40),
    "newobj-unknown": (b"cmine\nThing\nq\0", b"h\0)\x81}b0", 20),
    "newobj-ex": (b"ccollections\nOrderedDict\nq\0", b"h\0)}\x920", 40),
    "inst": (b"", b"(icollections\nOrderedDict\n0", 40),
    "obj": (b"ccollections\nOrderedDict\nq\0", b"(h\0o0", 40),
    "build": (b"ccollections\nOrderedDict\n)R", b"}b", 40),
    "ext": (b"", b"\x82\x010", 20),
    "frames": (b"", b"\x95\0\0\0\0\0\0\0\0", 40),
    "frames-full": (b"", b"\x95\x02\0\0\0\0\0\0\0N0", 40),
    "proto": (b"", b"\x80\x04", 40),
    "bytearray": (b"", b"\x96\0\0\0\0\0\0\0\x000", 40),
    "buffers": (b"", b"\x97\x980", 20),
    "memo-far": (b"N", b"r\xff\xff\xff\x7f", 20),
    "mark-more-pop": (b"", b"(NNN1(NN1", 40),
    "tuple3": (b"", b"NNN\x870", 50),
    "bools": (b"", b"\x88\x89\x860", 50),
    "short-text": (b"", b"\x8c\x01a0", 50),
    "short-text-memo": (b"", b"\x8c\x01a\x940", 50),
    "dtype": (b"cnumpy\ndtype\nq\0", b"h\0\x8c\x02f8\x89\x88\x87R0", 40),
    "scalar": (
        b"cnumpy.core.multiarray\nscalar\nq\0cnumpy\ndtype\n\x8c\x02f8\x89\x88\x87Rq\x01",
        b"h\0h\x01C\x0812345678\x86R0",
        40,
    ),
    "reconstruct": (
        b"cnumpy.core.multiarray\n_reconstruct\nq\0cnumpy\nndarray\nq\x01",
        b"h\0h\x01K\0\x85C\x01b\x87R0",
        40,
    ),
    "datetime": (b"cdatetime\ndatetime\nq\0", b"h\0C\x0a\x07\xe5\x01\x01\0\0\0\0\0\0\x85R0", 40),
    "getattr": (b"cbuiltins\ngetattr\nq\0", b"h\0NN\x86R0", 20),
    "partial": (b"cfunctools\npartial\nq\0", b"h\0h\0\x85R0", 20),
    "set-by-call": (b"cbuiltins\nset\nq\0", b"h\0]\x85R0", 40),
    "stop": (b"", b".", 20),
}


def _register(name: str, start: bytes, piece: bytes, size: int) -> None:
    bomb(f"pickle-flood-{name}.pkl")(lambda: _stream(piece, size * MIB, start))


for _name, (_start, _piece, _size) in _FLOODS.items():
    _register(_name, _start, _piece, _size)


@bomb("pickle-small-ones.pkl")
def small_ones() -> bytes:
    return repeat(b"\x80\x04N.", 20 * MIB)


@bomb("pickle-small-dicts.pkl")
def small_dicts() -> bytes:
    return repeat(pickle.dumps({"a": 1, "b": [1, 2]}, 2), 40 * MIB)


@bomb("pickle-small-with-junk.pkl")
def small_with_junk() -> bytes:
    return repeat(b"\x80\x04N.\xff\xff\xff", 20 * MIB)


@bomb("pickle-small-protocol-0.pkl")
def small_protocol_0() -> bytes:
    return repeat(b"(lp0\nI1\na.", 20 * MIB)


@bomb("pickle-names.pkl")
def names() -> bytes:
    return HEAD + b"".join(b"cmod%d\nname%d\n0" % (i, i) for i in range(1_000_000)) + b"."


@bomb("pickle-names-dotted.pkl")
def names_dotted() -> bytes:
    return HEAD + b"c" + b"a." * 1_000_000 + b"b\n" + b"x." * 1_000_000 + b"y\n."


@bomb("pickle-names-dotted-many.pkl")
def names_dotted_many() -> bytes:
    name = b"a." * 500
    return HEAD + b"".join(b"c%sm%d\n%sn\n0" % (name, i, name) for i in range(15_000)) + b"."


@bomb("pickle-names-stack.pkl")
def names_stack() -> bytes:
    rows = (text(f"mod{i}") + text(f"name{i}") + b"\x930" for i in range(800_000))
    return HEAD + b"".join(rows) + b"."


@bomb("pickle-names-long.pkl")
def names_long() -> bytes:
    return HEAD + b"c" + b"m" * (20 * MIB) + b"\n" + b"n" * (20 * MIB) + b"\n)R."


@bomb("pickle-calls-nested.pkl")
def calls_nested() -> bytes:
    start = b"cbuiltins\ngetattr\nq\0"
    return HEAD + start + repeat(b"h\0", 2 * MIB) + b"N" + repeat(b"\x85R", 2 * MIB) + b"."


@bomb("pickle-laughs-tuples.pkl")
def laughs_tuples() -> bytes:
    return HEAD + b"N" + b"2\x86" * 5_000_000 + b"."


@bomb("pickle-laughs-lists.pkl")
def laughs_lists() -> bytes:
    out = b"".join(
        b"]r" + struct.pack("<I", i) + (b"(" + (b"j" + struct.pack("<I", i - 1)) * 10 + b"e")
        for i in range(1, 200_000)
    )
    return HEAD + b"]r\0\0\0\x000" + out + b"."


@bomb("pickle-laughs-called.pkl")
def laughs_called() -> bytes:
    out = b"N" + b"2\x86" * 60
    return HEAD + b"cos\nsystem\n" + out + b"\x85R."


@bomb("pickle-laughs-printed.pkl")
def laughs_printed() -> bytes:
    return (
        HEAD
        + b"cos\nsystem\nq\x01"
        + b"N"
        + b"2\x86" * 40
        + b"q\2"
        + b"0h\1h\2\x85R0" * 100_000
        + b"."
    )


@bomb("pickle-self-containing.pkl")
def self_containing() -> bytes:
    return HEAD + b"]q\0h\0a" * 1_000_000 + b"."


@bomb("pickle-memo-distinct.pkl")
def memo_distinct() -> bytes:
    return HEAD + b"N" + b"".join(b"r" + struct.pack("<I", i * 17) for i in range(6_000_000)) + b"."


@bomb("pickle-long-huge.pkl")
def long_huge() -> bytes:
    return HEAD + b"\x8b" + struct.pack("<i", 40 * MIB) + b"\x7f" * (40 * MIB) + b"."


@bomb("pickle-long-text-huge.pkl")
def long_text_huge() -> bytes:
    return b"L" + b"9" * (20 * MIB) + b"L\n."


@bomb("pickle-int-text-huge.pkl")
def int_text_huge() -> bytes:
    return b"I" + b"9" * (20 * MIB) + b"\n."


@bomb("pickle-int-text-many.pkl")
def int_text_many() -> bytes:
    return repeat(b"I" + b"9" * 4000 + b"\n0", 30 * MIB) + b"N."


@bomb("pickle-long-text-many.pkl")
def long_text_many() -> bytes:
    return repeat(b"L" + b"9" * 4000 + b"L\n0", 30 * MIB) + b"N."


@bomb("pickle-float-text-huge.pkl")
def float_text_huge() -> bytes:
    return b"F" + b"9" * (20 * MIB) + b"\n."


@bomb("pickle-string-escapes.pkl")
def string_escapes() -> bytes:
    return b"S'" + b"\\x41" * (10 * MIB) + b"'\n."


@bomb("pickle-unicode-escapes.pkl")
def unicode_escapes() -> bytes:
    return b"V" + b"\\u0041" * (6 * MIB) + b"\n."


@bomb("pickle-line-endless.pkl")
def line_endless() -> bytes:
    return b"\x80\x02c" + b"a" * (50 * MIB)


@bomb("pickle-lines-endless.pkl")
def lines_endless() -> bytes:
    return b"V" + repeat(b"V", 20 * MIB)


@bomb("pickle-lengths-lie.pkl")
def lengths_lie() -> bytes:
    return HEAD + b"\x8d" + struct.pack("<Q", 1 << 62) + bytes(MIB)


@bomb("pickle-text-one.pkl")
def text_one() -> bytes:
    return HEAD + b"X" + struct.pack("<I", 50 * MIB) + b"a" * (50 * MIB) + b"."


@bomb("pickle-in-pickle.pkl")
def in_pickle() -> bytes:
    data = pickle.dumps(None)
    for _ in range(500):
        data = pickle.dumps(data)
    return data


@bomb("pickle-in-pickle-twice.pkl")
def in_pickle_twice() -> bytes:
    data = pickle.dumps([1] * 10)
    for _ in range(17):
        data = pickle.dumps([data, b"\0" + data])
    return data


@bomb("pickle-bytes-like-pickles.pkl")
def bytes_like_pickles() -> bytes:
    return pickle.dumps([b"\x80\x04cos\nsystem\n" + b"%d" % i for i in range(500_000)])


@bomb("pickle-strings-of-code.pkl")
def strings_of_code() -> bytes:
    return pickle.dumps([f"import os\nos.system('{i}')\n" for i in range(300_000)])


@bomb("pickle-calls-of-code.pkl")
def calls_of_code() -> bytes:
    rows = (text(f"import os\nos.system('{i}')") + b"\x85R0" for i in range(200_000))
    return HEAD + b"cbuiltins\nexec\nq\0" + b"".join(b"h\0" + row for row in rows) + b"."


@bomb("pickle-instances.pkl")
def instances() -> bytes:
    """2 million instances of one listed class, each with a state."""
    item = b"h\0)\x81}(X\x01\0\0\0aK\x01X\x01\0\0\0bK\x02ub"
    head = b"csklearn.tree._classes\nDecisionTreeClassifier\nq\0]("
    return HEAD + head + item * 2_000_000 + b"e."
