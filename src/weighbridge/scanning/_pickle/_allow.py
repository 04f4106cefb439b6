"""Which names a pickle may use, and how: an allow-list of exact (module, name) pairs.

Everything else is DANGEROUS (the name alone tells), FOREIGN (the standard library: no benign
pickle calls it) or UNKNOWN (somebody's own class; nobody vouches for it).
"""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from functools import cache
from pathlib import Path

from weighbridge.scanning._pickle._allow_names import CONSTRUCTORS, DATA, NUMBERS
from weighbridge.scanning._pickle._allow_standard import STANDARD_CONSTRUCTORS, STANDARD_DATA
from weighbridge.scanning._pickle._allow_tables import TABLE_CONSTRUCTORS, TABLE_DATA
from weighbridge.scanning._pickle._danger import DANGEROUS_MODULES, DANGEROUS_NAMES, UNKNOWN_NAMES
from weighbridge.scanning._pickle._rebuild import REBUILDERS
from weighbridge.scanning._pickle._standard_modules import STANDARD_MODULES
from weighbridge.scanning._pickle._values import Use

__all__ = ["classify", "find_shape", "is_script_name", "map_python2_name"]

_SCRIPT_HELPERS = "torch.jit._pickle"
# Classes that PyTorch itself registers from C++: what they hold are tensors and numbers.
_SCRIPT_CLASSES = "__torch__.torch.classes."
_KNOWN_SCRIPT_CLASSES = frozenset({"quantized", "rnn", "xnnpack", "mkldnn", "sparse"})


def map_python2_name(module: str, name: str) -> tuple[str, str]:
    """Return what the unpickler makes of a name when the protocol is below 3.

    Source:
        CPython ``Lib/pickle.py``, ``_Unpickler.find_class``.
    """
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[module, name]
    return IMPORT_MAPPING.get(module, module), name


def classify(module: str, name: str) -> Use:
    """Say what a pickle may do with a name, as it stands after the mapping of Python 2's names."""
    return _load_list().get((module, name)) or _classify_unlisted(module, name)


def find_shape(module: str, name: str) -> str:
    """Return the shape that the arguments of a listed class have; see ``_pickle_shapes``."""
    shape = _load_shapes().get((module, name))
    return shape or ("numbers" if module in NUMBERS else "none")


def is_script_name(module: str, name: str) -> bool:
    """Return whether a name in the pickle of a TorchScript archive is data there.

    libtorch reads these pickles, and nothing of Python: a class is one of the archive's own code.

    Source:
        PyTorch ``torch/csrc/jit/serialization/unpickler.cpp``, ``Unpickler::readGlobal``.
    """
    if module.startswith(_SCRIPT_CLASSES):
        return module.removeprefix(_SCRIPT_CLASSES) in _KNOWN_SCRIPT_CLASSES
    if module == _SCRIPT_HELPERS:
        return name in UNKNOWN_NAMES[_SCRIPT_HELPERS]
    return module == "__torch__" or module.startswith("__torch__.")


_MAX_PARENTS = 1 + max(module.count(".") for module in DANGEROUS_MODULES)


def _classify_unlisted(module: str, name: str) -> Use:
    if name in UNKNOWN_NAMES.get(module, frozenset()):
        return Use.UNKNOWN
    parents = module.split(".", _MAX_PARENTS)
    # No listed module has so many parents: longer prefixes cannot be listed, and joining them all
    # would take the square of a name's length.
    prefixes = (".".join(parents[:count]) for count in range(1, len(parents) + 1))
    # A name may be a module too: GLOBAL 'numpy' 'testing', GLOBAL 'os' 'path'.
    first = name.split(".", 1)[0]
    if any(prefix in DANGEROUS_MODULES for prefix in (*prefixes, f"{module}.{first}")):
        return Use.DANGEROUS
    if first in DANGEROUS_NAMES.get(parents[0], frozenset()):
        return Use.DANGEROUS
    if parents[0] in STANDARD_MODULES:
        return Use.FOREIGN
    return Use.UNKNOWN


_NUMPY_CORES = (
    "numpy._core._multiarray_umath",
    "numpy._core.umath",
    "numpy.core._multiarray_umath",
    "numpy.core.umath",
)


@cache
def _load_list() -> dict[tuple[str, str], Use]:
    """Join the tables and the generated lists: lines of ``use module: name name ...``."""
    listed: dict[tuple[str, str], Use] = dict.fromkeys(REBUILDERS, Use.REBUILD)
    listed.update(dict.fromkeys(_load_shapes(), Use.CONSTRUCTOR))
    for module, names in (*STANDARD_DATA.items(), *DATA.items(), *TABLE_DATA.items()):
        listed.update(dict.fromkeys(((module, name) for name in names.split()), Use.DATA))
    for word, module, exact in _read_lines("allow-list.txt"):
        for name in exact:
            listed.setdefault((module, name), Use(word))
    # Releases differ on which of its modules NumPy says that its functions are in.
    for module, name in [pair for pair, use in listed.items() if use is Use.DATA]:
        if module == "numpy":
            listed.update(((elsewhere, name), Use.DATA) for elsewhere in _NUMPY_CORES)
    return listed


@cache
def _load_shapes() -> dict[tuple[str, str], str]:
    shapes = {
        (module, name): shape
        for shape, module, names in _read_lines("allow-classes.txt")
        for name in names
    }
    # What is written by hand, and what was read from the live library, is more exact.
    for word, module, exact in _read_lines("allow-list.txt"):
        if word == Use.CONSTRUCTOR.value:
            for name in exact:
                shapes.pop((module, name), None)
    tables = (STANDARD_CONSTRUCTORS, TABLE_CONSTRUCTORS, CONSTRUCTORS)
    for shape, modules in (pair for table in tables for pair in table.items()):
        for module, listed in modules.items():
            shapes.update({(module, name): shape for name in listed.split()})
    return shapes


def _read_lines(file_name: str) -> list[tuple[str, str, list[str]]]:
    """Return (word, module, names) of a generated list."""
    found = []
    for line in Path(__file__).with_name(file_name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            key, _, names = line.partition(": ")
            word, _, module = key.partition(" ")
            found.append((word, module, names.split()))
    return found
