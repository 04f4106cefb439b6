"""The signed lineage as the document that teams keep by hand: ``provenance.yaml``."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

from weighbridge.core import (
    InputClass,
    Origin,
    classify_input,
    find_training,
    is_lock,
    list_inputs,
    list_materials,
    list_packages,
    list_seeds,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from weighbridge.core import Dependency, Digest, LineageNode, LineageReport, StepRecord

__all__ = ["to_provenance_yaml"]

_HEAD = "# Written from the signed lineage. What reads it compares it with that again.\n"
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)*(?:\+[0-9A-Za-z.]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Words that YAML takes for something else than text.
_NOT_TEXT = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"})
# YAML wants the colon behind a key within so many characters; longer ones are marked by `?`.
_LONG_KEY_CHARACTERS = 1_000
_MAX_TEXT_CHARACTERS = 4_096
_MAX_NAME_CHARACTERS = 240


def to_provenance_yaml(
    report: LineageReport | None, *, digest: Digest | None, files: Mapping[str, str]
) -> bytes:
    """Return what the files and the signed lineage tell, in the shape of ``provenance.yaml``.

    Only what reading the document again can compare is written: digests, addresses, revisions and
    licences of what went in; the packages, commit, seeds and parameters of the training. What
    several steps tell differently is left out, and so is what YAML cannot hold.

    Args:
        report: The lineage; without one, or if nothing of it is believed or it is that of another
            artifact, only files are written.
        digest: Of the artifact; None if it is not known.
        files: POSIX path to sha256 in hex of each of its files.

    Returns:
        YAML in UTF-8, the same for the same lineage.
    """
    parts = [_HEAD]
    if digest is not None:
        parts.append(_write_mapping("model", {"sha256": str(digest)}))
    is_of_it = report is not None and digest is not None and report.artifact == str(digest)
    if report is not None and is_of_it and _is_believed(report):
        parts += _write_inputs(report)
        parts += _write_training(find_training(report))
    known = {name: f"sha256:{sha256}" for name, sha256 in files.items() if _is_writable(name)}
    parts.append(_write_mapping("files", dict(sorted(known.items()))))
    return "".join(parts).encode()


def _is_believed(report: LineageReport) -> bool:
    return report.is_judged and report.root.origin is not Origin.UNKNOWN


def _write_inputs(report: LineageReport) -> Iterator[str]:
    items: dict[InputClass, dict[str, dict[str, str]]] = {
        InputClass.MODEL: {},
        InputClass.DATA: {},
    }
    nodes = report.by_id()
    for edge, item in list_inputs(report):
        if not edge.target.startswith("sha256:"):
            continue
        kind = classify_input(item)
        if kind in items:
            described = _describe(item, edge.target, nodes.get(edge.target))
            items[kind].setdefault(edge.target, described)
    for kind, key in ((InputClass.MODEL, "base_model"), (InputClass.DATA, "training_data")):
        yield _write_list(key, [items[kind][id_] for id_ in sorted(items[kind])])


def _describe(item: Dependency, id_: str, node: LineageNode | None) -> dict[str, str]:
    found = {"name": item.name, "sha256": id_}
    acceptance = None if node is None else node.acceptance
    uri = acceptance.fetched_from if acceptance is not None else item.uri
    if "://" in uri and not uri.startswith("file:"):
        found["uri"] = uri
    commit = item.digest.get("gitCommit", "")
    if _COMMIT.fullmatch(commit):
        found["revision"] = commit
    if node is not None and node.license:
        found["license"] = node.license
    return _keep_texts(found)


def _write_training(nodes: Sequence[LineageNode]) -> Iterator[str]:
    records = [node.step for node in nodes if node.step is not None]
    if not records:
        return
    locks = _agree(records, lambda r: (i for i in r.inputs if is_lock(i)))
    scripts = _agree(records, lambda r: list_materials(r, "entry-point"))
    packages = _find_packages(records)
    if locks or packages:
        yield "dependencies:\n"
        yield _write_mapping("lock", locks, indent="  ")
        yield _write_mapping("packages", packages, indent="  ")
    yield "training:\n"
    yield _write_mapping("script", scripts, indent="  ")
    for name, text in _keep_texts(_find_properties(records)).items():
        yield f"  {name}: {_quote(text)}\n"
    yield _write_mapping("seeds", _find_common(records, list_seeds), indent="  ")
    yield _write_mapping(
        "hyperparameters", _find_common(records, lambda r: r.parameters), indent="  "
    )


def _agree(
    records: Sequence[StepRecord], read: Callable[[StepRecord], Iterable[Dependency]]
) -> dict[str, str]:
    """Return the digest of the one thing that all steps have; nothing if there are several."""
    found = {item.digest.get("sha256", "") for record in records for item in read(record)}
    digest = found.pop() if len(found) == 1 else ""
    return {"sha256": f"sha256:{digest}"} if digest else {}


def _find_packages(records: Sequence[StepRecord]) -> dict[str, str]:
    versions: dict[str, set[str]] = {}
    for record in records:
        for package in list_packages(record):
            versions.setdefault(package.name, set()).add(package.version)
    return {
        name: found.pop()
        for name, found in sorted(versions.items())
        if len(found) == 1 and _VERSION.fullmatch(next(iter(found))) and _is_writable(name)
    }


def _find_properties(records: Sequence[StepRecord]) -> dict[str, str]:
    """Return what all steps say alike."""
    read: dict[str, Callable[[StepRecord], set[str]]] = {
        "kind": lambda r: {r.kind},
        "builder": lambda r: {r.builder},
        "commit": lambda r: {
            item.digest.get("gitCommit", "")
            for item in list_materials(r, "source")
            if item.name == "source" and item.annotations.get("when") != "import"
        },
        "repository": lambda r: {r.source},
        "python": lambda r: {
            item.annotations["version"]
            for item in list_materials(r, "interpreter")
            if "version" in item.annotations
        },
        "started": lambda r: {
            r.started_at.astimezone(UTC).isoformat(timespec="seconds") if r.started_at else ""
        },
        "finished": lambda r: {
            r.finished_at.astimezone(UTC).isoformat(timespec="seconds") if r.finished_at else ""
        },
    }
    said = {name: set().union(*map(ask, records)) for name, ask in read.items()}
    return {name: found.pop() for name, found in said.items() if len(found) == 1}


def _find_common(
    records: Sequence[StepRecord], read: Callable[[StepRecord], Mapping[str, str]]
) -> dict[str, str]:
    """Return parameters that all steps have with the same value."""
    first, *others = map(read, records)
    return _keep_texts(
        {
            name: value
            for name, value in sorted(first.items())
            if len(name) <= _MAX_NAME_CHARACTERS and all(o.get(name) == value for o in others)
        },
        may_be_empty=True,
    )


def _keep_texts(texts: Mapping[str, str], *, may_be_empty: bool = False) -> dict[str, str]:
    """Leave out what would be read otherwise than it is."""
    return {
        name: text
        for name, text in texts.items()
        if _is_writable(name)
        and _is_writable(text)
        and text == text.strip()
        and (text or may_be_empty)
    }


def _is_writable(text: str) -> bool:
    return len(text) <= _MAX_TEXT_CHARACTERS and not any("\ud800" <= c <= "\udfff" for c in text)


def _write_list(key: str, items: Sequence[Mapping[str, str]]) -> str:
    if not items:
        return ""
    lines = [f"{key}:\n"]
    for item in items:
        for index, (name, text) in enumerate(item.items()):
            lines.append(f"  {'-' if index == 0 else ' '} {name}: {_quote(text)}\n")
    return "".join(lines)


def _write_mapping(key: str, items: Mapping[str, str], *, indent: str = "") -> str:
    if not items:
        return ""
    lines = [f"{indent}{key}:\n"]
    for name, text in items.items():
        shown = name if _KEY.fullmatch(name) and name.lower() not in _NOT_TEXT else _quote(name)
        if len(shown) > _LONG_KEY_CHARACTERS:
            lines.append(f"{indent}  ? {shown}\n{indent}  : {_quote(text)}\n")
        else:
            lines.append(f"{indent}  {shown}: {_quote(text)}\n")
    return "".join(lines)


def _quote(text: str) -> str:
    r"""Return text in double quotes, with ``\xNN``, ``\uNNNN`` and ``\UNNNNNNNN`` (YAML 1.1)."""
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable() and char != "\ufeff":
        return char
    code = ord(char)
    if code < 0x100:  # noqa: PLR2004
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004
