"""Runs of MLflow, made by MLflow itself in a process of its own, and a server that tells them.

The server of MLflow needs a hundred packages more; this one answers what its client asks when a run
is read, from a database that MLflow made. It can lie about where artifacts are, and redirect.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["make_runs", "serving"]

_TESTS = Path(__file__).resolve().parent.parent
_QUIET = {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONWARNINGS": "ignore",
}
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


def make_runs(uri: str, folder: Path) -> dict[str, str]:
    """Make runs in a store; return what they are for, to their ids. Artifacts go to ``folder``."""
    command = [sys.executable, "-m", "services.mlflow_runs", "make", uri, str(folder)]
    done = subprocess.run(
        command, cwd=_TESTS, check=True, capture_output=True, env={**os.environ, **_QUIET}
    )
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def serving(database: Path, artifacts: Path, *, artifact_uri: str = "") -> Iterator[str]:
    """Serve a database and a folder of artifacts; yield the address."""
    command = [sys.executable, "-m", "services.mlflow_runs", "serve"]
    command += [f"sqlite:///{database}", str(artifacts), artifact_uri]
    with subprocess.Popen(
        command, cwd=_TESTS, stdout=subprocess.PIPE, env={**os.environ, **_QUIET}, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _make(uri: str, folder: str) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput  # noqa: PLC0415

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("tests", artifact_location=folder)
    ids = {}
    tags = {
        "mlflow.source.name": "train.py --hf-token hf_abcdefghijklmnopqrstuvwxyz",
        "mlflow.source.git.commit": "1f" * 20,
        "mlflow.source.git.repoURL": "https://user:secret@example.com/x.git",
        "mlflow.user": "somebody",
    }
    for kind in ("finished", "failed", "running", "deleted", "empty"):
        run = client.create_run(experiment, run_name=f"{kind}-run", tags=tags).info.run_id
        ids[kind] = run
        if kind == "finished":
            work = Path(folder) / "work"
            (work / "model").mkdir(parents=True)
            (work / "model" / "weights").write_bytes(bytes(5000))
            (work / "model" / "MLmodel").write_text("flavors: {}\n")
            (work / "scores").write_text("0.9")
            client.log_artifacts(run, str(work / "model"), "sub/model")
            client.log_artifact(run, str(work / "scores"))
            client.log_param(run, "lr", "1e-3")
            client.log_param(run, "api_key", "sk-proj-1234567890abcdefABCDEF")
            sources = [
                ("rows", "local", {"uri": "rows.csv"}),
                ("rows", "local", {"uri": "../k.key"}),
                ("cloud", "s3", {"uri": "s3://user:secret@bucket/rows?token=x"}),
                ("hub", "hugging_face", {"path": "org/data", "revision": "main"}),
                ("odd", "code", {"tags": {}}),
            ]
            client.log_inputs(
                run,
                [
                    DatasetInput(
                        Dataset(name, f"digest{n}", kind_, json.dumps(source)),
                        [InputTag("mlflow.data.context", "training")],
                    )
                    for n, (name, kind_, source) in enumerate(sources)
                ],
                models=[LoggedModelInput("m-1234")],
            )
        if kind != "running":
            client.set_terminated(run, status="FAILED" if kind == "failed" else "FINISHED")
    client.delete_run(ids["deleted"])
    print(json.dumps(ids))  # noqa: T201


def _serve(uri: str, folder: str, artifact_uri: str) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.utils.proto_json_utils import message_to_json  # noqa: PLC0415

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            query = urllib.parse.parse_qs(parts.query)
            if parts.path == "/api/2.0/mlflow/runs/get":
                run = client.get_run(query["run_id"][0])
                value = json.loads(message_to_json(run.to_proto()))
                inside = Path(run.info.artifact_uri).relative_to(folder)
                value["info"]["artifact_uri"] = artifact_uri or f"mlflow-artifacts:/{inside}"
                self.answer(json.dumps({"run": value}).encode())
            elif parts.path == _ARTIFACTS:
                self.answer(self.list(query["path"][0]))
            elif parts.path.startswith(f"{_ARTIFACTS}/"):
                name = urllib.parse.unquote(parts.path[len(_ARTIFACTS) + 1 :])
                self.answer((Path(folder) / name).read_bytes())
            else:
                self.send_error(404)

        def list(self, name: str) -> bytes:
            path = Path(folder) / name
            found = sorted(path.iterdir()) if path.is_dir() else []
            files = [
                {"path": item.name, "is_dir": item.is_dir(), "file_size": item.stat().st_size}
                for item in found
            ]
            return json.dumps({"files": files}).encode()

        def answer(self, data: bytes) -> None:
            if artifact_uri == "redirect":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    {"make": _make, "serve": _serve}[sys.argv[1]](*sys.argv[2:])
