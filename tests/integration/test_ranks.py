"""Distributed steps: four processes, one statement each, and the statement that joins them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sigstore.dsse import Statement as SigstoreStatement

import weighbridge as wb
from integration.rank_jobs import PYTHON, TRAIN, build_place, clean_environ, run_job, start_rank
from support import run_cli
from unit.signing.certificate_samples import build_chain
from weighbridge.core import DEFAULT_LIMITS, Limits, parse_bundle, parse_statement
from weighbridge.errors import InputError, LimitExceededError, RanksError
from weighbridge.provenance import parse_provenance
from weighbridge.signing import load_public_key, verify_bundle

RANKS = "out/model.ranks"
REPORT = "rank-0000{}-of-00004.json"


def gather(place: Path, *options: str, code: int = 0, key: str = "k.key") -> str:
    given = options if "-o" in options else ("-o", "model=out/model", *options)
    done = run_cli("gather", RANKS, "--key", key, *given, cwd=place, env=clean_environ())
    assert done.returncode == code, done.stderr
    assert bool(code) != (place / "out/model/claims.jsonl").exists()
    return done.stderr


def read_last(place: Path) -> dict[str, Any]:
    """Return the last claim about the model, verified with the key."""
    line = (place / "out/model/claims.jsonl").read_bytes().splitlines()[-1]
    bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
    keys = {"k": load_public_key(place / "k.pub")}
    verified = verify_bundle(bundle, keys, at=datetime.now(UTC))
    SigstoreStatement(verified.statement.payload)
    parse_provenance(verified.statement)
    return json.loads(verified.statement.payload)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job of four processes that has ended; not to be changed."""
    place = build_place(tmp_path_factory.mktemp("job") / "place")
    run_job(place, "--job", "j1")
    return place


@pytest.fixture
def place(ended: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(ended, tmp_path / "place"))


def test_four_ranks_become_one_statement(place: Path) -> None:
    said = gather(place)
    assert "4 ranks of the job j1" in said
    statement = read_last(place)
    digest = wb.hash(place / "out/model").compute_digest().hex
    assert statement["subject"] == [{"name": "model", "digest": {"sha256": digest}}]
    built = statement["predicate"]["buildDefinition"]
    assert built["externalParameters"]["parameters"] == {"lr": "1"}
    assert built["externalParameters"]["inputs"] == {
        **{f"data[{rank}]": f"file:data/{rank}.csv" for rank in range(4)},
        "base-model": "file:base",
    }
    inputs = {
        item["name"]: item
        for item in built["resolvedDependencies"]
        if item["annotations"]["role"] in ("data", "base-model")
    }
    for rank in range(4):
        shard = inputs[f"data[{rank}]"]
        assert shard["digest"]["sha256"] == wb.hash(place / f"data/{rank}.csv").resources[0].sha256
        assert (shard["annotations"]["role"], shard["annotations"]["ranks"]) == ("data", str(rank))
    assert "ranks" not in inputs["base-model"]["annotations"]
    internal = built["internalParameters"]
    assert internal["completeness"]["class"] == "observed"
    assert internal["topology"]["worldSize"] == "4"
    assert [rank["rank"] for rank in internal["topology"]["ranks"]] == list("0123")
    # Everything else is the same on all ranks: it is there once.
    packages = [i["name"] for i in built["resolvedDependencies"] if i["name"] == "pip"]
    assert len(packages) <= 1
    # What the model carries along is enough to find every rank again.
    lines = (place / "out/model/claims.jsonl").read_bytes().splitlines()
    bundles = [parse_bundle(line, what="claim", limits=DEFAULT_LIMITS) for line in lines]
    there = {hashlib.sha256(bundle.envelope.payload).hexdigest() for bundle in bundles}
    byproducts = statement["predicate"]["runDetails"]["byproducts"]
    assert len(byproducts) == 4
    assert {item["digest"]["sha256"] for item in byproducts} <= there


def test_a_rank_speaks_of_its_report_and_of_its_place(ended: Path) -> None:
    claims = (ended / RANKS / f"{REPORT.format(2)}.claims.jsonl").read_bytes().splitlines()
    payload = parse_bundle(claims[-1], what="claim", limits=DEFAULT_LIMITS).envelope.payload
    statement = parse_statement(payload)
    report = wb.hash(ended / RANKS / REPORT.format(2)).resources[0].sha256
    assert [dict(subject.digest) for subject in statement.subjects] == [{"sha256": report}]
    topology = parse_provenance(statement).facts["topology"]
    assert topology == {"job": "j1", "rank": "2", "worldSize": "4"}
    assert not (ended / "out/model/claims.jsonl").exists()


