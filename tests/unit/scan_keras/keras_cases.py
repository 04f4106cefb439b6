"""Keras configs and HDF5 files, benign and hostile, built by code."""

from __future__ import annotations

import base64
import io
import json
import marshal
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from weighbridge.core import DEFAULT_LIMITS, Answer, CoverageStatus, FileScan
from weighbridge.formats import MemorySource
from weighbridge.scanning import build_inspector

if TYPE_CHECKING:
    from collections.abc import Callable

EVIL = b"cos\nsystem\n(S'echo pwned'\ntR."
CODE = base64.b64encode(
    marshal.dumps(compile("__import__('os').system('echo pwned')", "<lambda>", "eval"))
).decode()
DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "registered_name": None,
    "config": {
        "name": "dense",
        "units": 2,
        "activation": "relu",
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None},
            "registered_name": None,
        },
        "dtype": {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": {"name": "float32"},
            "registered_name": None,
        },
    },
    "build_config": {"input_shape": [None, 4]},
}
OLD_DENSE = {"class_name": "Dense", "config": {"units": 1, "activation": "relu", "name": "/dense"}}


def scan(data: bytes, name: str = "file") -> FileScan:
    return build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, data))


def rules(result: FileScan) -> set[str]:
    return {finding.rule_id for finding in result.findings}


def gates(result: FileScan) -> bool:
    """Return whether a scan of this file would not exit 0."""
    assert result.coverage
    grave = any(f.answer is not Answer.PASS and f.severity.rank > 1 for f in result.findings)
    return grave or any(r.status is CoverageStatus.NOT_EXAMINED for r in result.coverage)


def build_layer(class_name: str, config: object, **others: object) -> dict[str, Any]:
    return {"class_name": class_name, "config": config, "module": "keras.layers", **others}


def build_model(*layers: object, **others: object) -> dict[str, Any]:
    """Return the config of a model of Keras 3."""
    config = {"name": "sequential", "trainable": True, "layers": list(layers)}
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": config,
        "registered_name": "Sequential",
        **others,
    }


def to_json(document: object) -> bytes:
    return json.dumps(document).encode()


def to_keras(document: object) -> bytes:
    """Return a ``.keras`` archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.8.0", "date_saved": "2026-01-01"}')
        archive.writestr("config.json", json.dumps(document))
        archive.writestr("model.weights.h5", build_h5(_add_weights))
    return stream.getvalue()


def _add_weights(file: h5py.File) -> None:
    file.create_dataset("layers/dense/vars/0", data=np.ones((4, 2), "f4"))
    file.create_dataset("layers/dense/vars/1", data=np.zeros(2, "f4"))
    file.create_group("optimizer/vars")


def build_h5(fill: Callable[[h5py.File], object], **options: Any) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        fill(file)
    return stream.getvalue()


def to_h5(document: object, **options: Any) -> bytes:
    """Return a model as Keras 2 saves it in HDF5."""

    def fill(file: h5py.File) -> None:
        file.attrs["keras_version"] = b"2.15.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = np.bytes_(json.dumps(document).encode())
        file.attrs["training_config"] = json.dumps(
            {"loss": "mse", "optimizer_config": {"class_name": "Custom>Adam", "config": {}}}
        )
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([b"dense", b"dense_1"])
        group.create_dataset("dense/kernel:0", data=np.ones((4, 2), "f4"))

    return build_h5(fill, **options)


def build_pickle(protocol: int = 4) -> bytes:
    """Return a pickle that runs a command when it is loaded; nothing here loads it."""
    if protocol < 2:
        return EVIL
    return pickle.PROTO + bytes([protocol]) + EVIL
