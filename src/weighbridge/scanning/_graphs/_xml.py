"""XML models: the layers of OpenVINO, and the functions of PMML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from weighbridge.scanning._graphs._openvino_ops import OPENVINO_LAYERS
from weighbridge.scanning._graphs._walk import is_foreign_path, quote
from weighbridge.scanning._notes import examined, found, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Finding, Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["check"]

_CHUNK_BYTES = 64 * 1024
_MAX_DEPTH = 1000
_MAX_FINDINGS = 200
_PATH_NAMES = frozenset({"path", "file", "filename", "file_name", "location", "library", "lib"})
_COUNT = re.compile(r"[0-9]{1,15}")
_VERSION = re.compile(r"opset\d{1,2}")
_CLASS_LIKE = re.compile(r"\w+(?:[.$]\w+)+")
_PMML_FUNCTIONS = frozenset(
    [
        "+",
        "-",
        "*",
        "/",
        "min",
        "max",
        "sum",
        "avg",
        "median",
        "product",
        "log10",
        "ln",
        "sqrt",
        "abs",
        "exp",
        "pow",
        "threshold",
        "floor",
        "ceil",
        "round",
        "modulo",
        "isMissing",
        "isNotMissing",
        "isValid",
        "isNotValid",
        "equal",
        "notEqual",
        "lessThan",
        "lessOrEqual",
        "greaterThan",
        "greaterOrEqual",
        "and",
        "or",
        "not",
        "isIn",
        "isNotIn",
        "if",
        "uppercase",
        "lowercase",
        "stringLength",
        "substring",
        "trimBlanks",
        "concat",
        "replace",
        "matches",
        "formatNumber",
        "formatDatetime",
        "dateDaysSinceYear",
        "dateSecondsSinceYear",
        "dateSecondsSinceMidnight",
        "dateDaysSince",
        "dateSecondsSince",
        "normalCDF",
        "normalPDF",
        "stdNormalCDF",
        "stdNormalPDF",
        "erf",
        "normalIDF",
        "stdNormalIDF",
        "expm1",
        "hypot",
        "ln1p",
        "rint",
        "sin",
        "asin",
        "sinh",
        "cos",
        "acos",
        "cosh",
        "tan",
        "atan",
        "tanh",
        "atan2",
        "x-atan2",
        "x-expm1",
        "x-hypot",
        "x-ln1p",
        "x-rint",
        "x-sin",
        "x-asin",
        "x-sinh",
        "x-cos",
        "x-acos",
        "x-cosh",
        "x-tan",
        "x-atan",
        "x-tanh",
        "x-mostCommon",
        "x-modulo",
    ]
)
_PMML_NAMESPACE = re.compile(r"https?://www\.dmg\.org/PMML-[\d_]+")
_KNOWN_NAMESPACES = frozenset(
    ["http://www.jpmml.org/jpmml-model/InlineTable", "http://www.w3.org/2001/XMLSchema-instance"]
)
_PLAIN_NAME = re.compile(r"[A-Za-z][\w.:-]*")


def check(root_tag: str, source: ByteSource, at: Location, context: ScanContext) -> Iterator[Note]:
    """Yield what a model in XML does besides computing.

    Args:
        root_tag: The name of its root: ``net`` or ``PMML``, perhaps with a prefix.
        source: The document.
        at: Where.
        context: Limits and budget.
    """
    is_net = root_tag.rpartition(":")[2].lower() == "net"
    name = "openvino" if is_net else "pmml"
    reader = _OpenVino(at, context) if is_net else _Pmml(at, context)
    problem = _read(source, context, reader)
    yield from reader.findings[:_MAX_FINDINGS]
    if problem:
        rule_id = "WB-OVN-002" if is_net else "WB-PMM-003"
        yield found(rule_id, at, f"The document cannot be read as XML: {problem}.")
        yield not_examined(at, name, problem)
    elif isinstance(reader, _OpenVino) and not reader.layers:
        yield not_examined(at, name, "it has no layers")
    elif len(reader.findings) > _MAX_FINDINGS:
        yield not_examined(at, name, "it has too many findings")
    else:
        yield examined(at, name)


class _Stop(Exception):  # noqa: N818 - it carries a reason out of expat
    pass


class _Reader:
    """What both kinds of documents share: no document type, and no depth without bound."""

    def __init__(self, at: Location, context: ScanContext) -> None:
        self.at = at
        self.spend = context.budget.spend_fields
        self.findings: list[Finding] = []
        self.depth = 0
        self.seen: set[str] = set()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.spend(1 + len(attributes))
        if self.depth > _MAX_DEPTH:
            raise _Stop("elements are nested too deep")
        self.check(tag, attributes)

    def end(self, _: str) -> None:
        self.depth -= 1

    def refuse(self, *_: Any) -> None:  # noqa: ANN401 - expat's arguments
        raise _Stop("it has a document type or entities")

    def instruct(self, target: str, _: str) -> None:
        raise _Stop(f"it has an instruction for {quote(target)}")

    def check(self, tag: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def tell(self, rule_id: str, message: str, detail: str) -> None:
        if detail not in self.seen and len(self.findings) <= _MAX_FINDINGS:
            self.seen.add(detail)
            self.findings.append(found(rule_id, self.at, message, detail=quote(detail)))


class _OpenVino(_Reader):
    """Layers of an OpenVINO network."""

    layers = 0

    def check(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "layer":
            self.layers += 1
            kind, version = attributes.get("type", ""), attributes.get("version", "opset1")
            plain = kind.removesuffix("Internal")
            if not _VERSION.fullmatch(version) or plain not in OPENVINO_LAYERS:
                text = f"The layer {quote(kind)} of {quote(version)} needs an extension library."
                self.tell("WB-OVN-001", text, f"{version}::{kind}")
        for key, value in attributes.items():
            if key.lower() in _PATH_NAMES and is_foreign_path(value) and tag != "rt_info":
                text = f"The document names {quote(value)} as a file."
                self.tell("WB-OVN-002", text, value)
            elif key in ("offset", "size") and tag == "data" and not _COUNT.fullmatch(value):
                text = f"Data have the {key} {quote(value)}."
                self.tell("WB-OVN-002", text, value)


class _Pmml(_Reader):
    """Functions, extensions and foreign elements of PMML."""

    def __init__(self, at: Location, context: ScanContext) -> None:
        super().__init__(at, context)
        self.defined: set[str] = set()
        self.applied: set[str] = set()

    def check(self, tag: str, attributes: dict[str, str]) -> None:
        name = attributes.get("name", "")
        if tag == "DefineFunction" and not _CLASS_LIKE.fullmatch(name):
            self.defined.add(name)
        function = attributes.get("function", "")
        if tag == "Apply":
            if _CLASS_LIKE.fullmatch(function):
                text = f"Evaluating the model loads the Java class {quote(function)} and runs it."
                self.tell("WB-PMM-001", text, function)
            else:
                self.applied.add(function)
        elif tag == "DefineFunction" and _CLASS_LIKE.fullmatch(name):
            text = f"A function is defined with the name of a class, {quote(name)}."
            self.tell("WB-PMM-001", text, name)
        if "script" in tag.lower() or tag.lower().startswith(("xsl:", "xi:", "java:")):
            text = f"The element {quote(tag)} is not part of PMML."
            self.tell("WB-PMM-002", text, tag)
        for key, value in attributes.items():
            if (key == "xmlns" or key.startswith("xmlns:")) and not (
                _PMML_NAMESPACE.match(value) or value in _KNOWN_NAMESPACES or key == "xmlns:data"
            ):
                self.tell("WB-PMM-002", f"The namespace {quote(value)} is not PMML's.", value)
            elif re.search(r"(?i)script|class|exec|command|url|href", key + " " + name) and (
                _CLASS_LIKE.fullmatch(value) and tag == "Extension"
            ):
                text = f"An extension names {quote(value)}, which may be a class."
                self.tell("WB-PMM-002", text, value)
            elif re.search(r"(?i)java\.|runtime|javascript:|file://|jndi:|ldap://", value):
                self.tell("WB-PMM-002", f"An attribute names {quote(value)}.", value)

    def finish(self) -> None:
        for function in sorted(self.applied - self.defined - _PMML_FUNCTIONS):
            text = f"The function {quote(function)} is neither PMML's nor defined in the model."
            self.tell("WB-PMM-002", text, function)


def _read(source: ByteSource, context: ScanContext, reader: _Reader) -> str:
    """Read a document; return why it could not be, or an empty string."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.ProcessingInstructionHandler = reader.instruct
    offset = 0
    try:
        while offset < source.size_bytes:
            chunk = source.read_at(offset, _CHUNK_BYTES)
            if not chunk:
                break
            context.budget.spend_text_bytes(len(chunk))
            parser.Parse(chunk, False)
            offset += len(chunk)
        parser.Parse(b"", True)
    except (expat.ExpatError, _Stop, ValueError, LookupError) as error:
        return str(error)
    if isinstance(reader, _Pmml):
        reader.finish()
    return ""
