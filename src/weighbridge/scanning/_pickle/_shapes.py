"""The shapes that arguments and states have in real pickles, for the names on the list.

A name that does no harm with these may do anything with others: what converts an object to an
array asks the object for an address. So each listed class has a shape, and other arguments are
answered with unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.scanning._pickle._dtype import DTYPE, RECORDS
from weighbridge.scanning._pickle._values import (
    DictItems,
    Global,
    Items,
    ListItems,
    Made,
    Rebuilder,
    SetItems,
    Use,
    Value,
    is_plain,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ARRAY",
    "ARRAYS",
    "BIT_GENERATOR",
    "FACTORIES",
    "SCALAR",
    "SHAPES",
    "STORAGE",
    "TENSOR",
    "TENSORS",
    "adds_items",
    "count_values",
    "fits_state",
    "is_array",
    "is_constant",
    "is_harmless",
    "is_kept_function",
    "is_list",
    "is_made",
    "is_value",
]

Args = tuple[Value, ...]

ARRAY = "numpy.ndarray"
SCALAR = "numpy scalar"
STORAGE = "torch storage"
TENSOR = "torch.Tensor"
BIT_GENERATOR = "numpy bit generator"
_ENCODE = "_codecs.encode"

# Classes of arrays: what they are made from is bytes and a dtype, by the rebuilding functions.
ARRAYS = frozenset(
    {
        ARRAY,
        "numpy.matrix",
        "numpy.matrixlib.defmatrix.matrix",
        "numpy.recarray",
        "numpy.rec.recarray",
        "numpy.core.records.recarray",
        "numpy._core.records.recarray",
        "numpy.ma.MaskedArray",
        "numpy.ma.core.MaskedArray",
        "pandas.core.base.FrozenNDArray",
        "pandas.core.indexes.frozen.FrozenNDArray",
        "pandas.indexes.frozen.FrozenNDArray",
    }
)
TENSORS = frozenset(
    {
        TENSOR,
        "torch._tensor.Tensor",
        "torch.nn.parameter.Buffer",
        "torch.nn.parameter.Parameter",
    }
)
# What a defaultdict may make when it is asked for a key that it has not.
FACTORIES = frozenset(
    {
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.set",
        "builtins.str",
        "builtins.tuple",
        "collections.Counter",
        "collections.OrderedDict",
        "collections.deque",
    }
)
# Results of calls that were made of constants only.
_CONSTANT_RESULTS = frozenset(
    {_ENCODE, SCALAR}
    | {f"builtins.{name}" for name in ("bool", "bytearray", "bytes", "complex", "float", "int")}
    | {"builtins.range", "builtins.slice", "builtins.str"}
)
_DTYPE_ARGS = 3
_MAX_LOOKED_AT = 64


def is_made(value: Value, *paths: str) -> bool:
    """Return whether ``value`` was made by a listed name of one of these paths."""
    return isinstance(value, Made) and value.trusted and value.path in paths


def is_array(value: Value) -> bool:
    """Return whether ``value`` is certainly a NumPy array."""
    return isinstance(value, Made) and value.trusted and value.path in ARRAYS


def is_constant(value: Value) -> bool:
    """Return whether ``value`` is a constant, or a container of nothing else that is all known."""
    waiting, looked_at = [value], 0
    while waiting:
        item = waiting.pop()
        looked_at += 1
        if isinstance(item, tuple | Items) and not is_plain(item):
            if looked_at + len(item) + len(waiting) > _MAX_LOOKED_AT:
                return False
            waiting.extend(item)
        elif not is_plain(item) and not is_made(item, *_CONSTANT_RESULTS):
            return False
    return True


def count_values(value: Value, limit: int) -> int:
    """Return how many values there are in ``value`` at any depth; at most one more than ``limit``.

    The memo lets a few bytes stand for a large value again and again, so that looking into it has
    to be paid for.
    """
    waiting, count = [value], 0
    while waiting and count <= limit:
        item = waiting.pop()
        count += 1
        if isinstance(item, tuple | Items) and not is_plain(item):
            waiting.extend(item[: limit + 1])
    return count


def is_harmless(value: Value) -> bool:
    """Return whether ``value`` may stand in a container or an attribute: anything judged so far."""
    if isinstance(value, Made):
        return value.trusted
    return not isinstance(value, Rebuilder)


def is_value(value: Value) -> bool:
    """Return whether ``value`` may be an argument: judged, and neither a class nor a function."""
    if isinstance(value, Global):
        return value.use is Use.DATA
    return is_harmless(value)


def is_list(value: Value) -> bool:
    """Return whether ``value`` is a list, tuple, set or dict that the pickle writes down."""
    return isinstance(value, Items) or type(value) is tuple


# -- arguments -------------------------------------------------------------------------------------


def _none(args: Args) -> bool:
    return args == ()


def _constants(args: Args) -> bool:
    return all(is_constant(arg) for arg in args)


def _containers(args: Args) -> bool:
    return all(is_list(arg) or is_plain(arg) for arg in args)


def _anything(args: Args) -> bool:
    return all(is_harmless(arg) for arg in args)


def _numbers(args: Args) -> bool:
    return all(is_constant(arg) or is_array(arg) for arg in args)


def _dates(args: Args) -> bool:
    known = ("datetime.timedelta", "datetime.timezone", "datetime.tzinfo", "zoneinfo.ZoneInfo")
    return all(is_constant(arg) or is_made(arg, *known) for arg in args)


def _factory(args: Args) -> bool:
    if not args:
        return True
    first = args[0]
    known = first is None or (isinstance(first, Global) and first.path in FACTORIES)
    return known and _containers(args[1:])


def _dtype(args: Args) -> bool:
    if not args or len(args) > _DTYPE_ARGS:
        return False
    record = isinstance(args[0], Global) and args[0].path in RECORDS
    return (record or to_text(args[0]) is not None) and _constants(args[1:])


def _values(args: Args) -> bool:
    """Constants, arrays and other listed values, none of which is a class or a function."""
    return all(is_value(arg) for arg in args)


SHAPES: dict[str, Callable[[Args], bool]] = {
    "none": _none,
    "constants": _constants,
    "containers": _containers,
    "anything": _anything,
    "numbers": _numbers,
    "dates": _dates,
    "factory": _factory,
    "dtype": _dtype,
    "enum": _constants,
    "instance": _none,
    "values": _values,
}

# -- states ----------------------------------------------------------------------------------------


def _is_array_state(state: Value) -> bool:
    # (version, shape, dtype, order, data); a masked array adds its mask and its fill value.
    if type(state) is not tuple or len(state) not in (5, 7):
        return False
    version, shape, dtype, order, *data = state
    if not (is_constant(version) and is_constant(shape) and is_constant(order)):
        return False
    return is_made(dtype, DTYPE, "numpy StringDType") and all(_is_array_data(d) for d in data)


def _is_array_data(value: Value) -> bool:
    return isinstance(value, ListItems) or is_constant(value) or is_array(value)


def _is_row(state: Value) -> bool:
    """Return whether a state is a tuple of constants, arrays and other listed values."""
    if type(state) is not tuple:
        return False
    return all(is_value(item) for item in state)


# Classes whose __setstate__ takes a tuple, by module and class or by module.
_ROWS = frozenset(
    {
        "numpy.random.bit_generator",
        "sklearn.metrics._dist_metrics",
        "sklearn.neighbors._ball_tree",
        "sklearn.neighbors._kd_tree",
        "sklearn._loss._loss",
        "sklearn.linear_model._sgd_fast",
        "_io",
        "io",
        "random",
        "statistics",
        "hdbscan.dist_metrics",
        "torch.distributed.checkpoint.metadata",
        "torch.utils.hooks",
        "scipy.spatial._ckdtree",
        "scipy.interpolate._rbfinterp",
        "sklearn.neighbors.ball_tree",
        "sklearn.neighbors.kd_tree",
        "sklearn.neighbors.dist_metrics",
        "sklearn.neighbors._dist_metrics",
        "scipy.spatial._kdtree",
        "scipy.spatial.ckdtree",
        "scipy.spatial.kdtree",
        "scipy.spatial.transform._rotation",
    }
)
_PARTIAL_STATE = 4


def _is_distribution_state(state: Value) -> bool:
    # Before SciPy 1.6: (arguments of __init__, random state).
    if type(state) is not tuple or len(state) != 2 or not isinstance(state[0], DictItems):  # noqa: PLR2004
        return False
    return all(map(is_constant, state[0])) and is_value(state[1])


def is_kept_function(value: Value) -> bool:
    """Return whether ``value`` is a listed class or function, or somebody's own, to be kept."""
    if not isinstance(value, Global) or isinstance(value, Rebuilder):
        return False
    return value.use in (Use.CONSTRUCTOR, Use.DATA, Use.UNKNOWN)


