"""What the symbolic machine's events mean: every name, call and change, judged and recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weighbridge.core import Answer, Finding, Severity, printable
from weighbridge.formats import Blob
from weighbridge.scanning._allow import classify, map_python2_name
from weighbridge.scanning._dtype import DTYPE, set_dtype_state
from weighbridge.scanning._joblib import WRAPPER
from weighbridge.scanning._pickle_rules import PICKLE_RULES
from weighbridge.scanning._pickle_values import (
    DictItems,
    Global,
    Items,
    Made,
    Persistent,
    Rebuilder,
    Use,
    Value,
    render,
    to_text,
)
from weighbridge.scanning._rebuild import MAKERS, NESTED_CALLS, check_arguments
from weighbridge.scanning._torch_storage import ELEMENT_BYTES, PARTS_OF_STORAGE_ID

if TYPE_CHECKING:
    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext

__all__ = ["Judge"]

_NAMES_PROTOCOL = 3
_SHOWN_CHARS = 400
_NESTED_CALLS_DEPTH = 8
# The few callables whose results are looked into: array layouts are computed from them.
_KEPT = frozenset({DTYPE, WRAPPER})
# How protocols 0 to 2 write bytes; its result is kept for what unpickles it in turn.
_ENCODE = "_codecs.encode"
_ELSEWHERE = frozenset(
    {"joblib.numpy_pickle_compat.NDArrayWrapper", "joblib.numpy_pickle_compat.ZNDArrayWrapper"}
)
_MAPPINGS = frozenset(
    {
        "builtins.dict",
        "collections.ChainMap",
        "collections.Counter",
        "collections.OrderedDict",
        "collections.UserDict",
        "collections.defaultdict",
        "sklearn.utils.Bunch",
        "sklearn.utils._bunch.Bunch",
    }
)
_EXTENSION = Made("extension")
_OUT_OF_BAND = Made("out-of-band buffer", trusted=True)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A moment in the judge's work: how much there was of everything."""

    acted: int
    called: int
    named: int
    sizes: tuple[int, int, int]
    nested: int
    uncalled: dict[Rebuilder, int]


