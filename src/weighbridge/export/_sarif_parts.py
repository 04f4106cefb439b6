"""What SARIF logs of checks and of scans have in common: rules, findings, places, taxonomies."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from weighbridge.core import Answer, Severity, printable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping

    from weighbridge.core import Coverage, Finding, JsonValue, Location, Rule, ScanReport

__all__ = [
    "BASE",
    "HOME",
    "build_log",
    "descriptor",
    "fingerprint",
    "list_taxonomies",
    "message",
    "place",
    "place_file",
    "refer_taxa",
    "safe_text",
    "tell_finding",
    "tell_not_examined",
    "tell_rules",
]

HOME = "https://weighbridge.dev"
BASE = "ARTIFACT"
_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_MAX_DETAIL_LINES = 40
# Code scanning services refuse a run with more.
_MAX_RESULTS = 25_000
_MAX_RANK = 100.0
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_RANKS = {
    Severity.CRITICAL: 95.0,
    Severity.HIGH: 80.0,
    Severity.MEDIUM: 55.0,
    Severity.LOW: 25.0,
    Severity.INFO: 5.0,
}
_KINDS = {Answer.FAIL: "fail", Answer.UNKNOWN: "review", Answer.PASS: "informational"}
_SCORES = {  # what code scanning services sort by, out of ten
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.5",
    Severity.INFO: "0.5",
}
_CWE, _ATLAS = "CWE", "ATLAS"
_TAXONOMIES: dict[str, dict[str, JsonValue]] = {
    _CWE: {
        "name": _CWE,
        "organization": "MITRE",
        "shortDescription": {"text": "The Common Weakness Enumeration."},
        "informationUri": "https://cwe.mitre.org",
    },
    _ATLAS: {
        "name": _ATLAS,
        "organization": "MITRE",
        "shortDescription": {"text": "Adversarial Threat Landscape for AI Systems."},
        "informationUri": "https://atlas.mitre.org",
    },
}
_LINKS = {
    _CWE: "https://cwe.mitre.org/data/definitions/{}.html",
    _ATLAS: "https://atlas.mitre.org/techniques/{}",
}
_NOTIFICATIONS = (
    ("WB-READ", "An entry of the artifact could not be read, so the artifact has no digest"),
    ("WB-NOT-EXAMINED", "A file or container member was not examined"),
    ("WB-MORE-RESULTS", "There are more results than services take; the mildest are left out"),
)


def build_log(  # noqa: PLR0913 - each is one part of a run
    *,
    version: str,
    rules: Mapping[str, JsonValue],
    found: Iterable[Rule],
    invocation: JsonValue,
    bases: Mapping[str, str],
    results: list[JsonValue],
    properties: JsonValue,
) -> JsonValue:
    """Return a log with one run, of at most 25,000 results: the worst, in the order given.

    Args:
        version: Of Weighbridge; may be empty.
        rules: Id -> descriptor, in the order that results count by.
        found: The rules of the scan among them.
        invocation: How it ran.
        bases: Id of what paths are relative to -> what it is, in words.
        results: The results.
        properties: Of the run.

    Source:
        SARIF 2.1.0, section 3.14; GitHub, "SARIF support for code scanning", for the limit.
    """
    kept = _keep_worst(results)
    if (more := len(results) - len(kept)) > 0:
        invocation = _tell_left_out(invocation, more)
    taxonomies = list_taxonomies(found)
    driver: dict[str, JsonValue] = {
        "name": "Weighbridge",
        "version": version,
        "informationUri": HOME,
        "rules": list(rules.values()),
        "notifications": [descriptor(name, about, page="report") for name, about in _NOTIFICATIONS],
    }
    run: dict[str, JsonValue] = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "originalUriBaseIds": {
            name: {"description": {"text": about}} for name, about in bases.items()
        },
        "results": kept,
        "properties": properties,
    }
    if taxonomies:
        run["taxonomies"] = taxonomies
        driver["supportedTaxonomies"] = [
            {"name": one["name"], "index": index}  # type: ignore[index, call-overload]
            for index, one in enumerate(taxonomies)
        ]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _keep_worst(results: list[JsonValue]) -> list[JsonValue]:
    """Return the results of the highest ranks; those without (policy, lineage) come first."""
    if len(results) <= _MAX_RESULTS:
        return results
    order = sorted(range(len(results)), key=lambda index: -_rank(results[index]))
    return [results[index] for index in sorted(order[:_MAX_RESULTS])]


def _rank(result: JsonValue) -> float:
    """Return the rank of a result; every failure stands above what somebody has to look at."""
    if not isinstance(result, dict) or not isinstance(rank := result.get("rank"), float):
        return 2 * _MAX_RANK
    return rank + _MAX_RANK if result.get("kind") == "fail" else rank


def _tell_left_out(invocation: JsonValue, count: int) -> JsonValue:
    told: dict[str, JsonValue] = dict(invocation) if isinstance(invocation, dict) else {}
    before = told.get("toolExecutionNotifications")
    note: JsonValue = {
        "level": "warning",
        "descriptor": {"id": "WB-MORE-RESULTS", "index": 2},
        "message": message(f"{count:,} more results, the mildest, are left out."),
    }
    told["toolExecutionNotifications"] = [*(before if isinstance(before, list) else []), note]
    return told


def safe_text(text: str, *, limit: int = 2_000) -> str:
    """Return a message that no viewer acts on: no control characters, placeholders or links.

    Source:
        SARIF 2.1.0, sections 3.11.5 (braces are doubled) and 3.11.6 (embedded links).
    """
    safe = printable(text, limit=limit)
    return safe.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def message(text: str) -> dict[str, JsonValue]:
    """Return a message object of one safe line."""
    return {"text": safe_text(text)}


# -- rules ----------------------------------------------------------------------------------------


def descriptor(rule_id: str, about: str, *, page: str) -> dict[str, JsonValue]:
    """Describe a rule that is none of the scan's, by one sentence and a page of the docs."""
    help_uri = f"{HOME}/docs/{page}#{quote(rule_id.lower(), safe='')}"
    return {
        "id": rule_id,
        "name": "".join(part.title() for part in rule_id.split("-")),
        "shortDescription": message(f"{about}."),
        "fullDescription": message(f"{about}."),
        "help": message(f"See {help_uri}"),
        "helpUri": help_uri,
    }


