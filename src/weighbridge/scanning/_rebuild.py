"""Functions on the allow-list that are harmless with the right arguments only, and those checks.

A check gets the arguments of one call and returns what is wrong with them, or nothing. Whatever
is *inside* the arguments was judged when it was made, so that a check has to look at one thing
only: that where the function will call, instantiate or look up something, it gets what it should.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.scanning._pickle_values import Global, Made, Persistent, Use, Value, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAKERS", "NESTED_CALLS", "REBUILDERS", "check_arguments"]

Args = tuple[Value, ...]


def _is_class(value: Value) -> bool:
    """Return whether ``value`` is a listed constructor, by name and not computed."""
    return isinstance(value, Global) and value.use is Use.CONSTRUCTOR


def _anything(_: Args) -> str:
    return ""


def _class_first(args: Args) -> str:
    return "" if args and _is_class(args[0]) else "its first argument is no listed class"


def _two_classes_first(args: Args) -> str:
    if len(args) > 1 and _is_class(args[0]) and _is_class(args[1]):
        return ""
    return "its first two arguments are no listed classes"


def _latin1(args: Args) -> str:
    # Protocols 0 to 2 write bytes this way; other codecs are looked up by import.
    right = len(args) == 2 and to_text(args[1]) in ("latin1", "latin-1")  # noqa: PLR2004
    return "" if right else "its arguments are not (text, 'latin1')"


def _singleton(args: Args) -> str:
    # How the types of None, Ellipsis and NotImplemented are written.
    names = ("builtins.Ellipsis", "builtins.NotImplemented")
    if len(args) == 1 and (
        args[0] is None or (isinstance(args[0], Global) and args[0].path in names)
    ):
        return ""
    return "it makes or looks up a class"


def _no_callables(args: Args) -> str:
    return "an argument is a callable" if any(_may_call(arg) for arg in args) else ""


def _may_call(value: Value) -> bool:
    return isinstance(value, Global) and value.use is not Use.DATA


def _bit_generator(args: Args) -> str:
    right = not args or to_text(args[0]) is not None or _is_class(args[0])
    return "" if right else "its argument is no name or class of a bit generator"


def _generator(args: Args) -> str:
    # (name or BitGenerator[, what makes one]): the second is called with the first.
    makers = ("numpy.random._pickle.__bit_generator_ctor",)
    if len(args) > 1 and not (isinstance(args[1], Global) and args[1].path in makers):
        return "its second argument would be called"
    right = (
        not args or to_text(args[0]) is not None or isinstance(args[0], Made) or _is_class(args[0])
    )
    return "" if right else "its first argument is no bit generator"


def _storage_first(args: Args) -> str:
    right = args and (isinstance(args[0], Persistent) or _is_made_storage(args[0]))
    return "" if right else "its first argument is no storage"


def _is_made_storage(value: Value) -> bool:
    return isinstance(value, Made) and value.path.startswith("torch.") and value.trusted


def _tensor_first(args: Args) -> str:
    right = args and isinstance(args[0], Made) and args[0].trusted
    return "" if right else "its first argument is no tensor"


_TORCH = "torch._utils"

REBUILDERS: dict[tuple[str, str], Callable[[Args], str]] = {
    ("_codecs", "encode"): _latin1,
    ("array", "_array_reconstructor"): _class_first,
    ("builtins", "type"): _singleton,
    ("copyreg", "__newobj__"): _class_first,
    ("copyreg", "__newobj_ex__"): _class_first,
    ("copyreg", "_reconstructor"): _two_classes_first,
    ("re", "_compile"): _no_callables,
    ("numpy.core.multiarray", "_reconstruct"): _class_first,
    ("numpy._core.multiarray", "_reconstruct"): _class_first,
    ("numpy.core.multiarray", "scalar"): _no_callables,
    ("numpy._core.multiarray", "scalar"): _no_callables,
    ("numpy.core.numeric", "_frombuffer"): _no_callables,
    ("numpy._core.numeric", "_frombuffer"): _no_callables,
    ("numpy._core._internal", "_convert_to_stringdtype_kwargs"): _no_callables,
    ("numpy.ma.core", "_mareconstruct"): _two_classes_first,
    ("numpy.random._pickle", "__bit_generator_ctor"): _bit_generator,
    ("numpy.random._pickle", "__generator_ctor"): _generator,
    ("numpy.random._pickle", "__randomstate_ctor"): _generator,
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): _class_first,
    (_TORCH, "_rebuild_tensor"): _storage_first,
    (_TORCH, "_rebuild_tensor_v2"): _storage_first,
    (_TORCH, "_rebuild_tensor_v3"): _storage_first,
    (_TORCH, "_rebuild_qtensor"): _storage_first,
    (_TORCH, "_rebuild_parameter"): _tensor_first,
    (_TORCH, "_rebuild_parameter_with_state"): _tensor_first,
    (_TORCH, "_rebuild_meta_tensor_no_storage"): _no_callables,
    (_TORCH, "_rebuild_nested_tensor"): _tensor_first,
    (_TORCH, "_rebuild_sparse_tensor"): _anything,
    (_TORCH, "_rebuild_sparse_csr_tensor"): _anything,
    (_TORCH, "_rebuild_device_tensor_from_numpy"): _tensor_first,
    (_TORCH, "_rebuild_device_tensor_from_cpu_tensor"): _tensor_first,
    (_TORCH, "_rebuild_xla_tensor"): _tensor_first,
    (_TORCH, "_rebuild_wrapper_subclass"): _class_first,
    ("torch._tensor", "_rebuild_from_type"): _anything,
    ("torch._tensor", "_rebuild_from_type_v2"): _anything,
    ("torch.serialization", "_get_layout"): _no_callables,
    ("torch.storage", "_load_from_bytes"): _anything,
}

# Listed functions that listed functions may be given; they are called in the way that is checked.
MAKERS = frozenset(
    {("numpy.random._pickle", "__generator_ctor"), ("numpy.random._pickle", "__randomstate_ctor")}
)

# Functions that call their first argument, and where its arguments are among theirs.
NESTED_CALLS: dict[tuple[str, str], int] = {
    ("torch._tensor", "_rebuild_from_type"): 2,
    ("torch._tensor", "_rebuild_from_type_v2"): 2,
}


def check_arguments(module: str, name: str, args: Args) -> str:
    """Return what is wrong with the arguments of a listed function, or nothing.

    Functions that are listed in ``allow-list.txt`` only take a class first.
    """
    return REBUILDERS.get((module, name), _class_first)(args)