def test_an_output_that_is_elsewhere_is_said_to_be(place: Path) -> None:
    """The ranks signed where they wrote; only whoever gathers says that this is it."""
    (place / "other").write_text("other")
    given = ("gather", RANKS, "--key", "k.key", "-o", "model=other")
    said = run_cli(*given, cwd=place, env=clean_environ())
    assert said.returncode == 0
    words = "'model' was hashed at file:other, and the ranks wrote it to file:out/model"
    assert words in said.stderr
    line = (place / "other.claims.jsonl").read_bytes().splitlines()[-1]
    payload = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS).envelope.payload
    problems: Any = parse_provenance(parse_statement(payload)).facts["problems"]
    assert any(words in problem for problem in problems)


def test_without_carrying_only_the_aggregate_is_there(place: Path) -> None:
    gather(place, "--no-carry")
    assert len((place / "out/model/claims.jsonl").read_bytes().splitlines()) == 1


def test_other_files_are_left_alone_and_named(place: Path) -> None:
    (place / RANKS / "notes\x1b.txt").write_text("hello")
    (place / RANKS / "rank-2-of-4.json").write_text("{}")
    said = gather(place)
    assert "not of a rank, and left alone: rank-2-of-4.json" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("rank", range(4))
def test_a_missing_rank(place: Path, rank: int) -> None:
    (place / RANKS / REPORT.format(rank)).unlink()
    assert f"rank {rank}: missing" in gather(place, "--wait", "0.3", code=1)


def test_a_rank_without_claims(place: Path) -> None:
    (place / RANKS / f"{REPORT.format(1)}.claims.jsonl").unlink()
    assert "rank 1: has left its report and not yet its claims" in gather(place, code=1)


def test_a_rank_that_nobody_signed(place: Path) -> None:
    (place / RANKS / f"{REPORT.format(1)}.claims.jsonl").write_text("")
    assert "rank 1: nobody has signed its report" in gather(place, code=1)


def test_a_rank_that_is_there_twice(place: Path) -> None:
    for end in ("", ".claims.jsonl"):
        one, two = (place / RANKS / f"{REPORT.format(rank)}{end}" for rank in (1, 2))
        shutil.copy(one, two)
    said = gather(place, code=1)
    assert "rank-00002-of-00004.json is the report of rank 1" in said


def test_a_report_that_was_changed(place: Path) -> None:
    report = place / RANKS / REPORT.format(3)
    report.write_bytes(report.read_bytes().replace(b"sft", b"fts"))
    assert "rank 3: its report is not the one that was signed" in gather(place, code=1)


