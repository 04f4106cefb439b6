"""Configurations of tools: commands that run by themselves, and loaders that MLflow is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import Finding
from weighbridge.formats import MemorySource
from weighbridge.scanning._code import examine_code
from weighbridge.scanning._documents._document import show, walk, write_place
from weighbridge.scanning._documents._requirements import judge_requirement
from weighbridge.scanning._documents._targets import is_dangerous
from weighbridge.scanning._facts import NamedFile
from weighbridge.scanning._notes import found, inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Document, Link
    from weighbridge.scanning._notes import Note

__all__ = [
    "check_channels",
    "check_commands",
    "check_dependencies",
    "check_download",
    "check_lifecycle",
    "check_loader_module",
    "check_package_scripts",
    "check_python_model",
    "check_servers",
    "check_tasks",
]

# What npm runs without being asked once the package is installed.
_NPM_HOOKS = frozenset({"preinstall", "install", "postinstall"})
_OWN_LOADER = re.compile(r"mlflow\.[a-z_]+(?:\.(?:model|flavor|pyfunc|loaders)\w*)*")
_CHANNELS_TEXT = (
    "conda-forge defaults pytorch pytorch-nightly nvidia nvidia/label/cuda anaconda main"
    " bioconda huggingface fastai r rapidsai intel microsoft xformers pyg dglteam nodefaults"
    " esri intel/label/dev salilab omnia open3d-admin fastchan apple free"
)
_CHANNELS = frozenset(_CHANNELS_TEXT.split())
_CHANNEL_NAME = re.compile(r"[\w.:/@+-]+")
_CHANNEL_HOST = re.compile(
    r"https?://(?:conda\.anaconda\.org|repo\.anaconda\.com|repo\.continuum\.io|mirrors\.[\w.-]+)/"
)
_SETTINGS = re.compile(
    r"(?:^|/)\.(?:vscode|idea|cursor|devcontainer|claude|zed)/|devcontainer\.json"
)
_COMMAND_KEYS = ("cmd", "command", "entrypoint", "run")
_RUN = re.compile(
    r"curl|wget|base64|/dev/tcp|powershell|mshta|\beval\b|\bexec\b|\|\s*\w{0,2}sh\b",
    re.IGNORECASE,
)


def _command(value: object) -> str:
    """Return a command for people, if a value is one."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value[:50]):
        return " ".join(value[:50])
    if isinstance(value, dict):
        return "; ".join(filter(None, (_command(part) for part in list(value.values())[:10])))
    return ""


def check_package_scripts(document: Document, at: Location, _: ScanContext) -> Iterator[Note]:
    """Judge ``package.json``: npm runs some of its scripts when it installs."""
    root = document.value
    scripts = root.get("scripts") if isinstance(root, dict) else None
    if not isinstance(scripts, dict):
        return
    for name in sorted(_NPM_HOOKS & scripts.keys()):
        if text := _command(scripts[name]):
            message = f"Installing this with npm runs {show(text)} (scripts.{name})."
            yield found("WB-DOC-011", at, message, detail=show(text))


