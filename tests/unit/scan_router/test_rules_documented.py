"""Each rule has a page that says what the code says, and no page is of a rule that is gone."""

from __future__ import annotations

import subprocess
import sys

from support import ROOT
from weighbridge.scanning import list_rules


def test_pages_are_as_the_rules_are() -> None:
    written = subprocess.run(
        [sys.executable, ROOT / "scripts" / "rules", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert written.returncode == 0, written.stderr


def test_rules_say_what_a_reader_needs() -> None:
    ids = [rule.rule_id for rule in list_rules()]
    assert len(set(ids)) == len(ids)
    for rule in list_rules():
        assert all((rule.title, rule.what, rule.example, rule.fix)), rule.rule_id
