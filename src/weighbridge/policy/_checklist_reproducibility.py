"""The checklist of reproducibility: six items, each from evidence. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import (
    Answer,
    is_lock,
    list_materials,
    list_packages,
    printable,
    read_facts,
    split_words,
)
from weighbridge.policy._checklist_dependencies import (
    is_known,
    judge_seed_values,
    lacks_data,
    list_data,
    tell_unpinned,
)
from weighbridge.policy._checklist_view import Judged, judge_steps

if TYPE_CHECKING:
    from weighbridge.core import Claim, Dependency, Evidence, LineageNode, StepRecord
    from weighbridge.policy._checklist_view import View

__all__ = [
    "judge_all_seeds",
    "judge_data_pinned",
    "judge_deterministic",
    "judge_hardware",
    "judge_lock",
    "judge_logs",
]

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
# Of these cuBLAS says that they give the same numbers again.
_CUBLAS = frozenset({":4096:8", ":16:8"})
_SWITCHES = ("TF_DETERMINISTIC_OPS", "FLAGS_cudnn_deterministic", "CUDNN_DETERMINISTIC")
# Files that list exact versions; the others that are called lock files may list ranges.
_EXACT_LOCK = re.compile(
    r"uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock|pylock(?:\.[^.]+)?\.toml|pixi\.lock"
    r"|conda-lock\.ya?ml"
)
_LOG_FILE = re.compile(
    r"(?:.*/)?(?:[^/]*\.logs?|[^/]*\.tfevents[^/]*|trainer_state\.json"
    r"|events\.out\.tfevents[^/]*|(?:train|training)[-_.]logs?[^/]*)",
    re.IGNORECASE,
)
_HASH_SEED = re.compile(r"[0-9]{1,10}")
_SHOWN_CHARACTERS = 80


def judge_all_seeds(view: View) -> Judged:
    """All random seeds set: those among the parameters, and that of Python's hashes."""
    return judge_steps(view, lambda _, record: _judge_all_seeds(record))


def _judge_all_seeds(record: StepRecord) -> Judged:
    judged = judge_seed_values(record)
    if judged.answer is Answer.FAIL:
        return judged
    value = _list_variables(record).get("PYTHONHASHSEED")
    if value == "random":
        return Judged(Answer.FAIL, "PYTHONHASHSEED = random seeds Python's hashes anew each time")
    if judged.answer is not Answer.PASS:
        return judged
    if value is None or not _HASH_SEED.fullmatch(value):
        words = "PYTHONHASHSEED is not recorded, so that the order of sets may differ"
        return Judged(Answer.UNKNOWN, f"{judged.reason}; {words}")
    return Judged(Answer.PASS, f"{judged.reason}, PYTHONHASHSEED = {value}")


def _list_variables(record: StepRecord) -> dict[str, str]:
    return {**read_facts(record, "environment", "variables"), **read_facts(record, "determinism")}


def judge_deterministic(view: View) -> Judged:
    """Deterministic mode enabled: by a parameter, by a variable, or as PyTorch was set."""
    return judge_steps(view, lambda _, record: _judge_deterministic(record))


def _judge_deterministic(record: StepRecord) -> Judged:
    facts = _list_variables(record)
    switches = {
        name: value.strip().lower()
        for name, value in record.parameters.items()
        if {"deterministic", "determinism"} & set(split_words(name))
    }
    switches |= {name: facts[name].strip().lower() for name in _SWITCHES if name in facts}
    off = [name for name, value in switches.items() if value in _FALSE]
    if off:
        shown = printable(f"{off[0]} = {switches[off[0]]}", limit=_SHOWN_CHARACTERS)
        return Judged(Answer.FAIL, f"{shown} turns it off")
    on = [f"{name} = {value}" for name, value in switches.items() if value in _TRUE]
    if facts.get("torch.deterministic") == "true":
        on.append("torch.deterministic = true")
    if not on:
        words = "nothing recorded turns it on; what the program itself sets is not seen"
        return Judged(Answer.UNKNOWN, words)
    shown = printable(", ".join(on[:3]), limit=_SHOWN_CHARACTERS)
    on_gpu = read_facts(record, "accelerator").get("kind") != "none"
    uses_torch = any(package.name == "torch" for package in list_packages(record))
    if on_gpu and uses_torch and facts.get("CUBLAS_WORKSPACE_CONFIG") not in _CUBLAS:
        words = "CUBLAS_WORKSPACE_CONFIG is not recorded, without which cuBLAS is not deterministic"
        return Judged(Answer.UNKNOWN, f"{shown}, but {words}")
    return Judged(Answer.PASS, shown)


def judge_hardware(view: View) -> Judged:
    """Hardware requirements documented: processor and accelerator that each step ran on."""
    return judge_steps(view, _judge_hardware)


