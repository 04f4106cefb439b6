from __future__ import annotations

from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.provenance._uris import is_uri, to_file_uri, to_uri


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a?b=c#d",
        "file:data/x",
        "urn:uuid:0",
        "http://[::1]:8080/x",
        "git+ssh://git@host/a@refs/heads/b",
        "pkg:pypi/a@1.0?x=y",
    ],
)
def test_what_is_one(text: str) -> None:
    assert is_uri(text)
    assert to_uri(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "a", "a:", ":b", "1a:b", "a b:c", "a:b c", "a:%zz", "a:é", "a:<b>", "a:b#c#d", "a:{b}"],
)
def test_what_is_none(text: str) -> None:
    assert not is_uri(text)


@given(st.binary(min_size=1).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_path_has_one_and_comes_back(path: str) -> None:
    uri = to_file_uri(path)
    assert is_uri(uri)
    assert unquote_to_bytes(urlsplit(uri).path) == path.encode("utf-8", "surrogateescape")


@given(st.text(st.characters(exclude_characters="#[]?"), min_size=1))
def test_any_address_is_made_one(text: str) -> None:
    once = to_uri(f"git+https://example.com/{text}")
    assert is_uri(once)
    assert to_uri(once) == once
