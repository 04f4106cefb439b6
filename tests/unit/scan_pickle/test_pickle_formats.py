"""What people really save is clean: plain data, NumPy, SciPy, scikit-learn, joblib, PyTorch."""

from __future__ import annotations

import argparse
import array
import collections
import datetime as dt
import decimal
import fractions
import io
import pathlib
import pickle
import random
import re
import struct
import time
import types
import uuid
import warnings
from typing import Any

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import make_classification
from sklearn.utils import all_estimators

from weighbridge.core import DEFAULT_LIMITS, Answer, Location
from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget, PickleScan, ScanContext
from weighbridge.scanning._pickle._scan import scan_pickles
from weighbridge.scanning._pickle._torch_storage import TORCH_MAGIC


def scan(data: bytes) -> PickleScan | None:
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "f"))
    return scan_pickles(MemorySource("f", data), at=Location("f"), context=context)


def assert_clean(data: bytes, what: object = "", form: str = "pickle") -> PickleScan:
    found = scan(data)
    assert found is not None, what
    assert [f for f in found.findings if f.answer is not Answer.PASS] == [], what
    assert (found.complete, found.reason, found.end) == (True, "", len(data)), what
    assert found.format == form, what
    return found


PLAIN: list[Any] = [
    None, True, 3, -(10**80), 2.5, 1j, "text", "é" * 300, b"x" * 1000, bytearray(b"ab"), (1,),
    [1, [2]], {"a": {"b": (1, 2, 3, 4)}}, {1, 2}, frozenset("ab"), range(3), slice(1, 2), Ellipsis,
    NotImplemented, type(None), object(), ValueError("x"), UnicodeDecodeError("a", b"b", 0, 1, "c"),
    collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]), collections.deque([1], 3),
    collections.Counter("abca"), collections.UserDict(a=1), collections.ChainMap({1: 2}),
    dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.date(2026, 1, 2),
    dt.timedelta(1), dt.timezone(dt.timedelta(hours=1)), decimal.Decimal("1.5"),
    fractions.Fraction(1, 3), uuid.UUID(int=5), pathlib.PurePosixPath("a/b"), pathlib.Path("a"),
    re.compile("a+", re.IGNORECASE), time.gmtime(0), array.array("d", [1.5]), random.Random(3),
    argparse.Namespace(lr=0.1), types.SimpleNamespace(a=1), list(range(3000)),
]  # fmt: skip
ARRAYS: list[Any] = [
    np.arange(5), np.zeros((0, 3)), np.array(5), np.asfortranarray(np.ones((30, 4))),
    np.array(["x", None], dtype=object), np.array([np.arange(2), np.arange(3)], dtype=object),
    np.array(["aa", "b"]), np.array([b"a"]), np.zeros(3, dtype=[("a", "f8"), ("b", "i4", (2,))]),
    np.zeros(3, dtype=[("a", "f8"), ("b", "O")]), np.array(["2026"], dtype="M8[s]"),
    {"w": np.ones((3, 4)), "b": [np.zeros(2), "after"]}, np.array([True]), np.ones(2, dtype=">f4"),
]  # fmt: skip
OTHERS: list[Any] = [
    np.float32(3), np.bool_(1), np.datetime64("2026"), np.dtype("f8"), np.dtype([("a", "O")]),
    np.random.RandomState(0), np.random.default_rng(0), np.ma.array([1, 2], mask=[0, 1]),
    np.ma.masked, np.rec.array([(1, 2.0)]), np.log1p, np.random.PCG64(1),
    *(
        getattr(scipy.sparse, f"{kind}_{form}")(np.eye(3))
        for kind in ("csr", "csc", "coo", "bsr", "lil", "dok", "dia")
        for form in ("matrix", "array")
    ),
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_and_arrays_are_clean(protocol: int) -> None:
    for value in [*PLAIN, *ARRAYS, *OTHERS]:
        assert_clean(pickle.dumps(value, protocol), value)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_by_the_python_pickler_are_clean(protocol: int) -> None:
    for value in PLAIN:
        file = io.BytesIO()
        pickle._Pickler(file, protocol).dump(value)  # type: ignore[attr-defined]
        assert_clean(file.getvalue(), value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x10K\x01K\x1bt", b"K\x10K\x01K\x00t"),  # flags: no objects, but there are
        (b"K\x08\x86", b"K\x09\x86"),  # the last field ends behind the item
        (b"K\x10K\x01K\x1bt", b"K\x80K\x01K\x1bt"),  # another size than the code says
    ],
)
def test_a_dtype_whose_state_contradicts_itself_is_unknown(old: bytes, new: bytes) -> None:
    data = pickle.dumps(np.dtype([("a", "f8"), ("b", "O")]), 4)
    assert old in data
    found = scan(data.replace(old, new))
    assert found is not None
    assert [f.rule_id for f in found.findings] == ["WB-PKL-015"]


