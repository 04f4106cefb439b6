from __future__ import annotations

import hashlib
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import (
    DEFAULT_LIMITS,
    Answer,
    ArtifactKind,
    Digest,
    Manifest,
    Resource,
    Severity,
    diff_manifests,
    parse_json,
    printable,
    to_json,
    to_size,
    worst,
)
from weighbridge.errors import ParseError


def resource(name: str, content: str, size: int = 1) -> Resource:
    return Resource(name, size, hashlib.sha256(content.encode()).hexdigest())


def test_a_digest_has_one_spelling() -> None:
    text = "sha256:" + "0f" * 32
    assert str(Digest.parse(text)) == text
    for bad in ("0f" * 32, "sha256:" + "0F" * 32, "sha256:0f", "sha1:" + "0f" * 32, text + "\n"):
        with pytest.raises(ParseError):
            Digest.parse(bad)


def test_the_oms_root_does_not_cover_names_and_the_artifact_digest_does() -> None:
    one = Manifest(ArtifactKind.FOLDER, "m", (resource("a", "x"), resource("b", "y")))
    two = Manifest(ArtifactKind.FOLDER, "m", (resource("a", "x"), resource("c", "y")))
    assert one.compute_oms_root() == two.compute_oms_root()
    assert one.compute_digest() != two.compute_digest()


def test_answers_join() -> None:
    for answers in itertools.product(Answer, repeat=3):
        joined = worst(answers)
        assert (joined is Answer.FAIL) == (Answer.FAIL in answers)
        assert (joined is Answer.PASS) == (set(answers) == {Answer.PASS})
    assert worst(()) is Answer.UNKNOWN


def test_severities_are_ordered() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3, 4]


def test_what_differs_between_manifests() -> None:
    expected = tuple(
        resource(*pair) for pair in (("same", "1"), ("was", "2"), ("gone", "3"), ("x", "4"))
    )
    actual = tuple(
        resource(*pair) for pair in (("same", "1"), ("now", "2"), ("new", "5"), ("x", "6"))
    )
    diff = diff_manifests(expected, actual)
    assert diff.names == ("gone", "new", "now", "was", "x")
    assert list(diff.to_lines()) == [
        "changed: x (1 bytes)",
        "missing: gone",
        "extra: new (1 bytes)",
        "renamed: was -> now",
    ]


RESOURCES = st.lists(
    st.builds(resource, st.sampled_from("abcdef"), st.sampled_from("123")),
    unique_by=lambda r: r.name,
).map(tuple)


@given(RESOURCES, RESOURCES)
def test_a_diff_tells_everything_and_nothing_twice(
    expected: tuple[Resource, ...], actual: tuple[Resource, ...]
) -> None:
    diff = diff_manifests(expected, actual)
    assert bool(diff) == (set(expected) != set(actual))
    without = {r.name: r for r in expected}
    for old in (*diff.missing, *(old for old, _ in diff.renamed)):
        del without[old.name]
    for new in (*diff.extra, *(new for _, new in diff.renamed), *(new for _, new in diff.changed)):
        without[new.name] = new
    assert set(without.values()) == set(actual)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "'a' appears twice"),
        (b'{"x": [{"a": 1, "a": 1}]}', "'a' appears twice"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"[" * 100 + b"]" * 100, "deeper than 64"),
        (b"[" * 1_000_000, "deeper than 64"),
        (b"9" * 10_000, "not JSON"),
    ],
)
def test_json_is_read_strictly(text: bytes, words: str) -> None:
    with pytest.raises(ParseError, match=words) as caught:
        parse_json(text, what="model.sig", limits=DEFAULT_LIMITS)
    assert "model.sig" in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_json_that_is_in_order_is_read_as_it_is(value: object) -> None:
    assert parse_json(json.dumps(value).encode(), what="x", limits=DEFAULT_LIMITS) == value


@given(JSON)
def test_what_is_written_as_json_reads_the_same_and_shows_safely(value: object) -> None:
    text = to_json(value)
    assert json.loads(text) == value
    assert all(char.isprintable() or char == "\n" for char in text)


def test_json_keeps_letters_and_escapes_what_a_terminal_acts_on() -> None:
    text = to_json({"模型": "è\x1b\x9b\u202e\x7f"})
    assert text == '{\n  "模型": "è\\u001b\\u009b\\u202e\\u007f"\n}'
    assert to_json("\x7f") == '"\\u007f"'
    assert to_json("latin\udce9").encode() == b'"latin\\udce9"'


def test_no_terminal_acts_on_a_name() -> None:
    assert printable("model.bin") == "model.bin"
    assert printable("modèle 模型") == "modèle 模型"
    assert printable("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert printable("a\nb") == "a\\nb"
    assert printable("abc\u202etxt.exe") == "abc\\u202etxt.exe"
    assert printable("latin\udce9") == "latin\\xe9"
    assert printable("zero\u200bwidth") == "zero\\u200bwidth"


@given(st.text(alphabet=st.characters(), max_size=600))
def test_printable_text_can_always_be_written(text: str) -> None:
    shown = printable(text)
    assert shown.encode().decode() == shown
    assert all(char.isprintable() for char in shown)
    assert printable(shown, limit=10_000) == shown


def test_sizes_are_read_at_a_glance() -> None:
    sizes = [0, 1023, 1024, 91_617_632, 5 * 1024**3, 3 * 1024**4]
    assert [to_size(size) for size in sizes] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "87.4 MiB",
        "5.0 GiB",
        "3.0 TiB",
    ]
