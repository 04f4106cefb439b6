"""What several tests need: small models, and the command line as a user runs it."""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WEIGHBRIDGE = str(Path(sys.executable).with_name("weighbridge"))

CARD = """\
---
license: apache-2.0
language: en
---

# Tiny

A model for tests.
"""

# The smallest pickle that runs a command; nothing in the tests ever loads it.
EVIL_PICKLE = b"cos\nsystem\n(S'echo pwned'\ntR."


def digest_of(text: str) -> str:
    """Return the sha256 of a text in hex; of a name, to have a digest for what is made up."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write_claims(folder: Path, lines: Iterable[bytes]) -> Path:
    """Write the claims file of a folder, which is made if it is not there; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claims.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


def run_cli(
    *arguments: str | Path,
    cwd: Path | None = None,
    prefix: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``weighbridge`` as a process of its own and return what it said."""
    done = subprocess.run(
        [*prefix, WEIGHBRIDGE, *map(str, arguments)],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**(env or os.environ), "NO_COLOR": "1", "COLUMNS": "100"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@functools.cache
def bare_python() -> str:
    """Make a virtual environment without packages; return its interpreter.

    Steps that run on it cost little, since packages are hashed each time, and read nothing that
    this machine's own installation holds.
    """
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-python-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    venv.create(folder, symlinks=True)
    return str(folder / "bin" / "python")


def without_privileges() -> tuple[str, ...]:
    """Return a prefix under which root may not read what its mode forbids; empty if not root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("running as root without setpriv: permissions cannot be tested")
    caps = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}")


def to_safetensors(values: int = 16) -> bytes:
    """Return a safetensors file of one float32 tensor."""
    tensor = struct.pack(f"<{values}f", *range(values))
    header = json.dumps(
        {"weight": {"dtype": "F32", "shape": [values], "data_offsets": [0, len(tensor)]}}
    ).encode()
    return struct.pack("<Q", len(header)) + header + tensor


def build_model(folder: Path) -> Path:
    """Write a small benign model with a card, and return its folder."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(to_safetensors())
    (folder / "config.json").write_text('{"model_type": "tiny"}\n')
    (folder / "README.md").write_text(CARD)
    (folder / "vocab").mkdir()
    (folder / "vocab" / "vocab.txt").write_text("hello\nworld\n")
    return folder
