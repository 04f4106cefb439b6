from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.policy.policy_cases import (
    AT,
    FILES,
    SAME,
    STRICT,
    by,
    good_evidence,
    make_finding,
    make_resource,
    make_row,
    with_findings,
)
from weighbridge.core import (
    Answer,
    ArtifactKind,
    Attribution,
    Card,
    CardEvidence,
    CoverageStatus,
    Evidence,
    Finding,
    LicenseEvidence,
    ManifestDiff,
    ReadFailure,
    ReadFailureKind,
    RuleResult,
    ScanReport,
    Severity,
    SignatureEvidence,
)
from weighbridge.errors import InputError
from weighbridge.policy import LicensesRule, Policy, ScanRule, built_in_policy, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

# The same examples everywhere; no deadline, because the first one loads slow packages.
LAW = settings(deadline=None, derandomize=True)

PASS, FAIL, UNKNOWN = Answer.PASS, Answer.FAIL, Answer.UNKNOWN


def judge(rule: str, evidence: Evidence, policy: Policy = STRICT) -> RuleResult:
    verdict = evaluate(policy, evidence, at=AT)
    return next(result for result in verdict.rules if result.rule == rule)


def unsigned(evidence: Evidence) -> Evidence:
    return replace(evidence, signature=SignatureEvidence("model/model.sig", found=False))


def with_failures(*failures: ReadFailure) -> Evidence:
    good = good_evidence()
    artifact = replace(good.artifact, digest=None, failures=failures)
    return replace(good, artifact=artifact, signature=replace(good.signature, diff=None))


def with_signature(**changes: object) -> Evidence:
    good = good_evidence()
    return replace(good, signature=replace(good.signature, **changes))


def with_card(card: CardEvidence) -> Evidence:
    return replace(good_evidence(), card=card)


def with_license(license_: LicenseEvidence) -> Evidence:
    return replace(good_evidence(), license=license_)


def test_a_pass_says_how_the_signer_was_known() -> None:
    proof = Attribution("release", "certificate", "a\x1b@example.com", "CN=Root", AT)
    verdict = evaluate(STRICT, with_signature(attributions=(proof,)), at=AT)
    assert verdict.rules[1].reason == (
        "release signed exactly these files "
        "(certificate of a\\x1b@example.com, by CN=Root, before 2026-01-02 03:04:05 UTC)"
    )


def test_good_evidence_passes_every_rule() -> None:
    verdict = evaluate(STRICT, good_evidence(), at=AT)
    assert verdict.answer is PASS
    assert [(r.rule, r.answer, r.reason) for r in verdict.rules] == [
        (
            "integrity",
            PASS,
            "3 files, 87.4 MiB; they are the files that model.sig lists",
        ),
        ("signature", PASS, "release signed exactly these files"),
        ("scan", PASS, "Nothing dangerous in 3 files"),
        ("licenses", PASS, "Apache-2.0 is declared, and allowed"),
        ("card", PASS, "README.md has what Hugging Face asks for"),
    ]
    assert (verdict.policy, verdict.policy_digest) == (STRICT.name, STRICT.digest)


def test_time_is_kept_in_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=2)))
    verdict = evaluate(STRICT, good_evidence(), at=local)
    assert verdict.at == AT
    assert verdict.at.tzinfo is UTC


def test_naive_time_is_refused() -> None:
    with pytest.raises(InputError, match="time zone"):
        evaluate(STRICT, good_evidence(), at=datetime(2026, 1, 2))  # noqa: DTZ001 - the point


def test_integrity_without_signature_says_that_nothing_was_compared() -> None:
    result = judge("integrity", unsigned(good_evidence()))
    assert result.answer is PASS
    assert result.reason == "3 files, 87.4 MiB; there is no signature file to compare with"


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (ReadFailureKind.REFUSED, FAIL),
        (ReadFailureKind.CHANGED, FAIL),
        (ReadFailureKind.UNREADABLE, UNKNOWN),
    ],
)
def test_integrity_judges_what_could_not_be_hashed(kind: ReadFailureKind, answer: Answer) -> None:
    result = judge("integrity", with_failures(ReadFailure("w.bin", kind, "is odd")))
    assert (result.answer, result.names) == (answer, ("w.bin",))
    assert result.reason == "w.bin is odd"


