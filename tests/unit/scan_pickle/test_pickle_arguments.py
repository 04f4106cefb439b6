"""Listed names in unlisted uses: arguments, states and added items are judged, not only names."""

from __future__ import annotations

import argparse
import datetime as dt
import io
import pickle
import struct
import zoneinfo
from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from weighbridge.core import DEFAULT_LIMITS, Answer, Limits, Location
from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget, PickleScan, ScanContext
from weighbridge.scanning._pickle._scan import scan_pickles

PROTO = b"\x80\x04"


def scan(
    data: bytes,
    allowed: frozenset[tuple[str, str]] = frozenset(),
    limits: Limits = DEFAULT_LIMITS,
) -> PickleScan:
    context = ScanContext(limits, Budget(limits, "f"), allowed=allowed)
    found = scan_pickles(MemorySource("f", data), at=Location("f"), context=context)
    assert found is not None
    return found


def find_rules(data: bytes, answer: Answer) -> set[str]:
    """Return the ids of the rules that give an answer."""
    return {f.rule_id for f in scan(data).findings if f.answer is answer}


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def call(function: bytes, *args: bytes) -> bytes:
    return function + b"(" + b"".join(args) + b"tR"


NAMESPACE = name("argparse", "Namespace")
WRAPPER = name("joblib.numpy_pickle", "NumpyArrayWrapper")
DTYPE = name("numpy", "dtype")
# Something that passes by itself, and that an attribute may hold.
HARMLESS = name("numpy", "log1p")


def state(key: str, value: bytes) -> bytes:
    return b"}" + text(key) + value + b"s"


@pytest.mark.parametrize(
    "key",
    ["append", "extend", "add", "__setstate__", "__array_interface__", "__array_struct__",
     "__array__", "__class__", "__dict__", "__reduce__", "__anything__", "as_subclass", "read",
     "keys", "update"],
)  # fmt: skip
def test_attributes_that_others_call_or_obey_fail(key: str) -> None:
    made = call(NAMESPACE)
    for value in (HARMLESS, b"}", call(name("collections", "OrderedDict"))):
        assert find_rules(PROTO + made + state(key, value) + b"b.", Answer.FAIL) == {"WB-PKL-009"}
        slots = b"N" + state(key, value) + b"\x86b."
        assert find_rules(PROTO + made + slots, Answer.FAIL) == {"WB-PKL-009"}


def test_the_same_attributes_are_fine_as_plain_values() -> None:
    values = argparse.Namespace(append=True, read=3, update=None, add="x", extend=1.5, keys=b"k")
    assert scan(pickle.dumps(values, 4)).findings == ()


def test_a_hook_among_many_attributes_is_not_overlooked() -> None:
    many = b"".join(text(f"a{i}") + b"N" for i in range(500))
    clean = PROTO + call(NAMESPACE) + b"}(" + many + b"ub."
    assert scan(clean).findings == ()
    hidden = PROTO + call(NAMESPACE) + b"}(" + many + text("append") + HARMLESS + b"ub."
    assert find_rules(hidden, Answer.UNKNOWN) == {"WB-PKL-019"}
    later = PROTO + call(NAMESPACE) + b"}(" + many + b"u" + text("append") + HARMLESS + b"sb."
    assert find_rules(later, Answer.UNKNOWN) == {"WB-PKL-019"}


@pytest.mark.parametrize(
    "given",
    [
        call(name("collections", "OrderedDict")),
        call(name("sklearn.utils._metadata_requests", "RouterMappingPair")),
        b"N\x85",
        b"]",
        HARMLESS,
        b"}" + b"K\x01" + b"Ns",  # an attribute that is no text
    ],
)
def test_states_that_cannot_be_read_are_unknown(given: bytes) -> None:
    assert find_rules(PROTO + call(NAMESPACE) + given + b"b.", Answer.UNKNOWN) == {"WB-PKL-019"}


