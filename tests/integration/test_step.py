"""wb.step: a block or a function as a step."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import weighbridge as wb
from support import build_model
from weighbridge.core import DEFAULT_LIMITS, Dependency, parse_bundle
from weighbridge.errors import ArtifactChangedError, InputError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    build_model(tmp_path / "base")
    (tmp_path / "data.csv").write_text("x,y\n1,2\n")
    wb.keygen(tmp_path / "k")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_predicate(step: wb.step) -> dict[str, Any]:
    assert step.recorded is not None
    return json.loads(step.recorded.bundle.envelope.payload)["predicate"]


def test_a_block_is_recorded(place: Path) -> None:
    key = place / "k.key"
    params = {"lr": 1e-4, "seed": 42, "name": "sft", "none": None}
    with wb.step("train", inputs={"data": "data.csv"}, params=params, signer=key) as step:
        Path("w.bin").write_bytes(b"w")
        step.output("model", "w.bin")
    predicate = read_predicate(step)
    assert predicate["buildDefinition"]["externalParameters"]["parameters"] == {
        "lr": "0.0001",
        "seed": "42",
        "name": "sft",
        "none": "None",
    }
    assert predicate["runDetails"]["builder"]["id"].endswith("/builders/in-process/v1")
    assert len(Path("w.bin.claims.jsonl").read_bytes().splitlines()) == 3


def test_a_function_is_recorded_at_each_call(place: Path) -> None:
    @wb.step("clean", inputs={"raw": "data.csv"}, outputs={"clean": "c"}, signer=place / "k.key")
    def tidy(text: str) -> str:
        Path("c").write_text(text)
        return text.upper()

    assert [tidy("a"), tidy("b")] == ["A", "B"]
    claims = [json.loads(line) for line in Path("c.claims.jsonl").read_bytes().splitlines()]
    assert len(claims) == 6


def test_the_record_names_the_function(place: Path) -> None:
    step = wb.step("clean", outputs={"clean": "c"}, signer=place / "k.key")

    @step
    def tidy() -> None:
        Path("c").write_text("c")

    tidy()
    assert "payload" in Path("c.claims.jsonl").read_text()
    assert step._entry_point[1].endswith("tidy")


def test_a_block_that_raises_is_not_claimed(place: Path) -> None:
    with (  # noqa: PT012 - the block is the step
        pytest.raises(ZeroDivisionError) as caught,
        wb.step("train", outputs={"m": "w.bin"}, signer=place / "k.key"),
    ):
        Path("w.bin").write_bytes(b"w")
        raise ZeroDivisionError
    assert "unclaimed" in caught.value.__notes__[0]
    assert not Path("w.bin.claims.jsonl").exists()


def test_an_input_that_changes_is_noticed(place: Path) -> None:
    with (  # noqa: PT012 - the block is the step
        pytest.raises(ArtifactChangedError, match=r"data\.csv"),
        wb.step("train", inputs={"d": "data.csv"}, outputs={"m": "w"}, signer=place / "k.key"),
    ):
        Path("w").write_bytes(b"w")
        Path("data.csv").write_text("other")
    assert not Path("w.claims.jsonl").exists()


def test_what_cannot_be_a_step(place: Path) -> None:
    key = place / "k.key"
    with pytest.raises(InputError, match="no key"), wb.step("train", signer=place / "no.key"):
        pytest.fail("the work must not begin")
    with pytest.raises(InputError, match="without an output"), wb.step("train", signer=key):
        pass
    with (
        pytest.raises(InputError, match="not a kind"),
        wb.step("bake", outputs={"m": "w"}, signer=key),
    ):
        pytest.fail("the work must not begin")
    with wb.step("train", outputs={"m": "w"}, signer=key) as step:
        Path("w").write_bytes(b"w")
        with pytest.raises(InputError, match="twice"):
            step.output("m", "w2")
        with pytest.raises(InputError, match="overlap"):
            step.output("n", "w")
    with pytest.raises(InputError, match="one run"), step:
        pytest.fail("it has run")


def test_steps_in_threads_and_inside_each_other(place: Path) -> None:
    key = place / "k.key"

    def work(number: int) -> None:
        with wb.step("split", inputs={"d": "data.csv"}, signer=key) as outer:
            with wb.step("clean", inputs={"d": "data.csv"}, signer=key) as inner:
                Path(f"inner{number}").write_text(str(number))
                inner.output("part", f"inner{number}")
            Path(f"outer{number}").write_text(str(number))
            outer.output("whole", f"outer{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    for number in range(16):
        for name in ("inner", "outer"):
            assert len(Path(f"{name}{number}.claims.jsonl").read_bytes().splitlines()) == 3


def test_claims_of_many_writers_are_all_there(place: Path) -> None:
    Path("w").write_bytes(b"w")
    key = place / "k.key"

    def work(number: int) -> None:
        with wb.step("evaluate", outputs={"m": "w"}, params={"n": number}, signer=key):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert len(Path("w.claims.jsonl").read_bytes().splitlines()) == 72


def test_what_a_block_opens_is_recorded(place: Path) -> None:
    Path("other.txt").write_text("nobody declared this")
    with wb.step("train", inputs={"d": "data.csv"}, signer=place / "k.key") as step:
        Path("data.csv").read_text()
        Path("other.txt").read_text()
        Path("w").write_bytes(b"w")
        step.output("m", "w")
    assert step.recorded is not None
    assert step.recorded.undeclared == (str(place.resolve() / "other.txt"),)
    assert step.recorded.completeness == "declared"
    assert "what Rust, C and C++ read" in step.recorded.gaps[0]
    known = read_predicate(step)["buildDefinition"]["internalParameters"]["completeness"]
    assert known["monitor"] == "https://weighbridge.dev/monitors/audit/v1"
    line = Path("w.claims.jsonl").read_bytes().splitlines()[0]
    bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
    trace = json.loads(bundle.envelope.payload)
    assert trace["predicateType"].endswith("/runtime-trace/v0.1")
    accesses = trace["predicate"]["monitorLog"]["fileAccess"]
    assert {"name": str(place.resolve() / "w"), "annotations": {"access": "write"}} in accesses


def test_the_key_of_a_step_inside_is_not_what_the_outer_one_read(place: Path) -> None:
    Path("part.txt").write_text("part")
    with wb.step("train", outputs={"m": "w"}, signer=place / "k.key") as outer:
        with wb.step("clean", inputs={"p": "part.txt"}, signer=place / "k.key") as inner:
            Path("data.csv").read_text()
            Path("i").write_text("i")
            inner.output("i", "i")
        Path("w").write_bytes(b"w")
    assert inner.recorded is not None
    assert outer.recorded is not None
    data = str(place.resolve() / "data.csv")
    assert inner.recorded.undeclared == outer.recorded.undeclared == (data,)


def test_watching_can_be_turned_off(place: Path) -> None:
    key = place / "k.key"
    with wb.step("train", outputs={"m": "w"}, signer=key, observe="none") as step:
        Path("data.csv").read_text()
        Path("w").write_bytes(b"w")
    assert step.recorded is not None
    assert (step.recorded.undeclared, step.recorded.gaps) == ((), ())
    assert len(Path("w.claims.jsonl").read_bytes().splitlines()) == 2
    with pytest.raises(InputError, match="strace cannot watch a step inside this process"):
        wb.step("train", signer=key, observe="strace")
    with pytest.raises(InputError, match="watches no step; use auto, audit or none"):
        wb.step("train", signer=key, observe="closely")


def test_what_a_caller_says_of_a_step(place: Path) -> None:
    log = Dependency("log", {"sha256": "ab" * 32})
    entry = ("sweep", "--fast")
    with wb.step("train", signer=place / "k.key", entry_point=entry, outputs={"m": "w"}) as step:
        Path("w").write_text("w")
        step.describe("cluster", {"nodes": "3"})
        step.describe("cluster", {"nodes": "4"}, byproducts=[log], gaps=["a node was not watched"])
        with pytest.raises(InputError, match="'completeness' is recorded by Weighbridge"):
            step.describe("completeness", {"class": "enforced"})
    predicate = read_predicate(step)
    internal = predicate["buildDefinition"]["internalParameters"]
    assert internal["cluster"] == {"nodes": "4"}
    assert internal["completeness"]["class"] == "declared"
    assert internal["completeness"]["gaps"] == ["a node was not watched"]
    assert predicate["buildDefinition"]["externalParameters"]["entryPoint"] == list(entry)
    assert predicate["runDetails"]["byproducts"][0] == {"name": "log", "digest": log.digest}
