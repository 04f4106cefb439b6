"""import mlflow: runs that MLflow itself recorded, in a folder, in SQLite, and behind a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sigstore.dsse import Statement as SigstoreStatement

import weighbridge as wb
from services.mlflow_runs import make_runs, serving
from support import run_cli
from weighbridge.cli._import_output import mlflow_to_json
from weighbridge.cli._main import to_exit_code
from weighbridge.core import DEFAULT_LIMITS, StepRecord, parse_bundle
from weighbridge.core.ports import StrPath
from weighbridge.errors import InputError, WeighbridgeError
from weighbridge.integrations._mlflow_client import _find_artifacts
from weighbridge.provenance import parse_provenance
from weighbridge.signing import load_public_key, verify_bundle


class Place(NamedTuple):
    """A folder with runs, a key and a dataset; and what each run is called."""

    folder: Path
    files: dict[str, str]
    database: dict[str, str]

    @property
    def run(self) -> str:
        return self.database["finished"]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("mlflow")
    wb.keygen(folder / "k")
    (folder / "mlruns").mkdir()
    (folder / "mlruns" / ".trash").mkdir()
    files = make_runs(str(folder / "mlruns"), folder / "mlruns" / "kept")
    database = make_runs(f"sqlite:///{folder / 'm.db'}", folder / "artifacts")
    return Place(folder, files, database)


@pytest.fixture
def place(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The runs, and a folder to work in of each test's own."""
    wb.keygen(tmp_path / "k")
    work = tmp_path / "work"
    work.mkdir()
    (work / "rows.csv").write_text("1,2\n")
    monkeypatch.chdir(work)
    return made._replace(folder=work)


@pytest.fixture
def database(made: Place) -> str:
    return f"sqlite:///{made.folder / 'm.db'}"


def run(place: Place, run_id: str, uri: str, *options: str, code: int = 0) -> dict[str, Any]:
    """Import in this process, where MLflow is imported once; return what the command prints."""
    given: dict[str, dict[str, StrPath]] = {"-o": {}, "-i": {}}
    root = ""
    for option, value in zip(options[::2], options[1::2], strict=True):
        if option == "--artifact-root":
            root = value
        else:
            name, _, path = value.partition("=")
            given[option][name] = path
    said: Any
    try:
        done = wb.import_mlflow(
            run_id,
            tracking_uri=uri,
            kind="train",
            outputs=given["-o"],
            inputs=given["-i"],
            artifact_root=root,
            key="../k.key",
        )
        said, left_with = mlflow_to_json(done), 0
    except WeighbridgeError as error:
        said, left_with = {"reason": str(error)}, to_exit_code(error)
    assert left_with == code, said
    assert sorted(p.name for p in place.folder.glob(".*")) == [], "nothing is left behind"
    assert not (place.folder / "file:").exists()
    assert not (place.folder / "mlruns").exists()
    found: dict[str, Any] = said
    return found


def read_record(place: Place, name: str) -> StepRecord:
    """Return the last record of a claims file, verified with the key."""
    line = (place.folder / name).read_bytes().splitlines()[-1]
    bundle = parse_bundle(line, what="claim", limits=DEFAULT_LIMITS)
    keys = {"k": load_public_key(place.folder.parent / "k.pub")}
    statement = verify_bundle(bundle, keys, at=datetime.now(UTC)).statement
    SigstoreStatement(statement.payload)
    assert b"secret" not in statement.payload
    return parse_provenance(statement)


OUTPUTS = ("-o", "sub/model=model", "-o", "scores=scores")


def test_a_run_in_a_folder(place: Place, made: Place) -> None:
    done = run(place, place.files["finished"], str(made.folder / "mlruns"), *OUTPUTS)
    assert done["fetched"] == ["sub/model", "scores"]
    assert (place.folder / "model" / "weights").read_bytes() == bytes(5000)
    record = read_record(place, "model/claims.jsonl")
    assert record.builder == "https://weighbridge.dev/builders/import-mlflow/v1"
    assert record.kind == "train"
    assert record.name == "finished-run"
    assert record.parameters == {"lr": "1e-3", "api_key": "[redacted]"}
    assert record.entry_point == ("train.py --hf-token [redacted]",)
    assert record.facts["completeness"]["class"] == "declared"
    assert record.started_at is not None
    assert record.finished_at is not None
    assert record.started_at <= record.finished_at
    roles = {item.name: item for item in record.materials}
    assert roles["mlflow-source"].uri == f"git+https://example.com/x.git@{'1f' * 20}"
    assert not roles["mlflow-source"].digest


