"""Models of boosted trees: XGBoost, LightGBM, CatBoost. None holds code; some tell lies.

The libraries follow a child by its number without looking whether there is such a node: one that
does not exist is memory of somebody else, one that is its own ancestor never ends.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from weighbridge.errors import ParseError
from weighbridge.formats import read_ubjson
from weighbridge.scanning._notes import examined, found, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = [
    "check_xgboost",
    "examine_catboost",
    "examine_lightgbm",
    "examine_ubjson",
    "is_xgboost",
]

_CHILDREN = frozenset({"left_children", "right_children"})
_NO_CHILD = -1
_MAX_TOLD = 20
_CATBOOST_HEAD_BYTES = 8
_CHUNK_BYTES = 1 << 20
_MAX_LINE_BYTES = 64 << 20


def is_xgboost(document: object) -> bool:
    """Return whether a JSON document is a model of XGBoost."""
    return isinstance(document, dict) and {"learner", "version"} <= document.keys()


def check_xgboost(document: object, at: Location, context: ScanContext) -> Iterator[Note]:
    """Judge the trees of an XGBoost model.

    Source:
        XGBoost ``doc/model.schema`` and ``src/tree/tree_model.cc``.
    """
    context.budget.spend_pickle_ops(1)
    told = 0
    for number, tree in enumerate(_list_trees(document)):
        problem = _judge_tree(tree)
        if problem and told < _MAX_TOLD:
            told += 1
            yield found("WB-BST-001", at, f"Tree {number} of the XGBoost model {problem}.")
    yield examined(at, "xgboost")


def _list_trees(document: object) -> list[Any]:
    """Return what stands where the trees should be; dart has one more level."""
    pending: list[Any] = [document]
    for key in ("learner", "gradient_booster"):
        pending = [one.get(key) for one in pending if isinstance(one, dict)]
    booster = pending[0] if pending else None
    if isinstance(booster, dict) and isinstance(booster.get("gbtree"), dict):
        booster = booster["gbtree"]
    model = booster.get("model") if isinstance(booster, dict) else None
    trees = model.get("trees") if isinstance(model, dict) else None
    return trees if isinstance(trees, list) else []


def _judge_tree(tree: object) -> str:
    """Return what is wrong with a tree, or an empty string."""
    if not isinstance(tree, dict):
        return "is no object"
    left, right = tree.get("left_children"), tree.get("right_children")
    if not isinstance(left, list | array) or not isinstance(right, list | array):
        return "has no lists of children"
    parameters = tree.get("tree_param")
    claimed = parameters.get("num_nodes") if isinstance(parameters, dict) else None
    if len(left) != len(right) or str(claimed) != str(len(left)):
        return (
            f"has {len(left):,} left and {len(right):,} right children and claims {claimed} nodes"
        )
    return _judge_children([*left, *right], nodes=len(left), leaf=lambda child: child == _NO_CHILD)


def _judge_children(children: Sequence[Any], *, nodes: int, leaf: Any) -> str:  # noqa: ANN401
    """Check that each node but the root is the child of one other: then it is a tree."""
    seen = bytearray(nodes)
    for child in children:
        if type(child) is not int:
            return "has a child that is no number"
        if leaf(child):
            continue
        if not 0 < child < nodes:
            return f"has the child {child}, which is none of its {nodes:,} nodes below the root"
        if seen[child]:
            return f"has the node {child} as a child twice"
        seen[child] = 1
    return ""


# What reading one value costs, in opcodes of a pickle.
_OPS_PER_VALUE = 3


def examine_ubjson(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Examine a model that XGBoost wrote in binary JSON; return False if it is none."""

    def spend(values: int) -> None:
        context.budget.spend_pickle_ops(_OPS_PER_VALUE * values)

    try:
        document = read_ubjson(source, keep=_CHILDREN, spend=spend)
    except ParseError:
        return False
    if is_xgboost(document):
        yield from check_xgboost(document, at, context)
    else:
        yield inert(at, "ubjson", "plain data")
    return True


def examine_lightgbm(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Examine the text that LightGBM writes, block by block.

    Source:
        LightGBM ``src/io/tree.cpp``, ``Tree::ToString``.
    """
    context.budget.spend_text_bytes(source.size_bytes)
    try:
        yield from _judge_blocks(source, at)
    except ParseError as error:
        yield not_examined(at, "lightgbm", str(error))
    else:
        yield examined(at, "lightgbm")
    return True


def _judge_blocks(source: ByteSource, at: Location) -> Iterator[Note]:
    """Judge the lines of each tree; raises ``ParseError`` if the last one does not end."""
    fields: dict[str, str] = {}
    told = 0
    for line in _read_lines(source):
        name, mark, value = line.partition("=")
        if mark and name in ("num_leaves", "left_child", "right_child"):
            fields[name] = value
        elif line.startswith(("Tree=", "end of trees")):
            problem = _judge_block(fields)
            if problem and told < _MAX_TOLD:
                told += 1
                yield found("WB-BST-001", at, f"A tree of the LightGBM model {problem}.")
            fields = {}
    if fields:
        raise ParseError("its trees do not end")


def _read_lines(source: ByteSource) -> Iterator[str]:
    """Yield lines as far as they are whole; one may be as long as the trees are wide."""
    rest, offset = b"", 0
    while chunk := source.read_at(offset, _CHUNK_BYTES):
        offset += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
        if len(rest) > _MAX_LINE_BYTES:
            raise ParseError("a line is too long", where=f"byte {offset - len(rest)}")
    yield rest.decode("utf-8", "replace")


def _judge_block(fields: dict[str, str]) -> str:
    if not fields:
        return ""
    try:
        leaves = int(fields.get("num_leaves", ""))
        left, right = (
            [int(number) for number in fields.get(name, "").split()]
            for name in ("left_child", "right_child")
        )
    except ValueError:
        return "has a number that is none"
    nodes = max(leaves - 1, 0)
    if leaves < 1 or len(left) != nodes or len(right) != nodes:
        return f"claims {leaves:,} leaves and has {len(left):,} and {len(right):,} children"
    if any(child < -leaves for child in (*left, *right)):
        return f"has a leaf that is none of its {leaves:,}"
    return _judge_children([*left, *right], nodes=nodes, leaf=lambda child: child < 0)


def examine_catboost(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Examine the frame of a CatBoost model: a mark, a size, a flatbuffer of numbers and texts.

    Source:
        CatBoost ``catboost/libs/model/model.cpp``, ``TFullModel::Save``.
    """
    context.budget.spend_header_bytes(_CATBOOST_HEAD_BYTES)
    head = source.read_at(0, _CATBOOST_HEAD_BYTES)
    size = int.from_bytes(head[4:], "little")
    if size == 0 or _CATBOOST_HEAD_BYTES + size > source.size_bytes:
        message = f"The CatBoost model claims {size:,} bytes and has {source.size_bytes:,}."
        yield found("WB-BST-001", at, message)
    yield inert(at, "catboost", "trees, as numbers and texts")
    return True
