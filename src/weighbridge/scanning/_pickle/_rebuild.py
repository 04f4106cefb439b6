"""Functions on the allow-list that are harmless with the right arguments only, and those checks.

A check gets the arguments of one call and returns what is wrong with them, or nothing. Names and
calls inside the arguments were judged when they were met; a check says that every argument is of
the kind that real pickles have there, so that nothing is called, converted or looked up unseen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.formats import Blob
from weighbridge.scanning._pickle._allow_tables import TABLE_DATA
from weighbridge.scanning._pickle._dtype import measure_dtype
from weighbridge.scanning._pickle._shapes import (
    ARRAY,
    ARRAYS,
    BIT_GENERATOR,
    SCALAR,
    STORAGE,
    TENSOR,
    TENSORS,
    is_array,
    is_constant,
    is_kept_function,
    is_list,
    is_made,
    is_value,
)
from weighbridge.scanning._pickle._values import (
    DictItems,
    Global,
    Items,
    ListItems,
    Made,
    Persistent,
    Use,
    Value,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FIRST", "GETATTR", "NEWOBJ", "UNPICKLERS", "Rebuild", "find_rebuild"]

Args = tuple[Value, ...]

FIRST = "class of the first argument"
NEWOBJ = ("copyreg", "__newobj__")
GETATTR = ("builtins", "getattr")
# They unpickle the bytes that they get.
UNPICKLERS = frozenset(
    {"numba.core.serialize._unpickle__CustomPickled", "torch.storage._load_from_bytes"}
)
MEMORY = ("joblib.memory", "Memory")
ZONE = ("zoneinfo", "ZoneInfo._unpickle")
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]{1,30}(/[A-Za-z0-9_+-]{1,30}){0,2}")
_ZONE_ARGS = 2
_BIT_GENERATORS = frozenset(
    {
        "numpy.random._mt19937.MT19937",
        "numpy.random._pcg64.PCG64",
        "numpy.random._pcg64.PCG64DXSM",
        "numpy.random._philox.Philox",
        "numpy.random._sfc64.SFC64",
    }
)
_CONTAINERS = frozenset({"dict", "frozenset", "list", "set", "tuple"})
_NUMBERS_AND_TEXTS = frozenset({"bytes", "complex", "float", "int", "str"})


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What is known about a listed function.

    Attributes:
        check: Says what is wrong with the arguments of a call.
        gives: Of what class the result is; empty if nobody needs to know; ``FIRST``.
        classes: Of how many leading arguments classes are expected; somebody's own may stand
            there, which is then a call of that class.
        state: Index of an argument that is a state, as for BUILD; -1 without.
        functions: Indexes of arguments that are functions, which it calls; the first with the
            third argument, the second with the first.
        same_module: Whether the class must be of the function's own module.
    """

    check: Callable[[Args], str]
    gives: str = ""
    classes: int = 0
    state: int = -1
    functions: tuple[int, ...] = ()
    same_module: bool = False


def _is_class(value: Value) -> bool:
    """Return whether ``value`` is a listed class, by name and not computed."""
    return isinstance(value, Global) and value.use is Use.CONSTRUCTOR


def _is_one_of(value: Value, paths: frozenset[str]) -> bool:
    if not isinstance(value, Global):
        return False
    return value.path in paths or value.use is Use.UNKNOWN or value.vouched


def _constants(args: Args) -> str:
    return "" if all(map(_is_constant_or_data, args)) else "an argument is more than a constant"


def _is_constant_or_data(value: Value) -> bool:
    if isinstance(value, Global):
        return value.use is Use.DATA
    return is_constant(value)


# -- Python ----------------------------------------------------------------------------------------


