"""Classes that cloudpickle carries as code: somebody has to look, but they are no attack."""

from __future__ import annotations

import collections
import enum
import pickle
from typing import Any

import cloudpickle
import pytest

from weighbridge.core import DEFAULT_LIMITS, Answer, Location
from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._pickle._scan import scan_pickles


def answers(data: bytes) -> set[Answer]:
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "f"))
    found = scan_pickles(MemorySource("f", data), at=Location("f"), context=context)
    assert found is not None
    return {finding.answer for finding in found.findings}


def make(kind: str) -> Any:
    if kind == "tuple":
        made = collections.namedtuple("Point", "x y")  # noqa: PYI024 - what is tested
        made.__module__ = "__main__"
        return made(1, 2)
    members = {"RED": 1, "BLUE": 2}
    bases = {"enum": enum.Enum, "int enum": enum.IntEnum}
    return list(bases[kind]("Color", members, module="__main__"))[0]  # noqa: RUF015


def dump(value: object, protocol: int) -> bytes:
    return bytes(cloudpickle.dumps(value, protocol))


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("kind", ["tuple", "enum", "int enum"])
def test_named_tuples_and_enumerations_by_value_are_unknown(kind: str, protocol: int) -> None:
    assert answers(dump(make(kind), protocol)) == {Answer.UNKNOWN}


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_class_whose_new_does_more_fails(protocol: int) -> None:
    def make_new(cls: type, *_: object) -> object:
        return cls.mro()

    evil = type("Evil", (tuple,), {"__new__": make_new, "__module__": "__main__"})
    evil.__reduce_ex__ = lambda self, _: (type(self), (1,))  # type: ignore[assignment]
    data = dump(tuple.__new__(evil, (1,)), protocol)
    assert Answer.FAIL in answers(data)
    assert pickle.PROTO + bytes([protocol]) == data[:2]
