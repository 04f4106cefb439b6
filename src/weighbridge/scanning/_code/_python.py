"""Python source: parsed to a tree, its names resolved, and what it calls judged."""

from __future__ import annotations

import ast
import re

from weighbridge.scanning._code._calls import Calls, PythonReport
from weighbridge.scanning._code._parse import names_nothing, parse_python, write_newer
from weighbridge.scanning._code._tables import (
    MODULES,
    SECRET,
    STARTUP,
    WALKS,
    WEB_HOOK,
    find_kind,
)
from weighbridge.scanning._code._values import (
    CLOSE_NAMES,
    TooMuchWorkError,
    join_names,
)
from weighbridge.scanning._code._words import (
    SETUP_HOOKS,
    WORDS_OF_DANGER,
)

__all__ = ["PythonReport", "judge_python"]

_MAX_BYTES = 4 * 1024 * 1024
_BIDI_ONLY = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


def judge_python(text: str, *, inside: int = 0) -> PythonReport:
    """Return what a source would do when it is imported or run."""
    report = PythonReport()
    if _BIDI_ONLY.search(text):
        message = "It holds letters that make an editor show other code than what runs."
        report.add("WB-COD-013", message)
    tree = parse_python(text)
    if isinstance(tree, str) and "SyntaxError" in tree:
        older = parse_python(write_newer(text))
        if not isinstance(older, str):
            tree = older
        elif names_nothing(text):
            return report
    if isinstance(tree, str):
        report.problem = tree
        words = sorted(set(WORDS_OF_DANGER.findall(text[:_MAX_BYTES])))
        if words:
            message = "It cannot be parsed, and names what runs commands or code."
            report.add("WB-COD-004", message, ", ".join(words))
        return report
    try:
        _Judge(report, inside, judge_python).judge(tree)
    except TooMuchWorkError as error:
        report.problem = str(error)
    except RecursionError:
        report.problem = "it is nested too deep"
    return report


# A text of several lines that is longer is prose.
_MAX_LINE = 400


class _Judge(Calls):
    """One source being judged."""

    def judge(self, tree: ast.AST) -> None:
        """Bind all names, then look at every node."""
        nodes = list(ast.walk(tree))
        for node in nodes:
            self._bind(node)
        for node in getattr(tree, "body", ()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.names.defined.add(node.name)
        self._mark_module_level(tree)
        self._mark_scopes(tree)
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
            if not self._bind_longer(node):
                self._bind_target(node.target, node.value)
        else:
            self._bind_scope(node)

    def _bind_longer(self, node: ast.AnnAssign | ast.AugAssign | ast.NamedExpr) -> bool:
        """Bind what ``name += more`` makes of a name that stands for one thing; False if not."""
        if not isinstance(node, ast.AugAssign) or not isinstance(node.target, ast.Name):
            return False
        bound = self.names.bindings.get(node.target.id, ())
        if len(bound) != 1 or not isinstance(bound[0], ast.expr):
            return False
        self.names.bindings[node.target.id] = [ast.BinOp(bound[0], node.op, node.value)]
        return True

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

    def _mark_scopes(self, tree: ast.AST) -> None:
        pending: list[tuple[ast.AST, tuple[int, ...]]] = [(tree, ())]
        while pending:
            node, scope = pending.pop()
            self.scopes[id(node)] = scope
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                scope = (*scope[-20:], id(node))
            pending.extend((child, scope) for child in ast.iter_child_nodes(node))

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
        elif isinstance(node, ast.BinOp | ast.JoinedStr):
            value = self.names.constant(node)
            if isinstance(value, str):
                self._look_text(value, node)
        else:
            self._look_definition(node)

    def _look_definition(self, node: ast.AST) -> None:
        if isinstance(node, ast.ClassDef):
            for name in (name for base in node.bases for name in self.names.names(base)):
                if SETUP_HOOKS.match(name):
                    self._add("018", f"It changes what installing does ({name}).", "", node)
        elif isinstance(node, ast.Assign):
            self._look_assignment(node)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            self._look_annotation(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            self._look_annotation(node.returns)

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
            if kind == "command" and name != "subprocess.Popen":
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
        if len(part) > _MAX_LINE and "\n" in part:
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

    def _conclude(self) -> None:
        facts = self.facts
        if {"dup2", "socket"} <= facts or ({"socket", "command", "send"} <= facts):
            self.report.add("WB-COD-005", "It connects a shell to another machine.")
        if "secret" in facts and facts & {"send", "hook"}:
            self.report.add("WB-COD-005", "It reads secrets and opens connections.")
        if "hook" in facts and "command" in facts:
            self.report.add("WB-COD-005", "It runs commands and reports to an address.")


def _held(module: str, name: str) -> str:
    return join_names(module, name)


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(test)
    )
