"""Code of a TorchScript archive: a dialect of Python whose operators are PyTorch's."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.scanning._code._parse import parse_python
from weighbridge.scanning._notes import examined, found, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._notes import Note

__all__ = ["judge_torchscript"]

# Of ``torch._C._jit_get_all_schemas()`` of PyTorch 2.13: what touches files, processes, other
# devices' code or the network.
_OUTSIDE = frozenset(
    [
        "save",
        "load",
        "from_file",
        "_load_for_executorch",
        "manual_load",
        "import_ir_module",
        "CompilationUnit",
        "read_file",
        "write_file",
        "load_library",
        "PythonOp",
        "IgnoredPythonOp",
        "fork",
        "rpc_sync",
        "rpc_async",
        "rpc_remote",
        "_save",
        "_load",
        "from_file_size",
        "backend_load",
        "execute",
        "breakpoint",
        "py_call",
        "open",
        "exec",
        "eval",
        "system",
        "popen",
        "__import__",
        "getattr",
        "compile",
        "_from_file",
    ]
)
_FINE = frozenset(["fork"])
# Namespaces whose operators compute with tensors only, by the schemas of PyTorch 2.13.
_SPACES = frozenset(
    [
        "aten",
        "prim",
        "prims",
        "quantized",
        "_quantized",
        "sparse",
        "mkldnn",
        "mkldnn_prepacked",
        "prepacked",
        "xnnpack",
        "quantized_decomposed",
        "torchvision",
    ]
)
_UNSAFE_SPACE = re.compile(r"^(?:image|video_reader|loader|inductor|_inductor|aoti|io|rpc)$")
_ROOTS = frozenset({"torch", "ops", "prim", "self", "__torch__"})


def judge_torchscript(text: str, at: Location) -> Iterator[Note]:
    """Yield which operators reach out of the tensors."""
    readable = re.sub(r"(?<![\w.])(\d+)(?=\.\w*[a-zA-Z_]\w*\()", r"_\1", text)
    readable = re.sub(r"\bNone\b(?=\s*:)", "none", readable)
    tree = parse_python(readable)
    if isinstance(tree, str):
        yield from _judge_words(text, at)
        yield not_examined(at, "torchscript code", tree)
        return
    seen: set[str] = set()
    for node in ast.walk(tree):
        problem = ""
        if isinstance(node, ast.Attribute):
            problem = _judge_name(_dotted(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            problem = "an import"
        elif isinstance(node, ast.Name) and node.id in {
            "exec",
            "eval",
            "__import__",
            "open",
            "compile",
        }:
            problem = node.id
        if problem and problem not in seen and len(seen) < 50:  # noqa: PLR2004 - enough to read
            seen.add(problem)
            message = f"The code of the archive uses {printable(problem, limit=100)}."
            yield found("WB-COD-021", at, message, detail=problem)
    yield examined(at, "torchscript code")


def _judge_words(text: str, at: Location) -> Iterator[Note]:
    pattern = r"\b(?:torch|ops\.\w+|aten)\.(?:save|load|from_file|read_file|write_file)\b|PythonOp"
    for word in sorted(set(re.findall(pattern, text)))[:20]:
        yield found("WB-COD-021", at, f"The code of the archive uses {word}.", detail=word)


def _dotted(node: ast.Attribute) -> str:
    parts = [node.attr]
    base: ast.expr = node.value
    while isinstance(base, ast.Attribute):
        parts.append(base.attr)
        base = base.value
    return ".".join([base.id, *reversed(parts)]) if isinstance(base, ast.Name) else ""


def _judge_name(name: str) -> str:
    parts = name.split(".")
    if parts[0] == "torch" and len(parts) > 1 and parts[-1] in _OUTSIDE - _FINE:
        return name
    is_operator = parts[0] == "ops" and len(parts) > 2  # noqa: PLR2004 - ops.SPACE.NAME
    if is_operator and (
        _UNSAFE_SPACE.match(parts[1]) or parts[1] not in _SPACES or parts[2] in _OUTSIDE
    ):
        return ".".join(parts[:3])
    if parts[0] in {"prim", "aten"} and parts[-1] in _OUTSIDE - _FINE:
        return name
    return ""
