"""Of most models nobody has signed anything; a report does not make a problem of that."""

from __future__ import annotations

import json
from dataclasses import replace

from unit.export import lineages, samples
from weighbridge.core import LineageProblem, LineageReport, Origin, ProblemKind, SetAside
from weighbridge.export import CheckReport, to_html, to_sarif, to_text


def bare() -> LineageReport:
    report = lineages.good()
    end = LineageProblem(ProblemKind.DEAD_END, "nothing is known about where it is from")
    root = replace(
        report.root,
        origin=Origin.UNKNOWN,
        step=None,
        claim=None,
        reviews=(),
        results=(),
        problems=(end,),
    )
    return replace(
        report, nodes=(root,), edges=(), claims=(), set_aside=(), weakest_path=(root.id,), level=0
    )


def tell(lineage: LineageReport) -> tuple[str, str, str]:
    report = samples.passing()
    told = CheckReport(report.verdict, replace(report.evidence, lineage=lineage), report.version)
    return to_text(told, width=100, colour=False), to_html(told), json.dumps(to_sarif(told))


def test_a_report_is_silent_where_there_is_nothing_to_tell() -> None:
    text, page, log = tell(bare())
    assert "Lineage" not in text
    assert "nothing is known about" not in text + page + log


def test_it_is_not_where_somebody_said_something() -> None:
    aside = SetAside("claims.jsonl:1", "https://slsa.dev/provenance/v1", (), "nobody is trusted")
    text, *_ = tell(replace(bare(), set_aside=(aside,)))
    assert "Lineage" in text
    wrong = LineageProblem(ProblemKind.DENIED, "it leaked")
    root = bare().root
    denied = replace(bare(), nodes=(replace(root, problems=(*root.problems, wrong)),))
    text, page, log = tell(denied)
    assert all("it leaked" in told for told in (text, page, log))