def test_a_dtype_is_not_changed_after_it_was_used() -> None:
    dtype = b"cnumpy\ndtype\n\x8c\x02f8\x85R"
    state = b"(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    assert_clean(b"\x80\x04" + dtype + state + b".")
    found = scan(b"\x80\x04" + dtype + state + state + b".")
    assert found is not None
    assert [f.rule_id for f in found.findings] == ["WB-PKL-015"]


def dump_joblib(value: Any, protocol: int) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, protocol=protocol)
    return file.getvalue()


@pytest.mark.parametrize("protocol", range(6))
def test_joblib_files_are_clean(protocol: int) -> None:
    for value in ARRAYS:
        assert_clean(dump_joblib(value, protocol), value, form="joblib")
    for value in OTHERS[:10]:
        found = scan(dump_joblib(value, protocol))
        assert found is not None
        assert found.findings == ()


def test_estimators_of_scikit_learn_are_clean() -> None:
    features, labels = make_classification(60, 8, random_state=0)
    features = abs(features)
    seen = 0
    for name, estimator in all_estimators():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = estimator().fit(features, labels)
            except Exception:  # noqa: BLE001  # needs arguments, or other data
                continue
        seen += 1
        for protocol in (2, 5):
            data = pickle.dumps(model, protocol)
            assert_clean(data, name)
            found = scan(dump_joblib(model, protocol))
            assert found is not None, name
            assert (found.findings, found.complete) == ((), True), name
    assert seen > 120


class Storage:
    """Stands for torch.FloatStorage."""

    def __init__(self, key: str, values: bytes) -> None:
        self.key, self.values = key, values


class FloatStorage:
    """Written as the class of that name in torch."""


class Tensor:
    """Stands for torch.Tensor."""

    def __init__(self, storage: Storage, size: tuple[int, ...]) -> None:
        self.storage, self.size = storage, size


def _rebuild_tensor_v2(*args: Any) -> None:
    """Written as the function of that name in torch._utils."""


class TorchPickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Writes tensors as torch.save does, without torch."""

    legacy = True

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, Storage):
            pid = ("storage", FloatStorage, obj.key, "cpu", len(obj.values) // 4)
            return (*pid, None) if self.legacy else pid
        return None

    def save_global(self, obj: Any, name: str | None = None) -> None:
        modules = {FloatStorage: "torch", _rebuild_tensor_v2: "torch._utils"}
        if obj in modules:
            self.write(f"c{modules[obj]}\n{obj.__name__}\n".encode())
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    dispatch = {  # noqa: RUF012  # as in the class above it
        **pickle._Pickler.dispatch,  # type: ignore[attr-defined]
        type: save_global,
        types.FunctionType: save_global,
    }

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            hooks: Any = collections.OrderedDict()
            return _rebuild_tensor_v2, (obj.storage, 0, obj.size, (1,), False, hooks)
        return NotImplemented


def dump_torch(value: Any, *, legacy: bool) -> bytes:
    file = io.BytesIO()
    pickler = TorchPickler(file, 2)
    pickler.legacy = legacy
    pickler.dump(value)
    return file.getvalue()


def make_legacy() -> tuple[bytes, bytes]:
    """Return the pickles and the storages of a legacy file with two storages."""
    weights = collections.OrderedDict(
        w=Tensor(Storage("1001", bytes(12)), (3,)),
        b=Tensor(Storage("1002", b"\x80\x02N." * 2), (2,)),
    )
    pickles = [TORCH_MAGIC, 1001, {"little_endian": True, "protocol_version": 1001}]
    head = b"".join(pickle.dumps(value, 2) for value in pickles)
    head += dump_torch(weights, legacy=True) + pickle.dumps(["1001", "1002"], 2)
    raw = struct.pack("<q", 3) + bytes(12) + struct.pack("<q", 2) + b"\x80\x02N." * 2
    return head, raw


def test_the_pickle_of_a_pytorch_zip_is_clean() -> None:
    data = dump_torch({"w": Tensor(Storage("0", bytes(8)), (2,))}, legacy=False)
    assert assert_clean(data).storage_keys == {"0"}


def test_the_legacy_format_of_pytorch_is_followed_to_its_end() -> None:
    head, raw = make_legacy()
    found = assert_clean(head + raw, form="torch-legacy")
    assert found.storage_keys == {"1001", "1002"}


def test_bytes_behind_legacy_storages_are_told() -> None:
    head, raw = make_legacy()
    found = scan(head + raw + b"more")
    assert found is not None
    assert (found.end, found.complete) == (len(head + raw), True)
    assert found.reason.startswith("4 bytes")


@pytest.mark.parametrize("cut", [1, 9, 20, 40])
def test_legacy_files_that_are_cut_are_incomplete(cut: int) -> None:
    head, raw = make_legacy()
    found = scan((head + raw)[:-cut])
    assert found is not None
    assert not found.complete


def test_a_legacy_storage_that_no_tensor_uses_is_incomplete() -> None:
    head, raw = make_legacy()
    found = scan(head.replace(b"1002", b"1003", 1) + raw)
    assert found is not None
    assert not found.complete


def test_source_code_in_a_legacy_file_is_noted() -> None:
    pid = b"(X\x06\x00\x00\x00modulecfoo\nNet\nX\x01\x00\x00\x00fX\x01\x00\x00\x00stQ)\x81."
    found = scan(b"\x80\x02" + pid)
    assert found is not None
    assert [f.rule_id for f in found.findings] == ["WB-PKL-016", "WB-PKL-004"]


def test_arrays_that_joblib_keeps_in_other_files_are_unknown() -> None:
    state = b"}X\x08\x00\x00\x00filenameX\x05\x00\x00\x00x.npysb"
    data = b"\x80\x02cjoblib.numpy_pickle_compat\nNDArrayWrapper\n)\x81" + state + b"."
    found = scan(data)
    assert found is not None
    assert "WB-PKL-014" in {f.rule_id for f in found.findings}


def test_joblib_arrays_of_objects_are_scanned() -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return print, ("x",)

    data = dump_joblib(np.array([Payload(), 1], dtype=object), 4)
    found = scan(data)
    assert found is not None
    assert [f.rule_id for f in found.findings] == ["WB-PKL-001"]
    assert found.complete


def test_a_joblib_array_of_objects_is_also_what_pickle_load_makes_of_it() -> None:
    data = dump_joblib(["os", "system", np.array([1, None], dtype=object)], 4)
    nested = data.rindex(b"\x80", 0, data.rindex(b"_reconstruct"))
    assert nested > 0
    memo = b"\x80\x04\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94" + b"0" * 2
    for index in range(6):  # one of them is where the outer memo has the first text
        get = b"h" + bytes([index]) + b"h" + bytes([index + 1]) + b"\x93)R."
        found = scan(data[:nested] + memo + get + data[-2:])
        assert found is not None
        if {f.rule_id for f in found.findings} & {"WB-PKL-015"}:
            return
    raise AssertionError("pickle.load would call os.system")


def make_wrapper(dtype: str, shape: int, rest: bytes) -> bytes:
    """Return a joblib pickle whose array has a given dtype and length, then ``rest``."""
    data = dump_joblib(np.zeros(3, dtype=dtype), 2)
    head, _, _ = data.partition(b"numpy_array_alignment_bytes")
    assert b"K\x03\x85" in head
    cut = data[: data.index(b"ub", len(head)) + 2]
    return cut.replace(b"K\x03\x85", b"K" + bytes([shape]) + b"\x85") + rest


def test_a_joblib_array_is_passed_over_exactly() -> None:
    padding = b"\x04" + b"\xff" * 4
    clean = make_wrapper("f8", 2, padding + b"cos\nsystem\n)R.."[:16].ljust(16, b"R") + b".")
    assert_clean(clean, form="joblib")
    evil = make_wrapper("f8", 1, padding + b"x" * 8 + b"0cos\nsystem\n)R.")
    found = scan(evil)
    assert found is not None
    assert "WB-PKL-001" in {f.rule_id for f in found.findings}


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"\x04\xff\xff\xff\xff1234567",
        # pickle.load, which knows no arrays, would go on at what joblib takes for padding.
        b"(" + b"cos\nsystem\n)R".ljust(40, b"N") + b"x" * 8 + b".",
    ],
)
def test_joblib_arrays_that_cannot_be_told_are_unknown(rest: bytes) -> None:
    found = scan(make_wrapper("f8", 1, rest))
    assert found is not None
    assert not found.complete or any("os.system" in f.message for f in found.findings)
    assert {"WB-PKL-015"} <= {f.rule_id for f in found.findings}


def test_a_joblib_array_that_brings_its_own_method_is_not_followed() -> None:
    data = make_wrapper("f8", 2, b"\x04" + b"\xff" * 4 + bytes(16) + b".")
    assert_clean(data, form="joblib")
    found = scan(data.replace(b"X\x05\x00\x00\x00order", b"X\x04\x00\x00\x00read"))
    assert found is not None
    assert not found.complete


def test_a_dtype_that_lies_about_objects_is_not_followed() -> None:
    data = dump_joblib(np.zeros(2, dtype=[("a", "f8"), ("b", "O")]), 2)
    flags = b"K\x10K\x01K\x1bt"  # size 16, alignment 1, flags: has objects
    assert flags in data
    found = scan(data.replace(flags, b"K\x10K\x01K\x00t"))
    assert found is not None
    assert not found.complete


def test_several_pickles_in_a_row_are_all_followed() -> None:
    assert_clean(b"".join(pickle.dumps(i, i % 6) for i in range(20)))
