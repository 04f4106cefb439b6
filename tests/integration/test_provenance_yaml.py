"""Documents kept by hand, beside and in a model on disk: what is looked at, and what is not."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from unit.policy.checklist_cases import ARTIFACT, BASE, good_report
from weighbridge.artifact import build_manifest
from weighbridge.core import DEFAULT_LIMITS, Answer, Digest, DocumentCheck, LineageReport
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError, LimitExceededError
from weighbridge.workflow import check_document, write_provenance

PASS, FAIL, UNKNOWN = Answer.PASS, Answer.FAIL, Answer.UNKNOWN


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a model, data beside it, and secrets outside."""
    here = tmp_path / "here"
    (here / "model" / "weights").mkdir(parents=True)
    (here / "model" / "config.json").write_bytes(b"{}")
    (here / "model" / "weights" / "a.safetensors").write_bytes(b"a")
    (here / "model" / "weights" / "b.safetensors").write_bytes(b"b")
    (here / "data").mkdir()
    (here / "data" / "rows.csv").write_bytes(b"rows")
    (here / "uv.lock").write_bytes(b"lock")
    (tmp_path / "outside.txt").write_bytes(b"outside")
    return here


def check(
    place: Path,
    text: str,
    *,
    name: str = "provenance.yaml",
    root: str = "model",
    lineage: LineageReport | None = None,
) -> DocumentCheck:
    manifest = build_manifest(place / root, executor=ThreadExecutor(), limits=DEFAULT_LIMITS)
    document = place / name
    document.write_text(text)
    return check_document(
        document,
        root=place / root,
        files={r.name: r.sha256 for r in manifest.resources if r.name != Path(name).name},
        digest=manifest.compute_digest(),
        lineage=lineage,
    )


def answers(found: DocumentCheck) -> dict[str, Answer]:
    assert not found.problem, found
    return {entry.place: entry.answer for entry in found.entries}


def test_digests_are_checked_in_the_artifact_and_beside_it(place: Path) -> None:
    whole = build_manifest(place / "model", executor=ThreadExecutor(), limits=DEFAULT_LIMITS)
    weights = build_manifest(
        place / "model" / "weights", executor=ThreadExecutor(), limits=DEFAULT_LIMITS
    )
    data = build_manifest(place / "data", executor=ThreadExecutor(), limits=DEFAULT_LIMITS)
    found = check(
        place,
        f"""
model: {{path: model, sha256: {whole.compute_digest()}}}
training_data:
  - {{path: data/rows.csv, sha256: {sha256(b"rows")}, size: 4}}
  - {{path: ./data/, sha256: {data.compute_digest()}}}
  - {{path: data/rows.csv, sha256: {sha256(b"other")}}}
files:
  - {{path: config.json, sha256: {sha256(b"{}")}, size: 2}}
  - {{path: weights/a.safetensors, sha256: {sha256(b"b")}}}
  - {{path: weights, sha256: {weights.compute_digest()}}}
  - {{path: model/weights/b.safetensors, sha256: {sha256(b"b")}}}
  - {{path: weights/c.safetensors, sha256: {sha256(b"c")}}}
""",
    )
    told = answers(found)
    assert told.pop("files") is UNKNOWN  # b.safetensors is listed by another way
    assert told == {
        "model.sha256": PASS,
        "training_data[0].sha256": PASS,
        "training_data[0].size": PASS,
        "training_data[1].sha256": PASS,
        "training_data[2].sha256": FAIL,
        "files[0].sha256": PASS,
        "files[0].size": PASS,
        "files[1].sha256": FAIL,
        "files[2].sha256": PASS,
        "files[3].sha256": PASS,
        "files[4].sha256": FAIL,
    }


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "data/../../outside.txt",
        "model/../../outside.txt",
        "{outside}",
        "link.txt",
        "folder/outside.txt",
        "..\\outside.txt",
        "pipe",
        "data/rows.csv/x",
        "x" * 300,
    ],
)
def test_no_path_leads_out_and_no_link_is_followed(place: Path, path: str) -> None:
    """A digest that is right would pass, if the file were looked at."""
    outside = place.parent / "outside.txt"
    (place / "link.txt").symlink_to(outside)
    (place / "folder").symlink_to(place.parent)
    os.mkfifo(place / "pipe")
    text = path.format(outside=outside)
    digest = sha256(b"outside")
    told = answers(
        check(
            place,
            f"training_data: [{{path: '{text}', sha256: {digest}}}]\n"
            f"files: [{{path: '{text}', sha256: {digest}, size: 7}}]\n"
            f"model: {{path: '{text}', sha256: {digest}}}\n"
            f"dependencies: {{lock: '{text}'}}\ntraining: {{script: '{text}'}}\n",
        )
    )
    assert told["files[0].sha256"] is FAIL
    assert told["model.sha256"] is FAIL
    assert told["training_data[0].sha256"] is UNKNOWN
    assert PASS not in told.values()


