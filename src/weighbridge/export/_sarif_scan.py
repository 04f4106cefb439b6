"""SARIF 2.1.0 of scans: one run, whatever the number of paths."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from weighbridge.core import printable, worst
from weighbridge.export._sarif_parts import (
    BASE,
    build_log,
    refer_taxa,
    tell_finding,
    tell_not_examined,
    tell_rules,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import JsonValue, Rule
    from weighbridge.export._report import ScannedPath

__all__ = ["scans_to_sarif"]


def scans_to_sarif(scans: Sequence[ScannedPath], *, version: str) -> JsonValue:
    """Return one SARIF run; see :func:`weighbridge.export.scans_to_sarif`."""
    seen: Counter[str] = Counter()
    rules: dict[str, JsonValue] = {}
    found: dict[str, Rule] = {}
    for scan in scans:
        found |= {rule.rule_id: rule for rule in scan.report.rules}
    for scan in scans:
        rules |= tell_rules(scan.report, tuple(found.values()))
    order = {rule_id: index for index, rule_id in enumerate(rules)}
    bases = [BASE if index == 1 else f"{BASE}-{index}" for index in range(1, len(scans) + 1)]
    known = tuple(found.values())
    taxa = refer_taxa(known)
    results = [
        tell_finding(finding, order, seen, taxa=taxa, base=base)
        for scan, base in zip(scans, bases, strict=True)
        for finding in scan.report.findings
    ]
    invocation: JsonValue = {
        "executionSuccessful": True,
        "toolExecutionNotifications": [
            tell_not_examined(row, base=base)
            for scan, base in zip(scans, bases, strict=True)
            for row in scan.report.not_examined
        ],
    }
    properties: JsonValue = {
        "answer": worst(tuple(scan.answer for scan in scans)).value,
        "scanEngine": printable(scans[0].report.engine) if scans else "",
        "policy": printable(scans[0].terms.policy) if scans else "",
        "scans": [
            {
                "base": base,
                "path": printable(scan.path, limit=4_000),
                "answer": scan.answer.value,
                "artifactDigest": None if scan.digest is None else str(scan.digest),
            }
            for scan, base in zip(scans, bases, strict=True)
        ],
    }
    return build_log(
        version=version,
        rules=rules,
        found=known,
        invocation=invocation,
        bases={
            base: f"What was scanned: {printable(scan.path, limit=4_000)}"
            for scan, base in zip(scans, bases, strict=True)
        },
        results=results,
        properties=properties,
    )
