"""Export: how a verdict is told. Pure functions from core values to documents.

Text and JSON load at once; all other writers load when they are first called.
"""

from typing import TYPE_CHECKING

from weighbridge.export._json import (
    attribution_to_json,
    diff_to_json,
    load_schema,
    manifest_to_json,
    rules_to_json,
    scan_to_json,
    scans_to_json,
    to_json,
)
from weighbridge.export._report import CheckReport, ScannedPath
from weighbridge.export._scan_text import scan_to_text, scans_to_text
from weighbridge.export._text import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.core import (
        Answer,
        Digest,
        Explanation,
        JsonValue,
        LineageReport,
        Rule,
        Statement,
    )

__all__ = [
    "CheckReport",
    "ScannedPath",
    "attribution_to_json",
    "diff_to_json",
    "explanation_to_json",
    "explanation_to_text",
    "judge_trace",
    "load_schema",
    "manifest_to_json",
    "pick_member",
    "rules_to_json",
    "rules_to_text",
    "scan_to_json",
    "scan_to_text",
    "scans_to_html",
    "scans_to_json",
    "scans_to_sarif",
    "scans_to_text",
    "to_html",
    "to_json",
    "to_provenance_yaml",
    "to_sarif",
    "to_summary",
    "to_text",
    "to_trace_dot",
    "to_trace_html",
    "to_trace_json",
    "to_trace_text",
]


def to_html(report: CheckReport) -> str:
    """Return one self-contained page: no script, no request, safe to open whatever was examined.

    Lists are cut at 1,000 rows and say so; ``to_json`` holds everything.
    """
    from weighbridge.export._html import to_html as write  # noqa: PLC0415 - seldom asked for

    return write(report)


def to_sarif(report: CheckReport) -> "JsonValue":
    """Return one SARIF 2.1.0 log: findings, and the rules of the policy that do not pass.

    What was not examined is a notification of the run.

    Source:
        SARIF 2.1.0 (OASIS), errata 01.
    """
    from weighbridge.export._sarif import to_sarif as write  # noqa: PLC0415 - seldom asked for

    return write(report)


def scans_to_sarif(scans: "Sequence[ScannedPath]", *, version: str = "") -> "JsonValue":
    """Return one SARIF 2.1.0 log with one run: findings, their rules, what was not examined.

    Rules come with their texts, and with the weaknesses (CWE) and techniques (MITRE ATLAS) that
    they are of, as taxonomies. Paths are relative to the path that was scanned; each has a base of
    its own. An offset inside a member of a container is a property, since SARIF regions are those
    of the file on disk.

    Args:
        scans: As they were made.
        version: Of Weighbridge.

    Source:
        SARIF 2.1.0 (OASIS), errata 01.
    """
    from weighbridge.export._sarif_scan import scans_to_sarif as write  # noqa: PLC0415 - seldom

    return write(scans, version=version)


def scans_to_html(
    scans: "Sequence[ScannedPath]", *, version: str = "", at: "datetime | None" = None
) -> str:
    """Return one self-contained page about scans: no script, no request.

    Findings can be filtered by severity and by file, without a script. Lists are cut and say so;
    ``scans_to_json`` holds everything.

    Args:
        scans: As they were made.
        version: Of Weighbridge, for the foot of the page.
        at: Now; None: no time is told.
    """
    from weighbridge.export._html_scans import scans_to_html as write  # noqa: PLC0415 - seldom

    return write(scans, version=version, at=at)


def rules_to_text(
    rules: "Sequence[Rule]", *, is_page: bool, width: int, colour: bool, unicode: bool = True
) -> str:
    """Return rules of the scan for a terminal.

    Args:
        rules: Which.
        is_page: Whether all of each rule's texts are told; otherwise a line for each.
        width: Columns.
        colour: Whether to write ANSI colours.
        unicode: Whether the terminal shows more than ASCII.
    """
    from weighbridge.export._rules_text import rules_to_text as write  # noqa: PLC0415 - seldom

    return write(rules, is_page=is_page, width=width, colour=colour, unicode=unicode)


def pick_member(explanation: "Explanation", name: str) -> "Explanation":
    """Return what is said of one member of a container and of everything inside it.

    Args:
        explanation: Of the whole file.
        name: The member's own name, or the path to it with ``!`` between containers.
    """
    from weighbridge.export._explain import pick_member as pick  # noqa: PLC0415 - seldom

    return pick(explanation, name)


def explanation_to_json(explanation: "Explanation") -> "JsonValue":
    """Return the explanation of a file as ``explain-v1.schema.json`` describes it."""
    from weighbridge.export._explain import explanation_to_json as write  # noqa: PLC0415 - seldom

    return write(explanation)


