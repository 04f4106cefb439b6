"""A document kept by hand, held against files and lineage: agreement, disagreement, silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unit.policy.checklist_cases import (
    ARTIFACT,
    BASE,
    COMMIT,
    DATA,
    LOCK,
    RAW,
    SCRIPT,
    TRAINING,
    good_report,
    make_node,
    trained_evidence,
    with_node,
    with_report,
)
from weighbridge.core import (
    DEFAULT_LIMITS,
    Answer,
    DocumentCheck,
    DocumentEntry,
    LineageReport,
    Origin,
)
from weighbridge.formats import parse_provenance_yaml
from weighbridge.policy import FoundFile, Surroundings, compare_document, judge_document

PASS, FAIL, UNKNOWN = Answer.PASS, Answer.FAIL, Answer.UNKNOWN
OTHER = "0f" * 32
FILES = {"config.json": "01" * 32, "model.safetensors": "02" * 32}
FOUND = {
    "model.safetensors": FoundFile("02" * 32, 10),
    "gone.bin": FoundFile(problem="is not here"),
    "data.csv": FoundFile("da" * 32, 5),
    "bad.csv": FoundFile(OTHER, 5),
    "uv.lock": FoundFile(LOCK),
    "other.lock": FoundFile(OTHER),
    "seen": FoundFile(),
}
DIGEST = trained_evidence().artifact.digest


def compare(text: str, lineage: LineageReport | None = None, **changes: object) -> DocumentCheck:
    document = parse_provenance_yaml(text.encode(), what="p.yaml", limits=DEFAULT_LIMITS)
    around = Surroundings("p.yaml", FILES, DIGEST, FOUND, lineage=lineage or good_report())
    return compare_document(document, replace(around, **changes))  # type: ignore[arg-type]


def first(text: str, lineage: LineageReport | None = None, **changes: object) -> DocumentEntry:
    return compare(text, lineage, **changes).entries[0]


def hexed(id_: str) -> str:
    return id_.removeprefix("sha256:")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        # The artifact and its files
        (f"model: {{sha256: '{ARTIFACT}'}}", PASS),
        (f"model: {{sha256: {'02' * 32}}}", PASS),
        (f"model: {{sha256: {'01' * 32}}}", FAIL),  # of config.json, which holds no weights
        (f"model: {{sha256: {OTHER}}}", FAIL),
        ("model: {sha256: abc}", FAIL),
        ("model: {sha256: 'md5:abc'}", UNKNOWN),
        (f"model: {{path: model.safetensors, sha256: {'02' * 32}}}", PASS),
        (f"model: {{sha256: {'02' * 32}, path: model.safetensors}}", PASS),
        (f"model: {{path: model.safetensors, sha256: {OTHER}}}", FAIL),
        (f"model: {{path: gone.bin, sha256: {OTHER}}}", FAIL),
        ("model: {path: model.safetensors}", UNKNOWN),
        ("model: {path: gone.bin}", FAIL),
        ("model: {name: model}", PASS),
        ("model: {name: another}", UNKNOWN),
        ("model: {version: 1}", UNKNOWN),
        (f"files: {{model.safetensors: {'02' * 32}}}", PASS),
        (f"files: {{model.safetensors: {OTHER}}}", FAIL),
        (f"files: {{gone.bin: {OTHER}}}", FAIL),
        (f"files: [{{sha256: {'01' * 32}}}]", PASS),
        (f"files: [{{sha256: {OTHER}}}]", FAIL),
        ("files: [{path: gone.bin}]", FAIL),
        ("files: [{size: 10, path: model.safetensors}]", PASS),
        ("files: [{size: 11, path: model.safetensors}]", FAIL),
        ("files: [{size: ten, path: model.safetensors}]", UNKNOWN),
        # What it was made from
        (f"base_model: {{sha256: {hexed(BASE)}}}", PASS),
        (f"base_model: {{sha256: {OTHER}}}", FAIL),
        (f"base_model: {{sha256: {hexed(DATA)}}}", FAIL),
        ("base_model: hf://org/base", PASS),
        ("base_model: org/base", PASS),
        ("base_model: https://huggingface.co/org/base", PASS),
        ("base_model: https://huggingface.co/org/base/tree/" + "7" * 40, PASS),
        ("base_model: hf://org/base@" + "8" * 40, FAIL),
        ("base_model: hf://org/base@main", UNKNOWN),
        ("base_model: org/other", FAIL),
        ("base_model: {uri: 'https://example.com/base'}", FAIL),
        ("base_model: base", PASS),
        ("base_model: unheard-of", UNKNOWN),
        ("base_model: {revision: " + "7" * 40 + "}", PASS),
        ("base_model: {revision: '7777777'}", PASS),
        ("base_model: {revision: '8888888'}", FAIL),
        ("base_model: {revision: main}", UNKNOWN),
        ("base_model: {license: apache-2.0}", PASS),
        ("base_model: {license: mit}", FAIL),
        ("base_model: {license: no such licence}", UNKNOWN),
        (f"training_data: [{{sha256: {hexed(DATA)}}}]", PASS),
        (f"training_data: [{{sha256: {hexed(RAW)}}}]", PASS),
        (f"training_data: [{{sha256: {OTHER}}}]", FAIL),
        (f"training_data: [{{path: data.csv, sha256: {hexed(DATA)}}}]", PASS),
        (f"training_data: [{{path: bad.csv, sha256: {hexed(DATA)}}}]", FAIL),
        (f"training_data: [{{path: bad.csv, sha256: {OTHER}}}]", FAIL),
        (f"training_data: [{{path: gone.bin, sha256: {hexed(DATA)}}}]", PASS),
        ("training_data: [{path: gone.bin}]", UNKNOWN),
        ("training_data: [{path: seen}]", UNKNOWN),
        ("training_data: [train.parquet]", PASS),
        ("training_data: [{license: MIT, name: raw}]", PASS),
        ("training_data: [{license: GPL-3.0-only, name: raw}]", FAIL),
        ("training_data: [{license: MIT, name: train.parquet}]", UNKNOWN),
        ("training_data: [{license: MIT}]", UNKNOWN),  # which of them cannot be told
        # What it was made with
        (f"dependencies: {{lock: {LOCK}}}", PASS),
        (f"dependencies: {{lock: {OTHER}}}", FAIL),
        ("dependencies: {lock: uv.lock}", PASS),
        ("dependencies: {lock: other.lock}", FAIL),
        ("dependencies: {lock: seen}", UNKNOWN),
        ("dependencies: {torch: 2.1.0}", PASS),
        ("dependencies: {torch: 2.1.0+cu121}", PASS),
        ("dependencies: {torch: 2.1.0+cpu}", FAIL),
        ("dependencies: {torch: 2.1.1}", FAIL),
        ("dependencies: {PyTorch: 2.1.0}", PASS),
        ("dependencies: {torch: '>=2'}", UNKNOWN),
        ("dependencies: {torch: '2.*'}", UNKNOWN),
        ("dependencies: {flax: 1.0}", FAIL),
        ("dependencies: {python: '3.11'}", PASS),
        ("dependencies: {python: '3.1'}", FAIL),
        ("training: {commit: " + COMMIT + "}", PASS),
        ("training: {commit: c0ffee0}", PASS),
        ("training: {commit: deadbee}", FAIL),
        ("training: {repo: 'https://example.com/repo.git'}", PASS),
        ("training: {repo: 'https://example.com/fork'}", FAIL),
        (f"training: {{script_sha256: {SCRIPT}}}", PASS),
        (f"training: {{script_sha256: {OTHER}}}", FAIL),
        ("training: {script: train.py}", PASS),
        ("training: {script: other.py}", UNKNOWN),
        ("training: {seed: 42}", PASS),
        ("training: {seed: 43}", FAIL),
        ("training: {hyperparameters: {lr: 0.0001}}", PASS),
        ("training: {hyperparameters: {LR: 1e-3}}", FAIL),
        ("training: {hyperparameters: {epochs: 3}}", UNKNOWN),
        ("training: {framework: pytorch 2.1.0}", PASS),
        ("training: {framework: pytorch}", PASS),
        ("training: {framework: jax}", FAIL),
        ("training: {framework_version: 2.1.0}", UNKNOWN),
        ("training: {cuda: '12.1'}", PASS),
        ("training: {cuda: '12'}", PASS),
        ("training: {cuda: '11.8'}", FAIL),
        ("training: {cudnn: 8.9.2}", PASS),
        ("training: {cudnn: 8902}", PASS),
        ("training: {cudnn: '9.1'}", FAIL),
        ("training: {gpu: H100}", PASS),
        ("training: {hardware: one big machine}", UNKNOWN),
        ("training: {started: 2026-01-01}", PASS),
        ("training: {started: '2026-01-01T13:00:00+01:00'}", PASS),
        ("training: {started: '2026-01-01T12:00:01Z'}", FAIL),
        ("training: {finished: tomorrow}", FAIL),
        ("training: {kind: finetune}", FAIL),
        ("training: {kind: fine_tune}", PASS),
        ("training: {builder: 'https://example.com/cluster/v1'}", PASS),
        ("training: {mood: good}", UNKNOWN),
        ("anything: else", UNKNOWN),
    ],
)
def test_each_thing_is_compared(text: str, answer: Answer) -> None:
    entry = first(text)
    assert entry.answer is answer, entry
    assert entry.message.endswith(".")
    assert entry.message[0].isupper()


@pytest.mark.parametrize(
    "lineage",
    [
        replace(good_report(), is_judged=False),
        replace(
            good_report(),
            nodes=(make_node(ARTIFACT, "model", Origin.UNKNOWN, 0),),
            edges=(),
        ),
    ],
    ids=["nobody trusted", "dead end"],
)
@pytest.mark.parametrize(
    "text",
    [
        f"base_model: {{sha256: {hexed(BASE)}, uri: hf://org/base, license: mit}}",
        f"training_data: [{{sha256: {OTHER}}}]",
        "dependencies: {torch: 2.1.0, lock: uv.lock}",
        f"training: {{seed: 42, commit: {COMMIT}, script_sha256: {SCRIPT}, params: {{lr: 1}}}}",
        "model: {name: model, license: mit}",
    ],
)
def test_without_a_lineage_that_is_believed_nothing_of_it_is_compared(
    text: str, lineage: LineageReport
) -> None:
    check = compare(text, lineage)
    assert {entry.answer for entry in check.entries} == {UNKNOWN}
    assert judge_document(check).answer is UNKNOWN


def test_data_may_be_what_the_data_of_a_dead_end_was_made_from() -> None:
    evidence = with_node(trained_evidence(), DATA, origin=Origin.UNKNOWN)
    entry = first(f"training_data: [{{sha256: {OTHER}}}]", evidence.lineage)
    assert entry.answer is UNKNOWN
    base = first(f"base_model: {{sha256: {OTHER}}}", evidence.lineage)
    assert base.answer is FAIL


def test_a_base_model_of_which_the_record_says_nothing_disagrees() -> None:
    report = good_report()
    edges = tuple(edge for edge in report.edges if edge.role != "base-model")
    lineage = with_report(trained_evidence(), edges=edges).lineage
    for text in (f"base_model: {{sha256: {OTHER}}}", "base_model: org/base"):
        assert first(text, lineage).answer is FAIL


def test_a_gpu_that_the_record_says_there_was_not_disagrees() -> None:
    step = replace(TRAINING, facts={"accelerator": {"kind": "none"}})
    assert first("training: {gpu: 8x A100}", good_report(step)).answer is FAIL
    assert first("training: {hardware: laptop}", good_report(step)).answer is UNKNOWN


def test_files_that_a_list_leaves_out_are_told() -> None:
    check = compare(f"files: {{model.safetensors: {'02' * 32}}}")
    assert [(e.place, e.answer) for e in check.entries] == [
        ("files.model.safetensors", PASS),
        ("files", UNKNOWN),
    ]
    assert "config.json" in check.entries[-1].message
    assert judge_document(check).answer is PASS
    alone = compare(f"files: {{model.safetensors: {'02' * 32}}}", own_name="config.json")
    assert len(alone.entries) == 1


def test_a_rule_fails_for_one_thing_that_is_not_so() -> None:
    failed = judge_document(compare(f"model: {{sha256: {OTHER}, name: model}}"))
    assert failed.answer is FAIL
    assert "model.sha256" in failed.reason
    assert failed.remedy
    assert judge_document(DocumentCheck("p", problem="line 1: bad")).answer is UNKNOWN
    assert judge_document(DocumentCheck("p")).answer is UNKNOWN
    assert judge_document(compare("notes: x")).answer is UNKNOWN
    passed = judge_document(compare("model: {name: model, version: 1}"))
    assert (passed.answer, passed.remedy) == (PASS, "")


def test_what_strangers_write_cannot_act_on_a_terminal() -> None:
    evil = '"\\e[2J\\u202e\\n"'
    text = (
        f"model: {{name: {evil}, sha256: {evil}, path: {evil}, size: {evil}}}\n"
        f"base_model: {{uri: {evil}, revision: {evil}, license: {evil}}}\n"
        f"dependencies: {{{evil}: {evil}, lock: {evil}}}\n"
        f"training: {{seed: {evil}, commit: {evil}, gpu: {evil}, params: {{{evil}: {evil}}},"
        f" framework: {evil}, started: {evil}}}\n"
        f"files: {{{evil}: {evil}}}\n{evil}: 1\n"
    )
    check = compare(text)
    assert len(check.entries) > 12
    for entry in check.entries:
        assert entry.message.isprintable(), entry
        assert entry.place.isprintable(), entry
    assert judge_document(check).reason.isprintable()
