"""skops: a zip with a ``schema.json`` whose nodes name the types and functions to be built.

skops refuses what is not on its own list or the user's; older releases could be talked out of that
(CVE-2025-54412, CVE-2025-54413). Here each node is judged by the list that pickles are judged by,
and its loader must be one that skops has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weighbridge.core import printable
from weighbridge.scanning._notes import examined, found, not_examined
from weighbridge.scanning._pickle._allow import classify
from weighbridge.scanning._pickle._values import Use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["check_skops", "is_skops"]

_MARKS = frozenset({"__class__", "__module__", "__loader__"})
_GOOD = frozenset({Use.DATA, Use.CONSTRUCTOR, Use.REBUILD})
# Loader -> (module, class) that it may build; None: whatever the list of names says.
_LOADERS: dict[str, frozenset[tuple[str, str]] | None] = {
    "BytearrayNode": frozenset({("builtins", "bytearray")}),
    "BytesNode": frozenset({("builtins", "bytes")}),
    "CachedNode": None,
    "ConstructorFromReduceNode": None,
    "DTypeNode": None,
    "DefaultDictNode": frozenset({("collections", "defaultdict")}),
    "DictNode": None,
    "FunctionNode": None,
    "JsonNode": frozenset({("builtins", "str")}),
    "ListNode": frozenset({("builtins", "list")}),
    "LossNode": None,
    "MaskedArrayNode": None,
    "MethodNode": None,
    "NdArrayNode": None,
    "ObjectNode": None,
    "OperatorFuncNode": frozenset(
        ("operator", name) for name in ("attrgetter", "itemgetter", "methodcaller")
    ),
    "PartialNode": frozenset({("functools", "partial")}),
    "QuantileForestNode": None,
    "RandomGeneratorNode": None,
    "RandomStateNode": None,
    "SetNode": frozenset({("builtins", "set"), ("builtins", "frozenset")}),
    "SgdNode": None,
    "SliceNode": frozenset({("builtins", "slice")}),
    "SparseMatrixNode": None,
    "TreeNode": None,
    "TupleNode": frozenset({("builtins", "tuple")}),
    "TypeNode": None,
    "_DictWithDeprecatedKeysNode": None,
}
# What the list knows for pickles in another way, and skops builds itself.
_BUILT_BY_SKOPS = frozenset(
    {
        ("collections", "OrderedDict"),
        ("functools", "partial"),
        ("numpy", "dtype"),
        ("numpy.dtypes", "dtype"),
        ("scipy.sparse", "csr_matrix"),
        ("sklearn.utils._bunch", "Bunch"),
    }
)
_MAX_FINDINGS = 200


def is_skops(document: object) -> bool:
    """Return whether a JSON document is the schema of a skops file."""
    return isinstance(document, dict) and document.keys() >= _MARKS and "protocol" in document


def check_skops(document: object, at: Location, context: ScanContext) -> Iterator[Note]:
    """Judge what the schema of a skops file makes skops import and build.

    Source:
        skops ``skops/io`` (``_general.py``, ``_numpy.py``, ``_sklearn.py``, ``_audit.py``).
    """
    told: set[tuple[str, str]] = set()
    pending: list[Any] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            if _MARKS & value.keys():
                yield from _judge_node(value, at, context, told)
            pending.extend(value.values())
        if len(told) > _MAX_FINDINGS:
            yield not_examined(at, "skops", "it names more types than are judged")
            return
    yield examined(at, "skops")


def _judge_node(
    node: dict[str, Any], at: Location, context: ScanContext, told: set[tuple[str, str]]
) -> Iterator[Note]:
    module, name, loader = (node.get(key) for key in ("__module__", "__class__", "__loader__"))
    if not (isinstance(module, str) and isinstance(name, str) and isinstance(loader, str)):
        message = "A node of the skops schema has no class, module or loader that is a text."
        yield from _tell("WB-SKO-001", message, ("", ""), at, told)
        return
    pair = (module, name)
    if loader not in _LOADERS:
        message = (
            f"The skops schema asks for the loader {printable(loader)!r}, which skops has not."
        )
        yield from _tell("WB-SKO-001", message, (loader, ""), at, told)
    elif (wanted := _LOADERS[loader]) is not None and pair not in wanted:
        path = printable(f"{module}.{name}")
        message = f"The loader {loader} is given {path}, which it does not build."
        yield from _tell("WB-SKO-002", message, pair, at, told)
    elif loader == "MethodNode" and not _is_plain_method(node):
        message = "A method is asked for that is no plain method of an object in the file."
        yield from _tell("WB-SKO-002", message, pair, at, told)
    elif wanted is None and pair not in context.allowed:
        yield from _judge_name(pair, at, told)


def _judge_name(pair: tuple[str, str], at: Location, told: set[tuple[str, str]]) -> Iterator[Note]:
    use = classify(*pair)
    if use in _GOOD or pair in _BUILT_BY_SKOPS:
        return
    path = printable(".".join(pair))
    if use in (Use.DANGEROUS, Use.FOREIGN):
        message = f"The skops schema makes skops get hold of {path}, and build or call it."
        yield from _tell("WB-SKO-002", message, pair, at, told)
    else:
        message = f"The skops schema names {path}, which nobody vouches for."
        yield from _tell("WB-SKO-003", message, pair, at, told)


def _is_plain_method(node: dict[str, Any]) -> bool:
    """Return whether the object whose method is wanted is of the class that the node names.

    skops audits the class that the node names, and takes the method from the object.
    """
    content = node.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("func"), str):
        return False
    owner = content.get("obj")
    if not isinstance(owner, dict) or content["func"].startswith("_"):
        return False
    return (owner.get("__module__"), owner.get("__class__")) == (
        node.get("__module__"),
        node.get("__class__"),
    )


def _tell(
    rule_id: str, message: str, pair: tuple[str, str], at: Location, told: set[tuple[str, str]]
) -> Iterator[Note]:
    if pair not in told:
        told.add(pair)
        yield found(rule_id, at, message, detail=printable(".".join(part for part in pair if part)))
