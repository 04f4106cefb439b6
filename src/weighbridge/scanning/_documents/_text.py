"""Text: whether anything that reads it may run it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from weighbridge.core import parse_json
from weighbridge.errors import ParseError
from weighbridge.formats import read_text
from weighbridge.scanning._code import examine_code, examine_template
from weighbridge.scanning._keras._config import (
    check_keras_config,
    looks_like_keras_config,
    parse_keras_json,
)
from weighbridge.scanning._notes import examined, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Coverage, Limits, Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import Text
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Examine, Note

__all__ = ["examine_text"]

_MAX_WHOLE_BYTES = 32 * 1024 * 1024
# Parsing costs fifty times as much as searching. What no search hits is parsed only to tell
# whether it is JSON at all, and only while that costs next to nothing.
_PARSE_ALWAYS_BYTES = 32 * 1024
# What beginning another document costs, where each line is one.
_LINE_COST_BYTES = 4

# Each is searched for in every text, and searching is most of the cost: few and short.
_CODE_NAMES = (
    b"auto_map",
    b"trust_remote_code",
    b"custom_pipeline",
    b"_target_",
    b"chat_template",
    b"__reduce__",
    b'"py/',
    b'"class_name"',
)
# How JSON may hide the letters of those names: an escaped letter makes the search worthless.
_ESCAPES = (b"\\u00", b"\\/")
_ESCAPED_LETTER = re.compile(rb"\\u00(?:2[fF]|[4-6]|7[0-9aA])|\\/")
_MARKUP = (b"<script", b"<?php", b"<?xml", b"<html", b"<svg")
_KEYWORDS = (b"import ", b"def ", b"class ")
# Tags by which YAML builds objects, plain, in full, by a directive, and with escaped letters.
_YAML_MARKS = (b"!python", b"tag:yaml", b"%TAG")
_YAML_HIDDEN_TAG = re.compile(rb"![^\s!%]{0,200}%[0-9A-Fa-f]{2}")
_JSON_NEEDLES = _CODE_NAMES + _ESCAPES
_TEXT_NEEDLES = _CODE_NAMES + _MARKUP + _KEYWORDS + _YAML_MARKS
# What follows a bracket decides, unless nothing but white space follows as far as we look.
_JSON_START = re.compile(rb'\{\s*(?:["}]|\Z)|\[\s*(?:["{}\[\]0-9-]|true|false|null|\Z)')
_START_BYTES = 1024 * 1024
_JSON_SUFFIXES = frozenset({"json", "jsonl", "ndjson", "json5"})

_CODE_SUFFIXES = frozenset(
    [
        *("py", "pyw", "pyi", "pyx", "ipynb", "sh", "bash", "zsh", "fish", "bat", "cmd", "ps1"),
        *("js", "mjs", "cjs", "ts", "jsx", "tsx", "html", "htm", "xhtml", "svg", "xml", "php"),
        *("rb", "pl", "lua", "r", "jl", "c", "h", "cc", "cpp", "cxx", "hpp", "cu", "cuh", "java"),
        *("kt", "scala", "go", "rs", "swift", "vbs", "sql", "cmake", "mk"),
    ]
)
_CODE_FILES = frozenset({"makefile", "dockerfile", "containerfile", "jenkinsfile", "rakefile"})
_PROSE_SUFFIXES = frozenset({"md", "markdown", "rst"})
_JINJA_SUFFIXES = frozenset({"jinja", "jinja2", "j2"})
_YAML_SUFFIXES = frozenset({"yaml", "yml"})
_PYTHON = re.compile(
    rb"^[ \t]*(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|"
    rb"^[ \t]*from[ \t]+[\w.]+[ \t]+import[ \t(]|"
    # Words may begin a line with "class A:" or "class B(ii)". Python goes on with a body below, or
    # with a call or an assignment behind the colon; or its bases are in brackets before it.
    rb"^class[ \t]+\w+[ \t]*(?:"
    rb"\([^\r\n]{0,200}\)[ \t]*:|\([\w., \t]{0,200}$|:[^\r\n]{0,200}[=(]|"
    rb":[ \t]*(?:#[^\r\n]{0,200})?(?:\r?\n[ \t]*){1,50}(?<=[ \t])[\w\"'@#])",
    re.MULTILINE,
)
_IMPORT = re.compile(rb"^[ \t]*import[ \t]+\w[\w., ]*[;\r\n]", re.MULTILINE)
_CALL = re.compile(rb"\w\(")
# A tag stands where a node begins: at the begin of a line, behind an indicator or an anchor. The
# line breaks of YAML count, and the types of its core schema do not.
_YAML_TAG = re.compile(
    rb"(?:^|\xc2\x85|\xe2\x80[\xa8\xa9]|[\[{,:]|[?-][ \t]|&[^\s&,\[\]{}]{1,200}+[ \t])[ \t]*"
    rb"!(?![=\s]|!(?:str|int|float|bool|null|seq|map|binary|timestamp)(?:[\s,\]}]|\Z))|^%[A-Z]",
    re.MULTILINE,
)
# An escaped letter, or a line break that the reader takes away.
_YAML_ESCAPE = re.compile(rb"\\(?:x[2-7]|u00[2-7]|U000000[2-7]|\r?\n)")
_KERAS_CLASS = b'"class_name"'
# Keras writes what JSON has no words for.
_KERAS_NUMBER = re.compile(rb"\b(?:NaN|Infinity)\b")
# sentence-transformers imports each ``type`` that this file lists.
_MODULES_FILE = "modules.json"
_KNOWN_MODULES = ("sentence_transformers.",)


def examine_text(
    source: ByteSource, at: Location, context: ScanContext, examine: Examine | None = None
) -> Generator[Note, None, bool]:
    """Examine a text; return False, in silence, if the bytes are no text.

    A name can only make it worse: it may say that a text is code, never that it is not. Markdown
    is the exception, because it quotes code.
    """
    name = (at.member[-1] if at.member else at.file).rpartition("/")[2].lower()
    suffix = name.rpartition(".")[2] if "." in name else ""
    start = source.read_at(0, _START_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if not start:
        yield _judge_blank(source, at)
        return True
    begins_like_json = suffix not in _YAML_SUFFIXES and _JSON_START.match(start) is not None
    is_json = begins_like_json or suffix in _JSON_SUFFIXES
    needles = _JSON_NEEDLES if is_json else _TEXT_NEEDLES
    text = read_text(
        source,
        needles,
        max_whole_bytes=_MAX_WHOLE_BYTES,
        patterns=(_PYTHON, _YAML_HIDDEN_TAG),
        spend=context.budget.spend_text_bytes,
    )
    if text is None:
        return False
    if text.data.startswith(b"#!") or suffix in _CODE_SUFFIXES or name in _CODE_FILES:
        language = "torchscript" if context.script == "code" else suffix or name
        yield from examine_code(source, at, context, language=language)
    elif suffix in _JINJA_SUFFIXES or start.startswith((b"{%", b"{{", b"{#")):
        yield from examine_template(start.decode("utf-8", "replace"), at, context)
    elif is_json:
        yield from _judge_json(text, at, context, examine, parse=name == _MODULES_FILE)
    else:
        yield _judge_other(text, at, suffix=suffix)
    return True


def _judge_blank(source: ByteSource, at: Location) -> Coverage:
    """Judge what has nothing but white space as far as we look."""
    if source.size_bytes <= _START_BYTES:
        return inert(at, "text", "white space")
    return not_examined(at, "unknown", "it begins with a mebibyte of white space")


def _judge_other(text: Text, at: Location, *, suffix: str) -> Coverage:
    """Judge a text that is neither code by its name, nor a template, nor JSON."""
    if suffix in _PROSE_SUFFIXES:
        return inert(at, "markdown", "text for people")
    if problem := _find_code(text):
        return not_examined(at, "code", problem)
    hints = text.found & {*_YAML_MARKS, *_CODE_NAMES}
    if suffix in _YAML_SUFFIXES or hints or text.matches(_YAML_HIDDEN_TAG):
        return _judge_yaml(text, at)
    return inert(at, "text", "plain text")


def _find_code(text: Text) -> str:
    """Return why a text looks like code, or an empty string."""
    if text.found & set(_MARKUP):
        return "markup may hold scripts and is not examined yet"
    return _find_python(text) if text.found & set(_KEYWORDS) else ""


def _find_python(text: Text) -> str:
    if text.matches(_PYTHON) or (_IMPORT.search(text.data) and _CALL.search(text.data)):
        return "source code is not examined yet"
    return ""


def _judge_yaml(text: Text, at: Location) -> Coverage:
    """Judge what may be YAML without parsing it: tags, names of code, and ways to hide them."""
    if text.found & set(_YAML_MARKS) or _YAML_TAG.search(text.data):
        return not_examined(at, "yaml", "it has tags (!), which may build objects")
    if names := _list_names(text):
        return not_examined(at, "yaml", f"it may name code to load ({names})")
    if not text.whole or _YAML_ESCAPE.search(text.data):
        return not_examined(at, "yaml", "escapes may hide what it names")
    return inert(at, "yaml", "plain data")


def _judge_json(
    text: Text, at: Location, context: ScanContext, examine: Examine | None, *, parse: bool
) -> Iterator[Note]:
    names = _list_names(text)
    hidden = bool(text.found & set(_ESCAPES)) and (
        not text.whole or _ESCAPED_LETTER.search(text.data) is not None
    )
    needed = bool(names) or hidden or parse
    size = len(text.data)
    if not needed and (size > _PARSE_ALWAYS_BYTES or not context.budget.can_parse(size)):
        yield inert(at, "json", "names no code to load")
        return
    if not text.whole:
        yield not_examined(at, "json", f"it may name code to load ({names or 'by escapes'})")
        return
    try:
        lines = text.data.count(b"\n")
        context.budget.spend_parsed_bytes(size + _LINE_COST_BYTES * lines)
        document = _parse(text.data, context.limits)
    except ParseError as error:
        yield _judge_unreadable(text, at, error, names=names, needed=needed)
        return
    if named := _find_code_names(document):
        yield not_examined(at, "json", f"it names code to load ({named})")
    if looks_like_keras_config(document):
        yield from check_keras_config(document, at, context, examine)
        yield examined(at, "keras config")
    elif not named:
        yield inert(at, "json", "names no code to load")


def _judge_unreadable(
    text: Text, at: Location, error: ParseError, *, names: str, needed: bool
) -> Coverage:
    if needed:
        reason = f"it may name code to load ({names or 'unreadable'}), and {error}"
        return not_examined(at, "json", reason)
    if problem := _find_python(text):
        return not_examined(at, "code", problem)
    return inert(at, "text", "begins like JSON, is not, and names no code to load")


def _list_names(text: Text) -> str:
    """Return the names of code that occur, for people."""
    return ", ".join(name.decode().strip('"') for name in _CODE_NAMES if name in text.found)


def _parse(data: bytes, limits: Limits) -> object:
    """Read JSON, or JSON lines: one document a line."""
    if data.count(b"\n") > limits.max_json_values:
        raise ParseError(f"it has more than {limits.max_json_values:,} lines")
    plain = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return parse_json(plain, what="it", limits=limits)
    except ParseError:
        if _KERAS_CLASS in data and _KERAS_NUMBER.search(data):
            return parse_keras_json(plain, limits)
        lines = [line for line in plain.splitlines() if line.strip()]
        if len(lines) < 2:  # noqa: PLR2004 - two lines or it is no list of documents
            raise
        try:
            return [parse_json(line, what="it", limits=limits) for line in lines]
        except ParseError:
            pass
        raise


_KEYS_THAT_NAME_CODE = frozenset(
    {
        "auto_map",
        "trust_remote_code",
        "custom_pipeline",
        "custom_pipelines",
        "_target_",
        "chat_template",
        "__reduce__",
        "py/object",
        "py/reduce",
        "py/type",
        "py/function",
    }
)


def _find_code_names(document: object) -> str:
    """Return the first key, at any depth, that makes some loader run code; empty if none."""
    pending: list[Any] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                if key in _KEYS_THAT_NAME_CODE and _is_named(item):
                    return str(key)
            if named := _find_class(value):
                return named
            pending.extend(value.values())
    return ""


def _is_named(item: object) -> bool:
    """Return whether a value may name code: a number is the place of a word in a vocabulary."""
    return bool(item) and (item == 1 or not isinstance(item, int | float))


def _find_class(value: dict[str, Any]) -> str:
    """Return what makes a loader import or build a class that may be anything; empty if nothing."""
    kind = value.get("type")
    if isinstance(kind, str) and "." in kind and "path" in value:
        return "" if kind.startswith(_KNOWN_MODULES) else f"the module {kind[:80]}"
    return ""