@pytest.mark.parametrize(
    ("made", "change"),
    [
        (call(NAMESPACE), b"Na"),
        (call(NAMESPACE), b"(NNe"),
        (call(NAMESPACE), b"NNs"),
        (call(NAMESPACE), b"(NNu"),
        (call(NAMESPACE), b"(N\x90"),
        (call(name("collections", "OrderedDict")), b"Na"),
        (call(name("sklearn.svm._classes", "SVC")), b"NNs"),
        (call(name("random", "Random")), b"(N\x90"),
    ],
)
def test_items_for_an_object_that_takes_none_fail(made: bytes, change: bytes) -> None:
    assert find_rules(PROTO + made + change + b".", Answer.FAIL) == {"WB-PKL-009"}


@pytest.mark.parametrize(
    "scalar", ["uint64", "object_", "float64", "str_", "matrix", "ndarray", "recarray", "void"]
)
def test_what_converts_objects_to_arrays_is_not_called(scalar: str) -> None:
    address = b"}(" + text("data") + b"K\x08\x89\x86" + text("shape") + b")" + text("typestr")
    fake = call(NAMESPACE) + state("__array_interface__", address + text("<u8") + b"u") + b"b"
    for args in (b"K\x01", fake, call(NAMESPACE)):
        data = PROTO + call(name("numpy", scalar), args) + b"."
        assert "WB-PKL-009" in find_rules(data, Answer.FAIL)


@pytest.mark.parametrize(
    ("module", "attribute"),
    [("builtins", "int"), ("builtins", "str"), ("builtins", "bytes"), ("builtins", "bytearray"),
     ("builtins", "complex"), ("decimal", "Decimal"), ("builtins", "list"), ("builtins", "dict"),
     ("builtins", "tuple"), ("collections", "OrderedDict"), ("pathlib", "Path"),
     ("torch", "device"), ("scipy.sparse._csr", "csr_matrix"), ("sklearn.svm._classes", "SVC"),
     ("datetime", "datetime"), ("collections", "defaultdict"), ("argparse", "Namespace")],
)  # fmt: skip
def test_listed_classes_with_objects_as_arguments_are_unknown(module: str, attribute: str) -> None:
    data = PROTO + call(name(module, attribute), call(NAMESPACE)) + b"."
    assert find_rules(data, Answer.UNKNOWN) == {"WB-PKL-019"}
    data = PROTO + call(name(module, attribute), name("numpy", "mean")) + b"."
    assert find_rules(data, Answer.UNKNOWN) == {"WB-PKL-019"}


def test_a_leaked_address_does_not_pass() -> None:
    said = call(name("builtins", "str"), HARMLESS)
    raw = call(name("builtins", "bytearray"), said, text("ascii"))
    assert find_rules(PROTO + raw + b".", Answer.UNKNOWN) == {"WB-PKL-019"}


def test_one_function_is_not_pushed_once_and_counted_twice() -> None:
    # One memoized tuple in two nested calls used to pay for a push that was hidden elsewhere.
    load = name("torch.storage", "_load_from_bytes")
    nested = b"(" + load + name("builtins", "list") + b"C\x00\x85Nt\x940"
    rebuild = name("torch._tensor", "_rebuild_from_type_v2")
    data = PROTO + nested + (rebuild + b"h\x00R0") * 2
    data += call(NAMESPACE) + state("append", load) + b"bC\x03abca."
    rules = find_rules(data, Answer.FAIL)
    assert rules == {"WB-PKL-009"}
    # A tuple whose function was used up is not used again, whatever it holds.
    tensor = name("torch._utils", "_rebuild_meta_tensor_no_storage")
    args = name("torch", "float32") + b"))\x89t"
    once = b"(" + tensor + name("torch", "Tensor") + b"(" + args + b"Nt\x940"
    assert scan(PROTO + once + rebuild + b"h\x00R.").findings == ()
    twice = PROTO + once + (rebuild + b"h\x00R0") * 2 + b"N."
    assert find_rules(twice, Answer.FAIL) == {"WB-PKL-009"}