def _reconstructor(args: Args) -> str:
    # It calls the base's __new__ and __init__ with the state.
    if len(args) != 3 or not (_is_class(args[0]) or _is_one_of(args[0], frozenset())):  # noqa: PLR2004
        return "its first argument is no listed class"
    cls, base, state = args
    if not isinstance(base, Global) or base.module != "builtins":
        return "its second argument is no class of Python's own"
    if cls.path in ARRAYS:
        return "it makes an array"
    if base.name == "object":
        return "" if state is None else "it gets a state that its base does not take"
    if base.name in _CONTAINERS and is_list(state):
        return ""
    # A text of an object would tell where it is in memory.
    right = base.name in _NUMBERS_AND_TEXTS and is_constant(state) and not is_list(state)
    return "" if right else "its base or its state is none that is known"


def _latin1(args: Args) -> str:
    # Protocols 0 to 2 write bytes this way; other codecs are looked up by import.
    right = len(args) == 2 and to_text(args[1]) in ("latin1", "latin-1")  # noqa: PLR2004
    if not right:
        return "its arguments are not (text, 'latin1')"
    text = type(args[0]) is bytes or isinstance(args[0], Blob)
    return "" if text else "it does not encode a text that is written down"


def _singleton(args: Args) -> str:
    # How the types of None, Ellipsis and NotImplemented are written.
    names = ("builtins.Ellipsis", "builtins.NotImplemented")
    if len(args) == 1 and (
        args[0] is None or (isinstance(args[0], Global) and args[0].path in names)
    ):
        return ""
    return "it makes or looks up a class"


def _generic(args: Args) -> str:
    # How typing writes List[int]: an index into one of its own names.
    if len(args) != 2 or not isinstance(args[0], Global):  # noqa: PLR2004
        return "it takes an item of an object"
    known = args[0].module in ("typing", "collections.abc", "types") and args[0].use is Use.DATA
    return _types(args[1]) if known else "it takes an item of an object"


def _alias(args: Args) -> str:
    # list[int]: the class and what is in the brackets; nothing is called.
    if len(args) != 2 or not _is_class(args[0]):  # noqa: PLR2004
        return "its first argument is no listed class"
    return _types(args[1])


def _union(args: Args) -> str:
    # int | str: the operator, and classes only, so that no object decides what it means.
    operator = args[0] if len(args) == 2 else None  # noqa: PLR2004
    if not isinstance(operator, Global) or operator.path != "_operator.or_":
        return "it calls a function for each item"
    return _types(args[1])


def _types(value: Value) -> str:
    """Return what is wrong with the parameters of a type: classes, constants, other such types."""
    waiting, looked_at = [value], 0
    while waiting:
        item = waiting.pop()
        looked_at += 1
        if type(item) is tuple or isinstance(item, ListItems):
            waiting.extend(item)
        elif isinstance(item, Global):
            if item.use not in (Use.DATA, Use.CONSTRUCTOR, Use.UNKNOWN):
                return "a parameter of the type is a function"
        elif not is_constant(item) and not is_made(item, _GENERIC, "builtins.type"):
            return "a parameter of the type is an object"
        if looked_at > _MAX_PARAMETERS:
            return "the type has too many parameters"
    return ""


def _array(args: Args) -> str:
    right = args and isinstance(args[0], Global) and args[0].path == "array.array"
    return _constants(args[1:]) if right else "its first argument is not array.array"


def _zone(args: Args) -> str:
    key = to_text(args[0]) if len(args) == _ZONE_ARGS else None
    right = key is not None and _ZONE_KEY.fullmatch(key) and is_constant(args[1])
    return "" if right else "its arguments are not the name of a time zone"


_GENERIC = "generic type"
_MAX_PARAMETERS = 64
_LOOKS_UP = "it looks up an attribute"
_MEMBER = re.compile(r"[A-Z][A-Z0-9_]*")
_METHOD = re.compile(r"_[a-z0-9]+(_[a-z0-9]+)*")
_METHODS = frozenset(
    {ZONE}
    | {
        (module, f"KDTree.{name}")
        for module in ("scipy.spatial.kdtree", "scipy.spatial._kdtree")
        for name in ("innernode", "leafnode", "node")
    }
) | {
    (module, name) for module, names in TABLE_DATA.items() for name in names.split() if "." in name
}