def _judge_hardware(node: LineageNode, record: StepRecord) -> Judged:
    cpu = {} if node.environment is None else node.environment.attributes.get("cpu", {})
    processor = next(
        (cpu[k] for k in ("model", "implementer", "vendor") if is_known(cpu.get(k))), ""
    )
    if not processor:
        return Judged(Answer.UNKNOWN, "the processor that it ran on is not recorded")
    accelerator = read_facts(record, "accelerator")
    models = [v for k, v in sorted(accelerator.items()) if k.startswith("model-") and is_known(v)]
    if accelerator.get("kind") == "none":
        return Judged(Answer.PASS, f"{printable(processor, limit=_SHOWN_CHARACTERS)}, no GPU")
    if accelerator.get("kind") != "gpu" or not models:
        return Judged(Answer.UNKNOWN, "which accelerator it ran on is not recorded")
    shown = f"{processor}, {len(models)} GPU ({models[0]})"
    return Judged(Answer.PASS, printable(shown, limit=_SHOWN_CHARACTERS))


def judge_lock(view: View) -> Judged:
    """Exact package versions in the lock: the lock by digest, and what was installed by version."""
    return judge_steps(view, lambda _, record: _judge_lock(record))


def _judge_lock(record: StepRecord) -> Judged:
    packages = list_packages(record)
    for package in packages:
        if words := tell_unpinned(package):
            return Judged(Answer.FAIL, words)
    locks = [item for item in record.inputs if is_lock(item)]
    if not locks:
        return Judged(Answer.UNKNOWN, "no lock file is among its inputs")
    exact = [item for item in locks if _is_exact(item)]
    if not exact:
        shown = printable(locks[0].annotations["lockFile"], limit=_SHOWN_CHARACTERS)
        return Judged(
            Answer.UNKNOWN, f"{shown} may list ranges; its format does not demand versions"
        )
    if not packages:
        return Judged(Answer.UNKNOWN, "which packages were installed is not recorded")
    shown = printable(exact[0].annotations["lockFile"], limit=_SHOWN_CHARACTERS)
    digest = printable(exact[0].digest["sha256"][:12])
    counts = f"{len(packages):,} packages installed, each with its version"
    return Judged(Answer.PASS, f"{shown} (sha256:{digest}); {counts}")


def _is_exact(item: Dependency) -> bool:
    name = item.annotations["lockFile"].rpartition("/")[2]
    return _EXACT_LOCK.fullmatch(name) is not None and bool(item.digest.get("sha256"))


def judge_data_pinned(view: View) -> Judged:
    """Dataset version pinned: everything that each step took in has a digest."""
    judged = judge_steps(view, lambda _, record: _judge_data_pinned(record))
    if judged.answer is Answer.PASS and not any(
        list_data(node.step) for node in view.steps if node.step is not None
    ):
        return Judged(Answer.UNKNOWN, "No step took in anything that is called data")
    return judged


def _judge_data_pinned(record: StepRecord) -> Judged:
    data = list_data(record)
    for item in data:
        if not item.digest:
            shown = printable(item.name, limit=_SHOWN_CHARACTERS)
            return Judged(Answer.FAIL, f"of {shown} no digest is recorded")
    if lacks_data(record):
        return Judged(Answer.UNKNOWN, "it took in nothing that is called data")
    for item in list_materials(record, "undeclared"):
        if not item.digest:
            shown = printable(item.name, limit=_SHOWN_CHARACTERS)
            return Judged(Answer.UNKNOWN, f"it read {shown}, of which no digest is known")
    names = printable(", ".join(item.name for item in data[:4]), limit=_SHOWN_CHARACTERS)
    return Judged(Answer.PASS, f"{names} by digest" if data else "it took in no data")


def judge_logs(view: View, evidence: Evidence) -> Judged:
    """Training logs preserved: one that the step made is here, with the digest that it had."""
    claims = {} if view.lineage is None else {claim.id: claim for claim in view.lineage.claims}
    digests = {sha256: name for name, sha256 in sorted(evidence.files.items(), reverse=True)}
    root = "" if view.lineage is None else view.lineage.artifact
    own = sorted(name for name in evidence.files if _LOG_FILE.fullmatch(name))

    def judge(node: LineageNode, record: StepRecord) -> Judged:
        if node.id == root and own:
            shown = printable(own[0], limit=_SHOWN_CHARACTERS)
            return Judged(Answer.PASS, f"{shown} is part of what it made", (own[0],))
        claim = None if node.claim is None else claims.get(node.claim)
        return _judge_log(_list_logs(claim, record), digests)

    return judge_steps(view, judge)


def _list_logs(claim: Claim | None, record: StepRecord) -> dict[str, str]:
    """Return the logs that a step says it made: name to sha256."""
    made = () if claim is None else claim.subjects
    named = [(subject.name, subject.digest) for subject in made]
    named += [
        (item.name, item.digest)
        for item in record.byproducts
        if "predicateType" not in item.annotations
    ]
    return {
        name: digest["sha256"]
        for name, digest in named
        if "sha256" in digest
        and ({"log", "logs"} & set(split_words(name)) or _LOG_FILE.fullmatch(name))
    }


def _judge_log(logs: dict[str, str], digests: dict[str, str]) -> Judged:
    for name, sha256 in logs.items():
        if sha256 in digests:
            file = digests[sha256]
            shown = printable(f"{name}, as {file}", limit=_SHOWN_CHARACTERS)
            return Judged(Answer.PASS, f"its {shown}, is here", (file,))
    if logs:
        name = printable(next(iter(logs)), limit=_SHOWN_CHARACTERS)
        return Judged(
            Answer.UNKNOWN, f"its {name} is recorded by digest and is not among the files here"
        )
    return Judged(Answer.UNKNOWN, "none of what it made is called a log")