def explanation_to_text(
    explanation: "Explanation", *, width: int, colour: bool, unicode: bool = True
) -> str:
    """Return a file for a terminal: its pickles opcode by opcode, then a tree of what is in it.

    Args:
        explanation: What the engines made of the file.
        width: Columns; no line is longer. Below 40 counts as 40.
        colour: Whether to write ANSI colours.
        unicode: Whether the terminal shows more than ASCII.

    Returns:
        Lines joined by newlines, none at the end.
    """
    from weighbridge.export._explain import explanation_to_text as write  # noqa: PLC0415 - seldom

    return write(explanation, width=width, colour=colour, unicode=unicode)


def to_summary(
    report: CheckReport, *, verifier: str, resource_uri: str, policy_digest: str = ""
) -> "Statement":
    """Return the verdict as a SLSA Verification Summary, a statement that waits for a signature.

    It is PASSED only if the verdict is pass. Levels are those of the trust map and of nobody else:
    the artifact's own one, and those of all that it was made from, down to roots and to summaries
    of others, whose dependencies are counted too. A node with a problem counts as level 0, and so
    does one of which nothing is known. Without a lineage, no level is claimed.

    Args:
        report: The verdict and its evidence.
        verifier: Who judges, a URI.
        resource_uri: What was judged, a URI; a label.
        policy_digest: ``sha256:<hex>`` of the policy, where the verdict does not name it: of the
            text of the built-in one.

    Raises:
        IncompleteError: The artifact has no digest, since not every file could be weighed.
        InputError: There is no policy digest, or something that is no digest.

    Source:
        SLSA v1.0, Verification Summary Attestation.
    """
    from weighbridge.export._vsa import to_summary as write  # noqa: PLC0415 - seldom asked for

    return write(report, verifier=verifier, resource_uri=resource_uri, policy_digest=policy_digest)


def judge_trace(report: "LineageReport") -> "Answer":
    """Say whether all that the artifact's level depends on is sound.

    FAIL if a required node has a problem; UNKNOWN if there was no trust map, or if nothing is known
    of the artifact itself or of something that it needs; else PASS. Whether its level is enough is
    another question, which a policy answers.
    """
    from weighbridge.export._trace import judge_trace as judge  # noqa: PLC0415 - seldom asked for

    return judge(report)


def to_trace_text(
    report: "LineageReport",
    *,
    width: int,
    colour: bool,
    unicode: bool = True,
    at: "datetime | None" = None,
) -> str:
    """Return the lineage that a person reads on a terminal.

    The first lines say in words what the chain comes to and which path is the weakest. What is
    wrong follows, then the tree: below a node is what it was made from; what was shown before is
    only named. Long chains have their middle left out, large trees their end, each with a count.

    Args:
        report: The lineage.
        width: Columns; no line is longer. Below 40 counts as 40.
        colour: Whether to write ANSI colours. The signs say the same without them.
        unicode: Whether the terminal shows more than ASCII.
        at: Now, to tell how old things are; None: their dates are told.

    Returns:
        Lines joined by newlines, none at the end.
    """
    from weighbridge.export._trace_text import to_trace_text as write  # noqa: PLC0415 - seldom

    return write(report, width=width, colour=colour, unicode=unicode, at=at)


def to_trace_json(report: "LineageReport") -> "JsonValue":
    """Return the whole lineage, as ``trace-v1.schema.json`` describes it.

    No node, edge or reason is left out. Of a step there is what a person would ask for; its
    packages are counted, and its statement has them.
    """
    from weighbridge.export._trace_json import to_trace_json as write  # noqa: PLC0415 - seldom

    return write(report)


def to_trace_dot(report: "LineageReport") -> str:
    """Return a graph that Graphviz draws; no label can end its quotes or act in it.

    Source:
        Graphviz, "The DOT Language".
    """
    from weighbridge.export._trace_dot import to_trace_dot as write  # noqa: PLC0415 - seldom

    return write(report)


def to_trace_html(
    report: "LineageReport", *, version: str = "", at: "datetime | None" = None
) -> str:
    """Return one self-contained page with the graph drawn: no script, no request.

    Of a large lineage it draws the weakest path and what is nearest to the artifact, at most 300
    nodes, and says what it left out; lists are cut at 1,000 rows. ``to_trace_json`` has everything.

    Args:
        report: The lineage.
        version: Of Weighbridge, for the foot of the page.
        at: Now, to tell how old things are; None: only their dates are told.
    """
    from weighbridge.export._trace_html import to_trace_html as write  # noqa: PLC0415 - seldom

    return write(report, version=version, at=at)


def to_provenance_yaml(
    report: "LineageReport | None", *, digest: "Digest | None", files: "Mapping[str, str]"
) -> bytes:
    """Return what the files and the signed lineage tell, in the shape of ``provenance.yaml``.

    Only what reading the document again can compare is written.

    Args:
        report: The lineage; None: only files are written.
        digest: Of the artifact; None if it is not known.
        files: POSIX path to sha256 in hex of each of its files.
    """
    from weighbridge.export._provenance_yaml import to_provenance_yaml as write  # noqa: PLC0415

    return write(report, digest=digest, files=files)
