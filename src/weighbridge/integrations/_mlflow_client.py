"""Reading a run of MLflow with its own client: asks the place that the user named, and no other."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from weighbridge.core import printable
from weighbridge.errors import (
    IncompleteError,
    InputError,
    MissingExtraError,
    VerificationError,
    WeighbridgeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MlflowDataset", "MlflowRun", "fetch_artifact", "find_artifact", "read_run"]

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# MLflow sends what is done with it to its makers unless it is told not to, and follows a server's
# redirection and its links to other storage.
_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
_RUNNING = frozenset({"RUNNING", "SCHEDULED"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MlflowDataset:
    """A dataset that a run took in, as it logged it.

    Attributes:
        name: What the run calls it.
        digest: MLflow's own short digest, of which bytes only MLflow knows.
        source_type: ``local``, ``s3``, ``hugging_face``, ...
        source: JSON, as MLflow wrote it.
        context: What it was for: ``training``; may be empty.
    """

    name: str
    digest: str
    source_type: str
    source: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """A run that ended well.

    Attributes:
        run_id: As MLflow names it.
        experiment_id: Likewise.
        name: What its author calls it; may be empty.
        parameters: Name to text.
        tags: Name to text.
        datasets: What it took in.
        models: Ids of models that it took in.
        artifacts: Where its artifacts are: a folder here, or an address.
        started_at: Aware; None if the server does not say.
        finished_at: Likewise.
    """

    run_id: str
    experiment_id: str
    name: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    datasets: tuple[MlflowDataset, ...]
    models: tuple[str, ...]
    artifacts: Path | str
    started_at: datetime | None
    finished_at: datetime | None


def read_run(run_id: str, tracking_uri: str, *, artifact_root: str = "") -> MlflowRun:
    """Ask MLflow for a run.

    Args:
        run_id: As MLflow names it.
        tracking_uri: A folder, ``sqlite:///FILE`` or ``http(s)://HOST``.
        artifact_root: Where else its artifacts may be: a folder or the beginning of an address.

    Raises:
        InputError: There is no such run, or its artifacts are where nobody said they may be.
        MissingExtraError: The extra ``mlflow`` is not installed.
        VerificationError: The run failed, or was killed or deleted.
        IncompleteError: The run has not ended, or MLflow cannot answer.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise InputError(f"{printable(run_id, limit=80)!r} is not the id of a run; copy it whole")
    uri, home = _open_tracking(tracking_uri)
    with _mlflow(f"the run {run_id}") as client:
        run = client(tracking_uri=uri, registry_uri=uri).get_run(run_id)
        found = _to_run(
            run, _find_artifacts(run.info.artifact_uri, tracking_uri, home, artifact_root)
        )
        _refuse_unfinished(run_id, run.info)
    return found


def fetch_artifact(run: MlflowRun, name: str, *, tracking_uri: str, folder: Path) -> Path:
    """Copy an artifact of a run into a folder; return where it is then.

    Raises:
        InputError: The run has no such artifact.
        IncompleteError: MLflow cannot give it.
    """
    if isinstance(run.artifacts, Path):
        source, target = find_artifact(run.artifacts, name), folder / "artifact"
        try:
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True)
            else:
                shutil.copyfile(source, target, follow_symlinks=False)
        except OSError as error:
            reason = (error.strerror or "error").lower()
            raise InputError(f"{printable(name)} cannot be copied: {reason}") from error
        return target
    with _mlflow(f"the artifact {printable(name)}"):
        from mlflow.store.artifact.artifact_repository_registry import (  # noqa: PLC0415 - an extra
            get_artifact_repository,
        )

        repository = get_artifact_repository(run.artifacts, tracking_uri=tracking_uri)
        return Path(repository.download_artifacts(name, dst_path=str(folder)))


def find_artifact(folder: Path, name: str) -> Path:
    """Return where an artifact is that MLflow keeps here.

    Raises:
        InputError: It is a link or lies behind one, which could lead to anything.
    """
    path = folder / name
    if Path(os.path.realpath(path)) != path:
        raise InputError(f"the artifact {printable(name)} is a link or lies behind one")
    return path


