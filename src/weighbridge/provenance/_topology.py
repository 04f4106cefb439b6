"""Topology: which process of a distributed job this is, and which job that is."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "MAX_WORLD_SIZE",
    "Topology",
    "find_topology",
    "name_report",
    "parse_report_name",
    "to_ranges",
]

# Five digits in the names of reports.
MAX_WORLD_SIZE = 99_999
_MAX_JOB_CHARS = 200
_NUMBER = re.compile(r"[0-9]{1,6}")
_PAIR = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_NAME = re.compile(r"rank-([0-9]{5})-of-([0-9]{5})\.json")
_THIS_HOST = ("", "localhost", "127.0.0.1", "::1")
# torchrun's run id where nobody gave one: the same for everybody.
_NO_RUN_ID = "none"
# How many processes are on this machine, as torchrun, Open MPI, MPICH and MVAPICH say.
_LOCAL_SIZES = (
    "LOCAL_WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
    "MPI_LOCALNRANKS",
    "MV2_COMM_WORLD_LOCAL_SIZE",
)
# Which of how many processes this is to launchers whose word is not taken without being asked for.
_TASKS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)
_MOST_PARENTS = 64
_PARENT = 1  # field 4 of /proc/PID/stat, counted behind the name
_START_TIME = 19  # field 22 of /proc/PID/stat, counted behind the name


@dataclass(frozen=True, slots=True)
class Topology:
    """The place of one process in a distributed job.

    Attributes:
        job: What the ranks of one run have in common and those of no other.
        rank: From 0.
        world_size: How many ranks there are.
        local_rank: Which it is on its machine; empty if nobody says.
        local_world_size: How many there are on its machine; empty if nobody says.
        node: The number of its machine; empty if nobody says.
        attempt: How often its launcher had restarted it; empty if nobody says.
    """

    job: str
    rank: int
    world_size: int
    local_rank: str = ""
    local_world_size: str = ""
    node: str = ""
    attempt: str = ""

    def to_facts(self) -> dict[str, str]:
        """Return it as text for the record; what is not known is left out."""
        facts = {
            "job": self.job,
            "rank": str(self.rank),
            "worldSize": str(self.world_size),
            "localRank": self.local_rank,
            "localWorldSize": self.local_world_size,
            "node": self.node,
            "attempt": self.attempt,
        }
        return {name: value for name, value in facts.items() if value}


def find_topology(rank: str, job: str, environ: Mapping[str, str]) -> Topology | None:
    """Return which rank this process is; None if it is not one of several.

    Args:
        rank: ``R/N``; ``none``; or ``auto``: what ``RANK`` and ``WORLD_SIZE`` say, where a job of
            one process is none.
        job: The job's name; empty: what the launcher calls it, else what launched it.
        environ: The variables.

    Raises:
        InputError: Rank and size do not fit or are no numbers, one of them is missing, or no name
            of the job can be found that the ranks on other machines would find too. Or nobody says
            a rank, and this is one of several processes of mpirun or srun.

    Source:
        torch.distributed.elastic, ``LocalElasticAgent._start_workers``, for torchrun's variables;
        srun(1), output environment variables; mpirun(1) of Open MPI; MPICH, Hydra.
    """
    numbers = _read_numbers(rank, environ)
    if numbers is None:
        return None
    number, world_size = numbers
    if not 0 < world_size <= MAX_WORLD_SIZE:
        raise InputError(f"a job has 1 to {MAX_WORLD_SIZE:,} ranks, not {world_size:,}")
    if number >= world_size:
        raise InputError(
            f"there is no rank {number} of {world_size}: they are counted from 0; correct RANK "
            "and WORLD_SIZE, or --rank"
        )
    return Topology(
        job=_check_job(job) if job else _find_job(environ, world_size),
        rank=number,
        world_size=world_size,
        local_rank=_choose_number(environ, "LOCAL_RANK", "SLURM_LOCALID"),
        local_world_size=_choose_number(environ, "LOCAL_WORLD_SIZE"),
        node=_choose_number(environ, "GROUP_RANK", "SLURM_NODEID"),
        attempt=_choose_number(environ, "TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"),
    )


def name_report(rank: int, world_size: int) -> str:
    """Return the file name of a rank's report: ``rank-00002-of-00004.json``."""
    return f"rank-{rank:05d}-of-{world_size:05d}.json"


