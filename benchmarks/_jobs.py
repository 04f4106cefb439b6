"""One measurement, inside a process of its own: prints seconds and peak memory as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def peak_mib() -> float:
    # Not ru_maxrss: that begins with what the parent process had.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def hash_artifact(path: Path) -> None:
    from weighbridge.workflow import hash_artifact

    hash_artifact(path)


def check_artifact(path: Path) -> None:
    from weighbridge import export
    from weighbridge.workflow import check_artifact

    export.to_text(check_artifact(path), width=100, colour=False)


def hash_bytes(path: Path) -> None:
    """The limit: OpenSSL's sha256 over as many bytes, already in memory, on every core.

    One file is one digest and so one core; a tree keeps all of them busy.
    """
    if path.is_file():
        sizes = [path.stat().st_size]
    else:
        sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    block = os.urandom(1024 * 1024)

    def digest(size: int) -> str:
        hasher = hashlib.sha256()
        for _ in range(size // len(block)):
            hasher.update(block)
        return hasher.hexdigest()

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(digest, sizes))


def hash_with_peer(path: Path) -> None:
    import model_signing.hashing

    model_signing.hashing.hash(path)


JOBS = {
    "hash": hash_artifact,
    "check": check_artifact,
    "sha256": hash_bytes,
    "peer": hash_with_peer,
}
# Imported before the clock starts, so that what is timed is the work.
IMPORTS = {
    "hash": "weighbridge.workflow._hash",
    "check": "weighbridge.workflow._check",
    "peer": "model_signing.hashing",
}


def main() -> None:
    name, path = sys.argv[1], Path(sys.argv[2])
    before = peak_mib()
    if name in IMPORTS:
        __import__(IMPORTS[name])
    started = time.perf_counter()
    JOBS[name](path)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib() - before}))


if __name__ == "__main__":
    main()
