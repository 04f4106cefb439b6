"""One read gives the sha256 that names a file and the digests that a signature lists."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.artifact import build_manifest, weigh
from weighbridge.artifact._hashers import FileHasher, choose_hash
from weighbridge.core import (
    DEFAULT_LIMITS,
    PLAIN,
    HashType,
    Method,
    Part,
    ReadFailureKind,
    Serialization,
)
from weighbridge.core.ports import ByteSource
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError, LimitExceededError, MissingExtraError

MIB = 1024 * 1024
BLAKE2B_SHARDS = Serialization(Method.SHARDS, HashType.BLAKE2B, 10)


def digest_of(hash_type: HashType, data: bytes) -> str:
    if hash_type is HashType.BLAKE3:
        blake3 = pytest.importorskip("blake3", reason="the extra blake3 is not installed")
        digest: str = blake3.blake3(data).hexdigest()
        return digest
    return hashlib.new(hash_type.value, data).hexdigest()


def expected_parts(name: str, data: bytes, serialization: Serialization) -> list[Part]:
    if serialization.method is Method.FILES:
        return [Part(name, 0, -1, digest_of(serialization.hash_type, data))]
    size = serialization.shard_size_bytes
    starts = range(0, len(data), size)
    return [
        Part(
            name,
            start,
            min(start + size, len(data)),
            digest_of(serialization.hash_type, data[start : start + size]),
        )
        for start in starts
    ]


@given(
    data=st.binary(max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    shard=st.integers(1, 120),
    hash_type=st.sampled_from([HashType.SHA256, HashType.BLAKE2B]),
)
def test_shards_do_not_depend_on_how_the_bytes_arrive(
    data: bytes, cuts: list[int], shard: int, hash_type: HashType
) -> None:
    """OMS v1.0, 6.3.2: each file is cut into runs of ``shard_size``, the last may be shorter."""
    serialization = Serialization(Method.SHARDS, hash_type, shard)
    hasher = FileHasher("w", serialization, choose_hash(hash_type))
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(bounds):
        hasher.update(memoryview(data)[start:end])
    assert hasher.hexdigest() == hashlib.sha256(data).hexdigest()
    parts = list(hasher.finish())
    assert parts == expected_parts("w", data, serialization)
    assert len(parts) == serialization.count_parts(len(data))


@pytest.mark.parametrize("hash_type", HashType)
@pytest.mark.parametrize("shard", [0, 1_000, MIB, 3 * MIB + 1])
@pytest.mark.parametrize("inspect", [False, True])
def test_every_way_of_reading_gives_the_same_parts(
    tmp_path: Path, *, hash_type: HashType, shard: int, inspect: bool
) -> None:
    """Small files, files in chunks, files read ahead by a second thread, files that are scanned."""
    method = Method.SHARDS if shard else Method.FILES
    serialization = Serialization(method, hash_type, shard)
    files = {"empty": b"", "small": os.urandom(999), "large": os.urandom(20 * MIB + 5)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    def look(source: ByteSource) -> bytes:
        return source.read_at(source.size_bytes // 2, 100)

    weighed = weigh(
        tmp_path,
        executor=ThreadExecutor(2),
        limits=DEFAULT_LIMITS,
        inspector=look if inspect else None,
        serialization=serialization,
    )
    manifest = weighed.to_manifest()
    if serialization == PLAIN:
        assert manifest.listing is None
        return
    assert manifest.listing is not None
    wanted = [p for n in sorted(files) for p in expected_parts(n, files[n], serialization)]
    assert list(manifest.listing.parts) == wanted
    assert [r.sha256 for r in manifest.resources] == [
        hashlib.sha256(files[name]).hexdigest() for name in sorted(files)
    ]


def test_what_is_outside_the_scope_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"x")
    (tmp_path / "w").write_bytes(b"x")
    weighed = weigh(
        tmp_path,
        executor=ThreadExecutor(1),
        limits=DEFAULT_LIMITS,
        inspector=lambda source: source.name,
        serialization=BLAKE2B_SHARDS,
    )
    assert weighed.inspections == (".gitignore", "w")
    assert weighed.listing is not None
    assert {part.name for part in weighed.listing.parts} == {"w"}


def test_shards_that_would_fill_the_memory_are_refused_before_reading(tmp_path: Path) -> None:
    (tmp_path / "w").touch()
    os.truncate(tmp_path / "w", 10**12)
    serialization = Serialization(Method.SHARDS, HashType.SHA256, 1)
    with pytest.raises(LimitExceededError, match="1,000,000,000,000 is over the limit max_entries"):
        build_manifest(
            tmp_path,
            executor=ThreadExecutor(1),
            limits=DEFAULT_LIMITS,
            serialization=serialization,
        )
    limits = replace(DEFAULT_LIMITS, max_entries=10)
    os.truncate(tmp_path / "w", 10)
    build_manifest(tmp_path, executor=ThreadExecutor(1), limits=limits, serialization=serialization)


def test_a_file_that_changes_meanwhile_has_no_parts(tmp_path: Path) -> None:
    file = tmp_path / "w"
    file.write_bytes(bytes(9 * MIB))

    def disturb(source: ByteSource) -> None:
        with file.open("ab") as stream:
            stream.write(b"more")

    weighed = weigh(
        tmp_path,
        executor=ThreadExecutor(1),
        limits=DEFAULT_LIMITS,
        inspector=disturb,
        serialization=BLAKE2B_SHARDS,
    )
    assert [failure.kind for failure in weighed.failures] == [ReadFailureKind.CHANGED]
    assert weighed.listing is not None
    assert weighed.listing.parts == ()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'weighbridge\[blake3\]'"):
        choose_hash(HashType.BLAKE3)


BAD: list[tuple[Callable[[], Serialization], str]] = [
    (lambda: Serialization(Method.SHARDS), "0 bytes cannot be used"),
    (lambda: Serialization(Method.SHARDS, shard_size_bytes=-5), "-5 bytes cannot be used"),
    (lambda: Serialization(Method.SHARDS, shard_size_bytes=2**53), "choose from 1 to"),
    (lambda: Serialization(shard_size_bytes=5), "method 'shards' only"),
]


@pytest.mark.parametrize(("build", "words"), BAD, ids=[words for _, words in BAD])
def test_a_serialization_that_cannot_be_is_refused(
    build: Callable[[], Serialization], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        build()
