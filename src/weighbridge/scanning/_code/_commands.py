"""Command lines of shells: what they would do, read with a lexer and never run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Harm", "Judged", "is_report", "judge_command", "split_commands"]

_MAX_COMMANDS = 20_000
_MAX_DEPTH = 4


class Harm(IntEnum):
    """How bad a command line is."""

    NONE = 0
    UNKNOWN = 1
    SURE = 2


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a command line, and the words that decided."""

    harm: Harm
    why: str = ""


_INTERPRETERS = frozenset(
    [
        "sh",
        "bash",
        "zsh",
        "dash",
        "ksh",
        "fish",
        "python",
        "python2",
        "python3",
        "perl",
        "ruby",
        "node",
        "php",
        "pwsh",
        "powershell",
        "iex",
        "invoke-expression",
        "cmd",
        "source",
        ".",
    ]
)
_FETCHERS = frozenset(
    ["curl", "wget", "iwr", "irm", "invoke-webrequest", "invoke-restmethod", "aria2c", "fetch"]
)
_DECODERS = frozenset({"base64", "base32", "xxd", "openssl", "gunzip", "rev", "uudecode"})
_SKIPPED = frozenset(
    [
        "sudo",
        "env",
        "nohup",
        "time",
        "exec",
        "then",
        "do",
        "else",
        "if",
        "elif",
        "while",
        "until",
        "!",
        "{",
        "}",
        "(",
        ")",
        "fi",
        "done",
        "esac",
        "command",
        "builtin",
        "nice",
        "srun",
        "RUN",
        "@",
        "-",
        "run",
        "numactl",
        "stdbuf",
        "timeout",
        "xargs",
        "call",
        "start",
        "tee",
    ]
)
_HARMLESS = frozenset(
    [
        "python",
        "python3",
        "python2",
        "pip",
        "pip3",
        "pipx",
        "conda",
        "mamba",
        "uv",
        "poetry",
        "export",
        "echo",
        "printf",
        "cd",
        "mkdir",
        "ls",
        "torchrun",
        "accelerate",
        "deepspeed",
        "git",
        "set",
        "unset",
        "source",
        ".",
        "cat",
        "cp",
        "mv",
        "touch",
        "pwd",
        "true",
        "false",
        "test",
        "[",
        "[[",
        "exit",
        "return",
        "sleep",
        "date",
        "wait",
        "for",
        "in",
        "case",
        "function",
        "local",
        "readonly",
        "declare",
        "read",
        "shift",
        "trap",
        "basename",
        "dirname",
        "realpath",
        "readlink",
        "nproc",
        "nvidia-smi",
        "nvcc",
        "which",
        "type",
        "uname",
        "hostname",
        "whoami",
        "id",
        "df",
        "du",
        "free",
        "wc",
        "head",
        "tail",
        "sort",
        "uniq",
        "cut",
        "tr",
        "grep",
        "egrep",
        "sed",
        "awk",
        "find",
        "tar",
        "unzip",
        "zip",
        "gzip",
        "gunzip",
        "xz",
        "diff",
        "cmp",
        "seq",
        "tee",
        "huggingface-cli",
        "hf",
        "git-lfs",
        "apt",
        "apt-get",
        "yum",
        "apk",
        "brew",
        "dnf",
        "make",
        "cmake",
        "ninja",
        "gcc",
        "g++",
        "cc",
        "clang",
        "cargo",
        "npm",
        "npx",
        "yarn",
        "pnpm",
        "node",
        "docker",
        "docker-compose",
        "ollama",
        "llama-cli",
        "llama-server",
        "llama-quantize",
        "./llama-cli",
        "./main",
        "vllm",
        "mpirun",
        "srun",
        "sbatch",
        "module",
        "jupyter",
        "pytest",
        "tensorboard",
        "wandb",
        "ffmpeg",
        "ffprobe",
        "sox",
        "md5sum",
        "sha256sum",
        "sha1sum",
        "sha512sum",
        "file",
        "stat",
        "ln",
        "chmod",
        "chown",
        "rm",
        "rmdir",
        "clear",
        "cls",
        "rem",
        "if",
        "pushd",
        "popd",
        "title",
        "pause",
        "setlocal",
        "endlocal",
        "goto",
        "color",
        "dir",
        "copy",
        "move",
        "del",
        "time",
        "fairseq-train",
        "perl",
        "java",
        "javac",
        "ruff",
        "black",
        "isort",
        "flake8",
        "mypy",
        "isort",
        "pre-commit",
        "bc",
        "expr",
        "tput",
        "stty",
        "select",
        "let",
        "ulimit",
        "nohup",
        "ps",
        "kill",
        "from",
        "run",
        "workdir",
        "env",
        "arg",
        "copy",
        "add",
        "cmd",
        "entrypoint",
        "expose",
        "label",
        "user",
        "volume",
        "maintainer",
        "shell",
        "onbuild",
        "stopsignal",
        "healthcheck",
        "useradd",
        "groupadd",
        "ldconfig",
        "pip-compile",
        "sphinx-build",
        "doxygen",
        "write-host",
        "write-output",
        "set-location",
        "new-item",
        "get-childitem",
        "param",
        "lscpu",
        "lspci",
        "free",
        "activate",
        "deactivate",
        "bash",
        "sh",
        "zsh",
        "base64",
        "curl",
        "wget",
        "aria2c",
        "uvicorn",
        "gunicorn",
        "streamlit",
        "gradio",
        "flask",
        "lm_eval",
        "swift",
        "trl",
        "axolotl",
        "llamafactory-cli",
        "xtuner",
        "optimum-cli",
        "mlx_lm.generate",
        "mlx_lm.convert",
        "latexmk",
        "update-alternatives",
        "locale-gen",
        "add-apt-repository",
        "gpg",
        "dpkg",
        "rsync",
        "scp",
        "ssh",
        "patch",
        "tree",
        "less",
        "more",
        "env",
        "uptime",
        "getopts",
        "printenv",
        "die",
        "log",
        "usage",
        "main",
        "rsvg-convert",
        "convert",
    ]
)
_SURE = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        (r"/dev/(?:tcp|udp)/", "it opens a connection for a shell"),
        (r"\b(?:nc|ncat|netcat)\b[^\n;|]*\s-[a-z]*[ec]\b", "it hands a shell to the network"),
        (r"\bmkfifo\b[\s\S]{0,300}\b(?:nc|ncat|netcat|telnet|openssl)\b", "it is a reverse shell"),
        (r"\bsocat\b[^\n]*\bexec:", "it hands a shell to the network"),
        (r"\bbash\s+-i\b[^\n]*[>&]", "it hands a shell to the network"),
        (
            (
                r"\brm\s+(?:-[\w-]+\s+)*-\w*r\w*\s+(?:-[\w-]+\s+)*[\"']?(?:/|~|\$HOME|\$\{HOME\}|/\*"
                r"|/(?:etc|home|usr|var|bin|root|boot)\b(?!/\w+/))[\"']?/?\*?(?:\s|$|;)"
            ),
            "it deletes everything",
        ),
        (r":\(\)\s*\{\s*:\|:", "it is a fork bomb"),
        (r"\b(?:mkfs\b|dd\s[^\n]*of=/dev/[sh]d)", "it overwrites a disk"),
        (
            (
                r">>?\s*[\"']?\S*(?:\.bashrc|\.zshrc|\.profile|\.bash_profile|authorized_keys|/etc/cron"
                r"|/etc/rc\.local|/etc/ld\.so\.preload|/etc/passwd|/etc/sudoers|sitecustomize)"
            ),
            "it writes to a place that is run at the next start",
        ),
        (r"\bcrontab\b(?!\s+-l\s*$)", "it installs a job that runs later"),
        (r"powershell[^\n]*\s-(?:e|en|enc|enco\w*)\s", "it runs encoded commands"),
        (r"\b(?:iex|invoke-expression)\b", "it runs what it computes"),
        (r"\b(?:downloadstring|downloadfile)\b", "it runs what it downloads"),
        (r"\b(?:bitsadmin|mshta|regsvr32|rundll32)\b", "it runs what it downloads"),
        (r"\bcertutil\b[^\n]*(?:urlcache|decode)", "it runs what it downloads"),
        (r"\breg\s+add\b[^\n]*\\run\b|\bschtasks\b[^\n]*/create", "it runs at the next start"),
        (
            (
                r"(?:curl|wget)\b[^\n]*(?:-d|-F|--data\S*|-T|--post-\w+|--upload-file)"
                r"[= ]?[\"']?\S*"
                r"(?:@|\$\(|`|/etc/|\.ssh|\.aws|\$\w*(?:TOKEN|KEY|SECRET|PASS))"
            ),
            "it sends data of this machine away",
        ),
        (
            (
                r"(?:curl|wget)\b[^\n]*(?:\$\((?:whoami|id|hostname|env|cat|uname)|`(?:whoami|id|hostname"
                r"|env|cat))"
            ),
            "it sends data of this machine away",
        ),
        (r"\beval\b[^\n]*(?:curl|wget|base64|xxd)", "it runs what it computes"),
        (
            r"(?:sh|bash|python3?)\s+(?:-c\s+)?[\"']?(?:<\(|\$\(|`)\s*(?:curl|wget|base64|echo)",
            "it runs what it downloads",
        ),
        (r"\bLD_PRELOAD=(?!\S*(?:tcmalloc|jemalloc|libiomp|libgomp|libstdc))", "it loads code"),
        (r"\bxmrig\b|stratum\+tcp|\bminerd\b", "it mines coins"),
        (
            r"\b(?:cat|cp|tar|zip|scp|less|type)\b[^\n]*(?:\.ssh/|/etc/shadow|\.aws/|id_rsa)",
            "it reads secrets",
        ),
        (
            r"(?:curl|wget)\b[^\n]*(?:\s-[oO]\s*|>\s*)(\S+)[\s\S]{0,400}\bchmod\b[^\n]*\+?x[\s\S]{0,400}",
            "it makes what it downloads runnable",
        ),
    )
)
_UNKNOWN = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        (r"\beval\b", "it runs what it computes"),
        (r"\b(?:nc|ncat|netcat|telnet|socat)\b", "it opens a connection"),
        (
            r"(?:curl|wget)\b[^\n;|&]*\s(?:(?-i:-d|-F|-T)|--data\S*|--form|--post-\w+)\b",
            "it sends data away",
        ),
        (
            r"https?://(?:\d{1,3}\.){3}\d{1,3}\b(?<!127\.0\.0\.1)(?<!0\.0\.0\.0)",
            "it names a machine by its number",
        ),
        (
            r"\bpython3?\s+-c\b[^\n]*(?:exec|urllib|requests|socket|base64|subprocess|os\.system)",
            "it runs code from its arguments",
        ),
        (
            (
                r"\bpip3?\s+install\b[^\n]*(?:--index-url|--extra-index-url|-i|git\+|https?:)\s*"
                r"(?!\S*(?:pytorch\.org|pypi\.org|github\.com/(?:huggingface|openai|pytorch)|nvidia\.com|"
                r"github\.com|huggingface\.co|tsinghua|aliyun))"
            ),
            "it installs from elsewhere",
        ),
        (r"\bsystemctl\s+(?:enable|start)|launchctl\s+load|\bat\s+now\b", "it starts services"),
        (r"\$\{?IFS\b|\\x[0-9a-f]{2}\\x", "it hides its words"),
        (r"\b(?:ssh|scp|rsync|ftp|sftp)\b[^\n]*@", "it connects to another machine"),
        (
            r"\b(?:useradd|usermod|passwd|chattr|insmod|modprobe|iptables)\s+-?[a-z]",
            "it changes the system",
        ),
    )
)
_REPORT_WORD = re.compile(r"[\w./=,:-]+")
_REPORT = re.compile(
    r"(?:nvidia-smi|rocm-smi|uname|nproc|lscpu|nvcc --version|lsb_release|system_profiler|sw_vers|"
    r"git (?:rev-parse|describe|status|log|branch|ls-files|--version)|ffmpeg -(?:version|hwaccels)|"
    r"free -\w+|sysctl -n \S+|(?:java|gcc|g\+\+|cmake|node|npm) -?-version)(?= |\Z)"
)
_SPLIT = re.compile(r"\|\||&&|[;\n|&]")
_WORD = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|\\.|[^\s\"'\\])+")
_ASSIGNMENT = re.compile(r"\w+\+?=")
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?[^\n]*\n[\s\S]*?\n\s*\1\b")
_DEFINED = re.compile(r"^\s*(?:function\s+)?([\w-]+)\s*\(\)", re.MULTILINE)
_CONTROL = re.compile(r"[\w./:@%+-]+\Z")