def parse_report_name(name: str) -> tuple[int, int] | None:
    """Return rank and number of ranks that a file name says; None if it is no report's name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    rank, world_size = int(match[1]), int(match[2])
    return (rank, world_size) if rank < world_size else None


def to_ranges(ranks: Iterable[int]) -> str:
    """Return ranks in words: ``0-3,7``."""
    runs: list[list[int]] = []
    for rank in sorted(set(ranks)):
        if runs and runs[-1][1] == rank - 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _read_numbers(rank: str, environ: Mapping[str, str]) -> tuple[int, int] | None:
    if rank == "none":
        return None
    if rank != "auto":
        match = _PAIR.fullmatch(rank)
        if match is None:
            raise InputError(
                f"the rank {printable(rank, limit=40)!r} is not of the form R/N, such as 0/4; "
                "none is for a step of one process"
            )
        return int(match[1]), int(match[2])
    found = {name: environ.get(name, "") for name in ("RANK", "WORLD_SIZE")}
    given = [name for name, value in found.items() if value]
    if not given:
        _refuse_task(environ)
        return None
    if len(given) == 1:
        (missing,) = set(found) - set(given)
        raise InputError(
            f"{given[0]} is set and {missing} is not; set both, or say that the step is none of "
            "a distributed job: --rank none"
        )
    for name, value in found.items():
        if not _NUMBER.fullmatch(value):
            raise InputError(
                f"{name} is {printable(value, limit=40)!r}, which is no number; correct it, or "
                "say --rank none"
            )
    numbers = int(found["RANK"]), int(found["WORLD_SIZE"])
    return None if numbers == (0, 1) else numbers


def _refuse_task(environ: Mapping[str, str]) -> None:
    """Refuse one of several processes that nobody calls a rank: each would claim all of it."""
    for rank, size in _TASKS:
        number, count = environ.get(rank, ""), environ.get(size, "")
        if _NUMBER.fullmatch(number) and _NUMBER.fullmatch(count) and int(count) > 1:
            raise InputError(
                f"this is one of {int(count):,} processes, as {size} says; say --rank "
                f"{number}/{count}, or --rank none for a step that one process does alone"
            )


def _check_job(job: str) -> str:
    if printable(job, limit=_MAX_JOB_CHARS) != job:
        raise InputError(
            f"the name of the job {printable(job, limit=40)!r} is too long or holds what cannot be "
            "printed; choose another"
        )
    return job


def _find_job(environ: Mapping[str, str], world_size: int) -> str:
    run_id = environ.get("TORCHELASTIC_RUN_ID", "")
    if run_id not in ("", _NO_RUN_ID):
        return _check_job(f"torchelastic:{run_id}")
    if slurm := environ.get("SLURM_JOB_ID", ""):
        step, again = environ.get("SLURM_STEP_ID", "0"), environ.get("SLURM_RESTART_COUNT", "0")
        return _check_job(f"slurm:{slurm}.{step}.{again}")
    for name, scheme in (("PBS_JOBID", "pbs"), ("LSB_JOBID", "lsf")):
        if environ.get(name):
            return _check_job(f"{scheme}:{environ[name]}")
    return _identify_launcher(environ, world_size)


def _identify_launcher(environ: Mapping[str, str], world_size: int) -> str:
    """Return a name for what started the ranks of this machine; nothing elsewhere has it.

    That is the parent process for torchrun, which puts each rank into a session of its own, and the
    session for a shell, which may put a shell between; the parent again in a container whose
    session began outside, since that has no number here. Where that is a process of the rank
    itself, such as a script around it, it is the nearest above that is none.
    """
    local = next((environ[name] for name in _LOCAL_SIZES if environ.get(name)), "")
    address = environ.get("MASTER_ADDR", "")
    is_here = local == str(world_size) if local else address in _THIS_HOST
    if not is_here:
        raise InputError(
            "the ranks are on several machines, and nothing says which job this is; name it with "
            "--job, the same for all ranks and another for each run (for torchrun --rdzv-id does "
            "too)"
        )
    session = 0 if "TORCHELASTIC_RUN_ID" in environ else os.getsid(0)
    process = session or os.getppid()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        for _ in range(_MOST_PARENTS):
            fields = _read_stat(process)
            if not _is_of_rank(process) or int(fields[_PARENT]) == 0:
                break
            process = int(fields[_PARENT])
        start = fields[_START_TIME]
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            "nothing says which job this is; name it with --job, the same for all ranks and "
            "another for each run"
        ) from error
    name = hashlib.sha256(f"{boot} {process} {start}".encode()).hexdigest()
    return f"launcher:{name[:32]}"


def _read_stat(process: int) -> list[str]:
    """Return the fields behind the name."""
    text = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    return text.rpartition(")")[2].split()


def _is_of_rank(process: int) -> bool:
    """Tell whether a process was started as a rank; what may not be looked at was not."""
    try:
        variables = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(variable.startswith(b"RANK=") for variable in variables)


def _choose_number(environ: Mapping[str, str], *names: str) -> str:
    for name in names:
        value = environ.get(name, "")
        if _NUMBER.fullmatch(value):
            return value
    return ""
