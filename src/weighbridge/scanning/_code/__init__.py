"""Code that a file carries: what it would import, run, fetch or write. It is parsed, never run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.scanning._code import _other
from weighbridge.scanning._notes import examined, found, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["examine_code", "examine_template"]

_MAX_BYTES = 32 * 1024 * 1024
_PYTHON = frozenset({"py", "pyw", "pyi", "python"})
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
# Encodings that give each letter a byte or two, and hide nothing. Others are for attacks.
_ENCODINGS = re.compile(
    r"utf-?8(?:-sig)?|latin-?1|iso-?8859-?\d+|ascii|us-ascii|cp\d+|windows-\d+|big5|gbk|gb2312|"
    r"gb18030|shift-?jis|sjis|euc-?\w+|koi8-?\w|mac-?roman|utf-?8-unix|mbcs|tis-?620"
)
_SHEBANG = re.compile(
    r"#!\s*\S*?(?:env\s+(?:-S\s+)?)?(python|bash|sh|zsh|dash|node|perl|ruby|php|lua)[\d.]*\b"
)
_SHEBANGS = {"python": "py", "node": "js", "perl": "pl", "ruby": "rb", "dash": "sh"}


def examine_code(
    source: ByteSource, at: Location, context: ScanContext, *, language: str
) -> Iterator[Note]:
    """Examine source code.

    Args:
        source: The whole text.
        at: Where.
        context: Limits and budget.
        language: What its name says: a suffix such as ``py``, ``ipynb``, ``sh``, or a name such as
            ``dockerfile``; ``torchscript`` for code of a TorchScript archive. It is no promise.
    """
    if source.size_bytes > _MAX_BYTES:
        yield not_examined(at, "code", f"it has more than {_MAX_BYTES:,} bytes")
        return
    data = source.read_at(0, source.size_bytes)
    context.budget.spend_text_bytes(len(data))
    if at.member:
        context.budget.spend_members(1)  # it costs twice what other small members do
    if language == "ipynb":
        from weighbridge.scanning._code._notebook import judge_notebook  # noqa: PLC0415 - when met

        yield from judge_notebook(data, at, context)
        return
    encoding = _find_encoding(data)
    if not _ENCODINGS.fullmatch(encoding):
        message = f"The source declares the encoding {encoding[:40]}, in which code can hide."
        yield found("WB-COD-019", at, message)
    text, exact = _decode(data, encoding)
    kind = _find_language(text, language)
    if kind == "py" and not exact:
        yield from _examine_python(text, at, problem="its letters are not of its encoding")
    elif kind == "py":
        yield from _examine_python(text, at)
    else:
        yield from _examine_other(text, at, kind)


def examine_template(text: str, at: Location, context: ScanContext) -> Iterator[Note]:
    """Examine a Jinja template, such as the chat template of a tokenizer."""
    from weighbridge.scanning._code._template import judge_template  # noqa: PLC0415 - when met

    yield from judge_template(text, at, context)


def _find_encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for line in data.split(b"\n", 2)[:2]:
        match = _COOKIE.match(line)
        if match:
            return match.group(1).decode("latin-1").lower().replace("_", "-")
    return "utf-8"


def _decode(data: bytes, encoding: str) -> tuple[str, bool]:
    plain = data.removeprefix(b"\xef\xbb\xbf")
    usable = encoding if _ENCODINGS.fullmatch(encoding) or encoding == "utf-16" else "utf-8"
    usable = usable.removesuffix("-unix")
    try:
        return plain.decode(usable), b"\0" not in plain or usable == "utf-16"
    except (LookupError, ValueError):
        return plain.decode("latin-1"), False


def _find_language(text: str, language: str) -> str:
    match = _SHEBANG.match(text[:200])
    named = _SHEBANGS.get(match.group(1), match.group(1)) if match else ""
    lower = language.lower()
    if lower in _PYTHON:
        return "py"
    known = _other.SHELLS | _other.MARKUP | _other.SCRIPTS | _other.COMPILED | {"torchscript"}
    if lower in known and not (named and lower in _other.COMPILED):
        return lower
    return named or lower


def _examine_python(text: str, at: Location, *, problem: str = "") -> Iterator[Note]:
    from weighbridge.scanning._code._python import judge_python  # noqa: PLC0415 - when met

    report = judge_python(text)
    for rule, message, detail, line in report.found:
        shown = (
            f"line {line}: {detail}"
            if line and detail
            else detail or (f"line {line}" if line else "")
        )
        yield found(rule, at, message, detail=shown)
    reason = problem or report.problem
    yield not_examined(at, "python", reason) if reason else examined(at, "python")


def _examine_other(text: str, at: Location, kind: str) -> Iterator[Note]:
    if kind == "torchscript":
        from weighbridge.scanning._code._torchscript import judge_torchscript  # noqa: PLC0415

        yield from judge_torchscript(text, at)
    elif kind in _other.SHELLS:
        yield from _other.judge_shell(text, at, kind)
    elif kind in _other.MARKUP:
        yield from _other.judge_markup(text, at, kind)
    elif kind in _other.SCRIPTS:
        yield from _other.judge_script(text, at, kind)
    elif kind in _other.COMPILED:
        yield inert(at, f"{kind} source", "source that no loader of models runs")
    else:
        yield not_examined(at, "code", "its language is not known")
