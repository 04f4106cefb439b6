"""Environment: the facts that decide numerics, as strings, and as a SCAI statement."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, printable
from weighbridge.errors import WeighbridgeError
from weighbridge.provenance._interpreter import open_probe
from weighbridge.provenance._machine import describe_machine
from weighbridge.provenance._secrets import choose_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from weighbridge.core import Dependency, Limits
    from weighbridge.provenance._interpreter import Interpreter

__all__ = ["ask_libraries", "describe_environment", "to_scai"]

_KEY = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,200}")
_MAX_FACTS = 2_000

# What a new process has before the step sets anything. Runs in Python 3.6 and later.
_LIBRARIES_PROBE = r"""
import json, sys
facts = {}
def note(name, ask):
    try:
        value = ask()
    except Exception as error:
        value = "unknown: " + type(error).__name__
    if value is not None:
        facts[name] = str(value).lower() if isinstance(value, bool) else str(value)
def importable(name):
    try:
        return __import__(name)
    except ImportError:
        return None
    except BaseException as error:
        facts[name] = "unknown: it cannot be imported: " + type(error).__name__
        return None
numpy = importable("numpy")
if numpy:
    note("numpy.version", lambda: numpy.__version__)
    def show():
        found = numpy.__config__.show(mode="dicts")
        for what in ("blas", "lapack"):
            for key in ("name", "version", "openblas configuration"):
                value = found["Build Dependencies"][what].get(key)
                if value:
                    facts["numpy." + what + "." + key.replace(" ", "-")] = str(value)
        simd = found.get("SIMD Extensions", {}).get("found")
        return " ".join(simd) if simd else None
    note("numpy.simd", show)
torch = importable("torch")
if torch:
    note("torch.version", lambda: torch.__version__)
    note("torch.git", lambda: torch.version.git_version)
    note("torch.cuda.build", lambda: torch.version.cuda)
    note("torch.hip.build", lambda: torch.version.hip)
    note("torch.config", lambda: " ".join(torch.__config__.show().split()))
    note("torch.parallel", lambda: " ".join(torch.__config__.parallel_info().split()))
    note("torch.threads", torch.get_num_threads)
    note("torch.interop-threads", torch.get_num_interop_threads)
    note("torch.cpu-capability", torch.backends.cpu.get_cpu_capability)
    note("torch.mkldnn", torch.backends.mkldnn.is_available)
    note("torch.deterministic", torch.are_deterministic_algorithms_enabled)
    note("torch.deterministic-warn-only",
         torch.is_deterministic_algorithms_warn_only_enabled)
    note("torch.float32-matmul-precision", torch.get_float32_matmul_precision)
    note("torch.tf32.matmul", lambda: torch.backends.cuda.matmul.allow_tf32)
    note("torch.tf32.cudnn", lambda: torch.backends.cudnn.allow_tf32)
    note("torch.cudnn.version", torch.backends.cudnn.version)
    note("torch.cudnn.enabled", lambda: torch.backends.cudnn.enabled)
    note("torch.cudnn.deterministic", lambda: torch.backends.cudnn.deterministic)
    note("torch.cudnn.benchmark", lambda: torch.backends.cudnn.benchmark)
    note("torch.cuda.available", torch.cuda.is_available)
    if facts.get("torch.cuda.available") == "true":
        note("torch.cuda.devices", torch.cuda.device_count)
        for index in range(min(torch.cuda.device_count(), 64)):
            note("torch.cuda.device-%d" % index,
                 lambda: str(torch.cuda.get_device_properties(index)))
        note("torch.nccl", lambda: ".".join(map(str, torch.cuda.nccl.version())))
control = importable("threadpoolctl")
if control:
    note("threadpoolctl.version", lambda: control.__version__)
    def pools():
        found = sorted(control.threadpool_info(), key=lambda pool: str(pool.get("filepath")))
        for index, pool in enumerate(found):
            for key in ("user_api", "internal_api", "version", "num_threads",
                        "threading_layer", "architecture"):
                if pool.get(key) is not None:
                    facts["threads.pool-%d.%s" % (index, key)] = str(pool[key])
    note("threads", pools)