def test_integrity_names_what_failed_before_what_is_only_unreadable() -> None:
    result = judge(
        "integrity",
        with_failures(
            ReadFailure("a", ReadFailureKind.UNREADABLE, "is unreadable"),
            ReadFailure("z", ReadFailureKind.REFUSED, "is a symbolic link"),
        ),
    )
    assert result.answer is FAIL
    assert result.names == ("z", "a")
    assert result.reason == "z is a symbolic link (and 1 more)"


def test_integrity_without_digest_is_unknown() -> None:
    good = good_evidence()
    result = judge("integrity", replace(good, artifact=replace(good.artifact, digest=None)))
    assert result.answer is UNKNOWN


DIFF = ManifestDiff(
    changed=((make_resource("w.bin", size_bytes=12), make_resource("w.bin", size_bytes=13)),),
    missing=(make_resource("b"),),
    extra=(make_resource("a"),),
    renamed=((make_resource("old"), make_resource("new")),),
)


def test_integrity_names_changed_files_first() -> None:
    result = judge("integrity", with_signature(diff=DIFF))
    assert result.answer is FAIL
    assert result.names == ("w.bin", "old", "new", "b", "a")
    assert "changed: w.bin (12 bytes expected, 13 found) (and 3 more)" in result.reason


def test_signature_file_that_cannot_be_compared_is_unknown_integrity() -> None:
    evidence = with_signature(diff=None, attributions=(), problem="model.sig is not JSON")
    result = judge("integrity", evidence, built_in_policy())
    assert result.answer is UNKNOWN
    assert "model.sig is not JSON" in result.reason


@pytest.mark.parametrize(
    ("changes", "answer", "words"),
    [
        ({"found": False, "attributions": (), "diff": None}, FAIL, "no signature file"),
        ({"problem": "model.sig is not JSON", "diff": None}, FAIL, "is not JSON"),
        ({"problem": "no key fits", "attributions": ()}, FAIL, "no key fits"),
        ({"attributions": ()}, FAIL, "No trusted key"),
        ({"attributions": by("other")}, FAIL, "signed by other; the policy asks for release"),
        ({"diff": DIFF}, FAIL, "vouches only for what it lists"),
        ({"diff": None}, UNKNOWN, "could not be compared"),
        ({"attributions": by("other", "release")}, PASS, "release signed"),
    ],
)
def test_signature_rule(changes: dict[str, object], answer: Answer, words: str) -> None:
    result = judge("signature", with_signature(**changes))
    assert result.answer is answer
    assert words in result.reason


def test_files_other_than_signed_fail_both_rules() -> None:
    evidence = with_signature(diff=DIFF)
    assert judge("integrity", evidence).answer is FAIL
    assert judge("signature", evidence).answer is FAIL


def test_scan_names_the_worst_finding_and_counts_the_others() -> None:
    evidence = with_findings(
        good_evidence(),
        make_finding("b.pkl", severity=Severity.HIGH, message="would read a file."),
        make_finding("z.pkl", message="would call os.system('id')."),
        make_finding("a.bin", severity=Severity.LOW),
    )
    result = judge("scan", evidence)
    assert result.answer is FAIL
    assert result.reason == "z.pkl@17: would call os.system('id') (and 1 more)"
    assert result.names == ("z.pkl", "b.pkl")


def test_scan_that_knows_no_more_is_unknown() -> None:
    finding = make_finding("m.pkl", answer=UNKNOWN, severity=Severity.MEDIUM, message="names x.Y")
    result = judge("scan", with_findings(good_evidence(), finding))
    assert result.answer is UNKNOWN
    assert result.reason == "m.pkl@17: names x.Y"
    assert "require.scan.allow" in result.remedy


def test_milder_findings_are_counted_in_a_pass() -> None:
    mild = make_finding("m.pkl", severity=Severity.LOW)
    result = judge("scan", with_findings(good_evidence(), mild))
    assert result.answer is PASS
    assert result.reason == "Nothing dangerous in 3 files; 1 finding below medium"


