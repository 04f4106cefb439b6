"""Laws of reading JSON: however a document is read, it says the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weighbridge.core import (
    DEFAULT_LIMITS,
    Bundle,
    Envelope,
    EnvelopeSignature,
    PublicKeyMaterial,
    parse_bundle,
    parse_json,
)
from weighbridge.errors import ParseError

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 2**53, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
# Pieces of which texts are made that are nearly JSON.
PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        '"a"',
        '"b"',
        '"\\u0061"',
        '"a\\":"',
        "1",
        "-0",
        "1.0",
        "1e2",
        "9007199254740992",
        "NaN",
        "null",
        "\n",
        "\ufeff",
        '"é"',
    ]
)


def read(text: str, *, exact: bool) -> Any:
    data = text.encode()
    return parse_json(data, what="it", limits=DEFAULT_LIMITS, exact_integers=exact)


@given(value=VALUES, ascii_only=st.booleans(), exact=st.booleans())
def test_spaces_and_escapes_change_nothing(value: Any, *, ascii_only: bool, exact: bool) -> None:
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    spread = json.dumps(value, indent=1, ensure_ascii=ascii_only)
    assert read(compact, exact=exact) == read(spread, exact=exact) == value


@given(text=st.lists(PIECES, max_size=12).map("".join), exact=st.booleans())
@example(text='{"a":1,"a":1}', exact=False)
@example(text='{"a":{"b":1,"b":1}}', exact=False)
@example(text='{"a":1,"\\u0061":1}', exact=False)
@example(text="[9007199254740992]", exact=True)
@example(text="[NaN]", exact=False)
def test_what_is_refused_in_one_spelling_is_refused_in_another(text: str, *, exact: bool) -> None:
    try:
        value = read(text, exact=exact)
    except ParseError:
        with pytest.raises(ParseError):
            read(f"{text} ", exact=exact)
    else:
        assert repr(value) == repr(read(f"{text} ", exact=exact))


@given(
    st.binary(min_size=1, max_size=100),
    st.binary(min_size=1, max_size=9),
    st.text("0af", max_size=3),
)
def test_a_bundle_of_ours_is_read_as_any_other(payload: bytes, sig: bytes, hint: str) -> None:
    envelope = Envelope(payload, (EnvelopeSignature(sig),))
    built = Bundle.build(PublicKeyMaterial(hint), envelope)
    spread = json.dumps(json.loads(built.raw), indent=1).encode()
    for data in (built.raw, spread):
        found = parse_bundle(data, what="it", limits=DEFAULT_LIMITS)
        assert (found.material, found.envelope, found.raw) == (
            built.material,
            built.envelope,
            data,
        )


@given(st.text("AQgw=+/-", min_size=1, max_size=8))
def test_strange_base64_is_refused_in_both(text: str) -> None:
    envelope = Envelope(b"x", (EnvelopeSignature(b"y"),))
    raw = Bundle.build(PublicKeyMaterial(""), envelope).raw
    data = raw.replace(b'"payload":"eA=="', b'"payload":"' + text.encode() + b'"')
    results = []
    for spelled in (data, data + b" "):
        try:
            found = parse_bundle(spelled, what="it", limits=DEFAULT_LIMITS)
            results.append(found.envelope.payload)
        except ParseError as error:
            results.append(str(error))
    assert results[0] == results[1]
