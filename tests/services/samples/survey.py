"""Scan the real files, and say what gates: ``python -m services.samples.survey [FOLDER]...``.

With ``PYTHONPATH=tests``. Prints what the lists in ``known.toml`` lack and what they hold in vain.
"""

# ruff: noqa: T201 - what it prints is what it is for

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from services.samples.table import SHIPPED, TRAINED, WRITTEN
from weighbridge.core import Answer, Severity
from weighbridge.workflow import scan_artifact

ROOT = Path(__file__).resolve().parents[3]
KNOWN = tomllib.loads(Path(__file__).with_name("known.toml").read_text())


@dataclass
class Seen:
    """What became of one file.

    Attributes:
        fails: Rules of medium severity and above that failed.
        unknowns: The same that are unknown.
        gaps: Formats of what was not examined.
        words: All of that, for people.
    """

    fails: set[str] = field(default_factory=set)
    unknowns: set[str] = field(default_factory=set)
    gaps: set[str] = field(default_factory=set)
    words: list[str] = field(default_factory=list)

    @property
    def gates(self) -> bool:
        return bool(self.fails or self.unknowns or self.gaps)


def find_folder(name: str) -> Path:
    """Return the folder of real files of that name, made if it is not there."""
    script, cache = ("train-samples", "trained") if name in TRAINED else ("samples", "samples")
    subprocess.run([ROOT / "scripts" / script], check=True)
    return ROOT / ".cache" / cache / name


def scan_folder(name: str) -> dict[str, Seen]:
    """Scan a folder as a user would; return what became of each file, ``NAME/PATH``."""
    report = scan_artifact(find_folder(name))
    seen: dict[str, Seen] = defaultdict(Seen)
    for row in report.coverage:
        seen[f"{name}/{row.location.file}"]  # every file has a row
    for row in report.not_examined:
        one = seen[f"{name}/{row.location.file}"]
        one.gaps.add(row.format)
        one.words.append(
            f"not examined: {row.format}: {'/'.join(row.location.member)}: {row.reason}"
        )
    for finding in report.findings:
        if finding.severity.rank < Severity.MEDIUM.rank or finding.answer is Answer.PASS:
            continue
        one = seen[f"{name}/{finding.location.file}"]
        (one.fails if finding.answer is Answer.FAIL else one.unknowns).add(finding.rule_id)
        member = "/".join(finding.location.member)
        one.words.append(f"{finding.answer.value}: {finding.rule_id} {member}: {finding.message}")
    return dict(seen)


def is_excused(file: str, one: Seen) -> bool:
    """Whether all that gates a file stands in the lists."""
    listed = KNOWN["false_fails"].keys() | KNOWN["known"].keys()
    return file in listed or (not one.fails | one.unknowns and one.gaps <= KNOWN["not_yet"].keys())


def find_vain(seen: dict[str, Seen]) -> list[str]:
    """Return the entries of the lists that nothing needs any more."""
    gaps = {gap for file, one in seen.items() for gap in one.gaps if file not in KNOWN["known"]}
    vain = [f"not_yet: {gap}" for gap in KNOWN["not_yet"] if gap not in gaps]
    vain += [
        f"false_fails: {file}"
        for file in KNOWN["false_fails"]
        if file not in seen or not seen[file].fails
    ]
    vain += [
        f"known: {file}" for file in KNOWN["known"] if file not in seen or not seen[file].gates
    ]
    return vain


def main() -> None:
    names = sys.argv[1:] or [*SHIPPED, *WRITTEN, *TRAINED]
    seen: dict[str, Seen] = {}
    for name in names:
        seen |= scan_folder(name)
    gated = {file: one for file, one in seen.items() if one.gates}
    for file, one in gated.items():
        if not is_excused(file, one):
            print(f'"{file}" = ""  # {min(one.words)[:160]}')
    if not sys.argv[1:]:
        print("\n".join(find_vain(seen)))
    fails = sum(bool(one.fails) for one in seen.values())
    print(f"{len(seen):,} files, {len(gated):,} gate ({len(gated) / len(seen):.1%}), {fails} fail")


if __name__ == "__main__":
    main()
