"""docs/walkthrough.md: pasted into a shell it does what it says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from support import ROOT, WEIGHBRIDGE, build_model

PAGE = (ROOT / "docs" / "walkthrough.md").read_text()
_BLOCKS = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SHOWN = re.compile(r"<!-- walkthrough: (\w+) -->\n```text\n(.*?)```", re.DOTALL)


def plain(text: str) -> str:
    """Leave out what another day or machine changes: dates, times, digests of what was signed."""
    text = re.sub(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?", "DATE", text)
    return re.sub(r"Weighbridge \d[\w.+]*\.", "Weighbridge.", text).strip()


def test_the_page_is_so(tmp_path: Path) -> None:
    """All blocks run in one shell that ends at an error; what is shown is what is printed."""
    build_model(tmp_path / "base")
    python = Path(WEIGHBRIDGE).parent
    script = "set -eu\n" + "\necho '-- block'\n".join(_BLOCKS.findall(PAGE))
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **os.environ,
            "PATH": f"{python}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        },
    )
    assert done.returncode == 0, done.stderr
    blocks = done.stdout.split("-- block\n")
    shown = dict(_SHOWN.findall(PAGE))
    assert sorted(shown) == ["check", "trace"]
    for text in shown.values():
        assert any(plain(text) == plain(block) for block in blocks), done.stdout
    second, changed = blocks[-2:]
    assert second.startswith("✔ PASS  elsewhere/package")
    assert "verified by others, signed by gate" in second
    assert changed.startswith("✖ FAIL  elsewhere/package")
    assert changed.endswith("exit code 1\n")
    assert "read and not declared" not in done.stderr + done.stdout
    for page in ("lineage.html", "report.html"):
        assert (tmp_path / page).read_text().startswith("<!DOCTYPE html>")