def check_servers(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge the servers of a model context protocol: a client starts each of them."""
    if not isinstance(value, dict):
        return
    for name, server in list(value.items())[:50]:
        if isinstance(server, dict) and isinstance(server.get("command"), str | list):
            arguments = _command(server.get("args") or [])
            text = f"{_command(server['command'])} {arguments}".strip()
            place = write_place((link, key), name)
            message = f"An agent that reads this starts {show(text)} ({place})."
            yield found("WB-DOC-011", at, message, detail=show(text))


def check_tasks(document: Document, at: Location, _: ScanContext) -> Iterator[Note]:
    """Judge tasks of an editor: those that run when the folder is opened."""
    for link, mapping in walk(document.value):
        if mapping.get("runOn") in {"folderOpen", "default"}:
            place = write_place(link, "runOn")
            message = f"An editor runs a task of this file when the folder is opened ({place})."
            yield found("WB-DOC-011", at, message, detail="runOn: folderOpen")
        hooks = mapping.get("hooks")
        if _SETTINGS.search(document.path) and isinstance(hooks, dict) and hooks:
            message = f"An agent runs the hooks of this file ({write_place(link, 'hooks')})."
            yield found("WB-DOC-011", at, message, detail=show(list(hooks)))


def check_lifecycle(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge commands of a development container, which run when it is made or started."""
    if text := _command(value):
        message = (
            f"Opening this folder in a container runs {show(text)} ({write_place(link, key)})."
        )
        yield found("WB-DOC-011", at, message, detail=show(text))


def check_commands(document: Document, at: Location, _: ScanContext) -> Iterator[Note]:
    """Note the commands of DVC, services and workflows: they run for whoever asks for them.

    One that fetches something and runs it is worth a look all the same.
    """
    texts: list[str] = []
    for _link, mapping in walk(document.value):
        found_here = (_command(mapping.get(key)) for key in _COMMAND_KEYS)
        texts.extend(text for text in found_here if text)
    fetching = [text for text in texts if _RUN.search(text)]
    if fetching and not _is_workflow(document.path):
        message = f"A command of this file fetches or hides what it runs: {show(fetching[0])}."
        yield found("WB-DOC-011", at, message, detail=show(fetching[0]))
    elif texts:
        message = f"It has {len(texts):,} commands, which run when somebody asks for it."
        yield found("WB-DOC-016", at, message, detail=show(texts[0]))


def check_download(document: Document, at: Location, context: ScanContext) -> Iterator[Note]:
    """Judge ``download``: Ultralytics executes it if it is neither an address nor empty.

    Source:
        Ultralytics ``data/utils.py``, ``check_det_dataset``.
    """
    for _link, mapping in walk(document.value):
        text = mapping.get("download")
        if not isinstance(text, str) or re.fullmatch(r"\s*(?:https?://\S+)?\s*", text):
            continue
        language = "sh" if text.startswith("bash ") else "py"
        code = MemorySource(at.file, text.removeprefix("bash ").encode("utf-8", "replace"))
        notes = examine_code(code, inside(at, "download"), context, language=language)
        yield from (
            note for note in notes if document.syntax == "yaml" or isinstance(note, Finding)
        )


def _is_workflow(path: str) -> bool:
    return ".github/" in path or path.endswith((".gitlab-ci.yml", ".travis.yml"))


def check_loader_module(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge ``loader_module`` of an ``MLmodel``: loading the model imports it."""
    if not isinstance(value, str) or not value:
        return
    place = write_place(link, key)
    if _OWN_LOADER.fullmatch(value):
        return
    if is_dangerous(f"{value}.load"):
        message = f"Loading this model with MLflow imports {show(value)} ({place})."
        yield found("WB-DOC-005", at, message, detail=show(value))
    else:
        message = f"Loading this model with MLflow imports {show(value)}, which {place} names."
        yield found("WB-DOC-012", at, message, detail=show(value))
        yield NamedFile(at.file, value.replace(".", "/") + ".py", "code")


def check_python_model(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Note pickled models and code that an ``MLmodel`` brings along."""
    if isinstance(value, str) and value:
        place = write_place(link, key)
        message = f"Loading this model with MLflow takes {show(value)} ({place})."
        yield found("WB-DOC-013", at, message, detail=show(value))
        yield NamedFile(at.file, value, "code")


def check_channels(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge the channels of a conda environment."""
    if not isinstance(value, list):
        return
    for channel in value[:100]:
        if not isinstance(channel, str) or _is_known_channel(channel):
            continue
        if not _CHANNEL_NAME.fullmatch(channel):
            continue  # a word of a dictionary and what is said of it
        place = write_place(link, key)
        message = f"Packages are fetched from the channel {show(channel)}, which {place} names."
        yield found("WB-REQ-001", at, message, detail=show(channel))


def _is_known_channel(channel: str) -> bool:
    return (
        channel in _CHANNELS
        or channel.startswith(("nvidia/label/cuda-", "pytorch-"))
        or _CHANNEL_HOST.match(channel) is not None
    )


def check_dependencies(
    value: object, link: Link, key: str, at: Location, context: ScanContext
) -> Iterator[Note]:
    """Judge the packages of conda, of MLflow's ``python_env.yaml``, and of a ``pip:`` list."""
    del link, key, context
    if isinstance(value, list):
        for line in value[:2_000]:
            if isinstance(line, str):
                yield from judge_requirement(line, at, 0)