def with_unexamined() -> Evidence:
    good = good_evidence()
    row = make_row("model.onnx", CoverageStatus.NOT_EXAMINED, "ONNX is not examined yet")
    return replace(
        good,
        artifact=replace(good.artifact, file_count=4),
        scan=replace(good.scan, coverage=(*good.scan.coverage, row)),
    )


def test_what_was_not_examined_makes_a_complete_scan_unknown() -> None:
    result = judge("scan", with_unexamined())
    assert (result.answer, result.names) == (UNKNOWN, ("model.onnx",))
    assert "1 file not examined in full: model.onnx (ONNX is not examined yet)" in result.reason


def test_what_was_not_examined_is_listed_when_the_policy_accepts_it() -> None:
    policy = replace(STRICT, scan=ScanRule(fail_on=Severity.MEDIUM, complete=False))
    result = judge("scan", with_unexamined(), policy)
    assert (result.answer, result.names) == (PASS, ("model.onnx",))
    assert "model.onnx" in result.reason


@pytest.mark.parametrize("complete", [True, False])
def test_scan_that_lost_a_file_is_unknown(complete: bool) -> None:  # noqa: FBT001 - a parameter
    good = good_evidence()
    evidence = replace(good, scan=replace(good.scan, coverage=good.scan.coverage[1:]))
    policy = replace(STRICT, scan=ScanRule(fail_on=Severity.MEDIUM, complete=complete))
    result = judge("scan", evidence, policy)
    assert result.answer is UNKNOWN
    assert "1 file" in result.reason


def test_rows_out_of_scope_or_of_failures_do_not_stand_for_hashed_files() -> None:
    good = good_evidence()
    rows = (
        make_row(FILES[0]),
        make_row(".git", CoverageStatus.OUT_OF_SCOPE),
        make_row("link", CoverageStatus.NOT_EXAMINED),
    )
    failure = ReadFailure("link", ReadFailureKind.REFUSED, "is a link")
    evidence = replace(
        good,
        artifact=replace(good.artifact, failures=(failure,)),
        scan=ScanReport("engine 1", (), rows),
    )
    policy = replace(STRICT, scan=ScanRule(fail_on=Severity.MEDIUM, complete=False))
    assert "2 files" in judge("scan", evidence, policy).reason


@pytest.mark.parametrize(
    ("license_", "answer", "words"),
    [
        (LicenseEvidence("mit", "MIT"), PASS, "MIT is declared"),
        (LicenseEvidence("x", "MIT OR GPL-3.0-only"), PASS, "declared, and allowed"),
        (LicenseEvidence("x", "MIT AND GPL-3.0-only"), FAIL, "policy allows Apache-2.0, MIT"),
        (LicenseEvidence("gpl-3.0", "GPL-3.0-only"), FAIL, "GPL-3.0-only is declared"),
        (LicenseEvidence(problem="README.md declares no licence"), UNKNOWN, "no licence"),
        (LicenseEvidence("zz", problem="README.md: 'zz' is no licence id"), UNKNOWN, "'zz'"),
        (LicenseEvidence("x", "MIT OR"), UNKNOWN, "cannot be read"),
        (LicenseEvidence(), UNKNOWN, "No licence is declared"),
    ],
)
def test_licenses_rule(license_: LicenseEvidence, answer: Answer, words: str) -> None:
    result = judge("licenses", with_license(license_))
    assert result.answer is answer
    assert words in result.reason


def test_built_in_policy_accepts_any_licence_that_can_be_told() -> None:
    evidence = with_license(LicenseEvidence("gpl-3.0", "GPL-3.0-only"))
    assert judge("licenses", evidence, built_in_policy()).answer is PASS