def test_what_the_run_took_in(place: Place, made: Place, database: str) -> None:
    options = ("--artifact-root", str(made.folder / "artifacts"))
    done = run(place, place.run, database, *OUTPUTS, *options)
    inputs = {item.name: item for item in read_record(place, "scores.claims.jsonl").inputs}
    rows = wb.hash(place.folder / "rows.csv").compute_digest().hex
    assert {name: dict(item.digest) for name, item in inputs.items()} == {
        "dataset/rows": {"sha256": rows},
        "dataset/rows-2": {},  # ../k.key is here, and nobody said that it may be read
        "dataset/cloud": {},
        "dataset/hub": {},
        "dataset/odd": {},
        "model/1": {},
    }
    assert inputs["dataset/cloud"].uri == "s3://bucket/rows"
    assert inputs["dataset/hub"].annotations["source"] == "org/data"
    assert inputs["dataset/rows"].annotations["mlflow-digest"] == "digest0"
    assert inputs["model/1"].uri == "models:/m-1234"
    assert sum("no digest" in gap for gap in done["gaps"]) == 5


def test_a_dataset_that_is_elsewhere_here(place: Place, made: Place, database: str) -> None:
    options = ("--artifact-root", str(made.folder / "artifacts"), "-o", "scores=scores")
    (place.folder / "hub").mkdir()
    (place.folder / "hub" / "a").write_text("a")
    run(place, place.run, database, *options, "-i", "hub=hub")
    inputs = {item.name: item for item in read_record(place, "scores.claims.jsonl").inputs}
    digest = wb.hash(place.folder / "hub").compute_digest().hex
    assert inputs["dataset/hub"].digest == {"sha256": digest}
    done = run(place, place.run, database, *options, "-i", "nothing=hub", code=2)
    assert "cloud, hub, odd, rows, rows-2" in done["reason"]
    # Another dataset of that name is not what was named.
    run(place, place.run, database, *options, "-i", "rows=hub")
    inputs = {item.name: item for item in read_record(place, "scores.claims.jsonl").inputs}
    assert inputs["dataset/rows"].digest == {"sha256": digest}
    assert inputs["dataset/rows-2"].digest == {}
    run(place, place.run, database, *options, "-i", "hub=scores", code=2)


def test_a_run_that_ended_before_it_began(place: Place, made: Place, tmp_path: Path) -> None:
    store = Path(shutil.copytree(made.folder / "mlruns", tmp_path / "other"))
    (meta,) = store.glob(f"*/{place.files['finished']}/meta.yaml")
    text = meta.read_text().replace(str(made.folder / "mlruns"), str(store))
    meta.write_text(re.sub(r"end_time: \d+", "end_time: 1000", text))
    run(place, place.files["finished"], str(store), "-o", "scores=scores")
    record = read_record(place, "scores.claims.jsonl")
    assert (record.started_at, record.finished_at) == (None, None)
    problems: Any = record.facts["problems"]
    assert "MLflow says that the run ended before it began: neither is recorded" in problems
    completeness: Any = record.facts["completeness"]
    for name in ("connections", "denied", "enforcer", "network", "undeclared"):
        assert completeness[name] == "unknown", "nobody here saw where it ran"


def test_what_is_here_has_to_be_the_runs(place: Place, made: Place, database: str) -> None:
    root = ("--artifact-root", str(made.folder / "artifacts"))
    run(place, place.run, database, *OUTPUTS, *root)
    again = run(place, place.run, database, *OUTPUTS, *root)
    assert again["fetched"] == []
    (place.folder / "model" / "weights").write_bytes(bytes(4999) + b"1")
    before = (place.folder / "scores.claims.jsonl").read_bytes()
    done = run(place, place.run, database, *OUTPUTS, *root, code=1)
    assert "is not the artifact sub/model" in done["reason"]
    assert (place.folder / "scores.claims.jsonl").read_bytes() == before