def tell_rules(report: ScanReport, known: Iterable[Rule] | None = None) -> dict[str, JsonValue]:
    """Describe every rule that has a finding, in the order of the findings.

    The score is that of its worst finding, since that is what services sort alerts by.

    Args:
        report: The scan.
        known: All rules of the scan in this run; None: those of the report.
    """
    severities: dict[str, Severity] = {}
    for finding in report.findings:
        before = severities.get(finding.rule_id, Severity.INFO)
        severities[finding.rule_id] = max(before, finding.severity, key=lambda one: one.rank)
    rules = {rule.rule_id: rule for rule in report.rules}
    order = _index_taxa(_list_taxa(tuple(known or report.rules)))
    return {
        rule_id: _tell_rule(rules[rule_id], worst, order)
        if rule_id in rules
        else _tell_unknown_rule(rule_id, worst)
        for rule_id, worst in severities.items()
    }


def _tell_unknown_rule(rule_id: str, severity: Severity) -> JsonValue:
    properties: JsonValue = {"security-severity": _SCORES[severity], "tags": ["security"]}
    help_uri = f"{HOME}/rules/{quote(rule_id, safe='')}"
    about = descriptor(rule_id, "Something that the scan found", page="rules")
    return {**about, "help": message(f"See {help_uri}"), "helpUri": help_uri} | {
        "properties": properties
    }


