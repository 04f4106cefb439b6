"""The report as one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import Answer, ArtifactKind, to_count, to_size
from weighbridge.export._checklist_text import (
    count_items,
    group_checklists,
    is_checklist_rule,
    name_item,
)
from weighbridge.export._html_parts import (
    MAX_ROWS,
    TRACE_STYLE,
    bar,
    build_page,
    code,
    icon,
    more,
    rule_icon,
    section,
    term_list,
)
from weighbridge.export._html_rules import show_rules
from weighbridge.export._html_scan import show_coverage, show_findings
from weighbridge.export._markup import Markup, element, markup
from weighbridge.export._report import count_entries, counts, find_lineage, rule_words

if TYPE_CHECKING:
    from weighbridge.core import (
        ArtifactEvidence,
        Attribution,
        DocumentCheck,
        Evidence,
        RuleResult,
        SignatureEvidence,
        Verdict,
    )
    from weighbridge.export._report import CheckReport

__all__ = ["to_html"]

_MAX_NAMES = 20

_WORDS = {Answer.PASS: "Pass", Answer.FAIL: "Fail", Answer.UNKNOWN: "Unknown"}
_ENTRY_ORDER = {Answer.FAIL: 0, Answer.UNKNOWN: 1, Answer.PASS: 2}
_MAX_NAMED = 6
_MEANINGS = {
    Answer.PASS: "This artifact may enter.",
    Answer.FAIL: "This artifact must not enter.",
    Answer.UNKNOWN: "Nobody can tell yet whether this artifact may enter.",
}


def to_html(report: CheckReport) -> str:
    """Return the page; see :func:`weighbridge.export.to_html`."""
    verdict, evidence = report.verdict, report.evidence
    title = f"{_WORDS[verdict.answer]}: {evidence.artifact.path}"
    main = element(
        "main",
        _banner(verdict, evidence.artifact),
        _artifact(verdict, evidence.artifact),
        _rules(verdict.rules),
        *_checklists(verdict.rules),
        show_findings(evidence.scan),
        show_rules(evidence.scan.rules),
        show_coverage(evidence.scan),
        _lineage(evidence),
        _document(evidence.document),
        _facts(evidence),
        _not_checked(verdict),
    )
    styles = () if find_lineage(evidence) is None else (TRACE_STYLE,)
    return build_page(title, bar(verdict.at), main, _footer(report), styles=styles)


def _footer(report: CheckReport) -> Markup:
    return element(
        "footer",
        element("p", f"Weighbridge {report.version}. Scanned by {report.evidence.scan.engine}."),
        element("p", "This page holds no script and fetches nothing."),
    )


def _join(words: list[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``; of many the first, and how many more."""
    if len(words) > _MAX_NAMED:
        words = [*words[: _MAX_NAMED - 1], f"{len(words) - _MAX_NAMED + 1} more"]
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


def _why(judged: tuple[RuleResult, ...]) -> str:
    rules = tuple(rule for rule in judged if counts(rule))
    failed = [rule.rule for rule in rules if rule.answer is Answer.FAIL]
    open_ = [rule.rule for rule in rules if rule.answer is Answer.UNKNOWN]
    of = f"of {to_count(len(rules), 'rule')}"
    said = []
    if failed:
        said.append(f"{len(failed)} {of} failed: {_join(failed)}.")
    if open_:
        among = "" if failed else f" {of}"
        said.append(f"{len(open_)}{among} could not be answered: {_join(open_)}.")
    if not said:
        holds = "The one rule holds." if len(rules) == 1 else f"All {len(rules)} rules hold."
        said.append(holds if rules else "No rule had a say.")
    waived = [rule.rule for rule in judged if rule.waiver]
    warned = [
        rule.rule
        for rule in judged
        if rule.is_warning and not rule.waiver and rule.answer is not Answer.PASS
    ]
    said += [f"{len(waived)} waived: {_join(waived)}."] if waived else []
    said += [f"{len(warned)} only warned: {_join(warned)}."] if warned else []
    return " ".join(said)


def _banner(verdict: Verdict, artifact: ArtifactEvidence) -> Markup:
    words = element(
        "div",
        element(
            "h1",
            element("span", _WORDS[verdict.answer], class_="answer"),
            element("span", markup(": "), class_="unseen"),
            element("code", artifact.path, class_="path"),
        ),
        element(
            "p", element("strong", _MEANINGS[verdict.answer]), markup(" "), _why(verdict.rules)
        ),
    )
    return element("div", icon(verdict.answer), words, class_=f"banner {verdict.answer.value}")


def _artifact(verdict: Verdict, artifact: ArtifactEvidence) -> Markup:
    digest = (
        "none: not every file could be weighed" if artifact.digest is None else str(artifact.digest)
    )
    kind = artifact.kind.value
    if artifact.kind is ArtifactKind.FOLDER:
        kind += f" of {to_count(artifact.file_count, 'file')}"
    size = f"{to_size(artifact.size_bytes)} ({to_count(artifact.size_bytes, 'byte')})"
    policy: list[Markup] = [code(verdict.policy)]
    if verdict.policy_digest:
        policy.append(element("code", verdict.policy_digest, class_="digest"))
    left_out = ", ".join(artifact.left_out[:MAX_ROWS])
    facts = term_list(
        (
            ("Digest", element("code", digest, class_="digest")),
            ("Kind", kind),
            ("Size", size),
            *((("Not part of it", code(left_out)),) if left_out else ()),
            ("Policy", element("span", *policy, class_="stack")),
        )
    )
    failures = [
        element("li", code(failure.name), markup(" "), failure.reason)
        for failure in artifact.failures[:MAX_ROWS]
    ]
    if not failures:
        return section("Artifact", facts, name="artifact")
    return section(
        "Artifact",
        facts,
        element("h3", "Could not be weighed"),
        element("ul", *failures),
        *more(len(artifact.failures), MAX_ROWS),
        name="artifact",
    )


