"""Layers whose config holds more than numbers: code, other models, pickles, operators."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from weighbridge.formats import MemorySource
from weighbridge.scanning._keras._names import is_known_symbol
from weighbridge.scanning._notes import deeper, found, leads_out, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["check_layer"]

_SHOWN = 80
_MAX_CODE_CHARS = 1024 * 1024
# Shorter text is no code object.
_LEAST_CODE_CHARS = 24
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_WORD = re.compile(rb"[A-Za-z_./:-][\w ./:%-]{2,60}")
_NODE_OP = re.compile(r'"?\bop"?\s*:\s*"(\w{1,80})"')
_PLAIN_OP_WORDS = (
    "Add AddV2 AddN Sub Mul RealDiv Div DivNoNan FloorDiv FloorMod Maximum Minimum Pow Square"
    " Sqrt Rsqrt Exp Log Log1p Neg Abs Sign Relu Relu6 Elu Selu LeakyRelu Sigmoid Tanh Softmax"
    " LogSoftmax Softplus Softsign MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum Conv2D"
    " DepthwiseConv2dNative BiasAdd Mean Sum Max Min Prod All Any ArgMax ArgMin Cast Shape Size"
    " Rank Reshape ExpandDims Squeeze Transpose Pad PadV2 MirrorPad Tile Concat ConcatV2 Pack"
    " Unpack Split SplitV Slice StridedSlice Gather GatherV2 GatherNd ScatterNd Fill Range"
    " ZerosLike OnesLike OneHot Const Identity StopGradient Equal NotEqual Less LessEqual"
    " Greater GreaterEqual LogicalAnd LogicalOr LogicalNot Select SelectV2 Where Cumsum TopKV2"
    " ResizeBilinear ResizeNearestNeighbor SpaceToDepth DepthToSpace ClipByValue Round Floor"
    " Ceil Sin Cos Erf L2Loss SquaredDifference BroadcastTo ReverseV2 Roll MaxPool AvgPool"
    " RandomUniform RandomStandardNormal"
)
_PLAIN_OPS = frozenset(_PLAIN_OP_WORDS.split())


def check_layer(
    name: str, config: object, at: Location, context: ScanContext, examine: Examine | None
) -> Iterator[Note]:
    """Yield what a layer of these holds; nothing of any other.

    Args:
        name: Of the class.
        config: Its config.
        at: Where.
        context: Limits and budget.
        examine: The router; None if there is none at hand.
    """
    values: dict[str, Any] = config if isinstance(config, dict) else {}
    if name in ("Lambda", "__lambda__"):
        yield from _check_lambda(name, values, at)
    elif name == "TFSMLayer":
        yield from _check_saved_model(values, at)
    elif name == "TorchModuleWrapper":
        yield from _check_torch(values, at, context, examine)
    elif name in ("JaxLayer", "FlaxLayer"):
        message = f"A {name} calls functions that are not in the file; they cannot be examined."
        yield found("WB-KER-008", at, message)
    elif name in ("TFOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"):
        yield from _check_symbol(name, values, at)
    elif name == "TensorFlowOpLayer":
        yield from _check_node(values, at)
    elif name == "Merge" and not isinstance(values.get("mode"), str | None):
        message = "A Merge layer holds Python code that runs when the model is built."
        yield found("WB-KER-001", at, message)


def _check_lambda(name: str, config: dict[str, Any], at: Location) -> Iterator[Note]:
    code = _find_code(config)
    if name == "__lambda__" or code is not None or _has_lambda(config):
        words = _list_words(code or "")
        called = f" {config['name'][:_SHOWN]!r}" if isinstance(config.get("name"), str) else ""
        message = f"The Lambda layer{called} holds Python bytecode, which runs with the model."
        yield found(
            "WB-KER-001", at, message, detail=f"names in the code: {words}" if words else ""
        )
        return
    function = config.get("function")
    if isinstance(function, dict):
        function = function.get("config", function.get("registered_name"))
    shown = str(function)[:_SHOWN]
    message = f"A Lambda layer calls the function {shown!r}, which is not in the file."
    yield found("WB-KER-002", at, message, detail=shown)


def _has_lambda(config: dict[str, Any]) -> bool:
    """Return whether a part of the layer is code, whatever it looks like."""
    if any(config.get(f"{key}_type") == "lambda" for key in ("function", "output_shape", "mode")):
        return True
    parts = (config.get(key) for key in ("function", "output_shape", "mask", "mode"))
    return any(isinstance(part, dict) and part.get("class_name") == "__lambda__" for part in parts)


def _find_code(config: dict[str, Any]) -> str | None:
    """Return the first text that is bytecode in base64, as Keras 2 and 3 write it."""
    pending: list[Any] = [config.get(k) for k in ("function", "output_shape", "mask", "mode")]
    pending += [config.get("code"), config.get("value")]
    for _ in range(100):
        if not pending:
            break
        part = pending.pop()
        if isinstance(part, dict):
            pending += [part.get(key) for key in ("config", "code", "value", "function")]
        elif isinstance(part, list):
            pending += part[:3]
        elif isinstance(part, str) and len(part) >= _LEAST_CODE_CHARS and _BASE64.fullmatch(part):
            return part
    return None


def _list_words(code: str) -> str:
    """Return words in bytecode, for people; it is neither unmarshalled nor disassembled."""
    data = _decode(code[:_MAX_CODE_CHARS]) or b""
    words = dict.fromkeys(word.decode("ascii", "replace") for word in _WORD.findall(data))
    return ", ".join(list(words)[:20])[:500]


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None


def _check_saved_model(config: dict[str, Any], at: Location) -> Iterator[Note]:
    path = config.get("filepath")
    if not isinstance(path, str):
        yield found("WB-KER-008", at, "A TFSMLayer loads a SavedModel from a place not named.")
        return
    if leads_out(path) or "://" in path:
        message = (
            f"A TFSMLayer loads and runs the SavedModel in {path[:_SHOWN]!r}, outside of this."
        )
        yield found("WB-KER-005", at, message, detail=path[:500])
        return
    message = f"A TFSMLayer loads and runs the SavedModel in {path[:_SHOWN]!r}."
    yield found("WB-KER-008", at, message, detail=path[:500])


def _check_torch(
    config: dict[str, Any], at: Location, context: ScanContext, examine: Examine | None
) -> Iterator[Note]:
    module = config.get("module")
    message = "A TorchModuleWrapper holds a pickle of a PyTorch module, which is loaded in full."
    yield found("WB-KER-007", at, message)
    data = _decode(module) if isinstance(module, str) else None
    if data is None or examine is None:
        yield not_examined(at, "pytorch", "the module inside a TorchModuleWrapper")
        return
    context.budget.spend_expanded_bytes(len(data))
    below, inner = deeper(at, "TorchModuleWrapper", context)
    yield from examine(MemorySource("TorchModuleWrapper", data), below, inner)


def _check_symbol(name: str, config: dict[str, Any], at: Location) -> Iterator[Note]:
    symbol = config.get("function", config.get("cls_symbol"))
    if isinstance(symbol, str) and is_known_symbol(symbol):
        return
    if name != "TFOpLambda" and symbol in ("RaggedTensor", "Tensor", "SparseTensor", "Variable"):
        return
    if name == "TFOpLambda" and not isinstance(symbol, str) and not config:
        return
    shown = str(symbol)[:_SHOWN]
    message = f"A {name} layer calls tf.{shown}, which is not known to only compute."
    yield found("WB-KER-010", at, message, detail=f"tf.{shown}")


def _check_node(config: dict[str, Any], at: Location) -> Iterator[Note]:
    node = config.get("node_def")
    text = node if isinstance(node, str) else str(node)
    ops = set(_NODE_OP.findall(text[:_MAX_CODE_CHARS]))
    if isinstance(node, dict) and isinstance(node.get("op"), str):
        ops = {node["op"]}
    unknown = sorted(ops - _PLAIN_OPS)
    if ops and not unknown:
        return
    shown = ", ".join(unknown)[:_SHOWN] or "without a name"
    message = f"A TensorFlowOpLayer runs the operator {shown}, which is not known to only compute."
    yield found("WB-KER-010", at, message, detail=shown)
