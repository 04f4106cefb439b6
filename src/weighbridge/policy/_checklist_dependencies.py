"""The checklist of dependencies: eight items, each from evidence. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import (
    Answer,
    ArtifactKind,
    InputClass,
    Origin,
    classify_input,
    list_inputs,
    list_materials,
    list_packages,
    list_seeds,
    printable,
    read_facts,
)
from weighbridge.policy._checklist_view import Judged, judge_steps, show
from weighbridge.policy._results import name_node, to_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core import Dependency, Evidence, LineageNode, Package, StepRecord
    from weighbridge.policy._checklist_view import View

__all__ = [
    "is_known",
    "judge_card_created",
    "judge_cuda",
    "judge_dataset_provenance",
    "judge_experiment",
    "judge_frameworks",
    "judge_script",
    "judge_seed_values",
    "judge_seeds_documented",
    "judge_weights",
    "list_data",
]

_FRAMEWORKS = frozenset(
    {
        *("torch", "tensorflow", "tensorflow-cpu", "jax", "jaxlib", "flax", "keras", "mxnet"),
        *("paddlepaddle", "paddlepaddle-gpu", "mindspore", "mlx", "tinygrad", "transformers"),
        *("lightning", "pytorch-lightning", "deepspeed", "accelerate", "peft", "trl", "diffusers"),
        *("sentence-transformers", "scikit-learn", "xgboost", "lightgbm", "catboost", "fastai"),
        *("spacy", "onnx", "onnxruntime", "onnxruntime-gpu", "optimum", "bitsandbytes", "numpy"),
    }
)
_NUMBER = re.compile(r"[0-9]{1,39}")
_UNSET = frozenset({"", "none", "null", "random", "false", "no", "off", "true", "yes", "-1"})
# Kinds that cannot be without data.
_NEED_DATA = frozenset({"train", "fine-tune", "distil"})


def is_known(value: str | None) -> bool:
    """Tell whether a fact says something; where looking failed, it begins with ``unknown``."""
    return bool(value) and not str(value).startswith(("unknown", "differs"))


def judge_frameworks(view: View) -> Judged:
    """Framework versions pinned: each one installed has a version and the digest of RECORD."""
    return judge_steps(view, _judge_frameworks)


def _judge_frameworks(_: LineageNode, record: StepRecord) -> Judged:
    packages = list_packages(record)
    found = [package for package in packages if package.name in _FRAMEWORKS]
    if not found:
        what = f"none of its {len(packages):,} recorded packages is a framework that is known here"
        return Judged(Answer.UNKNOWN, what if packages else "no installed package is recorded")
    for package in found:
        if words := tell_unpinned(package):
            return Judged(Answer.FAIL, words)
    for package in found:
        if not package.sha256 or package.check != "pass":
            words = "its files were not all compared with its RECORD"
            return Judged(Answer.UNKNOWN, f"{_name_package(package)}: {words}")
    return Judged(
        Answer.PASS, f"{', '.join(map(_name_package, found[:4]))}, with the digest of RECORD"
    )


def tell_unpinned(package: Package) -> str:
    """Say why what is installed is no version that anybody else could install; empty if it is."""
    if not package.version:
        return f"{show(package.name)} is recorded without a version"
    if package.is_editable:
        return f"{_name_package(package)} is installed from a folder that may change"
    if package.check == "fail":
        return f"{_name_package(package)} has other files than its RECORD says"
    return ""


def _name_package(package: Package) -> str:
    return show(f"{package.name} {package.version}")


def judge_cuda(view: View) -> Judged:
    """CUDA and cuDNN versions documented: as the step's environment has them."""
    return judge_steps(view, _judge_cuda)


