from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from unit.signing.signing_samples import b64, bundle_document, read_bundle, signed_bytes
from weighbridge.artifact import read_document
from weighbridge.core import (
    DEFAULT_LIMITS,
    Statement,
    Subject,
    parse_bundle,
    parse_statement,
)
from weighbridge.errors import InputError, LimitExceededError, ParseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[dict[str, Any]], object]


def test_a_bundle_keeps_its_own_bytes() -> None:
    data = signed_bytes()
    bundle = read_bundle(data)
    assert bundle.raw == data
    assert b"\n" not in data
    assert len(bundle.material.hint) == 64
    assert json.loads(bundle.envelope.payload)["predicate"]["resources"][0]["name"] == "a"


def test_spaces_between_do_not_matter() -> None:
    document = bundle_document()
    assert read_bundle(json.dumps(document, indent=4).encode()).envelope


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["verificationMaterial"].pop("tlogEntries"),
        lambda d: d["verificationMaterial"].update(tlogEntries=None),
        lambda d: d["verificationMaterial"].update(timestampVerificationData=None),
        lambda d: d["verificationMaterial"].update(certificate=None),
        lambda d: d["dsseEnvelope"]["signatures"][0].pop("keyid"),
        lambda d: d["dsseEnvelope"]["signatures"][0].update(keyid=None),
        lambda d: d["verificationMaterial"].update(
            publicKey={"rawBytes": "LS0t", "keyDetails": "PKIX_ECDSA_P384_SHA_384"}
        ),
    ],
)
def test_what_older_signers_wrote_is_read(change: Change) -> None:
    document = bundle_document()
    change(document)
    assert read_bundle(json.dumps(document).encode()).envelope.signatures[0].keyid == ""


def set_material(name: str, value: object) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["verificationMaterial"] = {name: value, "tlogEntries": []}

    return change


def set_signature(**fields: object) -> Change:
    return lambda document: document["dsseEnvelope"]["signatures"][0].update(fields)


def set_envelope(**fields: object) -> Change:
    return lambda document: document["dsseEnvelope"].update(fields)


V3 = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"

BAD_BUNDLES: dict[str, tuple[Change, str, str]] = {
    "no media type": (lambda d: d.pop("mediaType"), "media type missing", "mediaType"),
    "old media type": (
        lambda d: d.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        "version=0.2",
        "mediaType",
    ),
    "media type with a tail": (lambda d: d.update(mediaType=V3 + " "), "media type", "mediaType"),
    "media type a list": (lambda d: d.update(mediaType=[V3]), "media type", "mediaType"),
    "unknown field": (lambda d: d.update(extra=1), "'extra'", ""),
    "bare bytes": (
        lambda d: d.update(messageSignature={"signature": ""}),
        "not a statement",
        "messageSignature",
    ),
    "no material": (
        lambda d: d.pop("verificationMaterial"),
        "an object is wanted",
        "verificationMaterial",
    ),
    "no envelope": (lambda d: d.pop("dsseEnvelope"), "an object is wanted", "dsseEnvelope"),
    "envelope a string": (lambda d: d.update(dsseEnvelope=""), "an object", "dsseEnvelope"),
    "certificate without bytes": (
        lambda d: d.update(verificationMaterial={"certificate": {}}),
        "empty or missing",
        "verificationMaterial.certificate.rawBytes",
    ),
    "empty chain": (
        lambda d: d.update(verificationMaterial={"x509CertificateChain": {"certificates": []}}),
        "a chain without a certificate",
        "verificationMaterial.x509CertificateChain.certificates",
    ),
    "long chain": (
        lambda d: d.update(
            verificationMaterial={"x509CertificateChain": {"certificates": [{}] * 11}}
        ),
        "11 things",
        "verificationMaterial.x509CertificateChain.certificates",
    ),
    "broken timestamp": (
        lambda d: d["verificationMaterial"].update(
            timestampVerificationData={"rfc3161Timestamps": [{"signedTimestamp": "?"}]}
        ),
        "broken base64",
        "verificationMaterial.timestampVerificationData.rfc3161Timestamps[0].signedTimestamp",
    ),
    "unknown material": (
        set_material("passkey", {}),
        "'passkey'",
        "verificationMaterial",
    ),
    "key and certificate": (
        lambda d: d["verificationMaterial"].update(certificate={}),
        "names publicKey and certificate",
        "verificationMaterial",
    ),
    "log entries": (
        lambda d: d["verificationMaterial"].update(tlogEntries=[{}]),
        "nobody verifies beside a key",
        "verificationMaterial.tlogEntries",
    ),
    "timestamps": (
        lambda d: d["verificationMaterial"].update(timestampVerificationData={"a": 1}),
        "'a', which is not known",
        "verificationMaterial.timestampVerificationData",
    ),
    "hint a number": (
        set_material("publicKey", {"hint": 5}),
        "a string is wanted",
        "verificationMaterial.publicKey.hint",
    ),
    "unknown in key": (
        set_material("publicKey", {"hint": "", "trust": "me"}),
        "'trust'",
        "verificationMaterial.publicKey",
    ),
    "payload type": (
        set_envelope(payloadType="application/json"),
        "'application/json'",
        "dsseEnvelope.payloadType",
    ),
    "payload type in capitals": (
        set_envelope(payloadType=IN_TOTO.upper()),
        IN_TOTO,
        "dsseEnvelope.payloadType",
    ),
    "no signature": (
        set_envelope(signatures=[]),
        "0 signatures; exactly one",
        "dsseEnvelope.signatures",
    ),
    "two signatures": (
        lambda d: d["dsseEnvelope"]["signatures"].append({"sig": "AAAA", "keyid": ""}),
        "2 signatures; exactly one",
        "dsseEnvelope.signatures",
    ),
    "signatures an object": (
        set_envelope(signatures={"sig": "AAAA"}),
        "no list of signatures",
        "dsseEnvelope.signatures",
    ),
    "signature a string": (
        set_envelope(signatures=["AAAA"]),
        "an object is wanted",
        "dsseEnvelope.signatures[0]",
    ),
    "signature missing": (
        set_envelope(signatures=[{"keyid": ""}]),
        "empty or missing",
        "dsseEnvelope.signatures[0].sig",
    ),
    "keyid a list": (
        set_signature(keyid=[]),
        "a string is wanted",
        "dsseEnvelope.signatures[0].keyid",
    ),
    "payload empty": (set_envelope(payload=""), "empty or missing", "dsseEnvelope.payload"),
    "payload an object": (
        set_envelope(payload={"_type": ""}),
        "a string is wanted",
        "dsseEnvelope.payload",
    ),
}