def test_a_link_inside_a_folder_beside_is_not_followed_either(place: Path) -> None:
    (place / "data" / "more").symlink_to(place.parent / "outside.txt")
    told = answers(check(place, f"training_data: [{{path: data, sha256: {sha256(b'')}}}]"))
    assert set(told.values()) == {UNKNOWN}


def test_the_document_may_lie_in_the_artifact(place: Path) -> None:
    lines = [
        f"{p}: {sha256((place / 'model' / p).read_bytes())}"
        for p in ("config.json", "weights/a.safetensors", "weights/b.safetensors")
    ]
    told = answers(check(place, "\n".join(lines), name="model/MANIFEST.yaml"))
    assert set(told.values()) == {PASS}
    assert len(told) == 3


def test_a_single_file_is_an_artifact_too(place: Path) -> None:
    root = "model/weights/a.safetensors"
    told = answers(
        check(
            place,
            f"model: {{path: {root}, sha256: {sha256(b'a')}}}\n"
            f"files: {{a.safetensors: {sha256(b'a')}}}",
            root=root,
        )
    )
    assert set(told.values()) == {PASS}


def test_what_cannot_be_read_is_a_problem_and_what_is_not_there_an_error(place: Path) -> None:
    assert "anchors" in check(place, "model: &a x").problem
    with pytest.raises(InputError, match="there is no document"):
        check_document(place / "no.yaml", root=place, files={}, digest=None, lineage=None)
    with pytest.raises(InputError, match="a folder"):
        check_document(place / "data", root=place, files={}, digest=None, lineage=None)


def report_of(digest: Digest) -> LineageReport:
    """Return the sample lineage as that of this artifact."""
    report = good_report()
    root, *others = report.nodes
    return replace(
        report,
        artifact=str(digest),
        nodes=(replace(root, id=str(digest)), *others),
        edges=tuple(
            replace(edge, source=str(digest)) if edge.source == ARTIFACT else edge
            for edge in report.edges
        ),
    )


def test_a_lock_file_beside_is_compared_with_the_signed_one(place: Path) -> None:
    text = "dependencies: {lock: uv.lock}"
    manifest = build_manifest(place / "model", executor=ThreadExecutor(), limits=DEFAULT_LIMITS)
    report = report_of(manifest.compute_digest())
    assert set(answers(check(place, text, lineage=report)).values()) == {FAIL}
    assert set(answers(check(place, text, lineage=good_report())).values()) == {UNKNOWN}


def test_what_is_written_is_read_again_and_agrees(place: Path) -> None:
    manifest = build_manifest(place / "model", executor=ThreadExecutor(), limits=DEFAULT_LIMITS)
    files = {r.name: r.sha256 for r in manifest.resources}
    target = place / "provenance.yaml"
    digest = manifest.compute_digest()
    report = report_of(digest)
    write_provenance(target, files=files, digest=digest, lineage=report)
    assert BASE in target.read_text()
    found = check_document(target, root=place / "model", files=files, digest=digest, lineage=report)
    assert set(answers(found).values()) == {PASS}
    assert len(found.entries) > 20
    write_provenance(target, files=files, digest=digest, lineage=good_report())
    assert BASE not in target.read_text()  # that is the lineage of another artifact


def test_what_could_not_be_read_again_is_not_written(place: Path) -> None:
    limits = replace(DEFAULT_LIMITS, max_card_bytes=100)
    with pytest.raises(LimitExceededError):
        write_provenance(
            place / "x.yaml", files={"a": "0" * 64}, digest=None, lineage=None, limits=limits
        )
    assert not (place / "x.yaml").exists()
