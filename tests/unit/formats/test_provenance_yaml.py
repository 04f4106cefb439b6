"""Documents that teams keep by hand: what is read, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weighbridge.core import DEFAULT_LIMITS
from weighbridge.errors import LimitExceededError, ParseError
from weighbridge.formats import DocumentSection, parse_provenance_yaml

HEX = "ab" * 32


def read(text: str) -> list[tuple[str, str, int, str, str]]:
    document = parse_provenance_yaml(text.encode(), what="provenance.yaml", limits=DEFAULT_LIMITS)
    return [(v.place, v.section.value, v.item, v.field, v.text) for v in document.values]


def test_the_whole_shape_is_read_in_its_order() -> None:
    found = read(
        f"""
model: {{name: tiny, version: 1.10, path: ., sha256: "sha256:{HEX}"}}
base_model: {{source: hf://org/base, revision: main, license: apache-2.0}}
training_data:
  - {{name: rows, path: data/rows.csv, checksum: {HEX}, size: 1_000}}
  - s3://bucket/more
dependencies: {{lock: uv.lock, packages: {{torch: "2.1.0"}}, cuda: "12.1"}}
training:
  script: {{path: train.py, sha256: {HEX}}}
  commit: c0ffee0
  seeds: {{numpy: 1, torch: 2}}
  hyperparameters: {{lr: 1e-4, opt: {{betas: [0.9, 0.99]}}}}
  framework: {{name: torch, version: 2.1.0}}
  hardware: [H100, EPYC]
files:
  - {{path: a.bin, sha256: {HEX}, size: 3}}
notes: {{any: thing}}
"""
    )
    assert found == [
        ("model.name", "model", 0, "name", "tiny"),
        ("model.version", "model", 0, "version", "1.10"),
        ("model.path", "model", 0, "path", "."),
        ("model.sha256", "model", 0, "sha256", f"sha256:{HEX}"),
        ("base_model.source", "base_model", 0, "uri", "hf://org/base"),
        ("base_model.revision", "base_model", 0, "revision", "main"),
        ("base_model.license", "base_model", 0, "license", "apache-2.0"),
        ("training_data[0].name", "training_data", 0, "name", "rows"),
        ("training_data[0].path", "training_data", 0, "path", "data/rows.csv"),
        ("training_data[0].checksum", "training_data", 0, "sha256", HEX),
        ("training_data[0].size", "training_data", 0, "size", "1_000"),
        ("training_data[1]", "training_data", 1, "uri", "s3://bucket/more"),
        ("dependencies.lock", "lock", 0, "path", "uv.lock"),
        ("dependencies.packages.torch", "package", 0, "torch", "2.1.0"),
        ("dependencies.cuda", "training", 0, "cuda", "12.1"),
        ("training.script.path", "script", 0, "path", "train.py"),
        ("training.script.sha256", "script", 0, "sha256", HEX),
        ("training.commit", "training", 0, "commit", "c0ffee0"),
        ("training.seeds.numpy", "seed", 0, "numpy", "1"),
        ("training.seeds.torch", "seed", 0, "torch", "2"),
        ("training.hyperparameters.lr", "parameter", 0, "lr", "1e-4"),
        ("training.hyperparameters.opt.betas[0]", "parameter", 0, "opt.betas", "0.9"),
        ("training.hyperparameters.opt.betas[1]", "parameter", 0, "opt.betas", "0.99"),
        ("training.framework.name", "training", 0, "framework", "torch"),
        ("training.framework.version", "training", 0, "framework_version", "2.1.0"),
        ("training.hardware[0]", "training", 0, "hardware", "H100"),
        ("training.hardware[1]", "training", 0, "hardware", "EPYC"),
        ("files[0].path", "file", 0, "path", "a.bin"),
        ("files[0].sha256", "file", 0, "sha256", HEX),
        ("files[0].size", "file", 0, "size", "3"),
        ("notes", "unknown", 0, "", ""),
    ]


@pytest.mark.parametrize(
    ("text", "section", "field", "said"),
    [
        ("base-model: org/base", "base_model", "name", "org/base"),
        ("baseModel: [org/base]", "base_model", "name", "org/base"),
        ("Base_Models: {uri: x://y}", "base_model", "uri", "x://y"),
        ("datasets: [glue]", "training_data", "name", "glue"),
        ("data: {digest: aa}", "training_data", "sha256", "aa"),
        ("train-data: {SHA-256: aa}", "training_data", "sha256", "aa"),
        ("license: mit", "model", "license", "mit"),
        ("sha256: aa", "model", "sha256", "aa"),
        ("model: tiny", "model", "name", "tiny"),
        (f"model: {{files: {{w: {HEX}}}}}", "file", "sha256", HEX),
        (f"files: {{w: {HEX}}}", "file", "path", "w"),
        (f"files: {{w: {{hash: {HEX}, bytes: 1}}}}", "file", "size", "1"),
        (f"w.bin: {HEX}", "file", "path", "w.bin"),
        (f"- {{file: w, sha256: {HEX}}}", "file", "path", "w"),
        ("dependencies: [torch==2.1]", "package", "torch", "2.1"),
        ("dependencies: {packages: [{name: torch, version: 2}]}", "package", "torch", "2"),
        ("dependencies: {torch: ==2.1}", "package", "torch", "2.1"),
        ("dependencies: {lockSha256: aa}", "lock", "sha256", "aa"),
        (f"dependencies: {{lock: {HEX}}}", "lock", "sha256", HEX),
        ("dependencies: {lock: {name: uv.lock}}", "lock", "path", "uv.lock"),
        ("training: {randomSeed: 7}", "seed", "", "7"),
        ("training: {git-commit: aa}", "training", "commit", "aa"),
        ("training: {startedAt: 2026-01-01}", "training", "started", "2026-01-01"),
        ("training_data: {train: {path: a}, test: {path: b}}", "training_data", "name", "train"),
        ("\ufeffmodel: tiny", "model", "name", "tiny"),
    ],
)
def test_sensible_spellings_are_one(text: str, section: str, field: str, said: str) -> None:
    assert (section, field, said) in [(s, f, t) for _, s, _, f, t in read(text)]


@pytest.mark.parametrize("text", ["", "null", "~", "# nothing\n", "model:\ntraining: ~\nfiles:\n"])
def test_a_document_that_says_nothing_has_no_values(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: [a, b]", "one model"),
        ("model: {sha256: a, checksum: b}", "say the same"),
        ("base_model: a\nbaseModel: b", "say the same"),
        ("model: {license: a}\nlicense: b", "again"),
        ("model: {files: {w: a}}\nfiles: {w: a}", "again"),
        ("dependencies: {lock: {sha256: a}, lock-sha256: b}", "again"),
        ("training: {script: {sha256: a}, script_sha256: b}", "again"),
        ("model: a\nmodel: b", "twice"),
        ("training: text", "key: value"),
        ("just text", "key: value"),
        ("files: text", "key: value"),
        ("model: &a {name: x}", "anchors"),
        ("model: *a", "anchors"),
        ("model: !!python/object:os.system x", "tags"),
        ("<<: {a: b}", "merge"),
        ("? {a: b}\n: c", "key must be text"),
        ("a: 1\n---\nb: 2", "second document"),
        ("a: [1", "not YAML"),
        ("model: {name: " + "x" * 5000 + "}", "4,096"),
        ("training: {params: {" + "x" * 300 + ": 1}}", "240"),
        ("[" * 100 + "]" * 100, "inside each other"),
        ("training: {params: " + "{a: " * 100 + "1" + "}" * 101, "inside each other"),
        ("files: {w: {path: x}}", "path already"),
        ("data: {a: {name: b}}", "name already"),
        ("dependencies: {torch: [1]}\ntraining: {script: [x]}", "one text"),
        ("model: {name: \x07}", "not YAML"),
    ],
)
def test_what_is_ambiguous_or_hostile_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(text)
    assert words in str(caught.value)
    assert str(caught.value).startswith("provenance.yaml: ")
    assert str(caught.value).isprintable()


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ParseError, match="not UTF-8 at byte 3"):
        parse_provenance_yaml(b"a: \xff", what="x", limits=DEFAULT_LIMITS)


def test_a_document_over_the_limit_is_refused() -> None:
    limits = replace(DEFAULT_LIMITS, max_card_bytes=10)
    with pytest.raises(LimitExceededError, match="max_card_bytes"):
        parse_provenance_yaml(b"model: 123456", what="x", limits=limits)


def test_numbers_stay_the_text_that_was_written() -> None:
    digits = "9" * 4000
    found = read(f"training: {{seed: {digits}, params: {{lr: 1e999999999, no: no, n: 0o17}}}}")
    assert [t for *_, t in found] == [digits, "1e999999999", "no", "0o17"]


def test_many_values_below_long_names_take_bounded_memory() -> None:
    """The place of a value is cut, or 60 long names above a quarter of a million would be 1 GB."""
    text = "training: {params: " + "".join(f"{{{'n' * 3}: " for _ in range(50)) + "{"
    text += ", ".join(f"k{n}: 1" for n in range(20_000)) + "}" * 52
    document = parse_provenance_yaml(text.encode(), what="x", limits=DEFAULT_LIMITS)
    assert len(document.values) == 20_000
    assert max(len(value.place) for value in document.values) <= 240


def test_values_of_one_item_belong_together() -> None:
    document = parse_provenance_yaml(
        b"data: [{path: a, sha256: b}, {path: c}]", what="x", limits=DEFAULT_LIMITS
    )
    assert document.group() == {
        (DocumentSection.DATA, 0): {"path": "a", "sha256": "b"},
        (DocumentSection.DATA, 1): {"path": "c"},
    }