@pytest.mark.parametrize("end", ["", ".claims.jsonl"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_regular_files_are_read(place: Path, end: str, kind: str) -> None:
    file = place / RANKS / (REPORT.format(2) + end)
    file.rename(place / "elsewhere")
    if kind == "link":
        file.symlink_to(place / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    assert f"rank 2: {file.name} is not a regular file" in gather(place, code=1)


@pytest.mark.parametrize("words", ["{}", "not JSON", "[" * 100_000, '{"type": "x", "type": "y"}'])
def test_reports_that_are_none(place: Path, words: str) -> None:
    (place / RANKS / REPORT.format(0)).write_text(words)
    assert "rank 0: " in gather(place, code=1)


def test_claims_that_are_none_are_not_carried(place: Path) -> None:
    """They came with an input, whose claims nobody reads; they are told, and stop nobody."""
    with (place / RANKS / f"{REPORT.format(0)}.claims.jsonl").open("ab") as stream:
        stream.write(b'{"\x1b[2J": 1}\nnot JSON\n')
    said = gather(place)
    assert "no claims: 2" in said
    assert "\x1b" not in said
    assert len((place / "out/model/claims.jsonl").read_bytes().splitlines()) == 4 * 3 + 1


def test_what_is_too_large_is_not_read(place: Path) -> None:
    given = {"outputs": {"model": place / "out/model"}, "key": place / "k.key"}
    for limits in (Limits(max_report_bytes=100), Limits(max_signature_bytes=100)):
        with pytest.raises(RanksError, match="over the limit") as caught:
            wb.gather(place / RANKS, **given, limits=limits)
        assert caught.value.ranks == (0, 1, 2, 3)
    with pytest.raises(LimitExceededError):
        wb.gather(place / RANKS, **given, limits=Limits(max_entries=7))
    assert not (place / "out/model/claims.jsonl").exists()


def test_a_rank_whose_trace_was_taken_away(place: Path) -> None:
    claims = place / RANKS / f"{REPORT.format(0)}.claims.jsonl"
    claims.write_bytes(b"\n".join(claims.read_bytes().splitlines()[1:]))
    assert "rank 0: its claims lack the runtime-trace" in gather(place, code=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--job", "j2"), "rank 2: the job is j2, and j1 elsewhere"),
        (("--job", "j1", "--param", "lr=2"), "rank 2: the parameter lr is '2', and '1' elsewhere"),
        (("--job", "j1", "--param", "seed=2"), "rank 2: the parameter seed is '2', and (none)"),
        (("--job", "j1", "--key", "other.key"), "rank 2: "),
        (("--job", "j1", "--kind", "clean"), "rank 2: the kind of step is clean"),
        (("--job", "j1", "--builder", "https://e.com/b"), "rank 2: the builder is https://e.com/b"),
        (("--job", "j1", "-o", "log=out/log"), "rank 2: the list of outputs is"),
    ],
)
def test_a_rank_that_does_not_fit(place: Path, options: tuple[str, ...], words: str) -> None:
    given = list(options)
    for option, value in (("--param", "lr=1"), ("--key", "k.key"), ("--kind", "train")):
        if option not in given or (value.startswith("lr") and "lr=2" not in given):
            given += [option, value]
    command = ("-i", "data=data/2.csv", "-i", "base-model=base", "-o", "model=out/model")
    done = run_cli(
        *("run", "--name", "sft", "--rank", "2/4", "--ranks", RANKS, *command, *given),
        *("--", "true"),
        cwd=place,
        env=clean_environ(),
    )
    assert done.returncode == 0, done.stderr
    assert words in gather(place, "--apart", code=1)
    # It was run long after the others: it counts as another run in any case.
    if "other.key" not in given:
        assert "ended before rank 2 began" in gather(place, code=1)


def test_whose_signatures_are_taken(place: Path) -> None:
    """The ranks' key is another than the gatherer's: it has to be named."""
    gather(place, key="other.key", code=1)
    gather(place, "--ranks-key", "other.pub", code=1)
    said = run_cli("gather", RANKS, "-o", "model=out/model", "--key", "other.key",
                   "--ranks-key", "k.pub", cwd=place, env=clean_environ())  # fmt: skip
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("-o", "weights=out/model"), 2, "the outputs of the ranks are model"),
        (("-o", "model=out/nothing"), 2, "nothing"),
        (("-o", f"model={RANKS}"), 2, "overlap"),
        (("-o", "model=out"), 2, "overlap"),
        (("-o", "model=out/model", "--job", "j2"), 1, "the job is j1, and j2 elsewhere"),
        (("-o", "model=out/model", "--builder", "me"), 2, "not a URI"),
        (("-o", "model=out/model", "--ranks-identity", "x"), 2, "--ranks-issuer"),
    ],
)
def test_what_is_not_gathered(place: Path, options: tuple[str, ...], code: int, words: str) -> None:
    assert words in gather(place, *options, code=code)


