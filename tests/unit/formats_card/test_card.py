from __future__ import annotations

import json
import string
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Card, CardEvidence, Limits
from weighbridge.formats import parse_card

# The same examples everywhere; no deadline, because the first one loads slow packages.
LAW = settings(deadline=None, derandomize=True)


def read(text: str | bytes, limits: Limits = DEFAULT_LIMITS) -> CardEvidence:
    data = text.encode() if isinstance(text, str) else text
    return parse_card(data, file="README.md", limits=limits)


def read_block(block: str) -> CardEvidence:
    return read(f"---\n{block}\n---\n# Model\n")


def must_read(block: str) -> Card:
    evidence = read_block(block)
    assert evidence.card, evidence.problem
    return evidence.card


CARD = """---
language:
- en
- no
license: apache-2.0
license_name: other-name
license_link: https://example.com/LICENSE
library_name: transformers
pipeline_tag: text-generation
base_model: org/base
datasets: [squad, "a/b"]
tags:
- one
- 2
model-index:
- name: x
  results: [{task: {type: t}, metrics: [{value: 1.5}]}]
---
# Title
"""


def test_card_with_everything() -> None:
    expected = Card(
        file="README.md",
        licenses=("apache-2.0",),
        license_name="other-name",
        license_link="https://example.com/LICENSE",
        base_models=("org/base",),
        datasets=("squad", "a/b"),
        languages=("en", "no"),
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=("one", "2"),
        has_body=True,
    )
    assert read(CARD) == CardEvidence(expected)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n", "  \n", "\ufeff\n"])
def test_line_ends_and_byte_order_mark(line_end: str, start: str) -> None:
    text = (start + CARD).replace("\n", line_end)
    assert read(text) == read(CARD)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\n\n"])
def test_problems_name_the_line_of_the_file(line_end: str, start: str) -> None:
    text = (start + "---\na: 1\nlicense: {}\n---\n").replace("\n", line_end)
    line = 3 + len(start)
    assert f"README.md: line {line}: license must be" in read(text).problem


@pytest.mark.parametrize(
    ("text", "has_body"),
    [
        ("", False),
        (" \n", False),
        ("# Title", True),
        ("Text\n---\nlicense: mit\n---\n", True),
        ("--- \nlicense: mit\n---\n", True),
        ("----\nlicense: mit\n----\n", True),
    ],
)
def test_file_without_metadata_is_a_card_that_declares_nothing(
    text: str,
    has_body: bool,  # noqa: FBT001 - expected
) -> None:
    assert read(text) == CardEvidence(Card("README.md", has_body=has_body))


@pytest.mark.parametrize("text", ["---\n---", "---\n---\n", "---\n\n---\n \n", "---\n# x\n---\n"])
def test_empty_metadata(text: str) -> None:
    assert read(text) == CardEvidence(Card("README.md"))


@pytest.mark.parametrize(
    "word", ["no", "NO", "off", "yes", "on", "n", "1.0", "20:00", "0x1F", ".nan"]
)
def test_words_stay_as_they_were_written(word: str) -> None:
    card = must_read(f"license: {word}\nlanguage: [{word}]\nlicense_name: {word}")
    assert (card.licenses, card.languages, card.license_name) == ((word,), (word,), word)


@pytest.mark.parametrize("null", ["", "~", "null", "NULL"])
def test_null_is_absent(null: str) -> None:
    card = must_read(f"license: {null}\nlicense_name: {null}")
    assert card == Card("README.md", has_body=True)


def test_quoted_null_is_text() -> None:
    assert must_read("license_name: 'null'").license_name == "null"


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("license: &a mit", "line 2: anchors and aliases"),
        ("a: 1\nlicense: *a", "line 3: anchors and aliases"),
        ("a: &a [x]\nb: &b [*a, *a]", "line 2: anchors and aliases"),
        ("license: !!str mit", "line 2: tags"),
        ("x: !!python/object/apply:os.system ['id']", "line 2: tags"),
        ("x: ! y", "line 2: tags"),
        ("license: mit\nlicense: gpl", "line 3: the key 'license' appears twice"),
        ("a:\n  b:\n  - {c: 1, c: 2}", "line 4: the key 'c' appears twice"),
        ("'license': mit\nlicense: gpl", "appears twice"),
        ("<<: {license: mit}", "line 2: merge keys"),
        ("? [a]\n: b", "line 2: a key must be text"),
        ("? {a: b}\n: b", "line 2: a key must be text"),
        ("license: {id: mit}", "line 2: license must be text, or a list of texts"),
        ("license: [mit, [gpl]]", "line 2: every entry of license must be text"),
        ("tags:\n- a\n-\n", "every entry of tags must be text"),
        ("license_name: [a]", "line 2: license_name must be one text"),
        ("license_link: {}", "line 2: license_link must be one text"),
        ("pipeline_tag: []", "line 2: pipeline_tag must be one text"),
        ("license: [mit", "not YAML"),
        ("\tlicense: mit", "line 2: not YAML"),
        ("x: \x07", "not YAML"),
        ("license: mit\n--- \nlicense: gpl", "line 4: a second document begins"),
        ("- license: mit", "line 2: the metadata block is not made of"),
        ("license", "line 2: the metadata block is not made of"),
        ("x: " + "[" * 100_000, "too many lists and mappings inside each other"),
        ("? " * 10_000, "too many lists and mappings inside each other"),
        ("license: " + "x" * 5_000, "license has 5,000 characters, more than 4,096"),
        ("x: [" + "a," * 250_000 + "]", "more than 250,000 values"),
        ("\u202ex: 1\n\u202ex: 2", r"the key '\\u202ex' appears twice"),
    ],
)
def test_malformed_metadata(block: str, problem: str) -> None:
    evidence = read_block(block)
    assert evidence.card is None
    assert evidence.malformed
    assert evidence.problem.startswith("README.md: ")
    assert problem in evidence.problem
    assert evidence.problem.isprintable()


