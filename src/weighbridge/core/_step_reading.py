"""What a step's record says, read for those who judge, compare or write it down."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from weighbridge.core._lineage import EdgeKind
from weighbridge.core._step import Dependency

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weighbridge.core._lineage import LineageEdge, LineageNode, LineageReport
    from weighbridge.core._step import StepRecord

__all__ = [
    "TRAINING_KINDS",
    "InputClass",
    "Package",
    "classify_input",
    "find_training",
    "list_inputs",
    "list_materials",
    "list_packages",
    "list_seeds",
    "normalize_package",
    "read_facts",
    "split_words",
]

# Steps whose numbers depend on seeds, frameworks and machines; the others only rearrange.
TRAINING_KINDS: Final = frozenset({"train", "fine-tune", "merge", "distil", "quantize"})
# Of these a document means one when it speaks of "the training".
_LEARNING_KINDS = frozenset({"train", "fine-tune", "distil"})

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SEPARATORS = re.compile(r"[-_.]+")
_PURL = re.compile(r"pkg:pypi/(?P<name>[^@?#]+)(?:@(?P<version>[^?#]+))?")
_DATA = frozenset({"data", "dataset", "datasets", "corpus", "corpora"})
_MODEL = frozenset(
    {
        *("model", "models", "base", "teacher", "student", "adapter", "lora", "weights"),
        *("checkpoint", "ckpt", "backbone", "pretrained", "init"),
    }
)
_SAMPLES = frozenset(
    {
        *("train", "training", "validation", "valid", "test", "eval", "split", "splits", "raw"),
        *("rows", "samples", "texts", "images", "audio", "prompts", "pairs", "preferences"),
        *("calibration", "labels", "annotations", "documents"),
    }
)
_CODE = frozenset(
    {"script", "scripts", "code", "src", "config", "configs", "configuration", "params", "recipe"}
)
_CODE_SUFFIXES = (".py", ".ipynb", ".sh", ".r", ".jl", ".yaml", ".yml", ".toml", ".ini", ".cfg")
_SEEDS = frozenset({"seed", "seeds"})


class InputClass(StrEnum):
    """What an input is, as far as its role tells."""

    MODEL = "model"
    DATA = "data"
    CODE = "code"
    LOCK = "lock"
    OTHER = "other"


class Package(NamedTuple):
    """An installed package, as a step's record lists it.

    Attributes:
        name: As the index compares it (PEP 503).
        version: Empty if it is not recorded.
        sha256: Of its RECORD; empty if there is none.
        check: ``pass``, ``fail`` or ``unknown``: whether its files are as RECORD says.
        is_editable: Whether it is installed from a folder that may change.
    """

    name: str
    version: str
    sha256: str
    check: str
    is_editable: bool


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a name in lower case, however they are joined: ``baseModel``, ``a-b``."""
    return tuple(word.lower() for word in _WORDS.findall(text))


def classify_input(item: Dependency) -> InputClass:
    """Return what an input is by the role that the step gave it; by its name if it has no role.

    A step that DVC recorded calls all that it takes in ``dependency``, so the name, a path, tells.
    """
    if item.is_lock_file:
        return InputClass.LOCK
    text = item.name if item.role in ("", "dependency") else item.role
    words = set(split_words(text))
    if text.lower().endswith(_CODE_SUFFIXES):
        return InputClass.CODE
    for kind, known in (
        (InputClass.DATA, _DATA),
        (InputClass.MODEL, _MODEL),
        (InputClass.CODE, _CODE),
        (InputClass.DATA, _SAMPLES),
    ):
        if words & known:
            return kind
    return InputClass.OTHER


def list_inputs(report: LineageReport) -> Iterator[tuple[LineageEdge, Dependency]]:
    """Yield what went into the steps of a lineage: the edge, and what the step's record says of it.

    In the order of the edges. Of an input that no record names only what the edge says is there,
    and so of two that go by one name and cannot be told apart by their digest.
    """
    said: dict[tuple[str, str, str], list[Dependency]] = {}
    for node in report.nodes:
        if node.step is not None:
            for item in (*node.step.inputs, *node.step.materials):
                said.setdefault((node.id, item.name, item.role), []).append(item)
    for edge in report.edges:
        if edge.kind is EdgeKind.MADE_FROM:
            items = said.get((edge.source, edge.name, edge.role), [])
            if len(items) > 1:
                items = [item for item in items if _has_id(item, edge.target)]
            yield edge, items[0] if len(items) == 1 else Dependency(edge.name, {}, role=edge.role)


def _has_id(item: Dependency, id_: str) -> bool:
    return any(f"{algorithm}:{value}" == id_ for algorithm, value in item.digest.items())


def list_materials(record: StepRecord, role: str) -> tuple[Dependency, ...]:
    """Return the materials of one role, in the order of the record."""
    return tuple(item for item in record.materials if item.role == role)


def list_packages(record: StepRecord) -> tuple[Package, ...]:
    """Return the packages of PyPI that were installed for a step, in the order of the record."""
    return tuple(_to_package(item) for item in list_materials(record, "package"))


def _to_package(item: Dependency) -> Package:
    match = _PURL.match(item.uri)
    name = unquote(match["name"]) if match else item.name
    version = unquote(match["version"] or "") if match else ""
    return Package(
        normalize_package(name),
        version,
        item.digest.get("sha256", ""),
        item.annotations.get("check", "unknown"),
        item.annotations.get("editable") == "true",
    )


def normalize_package(name: str) -> str:
    """Return a package's name as the index compares it.

    Source:
        PEP 503, normalized names.
    """
    return _SEPARATORS.sub("-", name).lower()


def list_seeds(record: StepRecord) -> dict[str, str]:
    """Return the parameters that are seeds by their name, and their values as they are written."""
    return {name: value for name, value in record.parameters.items() if _is_seed(name)}


def _is_seed(name: str) -> bool:
    words = split_words(name.rpartition(".")[2] or name)
    if not words:
        return False
    return words[-1] in _SEEDS or words[-2:] in (("random", "state"), ("seed", "everything"))


def read_facts(record: StepRecord, *names: str) -> Mapping[str, str]:
    """Return the texts at a place in the facts; what is no text is left out.

    Args:
        record: The step.
        names: The way to the object: ``"environment", "variables"``.
    """
    found: object = dict(record.facts)
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def find_training(report: LineageReport) -> tuple[LineageNode, ...]:
    """Return what was trained, nearest to the artifact: those of the least depth, by id.

    Training, fine-tuning and distilling come first; if nothing in the chain did that, the other
    steps that depend on seeds and machines.
    """
    for kinds in (_LEARNING_KINDS, TRAINING_KINDS):
        found = tuple(_find_steps(report, kinds))
        if found:
            least = min(node.depth for node in found)
            return tuple(node for node in found if node.depth == least)
    return ()


def _find_steps(report: LineageReport, kinds: frozenset[str]) -> Iterator[LineageNode]:
    return (node for node in report.nodes if node.step is not None and node.step.kind in kinds)
