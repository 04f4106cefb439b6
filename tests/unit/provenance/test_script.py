"""Which file a command runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from weighbridge.provenance import find_script

PATH = {"PATH": "bin:/usr/bin:/bin"}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("train.py", "run.sh", "data.csv", "bin/quantize", "bin/torchrun"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    (tmp_path / "link.py").symlink_to("train.py")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python train.py data.csv", "train.py"),
        ("python3.11 -u -W ignore -X faulthandler train.py", "train.py"),
        ("python -m train", None),
        ("python -c pass train.py", None),
        ("python data.csv", "data.csv"),
        ("python nowhere.py", None),
        ("python", None),
        ("sh -e run.sh", "run.sh"),
        ("bash -o pipefail -x run.sh", "run.sh"),
        ("bin/torchrun --nproc-per-node 4 train.py data.csv", "train.py"),
        ("torchrun -m train", "bin/torchrun"),
        ("env A=1 python train.py", "train.py"),
        ("./run.sh data.csv", "./run.sh"),
        ("quantize data.csv", "bin/quantize"),
        ("nowhere data.csv", None),
        ("", None),
    ],
)
def test_what_is_run(command: str, expected: str | None) -> None:
    assert find_script(command.split(), PATH) == (None if expected is None else Path(expected))


def test_an_argument_is_an_input() -> None:
    found = find_script(["cp", "data.csv", "x"], PATH)
    assert found is not None
    assert found.name != "data.csv"


def test_a_link_is_followed(place: Path) -> None:
    assert find_script(["python", "link.py"], PATH) == place / "train.py"


def test_a_name_that_is_too_long_is_no_file() -> None:
    assert find_script(["python", "x" * 5000], PATH) is None
