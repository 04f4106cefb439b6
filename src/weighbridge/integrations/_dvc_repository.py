"""A repository of DVC: which stages its files speak of, and where what they name lies."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import read_document
from weighbridge.core import printable
from weighbridge.errors import InputError, LimitExceededError
from weighbridge.formats import parse_dvc_file, parse_dvc_lock, parse_dvc_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Limits
    from weighbridge.formats import DvcEntry, DvcPlan, DvcStage

__all__ = ["Document", "Place", "Repository", "Stage", "read_repository"]

PIPELINE, LOCK, SUFFIX = "dvc.yaml", "dvc.lock", ".dvc"
_OWN_FOLDERS = frozenset({".git", ".dvc"})
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Document:
    """One of DVC's files, as it was read.

    Attributes:
        path: Inside the repository, POSIX.
        sha256: Of its bytes, in hex.
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Place:
    """A dependency or an output, and where it is.

    Attributes:
        entry: As DVC recorded it.
        name: Inside the repository, POSIX; as DVC wrote it if it is elsewhere.
        path: Absolute, with no link in it but for the last part; None if it is not in the
            repository, as addresses and absolute paths are not.
        reason: Why a path in the repository is not looked at, as half a sentence.
    """

    entry: DvcEntry
    name: str
    path: Path | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that DVC recorded.

    Attributes:
        name: As DVC addresses it: ``train``, ``sub/dvc.yaml:train``, ``data/raw.csv.dvc``.
        recorded: What DVC wrote of it; None if it never ran.
        inputs: Where its dependencies are.
        outputs: Where its outputs are.
        documents: The files that say so.
        is_fetch: Whether DVC only fetched it, ``dvc import`` or ``dvc import-url``.
        is_frozen: Whether DVC does not run it again.
        problem: Why it cannot be taken for what ran, as half a sentence; empty if it can.
        contradicts: Whether that is because DVC's files contradict themselves or each other.
        gaps: What is planned and is not in the record, in sentences.
    """

    name: str
    recorded: DvcStage | None
    inputs: tuple[Place, ...] = ()
    outputs: tuple[Place, ...] = ()
    documents: tuple[Document, ...] = ()
    is_fetch: bool = False
    is_frozen: bool = False
    problem: str = ""
    contradicts: bool = False
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repository:
    """What was found.

    Attributes:
        root: Where DVC's own folder ``.dvc`` is, else the folder that was given; without links.
        stages: As they were found.
        tracked: ``.dvc`` files of data that no stage made.
        data: Where that data is.
    """

    root: Path
    stages: tuple[Stage, ...]
    tracked: tuple[str, ...]
    data: tuple[Path, ...] = ()


def read_repository(folder: Path, *, limits: Limits) -> Repository:
    """Read every ``dvc.yaml``, ``dvc.lock`` and ``.dvc`` file in ``folder`` and below it.

    Links to folders are not followed; repositories of DVC inside are left alone.

    Raises:
        InputError: There is none, or one cannot be read.
        ParseError: One is not what DVC writes.
        LimitExceededError: Too many files, or one is too large.
    """
    start = Path(os.path.realpath(folder))
    if not start.is_dir():
        raise InputError(f"{printable(str(folder))} is not a folder; name the repository of DVC")
    root = next((p for p in (start, *start.parents) if (p / ".dvc").is_dir()), start)
    stages: list[Stage] = []
    tracked: list[str] = []
    data: list[Path] = []
    for path in _find_files(start, limits):
        name = path.relative_to(root).as_posix()
        if path.name == PIPELINE:
            stages += _read_pipeline(root, name, limits)
        else:
            stage = _read_file(root, name, limits)
            if stage.recorded is None:
                tracked.append(name)
                data += [place.path for place in stage.outputs if place.path is not None]
            else:
                stages.append(stage)
    if not stages and not tracked:
        raise InputError(
            f"{printable(str(folder))} holds no {PIPELINE} and no {SUFFIX} file; "
            "name a repository of DVC"
        )
    return Repository(root, tuple(stages), tuple(tracked), tuple(data))


def _find_files(start: Path, limits: Limits) -> Iterator[Path]:
    """Yield pipelines and ``.dvc`` files, in the order of their folders."""
    count = 0

    def fail(error: OSError) -> None:
        shown = printable(str(error.filename))
        reason = (error.strerror or "error").lower()
        raise InputError(f"{shown} cannot be listed: {reason}; make it readable") from error

    for here, folders, files in os.walk(start, onerror=fail):
        count += len(folders) + len(files)
        if count > limits.max_entries:
            raise LimitExceededError(
                "max_entries", limit=limits.max_entries, actual=count, subject=printable(str(start))
            )
        folders[:] = sorted(
            name
            for name in folders
            if name not in _OWN_FOLDERS and not os.path.lexists(f"{here}/{name}/.dvc")
        )
        for name in sorted(files):
            if name == PIPELINE or (name.endswith(SUFFIX) and name != SUFFIX):
                yield Path(here, name)


def _read(root: Path, name: str, limits: Limits) -> tuple[bytes, Document]:
    path = root / name
    if path.is_symlink():
        raise InputError(f"{printable(name)} is a symbolic link; put the file itself there")
    data = read_document(
        path, what="DVC file", limit_name="max_list_bytes", limit_bytes=limits.max_list_bytes
    )
    return data, Document(name, hashlib.sha256(data).hexdigest())


def _read_pipeline(root: Path, name: str, limits: Limits) -> Iterator[Stage]:
    data, document = _read(root, name, limits)
    shown = printable(name)
    plans = parse_dvc_pipeline(data, what=shown, limits=limits)
    lock_name = posixpath.join(posixpath.dirname(name), LOCK)
    recorded: tuple[DvcStage, ...] = ()
    documents: tuple[Document, ...] = (document,)
    if os.path.lexists(root / lock_name):
        locked, lock = _read(root, lock_name, limits)
        recorded = parse_dvc_lock(locked, what=printable(lock_name), limits=limits)
        documents = (lock, document)
    prefix = "" if name == PIPELINE else f"{name}:"
    ran = set()
    for stage in recorded:
        group = stage.name.rpartition("@")[0]
        plan = plans.get(stage.name) or plans.get(group)
        full = prefix + stage.name
        ran |= {stage.name, group}
        if plan is None or plan.is_several != (stage.name not in plans):
            reason = f"is in {printable(lock_name)} and no longer in {shown}"
            yield Stage(full, stage, documents=documents, problem=reason)
        else:
            yield _place_stage(root, full, stage, plan, documents=documents)
    for plan_name in plans:
        if plan_name not in ran:
            reason = f"is not in {printable(lock_name)}: it never ran; run dvc repro"
            yield Stage(prefix + plan_name, None, documents=documents, problem=reason)


def _place_stage(
    root: Path, name: str, stage: DvcStage, plan: DvcPlan, *, documents: tuple[Document, ...]
) -> Stage:
    if "${" in plan.folder:
        reason = "has a folder (wdir) that DVC computes, so that its paths are not known here"
        return Stage(name, stage, documents=documents, problem=reason)
    folder = posixpath.join(posixpath.dirname(documents[-1].path), plan.folder)
    return Stage(
        name,
        stage,
        _place_all(root, folder, stage.dependencies),
        _place_all(root, folder, stage.outputs),
        documents,
        is_frozen=plan.is_frozen,
        gaps=_find_gaps(stage, plan),
    )


def _find_gaps(stage: DvcStage, plan: DvcPlan) -> tuple[str, ...]:
    """Say what ``dvc.yaml`` has and ``dvc.lock`` has not, as far as DVC does not compute it."""
    there = {posixpath.normpath(entry.path) for entry in stage.dependencies}
    lacking = [
        printable(name)
        for name in plan.dependencies
        if "${" not in name and posixpath.normpath(name) not in there
    ]
    gaps = [f"{name} is a dependency in {PIPELINE} and not in {LOCK}" for name in lacking]
    is_computed = any("${" in command for command in plan.commands)
    planned, ran = ([c.strip() for c in commands] for commands in (plan.commands, stage.commands))
    if planned and not is_computed and planned != ran:
        gaps.append(f"the command in {PIPELINE} is another than the one in {LOCK}")
    return tuple(gaps)


def _read_file(root: Path, name: str, limits: Limits) -> Stage:
    """Return what a ``.dvc`` file says; without a record if it only tracks data."""
    data, document = _read(root, name, limits)
    file = parse_dvc_file(data, what=printable(name), limits=limits)
    stage = file.stage
    is_tracked = not stage.commands and not stage.dependencies
    folder = posixpath.join(posixpath.dirname(name), file.folder)
    return Stage(
        name,
        None if is_tracked else stage,
        _place_all(root, folder, stage.dependencies),
        _place_all(root, folder, stage.outputs),
        (document,),
        is_fetch=not stage.commands,
    )


def _place_all(root: Path, folder: str, entries: tuple[DvcEntry, ...]) -> tuple[Place, ...]:
    """Find where paths of DVC's lead, without touching what is there."""
    known: dict[str, str | None] = {}
    return tuple(_place(root, folder, entry, known) for entry in entries)


