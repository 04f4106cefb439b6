"""A PKCS#11 module with faults: hands everything on to SoftHSM except what a test wants to fail."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def build_faulty_module(folder: Path) -> Path | None:
    """Compile it; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "faulty.so"
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, SOURCE, "-ldl"]
    subprocess.run(command, check=True, timeout=120)
    return library
