from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.signing.signing_samples import (
    MODEL_SIGNATURE,
    manifest_of,
    oms_document,
    read_bundle,
    read_oms,
    rooted,
    sha256,
    signed_bytes,
    signer_of,
    spoil,
    verified,
)
from weighbridge.core import ArtifactKind, Manifest, Resource
from weighbridge.errors import InputError, ParseError
from weighbridge.signing import compare_signed, parse_signed_manifest, sign_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[dict[str, Any]], object]


def test_the_statement_is_the_one_that_the_specification_describes() -> None:
    digests = {name: sha256(name.encode()) for name in ("a-b/c", "a.txt", "a/b")}
    manifest = manifest_of({name: name.encode() for name in digests}, label="tiny")
    data = sign_manifest(manifest, signer=signer_of("release"), ignore_paths=["z", "model.sig"])
    assert json.loads(read_bundle(data).envelope.payload) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": "tiny",
                "digest": {"sha256": sha256(b"".join(map(bytes.fromhex, digests.values())))},
            }
        ],
        "predicateType": MODEL_SIGNATURE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": ["model.sig", "z"],
            },
            "resources": [
                {"name": name, "algorithm": "sha256", "digest": digest}
                for name, digest in digests.items()
            ],
        },
    }


def test_the_root_is_that_of_the_manifest() -> None:
    manifest = manifest_of(
        {"a/b": b"1", "a-b/c": b"2", "a.txt": b"3", "ü": b"4", "\U0001f600": b""}
    )
    data = sign_manifest(manifest, signer=signer_of("release"), ignore_paths=[])
    signed = parse_signed_manifest(verified(data).statement)
    assert signed.root == manifest.compute_oms_root()
    assert not compare_signed(signed, manifest)


def test_resources_stand_in_the_order_of_code_points_whatever_the_manifest() -> None:
    names = ["a-b/c", "a.txt", "a/b", "z", "é", "\uffff", "\U0001f600"]
    manifest = manifest_of(dict.fromkeys(names, b""))
    shuffled = replace(manifest, resources=manifest.resources[::-1])
    data = sign_manifest(shuffled, signer=signer_of("release"), ignore_paths=[])
    signed = parse_signed_manifest(verified(data).statement)
    assert [resource.name for resource in signed.resources] == names


def test_a_bare_file_goes_by_its_own_name() -> None:
    resource = Resource("w.bin", 1, sha256(b"1"))
    manifest = Manifest(ArtifactKind.FILE, "w.bin", (resource,))
    data = sign_manifest(manifest, signer=signer_of("release"), ignore_paths=[])
    signed = parse_signed_manifest(verified(data).statement)
    assert signed.label == "w.bin"
    assert [r.name for r in signed.resources] == ["w.bin"]
    assert not compare_signed(signed, manifest)


def test_an_empty_manifest_is_not_signed() -> None:
    with pytest.raises(InputError, match="model holds no file"):
        sign_manifest(manifest_of({}), signer=signer_of("release"), ignore_paths=[])