def test_a_folder_of_no_ranks(place: Path) -> None:
    (place / "empty").mkdir()
    waited = run_cli("gather", "empty", "-o", "m=out", "--key", "k.key", "--wait", "0.3", cwd=place)
    assert waited.returncode == 1
    assert "waiting for the first rank" in waited.stderr
    for folder, code in (("empty", 1), ("nowhere", 2)):
        done = run_cli("gather", folder, "-o", "model=out/model", "--key", "k.key", "--json",
                       cwd=place)  # fmt: skip
        assert done.returncode == code, done.stderr
        assert json.loads(done.stdout)["exit_code"] == code


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_rank_can_be_altered_or_left_out(
    ended: Path, tmp_path: Path, data: st.DataObject
) -> None:
    """Whatever bit of a report or of what was signed is changed, nothing is written."""
    folder = tmp_path / "altered"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ended / RANKS, folder)
    rank = data.draw(st.integers(0, 3))
    report = folder / REPORT.format(rank)
    claims = folder / f"{report.name}.claims.jsonl"
    how = data.draw(st.sampled_from(["flip", "payload", "signature", "lose", "truncate"]))
    if how == "flip":
        raw = bytearray(report.read_bytes())
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        report.write_bytes(raw)
    elif how == "lose":
        data.draw(st.sampled_from([report, claims])).unlink()
    elif how == "truncate":
        raw = bytearray(claims.read_bytes())
        claims.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 2))])
    else:
        lines = [json.loads(line) for line in claims.read_bytes().splitlines()]
        envelope = lines[-1]["dsseEnvelope"]
        holder, name = (
            (envelope, "payload") if how == "payload" else (envelope["signatures"][0], "sig")
        )
        raw = bytearray(base64.b64decode(holder[name]))
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        holder[name] = base64.b64encode(raw).decode()
        claims.write_bytes(b"\n".join(json.dumps(line).encode() for line in lines))
    with pytest.raises(RanksError) as caught:
        wb.gather(folder, outputs={"model": ended / "out/model"}, key=ended / "k.key")
    assert caught.value.ranks == (rank,)
    assert not (ended / "out/model/claims.jsonl").exists()


def test_a_rank_is_waited_for(place: Path, tmp_path: Path) -> None:
    report = place / RANKS / REPORT.format(2)
    claims = report.with_name(f"{report.name}.claims.jsonl")
    for file in (report, claims):
        file.rename(tmp_path / file.name)
    command = [sys.executable, "-m", "weighbridge", "gather", RANKS, "-o", "model=out/model"]
    waiting = subprocess.Popen([*command, "--key", "k.key", "--wait", "60"], cwd=place, text=True,
                               stderr=subprocess.PIPE, env=clean_environ())  # fmt: skip
    assert waiting.stderr is not None
    assert "waiting for rank 2 of 4" in waiting.stderr.readline()
    shutil.move(tmp_path / report.name, report)
    time.sleep(0.6)  # the report alone is not enough
    assert waiting.poll() is None
    shutil.move(tmp_path / claims.name, claims)
    said = waiting.communicate(timeout=60)[1]
    assert waiting.returncode == 0, said


def test_rank_0_gathers_and_what_was_there_is_replaced(place: Path) -> None:
    run_job(place, "--job", "j2", "--gather", "--wait", "120")
    assert read_last(place)["predicate"]["buildDefinition"]["internalParameters"]["topology"][
        "job"
    ] == "j2"  # fmt: skip
    smaller = run_job(place, "--job", "j3", "--gather", "--wait", "120", size=2)
    assert "2 ranks" not in smaller[1]
    topology = read_last(place)["predicate"]["buildDefinition"]["internalParameters"]["topology"]
    assert (topology["job"], topology["worldSize"]) == ("j3", "2")
    left = sorted(path.name for path in (place / RANKS).glob("rank-*.json"))
    assert left == ["rank-00000-of-00002.json", "rank-00001-of-00002.json"]


def test_a_rank_that_is_killed_leaves_nothing_behind(place: Path) -> None:
    """Not even what it said in the run before, under the same name of the job."""
    for file in place.glob("meet/*"):
        file.unlink()
    ranks = {
        rank: start_rank(
            place, rank, "--job", "j1", env=clean_environ(RANK=str(rank), WORLD_SIZE="4")
        )
        for rank in range(3)
    }
    # Rank 3 ends by itself; rank 2 is killed while all wait for rank 3.
    while len(list(place.glob("meet/*"))) < 3:
        time.sleep(0.05)
    os.killpg(ranks[2].pid, signal.SIGKILL)
    ranks[2].communicate(timeout=60)
    ranks[3] = start_rank(place, 3, "--job", "j1", env=clean_environ(RANK="3", WORLD_SIZE="4"))
    said = {rank: process.communicate(timeout=240)[1] for rank, process in ranks.items()}
    assert [ranks[rank].returncode for rank in (0, 1, 3)] == [0, 0, 0], said
    assert "rank 2: missing" in gather(place, code=1)


