"""Python source to its tree, within bounds."""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings

__all__ = ["names_nothing", "parse_python", "write_newer"]

_MAX_TOKENS = 200_000
_MAX_BRACKETS = 100
_TOKEN = re.compile(r"\w+|[^\w\s]")
_F_STRING = re.compile(r"[fF][rR]?[\"']")
# Parsers before Python 3.12 take the square of the fields of an f-string.
_MAX_BRACES = 20_000
_MAX_BRACES_BY_LETTERS = 1_500_000_000
_OLDER = (
    (re.compile(r"(?m)^([ \t]*|.*?[:;][ \t]*)print[ \t]*>>[ \t]*([^\n#]*)$"), r"\1print(\2)"),
    (
        re.compile(r"(?m)^([ \t]*|[^\n#]*?[:;][ \t]*)print[ \t]+(?!\()([^\n#]+?)[ \t]*$"),
        r"\1print(\2)",
    ),
    (re.compile(r"(?m)^([ \t]*)print[ \t]+(\([^\n]*)$"), r"\1print(\2)"),
    (re.compile(r"(?m)^([ \t]*)print[ \t]*$"), r"\1print()"),
    (
        re.compile(
            r"(?m)^([ \t]*except[ \t]+[^\n:,()]+|[ \t]*except[ \t]*\([^\n:()]*\))"
            r",[ \t]*(\w+)[ \t]*:"
        ),
        r"\1 as \2:",
    ),
    (re.compile(r"(?m)^([ \t]*raise[ \t]+[\w.]+)[ \t]*,[ \t]*([^\n]+)$"), r"\1(\2)"),
    (
        re.compile(r"(?m)^([ \t]*|[^\n#]*?[:;][ \t]*)exec[ \t]+(?!\()([^\n]+?)[ \t]*$"),
        r"\1exec(\2)",
    ),
    (re.compile(r"\b[uU][rR](?=[\"'])"), "r"),
    (re.compile(r"\b0([0-7]+)\b(?![.\w])"), r"0o\1"),
    (re.compile(r"\b(\d+)[lL]\b"), r"\1"),
    (re.compile(r"<>"), "!="),
)
_ACTING = re.compile(
    r"\b(?:exec|execfile|eval|compile|open|file|getattr|setattr|globals|locals|vars|input|imp|os|sys|"
    r"posix|nt|subprocess|commands|popen\w*|system|socket|shutil|ctypes|pickle|cPickle|marshal|"
    r"base64|codecs|zlib|urllib\w*|requests|httplib|ftplib|smtplib|telnetlib|importlib|builtins|"
    r"runpy|code|pty|pip|setup|setuptools|distutils|torch|numpy|yaml|dill|joblib|reload|apply)\b"
)
_DUNDER = re.compile(
    r"__(?!(?:name|main|init|future|doc|all|version|author|str|repr|len|iter|eq|call)__)\w+"
)
_MAX_BYTES = 4 * 1024 * 1024


def parse_python(text: str, *, mode: str = "exec") -> ast.AST | str:
    """Return the tree of a source, or why there is none; never recurses without bound."""
    if len(text) > _MAX_BYTES:
        return f"it has more than {_MAX_BYTES:,} letters"
    braces = text.count("{")
    many = braces > _MAX_BRACES or braces * len(text) > _MAX_BRACES_BY_LETTERS
    if many and _F_STRING.search(text):
        return "it has too many braces and f-strings"
    depth = 0
    for count, match in enumerate(_TOKEN.finditer(text), 1):
        if count > _MAX_TOKENS:
            return f"it has more than {_MAX_TOKENS:,} words"
        letter = match.group()
        if letter in "([{":
            depth += 1
            if depth > 20 * _MAX_BRACKETS:
                return "its brackets are nested too deep"
        elif letter in ")]}":
            depth = max(0, depth - 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"no Python 3 that is understood ({type(error).__name__})"


def write_newer(text: str) -> str:
    """Return a source of Python 2 with its commonest statements written as Python 3 writes them.

    It is only parsed, for what Python 3 refuses to run as it stands.
    """
    for pattern, newer in _OLDER:
        text = pattern.sub(newer, text)
    return text


def names_nothing(text: str) -> bool:
    """Return whether no word of a source, not even in a string, can act on anything.

    Names that reach functions by computed words (``getattr``, ``__dict__``) count as acting.
    """
    plain = unicodedata.normalize("NFKC", text)
    return not _ACTING.search(plain) and _DUNDER.search(plain) is None
