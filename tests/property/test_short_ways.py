"""Properties of the short ways through readers: each gives what the long way gives."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from weighbridge.core import (
    DEFAULT_LIMITS,
    Bundle,
    Envelope,
    EnvelopeSignature,
    PublicKeyMaterial,
    Statement,
    StepRecord,
    Subject,
    parse_bundle,
    parse_json,
)
from weighbridge.errors import ParseError, WeighbridgeError
from weighbridge.provenance import PREDICATE_TYPE, SharedMaterials, parse_provenance
from weighbridge.provenance._records import parse_record
from weighbridge.workflow._claim_sources import ClaimLines

# Bundles as we write them are taken apart without a reader of JSON.
BUILT = Bundle.build(
    PublicKeyMaterial("5e" * 32), Envelope(b'{"_type":"x"}', (EnvelopeSignature(b"0123456"),))
).raw
PIECES = st.sampled_from(
    [
        *(b"", b'"', b"\\", b"=", b"==", b"\n", b" ", b"A", b"AA", b"g", b"+/", b"-", b"\\u0041"),
        *(b"\x00", b"\x7f", b"\x80", b"\xc3\xa9", b'","keyid":"', b"{", b"}", b"}}", b"null"),
        *(b"\\/", b"0"),
    ]
)


def read(data: bytes) -> Bundle | None:
    try:
        return parse_bundle(data, what="it", limits=DEFAULT_LIMITS)
    except ParseError:
        return None


@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(BUILT)), st.integers(0, 3), PIECES), min_size=1, max_size=3
    )
)
@example(changes=[(0, 0, b"")])
@example(changes=[(BUILT.index(b"5e"), 64, b"")])
@example(changes=[(BUILT.index(b'payload":"') + 10, 20, b"")])
@example(changes=[(BUILT.index(b'","payloadType'), 0, b"\\/\\/\\/\\/")])
def test_a_bundle_is_read_as_json_is(changes: list[tuple[int, int, bytes]]) -> None:
    """RFC 8259: whitespace around a document says nothing; with it the reader of JSON is asked."""
    data = BUILT
    for at, length, piece in changes:
        data = data[:at] + piece + data[at + length :]
    short, long = read(data), read(data + b" ")
    assert short == (long and replace(long, raw=data))


TEXTS = st.text(st.sampled_from('[]{}",:\\a'), max_size=4)
VALUES = st.recursive(
    TEXTS | st.integers(-2, 2) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=20,
)


def measure(value: Any) -> int:
    if not isinstance(value, (list, dict)):
        return 0
    inside = value.values() if isinstance(value, dict) else value
    return 1 + max(map(measure, inside), default=0)


@given(value=VALUES, limit=st.integers(1, 5))
@example(value=[[], [[]], [[[]]], [[[[]]]]], limit=3)
@example(value=[[], [[]], [[[]]], [[[[]]]]], limit=4)
def test_depth_is_found_without_looking_at_everything(value: Any, limit: int) -> None:
    """``parse_json``: "too deep" is refused, wherever in the document the depth is."""
    limits = replace(DEFAULT_LIMITS, max_json_depth=limit)
    data = json.dumps(value).encode()
    # What is inside the document may be ``limit`` levels deep.
    if measure(value) <= limit + 1:
        assert parse_json(data, what="it", limits=limits) == value
        return
    try:
        parse_json(data, what="it", limits=limits)
    except ParseError:
        return
    raise AssertionError(measure(value))


SCALARS = st.sampled_from(["", "a", "1", 1, True, 1.0, None])
FEW = st.sampled_from
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "name": FEW(["a", "b", ""]) | SCALARS | st.just([]),
        "digest": st.dictionaries(FEW(["sha256", "sha512"]), FEW(["aa", "bb"]) | SCALARS),
        "uri": FEW(["pkg:a", ""]) | SCALARS,
        "annotations": st.fixed_dictionaries(
            {}, optional={"role": FEW(["package", "source", "data"]) | SCALARS, "files": SCALARS}
        ),
        "mediaType": SCALARS,
    },
)
# Few different ones, so that many are as they were before.
STEPS = st.lists(ITEMS | SCALARS, max_size=4).flatmap(
    lambda items: st.lists(st.lists(FEW(items), max_size=4) if items else st.just([]), max_size=6)
)


def to_statement(items: list[Any]) -> Statement:
    # Read again, so that no two values are one object.
    resolved = json.loads(json.dumps(items))
    predicate = {
        "buildDefinition": {
            "buildType": "https://weighbridge.dev/buildtypes/train/v1",
            "externalParameters": {"entryPoint": []},
            "resolvedDependencies": resolved,
        },
        "runDetails": {"builder": {"id": "urn:b"}, "metadata": {}},
    }
    return Statement((Subject("", {"sha256": "00"}),), PREDICATE_TYPE, predicate, b"")


def read_step(items: list[Any], shared: SharedMaterials | None) -> StepRecord | str:
    try:
        return parse_provenance(to_statement(items), shared=shared)
    except ParseError as error:
        return f"{error} {error.where}"


@given(steps=STEPS)
@example(
    steps=[
        [{"name": "a", "annotations": {"role": "package", "files": "1"}}],
        [{"name": "a", "annotations": {"role": "package", "files": 1}}],
        [{"name": "a", "annotations": {"role": "package", "files": "1"}}],
    ]
)
def test_what_was_read_before_changes_no_step(steps: list[list[Any]]) -> None:
    """``parse_provenance``: "what is equal is there once", and nothing else is different."""
    shared: SharedMaterials = {}
    for items in steps:
        assert repr(read_step(items, shared)) == repr(read_step(items, None))


@given(data=st.binary(max_size=30) | st.text("a\n\r", max_size=12).map(str.encode))
def test_lines_are_those_of_split(data: bytes) -> None:
    assert list(ClaimLines("it", data).split()) == data.split(b"\n")
    assert list(ClaimLines("it", data, numbered=False).split()) == [data]


NAMES = st.text("ab/.-_ é", min_size=1, max_size=8)
DIGESTS = st.one_of(
    st.just(""),
    st.binary(min_size=32, max_size=32).map(
        lambda data: "sha256=" + base64.urlsafe_b64encode(data).decode().rstrip("=")
    ),
    st.text("AEB_-4", min_size=43, max_size=43).map("sha256={}".format),
)
SIZES = st.sampled_from(["", "0", "007", "12", "9" * 18, "9" * 19, "-1", "x"])


@given(
    st.lists(st.tuples(NAMES, DIGESTS, SIZES), max_size=6),
    st.sampled_from(["\n", "\r\n"]),
)
def test_rows_of_record_are_read_alike_whether_or_not_one_is_quoted(
    rows: list[tuple[str, str, str]], end: str
) -> None:
    """A quoted row before them sends all of them through the csv module."""
    text = "".join(",".join(row) + end for row in rows)
    said = []
    for before in ("", '"q",,' + end):
        try:
            found = parse_record((before + text).encode(), limits=DEFAULT_LIMITS)
        except WeighbridgeError as error:
            said.append(type(error).__name__)
        else:
            said.append([row for row in found if row.name != "q"])
    assert said[0] == said[1]
