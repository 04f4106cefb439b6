"""What texts are searched for before anything is parsed, and what their names say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.scanning._documents._checks import DOCUMENT_NEEDLES
from weighbridge.scanning._documents._markup import MARKUP_NEEDLES
from weighbridge.scanning._documents._secrets import COMMON_NEEDLES, SECRET_NEEDLES

if TYPE_CHECKING:
    from weighbridge.formats import Text

__all__ = [
    "CODE_FILES",
    "CODE_SUFFIXES",
    "JINJA_SUFFIXES",
    "JSON_NEEDLES",
    "JSON_START",
    "JSON_SUFFIXES",
    "LARGE_JSON_NEEDLES",
    "LARGE_TEXT_NEEDLES",
    "PATTERNS",
    "PROSE_SUFFIXES",
    "TABLE_SUFFIXES",
    "TEXT_NEEDLES",
    "YAML_MARKS",
    "YAML_SUFFIXES",
    "find_python",
    "has_hidden_letters",
    "has_yaml_tags",
    "hides_yaml",
    "names_keys",
]

# How JSON may hide the letters of names: an escaped letter makes the search worthless.
_ESCAPES = (b"\\u00", b"\\/")
_ESCAPED_LETTER = re.compile(rb"\\u00(?:2[fF]|[4-6]|7[0-9aA])|\\/")
_KEYWORDS = (b"import ", b"def ", b"class ")
# Tags by which YAML builds objects, plain, in full, by a directive, and with escaped letters.
YAML_MARKS = (b"!python", b"tag:yaml", b"%TAG")
_YAML_HIDDEN_TAG = re.compile(rb"![^\s!%]{0,200}%[0-9A-Fa-f]{2}")
# A program and its topic, as spreadsheets take them; or a function that sends a cell away.
_FORMULAS = (b"|'", b"=WEBSERVICE(", b"=HYPERLINK(", b"=IMPORT")
JSON_NEEDLES = (*DOCUMENT_NEEDLES, *_ESCAPES, *YAML_MARKS[:2], *SECRET_NEEDLES)
"""What JSON is searched for; each costs time, so they are few and short."""

LARGE_JSON_NEEDLES = (*DOCUMENT_NEEDLES, *_ESCAPES, *COMMON_NEEDLES)
"""What JSON of megabytes is searched for, which is a vocabulary or a table."""

TEXT_NEEDLES = tuple(
    dict.fromkeys(
        (*DOCUMENT_NEEDLES, *MARKUP_NEEDLES, *_KEYWORDS, *YAML_MARKS, *_FORMULAS, *SECRET_NEEDLES)
    )
)
"""What any other text is searched for."""

LARGE_TEXT_NEEDLES = (
    *(needle for needle in TEXT_NEEDLES if needle not in SECRET_NEEDLES),
    *COMMON_NEEDLES,
)
"""The same for any other text."""

# What follows a bracket decides, unless nothing but white space follows as far as we look.
JSON_START = re.compile(
    rb'(?:(?:\{\s*(?:["}]|\Z)|\[\s*(?:["{}\[\]0-9-]|true|false|null|\Z))|\{\s*//|\{\s*/\*)'
)
JSON_SUFFIXES = frozenset({"json", "jsonl", "ndjson", "json5", "jsonc"})
CODE_SUFFIXES = frozenset(
    [
        *("py", "pyw", "pyi", "pyx", "ipynb", "sh", "bash", "zsh", "fish", "bat", "cmd", "ps1"),
        *("js", "mjs", "cjs", "ts", "jsx", "tsx", "html", "htm", "xhtml", "svg", "php"),
        *("rb", "pl", "lua", "r", "jl", "c", "h", "cc", "cpp", "cxx", "hpp", "cu", "cuh", "java"),
        *("kt", "scala", "go", "rs", "swift", "vbs", "sql", "cmake", "mk"),
    ]
)
CODE_FILES = frozenset({"makefile", "dockerfile", "containerfile", "jenkinsfile", "rakefile"})
PROSE_SUFFIXES = frozenset({"md", "markdown", "rst"})
JINJA_SUFFIXES = frozenset({"jinja", "jinja2", "j2"})
YAML_SUFFIXES = frozenset({"yaml", "yml"})
TABLE_SUFFIXES = frozenset({"csv", "tsv"})
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
# Two words side by side, which no Python has at the begin of a line: a vocabulary, or prose.
_WORD_LINE = re.compile(
    rb"'?(?!(?:import|from|del|global|nonlocal|return|raise|assert|print|exec|yield|await|async|not|"
    rb"class|def|lambda|with|for|if|elif|else|try|while|pass|type|match|case)\b)"
    rb"[^\W\d]\w*(?:\(\d+\))?[ \t]+(?!(?:and|or|in|is|not|if|as|for|import)\b)"
    rb"[A-Za-z][^=(:.,\[\"'`\\]*"
)
_FIRST_LINES = 20
_FIRST_BYTES = 4 * 1024
_IMPORT = re.compile(rb"^[ \t]*import[ \t]+\w[\w., ]*[;\r\n]", re.MULTILINE)
_CALL = re.compile(rb"\w\(")
PATTERNS = (_PYTHON, _YAML_HIDDEN_TAG)
"""What a text is searched for that is too large to be held."""

# A tag stands where a node begins: at the begin of a line, behind an indicator or an anchor. The
# line breaks of YAML count, and the types of its core schema do not.
_YAML_TAG = re.compile(
    rb"(?:^|\xc2\x85|\xe2\x80[\xa8\xa9]|[\[{,:]|[?-][ \t]|&[^\s&,\[\]{}]{1,200}+[ \t])[ \t]*"
    rb"!(?![=\s]|!(?:str|int|float|bool|null|seq|map|binary|timestamp)(?:[\s,\]}]|\Z))|^%[A-Z]",
    re.MULTILINE,
)
# An escaped letter, or a line break that the reader takes away.
_YAML_ESCAPE = re.compile(rb"\\(?:x[2-7]|u00[2-7]|U000000[2-7]|\r?\n)")
# An anchor, and an alias that may stand for it many times.
_YAML_ALIAS = re.compile(rb"[\[,:-][ \t]*\*[\w.-]+[ \t]*(?:[,\]\r\n#]|\Z)")


_KEY = re.compile(
    rb"(?:^|[\s{,\"'-])(?:"
    + b"|".join(re.escape(n.strip(b'"')) for n in DOCUMENT_NEEDLES if b":" not in n)
    + rb")\w{0,20}[\"']?[ \t]*:",
    re.MULTILINE,
)


def names_keys(text: Text) -> bool:
    """Return whether one of the keys stands where a key of YAML or JSON could."""
    return not text.whole or _KEY.search(text.data) is not None


def find_python(text: Text) -> bool:
    """Return whether a text looks like Python, whatever its name."""
    if not text.found & set(_KEYWORDS) or _begins_with_words(text.data[:_FIRST_BYTES]):
        return False
    if text.matches(_PYTHON):
        return True
    return _IMPORT.search(text.data) is not None and _CALL.search(text.data) is not None


def _begins_with_words(data: bytes) -> bool:
    """Return whether the first lines are words side by side, at which every Python would stop."""
    lines = data.splitlines()[:_FIRST_LINES]
    words = sum(_WORD_LINE.fullmatch(line) is not None for line in lines)
    return words >= _FIRST_LINES // 2 and b'"""' not in data and b"'''" not in data


def has_hidden_letters(text: Text) -> bool:
    """Return whether escapes of JSON may hide the letters of a name."""
    if not text.found & set(_ESCAPES):
        return False
    return not text.whole or _ESCAPED_LETTER.search(text.data) is not None


def has_yaml_tags(text: Text) -> bool:
    """Return whether a text may have tags, if it is YAML."""
    return bool(
        text.found & set(YAML_MARKS)
        or text.matches(_YAML_HIDDEN_TAG)
        or _YAML_TAG.search(text.data)
    )


def hides_yaml(text: Text) -> bool:
    """Return whether YAML may hide names by escapes, or grow by aliases."""
    return bool(_YAML_ESCAPE.search(text.data) or _YAML_ALIAS.search(text.data))
