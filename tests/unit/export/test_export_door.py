"""The door loads what is asked for, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import weighbridge.export


def test_text_and_json_load_neither_html_nor_sarif_nor_anything_from_elsewhere() -> None:
    code = (
        "import sys, weighbridge.export\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names"
        " - {'__main__', 'weighbridge'}))\n"
        "print(*sorted(name for name in sys.modules if name.startswith('weighbridge.export.')))"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(weighbridge.export.__path__[0]) + "/../.."},
    )
    foreign, own = result.stdout.splitlines()
    assert foreign == ""
    assert own.split() == [
        f"weighbridge.export.{name}"
        for name in ("_encodable", "_json", "_report", "_scan_text", "_style", "_text", "_wrap")
    ]


def test_the_door_names_what_it_has() -> None:
    assert all(hasattr(weighbridge.export, name) for name in weighbridge.export.__all__)
    assert weighbridge.export.__all__ == sorted(
        weighbridge.export.__all__, key=lambda name: (not name[0].isupper(), name)
    )
