"""The digest cache is for recording steps: whoever judges an artifact reads it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT, build_model

SOURCE = ROOT / "src" / "weighbridge"
NAMES = {"DigestCache", "find_cache_folder", "hash_file", "weigh_cached"}
USERS = {
    "provenance/_machine.py",
    "provenance/_packages.py",
    "provenance/_record_files.py",
    "workflow/_record.py",
    "workflow/_step_cache.py",
    "workflow/_step_facts.py",
    "workflow/_step_inputs.py",
}


def test_only_steps_know_it() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name.startswith("artifact/"):
            continue
        imported = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert name in USERS or not imported & NAMES, path


SCRIPT = """
import sys
from weighbridge.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def list_modules(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], check=False, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("verb", ["hash", "scan", "check", "sign", "verify"])
def test_it_is_not_even_loaded(tmp_path: Path, verb: str) -> None:
    model, key = build_model(tmp_path / "model"), tmp_path / "k"
    list_modules("keygen", str(key))
    list_modules("sign", str(model), "--key", f"{key}.key")
    options = {"sign": ("--key", f"{key}.key"), "verify": ("--key", f"{key}.pub")}
    loaded = list_modules(verb, str(model), *options.get(verb, ()))
    assert "weighbridge.artifact._weigh" in loaded
    assert not {name for name in loaded if name.endswith(("._digest_cache", "artifact._cached"))}
