"""Which names a Keras config may build, and out of which modules."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from weighbridge.scanning._pickle._standard_modules import STANDARD_MODULES

__all__ = [
    "LIBRARIES",
    "is_builtin",
    "is_known_class",
    "is_known_function",
    "is_known_symbol",
    "is_plain_part",
    "is_standard",
    "split_keras_module",
]

# Roots whose modules are Keras itself; each is cut off before the part that is judged.
_KERAS_ROOTS = re.compile(
    r"(?:tensorflow\.python\.keras|tensorflow\.keras|tensorflow_core\.keras|tf\.keras|tf_keras|keras)"
    r"(?:\.api(?:\._v[12])?(?:\.keras)?|\.src)*(?:\.(.*))?"
)
# Parts of Keras whose classes and functions compute, and neither read files nor load code.
_PLAIN_PARTS = frozenset(
    [
        *("", "activations", "constraints", "dtype_policies", "engine", "initializers", "layers"),
        *("losses", "metrics", "mixed_precision", "models", "ops", "optimizers", "quantizers"),
        *("random", "regularizers", "legacy", "optimizer_v2", "feature_column", "saving.legacy"),
        *("_tf_keras", "premade_models", "optimizers_v1", "optimizer_v1", "backend", "utils"),
    ]
)
# There are other functions of the same names in these, such as ``file_utils.copy``.
_PARTS_WITHOUT_FUNCTIONS = frozenset({"backend", "utils", "saving.legacy", "legacy", "engine"})
LIBRARIES = frozenset({"keras_hub", "keras_nlp", "keras_cv"})
"""Sister projects of Keras; their classes are in the allow-list."""

# TensorFlow's functions that a functional model may call by name. Not ``io``, ``raw_ops``,
# ``py_function`` and all else that reads, writes or calls.
_SYMBOL_GROUPS = frozenset(
    [
        *("math", "nn", "linalg", "signal", "image", "bitwise", "strings", "__operators__"),
        *("sparse", "ragged", "sets", "dtypes"),
    ]
)
_SYMBOL_WORDS = (
    "abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh"
    " batch_to_space boolean_mask broadcast_to cast ceil clip_by_global_norm clip_by_norm"
    " clip_by_value concat constant convert_to_tensor cos cosh cumsum divide"
    " dynamic_partition dynamic_stitch eig einsum ensure_shape equal exp expand_dims eye fill"
    " floor floordiv floormod gather gather_nd greater greater_equal histogram_fixed_width"
    " identity identity_n less less_equal linspace log logical_and logical_not logical_or"
    " matmul maximum meshgrid minimum mod multiply negative newaxis nonzero norm not_equal"
    " one_hot ones ones_like pad pow range rank realdiv recip reciprocal reduce_all reduce_any"
    " reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape"
    " reverse reverse_sequence roll round rsqrt saturate_cast scatter_nd searchsorted"
    " sequence_mask shape shape_n sigmoid sign sin sinh size slice sort space_to_batch split"
    " sqrt square squeeze stack stop_gradient strided_slice subtract tan tanh tensordot"
    " tensor_scatter_nd_add tensor_scatter_nd_update tile timestamp transpose truediv"
    " truncatediv truncatemod unique unstack where zeros zeros_like random.normal random.uniform"
    " random.shuffle random.truncated_normal random.stateless_normal random.stateless_uniform"
    " compat.v1.transpose compat.v1.nn.conv2d compat.v1.shape compat.v1.gather"
    " compat.v1.squeeze compat.v1.Size compat.v1.size quantization.fake_quant_with_min_max_vars"
)
_SYMBOLS = frozenset(_SYMBOL_WORDS.split())
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,4}")
# What Python has of its own; none of it is a plain value.
_BUILTIN_WORDS = (
    "__import__ breakpoint callable classmethod compile copyright credits delattr dir eval exec"
    " execfile exit file getattr globals hasattr help input license locals memoryview open"
    " print property quit raw_input reload setattr staticmethod super type unichr vars object"
    " map filter reduce sorted iter next apply"
)
_BUILTINS = frozenset(_BUILTIN_WORDS.split())
# Modules of others that are known to reach the operating system or to load code.
_FOREIGN_ROOTS = frozenset(
    [
        *("tensorflow", "numpy", "torch", "jax", "scipy", "pandas", "sklearn", "joblib", "dill"),
        *("cloudpickle", "requests", "pip", "setuptools", "h5py", "absl", "nt", "posix", "IPython"),
        *("numexpr", "yaml", "sympy", "cffi", "tensorboard", "wandb", "mlflow", "onnx", "__main__"),
    ]
)


def split_keras_module(module: str) -> str | None:
    """Return which part of Keras a module is of, such as ``layers``; None if it is not of Keras."""
    match = _KERAS_ROOTS.fullmatch(module)
    if match is None:
        return None
    rest = match[1] or ""
    return "saving.legacy" if rest.startswith("saving.legacy") else rest.partition(".")[0]


def is_plain_part(part: str, *, function: bool) -> bool:
    """Return whether names of the allow-list mean what they say in this part of Keras."""
    return part in _PLAIN_PARTS and not (function and part in _PARTS_WITHOUT_FUNCTIONS)


@cache
def _load() -> dict[str, frozenset[str]]:
    text = Path(__file__).with_name("allow-list.txt").read_text("utf-8")
    sections: dict[str, set[str]] = {}
    names: set[str] = set()
    for line in text.splitlines():
        if line.startswith("["):
            names = sections.setdefault(line.strip("[]"), set())
        elif not line.startswith("#"):
            names.add(line)
    return {section: frozenset(names) for section, names in sections.items()}


def is_known_class(name: str, *, library: bool = False) -> bool:
    """Return whether a class only computes; those of the sister projects if ``library``."""
    names = _load()
    return name in names["class"] or (library and name in names["hub"])


def is_known_function(name: str) -> bool:
    """Return whether a function of Keras only computes."""
    names = _load()
    return name in names["function"] or name in names["op"]


def is_known_symbol(symbol: str) -> bool:
    """Return whether a function of TensorFlow, by its public name, only computes."""
    if _SYMBOL.fullmatch(symbol) is None:
        return False
    group, _, name = symbol.partition(".")
    if symbol in _SYMBOLS:
        return True
    if group == "keras":
        module, _, name = symbol.rpartition(".")
        plain = is_plain_part(split_keras_module(module) or "", function=True)
        return plain and is_known_function(name)
    return group in _SYMBOL_GROUPS and bool(name) and "py_" not in name and "file" not in name


def is_builtin(name: str) -> bool:
    """Return whether Python has such a function that is more than a type of values."""
    return name in _BUILTINS


def is_standard(module: str) -> bool:
    """Return whether a module is Python's own, or a library that is known to hold gadgets."""
    root = module.partition(".")[0]
    return root in STANDARD_MODULES or root in _FOREIGN_ROOTS