@pytest.mark.parametrize("name", BAD_BUNDLES)
def test_a_bad_bundle_is_refused_at_its_place(name: str) -> None:
    change, message, where = BAD_BUNDLES[name]
    document = bundle_document()
    change(document)
    with pytest.raises(ParseError) as caught:
        read_bundle(json.dumps(document).encode())
    assert str(caught.value).startswith("model.sig ")
    assert message in str(caught.value)
    assert caught.value.where == where


@pytest.mark.parametrize(
    "spelling",
    [
        "YWI",
        "YWI==",
        "YWI=\n",
        " YWI=",
        "YW I=",
        "YWJ=",
        "YWI=YWI=",
        "YQ==YWI=",
        "_-8=",
        "=",
        "====",
        "YWI=\0",
        "YWé=",
        "YWI\u200b=",
    ],
)
def test_base64_has_one_spelling(spelling: str) -> None:
    for place in ("payload", "sig"):
        document = bundle_document()
        part = document["dsseEnvelope"]
        if place == "sig":
            part = part["signatures"][0]
        part[place] = spelling
        with pytest.raises(ParseError, match="base64") as caught:
            read_bundle(json.dumps(document).encode())
        assert caught.value.where.endswith(place)


def test_the_two_alphabets_of_base64_are_told_apart() -> None:
    data = bytes(range(256))
    document = bundle_document()
    document["dsseEnvelope"]["payload"] = base64.urlsafe_b64encode(data).decode()
    with pytest.raises(ParseError, match="base64"):
        read_bundle(json.dumps(document).encode())
    document["dsseEnvelope"]["payload"] = b64(data)
    assert read_bundle(json.dumps(document).encode()).envelope.payload == data