def test_block_that_does_not_end() -> None:
    evidence = read("\n---\nlicense: mit\n")
    assert evidence.malformed
    assert "line 2: no line --- ends the metadata block" in evidence.problem


def test_block_that_is_not_utf_8() -> None:
    evidence = read(b"---\nlicense: \xff\n---\n")
    assert evidence.malformed
    assert "not UTF-8 at byte 13" in evidence.problem


def test_body_may_be_anything() -> None:
    evidence = read(b"---\nlicense: mit\n---\n\xff\x00 words")
    assert evidence == CardEvidence(Card("README.md", licenses=("mit",), has_body=True))


def test_size_of_the_block_is_bounded_and_not_that_of_the_body() -> None:
    limits = replace(DEFAULT_LIMITS, max_card_bytes=64)
    long_body = read("---\nlicense: mit\n---\n" + "x" * 1_000, limits)
    assert long_body.card
    long_block = read("---\nlicense: mit\n#" + "x" * 100 + "\n---\n", limits)
    assert long_block.malformed
    assert "max_card_bytes = 64" in long_block.problem


def test_depth_is_that_of_the_limits() -> None:
    block = "---\nx: [[[1]]]\n---\n"
    assert read(block, replace(DEFAULT_LIMITS, max_json_depth=4)).card
    assert read(block, replace(DEFAULT_LIMITS, max_json_depth=3)).malformed


def test_aliases_that_stand_for_billions_are_refused_at_the_first() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "line 2: anchors" in read_block("\n".join(lines)).problem


def test_file_name_is_safe_to_print() -> None:
    evidence = parse_card(b"---\n[\n---\n", file="\x1b[2J.md", limits=DEFAULT_LIMITS)
    assert evidence.problem.isprintable()


@LAW
@given(st.binary(max_size=300))
def test_any_bytes_are_a_card_or_malformed(data: bytes) -> None:
    for text in (data, b"---\n" + data + b"\n---\n", b"---\nlicense: " + data + b"\n---\n"):
        evidence = read(text)
        assert evidence.malformed is (evidence.card is None)
        assert bool(evidence.problem) is evidence.malformed
        assert evidence.problem.isprintable()


NAMES = st.text(string.ascii_letters + string.digits + "-_./ é漢", min_size=1, max_size=20)
TEXTS = NAMES.map(str.strip).filter(lambda text: text not in ("", "~", "null"))
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "license": TEXTS | st.lists(TEXTS, max_size=3),
        "license_name": TEXTS,
        "base_model": TEXTS | st.lists(TEXTS, max_size=3),
        "language": TEXTS | st.lists(TEXTS, max_size=3),
        "tags": st.lists(TEXTS, max_size=3),
        "model-index": st.recursive(
            st.integers() | TEXTS,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
            max_leaves=10,
        ),
    },
)


def as_tuple(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list) else () if value is None else (value,)


@LAW
@given(METADATA, st.sampled_from(("yaml", "flow", "json")))
def test_what_yaml_writes_is_what_is_read(metadata: dict[str, Any], style: str) -> None:
    """The peer writes; a text that YAML would take for something else is quoted by it."""
    if style == "json":
        block = json.dumps(metadata, ensure_ascii=False)
    else:
        block = yaml.safe_dump(metadata, allow_unicode=True, default_flow_style=style == "flow")
    card = must_read(block)
    assert card.licenses == as_tuple(metadata.get("license"))
    assert card.license_name == metadata.get("license_name", "")
    assert card.base_models == as_tuple(metadata.get("base_model"))
    assert card.languages == as_tuple(metadata.get("language"))
    assert card.tags == as_tuple(metadata.get("tags"))


def test_yaml_is_loaded_only_for_metadata() -> None:
    code = (
        "import sys; from weighbridge.core import DEFAULT_LIMITS;"
        "from weighbridge.formats import parse_card;"
        "parse_card(b'# x', file='README.md', limits=DEFAULT_LIMITS); print('yaml' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
