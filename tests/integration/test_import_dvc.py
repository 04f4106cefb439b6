"""import dvc: pipelines that DVC itself ran, and files that somebody bent."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sigstore.dsse import Statement as SigstoreStatement

import weighbridge as wb
from services.dvc import make_repository, run_dvc, run_git
from support import run_cli
from weighbridge import errors as wb_errors
from weighbridge.cli._import_output import dvc_to_json, to_exit
from weighbridge.cli._main import to_exit_code
from weighbridge.core import DEFAULT_LIMITS, Statement, parse_bundle
from weighbridge.provenance import parse_provenance
from weighbridge.signing import load_public_key, verify_bundle

LOCK = """\
schema: '2.0'
stages:
  train:
    cmd: cp in out
    deps:
    - path: {dep}
      hash: md5
      md5: 0cc175b9c0f1b6a831c399e269772661
    outs:
    - path: {out}
      hash: md5
      md5: 92eb5ffee6ae2fec3ad71c777531578f
"""


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("dvc") / "repo")


@pytest.fixture
def repo(_made: Path, tmp_path: Path) -> Path:
    wb.keygen(tmp_path / "k")
    return shutil.copytree(_made, tmp_path / "repo", symlinks=True)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with ``in`` (a) and ``out`` (b) and no files of DVC's yet."""
    wb.keygen(tmp_path / "k")
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "in").write_text("a")
    (folder / "out").write_text("b")
    (folder / "dvc.yaml").write_text("stages: {train: {cmd: cp in out}}\n")
    return folder


def run(
    repo: Path, *stages: str, kinds: Mapping[str, str] | None = None, code: int = 0
) -> dict[str, Any]:
    """Import in this process; return what the command prints, and each stage by its name."""
    value: Any
    try:
        done = wb.import_dvc(
            repo, stages=stages, kinds=kinds or {"prepare": "clean"}, key=repo.parent / "k.key"
        )
        value, left_with = dvc_to_json(done), to_exit(done.answer)
    except wb_errors.WeighbridgeError as error:
        value, left_with = {"reason": str(error)}, to_exit_code(error)
    assert left_with == code, value
    return {**value, "by_name": {stage["name"]: stage for stage in value.get("stages", ())}}


def run_command(repo: Path, *options: str, code: int = 0) -> dict[str, Any]:
    """Import by the command line; return what it prints."""
    key = repo.parent / "k.key"
    done = run_cli("import", "dvc", ".", "--key", key, "--json", *options, cwd=repo)
    assert done.returncode == code, done.stderr + done.stdout
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def read_claims(repo: Path, name: str) -> list[Statement]:
    """Return the statements of a claims file, each verified with the key."""
    found = []
    for line in (repo / name).read_bytes().splitlines():
        bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
        keys = {"k": load_public_key(repo.parent / "k.pub")}
        statement = verify_bundle(bundle, keys, at=datetime.now(UTC)).statement
        SigstoreStatement(statement.payload)
        found.append(statement)
    return found


def test_a_pipeline_becomes_a_chain(repo: Path) -> None:
    done = run(repo)
    kinds = {name: (stage["kind"], stage["kind_from"]) for name, stage in done["by_name"].items()}
    assert kinds == {
        "prepare": ("clean", "caller"),
        "train@a": ("train", "name"),
        "train@b": ("train", "name"),
        "evaluate": ("evaluate", "name"),
    }
    assert done["notes"] == []
    assert done["tracked"] == ["data/img.dvc", "data/raw.csv.dvc"]
    claims = read_claims(repo, "plot.csv.claims.jsonl")
    records = {parse_provenance(claim).name: parse_provenance(claim) for claim in claims}
    assert set(records) == {"prepare", "train@a", "train@b", "evaluate"}
    made = {
        subject.name: subject.digest["sha256"] for claim in claims for subject in claim.subjects
    }
    for name, digest in made.items():
        assert digest == wb.hash(repo / name).compute_digest().hex
    for record in records.values():
        for item in record.inputs:
            assert item.digest["sha256"] == wb.hash(repo / item.name).compute_digest().hex
    assert {item.name for item in records["evaluate"].inputs} == {"sub/a.bin", "sub/b.bin"}


