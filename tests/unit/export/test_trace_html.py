"""The page of a lineage: inert, complete, and readable however much there is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.export import lineages
from unit.export.pages import Page, check_inert, contrast
from unit.export.test_trace_text import graphs
from weighbridge.core import LineageReport
from weighbridge.export import to_trace_html
from weighbridge.export._trace_choice import choose
from weighbridge.export._trace_layout import BOX_WIDTH, lay_out

REPORTS = {
    **{name: make() for name, make in lineages.EVERY.items()},
    **{name[:12]: lineages.hostile(name) for name in lineages.HOSTILE},
}


def read(report: LineageReport) -> Page:
    return Page(to_trace_html(report, version="0.1.0", at=lineages.AT))


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_inert_and_well_formed(name: str) -> None:
    page = check_inert(to_trace_html(REPORTS[name], version="0.1.0"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = {attributes["href"] for _, attributes in page.tags if "href" in attributes}
    assert links <= {f"#{name}" for name in ids}
    names = [tag for tag, _ in page.tags]
    assert [names.count(tag) for tag in ("h1", "main", "header", "footer")] == [1, 1, 1, 1]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters() | st.sampled_from("<>&\"'/=`-!"), min_size=1, max_size=60))
def test_no_word_of_a_stranger_becomes_markup(name: str) -> None:
    plain, page = read(lineages.hostile("x")), read(lineages.hostile(name))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]


def test_everything_that_is_known_is_on_the_page() -> None:
    report = lineages.good()
    text = read(report).text
    for node in report.nodes:
        assert node.id in text
        assert node.label in text
        assert all(word in text for word in (node.builder, node.license, node.reason))
    for words in (
        "Sound",
        "4 days ago",
        "approve by ml-security, 2026-11-21, training data: looked at 200 rows",
        "passed, accuracy 0.93",
        "python train.py",
        "hf://org/MiniLM-L6@1f2e",
        "level 1, inputs declared; of its own level 3, inputs observed",
        "model/claims.jsonl, line 9",
        "And 1 statement about something else.",
    ):
        assert words in text, words


def test_problems_lead_to_what_they_are_about() -> None:
    page = read(lineages.bad())
    assert "Broken" in page.text
    for node in lineages.bad().nodes:
        assert all(problem.message in page.text for problem in node.problems)
    assert sum(tag == "a" for tag, _ in page.tags) >= 9 + 11


def test_the_picture_has_boxes_lines_and_the_weakest_path() -> None:
    report = lineages.good()
    classes = [attributes.get("class") or "" for _, attributes in read(report).tags]
    assert classes.count("node") == len(report.nodes)
    assert sum(name.startswith("edge") for name in classes) == len(report.edges)
    assert sum(name.startswith("edge") and "weakest" in name for name in classes) == 3
    assert sum(name.startswith("box") and "weakest" in name for name in classes) == 4
    assert classes.count("flag") == 1
    circle = [attributes.get("class") or "" for _, attributes in read(lineages.bad()).tags]
    assert sum("back" in name for name in circle) == 1


def test_levels_are_told_by_words_and_not_by_colour_alone() -> None:
    text = read(lineages.good()).text
    for level in (1, 2, 3):
        assert f"level {level}" in text


def test_five_thousand_nodes_stay_readable_and_the_rest_is_counted() -> None:
    report = lineages.large(5_000)
    drawing = choose(report, limit=300)
    assert len(drawing.items) <= 300
    shown = sum(item.node is not None for item in drawing.items)
    counted = sum(item.count for item in drawing.items)
    assert shown + counted + drawing.left_out == 5_000
    html = to_trace_html(report)
    assert len(html) < 3_000_000
    text = Page(html).text
    assert f"{drawing.left_out:,} more artifacts are not drawn" in text
    assert "553 more like these" in text
    assert "4,000 more are not shown here; the JSON report lists them all." in text


def test_a_graph_of_different_nodes_is_cut_at_the_limit_and_keeps_the_weakest_path() -> None:
    nodes, edges = [lineages.built("m", "merge")], []
    for i in range(400):
        name = f"part-{i}"
        nodes.append(lineages.unknown(name, depth=1))
        edges.append(lineages.edge("m", name, f"role-{i}"))
    report = lineages.report(nodes, edges, path=("m", "part-399"))
    drawing = choose(report, limit=300)
    keys = [item.key for item in drawing.items]
    assert len(keys) == 300
    assert lineages.id_of("part-399") in keys
    assert drawing.left_out == 101


def test_a_problem_is_never_hidden_among_what_looks_alike() -> None:
    nodes, edges = [lineages.built("m", "train")], []
    for i in range(50):
        nodes += [lineages.built(f"c{i}", "clean", depth=1), lineages.root(f"r{i}", depth=2)]
        edges += [lineages.edge("m", f"c{i}", "data"), lineages.edge(f"c{i}", f"r{i}", "data")]
    nodes[2 * 37 + 2] = replace(nodes[2 * 37 + 2], problems=lineages.unknown("x", depth=1).problems)
    report = lineages.report(nodes, edges, path=("m",))
    keys = [item.key for item in choose(report, limit=300).items]
    assert {lineages.id_of("c37"), lineages.id_of("r37")} <= set(keys)
    assert len(keys) < 12


def test_the_middle_of_a_long_chain_is_one_box() -> None:
    drawing = choose(lineages.chain(10_000), limit=300)
    assert [item.words for item in drawing.items if item.words] == ["9,990 more steps between"]
    assert drawing.left_out == 0
    layout = lay_out(drawing)
    assert layout.height < 2_000
    html = to_trace_html(lineages.chain(10_000))
    assert html.count('class="edge dashed weakest"') == 2


def test_a_weakest_path_that_branches_everywhere_is_cut_in_the_middle() -> None:
    nodes, edges, path = [lineages.built("m0", "merge")], [], ["m0"]
    for i in range(1, 500):
        nodes += [lineages.built(f"m{i}", "merge", depth=i), lineages.root(f"z{i}", depth=i)]
        edges += [lineages.edge(f"m{i - 1}", f"{kind}{i}", "model") for kind in "mz"]
        path.append(f"m{i}")
    report = lineages.report(nodes, edges, path=path)
    drawing = choose(report, limit=300)
    keys = {item.key for item in drawing.items}
    assert {lineages.id_of("m0"), lineages.id_of("m499")} <= keys
    assert any(item.words.endswith("more steps between") for item in drawing.items)
    shown = sum(item.node is not None for item in drawing.items)
    assert shown <= 300
    assert shown + drawing.left_out + sum(item.count for item in drawing.items) == 999
    lay_out(drawing)


@settings(deadline=None)
@given(graphs())
def test_any_graph_is_laid_out_apart_and_downwards(report: LineageReport) -> None:
    drawing = choose(report, limit=300)
    layout = lay_out(drawing)
    assert layout == lay_out(drawing)
    boxes = {box.item.key: box for box in layout.boxes}
    for box in layout.boxes:
        assert box.x >= 0
        assert box.x + BOX_WIDTH <= layout.width + 0.01
        assert box.y + box.height <= layout.height + 0.01
        for other in layout.boxes:
            if other is not box and other.y == box.y:
                assert abs(other.x - box.x) >= BOX_WIDTH
    for route in layout.routes:
        upper, lower = boxes[route.link.upper], boxes[route.link.lower]
        assert route.is_back or upper.y < lower.y
    assert to_trace_html(report)


def test_lines_do_not_cross_where_they_need_not() -> None:
    """Two trees side by side, named so that the order of names would cross them."""
    nodes = [lineages.built("m", "merge")]
    edges = []
    for upper, lower in (("a", "z"), ("b", "y"), ("c", "x")):
        nodes += [lineages.built(upper, "train", depth=1), lineages.built(lower, "clean", depth=2)]
        edges += [lineages.edge("m", upper, "model"), lineages.edge(upper, lower, "data")]
    layout = lay_out(choose(lineages.report(nodes, edges, path=("m",)), limit=300))
    x = {box.item.node.label: box.x for box in layout.boxes if box.item.node}
    assert [x["a"], x["b"], x["c"]] == [x["z"], x["y"], x["x"]]
    assert x["m"] == pytest.approx(sorted([x["a"], x["b"], x["c"]])[1])


def test_levels_have_enough_contrast() -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1 for text, in the light and in the dark."""
    html = to_trace_html(lineages.good())
    themes = re.findall(r":root \{([^}]*--unknown-tint[^}]*)\}", html)[:2]
    blues = re.findall(r"--l2: (#[0-9a-f]{6});\s*--l2-tint: (#[0-9a-f]{6});", html)
    assert len(themes) == len(blues) == 2
    for theme, (blue, tint) in zip(themes, blues, strict=True):
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", theme))
        assert contrast(blue, tint) >= 4.5
        assert contrast(colours["card"], colours["unknown"]) >= 4.5  # the flag
        for ground in ("paper", "card"):
            assert contrast(colours["soft"], colours[ground]) >= 4.5
