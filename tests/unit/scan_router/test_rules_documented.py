"""Each rule in the code is a row in the documents, with the same answer and severity."""

from __future__ import annotations

import re
from pathlib import Path

from weighbridge.scanning._notes import RULES

DOCS = Path(__file__).resolve().parents[3] / "docs" / "rules"


def test_tables_and_code_agree() -> None:
    text = "".join((DOCS / name).read_text() for name in ("containers.md", "headers.md"))
    rows = re.findall(r"^\| (WB-\w+-\d+) \| ([\w ]+) \| ([\w ]+) \|", text, re.MULTILINE)
    documented = {rule: (answer, severity) for rule, answer, severity in rows}
    assert len(documented) == len(rows)
    assert documented.keys() == RULES.keys()
    for rule, (answer, severity) in RULES.items():
        if rule != "WB-SCN-001":  # as bad as the worst finding that it stands for
            assert documented[rule] == (answer.value, severity.value), rule