@pytest.mark.parametrize(
    ("card", "strict", "built_in", "words"),
    [
        (CardEvidence(None, "there is no README.md"), FAIL, UNKNOWN, "There is no README.md"),
        (CardEvidence(None, "README.md: line 2: not YAML", malformed=True), FAIL, FAIL, "line 2"),
        (CardEvidence(Card("README.md", has_body=True)), FAIL, PASS, "lacks a licence"),
        (CardEvidence(Card("README.md", licenses=("mit",))), FAIL, PASS, "lacks a description"),
        (
            CardEvidence(Card("README.md", licenses=("unknown",), has_body=True)),
            FAIL,
            PASS,
            "lacks a licence",
        ),
        (
            CardEvidence(Card("README.md", licenses=("other",), has_body=True)),
            FAIL,
            PASS,
            "lacks license_name and license_link",
        ),
        (
            CardEvidence(Card("README.md", ("other",), "mine", "https://x", has_body=True)),
            PASS,
            PASS,
            "has what Hugging Face asks for",
        ),
    ],
)
def test_card_rule(card: CardEvidence, strict: Answer, built_in: Answer, words: str) -> None:
    result = judge("card", with_card(card))
    assert result.answer is strict
    assert words in result.reason
    assert judge("card", with_card(card), built_in_policy()).answer is built_in


def test_single_file_says_why_it_has_no_card() -> None:
    good = good_evidence()
    evidence = replace(
        good,
        artifact=replace(good.artifact, kind=ArtifactKind.FILE),
        card=CardEvidence(None, "a single file carries no model card"),
        license=LicenseEvidence(problem="a single file carries no model card"),
    )
    for rule in ("card", "licenses"):
        result = judge(rule, evidence, built_in_policy())
        assert result.answer is UNKNOWN
        assert "single file has no place for a model card" in result.reason


def test_names_of_the_artifact_cannot_write_on_the_terminal() -> None:
    bad = "\x1b[2J\u202e\udcff"
    evidence = Evidence(
        artifact=replace(
            good_evidence().artifact,
            digest=None,
            failures=(ReadFailure(bad, ReadFailureKind.REFUSED, f"is a link to {bad}"),),
        ),
        signature=SignatureEvidence(
            bad, found=True, problem=bad, attributions=by("release"), diff=None
        ),
        scan=ScanReport(
            "engine",
            (make_finding(bad, message=bad),),
            (make_row(bad, CoverageStatus.NOT_EXAMINED, bad),),
        ),
        card=CardEvidence(Card(bad, licenses=(bad,))),
        license=LicenseEvidence(declared=bad, expression=bad, problem=bad),
    )
    for shown in (
        evidence,
        with_findings(evidence),
        replace(evidence, card=CardEvidence(None, bad)),
    ):
        for policy in (STRICT, built_in_policy()):
            for result in evaluate(policy, shown, at=AT).rules:
                text = result.reason + result.remedy
                assert text.isprintable(), result
                text.encode("utf-8")


def test_without_policy_the_verdict_says_what_it_did_not_check() -> None:
    verdict = evaluate(built_in_policy(), good_evidence(), at=AT)
    assert [r.rule for r in verdict.rules] == ["integrity", "scan", "licenses", "card"]
    what = [item.what for item in verdict.not_checked]
    assert what[0] == "who signed it"
    for word in ("provenance", "lineage", "review", "evaluation", "reproduction"):
        assert any(word in item for item in what)
    assert (verdict.policy, verdict.policy_digest) == ("built-in", "")


def test_with_policy_the_verdict_lists_what_is_not_required() -> None:
    policy = replace(STRICT, signature=None, card=None)
    verdict = evaluate(policy, good_evidence(), at=AT)
    listed = {item.what: item.why for item in verdict.not_checked}
    assert listed["who signed it"] == "the policy does not require it"
    assert "whether it has a model card" in listed
    assert "whether it holds dangerous content" not in listed


# Laws.

RULES = ("signature", "scan", "licenses", "card")


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    dropped = draw(st.sets(st.sampled_from(RULES), max_size=3))
    policy = replace(STRICT, **dict.fromkeys(dropped))
    if policy.scan and draw(st.booleans()):
        fail_on = draw(st.sampled_from(list(Severity)))
        policy = replace(policy, scan=ScanRule(fail_on=fail_on, complete=draw(st.booleans())))
    if policy.licenses and draw(st.booleans()):
        policy = replace(policy, licenses=LicensesRule(allow=None))
    return policy


