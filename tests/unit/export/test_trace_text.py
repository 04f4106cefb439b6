"""A lineage on a terminal: read in five seconds, whatever was signed and however much of it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.export import lineages
from weighbridge.core import Answer, LineageReport, Origin
from weighbridge.export import judge_trace, to_trace_text
from weighbridge.export._style import Style
from weighbridge.export._trace import summarise
from weighbridge.export._trace_text import trace_block
from weighbridge.export._wrap import count_cells

_SGR = re.compile(r"\x1b\[[0-9;]*m")


def plain(report: LineageReport, *, width: int = 100) -> str:
    return to_trace_text(report, width=width, colour=False, at=lineages.AT)


@pytest.mark.parametrize(
    ("name", "answer", "first"),
    [
        ("good", Answer.PASS, "✔ SOUND  package  sha256:"),
        ("bad", Answer.FAIL, "✖ BROKEN  package  sha256:"),
        ("nothing", Answer.UNKNOWN, "? UNKNOWN  model  sha256:"),
        ("unjudged", Answer.UNKNOWN, "? UNKNOWN  model  sha256:"),
        ("summarised", Answer.PASS, "✔ SOUND  model  sha256:"),
        ("chain", Answer.PASS, "✔ SOUND  model-0  sha256:"),
    ],
)
def test_the_first_line_is_the_answer_and_the_artifact(
    name: str, answer: Answer, first: str
) -> None:
    report = lineages.EVERY[name]()
    assert judge_trace(report) is answer
    assert plain(report).startswith(first)


def test_something_that_nobody_knows_is_no_pass() -> None:
    """Required and unknown without a problem, and a problem where nothing depends on it."""
    model, data = lineages.built("model", "train"), lineages.unknown("data", depth=1)
    edges = [lineages.edge("model", "data", "data")]
    quiet = lineages.report([model, replace(data, problems=())], edges, path=("model",))
    assert judge_trace(quiet) is Answer.UNKNOWN
    loud = lineages.report([model, data], edges, path=("model",))
    assert judge_trace(loud) is Answer.FAIL
    below = lineages.report([model, replace(data, is_required=False)], edges, path=("model",))
    assert judge_trace(below) is Answer.PASS


def test_level_completeness_and_weakest_path_are_said_in_words() -> None:
    text = " ".join(plain(lineages.good()).split())
    assert "The whole chain has SLSA Build level 1, inputs declared. 8 artifacts: 4 built" in text
    assert (
        "Weakest path: package ← model-q4.gguf ← model ← clean.parquet (level 1, inputs declared): "
        "clean by https://weighbridge.dev/builders/local/v1, signed by laptop"
    ) in text


def test_a_node_says_who_made_it_when_and_under_which_licence() -> None:
    lines = plain(lineages.good()).splitlines()
    (model,) = [i for i, line in enumerate(lines) if "base-model: model " in line]
    assert lines[model + 1].endswith(
        "train by https://example.com/train-cluster/v1, signed by cluster, 4 days old, 1 review"
    )
    (base,) = [i for i, line in enumerate(lines) if "MiniLM-L6" in line]
    assert lines[base].endswith("◆ base-model: MiniLM-L6  sha256:62b7a98e07b0  level 2")
    assert "accepted root, signed by ml-security, Apache-2.0, until 2027-10-22" in lines[base + 1]
    dated = to_trace_text(lineages.good(), width=100, colour=False)
    assert "signed by laptop, 2026-10-12" in dated
    assert "days old" not in dated


def test_a_shared_node_is_shown_once_and_then_named() -> None:
    lines = plain(lineages.good()).splitlines()
    shown = [line for line in lines if " tokenizer: tokenizer " in line]
    assert len(shown) == 2
    assert "◆" in shown[0]
    assert shown[1].endswith("↑ tokenizer: tokenizer  sha256:5f97e3774c51  above")


def test_the_weakest_path_is_marked_down_to_its_end() -> None:
    marked = [line for line in plain(lineages.good()).splitlines() if "  ◂" in line]
    assert [line.endswith("◂ weakest") for line in marked] == [False, False, False, True]
    assert "clean.parquet" in marked[-1]


def test_what_is_wrong_is_said_before_the_tree_and_shown_in_it() -> None:
    text = plain(lineages.bad())
    assert "Problems  10 problems, 1 more where nothing depends on it" in text
    assert "✖ conflict         model: two provenances disagree" in text
    assert text.index("Problems") < text.index("● package")
    assert "│ ✖ conflict, missing-rank" in text
    assert "not required" in text


def test_a_circle_ends() -> None:
    lines = plain(lineages.bad()).splitlines()
    assert sum(" a.bin " in line for line in lines) == 2
    assert any(line.endswith("↑ base-model: a.bin  sha256:4fef9cffec13  above") for line in lines)


def test_what_was_set_aside_is_listed_with_reasons_and_the_unrelated_counted() -> None:
    text = plain(lineages.good())
    assert "Set aside  2 statements that could not be used; 1 more about something else" in text
    assert "model/claims.jsonl, line 4: nobody who is trusted signed it" in text
    assert "it is about something else" not in text


def test_without_a_trust_map_nothing_is_drawn() -> None:
    text = plain(lineages.unjudged())
    assert "There is no policy that says whom to trust, so nothing can be believed." in text
    assert "○" not in text
    assert "Problems" not in text


def test_a_chain_of_ten_thousand_has_its_middle_counted() -> None:
    text = plain(lineages.chain(10_000))
    assert "⋮ 9,992 steps left out here, the least of them at level 2" in text
    assert "model-9999  sha256:4ccc61c87c06  level 2  ◂ weakest" in text
    assert len(text.splitlines()) < 40


def test_a_problem_in_the_middle_of_a_long_chain_is_shown() -> None:
    report = lineages.chain(1_000)
    problem = lineages.unknown("x", depth=0).problems
    nodes = tuple(
        replace(node, problems=problem) if node.label == "model-500" else node
        for node in report.nodes
    )
    text = plain(replace(report, nodes=nodes))
    assert "✖ base-model: model-500" in text
    assert text.count("steps left out here") == 2


def test_thousands_of_nodes_are_cut_and_counted() -> None:
    text = plain(lineages.large(5_000))
    assert "1,666 inputs, of which 24 are shown" in text
    more = re.search(r"⋮ ([\d,]+) more artifacts; --json lists them all", text)
    assert more
    shown = len(re.findall(r"^[│├└─ ]*[●◆] .*sha256:", text, re.MULTILINE))
    assert int(more[1].replace(",", "")) + shown == 5_000
    assert len(text.splitlines()) < 400


def test_nothing_is_drawn_deeper_than_the_terminal_is_wide() -> None:
    """A tree that branches at each step is indented at each step."""
    nodes, edges = [lineages.built("m0", "merge")], []
    for i in range(1, 200):
        nodes += [lineages.built(f"m{i}", "merge", depth=i), lineages.root(f"z{i}", depth=i)]
        edges += [lineages.edge(f"m{i - 1}", f"{kind}{i}", "model") for kind in "mz"]
    text = plain(lineages.report(nodes, edges, path=("m0",)))
    assert "deeper than this terminal is wide" in text
    assert "more artifacts; --json lists them all" in text


REPORTS = {
    **{name: make() for name, make in lineages.EVERY.items()},
    **{name[:12]: lineages.hostile(name) for name in lineages.HOSTILE},
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [40, 57, 100])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_asked_and_none_acts(name: str, width: int, unicode: bool) -> None:  # noqa: FBT001
    text = to_trace_text(REPORTS[name], width=width, colour=False, unicode=unicode)
    assert all(line.isprintable() for line in text.splitlines())
    assert "\u202e" not in text
    assert max(count_cells(line) for line in text.splitlines()) <= width
    assert unicode or text.isascii()
    assert len(text.splitlines()) < 600
    text.encode()


@pytest.mark.parametrize("name", REPORTS)
def test_colour_only_adds_colour(name: str) -> None:
    painted = to_trace_text(REPORTS[name], width=80, colour=True)
    assert "\x1b[" in painted
    assert _SGR.sub("", painted) == to_trace_text(REPORTS[name], width=80, colour=False)


@st.composite
def graphs(draw: st.DrawFn) -> LineageReport:
    """Any graph at all, circles and loners too."""
    count = draw(st.integers(min_value=1, max_value=14))
    number = st.integers(min_value=0, max_value=count - 1)
    pairs = draw(st.lists(st.tuples(number, number), max_size=40, unique=True))
    nodes = []
    for i in range(count):
        node = lineages.built(f"n{i}", "train", depth=i, level=draw(st.integers(0, 3)))
        is_required = i == 0 or draw(st.booleans())
        origin = draw(st.sampled_from(Origin))
        nodes.append(replace(node, is_required=is_required, origin=origin))
    edges = [lineages.edge(f"n{a}", f"n{b}", "data") for a, b in pairs]
    return lineages.report(nodes, edges, path=("n0",))


@settings(deadline=None)
@given(graphs())
def test_any_graph_is_told_with_each_node_at_most_once(report: LineageReport) -> None:
    text = plain(report)
    reached, waiting = set(), [report.artifact]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [edge.target for edge in report.edges if edge.source == name]
    for node in report.nodes:
        heads = re.findall(rf"[●◆○✖] (?:data: )?{node.label}  ", text)
        assert len(heads) <= 1
        if node.id in reached and "left out" not in text and "deeper" not in text:
            assert heads


def test_only_what_there_is_is_counted() -> None:
    """A chain of one root has no inputs of which anything could be known."""
    root = lineages.report([lineages.root("base", depth=0)], [], path=("base",))
    assert "The whole chain has SLSA Build level 2. 1 artifact: 1 root." in plain(root)
    bad = " ".join(plain(lineages.bad()).split())
    assert re.search(r"artifacts: [^.]*, \d+ unknown\. Weakest", bad)


def test_what_was_set_aside_is_counted_in_words_that_are_so() -> None:
    strange, *_ = lineages.SET_ASIDE
    unrelated = replace(strange, is_unrelated=True)
    assert "Set aside  1 statement about something else\n" in plain(
        replace(lineages.good(), set_aside=(unrelated,))
    )
    assert "Set aside  1 statement that could not be used; 1 more about something else\n" in plain(
        replace(lineages.good(), set_aside=(strange, unrelated))
    )
    text = plain(lineages.unjudged())
    count = len(lineages.SET_ASIDE)
    assert text.endswith(f"Set aside  {count} statements; --policy FILE says whom to trust")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_verdict_says_nothing_of_the_lineage_twice(width: int) -> None:
    style = Style(width, colour=False, unicode=True)
    lines = trace_block(style, lineages.good(), at=lineages.AT)
    head = lines[: next(i for i, line in enumerate(lines) if line.startswith("  ●"))]
    said = " ".join(" ".join(head).split())
    assert said.startswith(f"Lineage {summarise(lineages.good())} Weakest path: package ←")
