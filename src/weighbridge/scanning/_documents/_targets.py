"""Names of classes and functions that a document has some loader import and call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.scanning._documents._document import show, walk, write_place
from weighbridge.scanning._notes import found
from weighbridge.scanning._pickle._danger import DANGEROUS_MODULES, DANGEROUS_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._documents._document import Document, Link
    from weighbridge.scanning._notes import Note

__all__ = ["check_config_targets", "check_expression", "check_target", "is_dangerous", "judge_name"]

# Modules under which a class may be built: it sets up a network, a loss, an optimizer, a transform
# or a container, and does nothing else. A name counts only if it is a class by its spelling and
# every part before it is a plain word.
_PLAIN_PACKAGES_TEXT = (
    "torch.nn. torch.optim. torchmetrics. torch.utils.data. torchvision.transforms."
    " torchvision.models. torchaudio.transforms. nemo.collections. nemo.core. omegaconf. diffusers."
    " timm.models. timm.layers. timm.loss. timm.optim. transformers. sentence_transformers. peft."
    " pytorch_lightning. lightning.pytorch. lightning.fabric. pl_bolts.models. monai.networks."
    " monai.losses. monai.transforms. monai.metrics. monai.inferers. monai.optimizers."
    " monai.apps. monai.handlers. monai.engines. monai.data. segmentation_models_pytorch."
    " kornia.augmentation. kornia.losses. torch.distributions. torch_geometric.nn."
    " keras.layers. keras.optimizers. tensorflow.keras.layers. sklearn.linear_model."
    " sklearn.ensemble. sklearn.svm. sklearn.preprocessing. sklearn.tree. sklearn.cluster."
    " sklearn.decomposition. megatron.core.optimizer. apex.optimizers. bitsandbytes.optim."
    " einops.layers. hydra_plugins. hydra._internal.BasicLauncher"
    " hydra._internal.core_plugins. ignite.metrics. speechbrain. torch.utils.tensorboard."
    " torch.Generator torch.Tensor torch.Size torch.device torch.dtype"
)
_PLAIN_PACKAGES = _PLAIN_PACKAGES_TEXT.split()
# Functions that return a number, a shape or a tensor of their arguments.
_PLAIN_NAMES_TEXT = (
    "torch.device torch.tensor torch.zeros torch.ones torch.float16 torch.bfloat16"
    " torch.float32 torch.float64 torch.int64 builtins.int builtins.float builtins.str"
    " builtins.bool builtins.list builtins.dict builtins.tuple builtins.set math.sqrt"
    " torch.cuda.is_available torch.manual_seed torch.set_float32_matmul_precision"
)
_PLAIN_NAMES = frozenset(_PLAIN_NAMES_TEXT.split())
_DIFFUSION_PACKAGES = ("ldm.m", "sgm.m", "ldm.lr_scheduler.", "cldm.", "taming.modules.")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")
# What only asks, in modules that do more: still unknown, and never a failure.
_ASKING = re.compile(r"os\.(?:path\.\w+|getenv|getcwd|cpu_count|environ\.get)|sys\.getsizeof")
# Operators of graphs and of expressions: they compute, and call nothing by its name.
_COMPUTING = re.compile(
    r"_?operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|xor"
    r"|not_|inv|invert|lshift|rshift|matmul|getitem|index|truth|is_|is_not|concat|contains)"
)
# Only MONAI takes a name without a module, for a class of its own.
_BARE_CLASS = re.compile(r"[A-Z]\w*")
_SPELLING = re.compile(r"(?:[A-Za-z_]\w*\.)+[A-Z]\w*")
_FUNCTIONS_THAT_RUN_TEXT = (
    "system popen exec eval compile __import__ spawn spawnl spawnv execv execve execl run"
    " call Popen check_output check_call getoutput loads load import_module run_path"
    " run_module rmtree unlink remove open"
)
_FUNCTIONS_THAT_RUN = frozenset(_FUNCTIONS_THAT_RUN_TEXT.split())
_EXECUTING_BUILTINS = frozenset({"eval", "exec", "compile", "open", "getattr", "__import__"})
# What a class of a plain package may still do: fetch, read, or call something by its arguments.
_ACTS = re.compile(
    r"(?:download|from_pretrained|load(?!er)|save|exec|shell|command|subprocess)", re.IGNORECASE
)
_EXPRESSION = re.compile(
    r"__import__|__\w+__|\b(?:exec|eval|compile|globals|getattr)\s*\(|\bos\.(?:system|popen|exec|spawn|remove)"
    r"|\b(?:subprocess|builtins|pickle|socket|urllib|requests|shutil|ctypes|pty|runpy|importlib)\b"
)
# A reference, a number, an attribute: nothing is called.
_PLAIN_EXPRESSION = re.compile(r"\$[@\w#.: +*/%<>=,'\"\[\]-]*")
# Modules whose callables run, fetch, open or rebuild something, nearly all of them. Others of the
# list for pickles (``functools``, ``logging``) stand in ordinary configurations: they are unknown.
_HARMFUL_TEXT = (
    "__builtin__ builtins os posix nt subprocess pty runpy importlib pickle _pickle dill"
    " cloudpickle marshal shelve ctypes socket shutil webbrowser code codeop commands popen2"
    " pdb bdb timeit profile cProfile trace urllib urllib2 requests httpx aiohttp smtplib ftplib"
    " telnetlib"
    " _posixsubprocess posixpath imp pkgutil zipimport sys site pip pexpect paramiko fabric invoke"
    " numpy.f2py numpy.testing torch.hub torch.serialization torch._inductor IPython test"
    " distutils setuptools pydoc doctest ensurepip venv zipapp py_compile compileall platform"
    " asyncio multiprocessing jsonpickle operator _operator"
)
_HARMFUL = frozenset(_HARMFUL_TEXT.split())


def check_config_targets(document: Document, at: Location, _: ScanContext) -> Iterator[Note]:
    """Judge ``target`` beside ``params``: latent diffusion and others import it and call it.

    ``target`` alone is a word of many kinds of documents, and counts only if it is dangerous.
    """
    for link, mapping in walk(document.value):
        name = mapping.get("target")
        if not isinstance(name, str) or _DOTTED.fullmatch(name) is None:
            continue
        if is_dangerous(name) or ("params" in mapping and not name.startswith(_DIFFUSION_PACKAGES)):
            yield from judge_name(name, write_place(link, "target"), at)


def check_target(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge ``_target_``: hydra and others import it and call it with the other keys."""
    if not isinstance(value, str) or not value or "${" in value:
        if isinstance(value, str) and value:
            message = f"{write_place(link, key)} names what to call by another value."
            yield found("WB-DOC-006", at, message, detail=show(value))
        return
    yield from judge_name(value.strip(), write_place(link, key), at)


