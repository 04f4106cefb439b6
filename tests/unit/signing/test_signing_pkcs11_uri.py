"""pkcs11: URIs (RFC 7512): one spelling in, the same value out, nothing passed over."""

from __future__ import annotations

from dataclasses import fields
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighbridge.errors import InputError
from weighbridge.signing._pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
FILES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).map(
    lambda name: "/" + name.lstrip("/")
)
OF_FIELD = {
    "id": st.binary(min_size=1, max_size=64),
    "slot_id": st.integers(0, 10**18),
    "library_version": st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3})?", fullmatch=True),
    "type": st.sampled_from(["private", "public", "cert", "secret-key", "data"]),
    "module_path": FILES,
    "pin_source": FILES,
}
URIS = st.builds(
    Pkcs11Uri,
    **{
        field.name: st.none() | OF_FIELD.get(field.name, TEXT.map(lambda text: text[:80]))
        for field in fields(Pkcs11Uri)
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(URIS)
def test_what_is_written_is_read_again(uri: Pkcs11Uri) -> None:
    assert parse_pkcs11_uri(uri.to_text()) == uri


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(URIS, st.randoms(use_true_random=False))
def test_neither_order_nor_needless_escapes_matter(uri: Pkcs11Uri, random: Random) -> None:
    path, _, query = uri.to_text().removeprefix("pkcs11:").partition("?")
    attributes = [
        name + "=" + "".join(f"%{ord(c):02x}" if c.isalnum() else c for c in value)
        if equals and "%" not in value
        else name + equals + value
        for name, equals, value in (attribute.partition("=") for attribute in path.split(";"))
    ]
    random.shuffle(attributes)
    assert parse_pkcs11_uri("PKCS11:" + ";".join(attributes) + (query and f"?{query}")) == uri


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        # RFC 7512, section 3, as far as it names keys.
        ("pkcs11:", Pkcs11Uri()),
        (
            "pkcs11:object=my-pubkey;type=public",
            Pkcs11Uri(object="my-pubkey", type="public"),
        ),
        (
            "pkcs11:object=my-key;type=private?pin-source=file:/etc/token",
            Pkcs11Uri(object="my-key", type="private", pin_source="/etc/token"),
        ),
        (
            (
                "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;"
                "model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial="
                "?pin-source=file:/etc/token_pin"
            ),
            None,  # its serial is empty
        ),
        (
            "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1",
            Pkcs11Uri(object="my-sign-key", type="private", module_path="/mnt/libmypkcs11.so.1"),
        ),
        (
            "pkcs11:slot-description=Sun%20Metaslot;slot-id=327",
            Pkcs11Uri(slot_description="Sun Metaslot", slot_id=327),
        ),
        (
            (
                "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft;"
                "library-version=1.23"
            ),
            Pkcs11Uri(
                library_manufacturer="Snake Oil, Inc.",
                library_description="Soft",
                library_version="1.23",
            ),
        ),
        (
            "pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert",
            Pkcs11Uri(token="A name with a substring %;", object="my-certificate", type="cert"),
        ),
        (
            "pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1;object=x",
            Pkcs11Uri(token="Name with a small A with acute: á", object="x"),
        ),
        ("pkcs11:id=%01%ff", Pkcs11Uri(id=b"\x01\xff")),
        ("pkcs11:?pin-source=file:///run/pin", Pkcs11Uri(pin_source="/run/pin")),
        ("pkcs11:?pin-source=/run/pin", Pkcs11Uri(pin_source="/run/pin")),
        ("pkcs11:token=a&b", Pkcs11Uri(token="a&b")),
    ],
)
def test_examples_of_the_specification(uri: str, expected: Pkcs11Uri | None) -> None:
    if expected is None:
        with pytest.raises(InputError, match=r"'serial' .* is empty"):
            parse_pkcs11_uri(uri)
        return
    assert parse_pkcs11_uri(uri) == expected


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file:key.pem", "begins with pkcs11:"),
        ("pkcs11", "begins with pkcs11:"),
        ("pkcs11:token", "not NAME=VALUE"),
        ("pkcs11:token=a;", "not NAME=VALUE"),
        ("pkcs11:;token=a", "not NAME=VALUE"),
        ("pkcs11:token=a?module-path=/m&", "not NAME=VALUE"),
        ("pkcs11:token=a;token=b", "'token' .* comes twice"),
        ("pkcs11:?module-path=/a&module-path=/b", "'module-path' .* comes twice"),
        ("pkcs11:Token=a", "'Token' .* is not an attribute that is known"),
        ("pkcs11:vendor=a", "'vendor' .* is not an attribute that is known"),
        ("pkcs11:token=a?vendor=a", "'vendor' .* is not an attribute that is known"),
        ("pkcs11:module-path=/m", "'module-path' .* belongs behind"),
        ("pkcs11:?token=a", "'token' .* belongs before"),
        ("pkcs11:token=", "'token' .* is empty"),
        ("pkcs11:token=a b", "'token' .* written as %XX"),
        ("pkcs11:token=ä", "'token' .* written as %XX"),
        ("pkcs11:token=a/b", "'token' .* written as %XX"),
        ("pkcs11:token=a%2", "'token' .* written as %XX"),
        ("pkcs11:token=a%zz", "'token' .* written as %XX"),
        ("pkcs11:token=a#b", "'token' .* written as %XX"),
        ("pkcs11:token=a?module-path=/m?pin-source=/p#", "'module-path' .* written as %XX"),
        ("pkcs11:token=%ff", "'token' .* is not UTF-8"),
        ("pkcs11:object=a%00b", "'object' .* holds a NUL"),
        ("pkcs11:slot-id=x", "'slot-id' .* is not a number"),
        ("pkcs11:slot-id=-1", "'slot-id' .* is not a number"),
        ("pkcs11:slot-id=007", "'slot-id' .* is not a number"),
        ("pkcs11:slot-id=%D9%A3", "'slot-id' .* is not a number"),
        ("pkcs11:library-version=1.2.3", "'library-version' .* is not a version"),
        ("pkcs11:type=key", "'type' .* is none of"),
        ("pkcs11:?module-path=lib.so", "'module-path' .* absolute path"),
        ("pkcs11:?module-path=//host/lib.so", "'module-path' .* absolute path"),
        ("pkcs11:?pin-source=pin", "'pin-source' .* absolute path"),
        ("pkcs11:?pin-source=file:pin", "'pin-source' .* absolute path"),
        ("pkcs11:?pin-source=file://host/pin", "'pin-source' .* absolute path"),
        ("pkcs11:?pin-source=%7Ccat%20/run/pin", "'pin-source' .* absolute path"),
        ("pkcs11:?pin-source=|cat", "'pin-source' .* absolute path"),
        ("pkcs11:?pin-source=https://host/pin", "'pin-source' .* absolute path"),
        ("pkcs11:?module-name=softhsm2", "'module-name' .* give the whole path as module-path"),
        ("pkcs11:?pin-value=1234", "'pin-value' .* leave it out to be asked"),
        ("pkcs11:pin-value=1234", "'pin-value' .* is not an attribute that is known"),
        ("pkcs11:token=" + "a" * 5000, "longer than 4096"),
    ],
)
def test_what_is_refused(uri: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_pkcs11_uri(uri)


@given(st.text(max_size=60) | st.text("aidtokenmpl-;?&=%/.:0123456789", max_size=60))
def test_anything_else_is_a_sentence(text: str) -> None:
    message = "\n"
    try:
        message = parse_pkcs11_uri("pkcs11:" + text).to_text()
    except InputError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("uri", ["pkcs11:?pin-value=S3CRET", "pkcs11:pin=S3CRET", "pkcs11:S3CRET"])
def test_messages_show_no_value(uri: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_pkcs11_uri(uri)
    assert "S3CRET" not in str(caught.value)