def _attribute(args: Args) -> str:
    """Let through what picklers look up: members of enumerations, and a few listed methods."""
    if len(args) != _ZONE_ARGS or not (name := to_text(args[1])):
        return _LOOKS_UP
    owner = args[0]
    right = False
    if isinstance(owner, Global) and owner.enum:
        right = _MEMBER.fullmatch(name) is not None
    elif isinstance(owner, Global):
        right = (owner.module, f"{owner.name}.{name}") in _METHODS
    elif isinstance(owner, Made):
        # NumPy's vectorize in distributions of SciPy holds methods of them.
        known = owner.trusted and owner.path.startswith("scipy.stats._")
        right = known and _METHOD.fullmatch(name) is not None
    return "" if right else _LOOKS_UP


def _partial(args: Args) -> str:
    # It only keeps them; the result cannot be called without a finding.
    if not args or not is_kept_function(args[0]):
        return "its first argument is no listed class or function"
    return "" if all(is_value(arg) for arg in args[1:]) else "an argument is none that is known"


def _getter(args: Args) -> str:
    return "" if args and all(map(is_constant, args)) else "its arguments are not constants"


def _named_getter(args: Args) -> str:
    names = [to_text(arg) for arg in args]
    right = names and all(name and "__" not in name for name in names)
    return "" if right else "it reaches into objects"


def _method_caller(args: Args) -> str:
    right = args and not (to_text(args[0]) or "_").startswith("_") and all(map(is_constant, args))
    return "" if right else "its arguments are not the name of a method and constants"


# -- pandas ----------------------------------------------------------------------------------------


def _is_class_of_pandas(value: Value) -> bool:
    return _is_class(value) and value.module.partition(".")[0] == "pandas"


def _new_index(args: Args) -> str:
    # (class, keyword arguments)
    if len(args) < 2 or not _is_class_of_pandas(args[0]) or "Index" not in args[0].name:  # noqa: PLR2004
        return "its first argument is no class of indexes"
    for given in args[1:]:
        values = given[1::2] if isinstance(given, DictItems) else [given]
        if not all(is_value(value) for value in values):
            return "an argument is none that indexes have"
    return ""


def _pandas_array(args: Args) -> str:
    if not args or not _is_class_of_pandas(args[0]):
        return "its first argument is no class of pandas"
    return _constants(args[1:])


# -- NumPy -----------------------------------------------------------------------------------------


def _new_array(args: Args) -> str:
    if not args or not _is_one_of(args[0], ARRAYS):
        return "its first argument is no class of arrays"
    return _constants(args[1:])


def _masked_array(args: Args) -> str:
    if len(args) < 2 or not all(_is_one_of(arg, ARRAYS) for arg in args[:2]):  # noqa: PLR2004
        return "its first two arguments are no classes of arrays"
    return _constants(args[2:])


def _scalar(args: Args) -> str:
    if len(args) != 2 or not is_constant(args[1]) or isinstance(args[1], Items):  # noqa: PLR2004
        return "its arguments are not a dtype and bytes"  # with objects it returns any argument
    layout = measure_dtype(args[0])
    return "" if layout is not None and not layout.objects else "its dtype is not plain"


def _buffer(args: Args) -> str:
    known = args and (is_constant(args[0]) or is_made(args[0], "out-of-band buffer"))
    if not known or len(args) < 2:  # noqa: PLR2004
        return "its first argument is no bytes"
    layout = measure_dtype(args[1])
    if layout is None or layout.objects:
        return "its dtype is not plain"
    return _constants(args[2:])


def _ufunc(args: Args) -> str:
    # It imports the module that the first names; which names those may be is judged by the list.
    right = len(args) == 2 and all(to_text(arg) for arg in args)  # noqa: PLR2004
    return "" if right else "its arguments are not the name of a function of NumPy"


def _bit_generator(args: Args) -> str:
    right = not args or to_text(args[0]) is not None
    right = right or (isinstance(args[0], Global) and args[0].path in _BIT_GENERATORS)
    return _constants(args[1:]) if right else "its argument is no bit generator"


