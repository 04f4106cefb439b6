"""The page about reports says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from unit.export import lineages, samples
from weighbridge.core import ProblemKind
from weighbridge.export import load_schema, to_text, to_trace_text

TRACE = Path(__file__).parents[3].joinpath("docs/trace.md").read_text(encoding="utf-8")
PAGE = Path(__file__).parents[3].joinpath("docs/report.md").read_text(encoding="utf-8")


def test_the_sample_is_what_is_printed() -> None:
    samples_shown = re.findall(r"<!-- sample: (\w+) -->\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert samples_shown
    for name, text in samples_shown:
        assert text.rstrip() == to_text(samples.EVERY[name](), width=100, colour=False)


def test_the_sample_of_a_lineage_is_what_is_printed() -> None:
    shown = re.findall(r"<!-- lineage: (\w+) -->\n```text\n(.*?)```", TRACE, re.DOTALL)
    assert shown
    for name, text in shown:
        report = lineages.EVERY[name]()
        printed = to_trace_text(report, width=100, colour=False, at=lineages.AT)
        assert text.rstrip() == printed


def test_every_problem_has_a_line() -> None:
    for kind in ProblemKind:
        assert f"| `{kind.value}` |" in TRACE


def test_every_schema_is_on_the_page() -> None:
    for name in ("check-v1", "scan-v1", "manifest-v1", "trace-v1"):
        schema = load_schema(name)  # type: ignore[arg-type]
        assert isinstance(schema, dict)
        assert schema["$id"] in PAGE