BAD_NAMES = [
    "",
    ".",
    "..",
    "../secret",
    "a/../b",
    "a/..",
    "./a",
    "a/./b",
    "a/.",
    "/etc/passwd",
    "/",
    "a//b",
    "a/",
    "a\\b",
    "..\\secret",
    "a\nb",
    "a\n",
    "..\n",
    "a\0",
    "\udc80",
    "a/\ud800",
]
GOOD_NAMES = ["...", "..a", ".a/..b", "a..", " ", "~", "a:b", "C:x", "-", "%2e%2e", "é", "a\tb"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_verifying_refuses_is_not_signed(name: str) -> None:
    good, signer = manifest_of({"a": b""}), signer_of("release")
    with pytest.raises(InputError, match="not a plain relative path"):
        sign_manifest(good, signer=signer, ignore_paths=[name])
    bad = replace(good, resources=(Resource(name, 0, sha256(b"")),))
    with pytest.raises(InputError, match="not a plain relative path"):
        sign_manifest(bad, signer=signer, ignore_paths=[])


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    document = oms_document({"a": b"1", "b": b"2"})
    document["predicate"]["resources"][1]["name"] = name
    with pytest.raises(ParseError, match="not a plain path inside the artifact") as caught:
        read_oms(document)
    assert caught.value.where == "predicate.resources[1].name"


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_an_odd_name_is_a_name(name: str) -> None:
    signed = parse_signed_manifest(verified(signed_bytes({name: b"1"})).statement)
    assert signed.resources[0].name == name


@given(st.text(st.sampled_from("./\\\0\na\ud800"), max_size=8))
def test_names_are_judged_by_their_parts(name: str) -> None:
    parts = name.split("/")
    plain = all(part not in {"", ".", ".."} for part in parts) and not set(name) & set(
        "\\\0\n\ud800"
    )
    document = oms_document({"a": b"1", "b": b"2"})
    document["predicate"]["resources"][1]["name"] = name
    if plain and name != "a":
        assert read_oms(document).resources[1].name == name
    else:
        with pytest.raises(ParseError):
            read_oms(document)


def test_a_lone_dot_stands_for_a_bare_file_only() -> None:
    document = oms_document({"w.bin": b"1"})
    document["predicate"]["resources"][0]["name"] = "."
    signed = read_oms(document)
    resource = Resource("w.bin", 1, sha256(b"1"))
    assert not compare_signed(signed, Manifest(ArtifactKind.FILE, "w.bin", (resource,)))
    assert not compare_signed(
        signed, Manifest(ArtifactKind.FILE, "moved.bin", (resource._replace(name="moved.bin"),))
    )
    assert compare_signed(signed, Manifest(ArtifactKind.FOLDER, "m", (resource,)))
    changed = resource._replace(sha256=sha256(b"2"))
    assert compare_signed(signed, Manifest(ArtifactKind.FILE, "w.bin", (changed,))).changed


def set_type(value: str) -> Change:
    return lambda document: document.update(predicateType=value)


def serialization(**fields: object) -> Change:
    return lambda document: document["predicate"]["serialization"].update(fields)


def resource(**fields: object) -> Change:
    return lambda document: document["predicate"]["resources"][1].update(fields)


def without(field: str, *, of: str) -> Change:
    places: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "predicate": lambda d: d["predicate"],
        "serialization": lambda d: d["predicate"]["serialization"],
        "resource": lambda d: d["predicate"]["resources"][1],
    }
    return lambda document: places[of](document).pop(field)