def test_what_is_recorded(repo: Path) -> None:
    run(repo)
    (claim,) = read_claims(repo, "out/img/claims.jsonl")
    record = parse_provenance(claim)
    assert record.builder == "https://weighbridge.dev/builders/import-dvc/v1"
    assert record.entry_point == (
        "mkdir -p out && cp -r data/img out/img && cp data/raw.csv out/clean.csv",
    )
    assert record.parameters == {
        "lr": "0.001",
        "model.layers": "3",
        "model.names": '["a", "b"]',
        "other.layers": "3",
        "other.names": '["a", "b"]',
        "api_key": "[redacted]",
    }
    assert record.facts["completeness"]["class"] == "declared"
    assert record.facts["imported"]["from"] == "dvc"
    assert (record.started_at, record.finished_at) == (None, None)
    roles = {item.name: item for item in record.materials}
    for name in ("dvc.lock", "dvc.yaml"):
        assert roles[name].digest["sha256"] == wb.hash(repo / name).compute_digest().hex
    assert len(roles["source"].digest["gitCommit"]) == 40
    assert roles["source"].annotations["when"] == "import"
    md5 = {item.name: item.annotations["dvc-md5"] for item in record.inputs}
    assert md5["data/img"].endswith(".dir")
    assert b"sk-proj" not in (repo / "out" / "img" / "claims.jsonl").read_bytes()


def test_dvc_takes_nothing_for_changed(repo: Path) -> None:
    run(repo)
    assert "up to date" in run_dvc(repo, "status")
    again = run(repo)
    assert again["answer"] == "pass"


def test_dvc_would_take_a_folder_for_changed(repo: Path) -> None:
    (repo / ".dvcignore").write_text("")
    (note,) = run(repo)["notes"]
    assert "add the line claims.jsonl to .dvcignore" in note
    assert "out/img" in run_dvc(repo, "status")
    assert run(repo)["answer"] == "pass"


def test_a_kind_is_never_guessed(repo: Path) -> None:
    assert "what kind of step is prepare?" in run_command(repo, code=2)["reason"]
    run_command(repo, "--kind", "prepare=tidy", code=2)
    run_command(repo, "--kind", "nothing=clean", "--kind", "prepare=clean", code=2)
    assert not list(repo.rglob("*claims.jsonl"))
    done = run_command(repo, "--kind", "clean")
    assert [stage["kind"] for stage in done["stages"]] == ["clean", "train", "train", "evaluate"]


def test_one_stage_or_one_group(repo: Path) -> None:
    (stage,) = run_command(repo, "--stage", "train@b")["stages"]
    assert stage["name"] == "train@b"
    assert list(run(repo, "train", kinds={"": "train"})["by_name"]) == ["train@a", "train@b"]
    run(repo, "nothing", code=2)


def test_a_file_that_changed(repo: Path) -> None:
    (repo / "out" / "clean.csv").write_text("else\n")
    done = run(repo, code=1)
    answers = {name: stage["answer"] for name, stage in done["by_name"].items()}
    assert answers == {"prepare": "fail", "train@a": "fail", "train@b": "fail", "evaluate": "pass"}
    assert "out/clean.csv is another file" in done["by_name"]["prepare"]["reasons"][0]
    assert not (repo / "out" / "img" / "claims.jsonl").exists()
    assert (repo / "plot.csv.claims.jsonl").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "one").write_text("2"), "changed: one"),
        (lambda folder: (folder / "one").unlink(), "missing: one"),
        (lambda folder: (folder / "more").write_text(""), "not recorded: more"),
        (lambda folder: (folder / "one").rename(folder / "eins"), "not recorded: eins"),
        (lambda folder: (folder / ".gitignore").write_text(""), "changed: .gitignore"),
    ],
)
def test_a_folder_that_changed(repo: Path, change: Callable[[Path], object], words: str) -> None:
    change(repo / "out" / "img")
    done = run(repo, "prepare", code=1)
    assert words in done["by_name"]["prepare"]["reasons"][0]
    shutil.rmtree(repo / ".dvc" / "cache")
    run(repo, "prepare", code=1)


def test_what_was_not_pulled(repo: Path) -> None:
    (repo / "sub" / "a.bin").unlink()
    done = run(repo, code=3)
    assert done["by_name"]["train@a"]["answer"] == "unknown"
    assert "dvc pull" in done["by_name"]["train@a"]["reasons"][0]
    assert done["by_name"]["train@b"]["answer"] == "pass"


