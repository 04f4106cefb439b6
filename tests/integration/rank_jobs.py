"""Distributed jobs on this machine: processes that are started as launchers start ranks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import weighbridge as wb
from support import WEIGHBRIDGE, build_model

# The interpreter below the virtual environment has few packages, which are all hashed each time.
PYTHON = getattr(sys, "_base_executable", sys.executable)

# Each rank waits for all others, as ranks that reduce gradients do; rank 0 writes the model.
TRAIN = """
import os, pathlib, time
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
pathlib.Path("meet").mkdir(exist_ok=True)
pathlib.Path(f"meet/{rank}").touch()
while len(os.listdir("meet")) < size:
    time.sleep(0.01)
text = open(f"data/{rank}.csv").read() + open("base/config.json").read()
if rank == 0:
    pathlib.Path("out/model").mkdir(parents=True, exist_ok=True)
    pathlib.Path("out/model/w.bin").write_text(text)
"""

# Set for the processes of a test by nobody else.
LAUNCHERS = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_",
    "GROUP_",
    "ROLE_",
    "MASTER_",
    "TORCHELASTIC_",
    "SLURM_",
)


def build_place(folder: Path, *, size: int = 4) -> Path:
    """Make keys, a base model and one shard of data for each rank."""
    folder.mkdir(exist_ok=True)
    build_model(folder / "base")
    (folder / "data").mkdir()
    for rank in range(size):
        (folder / "data" / f"{rank}.csv").write_text(f"x\n{rank}\n")
    for name in ("k", "other"):
        wb.keygen(folder / name)
    return folder


def clean_environ(**more: str) -> dict[str, str]:
    """Return this process's variables without those of a launcher, and some more."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith(LAUNCHERS)}
    return {**kept, "NO_COLOR": "1", **more}


def to_command(
    rank: int, *options: str, step: Sequence[str] = (), base: Iterable[str] = ()
) -> list[str]:
    """Return the command line of one rank."""
    given = tuple(base) or ("--kind", "train", "--name", "sft", "--param", "lr=1", "--key", "k.key")
    inputs = ("-i", f"data=data/{rank}.csv", "-i", "base-model=base", "-o", "model=out/model")
    program = step or (PYTHON, "-c", TRAIN)
    return [WEIGHBRIDGE, "run", *given, *inputs, *options, "--", *program]


def start_rank(
    place: Path, rank: int, *options: str, env: Mapping[str, str], step: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start one rank in a process group of its own."""
    return subprocess.Popen(
        to_command(rank, *options, step=step),
        cwd=place,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def run_job(
    place: Path, *options: str, size: int = 4, variables: Mapping[str, str] | None = None
) -> list[str]:
    """Run all ranks at once to their end; return what each said on stderr."""
    for file in place.glob("meet/*"):
        file.unlink()
    given = {"WORLD_SIZE": str(size), **(variables or {})}
    ranks = [
        start_rank(place, rank, *options, env=clean_environ(RANK=str(rank), **given))
        for rank in range(size)
    ]
    said = [process.communicate(timeout=240)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0] * size, said
    return said