else:
    def mapped():
        names = set()
        with open("/proc/self/maps") as stream:
            for line in stream:
                name = line.rstrip().rpartition("/")[2]
                if any(part in name for part in ("blas", "mkl", "gomp", "iomp5", "libomp", "blis")):
                    names.add(name)
        return " ".join(sorted(names)) or None
    note("threads.libraries", mapped)
# Where torch prints while it is imported, the last line is ours.
sys.stdout.write("\n" + json.dumps(facts))
"""


def describe_environment(
    interpreter: Interpreter | None,
    environ: Mapping[str, str] | None = None,
    *,
    root: Path = Path("/"),
) -> dict[str, str]:
    """Return the facts that cost nothing: Python, libc, kernel, processor, GPU, variables.

    Keys have the form ``GROUP.NAME``. What cannot be found out is not there, or begins with
    ``unknown:``.

    Args:
        interpreter: What the step runs on; None: no Python, or it is not known which.
        environ: What the step is started with; by default this process's variables.
        root: Where ``proc``, ``sys`` and ``etc`` are.
    """
    known = {} if interpreter is None else interpreter.facts
    python = {f"python.{name}": value for name, value in known.items()}
    variables = choose_environment(os.environ if environ is None else environ)
    recorded = {f"variable.{name}": _to_text(value) for name, value in variables.items()}
    return {**python, **describe_machine(root), **recorded}


@contextmanager
def ask_libraries(
    interpreter: Interpreter,
    environ: Mapping[str, str] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Callable[[], tuple[dict[str, str], tuple[str, ...]]]]:
    """Import NumPy, PyTorch and threadpoolctl in a new process, to ask how they are set.

    Costs seconds with PyTorch, so do it if that is among the packages or the user asks, and
    something else meanwhile. The facts are those of a process that has set nothing yet: what the
    step sets itself is not seen. Code of installed packages runs, isolated (``-I``) and without
    secrets.

    Args:
        interpreter: What the step runs on.
        environ: What the step is started with; by default this process's variables.
        limits: ``max_wait_s`` and ``max_list_bytes`` apply.

    Yields:
        What waits for the answer: facts as of :func:`describe_environment`, and what went wrong, in
        sentences.
    """
    given = os.environ if environ is None else environ
    program = interpreter.program
    with open_probe(program, _LIBRARIES_PROBE, environ=given, limits=limits) as answer:
        yield partial(_choose_facts, answer)


def _choose_facts(
    answer: Callable[[], dict[str, object]],
) -> tuple[dict[str, str], tuple[str, ...]]:
    try:
        said = answer()
    except WeighbridgeError as error:
        return {}, (f"how NumPy and PyTorch are set is not known: {error}",)
    facts = {
        key: _to_text(value)
        for key, value in sorted(said.items())[:_MAX_FACTS]
        if isinstance(value, str) and _KEY.fullmatch(key)
    }
    if len(facts) < len(said):
        return facts, (f"{len(said) - len(facts)} facts about libraries could not be read",)
    return facts, ()


def to_scai(
    environment: Mapping[str, str],
    *,
    target: Dependency | None = None,
    producer: str = "",
) -> dict[str, object]:
    """Return the predicate that says ``environment``: one attribute for each group.

    The group is what stands before the first dot of a key; the facts are the attribute's
    conditions. All values are strings.

    Args:
        environment: As of :func:`describe_environment`.
        target: What the attributes are about if that is not the statement's subject.
        producer: The builder's id.

    Source:
        in-toto Attestation Framework, SCAI v0.3.
    """
    groups: dict[str, dict[str, str]] = {}
    for key, value in sorted(environment.items()):
        group, _, name = key.partition(".")
        groups.setdefault(group, {})[name or "value"] = value
    about: dict[str, object] = {}
    if target is not None:
        fields = {"name": target.name, "uri": target.uri, "digest": dict(target.digest)}
        about = {"target": {key: value for key, value in fields.items() if value}}
    predicate: dict[str, object] = {
        "attributes": [
            {"attribute": group, **about, "conditions": conditions}
            for group, conditions in groups.items()
        ]
    }
    if producer:
        predicate["producer"] = {"uri": producer}
    return predicate


def _to_text(value: str) -> str:
    return printable(value, limit=4000)
