"""What a file does, step by step: its pickles for people, and all else as a tree."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.core import Answer, CoverageStatus, Explanation, Finding, Location, to_count
from weighbridge.export._encodable import encodable
from weighbridge.export._json import SCHEMA_IDS, location_to_json, scans_to_json
from weighbridge.export._report import (
    ScannedPath,
    count_findings,
    judge_scan,
    scan_word,
    worst_first,
)
from weighbridge.export._style import BOLD, COLOURS, DIM, MIN_WIDTH, Style
from weighbridge.export._wrap import pad

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.core import Coverage, JsonValue, PickleListing, PickleStep

__all__ = ["explanation_to_json", "explanation_to_text", "pick_member"]

_STATUSES = {
    CoverageStatus.EXAMINED: "examined",
    CoverageStatus.INERT: "inert",
    CoverageStatus.NOT_EXAMINED: "NOT EXAMINED",
    CoverageStatus.OUT_OF_SCOPE: "out of scope",
}
_MAX_ROWS = 1_000
_OPCODE = 16
_Step = tuple["PickleStep | None", "list[Finding]"]


def pick_member(explanation: Explanation, name: str) -> Explanation:
    """Return what is said of one member of a container and of everything inside it.

    Args:
        explanation: Of the whole file.
        name: The member's own name, or the path to it with ``!`` between containers.
    """

    def is_picked(location: Location) -> bool:
        paths = ["!".join(location.member[:end]) for end in range(1, len(location.member) + 1)]
        return name in paths or name in location.member

    report = explanation.report
    return replace(
        explanation,
        report=replace(
            report,
            findings=tuple(one for one in report.findings if is_picked(one.location)),
            coverage=tuple(row for row in report.coverage if is_picked(row.location)),
        ),
        pickles=tuple(one for one in explanation.pickles if is_picked(one.location)),
    )


def explanation_to_json(explanation: Explanation) -> JsonValue:
    """Return the explanation as ``explain-v1.schema.json`` describes it."""
    document: dict[str, JsonValue] = {
        "$schema": SCHEMA_IDS["explain-v1"],
        "version": 1,
        "scan": scans_to_json((_as_scanned(explanation),)),
        "pickles": [
            {
                "location": location_to_json(listing.location),
                "opcodes": listing.opcodes,
                "is_whole": listing.is_whole,
                "steps": [
                    _step_to_json(step, found)
                    for step, found in _join(listing, explanation.report.findings)
                ],
            }
            for listing in explanation.pickles
        ],
    }
    return encodable(document)


def _as_scanned(explanation: Explanation) -> ScannedPath:
    report, terms = explanation.report, explanation.terms
    return ScannedPath(explanation.path, report, judge_scan(report), terms)


def _step_to_json(step: PickleStep | None, found: Sequence[Finding]) -> JsonValue:
    first = found[0] if found else None
    at = step.offset if step is not None else first.location.offset if first else None
    return {
        "offset_bytes": at,
        "opcode": step.opcode if step is not None else first.opcode if first else "",
        "argument": step.argument if step is not None else "",
        "effect": step.effect if step is not None else "",
        "folded": step.folded if step is not None else 0,
        "findings": [{"rule_id": one.rule_id, "message": one.message} for one in found],
    }


def explanation_to_text(
    explanation: Explanation, *, width: int, colour: bool, unicode: bool = True
) -> str:
    """Return the listing for a terminal: pickles opcode by opcode, then the tree of the file.

    Args:
        explanation: What the engines made of the file.
        width: Columns; no line is longer. Below 40 counts as 40.
        colour: Whether to write ANSI colours.
        unicode: Whether the terminal shows more than ASCII.

    Returns:
        Lines joined by newlines, none at the end.
    """
    style = Style(max(width, MIN_WIDTH), colour=colour, unicode=unicode)
    report = explanation.report
    shown: set[int] = set()
    blocks = [_listing(style, one, report.findings, shown) for one in explanation.pickles]
    blocks.append(_tree(style, explanation, shown))
    answer = judge_scan(report)
    word = f"{style.symbol(answer)} {answer.value.upper()}"
    said = f"{scan_word(answer)}: {count_findings(report.findings)}"
    blocks.append(style.title(word, said, COLOURS[answer]))
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _listing(
    style: Style, listing: PickleListing, findings: tuple[Finding, ...], shown: set[int]
) -> list[str]:
    """List one pickle; ``shown`` gets the ids of the findings that are told beside a step."""
    place = str(replace(listing.location, offset=None))
    count = to_count(listing.opcodes, "opcode")
    end = "" if listing.is_whole else ", and then it breaks off"
    where = f"{place}, at byte {listing.location.offset or 0:,}"
    lines = style.title("Pickle", f"{where}: {count}{end}")
    for step, found in _join(listing, findings):
        lines += _step(style, step, found)
        shown.update(map(id, found))
    return lines


def _join(listing: PickleListing, findings: tuple[Finding, ...]) -> Iterator[_Step]:
    """Yield steps with what was found at them; what was found in a folded run comes behind it."""
    at = replace(listing.location, offset=None)
    steps = listing.steps
    begin = listing.location.offset or 0
    here = [
        one
        for one in findings
        if replace(one.location, offset=None) == at
        and one.location.offset is not None
        and one.location.offset >= begin
    ]
    here.sort(key=lambda one: one.location.offset or 0)
    index = 0
    for number, step in enumerate(steps):
        if number + 1 < len(steps):
            following: float = steps[number + 1].offset
        else:  # where it breaks off
            following = step.offset + 1 if listing.is_whole else math.inf
        own: list[Finding] = []
        later: list[Finding] = []
        while index < len(here) and (here[index].location.offset or 0) < following:
            finding = here[index]
            (own if finding.location.offset == step.offset and not step.folded else later).append(
                finding
            )
            index += 1
        yield step, own
        for finding in later:
            yield None, [finding]


def _step(style: Style, step: PickleStep | None, found: Sequence[Finding]) -> list[str]:
    if step is None:
        lines = []
    elif step.folded:
        mark = "…" if style.unicode else "..."
        lines = style.hang(f"  {step.offset:>9}  {mark} ", step.effect, DIM)
    else:
        room = 30 if style.width >= 100 else 0  # noqa: PLR2004 - there is room for arguments
        argument = style.shorten(style.clean(step.argument), room - 2) if room else ""
        first = f"  {step.offset:>9}  {pad(step.opcode, _OPCODE)}  {pad(argument, room)}"
        worst = worst_first(tuple(found))[:1]
        codes = (BOLD, COLOURS[worst[0].answer]) if worst else ()
        lines = style.hang(first, step.effect or " ", *codes)
    for finding in found:
        arrow = "<- " if not style.unicode else "↖ "
        told = f"{finding.rule_id}: {finding.message}"
        where = "" if step is not None else f"at byte {finding.location.offset}: "
        lines += style.hang(" " * 13 + arrow, where + told, COLOURS[finding.answer])
    return lines


def _tree(style: Style, explanation: Explanation, told: set[int]) -> list[str]:
    """Show the file and what is in it: what each engine made of it, and what is not told yet."""
    report = explanation.report
    lines = style.title("Engines", report.engine)
    by_place: dict[Location, list[Finding]] = {}
    for finding in report.findings:
        if id(finding) not in told:
            by_place.setdefault(replace(finding.location, offset=None), []).append(finding)
    for row in report.coverage[:_MAX_ROWS]:
        lines += _row(style, row)
        for finding in worst_first(tuple(by_place.pop(row.location, ()))):
            lines += _found(style, finding, depth=len(row.location.member))
    for findings in by_place.values():
        for finding in findings:
            lines += _found(style, finding, depth=0)
    more = len(report.coverage) - _MAX_ROWS
    return lines + ([f"  {more:,} more; --json lists them all"] if more > 0 else [])


def _row(style: Style, row: Coverage) -> list[str]:
    depth = min(len(row.location.member), 8)
    name = row.location.member[-1] if row.location.member else row.location.file
    indent = "  " * (depth + 1)
    told = f"{row.format}, {_STATUSES[row.status]}"
    told += f": {row.reason}" if row.reason else ""
    shown = style.shorten(style.clean(name), max(8, style.width // 2))
    missed = row.status is CoverageStatus.NOT_EXAMINED
    codes = (COLOURS[Answer.UNKNOWN],) if missed else (DIM,)
    return style.hang(f"{indent}{shown}  ", told, *codes)


def _found(style: Style, finding: Finding, *, depth: int) -> list[str]:
    indent = "  " * (min(depth, 8) + 2)
    at = "" if finding.location.offset is None else f" at byte {finding.location.offset:,}"
    first = f"{indent}{style.symbol(finding.answer)} {finding.rule_id}{at}  "
    return style.hang(first, finding.message, COLOURS[finding.answer])
