"""Jinja templates: parsed to a tree and held against what chat templates need; never rendered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from weighbridge.core import printable
from weighbridge.scanning._code._template_words import FILTERS, METHODS, TESTS
from weighbridge.scanning._notes import examined, found, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["judge_template"]

_MAX_FOUND = 200
_MAX_POWER = 4
Node = Any
"""A node of Jinja's syntax tree; its attributes have no types that anybody checks."""

_MAX_LETTERS = 1024 * 1024
_MAX_NODES = 200_000
_MAX_BRACKETS = 100
_MAX_RANGE = 100_000
_INSIDE = re.compile(
    r"__\w+__|^_\w*$|^(?:mro|func_globals|gi_frame|gi_code|cr_frame|f_globals|f_builtins"
    r"|tb_frame|func_code|im_func|co_code)$"
)
_GLOBALS = frozenset(
    ["self", "config", "request", "lipsum", "url_for", "get_flashed_messages", "g"]
)
_CALLED = frozenset(
    [
        "range",
        "namespace",
        "raise_exception",
        "strftime_now",
        "dict",
        "loop",
        "joiner",
        "cycler",
        "caller",
        "tojson",
        "super",
        "raise_error",
    ]
)
_ODD = re.compile(r"\{[^{}]*[.\[!][^{}]*\}|\{[^{}]*__")
_LINK = re.compile(
    r"https?://(?!(?:\w+\.)*(?:w3\.org|json-schema\.org|example\.com|huggingface\.co))[\w.-]+|"
    r"<script\b|javascript:|<iframe\b|<img\b|onerror\s*=",
    re.IGNORECASE,
)
_HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_CODE_WORDS = re.compile(
    r"__(?:globals|builtins|import|subclasses)__|os\.popen|"
    r"\bsubprocess\b.{0,30}\bPopen\b"
)
# Of what an instruction to a model has in common, whoever writes it: a sentence of this length.
_MANY_WORDS = 5
_CONTENT = frozenset(
    {"content", "text", "query", "prompt", "user_message", "last_message", "input"}
)


def judge_template(text: str, at: Location, context: ScanContext) -> Iterator[Note]:
    """Yield what a template would do beyond laying out messages."""
    context.budget.spend_text_bytes(len(text))
    tree = _parse(text)
    if isinstance(tree, str):
        if _CODE_WORDS.search(text):
            message = "The template cannot be parsed, and names the insides of Python objects."
            yield found("WB-TPL-001", at, message)
        yield not_examined(at, "jinja template", tree)
        return
    judge = _Judge()
    judge.look(tree)
    seen = set()
    for rule, message, line in judge.found[:50]:
        if (rule, message) not in seen:
            seen.add((rule, message))
            yield found(rule, at, message, detail=f"line {line}" if line else "")
    if _HIDDEN.search(text):
        yield found("WB-TPL-006", at, "The template holds letters that nobody sees.")
    yield examined(at, "jinja template")


