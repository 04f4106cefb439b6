"""Documents that teams keep by hand: which keys mean what, in which spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weighbridge.core import printable
from weighbridge.errors import ParseError
from weighbridge.formats._provenance_values import DocumentSection, DocumentValue
from weighbridge.formats._yaml import YamlMapping, YamlNode, YamlSequence, YamlText, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from weighbridge.core import Limits

__all__ = ["read_values"]

_MAX_CHARACTERS = 4_096
_SHOWN_CHARACTERS = 80
_PLACE_CHARACTERS = 240
_HEX_DIGITS = 64
# Of these, one item has each property once.
_ONCE: Final = frozenset(
    {
        *(DocumentSection.MODEL, DocumentSection.BASE, DocumentSection.DATA),
        *(DocumentSection.LOCK, DocumentSection.SCRIPT, DocumentSection.FILE),
    }
)


def _table(**fields: str) -> Mapping[str, str]:
    """Return squeezed spellings to the field that they stand for."""
    return {word: field for field, words in fields.items() for word in words.split()}


_TOP: Final = _table(
    model="model artifact outputmodel",
    base="basemodel basemodels base pretrainedmodel parentmodel",
    data="trainingdata trainingdataset trainingdatasets traindata dataset datasets data",
    dependencies="dependencies environment requirements",
    training="training trainingrun trainingprocess trainingconfig",
    files="files manifest artifacts checksums sha256s",
)
_ITEM: Final = _table(
    name="name id modelid modelname datasetname",
    version="version modelversion datasetversion",
    path="path file filename localpath filepath",
    uri="uri url source repository repo location downloadurl fetchedfrom origin",
    revision="revision rev commit commithash ref sha",
    sha256="sha256 checksum hash digest sha256sum sha256hash checksumsha256",
    size="size sizebytes bytes",
    license="license licence spdx licenseid",
    files="files manifest checksums sha256s",
)
_DEPENDENCIES: Final = _table(
    lock="lock lockfile",
    lock_sha256="locksha256 lockfilesha256 lockhash lockdigest lockchecksum",
    packages="packages libraries pythonpackages pip versions",
    python="python pythonversion",
    cuda="cuda cudaversion",
    cudnn="cudnn cudnnversion",
)
_TRAINING: Final = _table(
    script="script trainingscript entrypoint code",
    script_sha256="scriptsha256 scripthash scriptdigest scriptchecksum",
    commit="commit gitcommit codecommit commithash gitsha revision codeversion",
    repository="repository repo source gitrepo coderepository uri url",
    seed="seed seeds randomseed randomseeds",
    parameters="hyperparameters hyperparams hparams parameters params config",
    framework="framework",
    framework_version="frameworkversion",
    python="python pythonversion",
    cuda="cuda cudaversion",
    cudnn="cudnn cudnnversion",
    hardware="hardware gpu gpus accelerator accelerators",
    started="started startedat startedon start starttime began",
    finished="finished finishedat finishedon end endtime ended completed completedat",
    kind="kind type step",
    builder="builder builderid",
)
# Of the top level these are the model's own, as in a model card.
_MODEL_AT_TOP: Final = frozenset({"name", "version", "license", "sha256", "uri", "revision"})


def read_values(text: str, *, limits: Limits) -> tuple[DocumentValue, ...]:
    """Read what a document says, in its order.

    Raises:
        ParseError: As ``parse_provenance_yaml``, without the document's name.
    """
    root = parse_yaml(text, first_line=1, max_depth=limits.max_json_depth)
    values = tuple(_read_root(root))
    said: set[tuple[DocumentSection, int, str]] = set()
    for value in values:
        thing = (value.section, value.item, value.field)
        if value.section in _ONCE and thing in said:
            raise ParseError(f"{value.place} says again what was said before; keep one of them")
        said.add(thing)
    return values


def _read_root(root: YamlNode) -> Iterator[DocumentValue]:
    if isinstance(root, YamlSequence) or (isinstance(root, YamlMapping) and _lists_files(root)):
        yield from _read_files(root, "")
        return
    if _is_null(root):
        return
    for field, key, node in _pick(_expect_mapping(root, "the document"), {**_ITEM, **_TOP}, ""):
        place = printable(key, limit=_SHOWN_CHARACTERS)
        if reader := _READERS.get(field):
            yield from reader(node, place)
        elif field in _MODEL_AT_TOP and isinstance(node, YamlText):
            if not node.is_null:
                text = _take_text(node, place)
                yield DocumentValue(place, DocumentSection.MODEL, 0, field, text)
        else:
            yield _to_unknown(place, node)


def _pick(
    mapping: YamlMapping, known: Mapping[str, str], place: str
) -> Iterator[tuple[str, str, YamlNode]]:
    """Yield field, key and value of each entry; the field is empty for a key that is not known."""
    seen: dict[str, str] = {}
    for key, node in mapping.items.items():
        field = known.get(_squeeze(key), "")
        if field and field in seen:
            where = f" in {place}" if place else ""
            one, two = (printable(repr(k), limit=_SHOWN_CHARACTERS) for k in (seen[field], key))
            raise ParseError(f"line {node.line}: {one} and {two}{where} say the same; keep one")
        if field:
            seen[field] = key
        yield field, key, node


def _squeeze(key: str) -> str:
    return "".join(char for char in key.lower() if char.isalnum())


def _read_items(node: YamlNode, place: str, section: DocumentSection) -> Iterator[DocumentValue]:
    """Read one item or several: a text, a mapping, a list of these, or named mappings."""
    if _is_null(node):
        return
    if isinstance(node, YamlSequence):
        for index, item in enumerate(node.items):
            yield from _read_item(item, f"{place}[{index}]", section, index)
        return
    if isinstance(node, YamlMapping) and _is_named(node):
        for index, (name, item) in enumerate(node.items.items()):
            inside = _join(place, name)
            yield DocumentValue(inside, section, index, "name", _check_text(name, item.line, place))
            yield from _read_item(item, inside, section, index, named=True)
        return
    yield from _read_item(node, place, section, 0)


def _is_named(mapping: YamlMapping) -> bool:
    """Tell whether a mapping holds items by their names, and not the properties of one."""
    return bool(mapping.items) and all(
        isinstance(node, YamlMapping) and _squeeze(key) not in _ITEM
        for key, node in mapping.items.items()
    )


def _read_item(
    node: YamlNode, place: str, section: DocumentSection, item: int, *, named: bool = False
) -> Iterator[DocumentValue]:
    if _is_null(node):
        return
    if not isinstance(node, YamlMapping):
        text = _take_text(node, place)
        field = "uri" if "://" in text else "name"
        yield DocumentValue(place, section, item, field, text)
        return
    for field, key, value in _pick(node, _ITEM, place):
        inside = _join(place, key)
        if field == "name" and named:
            raise ParseError(f"line {value.line}: {place} has a name already; remove one")
        if field == "files" and section is DocumentSection.MODEL:
            yield from _read_files(value, inside)
        elif not field or field == "files" or not isinstance(value, YamlText):
            yield _to_unknown(inside, value)
        elif not _is_null(value):
            yield DocumentValue(inside, section, item, field, _take_text(value, inside))


def _read_files(node: YamlNode, place: str) -> Iterator[DocumentValue]:
    """Read files: a list of mappings, or a mapping of a path to its digest or to a mapping."""
    section = DocumentSection.FILE
    if _is_null(node):
        return
    if isinstance(node, YamlSequence):
        for index, item in enumerate(node.items):
            inside = f"{place}[{index}]"
            if isinstance(item, YamlMapping):
                yield from _read_item(item, inside, section, index)
            else:
                yield _to_unknown(inside, item)
        return
    for index, (path, item) in enumerate(_expect_mapping(node, place).items.items()):
        inside = _join(place, path)
        yield DocumentValue(inside, section, index, "path", _check_text(path, item.line, inside))
        if isinstance(item, YamlMapping):
            for value in _read_item(item, inside, section, index):
                if value.field == "path":
                    raise ParseError(f"line {item.line}: {inside} has a path already; remove one")
                yield value
        elif not _is_null(item):
            yield DocumentValue(inside, section, index, "sha256", _take_text(item, inside))


def _lists_files(mapping: YamlMapping) -> bool:
    """Tell whether a mapping is nothing but paths and their digests."""
    return (
        bool(mapping.items)
        and all(
            isinstance(node, YamlText) and _looks_like_digest(node)
            for node in mapping.items.values()
        )
        and not any(_squeeze(key) in _ITEM for key in mapping.items)
    )


def _looks_like_digest(node: YamlText) -> bool:
    text = node.value.strip().lower().removeprefix("sha256:")
    return len(text) == _HEX_DIGITS and all(char in "0123456789abcdef" for char in text)


def _read_dependencies(node: YamlNode, place: str) -> Iterator[DocumentValue]:
    if _is_null(node):
        return
    if isinstance(node, YamlSequence):
        yield from _read_packages(node, place)
        return
    for field, key, value in _pick(_expect_mapping(node, place), _DEPENDENCIES, place):
        inside = _join(place, key)
        if _is_null(value):
            continue
        if field == "lock":
            yield from _read_part(value, inside, DocumentSection.LOCK)
        elif field == "lock_sha256":
            text = _take_text(value, inside)
            yield DocumentValue(inside, DocumentSection.LOCK, 0, "sha256", text)
        elif field == "packages":
            yield from _read_packages(value, inside)
        elif not isinstance(value, YamlText):
            yield _to_unknown(inside, value)
        elif field:
            text = _take_text(value, inside)
            yield DocumentValue(inside, DocumentSection.TRAINING, 0, field, text)
        else:
            yield _to_package(inside, key, value)


def _read_part(node: YamlNode, place: str, section: DocumentSection) -> Iterator[DocumentValue]:
    """Read one file: its path, its digest, or a mapping of both."""
    if not isinstance(node, YamlMapping):
        text = _take_text(node, place)
        is_digest = isinstance(node, YamlText) and _looks_like_digest(node)
        field = "sha256" if is_digest else "path"
        yield DocumentValue(place, section, 0, field, text)
        return
    for value in _read_item(node, place, section, 0):
        yield value._replace(field="path") if value.field == "name" else value


def _read_packages(node: YamlNode, place: str) -> Iterator[DocumentValue]:
    if isinstance(node, YamlMapping):
        for name, value in node.items.items():
            inside = _join(place, name)
            if not isinstance(value, YamlText):
                yield _to_unknown(inside, value)
            elif not _is_null(value):
                yield _to_package(inside, name, value)
        return
    if not isinstance(node, YamlSequence):
        yield _to_unknown(place, node)
        return
    for index, item in enumerate(node.items):
        yield _read_package(item, f"{place}[{index}]")


def _read_package(item: YamlNode, place: str) -> DocumentValue:
    """Read ``torch==2.1.0``, or a mapping with a name and a version."""
    if isinstance(item, YamlMapping):
        found = {_squeeze(key): node for key, node in item.items.items()}
        if set(found) == {"name", "version"}:
            return _to_package(place, _take_text(found["name"], place), found["version"])
        return _to_unknown(place, item)
    if isinstance(item, YamlSequence) or _is_null(item):
        return _to_unknown(place, item)
    name, mark, version = _take_text(item, place).partition("==")
    if not mark or not name.strip():
        return _to_unknown(place, item)
    return DocumentValue(place, DocumentSection.PACKAGE, 0, name.strip(), version.strip())


def _to_package(place: str, name: str, node: YamlNode) -> DocumentValue:
    text = _take_text(node, place).strip().removeprefix("==").strip()
    name = _check_name(name, node.line, place)
    return DocumentValue(place, DocumentSection.PACKAGE, 0, name, text)


def _read_training(node: YamlNode, place: str) -> Iterator[DocumentValue]:
    if _is_null(node):
        return
    for field, key, value in _pick(_expect_mapping(node, place), _TRAINING, place):
        inside = _join(place, key)
        if not _is_null(value):
            yield from _read_property(field, value, inside)


def _read_property(field: str, node: YamlNode, place: str) -> Iterator[DocumentValue]:
    """Read one property of the training."""
    if field == "script":
        yield from _read_part(node, place, DocumentSection.SCRIPT)
    elif field == "script_sha256":
        text = _take_text(node, place)
        yield DocumentValue(place, DocumentSection.SCRIPT, 0, "sha256", text)
    elif field == "seed":
        yield from _flatten(node, place, "", DocumentSection.SEED)
    elif field == "parameters":
        yield from _flatten(node, place, "", DocumentSection.PARAMETER)
    elif field == "hardware":
        for one in _flatten(node, place, "", DocumentSection.TRAINING):
            yield one._replace(field="hardware")
    elif field == "framework" and isinstance(node, YamlMapping):
        yield from _read_framework(node, place)
    elif field and isinstance(node, YamlText):
        yield DocumentValue(place, DocumentSection.TRAINING, 0, field, _take_text(node, place))
    else:
        yield _to_unknown(place, node)


def _read_framework(mapping: YamlMapping, place: str) -> Iterator[DocumentValue]:
    fields = {"name": "framework", "version": "framework_version"}
    for field, key, node in _pick(mapping, {name: name for name in fields}, place):
        inside = _join(place, key)
        if field and isinstance(node, YamlText):
            text = _take_text(node, inside)
            yield DocumentValue(inside, DocumentSection.TRAINING, 0, fields[field], text)
        else:
            yield _to_unknown(inside, node)


def _flatten(
    node: YamlNode, place: str, name: str, section: DocumentSection
) -> Iterator[DocumentValue]:
    """Yield the texts in a value, with dotted names; recursion is bounded by the document's."""
    if isinstance(node, YamlMapping):
        for key, value in node.items.items():
            inner = _check_name(f"{name}.{key}" if name else key, value.line, place)
            yield from _flatten(value, _join(place, key), inner, section)
    elif isinstance(node, YamlSequence):
        for index, item in enumerate(node.items):
            yield from _flatten(item, f"{place}[{index}]", name, section)
    elif not _is_null(node):
        yield DocumentValue(place, section, 0, name, _take_text(node, place))


