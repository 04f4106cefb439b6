"""Files by skops pass; schemas that make it build something else do not."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from weighbridge.core import DEFAULT_LIMITS, Location
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._data._skops import check_skops, is_skops


def rules(document: object, allowed: tuple[tuple[str, str], ...] = ()) -> set[str]:
    budget = Budget(DEFAULT_LIMITS, "x")
    context = ScanContext(DEFAULT_LIMITS, budget, frozenset(allowed))
    notes = check_skops(document, Location("x"), context)
    return {note.rule_id for note in notes if hasattr(note, "rule_id")}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("skops") / "m.skops"
    x = np.random.default_rng(0).normal(size=(20, 3))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, [0, 1] * 10)
    skops.io.dump(model, path)
    with zipfile.ZipFile(path) as packed:
        return json.loads(packed.read("schema.json"))


def test_a_pipeline_passes(schema: Any) -> None:
    assert is_skops(schema)
    assert rules(schema) == set()


def node(module: str, name: str, loader: str, **more: Any) -> dict[str, Any]:
    return {"__module__": module, "__class__": name, "__loader__": loader, **more}


def method(owner: tuple[str, str], func: str, claimed: tuple[str, str] | None = None) -> Any:
    obj = node(*owner, "ObjectNode", content=None)
    return node(*(claimed or owner), "MethodNode", content={"func": func, "obj": obj})


HOSTILE = {
    "function": node("os", "system", "FunctionNode"),
    "type": node("subprocess", "Popen", "TypeNode"),
    "object": node("builtins", "exec", "ObjectNode"),
    "reduce": node("builtins", "eval", "ConstructorFromReduceNode"),
    # CVE-2025-54413: the loader takes getattr(operator, name) for what the node names.
    "operator": node("builtins", "eval", "OperatorFuncNode", attrs=[]),
    "operator-call": node("operator", "call", "OperatorFuncNode", attrs=[]),
    "partial": node("os", "system", "PartialNode", content={}),
    "tuple": node("os", "system", "TupleNode", content=[]),
    # CVE-2025-54412: what is audited is one class, what is built another.
    "method": method(("subprocess", "Popen"), "communicate", ("builtins", "int")),
    "hidden-method": method(("sklearn.linear_model._logistic", "LogisticRegression"), "__reduce__"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_schemas_that_build_something_else(schema: Any, name: str) -> None:
    assert "WB-SKO-002" in rules(HOSTILE[name])
    deep = {**schema, "content": [{"more": [HOSTILE[name]]}]}
    assert "WB-SKO-002" in rules(deep)


def test_what_nobody_vouches_for() -> None:
    own = node("mypackage", "Model", "ObjectNode")
    assert rules(own) == {"WB-SKO-003"}
    assert rules(own, allowed=(("mypackage", "Model"),)) == set()
    assert rules(node("numpy", "ndarray", "EvalNode")) == {"WB-SKO-001"}
    assert rules({"__module__": 1, "__class__": "x", "__loader__": "y"}) == {"WB-SKO-001"}


def test_depth_is_no_recursion() -> None:
    deep: Any = node("os", "system", "FunctionNode")
    for _ in range(50_000):
        deep = [deep]
    assert rules(deep) == {"WB-SKO-002"}
