"""What R would run is told, and models that R's own functions make pass."""

from __future__ import annotations

import base64
import gzip
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, FileScan
from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, find_r_start, read_r
from weighbridge.scanning import build_inspector

# Written by R 4.2: saveRDS of the environment of f(system("id")), of f(1 + 1), of an environment
# with an active binding, of quote(system("id")), of ~ x + y.
REAL = {
    "promise": (
        "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC2ADBYGCPgLZDIBaUagCCdIcWJROlCIFSLF8AeI2ZCk2Yor"
        "i0tSc4EskCYBJBmmzBQg+Q8ZAwBOd5qtfgAAAA=="
    ),
    "sum": (
        "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC2ADBYGCPgLZDIBaUagCCdIcWJROlCIFSLF8AeI2ZCkGbWB"
        "BEg9H4hj/4EBBrCJ/UPGAMcAb0uLAAAA"
    ),
    "active": (
        "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC2ADBYGCPgLxP+AWBiIZaFsgpgDaCKQZgSawgmiE4HmMSMZ"
        "xoYkyVZcWVySmgtkgbQIIMkwZaYQayEpGACjuNhE9AAAAA=="
    ),
    "quote": (
        "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC2ADDYgZmRgYeAEsYsri0tSc4EsJiAWQJJhykwBkv8Ad/9p"
        "akcAAAA="
    ),
    "formula": (
        "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC2AYmwMQFGgACMDCwMnSCI5J7G4GMgQQBJkT8svyi3NSURT"
        "y6PnmleWWZSfl5uaVwLk/wXif0jyjHVAAqSBDVlQGyoIF6hAF6iEmvMPAPIEsxC3AAAA"
    ),
}
WANTED = {
    "promise": {"WB-RDS-001"},
    "sum": set(),
    "active": {"WB-RDS-001"},
    "quote": {"WB-RDS-003"},
    "formula": set(),
}


def scan(data: bytes, name: str = "x.rds") -> FileScan:
    return build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, data))


def rules(data: bytes) -> set[str]:
    return {found.rule_id for found in scan(data).findings}


@pytest.mark.parametrize("name", sorted(REAL))
def test_what_r_wrote(name: str) -> None:
    data = base64.b64decode(REAL[name])
    assert rules(data) == WANTED[name]
    assert rules(gzip.decompress(data)) == WANTED[name]


# -- the same, built -------------------------------------------------------------------------------

HEAD = b"X\n" + struct.pack(">iii", 2, 0x040200, 0x020300)
NIL = struct.pack(">i", 254)
UNBOUND = struct.pack(">i", 252)
GLOBAL = struct.pack(">i", 253)


def symbol(name: str) -> bytes:
    text = name.encode()
    return struct.pack(">iii", 1, 9, len(text)) + text


def pair(kind: int, *items: bytes, flags: int = 0) -> bytes:
    return struct.pack(">i", kind | flags) + b"".join(items)


def call(name: str, *arguments: bytes) -> bytes:
    rest = NIL
    for argument in reversed(arguments):
        rest = pair(2, argument, rest)
    return pair(6, symbol(name), rest)


def promise(expression: bytes, value: bytes = UNBOUND) -> bytes:
    return pair(5, GLOBAL, value, expression, flags=0x400)


def vector(*items: bytes) -> bytes:
    return struct.pack(">ii", 19, len(items)) + b"".join(items)


TEXT = struct.pack(">iiii", 16, 1, 9, 2) + b"id"


@pytest.mark.parametrize("name", ["system", "system2", "source", "download.file", "dyn.load"])
def test_promises_that_act(name: str) -> None:
    assert rules(HEAD + promise(call(name, TEXT))) == {"WB-RDS-001"}
    assert rules(HEAD + vector(NIL, promise(call("c", call(name, TEXT))))) == {"WB-RDS-001"}


def test_promises_that_are_unknown_or_done() -> None:
    assert rules(HEAD + promise(call("my_function", TEXT))) == {"WB-RDS-002"}
    assert rules(HEAD + promise(call("do.call", TEXT))) == {"WB-RDS-002"}
    assert rules(HEAD + promise(call("sqrt", TEXT))) == set()
    assert rules(HEAD + promise(symbol("x"))) == set()
    # It has its value: nobody will run it.
    assert rules(HEAD + promise(call("my_function", TEXT), value=TEXT)) == set()


def test_a_call_of_what_a_call_gives() -> None:
    computed = pair(6, call("get", TEXT), NIL)
    assert rules(HEAD + promise(computed)) == {"WB-RDS-002"}


def test_other_headers() -> None:
    body = promise(call("system", TEXT))
    assert rules(b"RDX2\n" + HEAD + body) == {"WB-RDS-001"}
    assert rules(b"RDX3\nX\n" + struct.pack(">iiii", 3, 0, 0, 5) + b"UTF-8" + body) == {
        "WB-RDS-001"
    }
    ascii_body = "A\n2\n262656\n131840\n1029\n253\n252\n6\n1\n9\n6\nsystem\n254\n"
    assert rules(ascii_body.encode()) == {"WB-RDS-001"}


def test_what_only_begins_alike_is_something_else() -> None:
    assert not scan(b"A\n2\nare two lines of a text\n", "x.txt").findings
    assert find_r_start(b"X\nabcd") is None


@pytest.mark.parametrize(
    "data",
    [
        HEAD,
        HEAD + struct.pack(">ii", 19, 2**31 - 1),
        HEAD + struct.pack(">i", 99),
        HEAD + struct.pack(">ii", 255, 7),
        HEAD + struct.pack(">ii", 13, -5),
        HEAD + NIL + b"more",
        HEAD + pair(6, symbol("x")) * 50,
    ],
)
def test_what_cannot_be_read_is_not_examined(data: bytes) -> None:
    result = scan(data)
    assert any(row.status == "not-examined" for row in result.coverage)


def test_depth_is_no_recursion() -> None:
    deep = HEAD + pair(6) * 200_000 + symbol("system") + NIL * 200_001
    assert scan(deep).coverage


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from((b"X", b"A", b"B")))
def test_any_bytes_give_an_answer(data: bytes, kind: bytes) -> None:
    try:
        for _ in read_r(MemorySource("x", kind + b"\n" + data), start=0, spend=lambda _: None):
            pass
    except ParseError:
        pass
