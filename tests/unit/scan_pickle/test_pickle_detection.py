"""What counts as a pickle, and what hostile figures cost."""

from __future__ import annotations

import pickle
import pickletools
import random
import struct
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from weighbridge.core import DEFAULT_LIMITS, Answer, Limits, Location
from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, PickleOpcode, read_pickle_ops
from weighbridge.scanning._context import Budget, PickleScan, ScanContext
from weighbridge.scanning._pickle._scan import scan_pickles
from weighbridge.scanning._pickle._standard_modules import STANDARD_MODULES

ROOT = Path(__file__).parents[3]


def scan(data: bytes, limits: Limits = DEFAULT_LIMITS, start: int = 0) -> PickleScan | None:
    context = ScanContext(limits, Budget(limits, "f"))
    return scan_pickles(MemorySource("f", data), at=Location("f"), context=context, start=start)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"hello\nworld\n", b"# Title\n\nSome text.\n", b"cat\ndog\nbird\n",
        b"cos\nsin\ntan\n", b"import os\nos.system('x')\n", b"i\nam\nhere\n", b"(see)\n",
        b"Now then. More text follows.\n", b"I am\nnobody\n", b"Vocabulary\nof words\n",
        b"[PAD]\n[UNK]\n[CLS]\n", b'{"a": 1}\n', b"<html></html>", b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"PK\x03\x04" + bytes(100), b"GGUF\x03\x00\x00\x00", b"\x7fELF" + bytes(60), bytes(1000),
        b"\x80", b"\x80\x06N.", b"\x80\xffxx", b"\x80\x02\x00\x00\x00\x00\x00\x00{}",
        b"}\n", b"]\n", b")\n", b"N.B. this is a note\n", b"Some words.\n" * 100,
    ],
)  # fmt: skip
def test_other_files_are_no_pickles(data: bytes) -> None:
    assert scan(data) is None


def test_every_text_of_this_repository_is_no_pickle() -> None:
    files = [*ROOT.glob("*.md"), *ROOT.glob("src/**/*.py"), *ROOT.glob("docs/**/*.md")]
    assert len(files) > 40
    for file in files:
        data = file.read_bytes()
        assert scan(data) is None, file
        for line in {line[:1]: line for line in data.splitlines()}.values():
            assert scan(data[data.index(line) :]) is None, (file, line)


def test_a_pickle_without_a_header_is_found_whatever_it_is_called() -> None:
    found = scan(b"cos\nsystem\n(S'id'\ntR.")
    assert found is not None
    assert [f.answer for f in found.findings] == [Answer.FAIL]


def test_start_skips_what_comes_before() -> None:
    found = scan(b"12345" + b"\x80\x04cos\nsystem\n)R.", start=5)
    assert found is not None
    assert found.findings[0].location.offset == 5 + 2 + 11 + 1


@pytest.mark.parametrize("cut", range(2, 30, 3))
def test_a_truncated_pickle_is_incomplete(cut: int) -> None:
    data = pickle.dumps({"key": [1, 2, "three"], "other": b"bytes"}, 4)[:-1]
    found = scan(data[:-cut])
    assert found is not None
    assert not found.complete
    assert "byte" in found.reason


def test_bytes_behind_a_pickle_are_told() -> None:
    found = scan(pickle.dumps([1], 4) + b"\xff" * 10)
    assert found is not None
    assert found.complete
    assert found.end == len(pickle.dumps([1], 4))
    assert found.reason.startswith("10 bytes from byte")


@pytest.mark.parametrize(
    "op",
    [
        b"B\xff\xff\xff\xff", b"X\xff\xff\xff\xff", b"T\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f",
        b"\x8d" + b"\xff" * 8, b"\x8e" + b"\xff" * 8, b"\x96" + b"\xff" * 7 + b"\x7f",
        b"T\xff\xff\xff\xff", b"\x8b\xff\xff\xff\xff", b"r\xff\xff\xff\xff",
        b"p99999999999999999\n", b"\x95" + b"\xff" * 8,
    ],
)  # fmt: skip
def test_lengths_that_lie_allocate_nothing(op: bytes) -> None:
    tracemalloc.start()
    try:
        scan(b"\x80\x04N" + op + b"N.")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_limits_end_in_unknown_never_in_pass() -> None:
    data = b"\x80\x04" + b"N" * 100_000 + b"."
    for limits in (
        replace(DEFAULT_LIMITS, max_pickle_ops=50_000),
        replace(DEFAULT_LIMITS, max_pickle_stack=50_000),
    ):
        found = scan(data, limits)
        assert found is not None
        assert not found.complete
        assert [f.rule_id for f in found.findings if f.answer is Answer.UNKNOWN] == ["WB-PKL-017"]
        assert "50,000" in found.reason


