"""Laws of documents kept by hand, each with the sentence that it tests."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from unit.policy.checklist_cases import ARTIFACT, TRAINING, good_report, make_package, with_node
from unit.policy.checklist_cases import trained_evidence as evidence_of
from weighbridge.core import DEFAULT_LIMITS, Answer, Dependency, Digest, LineageReport
from weighbridge.export import to_provenance_yaml
from weighbridge.formats import parse_provenance_yaml
from weighbridge.policy import FoundFile, Surroundings, compare_document, judge_document

TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
NAME = st.text(st.characters(exclude_categories=()), min_size=1, max_size=12)
PATH = st.lists(
    st.text(
        st.characters(exclude_categories=("Cs",), exclude_characters="/\\\0\n\r"),
        min_size=1,
        max_size=6,
    ).filter(lambda part: part not in (".", "..")),
    min_size=1,
    max_size=3,
).map("/".join)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
VALUE = st.sampled_from(["42", "1e-4", "[1, 2]", "true", "", "null", "a: b"]) | TEXT


@st.composite
def reports(draw: st.DrawFn) -> LineageReport:
    """A lineage whose training says anything at all."""
    packages = st.tuples(
        st.sampled_from(["torch", "numpy", "a.b", "x"]),
        st.sampled_from(["2.1.0", "1!2", "2.1.0%2Bcu121", "", "%0A", "3.0rc1"]),
    )
    step = replace(
        TRAINING,
        kind=draw(st.sampled_from(["train", "fine-tune", "distil"])),
        builder=draw(TEXT),
        parameters=draw(st.dictionaries(NAME | st.sampled_from(["seed", "lr", "LR"]), VALUE)),
        materials=(
            *(item for item in TRAINING.materials if draw(st.booleans())),
            *(make_package(*one) for one in draw(st.lists(packages, max_size=3))),
        ),
        inputs=(
            *TRAINING.inputs,
            Dependency("lock2", {"sha256": draw(HEX)}, "", "lock", {"lockFile": draw(TEXT)}),
        )
        if draw(st.booleans())
        else TRAINING.inputs,
        source=draw(TEXT | st.sampled_from([TRAINING.source, "git+ssh://git@host/x@main"])),
    )
    evidence = with_node(evidence_of(step), ARTIFACT, builder=step.builder, kind=step.kind)
    assert evidence.lineage is not None
    nodes = tuple(
        replace(node, license=draw(st.sampled_from(["", "MIT", node.license])))
        for node in evidence.lineage.nodes
    )
    return replace(evidence.lineage, nodes=nodes)


@settings(max_examples=300, deadline=None)
@given(report=reports(), files=st.dictionaries(PATH, HEX, max_size=5))
def test_what_was_written_reads_back_as_agreeing(
    report: LineageReport, files: dict[str, str]
) -> None:
    """What Weighbridge writes says nothing that it cannot find to be so."""
    digest = Digest("ab" * 32)
    data = to_provenance_yaml(report, digest=digest, files=files)
    document = parse_provenance_yaml(data, what="p.yaml", limits=DEFAULT_LIMITS)
    found = {name: FoundFile(sha256) for name, sha256 in files.items()}
    check = compare_document(document, Surroundings("p.yaml", files, digest, found, lineage=report))
    for entry in check.entries:
        assert entry.answer is Answer.PASS, (entry, data.decode())
    assert judge_document(check).answer is Answer.PASS
    listed = {v.text for v in document.values if v.section.value == "file" and v.field == "path"}
    assert listed == set(files)


@settings(max_examples=200, deadline=None)
@given(report=reports(), data=st.data())
def test_without_the_lineage_nothing_agrees_that_did_not(
    report: LineageReport, data: st.DataObject
) -> None:
    """ "removing evidence never turns it to pass" """
    written = to_provenance_yaml(report, digest=Digest("ab" * 32), files={})
    document = parse_provenance_yaml(written, what="p.yaml", limits=DEFAULT_LIMITS)
    other = data.draw(reports())
    full = Surroundings("p.yaml", {}, Digest("ab" * 32), {}, lineage=other)
    before = {e.place: e.answer for e in compare_document(document, full).entries}
    for entry in compare_document(document, replace(full, lineage=None)).entries:
        assert entry.answer is not Answer.PASS or before[entry.place] is Answer.PASS


def test_a_lineage_of_which_nothing_is_believed_is_not_written() -> None:
    report = replace(good_report(), is_judged=False)
    written = to_provenance_yaml(report, digest=Digest("ab" * 32), files={})
    assert written == to_provenance_yaml(None, digest=Digest("ab" * 32), files={})
