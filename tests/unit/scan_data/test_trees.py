"""Models by XGBoost and LightGBM pass; trees that contradict themselves do not."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, FileScan, Location
from weighbridge.errors import ParseError
from weighbridge.formats import MemorySource, read_ubjson
from weighbridge.scanning import build_inspector
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._data._trees import check_xgboost

CONTEXT = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "x"))


def scan(data: bytes, name: str) -> FileScan:
    return build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, data))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(200, 5)), random.integers(0, 2, 200)
    for booster in ("gbtree", "dart"):
        model = xgboost.XGBClassifier(n_estimators=5, booster=booster).fit(x, y)
        model.save_model(folder / f"{booster}.json")
        model.save_model(folder / f"{booster}.ubj")
    lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=2, verbose=-1).fit(
        x, y
    ).booster_.save_model(folder / "lgb.txt")
    return folder


@pytest.mark.parametrize("name", ["gbtree.ubj", "dart.ubj", "lgb.txt"])
def test_models_pass(trained: Path, name: str) -> None:
    result = scan((trained / name).read_bytes(), name)
    assert not result.findings
    assert {row.status.value for row in result.coverage} == {"examined"}


@pytest.mark.parametrize("name", ["gbtree", "dart"])
def test_json_and_its_binary_form_say_the_same(trained: Path, name: str) -> None:
    keep = frozenset({"left_children", "right_children"})
    packed = MemorySource("x", (trained / f"{name}.ubj").read_bytes())
    binary = read_ubjson(packed, keep=keep, spend=lambda _: None)
    plain = json.loads((trained / f"{name}.json").read_text())
    for document in (binary, plain):
        notes = list(check_xgboost(document, Location("x"), CONTEXT))
        assert [type(note).__name__ for note in notes] == ["Coverage"]


def break_tree(tree: dict[str, Any], how: str) -> None:
    if how == "far":
        tree["left_children"][0] = 10_000
    elif how == "negative":
        tree["right_children"][0] = -7
    elif how == "itself":
        tree["left_children"][0] = 0
    elif how == "twice":
        tree["right_children"][0] = tree["left_children"][0]
    elif how == "short":
        tree["left_children"].pop()
    elif how == "claims":
        tree["tree_param"]["num_nodes"] = "99999"
    elif how == "text":
        tree["left_children"][0] = "1"
    else:
        del tree["right_children"]


@pytest.mark.parametrize(
    "how", ["far", "negative", "itself", "twice", "short", "claims", "text", "none"]
)
def test_trees_of_xgboost_that_contradict_themselves(trained: Path, how: str) -> None:
    document = json.loads((trained / "gbtree.json").read_text())
    broken = copy.deepcopy(document)
    break_tree(broken["learner"]["gradient_booster"]["model"]["trees"][0], how)
    notes = list(check_xgboost(broken, Location("x"), CONTEXT))
    assert [getattr(note, "rule_id", "") for note in notes] == ["WB-BST-001", ""]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_leaves", "5000"),
        ("num_leaves", "x"),
        ("left_child", "1 2 3"),
        ("left_child", "99999" + " -1" * 400),
    ],
)
def test_trees_of_lightgbm_that_contradict_themselves(
    trained: Path, field: str, value: str
) -> None:
    lines = (trained / "lgb.txt").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{field}="))
    lines[at] = f"{field}={value}"
    result = scan("\n".join(lines).encode(), "lgb.txt")
    assert {found.rule_id for found in result.findings} == {"WB-BST-001"}


def test_a_model_of_lightgbm_that_is_cut(trained: Path) -> None:
    text = (trained / "lgb.txt").read_text()
    result = scan(text[: text.index("right_child=") + 30].encode(), "lgb.txt")
    assert any(row.status == "not-examined" for row in result.coverage)


def test_the_frame_of_catboost() -> None:
    whole = b"CBM1" + (100).to_bytes(4, "little") + bytes(100)
    assert not scan(whole, "m.cbm").findings
    assert {f.rule_id for f in scan(whole[:50], "m.cbm").findings} == {"WB-BST-001"}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        read_ubjson(MemorySource("x", b"{" + data), keep=frozenset(), spend=lambda _: None)
