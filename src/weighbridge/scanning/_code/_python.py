"""Python source: parsed to a tree, its names resolved, and what it calls judged."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from weighbridge.core import printable
from weighbridge.scanning._code._commands import Harm, judge_command
from weighbridge.scanning._code._parse import parse_python
from weighbridge.scanning._code._tables import (
    COLLECTORS,
    MODULES,
    SECRET,
    STARTUP,
    TREES,
    WALKS,
    WEB_HOOK,
    find_kind,
)
from weighbridge.scanning._code._values import (
    CLOSE_NAMES,
    Resolver,
    TooMuchWorkError,
    join_names,
)
from weighbridge.scanning._code._words import (
    DECODING,
    DECODING_MORE,
    FETCHING,
    SETUP_HOOKS,
    WORDS_OF_DANGER,
)

__all__ = ["PythonReport", "judge_python"]

_MAX_BYTES = 4 * 1024 * 1024
_MAX_INSIDE = 3
_BIDI_ONLY = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


@dataclass(slots=True)
class PythonReport:
    """What a source does: (rule, message, detail, line), and why not all of it was looked at."""

    found: list[tuple[str, str, str, int]] = field(default_factory=list)
    problem: str = ""

    def add(self, rule: str, message: str, detail: str = "", line: int = 0) -> None:
        """Add a finding, once for each rule and message, and not without end."""
        entry = (rule, message, printable(detail, limit=300), line)
        if len(self.found) < 100 and all(old[:3] != entry[:3] for old in self.found):
            self.found.append(entry)


def judge_python(text: str, *, inside: int = 0) -> PythonReport:
    """Return what a source would do when it is imported or run."""
    report = PythonReport()
    if _BIDI_ONLY.search(text):
        message = "It holds letters that make an editor show other code than what runs."
        report.add("WB-COD-013", message)
    tree = parse_python(text)
    if isinstance(tree, str):
        report.problem = tree
        words = sorted(set(WORDS_OF_DANGER.findall(text[:_MAX_BYTES])))
        if words:
            message = "It cannot be parsed, and names what runs commands or code."
            report.add("WB-COD-004", message, ", ".join(words))
        return report
    try:
        _Judge(report, inside).judge(tree)
    except TooMuchWorkError as error:
        report.problem = str(error)
    except RecursionError:
        report.problem = "it is nested too deep"
    return report


class _Judge:
    """One source being judged."""

    def __init__(self, report: PythonReport, inside: int) -> None:
        self.report = report
        self.inside = inside
        self.names = Resolver()
        self.docs: set[int] = set()
        self.called: set[int] = set()
        self.evaluated: list[tuple[str, ast.AST]] = []
        self.facts: set[str] = set()
        self.module_level: set[int] = set()

    def judge(self, tree: ast.AST) -> None:
        """Bind all names, then look at every node."""
        nodes = list(ast.walk(tree))
        for node in nodes:
            self._bind(node)
        for node in getattr(tree, "body", ()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.names.defined.add(node.name)
        self._mark_module_level(tree)
        for node in nodes:
            self._look(node)
        self._conclude()

    # What names stand for.

    def _bind(self, node: ast.AST) -> None:
        names = self.names
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names.bind(alias.asname or top, alias.name if alias.asname else top)
                names.defined.add(alias.asname or top)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module = "." * node.level + (node.module or "")
                names.bind(alias.asname or alias.name, _held(module, alias.name))
                names.defined.add(alias.asname or alias.name)
                if alias.name == "*" and not node.level:
                    self._bind_all(module)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind_target(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value:
            value = node.value
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                value = ast.BinOp(ast.Name(node.target.id), node.op, node.value)
                bound = names.bindings.get(node.target.id, ())
                if len(bound) == 1 and isinstance(bound[0], ast.expr):
                    names.bindings[node.target.id] = [ast.BinOp(bound[0], node.op, node.value)]
                    return
                value = node.value
            self._bind_target(node.target, value)
        else:
            self._bind_scope(node)

    def _bind_scope(self, node: ast.AST) -> None:
        if isinstance(node, ast.For | ast.comprehension):
            if isinstance(node.iter, ast.List | ast.Tuple):
                for item in node.iter.elts[:8]:
                    self._bind_target(node.target, item)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._bind_target(node.optional_vars, node.context_expr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = node.args
            plain = [*arguments.posonlyargs, *arguments.args]
            for argument, value in zip(reversed(plain), reversed(arguments.defaults), strict=False):
                self.names.bind(argument.arg, value)
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=False):
                if default is not None:
                    self.names.bind(argument.arg, default)
            self._bind_result(node)

    def _bind_result(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        body = node.body
        if isinstance(node, ast.Lambda) or not isinstance(body, list):
            return
        for argument in [*node.args.posonlyargs, *node.args.args]:
            if argument.arg not in CLOSE_NAMES and argument.arg in {"eval", "compile", "open"}:
                self.names.defined.add(argument.arg)

    def _bind_target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.names.bind(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for part, item in zip(target.elts, value.elts, strict=False):
                self._bind_target(part, item)

    def _bind_all(self, module: str) -> None:
        if module in {"os", "subprocess", "socket", "shutil", "ctypes", "pickle", "builtins"}:
            for name in (
                "system",
                "popen",
                "execv",
                "run",
                "Popen",
                "call",
                "check_output",
                "socket",
            ):
                if find_kind(f"{module}.{name}") or name == "socket":
                    self.names.bind(name, f"{module}.{name}")
            for name in ("rmtree", "CDLL", "loads", "load", "create_connection", "environ"):
                self.names.bind(name, f"{module}.{name}")

    def _mark_module_level(self, tree: ast.AST) -> None:
        pending = list(getattr(tree, "body", ()))
        while pending:
            node = pending.pop()
            self.module_level.add(id(node))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.If) and _is_main(node.test):
                continue
            pending.extend(ast.iter_child_nodes(node))

    # What is done with them.

    def _look(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            self._look_call(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            self._look_name(node)
        elif isinstance(node, ast.Constant):
            self._look_constant(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._look_import(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            self.docs.add(id(node.value))
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                for name in self.names.names(base):
                    if SETUP_HOOKS.match(name):
                        self._add("018", f"It changes what installing does ({name}).", "", node)
        elif isinstance(node, ast.Assign):
            self._look_assignment(node)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            self._look_annotation(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            self._look_annotation(node.returns)
        elif isinstance(node, ast.BinOp | ast.JoinedStr):
            value = self.names.constant(node)
            if isinstance(value, str):
                self._look_text(value, node)

    def _look_annotation(self, node: ast.expr | None) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "(" in node.value:
            self._judge_inner(node.value, node, "an annotation")

    def _look_assignment(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript | ast.Attribute):
                for name in self.names.names(target.value):
                    if name in {"builtins", "builtins.__dict__"}:
                        self._add("010", f"It replaces a function in {name}.", "", node)

    def _look_import(self, node: ast.Import | ast.ImportFrom) -> None:
        found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            found = [node.module or ""]
        for name in found:
            if name.partition(".")[0] in MODULES:
                self._add("006", f"It imports {name}, which models do not need.", name, node)

    def _look_name(self, node: ast.Name | ast.Attribute) -> None:
        if isinstance(node, ast.Attribute) and node.attr in WALKS:
            self.facts.add("walk")
            if node.attr not in {"__mro__", "__code__", "__closure__", "__reduce_ex__"}:
                message = f"It walks through the insides of Python ({node.attr})."
                self._add("012", message, node.attr, node)
        if not isinstance(node.ctx, ast.Load) or id(node) in self.called:
            return
        if (
            isinstance(node, ast.Name)
            and node.id not in self.names.bindings
            and node.id not in {"exec", "eval", "__import__"}
        ):
            return
        for name in self.names.names(node):
            kind = find_kind(name)
            if kind == "command" and name not in {"subprocess.Popen"}:
                self._add("002", f"It hands on {name}, which runs commands.", name, node)
            elif kind == "evaluate" and name in {"builtins.exec", "builtins.eval", "marshal.loads"}:
                self._add("004", f"It hands on {name}, which runs code.", name, node)
            elif name in {"os.dup2", "site.getsitepackages", "sys.meta_path", "sys.path_hooks"}:
                self._add("010", f"It uses {name}.", name, node)

    def _look_constant(self, node: ast.Constant) -> None:
        value = node.value
        if id(node) in self.docs:
            return
        if isinstance(value, bytes):
            value = value[:100_000].decode("latin-1")
        if isinstance(value, str):
            self._look_text(value, node)

    def _look_text(self, value: str, node: ast.AST) -> None:
        part = value[:20_000]
        if len(part) > 400 and "\n" in part:
            return
        if SECRET.search(part):
            self.facts.add("secret")
            self._add("008", "It names a place where secrets are kept.", part, node)
        if STARTUP.search(part):
            self.facts.add("startup")
            self._add("010", "It names a place whose files run at the next start.", part, node)
        if WEB_HOOK.search(part):
            self.facts.add("hook")
            self._add("006", "It names an address that programs report to.", part, node)

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
        tainted = any(self._mentions(argument, FETCHING + DECODING) for argument in node.args)
        if judged.harm is Harm.SURE:
            self._add("001", f"It runs a command with {name}: {judged.why}.", words, node)
        elif shell or tainted:
            self._add("001", f"It runs a shell or a hidden command with {name}.", words, node)
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
        if name == "builtins.compile" and len(node.args) < 3 and not node.keywords:
            return
        argument = node.args[0] if node.args else None
        value = self.names.constant(argument) if argument is not None else None
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        plain = isinstance(argument, ast.Constant)
        if isinstance(value, str) and name.startswith(("builtins.", "timeit.", "cProfile.")):
            self._judge_inner(value, node, name)
            if not plain and not _is_short(argument):
                self._add("004", f"It runs code that it computes, with {name}.", value, node)
            return
        hidden = argument is not None and self._mentions(
            argument, DECODING + DECODING_MORE + FETCHING
        )
        if hidden and (name.startswith("builtins.") or name.startswith(("types.", "marshal."))):
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
        inner = judge_python(text.strip(), inside=self.inside + 1)
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
        hidden = any(self._mentions(a, FETCHING) for a in node.args)
        constant = node.args and _is_harmful_pickle(self.names.constant(node.args[0]))
        if (hidden and name.endswith("loads")) or constant:
            message = f"It unpickles what it decodes, downloads or holds itself, with {name}."
            self._add("003", message, self._first(node), node)
        else:
            self._add("014", f"It unpickles a file with {name}.", self._first(node), node)

    def _look_connection(self, name: str, kind: str, node: ast.Call) -> None:
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        collected = any(self._mentions(value, tuple(COLLECTORS), exact=True) for value in values)
        if id(node) in self.module_level:
            self.facts.add("net at import")
        self.facts.add("net")
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
            bases = self.names.names(node.args[0])
            if self.names.constant(node.args[1]) is None and any(
                base in {"os", "builtins", "subprocess", "sys", "socket", "shutil", "importlib"}
                or base.endswith(("__dict__",))
                for base in bases
            ):
                message = f"It takes a function of {bases[0]} by a name that it computes."
                self._add("012", message, "", node)
        elif name in {"operator.attrgetter", "operator.methodcaller"}:
            given = str(self._first(node)).rpartition(".")[2]
            if given in {"system", "popen", "spawn", "exec", "eval"} or given.startswith("__"):
                self._add("012", f"It hides that it takes {given}.", given, node)
        elif name in TREES:
            self._look_deletion(name, node)
        elif name in {"torch.load", "joblib.load", "numpy.load", "pandas.read_pickle"}:
            self._add("015", f"It loads a file with {name}.", self._first(node), node)
        elif name == "os.dup2":
            self.facts.add("dup2")
        elif name in {"socket.socket", "socket.socket()"}:
            self.facts.add("socket")
        elif name.startswith("yaml.load") and any(
            "nsafe" in n or n == "yaml.Loader"
            for k in node.keywords
            for n in self.names.names(k.value)
        ):
            self._add("014", "It reads YAML that may build any object.", "", node)
        elif name == "builtins.open" or name.endswith((".write_text", ".write_bytes")):
            self._look_open(node)
        elif name.startswith(("builtins.builtins", "sys.modules.")):
            self._add("012", f"It reaches {name}.", "", node)

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
            if not isinstance(node.args[0], ast.Constant) and not _is_short(node.args[0]):
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

    def _look_trust(self, node: ast.Call) -> None:
        value = self.names.constant(node.args[0]) if node.args else None
        if isinstance(value, str) and "/" in value:
            message = f"It runs the code of another repository ({printable(value, limit=80)})."
            self._add("017", message, value, node)
        else:
            self._add("015", "It trusts the code of a model that it is given.", "", node)

    def _mentions(
        self, node: ast.expr, names: tuple[str, ...], *, exact: bool = False, top: bool = False
    ) -> bool:
        """Return whether an expression, or what its names were bound to, uses one of ``names``."""
        seen: set[int] = set()
        pending = [(node, 0)]
        while pending and len(seen) < 200:
            current, depth = pending.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            for part in ast.walk(current):
                if not isinstance(part, ast.Name | ast.Attribute | ast.Call):
                    continue
                for name in self.names.names(part):
                    if name in names if exact else name.startswith(names):
                        return True
                if isinstance(part, ast.Name) and depth < (1 if top else 4):
                    bound = self.names.bindings.get(part.id, ())
                    pending.extend(
                        (value, depth + 1) for value in bound if isinstance(value, ast.expr)
                    )
        return False

    def _first(self, node: ast.Call) -> str:
        value = self.names.constant(node.args[0]) if node.args else None
        return str(value)[:200] if value is not None else ""

    def _conclude(self) -> None:
        facts = self.facts
        if {"dup2", "socket"} <= facts or ({"socket", "command", "send"} <= facts):
            self.report.add("WB-COD-005", "It connects a shell to another machine.")
        if "secret" in facts and facts & {"send", "hook"}:
            self.report.add("WB-COD-005", "It reads secrets and opens connections.")
        if "hook" in facts and "command" in facts:
            self.report.add("WB-COD-005", "It runs commands and reports to an address.")

    def _add(self, number: str, message: str, detail: str, node: ast.AST) -> None:
        self.report.add(f"WB-COD-{number}", message, detail, _line(node))


def _is_harmful_pickle(value: object) -> bool:
    words = rb"\b(?:os|posix|nt|subprocess|builtins|system|eval|exec)\b"
    return isinstance(value, bytes) and re.search(words, value) is not None


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def _held(module: str, name: str) -> str:
    return join_names(module, name)


def _is_short(node: ast.expr | None) -> bool:
    """Return whether a constant is plain to see: a name that was given one, or a literal."""
    return isinstance(node, ast.Name | ast.Constant | ast.JoinedStr)


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(test)
    )
