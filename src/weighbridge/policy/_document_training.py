"""A document kept by hand: what it says of the training, held against the signed record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from weighbridge.core import (
    Answer,
    list_materials,
    list_packages,
    list_seeds,
    normalize_package,
    read_facts,
    split_words,
)
from weighbridge.policy._document_sources import parse_address, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from weighbridge.core import LineageNode

__all__ = [
    "Compared",
    "Trained",
    "arrange_training",
    "compare_package",
    "compare_parameter",
    "compare_seed",
    "compare_training",
]

Compared = tuple[Answer, str]

_VERSION = re.compile(r"v?[0-9]+(?:[.\-+!][0-9A-Za-z.\-+!]*|[a-z]+[0-9]*)?")
_RANGE = re.compile(r"[<>~^*!=,|\s]")
_ACCELERATOR = re.compile(r"(?i)\b(?:gpu|cuda|nvidia|rtx|[ahvlb]\d{2,3}s?|mi\d{3}x?|t4)\b")
_NAMES = {
    "pytorch": "torch",
    "tf": "tensorflow",
    "sklearn": "scikit-learn",
    "hugging-face-transformers": "transformers",
    "huggingface-transformers": "transformers",
}
_DAY_CHARACTERS = 10


@dataclass(frozen=True, slots=True)
class Trained:
    """A step that a document means by "the training", arranged for comparing.

    Attributes:
        node: What it made.
        packages: Name to the versions that were installed.
        parameters: The words of each parameter's name to its values.
        seeds: Likewise of those that are seeds.
    """

    node: LineageNode
    packages: Mapping[str, tuple[str, ...]]
    parameters: Mapping[tuple[str, ...], tuple[str, ...]]
    seeds: Mapping[tuple[str, ...], tuple[str, ...]]


def arrange_training(nodes: Iterable[LineageNode]) -> tuple[Trained, ...]:
    """Arrange the steps once, so that each comparison is a look-up."""
    found = []
    for node in nodes:
        if node.step is None:
            continue
        packages: dict[str, list[str]] = {}
        for package in list_packages(node.step):
            packages.setdefault(package.name, []).append(package.version)
        found.append(
            Trained(
                node,
                {name: tuple(versions) for name, versions in packages.items()},
                _by_words(node.step.parameters),
                _by_words(list_seeds(node.step)),
            )
        )
    return tuple(found)


def _by_words(texts: Mapping[str, str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for name, text in texts.items():
        found.setdefault(_to_words(name), []).append(text)
    return {words: tuple(values) for words, values in found.items()}


def _to_words(name: str) -> tuple[str, ...]:
    return split_words(name) or (name,)


def compare_package(name: str, version: str, steps: Sequence[Trained]) -> Compared:
    """Compare a package's version with what was installed."""
    key = _to_key(name)
    if _RANGE.search(version) or not _VERSION.fullmatch(version):
        return (
            Answer.UNKNOWN,
            f"the text {show(version)} is no exact version, so it is not compared",
        )
    found = [known for step in steps for known in step.packages.get(key, ())]
    if not found and any(step.packages for step in steps):
        return Answer.FAIL, f"the signed record does not list {show(name)} among the packages"
    return _agree(version, found, _is_version, what=f"the version of {show(name)}")


def _to_key(name: str) -> str:
    key = normalize_package(name)
    return _NAMES.get(key, key)


def _is_version(said: str, recorded: str) -> bool:
    """Tell whether two versions are one; a local part that is not asked for does not count."""
    one, other = said.lower().removeprefix("v"), recorded.lower()
    return one == other or ("+" not in one and one == other.partition("+")[0])


def compare_seed(name: str, value: str, steps: Sequence[Trained]) -> Compared:
    """Compare a seed with the parameters that are seeds; by name, if it has one."""
    found = []
    for step in steps:
        texts = _look_up(name, step, step.seeds)
        texts = texts or tuple(text for several in step.seeds.values() for text in several)
        if texts:
            found.append(_pick_same(value, texts))
    return _agree(value, found, _is_value, what="the seed")


def compare_parameter(name: str, value: str, steps: Sequence[Trained]) -> Compared:
    """Compare a hyperparameter with the parameter of that name."""
    found = [
        _pick_same(value, (text,))
        for step in steps
        for text in _look_up(name, step, step.parameters)
    ]
    return _agree(value, found, _is_value, what=f"the parameter {show(name)}")


