"""Repositories of DVC, made by DVC itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["PIPELINE", "make_repository", "run_dvc"]

# Parameters that are one object in params.yaml make DVC write anchors into dvc.lock.
PARAMETERS = """\
lr: 1e-3
model: &shared {layers: 3, names: [a, b]}
other: *shared
api_key: sk-proj-1234567890abcdefABCDEF
"""

PIPELINE = """\
stages:
  prepare:
    cmd: mkdir -p out && cp -r data/img out/img && cp data/raw.csv out/clean.csv
    deps: [data/raw.csv, data/img]
    params: [lr, model, other, api_key]
    outs: [out/img, out/clean.csv]
  train:
    foreach: [a, b]
    do:
      wdir: sub
      cmd: cp ../out/clean.csv ${item}.bin
      deps: [../out/clean.csv]
      params: [{../params.yaml: [lr]}]
      outs: ["${item}.bin"]
  evaluate:
    cmd:
      - echo '{"acc":1}' > metrics.json
      - cat sub/a.bin sub/b.bin > plot.csv
    deps: [sub/a.bin, sub/b.bin]
    metrics: [{metrics.json: {cache: false}}]
    plots: [plot.csv]
"""


def run_dvc(folder: Path, *arguments: str) -> str:
    """Run DVC, which tells nobody and keeps what it keeps beside the repository."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("dvc")), *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(home / "site"),
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_repository(folder: Path) -> Path:
    """Make a repository with data, a pipeline that ran, and a commit."""
    (folder / "data" / "img").mkdir(parents=True)
    (folder / "sub").mkdir()
    (folder / "data" / "raw.csv").write_bytes(b"x,y\r\n1,2\r\n")
    (folder / "data" / "img" / "one").write_text("1")
    (folder / "data" / "img" / "zwölf").write_text("12")
    (folder / "data" / "img" / ".gitignore").write_text("*.tmp\n")
    (folder / "params.yaml").write_text(PARAMETERS)
    (folder / "dvc.yaml").write_text(PIPELINE)
    run_git(folder, "init", "-q")
    run_dvc(folder, "init", "-q")
    (folder / ".dvcignore").write_text("claims.jsonl\n*.claims.jsonl\n")
    run_dvc(folder, "add", "-q", "data/raw.csv", "data/img")
    run_dvc(folder, "repro", "-q")
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-qm", "first")
    return folder


def run_git(folder: Path, *arguments: str) -> None:
    names = [
        word
        for key in ("user.name=a", "user.email=a@b", "commit.gpgsign=false")
        for word in ("-c", key)
    ]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)