def _rules(rules: tuple[RuleResult, ...]) -> Markup:
    own = (rule for rule in rules if not is_checklist_rule(rule))
    return section(
        "Rules",
        element("ol", *(_rule(rule, rule.rule) for rule in own), class_="cards"),
        name="rules",
    )


def _checklists(rules: tuple[RuleResult, ...]) -> list[Markup]:
    return [
        section(
            name.capitalize(),
            element("ol", *(_rule(item, name_item(item)) for item in items), class_="cards wide"),
            name=f"checklist-{number}",
            note=count_items(items),
        )
        for number, (name, items) in enumerate(group_checklists(rules).items())
    ]


def _rule(rule: RuleResult, name: str) -> Markup:
    names = element("ul", *(element("li", code(name)) for name in rule.names[:_MAX_NAMES]))
    parts = [element("p", rule_words(rule))]
    if rule.answer is not Answer.PASS:
        parts += [names] if rule.names else []
        parts += more(len(rule.names), _MAX_NAMES)
        if rule.remedy:
            parts.append(
                element("p", element("strong", "Next:"), markup(" "), rule.remedy, class_="remedy")
            )
    return element(
        "li",
        rule_icon(rule),
        element("h3", name, markup(" "), element("span", _rule_word(rule), class_="unseen")),
        element("div", *parts),
        class_=f"rule {rule.answer.value if counts(rule) else 'unknown'}",
    )


def _rule_word(rule: RuleResult) -> str:
    if rule.waiver:
        return "Waived"
    return "Warning" if rule.is_warning else _WORDS[rule.answer]


def _lineage(evidence: Evidence) -> Markup:
    lineage = find_lineage(evidence)
    if lineage is None:
        return markup("")
    from weighbridge.export._trace_html import show_lineage  # noqa: PLC0415 - seldom there

    return show_lineage(lineage)


def _document(document: DocumentCheck | None) -> Markup:
    if document is None:
        return markup("")
    if document.problem:
        where = element("p", code(document.path), markup(" "), document.problem)
        return section("Document kept by hand", where, name="document")
    entries = sorted(document.entries, key=lambda entry: _ENTRY_ORDER[entry.answer])
    rows = [
        element(
            "li",
            icon(entry.answer),
            element(
                "h3", code(entry.place), element("span", _WORDS[entry.answer], class_="unseen")
            ),
            element("div", element("p", entry.message)),
            class_=f"rule {entry.answer.value}",
        )
        for entry in entries[:MAX_ROWS]
    ]
    return section(
        "Document kept by hand",
        element("p", code(document.path), markup(" "), count_entries(document)),
        element("ol", *rows, class_="cards"),
        *more(len(entries), MAX_ROWS),
        name="document",
    )


def _facts(evidence: Evidence) -> Markup:
    return element("div", _signature(evidence.signature), _declared(evidence), class_="pair")


def _signature(signature: SignatureEvidence) -> Markup:
    if not signature.found:
        where = element("p", markup("There is no signature file at "), code(signature.path))
        return section("Signature", where, name="signature")
    facts = term_list(
        (
            ("File", code(signature.path)),
            ("Signed by", ", ".join(signature.signers) or "nobody who is trusted"),
            ("Proof", "; ".join(map(_proof, signature.attributions))),
            ("Problem", signature.problem),
            ("Files", _agreement(signature)),
        )
    )
    if not signature.diff:
        return section("Signature", facts, name="signature")
    told = list(signature.diff.to_lines())
    differences = element("ul", *(element("li", code(line)) for line in told[:MAX_ROWS]))
    return section("Signature", facts, differences, *more(len(told), MAX_ROWS), name="signature")


def _proof(attribution: Attribution) -> str:
    """Say how a signer was known, since when, and what was not verified."""
    words = f"{attribution.method} {attribution.identity}"
    if attribution.issuer:
        words += f", by {attribution.issuer}"
    if attribution.existed_by is not None:
        words += f", signed by {attribution.existed_by:%Y-%m-%d %H:%M:%S} UTC"
    return words + "".join(f"; not verified: {note}" for note in attribution.notes)


def _agreement(signature: SignatureEvidence) -> str:
    if signature.diff is None:
        return "could not be compared with those that it lists"
    if not signature.diff:
        return "are those that it lists"
    return f"differ from those that it lists: {signature.diff.to_words()}"


def _declared(evidence: Evidence) -> Markup:
    license_, card = evidence.license, evidence.card.card
    pairs = [
        ("Licence", license_.expression),
        ("Declared as", license_.declared),
        ("Licence problem", license_.problem),
        ("Card problem", evidence.card.problem),
    ]
    if card is not None:
        pairs += [
            ("Card", card.file),
            ("Licence name", card.license_name),
            ("Licence link", card.license_link),
            ("Made from", ", ".join(card.base_models)),
            ("Datasets", ", ".join(card.datasets)),
            ("Languages", ", ".join(card.languages)),
            ("Library", card.library_name),
            ("Task", card.pipeline_tag),
        ]
    return section(
        "Licence and card", term_list(pairs), name="card", note="as declared, not proven"
    )


def _not_checked(verdict: Verdict) -> Markup:
    if not verdict.not_checked:
        return markup("")
    items = [
        element("li", item.what, markup(" "), element("span", item.why, class_="note"))
        for item in verdict.not_checked
    ]
    return section(
        "Not checked",
        element("ul", *items),
        name="unchecked",
        note="this verdict says nothing about these",
    )
