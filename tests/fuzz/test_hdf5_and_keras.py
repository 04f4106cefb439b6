"""HDF5 files and Keras configs, damaged: nothing raises, nothing is silent."""

from __future__ import annotations

import io
import json
import struct

import h5py
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Location
from weighbridge.errors import LimitExceededError
from weighbridge.formats import MemorySource, read_hdf5
from weighbridge.scanning import build_inspector
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._keras._config import check_keras_config, looks_like_keras_config


def _build(libver: str) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", libver=libver) as file:
        file["words"] = ["a", "bb"]
        file["fixed"] = np.array([b"ab", b"c"])
        file["link"] = h5py.ExternalLink("x.h5", "/")
        file["soft"] = h5py.SoftLink("/words")
        file["void"] = np.void(b"N.")
        file.create_dataset("chunks", data=np.arange(99, dtype="u1"), chunks=(9,), compression=1)
        file.create_dataset("raw", shape=(9,), dtype="f4", external=[("x.raw", 0, 36)])
        file["records"] = np.zeros(3, dtype=[("a", "f4"), ("b", "S3"), ("c", "i2", (2, 3))])
        for number in range(20):
            file.create_group(f"many/{number}")
            file["many"].attrs[str(number)] = "x" * number
        file.attrs["model_config"] = '{"class_name": "Lambda", "config": {"function": ["4wAA"]}}'
    return stream.getvalue()


SEEDS = [_build("earliest"), _build("latest")]
NUMBERS = [0, 1, 2, 48, 96, 255, 2**16, 2**31, 2**32 - 1, 2**63, 2**64 - 1]


def fuzz_hdf5(data: bytes) -> None:
    """Read and scan ``data`` as HDF5."""
    budget = Budget(DEFAULT_LIMITS, "x", len(data))
    try:
        for event in read_hdf5(MemorySource("x", data), spend=budget.spend_header_bytes):
            assert event
    except LimitExceededError:
        pass
    scan = build_inspector(limits=DEFAULT_LIMITS)(MemorySource("x", data))
    assert scan.coverage
    assert not [row for row in scan.coverage if "examiner failed" in row.reason]


def fuzz_keras_config(document: object) -> None:
    """Check ``document`` as a Keras config."""
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "x"))
    looks_like_keras_config(document)
    for note in check_keras_config(document, Location("x"), context):
        assert note


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A file with some of its bytes or numbers replaced, or with its end cut off."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        if draw(st.booleans()):
            data[at] = draw(st.integers(0, 255))
        else:
            number = draw(st.sampled_from([*NUMBERS, len(data), at]))
            data[at : at + 8] = struct.pack("<Q", number)
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged() | st.binary(max_size=200).map(lambda tail: b"\x89HDF\r\n\x1a\n" + tail))
def test_damaged_hdf5(data: bytes) -> None:
    fuzz_hdf5(data)


KEY_WORDS = (
    "class_name config module registered_name function layers model_config function_type"
    " weightsManifest paths vocabulary node_def x filepath"
)
KEYS = st.sampled_from(KEY_WORDS.split())
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAME_WORDS = (
    "Lambda function lambda os keras __lambda__ __typespec__ TFSMLayer { TorchModuleWrapper"
    " TFOpLambda TensorFlowOpLayer Merge keras.layers a>b >"
)
WORDS = st.sampled_from(NAME_WORDS.split())
DOCUMENTS = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_any_document(document: object) -> None:
    fuzz_keras_config(document)
    scan = build_inspector(limits=DEFAULT_LIMITS)(MemorySource("x", json.dumps(document).encode()))
    assert scan.coverage
    assert not [row for row in scan.coverage if "examiner failed" in row.reason]