def test_the_database_is_only_read(place: Place, made: Place, database: str) -> None:
    before = (made.folder / "m.db").read_bytes()
    run(place, place.run, database, *OUTPUTS, "--artifact-root", str(made.folder / "artifacts"))
    assert (made.folder / "m.db").read_bytes() == before
    (place.folder / "empty.db").touch()
    run(place, place.run, "sqlite:///empty.db", *OUTPUTS, code=3)
    assert not (place.folder / "empty.db").read_bytes()
    run(place, place.run, "sqlite:///gone.db", *OUTPUTS, code=2)
    assert not (place.folder / "gone.db").exists()
    with sqlite3.connect(place.folder / "other.db") as connection:
        connection.execute("create table t (a)")
    run(place, place.run, "sqlite:///other.db", *OUTPUTS, code=3)


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("failed", 1, "is FAILED"),
        ("deleted", 1, "was deleted"),
        ("running", 3, "is RUNNING"),
    ],
)
def test_runs_that_are_not_claimed(
    place: Place, made: Place, kind: str, code: int, words: str
) -> None:
    store = str(made.folder / "mlruns")
    assert words in run(place, place.files[kind], store, *OUTPUTS, code=code)["reason"]


@pytest.mark.parametrize("run_id", ["0" * 32, "..", "../../x", "a b", "", "x" * 65])
def test_runs_that_are_not_there(place: Place, made: Place, run_id: str) -> None:
    run(place, run_id, str(made.folder / "mlruns"), *OUTPUTS, code=2)


def test_a_run_without_inputs_and_artifacts(place: Place, made: Place) -> None:
    store = str(made.folder / "mlruns")
    done = run(place, place.files["empty"], store, "-o", "model=model", code=2)
    assert "model" in done["reason"]
    assert not (place.folder / "model").exists()


@pytest.mark.parametrize(
    "uri", ["ftp://x/y", "databricks", "postgresql://x/y", "work", "sqlite:///x.db?mode=rw", ""]
)
def test_places_that_are_not_asked(place: Place, uri: str) -> None:
    run(place, place.run, uri, *OUTPUTS, code=2)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ".", "a/../.."])
def test_names_that_are_no_artifact(place: Place, made: Place, name: str) -> None:
    run(place, place.files["finished"], str(made.folder / "mlruns"), "-o", f"{name}=x", code=2)


def test_artifacts_where_nobody_allowed(place: Place, made: Place, database: str) -> None:
    elsewhere = place.folder.parent / "elsewhere"
    shutil.copytree(made.folder / "artifacts", elsewhere / "artifacts")
    shutil.copy(made.folder / "m.db", elsewhere / "m.db")
    uri = f"sqlite:///{elsewhere / 'm.db'}"
    done = run(place, place.run, uri, *OUTPUTS, code=2)
    assert "allow it with --artifact-root" in done["reason"]
    run(place, place.run, uri, *OUTPUTS, "--artifact-root", "s3://bucket", code=2)


def test_artifacts_that_are_links(place: Place, made: Place) -> None:
    store = shutil.copytree(made.folder / "mlruns", place.folder.parent / "mlruns")
    for meta in store.rglob("meta.yaml"):
        meta.write_text(meta.read_text().replace(str(made.folder), str(place.folder.parent)))
    (scores,) = (p for p in store.rglob("scores") if p.parent.name == "artifacts")
    for target in ("/etc/passwd", "/etc"):
        scores.unlink()
        scores.symlink_to(target)
        done = run(place, place.files["finished"], str(store), "-o", "scores=scores", code=2)
        assert "is a link" in done["reason"]
        assert not (place.folder / "scores").exists()