def _judge_cuda(node: LineageNode, record: StepRecord) -> Judged:
    kind = read_facts(record, "accelerator").get("kind")
    attributes = {} if node.environment is None else node.environment.attributes
    torch: Mapping[str, str] = attributes.get("torch", {})
    if kind == "none" and attributes and torch.get("cuda.available") != "true":
        return Judged(Answer.PASS, "it ran on a machine without a GPU")
    if kind not in ("none", "gpu"):
        return Judged(Answer.UNKNOWN, "on which accelerator it ran is not recorded")
    if is_known(torch.get("hip.build")):
        return Judged(Answer.PASS, f"ROCm {printable(torch['hip.build'], limit=40)}")
    cuda = torch.get("cuda.build") or _find_version(record, "nvidia-cuda-runtime")
    cudnn = torch.get("cudnn.version") or _find_version(record, "nvidia-cudnn")
    lacks = [name for name, value in (("CUDA", cuda), ("cuDNN", cudnn)) if not is_known(value)]
    if lacks:
        return Judged(Answer.UNKNOWN, f"the version of {' and '.join(lacks)} is not recorded")
    return Judged(Answer.PASS, show(f"CUDA {cuda}, cuDNN {cudnn}"))


def _find_version(record: StepRecord, prefix: str) -> str:
    found = (
        p.version for p in list_packages(record) if re.fullmatch(rf"{prefix}(-cu\d+)?", p.name)
    )
    return next(found, "")


def judge_weights(view: View, evidence: Evidence) -> Judged:
    """Model weights verified with checksums: those here, and those that the steps began with."""
    diff = evidence.signature.diff
    if diff:
        names = diff.names
        return Judged(Answer.FAIL, "The files are not those that the signature lists", names)
    if view.lineage is None:
        return Judged(Answer.UNKNOWN, f"Nothing tells: {view.problem}")
    for node in view.steps:
        for item in node.step.inputs if node.step is not None else ():
            if classify_input(item) is InputClass.MODEL and not item.digest:
                shown = show(item.name)
                reason = f"{name_node(node)} was made from {shown}, of which no digest is recorded"
                return Judged(Answer.FAIL, reason)
    if view.gaps:
        return Judged(Answer.UNKNOWN, to_sentence(view.gaps[0]))
    if unverified := _find_unverified(view):
        return Judged(
            Answer.UNKNOWN, f"{unverified} is pinned by a revision; nobody recorded its sha256"
        )
    by = printable(", ".join(view.lineage.root.signers)) or "what is believed"
    signers = printable(", ".join(evidence.signature.signers))
    suffix = f", and are those that {signers} signed" if diff is not None and signers else ""
    return Judged(Answer.PASS, f"The files have the digest that {by} names{suffix}")


def _find_unverified(view: View) -> str:
    """Return a model input that no sha256 names; empty if there is none."""
    if view.lineage is None:
        return ""
    steps = {node.id for node in view.steps}
    for edge, item in list_inputs(view.lineage):
        is_pinned = edge.source not in steps or edge.target.startswith("sha256:")
        if not is_pinned and classify_input(item) is InputClass.MODEL:
            return show(edge.name or edge.target)
    return ""


def list_data(record: StepRecord) -> tuple[Dependency, ...]:
    """Return what a step took in besides models, code and lock files."""
    data = (InputClass.DATA, InputClass.OTHER)
    return tuple(item for item in record.inputs if classify_input(item) in data)


def lacks_data(record: StepRecord) -> bool:
    """Tell whether a step must have had data and no input of it is called so."""
    named = any(classify_input(item) is InputClass.DATA for item in record.inputs)
    return not named and record.kind in _NEED_DATA


def judge_dataset_provenance(view: View) -> Judged:
    """Dataset provenance documented: nothing that the steps took in is a dead end."""
    judged = judge_steps(view, _judge_data)
    if judged.answer is not Answer.PASS or view.lineage is None:
        return judged
    if not any(list_data(node.step) for node in view.steps if node.step is not None):
        return Judged(Answer.UNKNOWN, "No step took in anything that is called data")
    known = {node.id for node in view.lineage.nodes if node.origin is not Origin.UNKNOWN}
    steps = {node.id for node in view.steps}
    for edge, _ in list_inputs(view.lineage):
        if edge.source in steps and edge.target not in known:
            shown = show(edge.name)
            return Judged(Answer.UNKNOWN, f"Nothing that is believed says where {shown} is from")
    return judged


def _judge_data(_: LineageNode, record: StepRecord) -> Judged:
    if lacks_data(record):
        return Judged(Answer.UNKNOWN, "it took in nothing that is called data")
    data = list_data(record)
    names = ", ".join(item.name for item in data[:4])
    shown = show(names)
    words = f"it is known where {shown} came from" if data else "it took in no data"
    return Judged(Answer.PASS, words)