def _parse(text: str) -> Node:
    if len(text) > _MAX_LETTERS:
        return f"it has more than {_MAX_LETTERS:,} letters"
    depth = 0
    words = re.finditer(
        r"[(\[{]|[)\]}]|\b(?:if|for|not|else|set|macro|call|filter|block)\b|[-+~]", text
    )
    for match in words:
        word = match.group()
        depth += 1 if word in "([{" else -1 if word in ")]}" else 0
        depth = max(depth, 0)
        if depth > _MAX_BRACKETS:
            return "its brackets are nested too deep"
    import jinja2  # noqa: PLC0415 - heavy, and few files need it
    from jinja2 import ext, nodes  # noqa: PLC0415

    class _Generation(ext.Extension):
        tags = {"generation"}  # noqa: RUF012 - jinja2's own way

        def parse(self, parser: Node) -> Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    environment = jinja2.Environment(  # noqa: S701 - nothing is rendered
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", _Generation],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    try:
        return environment.parse(text)
    except jinja2.TemplateSyntaxError as error:
        return f"it is no Jinja template that is understood ({printable(str(error), limit=80)})"
    except (RecursionError, MemoryError, ValueError, OverflowError) as error:
        return f"it cannot be parsed ({type(error).__name__})"


class _Judge:
    """One template being judged."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, int]] = []
        self.bound: set[str] = set()

    def add(self, number: str, message: str, node: Node) -> None:
        """Add a finding."""
        if len(self.found) < _MAX_FOUND:
            self.found.append((f"WB-TPL-{number}", message, getattr(node, "lineno", 0) or 0))

    def look(self, tree: Node) -> None:
        """Look at every node; never recurses."""
        pending, order = [tree], []
        while pending:
            node = pending.pop()
            order.append(node)
            pending.extend(node.iter_child_nodes())
            if len(order) > _MAX_NODES:
                self.add("002", "The template has too many parts to be judged.", tree)
                break
        for node in order:
            if type(node).__name__ in {"Macro", "Name"} and getattr(node, "ctx", "store") != "load":
                self.bound.add(node.name)
        for node in order:
            way = getattr(self, f"_on_{type(node).__name__.lower()}", None)
            if way is not None:
                way(node)

    def _on_include(self, node: Node) -> None:
        self.add("005", "The template loads another template.", node)

    _on_import = _on_fromimport = _on_extends = _on_include

    def _on_getattr(self, node: Node) -> None:
        self._check_attribute(str(node.attr), node)

    def _check_attribute(self, name: str, node: Node) -> None:
        if _INSIDE.search(name):
            message = f"The template reaches the insides of objects ({printable(name, limit=60)})."
            self.add("001", message, node)

    def _on_getitem(self, node: Node) -> None:
        for value in _constants(node.arg):
            self._check_attribute(value, node)
        kind = type(node.arg).__name__
        if kind in {"Concat", "Add", "Mod", "Filter"} and _constants(node.arg):
            joined = "".join(_constants(node.arg))
            if "__" in joined or joined[:1] == "_":
                self.add("001", "The template computes names of the insides of objects.", node)
            elif type(node.arg).__name__ != "Filter":
                self.add("002", "The template computes the name of what it takes.", node)

    def _on_const(self, node: Node) -> None:
        value = node.value
        if isinstance(value, str):
            if re.search(
                r"__(?:class|globals|builtins|import|subclasses|init|mro|bases?|dict|getitem|getattribute)__",
                value,
            ) or re.search(r"\\x5f\\x5f|\\u005f", value):
                self.add("001", "The template holds names of the insides of objects.", node)
            self._check_output(value, node)

    def _on_templatedata(self, node: Node) -> None:
        self._check_output(node.data, node)

    def _check_output(self, text: str, node: Node) -> None:
        match = _LINK.search(text)
        if match:
            self.add("006", f"The template writes {printable(match.group(), limit=80)}.", node)

    def _on_filter(self, node: Node) -> None:
        if node.name == "attr":
            rule = "001" if any("_" in value for value in _constants(node)) else "002"
            self.add(rule, "The template takes an attribute by a computed name (attr).", node)
        elif node.name not in FILTERS:
            self.add("002", f"The template uses the filter {printable(node.name, limit=40)}.", node)
        if node.name in {"map", "selectattr", "rejectattr", "sort", "groupby", "unique", "sum"}:
            given = [*node.args]
            if any(keyword.key == "attribute" for keyword in node.kwargs):
                given += [keyword.value for keyword in node.kwargs]
            for value in [value for argument in given for value in _constants(argument)]:
                for part in value.split("."):
                    self._check_attribute(part, node)
            if node.name == "map" and "attr" in [v for a in node.args[:1] for v in _constants(a)]:
                self.add("001", "The template takes attributes by a computed name.", node)
        if node.name == "format" and node.node is not None:
            self._check_format(node.node, node)

    def _check_format(self, pattern: Node, node: Node) -> None:
        values = _constants(pattern)
        if any(_ODD.search(value) for value in values):
            self.add("001", "The template reaches the insides of objects by a format string.", node)

    def _on_test(self, node: Node) -> None:
        if node.name not in TESTS:
            self.add("002", f"The template uses the test {printable(node.name, limit=40)}.", node)

    def _on_name(self, node: Node) -> None:
        name = node.name
        odd = name in _GLOBALS or name.startswith("__")
        if odd and node.ctx == "load" and name not in self.bound:
            rule = "001" if name.startswith("__") else "002"
            self.add(rule, f"The template uses {printable(name, limit=40)}.", node)

    def _on_call(self, node: Node) -> None:
        target, kind = node.node, type(node.node).__name__
        if kind == "Getattr":
            if target.attr not in METHODS and not (
                type(target.node).__name__ == "Name"
                and target.node.name in {"loop", "self"} | self.bound
            ):
                message = f"The template calls .{printable(str(target.attr), limit=40)}()."
                self.add("002", message, node)
            if target.attr in {"format", "format_map"}:
                self._check_format(target.node, node)
        elif kind == "Name":
            if target.name == "range":
                self._check_range(node)
            if target.name not in _CALLED and target.name not in self.bound:
                self.add("002", f"The template calls {printable(target.name, limit=40)}().", node)
        else:
            self.add("002", "The template calls what it computes.", node)
        if any(keyword.key.startswith("_") for keyword in node.kwargs):
            self.add("001", "The template passes a name of the insides of objects.", node)

    def _check_range(self, node: Node) -> None:
        for argument in node.args:
            value = _count(argument)
            if value is not None and abs(value) > _MAX_RANGE:
                self.add("004", f"The template counts to {value:,}.", node)

    def _on_mul(self, node: Node) -> None:
        left, right = _count(node.left), _count(node.right)
        if max(left or 0, right or 0) > _MAX_RANGE:
            self.add("004", "The template repeats something without bound.", node)

    def _on_pow(self, node: Node) -> None:
        if (_count(node.right) or 999) > 16:  # noqa: PLR2004 - no layout needs more
            self.add("004", "The template computes a number without bound.", node)

    def _on_for(self, node: Node) -> None:
        depth, pending = 1, [(child, 1) for child in node.body]
        while pending:
            inner, level = pending.pop()
            if type(inner).__name__ == "For" and _is_range(inner.iter):
                level += 1
                depth = max(depth, level)
            pending.extend((child, level) for child in inner.iter_child_nodes())
        if depth > 3 and _is_range(node.iter):  # noqa: PLR2004 - tables need two
            self.add("004", "The template has loops in loops in loops of numbers.", node)

    def _on_if(self, node: Node) -> None:
        triggers = _find_triggers(node.test)
        if not triggers:
            return
        for text in _outputs(node.body):
            if _count_words(text) >= _MANY_WORDS or _LINK.search(text):
                shown = printable(", ".join(triggers), limit=60)
                said = printable(text.strip(), limit=120)
                message = f'If what is said holds "{shown}", the template adds: {said}'
                self.add("003", message, node)
                return

    def _on_condexpr(self, node: Node) -> None:
        triggers = _find_triggers(node.test)
        if triggers:
            for text in _constants(node.expr1):
                if _count_words(text) >= _MANY_WORDS:
                    self.add(
                        "003", f'If what is said holds "{triggers[0][:60]}", it adds text.', node
                    )


def _find_triggers(test: Node) -> list[str]:
    """Return the plain words whose presence in a text is a condition."""
    words = []
    pending = [test]
    while pending:
        node = pending.pop()
        pending.extend(node.iter_child_nodes())
        kind = type(node).__name__
        if kind == "Compare" and any(op.op in {"in", "eq"} for op in node.ops):
            sides = [node.expr, *(op.expr for op in node.ops)]
            is_in = node.ops[0].op == "in" and type(sides[0]).__name__ in {
                "Const",
                "Name",
                "Concat",
            }
            fits = _is_content(sides[1]) if is_in else any(_is_said(side) for side in sides)
            if fits:
                words += [v for side in sides for v in _constants(side) if v not in _CONTENT]
        elif kind == "Call" and type(node.node).__name__ == "Getattr":
            if node.node.attr in {"startswith", "endswith", "find", "count", "index"}:
                words += [v for argument in node.args for v in _constants(argument)]
        elif kind == "Test" and node.name in {"in", "eq", "equalto", "=="}:
            words += [v for argument in node.args for v in _constants(argument)]
    return [
        word
        for word in words
        if re.search(r"\w\w", word) and not re.search(r"[<\[{|/_]", word) and word not in _ROLES
    ]


_ROLES = frozenset(
    [
        "user",
        "system",
        "assistant",
        "tool",
        "developer",
        "function",
        "text",
        "image",
        "video",
        "audio",
        "content",
        "role",
        "string",
        "object",
        "array",
        "number",
        "integer",
        "boolean",
        "tool_calls",
        "tool_call",
        "ipython",
        "observation",
        "model",
        "human",
        "gpt",
        "code_interpreter",
        "browser",
        "python",
        "none",
        "auto",
        "required",
        "true",
        "false",
        "high",
        "medium",
        "low",
        "type",
    ]
)


def _is_said(node: Node) -> bool:
    """Return whether an expression takes the content of a message."""
    names = set(_constants(node))
    pending = [node]
    while pending:
        part = pending.pop()
        names.add(str(getattr(part, "attr", "")) or str(getattr(part, "name", "")))
        pending.extend(part.iter_child_nodes())
    return bool(names & {"content", "text"})


def _is_content(node: Node) -> bool:
    """Return whether an expression is what somebody said, or may be."""
    pending = [node]
    while pending:
        part = pending.pop()
        kind = type(part).__name__
        if kind == "Const":
            continue
        if kind == "Getattr" and part.attr in {"role", "type", "name"}:
            return False
        if (
            kind == "Getitem"
            and _constants(part.arg)
            and _constants(part.arg)[0] in {"role", "type", "name"}
        ):
            return False
        if kind in {"Getattr", "Getitem"}:
            return True
        if kind == "Name" and part.name not in {"role", "tools", "tool_choice", "reasoning_effort"}:
            return True
        pending.extend(part.iter_child_nodes())
    return False


def _outputs(body: list[Any]) -> list[str]:
    """Return the constant texts that a body writes or keeps for later."""
    texts, pending = [], list(body)
    while pending:
        node = pending.pop()
        kind = type(node).__name__
        if kind == "TemplateData":
            texts.append(node.data)
        elif kind == "Const" and isinstance(node.value, str):
            texts.append(node.value)
        elif kind == "Call" and type(node.node).__name__ == "Name" and "raise" in node.node.name:
            continue
        pending.extend(node.iter_child_nodes())
    return texts


def _constants(node: Node) -> list[str]:
    texts, pending = [], [node]
    while pending:
        part = pending.pop()
        value = getattr(part, "value", None)
        if type(part).__name__ == "Const" and isinstance(value, str):
            texts.append(value)
        pending.extend(reversed(list(part.iter_child_nodes())))
    return texts


def _count_words(text: str) -> int:
    """Count the words of a language, without the marks that models know."""
    plain = re.sub(r"<[^<>\s]{1,60}>|\[/?[A-Z_]+\]|\w+_\w+", " ", text)
    return len(re.findall(r"[^\W\d_]{2,}", plain))


def _count(node: Node) -> int | None:
    kind = type(node).__name__
    if kind == "Const" and isinstance(node.value, int):
        return node.value
    if kind in {"Mul", "Pow"}:
        left, right = _count(node.left), _count(node.right)
        if left is not None and right is not None:
            return (
                _MAX_RANGE * _MAX_RANGE
                if kind == "Pow" and right > _MAX_POWER and left > 1
                else left * right
            )
    return None


def _is_range(node: Node) -> bool:
    return type(node).__name__ == "Call" and getattr(node.node, "name", "") == "range"