def test_a_rank_that_fails_leaves_nothing_behind(place: Path) -> None:
    env = clean_environ(RANK="1", WORLD_SIZE="4")
    process = start_rank(place, 1, "--job", "j1", env=env, step=("false",))
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert not list((place / RANKS).glob("rank-00001*"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--kind", "bake"), "not a kind of step"),
        (("-i", "more=dataa"), "dataa does not exist"),
        (("-i", "more=hf://a/b"), "add its digest"),
        (("--builder", "me"), "not a URI"),
        (("-o", "folder of the ranks=out/x"), "choose another name"),
    ],
)
def test_what_a_rank_left_is_not_lost_by_a_mistake(
    place: Path, wrong: tuple[str, ...], words: str
) -> None:
    env = clean_environ(RANK="1", WORLD_SIZE="4")
    done = start_rank(place, 1, "--job", "j1", *wrong, env=env, step=("true",))
    said = done.communicate(timeout=60)[1]
    assert (done.returncode, words in said) == (2, True), said
    gather(place)


def test_what_a_rank_left_is_not_lost_without_a_program(place: Path) -> None:
    env = clean_environ(RANK="1", WORLD_SIZE="4")
    done = start_rank(place, 1, "--job", "j1", env=env, step=("no-such-program",))
    assert "there is no program" in done.communicate(timeout=60)[1]
    gather(place)


def test_rank_0_waits_only_so_long(place: Path) -> None:
    """Reports of an earlier run under the same name of the job are no reports of this one."""
    env = clean_environ(RANK="0", WORLD_SIZE="4")
    options = ("--job", "j1", "--gather", "--wait", "1")
    alone = start_rank(place, 0, *options, env=env, step=("true",))
    said = alone.communicate(timeout=60)[1]
    assert alone.returncode == 1
    assert "waiting for ranks 1-3 of 4" in said
    assert "ranks 1-3: ended before rank 0 began, as if left over" in said
    assert not (place / "out/model/claims.jsonl").exists()


def test_ranks_with_certificates(tmp_path: Path) -> None:
    """Each node has a certificate of its own; who joins them trusts the authority for them."""
    place = build_place(tmp_path / "place")
    build_chain().write(place)
    signed = ("--key", "leaf.key", "--certificate", "leaf.pem", "--certificate-chain", "middle.pem")
    (place / "out").mkdir()
    (place / "out/model").write_text("w")
    for rank in range(2):
        done = run_cli(
            *(
                "run",
                "--kind",
                "train",
                "--rank",
                f"{rank}/2",
                "--job",
                "j",
                "-o",
                "model=out/model",
            ),
            *(*signed, "--", "true"),
            cwd=place,
            env=clean_environ(),
        )
        assert done.returncode == 0, done.stderr
    trust = ("--ranks-certificate-authority", "root.pem")
    for identity, code in (("me@example.com", 1), ("release@example.com", 0)):
        options = (*trust, "--ranks-identity", identity)
        done = run_cli(
            *("gather", RANKS, "-o", "model=out/model", "--key", "k.key", "--apart", *options),
            cwd=place,
        )
        assert done.returncode == code, done.stderr
        assert bool(code) != (place / "out/model.claims.jsonl").exists()
    claims = (place / "out/model.claims.jsonl").read_bytes().splitlines()
    payload = parse_bundle(claims[-1], what="claim", limits=DEFAULT_LIMITS).envelope.payload
    topology = parse_provenance(parse_statement(payload)).facts["topology"]
    assert isinstance(topology, dict)
    signers = {rank["signedBy"] for rank in topology["ranks"]}
    assert signers == {"certificate release@example.com"}


