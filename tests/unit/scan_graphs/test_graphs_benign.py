"""Ordinary graphs, as the libraries write them: none may gate."""

from __future__ import annotations

import struct
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from unit.scan_graphs.graph_builders import (
    executorch,
    gates,
    pb,
    saved_model,
    scan,
    tf_call,
    tf_const,
    tf_function,
    tf_graph,
    tf_node,
    tflite,
)
from weighbridge.core import CoverageStatus

_DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"


def _onnx(location: str = "") -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    if location:
        tensor = TensorProto(name="w", data_type=1, dims=[2], data_location=1)
        tensor.external_data.add(key="location", value=location)
        tensor.external_data.add(key="length", value="8")
    model = helper.make_model(helper.make_graph([node], "g", [x], [], [tensor]))
    model.metadata_props.add(key="names", value="{0: 'person', 1: 'bicycle', 2: 'car'}")
    return model.SerializeToString()


# What every SavedModel has: a saver whose path is an argument, joined with a suffix.
_SAVER = tf_function(
    "__inference__traced_save_1",
    tf_const("part", "_temp/part"),
    tf_node("join", "StringJoin", "file_prefix", "part:output:0"),
    tf_node("name", "ShardedFilename", "join:output:0", "n", "k"),
    tf_node("save", "SaveV2", "name:filename:0", "names", "slices"),
    tf_node("merge", "MergeV2Checkpoints", "prefixes", "file_prefix"),
)
_SP = pb((1, pb((1, "<unk>"), (3, 2))), (1, pb((1, "<s>"), (3, 3))), (1, pb((1, "</s>"), (3, 3))))

BENIGN = {
    "onnx": _onnx(),
    "onnx external": _onnx("model.onnx.data"),
    "saved model": saved_model(
        tf_graph(
            tf_node("saver_filename", "Placeholder"),
            tf_call("c", "__inference__traced_save_1", "saver_filename"),
            functions=(_SAVER,),
        ),
        assets=("vocab.txt",),
    ),
    "old saver": tf_graph(
        tf_const("save/Const", "model"), tf_node("save/SaveV2", "SaveV2", "save/Const", "n", "s")
    ),
    "tflite": tflite((0, "")),
    "tflite detection": tflite((32, "TFLite_Detection_PostProcess")),
    "tflite flex": tflite((32, "FlexErf")),
    "executorch": executorch(("aten::add", "dim_order_ops::_clone"), ("XnnpackBackend",)),
    "core ml": pb((1, 4), (2, pb((100, pb((1, "a model"))))), (500, pb((1, pb((1, "relu")))))),
    "sentencepiece": _SP + pb((2, pb((1, "input.txt"))), (3, pb((1, "nmt_nfkc")))),
    "paddle": pb((1, pb((1, 0), (2, 0), (4, pb((3, "conv2d"))))), (4, pb((1, 0)))),
    "paddle weights": struct.pack("<IQIi", 0, 0, 0, 4) + pb((1, 5), (2, 2)) + bytes(8),
    "openvino": b'<?xml version="1.0"?>\n<net name="m" version="11"><layers><layer id="0" name="x" '
    b'type="Parameter" version="opset1"><data shape="1,4"/></layer></layers></net>',
    "pmml": b'<?xml version="1.0"?><PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">'
    b'<Header><Extension name="user" value="me"/></Header><Apply function="+"/></PMML>',
    "caffe": pb((1, "net"), (100, pb((1, "c"), (2, "Convolution")))),
    "prototxt": b'name: "n"\nlayer { name: "d" type: "Input" top: "data" }\n',
    "pbtxt": b'node {\n  name: "x"\n  op: "Placeholder"\n}\nversions { producer: 1 }\n',
    "ncnn": b"7767517\n2 2\nInput data 0 1 data\nReLU r 1 1 data out\n",
    "mxnet": b'{"nodes": [{"op": "null", "name": "x", "inputs": []}, {"op": "FullyConnected", '
    b'"name": "f", "inputs": [[0, 0, 0]]}], "arg_nodes": [0], "heads": [[1, 0, 0]]}',
    "coremlweights": struct.pack("<II56xI", 1, 2, 0xDEADBEEF) + bytes(60),
    "weights.bin": struct.pack("<256f", *[0.01 * (i - 128.5) for i in range(256)]),
}


@pytest.mark.parametrize("name", BENIGN)
def test_passes(name: str) -> None:
    result = scan(BENIGN[name], name)
    assert not gates(result)
    assert all(row.status is not CoverageStatus.NOT_EXAMINED for row in result.coverage)


@pytest.mark.skipif(not _DATA.is_dir(), reason="this onnx has no test data")
def test_the_test_data_of_onnx_pass() -> None:
    """Hundreds of small models and tensors, all by onnx itself or by PyTorch."""
    paths = sorted(path for path in _DATA.rglob("*") if path.suffix in (".onnx", ".pb"))
    bad = {str(path): gates(scan(path.read_bytes(), path.name)) for path in paths}
    assert {path: why for path, why in bad.items() if why} == {}
    assert len(paths) > 100


def test_external_data_are_a_fact() -> None:
    (fact,) = scan(BENIGN["onnx external"]).facts
    assert (fact.target, fact.purpose) == ("model.onnx.data", "external data")  # type: ignore[attr-defined]
