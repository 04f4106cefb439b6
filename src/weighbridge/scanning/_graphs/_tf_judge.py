"""Which operators of TensorFlow do more than compute, and what they would do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.scanning._graphs._tf_ops import TF_OPERATORS
from weighbridge.scanning._graphs._walk import is_foreign_path, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weighbridge.scanning._graphs._walk import Scene
    from weighbridge.scanning._notes import Note

__all__ = ["TfNode", "judge_nodes", "judge_operator_name"]

# Operator -> the input that names a file to write.
_WRITES = {
    "WriteFile": 0,
    "CreateSummaryFileWriter": 1,
    "CreateSummaryDbWriter": 1,
    "DatasetToTFRecord": 1,
    "ExperimentalDatasetToTFRecord": 1,
    "SaveDataset": 1,
    "SaveDatasetV2": 1,
    "SnapshotDataset": 1,
    "SnapshotDatasetV2": 1,
    "SnapshotDatasetReader": 0,
    "CacheDataset": 1,
    "CacheDatasetV2": 1,
    "DistributedSave": 1,
    "FileSystemSetConfiguration": 0,
    "SnapshotChunkDataset": 0,
    "DumpTensor": 0,
    "IteratorToFile": 0,
    "WriteTrainingPredictions": 0,
}
# A saver's operators, which every SavedModel has: the path is an argument there.
_SAVES = {"Save": 0, "SaveV2": 0, "SaveSlices": 0, "MergeV2Checkpoints": 1}
_RESTORES = {"Restore": 0, "RestoreV2": 0, "RestoreSlice": 0}
# Operator -> the input that names a file to read.
_READS = {
    "ReadFile": 0,
    "MatchingFiles": 0,
    "TFRecordDataset": 0,
    "TFRecordDatasetV2": 0,
    "TextLineDataset": 0,
    "FixedLengthRecordDataset": 0,
    "FixedLengthRecordDatasetV2": 0,
    "LMDBDataset": 0,
    "ExperimentalLMDBDataset": 0,
    "SqlDataset": 1,
    "ExperimentalSqlDataset": 1,
    "CSVDataset": 0,
    "CSVDatasetV2": 0,
    "ExperimentalCSVDataset": 0,
    "LoadDataset": 0,
    "LoadAndRemapMatrix": 0,
    "GenerateVocabRemapping": 0,
    "ReaderReadV2": -1,
    "SSTableDataset": 0,
    "ListSnapshotChunksDataset": 0,
    "ListDataset": -1,
    "MatchingFilesDataset": 0,
    "ExperimentalMatchingFilesDataset": 0,
    "ReadTrainingPredictions": 0,
}
# Tables read a file that is an asset of the model, as a rule.
_ASSETS = {"InitializeTableFromTextFile": 1, "InitializeTableFromTextFileV2": 1}
_SERVES = {"DataServiceDataset": 2, "DataServiceDatasetV2": 3, "DataServiceDatasetV3": 3}
_SERVES |= {"DataServiceDatasetV4": 3, "RegisterDataset": 1, "RegisterDatasetV2": 1}
_LEAVES = re.compile(
    r"(?:Eager)?PyFunc(?:Stateless)?|_?Xla(?:HostCompute|CustomCall|CustomCallV2|Launch\w*)|_?Send"
    r"|_?Recv|_?HostSend|_?HostRecv|.*Rpc.*|.*RPC.*|TryRpc|LoadLibrary|LoadTPU\w*|_?.*TPU.*"
    r"|Debug\w+|_?CopyHost|BigQuery\w*|Bigtable\w*|Kafka\w*|.*Remote(?:Call|FusedGraph)\w*"
    r"|_Xla(?:SendFrom|RecvAt)\w*|XlaSend\w*|XlaRecv\w*|TensorRT\w*|TRTEngineOp"
    r"|CreateTRT\w*|InitializeTRT\w*|CollectiveBcast\w*|OutfeedEnqueue\w*|GetElementAtIndexPy"
    r"|GeneratorDataset|Experimental.*PyFunc.*|ImportEvent|Shell\w*|Exec\w*|System\w*|FileSystem\w+"
)
# TPU operators that only compute, and debug marks that write nothing.
_STAYS = frozenset(["TPUReplicatedInput", "TPUReplicatedOutput", "TPUReplicateMetadata"])
_STAYS |= {
    "GeneratorDataset",
    "TPUPartitionedInput",
    "TPUPartitionedOutput",
    "TPUPartitionedInputV2",
}
_URLS = ("debug_urls", "tfdbg_run_id")
_CHAIN = 32
# What following an input costs, in fields.
_TRACE_COST = 3
_MAX_INPUTS = 4096
_PATH = re.compile(
    r"(?:[/~\\]|[A-Za-z]:[\\/]|[a-z0-9+]+://|(?:[^\n/\\]*[/\\])*\.\.[/\\])[^\n\0]*\Z"
)
_TRANSPARENT = frozenset(
    ["Identity", "IdentityN", "StopGradient", "Reshape", "ExpandDims", "Squeeze", "Snapshot"]
)
_JOINS = frozenset(
    ["StringJoin", "ShardedFilename", "ShardedFilespec", "Pack", "ConcatV2", "Add", "AddV2"]
)
_ARGUMENTS = frozenset(["Placeholder", "PlaceholderWithDefault", "PlaceholderV2", "_Arg", ""])


@dataclass(slots=True)
class TfNode:
    """One operator of a graph.

    Attributes:
        name: Of the node.
        op: Of the operator.
        inputs: ``node:output`` as the graph has it.
        constants: Strings of a constant, at most a few.
        strings: Attribute -> its string, of those that are strings.
        calls: Functions that attributes name.
        offset: In the source.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    strings: dict[str, str] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    offset: int | None = None