def judge_command(text: str, *, strict: bool = False) -> Judged:
    """Return how bad a command line, or a whole script, is.

    Args:
        text: The words, as a shell would read them.
        strict: Whether a program that is not on the list of harmless ones counts as unknown.
    """
    joined = re.sub(r"\\\r?\n", " ", text)
    plain = re.sub(r"(?m)(?:^|(?<=\s))#[^\n]*", "", joined)
    bare = re.sub(r"(?<=\w)(?:''|\"\"|\\)(?=\w)", "", plain)
    for pattern, why in _SURE:
        if pattern.search(bare):
            return Judged(Harm.SURE, why)
    if why := _find_piped(bare):
        return Judged(Harm.SURE, why)
    for pattern, why in _UNKNOWN:
        if pattern.search(bare):
            return Judged(Harm.UNKNOWN, why)
    if bare != plain and re.search(r"(?<=[a-z])(?:''|\"\")(?=[a-z])", plain):
        return Judged(Harm.UNKNOWN, "it hides its words")
    return _judge_programs(bare) if strict else Judged(Harm.NONE)


def is_report(value: object) -> bool:
    """Return whether a whole command only tells what the machine or a working copy is like."""
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return False
    plain = all(_REPORT_WORD.fullmatch(word) for word in words)
    return bool(words) and plain and _REPORT.match(" ".join(words)) is not None