@contextmanager
def _mlflow(what: str) -> Iterator[Any]:
    """Yield the client's class; inside, MLflow is quiet and what it raises is an error of ours."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of MLflow's own plans
            try:
                from mlflow import MlflowClient  # noqa: PLC0415 - an extra
            except ImportError as error:
                raise MissingExtraError("mlflow", purpose="reading runs of MLflow") from error
            yield MlflowClient
    except WeighbridgeError:
        raise
    except Exception as error:  # whatever MLflow, its store or its transport raises
        reason = printable(" ".join(str(error).split()), limit=300)
        if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
            raise InputError(f"{what} is not there: {reason}") from error
        raise IncompleteError(f"MLflow cannot give {what}: {reason}") from error
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _open_tracking(uri: str) -> tuple[str, Path | None]:
    """Return what to tell MLflow, and the folder that the user named by it; None for a server.

    A store that is not there would be made by MLflow, so it has to be.
    """
    parts = urlsplit(uri)
    shown = printable(uri, limit=200)
    if parts.scheme in ("http", "https") and parts.hostname:
        return uri, None
    if parts.scheme == "sqlite":
        file = Path(os.path.realpath(unquote(uri.partition(":///")[2])))
        if parts.query or not file.is_file():
            raise InputError(f"there is no SQLite database at {shown}; give sqlite:///FILE")
        if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
            raise MissingExtraError("mlflow", purpose="reading a database of MLflow")
        # With the name of the driver, or MLflow makes a folder called "file:" where we are.
        return f"sqlite+pysqlite:///file:{quote(str(file))}?mode=ro&uri=true", file.parent
    if parts.scheme in ("", "file") and not parts.netloc:
        folder = Path(os.path.realpath(unquote(parts.path) if parts.scheme else uri))
        if not (folder / ".trash").is_dir():
            raise InputError(f"{shown} is no folder of MLflow's runs; give what holds mlruns")
        return folder.as_uri(), folder
    raise InputError(
        f"{shown} is no tracking URI that can be asked; give a folder, sqlite:///FILE or "
        "http(s)://HOST"
    )


def _find_artifacts(uri: str, tracking_uri: str, home: Path | None, root: str) -> Path | str:
    """Return where a run's artifacts are, if the user named that place; the run's word is not it.

    Raises:
        InputError: They are elsewhere.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("", "file") and not parts.netloc:
        path = Path(os.path.realpath(unquote(parts.path) if parts.scheme else uri))
        named = [home, Path(os.path.realpath(root)) if root and "://" not in root else None]
        if any(folder is not None and path.is_relative_to(folder) for folder in named):
            return path
    elif parts.scheme == "mlflow-artifacts" and home is None:
        if parts.netloc in ("", urlsplit(tracking_uri).netloc):
            return uri
    elif "://" in root and uri.startswith(f"{root.rstrip('/')}/") and ".." not in uri:
        return uri
    raise InputError(
        f"the run says that its artifacts are at {printable(uri, limit=200)}, which is not where "
        "you let them be looked for; allow it with --artifact-root"
    )


def _refuse_unfinished(run_id: str, info: Any) -> None:  # noqa: ANN401 - MLflow's, untyped
    status = printable(str(info.status), limit=40)
    if info.lifecycle_stage != "active":
        raise VerificationError(f"the run {run_id} was deleted; nothing is claimed of it")
    if status in _RUNNING:
        raise IncompleteError(f"the run {run_id} is {status}; import it when it has finished")
    if status != "FINISHED":
        raise VerificationError(f"the run {run_id} is {status}; only finished runs are claimed")


def _to_run(run: Any, artifacts: Path | str) -> MlflowRun:  # noqa: ANN401 - MLflow's, untyped
    inputs = run.inputs
    datasets = tuple(_to_dataset(item) for item in (inputs.dataset_inputs if inputs else ()))
    models = getattr(inputs, "model_inputs", None) or ()
    return MlflowRun(
        run_id=str(run.info.run_id),
        experiment_id=str(run.info.experiment_id),
        name=str(run.info.run_name or ""),
        parameters={str(name): str(value) for name, value in run.data.params.items()},
        tags={str(name): str(value) for name, value in run.data.tags.items()},
        datasets=datasets,
        models=tuple(str(item.model_id) for item in models),
        artifacts=artifacts,
        started_at=_to_time(run.info.start_time),
        finished_at=_to_time(run.info.end_time),
    )


def _to_dataset(item: Any) -> MlflowDataset:  # noqa: ANN401 - MLflow's, untyped
    dataset = item.dataset
    tags = {tag.key: tag.value for tag in item.tags or ()}
    return MlflowDataset(
        name=str(dataset.name or ""),
        digest=str(dataset.digest or ""),
        source_type=str(dataset.source_type or ""),
        source=str(dataset.source or ""),
        context=str(tags.get("mlflow.data.context", "")),
    )


def _to_time(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int) or milliseconds <= 0:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
