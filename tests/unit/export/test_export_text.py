"""The terminal report: a person reads it, and no artifact can act through it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.export import lineages, samples
from weighbridge.core import Answer, Coverage, CoverageStatus, Location, RuleResult, ScanReport
from weighbridge.export import CheckReport, scan_to_text, to_text
from weighbridge.export._wrap import count_cells, shorten, wrap

_SGR = re.compile(r"\x1b\[[0-9;]*m")


def _plain(report: CheckReport, *, width: int = 100) -> str:
    return to_text(report, width=width, colour=False)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("pass", "✔ PASS  models/all-MiniLM-L6-v2  sha256:3f2a9c0d3f2a, 87.4 MiB, 7 files"),
        ("fail", "✖ FAIL  models/all-MiniLM-L6-v2  no digest, 173 MiB, 12 files"),
        ("unknown", "? UNKNOWN  model.onnx  sha256:3f2a9c0d3f2a, 4.0 KiB, 1 file"),
    ],
)
def test_the_first_line_is_the_answer_and_the_artifact(name: str, first: str) -> None:
    assert _plain(samples.EVERY[name]()).splitlines()[0] == first


@pytest.mark.parametrize("name", samples.EVERY)
def test_every_rule_has_a_line_with_its_symbol_and_the_reasons_are_aligned(name: str) -> None:
    report = samples.EVERY[name]()
    lines = _plain(report, width=200).splitlines()
    columns = set()
    for rule in report.verdict.rules:
        symbol = {"pass": "✔", "fail": "✖", "unknown": "?"}[rule.answer]
        (line,) = [text for text in lines if text.startswith(f"  {symbol} {rule.rule} ")]
        assert line.endswith(rule.reason)
        columns.add(line.index(rule.reason))
    assert len(columns) == 1


def test_a_rule_that_does_not_pass_names_its_files_and_what_to_do() -> None:
    lines = [line.strip() for line in _plain(samples.failing()).splitlines()]
    for rule in samples.failing().verdict.rules:
        for name in rule.names:
            assert name in lines
        if rule.remedy:
            assert f"→ {rule.remedy}" in lines


def test_a_rule_with_many_files_names_some_and_counts_the_rest() -> None:
    report = samples.failing()
    names = tuple(f"part-{index}.bin" for index in range(1_000))
    rule = RuleResult("integrity", Answer.FAIL, "Many files changed.", names, "Fetch them again.")
    text = _plain(replace(report, verdict=replace(report.verdict, rules=(rule,))))
    assert "part-4.bin" in text
    assert "part-5.bin" not in text
    assert "and 995 more" in text


def test_the_worst_finding_comes_first_with_its_detail() -> None:
    text = _plain(samples.failing())
    places = [
        text.index(words)
        for words in (
            "critical  evil.pkl@17  WB-PKL-001",
            "critical  pytorch_model.bin!archive/data.pkl@2048",
            "high      model.safetensors",
            "medium    embeddings.joblib@412",
        )
    ]
    assert places == sorted(places)
    assert "posix.system(" in text


def test_many_findings_are_cut_and_counted() -> None:
    report = samples.failing()
    scan = replace(report.evidence.scan, findings=samples.BAD_FINDINGS * 100)
    text = _plain(replace(report, evidence=replace(report.evidence, scan=scan)))
    assert text.count("WB-") == 10
    assert "390 more; --json lists them all" in text
    told = scan_to_text(scan, width=80, colour=False)
    assert told.count("WB-") == 4
    assert " ".join(told.split()).count("The same in 99 other places: ") == 4


def test_notes_are_counted_and_do_not_crowd_the_gate() -> None:
    report = samples.passing()
    assert "1 note" in _plain(report)
    assert "WB-STN-010" not in _plain(report)
    assert "WB-STN-010" in scan_to_text(report.evidence.scan, width=80, colour=False)


def test_coverage_counts_each_file_once_and_lists_what_was_not_examined() -> None:
    text = _plain(samples.failing())
    assert (
        "Coverage  12 files: 4 examined, 6 inert, 2 not examined; 1 out of scope\n"
        "  ? huge.zip!inner/bomb.bin: expands to more than 16 GiB\n"
        "  ? notes.xyz: no engine knows this format\n"
    ) in text


def test_what_was_not_checked_and_the_policy_are_said() -> None:
    text = _plain(samples.passing())
    assert "Not checked: provenance, lineage, review." in text
    assert "Policy: weighbridge.toml. 2026-11-21T09:30:00Z, Weighbridge 0.1.0." in text


@pytest.mark.parametrize("name", samples.ALL)
@pytest.mark.parametrize("width", [40, 57, 80, 132])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_asked(name: str, width: int, unicode: bool) -> None:  # noqa: FBT001
    report = samples.ALL[name]()
    for text in (
        to_text(report, width=width, colour=False, unicode=unicode),
        scan_to_text(report.evidence.scan, width=width, colour=False, unicode=unicode),
    ):
        assert max(count_cells(line) for line in text.splitlines()) <= width
        assert unicode or text.isascii()


@pytest.mark.parametrize("name", samples.ALL)
def test_colour_only_adds_colour(name: str) -> None:
    report = samples.ALL[name]()
    painted = to_text(report, width=80, colour=True)
    assert "\x1b[" in painted
    assert _SGR.sub("", painted) == to_text(report, width=80, colour=False)
    scan = report.evidence.scan
    painted = scan_to_text(scan, width=80, colour=True)
    assert _SGR.sub("", painted) == scan_to_text(scan, width=80, colour=False)


@pytest.mark.parametrize("name", samples.HOSTILE_NAMES)
def test_names_from_the_artifact_cannot_act_on_the_terminal(name: str) -> None:
    report = samples.hostile(name)
    for text in (
        to_text(report, width=80, colour=False),
        scan_to_text(report.evidence.scan, width=80, colour=False),
    ):
        assert text.replace("\n", "").isprintable()
        assert "\u202e" not in text
        text.encode()
        lines = text.splitlines()
        assert max(count_cells(line) for line in lines) <= 80
        assert len(lines) < 600


def test_a_scan_says_what_it_comes_to_and_takes_a_stricter_or_milder_answer() -> None:
    scan = samples.failing().evidence.scan
    text = scan_to_text(scan, width=80, colour=False)
    assert text.startswith("✖ FAIL  malicious: 3 dangerous or malformed, 1 unknown\n")
    assert "pickle 2 - - -" in re.sub(r" +", " ", text)
    assert f"Engine: {samples.ENGINE}. Policy: built-in." in text
    assert text.splitlines()[-2].startswith("✖ FAIL  malicious. Do not load it.")
    milder = scan_to_text(scan, width=80, colour=False, answer=Answer.UNKNOWN)
    assert milder.startswith("? UNKNOWN")


def test_a_scan_of_what_was_not_examined_does_not_pass() -> None:
    rows = (Coverage(Location("a.onnx"), CoverageStatus.NOT_EXAMINED, "onnx", "no engine"),)
    text = scan_to_text(ScanReport("e", (), rows), width=80, colour=False)
    assert text.startswith("? UNKNOWN  unknown: no findings")
    assert "? a.onnx: no engine" in text


def test_a_scan_of_nothing_at_all_is_written_too() -> None:
    assert "0 files" in scan_to_text(ScanReport("e", (), ()), width=80, colour=False)


@given(st.text(max_size=200), st.integers(min_value=2, max_value=60))
def test_wrapping_keeps_every_word_and_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(count_cells(line) <= width for line in lines)


@given(st.text(max_size=200), st.integers(min_value=0, max_value=60))
def test_shortening_keeps_the_width_and_leaves_short_text_alone(text: str, width: int) -> None:
    short = shorten(text, width, mark="…")
    assert count_cells(short) <= width
    assert short == text or count_cells(text) > width


def test_wide_and_combining_characters_are_counted_as_the_terminal_shows_them() -> None:
    assert count_cells("名前.bin") == 8
    assert count_cells("e\u0301") == 1
    assert wrap("名前名前", 4) == ["名前", "名前"]
    assert wrap("名", 1) == ["名"]


def test_a_warning_and_a_waiver_never_have_the_mark_of_a_pass() -> None:
    lines = _plain(samples.traced(), width=120).splitlines()
    marks = {line.split()[1]: line.split()[0] for line in lines if line[2:3] in set("✔✖?!~-")}
    assert {name: marks[name] for name in ("provenance", "review", "formats", "evaluation")} == {
        "provenance": "✔",
        "review": "!",
        "formats": "-",
        "evaluation": "~",
    }
    text = "\n".join(lines)
    assert "Only warns (fail): Only one of two reviewers has approved it." in text
    assert "Waived: allowed until 2026-12-31: measured on the old split. Without that: The" in text


def test_the_lineage_is_told_in_short_with_its_weakest_path() -> None:
    text = _plain(samples.traced())
    assert "Lineage  The whole chain has SLSA Build level 1, inputs declared. 8 artifacts" in text
    assert "Weakest path: package ← model-q4.gguf ← model ← clean.parquet" in text
    assert "◂ weakest" in text
    assert "40 days old" in text
    assert "2 statements set aside" in text
    assert "Lineage" not in _plain(samples.passing())
    unjudged = replace(samples.traced().evidence, lineage=lineages.unjudged())
    text = _plain(replace(samples.traced(), evidence=unjudged))
    assert "There is no policy that says whom to trust" in text
    assert "●" not in text


def test_what_a_document_says_wrongly_comes_first() -> None:
    text = _plain(samples.traced())
    assert "Document  provenance.yaml: 1 entry is not so, 1 cannot be told, 1 holds" in text
    assert text.index("✖ training_data[0].sha256: The lineage") < text.index("? training.seed: No")
    assert "Document  provenance.yaml: line 3 is not YAML" in _plain(samples.broken())
