"""What is measured of the scan: how fast it is, what it finds, what it flags in vain."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._case import IMPORT_CLICK, ROOT, WEIGHBRIDGE, Case, find_model

PEER_PYTHON = str(ROOT / ".cache" / "scan-peers" / "bin" / "python")


def peer(name: str) -> tuple[str, ...]:
    return ("peer", name)


def write_objects(size_bytes: int) -> Callable[[Path], Path]:
    """A pickle of many small objects: four bytes for each opcode."""

    def write(work: Path) -> Path:
        make = random.Random(0)
        file = work / f"objects-{size_bytes}.pkl"
        rows = [
            {
                "id": index,
                "score": make.random(),
                "name": f"row number {index:010d}",
                "text": f"{make.random():.16f}",
                "tags": [None, True],
                "place": (make.random(), make.random(), make.random()),
            }
            for index in range(size_bytes // 110)
        ]
        file.write_bytes(pickle.dumps(rows, 4))
        return file

    return write


def write_small_pickle(work: Path) -> Path:
    file = work / "small.pkl"
    file.write_bytes(pickle.dumps({"a": [1, 2.5, "b"], "c": (None, True)}))
    return file


def write_small_pickles(work: Path) -> Path:
    import numpy as np

    root = work / "small-pickles"
    root.mkdir()
    values: tuple[Any, ...] = (
        {"a": [1, 2.5, "b"], "c": (None, True)},
        np.arange(20, dtype=np.float32),
        [{"name": f"n{i}", "weight": i / 3} for i in range(10)],
    )
    for index in range(5000):
        data = pickle.dumps([index, values[index % len(values)]], 2 + index % 4)
        (root / f"{index:05d}.pkl").write_bytes(data)
    return root


def write_torch_file(work: Path) -> Path:
    """500 MB as ``torch.save`` writes a state dict, without PyTorch: 50 tensors of 10 MB."""

    def text(value: str) -> bytes:
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    def tensor(key: int) -> bytes:
        storage = text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu")
        count = b"J" + (2_500_000).to_bytes(4, "little")
        shape = b"M\xc4\x09M\xe8\x03\x86" + b"M\xe8\x03K\x01\x86"  # (2500, 1000), (1000, 1)
        hooks = b"ccollections\nOrderedDict\n)R"
        rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
        return rebuild + b"((" + storage + count + b"tQK\x00" + shape + b"\x89" + hooks + b"tR"

    file = work / "model.pt"
    items = b"".join(text(f"layer.{key}.weight") + tensor(key) for key in range(50))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}(" + items + b"u.")
        for key in range(50):
            archive.writestr(f"model/data/{key}", os.urandom(10_000_000))
        archive.writestr("model/version", "3\n")
    return file


def write_safetensors(work: Path) -> Path:
    """2 GB in 200 tensors."""
    import json

    file = work / "model.safetensors"
    size = 10_000_000
    header = json.dumps(
        {
            f"layer.{i}": {
                "dtype": "F32",
                "shape": [2500, 1000],
                "data_offsets": [i * size, (i + 1) * size],
            }
            for i in range(200)
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    block = os.urandom(size)
    with file.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        for _ in range(200):
            stream.write(block)
    return file


def write_joblib(work: Path) -> Path:
    """300 MB of arrays with an estimator around them."""
    import joblib
    import numpy as np

    make = np.random.default_rng(0)
    file = work / "arrays.joblib"
    joblib.dump({f"a{i}": make.random(1_250_000) for i in range(30)}, file)
    return file


def write_dangerous(work: Path) -> Path:
    from benchmarks._dangerous import write_pickles

    write_pickles(work / "dangerous")
    return work / "dangerous"


def find_benign(work: Path) -> Path:
    """Real pickles and checkpoints, as packages ship them and as libraries write them."""
    for script in ("samples", "train-samples"):
        subprocess.run([ROOT / "scripts" / script], check=True)
    target = work / "benign"
    target.mkdir()
    caches = [ROOT / ".cache" / name for name in ("samples", "trained")]
    found = [file for cache in caches for file in cache.rglob("*")]
    suffixes = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".npy", ".npz", ".z", ".h5", ".keras"}
    for number, file in enumerate(sorted(found)):
        if file.is_file() and file.suffix in suffixes:
            shutil.copy(file, target / f"{number:05d}-{file.name}")
    return target


def with_peers(prepare: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def write(work: Path) -> Path:
        subprocess.run([ROOT / "scripts" / "scan-peers"], check=True)
        return prepare(work)

    return write


PEERS = ("picklescan", "fickling", "modelscan", "modelaudit")
SCAN, WHOLE, BESIDE = ("job", "scan"), ("job", "scan-whole"), ("job", "scan-beside")
OBJECTS = write_objects(100_000_000)
PART = with_peers(write_objects(1_000_000))
SMALL_PICKLES = with_peers(write_small_pickles)
DANGEROUS, BENIGN = with_peers(write_dangerous), with_peers(find_benign)

CASES = (
    # 50 MB/s, and 25 million opcodes: the most that a machine in Python can be asked to follow.
    Case("seconds: scan a pickle of 100 MB", OBJECTS, WHOLE, None, 2, turns=1),
    Case("memory: scan a pickle of 100 MB", OBJECTS, WHOLE, None, 150, unit="peak_mib", turns=1),
    # A part of it for the others: they need minutes for all, or do not come to its end.
    *(
        Case(f"scan a pickle of 1 MB / {name}", PART, SCAN, peer(name), None, True, turns=1)
        for name in PEERS
    ),
    # 3,000 in a second.
    Case("seconds: scan 5,000 small pickles", write_small_pickles, WHOLE, None, 5 / 3),
    *(
        Case(
            f"scan 5,000 small pickles / {name}",
            SMALL_PICKLES,
            SCAN,
            peer(name),
            None,
            True,
            turns=1,
        )
        for name in PEERS
    ),
    Case("seconds: scan one small file", write_small_pickle, (WEIGHBRIDGE, "scan"), None, 0.15),
    Case(
        "scan one small file / import click",
        write_small_pickle,
        (WEIGHBRIDGE, "scan"),
        IMPORT_CLICK,
        None,
    ),
    Case(
        "seconds: scan .pt of 500 MB, beside hashing", write_torch_file, BESIDE, None, 0.1, turns=1
    ),
    Case(
        "seconds: scan safetensors of 2 GB, beside hashing",
        write_safetensors,
        BESIDE,
        None,
        0.1,
        turns=1,
    ),
    # 1 GB/s.
    Case(
        "seconds: scan joblib of 300 MB, beside hashing", write_joblib, BESIDE, None, 0.3, turns=1
    ),
    Case("scan model / hash model", find_model, SCAN, ("job", "hash"), 1.1),
    # Calls of the standard library that execute, open, delete or connect, one in each pickle.
    Case(
        "let through: dangerous calls",
        DANGEROUS,
        ("job", "scan-passed"),
        None,
        0.005,
        unit="passed",
        turns=1,
    ),
    Case(
        "not named: dangerous calls",
        DANGEROUS,
        ("job", "scan-unnamed"),
        None,
        0.1,
        unit="passed",
        turns=1,
    ),
    *(
        Case(
            f"let through: dangerous calls, {name}",
            DANGEROUS,
            peer(name),
            None,
            None,
            unit="passed",
            turns=1,
        )
        for name in PEERS
    ),
    # Of any kind that a loader takes. Fickling reads plain pickles, and says so of all others.
    Case(
        "flagged in vain: real files",
        BENIGN,
        ("job", "scan-flagged"),
        None,
        0.03,
        unit="flagged",
        turns=1,
    ),
    *(
        Case(
            f"flagged in vain: real files, {name}",
            BENIGN,
            peer(name),
            None,
            None,
            unit="flagged",
            turns=1,
        )
        for name in PEERS
    ),
)
