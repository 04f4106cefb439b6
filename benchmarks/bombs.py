"""Build files that are made to cost, scan each in a process of its own, and say what it took.

``python -m benchmarks.bombs [PART OF A NAME]...``; leaves with 1 if one of them takes more than
promised: 6 seconds of processor time (a machine that others use too takes longer) or 400 MiB. What
is built lies in memory or in the temporary folder, one file at a time, and is deleted afterwards.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import _bombs_binary, _bombs_containers, _bombs_pickle, _bombs_texts
from benchmarks._bombs import BOMBS
from benchmarks._case import ROOT, WEIGHBRIDGE

MAX_SECONDS = 6
MAX_MIB = 400
# Where it is ended, whatever it has done by then.
CUT_SECONDS = 40
CUT_MIB = 4096
PARTS = (_bombs_pickle, _bombs_containers, _bombs_texts, _bombs_binary)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bombs", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names; by default all")
    parser.add_argument("--slow", action="store_true", help="list only those above the limits")
    parser.add_argument("--keep", type=Path, help="where to put the files, and leave them")
    arguments = parser.parse_args()
    names = [n for n in BOMBS if not arguments.names or any(a in n for a in arguments.names)]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="weighbridge-bombs-") as work:
        for name in sorted(names):
            file = (arguments.keep or Path(work)) / name
            build(name, file)
            seconds, mib, code, shown = measure(file)
            over = seconds > MAX_SECONDS or mib > MAX_MIB or code not in (0, 1, 2, 3, 4)
            bad += over
            if over or not arguments.slow:
                size = file.stat().st_size / 1_000_000
                mark = "MISS" if over else "ok  "
                took = f"{size:8.1f} MB {seconds:6.2f} s {mib:6.0f} MiB"
                print(f"{name:44} {took} {mark} {code:3} {shown}", flush=True)
            if not arguments.keep:
                file.unlink()
    print(f"{len(names)} files, {bad} above {MAX_SECONDS} s or {MAX_MIB} MiB")
    return bad > 0


def build(name: str, file: Path) -> None:
    """Build in a process of its own: what a builder takes is not measured."""
    child = os.fork()
    if not child:
        try:
            file.write_bytes(BOMBS[name]())
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - the parent is told by the code
            print(f"{name}: {error!r}", file=sys.stderr)
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{name} could not be built")


def measure(file: Path) -> tuple[float, float, int, str]:
    """Scan it; return seconds of processor time, MiB of memory, exit code and what was said."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CUT_SECONDS, CUT_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (CUT_MIB << 20, CUT_MIB << 20))

    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, WEIGHBRIDGE, "scan", str(file)],
            stdout=output,
            stderr=output,
            cwd=ROOT,
            preexec_fn=limit,  # noqa: PLW1509 - there are no threads here
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read(100_000).decode("utf-8", "replace")
    lines = [line for line in said.splitlines() if "WB-" in line or "not examined" in line.lower()]
    shown = " ".join((lines or said.splitlines() or [""])[0].split())[:70]
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode, shown


if __name__ == "__main__":
    sys.exit(main())
