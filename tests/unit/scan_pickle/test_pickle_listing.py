"""What --explain lists is what the scan's own machine does: same bytes, same findings."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import pickletools
import zipfile
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import EVIL_PICKLE
from weighbridge.core import DEFAULT_LIMITS, PickleListing, ScanReport
from weighbridge.export import explanation_to_text
from weighbridge.formats import MemorySource, PickleOpcode
from weighbridge.scanning import build_inspector, conclude, explain
from weighbridge.workflow import explain_file


class Evil:
    """Calls something when it is loaded, which nobody does here."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo pwned",)


def _explain(data: bytes) -> tuple[ScanReport, tuple[PickleListing, ...]]:
    scan, listings = explain(MemorySource("f", data), limits=DEFAULT_LIMITS)
    return conclude((scan,), failures=(), out_of_scope=()), listings


def _scan(data: bytes) -> ScanReport:
    scan = build_inspector(limits=DEFAULT_LIMITS)(MemorySource("f", data))
    return conclude((scan,), failures=(), out_of_scope=())


_OPS = st.sampled_from([bytes((op,)) for op in PickleOpcode])
_PIECES = st.one_of(
    _OPS,
    st.sampled_from(
        [
            *(
                b"cos\nsystem\n",
                b"ccollections\nOrderedDict\n",
                b"(S'id'\nt",
                b"\x8c\x02id",
                b"K\x01",
            ),
            *(b"}", b"]", b"\x94", b"q\x00", b"h\x00", b"R", b"\x81", b"b", b"\x80\x04", b"."),
        ]
    ),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(_PIECES, max_size=30).map(b"".join))
def test_watching_changes_nothing(data: bytes) -> None:
    report, _ = _explain(data)
    assert report == _scan(data)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("thing", [{"a": [1.5, "x", None]}, Evil(), list(range(300))])
def test_every_opcode_is_listed_or_counted_at_its_offset(protocol: int, thing: object) -> None:
    data = pickle.dumps(thing, protocol=protocol)
    wanted = [(op.name, at) for op, _, at in pickletools.genops(data) if at is not None]
    _, (listing,) = _explain(data)
    assert listing.opcodes == len(wanted)
    assert listing.is_whole
    assert sum(step.folded or 1 for step in listing.steps) == len(wanted)
    offsets = {at for _, at in wanted}
    assert all(step.offset in offsets for step in listing.steps)
    assert [step.offset for step in listing.steps] == sorted(step.offset for step in listing.steps)


def test_imports_calls_and_states_are_in_words() -> None:
    _, (listing,) = _explain(pickle.dumps({"e": Evil()}, protocol=4))
    effects = [step.effect for step in listing.steps]
    name = f"{os.system.__module__}.system"
    assert f"import {name}" in effects
    assert f"call {name}('echo pwned')" in effects
    assert "protocol 4" in effects
    assert "set 1 items of the dict" in effects or "set an item" in effects
    assert effects[-1] == "the end: gives the dict"


def test_memory_and_lines_stay_bounded() -> None:
    many = pickle.dumps([*({"a": i, "b": str(i)} for i in range(40_000)), Evil()])
    _, (listing,) = _explain(many)
    assert len(listing.steps) < 30
    assert listing.opcodes == sum(1 for _ in pickletools.genops(many))
    assert listing.opcodes == sum(step.folded or 1 for step in listing.steps)
    assert any(step.effect.startswith("call ") for step in listing.steps)
    calls = b"\x80\x02" + b"ccollections\nOrderedDict\n)R0" * 21_000 + b"N."
    _, (listing,) = _explain(calls)
    assert len(listing.steps) <= 20_001
    assert "not listed" in listing.steps[-1].effect


def test_pickles_are_found_by_the_scans_own_routing_not_by_names() -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("picture.png", EVIL_PICKLE)
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("notes.txt", inner.getvalue())
    _, (listing,) = _explain(outer.getvalue())
    assert listing.location.member == ("notes.txt", "picture.png")


def test_arrays_of_objects_and_compressed_pickles_are_listed() -> None:
    array = io.BytesIO()
    np.savez(array, x=np.array([{"a": 1}, None], dtype=object))
    _, (listing,) = _explain(array.getvalue())
    assert listing.location.member == ("x.npy",)
    assert listing.is_whole
    _, (listing,) = _explain(gzip.compress(EVIL_PICKLE))
    assert listing.steps[-2].effect.startswith("call ")
    file = io.BytesIO()
    joblib.dump({"a": np.ones(3), "b": "c"}, file)
    _, (listing,) = _explain(file.getvalue())
    assert listing.is_whole
    assert listing.steps[-1].opcode == "STOP"


def test_text_that_begins_like_an_opcode_is_no_pickle() -> None:
    _, listings = _explain(b"Plain text\nthat goes on.\n")
    assert listings == ()


def test_a_long_pickle_is_listed_to_its_end() -> None:
    data = pickle.dumps([float(number) for number in range(600_000)])
    scan, (listing,) = _explain(data)
    assert not scan.findings
    assert listing.is_whole
    assert [step.opcode for step in listing.steps[:2]] == ["PROTO", "FRAME"]
    assert listing.steps[-1].opcode == "STOP"
    assert listing.steps[-1].offset == len(data) - 1
    assert "bytes of opcodes that build data" in listing.steps[-2].effect


def test_a_call_has_no_comma_behind_its_only_argument() -> None:
    found = explain_file(b"cposix\nsystem\n(S'id'\ntR.")
    assert found.path == "-"
    assert [one.detail for one in found.report.findings] == ["posix.system('id')"]


def test_what_breaks_off_says_so() -> None:
    _, (listing,) = _explain(EVIL_PICKLE[:-1])
    assert not listing.is_whole
    text = explanation_to_text(explain_file(EVIL_PICKLE[:-1]), width=80, colour=False)
    assert "breaks off" in text
    assert "WB-PKL-012" in text


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_asked(width: int, unicode: bool) -> None:  # noqa: FBT001
    evil = pickle.dumps({"e": Evil(), "l": list(range(300)), "\x1b[31m": "\u202e" * 500})
    found = explain_file(evil)
    text = explanation_to_text(found, width=width, colour=False, unicode=unicode)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert unicode or text.isascii()