def _generator(args: Args) -> str:
    # (name or BitGenerator[, what makes one]): the second is called with the first.
    makers = "numpy.random._pickle.__bit_generator_ctor"
    if len(args) > 1 and not (isinstance(args[1], Global) and args[1].path == makers):
        return "its second argument would be called"
    if args and is_made(args[0], BIT_GENERATOR):
        return ""
    return _bit_generator(args[:1])


# -- Arrow -----------------------------------------------------------------------------------------


def _arrow(args: Args) -> str:
    right = all(_is_arrow(arg) for arg in args)
    return "" if right else "an argument is none that Arrow's arrays have"


def _is_arrow(value: Value, depth: int = 0) -> bool:
    """Return whether a value is what Arrow's arrays are made of: bytes, types, arrays, lists."""
    if type(value) is tuple or isinstance(value, ListItems):
        return depth < _MAX_DEPTH and all(_is_arrow(item, depth + 1) for item in value)
    if isinstance(value, Made):
        return value.trusted and value.path in _ARROW_PARTS
    return is_constant(value)


# Their functions that take such things, and only such, to make one of them.
_ARROW_NAMES = (
    "_restore_array",
    "array",
    "binary",
    "chunked_array",
    "decimal128",
    "decimal256",
    "dictionary",
    "duration",
    "field",
    "fixed_size_binary",
    "large_list",
    "list_",
    "map_",
    "py_buffer",
    "schema",
    "struct",
    "time32",
    "time64",
    "timestamp",
    "type_for_alias",
)
_ARROW_PARTS = frozenset(
    {"builtins.bytearray", "out-of-band buffer"} | {f"pyarrow.lib.{name}" for name in _ARROW_NAMES}
)
_MAX_DEPTH = 8

# -- Cython ----------------------------------------------------------------------------------------


def _cython(args: Args) -> str:
    # newObj(class), __pyx_unpickle_Name(class, checksum, state)
    if not args or not (_is_class(args[0]) or _is_one_of(args[0], frozenset())):
        return "its first argument is no listed class"
    return _constants(args[1:2])


# -- PyTorch ---------------------------------------------------------------------------------------


def _is_storage(value: Value) -> bool:
    return isinstance(value, Persistent) or is_made(value, STORAGE)


def _storage_first(args: Args) -> str:
    if not args or not _is_storage(args[0]):
        return "its first argument is no storage"
    return _parts(args[1:])


def _parts(args: Args) -> str:
    right = all(_is_part(arg) for arg in args)
    return "" if right else "an argument is none that tensors have"


def _is_part(value: Value) -> bool:
    """Return whether a value is what tensors are made of: constants, tensors, descriptions."""
    if type(value) is tuple:
        return all(_is_constant_or_data(item) or is_made(item, *_PARTS) for item in value)
    return _is_constant_or_data(value) or is_made(value, *_PARTS)


def _tensor_first(args: Args) -> str:
    if not args or not is_made(args[0], *TENSORS):
        return "its first argument is no tensor"
    return _parts(args[1:])


def _array_first(args: Args) -> str:
    return _parts(args) if args and is_array(args[0]) else "its first argument is no array"


def _parameter_with_state(args: Args) -> str:
    right = len(args) == 4  # noqa: PLR2004
    return _tensor_first(args[:3]) if right else "it does not get four arguments"


def _tensor_class(args: Args) -> str:
    right = args and _is_one_of(args[0], TENSORS)
    return _parts(args[1:]) if right else "its first argument is no class of tensors"


def _from_type(args: Args) -> str:
    # (function, class, its arguments[, state]); the function is judged by a call of its own.
    if len(args) not in (3, 4) or not _is_one_of(args[1], TENSORS):
        return "its second argument is no class of tensors"
    function = args[0]
    right = isinstance(function, Global) and function.module == _TORCH
    right = right and find_rebuild(function.module, function.name).gives == TENSOR
    return "" if right else "its first argument is no function that rebuilds tensors"


