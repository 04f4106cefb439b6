"""SARIF agrees with the schema and with the sentences of the standard."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from jsonschema import Draft4Validator, FormatChecker

from unit.export import samples
from weighbridge.core import Answer, CoverageStatus, Severity
from weighbridge.core import to_json as dump
from weighbridge.export import CheckReport, to_sarif

SCHEMA = json.loads(Path(__file__).with_name("sarif-2.1.0-rtm.4.json").read_text(encoding="utf-8"))
REPORTS = {
    **{name: make() for name, make in samples.ALL.items()},
    **{name[:12]: samples.hostile(name) for name in samples.HOSTILE_NAMES},
}


def _run(report: CheckReport) -> Any:
    document: Any = to_sarif(report)
    (run,) = document["runs"]
    return run


@pytest.mark.parametrize("name", REPORTS)
def test_the_log_agrees_with_the_schema_and_can_be_written(name: str) -> None:
    document = to_sarif(REPORTS[name])
    validator = Draft4Validator(SCHEMA, format_checker=FormatChecker())
    assert [error.message for error in validator.iter_errors(document)] == []
    dump(document).encode()


@pytest.mark.parametrize("name", REPORTS)
def test_results_point_at_their_rules(name: str) -> None:
    run = _run(REPORTS[name])
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        # Section 3.27.10: "If kind has any value other than "fail", [...] level [...] "none"."
        assert (result["kind"] == "fail") == (result["level"] != "none")
        assert result["locations"]


def test_findings_come_with_level_kind_and_place() -> None:
    results = _run(samples.failing())["results"]
    joblib, pickle, member, tensors = results[:4]
    assert (pickle["ruleId"], pickle["kind"], pickle["level"]) == ("WB-PKL-001", "fail", "error")
    assert pickle["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "evil.pkl", "uriBaseId": "ARTIFACT"},
                "region": {"byteOffset": 17},
            }
        }
    ]
    assert "posix.system(" in pickle["message"]["text"]
    assert (joblib["kind"], joblib["level"]) == ("review", "none")
    assert "region" not in tensors["locations"][0]["physicalLocation"]
    # The offset counts inside the member, so it is not a region of the file on disk.
    (place,) = member["locations"]
    assert "region" not in place["physicalLocation"]
    assert (
        place["logicalLocations"][0]["fullyQualifiedName"] == "pytorch_model.bin!archive/data.pkl"
    )
    assert place["properties"] == {"memberOffsetBytes": 2048}


def test_rules_that_do_not_pass_are_results() -> None:
    kinds = {r["ruleId"]: r["kind"] for r in _run(samples.failing())["results"]}
    gates = {key: kind for key, kind in kinds.items() if key.startswith("WB-GATE-")}
    assert gates == {
        "WB-GATE-integrity": "fail",
        "WB-GATE-signature": "fail",
        "WB-GATE-scan": "fail",
        "WB-GATE-licenses": "open",
    }


def test_a_rule_without_files_points_at_the_artifact() -> None:
    result = _run(samples.unknown())["results"][-1]
    assert result["ruleId"] == "WB-GATE-card"
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "model.onnx", "uriBaseId": "ARTIFACT"}


def test_what_was_not_examined_is_a_notification() -> None:
    (invocation,) = _run(samples.failing())["invocations"]
    assert invocation["executionSuccessful"] is False
    ids = [note["descriptor"]["id"] for note in invocation["toolExecutionNotifications"]]
    rows = samples.failing().evidence.scan.coverage
    missed = [row for row in rows if row.status is CoverageStatus.NOT_EXAMINED]
    assert ids == ["WB-READ"] + ["WB-NOT-EXAMINED"] * len(missed)
    assert _run(samples.passing())["invocations"][0]["executionSuccessful"] is True


@pytest.mark.parametrize("name", samples.HOSTILE_NAMES)
def test_paths_are_relative_and_percent_encoded(name: str) -> None:
    uri = _run(samples.hostile(name))["results"][0]["locations"][0]["physicalLocation"][
        "artifactLocation"
    ]["uri"]
    parts = urlsplit(uri)
    assert uri.isascii()
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    if "\ud800" not in name:
        assert unquote(uri, errors="surrogateescape") == name


def test_a_path_cannot_become_another_host() -> None:
    location = _run(samples.hostile("//example.com/x"))["results"][0]["locations"][0]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert urlsplit(uri).netloc == ""


def test_messages_hold_neither_placeholders_nor_links() -> None:
    text = _run(samples.hostile("{0}[click](https://example.com/)"))["results"][0]["message"][
        "text"
    ]
    # Section 3.11.5: braces "SHALL be represented by the character sequences "{{" and "}}"".
    assert "{{0}}" in text
    assert "](" not in text


def test_a_long_detail_and_a_long_list_of_files_are_cut_and_counted() -> None:
    report = samples.failing()
    finding = replace(samples.BAD_FINDINGS[0], detail="line\n" * 100)
    rule = replace(report.verdict.rules[0], names=tuple(f"f{index}" for index in range(250)))
    report = replace(
        report,
        verdict=replace(report.verdict, rules=(rule,)),
        evidence=replace(report.evidence, scan=replace(report.evidence.scan, findings=(finding,))),
    )
    found, broken = _run(report)["results"]
    assert found["message"]["text"].endswith("line\n… 61 more lines")
    assert len(broken["locations"]) == 100
    assert broken["message"]["text"].endswith("(150 more files)")


def _fingerprints(report: CheckReport) -> list[str]:
    results = _run(report)["results"]
    return [result["partialFingerprints"]["weighbridge/v1"] for result in results]


def test_fingerprints_survive_a_shift_and_tell_repeated_findings_apart() -> None:
    report = samples.failing()
    twice = samples.BAD_FINDINGS[1:2] * 2
    shifted = tuple(replace(one, location=replace(one.location, offset=99)) for one in twice)
    prints, later = (
        _fingerprints(
            replace(
                report,
                evidence=replace(
                    report.evidence, scan=replace(report.evidence.scan, findings=findings)
                ),
            )
        )
        for findings in (twice, shifted)
    )
    assert len(set(prints)) == len(prints)
    assert prints == later


def test_rules_carry_what_code_scanning_services_ask_for() -> None:
    run = _run(samples.failing())
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert list(rules)[:3] == ["WB-PKL-020", "WB-PKL-001", "WB-STN-003"]
    assert rules["WB-PKL-001"]["properties"]["security-severity"] == "9.5"
    assert rules["WB-PKL-001"]["helpUri"] == "https://weighbridge.dev/rules/WB-PKL-001"
    assert "security-severity" not in rules["WB-GATE-licenses"]["properties"]
    assert rules["WB-GATE-licenses"]["helpUri"].endswith("/docs/policy#wb-gate-licenses")
    notices = [notice["id"] for notice in run["tool"]["driver"]["notifications"]]
    for note in run["invocations"][0]["toolExecutionNotifications"]:
        assert notices[note["descriptor"]["index"]] == note["descriptor"]["id"]


def test_worse_findings_rank_higher() -> None:
    from weighbridge.export._sarif_parts import _RANKS  # noqa: PLC0415

    ranks = [_RANKS[severity] for severity in Severity]
    assert ranks == sorted(ranks)


def test_a_warning_is_a_warning_and_a_waiver_a_suppression() -> None:
    results = {one["ruleId"]: one for one in _run(samples.traced())["results"]}
    review = results["WB-GATE-review"]
    assert (review["kind"], review["level"]) == ("fail", "warning")
    assert "WB-GATE-formats" not in results
    (suppressed,) = results["WB-GATE-evaluation"]["suppressions"]
    assert suppressed["kind"] == "external"
    assert "old split" in suppressed["justification"]
    assert "suppressions" not in review


def test_what_is_wrong_in_the_lineage_is_for_review_and_the_rules_decide() -> None:
    run = _run(samples.broken())
    told = [one for one in run["results"] if one["ruleId"].startswith("WB-LINEAGE-")]
    assert {one["kind"] for one in told} == {"review"}
    assert {one["ruleId"] for one in told} >= {"WB-LINEAGE-CYCLE", "WB-LINEAGE-DENIED"}
    assert run["properties"]["lineage"]["level"] == 0
    assert run["properties"]["lineage"]["answer"] == "fail"
    assert _run(samples.passing())["properties"]["lineage"] is None


def test_a_document_that_is_not_so_fails_and_what_cannot_be_told_is_open() -> None:
    told = [o for o in _run(samples.traced())["results"] if o["ruleId"] == "WB-DOCUMENT"]
    assert [(one["kind"], one["level"]) for one in told] == [("fail", "error"), ("open", "none")]
    (unread,) = [o for o in _run(samples.broken())["results"] if o["ruleId"] == "WB-DOCUMENT"]
    assert unread["kind"] == "open"


def test_more_results_than_services_take_leave_out_the_mildest() -> None:
    report = samples.failing()
    scan = report.evidence.scan
    mild = replace(scan.findings[0], answer=Answer.UNKNOWN, severity=Severity.LOW)
    bad = replace(scan.findings[0], answer=Answer.FAIL, severity=Severity.MEDIUM)
    scan = replace(scan, findings=(*[mild] * 25_000, *[bad] * 10))
    run = _run(replace(report, evidence=replace(report.evidence, scan=scan)))
    results = run["results"]
    assert len(results) == 25_000
    assert sum(result["kind"] == "fail" and "rank" in result for result in results) == 10
    told = run["invocations"][0]["toolExecutionNotifications"][-1]
    notifications = run["tool"]["driver"]["notifications"]
    assert notifications[told["descriptor"]["index"]]["id"] == told["descriptor"]["id"]
    assert told["descriptor"]["id"] == "WB-MORE-RESULTS"
