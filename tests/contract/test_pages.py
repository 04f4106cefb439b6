"""What the pages say is so: their examples run, their links lead somewhere."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

import weighbridge
from support import ROOT, build_model

PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("changelog.d/*.md"))
)


def read_examples() -> list[tuple[str, str]]:
    examples = [
        (f"{page.relative_to(ROOT)}:{number}", code)
        for page in PAGES
        for number, code in enumerate(
            re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
        )
    ]
    (indented,) = re.findall(r"::\n\n((?:    .*\n|\n)+)", weighbridge.__doc__ or "")
    return [*examples, ("weighbridge.__doc__", textwrap.dedent(indented))]


@pytest.mark.parametrize(("where", "code"), read_examples(), ids=lambda value: value[:40])
def test_examples_run(
    where: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each runs by itself in a folder that holds a model in ``model``."""
    build_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    exec(compile(code, where, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http://", "https://", "#", "mailto:")):
            path = page.parent / target.partition("#")[0]
            assert path.exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_the_readme_shows_what_the_demo_prints() -> None:
    """The shape of the report is that of today's code; figures and dates may differ."""
    shown = (ROOT / "README.md").read_text().partition("<!-- demo:on -->")[2]
    shown = shown.partition("<!-- demo:off -->")[0]
    for words in ("✔ PASS  model", "✔ integrity", "✔ signature", "✔ scan", "✔ licenses", "✔ card"):
        assert words in shown