def test_the_command(place: Place, made: Place) -> None:
    arguments = ("import", "mlflow", place.files["finished"], "--key", "../k.key", *OUTPUTS)
    arguments += ("--tracking-uri", str(made.folder / "mlruns"), "--kind", "train")
    done = run_cli(*arguments, cwd=place.folder)
    assert done.returncode == 0, done.stderr
    assert "fetched: scores" in done.stderr
    assert "gap: dataset/hub is not here: no digest of it" in done.stderr
    done = run_cli(*arguments, "--json", cwd=place.folder)
    assert json.loads(done.stdout)["completeness"] == "declared"
    assert json.loads(done.stdout)["fetched"] == []


def test_a_run_behind_a_server(place: Place, made: Place) -> None:
    with serving(made.folder / "m.db", made.folder / "artifacts") as address:
        uri = address.replace("http://", "http://me:pass@")
        done = run(place, place.run, uri, *OUTPUTS)
        assert done["fetched"] == ["sub/model", "scores"]
        assert run(place, place.run, uri, *OUTPUTS)["fetched"] == []
        (place.folder / "scores").write_text("1.0")
        run(place, place.run, uri, *OUTPUTS, code=1)
    record = read_record(place, "model/claims.jsonl")
    (said,) = (item for item in record.materials if item.name == "mlflow-run")
    assert said.uri == address
    digest = wb.hash(place.folder / "model").compute_digest()
    assert str(digest) == done["outputs"][0]["digest"]


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc",
        "/etc",
        "/allowed/../etc",
        "file://host/allowed/x",
        "http://127.0.0.1:1/x",
        "s3://bucket-of-another/x",
        "s3://bucket/../x",
        "mlflow-artifacts://127.0.0.1:1/x",
        "ftp://127.0.0.1/x",
        "",
    ],
)
def test_it_is_the_user_who_says_where_to_look(uri: str) -> None:
    for home in (None, Path("/home-of-runs")):
        for root in ("/allowed", "s3://bucket", ""):
            with pytest.raises(InputError, match="allow it with --artifact-root"):
                _find_artifacts(uri, "http://localhost:1", home, root)


def test_where_artifacts_may_be() -> None:
    folder = Path("/allowed")
    server = "http://localhost:1"
    for uri in ("mlflow-artifacts:/x", "mlflow-artifacts://localhost:1/x"):
        assert _find_artifacts(uri, server, None, "") == uri
    assert _find_artifacts("/allowed/x", "", folder, "") == folder / "x"
    assert _find_artifacts("file:///allowed/x", server, None, "/allowed") == folder / "x"
    assert _find_artifacts("s3://bucket/x", server, None, "s3://bucket/") == "s3://bucket/x"


def test_a_server_that_sends_us_elsewhere(place: Place, made: Place) -> None:
    with serving(made.folder / "m.db", made.folder, artifact_uri="file:///etc") as address:
        done = run(place, place.run, address, "-o", "passwd=passwd", code=2)
    assert "which is not where you let them be looked for" in done["reason"]
    assert not (place.folder / "passwd").exists()


def test_a_server_that_redirects(place: Place, made: Place) -> None:
    with serving(made.folder / "m.db", made.folder, artifact_uri="redirect") as address:
        done = run(place, place.run, address, *OUTPUTS, code=3)
    assert "127.0.0.1:1/elsewhere" not in done["reason"]


def test_a_server_that_is_not_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run(place, place.run, "http://127.0.0.1:1", *OUTPUTS, code=3)


TELLING = """
import os, sys
import weighbridge as wb
before = dict(os.environ)
wb.import_mlflow(sys.argv[1], tracking_uri=sys.argv[2], kind="train", outputs={"scores": "scores"},
                 key="../k.key")
import mlflow.telemetry.client as client
assert client.get_telemetry_client() is None, "MLflow would tell its makers"
assert dict(os.environ) == before
"""


def test_nobody_is_told(place: Place, made: Place) -> None:
    command = [sys.executable, "-c", TELLING, place.files["finished"], str(made.folder / "mlruns")]
    # Not as in a test, where MLflow tells nothing anyway.
    names = ("PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS")
    env = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        command, cwd=place.folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
