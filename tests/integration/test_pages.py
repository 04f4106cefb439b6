"""The pages in a real Chromium: whole at every width, and they ask for nothing."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unit.export import lineages, samples
from weighbridge.core import Answer, ScanTerms
from weighbridge.export import ScannedPath, scans_to_html, to_html, to_trace_html

if TYPE_CHECKING:
    from services.chromium import Browser, View

VIEWS = ((1280, False), (1280, True), (360, False), (360, True))

# Boxes that reach out of the window, unless they lie in something that scrolls.
OVERFLOW = """[...document.body.querySelectorAll('*')].filter(e => {
    const box = e.getBoundingClientRect()
    return box.width && (box.right > innerWidth + 1 || box.left < -1)
        && !e.closest('.scroll, .unseen, pre, svg')
}).map(e => e.outerHTML.slice(0, 200))"""
# Words of the picture that reach out of their box.
CUT = """[...document.querySelectorAll('svg.node')].flatMap(node => {
    const room = node.getBoundingClientRect()
    return [...node.querySelectorAll('text')].filter(words => {
        const box = words.getBoundingClientRect()
        return box.right > room.right + 1 || box.left < room.left - 1
    }).map(words => words.textContent)
})"""
# Boxes of the picture that lie on each other.
TOUCHING = """(() => {
    const boxes = [...document.querySelectorAll('svg.node')].map(n => n.getBoundingClientRect())
    let count = 0
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
        if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) count++
    }))
    return count
})()"""


def check_calm(view: View) -> None:
    """Nothing was asked for, nothing was complained of, nothing reaches out of the window."""
    assert view.requests == []
    assert view.messages == []
    assert view.evaluate("document.scripts.length") == 0
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert view.evaluate(OVERFLOW) == []


def check_picture(view: View, *, count: int) -> None:
    assert view.evaluate("document.querySelectorAll('svg.node').length") == count
    assert view.evaluate(TOUCHING) == 0


def write(folder: Path, page: str) -> Path:
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    return file


LINEAGES = {
    **{name: make() for name, make in lineages.EVERY.items()},
    "large": lineages.large(),
    "deep": lineages.chain(10_000),
}
DRAWN = {
    "good": 8,
    "bad": 9,
    "nothing": 1,
    "unjudged": 0,
    "summarised": 4,
    "chain": 11,
    "deep": 11,
}


@pytest.mark.parametrize(("width", "dark"), VIEWS)
@pytest.mark.parametrize("name", ["good", "bad", "large", "deep"])
def test_a_lineage_is_calm_and_wholly_drawn(
    browser: Browser,
    tmp_path: Path,
    name: str,
    width: int,
    dark: bool,  # noqa: FBT001
) -> None:
    page = write(tmp_path, to_trace_html(LINEAGES[name], version="0.1.0", at=lineages.AT))
    with browser.open(page, width=width, dark=dark) as view:
        check_calm(view)
        shown = view.evaluate("document.querySelectorAll('svg.node').length")
        check_picture(view, count=DRAWN.get(name, shown))
        assert 1 < shown <= 400
        if name != "large":
            assert view.evaluate(CUT) == []
        ground = view.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(18, 21, 24)" if dark else "rgb(245, 244, 240)")
        check_image(view.screenshot(), width)


@pytest.mark.parametrize("name", ["nothing", "unjudged", "summarised", "chain"])
def test_small_lineages_are_drawn_too(browser: Browser, tmp_path: Path, name: str) -> None:
    with browser.open(write(tmp_path, to_trace_html(LINEAGES[name]))) as view:
        check_calm(view)
        check_picture(view, count=DRAWN[name])


@pytest.mark.parametrize("name", lineages.HOSTILE)
def test_hostile_labels_are_words_and_nothing_else(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    for page in (to_trace_html(lineages.hostile(name)), to_html(samples.hostile(name))):
        with browser.open(write(tmp_path, page), width=360) as view:
            check_calm(view)
            check_picture(view, count=3)
            assert view.evaluate("document.images.length") == 0
            assert view.evaluate("document.querySelectorAll('svg.graph').length") == 1


@pytest.mark.parametrize(("width", "dark"), VIEWS)
@pytest.mark.parametrize("name", samples.ALL)
def test_a_verdict_is_calm(
    browser: Browser,
    tmp_path: Path,
    name: str,
    width: int,
    dark: bool,  # noqa: FBT001
) -> None:
    with browser.open(
        write(tmp_path, to_html(samples.ALL[name]())), width=width, dark=dark
    ) as view:
        check_calm(view)
        check_picture(view, count={"traced": 8, "broken": 9}.get(name, 0))
        check_image(view.screenshot(), width)


def check_image(data: bytes, width: int) -> None:
    """A PNG, as wide as the window, and not of one colour."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    across, down = struct.unpack(">II", data[16:24])
    assert across == width
    assert down >= 900
    assert len(data) > 20_000


