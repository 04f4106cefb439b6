"""One target for each reader of documents: whatever the bytes are, it answers or raises ParseError.

Each ``fuzz_...`` takes bytes and returns nothing, so that other fuzzers can call it.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Location
from weighbridge.errors import ParseError
from weighbridge.formats import (
    MemorySource,
    decode_text,
    read_json_loose,
    read_xml_outline,
    read_yaml_tree,
)
from weighbridge.scanning import build_inspector
from weighbridge.scanning._documents._names import check_name
from weighbridge.scanning._documents._requirements import check_requirements

_PIECES = st.sampled_from(
    [
        *("_target_", "auto_map", "py/reduce", ": ", "os.system", "{", "}", "[", "]", '"', "'"),
        *(
            "!!python/name:",
            "&a ",
            "*a",
            "<<: ",
            "\n",
            "- ",
            "? ",
            "| ",
            "# ",
            ",",
            "\\u005f",
            "//",
        ),
        *(
            "/*",
            "*/",
            "<!DOCTYPE r [",
            "<!ENTITY a ",
            "SYSTEM ",
            "<r>",
            "--extra-index-url ",
            "%TAG",
        ),
        *(
            "git+https://a/b",
            "hf_",
            "PRIVATE KEY-----",
            "eyJ",
            "://u:",
            "@h",
            "=cmd|'",
            "\x1b",
            "\0",
        ),
    ]
)
TEXTS = st.lists(_PIECES | st.text(max_size=5), max_size=30).map("".join)
NAMES = ["config.json", "a.yaml", "a.xml", "requirements.txt", "MLmodel", "a.txt", ".env", "a.csv"]


def fuzz_yaml(data: bytes) -> None:
    """Read YAML."""
    try:
        tree = read_yaml_tree(data.decode("utf-8", "replace"), max_depth=64, max_values=10_000)
    except ParseError as error:
        assert str(error).isprintable()  # noqa: PT017 - the promise is about the message
        return
    assert tree.values >= len(tree.documents)


def fuzz_json(data: bytes) -> None:
    """Read JSON with all that is not JSON in it."""
    try:
        read_json_loose(data.decode("utf-8", "replace"), max_depth=64, max_values=10_000)
    except ParseError:
        return


def fuzz_xml(data: bytes) -> None:
    """Read what stands before the first element."""
    try:
        outline = read_xml_outline(data.decode("utf-8", "replace"))
    except ParseError:
        return
    assert outline.root or outline.entities


def fuzz_encoding(data: bytes) -> None:
    """Tell a text in another encoding."""
    text = decode_text(data)
    assert text is None or "\0" not in text


def fuzz_requirements(data: bytes) -> None:
    """Read requirements, and configurations of installers."""
    text = data.decode("utf-8", "replace")
    for name in ("requirements.txt", "pyproject.toml", "pipfile", "uv.lock"):
        assert len(list(check_requirements(text, name, Location(name)))) < 1_000


def fuzz_name(data: bytes) -> None:
    """Judge a name."""
    list(check_name(Location(data.decode("utf-8", "replace"))))


@pytest.mark.parametrize(
    "fuzz", [fuzz_yaml, fuzz_json, fuzz_xml, fuzz_encoding, fuzz_requirements, fuzz_name]
)
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200) | TEXTS.map(str.encode))
def test_a_reader_of_documents_raises_only_what_it_promises(fuzz, data: bytes) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    fuzz(data)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(text=TEXTS)
def test_every_document_is_accounted_for(name: str, text: str) -> None:
    scan = build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, text.encode()))
    assert scan.coverage
    assert not any("examiner failed" in row.reason for row in scan.coverage), scan


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=12,
    )
)
def test_the_lenient_reader_reads_all_json_as_json_does(value: object) -> None:
    import json  # noqa: PLC0415

    text = json.dumps(value)
    assert read_json_loose(text, max_depth=64, max_values=10_000) == value