def judge_nodes(scene: Scene, nodes: Mapping[str, TfNode], arguments: set[str]) -> Iterator[Note]:
    """Yield what the operators of one graph or function do besides computing.

    Args:
        scene: Where.
        nodes: Of the graph by name; those that are worth a look or that constants come from.
        arguments: Names of the function's arguments.
    """
    del arguments  # a name that no node has is an argument
    for node in nodes.values():
        yield from _judge_node(scene, node, nodes)


def judge_calls(scene: Scene, scopes: Mapping[str, Mapping[str, TfNode]]) -> Iterator[Note]:
    """Yield the paths that a graph hands to functions that write or read checkpoints.

    A saver's functions take the path as an argument, which is nothing by itself. Whoever calls
    them with a constant path, directly or through others, chooses the file.

    Args:
        scene: Where.
        scopes: The nodes of every graph and function, by the function's name.
    """
    savers = _find_savers(scopes)
    for nodes in scopes.values():
        for node in nodes.values():
            if savers.isdisjoint(node.calls) and node.op not in savers:
                continue
            for name in node.inputs[:_MAX_INPUTS]:
                values, _ = _follow(scene, name.removeprefix("^"), nodes)
                paths = [value for value in values if _PATH.match(value)]
                if paths:
                    yield _tell(scene, node, "hands a saver", paths)


def _find_savers(scopes: Mapping[str, Mapping[str, TfNode]]) -> set[str]:
    """Return the functions that save or restore, themselves or through others."""
    callers: dict[str, set[str]] = {}
    queue: list[str] = []
    for name, nodes in scopes.items():
        for node in nodes.values():
            for called in (*node.calls, node.op):
                callers.setdefault(called, set()).add(name)
            if node.op in _SAVES or node.op in _RESTORES:
                queue.append(name)
    savers: set[str] = set()
    while queue:
        name = queue.pop()
        if name and name not in savers:
            savers.add(name)
            queue.extend(callers.get(name, ()))
    return savers


def judge_operator_name(op: str, functions: set[str]) -> tuple[str, str]:
    """Return the rule that an operator breaks by its name alone, and why; empty if none."""
    if op in functions or op in _STAYS:
        return "", ""
    if _LEAVES.fullmatch(op):
        return "WB-TFG-002", f"{quote(op)} runs something that is not in the graph"
    if op in TF_OPERATORS:
        return "", ""
    return "WB-TFG-003", f"the operator {quote(op)} needs a library of its own"


def is_watched(op: str) -> bool:
    """Return whether the inputs of an operator matter."""
    return (
        op in _WRITES
        or op in _READS
        or op in _SAVES
        or op in _RESTORES
        or op in _ASSETS
        or op in _SERVES
        or op in ("PrintV2", "ImmutableConst", "DecodeProtoV2", "EncodeProto")
        or op.startswith("Debug")
    )


