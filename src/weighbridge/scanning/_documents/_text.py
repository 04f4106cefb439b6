"""Text: which kind of text it is, and who has to look at it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.formats import MemorySource, decode_text, read_text
from weighbridge.scanning._code import examine_code, examine_template
from weighbridge.scanning._documents._checks import DOCUMENT_NEEDLES, PARSED_NAMES
from weighbridge.scanning._documents._judge import judge_json, judge_yaml
from weighbridge.scanning._documents._markup import MARKUP_NEEDLES, examine_markup
from weighbridge.scanning._documents._requirements import check_requirements, is_requirements
from weighbridge.scanning._documents._secrets import SECRET_NEEDLES, find_secrets
from weighbridge.scanning._documents._words import (
    CODE_FILES,
    CODE_SUFFIXES,
    JINJA_SUFFIXES,
    JSON_NEEDLES,
    JSON_START,
    JSON_SUFFIXES,
    LARGE_JSON_NEEDLES,
    LARGE_TEXT_NEEDLES,
    PATTERNS,
    PROSE_SUFFIXES,
    TABLE_SUFFIXES,
    TEXT_NEEDLES,
    YAML_MARKS,
    YAML_SUFFIXES,
    find_python,
    has_yaml_tags,
)
from weighbridge.scanning._notes import found, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from weighbridge.core import Coverage, Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.formats import Text
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["examine_text"]

_MAX_WHOLE_BYTES = 32 * 1024 * 1024
_MAX_TEMPLATE_BYTES = 8 * 1024 * 1024
_LARGE_BYTES = 1024 * 1024
_START_BYTES = 1024 * 1024
_SECRETS = frozenset(SECRET_NEEDLES)
_MARKUP = frozenset(MARKUP_NEEDLES)
_DOCUMENTS = frozenset(DOCUMENT_NEEDLES)
_MARKUP_SUFFIXES = frozenset({"xml", "pmml", "xsl", "xslt", "xaml", "rdf", "dae", "urdf", "plist"})
_SCRIPTS = (b"<script", b"<?php")
_FORMULA = re.compile(
    rb"(?:^|[,;\t\"'])\s*[=+@-]\s*"
    rb"(?:[\w()*/+. -]{0,60}[A-Za-z]{1,30}\|\s*'|(?:WEBSERVICE|HYPERLINK|IMPORT\w+)\()",
    re.MULTILINE,
)
# A line of a path file that Python executes at each start (``site.addpackage``).
_PATH_LINE = re.compile(rb"^import[ \t]", re.MULTILINE)


def examine_text(
    source: ByteSource, at: Location, context: ScanContext
) -> Generator[Note, None, bool]:
    """Examine a text; return False, in silence, if the bytes are no text.

    A name can only make it worse: it may say that a text is code, never that it is not. Markdown
    is the exception, because it quotes code.
    """
    path = (at.member[-1] if at.member else at.file).lower()
    name = path.rpartition("/")[2]
    suffix = name.rpartition(".")[2] if "." in name else ""
    start = source.read_at(0, _START_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if not start:
        yield _judge_blank(source, at)
        return True
    begins_like_json = suffix not in YAML_SUFFIXES and JSON_START.match(start) is not None
    is_json = begins_like_json or suffix in JSON_SUFFIXES
    text = read_text(
        source,
        _choose_needles(source, is_json=is_json),
        max_whole_bytes=_MAX_WHOLE_BYTES,
        patterns=PATTERNS,
        spend=context.budget.spend_text_bytes,
    )
    if text is None:
        return (yield from _examine_decoded(source, at, context))
    data = text.data if text.whole else None
    yield from find_secrets(source, data, text.found & _SECRETS, path, at)
    if text.data.startswith(b"#!") or suffix in CODE_SUFFIXES or name in CODE_FILES:
        yield from examine_code(source, at, context, language=suffix or name)
    elif suffix in JINJA_SUFFIXES or start.startswith((b"{%", b"{{", b"{#")):
        yield from _examine_template(source, at, context)
    elif is_json:
        if not (yield from judge_json(text, path, at, context)):
            yield from _examine_like_json(source, path, at, context)
    else:
        yield from _judge_other(text, source, path, at, context)
    return True


def _examine_template(source: ByteSource, at: Location, context: ScanContext) -> Iterator[Note]:
    if source.size_bytes > _MAX_TEMPLATE_BYTES:
        reason = f"it has more than {_MAX_TEMPLATE_BYTES:,} bytes"
        yield not_examined(at, "jinja template", reason)
        return
    data = source.read_at(0, source.size_bytes).removeprefix(b"\xef\xbb\xbf")
    yield from examine_template(data.decode("utf-8", "replace"), at, context)


def _examine_like_json(
    source: ByteSource, path: str, at: Location, context: ScanContext
) -> Iterator[Note]:
    """Examine what only begins like JSON, or is only named so, as any other text."""
    text = read_text(
        source,
        TEXT_NEEDLES,
        max_whole_bytes=_MAX_WHOLE_BYTES,
        patterns=PATTERNS,
        spend=context.budget.spend_text_bytes,
    )
    if text is None:
        yield not_examined(at, "text", "it changed while it was read")
    else:
        yield from _judge_other(text, source, path, at, context)


def _choose_needles(source: ByteSource, *, is_json: bool) -> tuple[bytes, ...]:
    if source.size_bytes > _LARGE_BYTES:
        return LARGE_JSON_NEEDLES if is_json else LARGE_TEXT_NEEDLES
    return JSON_NEEDLES if is_json else TEXT_NEEDLES


def _examine_decoded(
    source: ByteSource, at: Location, context: ScanContext
) -> Generator[Note, None, bool]:
    """Examine a text in another encoding as if it were UTF-8; False if it is no text for sure."""
    if source.size_bytes > _MAX_WHOLE_BYTES:
        return False
    plain = decode_text(source.read_at(0, source.size_bytes))
    if plain is None or not plain:
        return False
    data = plain.removeprefix("\ufeff").encode("utf-8", "replace")
    return (yield from examine_text(MemorySource(source.name, data), at, context))


def _judge_blank(source: ByteSource, at: Location) -> Coverage:
    """Judge what has nothing but white space as far as we look."""
    if source.size_bytes <= _START_BYTES:
        return inert(at, "text", "white space")
    return not_examined(at, "unknown", "it begins with a mebibyte of white space")


def _judge_other(
    text: Text, source: ByteSource, path: str, at: Location, context: ScanContext
) -> Iterator[Note]:
    """Judge a text that is neither code by its name, nor a template, nor JSON."""
    name = path.rpartition("/")[2]
    suffix = name.rpartition(".")[2] if "." in name else ""
    if suffix in PROSE_SUFFIXES:
        yield inert(at, "markdown", "text for people")
        return
    if is_requirements(name, path):
        yield from check_requirements(text.data.decode("utf-8", "ignore"), name, at)
        if not text.whole:
            yield not_examined(at, "requirements", "it is too large")
            return
    if suffix == "pth" and _PATH_LINE.search(text.data):
        message = "If this lies among the packages, each start of Python runs its import lines."
        yield found("WB-HID-001", at, message, detail=name[:80])
    if text.data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or suffix in _MARKUP_SUFFIXES:
        yield from examine_markup(text.data, text.found & _MARKUP, source, at, context)
    elif text.found & set(_SCRIPTS):
        yield from examine_code(source, at, context, language="html")
    elif find_python(text) and suffix not in YAML_SUFFIXES:
        yield from examine_code(source, at, context, language="py")
    elif suffix in YAML_SUFFIXES or name in PARSED_NAMES or _may_be_yaml(text):
        yield from judge_yaml(text, path, at, context)
    else:
        yield from _judge_plain(text, suffix, at)


def _may_be_yaml(text: Text) -> bool:
    """Return whether a text of any name has what would do something if it were read as YAML.

    A tag alone says so only if it is one of Python's: words may begin with an exclamation mark.
    """
    if text.found & {*YAML_MARKS, *_DOCUMENTS}:
        return True
    return text.matches(PATTERNS[1]) and has_yaml_tags(text)


def _judge_plain(text: Text, suffix: str, at: Location) -> Iterator[Note]:
    if suffix in TABLE_SUFFIXES and (match := _FORMULA.search(text.data)):
        shown = match[0].decode("utf-8", "replace").strip()
        message = "A spreadsheet program takes a cell of this table for a formula that acts."
        yield found("WB-DOC-015", at, message, detail=shown[:80], offset=match.start())
    yield inert(at, "text", "plain text")