def test_what_never_ran_and_what_is_left_over(repo: Path) -> None:
    text = (repo / "dvc.yaml").read_text().replace("  prepare:", "  tidy:")
    (repo / "dvc.yaml").write_text(text)
    done = run(repo, kinds={"": "clean"}, code=3)
    assert "no longer in dvc.yaml" in done["by_name"]["prepare"]["reasons"][0]
    assert "it never ran" in done["by_name"]["tidy"]["reasons"][0]
    assert done["by_name"]["evaluate"]["answer"] == "pass"


def test_links_into_the_cache(repo: Path) -> None:
    run_dvc(repo, "config", "cache.type", "symlink")
    run_dvc(repo, "checkout", "--relink", "-q")
    done = run(repo, code=3)
    assert "symbolic link" in done["by_name"]["prepare"]["reasons"][0]


def test_pipelines_that_lie_in_data(repo: Path) -> None:
    """They are of whoever made the data; DVC does not look for any there."""
    for folder in ("data/img", "out/img"):
        (repo / folder / "dvc.yaml").write_text("stages: {train: {cmd: a}}\n")
        (repo / folder / "dvc.lock").write_text(
            "schema: '2.0'\nstages: {train: {cmd: a, outs: [{path: one, md5: c4ca4238a0b923820"
            "dcc509a6f75849b, hash: md5}]}}\n"
        )
    done = run(repo, kinds={"": "clean"}, code=1)
    for folder in ("data/img", "out/img"):
        (reason,) = done["by_name"][f"{folder}/dvc.yaml:train"]["reasons"]
        assert "lies in data" in reason
    assert not (repo / "data" / "img" / "one.claims.jsonl").exists()


def test_secrets_of_any_parameter(bare: Path) -> None:
    lock = LOCK.format(dep="in", out="out")
    lock += "    params: {../p.yaml: {db: {password: geheim}}, params.yaml: {'api key': geheim}}\n"
    (bare / "dvc.lock").write_text(lock.replace("cp in out", "'cp in out --token geheim'"))
    run_bare(bare)
    (claim,) = read_claims(bare, "out.claims.jsonl")
    record = parse_provenance(claim)
    assert set(record.parameters.values()) == {"[redacted]"}
    assert b"geheim" not in claim.payload


@pytest.mark.parametrize(
    ("plan", "gaps"),
    [
        ("{cmd: cp in out, deps: [./in]}", []),
        ("{cmd: [cp in out], deps: ['${x}', in]}", []),
        ("{cmd: 'cp ${x} out', deps: [in]}", []),
        (
            "{cmd: cp in out, deps: [in, hidden]}",
            ["hidden is a dependency in dvc.yaml and not in dvc.lock"],
        ),
        ("{cmd: cp x out}", ["the command in dvc.yaml is another than the one in dvc.lock"]),
    ],
)
def test_what_is_planned_and_not_in_the_record(bare: Path, plan: str, gaps: list[str]) -> None:
    (bare / "dvc.lock").write_text(LOCK.format(dep="in", out="out"))
    (bare / "dvc.yaml").write_text(f"stages: {{train: {plan}}}\n")
    done = run_bare(bare)
    assert done["by_name"]["train"]["gaps"][1:] == gaps
    (statement,) = read_claims(bare, "out.claims.jsonl")
    completeness: Any = parse_provenance(statement).facts["completeness"]
    assert completeness["gaps"][1:] == gaps


def test_secrets_in_addresses(bare: Path) -> None:
    place = "https://bob:geheim@host.example/d.csv"
    lock = LOCK.format(dep="in", out="out").replace(
        "    outs:\n",
        f"    - path: {place}?X-Amz-Signature=geheim&token=geheim\n"
        f"    - path: {place}?sig=geheim\n"
        "    outs:\n",
    )
    (bare / "dvc.lock").write_text(lock)
    run_bare(bare)
    (statement,) = read_claims(bare, "out.claims.jsonl")
    assert b"geheim" not in statement.payload
    record = parse_provenance(statement)
    names = ["./in", "https://host.example/d.csv", "https://host.example/d.csv-2"]
    assert [item.name for item in record.inputs] == names
    completeness: Any = record.facts["completeness"]
    assert "https://host.example/d.csv is not here: no digest of it" in completeness["gaps"]