def test_a_rank_is_started_once(place: Path) -> None:
    """Two processes that were given one number: the second to end is told."""
    env = clean_environ(RANK="1", WORLD_SIZE="4")
    hold = ("sh", "-c", "touch held.$$; while ! test -e go; do sleep 0.05; done")
    both = [start_rank(place, 1, "--job", "j1", env=env, step=hold) for _ in range(2)]
    while len(list(place.glob("held.*"))) < 2:
        time.sleep(0.05)
    (place / "go").touch()
    said = [process.communicate(timeout=60)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    assert any("another process has reported for rank 1" in words for words in said), said


# What torchrun does, torch.distributed.elastic: a session of its own for each worker.
TORCHRUN = """
import os, subprocess, sys
run_id, size, *command = sys.argv[1:]
workers = []
for rank in range(int(size)):
    env = {**os.environ, "RANK": str(rank), "GROUP_RANK": "0", "ROLE_RANK": str(rank),
           "ROLE_NAME": "default", "LOCAL_WORLD_SIZE": size, "WORLD_SIZE": size,
           "GROUP_WORLD_SIZE": "1", "ROLE_WORLD_SIZE": size, "MASTER_ADDR": "node7.example.com",
           "MASTER_PORT": "29500", "TORCHELASTIC_RESTART_COUNT": "1",
           "TORCHELASTIC_MAX_RESTARTS": "3", "TORCHELASTIC_RUN_ID": run_id,
           "TORCHELASTIC_USE_AGENT_STORE": "False", "LOCAL_RANK": str(rank)}
    workers.append(subprocess.Popen(command, env=env, start_new_session=True))
sys.exit(max(worker.wait() for worker in workers))
"""


@pytest.mark.parametrize("run_id", ["none", "a1b2"])
def test_torchrun(tmp_path: Path, run_id: str) -> None:
    """Ranks have one command, so the shard is chosen inside; nobody names the job."""
    place = build_place(tmp_path / "place")
    options = "-i data=data -i base=base -o model=out/model --gather --wait 120"
    weighbridge = f"-m weighbridge run --kind train --key k.key {options} --".split()
    command = [sys.executable, *weighbridge, PYTHON, "-c", TRAIN]
    done = subprocess.run(
        [sys.executable, "-c", TORCHRUN, run_id, "4", *command],
        cwd=place, env=clean_environ(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    built = read_last(place)["predicate"]["buildDefinition"]
    topology = built["internalParameters"]["topology"]
    wanted = "launcher:" if run_id == "none" else "torchelastic:a1b2"
    assert topology["job"].startswith(wanted)
    assert [(r["localRank"], r["node"], r["attempt"]) for r in topology["ranks"]] == [
        (str(rank), "0", "1") for rank in range(4)
    ]
    assert built["externalParameters"]["inputs"] == {"data": "file:data", "base": "file:base"}


STEP = """
import os, time
from pathlib import Path
import weighbridge as wb

rank = int(os.environ["RANK"])
with wb.step("train", inputs={"data": "data"}, outputs={"model": "out/model"},
             signer=Path("k.key"), job="lib") as step:
    Path("meet").mkdir(exist_ok=True)
    Path(f"meet/{rank}").touch()
    while len(os.listdir("meet")) < 4:
        time.sleep(0.01)
    if rank == 0:
        Path("out/model").mkdir(parents=True, exist_ok=True)
        Path("out/model/w.bin").write_text("w")
assert step.recorded.rank == f"{rank}/4", step.recorded.rank
if rank == 0:
    wb.gather("out/model.ranks", outputs={"model": "out/model"}, key="k.key", wait_s=120)
    with wb.step("convert", inputs={"model": "out/model"}, signer=Path("k.key"), rank=None) as one:
        Path("converted").write_text("w")
        one.output("converted", "converted")
"""


def test_a_program_that_records_its_own_step(tmp_path: Path) -> None:
    place = build_place(tmp_path / "place")
    ranks = [
        subprocess.Popen([sys.executable, "-c", STEP], cwd=place, text=True, stderr=subprocess.PIPE,
                         env=clean_environ(RANK=str(rank), WORLD_SIZE="4"))
        for rank in range(4)
    ]  # fmt: skip
    said = [process.communicate(timeout=240)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0] * 4, said
    statement = read_last(place)
    builder = statement["predicate"]["runDetails"]["builder"]["id"]
    assert builder == "https://weighbridge.dev/builders/in-process/v1"
    # A step that one process does alone brings all of it along.
    assert len((place / "converted.claims.jsonl").read_bytes().splitlines()) == 4 * 3 + 1 + 3


def test_a_step_within_a_rank_needs_to_know_its_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(InputError, match="names its outputs before"):
        wb.step("train", signer=place / "k.key").__enter__()
    with pytest.raises(InputError, match="R/N"):
        wb.step("train", rank="4", signer=place / "k.key").__enter__()