@pytest.mark.parametrize(
    "holder", [b"]%sa.", b"}K\x01%ss.", b"%s\x85.", b"%s.", b"%s\x94h\x00\x86.", b"(%s\x91.",
               b"%sQ.", b"(%sd.", b"}%sb."],
)  # fmt: skip
@pytest.mark.parametrize("held", [name("torch.storage", "_load_from_bytes"), WRAPPER, DTYPE])
def test_checked_names_that_are_held_fail(holder: bytes, held: bytes) -> None:
    assert "WB-PKL-009" in find_rules(PROTO + holder.replace(b"%s", held), Answer.FAIL)


@pytest.mark.parametrize(
    "maker",
    [
        call(name("sklearn.neighbors._kd_tree", "newObj"), WRAPPER),
        call(name("sklearn.neighbors._ball_tree", "newObj"), WRAPPER),
        call(name("sklearn.metrics._dist_metrics", "newObj"), WRAPPER),
        call(name("sklearn.tree._criterion", "__pyx_unpickle_Criterion"), WRAPPER, b"K\x01", b"N"),
        call(name("sklearn.neighbors._kd_tree", "newObj"), NAMESPACE),
        call(name("numpy._core.multiarray", "_reconstruct"), WRAPPER, b")", b"C\x01b"),
        # A class that is changed through what is no tuple of Python's own.
        call(NAMESPACE)
        + call(
            name("sklearn.utils._metadata_requests", "RouterMappingPair"),
            b"N",
            state("__class__", WRAPPER),
        )
        + b"b",
        # With objects in its dtype, scalar() returns any argument.
        call(NAMESPACE)
        + call(
            name("numpy._core.multiarray", "scalar"),
            call(DTYPE, text("O8")),
            b"N" + state("__class__", WRAPPER) + b"\x86",
        )
        + b"b",
    ],
)
def test_array_wrappers_are_made_in_one_way_only(maker: bytes) -> None:
    assert "WB-PKL-009" in find_rules(PROTO + maker + b".", Answer.FAIL)


def test_a_dtype_is_not_changed_inside_a_call() -> None:
    given = b"(K\x03" + text("|") + b"NNNK\x01K\x01K\x01t"
    rebuild = name("torch._tensor", "_rebuild_from_type_v2")
    dtype = call(DTYPE, text("V1"), b"\x89", b"\x88") + b"\x940"
    changed = call(rebuild, DTYPE, name("numpy.dtypes", "VoidDType"), b"h\x00\x85", given)
    assert "WB-PKL-009" in find_rules(PROTO + dtype + changed + b".", Answer.FAIL)
    alias = PROTO + dtype + call(DTYPE, b"h\x00") + b"."
    assert find_rules(alias, Answer.UNKNOWN) == {"WB-PKL-019"}


@pytest.mark.parametrize(
    "function", ["_rebuild_from_type", "_rebuild_from_type_v2", "_rebuild_parameter_with_state"]
)
def test_states_inside_calls_are_judged(function: str) -> None:
    tensor = name("torch._utils", "_rebuild_meta_tensor_no_storage")
    args = b"(" + name("torch", "float32") + b"))\x89t"
    hooked = state("__setstate__", HARMLESS)
    if function.startswith("_rebuild_from"):
        parts = (tensor, name("torch.nn.parameter", "Parameter"), args, hooked)
        data = call(name("torch._tensor", function), *parts)
    else:
        made = tensor + args + b"R"
        data = call(name("torch._utils", function), made, b"\x89", b"N", hooked)
    assert find_rules(PROTO + data + b".", Answer.FAIL) == {"WB-PKL-009"}
    clean = data.replace(text("__setstate__"), text("name_of_mine"))
    assert scan(PROTO + clean + b".").findings == ()


def test_methods_of_objects_are_not_called_by_rebuilders() -> None:
    for function in ("_rebuild_parameter", "_rebuild_device_tensor_from_cpu_tensor"):
        data = call(name("torch._utils", function), call(NAMESPACE), b"\x89", b"N")
        assert find_rules(PROTO + data + b".", Answer.FAIL) == {"WB-PKL-009"}


