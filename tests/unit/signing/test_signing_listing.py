"""Lists of shards and of other digests than sha256: written, read, compared; hostile ones too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.signing.signing_samples import (
    manifest_of,
    read_bundle,
    read_oms,
    rooted,
    signer_of,
    verified,
)
from weighbridge.core import (
    PLAIN,
    ArtifactKind,
    Dialect,
    HashType,
    Listing,
    Manifest,
    Method,
    Part,
    Resource,
    Serialization,
)
from weighbridge.errors import InputError, ParseError
from weighbridge.signing import SignedManifest, compare_signed, parse_signed_manifest, sign_manifest
from weighbridge.signing._listing import parse_files, parse_part

SHARDS = Serialization(Method.SHARDS, HashType.SHA256, 10)
BLAKE2B = Serialization(Method.FILES, HashType.BLAKE2B)
FILES = {"w": b"x" * 105, "a:0:10": b"colons", "a-b/c": b"1", "a.txt": b"2", "a/b": b"3"}


def listed(files: Mapping[str, bytes], serialization: Serialization = SHARDS) -> Manifest:
    size = serialization.shard_size_bytes
    parts = []
    for name in sorted(files):
        data = files[name]
        runs = range(0, len(data), size) if size else range(1)
        for start in runs:
            run = data[start : start + size] if size else data
            end = start + len(run) if size else -1
            digest = hashlib.new(serialization.hash_type.value, run).hexdigest()
            parts.append(Part(name, start, end, digest))
    plain = manifest_of(files)
    return Manifest(plain.kind, plain.label, plain.resources, (), Listing(serialization, (*parts,)))


def sign(manifest: Manifest, dialect: Dialect = Dialect.SPECIFICATION) -> dict[str, Any]:
    data = sign_manifest(
        manifest, signer=signer_of("release"), ignore_paths=["model.sig"], dialect=dialect
    )
    document: dict[str, Any] = json.loads(read_bundle(data).envelope.payload)
    return document


def test_the_statement_is_the_one_that_the_specification_describes() -> None:
    """OMS v1.0: code points of the full name decide, so that w:100:105 stands before w:20:30."""
    predicate = sign(listed(FILES))["predicate"]
    assert predicate["serialization"] == {
        "method": "shards",
        "hash_type": "sha256",
        "shard_size": 10,
        "allow_symlinks": False,
        "ignore_paths": ["model.sig"],
    }
    names = [resource["name"] for resource in predicate["resources"]]
    assert names == sorted(names)
    assert names[:6] == ["a-b/c:0:1", "a.txt:0:1", "a/b:0:1", "a:0:10:0:6", "w:0:10", "w:100:105"]
    assert {resource["algorithm"] for resource in predicate["resources"]} == {"sha256"}
    assert type(predicate["serialization"]["shard_size"]) is int


def test_the_root_is_a_sha256_of_the_digests_whatever_they_are() -> None:
    document = sign(listed(FILES, BLAKE2B))
    raw = b"".join(bytes.fromhex(r["digest"]) for r in document["predicate"]["resources"])
    assert document["subject"][0]["digest"] == {"sha256": hashlib.sha256(raw).hexdigest()}
    assert "shard_size" not in document["predicate"]["serialization"]


@pytest.mark.parametrize("serialization", [SHARDS, BLAKE2B])
@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_signed_is_read_again(serialization: Serialization, dialect: Dialect) -> None:
    files = {name: data for name, data in FILES.items() if ":" not in name}
    manifest = listed(files, serialization)
    data = sign_manifest(manifest, signer=signer_of("release"), ignore_paths=[], dialect=dialect)
    signed = parse_signed_manifest(verified(data).statement)
    assert signed.serialization == serialization
    assert signed.resources == ()
    assert not compare_signed(signed, manifest)


def test_an_empty_file_cannot_be_signed_in_shards() -> None:
    with pytest.raises(InputError, match=r"empty\.txt is empty, and shards cannot list it"):
        sign(listed({"empty.txt": b"", "w": b"1"}))


def test_files_hashed_in_another_way_are_not_compared() -> None:
    signed = read_oms(sign(listed(FILES, BLAKE2B)))
    with pytest.raises(InputError, match="not hashed in the way"):
        compare_signed(signed, manifest_of(FILES))
    with pytest.raises(InputError, match="not hashed in the way"):
        compare_signed(signed, listed(FILES))


def test_a_digest_that_is_not_a_sha256_is_never_given_out_as_one() -> None:
    files = {"changed": b"1", "gone": b"2", "moved": b"3"}
    signed = read_oms(sign(listed(files, BLAKE2B)))
    there = {"changed": b"one", "new": b"4", "moved there": b"3"}
    diff = compare_signed(signed, listed(there, BLAKE2B))
    real = {r.name: r for r in manifest_of(there).resources}
    assert diff.changed == ((Resource("changed", -1, ""), real["changed"]),)
    assert diff.missing == (Resource("gone", -1, ""),)
    assert diff.extra == (real["new"],)
    old = Resource("moved", -1, hashlib.sha256(b"3").hexdigest())
    assert diff.renamed == ((old, real["moved there"]),)


def test_a_shard_that_was_left_out_of_the_list_is_noticed() -> None:
    document = sign(listed({"w": b"x" * 30}))
    document["predicate"]["resources"].pop(1)
    signed = read_oms(rooted(document))
    assert compare_signed(signed, listed({"w": b"x" * 30})).names == ("w",)


def test_the_same_shards_under_another_file_are_noticed() -> None:
    """Shards that moved from the end of one file to another leave the list of digests as it was."""
    signed = read_oms(sign(listed({"a": b"1" * 10 + b"2" * 10, "b": b"3"})))
    assert compare_signed(signed, listed({"a": b"1" * 10, "b": b"2" * 10 + b"3"}))


@given(st.dictionaries(st.sampled_from("abc"), st.binary(min_size=1, max_size=25), min_size=1))
def test_only_the_same_files_agree(files: dict[str, bytes]) -> None:
    signed = read_oms(sign(listed({"a": b"x" * 12, "b": b"y"})))
    assert bool(compare_signed(signed, listed(files))) == (files != {"a": b"x" * 12, "b": b"y"})


def test_a_bare_file_by_either_name() -> None:
    parts = tuple(Part("w.bin", p.start, p.end, p.digest) for p in listing_of("w", b"x" * 25).parts)
    (resource,) = manifest_of({"w.bin": b"x" * 25}).resources
    bare = Manifest(ArtifactKind.FILE, "w.bin", (resource,), (), Listing(SHARDS, parts))
    theirs = sign(bare, Dialect.MODEL_SIGNING_1_1)
    assert [r["name"] for r in theirs["predicate"]["resources"]] == [".:0:10", ".:10:20", ".:20:25"]
    assert not compare_signed(read_oms(theirs), bare)
    assert not compare_signed(read_oms(sign(bare)), bare)
    # In a folder no file is called so.
    assert compare_signed(read_oms(theirs), listed({"w.bin": b"x" * 25}))


def listing_of(name: str, data: bytes) -> Listing:
    listing = listed({name: data}).listing
    assert listing is not None
    return listing


def rename(name: str, index: int = 0) -> Callable[[dict[str, Any]], None]:
    return lambda d: d["predicate"]["resources"][index].update(name=name)


def set_field(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda d: d["predicate"]["serialization"].update({name: value})


def algorithm(value: object) -> Callable[[dict[str, Any]], None]:
    return lambda d: d["predicate"]["resources"][0].update(algorithm=value)


NOT_A_SHARD = "not path:start:end of one shard"
BAD: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no offsets": (rename("w"), NOT_A_SHARD),
    "one offset": (rename("w:0"), NOT_A_SHARD),
    "backwards": (rename("w:10:0"), NOT_A_SHARD),
    "empty": (rename("w:10:10"), NOT_A_SHARD),
    "too long": (rename("w:0:11"), NOT_A_SHARD),
    "between shards": (rename("w:5:15"), NOT_A_SHARD),
    "negative": (rename("w:-10:0"), NOT_A_SHARD),
    "plus": (rename("w:+0:10"), NOT_A_SHARD),
    "zeros": (rename("w:00:10"), NOT_A_SHARD),
    "other digits": (rename("w:\u0660:10"), NOT_A_SHARD),
    "a newline behind": (rename("w:0:10\n"), NOT_A_SHARD),
    "thousands of digits": (rename("w:0:" + "9" * 5000), NOT_A_SHARD),
    "no path": (rename(":0:10"), "not a plain path"),
    "out of the artifact": (rename("../w:0:10"), "not a plain path"),
    "absolute": (rename("/w:0:10"), "not a plain path"),
    "dot among others": (rename(".:0:10"), "not a plain path"),
    "twice": (rename("w:0:10"), "lists 'w:0:10' twice"),
    "no size": (lambda d: d["predicate"]["serialization"].pop("shard_size"), "not a whole number"),
    "size a string": (set_field("shard_size", "10"), "not a whole number"),
    "size a boolean": (set_field("shard_size", True), "not a whole number"),
    "size null": (set_field("shard_size", None), "not a whole number"),
    "size broken": (set_field("shard_size", 10.5), "not a whole number"),
    "size infinite": (set_field("shard_size", 1e999), "not JSON"),
    "size zero": (set_field("shard_size", 0), "0 bytes cannot be used"),
    "size negative": (set_field("shard_size", -10), "-10 bytes cannot be used"),
    "size enormous": (set_field("shard_size", 10**30), "written as a string"),
    "another method": (set_field("method", "blocks"), "known are files, shards"),
    "another hash": (set_field("hash_type", "md5"), "known are sha256, blake2b, blake3"),
    "another size in the hash": (set_field("hash_type", "sha256-sharded-11"), "known are"),
    "another size in the algorithm": (algorithm("sha256-sharded-11"), "not of the kind"),
    "another algorithm": (algorithm("blake2b"), "not of the kind"),
    "an algorithm that is a list": (algorithm(["sha256"]), "not of the kind"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_list_of_shards_is_refused(case: str) -> None:
    change, words = BAD[case]
    document = sign(listed({"v": b"y" * 20, "w": b"x" * 20}))
    document["predicate"]["resources"] = [
        r for r in document["predicate"]["resources"] if r["name"] != "v:0:10"
    ][::-1]
    change(document)
    with pytest.raises(ParseError, match=words):
        read_oms(rooted(document))


GOOD: dict[str, Callable[[dict[str, Any]], None]] = {
    "float size": set_field("shard_size", 10.0),
    "hash of releases before 1.0": set_field("hash_type", "sha256-sharded-10"),
    "algorithm of releases before 1.2": algorithm("sha256-sharded-10"),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_model_signing_writes_instead_is_read(case: str) -> None:
    document = sign(listed(FILES))
    GOOD[case](document)
    signed: SignedManifest = read_oms(document)
    assert signed.serialization == SHARDS
    assert not compare_signed(signed, listed(FILES))


def test_files_may_not_name_a_hash_of_shards() -> None:
    document = sign(listed(FILES, BLAKE2B))
    set_field("hash_type", "blake2b-sharded-10")(document)
    with pytest.raises(ParseError, match="known are"):
        read_oms(document)


DIGEST = hashlib.sha256(b"").hexdigest()
ODD_ITEMS: list[Any] = [
    None,
    "abc",
    [],
    {},
    {"name": "a", "digest": DIGEST},
    {"name": 1, "algorithm": "sha256", "digest": DIGEST},
    {"name": "a", "algorithm": ["sha256"], "digest": DIGEST},
    {"name": "a", "algorithm": "blake3", "digest": DIGEST},
    {"name": "a", "algorithm": "sha256", "digest": 1},
    {"name": "a", "algorithm": "sha256", "digest": DIGEST.upper()},
    {"name": "a", "algorithm": "sha256", "digest": DIGEST[:-2]},
    {"name": "a", "algorithm": "sha256", "digest": DIGEST + "00"},
    {"name": "a", "algorithm": "sha256", "digest": DIGEST[:-2] + " 0"},
    {"name": "a", "algorithm": "sha256", "digest": DIGEST[:-1] + "\u0661"},
    {"name": "a", "algorithm": "sha256", "digest": ""},
    {"name": "../a", "algorithm": "sha256", "digest": DIGEST},
    {"name": "a\nb", "algorithm": "sha256", "digest": DIGEST},
    {"name": "", "algorithm": "sha256", "digest": DIGEST},
    {"name": ".", "algorithm": "sha256", "digest": DIGEST},
    {"name": "a", "algorithm": "sha256", "digest": DIGEST},
    {"name": "a", "algorithm": "sha256", "digest": DIGEST, "more": {}},
]


@given(
    odd=st.lists(st.sampled_from(ODD_ITEMS), max_size=3),
    names=st.lists(st.sampled_from(["a", "b", "c/d", "é", "a:0:10"]), max_size=4),
)
def test_reading_a_list_at_once_takes_nothing_that_reading_one_by_one_refuses(
    odd: list[Any], names: list[str]
) -> None:
    """What is read at once is what is read one by one; the rest is left to that."""
    good = [{"name": name, "algorithm": "sha256", "digest": DIGEST} for name in names]
    items = [*good, *odd]
    try:
        single = [
            parse_part(item.get("name"), item.get("digest"), serialization=PLAIN, where="here")
            for item in items
            if isinstance(item, dict) and item.get("algorithm") == "sha256"
        ]
    except ParseError:
        single = []
    one_by_one = len(single) == len(items) == len({part.name for part in single})
    at_once = parse_files(items, PLAIN)
    if at_once is not None:
        assert one_by_one
        assert at_once == [(part.name, part.digest) for part in single]
    elif items and one_by_one:  # what needs a second look
        assert "." in {part.name for part in single}


@pytest.mark.parametrize("pair", ["10", "0x"])
def test_two_digests_that_are_of_the_right_length_together_are_refused(pair: str) -> None:
    """The digests are joined to be read; one may not lend digits to the next."""
    items = [
        {"name": "a", "algorithm": "sha256", "digest": DIGEST + pair},
        {"name": "b", "algorithm": "sha256", "digest": DIGEST[:-2]},
    ]
    assert parse_files(items, PLAIN) is None


def test_what_is_no_list_is_not_read_at_once() -> None:
    assert [parse_files(value, PLAIN) for value in (None, 1, "a", {}, {"a": {}}, [])] == [None] * 6
