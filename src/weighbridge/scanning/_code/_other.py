"""Shells, build files, markup and languages that nobody runs by loading a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.scanning._code._commands import Harm, judge_command
from weighbridge.scanning._notes import examined, found, inert, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._notes import Note

__all__ = ["COMPILED", "MARKUP", "SCRIPTS", "SHELLS", "judge_markup", "judge_script", "judge_shell"]

SHELLS = frozenset(
    [
        "sh",
        "bash",
        "zsh",
        "fish",
        "bat",
        "cmd",
        "ps1",
        "dockerfile",
        "containerfile",
        "makefile",
        "mk",
        "jenkinsfile",
        "vbs",
    ]
)
MARKUP = frozenset({"html", "htm", "xhtml", "svg", "xml"})
SCRIPTS = frozenset(
    {"js", "mjs", "cjs", "ts", "jsx", "tsx", "php", "rb", "pl", "lua", "r", "jl", "rakefile"}
)
COMPILED = frozenset(
    [
        "c",
        "h",
        "cc",
        "cpp",
        "cxx",
        "hpp",
        "cu",
        "cuh",
        "java",
        "kt",
        "scala",
        "go",
        "rs",
        "swift",
        "sql",
        "cmake",
        "pyx",
        "pxd",
        "metal",
        "cl",
    ]
)
_MAX_SHELL = 256 * 1024
_MAX_LINE = 3000
_RUN = re.compile(r"(?im)^\s*(?:RUN|CMD|ENTRYPOINT|SHELL)\s+((?:[^\n\\]|\\.|\\\n)*)")
_RECIPE = re.compile(
    r"(?m)^\t[@+-]*([^\n]*(?:\\\n[^\n]*)*)|\$\(shell ([^\n]*)\)|^\w+\s*!=\s*([^\n]*)"
)
_ACTIVE = re.compile(
    r"<script\b|<\?php|\bon(?:load|error|click|mouse\w+|focus|begin|animation\w*|toggle)\s*=|javascript:|"
    r"<iframe\b|<object\b|<embed\b|<foreignObject\b|<!ATTLIST|xml-stylesheet|"
    # Adobe writes names for addresses of XML's namespaces.
    r"<!ENTITY\s+(?![\w.-]+\s+(?:\"https?://[\w./#+-]*\"|'https?://[\w./#+-]*')\s*>)|"
    r"http-equiv\s*=\s*[\"']?refresh|data:text/html|<handler\b|xsl:|"
    r"xlink:href\s*=\s*[\"']data:(?!image/(?:png|jpe?g|gif|webp)[;,])",
    re.IGNORECASE,
)
_SCRIPT_HARM = re.compile(
    r"child_process|\beval\s*\(|new Function\s*\(|\bexec(?:Sync|File)?\s*\(|\bspawn(?:Sync)?\s*\(|"
    r"document\.cookie|os\.execute|io\.popen|shell_exec|passthru|\bsystem\s*[(\"']|proc_open|`[^`\n]*\$|"
    r"base64_decode|process\.env\b(?!\.NODE_ENV)|Open3|IO\.popen|Kernel\.|sendBeacon|atob\s*\(|"
    r"fromCharCode|loadstring|package\.loadlib|assert\s*\(\s*\$|\$_(?:GET|POST|REQUEST)|qx[/({]|"
    r"String\.raw|unescape\s*\(|fs\.(?:write|unlink|rm)|net\.(?:connect|Socket)|TCPSocket|system2|"
    r"run\(`|download\.file|ccall|\\x[0-9a-f]{2}\\x[0-9a-f]{2}\\x|WScript|ActiveXObject",
    re.IGNORECASE,
)
_VBS = re.compile(
    r"CreateObject|WScript\.Shell|Invoke-|DownloadString|FromBase64String|Start-Process|"
    r"Net\.WebClient|Add-Type|-EncodedCommand|New-Object|\[Convert\]|\[Reflection",
    re.IGNORECASE,
)


def judge_shell(text: str, at: Location, language: str) -> Iterator[Note]:
    """Yield what a script of a shell, a Dockerfile or a Makefile would do."""
    body = text
    if language in {"dockerfile", "containerfile"}:
        body = "\n".join(_RUN.findall(text))
    elif language in {"makefile", "mk"}:
        body = "\n".join("".join(parts) for parts in _RECIPE.findall(text))
        body = re.sub(r"\$[({]\w+[)}]", "make", body)
    if len(body) > _MAX_SHELL or max(map(len, body.replace("\\\n", " ").split("\n"))) > _MAX_LINE:
        yield found(
            "WB-COD-002", at, "The script is too long, or has lines too long, to be judged."
        )
        yield not_examined(at, "shell script", "it is too long to be judged")
        return
    strict = language not in {"makefile", "mk", "ps1", "bat", "cmd", "fish"}
    judged = judge_command(body, strict=strict)
    if judged.harm is Harm.SURE:
        yield found("WB-COD-001", at, f"The script runs a harmful command: {judged.why}.")
    elif judged.harm is Harm.UNKNOWN:
        yield found("WB-COD-002", at, f"The script has to be read: {judged.why}.")
    elif language in {"vbs", "ps1", "bat", "cmd"} and (match := _VBS.search(body)):
        yield found("WB-COD-002", at, f"The script has to be read: it uses {match.group()}.")
    yield examined(at, "shell script")


def judge_markup(text: str, at: Location, language: str) -> Iterator[Note]:
    """Yield whether a page or a picture holds what acts when it is shown."""
    match = _ACTIVE.search(text)
    if match:
        message = f"The {language} holds what acts when it is shown ({match.group()[:30]})."
        yield found("WB-COD-020", at, message)
        yield examined(at, language)
    else:
        yield inert(at, language, "markup without scripts")


def judge_script(text: str, at: Location, language: str) -> Iterator[Note]:
    """Yield whether a script does what a model does not need."""
    match = _SCRIPT_HARM.search(text)
    if match:
        message = f"The script uses {match.group()[:30]!r}, which may run code or send data."
        yield found("WB-COD-020", at, message)
    yield examined(at, f"{language} source")