def judge_seeds_documented(view: View) -> Judged:
    """Random seeds set and documented: a parameter of each step is a seed, and is a number."""
    return judge_steps(view, lambda _, record: judge_seed_values(record))


def judge_seed_values(record: StepRecord) -> Judged:
    """Judge the parameters of a step that are seeds by their name."""
    seeds = list_seeds(record)
    if not seeds:
        return Judged(Answer.UNKNOWN, "no parameter of it is called a seed")
    for name, value in seeds.items():
        if not _NUMBER.fullmatch(value):
            shown = show(f"{name} = {value}")
            if value.strip().lower() in _UNSET:
                return Judged(Answer.FAIL, f"{shown} sets no seed")
            return Judged(Answer.UNKNOWN, f"{shown} is not a number")
    shown = ", ".join(f"{name} = {value}" for name, value in list(seeds.items())[:4])
    return Judged(Answer.PASS, show(shown))


def judge_script(view: View) -> Judged:
    """Training script versioned: in a commit from which nothing differed."""
    return judge_steps(view, lambda _, record: _judge_script(record))


def _judge_script(record: StepRecord) -> Judged:
    sources = list_materials(record, "source")
    changes = list_materials(record, "source-changes")
    dirty = [item for item in sources if item.annotations.get("dirty") != "false"]
    if changes or dirty:
        files = changes[0].annotations.get("files", "some") if changes else "some"
        files = files if files.isdigit() else "some"
        return Judged(Answer.FAIL, f"{files} files of its source differed from the commit")
    if not sources or not all(item.digest.get("gitCommit") for item in sources):
        return Judged(Answer.UNKNOWN, "the commit of its source is not recorded")
    commit = printable(sources[0].digest["gitCommit"][:12])
    if any(item.annotations.get("when") == "import" for item in sources):
        words = "was there when the step was imported; which one it ran at nobody recorded"
        return Judged(Answer.UNKNOWN, f"commit {commit} {words}")
    for item in list_materials(record, "entry-point"):
        path = item.uri.removeprefix("file:")
        if path.startswith("/") or ".." in path.split("/"):
            shown = show(path)
            return Judged(Answer.UNKNOWN, f"whether {shown} belongs to commit {commit} is not told")
    return Judged(Answer.PASS, f"commit {commit}, with nothing that differed")


def judge_card_created(evidence: Evidence) -> Judged:
    """Model card created: there is one, and it says something."""
    card = evidence.card.card
    if card is not None:
        file = show(card.file)
        if card.has_body:
            return Judged(Answer.PASS, f"{file} describes it", (card.file,))
        return Judged(Answer.FAIL, f"{file} has no text besides its metadata", (card.file,))
    if evidence.card.malformed:
        return Judged(Answer.FAIL, f"The card cannot be read: {printable(evidence.card.problem)}")
    if evidence.artifact.kind is ArtifactKind.FILE:
        return Judged(Answer.UNKNOWN, "A single file has no place for a model card")
    return Judged(Answer.FAIL, "There is no model card")


def judge_experiment(view: View) -> Judged:
    """Experiment tracked: in MLflow or DVC, or by parameters and results that are signed."""
    return judge_steps(view, _judge_experiment)


def _judge_experiment(node: LineageNode, record: StepRecord) -> Judged:
    tracker = read_facts(record, "imported").get("from")
    origins = list_materials(record, "imported-from")
    runs = [item.annotations["run"] for item in origins if "run" in item.annotations]
    if tracker == "mlflow" and runs:
        return Judged(Answer.PASS, f"run {printable(runs[0], limit=40)} of MLflow")
    locks = [item for item in origins if item.name.endswith("dvc.lock") and item.digest]
    if tracker == "dvc" and locks:
        return Judged(Answer.PASS, f"{show(locks[0].name)} of DVC")
    metrics = sum(len(result.metrics) for result in node.results)
    if record.parameters and metrics:
        counts = f"{len(record.parameters):,} parameters and {metrics:,} metrics"
        return Judged(Answer.PASS, f"{counts} of it are signed")
    lacks = "no parameter" if not record.parameters else "no evaluation with metrics"
    return Judged(Answer.UNKNOWN, f"no tracker's run is recorded, and {lacks} is signed")