def _tell_rule(
    rule: Rule, severity: Severity, order: Mapping[tuple[str, str], tuple[int, int]]
) -> JsonValue:
    help_uri = f"{HOME}/rules/{rule.rule_id}"
    words = f"{rule.what}\n\nExample: {rule.example}\n\nWhat to do: {rule.fix}"
    tags = [
        "security",
        *(f"external/cwe/cwe-{number}" for number in rule.cwe),
        *(f"external/atlas/{name}" for name in rule.atlas),
    ]
    relationships: list[JsonValue] = [
        {"target": _refer(taxonomy, name, order), "kinds": ["superset"]}
        for taxonomy, name in _list_taxa((rule,))
    ]
    level = _LEVELS[rule.severity] if rule.answer is Answer.FAIL else "none"
    told: dict[str, JsonValue] = {
        "id": rule.rule_id,
        "name": "".join(part.title() for part in rule.title.split() if part.isalnum()),
        "shortDescription": message(f"{rule.title.rstrip('.')}."),
        "fullDescription": message(rule.what),
        "help": {"text": f"{words}\n\nSee {help_uri}", "markdown": _to_markdown(rule, help_uri)},
        "helpUri": help_uri,
        "defaultConfiguration": {"level": level, "rank": _RANKS[rule.severity]},
        "properties": {
            "security-severity": _SCORES[severity],
            "precision": "very-high" if rule.answer is Answer.FAIL else "medium",
            "tags": [*tags],
        },
    }
    if relationships:
        told["relationships"] = relationships
    return told


def _to_markdown(rule: Rule, help_uri: str) -> str:
    return (
        f"**{rule.title}**\n\n{rule.what}\n\n**Example**: {rule.example}\n\n"
        f"**What to do**: {rule.fix}\n\n[{rule.rule_id}]({help_uri})"
    )


# -- taxonomies -----------------------------------------------------------------------------------


def _list_taxa(rules: Iterable[Rule]) -> list[tuple[str, str]]:
    """Return (taxonomy, id) of all weaknesses and techniques, each once and in order."""
    found = {(_CWE, str(number)) for rule in rules for number in rule.cwe}
    return sorted(found, key=lambda one: int(one[1])) + sorted(
        {(_ATLAS, name) for rule in rules for name in rule.atlas}
    )