def _is_partial_state(state: Value) -> bool:
    # (function, arguments, keyword arguments, attributes)
    if type(state) is not tuple or len(state) != _PARTIAL_STATE or type(state[1]) is not tuple:
        return False
    function, args, kwargs, attributes = state
    right = isinstance(kwargs, DictItems) and (
        attributes is None or isinstance(attributes, DictItems)
    )
    return right and is_kept_function(function) and all(is_harmless(arg) for arg in args)


def fits_state(target: Made, state: Value) -> bool:
    """Return whether a state is of the shape that real pickles give to such an object.

    A dict, or a pair of dicts, is judged by its keys; that is not done here.
    """
    if target.path in (STORAGE, SCALAR):  # the first is whatever the pickle inside gave
        return False
    if state is None:
        return True
    if target.path in ARRAYS:
        return _is_array_state(state)
    if target.path == "functools.partial":
        return _is_partial_state(state)
    if isinstance(state, DictItems):
        return True
    return _is_tuple_state(target, state)


def _is_tuple_state(target: Made, state: Value) -> bool:
    if target.path == BIT_GENERATOR:
        return (
            type(state) is tuple
            and len(state) == 2  # noqa: PLR2004
            and isinstance(state[0], DictItems)
            and (state[1] is None or isinstance(state[1], Made))
        )
    if target.path.startswith("scipy.stats."):
        return _is_distribution_state(state)
    if target.path.startswith("pandas.") or target.path.rpartition(".")[0] in _ROWS:
        return _is_row(state)
    return (
        type(state) is tuple
        and len(state) == 2  # noqa: PLR2004
        and all(part is None or isinstance(part, DictItems) for part in state)
    )