def test_a_box_leads_to_what_is_known_of_it(browser: Browser, tmp_path: Path) -> None:
    with browser.open(write(tmp_path, to_trace_html(lineages.good()))) as view:
        open_ = "[...document.querySelectorAll('details')].filter(d => d.open).length"
        assert view.evaluate(open_) == 0
        click = "dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        view.evaluate(f"document.querySelectorAll('svg.graph a')[3].{click}")
        wait = "new Promise(done => setTimeout(done, 300)).then(() => 1)"
        view.browser.call(
            "Runtime.evaluate", {"expression": wait, "awaitPromise": True}, session=view.session
        )
        assert view.evaluate(open_) == 1
        label = "document.querySelectorAll('svg.graph a')[3].querySelector('.label').textContent"
        shown = "document.querySelector('details[open] .name').textContent"
        assert view.evaluate(label) == view.evaluate(shown)


def test_a_wide_picture_begins_at_the_artifact_and_can_be_scrolled(
    browser: Browser, tmp_path: Path
) -> None:
    with browser.open(write(tmp_path, to_trace_html(LINEAGES["large"]))) as view:
        seen = """(() => {
            const box = document.querySelector('svg.node').getBoundingClientRect()
            const room = document.querySelector('.picture .scroll').getBoundingClientRect()
            return box.left >= room.left && box.right <= room.right
        })()"""
        assert view.evaluate(seen)
        view.evaluate("document.querySelector('.picture .scroll').scrollLeft = 0")
        assert view.evaluate("document.querySelector('.picture .scroll').scrollLeft") == 0
        assert not view.evaluate(seen)


SHOWN = "[...document.querySelectorAll('.finding')].filter(e => e.offsetParent).length"


@pytest.mark.parametrize(("width", "dark"), VIEWS)
def test_a_page_about_scans_is_calm_and_its_switches_hide_cards(
    browser: Browser,
    tmp_path: Path,
    width: int,
    dark: bool,  # noqa: FBT001
) -> None:
    scan = samples.failing().evidence.scan
    page = scans_to_html([ScannedPath("model", scan, Answer.FAIL, ScanTerms())])
    with browser.open(write(tmp_path, page), width=width, dark=dark) as view:
        check_calm(view)
        everything = view.evaluate(SHOWN)
        view.evaluate("document.querySelector('.switch.critical').click()")
        assert 0 < view.evaluate(SHOWN) < everything
        view.evaluate("document.querySelector('.switch.critical').click()")
        assert view.evaluate(SHOWN) == everything
        view.evaluate("document.querySelector('.pick.f1').click()")
        assert 0 < view.evaluate(SHOWN) < everything
        view.evaluate("document.querySelector('.pick.all').click()")
        assert view.evaluate(SHOWN) == everything


@pytest.mark.parametrize("name", samples.HOSTILE_NAMES)
def test_hostile_names_in_a_page_about_scans_are_words(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    scan = samples.hostile(name).evidence.scan
    page = scans_to_html([ScannedPath(name, scan, Answer.FAIL, ScanTerms(policy=name))])
    with browser.open(write(tmp_path, page), width=360) as view:
        check_calm(view)