BAD: dict[str, tuple[Change, str, str]] = {
    "provenance": (
        set_type("https://slsa.dev/provenance/v1"),
        "this is not a model signature: the statement's type is 'https://slsa.dev/provenance/v1'",
        "predicateType",
    ),
    "before v1": (
        set_type("https://model_signing/Digests/v0.1"),
        "from before version 1",
        "predicateType",
    ),
    "v2": (set_type("https://model_signing/signature/v2.0"), "not a model", "predicateType"),
    "v0": (set_type("https://model_signing/signature/v0.1"), "not a model", "predicateType"),
    "no minor": (set_type("https://model_signing/signature/v1"), "not a model", "predicateType"),
    "tail": (set_type(MODEL_SIGNATURE + "\n"), "not a model", "predicateType"),
    "leading zero": (
        set_type("https://model_signing/signature/v1.00"),
        "not a model",
        "predicateType",
    ),
    "two subjects": (
        lambda d: d["subject"].append(d["subject"][0]),
        "has 2 subjects; exactly one",
        "subject",
    ),
    "no sha256": (
        lambda d: d["subject"][0].update(digest={"sha512": "ab" * 64}),
        "no sha256",
        "subject[0].digest",
    ),
    "root": (
        lambda d: d["subject"][0].update(digest={"sha256": "ab" * 32}),
        "root digest is not that of its own resources",
        "subject[0].digest.sha256",
    ),
    "root of another order": (
        lambda d: d["predicate"]["resources"].reverse(),
        "root digest is not that of its own resources",
        "subject[0].digest.sha256",
    ),
    "shards": (
        serialization(method="shards", shard_size=1_000),
        "names 'a', which is not path:start:end of one shard",
        "predicate.resources[0].name",
    ),
    "blake2b": (
        serialization(hash_type="blake2b"),
        "is not a blake2b digest of 128 lower-case hex digits",
        "predicate.resources[0].digest",
    ),
    "no method": (without("method", of="serialization"), "does not name its method", ".method"),
    "method a list": (serialization(method=["files"]), "does not name its method", ".method"),
    "shard size": (serialization(shard_size=1), "has no shards", ".shard_size"),
    "no link rule": (
        without("allow_symlinks", of="serialization"),
        "whether links were allowed",
        ".allow_symlinks",
    ),
    "link rule a string": (
        serialization(allow_symlinks="false"),
        "whether links were allowed",
        ".allow_symlinks",
    ),
    "ignore a string": (serialization(ignore_paths=".git"), "list of strings", ".ignore_paths"),
    "ignore a number": (serialization(ignore_paths=[1]), "list of strings", ".ignore_paths"),
    "unknown in serialization": (
        serialization(follow="all"),
        "'follow', which version 1.0 does not know",
        "predicate.serialization",
    ),
    "unknown in predicate": (
        lambda d: d["predicate"].update(waiver=True),
        "'waiver', which version 1.0 does not know",
        "predicate",
    ),
    "no serialization": (
        without("serialization", of="predicate"),
        "an object is wanted",
        "predicate.serialization",
    ),
    "no resources": (
        without("resources", of="predicate"),
        "lists no files",
        "predicate.resources",
    ),
    "empty resources": (
        lambda d: d["predicate"].update(resources=[]),
        "lists no files",
        "predicate.resources",
    ),
    "resource a string": (
        lambda d: d["predicate"]["resources"].insert(1, "a"),
        "not an object",
        "predicate.resources[1]",
    ),
    "name twice": (resource(name="a"), "lists 'a' twice", "predicate.resources[1].name"),
    "name a number": (resource(name=1), "not a string", "predicate.resources[1].name"),
    "no name": (without("name", of="resource"), "not a string", "predicate.resources[1].name"),
    "algorithm": (
        resource(algorithm="sha512"),
        "not of the kind that it announces",
        "predicate.resources[1].algorithm",
    ),
    "no algorithm": (
        without("algorithm", of="resource"),
        "not of the kind that it announces",
        "predicate.resources[1].algorithm",
    ),
    "no digest": (
        without("digest", of="resource"),
        "no digest of 'b/c'",
        "predicate.resources[1].digest",
    ),
    "upper case": (
        resource(digest="AB" * 32),
        "lower-case hex",
        "predicate.resources[1].digest",
    ),
    "short digest": (resource(digest="ab"), "lower-case hex", "predicate.resources[1].digest"),
    "digest with a tail": (
        resource(digest=sha256(b"2") + "\n"),
        "lower-case hex",
        "predicate.resources[1].digest",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manifest_is_refused_at_its_place(name: str) -> None:
    change, message, where = BAD[name]
    with pytest.raises(ParseError) as caught:
        spoil(change)
    assert message in str(caught.value)
    assert caught.value.where.endswith(where)
    assert caught.value.where


def test_later_minor_versions_and_more_fields_of_a_resource_are_read() -> None:
    document = oms_document()
    document["predicateType"] = "https://model_signing/signature/v1.12"
    document["predicate"]["resources"][0]["mediaType"] = "text/plain"
    del document["predicate"]["serialization"]["ignore_paths"]
    document["predicate"]["serialization"]["allow_symlinks"] = True
    signed = read_oms(document)
    assert signed.ignore_paths == ()
    assert [resource.name for resource in signed.resources] == ["a", "b/c"]


def test_any_order_is_read_if_the_root_fits_it() -> None:
    document = oms_document()
    document["predicate"]["resources"].reverse()
    signed = read_oms(rooted(document))
    assert [resource.name for resource in signed.resources] == ["b/c", "a"]
    assert not compare_signed(signed, manifest_of({"a": b"1", "b/c": b"2"}))


def test_differences_are_named() -> None:
    signed = parse_signed_manifest(
        verified(signed_bytes({"same": b"0", "old": b"1", "gone": b"2", "w": b"3"})).statement
    )
    diff = compare_signed(signed, manifest_of({"same": b"0", "new": b"1", "w": b"4", "more": b"5"}))
    assert list(diff.to_lines()) == [
        "changed: w (1 bytes)",
        "missing: gone",
        "extra: more (1 bytes)",
        "renamed: old -> new",
    ]


def signed_with(ignore_paths: list[str], files: dict[str, bytes]) -> Any:
    data = sign_manifest(manifest_of(files), signer=signer_of("r"), ignore_paths=ignore_paths)
    return parse_signed_manifest(verified(data, by="r").statement)


@pytest.mark.parametrize(
    ("ignored", "accepted", "extra"),
    [
        ([], [], ["logs/a", "logs/b/c", "logs2"]),
        (["logs"], [], ["logs/a", "logs/b/c", "logs2"]),
        ([], ["logs"], ["logs/a", "logs/b/c", "logs2"]),
        (["logs"], ["logs"], ["logs2"]),
        (["logs"], ["./logs/"], ["logs2"]),
        (["logs"], ["logs/b"], ["logs/a", "logs2"]),
        (["logs/b"], ["logs"], ["logs/a", "logs2"]),
        (["logs/b/c", "logs2"], ["logs/b", "logs2"], ["logs/a"]),
        (["log"], ["log"], ["logs/a", "logs/b/c", "logs2"]),
    ],
)
def test_a_file_is_left_out_if_the_signer_and_the_verifier_both_say_so(
    ignored: list[str], accepted: list[str], extra: list[str]
) -> None:
    signed = signed_with(ignored, {"w": b"1"})
    there = manifest_of({"w": b"1", "logs/a": b"2", "logs/b/c": b"3", "logs2": b"4"})
    diff = compare_signed(signed, there, accept_ignored=accepted)
    assert [resource.name for resource in diff.extra] == extra


def test_a_dot_in_the_ignored_paths_ignores_nothing() -> None:
    document = oms_document({"w": b"1"})
    document["predicate"]["serialization"]["ignore_paths"] = [".", "", "/", "..", "*"]
    diff = compare_signed(read_oms(document), manifest_of({"w": b"1", "evil.py": b"2"}))
    assert [resource.name for resource in diff.extra] == ["evil.py"]


def test_a_file_that_was_signed_is_compared_even_if_it_is_ignored_as_well() -> None:
    signed = signed_with(["w"], {"w": b"1"})
    assert compare_signed(signed, manifest_of({"w": b"2"}), accept_ignored=["w"]).changed
    assert compare_signed(signed, manifest_of({"x": b"1"}), accept_ignored=["w"]).renamed


def test_an_ignored_file_cannot_stand_in_for_one_that_is_gone() -> None:
    signed = signed_with(["tmp"], {"w": b"1"})
    diff = compare_signed(signed, manifest_of({"tmp/w": b"1"}), accept_ignored=["tmp"])
    assert [resource.name for resource in diff.missing] == ["w"]
    assert not diff.renamed


plain_names = st.text(min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."} and not set(name) & set("/\\\n\0") and name.isprintable()
)
plain_paths = st.lists(plain_names, min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(plain_paths, st.binary(max_size=3), min_size=1, max_size=6)


@given(files=trees, there=trees)
def test_a_signature_holds_for_the_files_that_were_signed_and_for_no_others(
    files: dict[str, bytes], there: dict[str, bytes]
) -> None:
    signed = parse_signed_manifest(verified(signed_bytes(files)).statement)
    assert not compare_signed(signed, manifest_of(files))
    assert bool(compare_signed(signed, manifest_of(there))) == (files != there)