_TORCH = "torch._utils"
_PARTS = (
    *TENSORS,
    ARRAY,
    "collections.OrderedDict",
    "torch.Size",
    "torch.device",
    "torch layout",
)
_STORED = Rebuild(_storage_first, TENSOR)
_FROM_TENSOR = Rebuild(_tensor_first, TENSOR)
_FROM_PARTS = Rebuild(_parts, TENSOR)
_NEW_ARRAY = Rebuild(_new_array, FIRST, classes=1)
_PANDAS_ARRAY = Rebuild(_pandas_array, FIRST, classes=1, state=2)
_CYTHON = Rebuild(_cython, FIRST, classes=1, state=2, same_module=True)

REBUILDERS: dict[tuple[str, str], Rebuild] = {
    ("_operator", "getitem"): Rebuild(_generic, _GENERIC),
    ("_functools", "reduce"): Rebuild(_union, _GENERIC),
    ("functools", "reduce"): Rebuild(_union, _GENERIC),
    ("types", "GenericAlias"): Rebuild(_alias, _GENERIC),
    ("_codecs", "encode"): Rebuild(_latin1),
    ("array", "_array_reconstructor"): Rebuild(_array),
    GETATTR: Rebuild(_attribute),
    ZONE: Rebuild(_zone, "zoneinfo.ZoneInfo"),
    ("builtins", "type"): Rebuild(_singleton),
    NEWOBJ: Rebuild(lambda _: ""),  # judged as what it is: a call of its first argument
    ("copyreg", "_reconstructor"): Rebuild(_reconstructor, FIRST, classes=1),
    ("re", "_compile"): Rebuild(_constants),
    ("functools", "partial"): Rebuild(_partial, "functools.partial", classes=1),
    **{
        (module, name): Rebuild(check, f"operator.{name}")
        for module in ("operator", "_operator")
        for name, check in (
            ("attrgetter", _named_getter),
            ("itemgetter", _getter),
            ("methodcaller", _method_caller),
        )
    },
    **{
        (module, name): Rebuild(_new_index, FIRST, classes=1)
        for module, name in (
            ("pandas.core.index", "_new_Index"),
            ("pandas.core.indexes.base", "_new_Index"),
            ("pandas.core.indexes.datetimes", "_new_DatetimeIndex"),
            ("pandas.core.indexes.interval", "_new_IntervalIndex"),
            ("pandas.core.indexes.period", "_new_PeriodIndex"),
            ("pandas.core.indexes.timedeltas", "_new_TimedeltaIndex"),
            ("pandas.indexes.base", "_new_Index"),
            ("pandas.tseries.index", "_new_DatetimeIndex"),
            ("pandas.tseries.period", "_new_PeriodIndex"),
        )
    },
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): _PANDAS_ARRAY,
    ("pandas._libs.tslibs.period", "__pyx_unpickle_PeriodMixin"): _PANDAS_ARRAY,
    **{
        (f"numpy.{core}", "_ufunc_reconstruct"): Rebuild(_ufunc)
        for core in ("core", "_core", "core._internal")
    },
    **{
        ("sklearn._loss._loss", f"__pyx_unpickle_{name}"): _CYTHON
        for name in [
            "CyAbsoluteError",
            "CyExponentialLoss",
            "CyHalfBinomialLoss",
            "CyHalfGammaLoss",
            "CyHalfMultinomialLoss",
            "CyHalfPoissonLoss",
            "CyHalfSquaredError",
            "CyHalfTweedieLoss",
            "CyHalfTweedieLossIdentity",
            "CyHuberLoss",
            "CyLossFunction",
            "CyPinballLoss",
        ]
    },
    **{
        (f"sklearn.{module}", "newObj"): _CYTHON
        for module in (
            "metrics._dist_metrics",
            "neighbors._ball_tree",
            "neighbors._dist_metrics",
            "neighbors._kd_tree",
            "neighbors.ball_tree",
            "neighbors.dist_metrics",
            "neighbors.kd_tree",
        )
    },
    ("hdbscan.dist_metrics", "newObj"): _CYTHON,
    ("scipy.spatial.ckdtree", "new_object"): _CYTHON,
    ("pandas._libs.interval", "__pyx_unpickle_IntervalMixin"): _PANDAS_ARRAY,
    **{("pyarrow.lib", name): Rebuild(_arrow) for name in _ARROW_NAMES},
    ("numpy.core._internal", "_reconstruct"): _NEW_ARRAY,
    ("numpy.core.multiarray", "_reconstruct"): _NEW_ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _NEW_ARRAY,
    ("numpy.core.multiarray", "scalar"): Rebuild(_scalar, SCALAR),
    ("numpy._core.multiarray", "scalar"): Rebuild(_scalar, SCALAR),
    ("numpy.core.numeric", "_frombuffer"): Rebuild(_buffer, ARRAY),
    ("numpy._core.numeric", "_frombuffer"): Rebuild(_buffer, ARRAY),
    ("numpy._core._internal", "_convert_to_stringdtype_kwargs"): Rebuild(
        _constants, "numpy StringDType"
    ),
    ("numpy.ma.core", "_mareconstruct"): Rebuild(_masked_array, FIRST, classes=2),
    ("numpy.random._pickle", "__bit_generator_ctor"): Rebuild(_bit_generator, BIT_GENERATOR),
    ("numpy.random._pickle", "__generator_ctor"): Rebuild(_generator, functions=(1,)),
    ("numpy.random._pickle", "__randomstate_ctor"): Rebuild(_generator, functions=(1,)),
    # NumPy before 1.17.
    ("numpy.random", "__RandomState_ctor"): Rebuild(_generator, functions=(1,)),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): _CYTHON,
    (_TORCH, "_rebuild_tensor"): _STORED,
    (_TORCH, "_rebuild_tensor_v2"): _STORED,
    (_TORCH, "_rebuild_tensor_v3"): _STORED,
    (_TORCH, "_rebuild_qtensor"): _STORED,
    (_TORCH, "_rebuild_parameter"): _FROM_TENSOR,
    (_TORCH, "_rebuild_parameter_with_state"): Rebuild(_parameter_with_state, TENSOR, state=3),
    (_TORCH, "_rebuild_meta_tensor_no_storage"): _FROM_PARTS,
    (_TORCH, "_rebuild_nested_tensor"): _FROM_TENSOR,
    (_TORCH, "_rebuild_sparse_tensor"): _FROM_PARTS,
    (_TORCH, "_rebuild_sparse_csr_tensor"): _FROM_PARTS,
    (_TORCH, "_rebuild_device_tensor_from_numpy"): Rebuild(_array_first, TENSOR),
    (_TORCH, "_rebuild_device_tensor_from_cpu_tensor"): _FROM_TENSOR,
    (_TORCH, "_rebuild_xla_tensor"): Rebuild(_array_first, TENSOR),
    (_TORCH, "_rebuild_wrapper_subclass"): Rebuild(_tensor_class, TENSOR, classes=1),
    ("torch._tensor", "_rebuild_from_type"): Rebuild(_from_type, TENSOR, state=3, functions=(0,)),
    ("torch._tensor", "_rebuild_from_type_v2"): Rebuild(
        _from_type, TENSOR, state=3, functions=(0,)
    ),
    ("torch.serialization", "_get_layout"): Rebuild(_constants, "torch layout"),
    ("torch.storage", "_load_from_bytes"): Rebuild(lambda _: "", STORAGE),
    # As estimators have it; with a place it would make a folder.
    MEMORY: Rebuild(lambda args: "it makes a folder" if args else "", "joblib.memory.Memory"),
    # Unpickles (class, state); what it gives is judged where it is called.
    ("numba.core.serialize", "_unpickle__CustomPickled"): Rebuild(lambda _: "", "numba pickle"),
}


def find_rebuild(module: str, name: str) -> Rebuild:
    """Return what is known about a listed function.

    Those in ``allow-list.txt`` are Cython's, which take a class of their own module first.
    """
    return REBUILDERS.get((module, name), _CYTHON)
