"""TFLite and ExecuTorch: operators and delegates that a library has to give; impossible offsets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.formats import open_flat_root
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._graphs._tf_judge import is_watched, judge_operator_name
from weighbridge.scanning._graphs._walk import Scene, is_foreign_path, quote
from weighbridge.scanning._notes import examined, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import FlatTable
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_executorch", "examine_tflite"]

_CUSTOM = 32
_LARGEST_BUILTIN = 215
_FLEX = "Flex"
# Operators that TFLite's own libraries, MediaPipe and the Edge TPU register.
_KNOWN_CUSTOM = frozenset(
    [
        "TFLite_Detection_PostProcess",
        "AudioSpectrogram",
        "Mfcc",
        "Convolution2DTransposeBias",
        "MaxPoolingWithArgmax2D",
        "MaxUnpooling2D",
        "TransformTensorBilinear",
        "TransformLandmarks",
        "Landmarks2TransformMatrix",
        "LandmarksToTransformMatrix",
        "Resampler",
        "edgetpu-custom-op",
        "NumericVerify",
        "Irfft2d",
        "Rfft2d",
        "AvgPool3D",
        "AvgPool3DGrad",
        "MaxPool3D",
        "MaxPool3DGrad",
        "RandomStandardNormal",
        "RandomUniform",
        "Multinomial",
        "HashtableV2",
        "LookupTableFindV2",
        "LookupTableImportV2",
        "LookupTableSizeV2",
        "Roll",
        "SignalFFT",
        "Conv3DTranspose",
        "CumSum",
        "Table",
        "RoIAlign",
        "TFSentencepieceTokenizeOp",
        "TFSentencepieceDetokenizeOp",
        "WhitespaceTokenizer",
        "TFText>WhitespaceTokenizeWithOffsetsV2",
        "NGrams",
        "TFText>NgramsStringJoin",
        "RaggedTensorToTensor",
        "RaggedRange",
        "Predict",
        "Normalize",
        "ExtractFeatures",
        "Bucketize",
        "KmeansEmbeddingLookup",
        "Densify",
        "ReduceMax",
        "FastWordpieceTokenizeWithOffsets",
        "TFText>FastWordpieceTokenizeWithOffsets",
        "odml.rms_norm",
        "odml.update_kv_cache",
        "odml.update_external_kv_cache",
        "odml.scaled_dot_product_attention",
        "odml.group_norm",
        "odml.detector",
    ]
)
# Bytes of an element by TensorType; strings, variants and halves of bytes are left out.
_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 8: 8, 9: 1, 10: 8, 11: 16, 12: 8, 15: 4, 16: 2}
_MAX_RANK = 32
_ET_OPERATOR = re.compile(
    r"(?:aten|prim|executorch_prim|dim_order_ops|quantized_decomposed|et_vk|llama|torchao|"
    r"cadence|cortex_m|quantized|_fallback|custom|backend)::\w+"
)
_ET_FOREIGN = frozenset({"custom", "backend", "_fallback", "quantized"})
_ET_DELEGATES = frozenset(
    [
        "XnnpackBackend",
        "CoreMLBackend",
        "VulkanBackend",
        "QnnBackend",
        "MPSBackend",
        "EthosUBackend",
        "ArmBackend",
        "VgfBackend",
        "MediatekBackend",
        "NeuropilotBackend",
        "NeuronBackend",
        "OpenvinoBackend",
        "EnnBackend",
        "SamsungBackend",
        "NxpBackend",
        "NXPBackend",
        "CudaBackend",
        "MetalBackend",
        "AotiBackend",
        "TOSABackend",
        "CadenceBackend",
        "MLXBackend",
    ]
)
_ET_NATIVE = frozenset({"CudaBackend", "MetalBackend", "AotiBackend"})


def examine_tflite(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Yield what a TFLite model needs besides TFLite, and what lies outside of the file."""
    scene = Scene(source, at, context, examine)
    yield from _guard(scene, "tflite", _check_tflite)
    return True


def examine_executorch(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine
) -> Generator[Note, None, bool]:
    """Yield what an ExecuTorch program needs besides ExecuTorch."""
    scene = Scene(source, at, context, examine)
    yield from _guard(scene, "executorch", _check_executorch)
    return True


def _guard(scene: Scene, name: str, check) -> Iterator[Note]:  # type: ignore[no-untyped-def] # noqa: ANN001
    try:
        root = open_flat_root(scene.source, spend=scene.context.budget.spend_fields)
        yield from check(scene, root)
    except ParseError as error:
        text = f"The flat buffer cannot be followed: {error}."
        yield scene.found("WB-TFL-002", text)
        yield not_examined(scene.at, name, "it was not followed to its end")
        return
    yield examined(scene.at, name)


def _check_tflite(scene: Scene, root: FlatTable) -> Iterator[Note]:
    codes = 0
    for code in root.tables(1):
        codes += 1
        yield from _check_code(scene, code)
    buffers = [(one.at, *_measure(one)) for one in root.tables(4)]
    for at, offset, size in buffers:
        if offset > 1 and offset + size > scene.source.size_bytes:
            text = f"A buffer of {size:,} bytes at {offset:,} is outside of the file."
            yield scene.found("WB-TFL-002", text, offset=at)
    for graph in root.tables(2):
        yield from _check_graph(scene, graph, codes, buffers)
    yield from scene.look_into("the description", root.data(3, 1024 * 1024))
    for metadata in root.tables(6):
        yield from scene.look_into("a name in the metadata", metadata.text(0).encode())
    for group in root.tables(8):
        path = group.text(0)
        if is_foreign_path(path):
            text = f"Loading the model reads its weights from {quote(path)}."
            yield scene.found("WB-TFG-004", text, detail=quote(path), offset=group.at)
        elif path:
            yield NamedFile(scene.at.file, path, "external buffers")