def test_what_dvc_fetched(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    run_git(other, "init", "-q")
    run_dvc(other, "init", "-q")
    run_dvc(other, "import", "-q", str(repo), "data/raw.csv")
    (tmp_path / "elsewhere.txt").write_text("e")
    run_dvc(other, "import-url", "-q", str(tmp_path / "elsewhere.txt"), "e.txt")
    done = run(other, kinds={"": "clean"})
    assert {n: s["kind"] for n, s in done["by_name"].items()} == {
        "e.txt.dvc": "fetch",
        "raw.csv.dvc": "fetch",
    }
    (claim,) = read_claims(other, "raw.csv.claims.jsonl")
    (origin,) = parse_provenance(claim).inputs
    assert not origin.digest
    assert origin.uri == f"file://{repo}"
    assert len(origin.annotations["revision"]) == 40
    gaps = done["by_name"]["raw.csv.dvc"]["gaps"]
    assert any("no digest" in gap for gap in gaps)


def run_bare(repo: Path, code: int = 0) -> dict[str, Any]:
    return run(repo, kinds={"": "train"}, code=code)


def test_before_dvc_3(bare: Path) -> None:
    """Text files then had their md5 without the CR; ``hash: md5`` was not written."""
    (bare / "in").write_bytes(b"a\r\n" * 600_000)
    lock = LOCK.format(dep="in", out="out").replace("      hash: md5\n", "")
    (bare / "dvc.lock").write_text(lock)
    assert "is another file" in run_bare(bare, code=1)["by_name"]["train"]["reasons"][0]
    # The CR that lies before the end of a MiB stays.
    data, unix = b"a\r\n" * 600_000, b""
    for start in range(0, len(data), 1 << 20):
        unix += data[start : start + (1 << 20)].replace(b"\r\n", b"\n")
    dos = hashlib.md5(unix).hexdigest()
    (bare / "dvc.lock").write_text(lock.replace("0cc175b9c0f1b6a831c399e269772661", dos))
    run_bare(bare)


def test_paths_that_lead_elsewhere(bare: Path) -> None:
    for path in ("/etc/passwd", "../k.key", "sub/../../k.key"):
        (bare / "dvc.lock").write_text(LOCK.format(dep=path, out="out"))
        done = run_bare(bare)
        assert any("no digest" in gap for gap in done["by_name"]["train"]["gaps"])
        *_, claim = read_claims(bare, "out.claims.jsonl")
        assert not parse_provenance(claim).inputs[0].digest
        (bare / "dvc.lock").write_text(LOCK.format(dep="in", out=path))
        assert "not in the repository" in run_bare(bare, code=3)["by_name"]["train"]["reasons"][0]
    assert not list(bare.parent.glob("k.key.*"))


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (".git/hooks/post-commit", "git's or DVC's own"),
        ("door/k.key", "by a link"),
        ("inner/config", "by a link"),
        ('"a\\0b"', "NUL"),
    ],
)
def test_outputs_where_nothing_may_be_written(bare: Path, out: str, words: str) -> None:
    (bare / "door").symlink_to(bare.parent)
    (bare / ".git").mkdir()
    (bare / "inner").symlink_to(bare / ".git")
    (bare / "dvc.lock").write_text(LOCK.format(dep="in", out=out))
    assert words in run_bare(bare, code=3)["by_name"]["train"]["reasons"][0]


@pytest.mark.parametrize(
    ("dep", "out"), [("out", "out"), (".", "out"), ("folder/in", "folder"), ("in", ".")]
)
def test_a_stage_that_takes_in_what_it_makes(bare: Path, dep: str, out: str) -> None:
    (bare / "dvc.lock").write_text(LOCK.format(dep=dep, out=out))
    (reason,) = run_bare(bare, code=1)["by_name"]["train"]["reasons"]
    assert "takes in" in reason


def test_claims_that_are_a_link(bare: Path) -> None:
    (bare / "dvc.lock").write_text(LOCK.format(dep="in", out="out"))
    (bare / "in.claims.jsonl").symlink_to("/etc/passwd")
    done = run_bare(bare, code=3)
    assert "symbolic link" in done["by_name"]["train"]["reasons"][0]
    assert not (bare / "out.claims.jsonl").exists()