NOT_JSON = {
    "empty": (b"", "is not JSON"),
    "text": (b"-----BEGIN PGP SIGNATURE-----", "is not JSON"),
    "pickle": (b"\x80\x04K\x01.", "is not UTF-8"),
    "truncated": (signed_bytes()[:-1], "is not JSON"),
    "byte order mark": (b"\xef\xbb\xbf" + signed_bytes(), "is not JSON"),
    "two documents": (signed_bytes() + b"\n" + signed_bytes(), "is not JSON"),
    "a list": (b"[]", "an object is wanted"),
    "null": (b"null", "an object is wanted"),
    "NaN": (b'{"mediaType": NaN}', "NaN is not JSON"),
    "duplicate key": (b'{"mediaType": "a", "mediaType": "b"}', "'mediaType' appears twice"),
    "duplicate key inside": (
        signed_bytes().replace(b'"keyid":""', b'"keyid":"","keyid":""'),
        "'keyid' appears twice",
    ),
    "duplicate key by escape": (
        signed_bytes().replace(b'"keyid":""', b'"keyid":"","key\\u0069d":""'),
        "'keyid' appears twice",
    ),
    "deep": (b"[" * 9_000 + b"]" * 9_000, "nested deeper than 64 levels"),
    "deep enough to hurt": (b'{"a":' * 200_000, "more than 10,000"),
    "huge integer": (b'{"mediaType": ' + b"9" * 100_000 + b"}", "is not JSON"),
    "a million lists": (b"[" + b"[]," * 1_000_000 + b"[]]", "more than 10,000"),
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_a_signature_file_that_is_not_a_json_object_is_refused(name: str) -> None:
    data, message = NOT_JSON[name]
    with pytest.raises(ParseError) as caught:
        read_bundle(data)
    assert "model.sig" in str(caught.value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_signature_file_of_a_gibibyte_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "model.sig"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(LimitExceededError, match=r"model\.sig: 1,073,741,824 is over the limit"):
        read_document(
            path,
            what="signature file",
            limit_name="max_signature_bytes",
            limit_bytes=DEFAULT_LIMITS.max_signature_bytes,
        )


def test_a_bundle_over_the_limit_is_not_parsed() -> None:
    data = signed_bytes()
    limits = replace(DEFAULT_LIMITS, max_signature_bytes=len(data))
    assert parse_bundle(data, what="model.sig", limits=limits)
    limits = replace(DEFAULT_LIMITS, max_signature_bytes=len(data) - 1)
    with pytest.raises(LimitExceededError, match="max_signature_bytes"):
        parse_bundle(data, what="model.sig", limits=limits)


def statement() -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "m", "digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://example.com/p/v1",
        "predicate": {"x": 1},
    }


def read(document: object) -> Statement:
    return parse_statement(json.dumps(document).encode(), limits=DEFAULT_LIMITS)


def test_a_statement_survives_its_own_bytes() -> None:
    subject = Subject("modèle", {"sha256": "ab" * 32})
    built = Statement.build([subject], predicate_type="https://x/v1", predicate={"k": ["ü", None]})
    assert parse_statement(built.payload, limits=DEFAULT_LIMITS) == built
    assert "modèle".encode() in built.payload
    assert b" " not in built.payload


def test_a_statement_that_cannot_be_written_is_refused() -> None:
    subject = Subject("m", {"sha256": "ab" * 32})
    for value in (float("nan"), b"bytes", "\ud800"):
        with pytest.raises(InputError, match="cannot be written as JSON"):
            Statement.build([subject], predicate_type="https://x/v1", predicate={"k": value})
    with pytest.raises(InputError, match="at least one subject"):
        Statement.build([], predicate_type="https://x/v1", predicate={})


def test_fields_that_the_framework_does_not_name_are_ignored() -> None:
    document = statement() | {"added": {"later": 1}}
    document["subject"][0]["uri"] = "https://example.com/m"
    parsed = read(document)
    assert parsed.subjects == (Subject("m", {"sha256": "ab" * 32}),)
    assert b"later" in parsed.payload


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "_type"),
        ({"_type": ["https://in-toto.io/Statement/v1"]}, "_type"),
        ({"subject": []}, "subject"),
        ({"subject": {"name": "m"}}, "subject"),
        ({"subject": ["m"]}, "subject[0]"),
        ({"subject": [{"name": 1, "digest": {"sha256": "ab"}}]}, "subject[0].name"),
        ({"subject": [{"name": "m"}]}, "subject[0].digest"),
        ({"subject": [{"name": "m", "digest": {}}]}, "subject[0].digest"),
        ({"subject": [{"name": "m", "digest": {"sha256": "AB"}}]}, "subject[0].digest"),
        ({"subject": [{"name": "m", "digest": {"sha256": "abc"}}]}, "subject[0].digest"),
        ({"subject": [{"name": "m", "digest": {"sha256": "ab\n"}}]}, "subject[0].digest"),
        ({"subject": [{"name": "m", "digest": {"sha256": 7}}]}, "subject[0].digest"),
        ({"predicateType": ""}, "predicateType"),
        ({"predicateType": 1}, "predicateType"),
        ({"predicate": None}, "predicate"),
        ({"predicate": []}, "predicate"),
    ],
)
def test_a_malformed_statement_is_refused_at_its_place(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(statement() | change)
    assert caught.value.where == where


def test_a_statement_of_millions_of_tiny_lists_is_refused_before_it_is_parsed() -> None:
    limits = replace(DEFAULT_LIMITS, max_entries=1_000)
    document = statement() | {"predicate": {"x": [[]] * 20_000}}
    with pytest.raises(ParseError, match="which is more than 8,800"):
        parse_statement(json.dumps(document).encode(), limits=limits)
    with pytest.raises(ParseError, match="not a JSON object"):
        parse_statement(b"[]", limits=limits)
