"""The checklists: each item passes for what was seen, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from unit.policy.checklist_cases import (
    ARTIFACT,
    BASE,
    DATA,
    ENVIRONMENT,
    LOCK,
    RAW,
    TRAINING,
    make_edge,
    make_node,
    make_package,
    trained_evidence,
    with_facts,
    with_inputs,
    with_materials,
    with_node,
    with_record,
    with_report,
)
from unit.policy.policy_cases import (
    AT,
    STRICT,
    by,
    good_evidence,
    make_finding,
    make_resource,
    make_row,
    with_findings,
)
from weighbridge.core import (
    Answer,
    ArtifactKind,
    CardEvidence,
    Coverage,
    CoverageStatus,
    Dependency,
    Environment,
    Evidence,
    LineageProblem,
    Location,
    ManifestDiff,
    Origin,
    ProblemKind,
    RuleResult,
    SetAside,
)
from weighbridge.policy import CHECKLIST_RULES, evaluate, judge_checklist

PASS, FAIL, UNKNOWN = Answer.PASS, Answer.FAIL, Answer.UNKNOWN
NEVER = {
    "checklist.security.input-validation-for-inference",
    "checklist.security.resource-limits-for-inference",
}
# What is answered without a lineage.
ALONE = {
    "checklist.dependencies.model-card-created",
    "checklist.security.no-pickles-from-untrusted-sources",
    "checklist.security.scanned-for-malicious-payloads",
}
STEPS = (
    set(CHECKLIST_RULES)
    - NEVER
    - ALONE
    - {
        "checklist.dependencies.weights-verified-with-checksums",
        "checklist.security.models-from-trusted-sources",
    }
)


def ask(evidence: Evidence, name: str) -> RuleResult:
    (found,) = (rule for rule in judge_checklist(evidence) if rule.rule.endswith(f".{name}"))
    return found


def answers(evidence: Evidence) -> dict[str, Answer]:
    return {rule.rule: rule.answer for rule in judge_checklist(evidence)}


def is_not(role: str) -> Callable[[Dependency], bool]:
    return lambda item: item.role != role


def test_the_lists_have_eight_five_and_six_items_each_with_a_name_of_its_own() -> None:
    lists = [rule.split(".")[1] for rule in CHECKLIST_RULES]
    assert [lists.count(n) for n in ("dependencies", "security", "reproducibility")] == [8, 5, 6]
    assert len(set(CHECKLIST_RULES)) == 19
    assert tuple(rule.rule for rule in judge_checklist(trained_evidence())) == CHECKLIST_RULES


def test_everything_passes_that_evidence_can_tell_and_the_rest_is_unknown() -> None:
    told = {rule.rule: rule for rule in judge_checklist(trained_evidence())}
    for name, rule in told.items():
        assert rule.answer is (UNKNOWN if name in NEVER else PASS), rule
        assert rule.reason
        assert bool(rule.remedy) is (rule.answer is not PASS)


@pytest.mark.parametrize(
    "evidence",
    [
        good_evidence(),
        with_report(trained_evidence(), is_judged=False),
        with_report(trained_evidence(), artifact=BASE),
        replace(trained_evidence(), artifact=replace(trained_evidence().artifact, digest=None)),
    ],
    ids=["no lineage", "nobody trusted", "of another artifact", "not hashed"],
)
def test_without_a_lineage_that_is_believed_nothing_of_it_passes(evidence: Evidence) -> None:
    told = answers(evidence)
    for name in set(CHECKLIST_RULES) - ALONE:
        assert told[name] is UNKNOWN, name


def test_an_artifact_of_which_only_strangers_speak_passes_nothing() -> None:
    """What nobody trusted signed is set aside, so the artifact is a dead end."""
    node = make_node(ARTIFACT, "model", Origin.UNKNOWN, 0, signers=())
    stranger = SetAside("claims.jsonl:1", "https://slsa.dev/provenance/v1", (ARTIFACT,), "stranger")
    evidence = with_report(
        trained_evidence(), nodes=(node,), edges=(), claims=(), set_aside=(stranger,)
    )
    told = answers(evidence)
    for name in set(CHECKLIST_RULES) - ALONE:
        assert told[name] is UNKNOWN, name


@pytest.mark.parametrize(
    "kind",
    [
        ProblemKind.CYCLE,
        ProblemKind.CONFLICT,
        ProblemKind.MISSING_RANK,
        ProblemKind.DEAD_END,
        ProblemKind.ALIAS,
        ProblemKind.TOO_LARGE,
    ],
)
def test_what_hides_a_step_keeps_all_steps_from_passing(kind: ProblemKind) -> None:
    evidence = with_node(trained_evidence(), DATA, problems=(LineageProblem(kind, "It is so."),))
    told = answers(evidence)
    assert {told[name] for name in STEPS} == {UNKNOWN}


def test_a_dead_end_keeps_all_steps_from_passing() -> None:
    evidence = with_node(trained_evidence(), RAW, origin=Origin.UNKNOWN)
    told = answers(evidence)
    for name in set(CHECKLIST_RULES) - ALONE - {"x"}:
        assert told[name] is UNKNOWN, name
    assert "raw.csv" in ask(evidence, "dataset-provenance-documented").reason


def test_a_dead_end_below_an_accepted_root_does_not_count() -> None:
    below = make_node("sha256:" + "0b" * 32, "pile", Origin.UNKNOWN, 2, is_required=False)
    report = trained_evidence().lineage
    assert report is not None
    evidence = with_report(
        trained_evidence(),
        nodes=(*report.nodes, below),
        edges=(*report.edges, make_edge(BASE, below.id, "data")),
    )
    assert answers(evidence) == answers(trained_evidence())


def test_each_step_that_trained_has_to_satisfy_an_item() -> None:
    """A base model that was trained here without a seed fails what the fine-tuning satisfies."""
    step = replace(TRAINING, kind="train", name="pretrain", parameters={"seed": "none"})
    base = {"origin": Origin.BUILT, "acceptance": None, "step": step, "environment": ENVIRONMENT}
    evidence = with_node(trained_evidence(), BASE, **base)
    found = ask(evidence, "random-seeds-documented")
    assert found.answer is FAIL
    assert "pretrain" in found.reason
    assert ask(evidence, "framework-versions-pinned").answer is PASS


def test_the_step_of_an_accepted_root_is_not_judged_so_that_dropping_it_changes_nothing() -> None:
    step = replace(TRAINING, kind="train", name="pretrain", parameters={"seed": "none"})
    evidence = with_node(trained_evidence(), BASE, step=step)
    assert answers(evidence) == answers(trained_evidence())


def test_the_step_of_a_listed_root_that_was_built_is_not_judged_either() -> None:
    step = replace(TRAINING, kind="train", name="pretrain", parameters={"seed": "none"})
    below = make_node("sha256:" + "0b" * 32, "pile", Origin.UNKNOWN, 2, is_required=False)
    evidence = with_node(trained_evidence(), BASE, origin=Origin.BUILT, acceptance=None, step=step)
    report = evidence.lineage
    assert report is not None
    evidence = with_report(
        evidence,
        nodes=(*report.nodes, below),
        edges=(*report.edges, make_edge(BASE, below.id, "data")),
    )
    assert ask(evidence, "random-seeds-documented").answer is PASS


def test_a_chain_in_which_nothing_was_trained_is_unknown() -> None:
    told = answers(with_record(kind="convert"))
    assert {told[name] for name in STEPS} == {UNKNOWN}


PACKAGES = lambda item: item.role != "package"  # noqa: E731 - said once
CASES: dict[str, list[tuple[str, Evidence, Answer]]] = {
    "framework-versions-pinned": [
        ("no packages", with_materials(PACKAGES), UNKNOWN),
        ("no framework", with_materials(PACKAGES, make_package("click", "8.1")), UNKNOWN),
        ("no version", with_materials(PACKAGES, make_package("torch", "")), FAIL),
        ("editable", with_materials(PACKAGES, make_package("jax", "0.4", editable="true")), FAIL),
        ("changed", with_materials(PACKAGES, make_package("jax", "0.4", check="fail")), FAIL),
        ("unread", with_materials(PACKAGES, make_package("jax", "0.4", check="unknown")), UNKNOWN),
    ],
    "cuda-versions-documented": [
        ("no GPU", with_facts(accelerator={"kind": "none"}), PASS),
        (
            "nobody looked for CUDA",
            with_node(with_facts(accelerator={"kind": "none"}), ARTIFACT, environment=None),
            UNKNOWN,
        ),
        ("nobody looked", with_facts(accelerator={"kind": "unknown"}), UNKNOWN),
        ("not recorded", with_facts(accelerator={}), UNKNOWN),
        ("no environment", with_node(trained_evidence(), ARTIFACT, environment=None), UNKNOWN),
        (
            "failed probe",
            with_node(
                trained_evidence(),
                ARTIFACT,
                environment=Environment(
                    {"torch": {"cuda.build": "12.1", "cudnn.version": "unknown: RuntimeError"}}
                ),
            ),
            UNKNOWN,
        ),
        (
            "ROCm",
            with_node(
                trained_evidence(),
                ARTIFACT,
                environment=Environment({"torch": {"hip.build": "6.0"}}),
            ),
            PASS,
        ),
    ],
    "weights-verified-with-checksums": [
        (
            "other files",
            replace(
                trained_evidence(),
                signature=replace(
                    trained_evidence().signature,
                    diff=ManifestDiff(missing=(), extra=(), changed=(), renamed=()),
                ),
            ),
            PASS,
        ),
        (
            "no digest",
            with_inputs(
                lambda item: item.role != "base-model",
                Dependency("base-model", {}, "https://example.com/x", "base-model"),
            ),
            FAIL,
        ),
        (
            "revision alone",
            with_report(
                trained_evidence(),
                nodes=tuple(
                    replace(n, id="gitCommit:" + "7" * 40) if n.id == BASE else n
                    for n in trained_evidence().lineage.nodes  # type: ignore[union-attr]
                ),
                edges=(make_edge(ARTIFACT, "gitCommit:" + "7" * 40, "base-model"),),
            ),
            UNKNOWN,
        ),
    ],
    "dataset-provenance-documented": [
        ("no data", with_inputs(lambda item: item.role == "base-model"), UNKNOWN),
        (
            "unclear",
            with_inputs(
                lambda i: i.role != "data", replace(TRAINING.inputs[1], name="wiki", role="wiki")
            ),
            UNKNOWN,
        ),
    ],
    "random-seeds-documented": [
        ("no seed", with_record(parameters={"lr": "1"}), UNKNOWN),
        ("none", with_record(parameters={"seed": "None"}), FAIL),
        ("minus one", with_record(parameters={"data.seed": "-1"}), FAIL),
        ("one of two", with_record(parameters={"seed": "1", "random_state": ""}), FAIL),
        ("secret", with_record(parameters={"seed": "[redacted]"}), UNKNOWN),
        ("camel", with_record(parameters={"randomSeed": "7"}), PASS),
        ("not one", with_record(parameters={"seed_dataset": "c4"}), UNKNOWN),
    ],
    "training-script-versioned": [
        ("no source", with_materials(is_not("source")), UNKNOWN),
        (
            "changed",
            with_materials(
                lambda _: True,
                Dependency("source-changes", {"sha256": "11" * 32}, "", "source-changes", {}),
            ),
            FAIL,
        ),
        (
            "dirty submodule",
            with_materials(
                lambda _: True,
                Dependency("source/x", {"gitCommit": "1" * 40}, "", "source", {"dirty": "true"}),
            ),
            FAIL,
        ),
        (
            "as of the import",
            with_materials(
                is_not("source"),
                Dependency(
                    "source",
                    {"gitCommit": "1" * 40},
                    "",
                    "source",
                    {"dirty": "false", "when": "import"},
                ),
            ),
            UNKNOWN,
        ),
        (
            "elsewhere",
            with_materials(
                is_not("entry-point"),
                Dependency("entry-point", {"sha256": "1" * 64}, "file:///tmp/x.py", "entry-point"),
            ),
            UNKNOWN,
        ),
        (
            "above",
            with_materials(
                is_not("entry-point"),
                Dependency("entry-point", {"sha256": "1" * 64}, "file:../x.py", "entry-point"),
            ),
            UNKNOWN,
        ),
    ],
    "model-card-created": [
        ("none", replace(trained_evidence(), card=CardEvidence(None, "there is none")), FAIL),
        ("bad", replace(trained_evidence(), card=CardEvidence(None, "x", malformed=True)), FAIL),
        (
            "a file",
            replace(
                trained_evidence(),
                card=CardEvidence(None, "x"),
                artifact=replace(trained_evidence().artifact, kind=ArtifactKind.FILE),
            ),
            UNKNOWN,
        ),
        (
            "empty",
            replace(
                trained_evidence(),
                card=CardEvidence(replace(trained_evidence().card.card, has_body=False)),  # type: ignore[type-var]
            ),
            FAIL,
        ),
    ],
    "experiment-tracked": [
        ("no metrics", with_node(trained_evidence(), ARTIFACT, results=()), UNKNOWN),
        ("no parameters", with_record(parameters={}), UNKNOWN),
        (
            "MLflow",
            with_node(
                with_record(
                    facts={"imported": {"from": "mlflow", "run": "1"}},
                    materials=(Dependency("mlflow-run", {}, "x:y", "imported-from", {"run": "1"}),),
                ),
                ARTIFACT,
                results=(),
            ),
            PASS,
        ),
        (
            "DVC",
            with_node(
                with_record(
                    facts={"imported": {"from": "dvc", "stage": "train"}},
                    materials=(
                        Dependency("dvc.lock", {"sha256": "1" * 64}, "x:y", "imported-from"),
                    ),
                ),
                ARTIFACT,
                results=(),
            ),
            PASS,
        ),
    ],
    "models-from-trusted-sources": [
        ("unknown base", with_node(trained_evidence(), BASE, origin=Origin.UNKNOWN), UNKNOWN),
        (
            "rejected base",
            with_node(
                trained_evidence(),
                BASE,
                problems=(LineageProblem(ProblemKind.REJECTED, "Ada rejects it."),),
            ),
            FAIL,
        ),
        (
            "denied",
            with_node(
                trained_evidence(),
                ARTIFACT,
                problems=(LineageProblem(ProblemKind.DENIED, "the policy denies it"),),
            ),
            FAIL,
        ),
    ],
    "scanned-for-malicious-payloads": [
        ("found", with_findings(trained_evidence(), make_finding()), FAIL),
        (
            "not examined",
            replace(
                trained_evidence(),
                scan=replace(
                    trained_evidence().scan,
                    coverage=(
                        *trained_evidence().scan.coverage[:2],
                        make_row("model.safetensors", CoverageStatus.NOT_EXAMINED, "too large"),
                    ),
                ),
            ),
            UNKNOWN,
        ),
        (
            "file missed",
            replace(
                trained_evidence(),
                scan=replace(
                    trained_evidence().scan, coverage=trained_evidence().scan.coverage[:2]
                ),
            ),
            UNKNOWN,
        ),
    ],
    "all-random-seeds-set": [
        ("no hash seed", with_facts(environment={}), UNKNOWN),
        (
            "random",
            with_facts(environment={"variables": {"PYTHONHASHSEED": "random"}}),
            FAIL,
        ),
        ("no seed", with_record(parameters={}), UNKNOWN),
        ("unset", with_record(parameters={"seed": "null"}), FAIL),
    ],
    "deterministic-mode-enabled": [
        ("nothing", with_record(parameters={"seed": "1"}), UNKNOWN),
        ("off", with_record(parameters={"deterministic": "False"}), FAIL),
        ("no cuBLAS", with_facts(determinism={"torch.deterministic": "true"}), UNKNOWN),
        (
            "TensorFlow off",
            with_facts(determinism={"TF_DETERMINISTIC_OPS": "0", "torch.deterministic": "true"}),
            FAIL,
        ),
        (
            "CPU",
            with_facts(accelerator={"kind": "none"}, determinism={}),
            PASS,
        ),
    ],
    "hardware-requirements-documented": [
        ("no environment", with_node(trained_evidence(), ARTIFACT, environment=None), UNKNOWN),
        ("no GPU model", with_facts(accelerator={"kind": "gpu", "driver": "1"}), UNKNOWN),
        ("unknown", with_facts(accelerator={"kind": "unknown"}), UNKNOWN),
        ("no GPU", with_facts(accelerator={"kind": "none"}), PASS),
    ],
    "exact-versions-in-lock": [
        ("no lock", with_inputs(is_not("lock")), UNKNOWN),
        (
            "ranges",
            with_inputs(
                is_not("lock"),
                Dependency("r", {"sha256": LOCK}, "", "lock", {"lockFile": "requirements.txt"}),
            ),
            UNKNOWN,
        ),
        ("no packages", with_materials(PACKAGES), UNKNOWN),
        (
            "editable",
            with_materials(lambda _: True, make_package("mine", "0.1", editable="true")),
            FAIL,
        ),
    ],
    "dataset-version-pinned": [
        ("no data", with_inputs(lambda item: item.role == "base-model"), UNKNOWN),
        (
            "by address",
            with_inputs(
                lambda item: item.role != "data",
                Dependency("data", {}, "s3://bucket/data", "data"),
            ),
            FAIL,
        ),
        (
            "undeclared",
            with_materials(
                lambda _: True,
                Dependency("/x", {}, "file:///x", "undeclared", {"state": "gone"}),
            ),
            UNKNOWN,
        ),
    ],
    "training-logs-preserved": [
        ("not here", replace(trained_evidence(), files={"w": "1" * 64}), UNKNOWN),
        ("no claim", with_report(trained_evidence(), claims=()), UNKNOWN),
        (
            "in the model",
            with_report(replace(trained_evidence(), files={"training.log": "1" * 64}), claims=()),
            PASS,
        ),
    ],
}


@pytest.mark.parametrize(
    ("name", "evidence", "answer"),
    [
        pytest.param(name, evidence, answer, id=f"{name}-{what}")
        for name, cases in CASES.items()
        for what, evidence, answer in cases
    ],
)
def test_an_item_says_what_the_evidence_tells(
    name: str, evidence: Evidence, answer: Answer
) -> None:
    found = ask(evidence, name)
    assert found.answer is answer, found
    assert bool(found.remedy) is (answer is not PASS)


def test_a_machine_without_a_gpu_has_no_cuda_to_document() -> None:
    evidence = with_node(
        with_facts(accelerator={"kind": "none"}),
        ARTIFACT,
        environment=Environment({"torch": {"cuda.available": "false"}}),
    )
    assert ask(evidence, "cuda-versions-documented").answer is PASS


def test_other_files_than_were_signed_fail() -> None:
    changed = ManifestDiff(missing=(make_resource("model.safetensors"),))
    evidence = replace(
        trained_evidence(), signature=replace(trained_evidence().signature, diff=changed)
    )
    found = ask(evidence, "weights-verified-with-checksums")
    assert (found.answer, found.names) == (FAIL, ("model.safetensors",))


def with_pickle(evidence: Evidence) -> Evidence:
    row = Coverage(Location("w.pt", ("data.pkl",)), CoverageStatus.EXAMINED, "pickle")
    scan = replace(evidence.scan, coverage=(*evidence.scan.coverage, row))
    return replace(evidence, scan=scan, artifact=replace(evidence.artifact, file_count=4))


def test_a_pickle_passes_only_if_somebody_trusted_vouches_for_it() -> None:
    name = "no-pickles-from-untrusted-sources"
    unsigned = replace(good_evidence().signature, attributions=())
    for evidence, answer in (
        (trained_evidence(), PASS),
        (good_evidence(), PASS),
        (with_pickle(good_evidence()), PASS),
        (with_pickle(replace(good_evidence(), signature=unsigned)), FAIL),
        (with_pickle(replace(trained_evidence(), signature=unsigned)), PASS),
        (
            with_pickle(
                replace(
                    with_node(trained_evidence(), BASE, origin=Origin.UNKNOWN), signature=unsigned
                )
            ),
            FAIL,
        ),
        (
            with_pickle(
                replace(
                    good_evidence(),
                    signature=replace(unsigned, attributions=by("release"), diff=None),
                )
            ),
            FAIL,
        ),
    ):
        found = ask(evidence, name)
        assert found.answer is answer, found
    missed = make_row("model.safetensors", CoverageStatus.NOT_EXAMINED, "too large")
    scan = replace(good_evidence().scan, coverage=(*good_evidence().scan.coverage[:2], missed))
    assert ask(replace(good_evidence(), scan=scan), name).answer is UNKNOWN


def test_a_policy_with_the_profile_judges_the_items_after_its_own_rules() -> None:
    verdict = evaluate(replace(STRICT, profile="checklist"), trained_evidence(), at=AT)
    names = tuple(rule.rule for rule in verdict.rules)
    assert names[-19:] == CHECKLIST_RULES
    assert verdict.answer is UNKNOWN  # nothing tells how the model is served
    assert evaluate(STRICT, trained_evidence(), at=AT).answer is PASS


def test_what_strangers_write_cannot_act_on_a_terminal() -> None:
    evil = "\x1b[2Jx\u202e\n"
    step = replace(
        TRAINING,
        name=evil,
        parameters={"seed": evil, "deterministic": evil},
        inputs=(Dependency(evil, {}, evil, "data"),),
        materials=(
            Dependency("entry-point", {}, f"file:/{evil}", "entry-point"),
            Dependency("s", {"gitCommit": evil}, evil, "source", {"dirty": "false"}),
            Dependency(evil, {"sha256": evil}, f"pkg:pypi/torch@{evil}", "package"),
        ),
        facts={"accelerator": {"kind": "gpu", "model-0": evil}},
    )
    evidence = with_node(trained_evidence(step), ARTIFACT, label=evil)
    for rule in judge_checklist(evidence):
        assert rule.reason.isprintable(), rule