@pytest.mark.parametrize("op", [b"(", b"]\x94", b"N\x85\x94", b"}", b"\x80\x04", b"N0"])
def test_deep_and_long_streams_are_followed_without_recursion(op: bytes) -> None:
    found = scan(b"\x80\x04N" + op * 100_000 + b"N.")
    assert found is not None
    assert found.complete


def test_nested_values_are_shown_briefly() -> None:
    # Two names for each level: 2^60 leaves, if anybody walked them all.
    data = b"\x80\x04cos\nsystem\nN" + b"2\x86" * 60 + b"\x85R."
    found = scan(data)
    assert found is not None
    assert len(found.findings[0].detail) <= 400


def test_random_bytes_behind_a_pickle_are_no_findings() -> None:
    noise = random.Random(0).randbytes(8_000_000)
    found = scan(b"\x80\x04N." + noise)
    assert found is not None
    assert (found.findings, found.end, found.complete) == ((), 4, True)


def test_headers_in_what_follows_cost_little() -> None:
    found = scan(b"\x80\x04N." + b"\xff\x80\x04" * 20_000)
    assert found is not None
    assert [f.rule_id for f in found.findings] == ["WB-PKL-017"]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"I12\n", 12), (b"I 12 \n", 12), (b"I0x10\n", 16), (b"I01\n", 1), (b"I00\n", 0),
        (b"I-0b11\n", -3), (b"I1_000\n", 1000), (b"L12L\n", 12), (b"L12\n", 12), (b"L0x1fL\n", 31),
        (b"L-5L\n", -5), (b"\x8a\x00", 0), (b"\x8a\x01\xff", -1),
        (b"\x8b\x02\x00\x00\x00\x00\x80", -32768),
        (b"K\xff", 255), (b"M\xff\xff", 65535), (b"J\xff\xff\xff\xff", -1), (b"F1e3\n", 1000.0),
        (b"S'a\\x41\\n\\101'\n", b"aA\nA"), (b'S"x"\n', b"x"), (b"S'x'  \n", b"x"),
        (b"V\\u00e9x\n", "éx".encode()), (b"p 7\n", 7), (b"g007\n", 7),
        (b"cos\nsystem", (b"os", b"system")),
        (b"\x8d\x01" + bytes(7) + b"a", b"a"), (b"U\x01a", b"a"), (b"T\x01\x00\x00\x00a", b"a"),
    ],
)  # fmt: skip
def test_arguments_are_read_as_the_unpicklers_read_them(data: bytes, value: object) -> None:
    _, argument, offset = next(read_pickle_ops(MemorySource("f", data)))
    assert (argument, offset) == (value, 0)


@pytest.mark.parametrize(
    "data", [b"Ix\n", b"S'a\n", b"Sa\n", b"Fx\n", b"gx\n", b"\xff", b"\x8b\x00"]
)
def test_arguments_that_no_unpickler_reads_are_errors(data: bytes) -> None:
    with pytest.raises(ParseError, match="byte"):
        list(read_pickle_ops(MemorySource("f", data)))


@pytest.mark.parametrize("protocol", range(6))
def test_opcodes_and_offsets_agree_with_pickletools(protocol: int) -> None:
    rng = random.Random(protocol)
    value = [
        {str(i): rng.choice([i, i / 3, str(i) * 50, b"b" * i, None, -i * 10**9, 10**i])}
        for i in range(600)
    ]
    data = pickle.dumps([value, "x" * 3_000_000, value], protocol)
    expected = [(ord(op.code), at) for op, _, at in pickletools.genops(data)]
    actual = []
    for op, _, at in read_pickle_ops(MemorySource("f", data)):
        actual.append((op, at))
        if op == PickleOpcode.STOP:
            break
    assert actual == expected


def test_opcode_names_are_those_of_pickletools() -> None:
    assert {op.name: op.value for op in PickleOpcode} == {
        op.name: ord(op.code) for op in pickletools.opcodes
    }


def test_memory_does_not_grow_with_long_constants() -> None:
    data = b"\x80\x04(" + (b"B" + struct.pack("<I", 1 << 20) + bytes(1 << 20)) * 32 + b"t."
    tracemalloc.start()
    try:
        found = scan(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found is not None
    assert found.complete
    assert peak < 6_000_000


def test_no_standard_module_of_this_python_is_missing_from_the_fixed_list() -> None:
    """The list is fixed so that every machine says the same; here it is held to the real one."""
    assert sys.stdlib_module_names <= STANDARD_MODULES
