"""import dvc: the stages that DVC recorded, each checked against what is here, and claimed."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import read_document
from weighbridge.core import (
    DEFAULT_LIMITS,
    DVC_BUILDER,
    Answer,
    Dependency,
    Limits,
    printable,
    worst,
)
from weighbridge.errors import (
    InputError,
    LimitExceededError,
    VerificationError,
    WeighbridgeError,
)
from weighbridge.formats import hash_dvc, hash_dvc_legacy
from weighbridge.integrations._dvc_kinds import choose_kinds, find_group
from weighbridge.integrations._dvc_match import describe_difference
from weighbridge.integrations._dvc_order import order_stages
from weighbridge.integrations._dvc_repository import read_repository
from weighbridge.workflow import (
    ImportedInput,
    ImportedStep,
    choose_signer,
    claim_imported,
    examine,
    read_step_source,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from weighbridge.core import JsonValue
    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.formats import DvcHashes
    from weighbridge.integrations._dvc_repository import Place, Repository, Stage
    from weighbridge.workflow import Examined, Recorded, SignerSpec, StepSource

__all__ = ["DvcImport", "ImportedStage", "import_dvc"]

_GAP = "DVC recorded what the stage declares, not what it read, on what it ran, or when"
_MAX_IGNORE_BYTES = 1024 * 1024
_IGNORING = frozenset({"claims.jsonl", "**/claims.jsonl", "*claims.jsonl", "*.jsonl"})


@dataclass(frozen=True, slots=True)
class ImportedStage:
    """What became of one stage.

    Attributes:
        name: As DVC addresses it.
        answer: PASS: it is claimed. FAIL: what is here is not what DVC recorded, or the record
            contradicts itself. UNKNOWN: something is not here, or cannot be read.
        kind: What kind of step it is taken for; empty if nobody asked.
        kind_from: Who said so: ``caller``, ``name`` (the stage is called so) or ``dvc``.
        reasons: Why it is not claimed, one sentence each.
        recorded: What was signed; None if it is not claimed.
    """

    name: str
    answer: Answer
    kind: str = ""
    kind_from: str = ""
    reasons: tuple[str, ...] = ()
    recorded: Recorded | None = None


@dataclass(frozen=True, slots=True)
class DvcImport:
    """What became of a repository's stages.

    Attributes:
        root: The repository.
        stages: In the order in which one makes what the next takes in.
        tracked: ``.dvc`` files of data that no stage made, of which there is nothing to claim.
        notes: What else a person should know.
    """

    root: Path
    stages: tuple[ImportedStage, ...]
    tracked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        """PASS if every stage is claimed."""
        return worst(tuple(stage.answer for stage in self.stages))


def import_dvc(  # noqa: PLR0913 - each is one thing that a user may say
    repository: StrPath = ".",
    *,
    stages: Collection[str] = (),
    kinds: Mapping[str, str] | None = None,
    key: StrPath | None = None,
    signer: StrPath | SignerSpec | None = None,
    builder: str = DVC_BUILDER,
    carry: bool = True,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> DvcImport:
    """Claim the stages of ``dvc.lock`` and what ``dvc import`` fetched, as signed provenance.

    Each file is read once, for its sha256 and for DVC's md5. A stage is claimed if all that it
    takes in and makes is here and is what DVC recorded; it stands by itself, whatever becomes of
    the others. DVC itself is not needed, and nothing of the repository is run.

    Args:
        repository: A folder with ``dvc.yaml`` or ``.dvc`` files in it or below.
        stages: Which; ``train`` also means ``train@...``. None: all.
        kinds: Stage to kind of step, for those that are not called as their kind is; the stage
            ``""`` stands for all others.
        key: A private key in PEM; or give ``signer``.
        signer: As for ``sign``.
        builder: A URI that names who imports.
        carry: Whether what the inputs' claims files say is copied to the outputs'.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on files and claims.
        progress: Is told the bytes.

    Raises:
        InputError: There is nothing of DVC, one of its files is broken, a stage is not there, or it
            is not known what kind of step one is. Nothing is claimed then.
        LimitExceededError: Too many files, or too large ones.
    """
    found = read_repository(Path(os.fspath(repository)), limits=limits)
    ordered = _select(order_stages(found.stages, root=found.root, data=found.data), stages)
    named = choose_kinds(ordered, kinds or {}, builder)
    seal = choose_signer(signer, key, limits=limits)
    import_ = _Import(found, ordered, builder, carry=carry, limits=limits)
    done = []
    for stage in ordered:
        kind, kind_from = named.get(stage.name, ("", ""))
        outcome = import_.check(stage, executor=executor, progress=progress)
        if isinstance(outcome, ImportedStage):
            done.append(replace(outcome, kind=kind, kind_from=kind_from))
            continue
        inputs, outputs = outcome
        step = import_.build(stage, kind, inputs, outputs)
        try:
            recorded = claim_imported(step, seal=seal, limits=limits)
        except (InputError, VerificationError, LimitExceededError) as error:
            done.append(_refuse(stage, [error], kind, kind_from))
        else:
            done.append(ImportedStage(stage.name, Answer.PASS, kind, kind_from, recorded=recorded))
    notes = _list_notes(found.root, done)
    return DvcImport(found.root, tuple(done), found.tracked, notes)


def _select(stages: Sequence[Stage], names: Collection[str]) -> tuple[Stage, ...]:
    if isinstance(names, str):
        raise InputError("the stages are one string; give a list of them")
    if not names:
        return tuple(stages)
    there = {name for stage in stages for name in (stage.name, find_group(stage.name))}
    for name in names:
        if name not in there:
            raise InputError(f"there is no stage {printable(name)!r}; name one that DVC has")
    wanted = set(names)
    return tuple(stage for stage in stages if {stage.name, find_group(stage.name)} & wanted)


class _Import:
    """What one import remembers: each path is read once, however many stages name it."""

    def __init__(
        self,
        found: Repository,
        stages: Sequence[Stage],
        builder: str,
        *,
        carry: bool,
        limits: Limits,
    ) -> None:
        self._root = found.root
        self._stages = stages
        self._builder = builder
        self._carry = carry
        self._limits = limits
        self._examined: dict[Path, Examined[DvcHashes] | WeighbridgeError] = {}
        self._source: StepSource | None = None
        self._legacy = {
            place.path
            for stage in stages
            for place in (*stage.inputs, *stage.outputs)
            if place.entry.is_legacy
        }

    def check(
        self, stage: Stage, *, executor: Executor | None, progress: Progress | None
    ) -> ImportedStage | tuple[tuple[ImportedInput, ...], dict[str, Examined[DvcHashes]]]:
        """Hash what a stage names and hold it against the record."""
        if stage.problem:
            answer = Answer.FAIL if stage.contradicts else Answer.UNKNOWN
            return ImportedStage(stage.name, answer, reasons=(f"{stage.name} {stage.problem}",))
        problems: list[WeighbridgeError] = []
        inputs: list[ImportedInput] = []
        outputs: dict[str, Examined[DvcHashes]] = {}
        if stage.recorded is not None and len(_to_parameters(stage)) != len(
            stage.recorded.parameters
        ):
            problems.append(VerificationError(f"{stage.name} has the same parameter twice"))
        for place in stage.inputs:
            if place.path is None and not place.reason:
                inputs.append(_to_elsewhere(place))
                continue
            found = self._find(place, problems, executor, progress)
            if found is not None:
                inputs.append(_to_input(place, found))
        for place in stage.outputs:
            found = self._find(place, problems, executor, progress)
            if found is not None:
                outputs[place.name] = found
        if problems:
            return _refuse(stage, problems)
        return tuple(inputs), outputs

    def build(
        self,
        stage: Stage,
        kind: str,
        inputs: tuple[ImportedInput, ...],
        outputs: Mapping[str, Examined[DvcHashes]],
    ) -> ImportedStep:
        """Return the stage as a step."""
        source = self._read_source()
        assert stage.recorded is not None  # noqa: S101 - check() refuses those without
        recorded = stage.recorded
        elsewhere = [item.name for item in inputs if item.examined is None]
        gaps = [
            _GAP,
            *stage.gaps,
            *(f"{printable(name)} is not here: no digest of it" for name in elsewhere),
        ]
        facts: dict[str, JsonValue] = {
            "imported": {
                "from": "dvc",
                "stage": stage.name,
                "frozen": str(stage.is_frozen).lower(),
                "source": "the commit at the time of the import; DVC records none",
            },
            "problems": list(source.problems),
        }
        documents = (
            Dependency(d.path, {"sha256": d.sha256}, uri=f"file:{d.path}", role="imported-from")
            for d in stage.documents
        )
        run = f"{stage.documents[0].sha256} {printable(stage.name)}"
        commands = recorded.commands or ("dvc", "update", stage.name)
        return ImportedStep(
            kind=kind,
            name=stage.name,
            builder=self._builder,
            entry_point=commands,
            parameters=_to_parameters(stage),
            inputs=inputs,
            outputs=outputs,
            materials=(*documents, *source.materials),
            invocation=uuid.uuid5(uuid.NAMESPACE_URL, run).urn,
            facts=facts,
            gaps=tuple(gaps),
            source=source.source,
            carry=self._carry,
        )

    def _read_source(self) -> StepSource:
        """Return the commit that the repository is at now; claims that are put there are no change.

        It is asked once, before the first claim is written.
        """
        if self._source is None:
            made = [
                place.path
                for stage in self._stages
                if not stage.problem
                for place in stage.outputs
                if place.path is not None
            ]
            self._source = read_step_source(self._root, outputs=made, limits=self._limits)
        return self._source

    def _find(
        self,
        place: Place,
        problems: list[WeighbridgeError],
        executor: Executor | None,
        progress: Progress | None,
    ) -> Examined[DvcHashes] | None:
        """Return what is there if it is what DVC recorded; else add why not."""
        shown = printable(place.name)
        if place.path is None:
            problems.append(InputError(f"{shown} {place.reason or 'is not in the repository'}"))
            return None
        if not os.path.lexists(place.path):
            problems.append(InputError(f"{shown} is not here; run dvc pull, then import again"))
            return None
        if not place.entry.md5:
            problems.append(InputError(f"{shown} has no md5 in DVC's record; run dvc commit"))
            return None
        found = self._examine(place.path, executor, progress)
        if isinstance(found, WeighbridgeError):
            problems.append(found)
            return None
        words = describe_difference(place, found, root=self._root, limits=self._limits)
        if words:
            problems.append(VerificationError(f"{shown} {words}"))
            return None
        return found

    def _examine(
        self, path: Path, executor: Executor | None, progress: Progress | None
    ) -> Examined[DvcHashes] | WeighbridgeError:
        if path not in self._examined:
            inspector = hash_dvc_legacy if path in self._legacy else hash_dvc
            try:
                self._examined[path] = examine(
                    path,
                    inspector=inspector,
                    executor=executor,
                    limits=self._limits,
                    progress=progress,
                )
            except WeighbridgeError as error:
                self._examined[path] = error
        return self._examined[path]


def _refuse(
    stage: Stage, errors: Iterable[WeighbridgeError], kind: str = "", kind_from: str = ""
) -> ImportedStage:
    several = tuple(errors)
    failed = any(isinstance(error, VerificationError) for error in several)
    return ImportedStage(
        stage.name,
        Answer.FAIL if failed else Answer.UNKNOWN,
        kind,
        kind_from,
        tuple(dict.fromkeys(str(error) for error in several)),
    )


def _to_input(place: Place, found: Examined[DvcHashes]) -> ImportedInput:
    ending = ".dir" if place.entry.is_folder else ""
    recorded = "dvc-md5-before-3" if place.entry.is_legacy else "dvc-md5"
    return ImportedInput(
        _to_name(place.name),
        "dependency",
        found,
        label=Path(place.name),
        facts={recorded: f"{place.entry.md5}{ending}"},
    )


def _to_elsewhere(place: Place) -> ImportedInput:
    entry = place.entry
    facts = {name: printable(text) for name, text in entry.origin}
    uri = entry.path
    if entry.repository:
        facts["path"] = printable(entry.path)
        facts["revision"] = printable(entry.revision)
        uri = entry.repository
    return ImportedInput(_to_name(place.name), "dependency", uri=uri, facts=facts)


def _to_name(name: str) -> str:
    """Return a name that none of the record's own has."""
    return name if "." in name or "/" in name else f"./{name}"


def _to_parameters(stage: Stage) -> dict[str, str]:
    assert stage.recorded is not None  # noqa: S101 - build() is for those with one
    return {
        item.name if item.file == "params.yaml" else f"{item.file}:{item.name}": item.value
        for item in stage.recorded.parameters
    }


def _list_notes(root: Path, stages: Sequence[ImportedStage]) -> tuple[str, ...]:
    """Say that DVC would take a folder for changed that has claims in it."""
    folders = [
        claimed.name
        for stage in stages
        if stage.recorded is not None
        for claimed in stage.recorded.outputs
        if claimed.path.is_dir()
    ]
    if not folders:
        return ()
    try:
        data = read_document(
            root / ".dvcignore", what="list", limit_name="", limit_bytes=_MAX_IGNORE_BYTES
        )
    except WeighbridgeError:
        data = b""
    if _IGNORING & {line.strip() for line in data.decode("utf-8", "replace").splitlines()}:
        return ()
    note = (
        f"DVC will take {printable(folders[0])} for changed, since its claims lie in it; "
        "add the line claims.jsonl to .dvcignore"
    )
    return (note,)
