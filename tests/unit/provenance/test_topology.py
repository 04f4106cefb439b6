"""Which rank of which job a process is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import InputError
from weighbridge.provenance import find_topology, name_report, parse_report_name, to_ranges

BOTH = {"RANK": "2", "WORLD_SIZE": "4"}


@pytest.mark.parametrize(
    ("rank", "environ"),
    [
        ("auto", {}),
        ("auto", {"RANK": "", "WORLD_SIZE": ""}),
        ("auto", {"RANK": "0", "WORLD_SIZE": "1"}),
        ("auto", {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}),
        ("auto", {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}),
        ("none", {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"}),
        ("none", BOTH),
        ("none", {"RANK": "x"}),
    ],
)
def test_no_rank_of_several(rank: str, environ: dict[str, str]) -> None:
    assert find_topology(rank, "", environ) is None


@pytest.mark.parametrize(
    ("rank", "environ", "words"),
    [
        ("auto", {"RANK": "2"}, "WORLD_SIZE is not"),
        ("auto", {"WORLD_SIZE": "2"}, "RANK is not"),
        ("auto", {"RANK": "4", "WORLD_SIZE": "4"}, "no rank 4 of 4"),
        ("auto", {"RANK": "1", "WORLD_SIZE": "1"}, "no rank 1 of 1"),
        ("auto", {"RANK": "-1", "WORLD_SIZE": "4"}, "no number"),
        ("auto", {"RANK": "0", "WORLD_SIZE": "0"}, "1 to 99,999"),
        ("auto", {"RANK": "two", "WORLD_SIZE": "4"}, "no number"),
        ("auto", {"RANK": "2", "WORLD_SIZE": "4.0"}, "no number"),
        ("auto", {"RANK": "٢", "WORLD_SIZE": "4"}, "no number"),
        ("auto", {"RANK": "0", "WORLD_SIZE": "100000"}, "1 to 99,999"),
        ("auto", {"RANK": "0", "WORLD_SIZE": "9" * 5000}, "no number"),
        ("auto", {"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4"}, "--rank 2/4, or --rank none"),
        ("auto", {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}, "one of 4 processes"),
        ("auto", {"PMI_RANK": "1", "PMI_SIZE": "2"}, "--rank 1/2"),
        ("2", BOTH, "R/N"),
        ("2/4/8", BOTH, "R/N"),
        ("/", BOTH, "R/N"),
        ("4/4", {}, "no rank 4 of 4"),
    ],
)
def test_what_cannot_be(rank: str, environ: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_topology(rank, "job", environ)


@pytest.mark.parametrize(
    ("environ", "job"),
    [
        ({"TORCHELASTIC_RUN_ID": "a1", "SLURM_JOB_ID": "7"}, "torchelastic:a1"),
        ({"TORCHELASTIC_RUN_ID": "none", "SLURM_JOB_ID": "7"}, "slurm:7.0.0"),
        ({"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "3", "SLURM_RESTART_COUNT": "1"}, "slurm:7.3.1"),
        ({"PBS_JOBID": "9.host"}, "pbs:9.host"),
        ({"LSB_JOBID": "9"}, "lsf:9"),
    ],
)
def test_what_the_launcher_calls_the_job(environ: dict[str, str], job: str) -> None:
    found = find_topology("auto", "", {**BOTH, **environ})
    assert found is not None
    assert (found.job, found.rank, found.world_size) == (job, 2, 4)
    named = find_topology("1/3", "mine", environ)
    assert named is not None
    assert (named.job, named.rank, named.world_size) == ("mine", 1, 3)


def test_a_job_of_several_machines_needs_a_name() -> None:
    for more in (
        {"MASTER_ADDR": "node7"},
        {"LOCAL_WORLD_SIZE": "2"},
        {"OMPI_COMM_WORLD_LOCAL_SIZE": "2"},
        {"MPI_LOCALNRANKS": "1"},
    ):
        with pytest.raises(InputError, match="several machines"):
            find_topology("auto", "", {**BOTH, **more})
        assert find_topology("auto", "j", {**BOTH, **more}) is not None
    for more in ({"MASTER_ADDR": "127.0.0.1"}, {"MASTER_ADDR": "node7", "LOCAL_WORLD_SIZE": "4"}):
        found = find_topology("auto", "", {**BOTH, **more})
        assert found is not None
        assert found.job.startswith("launcher:")


@pytest.mark.parametrize("job", ["j" * 201, "a\nb", "a\x1b[2J"])
def test_names_that_cannot_be_shown(job: str) -> None:
    with pytest.raises(InputError, match="choose another"):
        find_topology("1/3", job, {})
    with pytest.raises(InputError, match="choose another"):
        find_topology("1/3", "", {"TORCHELASTIC_RUN_ID": job})


ASK = (
    f'{sys.executable} -c "from weighbridge.provenance import find_topology; '
    "print(find_topology('0/2', '', {}).job + chr(10), end='')\""
)


def test_two_runs_on_one_machine_are_told_apart() -> None:
    """Each is a session of its own here, as of two terminals; its ranks agree."""
    shell = f"({ASK}; true) & {ASK} & wait"
    runs = [
        subprocess.run(
            ["sh", "-c", shell], check=True, capture_output=True, text=True, start_new_session=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert [len(jobs) for jobs in runs] == [2, 2], runs
    assert [len(set(jobs)) for jobs in runs] == [1, 1]
    assert runs[0] != runs[1]


def test_a_session_that_began_outside_the_container() -> None:
    """It has the number 0 inside, where no process has that; so has the parent of the first."""
    inside = ["bwrap", "--unshare-pid", "--dev-bind", "/", "/", "--proc", "/proc", "--", "sh", "-c"]
    runs = [
        subprocess.run(
            [*inside, f"{ASK} & {ASK} & wait"], check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert [len(jobs) for jobs in runs] == [2, 2], runs
    assert [len(set(jobs)) for jobs in runs] == [1, 1]
    assert runs[0] != runs[1]


def test_what_else_is_known_is_recorded() -> None:
    environ = {**BOTH, "LOCAL_RANK": "0", "GROUP_RANK": "1", "TORCHELASTIC_RESTART_COUNT": "3"}
    found = find_topology("auto", "j", {**environ, "LOCAL_WORLD_SIZE": "2 "})
    assert found is not None
    assert found.to_facts() == {
        "job": "j", "rank": "2", "worldSize": "4", "localRank": "0", "node": "1", "attempt": "3",
    }  # fmt: skip


@given(st.integers(1, 99_999).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_names_of_reports(numbers: tuple[int, int]) -> None:
    assert parse_report_name(name_report(*numbers)) == numbers


@pytest.mark.parametrize(
    "name",
    [
        "rank-2-of-4.json",
        "rank-00004-of-00004.json",
        "rank-00002-of-00004.json.claims.jsonl",
        "rank-00002-of-00004.json\n",
        "rank-0000٢-of-00004.json",
        "",
    ],
)
def test_names_of_no_reports(name: str) -> None:
    assert parse_report_name(name) is None


@given(st.sets(st.integers(0, 40)))
def test_ranges_say_exactly_these_ranks(ranks: set[int]) -> None:
    said = set()
    for part in filter(None, to_ranges(ranks).split(",")):
        first, _, last = part.partition("-")
        said.update(range(int(first), int(last or first) + 1))
    assert said == ranks


@pytest.mark.parametrize("wrapper", ["", "cd . && {}; true", "cd . && sh -c '{}; true'; true"])
def test_a_script_around_a_rank_is_not_what_launched_it(wrapper: str) -> None:
    """torchrun gives each rank a session of its own, and a script puts processes between."""
    code = "import os; from weighbridge.provenance import find_topology as f; "
    code += "print(f(chr(97) + chr(117) + chr(116) + chr(111), str(), os.environ).job)"
    words = f'{sys.executable} -c "{code}"'
    jobs = {
        subprocess.run(
            ["sh", "-c", wrapper.format(words) if wrapper else words],
            check=True,
            capture_output=True,
            text=True,
            start_new_session=True,
            env={**os.environ, **variables, "RANK": str(rank), "WORLD_SIZE": "2"},
        ).stdout.strip()
        for rank in range(2)
        for variables in ({"TORCHELASTIC_RUN_ID": "none"}, {})
    }
    assert len(jobs) == 1, jobs
    assert jobs.pop().startswith("launcher:")
