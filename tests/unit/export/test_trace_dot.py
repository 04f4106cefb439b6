"""The Graphviz graph: one node a line, and no label that could end its quotes."""

from __future__ import annotations

import re

import pytest

from unit.export import lineages
from weighbridge.core import LineageReport
from weighbridge.export import to_trace_dot

# The DOT language, as far as it is used here: an id, and attributes whose values are numbers, words
# or quoted text, in which only a backslash may stand before a quote or another character.
_VALUE = r'(?:[A-Za-z0-9.]+|"(?:[^"\\\n]|\\[n"\\])*")'
_LIST = rf"\[[a-z]+={_VALUE}(?:, [a-z]+={_VALUE})*\]"
_NODE = re.compile(rf"  (n\d+) {_LIST};")
_EDGE = re.compile(rf"  (n\d+) -> (n\d+) {_LIST};")
_OTHER = re.compile(rf"  (?:rankdir=TB|(?:node|edge) {_LIST});")

REPORTS = {
    **{name: make() for name, make in lineages.EVERY.items()},
    **{name[:12]: lineages.hostile(name) for name in lineages.HOSTILE},
}


def read(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    first, *lines, last, rest = text.split("\n")
    assert (first, last, rest) == ("digraph lineage {", "}", "")
    nodes, edges = [], []
    for line in lines:
        if node := _NODE.fullmatch(line):
            nodes.append(node[1])
        elif edge := _EDGE.fullmatch(line):
            edges.append((edge[1], edge[2]))
        else:
            assert _OTHER.fullmatch(line), line
    return nodes, edges


@pytest.mark.parametrize("name", REPORTS)
def test_every_node_and_edge_is_there_and_nothing_else(name: str) -> None:
    report = REPORTS[name]
    text = to_trace_dot(report)
    nodes, edges = read(text)
    assert nodes == [f"n{i}" for i in range(len(report.nodes))]
    ids = [node.id for node in report.nodes]
    assert edges == [(f"n{ids.index(e.source)}", f"n{ids.index(e.target)}") for e in report.edges]
    assert "\u202e" not in text
    assert "\x1b" not in text
    text.encode()


def test_a_label_tells_what_a_node_is() -> None:
    text = to_trace_dot(lineages.good())
    assert (
        'label="model\\nsha256:9372c470eead\\nlevel 1, inputs declared\\n'
        'train by https://example.com/train-cluster/v1"'
    ) in text
    assert text.count("penwidth=3") == 4 + 3  # the weakest path: nodes, and the edges between them
    assert "problem: conflict, missing-rank" in to_trace_dot(lineages.bad())
    assert "style=dashed" in to_trace_dot(lineages.summarised())


def test_the_language_of_labels_is_not_spoken() -> None:
    text = to_trace_dot(lineages.hostile('\\N \\G "] & &lt; \\'))
    assert r"\\N \\G \"] &amp; &amp;lt; \\" in text


def test_a_long_chain_is_written_at_once() -> None:
    report: LineageReport = lineages.chain(10_000)
    nodes, edges = read(to_trace_dot(report))
    assert (len(nodes), len(edges)) == (10_000, 9_999)