def _place(root: Path, folder: str, entry: DvcEntry, known: dict[str, str | None]) -> Place:
    written = entry.path
    if entry.repository or _ADDRESS.match(written) or not written:
        return Place(entry, written or "(a query)")
    inside = posixpath.normpath(posixpath.join(folder, written))
    if posixpath.isabs(written) or inside == ".." or inside.startswith("../"):
        return Place(entry, written)
    if "\0" in inside:
        return Place(entry, written, reason="holds a NUL character in its name")
    if inside.partition("/")[0] in _OWN_FOLDERS:
        return Place(entry, inside, reason="lies in a folder of git's or DVC's own")
    if inside == ".":
        return Place(entry, inside, root)
    above, _, name = inside.rpartition("/")
    if above not in known:
        known[above] = _resolve(root, above)
    real = known[above]
    if real is None:
        return Place(entry, inside, reason="leads out of the repository by a link")
    return Place(entry, inside, Path(f"{real}/{name}"))


def _resolve(root: Path, folder: str) -> str | None:
    """Return a folder without links; None if that is not in the repository."""
    try:
        real = os.path.realpath(root / folder)
    except (OSError, UnicodeError):
        return None
    inside = os.path.relpath(real, root)
    return None if inside.partition("/")[0] in {"..", *_OWN_FOLDERS} else real
