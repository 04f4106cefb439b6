from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from license_expression import get_license_index, get_spdx_licensing

from weighbridge.errors import ParseError
from weighbridge.formats import parse_license
from weighbridge.formats._license_ids import HUGGING_FACE_LICENSES
from weighbridge.licenses import is_allowed

# The same examples everywhere; no deadline, because the first one loads slow packages.
LAW = settings(deadline=None, derandomize=True)

PEER = get_spdx_licensing()
IDS = ("MIT", "Apache-2.0", "GPL-2.0-only", "0BSD", "LicenseRef-Ours")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("APACHE-2.0", "Apache-2.0"),
        ("0bsd", "0BSD"),
        ("gpl-3.0", "GPL-3.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("llama3.1", "LicenseRef-scancode-llama-3.1-license-2024"),
        ("openrail++", "LicenseRef-huggingface-openrail-plus-plus"),
        ("LicenseRef-GPL", "LicenseRef-GPL"),
        ("DocumentRef-a:LicenseRef-b", "DocumentRef-a:LicenseRef-b"),
        ("mit and (isc or 0bsd)", "MIT AND (ISC OR 0BSD)"),
        ("mit or isc and 0bsd", "MIT OR (ISC AND 0BSD)"),
        ("((((mit))))", "MIT"),
        ("(mit or isc) or zlib", "MIT OR ISC OR Zlib"),
        (
            "gpl-2.0-only with classpath-exception-2.0",
            "GPL-2.0-only WITH Classpath-exception-2.0",
        ),
        ("MIT\tAND\nISC", "MIT AND ISC"),
    ],
)
def test_expressions_are_written_as_spdx_writes_them(text: str, expected: str) -> None:
    assert str(parse_license(text)) == expected
    assert str(parse_license(expected)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("Apache2", "'Apache2'"),
        ("unknown", "'unknown'"),
        ("other", "'other'"),
        ("MIT ISC", "'ISC' is out of place"),
        ("MIT AND", "missing"),
        ("OR MIT", "missing"),
        ("MIT WITH", "missing"),
        ("MIT WITH Apache-2.0", "no licence exception"),
        ("Classpath-exception-2.0", "no licence id"),
        ("MIT)", "out of place"),
        ("(MIT", "not closed"),
        ("()", "missing"),
        ("MIT, ISC", "'MIT,'"),
        ("MIT/ISC", "'MIT/ISC'"),
        ("LicenseRef-", "'LicenseRef-'"),
        ("LicenseRef-a b", "out of place"),
        ("\u202eMIT", "u202eMIT"),
        ("(" * 100 + "MIT" + ")" * 100, "more than 32 parentheses"),
        ("MIT AND " * 1_000 + "MIT", "too long"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_license(text)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


def expressions() -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(IDS),
        lambda inner: st.builds(
            "({} {} {})".format, inner, st.sampled_from(("AND", "OR", "and", "or")), inner
        ),
        max_leaves=8,
    )


def satisfies(expression: object, allowed: frozenset[str]) -> bool:
    """Decide as license-expression reads it, by substituting truth values."""
    parts = [satisfies(part, allowed) for part in getattr(expression, "args", ())]
    match type(expression).__name__:
        case "AND":
            return all(parts)
        case "OR":
            return any(parts)
        case _:
            return str(expression) in allowed


@LAW
@given(expressions(), st.sets(st.sampled_from(IDS)))
def test_and_needs_all_or_needs_one_as_the_reference_reads_it(text: str, allow: set[str]) -> None:
    peer = PEER.parse(text)
    assert is_allowed(text, sorted(allow)) is satisfies(peer, frozenset(allow))


@LAW
@given(expressions(), st.sets(st.sampled_from(IDS)))
def test_writing_and_reading_again_changes_nothing(text: str, allow: set[str]) -> None:
    value = parse_license(text)
    assert parse_license(str(value)) == value
    assert parse_license(str(value)).is_satisfied_by(allow) is value.is_satisfied_by(allow)


@LAW
@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    with suppress(ParseError):
        written = str(parse_license(text))
        assert str(parse_license(written)) == written


@pytest.mark.parametrize(
    ("expression", "allow", "answer"),
    [
        ("MIT", ["mit"], True),
        ("MIT", [], False),
        ("MIT", ["Apache-2.0"], False),
        ("llama3.1", ["LicenseRef-scancode-llama-3.1-license-2024"], True),
        ("LicenseRef-ours", ["LicenseRef-OURS"], True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ["GPL-2.0-only"], False),
        ("GPL-2.0-only", ["GPL-2.0-only WITH Classpath-exception-2.0"], False),
        (
            "GPL-2.0-only WITH Classpath-exception-2.0",
            ["gpl-2.0 with classpath-exception-2.0"],
            True,
        ),
        ("GPL-2.0-or-later", ["GPL-2.0-only"], False),
        ("bsd", ["BSD-3-Clause"], False),
        ("bsd", ["bsd"], True),
    ],
)
def test_is_allowed(expression: str, allow: list[str], answer: bool) -> None:  # noqa: FBT001 - expected
    assert is_allowed(expression, allow) is answer


@pytest.mark.parametrize(("expression", "allow"), [("zz", ["MIT"]), ("MIT", ["MIT OR ISC"])])
def test_is_allowed_refuses_what_it_cannot_read(expression: str, allow: list[str]) -> None:
    with pytest.raises(ParseError):
        is_allowed(expression, allow)


def test_table_names_licences_that_the_index_has_and_has_not_retired() -> None:
    index = {
        entry["spdx_license_key"]: entry
        for entry in get_license_index()
        if entry["spdx_license_key"]
    }
    for text, expression in HUGGING_FACE_LICENSES.items():
        assert text == text.lower()
        assert str(parse_license(expression)) == expression
        if not expression.startswith("LicenseRef-huggingface-"):
            assert not index[expression]["is_deprecated"]
            assert not index[expression]["is_exception"]


def test_ids_of_the_hub_that_spdx_has_are_spelt_as_spdx_does() -> None:
    for text, expression in HUGGING_FACE_LICENSES.items():
        if not expression.startswith("LicenseRef-"):
            # `gpl-2.0` gains `-only`, a few gain a version; no id becomes another licence.
            assert expression.lower().startswith(text.replace("lgpl-lr", "lgpllr"))


def test_index_is_loaded_only_for_ids_that_the_table_lacks() -> None:
    code = (
        "import sys; from weighbridge.licenses import is_allowed;"
        "is_allowed('mit OR LicenseRef-x', ['apache-2.0']); "
        "print('license_expression' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
