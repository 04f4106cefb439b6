"""The other scanners, one measurement each; runs in the environment of ``scripts/scan-peers``.

``python _peers.py NAME PATH`` prints seconds, peak memory, and how many of the files were flagged,
as JSON. A file is flagged if the scanner would stop a pipeline there: by an issue, or by an error
of its own. Nothing of Weighbridge is imported.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TypeAlias

IsFlagged: TypeAlias = Callable[[Path], bool]

# They send nothing to anybody, and there is nobody to send it to.
os.environ |= {"PROMPTFOO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "NO_ANALYTICS": "1"}


def picklescan() -> IsFlagged:
    from picklescan.scanner import scan_file_path

    def is_flagged(path: Path) -> bool:
        result = scan_file_path(str(path))
        return bool(result.issues_count or result.scan_err)

    return is_flagged


def fickling() -> IsFlagged:
    from fickling.analysis import is_likely_safe

    return lambda path: not is_likely_safe(str(path))


def modelscan() -> IsFlagged:
    from modelscan.modelscan import ModelScan
    from modelscan.settings import DEFAULT_SETTINGS

    def is_flagged(path: Path) -> bool:
        scanner = ModelScan(settings=DEFAULT_SETTINGS)
        result = scanner.scan(path)
        return bool(result["summary"]["total_issues"] or result["errors"])

    return is_flagged


def modelaudit() -> IsFlagged:
    from modelaudit.core import determine_exit_code, scan_model_directory_or_file

    return lambda path: determine_exit_code(scan_model_directory_or_file(str(path))) != 0


PEERS = {
    "picklescan": picklescan,
    "fickling": fickling,
    "modelscan": modelscan,
    "modelaudit": modelaudit,
}


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def main() -> None:
    name, path = sys.argv[1], Path(sys.argv[2])
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    logging.disable()
    flagged = 0
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        before = peak_mib()
        is_flagged = PEERS[name]()
        started, busy = time.perf_counter(), time.process_time()
        for file in files:
            try:
                flagged += is_flagged(file)
            except Exception:  # noqa: BLE001 - a scanner that breaks stops a pipeline too
                flagged += 1
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - busy
    figures = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_mib": peak_mib() - before,
        "flagged": flagged / len(files),
        "passed": 1 - flagged / len(files),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
