"""Notebooks: their cells as Python with what IPython adds, and their outputs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from weighbridge.core import parse_json
from weighbridge.errors import ParseError
from weighbridge.scanning._code._commands import Harm, judge_command
from weighbridge.scanning._code._python import judge_python
from weighbridge.scanning._notes import examined, found, inside, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["judge_notebook"]

_MAGIC = re.compile(r"^(\s*)(?:\w[\w, ]*=\s*)?(%%?|!!?)\s*([^\n]*)$", re.MULTILINE)
_CELL_MAGIC = re.compile(r"\s*%%(\w+!?)([^\n]*)\n?([\s\S]*)")
_SHELLS = frozenset({"bash", "sh", "script", "cmd", "system", "sx", "!", "zsh", "powershell"})
_PYTHONS = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "pypy", "debug"})
_INERT = frozenset({"latex", "markdown", "writefile", "html", "svg", "file", "cython", "sql"})
_LINE_PYTHON = frozenset({"time", "timeit", "prun"})
_LINE_SHELL = frozenset({"system", "sx", "sc", "pip", "conda", "mamba", "bash", "sh", "uv"})
_LINE_LOADS = frozenset({"run", "load_ext", "loadpy", "load", "macro", "store", "rerun", "edit"})
_KNOWN_EXTENSIONS = frozenset(
    [
        "autoreload",
        "tensorboard",
        "dotenv",
        "cython",
        "rpy2.ipython",
        "google.colab.data_table",
        "jupyter_black",
        "nb_black",
        "line_profiler",
        "memory_profiler",
        "watermark",
        "cudf.pandas",
    ]
)
_SCRIPT = re.compile(
    r"<script\b|\bon\w+\s*=\s*[\"']|javascript:|<iframe\b|<object\b|<embed\b", re.IGNORECASE
)
_ORDINARY_SCRIPT = re.compile(
    r"Plotly\.newPlot|plotly|google\.colab|Bokeh|bokeh|dataTable|colab-df|vega-embed|MathJax|require\(",
)
_STEALING = re.compile(
    r"fetch\(\s*[\"']http|XMLHttpRequest|document\.cookie|kernel\.execute|eval\(|sendBeacon|atob\("
)
_MAX_CELLS = 5000


def judge_notebook(data: bytes, at: Location, context: ScanContext) -> Iterator[Note]:
    """Yield what the cells of a notebook would do, and what its outputs do when shown."""
    try:
        context.budget.spend_parsed_bytes(len(data))
        value = parse_json(data.removeprefix(b"\xef\xbb\xbf"), what="it", limits=context.limits)
    except ParseError as error:
        yield not_examined(at, "notebook", f"it cannot be read: {error}")
        return
    cells = _list_cells(value)
    if cells is None:
        yield not_examined(at, "notebook", "it holds no list of cells")
        return
    problem = ""
    for index, cell in enumerate(cells[:_MAX_CELLS]):
        place = inside(at, f"cell {index + 1}")
        if isinstance(cell, dict) and cell.get("cell_type", "code") == "code":
            text = _text(cell.get("source", cell.get("input", "")))
            for note in _judge_cell(text, place):
                if isinstance(note, str):
                    problem = f"cell {index + 1}: {note}"
                else:
                    yield note
            yield from _judge_outputs(cell.get("outputs"), place)
    if len(cells) > _MAX_CELLS:
        problem = "it has too many cells"
    if problem:
        yield not_examined(at, "notebook", problem)
    else:
        yield examined(at, "notebook")


def _list_cells(value: object) -> list[Any] | None:
    if not isinstance(value, dict):
        return None
    cells = value.get("cells")
    sheets = value.get("worksheets")
    if not isinstance(cells, list) and isinstance(sheets, list):
        cells = [c for s in sheets if isinstance(s, dict) for c in s.get("cells") or ()]
    return cells if isinstance(cells, list) else None


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _judge_cell(text: str, at: Location) -> Iterator[Note | str]:
    match = _CELL_MAGIC.match(text)
    if match:
        name, options, body = match.group(1).lower(), match.group(2), match.group(3)
        if name in _SHELLS:
            yield from _judge_shell(f"{options if name != 'script' else ''}\n{body}", at)
        elif name in {"javascript", "js", "html"} and (name != "html" or _SCRIPT.search(body)):
            yield found("WB-NBK-003", at, f"The cell runs JavaScript (%%{name}).")
        elif name in _PYTHONS:
            yield from _judge_cell(body, at)
        elif name not in _INERT:
            yield found("WB-NBK-003", at, f"The cell is run by %%{name}.", detail=body[:200])
        return
    lines: list[str] = []
    for line in text.split("\n"):
        magic = _MAGIC.match(line)
        if magic is None or (magic.group(2) == "%" and not re.match(r"[a-zA-Z]", magic.group(3))):
            help_mark = re.fullmatch(r"\s*\??\??[\w.*]+\?{1,2}\s*|\s*\?{1,2}[\w.]+\s*", line)
            lines.append("pass" if help_mark else line)
            continue
        lines.append(f"{magic.group(1)}pass")
        yield from _judge_magic(magic.group(2), magic.group(3), at)
    report = judge_python("\n".join(lines))
    for rule, message, detail, _ in report.found:
        yield found(rule, at, message, detail=detail)
    if report.problem:
        yield report.problem


def _judge_magic(mark: str, rest: str, at: Location) -> Iterator[Note | str]:
    if mark.startswith("!"):
        yield from _judge_shell(rest, at)
        return
    name, _, options = rest.partition(" ")
    if name in _LINE_SHELL:
        command = rest if name in {"pip", "conda", "mamba", "uv"} else options
        yield from _judge_shell(command, at)
    elif name in _LINE_PYTHON:
        for rule, message, detail, _ in judge_python(
            re.sub(r"^(?:-\w+\s*\d*\s+)*", "", options)
        ).found:
            yield found(rule, at, message, detail=detail)
    elif name in _LINE_LOADS and options.strip() not in _KNOWN_EXTENSIONS:
        yield found("WB-NBK-003", at, f"The cell loads code with %{name}.", detail=options[:200])


def _judge_shell(text: str, at: Location) -> Iterator[Note | str]:
    judged = judge_command(text, strict=True)
    shown = text.strip()[:300]
    if judged.harm is Harm.SURE:
        yield found("WB-COD-001", at, f"The cell runs a command: {judged.why}.", detail=shown)
    elif judged.harm is Harm.UNKNOWN:
        yield found("WB-NBK-003", at, f"The cell runs a command: {judged.why}.", detail=shown)
    elif shown:
        yield found("WB-NBK-002", at, "The cell runs an ordinary command.", detail=shown)


def _judge_outputs(outputs: object, at: Location) -> Iterator[Note]:
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data", output) if isinstance(output, dict) else None
        if not isinstance(data, dict):
            continue
        html = _text(data.get("text/html", data.get("html", ""))) + _text(data.get("image/svg+xml"))
        script = _text(data.get("application/javascript", data.get("text/javascript", "")))
        active = bool(script) or bool(_SCRIPT.search(html))
        both = html + script
        ordinary = _ORDINARY_SCRIPT.search(both) and not _STEALING.search(both)
        if active and not ordinary:
            message = "A stored output holds a script, which runs when the notebook is opened."
            yield found("WB-NBK-001", at, message, detail=both[:200])
            return
