"""The rules ``formats`` and ``denied``: which files there are, and which may never be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import CoverageStatus, ProblemKind, printable
from weighbridge.policy._results import (
    count,
    fail,
    more,
    name_node,
    pass_,
    to_names,
    unknown,
    unknown_lineage,
)

if TYPE_CHECKING:
    from weighbridge.core import Coverage, DeniedDigest, Evidence, RuleResult
    from weighbridge.policy._policy import FormatsRule

__all__ = ["judge_denied", "judge_formats"]

_FORMATS = "formats"
_DENIED = "denied"
_UNKNOWN_FORMAT = "unknown"


def judge_formats(rule: FormatsRule, evidence: Evidence) -> RuleResult:
    """Judge what the scan says each file is, and each member of a container.

    What it calls inert needs no entry, whatever it is: it can do nothing. Names are not asked.
    """
    outside = CoverageStatus.OUT_OF_SCOPE
    rows = [row for row in evidence.scan.coverage if row.status is not outside]
    live = sorted(
        (row for row in rows if row.status is not CoverageStatus.INERT),
        key=lambda row: (str(row.location), row.format),
    )
    allow = {entry.lower() for entry in rule.allow}
    others = [row for row in live if row.format.lower() not in allow]
    if wrong := [row for row in others if row.format != _UNKNOWN_FORMAT]:
        return fail(
            _FORMATS,
            f"{_name_row(wrong[0])} is {printable(wrong[0].format)}, and the policy allows"
            f" {printable(', '.join(rule.allow), limit=200)}{more(len(wrong) - 1)}",
            names=to_names(row.location.file for row in wrong),
            remedy="Ask the publisher for another format, remove what is not needed, or add it to"
            " require.formats.allow.",
        )
    missing = evidence.artifact.file_count - len({row.location.file for row in rows})
    if others or missing > 0:
        what = f"{_name_row(others[0])} is" if others else f"{count(missing, 'file')}: it is"
        return unknown(
            _FORMATS,
            f"{what} of a format that nobody knows{more(len(others) - 1)}",
            names=to_names(row.location.file for row in others),
            remedy="Remove what is not needed, or ask the publisher for another format.",
        )
    if not rows:
        return unknown(
            _FORMATS,
            "There is no file whose format could be told",
            remedy="Make every file readable for the user who checks, then check again.",
        )
    used = sorted({row.format for row in live})
    words = ", ".join(map(printable, used)) if used else "nothing but what is inert"
    return pass_(_FORMATS, f"{count(len({row.location.file for row in rows}), 'file')}: {words}")


def _name_row(row: Coverage) -> str:
    return printable(str(row.location))


def judge_denied(denied: tuple[DeniedDigest, ...], evidence: Evidence) -> RuleResult:
    """Judge whether the artifact, a file in it, or anything it was made from is denied."""
    reasons = {entry.digest.hex: entry.reason for entry in denied}
    digest = evidence.artifact.digest
    if digest is not None and digest.hex in reasons:
        return _deny("This artifact", reasons[digest.hex], (str(digest),))
    files = [name for name, sha256 in sorted(evidence.files.items()) if sha256 in reasons]
    if files:
        reason = reasons[evidence.files[files[0]]]
        return _deny(f"{printable(files[0])}{more(len(files) - 1)}", reason, tuple(files))
    if (found := _find_denied_node(reasons, evidence)) is not None:
        return found
    if digest is None or len(evidence.files) < evidence.artifact.file_count:
        return unknown(
            _DENIED,
            "Not every file could be compared with what is denied",
            remedy="Make every file readable for the user who checks, then check again.",
        )
    if evidence.lineage is None:
        return unknown_lineage(_DENIED)
    return pass_(
        _DENIED,
        "Neither it, nor a file in it, nor anything that it is known to be made from is among what"
        f" is denied ({count(len(denied), 'digest')})",
    )


def _find_denied_node(reasons: dict[str, str], evidence: Evidence) -> RuleResult | None:
    nodes = evidence.lineage.nodes if evidence.lineage is not None else ()
    for node in sorted(nodes, key=lambda node: (node.depth, node.id)):
        algorithm, _, hex_ = node.id.partition(":")
        if algorithm == "sha256" and hex_ in reasons:
            return _deny(f"It was made from {name_node(node)}, which", reasons[hex_], (node.id,))
        messages = sorted(p.message for p in node.problems if p.kind is ProblemKind.DENIED)
        if messages:
            message = printable(messages[0], limit=200).removesuffix(".")
            return fail(
                _DENIED,
                f"{name_node(node)}: {message}",
                names=(node.id,),
                remedy="Use something else; only the policy's [[denied]] can lift this.",
            )
    return None


def _deny(what: str, reason: str, names: tuple[str, ...]) -> RuleResult:
    return fail(
        _DENIED,
        f"{what} is denied: {printable(reason, limit=200)}",
        names=names,
        remedy="Use something else; only the policy's [[denied]] can lift this.",
    )