def _judge_node(scene: Scene, node: TfNode, nodes: Mapping[str, TfNode]) -> Iterator[Note]:
    op = node.op
    for table, verb in ((_WRITES, "writes"), (_READS, "reads"), (_SERVES, "connects to")):
        if op in table:
            yield from _judge_file(scene, node, nodes, table[op], verb)
    if op in _SAVES or op in _RESTORES:
        values, _ = _trace(scene, node, _SAVES.get(op, 0), nodes)
        bad = [value for value in values if is_foreign_path(value)]
        if bad:
            verb = "writes" if op in _SAVES else "reads"
            yield _tell(scene, node, verb, bad)
    elif op in _ASSETS:
        values, _ = _trace(scene, node, _ASSETS[op], nodes)
        bad = [value for value in values if is_foreign_path(value)]
        # The exporter's own absolute path stays in old graphs; loading feeds the asset's instead.
        if any(".." in value or "://" in value for value in bad):
            yield _tell(scene, node, "reads", bad)
    else:
        yield from _judge_attributes(scene, node)


def _judge_file(
    scene: Scene, node: TfNode, nodes: Mapping[str, TfNode], index: int, verb: str
) -> Iterator[Note]:
    values, computed = _trace(scene, node, index, nodes)
    if node.op.startswith("CacheDataset") and not any(values):
        return
    if any(values):
        yield _tell(scene, node, verb, [value for value in values if value])
    elif computed or index < 0 or not values:
        if verb == "writes" and node.op == "WriteFile":
            yield _tell(scene, node, verb, ["a file that an input names"])
            return
        text = (
            f"Running the graph {verb} a file that an input names ({node.op} {quote(node.name)})."
        )
        yield scene.found("WB-TFG-002", text, detail=node.op, offset=node.offset)


def _tell(scene: Scene, node: TfNode, verb: str, values: list[str]) -> Note:
    names = ", ".join(quote(value) for value in values[:4])
    text = f"Running the graph {verb} {names} ({quote(node.op)} in node {quote(node.name)})."
    return scene.found("WB-TFG-001", text, detail=names, offset=node.offset)


def _judge_attributes(scene: Scene, node: TfNode) -> Iterator[Note]:
    strings = node.strings
    if node.op == "PrintV2" and strings.get("output_stream", "").startswith("file:"):
        yield _tell(scene, node, "writes", [strings["output_stream"]])
    elif node.op == "ImmutableConst" and strings.get("memory_region_name"):
        yield _tell(scene, node, "reads", [strings["memory_region_name"]])
    elif node.op in ("DecodeProtoV2", "EncodeProto"):
        source = strings.get("descriptor_source", "local://")
        if not source.startswith(("local://", "bytes://")) and source:
            yield _tell(scene, node, "reads", [source])
    elif node.op.startswith("Debug"):
        urls = [strings[key] for key in _URLS if strings.get(key)]
        if any("://" in url for url in urls):
            yield _tell(scene, node, "writes to", urls)


def _trace(
    scene: Scene, node: TfNode, index: int, nodes: Mapping[str, TfNode]
) -> tuple[list[str], bool]:
    """Return the constant strings that an input is made of, and whether it is more than those."""
    data_inputs = [name for name in node.inputs if not name.startswith("^")]
    if not 0 <= index < len(data_inputs):
        return [], True
    return _follow(scene, data_inputs[index], nodes)


def _follow(scene: Scene, first: str, nodes: Mapping[str, TfNode]) -> tuple[list[str], bool]:
    """Follow an input to the constants it comes from; a bounded number of nodes is visited."""
    values: list[str] = []
    computed = False
    queue, seen = [first], set[str]()
    while queue and len(seen) < _CHAIN:
        name = queue.pop(0).split(":")[0]
        if name in seen:
            continue
        seen.add(name)
        source = nodes.get(name)
        if source is None or source.op in _ARGUMENTS:
            computed = True
        elif source.op in ("Const", "HostConst"):
            values.extend(source.constants)
        else:
            computed = computed or source.op not in _TRANSPARENT | _JOINS
            queue.extend(one for one in source.inputs[:_CHAIN] if not one.startswith("^"))
    scene.context.budget.spend_fields(_TRACE_COST * len(seen))
    return values, computed or bool(queue)