@pytest.mark.parametrize(
    "content",
    [
        "schema: '1.0'\nstages: {}\n",
        "train: {cmd: a}\n",
        "schema: '2.0'\nschema: '2.0'\n",
        "schema: '2.0'\nstages: {train: {cmd: a, outs: [{path: out, md5: 12}]}}\n",
        "schema: '2.0'\nstages: {train: {cmd: a, outs: [{path: out, size: -1}]}}\n",
        "schema: '2.0'\nstages: {train: {cmd: a, outs: [{path: out, sha1: 12}]}}\n",
        "schema: '2.0'\nstages: {train: {cmd: a, outs: [{path: out, hash: crc}]}}\n",
        "schema: '2.0'\nstages: {train: {outs: [{path: out}]}}\n",
        "schema: '2.0'\nstages: [train]\n",
        "schema: '2.0'\nstages: !!python/object/apply:os.system [id]\n",
        "schema: '2.0'\nstages: {train: {cmd: *gone}}\n",
        "schema: '2.0'\nstages: &a {train: {cmd: *a}}\n",
        b"schema: '2.0'\nstages: {\xff: {cmd: a}}\n",
    ],
)
def test_a_lock_file_that_dvc_did_not_write(bare: Path, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    (bare / "dvc.lock").write_bytes(data)
    assert "dvc.lock" in run_bare(bare, code=2)["reason"]


def test_a_few_lines_that_stand_for_billions(bare: Path) -> None:
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    text = "\n".join(["a0: &a0 [x]", *lines])
    (bare / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  {text}\n".replace("\na", "\n  a"))
    assert "more than 2,000,000 values" in run_bare(bare, code=2)["reason"]


def test_names_that_a_terminal_would_act_on(bare: Path) -> None:
    name = '"a\\nb\\e[2J"'
    (bare / "dvc.lock").write_text(LOCK.format(dep="in", out="out").replace("train", name))
    (bare / "dvc.yaml").write_text(f"stages: {{{name}: {{cmd: cp in out}}}}\n")
    done = run_cli("import", "dvc", ".", "--key", "../k.key", "--kind", "train", cwd=bare)
    assert done.returncode == 0
    assert "\x1b" not in done.stderr
    assert "a\\nb" in done.stderr


def test_a_folder_whose_name_is_no_text(bare: Path) -> None:
    folder = os.fsencode(bare) + b"/a\xff"
    os.mkdir(folder)  # noqa: PTH102 - bytes
    for name in ("in", "out", "dvc.yaml"):
        shutil.copy(bare / name, os.fsdecode(folder))
    (bare / "dvc.yaml").unlink()
    Path(os.fsdecode(folder), "dvc.lock").write_text(LOCK.format(dep="in", out="out"))
    (stage,) = run_bare(bare, code=3)["stages"]
    assert "cannot be written as JSON" in stage["reasons"][0]
    assert not list(bare.rglob("*claims.jsonl"))


def test_a_hundred_thousand_outputs(bare: Path) -> None:
    outs = "".join(f"    - path: o/{n}\n" for n in range(100_000))
    text = LOCK.format(dep="in", out="out") + outs
    (bare / "dvc.lock").write_text(text)
    done = run_bare(bare, code=3)
    assert "too many to claim each" in done["by_name"]["train"]["reasons"][0]


def test_a_fifo_where_a_file_was(bare: Path) -> None:
    (bare / "dvc.lock").write_text(LOCK.format(dep="in", out="out"))
    (bare / "in").unlink()
    os.mkfifo(bare / "in")
    assert run_bare(bare, code=3)["by_name"]["train"]["answer"] == "unknown"


def test_nothing_of_dvc(tmp_path: Path) -> None:
    wb.keygen(tmp_path / "k")
    (tmp_path / "empty").mkdir()
    assert "holds no dvc.yaml" in run(tmp_path / "empty", kinds={"": "train"}, code=2)["reason"]
    done = run_cli("import", "dvc", "gone", "--key", "k.key", cwd=tmp_path)
    assert done.returncode == 2


def test_in_a_program(repo: Path) -> None:
    done = wb.import_dvc(repo, kinds={"prepare": "clean"}, key=repo.parent / "k.key")
    assert done.answer == "pass"
    assert [stage.name for stage in done.stages] == ["prepare", "train@a", "train@b", "evaluate"]
