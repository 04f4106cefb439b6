"""R: what a file of ``saveRDS`` or ``save`` makes R run when somebody looks at what is in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import ParseError
from weighbridge.formats import HEAD_BYTES, find_r_start, read_r
from weighbridge.scanning._notes import examined, found, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import REvent
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_r"]

# Functions that run commands, open connections or files, or load code. Models carry functions of
# R's own, such as the link functions of glm, and these call nothing of the kind.
_ACTS = frozenset(
    {
        *("system", "system2", "shell", "shell.exec", "pipe", "fifo", "socketConnection"),
        *("serverSocket", "url", "download.file", "source", "sys.source", "dyn.load"),
        *("library.dynam", "install.packages", "unlink", "file.remove", "file.rename", "file.copy"),
        *("file.append", "writeLines", "writeBin", "writeChar", "sink", "dput", "dump", "save"),
        *("saveRDS", "readRDS", "load", "loadNamespace", "attachNamespace", "Sys.setenv", "q"),
        *("quit", "mcparallel", "mcfork", "makeCluster", "Sys.chmod", "file.create", "browseURL"),
        *("reticulate::py_run_string", "py_run_string", "py_eval", "import_builtins", "trace"),
        *("reg.finalizer", "addTaskCallback", "setHook", "options", "assignInNamespace"),
    }
)
# What a promise may call without anybody having to look: R's own functions leave such promises.
_HARMLESS = frozenset(
    {
        *("+", "-", "*", "/", "^", "%%", "%/%", "%*%", "%in%", "(", "{", "[", "[[", "$", "@", ":"),
        *("==", "!=", "<", ">", "<=", ">=", "!", "&", "&&", "|", "||", "~", "if", "function"),
        *(
            "c",
            "list",
            "length",
            "names",
            "nrow",
            "ncol",
            "dim",
            "rep",
            "rep.int",
            "seq",
            "seq_len",
        ),
        *("seq_along", "numeric", "character", "logical", "integer", "max", "min", "sum", "mean"),
        *("sqrt", "exp", "log", "abs", "round", "is.null", "is.na", "missing", "stop", "deparse"),
        *(
            "substitute",
            "quote",
            "match.arg",
            "getOption",
            "inherits",
            "identical",
            "nargs",
            "NROW",
        ),
        *("parent.frame", "sys.call", "sys.function", "match.call", "as.numeric", "as.character"),
        *("as.integer", "paste", "paste0", "matrix", "vector", "unlist", "NCOL", "environment"),
    }
)
_MAX_SHOWN = 12


@dataclass(slots=True)
class _Seen:
    """What was met.

    Attributes:
        kinds: Events by kind.
        calls: Functions that are called, the acting ones all and some of the others.
        waiting: Functions that promises call, likewise.
        offsets: Where each kind was met first.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    offsets: dict[str, int] = field(default_factory=dict)
    depth: int = 0

    def add(self, event: REvent) -> None:
        """Count one event."""
        self.kinds[event.kind] += 1
        self.offsets.setdefault(event.kind, event.offset)
        self.depth += (event.kind == "promise") - (event.kind == "promised")
        if event.kind != "call":
            return
        if event.name in _ACTS or len(self.calls) < _MAX_SHOWN:
            self.calls[event.name] += 1
        harmless = event.name in _HARMLESS
        if self.depth and not harmless and (event.name in _ACTS or len(self.waiting) < _MAX_SHOWN):
            self.waiting[event.name] += 1


def examine_r(
    source: ByteSource, at: Location, context: ScanContext, _: Examine
) -> Generator[Note, None, bool]:
    """Yield what R would run; return False if the bytes are text after all."""
    head = source.read_at(0, HEAD_BYTES)
    start = find_r_start(head)
    if start is None:
        return False
    seen, problem = _Seen(), ""
    try:
        for event in read_r(source, start=start, spend=context.budget.spend_pickle_ops):
            seen.add(event)
    except ParseError as error:
        problem = str(error)
    if problem and not seen.kinds and head[start : start + 1] == b"A":
        return False
    yield from _judge(seen, at)
    if problem:
        yield not_examined(at, "r", f"it cannot be read to its end: {problem}")
    else:
        yield examined(at, "r")
    return True


def _judge(seen: _Seen, at: Location) -> Iterator[Note]:
    acting = sorted(_ACTS & seen.calls.keys())
    shown = _show(acting or sorted(seen.calls))
    if seen.waiting:
        harm = sorted(_ACTS & seen.waiting.keys())
        shown = _show(harm or sorted(seen.waiting))
        message = f"It holds an expression that R runs when its variable is looked at: {shown}."
        rule_id = "WB-RDS-001" if harm else "WB-RDS-002"
        yield found(rule_id, at, message, detail=shown, offset=seen.offsets["promise"])
    elif seen.kinds["active"]:
        message = f"It holds a variable that runs a function whenever it is looked at: {shown}."
        rule_id = "WB-RDS-001" if acting else "WB-RDS-002"
        yield found(rule_id, at, message, detail=shown, offset=seen.offsets["active"])
    elif acting:
        kind = "a function" if seen.kinds["closure"] else "an expression"
        message = f"It holds {kind} that calls {shown} when it is used."
        yield found("WB-RDS-003", at, message, detail=shown, offset=seen.offsets["call"])


def _show(names: list[str]) -> str:
    return printable(", ".join(f"{name or '?'}()" for name in names[:_MAX_SHOWN]))
