"""The wheel alone, in a fresh environment with the base lock, does the main job."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support import ROOT, build_model

UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, check=False, capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_works_by_itself(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "venv"
    run(UV, "venv", "--quiet", "--python", sys.executable, home, cwd=tmp_path)
    install = {**os.environ, "VIRTUAL_ENV": str(home)}
    lock = ROOT / "locks" / "base.txt"
    run(UV, "pip", "install", "--require-hashes", "-r", lock, cwd=tmp_path, env=install)
    run(UV, "pip", "install", "--no-deps", wheel, cwd=tmp_path, env=install)

    weighbridge = home / "bin" / "weighbridge"
    build_model(tmp_path / "model")
    assert "weighbridge" in run(weighbridge, "--version", cwd=tmp_path)
    run(weighbridge, "keygen", "k", cwd=tmp_path)
    run(weighbridge, "sign", "model", "--key", "k.key", cwd=tmp_path)
    run(weighbridge, "verify", "model", "--key", "k.pub", cwd=tmp_path)
    (tmp_path / "p.toml").write_text(
        "version = 1\n[trust.signers.k]\nkey = 'k.pub'\nroles = ['publisher']\n"
        "[require]\nsignature = { by = ['k'] }\nlicenses = { allow = ['Apache-2.0'] }\n"
    )
    policy = ("--policy", "p.toml", "--html", "r.html", "--sarif", "r.sarif")
    assert "PASS" in run(weighbridge, "check", "model", *policy, cwd=tmp_path)
    assert (tmp_path / "r.html").stat().st_size > 5_000
    run(weighbridge, "scan", "model", cwd=tmp_path)
    run(home / "bin" / "python", "-m", "weighbridge", "hash", "model", cwd=tmp_path)

    (tmp_path / "n.ipynb").write_text('{"nbformat": 4, "nbformat_minor": 0, "cells": []}')
    step = ("run", "--kind", "train", "-o", "m=model", "--key", "k.key", "--", "n.ipynb")
    done = subprocess.run(
        [weighbridge, *step], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install 'weighbridge[notebook]'" in done.stderr