def findings() -> st.SearchStrategy[list[Finding]]:
    return st.lists(
        st.builds(
            make_finding,
            st.sampled_from(("a.pkl", "b.pkl", *FILES)),
            answer=st.sampled_from(list(Answer)),
            severity=st.sampled_from(list(Severity)),
            message=st.sampled_from(("would call f", "names g")),
        ),
        max_size=5,
    )


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    evidence = with_findings(good_evidence(), *draw(findings()))
    statuses = draw(st.lists(st.sampled_from(list(CoverageStatus)), min_size=3, max_size=3))
    rows = tuple(make_row(f, s, "because") for f, s in zip(FILES, statuses, strict=True))
    signers = draw(st.sampled_from(((), ("release",), ("other",), ("other", "release"))))
    diff = draw(st.sampled_from((SAME, DIFF, None)))
    license_ = draw(
        st.sampled_from(
            (
                LicenseEvidence(problem="none"),
                LicenseEvidence("mit", "MIT"),
                LicenseEvidence("gpl-3.0", "GPL-3.0-only"),
            )
        )
    )
    return replace(
        evidence,
        scan=replace(evidence.scan, coverage=rows),
        signature=replace(evidence.signature, attributions=by(*signers), diff=diff),
        license=license_,
    )


def drop_signature_part(evidence: Evidence, **changes: object) -> Evidence:
    return replace(evidence, signature=replace(evidence.signature, **changes))


def drop_rows(evidence: Evidence, kept: slice) -> Evidence:
    return replace(evidence, scan=replace(evidence.scan, coverage=evidence.scan.coverage[kept]))


REMOVALS: dict[str, Callable[[Evidence], Evidence]] = {
    "signers": lambda e: drop_signature_part(e, attributions=()),
    "diff": lambda e: drop_signature_part(e, diff=None),
    "signature": unsigned,
    "digest": lambda e: replace(e, artifact=replace(e.artifact, digest=None)),
    "coverage": lambda e: drop_rows(e, slice(0)),
    "row": lambda e: drop_rows(e, slice(1, None)),
    "card": lambda e: replace(e, card=CardEvidence(None, "there is no README.md")),
    "body": lambda e: replace(e, card=CardEvidence(Card("README.md", ("mit",)))),
    "license": lambda e: replace(e, license=LicenseEvidence(problem="none")),
}


@LAW
@given(policies(), evidences(), st.sampled_from(sorted(REMOVALS)))
def test_removing_evidence_never_makes_a_pass(
    policy: Policy, evidence: Evidence, part: str
) -> None:
    if part == "signature" and policy.signature is None:
        return  # Nobody asked for it, so that its absence is not a fault; see docs/policy.md.
    before = evaluate(policy, evidence, at=AT).answer
    after = evaluate(policy, REMOVALS[part](evidence), at=AT).answer
    assert after is not PASS or before is PASS


@LAW
@given(policies(), evidences(), findings())
def test_adding_findings_never_makes_a_pass(
    policy: Policy, evidence: Evidence, more: list[Finding]
) -> None:
    before = evaluate(policy, evidence, at=AT).answer
    after = evaluate(policy, with_findings(evidence, *more), at=AT).answer
    assert after is not PASS or before is PASS


@LAW
@given(policies(), evidences(), st.randoms(use_true_random=False))
def test_order_of_findings_and_rows_does_not_matter(
    policy: Policy, evidence: Evidence, random: Random
) -> None:
    shuffled_findings, shuffled_rows = list(evidence.scan.findings), list(evidence.scan.coverage)
    random.shuffle(shuffled_findings)
    random.shuffle(shuffled_rows)
    scan = ScanReport("engine 1", tuple(shuffled_findings), tuple(shuffled_rows))
    expected = evaluate(policy, evidence, at=AT)
    assert evaluate(policy, replace(evidence, scan=scan), at=AT) == expected


@LAW
@given(policies(), evidences())
def test_every_rule_is_answered_once_with_reason_and_remedy(
    policy: Policy, evidence: Evidence
) -> None:
    verdict = evaluate(policy, evidence, at=AT)
    asked = [name for name in RULES if getattr(policy, name) is not None]
    assert [result.rule for result in verdict.rules] == ["integrity", *asked]
    for result in verdict.rules:
        assert result.reason
        assert bool(result.remedy) is (result.answer is not PASS)
    answers = [result.answer for result in verdict.rules]
    expected = FAIL if FAIL in answers else UNKNOWN if UNKNOWN in answers else PASS
    assert verdict.answer is expected
