"""import mlflow: a run that ended well, with artifacts that are here or are fetched, as a step."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from weighbridge.core import (
    DEFAULT_LIMITS,
    MLFLOW_BUILDER,
    Dependency,
    Limits,
    parse_json,
    printable,
)
from weighbridge.errors import InputError, ParseError, VerificationError
from weighbridge.integrations._mlflow_client import fetch_artifact, find_artifact, read_run
from weighbridge.workflow import (
    ImportedInput,
    ImportedStep,
    check_kind,
    choose_signer,
    claim_imported,
    examine,
    strip_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from weighbridge.core import JsonValue
    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.integrations._mlflow_client import MlflowDataset, MlflowRun
    from weighbridge.workflow import Examined, Recorded, SignerSpec

__all__ = ["MlflowImport", "import_mlflow"]

_GAP = "MLflow recorded what the run logged, not what it read or on what it ran"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ADDRESS_KEYS = ("uri", "url", "path", "table_name", "delta_table_name")


@dataclass(frozen=True, slots=True)
class MlflowImport:
    """A run that was imported.

    Attributes:
        run_id: As MLflow names it.
        recorded: What was signed.
        fetched: The outputs that were not here and were fetched from MLflow, by their names there.
    """

    run_id: str
    recorded: Recorded
    fetched: tuple[str, ...]


def import_mlflow(  # noqa: PLR0913 - each is one thing that a user may say
    run_id: str,
    *,
    tracking_uri: str,
    kind: str,
    outputs: Mapping[str, StrPath],
    inputs: Mapping[str, StrPath] | None = None,
    key: StrPath | None = None,
    signer: StrPath | SignerSpec | None = None,
    artifact_root: str = "",
    builder: str = MLFLOW_BUILDER,
    carry: bool = True,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> MlflowImport:
    """Claim what a finished run of MLflow made, as signed provenance.

    Each output is an artifact of the run. If it is here already it has to be the same, byte for
    byte; if it is not, it is fetched. Nothing but ``tracking_uri`` and ``artifact_root`` is asked.

    Args:
        run_id: As MLflow names it.
        tracking_uri: A folder (``mlruns``), ``sqlite:///FILE`` or ``http(s)://HOST``.
        kind: What the run did: ``train``, ``evaluate``, ...; MLflow does not say.
        outputs: Path of an artifact in the run, to its path here.
        inputs: Name of a dataset in the run, to its path here; the second of one name is
            ``NAME-2``. A dataset that is not named and was
            logged with a path in the current folder is looked for there.
        key: A private key in PEM; or give ``signer``.
        signer: As for ``sign``.
        artifact_root: Where else the run's artifacts may be: a folder or the beginning of an
            address.
        builder: A URI that names who imports.
        carry: Whether what the inputs' claims files say is copied to the outputs'.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on files and claims.
        progress: Is told the bytes.

    Raises:
        InputError: There is no such run, dataset or artifact, or it is not where it may be.
        MissingExtraError: The extra ``mlflow`` is not installed.
        VerificationError: The run did not end well, or an output here is not the run's.
        IncompleteError: The run has not ended, or MLflow cannot answer.
    """
    check_kind(kind, builder)
    if not outputs:
        raise InputError("name an artifact of the run and where it is or shall be: NAME=PATH")
    names = {_check_name(name): Path(os.fspath(path)) for name, path in outputs.items()}
    if len(names) != len(outputs):
        raise InputError("an artifact is named twice; name each once")
    seal = choose_signer(signer, key, limits=limits)
    run = read_run(run_id, tracking_uri, artifact_root=artifact_root)
    work = _Work(run, tracking_uri, executor, limits, progress)
    taken, gaps = work.take_in(inputs or {})
    fetched = [name for name, path in names.items() if not os.path.lexists(path)]
    made = {name: work.make(name, path) for name, path in names.items()}
    began, ended = _find_times(run)
    step = ImportedStep(
        kind=kind,
        name=run.name or run.run_id,
        builder=builder,
        entry_point=tuple(filter(None, (run.tags.get("mlflow.source.name"),))),
        parameters=run.parameters,
        inputs=taken,
        outputs=made,
        materials=_list_materials(run, tracking_uri),
        invocation=_to_invocation(run.run_id),
        started_at=began,
        finished_at=ended,
        facts=_list_facts(run),
        gaps=(_GAP, *gaps),
        carry=carry,
    )
    return MlflowImport(run.run_id, claim_imported(step, seal=seal, limits=limits), tuple(fetched))


@dataclass(frozen=True, slots=True)
class _Work:
    """What looking at one run needs."""

    run: MlflowRun
    tracking_uri: str
    executor: Executor | None
    limits: Limits
    progress: Progress | None

    def examine(self, path: Path) -> Examined[None]:
        return examine(path, executor=self.executor, limits=self.limits, progress=self.progress)

    def take_in(
        self, given: Mapping[str, StrPath]
    ) -> tuple[tuple[ImportedInput, ...], tuple[str, ...]]:
        """Return what the run took in, and what is not known of it."""
        named = _number(self.run.datasets)
        for name in given:
            if name not in named:
                raise InputError(
                    f"the run took in no dataset {printable(name)!r}; it has "
                    f"{', '.join(sorted(map(printable, named))[:10]) or 'none'}"
                )
        found, gaps = [], []
        for name, dataset in named.items():
            item, gap = self._take_dataset(dataset, f"dataset/{name}", given.get(name))
            found.append(item)
            gaps.append(gap)
        for index, model in enumerate(dict.fromkeys(self.run.models), 1):
            name = f"model/{index}"
            found.append(ImportedInput(name, "base-model", uri=f"models:/{model}"))
            gaps.append(f"{name} ({printable(model)}) is not here: no digest of it")
        if not found:
            gaps.append("the run logged nothing that it took in")
        return tuple(found), tuple(gaps)

    def make(self, name: str, path: Path) -> Examined[None]:
        """Return an output that is the run's artifact: the one here, or else a copy of it.

        Raises:
            InputError: The run has no such artifact, or it cannot be read or written.
            VerificationError: What is here is another.
        """
        shown = printable(name)
        if os.path.lexists(path):
            here = self.examine(path)
            if self._examine_artifact(name, path.parent).digest != here.digest:
                raise VerificationError(
                    f"{printable(str(path))} is not the artifact {shown} of the run; "
                    "name another path, to fetch it there"
                )
            return here
        with _temporary(path.parent) as folder:
            copy = fetch_artifact(self.run, name, tracking_uri=self.tracking_uri, folder=folder)
            before = self.examine(copy)
            copy.rename(path)
        here = self.examine(path)
        if here.digest != before.digest:
            raise VerificationError(f"{printable(str(path))} changed as soon as it was fetched")
        return here

    def _examine_artifact(self, name: str, folder: Path) -> Examined[None]:
        """Hash an artifact where MLflow keeps it, or a copy of it if that is elsewhere."""
        if isinstance(self.run.artifacts, Path):
            return self.examine(find_artifact(self.run.artifacts, name))
        with _temporary(folder) as temporary:
            return self.examine(
                fetch_artifact(self.run, name, tracking_uri=self.tracking_uri, folder=temporary)
            )

    def _take_dataset(
        self, dataset: MlflowDataset, name: str, given: StrPath | None
    ) -> tuple[ImportedInput, str]:
        shown = printable(name)
        address = _find_address(dataset, self.limits)
        facts = {
            "mlflow-digest": printable(dataset.digest, limit=80),
            "source-type": printable(dataset.source_type, limit=80),
            **({"context": printable(dataset.context, limit=80)} if dataset.context else {}),
        }
        path = _find_local(dataset, address) if given is None else Path(os.fspath(given))
        if path is not None:
            item = ImportedInput(name, "data", self.examine(path), label=path, facts=facts)
            gap = f"{shown} is hashed as it is now; MLflow's own digest is not of its bytes"
            return item, gap
        uri = address if urlsplit(address).scheme else ""
        if not uri and address:
            facts["source"] = printable(address)
        return (
            ImportedInput(name, "data", uri=uri, facts=facts),
            f"{shown} is not here: no digest of it",
        )


class _temporary:  # noqa: N801 - read as a verb's object: with _temporary(folder)
    """A hidden folder beside a target, gone afterwards."""

    def __init__(self, beside: Path) -> None:
        self._beside = beside

    def __enter__(self) -> Path:
        try:
            name = tempfile.mkdtemp(prefix=".weighbridge-", suffix=".tmp", dir=self._beside)
        except OSError as error:
            reason = (error.strerror or "error").lower()
            raise InputError(
                f"{printable(str(self._beside))} cannot be written: {reason}"
            ) from error
        self._folder = Path(name)
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _number(datasets: Iterable[MlflowDataset]) -> dict[str, MlflowDataset]:
    """Return datasets by name; the second of one name is ``NAME-2``, so that each has its own."""
    named: dict[str, MlflowDataset] = {}
    for dataset in datasets:
        name, number = dataset.name, 1
        while name in named:
            number += 1
            name = f"{dataset.name}-{number}"
        named[name] = dataset
    return named


def _check_name(name: str) -> str:
    """Return the path of an artifact in a run, if it is one inside."""
    inside = posixpath.normpath(name)
    if not name or inside in (".", "..") or inside.startswith(("/", "../")) or "\0" in name:
        raise InputError(f"{printable(name)!r} is no path of an artifact in a run; name one")
    return inside


def _find_address(dataset: MlflowDataset, limits: Limits) -> str:
    """Return where a dataset is from, as its source says; its text if that says it otherwise."""
    try:
        source = parse_json(dataset.source.encode(), what="source", limits=limits)
    except (ParseError, UnicodeError):
        return dataset.source[:1000]
    if isinstance(source, dict):
        for key in _ADDRESS_KEYS:
            if isinstance(found := source.get(key), str) and found:
                return found[:1000]
    return dataset.source[:1000] if source else ""


def _find_local(dataset: MlflowDataset, address: str) -> Path | None:
    """Return a path in the current folder; what the run says could lead to anything else."""
    parts = urlsplit(address)
    if dataset.source_type != "local" or parts.scheme not in ("", "file") or parts.netloc:
        return None
    text = unquote(parts.path) if parts.scheme else address
    if not text or "\0" in text:
        return None
    here = Path(os.path.realpath("."))
    path = Path(os.path.realpath(text))
    if not path.is_relative_to(here) or path == here or not os.path.lexists(path):
        return None
    return path.relative_to(here)


def _list_materials(run: MlflowRun, tracking_uri: str) -> tuple[Dependency, ...]:
    """Return the run itself, and the commit that it says its code was at; neither has a digest."""
    artifacts = "" if isinstance(run.artifacts, Path) else strip_address(run.artifacts)
    found = [
        Dependency(
            "mlflow-run",
            {},
            uri=strip_address(tracking_uri),
            role="imported-from",
            annotations={
                "run": run.run_id,
                "experiment": printable(run.experiment_id),
                **({"artifacts": printable(artifacts)} if artifacts else {}),
            },
        )
    ]
    commit = run.tags.get("mlflow.source.git.commit", "")
    if _COMMIT.fullmatch(commit):
        remote = strip_address(run.tags.get("mlflow.source.git.repoURL", ""))
        uri = f"git+{remote.removeprefix('git+')}@{commit}" if urlsplit(remote).scheme else ""
        said = {"commit": commit, "said-by": "mlflow"}
        found.append(
            Dependency("mlflow-source", {}, uri=uri, role="imported-from", annotations=said)
        )
    return tuple(found)


def _list_facts(run: MlflowRun) -> dict[str, JsonValue]:
    problems = []
    if run.started_at is None or run.finished_at is None:
        problems.append("MLflow does not say when the run began and ended")
    elif run.finished_at < run.started_at:
        problems.append("MLflow says that the run ended before it began: neither is recorded")
    said: dict[str, JsonValue] = {"from": "mlflow", "run": run.run_id}
    for tag in ("mlflow.user", "mlflow.source.type", "mlflow.project.entryPoint"):
        if run.tags.get(tag):
            said[tag] = printable(run.tags[tag])
    return {"imported": said, "problems": problems}


def _find_times(run: MlflowRun) -> tuple[datetime | None, datetime | None]:
    """Return when the run began and ended; neither if that cannot be."""
    began, ended = run.started_at, run.finished_at
    return (None, None) if began and ended and ended < began else (began, ended)


def _to_invocation(run_id: str) -> str:
    try:
        return uuid.UUID(run_id).urn
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"mlflow:{run_id}").urn