def _index_taxa(taxa: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return (taxonomy, id) -> (index of the taxonomy in the run, index in the taxonomy)."""
    names = [name for name in _TAXONOMIES if any(one == name for one, _ in taxa)]
    counts = dict.fromkeys(names, 0)
    order = {}
    for taxonomy, name in taxa:
        order[taxonomy, name] = (names.index(taxonomy), counts[taxonomy])
        counts[taxonomy] += 1
    return order


def list_taxonomies(rules: Iterable[Rule]) -> list[JsonValue]:
    """Return the taxonomies that rules refer to, with what they refer to.

    Source:
        SARIF 2.1.0, section 3.14.8 and 3.19.3.
    """
    taxa = _list_taxa(tuple(rules))
    return [
        {
            **about,
            "isComprehensive": False,
            "taxa": [
                {"id": name, "helpUri": _LINKS[taxonomy].format(name)}
                for one, name in taxa
                if one == taxonomy
            ],
        }
        for taxonomy, about in _TAXONOMIES.items()
        if any(one == taxonomy for one, _ in taxa)
    ]


def _refer(taxonomy: str, name: str, order: Mapping[tuple[str, str], tuple[int, int]]) -> JsonValue:
    component, index = order[taxonomy, name]
    return {
        "id": name,
        "index": index,
        "toolComponent": {"name": taxonomy, "index": component},
    }


def refer_taxa(rules: Iterable[Rule]) -> dict[str, list[JsonValue]]:
    """Return rule id -> references to what it is of, for all rules of the scan in one run."""
    known = tuple(rules)
    order = _index_taxa(_list_taxa(known))
    return {
        rule.rule_id: [_refer(taxonomy, name, order) for taxonomy, name in _list_taxa((rule,))]
        for rule in known
    }


# -- results --------------------------------------------------------------------------------------


def tell_finding(
    finding: Finding,
    order: Mapping[str, int],
    seen: Counter[str],
    *,
    taxa: Mapping[str, list[JsonValue]],
    base: str = BASE,
) -> JsonValue:
    """Return the result of one finding.

    Args:
        finding: It.
        order: Rule id -> index of its descriptor.
        seen: Fingerprints so far.
        taxa: As :func:`refer_taxa` gave it.
        base: What the path is relative to.
    """
    failed = finding.answer is Answer.FAIL
    location = finding.location
    parts = (finding.rule_id, location.file, *location.member, finding.message, finding.detail)
    marks = fingerprint(parts if base == BASE else (base, *parts), seen)
    properties: dict[str, JsonValue] = {
        "answer": finding.answer.value,
        "severity": finding.severity.value,
    }
    if finding.opcode:
        properties["opcode"] = finding.opcode
    told: dict[str, JsonValue] = {
        "ruleId": finding.rule_id,
        "ruleIndex": order[finding.rule_id],
        "kind": _KINDS[finding.answer],
        # Section 3.27.10: a result that does not fail has the level "none".
        "level": _LEVELS[finding.severity] if failed else "none",
        "rank": _RANKS[finding.severity],
        "message": {"text": safe_text(finding.message) + _detail(finding.detail)},
        "locations": [place(location, base=base)],
        "fingerprints": marks,
        "partialFingerprints": marks,
        "properties": properties,
    }
    if found := taxa.get(finding.rule_id):
        told["taxa"] = found
    return told


def _detail(detail: str) -> str:
    """Return the lines of a detail, each below the other and safe."""
    if not detail:
        return ""
    lines = detail.split("\n")
    more = len(lines) - _MAX_DETAIL_LINES
    kept = ["", *(safe_text(line) for line in lines[:_MAX_DETAIL_LINES])]
    return "\n".join([*kept, f"… {more:,} more lines"] if more > 0 else kept)


def tell_not_examined(row: Coverage, *, base: str = BASE) -> JsonValue:
    """Return the notification about something that nobody has looked at."""
    reason = row.reason or "no reason given"
    return {
        "level": "warning",
        "descriptor": {"id": "WB-NOT-EXAMINED", "index": 1},
        "message": message(f"{row.location} was not examined: {reason}"),
        "locations": [place(row.location, base=base)],
    }


def place_file(name: str, *, base: str = BASE) -> dict[str, JsonValue]:
    """Return the place of a file, relative to ``base`` and percent-encoded."""
    uri = quote(_to_bytes(name))
    if uri.startswith("/"):  # "//host/x" would lead out of the artifact
        uri = f"%2F{uri[1:]}"
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": base}}}


def _to_bytes(name: str) -> bytes:
    """Return the bytes that a name has on disk (PEP 383), whatever the locale is."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name.encode("utf-8", "replace")


def place(location: Location, *, base: str = BASE) -> dict[str, JsonValue]:
    """Return a place; an offset inside a member is a property, for regions are those on disk."""
    told = place_file(location.file, base=base)
    if not location.member:
        if location.offset is not None:
            told["physicalLocation"]["region"] = {"byteOffset": location.offset}  # type: ignore[index, call-overload]
        return told
    told["logicalLocations"] = [
        {
            "name": printable(location.member[-1]),
            "fullyQualifiedName": printable(
                "!".join((location.file, *location.member)), limit=4_000
            ),
            "kind": "member",
        }
    ]
    if location.offset is not None:
        told["properties"] = {"memberOffsetBytes": location.offset}
    return told


def fingerprint(parts: tuple[str, ...], seen: Counter[str]) -> JsonValue:
    """Name a result for comparison with later runs; offsets shift, so they are not part of it."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    key = digest.hexdigest()[:32]
    seen[key] += 1
    return {"weighbridge/v1": f"{key}:{seen[key]}"}
