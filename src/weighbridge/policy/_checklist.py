"""The three checklists, dependencies, security and reproducibility: 19 items, from evidence alone.

An item passes only for what was seen. What no statement tells, such as how a model is served, is
unknown, never pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.core import Answer, RuleResult
from weighbridge.policy import _checklist_dependencies as dependencies
from weighbridge.policy import _checklist_reproducibility as reproducibility
from weighbridge.policy import _checklist_security as security
from weighbridge.policy._checklist_view import build_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.core import Evidence
    from weighbridge.policy._checklist_view import Judged, View

__all__ = ["CHECKLIST_RULES", "judge_checklist"]


class _Item(NamedTuple):
    """One line of a checklist: its rule's name, how it is judged, and what would satisfy it."""

    rule: str
    judge: Callable[[View, Evidence], Judged]
    remedy: str


_RUN = "weighbridge run --kind train"
_ITEMS: Final = (
    _Item(
        "checklist.dependencies.framework-versions-pinned",
        lambda view, _: dependencies.judge_frameworks(view),
        "Install the frameworks from wheels, not editable, and record each training step with "
        f"`{_RUN} ... -- python train.py`, which lists what is installed.",
    ),
    _Item(
        "checklist.dependencies.cuda-versions-documented",
        lambda view, _: dependencies.judge_cuda(view),
        f"Record each training step with `{_RUN} ... -- python train.py` where PyTorch is "
        "installed: CUDA, cuDNN and the driver are then signed with it.",
    ),
    _Item(
        "checklist.dependencies.weights-verified-with-checksums",
        dependencies.judge_weights,
        "Name every model that a step begins with by a path or an address with a sha256 "
        "(`-i base-model=PATH`), and sign the result with `weighbridge sign`.",
    ),
    _Item(
        "checklist.dependencies.dataset-provenance-documented",
        lambda view, _: dependencies.judge_dataset_provenance(view),
        "Declare the data (`-i data=PATH`), record how it was made with `weighbridge run --kind "
        "clean`, or say where it is from with `weighbridge accept PATH --fetched-from URL`.",
    ),
    _Item(
        "checklist.dependencies.random-seeds-documented",
        lambda view, _: dependencies.judge_seeds_documented(view),
        f"Set the seed and record it: `{_RUN} --param seed=42 ...`.",
    ),
    _Item(
        "checklist.dependencies.training-script-versioned",
        lambda view, _: dependencies.judge_script(view),
        f"Commit everything, then run `{_RUN} ...` inside the repository, with the script by a "
        "relative path.",
    ),
    _Item(
        "checklist.dependencies.model-card-created",
        lambda _, evidence: dependencies.judge_card_created(evidence),
        "Add a README.md that describes the model, and check its whole folder.",
    ),
    _Item(
        "checklist.dependencies.experiment-tracked",
        lambda view, _: dependencies.judge_experiment(view),
        "Claim the run with `weighbridge import mlflow` or `weighbridge import dvc`; or record "
        "parameters (`--param`) and have an evaluation of the model signed.",
    ),
    _Item(
        "checklist.security.models-from-trusted-sources",
        lambda view, _: security.judge_sources(view),
        "Have whoever made each model sign its provenance, or review it and run `weighbridge "
        "accept PATH`; list their keys in the policy.",
    ),
    _Item(
        "checklist.security.no-pickles-from-untrusted-sources",
        security.judge_pickles,
        "Convert the files to safetensors, or have them signed by somebody whom the policy trusts "
        "(`weighbridge sign`).",
    ),
    _Item(
        "checklist.security.input-validation-for-inference",
        lambda _, __: security.judge_without_evidence("how input is validated for inference"),
        "Look at the service that loads the model; no statement about it is read yet.",
    ),
    _Item(
        "checklist.security.resource-limits-for-inference",
        lambda _, __: security.judge_without_evidence("which limits the inference has"),
        "Look at the service that loads the model; no statement about it is read yet.",
    ),
    _Item(
        "checklist.security.scanned-for-malicious-payloads",
        lambda _, evidence: security.judge_scanned(evidence),
        "Run `weighbridge scan PATH`, and replace or remove what it finds or cannot examine.",
    ),
    _Item(
        "checklist.reproducibility.all-random-seeds-set",
        lambda view, _: reproducibility.judge_all_seeds(view),
        f"Set every seed and record it: `PYTHONHASHSEED=0 {_RUN} --param seed=42 ...`.",
    ),
    _Item(
        "checklist.reproducibility.deterministic-mode-enabled",
        lambda view, _: reproducibility.judge_deterministic(view),
        "Turn it on and record it: `CUBLAS_WORKSPACE_CONFIG=:4096:8 "
        f"{_RUN} --param deterministic=true ...`.",
    ),
    _Item(
        "checklist.reproducibility.hardware-requirements-documented",
        lambda view, _: reproducibility.judge_hardware(view),
        f"Record each training step with `{_RUN} ...`: processor and GPU are then signed with it.",
    ),
    _Item(
        "checklist.reproducibility.exact-versions-in-lock",
        lambda view, _: reproducibility.judge_lock(view),
        "Install from a lock with exact versions and declare it: `-i lock=uv.lock`.",
    ),
    _Item(
        "checklist.reproducibility.dataset-version-pinned",
        lambda view, _: reproducibility.judge_data_pinned(view),
        "Name the data by a path or an address with a digest: `-i data=PATH`, "
        "`-i data=hf://ORG/NAME@REVISION`.",
    ),
    _Item(
        "checklist.reproducibility.training-logs-preserved",
        reproducibility.judge_logs,
        "Let the step write its log into the model's folder (`training.log`), or make the log an "
        "output (`-o log=PATH`) and keep it with the artifact.",
    ),
)

CHECKLIST_RULES: Final = tuple(item.rule for item in _ITEMS)
"""The names of the rules, in the order of the lists."""


def judge_checklist(evidence: Evidence) -> tuple[RuleResult, ...]:
    """Answer each item of the three checklists; pure, linear in the lineage.

    Only what signers whom the policy trusts have stated counts, and an item passes only if each
    step that trained satisfies it and nothing in the chain is unknown.

    Args:
        evidence: What is known; without a lineage most items are unknown.

    Returns:
        19 results in the order of the lists. ``reason`` says what was looked at and found,
        ``remedy`` what would satisfy the item.
    """
    view = build_view(evidence)
    return tuple(_judge(item, view, evidence) for item in _ITEMS)


def _judge(item: _Item, view: View, evidence: Evidence) -> RuleResult:
    judged = item.judge(view, evidence)
    remedy = "" if judged.answer is Answer.PASS else item.remedy
    return RuleResult(item.rule, judged.answer, judged.reason, judged.names, remedy)
