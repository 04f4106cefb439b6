"""Numbers that cannot be meant are found in every type of float, and ordinary ones are not."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weighbridge.core import DEFAULT_LIMITS, Location
from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._tensors import _values
from weighbridge.scanning._tensors._values import Numbers, check_values, digest_tensors

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def rules(data: bytes, dtype: str, *, axes: int = 2, weights: bool = False) -> list[str]:
    source = MemorySource("x", data)
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "x", len(data)), weights=weights)
    tensors = [Numbers("w", dtype, axes, 0, len(data))]
    return [found.rule_id for found in check_values(source, tensors, Location("x"), context)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(DTYPES)), st.data())
def test_it_says_what_numpy_says(dtype: str, data: st.DataObject) -> None:
    kind = np.dtype(DTYPES[dtype])
    values = data.draw(arrays(kind, st.integers(1, 60)))
    said = rules(values.tobytes(), dtype)
    assert ("WB-TNS-001" in said) == bool(np.isnan(values).any())
    ordinary = bool((np.isfinite(values) & (np.abs(values) > 1e-3)).any())
    if ordinary and not np.isnan(values).any():
        assert ("WB-TNS-002" in said) == bool(np.isinf(values).any())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40))
def test_bfloat16_is_the_upper_half_of_float32(numbers: list[int]) -> None:
    wide = np.array([n << 16 for n in numbers], dtype="<u4").view("<f4")
    said = rules(struct.pack(f"<{len(numbers)}H", *numbers), "BF16")
    assert ("WB-TNS-001" in said) == bool(np.isnan(wide).any())


def test_floats_of_eight_bits() -> None:
    assert rules(b"\x10\x7f\x20", "F8_E4M3") == ["WB-TNS-001"]
    assert rules(b"\x10\x7e\x20", "F8_E4M3") == []
    assert rules(b"\x10\x7d\x20", "F8_E5M2") == ["WB-TNS-001"]
    assert rules(b"\x10\x7c\x20", "F8_E5M2") == ["WB-TNS-002"]


def test_masks_and_ranges_are_meant() -> None:
    mask = np.triu(np.full((40, 40), -np.inf, dtype="<f4"), 1)
    assert rules(mask.tobytes(), "F32") == []
    assert rules(np.array([np.inf, 0.5], dtype="<f4").tobytes(), "F32", axes=1) == []


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_zeros_matter_where_there_are_many(dtype: str) -> None:
    zeros = np.zeros(100_000, dtype=DTYPES[dtype])
    assert rules(zeros.tobytes(), dtype) == ["WB-TNS-003"]
    assert rules(zeros[:-1].tobytes(), dtype) == []
    zeros[77_777] = 1e-6
    assert rules(zeros.tobytes(), dtype) == []


@pytest.mark.parametrize("at", [0, 1_000, 5_000_000 - 1])
def test_all_weights_are_read_if_wanted_and_a_sample_if_not(at: int) -> None:
    values = np.ones(5_000_000, dtype="<f4")
    values[at] = np.nan
    assert rules(values.tobytes(), "F32", weights=True) == ["WB-TNS-001"]
    values[:] = np.nan
    assert rules(values.tobytes(), "F32") == ["WB-TNS-001"]


def test_a_sample_reads_no_more_than_it_says() -> None:
    class Counting:
        name = "x"
        size_bytes = 400_000_000
        read = 0
        last = 0

        def read_at(self, offset: int, size_bytes: int) -> bytes:
            assert offset >= self.last, "the order rises"
            self.read += size_bytes
            self.last = offset
            return b"\x3f" * size_bytes

    source = Counting()
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "x", source.size_bytes))
    step = 4_000_000
    tensors = [Numbers(str(i), "F32", 2, i * step, step) for i in range(100)]
    assert not list(check_values(source, tensors, Location("x"), context))
    assert _values._SAMPLE_BYTES // 2 < source.read <= _values._SAMPLE_BYTES + (1 << 19)


def test_digests_are_of_small_files_only() -> None:
    source = MemorySource("x", bytes(4_000_000))
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "x", source.size_bytes))
    assert digest_tensors(source, [Numbers("w", "F32", 1, 0, 4_000_000)], context) == {}
    small = digest_tensors(source, [Numbers("w", "F32", 1, 0, 4_000)], context)
    assert small.keys() == {"w"}