# -- items -----------------------------------------------------------------------------------------

_ADDS: dict[type[Items], frozenset[str]] = {
    ListItems: frozenset({"builtins.list", "collections.deque"}),
    SetItems: frozenset({"builtins.set"}),
    DictItems: frozenset(
        {
            "builtins.dict",
            "collections.Counter",
            "collections.OrderedDict",
            "collections.defaultdict",
            "lightning.fabric.utilities.data.AttributeDict",
            "lightning.pytorch.utilities.parsing.AttributeDict",
            "lightning_fabric.utilities.data.AttributeDict",
            "nltk.probability.ConditionalFreqDist",
            "nltk.probability.ConditionalProbDist",
            "nltk.probability.FreqDist",
            "pytorch_lightning.utilities.parsing.AttributeDict",
            "scipy.optimize.OptimizeResult",
            "scipy.optimize._optimize.OptimizeResult",
            "scipy.optimize.optimize.OptimizeResult",
            "scipy.sparse._dok.dok_array",
            "scipy.sparse._dok.dok_matrix",
            "scipy.sparse.dok.dok_matrix",
            "sklearn.utils.Bunch",
            "sklearn.utils._bunch.Bunch",
        }
    ),
}


def adds_items(target: Made, kind: type[Items]) -> bool:
    """Return whether pickles give items of this kind to instances of the class one by one."""
    return target.path in _ADDS.get(kind, frozenset())