def _read_model(node: YamlNode, place: str) -> Iterator[DocumentValue]:
    if isinstance(node, YamlSequence):
        raise ParseError(f"line {node.line}: {place} is a list; one document is of one model")
    yield from _read_item(node, place, DocumentSection.MODEL, 0)


_READERS: Final[Mapping[str, Callable[[YamlNode, str], Iterator[DocumentValue]]]] = {
    "model": _read_model,
    "base": lambda node, place: _read_items(node, place, DocumentSection.BASE),
    "data": lambda node, place: _read_items(node, place, DocumentSection.DATA),
    "dependencies": _read_dependencies,
    "training": _read_training,
    "files": _read_files,
}


def _join(place: str, key: str) -> str:
    """Return the place of ``key``; bounded, since there is one for each value."""
    name = printable(key, limit=_SHOWN_CHARACTERS)
    return printable(f"{place}.{name}" if place else name, limit=_PLACE_CHARACTERS)


def _check_name(name: str, line: int, place: str) -> str:
    if len(name) > _PLACE_CHARACTERS:
        size = f"{len(name):,} characters"
        raise ParseError(
            f"line {line}: a name in {place} has {size}, more than {_PLACE_CHARACTERS}"
        )
    return name


def _expect_mapping(node: YamlNode, what: str) -> YamlMapping:
    if not isinstance(node, YamlMapping):
        raise ParseError(f"line {node.line}: {what} is not made of `key: value` lines")
    return node


def _is_null(node: YamlNode) -> bool:
    return isinstance(node, YamlText) and node.is_null


def _to_unknown(place: str, node: YamlNode) -> DocumentValue:
    text = node.value[:_SHOWN_CHARACTERS] if isinstance(node, YamlText) else ""
    return DocumentValue(place, DocumentSection.UNKNOWN, 0, "", text)


def _take_text(node: YamlNode, place: str) -> str:
    if not isinstance(node, YamlText):
        raise ParseError(f"line {node.line}: {place} must be one text")
    return _check_text(node.value.strip(), node.line, place)


def _check_text(text: str, line: int, place: str) -> str:
    if len(text) > _MAX_CHARACTERS:
        size = f"{len(text):,} characters"
        raise ParseError(f"line {line}: {place} has {size}, more than {_MAX_CHARACTERS:,}")
    return text