class Judge:
    """Judges the events of all pickles in one run of bytes, and keeps the findings.

    Attributes:
        acted: Names, calls and the like that were met, good or bad; for telling text from pickles.
        called: Of them, those that do more than name something.
        named: Names that could be names; in random bytes they are rare.
        storages: Bytes of an element by key of PyTorch storage.
        nested: Constants that a listed function would unpickle in turn.
    """

    def __init__(self, at: Location, context: ScanContext) -> None:
        self.acted = 0
        self.called = 0
        self.named = 0
        self.storages: dict[str, int] = {}
        self.nested: list[Blob] = []
        self._at = at
        self._context = context
        self._globals: dict[tuple[str, str], Global] = {}
        self._found: dict[tuple[str, str], Finding] = {}
        self._left_out = 0
        self._called_paths: set[str] = set()
        self._uncalled: dict[Rebuilder, int] = {}

    # -- names -----------------------------------------------------------------------------------

    def reference(self, module: str, name: str, *, protocol: int, at: int) -> Global:
        """Judge a name that find_class is asked for."""
        self.acted += 1
        self.named += module.replace(".", "_").isidentifier()
        raw = (module, name)
        resolved = map_python2_name(module, name) if protocol < _NAMES_PROTOCOL else raw
        known = self._globals.get(resolved) or self._add_global(raw, resolved, at)
        if type(known) is Rebuilder:
            self.count_push(known)
        return known

    def _add_global(self, raw: tuple[str, str], resolved: tuple[str, str], at: int) -> Global:
        use = self._classify(resolved)
        if use in (Use.UNKNOWN, Use.FOREIGN) and classify(*raw) is Use.DANGEROUS:
            # A loader without fix_imports, or Python 2, would take the name as it stands.
            use = Use.DANGEROUS
        path = ".".join(resolved)
        instance = Made(path, trusted=use is Use.CONSTRUCTOR)
        kind = Rebuilder if use is Use.REBUILD else Global
        found = kind(*resolved, use=use, offset=at, instance=instance)
        self._globals[resolved] = found
        if _is_dotted(found):
            self.record("dotted-name", f"reaches into {printable(path)}", at=at, detail=path)
        if path in _ELSEWHERE:
            self.record("elsewhere", "takes array data from another file by its name", at=at)
        return found

    def _classify(self, pair: tuple[str, str]) -> Use:
        use = classify(*pair)
        vouched = pair in self._context.allowed and use is not Use.REBUILD
        return Use.CONSTRUCTOR if vouched else use

    def count_push(self, function: Rebuilder) -> None:
        """Note that a function came to the stack; a call of it must follow for each time."""
        self._uncalled[function] = self._uncalled.get(function, 0) + 1

    def _count_call(self, function: Value) -> None:
        if type(function) is Rebuilder:
            self._uncalled[function] = self._uncalled.get(function, 0) - 1

    def computed_name(self, module: Value, name: Value, *, at: int) -> Value:
        """Record a STACK_GLOBAL whose operands are no literal texts."""
        self.acted += 1
        what = f"{render(module)}, {render(name)}"
        self.record("computed-name", f"looks up a name that is computed: {what}", at=at)
        return Made("")

    def extension(self, code: int, *, at: int) -> Value:
        """Record EXT1, EXT2 or EXT4: a number that stands for whatever the loader registered."""
        self.acted += 1
        self.record("extension", f"uses the copyreg extension code {code}", at=at)
        return _EXTENSION

    # -- calls -----------------------------------------------------------------------------------

    def call(self, callee: Value, args: Value, *, at: int, depth: int = 0) -> Value:
        """Judge a call; return what it gives."""
        self.acted += 1
        self.called += 1
        if not isinstance(callee, Global):
            self.record(
                "computed-call",
                f"calls something that no name stands for: {render(callee)}",
                at=at,
                detail=_show_call(render(callee), args),
            )
            return Made("")
        if callee.use is Use.CONSTRUCTOR:
            if callee.path in _KEPT:
                return Made(callee.path, args=args, trusted=True)
            return callee.instance
        if callee.use is Use.REBUILD:
            return self._call_rebuilder(callee, args, at=at, depth=depth)
        self._called_paths.add(callee.path)
        shown = _show_call(callee.path, args)
        if callee.use is Use.DATA:
            self.record("misuse", f"calls {callee.path}, which is data", at=at, detail=shown)
        elif callee.use is Use.UNKNOWN and not _is_dotted(callee):
            self._record_unknown("unknown-call", f"calls {printable(callee.path)}", callee, at)
        elif not _is_dotted(callee):
            key = "dangerous-call" if callee.use is Use.DANGEROUS else "foreign-call"
            message = f"calls {printable(callee.path)} as soon as it is loaded"
            self.record(key, message, at=at, detail=shown)
        return callee.instance

    def _call_rebuilder(self, callee: Global, args: Value, *, at: int, depth: int) -> Value:
        pair = (callee.module, callee.name)
        self._count_call(callee)
        if type(args) is not tuple:
            problem = "its arguments cannot be followed"
        else:
            problem = check_arguments(*pair, args)
        if not problem and pair in NESTED_CALLS:
            index = NESTED_CALLS[pair]
            if depth >= _NESTED_CALLS_DEPTH or len(args) <= index:
                problem = "its arguments cannot be followed"
            else:
                self.call(args[0], args[index], at=at, depth=depth + 1)
        if not problem and pair in MAKERS and len(args) > 1:
            self._count_call(args[1])
        if not problem and callee.path == "torch.storage._load_from_bytes":
            self._note_nested(args, at)
        if problem:
            shown = _show_call(callee.path, args)
            self.record("misuse", f"calls {callee.path}, but {problem}", at=at, detail=shown)
        if callee.path == _ENCODE and not problem:
            return Made(_ENCODE, args=args[0], trusted=True)
        if callee.module == "copyreg" and not problem and args[0].path in _KEPT:
            return Made(args[0].path, args=(), trusted=True)
        return Made(callee.path, trusted=not problem)

    def _note_nested(self, args: tuple[Value, ...], at: int) -> None:
        """Note the bytes that a listed function unpickles in turn."""
        value = args[0] if len(args) == 1 else None
        if isinstance(value, Made) and value.path == _ENCODE:
            value = value.args
        if isinstance(value, Blob) and value.kind in ("bytes", "text"):
            self.nested.append(value)
        else:
            message = "unpickles bytes that are not in it as they are"
            self.record("not-followed", message, at=at)

    # -- changes ---------------------------------------------------------------------------------

    def change(self, target: Value, what: str, *, at: int) -> None:
        """Judge APPEND, SETITEM, ADDITEMS and the like on anything but a plain container."""
        self.acted += 1
        self.called += 1
        if isinstance(target, Global):
            path = printable(target.path)
            self.record("changed-global", f"{what} {path} itself, not an instance of it", at=at)
        elif isinstance(target, Persistent):
            self.record("misuse", f"{what} an object that the loader supplies", at=at)

    def build(self, target: Value, state: Value, *, at: int) -> None:
        """Judge BUILD: __setstate__, or attributes."""
        self.change(target, "sets attributes of", at=at)
        self._check_attributes(state, at)
        if not isinstance(target, Made) or target.path not in _KEPT:
            return
        if target.path == DTYPE:
            if not set_dtype_state(target, state):
                message = "gives a NumPy dtype a state that is not clear or does not fit it"
                self.record("not-followed", message, at=at)
        else:
            target.state = state if target.state is None else Made("several states")

    def _check_attributes(self, state: Value, at: int) -> None:
        """Judge the second part of a state that is a pair: it is set as attributes.

        With ``__class__`` in it, an object becomes one of another class without a call, and joblib
        would read an array where this engine reads opcodes.
        """
        second = state[1] if type(state) is tuple and len(state) == 2 else None  # noqa: PLR2004
        unclear = isinstance(state, Made) and state.path == "builtins.tuple"
        if isinstance(second, Made):
            unclear = second.path in _MAPPINGS
        elif isinstance(second, DictItems):
            keys = second[::2]
            unclear = second.more or any(type(key) not in (bytes, Blob) for key in keys)
            if b"__class__" in keys:
                self.record("misuse", "makes an object one of another class", at=at)
        if unclear:
            self.record("not-followed", "sets attributes whose names cannot be told", at=at)

    # -- the loader's part -----------------------------------------------------------------------

    def persistent(self, pid: Value, *, at: int) -> Value:
        """Judge a persistent id; PyTorch's two kinds are known, others are up to the loader."""
        kind = to_text(pid[0]) if type(pid) is tuple and pid else None
        if kind == "storage" and len(pid) in PARTS_OF_STORAGE_ID and self._is_storage(pid):
            return Persistent(known=True)
        if kind == "module" and len(pid) == 4 and isinstance(pid[1], Global):  # noqa: PLR2004
            self.acted += 1
            name = printable(pid[1].path)
            self.record("source-code", f"carries the source code of {name} along", at=at)
            return pid[1]
        self.acted += 1
        self.record("persistent-id", f"leaves to the loader what {render(pid)} is", at=at)
        return Persistent(known=False)

    def _is_storage(self, pid: tuple[Value, ...]) -> bool:
        cls, key = pid[1], to_text(pid[2])
        if not isinstance(cls, Global) or cls.use is not Use.CONSTRUCTOR or key is None:
            return False
        element_bytes = ELEMENT_BYTES.get(cls.name)
        if element_bytes is None or not cls.module.startswith("torch"):
            return False
        self.storages[key] = element_bytes
        return True

    def out_of_band(self, *, at: int) -> Value:
        """Record NEXT_BUFFER."""
        self.record("elsewhere", "takes data from a buffer outside the pickle", at=at)
        return _OUT_OF_BAND

    # -- findings --------------------------------------------------------------------------------

    def record(self, rule: str, message: str, *, at: int, detail: str = "") -> None:
        """Keep a finding, once for the same words."""
        key = (rule, detail or message)
        if key in self._found:
            return
        if len(self._found) >= self._context.limits.max_findings:
            self._left_out += 1
            return
        entry = PICKLE_RULES[rule]
        self._found[key] = Finding(
            rule_id=entry.rule_id,
            answer=entry.answer,
            severity=entry.severity,
            location=replace(self._at, offset=at),
            message=f"{entry.title}: the pickle {message}.",
            detail=printable(detail, limit=_SHOWN_CHARS),
        )

    def _record_unknown(self, rule: str, message: str, name: Global, at: int) -> None:
        entry = f"allow = [[{json.dumps(name.module)}, {json.dumps(name.name)}]]"
        self.record(rule, f"{message}, which nobody vouches for", at=at, detail=entry)

    def adopt(self, findings: tuple[Finding, ...]) -> None:
        """Keep findings about bytes inside these."""
        for finding in findings:
            if len(self._found) >= self._context.limits.max_findings:
                self._left_out += 1
                continue
            self._found[str(finding.location), finding.rule_id + finding.message] = finding

    def has(self, finding: Finding) -> bool:
        """Return whether the same rule has found the same thing already."""
        return any(
            (known.rule_id, known.detail) == (finding.rule_id, finding.detail)
            for known in self._found.values()
        )

    def checkpoint(self) -> Checkpoint:
        """Return what ``rollback`` needs to forget everything after this moment."""
        return Checkpoint(
            self.acted,
            self.called,
            self.named,
            (len(self.storages), len(self._globals), len(self._found)),
            len(self.nested),
            {**self._uncalled},
        )

    def rollback(self, to: Checkpoint) -> None:
        """Forget what was met since ``to``: it was no pickle."""
        self.acted, self.called, self.named = to.acted, to.called, to.named
        tables: tuple[dict[Any, Any], ...] = (self.storages, self._globals, self._found)
        for table, size in zip(tables, to.sizes, strict=True):
            while len(table) > size:
                table.popitem()
        del self.nested[to.nested :]
        self._uncalled = {**to.uncalled}

    def _record_references(self) -> None:
        """Record the names that were never called."""
        for name in self._globals.values():
            if name.path in self._called_paths:
                continue
            path = printable(name.path)
            if isinstance(name, Rebuilder) and self._uncalled.get(name):
                message = f"holds {path}, which is listed to be called and for nothing else"
                self.record("misuse", message, at=name.offset, detail=name.path)
            elif name.use is Use.DANGEROUS:
                message = f"gets hold of {path}"
                self.record("dangerous-name", message, at=name.offset, detail=name.path)
            elif name.use in (Use.UNKNOWN, Use.FOREIGN) and not _is_dotted(name):
                self._record_unknown("unknown-name", f"refers to {path}", name, name.offset)

    def conclude(self) -> tuple[Finding, ...]:
        """Return the findings by offset."""
        self._record_references()
        findings = sorted(self._found.values(), key=lambda f: (f.location.offset or 0, f.rule_id))
        if self._left_out:
            findings.append(
                Finding(
                    rule_id=PICKLE_RULES["limit"].rule_id,
                    answer=Answer.FAIL,
                    severity=Severity.HIGH,
                    location=self._at,
                    message=f"A limit was met: {self._left_out:,} more findings are not listed.",
                )
            )
        return tuple(findings)


def _is_dotted(name: Global) -> bool:
    return "." in name.name and name.use in (Use.UNKNOWN, Use.FOREIGN)


def _show_call(path: str, args: Value) -> str:
    shown = render(args)
    return f"{path}{shown}" if isinstance(args, tuple) and args else f"{path}({_inner(args)})"


def _inner(args: Value) -> str:
    if args == () or args is None:
        return ""
    return f"*{render(args)}" if isinstance(args, Items) else render(args)
