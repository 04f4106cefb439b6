"""%load_ext weighbridge: steps in a live kernel, driven as a front end drives it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import weighbridge as wb
from support import build_model
from weighbridge.core import DEFAULT_LIMITS, parse_bundle
from weighbridge.signing import load_public_key, verify_bundle

Run = Callable[..., str]
START = "%weighbridge start --kind train -i data=data.csv -o model=w.bin --key k.key"
LOAD = "%load_ext weighbridge"
MAKE = "x = open('w.bin', 'w').write('w')"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    build_model(tmp_path / "base")
    (tmp_path / "data.csv").write_text("x,y\n1,2\n")
    wb.keygen(tmp_path / "k")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / ".jupyter"))
    return tmp_path


@pytest.fixture
def kernel(place: Path) -> Iterator[Run]:
    """A kernel of its own; what it runs returns what it prints, errors as ``NAME: VALUE``."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(place), env={**os.environ, "JPY_SESSION_NAME": "a/My book.ipynb"})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=30)

    def run(source: str, *, silent: bool = False) -> str:
        said: list[str] = []

        def listen(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append(f"{content['ename']}: {content['evalue']}")

        reply = client.execute_interactive(source, silent=silent, output_hook=listen, timeout=60)
        # IPython writes some errors as text only.
        return reply["content"]["status"] + "\n" + "".join(said)

    try:
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def read_provenance(place: Path, claims: str = "w.bin.claims.jsonl") -> dict[str, Any]:
    line = (place / claims).read_bytes().splitlines()[-1]
    bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
    keys = {"k": load_public_key(place / "k.pub")}
    payload = verify_bundle(bundle, keys, at=datetime.now(UTC)).statement.payload
    statement = json.loads(payload)
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    predicate: dict[str, Any] = statement["predicate"]
    return predicate


def read_cells(predicate: dict[str, Any]) -> list[tuple[str, str, str]]:
    noted = predicate["buildDefinition"]["internalParameters"]["notebook"]
    assert int(noted["cellCount"]) == len(noted["cells"])
    assert [cell["index"] for cell in noted["cells"]] == [
        str(i) for i in range(len(noted["cells"]))
    ]
    lines = "".join(f"{c['index']} {c['count']} {c['sha256']} {c['ok']}\n" for c in noted["cells"])
    digest = hashlib.sha256(lines.encode()).hexdigest()
    assert noted["cellsSha256"] == digest
    cells = next(b for b in predicate["runDetails"]["byproducts"] if b["name"] == "cells")
    assert cells["digest"] == {"sha256": digest}
    return [(cell["count"], cell["sha256"], cell["ok"]) for cell in noted["cells"]]


def hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_step_in_a_live_kernel(place: Path, kernel: Run) -> None:
    sources = [
        LOAD,
        "rate = 0.5",
        f"{START} --param lr={{rate}} --name sft",
        "secret = 'hunter2'\n1/0",
        MAKE,
        "%weighbridge end",
    ]
    said = [kernel(source) for source in sources]
    assert said[2] == "ok\ntrain step begun; inputs hashed: 1\n"
    assert "declared" in said[-1]
    predicate = read_provenance(place)
    states = ["true", "true", "true", "false", "true", "running"]
    counts = [*map(str, range(1, 6)), "0"]
    assert read_cells(predicate) == [
        (count, hash_text(source), state)
        for count, source, state in zip(counts, sources, states, strict=True)
    ]
    built = predicate["buildDefinition"]
    assert built["externalParameters"]["entryPoint"] == ["notebook", "My book.ipynb"]
    assert built["externalParameters"]["parameters"] == {"lr": "0.5"}
    assert built["internalParameters"]["step"] == {"kind": "train", "name": "sft"}
    assert built["internalParameters"]["notebook"]["firstOfStep"] == "2"
    assert built["internalParameters"]["completeness"]["class"] == "declared"
    assert "cells ran" not in str(built["internalParameters"]["completeness"]["gaps"])
    builder = predicate["runDetails"]["builder"]["id"]
    assert builder == "https://weighbridge.dev/builders/notebook/v1"
    assert "hunter2" not in json.dumps(predicate)


def test_cells_out_of_order_and_again(place: Path, kernel: Run) -> None:
    """The record holds what ran when, not what the page shows."""
    second, first = "y = 2 * x", "x = 21"
    order = [LOAD, second, first, second, START, MAKE, second, "%weighbridge end"]
    for source in order:
        kernel(source)
    cells = read_cells(read_provenance(place))
    assert [sha256 for _, sha256, _ in cells] == [hash_text(source) for source in order]
    assert [ok for *_, ok in cells[:4]] == ["true", "false", "true", "true"]


def test_what_ran_before_and_silently_is_a_gap(place: Path, kernel: Run) -> None:
    kernel("x = 1")
    kernel("y = 2")
    kernel(LOAD)
    kernel("x = 3", silent=True)
    kernel(START)
    kernel(MAKE)
    assert "gap:" in kernel("%weighbridge end")
    internal = read_provenance(place)["buildDefinition"]["internalParameters"]
    assert (internal["notebook"]["before"], internal["notebook"]["silent"]) == ("2", "1")
    assert internal["completeness"]["gaps"][-2:] == [
        "cells ran before Weighbridge was loaded (2); they are not listed",
        "a front end ran code silently (1x); it is not listed",
    ]


def test_loading_again_forgets_and_says_so(place: Path, kernel: Run) -> None:
    for source in (LOAD, "x = 1", START):
        kernel(source)
    assert "forgotten; nothing is claimed" in kernel("%reload_ext weighbridge")
    assert "no step is open" in kernel("%weighbridge end")
    for source in (START, MAKE, "%weighbridge end"):
        kernel(source)
    predicate = read_provenance(place)
    assert predicate["buildDefinition"]["internalParameters"]["notebook"]["before"] == "3"
    kernel("%unload_ext weighbridge")
    assert "not found" in kernel("%weighbridge status")


def test_one_cell_as_a_step(place: Path, kernel: Run) -> None:
    kernel(LOAD)
    magic = "%%weighbridge --kind evaluate -i model=base -o scores=s.txt --key k.key"
    body = "x = open('s.txt', 'w').write('0.92')\n"
    assert "declared" in kernel(f"{magic}\n{body}")
    predicate = read_provenance(place, "s.txt.claims.jsonl")
    _, outer, inner = read_cells(predicate)
    assert outer == ("0", hash_text(f"{magic}\n{body}"), "running")
    assert inner[1:] == (hash_text(body), "true")
    (place / "s.txt.claims.jsonl").unlink()
    said = kernel(f"{magic}\nraise ValueError('no')")
    assert said.startswith("error")
    assert "the cell raised ValueError; the step's outputs are unclaimed" in said
    assert "no step is open" in kernel("%weighbridge status")
    assert not (place / "s.txt.claims.jsonl").exists()


def test_an_output_that_is_not_there_yet(place: Path, kernel: Run) -> None:
    kernel(LOAD)
    kernel(START)
    assert "is not at w.bin" in kernel("%weighbridge end")
    assert "there is no output 'log' yet" in kernel("%weighbridge end -o log=log.txt")
    kernel(MAKE)
    kernel("x = open('log.txt', 'w').write('done')")
    assert kernel("%weighbridge end -o log=log.txt").startswith("ok")
    assert (place / "log.txt.claims.jsonl").exists()
    assert "no step is open" in kernel("%weighbridge end")


def test_an_input_that_changes(place: Path, kernel: Run) -> None:
    kernel(LOAD)
    kernel(START)
    kernel(MAKE + "; x = open('data.csv', 'a').write('3,4')")
    said = kernel("%weighbridge end")
    assert "data/data.csv changed" in said or "changed while" in said
    assert not (place / "w.bin.claims.jsonl").exists()
    assert "a step is open; cells recorded: 5" in kernel("%weighbridge status")
    assert "forgotten" in kernel("%weighbridge cancel")


def test_a_step_that_goes_on_after_it_could_not_be_ended(place: Path, kernel: Run) -> None:
    """Nothing watches what is read between the two ends, so that the record has to say so."""
    kernel(LOAD)
    kernel(START)
    kernel("import os; os.mkdir('log')")
    assert "is not at w.bin" in kernel("%weighbridge end -o log=log")
    kernel("open('log/l.txt', 'w').write(open('data.csv').read())")
    kernel(MAKE)
    assert kernel("%weighbridge end -o log=log").startswith("ok")
    completeness = read_provenance(place)["buildDefinition"]["internalParameters"]["completeness"]
    assert any("could not be ended" in gap for gap in completeness["gaps"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "%weighbridge start --kind KIND"),
        ("nonsense\x1b[2J", r"nonsense\x1b[2J is not start, end"),
        ("start --kind train -o m=w --key k.key 'x", "a quote is opened and not closed"),
        ("start --kind train -o m=w", "one of the arguments --key --signer is required"),
        ("start --kind train -o m --key k.key", "m is not NAME=VALUE"),
        ("start --kind train -o m=a -o m=b --key k.key", "m is given twice"),
        ("start --kind train -i a=none -o m=w --key k.key", "none"),
        ("start --kind train -o m=w --key none.key", "none.key"),
        ("start --kind train --builder x -o m=w --key k.key", "unrecognized arguments: --builder"),
        ("start --help", "%weighbridge start --kind KIND"),
    ],
)
def test_what_is_said_wrongly(place: Path, kernel: Run, line: str, words: str) -> None:
    kernel(LOAD)
    said = kernel(f"%weighbridge {line}")
    assert words in said
    assert "Traceback" not in said
    assert "no step is open" in kernel("%weighbridge status")