def judge_name(name: str, place: str, at: Location) -> Iterator[Note]:
    """Judge a dotted name that a loader imports and calls."""
    name = name.replace(":", ".")
    if is_dangerous(name):
        message = f"Loading this calls {show(name)}, which {place} names."
        yield found("WB-DOC-005", at, message, detail=show(name))
    elif not _is_plain(name):
        message = f"Loading this imports and calls {show(name)}, which {place} names."
        yield found("WB-DOC-006", at, message, detail=show(name))


def is_dangerous(name: str) -> bool:
    """Return whether a dotted name reaches a module that runs, opens, fetches or unpickles.

    Every part counts: ``a.b.os.system`` is ``os.system``, wherever ``a.b`` lets one get it.
    """
    parts = name.split(".")
    if len(parts) == 1:
        return name in _EXECUTING_BUILTINS
    if name in _PLAIN_NAMES or _ASKING.fullmatch(name) or _COMPUTING.fullmatch(name):
        return False
    for start in range(len(parts) - 1):
        for end in range(start + 1, len(parts)):
            module = ".".join(parts[start:end])
            if parts[end] in DANGEROUS_NAMES.get(module, ()):
                return True
            runs = parts[-1] in _FUNCTIONS_THAT_RUN
            if module in DANGEROUS_MODULES and (runs or (start == 0 and module in _HARMFUL)):
                return True
    return False


def _is_plain(name: str) -> bool:
    if name in _PLAIN_NAMES or _BARE_CLASS.fullmatch(name):
        return True
    if _SPELLING.fullmatch(name) is None or "__" in name or _ACTS.search(name):
        return False
    return name.startswith(tuple(_PLAIN_PACKAGES))


def check_expression(
    value: object, link: Link, key: str, at: Location, _: ScanContext
) -> Iterator[Note]:
    """Judge a text that begins with ``$``: MONAI evaluates it as Python."""
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if not isinstance(text, str) or not text.startswith("$"):
            continue
        if _PLAIN_EXPRESSION.fullmatch(text) and "__" not in text and "import" not in text:
            continue
        place = write_place(link, key)
        if _EXPRESSION.search(text):
            message = f"MONAI evaluates {place}, which reaches for more than values."
            yield found("WB-DOC-005", at, message, detail=show(text))
        else:
            message = f"MONAI evaluates {place} as Python."
            yield found("WB-DOC-017", at, message, detail=show(text))