def _look_up(
    name: str, step: Trained, texts: Mapping[tuple[str, ...], tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the values of a parameter: that of exactly this name, else those of its words."""
    exact = {} if step.node.step is None else step.node.step.parameters
    return (exact[name],) if name in exact else texts.get(_to_words(name), ())


def _pick_same(value: str, texts: Sequence[str]) -> str:
    """Return ``value`` if it is one of the texts, or is in one that is a list; else the texts."""
    parts = [part for text in texts for part in (text, *_split_list(text))]
    return value if any(_is_value(value, part) for part in parts) else ", ".join(texts)


def _split_list(text: str) -> list[str]:
    """Return the parts of a list that was written as text; the text itself if it is none."""
    if text.startswith("[") and text.endswith("]"):
        return [part.strip().strip("\"'") for part in text[1:-1].split(",")]
    return [text]


def _is_value(said: str, recorded: str) -> bool:
    """Tell whether two values are one: as text, or as numbers."""
    if said == recorded or said.lower() == recorded.lower() in ("true", "false"):
        return True
    try:
        return Decimal(said) == Decimal(recorded)
    except (InvalidOperation, ValueError):
        return False


def compare_training(field: str, text: str, steps: Sequence[Trained]) -> Compared:
    """Compare one property of the training: ``commit``, ``cuda``, ``started``, ..."""
    if field == "framework":
        return _compare_framework(text, steps)
    if field == "framework_version":
        return Answer.UNKNOWN, "a version without the framework's package is not compared"
    if field == "hardware":
        return _compare_hardware(text, steps)
    read, is_same, what = _PROPERTIES[field]
    return _agree(text, [found for step in steps for found in read(step.node)], is_same, what=what)


def _compare_framework(text: str, steps: Sequence[Trained]) -> Compared:
    name, _, version = text.replace("==", " ").strip().partition(" ")
    if version:
        return compare_package(name, version.strip(), steps)
    listing = [step for step in steps if step.packages]
    if not listing:
        return Answer.UNKNOWN, "the signed record lists no packages to compare with"
    if all(_to_key(name) in step.packages for step in listing):
        return Answer.PASS, f"the signed record lists {show(text)} among the packages"
    return Answer.FAIL, f"the signed record does not list {show(text)} among the packages"


def _compare_hardware(text: str, steps: Sequence[Trained]) -> Compared:
    wanted = text.lower()
    for step in steps:
        names, kind = _list_hardware(step.node)
        if any(wanted in name.lower() or name.lower() in wanted for name in names if name):
            return Answer.PASS, f"the signed record names {show(text)}"
        if kind == "none" and _ACCELERATOR.search(text):
            said = f"it says {show(text)}"
            return Answer.FAIL, f"{said}; by the signed record there was no GPU"
    return Answer.UNKNOWN, "it is in words that cannot be compared with the signed record"


def _list_hardware(node: LineageNode) -> tuple[list[str], str]:
    """Return the names of GPUs and processor, and the kind of accelerator."""
    facts = {} if node.step is None else read_facts(node.step, "accelerator")
    cpu = {} if node.environment is None else node.environment.attributes.get("cpu", {})
    names = [value for key, value in facts.items() if key.startswith("model-")]
    return [*names, *([cpu["model"]] if "model" in cpu else [])], facts.get("kind", "")


def _read_commits(node: LineageNode) -> Iterator[str]:
    if node.step is not None:
        for item in list_materials(node.step, "source"):
            if item.name != "source" or item.annotations.get("when") == "import":
                continue  # a submodule, or what was there long after the step
            if "gitCommit" in item.digest:
                yield item.digest["gitCommit"]


def _is_commit(said: str, recorded: str) -> bool:
    return len(said) >= 7 and recorded.startswith(said.lower())  # noqa: PLR2004 - as git shortens


def _read_repositories(node: LineageNode) -> Iterator[str]:
    if node.step is not None and node.step.source:
        yield node.step.source


def _is_repository(said: str, recorded: str) -> bool:
    return _strip_repository(said) == _strip_repository(recorded)


def _strip_repository(text: str) -> str:
    address = parse_address(text.removeprefix("git+"))
    place = text if address is None else address.place
    head, mark, end = place.rpartition("@")
    place = head if mark and ("refs/" in end or "/" not in end) and "://" in head else place
    return place.removeprefix("git+").rstrip("/").removesuffix(".git")


def _read_python(node: LineageNode) -> Iterator[str]:
    if node.step is not None:
        for item in list_materials(node.step, "interpreter"):
            if "version" in item.annotations:
                yield item.annotations["version"]


def _read_attribute(name: str, prefix: str) -> Callable[[LineageNode], Iterator[str]]:
    def read(node: LineageNode) -> Iterator[str]:
        attributes = {} if node.environment is None else node.environment.attributes
        value = attributes.get("torch", {}).get(name, "")
        if value and not value.startswith("unknown"):
            yield value
        elif node.step is not None:
            for package in list_packages(node.step):
                if re.fullmatch(rf"{prefix}(-cu\d+)?", package.name):
                    yield package.version

    return read


def _is_release(said: str, recorded: str) -> bool:
    """Tell whether a release is the one asked for, or one of it: ``3.11`` and ``3.11.4``."""
    wanted = said.lower().removeprefix("v").split(".")
    return recorded.lower().removeprefix("v").split(".")[: len(wanted)] == wanted


def _is_cudnn(said: str, recorded: str) -> bool:
    """Compare with cuDNN's number too: 8902 is 8.9.2, 90100 is 9.1.0."""
    if said != recorded and recorded.isascii() and recorded.isdigit() and len(recorded) < 7:  # noqa: PLR2004
        number = int(recorded)
        thousand = 1_000 if number < 10_000 else 10_000  # noqa: PLR2004 - since 9.0
        rest = number % thousand
        recorded = f"{number // thousand}.{rest // 100}.{rest % 100}"
    return _is_release(said, recorded)


def _read_time(name: str) -> Callable[[LineageNode], Iterator[str]]:
    def read(node: LineageNode) -> Iterator[str]:
        moment = None if node.step is None else getattr(node.step, name)
        if moment is not None:
            yield moment.astimezone(UTC).isoformat(timespec="seconds")

    return read


def _is_time(said: str, recorded: str) -> bool:
    if len(said) == _DAY_CHARACTERS:
        return recorded.startswith(said)
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return False
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC).isoformat(timespec="seconds") == recorded
    except OverflowError:
        return False


def _read_kind(node: LineageNode) -> Iterator[str]:
    if node.step is not None:
        yield node.step.kind


def _read_builder(node: LineageNode) -> Iterator[str]:
    if node.builder:
        yield node.builder


def _is_word(said: str, recorded: str) -> bool:
    return split_words(said) == split_words(recorded)


_PROPERTIES: dict[
    str, tuple[Callable[[LineageNode], Iterator[str]], Callable[[str, str], bool], str]
] = {
    "commit": (_read_commits, _is_commit, "the commit"),
    "repository": (_read_repositories, _is_repository, "the repository"),
    "python": (_read_python, _is_release, "the version of Python"),
    "cuda": (_read_attribute("cuda.build", "nvidia-cuda-runtime"), _is_release, "the CUDA version"),
    "cudnn": (_read_attribute("cudnn.version", "nvidia-cudnn"), _is_cudnn, "the cuDNN version"),
    "started": (_read_time("started_at"), _is_time, "when it began"),
    "finished": (_read_time("finished_at"), _is_time, "when it ended"),
    "kind": (_read_kind, _is_word, "the kind of step"),
    "builder": (_read_builder, lambda said, recorded: said == recorded, "the builder"),
}


def _agree(
    said: str, recorded: Iterable[str], is_same: Callable[[str, str], bool], *, what: str
) -> Compared:
    """Compare with each step that is meant: all have to be so, or none may."""
    known = list(recorded)
    if not known:
        return Answer.UNKNOWN, f"no signed record tells {what}"
    same = [is_same(said, one) for one in known]
    if all(same):
        return Answer.PASS, f"{what} in the signed record is {show(said)}"
    if any(same):
        return Answer.UNKNOWN, f"{what} is {show(said)} in some of the signed records only"
    return Answer.FAIL, f"it says {show(said)}; {what} in the signed record is {show(known[0])}"
