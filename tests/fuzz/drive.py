"""Fuzz targets, two at a time, each in a process of its own; see ``scripts/fuzz``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz.targets import TARGETS, build_seeds

_HERE = Path(__file__).parent
_CACHE = _HERE.parent.parent / ".cache" / "fuzz"
_SEED = 1
# Inputs of a target where the same ones are tried every time.
_RUNS = 1_000


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target for some seconds, or with 0 by a fixed number of inputs.

    Say on standard output what went wrong, and return whether nothing did.
    """
    found = _CACHE / "found" / name
    if not seconds:  # the same inputs every time, so that nothing found before counts
        found = _CACHE / "again" / name
        shutil.rmtree(found, ignore_errors=True)
    folders = [found, _CACHE / "seeds" / name, _HERE / "corpus" / name]
    for folder in folders[:2]:
        folder.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(build_seeds(name)):
        (folders[1] / str(index)).write_bytes(seed)
    crashes = _CACHE / "crashes"
    crashes.mkdir(exist_ok=True)
    words = _HERE / "words.dict"
    command = [sys.executable, "-m", "fuzz.run", name]
    options = [
        f"-max_total_time={seconds}" if seconds else f"-runs={_RUNS}",
        *(f"-seed={_SEED}", "-max_len=8192", "-rss_limit_mb=1024"),
        *(f"-artifact_prefix={crashes}/{name}-", f"-dict={words}", "-timeout=30"),
        *(str(folder) for folder in folders if folder.is_dir()),
    ]
    path = os.pathsep.join([str(_HERE.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
    )
    if done.returncode == 0:
        print(f"ok      {name}", flush=True)  # noqa: T201
        return True
    print(  # noqa: T201
        f"FAILED  {name}\n{done.stderr.decode(errors='replace')[-4000:]}\n"
        f"Again: PYTHONPATH=tests {' '.join(command)} {crashes}/{name}-...\n"
        f"When mended, keep the file in tests/fuzz/crashes/{name}/.",
        flush=True,
    )
    return False


def main() -> int:
    """Fuzz what the command line names, or everything."""
    seconds, *names = sys.argv[1:] or ["4"]
    unknown = set(names) - set(TARGETS)
    if unknown:
        print(f"no such target: {', '.join(sorted(unknown))}", file=sys.stderr)  # noqa: T201
        return 2
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda name: fuzz(name, int(seconds)), names or TARGETS))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
