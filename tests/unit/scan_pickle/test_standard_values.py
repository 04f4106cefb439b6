"""Values of the standard library that programs keep beside their models pass, or are unknown."""

from __future__ import annotations

import collections
import csv
import decimal
import difflib
import http
import inspect
import ipaddress
import itertools
import json
import os
import pickle
import re
import signal
import statistics
import string
import tokenize
import typing
import urllib.parse
from typing import Any

import pytest

from weighbridge.core import DEFAULT_LIMITS, Answer, FileScan
from weighbridge.formats import MemorySource
from weighbridge.scanning import build_inspector

GOOD = {
    "address": ipaddress.ip_address("192.0.2.1"),
    "network": ipaddress.ip_network("2001:db8::/32"),
    "normal": statistics.NormalDist(1, 2),
    "template": string.Template("$a"),
    "url": urllib.parse.urlsplit("https://example.com/a?b"),
    "match": difflib.Match(1, 2, 3),
    "status": http.HTTPStatus.OK,
    "signal": signal.SIGINT,
    "stat": os.stat_result(range(10)),
    "terminal": os.terminal_size((80, 24)),
    "flags": re.RegexFlag.IGNORECASE,
    "signature": inspect.signature(str.split),
    "token": tokenize.TokenInfo(1, "a", (1, 1), (1, 2), "a"),
    "error": json.JSONDecodeError("m", "d", 0),
    "warning": DeprecationWarning("old"),
    "group": ExceptionGroup("several", [ValueError("one")]),
    "list of": list[int],
    "mapping of": typing.Mapping[str, typing.Any],
    "optional": typing.Optional[int],  # noqa: UP045 - the other way of writing it is below
    "union": int | str,
    "dialect": csv.excel(),
}
UNKNOWN = {
    "count": itertools.count(3),
    "chain": itertools.chain([1], [2]),
    "iterator": iter([1, 2]),
    "pairs": zip([1], [2], strict=False),
}


def scan(data: bytes) -> FileScan:
    return build_inspector(limits=DEFAULT_LIMITS)(MemorySource("x.pkl", data))


def dumps(value: object, protocol: int) -> bytes:
    try:
        return pickle.dumps(value, protocol)
    except (TypeError, pickle.PicklingError):
        pytest.skip("it has no pickle of this protocol")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", sorted(GOOD))
def test_values_pass(name: str, protocol: int) -> None:
    result = scan(dumps([GOOD[name]], protocol))
    assert not [found for found in result.findings if found.answer is not Answer.PASS]


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", sorted(UNKNOWN))
def test_iterators_are_unknown(name: str, protocol: int) -> None:
    result = scan(dumps(UNKNOWN[name], protocol))
    assert {found.answer for found in result.findings} == {Answer.UNKNOWN}


class Call:
    """Pickles as a call of anything with anything."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


HOSTILE = [
    Call(os.stat_result, Call(os.getcwd)),
    Call(list.__class_getitem__, os.system),
    Call(ipaddress.IPv4Address, Call(eval, "1")),
    Call(itertools.chain, Call(os.listdir)),
    Call(collections.deque, Call(map, eval, ["1"])),
    Call(decimal.Context, Call(print)),
]


@pytest.mark.parametrize("value", HOSTILE)
def test_what_is_put_into_them_is_judged(value: Any) -> None:
    assert Answer.FAIL in {found.answer for found in scan(pickle.dumps(value, 4)).findings}


def reduce_with(function: str, items: bytes) -> bytes:
    """Return the pickle of functools.reduce(_operator.FUNCTION, ITEMS)."""
    return b"\x80\x04cfunctools\nreduce\nc_operator\n%b\n%b\x86R." % (function.encode(), items)


def test_a_union_is_of_classes_only() -> None:
    classes = b"cbuiltins\nint\ncbuiltins\nstr\n\x86"
    assert not scan(reduce_with("or_", classes)).findings
    objects = b"c__main__\nX\n)\x81c__main__\nY\n)\x81\x86"
    for data in (reduce_with("concat", classes), reduce_with("or_", objects)):
        assert Answer.FAIL in {found.answer for found in scan(data).findings}
