"""One rank of a distributed job: it signs a report of its own, for the outputs are everybody's."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.artifact import find_claims, write_document
from weighbridge.core import printable
from weighbridge.errors import ArtifactChangedError, InputError, LimitExceededError
from weighbridge.provenance import (
    RankReport,
    find_topology,
    name_report,
    parse_report_name,
    to_rank_report,
)
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._record import record_step
from weighbridge.workflow._step_inputs import Output, check_outputs, describe_path
from weighbridge.workflow._step_plan import check_plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from weighbridge.core import Limits
    from weighbridge.core.ports import Executor, Progress
    from weighbridge.provenance import Topology
    from weighbridge.signing import Signer
    from weighbridge.workflow._record import Outcome, Recorded, Setting, StepPlan

__all__ = ["CLAIMS_END", "FOLDER", "RankPlace", "begin_rank", "list_names", "record_rank"]

# What stands behind the name of a report in that of its claims file.
CLAIMS_END = ".claims.jsonl"
# What the folder is called beside outputs, in messages and for what is not the step's.
FOLDER = "folder of the ranks"


@dataclass(frozen=True, slots=True)
class RankPlace:
    """Where one rank leaves its report.

    Attributes:
        topology: Which rank of which job.
        folder: That of all ranks.
        began_at: When nothing of this rank was there any more, aware.
    """

    topology: Topology
    folder: Path
    began_at: datetime

    @property
    def report(self) -> Path:
        """The file of the report."""
        return self.folder / name_report(self.topology.rank, self.topology.world_size)

    def widen(self, plan: StepPlan) -> StepPlan:
        """Return the plan with the folder among the outputs, for what is not source code."""
        return replace(plan, outputs={**plan.outputs, FOLDER: self.folder})


def begin_rank(
    plan: StepPlan, environ: Mapping[str, str], *, seal: Signer, limits: Limits
) -> RankPlace | None:
    """Make room for a rank's report: what this rank said earlier is removed.

    So a rank that fails leaves nothing behind that could be taken for its report. Rank 0 also
    removes the reports of jobs of another size.

    Args:
        plan: What the step is going to be.
        environ: The variables.
        seal: Who is going to sign.
        limits: ``max_entries`` applies to the folder.

    Returns:
        None if the step is no rank of several.

    Raises:
        InputError: The plan cannot be recorded, so that nothing is removed; which rank of which job
            it is cannot be told; there is no output to name the
            folder by; the folder overlaps with an input or output, or cannot be written; rank 0
            is to join the others and cannot verify what they sign.
        LimitExceededError: There is too much in the folder.
    """
    choice = plan.ranks
    topology = find_topology(choice.rank, choice.job, environ)
    if topology is None:
        return None
    if choice.gather_wait_s is not None and seal.own_verifier() is None:
        raise InputError(
            "this signer cannot verify what the other ranks sign; leave out --gather, and join "
            "them later with weighbridge gather --ranks-..."
        )
    if choice.folder is not None:
        folder = to_path(choice.folder, what=FOLDER)
    elif plan.outputs:
        first = to_path(next(iter(plan.outputs.values())), what="output")
        folder = first.parent / f"{first.name}.ranks"
    else:
        raise InputError(
            "a rank names its outputs before it begins, or the folder of the ranks; otherwise "
            "say that it is no rank of a distributed step"
        )
    if FOLDER in plan.outputs:
        raise InputError(f"an output of a rank cannot be called {FOLDER!r}; choose another name")
    check_outputs({**plan.outputs, FOLDER: folder}, plan.inputs)
    check_plan(plan, limits=limits)  # whoever mistyped something loses nothing
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in list_names(folder, limits=limits):
            if _is_outdated(name, topology):
                with suppress(FileNotFoundError):  # the rank itself tidied it meanwhile
                    (folder / name).unlink()
    except OSError as error:
        reason = (error.strerror or "error").lower()
        shown = printable(str(folder))
        raise InputError(f"the {FOLDER} {shown} cannot be written: {reason}") from error
    return RankPlace(topology, folder, datetime.now(UTC))


def list_names(folder: Path, *, limits: Limits) -> tuple[str, ...]:
    """Return the names in a folder, sorted; those of reports come before those of their claims.

    Raises:
        OSError: It cannot be read.
        LimitExceededError: More than ``max_entries``.
    """
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) > limits.max_entries:
                raise LimitExceededError(
                    "max_entries",
                    limit=limits.max_entries,
                    actual=len(names),
                    subject=printable(str(folder)),
                )
    return tuple(sorted(names))


def _is_outdated(name: str, topology: Topology) -> bool:
    numbers = parse_report_name(name.removesuffix(CLAIMS_END))
    if numbers is None:
        return False
    rank, world_size = numbers
    return rank == topology.rank or (topology.rank == 0 and world_size != topology.world_size)


def record_rank(  # noqa: PLR0913 - as for record_step
    place: RankPlace,
    plan: StepPlan,
    setting: Setting,
    outcome: Outcome,
    *,
    seal: Signer,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
) -> Recorded:
    """Write down one rank that ended well, sign it, and leave it with those of the others.

    Raises:
        InputError: Another process has reported for this rank, or the folder cannot be written.
        ArtifactChangedError: An input, or the report, changed meanwhile.
        LimitExceededError: The report would be too large.
    """
    topology = place.topology
    check_outputs(place.widen(plan).outputs, plan.inputs)
    data = to_rank_report(
        RankReport(
            job=topology.job,
            rank=topology.rank,
            world_size=topology.world_size,
            kind=plan.kind,
            name=plan.name or plan.kind,
            inputs={item.dependency.name: item.dependency.digest for item in setting.inputs},
            outputs={
                name: describe_path(to_path(path, what="output"))
                for name, path in plan.outputs.items()
            },
            began_at=place.began_at,
            ended_at=datetime.now(UTC),
        )
    )
    _write_report(place, data, limits=limits)
    try:
        recorded = record_step(
            plan,
            replace(setting, topology=topology.to_facts()),
            (Output(place.report.name, place.report),),
            outcome,
            seal=seal,
            executor=executor,
            limits=limits,
            progress=progress,
        )
        _refuse_other(recorded, data)
    except BaseException:
        for file in (place.report, find_claims(place.report)):
            with suppress(OSError):
                file.unlink()
        raise
    return replace(recorded, rank=f"{topology.rank}/{topology.world_size}")


def _write_report(place: RankPlace, data: bytes, *, limits: Limits) -> None:
    """Write the report, if no other process has for this rank.

    Raises:
        InputError: One has, or it cannot be written.
    """
    try:
        write_document(
            place.report,
            data,
            limit_name="max_report_bytes",
            limit_bytes=limits.max_report_bytes,
            overwrite=False,
        )
    except InputError as error:
        if not os.path.lexists(place.report):
            raise
        topology = place.topology
        raise InputError(
            f"another process has reported for rank {topology.rank} of {topology.world_size} since "
            "this one began; start each rank once, or say --rank none for a step within a rank"
        ) from error


def _refuse_other(recorded: Recorded, data: bytes) -> None:
    """Compare what was signed with what was written.

    Raises:
        ArtifactChangedError: Somebody wrote another report between the two.
    """
    output = recorded.outputs[0]
    if output.digest.hex != hashlib.sha256(data).hexdigest():
        raise ArtifactChangedError((output.name,))
