"""What is not needed is not imported: start-up time is part of the interface."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "IPython",
    "cel",
    "concurrent.futures",
    "cryptography",
    "license_expression",
    "nbclient",
    "nbformat",
    "pyarrow",
    "pydantic",
    "rich",
    "sigstore",
    "sqlalchemy",
    "starlette",
    "tomllib",
    "yaml",
}

SCRIPT = """
import sys
from weighbridge.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def run_and_list_modules(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], check=True, capture_output=True, text=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["hash", "FILE"]])
def test_small_commands_import_little(tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(bytes(1024))
    loaded = run_and_list_modules(*(str(file) if a == "FILE" else a for a in arguments))
    assert not loaded & HEAVY
    if arguments != ["hash", "FILE"]:
        assert not loaded & {"hashlib", "dataclasses", "weighbridge.workflow"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("weighbridge.")}
    assert not rooms & {
        "integrations",
        "signing",
        "scanning",
        "policy",
        "licenses",
        "export",
        "formats",
    }


KEYLESS = ("id", "pydantic", "requests", "rfc3161_client", "sigstore", "tuf", "urllib3")


def test_a_key_needs_nothing_keyless(tmp_path: Path) -> None:
    model, key = tmp_path / "w.bin", tmp_path / "k"
    model.write_bytes(bytes(1024))
    for arguments in (
        ["keygen", str(key)],
        ["sign", str(model), "--key", f"{key}.key"],
        ["verify", str(model), "--key", f"{key}.pub"],
        ["inspect", f"{model}.sig"],
        ["trust", "--help"],
    ):
        loaded = run_and_list_modules(*arguments)
        assert not {name.partition(".")[0] for name in loaded} & set(KEYLESS)
        assert not [name for name in loaded if "keyless" in name]


def test_importing_the_package_imports_no_room() -> None:
    script = "import sys, weighbridge; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    loaded = {name for name in done.stdout.split() if name.startswith("weighbridge")}
    assert loaded == {"weighbridge", "weighbridge._version"}
