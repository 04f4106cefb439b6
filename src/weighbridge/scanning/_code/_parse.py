"""Python source to its tree, within bounds."""

from __future__ import annotations

import ast
import re
import warnings

__all__ = ["parse_python"]

_MAX_TOKENS = 400_000
_MAX_BRACKETS = 100
_TOKEN = re.compile(r"\w+|[^\w\s]")
_F_STRING = re.compile(r"[fF][rR]?[\"']")
# Parsers before Python 3.12 take the square of the fields of an f-string.
_MAX_BRACES = 20_000
_MAX_BYTES = 4 * 1024 * 1024


def parse_python(text: str, *, mode: str = "exec") -> ast.AST | str:
    """Return the tree of a source, or why there is none; never recurses without bound."""
    if len(text) > _MAX_BYTES:
        return f"it has more than {_MAX_BYTES:,} letters"
    if text.count("{") > _MAX_BRACES and _F_STRING.search(text):
        return f"it has more than {_MAX_BRACES:,} braces and f-strings"
    depth = count = 0
    for match in _TOKEN.finditer(text):
        count += 1
        letter = match.group()
        if letter in "([{":
            depth += 1
            if depth > 20 * _MAX_BRACKETS:
                return "its brackets are nested too deep"
        elif letter in ")]}":
            depth = max(0, depth - 1)
    if count > _MAX_TOKENS:
        return f"it has more than {_MAX_TOKENS:,} words"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"no Python 3 that is understood ({type(error).__name__})"