class Own:
    """A class that nobody vouches for."""


class OwnArray(np.ndarray):  # type: ignore[type-arg]
    """An array class that nobody vouches for."""


@pytest.mark.parametrize("protocol", range(6))
def test_own_classes_are_unknown_in_all_protocols(protocol: int) -> None:
    for value in (Own(), np.arange(3).view(OwnArray)):
        data = pickle.dumps(value, protocol)
        (finding,) = scan(data).findings
        assert (finding.rule_id, finding.answer) == ("WB-PKL-004", Answer.UNKNOWN)
        cls = type(value)
        assert finding.detail == f'allow = [["{cls.__module__}", "{cls.__name__}"]]'
        vouched = frozenset({(cls.__module__, cls.__name__)})
        assert scan(data, vouched).findings == ()


def test_an_own_class_does_not_hide_a_hook() -> None:
    vouched = frozenset({("mine", "Thing")})
    made = PROTO + call(name("mine", "Thing"), HARMLESS)
    assert scan(made + b"K\x01a}b.", vouched).findings == ()
    hooked = scan(made + state("append", name("numpy", "mean")) + b"b.", vouched)
    assert {f.answer for f in hooked.findings} == {Answer.FAIL}


def test_torchscript_helpers_are_unknown_and_the_rest_of_torch_jit_fails() -> None:
    helper = PROTO + call(name("torch.jit._pickle", "build_intlist"), b"]") + b"."
    assert {f.answer for f in scan(helper).findings} == {Answer.UNKNOWN}
    other = PROTO + call(name("torch.jit._pickle", "other"), b"]") + b"."
    assert find_rules(other, Answer.FAIL) == {"WB-PKL-001"}


def test_changes_of_the_loaders_objects_are_no_fail() -> None:
    assert {f.answer for f in scan(b"\x80\x02K\x01QNa.").findings} == {Answer.UNKNOWN}
    assert {f.answer for f in scan(b"\x80\x02K\x01QNb.").findings} == {Answer.UNKNOWN}


@pytest.mark.parametrize("protocol", range(6))
def test_dates_with_time_zones_are_clean(protocol: int) -> None:
    for zone in ("UTC", "Europe/Berlin", "America/Argentina/Ushuaia"):
        value = dt.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo(zone))
        assert scan(pickle.dumps(value, protocol)).findings == ()


def test_time_zones_are_looked_up_by_their_names_only() -> None:
    getattr_ = name("builtins", "getattr")
    zone = name("zoneinfo", "ZoneInfo")
    method = call(getattr_, zone, text("_unpickle"))
    for key in ("../../etc/passwd", "/etc/passwd", "a.b", ""):
        data = PROTO + call(method, text(key), b"K\x01") + b"."
        assert find_rules(data, Answer.FAIL) == {"WB-PKL-009"}
    for args in ((zone, text("from_file")), (NAMESPACE, text("_unpickle")), (zone, zone)):
        assert find_rules(PROTO + call(getattr_, *args) + b".", Answer.FAIL) == {"WB-PKL-001"}
    assert find_rules(PROTO + getattr_ + b".", Answer.FAIL) == {"WB-PKL-009"}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_searches_with_splitters_are_clean(protocol: int) -> None:
    search = GridSearchCV(SVC(), {"C": [1, 2]}, cv=StratifiedKFold(3))
    assert scan(pickle.dumps(search, protocol)).findings == ()


def test_an_array_of_strings_that_joblib_wrote_is_unknown_not_broken() -> None:
    file = io.BytesIO()
    joblib.dump(np.array(["a", "bb"], dtype=np.dtypes.StringDType()), file)
    found = scan(file.getvalue())
    assert {f.answer for f in found.findings} == {Answer.UNKNOWN}
    assert not found.complete