def split_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the simple commands of a script: what stands before each, and its words."""
    before = ";"
    for mark, piece in islice(_split_outside_quotes(text), _MAX_COMMANDS):
        words = [word.strip("\"'") for word in _WORD.findall(piece[:20_000])]
        while words and (words[0] in _SKIPPED or _ASSIGNMENT.match(words[0])):
            words.pop(0)
        before = mark
        if words:
            yield before, words


def _split_outside_quotes(text: str) -> Iterator[tuple[str, str]]:
    """Yield (separator before, piece); quotes hide separators."""
    pattern = re.compile(r"\"(?:[^\"\\]|\\[\s\S])*\"|'[^']*'|\\.|(\|\||&&|;|\n|\||(?<![<>])&(?!>))")
    start, mark = 0, ";"
    for match in pattern.finditer(text):
        if match.group(1):
            yield mark, text[start : match.start()]
            start, mark = match.end(), match.group(1)
    yield mark, text[start:]


def _name(words: list[str]) -> str:
    return words[0].strip("`$({[@").rpartition("/")[2].removesuffix(".exe").lower()


def _find_piped(text: str) -> str:
    """Return why a pipeline is harmful; empty if it is not."""
    sources: set[str] = set()
    for mark, words in split_commands(text):
        name = _name(words)
        if mark != "|":
            sources = set()
        elif re.fullmatch(
            r"(?:python|perl|ruby|sh|bash|zsh|dash|ksh|node|php|pwsh|powershell|iex|"
            r"fish|cmd)[\d.]*",
            name,
        ) and _reads_input(name, words):
            if sources & _FETCHERS:
                return "it runs what it downloads"
            if sources & _DECODERS:
                return "it runs what it decodes"
            if sources & {"echo", "printf"} and name not in {"python", "python3"}:
                return "it runs what it computes"
        sources.add(name)
    return ""


def _reads_input(name: str, words: list[str]) -> bool:
    """Return whether an interpreter takes its program from the pipe."""
    del name
    rest = [word for word in words[1:] if not word.startswith("-") or word in {"-c", "-m", "-e"}]
    return not rest or words[1] in {"-", "-s"}


def _judge_programs(text: str) -> Judged:
    defined = {name.lower() for name in _DEFINED.findall(text)}
    plain = _HEREDOC.sub("\n", text)
    for _, words in split_commands(plain):
        name = _name(words)
        known = name in _HARMLESS or name in defined or not name or not _CONTROL.match(name)
        if not known and not _is_plain_word(words):
            return Judged(Harm.UNKNOWN, f"it runs the program {words[0][:60]}")
        here = words[0].startswith(("./", "/tmp/"))  # noqa: S108 - a word
        if here and name not in _HARMLESS and not name.endswith((".sh", ".py")):
            return Judged(Harm.UNKNOWN, f"it runs the program {words[0][:60]}")
    return Judged(Harm.NONE)


def _is_plain_word(words: list[str]) -> bool:
    """Return whether this is no program: a pattern of ``case``, an option, a number."""
    first = words[0]
    return first.startswith(("-", "$", "%", ":", "*", ")")) or first.endswith((")", ":", "="))
