"""policy explain, policy test: what a policy demands, and whether it says what it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.artifact import read_document
from weighbridge.core import DEFAULT_LIMITS, Answer, Limits, printable
from weighbridge.errors import InputError
from weighbridge.policy import Demand, PolicyCase, describe_policy, parse_case
from weighbridge.workflow._check import check_artifact
from weighbridge.workflow._paths import to_optional_path, to_path
from weighbridge.workflow._policy_trust import load_policy

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.core import Verdict
    from weighbridge.core.ports import StrPath

__all__ = ["CaseResult", "ExplainedPolicy", "explain_policy", "run_policy_cases"]

_CASE_FILE = "case.toml"
_POLICY_FILE = "weighbridge.toml"


@dataclass(frozen=True, slots=True)
class ExplainedPolicy:
    """A policy in words.

    Attributes:
        name: Its path, or ``built-in``.
        digest: ``sha256:<hex>`` of its bytes; empty for the built-in one.
        demands: What it says, rules first.
    """

    name: str
    digest: str
    demands: tuple[Demand, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a policy says in one case.

    Attributes:
        name: Of the case: its file without ``.toml``, or its folder.
        expected: The verdict that the case asks for.
        actual: The verdict.
        differences: What is not as expected, a sentence each; empty if all is.
    """

    name: str
    expected: Answer
    actual: Answer
    differences: tuple[str, ...] = ()


def explain_policy(
    policy: StrPath | None = None, *, limits: Limits = DEFAULT_LIMITS
) -> ExplainedPolicy:
    """Say in words what a policy demands; no key is read, and nothing is judged.

    Args:
        policy: A ``weighbridge.toml``; without one the built-in policy.
        limits: ``max_policy_bytes`` applies.

    Raises:
        InputError: It cannot be read, or is no policy; with the place of the fault.
        LimitExceededError: It is larger than ``max_policy_bytes``.
    """
    rules = load_policy(to_optional_path(policy, what="policy"), limits=limits)
    return ExplainedPolicy(rules.name, rules.digest, describe_policy(rules))


def run_policy_cases(
    folder: StrPath, *, policy: StrPath | None = None, limits: Limits = DEFAULT_LIMITS
) -> tuple[CaseResult, ...]:
    """Judge every case in a folder, as ``check`` does, and compare.

    A case is ``NAME.toml`` in the folder, or ``NAME/case.toml``. Paths in it are relative to it.
    The network is not used. All cases are read before the first is judged.

    Args:
        folder: Where the cases are.
        policy: For cases that name none; by default ``weighbridge.toml`` in the folder.
        limits: Bounds on all work, for each case.

    Returns:
        One result a case, by name; none if there is no case.

    Raises:
        InputError: The folder, a case, a policy or an artifact cannot be used.
        LimitExceededError: A case or a policy is larger than ``max_policy_bytes``.
        IncompleteError: A case could not be judged to its end.
    """
    root = to_path(folder, what="folder of cases")
    given = to_optional_path(policy, what="policy")
    if given is None and (root / _POLICY_FILE).is_file():
        given = root / _POLICY_FILE
    cases = [
        (name, file, _read_case(file, limits=limits))
        for name, file in _find_cases(root, policy=given)
    ]
    for _, file, case in cases:
        if not case.policy and given is None:
            shown = printable(str(file))
            raise InputError(f"{shown} names no policy; add the key 'policy', or pass --policy")
    return tuple(
        _compare(name, case, _check(file, case, policy=given, limits=limits))
        for name, file, case in cases
    )


def _find_cases(root: Path, *, policy: Path | None) -> list[tuple[str, Path]]:
    """Return the name and the file of each case, by name."""
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        reason = (error.strerror or "error").lower()
        shown = printable(str(root))
        raise InputError(f"the folder of cases {shown} cannot be read: {reason}") from error
    found: dict[str, Path] = {}
    for entry in entries:
        if entry.suffix == ".toml" and entry.name != _POLICY_FILE and entry.is_file():
            if policy is not None and policy.exists() and entry.samefile(policy):
                continue
            name, file = entry.stem, entry
        elif (entry / _CASE_FILE).is_file():
            name, file = entry.name, entry / _CASE_FILE
        else:
            continue
        if name in found:
            shown = printable(name)
            raise InputError(f"there are two cases {shown!r}, a file and a folder; rename one")
        found[name] = file
    return sorted(found.items())


def _read_case(file: Path, *, limits: Limits) -> PolicyCase:
    data = read_document(
        file, what="case", limit_name="max_policy_bytes", limit_bytes=limits.max_policy_bytes
    )
    return parse_case(data, name=str(file), limits=limits)


def _check(file: Path, case: PolicyCase, *, policy: Path | None, limits: Limits) -> Verdict:
    """Judge a case as ``check`` does."""
    folder = file.parent
    more: dict[str, Any] = {}
    if case.claims:
        more["claims"] = tuple(folder / claims for claims in case.claims)
    if case.at is not None:
        more["at"] = case.at
    report = check_artifact(
        folder / case.artifact,
        policy=folder / case.policy if case.policy else policy,
        offline=True,
        limits=limits,
        **more,
    )
    return report.verdict


def _compare(name: str, case: PolicyCase, verdict: Verdict) -> CaseResult:
    answers = {rule.rule: rule for rule in verdict.rules}
    differences = []
    if verdict.answer is not case.expect:
        why = _find_reason(verdict)
        differences.append(f"the verdict is {verdict.answer}, not {case.expect}{why}")
    for rule, expected in sorted(case.rules.items()):
        shown = printable(rule)
        if rule not in answers:
            differences.append(f"there is no rule {shown!r} in the verdict")
        elif answers[rule].answer is not expected:
            found = answers[rule]
            why = printable(found.waiver or found.reason)
            differences.append(f"{shown} is {found.answer}, not {expected}: {why}")
    return CaseResult(name, case.expect, verdict.answer, tuple(differences))


def _find_reason(verdict: Verdict) -> str:
    """Return the first reason for an answer that is not pass."""
    if verdict.answer is Answer.PASS:
        return ""
    for rule in verdict.rules:
        if rule.answer is verdict.answer and not rule.is_warning:
            return f" ({printable(rule.rule)}: {printable(rule.reason)})"
    return ""
