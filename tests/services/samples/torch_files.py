"""Write what PyTorch writes. Runs in the environment that ``scripts/train-samples`` makes."""

from __future__ import annotations

import argparse
import collections
import pickle
import sys
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


class Net(nn.Sequential):
    """A class of this program: what ``torch.save`` of a whole module refers to."""


def build() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8, 4),
        nn.LayerNorm(4),
        nn.Dropout(0.1),
    )


def train() -> tuple[nn.Module, torch.optim.Optimizer, Any]:
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.rand(3, 1, 4, 4)).sum().backward()
        optimizer.step()
        scheduler.step()
    return model, optimizer, scheduler


def write_checkpoints(folder: Path) -> None:
    model, optimizer, scheduler = train()
    state = model.state_dict()
    everything = {
        "model": state,
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": 3,
        "args": argparse.Namespace(lr=1e-3, name="net", devices=[0, 1], nested=None),
        "best": np.float64(0.5),
        "history": collections.defaultdict(list, loss=[np.float32(0.1), 0.2]),
        "rng": torch.get_rng_state(),
        "numpy_rng": np.random.RandomState(0).get_state(),
        "shape": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "parameter": nn.Parameter(torch.ones(2)),
    }
    torch.save(state, folder / "state.pt")
    torch.save(state, folder / "state-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(everything, folder / "checkpoint.pt")
    torch.save(everything, folder / "checkpoint-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(everything, folder / "checkpoint-4.pt", pickle_protocol=4)
    torch.save({"state_dict": state}, folder / "pytorch_model.bin")
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    torch.save(argparse.Namespace(a=1), folder / "training_args.bin")
    pickle_file = folder / "state.pkl"
    pickle_file.write_bytes(pickle.dumps(state))
    for name, kind in OPTIMIZERS.items():
        model = build()
        other = kind(model.parameters(), lr=0.01)
        model(torch.rand(3, 1, 4, 4)).sum().backward()
        other.step()
        torch.save(other.state_dict(), folder / f"optimizer-{name}.pt")


OPTIMIZERS: dict[str, Any] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}


def write_tensors(folder: Path) -> None:
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tensors: dict[str, Any] = {
        "view": base[1:, ::2],
        "transposed": base.T,
        "shared": [base, base[0]],
        "scalar": torch.tensor(1.0),
        "empty": torch.empty(0, 3),
        "sparse": torch.eye(3).to_sparse(),
        "csr": torch.eye(3).to_sparse_csr(),
        "quantized": torch.quantize_per_tensor(base, 0.1, 0, torch.qint8),
        "quantized-channels": torch.quantize_per_channel(
            base, torch.ones(3) * 0.1, torch.zeros(3, dtype=torch.long), 0, torch.qint8
        ),
        "meta": torch.empty(2, device="meta"),
        "complex": torch.zeros(2, dtype=torch.complex64),
        "conjugated": torch.zeros(2, dtype=torch.complex64).conj(),
        "gradient": torch.ones(2, requires_grad=True),
        "storage": torch.ones(2).untyped_storage(),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    }
    for kind in ("float64", "float16", "bfloat16", "int8", "uint8", "int16", "int64", "bool"):
        tensors[kind] = torch.ones(3, dtype=getattr(torch, kind))
    tensors["float8"] = torch.ones(4).to(torch.float8_e4m3fn)
    for name, value in tensors.items():
        torch.save(value, folder / f"{name}.pt")
        try:
            torch.save(value, folder / f"{name}-old.pt", _use_new_zipfile_serialization=False)
        except (RuntimeError, NotImplementedError):
            (folder / f"{name}-old.pt").unlink(missing_ok=True)  # newer than that layout


LAYERS = (
    lambda: nn.Linear(2, 2),
    lambda: nn.Conv1d(1, 1, 1),
    lambda: nn.LSTM(2, 2, num_layers=2),
    lambda: nn.GRU(2, 2),
    lambda: nn.Embedding(3, 2),
    lambda: nn.MultiheadAttention(4, 2),
    lambda: nn.TransformerEncoderLayer(4, 2, 8),
    lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2),
    lambda: nn.ModuleDict({"a": nn.Linear(1, 1)}),
    lambda: nn.ModuleList([nn.GELU(), nn.SiLU()]),
    lambda: nn.GroupNorm(1, 2),
    lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)),
    build,
)


def write_modules(folder: Path) -> None:
    for make in LAYERS:
        module = make()
        name = type(module).__name__.lower()
        try:
            torch.save(module, folder / f"{name}.pt")
            torch.save(module, folder / f"{name}-old.pt", _use_new_zipfile_serialization=False)
        except RuntimeError:
            (folder / f"{name}.pt").unlink(missing_ok=True)  # a parametrised module refuses
    torch.save(Net(nn.Linear(1, 1)), folder / "own-class.pt")


def write_programs(folder: Path) -> None:
    model = build().eval()
    example = torch.rand(1, 1, 4, 4)
    torch.jit.trace(model, example).save(str(folder / "traced.pt"))
    torch.jit.script(model).save(str(folder / "scripted.pt"))
    torch.jit.optimize_for_inference(torch.jit.script(model)).save(str(folder / "frozen.pt"))
    torch.jit.script(nn.LSTM(2, 2)).save(str(folder / "lstm.pt"))
    torch.jit.script(model)._save_for_lite_interpreter(str(folder / "lite.ptl"))
    torch.export.save(torch.export.export(model, (example,)), folder / "exported.pt2")


def write_old(folder: Path) -> None:
    """A checkpoint inside a tar archive, as people hand them on."""
    torch.save({"a": torch.ones(2)}, folder / "inner.pt")
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "inner.pt", "model/inner.pt")


WRITERS = {
    "trained-torch-checkpoints": write_checkpoints,
    "trained-torch-tensors": write_tensors,
    "trained-torch-modules": write_modules,
    "trained-torch-programs": write_programs,
    "trained-torch-old": write_old,
}


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for name, write in WRITERS.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True)
        write(folder)


if __name__ == "__main__":
    main()
