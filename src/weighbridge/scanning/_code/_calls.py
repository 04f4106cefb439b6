"""Calls of Python source, judged by what is called and with what."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.scanning._code._commands import Harm, is_report, judge_command
from weighbridge.scanning._code._tables import COLLECTORS, MODULES, STARTUP, TREES, find_kind
from weighbridge.scanning._code._values import Resolver
from weighbridge.scanning._code._words import DECODING, DECODING_MORE, FETCHING, UNWRAPPING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Calls", "PythonReport"]

_MAX_INSIDE = 3
# What gives no content of the network, though its name begins like what does.
_NO_CONTENT = ("urllib.parse", "socket.gethost", "requests.exceptions", "urllib.error")
_FILE_LOADERS = frozenset({"torch.load", "joblib.load", "numpy.load", "pandas.read_pickle"})
_RUNNERS = frozenset({"run", "call", "Popen", "check_output", "check_call"})
# Whose repositories examples load models from; others' code has to be looked at.
_KNOWN_OWNERS = frozenset(
    [
        "pytorch",
        "facebookresearch",
        "huggingface",
        "snakers4",
        "ultralytics",
        "intel-isl",
        "NVIDIA",
        "isl-org",
        "harritaylor",
        "mateuszbuda",
        "NVlabs",
    ]
)
# Functions and methods that make bytes of pieces.
_PUTTING_TOGETHER = frozenset({"bytes", "bytearray", "encode", "join", "translate", "fromhex"})
_MAX_FOUND = 100
_MAX_NODES = 200
# compile(source, file name, mode): with fewer it is a pattern of some other compile.
_COMPILE_ARGUMENTS = 3
_OF_MODULES = frozenset(
    f"sys.modules.{name}"
    for name in ("get", "pop", "keys", "items", "values", "copy", "setdefault")
)


@dataclass(slots=True)
class PythonReport:
    """What a source does: (rule, message, detail, line), and why not all of it was looked at."""

    found: list[tuple[str, str, str, int]] = field(default_factory=list)
    problem: str = ""

    def add(self, rule: str, message: str, detail: str = "", line: int = 0) -> None:
        """Add a finding, once for each rule and message, and not without end."""
        entry = (rule, message, printable(detail, limit=300), line)
        if len(self.found) < _MAX_FOUND and all(old[:3] != entry[:3] for old in self.found):
            self.found.append(entry)


class Calls:
    """One source whose calls are being judged."""

    def __init__(
        self, report: PythonReport, inside: int, judge: Callable[..., PythonReport]
    ) -> None:
        self.report = report
        self.inside = inside
        self.judge_text = judge
        self.names = Resolver()
        self.docs: set[int] = set()
        self.called: set[int] = set()
        self.evaluated: list[tuple[str, ast.AST]] = []
        self.facts: set[str] = set()
        self.module_level: set[int] = set()
        self.scopes: dict[int, tuple[int, ...]] = {}

    def _look_call(self, node: ast.Call) -> None:
        names = self._names_of_call(node)
        for name in names:
            kind = find_kind(name)
            if kind == "command":
                self._look_command(name, node)
            elif kind == "evaluate":
                self._look_evaluation(name, node)
            elif kind in {"load", "native"}:
                self._look_loading(name, kind, node)
            elif kind in {"send", "fetch"}:
                self._look_connection(name, kind, node)
            else:
                self._look_other(name, node)
        if isinstance(node.func, ast.Attribute):
            self._look_method(node, node.func)
        self._look_arguments(node)

    def _look_arguments(self, node: ast.Call) -> None:
        computed = (given for given in node.args if isinstance(given, ast.Call | ast.Subscript))
        for name in (name for given in computed for name in self.names.names(given)):
            if find_kind(name) == "command":
                self._add("002", f"It hands on {name}, which runs commands.", name, node)
        for keyword in node.keywords:
            if keyword.arg == "trust_remote_code" and self.names.constant(keyword.value) is True:
                self._look_trust(node)
            if keyword.arg == "cmdclass":
                self.facts.add("cmdclass")

    def _names_of_call(self, node: ast.Call) -> tuple[str, ...]:
        part: ast.expr = node.func
        self.called.add(id(part))
        while isinstance(part, ast.Attribute):
            part = part.value
            self.called.add(id(part))
        return self.names.names(node.func)

    def _look_command(self, name: str, node: ast.Call) -> None:
        given = node.args[0] if node.args else next((k.value for k in node.keywords), None)
        words = self._text_of(given) if given is not None else ""
        if name.startswith(
            ("os.exec", "os.spawn", "pty.", "os.posix", "asyncio.create_subprocess_exec")
        ):
            words = " ".join(filter(None, (self._text_of(argument) for argument in node.args)))
        judged = judge_command(words)
        shell = name.startswith(("pty.", "os.exec", "os.spawn")) and re.search(r"sh\b|cmd", words)
        tainted = any(
            self._mentions(argument, FETCHING + DECODING, loose=True, near=True)
            for argument in node.args
        )
        if judged.harm is Harm.SURE:
            self._add("001", f"It runs a command with {name}: {judged.why}.", words, node)
        elif shell or tainted:
            self._add("001", f"It runs a shell or a hidden command with {name}.", words, node)
        elif given is not None and is_report(self.names.constant(given)):
            self._add("022", f"It asks this machine about itself with {name}.", words, node)
            return
        else:
            self._add("002", f"It runs a command with {name}.", words or "computed", node)
        self.facts.add("command")

    def _text_of(self, node: ast.expr) -> str:
        value = self.names.constant(node)
        if isinstance(value, str | bytes):
            return value.decode("latin-1") if isinstance(value, bytes) else value
        if isinstance(value, list):
            return " ".join(str(item) for item in value)
        if isinstance(node, ast.List | ast.Tuple):
            return " ".join(self._text_of(item) for item in node.elts[:50])
        if isinstance(node, ast.JoinedStr):
            return "".join(self._text_of(item) for item in node.values[:50])
        if isinstance(node, ast.BinOp):
            return self._text_of(node.left) + self._text_of(node.right)
        return ""

    def _look_evaluation(self, name: str, node: ast.Call) -> None:
        if name == "builtins.compile" and len(node.args) < _COMPILE_ARGUMENTS and not node.keywords:
            return
        argument = node.args[0] if node.args else None
        value = self.names.constant(argument) if argument is not None else None
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        plain = isinstance(argument, ast.Constant)
        if isinstance(value, str) and name.startswith(("builtins.", "timeit.", "cProfile.")):
            self._judge_inner(value, node, name)
            if not isinstance(node.func, ast.Name | ast.Attribute):
                self._add("012", f"It hides that it calls {name}.", value, node)
            if not plain and not self._is_short(argument):
                self._add("004", f"It runs code that it computes, with {name}.", value, node)
            return
        hidden = argument is not None and self._mentions(
            argument, DECODING + DECODING_MORE + FETCHING, near=True
        )
        if hidden and (name.startswith(("builtins.", "types.", "marshal."))):
            message = f"It runs code that it decodes or downloads, with {name}."
            self._add("003", message, ast.unparse(node)[:300], node)
        elif name == "timeit.timeit" and isinstance(argument, ast.Lambda | ast.Name):
            return
        else:
            self._add("004", f"It runs code that it computes, with {name}.", "", node)

    def _judge_inner(self, text: str, node: ast.AST, where: str) -> None:
        if self.inside >= _MAX_INSIDE:
            self._add("004", "It runs code in code in code.", "", node)
            return
        inner = self.judge_text(text.strip(), inside=self.inside + 1)
        for rule, message, detail, _ in inner.found:
            self.report.add(rule, f"In the text that {where} gets: {message}", detail, _line(node))
        if inner.problem and where != "an annotation":
            self._add("004", f"{where} gets a text that is no Python.", text, node)

    def _look_loading(self, name: str, kind: str, node: ast.Call) -> None:
        if kind == "native":
            self._add(
                "016", f"It loads or builds native code with {name}.", self._first(node), node
            )
            return
        given = self.names.constant(node.args[0]) if node.args else None
        if _is_harmful_pickle(given):
            message = f"It unpickles harmful bytes that it holds itself, with {name}."
            self._add("003", message, self._first(node), node)
        elif isinstance(given, bytes) or any(
            self._mentions(a, FETCHING + UNWRAPPING, loose=True) or self._is_put_together(a)
            for a in node.args[:1]
        ):
            message = f"It unpickles what it downloads, decodes or holds itself, with {name}."
            self._add("014", message, self._first(node), node)
        else:
            self._add("015", f"It unpickles a file with {name}.", self._first(node), node)

    def _is_put_together(self, node: ast.expr) -> bool:
        """Return whether bytes are made in this source, not read and not given by a caller."""
        bound = self.names.bindings.get(node.id, ()) if isinstance(node, ast.Name) else (node,)
        for value in bound:
            if isinstance(value, ast.BinOp | ast.JoinedStr | ast.ListComp | ast.GeneratorExp):
                return True
            if isinstance(value, ast.Call):
                called = value.func
                ways = called.attr if isinstance(called, ast.Attribute) else ""
                ways = called.id if isinstance(called, ast.Name) else ways
                if ways in _PUTTING_TOGETHER:
                    return True
        return False

    def _look_connection(self, name: str, kind: str, node: ast.Call) -> None:
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        collected = any(self._mentions(value, tuple(COLLECTORS), exact=True) for value in values)
        if id(node) in self.module_level:
            self.facts.add("net at import")
        self.facts.add("net")
        if name == "torch.hub.load":
            self._look_hub(node)
        if kind == "send":
            self.facts.add("send")
            self._add("006", f"It opens a connection with {name}.", self._first(node), node)
        elif collected and not any(k.arg == "headers" for k in node.keywords):
            message = f"It puts data of this machine into what {name} asks for."
            self._add("006", message, self._first(node), node)
        elif id(node) in self.module_level and kind == "fetch":
            self._add("007", f"It fetches as soon as it is imported, with {name}.", "", node)
        else:
            self._add("007", f"It fetches with {name}.", self._first(node), node)

    def _look_other(self, name: str, node: ast.Call) -> None:
        if name in {"builtins.__import__", "importlib.import_module", "importlib.__import__"}:
            self._look_dynamic_import(name, node)
        elif name == "builtins.getattr" and len(node.args) > 1:
            self._look_getattr(node)
        elif name in {"operator.attrgetter", "operator.methodcaller"}:
            given = str(self._first(node)).rpartition(".")[2]
            if given in {"system", "popen", "spawn", "exec", "eval"} or given.startswith("__"):
                self._add("012", f"It hides that it takes {given}.", given, node)
        else:
            self._look_file(name, node)

    def _look_getattr(self, node: ast.Call) -> None:
        bases = self.names.names(node.args[0])
        acting = {"os", "builtins", "subprocess", "sys", "socket", "shutil", "importlib"}
        if self.names.constant(node.args[1]) is None and any(
            base in acting or base.endswith("__dict__") for base in bases
        ):
            message = f"It takes a function of {bases[0]} by a name that it computes."
            self._add("012", message, "", node)

    def _look_file(self, name: str, node: ast.Call) -> None:
        if name in TREES:
            self._look_deletion(name, node)
        elif name in _FILE_LOADERS:
            self._look_file_loading(name, node)
        elif name == "os.dup2":
            self.facts.add("dup2")
        elif name in {"socket.socket", "socket.socket()"}:
            self.facts.add("socket")
        elif name.startswith("yaml.load") and self._takes_unsafe_loader(node):
            self._add("014", "It reads YAML that may build any object.", "", node)
        elif name == "builtins.open" or name.endswith((".write_text", ".write_bytes")):
            self._look_open(node)
        elif name in _OF_MODULES:
            return
        elif name.startswith(("builtins.builtins", "sys.modules.")):
            self._add("012", f"It reaches {name}.", "", node)

    def _takes_unsafe_loader(self, node: ast.Call) -> bool:
        names = (name for key in node.keywords for name in self.names.names(key.value))
        return any("nsafe" in name or name == "yaml.Loader" for name in names)

    def _look_file_loading(self, name: str, node: ast.Call) -> None:
        safe = any(
            (key.arg == "weights_only" and self.names.constant(key.value) is True)
            or (key.arg == "allow_pickle" and self.names.constant(key.value) is False)
            for key in node.keywords
        )
        hidden = any(self._mentions(a, FETCHING + UNWRAPPING, loose=True) for a in node.args)
        if hidden and not safe and name != "numpy.load":
            message = f"It loads what it downloads, decodes or holds itself, with {name}."
            self._add("014", message, self._first(node), node)
        else:
            self._add("015", f"It loads a file with {name}.", self._first(node), node)

    def _look_dynamic_import(self, name: str, node: ast.Call) -> None:
        if not node.args:
            return
        value = self.names.constant(node.args[0])
        if value is None and name == "builtins.__import__":
            self._add("012", "It imports a module whose name it computes.", "", node)
        elif value is None:
            self._add("007", "It imports a module whose name it is given.", "", node)
        elif isinstance(value, str):
            if value.partition(".")[0] in MODULES:
                self._add("006", f"It imports {value}, which models do not need.", "", node)
            if not isinstance(node.args[0], ast.Constant) and not self._is_short(node.args[0]):
                self._add("012", f"It hides that it imports {value}.", value, node)

    def _look_deletion(self, name: str, node: ast.Call) -> None:
        if not node.args:
            return
        value = self.names.constant(node.args[0])
        given = node.args[0]
        home = isinstance(given, ast.Call) and (
            self._text_of(given.args[0]) in {"~", "~/"}
            if given.args
            else "pathlib.Path.home" in self.names.names(given.func)
        )
        if isinstance(value, str) and name == "shutil.rmtree":
            home = home or bool(
                re.fullmatch(r"[/~\\]|~/|/(?:home|etc|usr|var|root|bin)/?|[A-Z]:\\+", value)
            )
        if home and name == "shutil.rmtree":
            self._add("011", f"It deletes the files of whoever runs it, with {name}.", "", node)
        elif name == "shutil.rmtree":
            self.facts.add("rmtree")

    def _look_open(self, node: ast.Call) -> None:
        mode = self._first(ast.Call(node.func, node.args[1:2], [])) if len(node.args) > 1 else ""
        for keyword in node.keywords:
            if keyword.arg == "mode":
                mode = str(self.names.constant(keyword.value))
        if not node.args or not any(letter in mode for letter in "wa+x"):
            return
        for part in ast.walk(node.args[0]):
            value = self.names.constant(part) if isinstance(part, ast.expr) else None
            if isinstance(value, str) and STARTUP.search(value):
                message = "It writes a file that runs at the next start."
                self._add("009", message, value, node)
        if self._mentions(node.args[0], ("site.get", "sysconfig.get", "os.__file__"), top=True):
            self._add("009", "It writes into the packages of Python.", "", node)

    def _look_method(self, node: ast.Call, func: ast.Attribute) -> None:
        name = func.attr
        if name in {"connect", "connect_ex", "sendto", "listen"} and self._mentions(
            func.value, ("socket.",)
        ):
            self.facts.update(("net", "send"))
            self._add("006", f"It opens a connection (socket.{name}).", self._first(node), node)
        elif name in {"exec_module", "load_module"}:
            self._add("004", f"It loads a module from a file ({name}).", "", node)
        elif name in {"post", "put"} and self._mentions(func.value, FETCHING, top=True):
            self.facts.update(("net", "send"))
            self._add("006", f"It sends data ({name}).", self._first(node), node)
        elif name in {"run_line_magic", "run_cell_magic", "run_cell"}:
            self._add("004", f"It runs code in the notebook ({name}).", self._first(node), node)
        elif name in _RUNNERS and any(
            key.arg == "shell" and self.names.constant(key.value) is True for key in node.keywords
        ):
            self._add("002", f"It runs a command with .{name}().", self._first(node), node)
        elif name in {"system", "popen"} and not self.names.names(func):
            if node.args and isinstance(self.names.constant(node.args[0]), str):
                self._add("002", f"It runs a command with .{name}().", self._first(node), node)
        elif name in {"write_text", "write_bytes"}:
            value = [
                self.names.constant(part)
                for part in ast.walk(func.value)
                if isinstance(part, ast.expr)
            ]
            if any(isinstance(item, str) and STARTUP.search(item) for item in value):
                self._add("009", "It writes a file that runs at the next start.", "", node)

    def _look_hub(self, node: ast.Call) -> None:
        where = self._first(node)
        local = any(
            key.arg == "source" and self.names.constant(key.value) == "local"
            for key in node.keywords
        )
        if "/" in where and not local and where.partition("/")[0] not in _KNOWN_OWNERS:
            message = f"It runs the code of another repository ({printable(where, limit=80)})."
            self._add("017", message, where, node)

    def _look_trust(self, node: ast.Call) -> None:
        value = self.names.constant(node.args[0]) if node.args else None
        if isinstance(value, str) and "/" in value:
            message = f"It runs the code of another repository ({printable(value, limit=80)})."
            self._add("017", message, value, node)
        else:
            self._add("015", "It trusts the code of a model that it is given.", "", node)

    def _mentions(
        self,
        node: ast.expr,
        names: tuple[str, ...],
        *,
        exact: bool = False,
        top: bool = False,
        loose: bool = False,
        near: bool = False,
    ) -> bool:
        """Return whether an expression, or what its names were bound to, uses one of ``names``."""
        seen: set[int] = set()
        pending = [(node, 0)]
        while pending and len(seen) < _MAX_NODES:
            current, depth = pending.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            for part in ast.walk(current):
                if not isinstance(part, ast.Name | ast.Attribute | ast.Call):
                    continue
                for name in self.names.names(part):
                    if loose and name.startswith(_NO_CONTENT):
                        continue
                    if name in names if exact else name.startswith(names):
                        return True
                if isinstance(part, ast.Name) and depth < (1 if top else 4):
                    bound = self.names.bindings.get(part.id, ())
                    pending.extend(
                        (value, depth + 1)
                        for value in bound
                        if isinstance(value, ast.expr) and (not near or self._sees(part, value))
                    )
        return False

    def _is_short(self, node: ast.expr | None) -> bool:
        """Return whether a constant is plain to see: a literal, or a name that was given one."""
        bound = self.names.bindings.get(node.id, ()) if isinstance(node, ast.Name) else (node,)
        return all(
            not isinstance(value, ast.expr)
            or isinstance(value, ast.Constant | ast.JoinedStr | ast.Name)
            for value in bound
        )

    def _first(self, node: ast.Call) -> str:
        value = self.names.constant(node.args[0]) if node.args else None
        return str(value)[:200] if value is not None else ""

    def _sees(self, node: ast.AST, value: ast.AST) -> bool:
        """Return whether what was bound to a name lies in a function around its use."""
        inner, outer = self.scopes.get(id(node), ()), self.scopes.get(id(value), ())
        return inner[: len(outer)] == outer

    def _add(self, number: str, message: str, detail: str, node: ast.AST) -> None:
        self.report.add(f"WB-COD-{number}", message, detail, _line(node))


def _is_harmful_pickle(value: object) -> bool:
    words = rb"\b(?:os|posix|nt|subprocess|builtins|system|eval|exec)\b"
    return isinstance(value, bytes) and re.search(words, value) is not None


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))