def test_a_limit_is_unknown_not_broken() -> None:
    names = b"".join(b"cmod%d\nf\n0" % i for i in range(DEFAULT_LIMITS.max_pickle_names + 1))
    found = scan(PROTO + b"ccollections\nOrderedDict\n)R0" + names + b"N.")
    assert not found.complete
    assert "max_pickle_names" in found.reason
    assert {f.answer for f in found.findings} == {Answer.UNKNOWN}


@pytest.mark.parametrize("op", [b"g", b"p"])
def test_a_memo_index_of_many_digits_is_an_error_of_the_pickle(op: bytes) -> None:
    found = scan(b"\x80\x04Np0\n" + op + b"0" * 70_000 + b"\n.")
    assert not found.complete
    assert "memo index" in found.reason


def test_containers_that_nobody_memoizes_are_counted() -> None:
    nested = b"(" + (b"(" + b"}" * 126 + b"t") * 126 + b"t"
    limits = replace(DEFAULT_LIMITS, max_pickle_stack=100_000)
    found = scan(PROTO + b"(" + nested * 10 + b"t.", limits=limits)
    assert not found.complete
    assert "max_pickle_stack" in found.reason


def test_large_arguments_that_the_memo_repeats_are_paid_for() -> None:
    big = b"(" + b"K\x01" * 100 + b"t\x940"
    args = b"(" + b"h\x01" * 2 + b"t\x940"
    data = PROTO + name("builtins", "int") + b"\x940" + big + args + b"h\x00h\x02R0" * 20_000
    limits = replace(DEFAULT_LIMITS, max_pickle_ops=1_000_000)
    found = scan(data + b"N.", limits=limits)
    assert not found.complete
    assert "max_pickle_ops" in found.reason


def test_a_class_is_made_by_its_reducer_as_by_a_call() -> None:
    made = call(name("copyreg", "__newobj__"), NAMESPACE)
    assert scan(PROTO + made + b".").findings == ()
    made = call(name("copyreg", "__newobj__"), NAMESPACE, b"K\x01")
    assert find_rules(PROTO + made + b".", Answer.UNKNOWN) == {"WB-PKL-019"}
    made = call(name("copyreg", "_reconstructor"), NAMESPACE, NAMESPACE, b"N")
    assert find_rules(PROTO + made + b".", Answer.FAIL) == {"WB-PKL-009"}


def test_what_a_nested_pickle_gave_is_not_changed() -> None:
    # It may be a wrapper of joblib's, which the nested pickle made in its own right.
    loaded = call(name("torch.storage", "_load_from_bytes"), b"C\x02N.")
    for given in (b"}", b"N", state("shape", b")")):
        assert find_rules(PROTO + loaded + given + b"b.", Answer.UNKNOWN) == {"WB-PKL-019"}
    assert find_rules(PROTO + loaded + b"Na.", Answer.FAIL) == {"WB-PKL-009"}


def test_a_storage_is_named_by_constants() -> None:
    storage = text("storage") + name("torch", "FloatStorage") + text("0")
    assert scan(PROTO + b"(" + storage + text("cpu") + b"K\x01tQ.").findings == ()
    odd = PROTO + b"(" + storage + call(NAMESPACE) + b"K\x01tQ."
    assert find_rules(odd, Answer.UNKNOWN) == {"WB-PKL-013"}


def test_a_reconstructor_does_not_write_down_an_address() -> None:
    for base in ("str", "bytes", "int"):
        cls = name("builtins", base)
        for value in (b"]" + HARMLESS + b"a", call(NAMESPACE)):
            data = call(name("copyreg", "_reconstructor"), cls, cls, value)
            assert find_rules(PROTO + data + b".", Answer.FAIL) == {"WB-PKL-009"}


def test_values_that_sklearn_keeps_are_no_findings() -> None:
    kept: list[Any] = [np.float64, np.log1p, int, str, type(None), StratifiedKFold]
    assert scan(pickle.dumps(argparse.Namespace(values=kept, dtype=np.float32), 4)).findings == ()
