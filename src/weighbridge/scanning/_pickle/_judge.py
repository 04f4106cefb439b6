"""What the symbolic machine's events mean: every name, call and change, judged and recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weighbridge.core import Finding, printable
from weighbridge.errors import LimitExceededError
from weighbridge.formats import Blob
from weighbridge.scanning._pickle._allow import (
    classify,
    find_shape,
    is_script_name,
    map_python2_name,
)
from weighbridge.scanning._pickle._by_value import CARRIED, call_carried, is_maker, make_carried
from weighbridge.scanning._pickle._dtype import DTYPE, measure_dtype, set_dtype_state
from weighbridge.scanning._pickle._findings import Findings
from weighbridge.scanning._pickle._joblib import OLD_WRAPPER, WRAPPER, names_file_beside
from weighbridge.scanning._pickle._judge_parts import (
    CALL_RULES,
    Checkpoint,
    is_dotted,
    show_call,
)
from weighbridge.scanning._pickle._lane import INERT_CLASSES
from weighbridge.scanning._pickle._rebuild import (
    FIRST,
    GETATTR,
    NEWOBJ,
    UNPICKLERS,
    Rebuild,
    find_rebuild,
)
from weighbridge.scanning._pickle._shapes import (
    ARRAYS,
    SHAPES,
    adds_items,
    count_values,
    fits_state,
    is_constant,
)
from weighbridge.scanning._pickle._templates import TEMPLATE, holds_template, is_template
from weighbridge.scanning._pickle._torch_storage import ELEMENT_BYTES, PARTS_OF_STORAGE_ID
from weighbridge.scanning._pickle._values import (
    UNSAFE,
    DictItems,
    Global,
    Items,
    Made,
    Persistent,
    Rebuilder,
    Use,
    Value,
    is_hook,
    render,
    to_text,
)
from weighbridge.scanning._rules._pickle import PICKLE_RULES

if TYPE_CHECKING:
    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext

__all__ = ["Judge"]

_NAMES_PROTOCOL = 3
_NESTED_CALLS_DEPTH = 8
# The few callables whose results are looked into: array layouts are computed from them.
_KEPT = frozenset({DTYPE, WRAPPER})
# How protocols 0 to 2 write bytes; its result is kept for what unpickles it in turn.
_ENCODE = "_codecs.encode"
_VENDORED = "sklearn.externals.joblib."
_REACHING = frozenset(
    {"_operator", "_ufunc_reconstruct", "functools", "getattr", "joblib.memory", "operator"}
)
_ELSEWHERE = frozenset(
    {"joblib.numpy_pickle_compat.NDArrayWrapper", "joblib.numpy_pickle_compat.ZNDArrayWrapper"}
)
# Listed functions that wait on the stack for their arguments; real pickles are not that deep.
_MAX_OPEN = 10_000
_MAX_PERSISTENT_IDS = 100
# Values in arguments: more are not looked into; beyond the first few, each costs some opcodes.
_MAX_VALUES = 300
_FREE_VALUES = 16
_OPS_PER_VALUE = 8
_DEEP_SHAPES = frozenset({"constants", "dates", "dtype", "enum", "numbers", "values"})
_EXTENSION = Made("extension")
_OUT_OF_BAND = Made("out-of-band buffer", trusted=True)
_UNKNOWN_OBJECT = Persistent(known=False)


class Judge(Findings):
    """Judges the events of all pickles in one run of bytes, and keeps the findings.

    Attributes:
        acted: Names, calls and the like that were met, good or bad; for telling text from pickles.
        called: Of them, those that do more than name something.
        named: Names that could be names; in random bytes they are rare.
        storages: Bytes of an element by key of PyTorch storage.
        nested: Constants that a listed function would unpickle in turn.
        templates: Constants that a listed class would execute; see ``_templates``.
    """

    def __init__(self, at: Location, context: ScanContext) -> None:
        self.acted = 0
        self.called = 0
        self.named = 0
        self.storages: dict[str, int] = {}
        self.nested: list[Blob] = []
        self.templates: list[Blob] = []
        super().__init__(at, context)
        self._globals: dict[tuple[str, str], Global] = {}
        self._called_paths: dict[str, None] = {}  # in order, to be forgotten from the end
        self._open: set[Rebuilder] = set()
        self._persistent_ids: set[Value] = set()

    # -- names -----------------------------------------------------------------------------------

    @property
    def has_ids(self) -> bool:
        """Return whether the loader was asked for an object of its own."""
        return bool(self._persistent_ids)

    @property
    def has_names(self) -> bool:
        """Return whether any name was met."""
        return bool(self._globals)

    @property
    def has_inert_names(self) -> bool:
        """Return whether there was nothing but names that do no harm, whoever does what to them."""
        return (
            not self._found and not self._persistent_ids and self._globals.keys() <= INERT_CLASSES
        )

    def reference(self, module: str, name: str, *, protocol: int, at: int) -> Global:
        """Judge a name that find_class is asked for."""
        self.acted += 1
        self.named += module.replace(".", "_").isidentifier()
        raw = (module, name)
        resolved = map_python2_name(module, name) if protocol < _NAMES_PROTOCOL else raw
        if module.startswith(_VENDORED):  # scikit-learn had a copy of joblib until 0.22
            resolved = (module.removeprefix("sklearn.externals."), name)
        known = self._globals.get(resolved) or self._add_global(raw, resolved, at)
        return self.push(known) if type(known) is Rebuilder else known

    def _add_global(self, raw: tuple[str, str], resolved: tuple[str, str], at: int) -> Global:
        limit = self._context.limits.max_pickle_names
        if len(self._globals) >= limit:
            subject = self._context.budget.subject
            raise LimitExceededError(
                "max_pickle_names", limit=limit, actual=limit + 1, subject=subject
            )
        use, vouched = self._classify(resolved)
        if use in (Use.UNKNOWN, Use.FOREIGN) and classify(*raw) is Use.DANGEROUS:
            # A loader without fix_imports, or Python 2, would take the name as it stands.
            use = Use.DANGEROUS
        path = ".".join(resolved)
        instance = Made(path, trusted=use is Use.CONSTRUCTOR, vouched=vouched)
        kind = Rebuilder if use is Use.REBUILD or path in _KEPT else Global
        found = kind(
            *resolved,
            use=use,
            offset=at,
            instance=instance,
            vouched=vouched,
            enum=use is Use.CONSTRUCTOR and find_shape(*resolved) == "enum",
        )
        self._globals[resolved] = found
        if is_dotted(found):
            self.record("dotted-name", f"reaches into {printable(path)}", at=at, detail=path)
        if path in _ELSEWHERE:
            self.record("elsewhere", "takes array data from another file by its name", at=at)
        return found

    def _classify(self, pair: tuple[str, str]) -> tuple[Use, bool]:
        use = classify(*pair)
        listed = use in (Use.CONSTRUCTOR, Use.REBUILD)
        # In TorchScript such a name means code of the archive, which is examined beside.
        script = bool(self._context.script) and is_script_name(*pair)
        vouched = (script or pair in self._context.allowed) and not listed
        return (Use.CONSTRUCTOR if vouched else use), vouched

    def push(self, function: Rebuilder) -> Rebuilder:
        """Return a listed function as it comes to the stack: one call must use it up."""
        if len(self._open) >= _MAX_OPEN:
            self.record("misuse", f"holds {function.path} too many times", at=function.offset)
            return function
        pushed = replace(function)
        self._open.add(pushed)
        return pushed

    def _use_up(self, function: Value, at: int) -> None:
        """Note that a call uses a listed function; it must have come to the stack for this one."""
        if type(function) is not Rebuilder:
            return
        if function not in self._open:
            message = f"uses {function.path} through something that holds it"
            self.record("misuse", message, at=at, detail=function.path)
        self._open.discard(function)

    def settle(self, *, followed: bool) -> None:
        """Record the listed functions that were not called, unless the end was not seen."""
        for function in self._open if followed else ():
            message = f"holds {function.path}, which is listed to be called and for nothing else"
            self.record("misuse", message, at=function.offset, detail=function.path)
        self._open.clear()

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

    def call(
        self, callee: Value, args: Value, *, at: int, depth: int = 0, new: bool = False
    ) -> Value:
        """Judge a call; return what it gives. ``new`` if it is one of ``__new__`` only."""
        self.acted += 1
        self.called += 1
        carried = self._call_carried(callee, args, at, new=new)
        if carried is not None:
            return carried
        if not isinstance(callee, Global):
            if not self._has_said("computed-call"):
                what = render(callee)
                message = f"calls something that no name stands for: {what}"
                self.record("computed-call", message, at=at, detail=show_call(what, args))
            return Made("")
        if callee.use is Use.CONSTRUCTOR:
            return self._construct(callee, args, at, new=new)
        if callee.use is Use.REBUILD:
            return self._call_rebuilder(callee, args, at=at, depth=depth)
        return self._call_stranger(callee, args, at, new=new)

    def _call_stranger(self, callee: Global, args: Value, at: int, *, new: bool) -> Value:
        """Tell of a call of a name that is not on the list, or there as data."""
        use = callee.use
        if use is Use.FOREIGN and new and type(args) is tuple and all(map(is_constant, args)):
            use = Use.UNKNOWN  # no __init__ runs, and no object of anybody is asked for anything
        rule = CALL_RULES[use]
        if use is Use.UNKNOWN and callee.path in self._called_paths:
            return callee.instance  # what was said about the first call holds for each
        self._called_paths[callee.path] = None
        if is_dotted(callee) or self._has_said(rule):
            return callee.instance
        path = printable(callee.path)
        if use is Use.UNKNOWN:
            self._record_unknown(rule, f"calls {path}", callee, at)
            return callee.instance
        message = f"calls {path} as soon as it is loaded"
        if callee.use is Use.DATA:
            message = f"calls {path}, which is data"
        self.record(rule, message, at=at, detail=show_call(callee.path, args))
        return callee.instance

    def _call_carried(self, callee: Value, args: Value, at: int, *, new: bool) -> Made | None:
        """Judge a call of code that the pickle carries, or of what makes it; None if it is not."""
        if isinstance(callee, Made):
            if callee.path not in CARRIED:
                return None
            return call_carried(callee, args, self._record_once, at, new=new)
        if not isinstance(callee, Global) or callee.vouched or not is_maker(callee):
            return None
        made = make_carried(callee, args, self._record_once, at)
        for used in (callee, *args) if made is not None and type(args) is tuple else ():
            if isinstance(used, Global):
                self._use_up(used, at)
                self._called_paths[used.path] = None
        return made

    def _record_once(self, rule: str, message: str, *, at: int, detail: str = "") -> None:
        if not self._has_said(rule):
            self.record(rule, message, at=at, detail=detail)

    def _construct(self, callee: Global, args: Value, at: int, *, new: bool) -> Made:
        """Judge a call of a listed class by the shape of its arguments."""
        self._use_up(callee, at)
        fits = callee.vouched or self._fits(callee, args, new=new)
        if not fits:
            self._record_unlisted(
                f"calls {callee.path} with arguments that pickles do not give to it", at, args
            )
        if callee.path in _KEPT:
            return Made(callee.path, args=args, trusted=fits)
        return callee.instance if fits else Made(callee.path)

    def _fits(self, callee: Global, args: Value, *, new: bool) -> bool:
        if type(args) is not tuple:
            return False
        shape = find_shape(callee.module, callee.name)
        if shape == "instance" and not new:
            return False
        return (shape not in _DEEP_SHAPES or self._may_look_into(args)) and SHAPES[shape](args)

    def _may_look_into(self, value: Value) -> bool:
        """Return whether ``value`` is small enough to be looked into, and pay for it."""
        count = count_values(value, _MAX_VALUES)
        if count > _FREE_VALUES:
            self._context.budget.spend_pickle_ops(count * _OPS_PER_VALUE)
        return count <= _MAX_VALUES

    def _call_rebuilder(self, callee: Global, args: Value, *, at: int, depth: int) -> Value:
        self._use_up(callee, at)
        rebuild = find_rebuild(callee.module, callee.name)
        problem = "its arguments cannot be followed"
        if type(args) is tuple and depth < _NESTED_CALLS_DEPTH:
            if 0 in rebuild.functions and len(args) > 2:  # noqa: PLR2004
                self.call(args[0], args[2], at=at, depth=depth + 1)
            looked_at = args[: rebuild.state] if rebuild.state >= 0 else args
            if callee.module == "copyreg" or self._may_look_into(looked_at):
                problem = rebuild.check(args) or self._check_module(callee, rebuild, args)
        if problem:
            reaches = callee.module in _REACHING or callee.name in _REACHING
            rule = "dangerous-call" if reaches else "misuse"
            if not self._has_said(rule):
                shown = show_call(callee.path, args)
                self.record(rule, f"calls {callee.path}, but {problem}", at=at, detail=shown)
            return Made(callee.path)
        if (callee.module, callee.name) == NEWOBJ:
            if not args:
                return Made("")
            return self.call(args[0], args[1:], at=at, depth=depth + 1, new=True)
        if 1 in rebuild.functions and len(args) > 1:
            self._use_up(args[1], at)
        return self._rebuild(callee, rebuild, args, at)

    def _check_module(self, callee: Global, rebuild: Rebuild, args: tuple[Value, ...]) -> str:
        """Return what is wrong with the class that Cython's functions make an instance of."""
        if not rebuild.same_module or args[0].module == callee.module:
            return ""
        return "its first argument is no class of the same module"

    def _rebuild(self, callee: Global, rebuild: Rebuild, args: tuple[Value, ...], at: int) -> Value:
        """Return what a listed function gives whose arguments are as they should be."""
        strangers = [arg for arg in args[: rebuild.classes] if arg.use is Use.UNKNOWN]
        self._record_strangers(strangers, at)
        path = rebuild.gives or callee.path
        made = Made(path, trusted=not strangers)
        if rebuild.gives is FIRST:
            first = args[0]
            if first.path == WRAPPER:
                self._use_up(first, at)
            kept = () if first.path in _KEPT else None
            made = Made(first.path, args=kept, trusted=not strangers, vouched=first.vouched)
        if 0 <= rebuild.state < len(args):
            self._judge_state(made, args[rebuild.state], at)
        if callee.path == _ENCODE:
            made.args = args[0]
        elif callee.path in UNPICKLERS:
            self._note_nested(args, at)
        elif callee.name == "_ufunc_reconstruct":
            return self._find_ufunc(callee, args, at)
        elif (callee.module, callee.name) == GETATTR:
            return self._get_attribute(args, at)
        return made

    def _record_strangers(self, strangers: list[Global], at: int) -> None:
        """Record somebody's own classes that a listed function makes instances of, each once."""
        for stranger in strangers:
            if stranger.path in self._called_paths:
                continue
            self._called_paths[stranger.path] = None
            if not is_dotted(stranger):
                path = printable(stranger.path)
                self._record_unknown("unknown-call", f"makes an instance of {path}", stranger, at)

    def _find_ufunc(self, callee: Global, args: tuple[Value, ...], at: int) -> Value:
        """Return the function that NumPy imports by name, if it is one of its own."""
        pair = (to_text(args[0]) or "", to_text(args[1]) or "")
        if classify(*pair) is Use.DATA:
            return self.reference(*pair, protocol=_NAMES_PROTOCOL, at=at)
        message = f"has NumPy import {printable('.'.join(pair))}"
        self.record("dangerous-call", message, at=at, detail=show_call(callee.path, args))
        return Made(callee.path)

    def _get_attribute(self, args: tuple[Value, ...], at: int) -> Value:
        """Return the attribute that a listed look-up gives."""
        owner, name = args[0], to_text(args[1]) or ""
        if isinstance(owner, Made):
            return Made("bound method", trusted=True)
        if owner.enum:
            return owner.instance
        return self.reference(owner.module, f"{owner.name}.{name}", protocol=_NAMES_PROTOCOL, at=at)

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
        elif isinstance(target, Persistent) and target.known:
            self.record("misuse", f"{what} a storage of PyTorch", at=at)
        elif isinstance(target, Persistent):
            self.record("persistent-id", f"{what} an object that the loader supplies", at=at)

    def add_items(
        self, target: Value, kind: type[Items], *, at: int, items: list[Value] | None = None
    ) -> None:
        """Judge APPEND, SETITEM, ADDITEMS and the like on anything but a plain container."""
        self.change(target, "adds items to", at=at)
        if not isinstance(target, Made) or not target.trusted or target.vouched:
            return
        # Some of these classes look their items up as attributes.
        keys = items[::2] if items and kind is DictItems else ()
        for key, value in zip(keys, (items or ())[1::2], strict=False):
            if type(key) is bytes and is_hook(key, value) and not self._has_said("misuse"):
                message = f"adds the item {render(key)}, which others call or obey"
                self.record("misuse", message, at=at)
        if not adds_items(target, kind) and not self._has_said("misuse"):
            message = f"adds items to an instance of {target.path}, which takes none"
            self.record("misuse", message, at=at)

    def build(self, target: Value, state: Value, *, at: int) -> None:
        """Judge BUILD: __setstate__, or attributes."""
        self.change(target, "sets attributes of", at=at)
        if not isinstance(target, Made):
            return
        if target.path == DTYPE:
            if not set_dtype_state(target, state):
                message = "gives a NumPy dtype a state that is not clear or does not fit it"
                self.record("not-followed", message, at=at)
            return
        self._judge_state(target, state, at)
        if target.path == OLD_WRAPPER and not names_file_beside(state):
            self.record("elsewhere", "takes array data from a file by its path", at=at)
        if target.path == WRAPPER:
            target.state = state if target.state is None else Made("several states")

    def _judge_state(self, target: Made, state: Value, at: int) -> None:
        """Judge what becomes the attributes of an object, or goes to its ``__setstate__``.

        With ``__class__`` an object becomes one of another class without a call, and joblib would
        read an array where this engine reads opcodes; with ``append`` or ``__array_interface__``
        something would be called, or memory read, that nobody sees.
        """
        count = count_values(state[:-1] if type(state) is tuple else (), _MAX_VALUES)
        count += len(state) if isinstance(state, DictItems) else 0
        if count > _FREE_VALUES:
            self._context.budget.spend_pickle_ops(count * _OPS_PER_VALUE)
        clear = count <= _MAX_VALUES and fits_state(target, state)
        parts = state if type(state) is tuple else (state,)
        for part in parts if target.path not in CARRIED else ():
            if not isinstance(part, DictItems):
                continue
            clear = clear and not (part and part[-1] is UNSAFE)
            for key, value in zip(part[::2], part[1::2], strict=False):
                if not is_hook(key, value):
                    continue
                clear = clear and type(key) is bytes
                if type(key) is bytes and not self._has_said("misuse"):
                    message = f"sets the attribute {render(key)}, which others call or obey"
                    self.record("misuse", message, at=at)
        if holds_template(target.path) and target.trusted and not target.vouched:
            clear = self._judge_template(parts, at) and clear
        if target.path in ARRAYS and clear and state is not None:
            measure_dtype(state[2])
        if not clear and target.trusted and not target.vouched:
            message = f"gives {target.path} a state that pickles do not give to it"
            self._record_unlisted(message, at, state)

    def _judge_template(self, parts: tuple[Value, ...], at: int) -> bool:
        """Judge the source code in a state; return whether all attributes of it are known."""
        clear = True
        for part in parts:
            if not isinstance(part, DictItems):
                continue
            clear = clear and not part.more
            for key, value in zip(part[::2], part[1::2], strict=False):
                if key != TEMPLATE or (type(value) is bytes and is_template(value)):
                    continue
                if isinstance(value, Blob):
                    self.templates.append(value)
                else:
                    self.record_template(value, at)
        return clear

    def record_template(self, value: Value, at: int) -> None:
        """Record source code that a listed class would execute."""
        message = "has a distribution of SciPy execute code that is not SciPy's"
        self.record("dangerous-call", message, at=at, detail=f"exec({render(value)})")

    # -- the loader's part -----------------------------------------------------------------------

    def persistent(self, pid: Value, *, at: int) -> Value:
        """Judge a persistent id; PyTorch's two kinds are known, others are up to the loader."""
        # A location that is no text would be asked whether it starts with "cuda".
        literal = type(pid) is tuple and pid and all(map(is_constant, pid[2:]))
        kind = to_text(pid[0]) if literal else None
        if kind == "storage" and len(pid) in PARTS_OF_STORAGE_ID and self._is_storage(pid):
            return Persistent(known=True)
        if kind == "module" and len(pid) == 4 and isinstance(pid[1], Global):  # noqa: PLR2004
            self.acted += 1
            name = printable(pid[1].path)
            self.record("source-code", f"carries the source code of {name} along", at=at)
            return pid[1]
        self.acted += 1
        if type(pid) is bytes:
            if pid in self._persistent_ids or len(self._persistent_ids) >= _MAX_PERSISTENT_IDS:
                return _UNKNOWN_OBJECT  # enough was said about such ids
            self._persistent_ids.add(pid)
        self.record("persistent-id", f"leaves to the loader what {render(pid)} is", at=at)
        return _UNKNOWN_OBJECT

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

    def has_rule(self, rule_ids: frozenset[str]) -> bool:
        """Return whether one of these rules has found something, or would at the end."""
        if self.has_found(rule_ids):
            return True
        dangerous = PICKLE_RULES["dangerous-name"].rule_id in rule_ids
        return dangerous and any(n.use is Use.DANGEROUS for n in self._globals.values())

    @property
    def _tables(self) -> tuple[dict[Any, Any], ...]:
        """Return what only grows."""
        return self.storages, self._globals, self._found, self._called_paths

    def checkpoint(self) -> Checkpoint:
        """Return what ``rollback`` needs to forget everything after this moment."""
        return Checkpoint(
            self.acted,
            self.called,
            self.named,
            tuple(map(len, self._tables)),
            len(self.nested),
            len(self.templates),
        )

    def rollback(self, to: Checkpoint) -> None:
        """Forget what was met since ``to``: it was no pickle."""
        self.acted, self.called, self.named = to.acted, to.called, to.named
        for table, size in zip(self._tables, to.sizes, strict=True):
            while len(table) > size:
                table.popitem()
        del self.nested[to.nested :]
        del self.templates[to.templates :]
        self._open.clear()

    def _record_references(self) -> None:
        """Record the names that were never called."""
        for name in self._globals.values():
            if name.path in self._called_paths:
                continue
            path = printable(name.path)
            if name.use is Use.DANGEROUS:
                message = f"gets hold of {path}"
                self.record("dangerous-name", message, at=name.offset, detail=name.path)
            elif name.use in (Use.UNKNOWN, Use.FOREIGN) and not is_dotted(name):
                self._record_unknown("unknown-name", f"refers to {path}", name, name.offset)

    def conclude(self) -> tuple[Finding, ...]:
        """Return the findings by offset."""
        self.settle(followed=True)
        self._record_references()
        findings = sorted(self._found.values(), key=lambda f: (f.location.offset or 0, f.rule_id))
        return (*findings, *self._tell_left_out())
