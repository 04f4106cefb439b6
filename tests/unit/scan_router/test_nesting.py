"""Whatever containers are around a pickle, it is found; and a benign one passes in the same."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import joblib
import lz4.block
import lz4.frame
import numpy as np
import py7zr
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.scan_router.router_cases import (
    EVIL,
    PLAIN,
    build_tar,
    build_zip,
    has_evil,
    scan,
    statuses,
)
from weighbridge.core import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core import FileScan

_MEDIUM = Severity.MEDIUM.rank


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo pwned",)


def gates(result: FileScan) -> bool:
    """Return whether anything keeps the file out; a low finding does not.

    A zip that lies plain in a tar is also seen from outside, with bytes before and behind it.
    """
    worse = [f for f in result.findings if f.answer != "pass" and f.severity.rank >= _MEDIUM]
    return bool(worse) or "not-examined" in statuses(result)


def build_7z(
    members: dict[str, bytes], filters: list[dict[str, Any]] | None = None, *, packed: bool = True
) -> bytes:
    stream = io.BytesIO()
    with py7zr.SevenZipFile(stream, "w", filters=filters) as archive:
        archive.set_encoded_header_mode(packed)
        for name, data in members.items():
            archive.writestr(data, name)
    return stream.getvalue()


def lz4_legacy(data: bytes) -> bytes:
    out = [b"\x02\x21\x4c\x18"]
    for start in range(0, len(data), 8 << 20):
        block = lz4.block.compress(data[start : start + (8 << 20)], store_size=False)
        out += [struct.pack("<I", len(block)), block]
    return b"".join(out)


def _joblib(value: object, compress: object) -> bytes:
    stream = io.BytesIO()
    joblib.dump(value, stream, compress=compress)
    return stream.getvalue()


def _npz(value: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.array([value], dtype=object))
    return stream.getvalue()


_SKIPPED = b"\x5a\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "zip": lambda data: build_zip({"a": data}),
    "deflated zip": lambda data: build_zip({"x/": b"", "x/a": data}, zipfile.ZIP_DEFLATED),
    "bzip2 zip": lambda data: build_zip({"a": data}, zipfile.ZIP_BZIP2),
    "lzma zip": lambda data: build_zip({"a": data}, zipfile.ZIP_LZMA),
    "tar": lambda data: build_tar({"b": b"text", "a": data}),
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "zstd, skipped frame": lambda data: _SKIPPED + zstandard.ZstdCompressor().compress(data),
    "lz4": lz4.frame.compress,
    "lz4, skipped frame": lambda data: _SKIPPED + lz4.frame.compress(data),
    "lz4-legacy": lz4_legacy,
    "7z": lambda data: build_7z({"a": data, "b": b"text"}),
    "7z, plain": lambda data: build_7z({"a": data}, [{"id": py7zr.FILTER_COPY}], packed=False),
}
_COMPRESS = (0, 1, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3), ("lz4", 3))
INNER: list[Callable[[object], bytes]] = [
    *(lambda value, n=n: pickle.dumps(value, n) for n in range(6)),
    *(lambda value, c=c: _joblib(value, c) for c in _COMPRESS),
    _npz,
]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_each_container(wrapper: str) -> None:
    assert has_evil(scan(WRAPPERS[wrapper](EVIL)))
    result = scan(WRAPPERS[wrapper](PLAIN))
    assert result.findings == ()
    assert not gates(result)


@settings(max_examples=120, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=6),
    inner=st.integers(0, len(INNER) - 1),
)
def test_any_nesting_within_the_limits(names: list[str], inner: int) -> None:
    for value, evil in ((_Evil(), True), ([1, "two", {"three": 4.0}], False)):
        data = INNER[inner](value)
        for name in names:
            data = WRAPPERS[name](data)
        result = scan(data)
        assert has_evil(result) is evil
        if not evil:
            assert not gates(result)


@pytest.mark.parametrize("wrapper", ["gzip", "xz", "zstd", "lz4", "lz4-legacy", "zip", "7z"])
def test_deeper_than_the_limit_is_not_examined(wrapper: str) -> None:
    data = PLAIN
    for _ in range(10):
        data = WRAPPERS[wrapper](data)
    assert "not-examined" in statuses(scan(data))
