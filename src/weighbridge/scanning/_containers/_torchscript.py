"""What kind of model archive the names in a zip make it, and which members are raw numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from weighbridge.scanning._notes import found, not_examined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weighbridge.core import Location
    from weighbridge.formats import ZipEntry
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._notes import Note

__all__ = ["ModelArchive", "describe_archive", "enter_member", "report_script"]

# What torch.save and torch.jit.save write, and nothing looser: the pickle beside it is the file's
# own word.
# PyTorch 1.4 and 1.5 call a storage by the address that it had in memory.
_STORAGE = re.compile(r"([^/]+)/(data|constants|traced_inputs|bytecode)/[0-9]{1,20}")
# torch.package names its storages in any of its pickles; torch.export lists them in JSON.
_PACKAGE_STORAGE = re.compile(r"([^/]+)/\.data/[0-9]{1,9}\.storage")
_EXPORT_STORAGE = re.compile(r"([^/]+)/data/(?:weights/weight|constants/tensor)_[0-9]{1,9}")
# Each makes torch.jit.load take an archive; ``model.json`` is what PyTorch 1.0 wrote.
_SCRIPT_FILES = frozenset({"constants.pkl", "bytecode.pkl"})
_OLD_SCRIPT_FILE = "model.json"


@dataclass(frozen=True, slots=True)
class ModelArchive:
    """What the names in a zip say.

    Attributes:
        names: All of them.
        format: What kind of archive this is, for people; nothing depends on it.
        script: ``none``; ``plain`` for TorchScript as torch.jit.save writes it; ``odd`` for what
            some reader may take for it.
    """

    names: frozenset[str]
    format: str
    script: Literal["none", "plain", "odd"]

    def may_be_storage(self, entry: ZipEntry) -> bool:
        """Return whether this is a storage by its name, stored as it is."""
        if entry.method or entry.packed_bytes != entry.size_bytes or entry.is_encrypted:
            return False
        if (match := _STORAGE.fullmatch(entry.name)) is not None:
            return f"{match[1]}/{match[2]}.pkl" in self.names
        return _PACKAGE_STORAGE.fullmatch(entry.name) is not None or self.is_exported(entry.name)

    def is_exported(self, name: str) -> bool:
        """Return whether a member is a tensor of ``torch.export``, which no pickle names."""
        match = _EXPORT_STORAGE.fullmatch(name)
        return match is not None and f"{match[1]}/archive_format" in self.names

    def is_program(self, name: str) -> bool:
        """Return whether a member is a program of ``torch.export``."""
        folders = name.split("/")
        if folders[-1] == "serialized_exported_program.json":
            return True
        exported = f"{folders[0]}/archive_format" in self.names
        return exported and folders[1:2] == ["models"] and name.endswith(".json")

    def name_storages(self, pickle: str, keys: Iterable[str]) -> Iterator[str]:
        """Yield the members that a pickle means by the keys of its storages."""
        root = pickle.partition("/")[0]
        stem = pickle.removesuffix(".pkl")
        for key in keys:
            yield f"{stem}/{key}"
            yield f"{root}/.data/{key}.storage"


def describe_archive(names: Iterable[str]) -> ModelArchive:
    """Say what kind of archive has members of these names."""
    all_names = frozenset(names)
    script = _find_script(all_names)
    return ModelArchive(all_names, _name_format(all_names, script), script)


def _name_format(names: frozenset[str], script: str) -> str:
    if script != "none":
        return "torchscript zip"
    if any(name.endswith("/data.pkl") for name in names):
        return "pytorch zip"
    if any(name.endswith("/.data/extern_modules") for name in names):
        return "torch.package"
    if any(name.endswith("/archive_format") for name in names):
        return "torch.export"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return "keras" if {"config.json", "metadata.json"} <= names else "zip"


def _find_script(names: frozenset[str]) -> Literal["none", "plain", "odd"]:
    """Return whether an archive is TorchScript, or may be taken for it.

    PyTorch's own zip reader does not tell upper from lower case.
    """
    marked = {name for name in names if _is_script(name)}
    if not marked:
        return "none"
    roots = {name.partition("/")[0] for name in names}
    (root,) = roots if len(roots) == 1 else ("",)
    usual = (f"{root}/constants.pkl", f"{root}/bytecode.pkl", f"{root}/code/")
    plain = all(name.startswith(usual) for name in marked)
    # ``torch.package`` would import the code as Python.
    packaged = any(name.lower().endswith("/.data/extern_modules") for name in names)
    has_marks = bool(names & set(usual[:2]))
    return "plain" if root and plain and has_marks and not packaged else "odd"


def _is_script(name: str) -> bool:
    *folders, file = name.replace("\\", "/").lower().split("/")
    return (
        file in _SCRIPT_FILES
        or "code" in folders
        or (len(folders) == 1 and file == _OLD_SCRIPT_FILE)
    )


def report_script(archive: ModelArchive, at: Location) -> Iterator[Note]:
    """Report what may be TorchScript and is not written as PyTorch writes it."""
    if archive.script != "odd":
        return
    if any(name.endswith(tuple(_SCRIPT_FILES)) for name in archive.names):
        message = "Some readers take this archive for TorchScript, and others for something else."
        yield found("WB-TSC-001", at, message)
    reason = "TorchScript: names in its pickles mean code in the archive, which is not examined"
    yield not_examined(at, "torchscript", reason)


def enter_member(name: str, outer: ScanContext, inner: ScanContext) -> ScanContext:
    """Return the context of a member: what its pickles and its code are in TorchScript."""
    if not outer.script:
        return inner
    return replace(inner, script="code" if name.split("/")[1:2] == ["code"] else "data")