def _measure(buffer: FlatTable) -> tuple[int, int]:
    """Return (offset, size) of a buffer; the offset is 0 if the data are a vector, 1 is invalid."""
    offset = buffer.number(1, 8)
    if offset > 1:
        return offset, buffer.number(2, 8)
    return 0, buffer.vector(0, 1)[1]


def _check_code(scene: Scene, code: FlatTable) -> Iterator[Note]:
    builtin = max(code.number(0, 1), code.number(3, 4))
    name = code.text(1)
    if builtin > _LARGEST_BUILTIN:
        text = f"An operator has the number {builtin}, which TFLite does not have."
        yield scene.found("WB-TFL-001", text, detail=str(builtin), offset=code.at)
    elif builtin != _CUSTOM:
        return
    elif name.startswith(_FLEX):
        op = name.removeprefix(_FLEX)
        rule_id, why = judge_operator_name(op, set())
        if is_watched(op) and not rule_id and op not in ("SaveV2", "RestoreV2", "PrintV2"):
            rule_id, why = "WB-TFG-002", f"{quote(op)} reads or writes files"
        if rule_id:
            text = f"Running the model: {why}."
            yield scene.found(rule_id, text, detail=quote(name), offset=code.at)
    elif name not in _KNOWN_CUSTOM:
        text = f"Running the model needs a library that gives the operator {quote(name)}."
        yield scene.found("WB-TFL-001", text, detail=quote(name), offset=code.at)


def _check_graph(
    scene: Scene, graph: FlatTable, codes: int, buffers: list[tuple[int, int, int]]
) -> Iterator[Note]:
    count = 0
    for tensor in graph.tables(0):
        count += 1
        yield from _check_tensor(scene, tensor, buffers)
    for operator in graph.tables(3):
        index = operator.number(0, 4)
        numbers = [*operator.numbers(1, 4), *operator.numbers(2, 4)]
        if index >= codes or any(not -1 <= number < count for number in numbers):
            text = "An operator refers to an operator code or a tensor that does not exist."
            yield scene.found("WB-TFL-002", text, offset=operator.at)
        start, length = operator.number(9, 8), operator.number(10, 8)
        if start > 1 and start + length > scene.source.size_bytes:
            text = "The options of an operator are outside of the file."
            yield scene.found("WB-TFL-002", text, offset=operator.at)
    for number in (*graph.numbers(1, 4), *graph.numbers(2, 4)):
        if not -1 <= number < count:
            text = "The graph names an input or output that does not exist."
            yield scene.found("WB-TFL-002", text, offset=graph.at)
            break


def _check_tensor(
    scene: Scene, tensor: FlatTable, buffers: list[tuple[int, int, int]]
) -> Iterator[Note]:
    buffer = tensor.number(2, 4)
    shape = tensor.numbers(0, 4)
    name = quote(tensor.text(3))
    if buffer >= max(len(buffers), 1):
        text = f"The tensor {name} has the buffer {buffer}, which does not exist."
        yield scene.found("WB-TFL-002", text, offset=tensor.at)
        return
    elements = 1
    for length in shape:
        elements *= length
    if any(length < 0 for length in shape) or elements >= 2**62 or len(shape) > _MAX_RANK:
        text = f"The tensor {name} has impossible dimensions {quote(str(shape[:8]))}."
        yield scene.found("WB-TFL-002", text, offset=tensor.at)
        return
    size = buffers[buffer][2] if buffers else 0
    width = _BYTES.get(tensor.number(1, 1))
    if size and width and not tensor.place(6) and size != elements * width:
        text = f"The tensor {name} needs {elements * width:,} bytes and its buffer has {size:,}."
        yield scene.found("WB-TFL-002", text, offset=tensor.at)


def _check_executorch(scene: Scene, root: FlatTable) -> Iterator[Note]:
    seen: set[str] = set()
    for plan in root.tables(1):
        for operator in plan.tables(6):
            name = operator.text(0)
            known = _ET_OPERATOR.fullmatch(name) and name.split("::")[0] not in _ET_FOREIGN
            if name not in seen and not known:
                text = f"Running the program needs a library that gives {quote(name)}."
                yield scene.found("WB-TFL-001", text, detail=quote(name), offset=operator.at)
            seen.add(name)
        for delegate in plan.tables(7):
            name = delegate.text(0)
            if name in _ET_NATIVE:
                text = f"The delegate {quote(name)} loads native code that the program holds."
                yield scene.found("WB-TFL-001", text, detail=quote(name), offset=delegate.at)
            elif name not in _ET_DELEGATES:
                text = f"Running the program needs the delegate {quote(name)}."
                yield scene.found("WB-TFL-001", text, detail=quote(name), offset=delegate.at)
    for segment in root.tables(4):
        if segment.number(0, 8) + segment.number(1, 8) > scene.source.size_bytes:
            text = "A segment is outside of the file."
            yield scene.found("WB-TFL-002", text, offset=segment.at)
