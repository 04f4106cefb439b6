"""Graphs as text: pbtxt, prototxt, NCNN, and the JSON of MXNet and Paddle."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from weighbridge.core import parse_json
from weighbridge.errors import ParseError
from weighbridge.formats import parse_text_proto
from weighbridge.scanning._graphs._layer_names import NCNN_LAYERS
from weighbridge.scanning._graphs._others import check_caffe_text, judge_paddle
from weighbridge.scanning._graphs._tf_judge import (
    TfNode,
    judge_nodes,
    judge_operator_name,
)
from weighbridge.scanning._graphs._walk import is_foreign_path, quote
from weighbridge.scanning._notes import not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.formats import TextField
    from weighbridge.scanning._graphs._walk import Scene
    from weighbridge.scanning._notes import Note

__all__ = ["check_text_graph"]

_MAX_NCNN_BYTES = 8 * 1024 * 1024
_MAX_BYTES = 64 * 1024 * 1024
_TEXT_PROTO = re.compile(
    rb"(?:\A|[\s{}])(?:node|node_def|layers?|meta_graphs|graph_def|library|graph|op)\s*:?\s*[{<]"
)
_COMMENT = re.compile(rb"\A(?:\s*#[^\n]*\n)*\s*")
_NCNN = re.compile(rb"\A7767517\s")
_MXNET = re.compile(rb'"nodes"\s*:|"arg_nodes"\s*:|"heads"\s*:')
_PIR = re.compile(rb'"base_code"\s*:|"pir"\s*:')
_MX_LEAVES = frozenset(
    ["Custom", "_Native", "_NDArray", "_CustomFunction", "_TensorRT", "_CrossDeviceCopy", "_Python"]
)
_MX_FAMILIES = re.compile(
    r"null|(?:_contrib|_np|_npi|_npx|_image|_random|_sample|_sparse|_linalg|linalg|_backward|"
    r"elemwise|broadcast|_sg|_subgraph|_broadcast|_foreach|_while|_cond|_mul|_plus|_minus|_div|"
    r"_rminus|_rdiv|_power|_rpower|_maximum|_minimum|_mod|_rmod|_equal|_not|_greater|_lesser|"
    r"_logical|_copy|_zeros|_ones|_full|_ar\w+|_eye|_linspace|_slice|_scatter|_crop|_grad|"
    r"_identity|_square|_ravel|_unravel|_shuffle|_split|_hypot|_histogram|_rnn|_cvimread|"
    r"_adamw|_mp|_multi|_fused|_Plus|_Minus|_Mul|_Div|_MulScalar|_PlusScalar)[\w]*"
)
_MX_NAMES = frozenset(
    [
        "Activation",
        "BatchNorm",
        "BatchNorm_v1",
        "BilinearSampler",
        "BlockGrad",
        "CTCLoss",
        "Cast",
        "Concat",
        "Convolution",
        "Convolution_v1",
        "Correlation",
        "Crop",
        "Deconvolution",
        "Dropout",
        "ElementWiseSum",
        "Embedding",
        "Flatten",
        "FullyConnected",
        "GridGenerator",
        "GroupNorm",
        "IdentityAttachKLSparseReg",
        "InstanceNorm",
        "L2Normalization",
        "LRN",
        "LayerNorm",
        "LeakyReLU",
        "LinearRegressionOutput",
        "LogisticRegressionOutput",
        "MAERegressionOutput",
        "MakeLoss",
        "Pad",
        "Pooling",
        "Pooling_v1",
        "RNN",
        "ROIPooling",
        "Reshape",
        "SVMOutput",
        "SequenceLast",
        "SequenceMask",
        "SequenceReverse",
        "SliceChannel",
        "Softmax",
        "SoftmaxActivation",
        "SoftmaxOutput",
        "SpatialTransformer",
        "SwapAxis",
        "UpSampling",
        "abs",
        "add_n",
        "all_finite",
        "amp_cast",
        "amp_multicast",
        "arccos",
        "arccosh",
        "arcsin",
        "arcsinh",
        "arctan",
        "arctanh",
        "argmax",
        "argmax_channel",
        "argmin",
        "argsort",
        "batch_dot",
        "batch_take",
        "cast_storage",
        "cbrt",
        "ceil",
        "choose_element_0index",
        "clip",
        "concat",
        "cos",
        "cosh",
        "crop",
        "ctc_loss",
        "cumsum",
        "degrees",
        "depth_to_space",
        "diag",
        "dot",
        "erf",
        "erfinv",
        "exp",
        "expand_dims",
        "expm1",
        "fill_element_0index",
        "fix",
        "flatten",
        "flip",
        "floor",
        "gamma",
        "gammaln",
        "gather_nd",
        "hard_sigmoid",
        "identity",
        "im2col",
        "col2im",
        "khatri_rao",
        "log",
        "log10",
        "log1p",
        "log2",
        "log_softmax",
        "logical_not",
        "make_loss",
        "masked_softmax",
        "masked_log_softmax",
        "max",
        "max_axis",
        "mean",
        "min",
        "min_axis",
        "moments",
        "mp_sgd_update",
        "nanprod",
        "nansum",
        "norm",
        "normal",
        "one_hot",
        "ones_like",
        "pad",
        "pick",
        "prod",
        "radians",
        "random_normal",
        "random_uniform",
        "rcbrt",
        "reciprocal",
        "relu",
        "repeat",
        "reset_arrays",
        "reshape",
        "reshape_like",
        "reverse",
        "rint",
        "round",
        "rsqrt",
        "scatter_nd",
        "sgd_update",
        "shape_array",
        "sigmoid",
        "sign",
        "sin",
        "sinh",
        "size_array",
        "slice",
        "slice_axis",
        "slice_like",
        "smooth_l1",
        "softmax",
        "softmax_cross_entropy",
        "softmin",
        "softsign",
        "sort",
        "space_to_depth",
        "split",
        "sqrt",
        "square",
        "squeeze",
        "stack",
        "stop_gradient",
        "sum",
        "sum_axis",
        "swapaxes",
        "take",
        "tan",
        "tanh",
        "tile",
        "topk",
        "transpose",
        "trunc",
        "uniform",
        "unravel_index",
        "where",
        "zeros_like",
        "SequenceMask",
        "adam_update",
        "multi_sum_sq",
        "multi_lars",
        "ftrl_update",
        "rmsprop_update",
        "nag_mom_update",
        "digamma",
        "preloaded_multi",
    ]
)


def check_text_graph(scene: Scene, head: bytes) -> Iterator[Note]:
    """Yield what a graph in text does besides computing; nothing if it is none.

    The rows of the text are for whoever examines texts.
    """
    head = head.removeprefix(b"\xef\xbb\xbf")
    start = head[_COMMENT.match(head).end() :] if _COMMENT.match(head) else head  # type: ignore[union-attr]
    name = scene.source.name.lower()
    if _NCNN.match(start):
        yield from _check_ncnn(scene)
    elif start.startswith((b"{", b"[")):
        if _MXNET.search(head) and b'"op"' in _read(scene):
            yield from _check_mxnet(scene)
        elif _PIR.search(head):
            yield from _check_pir(scene)
    elif name.endswith((".pbtxt", ".prototxt")) or _TEXT_PROTO.search(head):
        yield from _check_text_proto(scene, named=name.endswith((".pbtxt", ".prototxt")))


def _read(scene: Scene) -> bytes:
    return scene.source.read_at(0, min(scene.source.size_bytes, _MAX_BYTES))


def _check_text_proto(scene: Scene, *, named: bool) -> Iterator[Note]:
    size = scene.source.size_bytes
    if size > _MAX_BYTES:
        yield not_examined(scene.at, "text proto", "it is too long to be read as text")
        return
    scene.context.budget.spend_text_bytes(size)
    text = _read(scene).decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        root = parse_text_proto(text, spend=scene.context.budget.spend_fields)
    except ParseError as error:
        if named:
            yield not_examined(scene.at, "text proto", str(error))
        return
    yield from check_caffe_text(scene, root)
    yield from _check_tf_text(scene, root)


def _check_tf_text(scene: Scene, root: TextField) -> Iterator[Note]:
    """Judge every message ``node`` with an ``op``, graph by graph."""
    functions = {
        signature.text("name")
        for message in _walk(root)
        if message.name == "function"
        for signature in message.all("signature")
    }
    told: set[str] = set()
    for message in _walk(root):
        nodes: dict[str, TfNode] = {}
        for field in message.fields:
            op = field.text("op")
            if field.name in ("node", "node_def") and op:
                node = _build_node(field, op)
                nodes[node.name] = node
                rule_id, why = judge_operator_name(op, functions)
                if rule_id and op not in told:
                    told.add(op)
                    yield scene.found(rule_id, f"Running the graph: {why}.", detail=quote(op))
            elif field.name in ("node", "node_def") and field.text("op_type"):
                domain, kind = field.text("domain"), field.text("op_type")
                if domain not in ("", "ai.onnx", "ai.onnx.ml") and kind not in told:
                    told.add(kind)
                    text = f"Running the model needs a library for {quote(domain + '::' + kind)}."
                    yield scene.found("WB-ONX-002", text, detail=quote(kind))
            elif field.name == "external_data" and field.text("key") == "location":
                path = field.text("value")
                if is_foreign_path(path):
                    text = f"Loading the model reads {quote(path)}."
                    yield scene.found("WB-ONX-001", text, detail=quote(path))
            elif field.name == "asset_file_def" and is_foreign_path(field.text("filename")):
                text = f"Loading the model reads {quote(field.text('filename'))} as its asset."
                yield scene.found("WB-TFG-004", text, detail=quote(field.text("filename")))
        yield from judge_nodes(scene, nodes, set())


def _walk(root: TextField) -> Iterator[TextField]:
    queue = [root]
    while queue:
        message = queue.pop()
        yield message
        queue.extend(field for field in message.fields if field.fields)


def _build_node(field: TextField, op: str) -> TfNode:
    constants: list[str] = []
    strings: dict[str, str] = {}
    for attribute in field.all("attr"):
        key = attribute.text("key")
        for value in attribute.all("value"):
            strings[key] = value.text("s")
            for inner in value.fields:
                if inner.name == "tensor":
                    constants.extend(one.value for one in inner.all("string_val"))
                elif inner.name == "list":
                    strings[key] = " ".join(one.value for one in inner.all("s"))
    inputs = tuple(one.value for one in field.all("input"))
    return TfNode(field.text("name"), op, inputs, tuple(constants[:16]), strings)


def _check_ncnn(scene: Scene) -> Iterator[Note]:
    if scene.source.size_bytes > _MAX_NCNN_BYTES:
        yield not_examined(scene.at, "ncnn", "it is too long for the layers of a network")
        return
    data = _read(scene)
    scene.context.budget.spend_text_bytes(len(data))
    seen: set[str] = set()
    for line in data.decode("utf-8", "replace").splitlines()[2:]:
        kind = line.split(None, 1)[0] if line.strip() else ""
        if kind and kind not in NCNN_LAYERS and kind not in seen:
            seen.add(kind)
            text = f"The layer {quote(kind)} is not one of ncnn's; a library of its own runs it."
            yield scene.found("WB-CAF-002", text, detail=quote(kind))


def _parse(scene: Scene) -> Any:  # noqa: ANN401 - any JSON
    data = _read(scene)
    scene.context.budget.spend_parsed_bytes(len(data))
    return parse_json(data, what="it", limits=scene.context.limits)


def _check_mxnet(scene: Scene) -> Iterator[Note]:
    try:
        root = _parse(scene)
    except ParseError as error:
        yield not_examined(scene.at, "mxnet", str(error))
        return
    queue: list[Any] = [root]
    seen: set[str] = set()
    while queue:
        graph = queue.pop()
        nodes = graph.get("nodes") if isinstance(graph, dict) else None
        if not isinstance(nodes, list) or not any(isinstance(n, dict) and "op" in n for n in nodes):
            continue
        for node in nodes:
            if not isinstance(node, dict) or not isinstance(node.get("op"), str):
                continue
            subgraphs = node.get("subgraphs")
            queue.extend(subgraphs if isinstance(subgraphs, list) else [])
            yield from _judge_mxnet(scene, node, seen)


def _judge_mxnet(scene: Scene, node: dict[str, Any], seen: set[str]) -> Iterator[Note]:
    name = node["op"]
    attributes = node.get("attrs") or node.get("attr") or node.get("param") or {}
    if name in _MX_LEAVES:
        kind = str(attributes.get("op_type", "")) if isinstance(attributes, dict) else ""
        text = f"Running the graph calls what {quote(name)} names: {quote(kind)}."
        yield scene.found("WB-MXN-001", text, detail=quote(f"{name} {kind}"))
    elif name not in seen and name not in _MX_NAMES and not _MX_FAMILIES.fullmatch(name):
        seen.add(name)
        text = f"The operator {quote(name)} is not in the list of MXNet's."
        yield scene.found("WB-MXN-002", text, detail=quote(name))
    if isinstance(attributes, dict):
        for key, value in attributes.items():
            if isinstance(value, str) and len(value) > 16:  # noqa: PLR2004 - more than a number
                yield from scene.look_into(f"attribute {quote(str(key))}", value.encode())


def _check_pir(scene: Scene) -> Iterator[Note]:
    """Judge the operators of Paddle's newer programs, ``#`` in the JSON."""
    try:
        queue: list[Any] = [_parse(scene)]
    except ParseError as error:
        yield not_examined(scene.at, "paddle", str(error))
        return
    seen: set[str] = set()
    while queue:
        value = queue.pop()
        if isinstance(value, list):
            queue.extend(value)
        elif isinstance(value, dict):
            queue.extend(value.values())
            name = value.get("#")
            if isinstance(name, str) and name.startswith(("1.", "pd_op.", "custom_op.")):
                plain = name.split(".", 1)[1].removesuffix("_")
                if name.startswith("custom_op."):
                    plain = f"custom_op.{plain}"
                if name.startswith("custom_op.") or "py_" in plain or plain in ("load", "save"):
                    yield from judge_paddle(scene, plain, {}, seen, None)
