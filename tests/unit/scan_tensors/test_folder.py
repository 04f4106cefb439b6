"""What contradicts itself between the files of a model is said, what belongs together is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from weighbridge.core import Location
from weighbridge.scanning._facts import Fact, NamedFile, ShapeWish, ShardIndex, TensorEntry
from weighbridge.scanning._facts import TensorTable as Table
from weighbridge.scanning._folder import check_folder
from weighbridge.scanning._tensors._wishes import list_wishes
from weighbridge.workflow import scan_artifact


def table(file: str, *names: str, form: str = "safetensors", digest: str = "") -> Table:
    return Table(file, form, tuple(TensorEntry(n, "F32", (4, 2), digest) for n in names))


def said(*facts: Fact, names: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    present = {"README.md", *names, *(fact.file for fact in facts)}
    return [(found.rule_id, found.location.file) for found in check_folder(facts, present)]


INDEX = ShardIndex(
    "m/model.safetensors.index.json", (("a", "1.safetensors"), ("b", "2.safetensors"))
)


def test_shards_that_are_as_the_index_says() -> None:
    assert said(INDEX, table("m/1.safetensors", "a"), table("m/2.safetensors", "b")) == []


@pytest.mark.parametrize(
    "facts",
    [
        (INDEX, table("m/1.safetensors", "a")),
        (INDEX, table("m/1.safetensors", "a"), table("m/2.safetensors", "c")),
        (INDEX, table("m/1.safetensors", "a", "b"), table("m/2.safetensors", "b")),
    ],
)
def test_shards_that_are_not(facts: tuple[Fact, ...]) -> None:
    assert [rule for rule, _ in said(*facts)] == ["WB-TNS-005"]


def test_an_index_without_any_of_its_shards_is_a_download_that_left_them_out() -> None:
    assert said(INDEX) == []


def test_numbered_shards_without_an_index() -> None:
    two = ("m/model-00001-of-00003.safetensors", "m/model-00003-of-00003.safetensors")
    assert [rule for rule, _ in said(names=two)] == ["WB-TNS-005"]
    assert said(names=(*two, "m/model-00002-of-00003.safetensors")) == []
    assert said(names=("d/train-00000-of-00004.parquet",)) == []


@pytest.mark.parametrize(
    ("sizes", "rules"),
    [
        ({"vocab_size": 4, "hidden_size": 2}, []),
        ({"vocab_size": 5, "hidden_size": 2}, ["WB-TNS-004"]),
        ({"vocab_size": 4, "hidden_size": 3}, ["WB-TNS-004"]),
        ({"vocab_size": 4}, []),
    ],
)
def test_shapes_and_config(sizes: dict[str, int], rules: list[str]) -> None:
    wish = ShapeWish("m/config.json", tuple(sizes.items()))
    held = table("m/model.safetensors", "model.embed_tokens.weight")
    assert [rule for rule, _ in said(wish, held)] == rules


def test_the_same_weights_in_two_formats() -> None:
    mine = table("m/model.safetensors", "a", "b", digest="1")
    assert said(mine, table("m/pytorch_model.bin", "a", "b", form="torch", digest="1")) == []
    assert said(mine, table("m/pytorch_model.bin", "a", form="torch")) == []
    assert said(mine, table("n/pytorch_model.bin", "a", form="torch", digest="2")) == []
    other = table("m/pytorch_model.bin", "a", "b", form="torch", digest="2")
    assert said(mine, other) == [("WB-TNS-006", "m/model.safetensors")]


def test_files_that_others_name() -> None:
    named = NamedFile("m/model.onnx", "weights.bin", "external data")
    assert said(named, names=("m/weights.bin",)) == []
    assert said(named) == [("WB-TNS-007", "m/model.onnx")]


def test_a_file_alone_is_not_compared() -> None:
    name = "model-00001-of-00003.safetensors"
    assert list(check_folder([table(name, "a")], [name])) == []


def test_widths_of_models_that_project_their_embeddings() -> None:
    config = {"architectures": ["X"], "vocab_size": 9, "hidden_size": 8, "embedding_size": 4}
    wishes = list(list_wishes(config, Location("config.json")))
    assert wishes == [ShapeWish("config.json", (("vocab_size", 9), ("hidden_size", 4)))]
    assert list(list_wishes(config, Location("x.zip", ("config.json",)))) == []
    assert list(list_wishes([config], Location("config.json"))) == []


def test_a_folder_on_disk(tmp_path: Path) -> None:
    values = {"embed_tokens.weight": np.ones((4, 2), dtype=np.float32)}
    save_file(values, tmp_path / "model-00001-of-00002.safetensors")
    config = {"architectures": ["X"], "vocab_size": 7, "hidden_size": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    index = {"weight_map": {"embed_tokens.weight": "model-00001-of-00002.safetensors", "z": "no"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    report = scan_artifact(tmp_path)
    assert {"WB-TNS-004", "WB-TNS-005"} == {found.rule_id for found in report.findings}


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("model.json", {"format": "graph-model", "weightsManifest": None}),
        ("net-weights_manifest.json", None),
    ],
)
def test_raw_numbers_that_a_manifest_describes_are_inert(
    tmp_path: Path, name: str, document: dict[str, object] | None
) -> None:
    groups = [{"paths": ["net.bin"], "weights": [{"name": "a", "shape": [4], "dtype": "uint8"}]}]
    manifest: object = groups
    if document is not None:
        manifest = {**document, "weightsManifest": groups}
    (tmp_path / name).write_text(json.dumps(manifest))
    numbers = bytes((n * 97 + n // 3) % 251 | 1 for n in range(4000))
    (tmp_path / "net.bin").write_bytes(b"\x7a\x75\x55" + numbers)
    (tmp_path / "other.bin").write_bytes(b"\x7a\x75\x55" + numbers)
    report = scan_artifact(tmp_path)
    assert [row.location.file for row in report.not_examined] == ["other.bin"]
