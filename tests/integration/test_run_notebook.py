"""run: a notebook as a step, executed by a real kernel."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import weighbridge as wb
from support import WEIGHBRIDGE
from weighbridge.core import DEFAULT_LIMITS, parse_bundle
from weighbridge.formats import parse_notebook
from weighbridge.signing import load_public_key, verify_bundle

TRAIN = (
    "import numpy as np\ndata = np.loadtxt('data.csv', delimiter=',')",
    "w = np.linalg.lstsq(data[:, :1], data[:, 1], rcond=None)[0]\nnp.save('out/w.npy', w)\nw",
)
PLAIN = ("open('out/w.npy', 'w').write('w')",)
GIVEN = ("-i", "data=data.csv", "-o", "model=out")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "out").mkdir(parents=True)
    (work / "data.csv").write_text("1,2\n2,4\n3,6\n")
    (work / "other.txt").write_text("nobody declared this")
    (tmp_path / "keys").mkdir()
    wb.keygen(tmp_path / "keys" / "k")
    return work


def write_notebook(path: Path, *sources: str, **metadata: Any) -> bytes:
    """Write a notebook with a title and a cell for each source, as if it had run before."""
    cells: list[Any] = [nbformat.v4.new_markdown_cell("# Title")]
    for source in sources:
        old = nbformat.v4.new_output("stream", text="old")
        cells.append(nbformat.v4.new_code_cell(source, execution_count=9, outputs=[old]))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    data = nbformat.writes(notebook).encode()
    path.write_bytes(data)
    return data


def to_command(place: Path, *options: str, command: tuple[str, ...] = ("n.ipynb",)) -> list[str]:
    key = str(place.parent / "keys" / "k.key")
    given = options if "-o" in options else (*GIVEN, *options)
    return [WEIGHBRIDGE, "run", "--kind", "train", "--key", key, *given, "--", *command]


def run(
    place: Path,
    *options: str,
    code: int = 0,
    command: tuple[str, ...] = ("n.ipynb",),
    env: dict[str, str] | None = None,
) -> str:
    done = subprocess.run(
        to_command(place, *options, command=command),
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=env,
    )
    assert done.returncode == code, done.stderr
    if code:
        assert not (place / "out" / "claims.jsonl").exists()
    return done.stderr


def read_provenance(place: Path) -> dict[str, Any]:
    line = (place / "out" / "claims.jsonl").read_bytes().splitlines()[-1]
    bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
    keys = {"k": load_public_key(place.parent / "keys" / "k.pub")}
    payload = verify_bundle(bundle, keys, at=datetime.now(UTC)).statement.payload
    predicate: dict[str, Any] = json.loads(payload)["predicate"]
    return predicate


def find_role(predicate: dict[str, Any], role: str) -> list[dict[str, Any]]:
    items = predicate["buildDefinition"]["resolvedDependencies"]
    return [item for item in items if item.get("annotations", {}).get("role") == role]


@pytest.mark.parametrize("walls", [(), ("--enforce",)], ids=["open", "walls"])
def test_a_notebook_that_trains(place: Path, walls: tuple[str, ...]) -> None:
    (place / "report").mkdir()
    (place / "report" / "r.ipynb").touch()
    data = write_notebook(place / "n.ipynb", *TRAIN)
    said = run(place, *GIVEN, "-o", "report=report/r.ipynb", "--json", *walls)
    assert np.load(place / "out" / "w.npy") == pytest.approx([2])
    assert (place / "n.ipynb").read_bytes() == data
    predicate = read_provenance(place)
    built = predicate["buildDefinition"]
    assert built["externalParameters"]["entryPoint"] == ["n.ipynb"]
    known = built["internalParameters"]["completeness"]
    assert known["class"] == ("enforced" if walls else "observed"), said
    assert (known["undeclared"], known["connections"]) == ("0", [])
    (entry,) = find_role(predicate, "entry-point")
    assert entry["digest"]["sha256"] == hashlib.sha256(data).hexdigest()
    (clean,) = find_role(predicate, "clean-notebook")
    parsed = parse_notebook(data, what="n", limits=DEFAULT_LIMITS)
    assert clean["digest"]["sha256"] == parsed.sha256
    assert clean["annotations"]["codeCells"] == "2"
    assert any(item["name"] == "numpy" for item in find_role(predicate, "package"))
    executed = nbformat.read(place / "report" / "r.ipynb", as_version=4)
    nbformat.validate(executed)
    assert [cell.get("execution_count") for cell in executed.cells] == [None, 1, 2]
    assert executed.cells[1].outputs == []
    assert executed.cells[2].outputs[0].data["text/plain"] == "array([2.])"
    again = parse_notebook(
        (place / "report" / "r.ipynb").read_bytes(), what="r", limits=DEFAULT_LIMITS
    )
    assert again.sha256 == parsed.sha256


def test_what_cells_can_do(place: Path) -> None:
    """Top-level await, shells, classes and worker processes are as in any other kernel."""
    write_notebook(
        place / "n.ipynb",
        "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')",
        "word = 'shell'\n!echo $word; exit 3",
        "print(_exit_code)",
        "%%bash\necho bash",
        "class A: pass\nimport pickle\nlen(pickle.dumps(A()))",
        "from multiprocessing import get_context\ndef f(x): return x * x\n"
        "with get_context('fork').Pool(1) as pool: print(pool.map(f, [2]))",
        "import sys\nprint(sys.argv, __name__)",
        "from IPython.display import display, clear_output\n"
        "display('first'); clear_output(); display('second')",
        "from threading import Thread\n"
        "t = Thread(target=print, args=('thread',))\nt.start()\nt.join()",
        "from comm import create_comm\ncreate_comm(target_name='jupyter.widget', data={'state': {\n"
        "    '_model_module': 'm', '_model_name': 'M', 'value': 7}}).comm_id",
        *PLAIN,
    )
    run(place, "-o", "model=out", "-o", "report=r.ipynb", "--observe", "none")
    executed = nbformat.read(place / "r.ipynb", as_version=4)
    cells = executed.cells[1:]
    printed = ["".join(out.get("text", "") for out in cell.outputs) for cell in cells]
    assert printed[:4] == ["awaited\n", "shell\n", "3\n", "bash\n"]
    assert printed[5:7] == ["[4]\n", "[''] __main__\n"]
    assert [out.data["text/plain"] for out in cells[7].outputs] == ["'second'"]
    assert printed[8] == "thread\n"
    (state,) = executed.metadata.widgets["application/vnd.jupyter.widget-state+json"].state.values()
    assert state["state"]["value"] == 7


def test_cells_run_in_the_folder_of_the_notebook(place: Path) -> None:
    (place / "books").mkdir()
    (place / "books" / "mine.py").write_text("name = 'w.npy'")
    write_notebook(
        place / "books" / "n.ipynb", "import mine\nopen('../out/' + mine.name, 'w').write('w')"
    )
    said = run(place, "--json", command=("books/n.ipynb",))
    assert (place / "out" / "w.npy").exists()
    names = [item["name"] for item in find_role(read_provenance(place), "undeclared")]
    assert names == [str(place / "books" / "mine.py")], said


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (("x = 1", "x = 2\n1 / 0"), "code cell 2 of 2 failed, line 2: ZeroDivisionError: division"),
        (("x = (",), "code cell 1 of 1 failed, SyntaxError"),
        (("raise SystemExit(0)",), "code cell 1 of 1 failed, SystemExit: 0"),
        (("exit()", "1"), "code cell 1 of 2 asked the kernel to exit"),
        (("import os\nos._exit(0)",), "the kernel ended in code cell 1, before the end"),
        (("1", "import os\nos.kill(os.getpid(), 9)"), "ended by signal 9 in code cell 2"),
        (("input()",), "StdinNotImplementedError"),
        (("raise ValueError('a\\x1b[2Jb\\nc')",), "ValueError: a\\x1b[2Jb\n"),
        (("import no_such_module",), "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_cell_that_fails(place: Path, cells: tuple[str, ...], words: str) -> None:
    write_notebook(place / "n.ipynb", *PLAIN, *cells)
    shifted = words
    for number in (2, 1):
        shifted = shifted.replace(f"code cell {number}", f"code cell {number + 1}")
        shifted = shifted.replace(f"of {number} ", f"of {number + 1} ")
    said = run(place, "--observe", "none", code=1)
    assert shifted in said
    assert "the step failed with exit code 1; its outputs are unclaimed" in said
    assert "\x1b" not in said


def test_the_executed_copy_shows_how_far_it_got(place: Path) -> None:
    write_notebook(place / "n.ipynb", "print('first')", "1 / 0", "print('never')")
    said = run(place, *GIVEN, "-o", "report=r/r.ipynb", "--observe", "none", code=1)
    assert f"how far it got is in {place / 'r' / 'r.ipynb'}" in said
    _, first, failed, never = nbformat.read(place / "r" / "r.ipynb", as_version=4).cells
    assert first.outputs[0].text == "first\n"
    assert failed.outputs[0].ename == "ZeroDivisionError"
    assert (never.outputs, never.execution_count) == ([], None)
    assert not (place / "r" / "r.ipynb.claims.jsonl").exists()


def test_tags_are_followed(place: Path) -> None:
    write_notebook(place / "n.ipynb", "1 / 0", "raise SystemExit", *PLAIN)
    notebook = nbformat.read(place / "n.ipynb", as_version=4)
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    notebook.cells[2].metadata["tags"] = ["skip-execution"]
    nbformat.write(notebook, place / "n.ipynb")
    run(place, "--observe", "none")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("open('other.txt')", "PermissionError"),
        ("open('new', 'w')", "PermissionError"),
        ("open('../keys/k.key')", "PermissionError"),
        ("import socket\nsocket.socket()", "PermissionError"),
        ("%%bash\ncat other.txt", "CalledProcessError"),
    ],
)
def test_walls_stand_around_the_kernel(place: Path, cell: str, words: str) -> None:
    write_notebook(place / "n.ipynb", *PLAIN, cell)
    said = run(place, "--enforce", "--observe", "none", code=1)
    assert re.search(rf"code cell 2 of 2 failed, line [12]: {words}", said)


def test_no_kernelspec_is_looked_up(place: Path, tmp_path: Path) -> None:
    """A notebook names its kernel, and a kernelspec may name any program."""
    spec = tmp_path / "jupyter" / "kernels" / "evil"
    spec.mkdir(parents=True)
    argv = ["/bin/sh", "-c", f"touch {tmp_path}/pwned", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
    )
    chosen = {"name": "evil", "display_name": "Python 3", "language": "python"}
    write_notebook(place / "n.ipynb", *PLAIN, kernelspec=chosen)
    run(place, "--observe", "none", env={**os.environ, "JUPYTER_PATH": str(tmp_path / "jupyter")})
    assert not (tmp_path / "pwned").exists()
    (clean,) = find_role(read_provenance(place), "clean-notebook")
    assert clean["annotations"]["kernelspec"] == "evil"


def test_nothing_of_the_users_profile_runs(place: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    startup = home / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "a.py").write_text(f"open('{tmp_path}/ran', 'w')")
    (startup.parent / "ipython_config.py").write_text(f"open('{tmp_path}/ran', 'w')")
    write_notebook(place / "n.ipynb", *PLAIN)
    run(place, "--observe", "none", env={**os.environ, "HOME": str(home)})
    assert not (tmp_path / "ran").exists()
    assert sorted(p.name for p in home.rglob("*")) == sorted(
        p.name for p in (home / ".ipython", startup.parent, startup, startup / "a.py",
                         startup.parent / "ipython_config.py")
    )  # fmt: skip


NESTED = b'{"nbformat": 4, "cells": ' + b"[" * 100_000


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"print(1)", 2, "n.ipynb is not JSON"),
        (b'{"nbformat": 3, "worksheets": []}', 2, "notebook format 3.0"),
        (NESTED, 2, "n.ipynb"),
        (b'{"nbformat": 4, "cells": [' + b'{"a":""},' * 1_500_000 + b"{}]}", 2, "values, which is"),
        (
            b'{"nbformat": 4, "metadata": {"language_info": {"name": "R\x7f"}}, "cells": []}',
            2,
            "in r",
        ),
    ],
    ids=["python", "format-3", "nested", "many", "r"],
)
def test_hostile_notebooks(place: Path, content: bytes, code: int, words: str) -> None:
    (place / "n.ipynb").write_bytes(content)
    said = run(place, code=code)
    assert words in said
    assert said.count("\n") == 1
    assert len(said) < 500


def test_a_huge_notebook_is_not_read(place: Path) -> None:
    with (place / "n.ipynb").open("wb") as stream:
        stream.truncate(300 * 1024 * 1024)
    assert "over the limit max_notebook_bytes" in run(place, code=3)


def test_a_pipe_is_not_waited_for(place: Path) -> None:
    os.mkfifo(place / "n.ipynb")
    assert "not a regular file" in run(place, code=2)


@pytest.mark.parametrize(
    ("options", "command", "words"),
    [
        (GIVEN, ("none.ipynb",), "there is no notebook at none.ipynb"),
        (GIVEN, ("n.ipynb", "--lr", "1"), "a notebook takes no arguments"),
        (GIVEN, ("python-none", "n.ipynb"), "there is no program python-none"),
        (("-o", "m=n.ipynb"), ("n.ipynb",), "would take the place of n.ipynb"),
        (("-o", "a=a.ipynb", "-o", "b=b.ipynb"), ("n.ipynb",), "two outputs end in .ipynb"),
    ],
)
def test_what_cannot_be_run(
    place: Path, options: tuple[str, ...], command: tuple[str, ...], words: str
) -> None:
    write_notebook(place / "n.ipynb", *PLAIN)
    assert words in run(place, *options, code=2, command=command)


def test_cells_that_write_the_executed_copy_themselves(place: Path) -> None:
    write_notebook(place / "n.ipynb", "open('r.ipynb', 'w').write('mine')")
    said = run(place, "-o", "report=r.ipynb", "--observe", "none", code=1)
    assert "where the executed copy goes" in said
    assert (place / "r.ipynb").read_text() == "mine"
    assert not (place / "r.ipynb.claims.jsonl").exists()


@pytest.mark.parametrize(
    "name", ["100%d %s.ipynb", "-n.ipynb", "a\x1b[2Jb.ipynb", "ü'\"$HOME.ipynb"]
)
def test_odd_names(place: Path, name: str) -> None:
    write_notebook(place / name, "1 / 0")
    said = run(place, "--observe", "none", code=1, command=(name,))
    assert "code cell 1 of 1 failed, line 1: ZeroDivisionError" in said
    assert "\x1b" not in said


def test_a_name_that_is_not_utf_8(place: Path) -> None:
    name = os.fsdecode(b"n\xff.ipynb")
    write_notebook(place / name, *PLAIN)
    done = subprocess.run(
        to_command(place, command=(name,)), cwd=place, check=False, capture_output=True, timeout=60
    )
    assert done.returncode == 2
    assert b"UTF-8" in done.stderr
    assert not (place / "out" / "claims.jsonl").exists()


def test_another_interpreter_runs_the_cells(place: Path) -> None:
    """The one that is named; it has to have what executes notebooks."""
    bare = getattr(sys, "_base_executable", sys.executable)
    write_notebook(place / "n.ipynb", "import sys\nopen('out/w', 'w').write(sys.executable)")
    run(place, "--observe", "none", command=(sys.executable, "n.ipynb"))
    assert (place / "out" / "w").read_text() == sys.executable
    (place / "out" / "claims.jsonl").unlink()
    said = run(place, code=2, command=(bare, "n.ipynb"))
    assert "has no nbclient; install nbclient, nbformat, ipykernel there" in said


def test_progress_is_shown_to_a_person(place: Path) -> None:
    write_notebook(place / "n.ipynb", "x = 1", *PLAIN)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        to_command(place, "--observe", "none"), cwd=place, stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while data := os.read(ours, 4096):
                said += data
    os.close(ours)
    assert process.returncode == 0, said
    assert b"n.ipynb: code cell 1 of 2" in said
    assert b"n.ipynb: code cell 2 of 2\r\x1b[K" in said


@pytest.mark.parametrize(
    "cell",
    [
        "time.sleep(60)",
        "import asyncio\nawait asyncio.sleep(60)",
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass",
    ],
    ids=["sleep", "await", "caught"],
)
@pytest.mark.parametrize("observe", ["none", "strace"])
def test_ctrl_c(place: Path, cell: str, observe: str) -> None:
    write_notebook(place / "n.ipynb", *PLAIN, f"import time\nopen('out/begun', 'w')\n{cell}")
    process = subprocess.Popen(
        to_command(place, "--observe", observe),
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 60
        while not (place / "out" / "begun").exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, said
    assert "nothing was left half written" in said
    assert "Traceback" not in said
    assert not (place / "out" / "claims.jsonl").exists()
