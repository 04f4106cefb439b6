"""Run the benchmarks and print a table: ``make bench`` or ``python -m benchmarks [NAME]...``.

Every figure is a ratio of two measurements that were taken in turn, pair by pair; the median of the
ratios is printed with the least and the greatest. Absolute times depend on the machine and are
shown for orientation only.
"""

from __future__ import annotations

import argparse
import compileall
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import _case, _cases, _scan_cases

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="which; by default all")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of measurements")
    parser.add_argument("--work", type=Path, help="where to put 7 GB of test data")
    arguments = parser.parse_args()
    cases = [c for c in _cases.CASES if not arguments.names or c.name in arguments.names]
    compileall.compile_dir(ROOT / "src", quiet=2)  # as an installer does; click is compiled too
    work = Path(tempfile.mkdtemp(prefix="weighbridge-bench-", dir=arguments.work or find_space()))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, data in {work.parent}\n")
    print(f"{'':40} {'median':>8} {'least':>8} {'most':>8}   limit      medians")
    met = True
    results = {}
    try:
        for case in cases:
            data = case.prepare(work)
            result = measure(case, data, pairs=arguments.pairs)
            met &= result["met"]
            results[case.name] = result
            if data != work and data.is_relative_to(work):
                shutil.rmtree(data) if data.is_dir() else data.unlink()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    out = ROOT / "benchmarks" / "results"
    out.mkdir(exist_ok=True)
    (out / "latest.json").write_text(json.dumps(results, indent=2) + "\n")
    return 0 if met else 1


def find_space() -> str | None:
    """Prefer memory: what is measured is reading from the page cache."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > 7_000_000_000
    return str(shared) if roomy else None


def measure(case: _case.Case, data: Path, *, pairs: int) -> dict[str, object]:
    ratios, busy, ours, theirs = [], [], [], []
    turns = case.turns or pairs
    warm_up = turns > 1  # what takes minutes was written a moment ago
    for turn in range(turns + warm_up):
        own = run(case.ours, data)
        other = run(case.reference, data) if case.reference else {case.unit: 1.0}
        if warm_up and turn == 0:
            continue  # the first pair warms the page cache
        ours.append(own[case.unit])
        theirs.append(other[case.unit])
        ratios.append(case.ratio(ours[-1], theirs[-1]))
        if case.unit == "seconds" and "cpu_seconds" in own and "cpu_seconds" in other:
            busy.append(case.ratio(own["cpu_seconds"], other["cpu_seconds"]))
    median = statistics.median(ratios)
    met = case.is_met(median)
    limit = f"{'>=' if case.at_least else '<='} {case.limit:g}" if case.limit else "-"
    medians = case.describe(statistics.median(ours), statistics.median(theirs))
    if case.reference and case.reference[0] == "peer":
        medians += f", {own['peak_mib']:.0f} / {other['peak_mib']:.0f} MiB"
    if busy:  # what a machine that others use too does not blur as much
        medians += f", processor time {statistics.median(busy):.2f}"
    print(
        f"{case.name:40} {median:8.2f} {min(ratios):8.2f} {max(ratios):8.2f}   {limit:8} "
        f"{('ok  ' if met else 'MISS') if case.limit else '    '} {medians}",
        flush=True,
    )
    return {
        "median": median,
        "processor": statistics.median(busy) if busy else None,
        "least": min(ratios),
        "most": max(ratios),
        "limit": limit,
        "met": met,
    }


# What a scanner of somebody else may take before it is no longer waited for.
PATIENCE_S = 300


def run(job: _case.Job, data: Path) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    command = [*job, str(data)]
    if job[0] == "peer":
        command = [
            _scan_cases.PEER_PYTHON,
            str(ROOT / "benchmarks" / "_peers.py"),
            job[1],
            str(data),
        ]
        try:
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            return {"seconds": PATIENCE_S, "peak_mib": 0, "flagged": 1, "passed": 0}
        return dict(json.loads(done.stdout))
    if job[0] == "job":
        command = [sys.executable, "-m", "benchmarks._jobs", *job[1:], str(data)]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, cwd=ROOT)
        if done.returncode:  # it said why
            return dict.fromkeys(("seconds", "peak_mib", "flagged", "passed"), math.inf)
        figures: dict[str, float] = json.loads(done.stdout)
        return figures
    return _cases.time_process(command)


if __name__ == "__main__":
    sys.exit(main())
