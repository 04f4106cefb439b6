"""The gate under attack by those who have a key: a role is not another role, a name is no proof."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import weighbridge as wb
from chains import CLUSTER, NOW, OTHER_CLUSTER, REQUIRE, Chain, build_step, good_chain
from support import digest_of
from weighbridge.core import Dependency, Limits, Statement, Subject, VerificationSummary
from weighbridge.core import build_summary as summarize
from weighbridge.errors import InputError, LimitExceededError

COMMIT = "c0ffee" + "0" * 34
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"


def give_role(chain: Chain, role: str, rules: str = REQUIRE) -> None:
    """Give the signer ``second`` one role and no other."""
    policy = chain.write_policy(rules)
    name, _, rest = policy.read_text().partition("[trust.signers.second]")
    changed = rest.replace('"reviewer"', f'"{role}"', 1)
    policy.write_text(f"{name}[trust.signers.second]{changed}")


def evaluate(digest: dict[str, str], result: str, **metrics: str) -> Statement:
    predicate = {"result": result, "configuration": [], "metrics": metrics}
    return Statement.build([Subject("m", digest)], predicate_type=TEST_RESULT, predicate=predicate)


def made_from_a_commit(folder: Path) -> tuple[Chain, dict[str, str]]:
    """A good chain, whose model was made from a commit of which nobody says what it holds."""
    chain, digests = good_chain(folder)
    chain.claims.pop()
    base = Dependency("base", {"gitCommit": COMMIT}, role="base-model")
    chain.sign(_made(digests["model"], base))
    assert chain.answer() == "fail"
    return chain, digests


def _made(output: str, *inputs: Dependency, **changes: object) -> Statement:
    return build_step(output, dependencies=inputs, **changes)  # type: ignore[arg-type]


class TestAliases:
    """Which sha256 a commit has, only those may say whose word counts for lineage."""

    @pytest.mark.parametrize("role", ["evaluator", "scanner", "verifier"])
    def test_not_whoever_has_another_role(self, tmp_path: Path, role: str) -> None:
        chain, digests = made_from_a_commit(tmp_path)
        give_role(chain, role)
        both = {"sha256": digests["base"], "gitCommit": COMMIT}
        chain.sign(evaluate(both, "PASSED"), "second")
        chain.sign(
            Statement.build([Subject("x", both)], predicate_type="urn:x", predicate={}), "second"
        )
        assert chain.answer() == "fail"

    @pytest.mark.parametrize("depth", ['"all"', "1", "2"])
    def test_not_a_builder_beyond_its_level(self, tmp_path: Path, depth: str) -> None:
        chain, digests = made_from_a_commit(tmp_path)
        chain.write_policy(f"[require]\nprovenance = {{ level = 2, depth = {depth} }}\n")
        said = Dependency("base", {"sha256": digests["base"], "gitCommit": COMMIT}, role="base")
        laptop = "https://example.com/laptop"
        chain.sign(_made("ab" * 32, said, builder=laptop), "other")
        assert chain.answer() == "fail"
        chain.sign(_made("ab" * 32, said, builder=OTHER_CLUSTER), "other")
        assert chain.answer() == "pass"
        chain.write_policy(f"[require]\nprovenance = {{ level = 3, depth = {depth} }}\n")
        assert chain.answer() == "fail"

    def test_provenance_of_the_alias_of_an_artifact(self, tmp_path: Path) -> None:
        chain, digests = good_chain(tmp_path)
        chain.claims.pop()
        data = Dependency("data", {"sha256": digests["clean"]}, role="data")
        statement = _made(digests["model"], data, subjects=[Subject("m", {"gitCommit": COMMIT})])
        chain.sign(statement)
        said = Dependency("m", {"sha256": digests["model"], "gitCommit": COMMIT}, role="m")
        chain.sign(_made("ab" * 32, said, builder="https://example.com/laptop"), "other")
        for depth in ('"all"', "0"):
            chain.write_policy(f"[require]\nprovenance = {{ level = 2, depth = {depth} }}\n")
            assert chain.answer() == "fail"
        chain.sign(_made("ab" * 32, said, builder=OTHER_CLUSTER), "other")
        assert chain.answer() == "pass"

    def test_a_summary_of_an_alias_that_a_laptop_bound(self, tmp_path: Path) -> None:
        chain, digests = good_chain(tmp_path)
        chain.claims.clear()
        gate = (
            '[trust.verifiers."https://example.com/gate/v1"]\nsigners = ["gate"]\n'
            f'policies = ["sha256:{"ab" * 32}"]\nmax-age-days = 30\n'
        )
        chain.write_policy(gate + REQUIRE)
        summary = VerificationSummary(
            "https://example.com/gate/v1",
            NOW - timedelta(days=1),
            "pkg:generic/x",
            "file:gate.toml",
            f"sha256:{'ab' * 32}",
            passed=True,
            level=3,
            dependency_levels={},
        )
        chain.sign(summarize(summary, [Subject("x", {"gitCommit": COMMIT})]), "gate")
        both = Subject("m", {"sha256": digests["model"], "gitCommit": COMMIT})
        laptop = "https://example.com/laptop"
        chain.sign(_made("", subjects=[both], builder=laptop), "other")
        assert chain.answer() == "fail"


class TestLockFiles:
    """What a step calls its files, its author chooses; data stay data."""

    @pytest.mark.parametrize(
        ("facts", "answer"),
        [
            ({"kind": "folder", "files": "1000", "bytes": "90000000000"}, "fail"),
            ({"kind": "folder", "files": "1", "bytes": "9"}, "fail"),
            ({"kind": "file", "files": "1", "bytes": "90000000000"}, "fail"),
            ({"kind": "file", "files": "1", "bytes": "many"}, "fail"),
            ({"kind": "file", "files": "1", "bytes": "900000"}, "pass"),
        ],
    )
    def test_a_dataset_called_a_lock_file(
        self, tmp_path: Path, facts: dict[str, str], answer: str
    ) -> None:
        chain, digests = good_chain(tmp_path)
        chain.claims.pop()
        data = Dependency("data", {"sha256": digests["clean"]}, role="data")
        facts = {**facts, "lockFile": "requirements.txt"}
        lock = Dependency("more", {"sha256": "ee" * 32}, role="more", annotations=facts)
        chain.sign(_made(digests["model"], data, lock))
        assert chain.answer() == answer

    def test_a_folder_is_not_recorded_as_one(self, tmp_path: Path) -> None:
        data = tmp_path / "uv.lock"
        data.mkdir()
        (data / "poison.csv").write_text("x")
        from weighbridge.core import DEFAULT_LIMITS  # noqa: PLC0415
        from weighbridge.engines import ThreadExecutor  # noqa: PLC0415
        from weighbridge.workflow._step_inputs import hash_inputs  # noqa: PLC0415

        (found,) = hash_inputs({"lock": data}, executor=ThreadExecutor(), limits=DEFAULT_LIMITS)
        assert "lockFile" not in found.dependency.annotations


class TestReviews:
    RULE = '[require]\nreview = { by = ["reviewer", "second"] }\n'

    def test_a_reject_by_a_clock_that_is_fast(self, tmp_path: Path) -> None:
        chain, digests = good_chain(tmp_path)
        chain.write_policy(self.RULE)
        chain.review(digests["model"], "approve")
        assert chain.answer("review") == "pass"
        soon = NOW + timedelta(hours=1)
        chain.review(digests["base"], "reject", "second", reviewed_at=soon)
        assert chain.answer("review") == "fail"

    def test_an_approval_by_a_clock_that_is_fast(self, tmp_path: Path) -> None:
        chain, digests = good_chain(tmp_path)
        chain.write_policy(self.RULE)
        chain.review(digests["model"], "approve", reviewed_at=NOW + timedelta(hours=1))
        assert chain.answer("review") == "fail"


class TestEvaluations:
    RULE = '[require]\nevaluation = [{ name = "acc", at-least = "0.9", by = ["cluster"] }]\n'

    def test_a_failure_under_another_name_of_the_artifact(self, tmp_path: Path) -> None:
        chain, digests = good_chain(tmp_path)
        root = wb.hash(tmp_path / "model").compute_oms_root().hex
        wb.sign(tmp_path / "model", key=tmp_path / "keys" / "release.key")
        chain.write_policy(self.RULE)
        chain.sign(evaluate({"sha256": digests["model"]}, "PASSED", acc="0.95"))
        assert chain.answer("evaluation.acc") == "pass"
        chain.sign(evaluate({"sha256": root}, "FAILED", acc="0.1"))
        assert chain.answer("evaluation.acc") == "fail"

    def test_the_same_numbers_by_somebody_else(self, tmp_path: Path) -> None:
        """Those whom the policy asks evaluated the base, and the other builder copied it."""
        chain, digests = good_chain(tmp_path)
        chain.write_policy(self.RULE)
        chain.sign(evaluate({"sha256": digests["base"]}, "PASSED", acc="0.95"))
        chain.sign(evaluate({"sha256": digests["model"]}, "PASSED", acc="0.95"), "other")
        assert chain.answer("evaluation.acc") == "unknown"


class TestSources:
    def test_a_branch_that_is_called_a_commit(self, tmp_path: Path) -> None:
        chain, digests = good_chain(tmp_path)
        chain.claims.clear()
        chain.write_policy(
            '[require]\nsource = { from = ["https://example.com/**"], revision = "pinned" }\n'
        )
        uri = "https://example.com/x"
        for commit, answer in (("main", "fail"), ("ab" * 19, "fail"), (COMMIT, "pass")):
            chain.claims.clear()
            entry = Dependency("x", {"gitCommit": commit}, uri=uri, role="x")
            chain.sign(_made(digests["model"], entry, kind="fetch"))
            assert chain.answer("source") == answer, commit

    def test_a_user_that_is_called_as_the_host(self, tmp_path: Path) -> None:
        chain, digests = good_chain(tmp_path)
        chain.write_policy('[require]\nsource = { from = ["https://example.com"] }\n')
        for uri, answer in (
            ("https://example.com@evil.example.net", "fail"),
            ("https://example.com", "pass"),
        ):
            chain.claims.clear()
            entry = Dependency("x", {"gitCommit": COMMIT}, uri=uri, role="x")
            chain.sign(_made(digests["model"], entry, kind="fetch"))
            assert chain.answer("source") == answer, uri

    @pytest.mark.parametrize(("seen", "answer"), [("declared", "unknown"), ("observed", "pass")])
    def test_data_that_were_made_of_nothing(self, tmp_path: Path, seen: str, answer: str) -> None:
        """One good root is no reason to pass over a step that says nothing of what it took in."""
        chain, digests = good_chain(tmp_path)
        del chain.claims[2]
        chain.step(digests["clean"], kind="clean", seen=seen)
        chain.write_policy(
            '[require]\nsource = { from = ["https://example.com/*"] }\n'
            'licenses = { allow = ["Apache-2.0", "MIT"], through-lineage = true }\n'
        )
        assert chain.answer("source") == answer
        assert chain.answer("licenses") == answer


class TestAge:
    @pytest.mark.parametrize("number", range(4))
    def test_dropping_an_old_run_changes_nothing(self, tmp_path: Path, number: int) -> None:
        chain, digests = good_chain(tmp_path)
        chain.write_policy("[require]\nprovenance = { level = 2, max-age-days = 30 }\n")
        old = NOW - timedelta(days=60)
        chain.step(
            digests["model"],
            inputs={"data": digests["clean"], "base-model": digests["base"]},
            invocation=f"urn:x:{number}",
            started_at=old,
            finished_at=old,
        )
        assert chain.answer() == "pass"
        del chain.claims[3]
        assert chain.answer() == "fail"

    def test_a_time_without_a_zone(self, tmp_path: Path) -> None:
        chain, _ = good_chain(tmp_path)
        with pytest.raises(InputError, match="has no zone"):
            chain.check(at=NOW.replace(tzinfo=None))
        with pytest.raises(InputError, match="has no zone"):
            wb.trace(tmp_path / "model", at=NOW.replace(tzinfo=None))


class TestFloods:
    """Nobody makes the gate hang or eat memory."""

    LIMITS = Limits(max_entries=10_000, max_claims=1_000)

    @pytest.mark.parametrize("line", [b"", b"a", b"{}"])
    def test_a_claims_file_of_line_ends(self, tmp_path: Path, line: bytes) -> None:
        chain, _ = good_chain(tmp_path)
        chain.claims += [line] * 20_000
        report = chain.check(limits=self.LIMITS)
        assert report.verdict.answer == "fail"
        lineage = report.evidence.lineage
        assert lineage is not None
        assert "max_entries" in lineage.set_aside[0].reason
        key = tmp_path / "keys" / "reviewer.key"
        with pytest.raises(LimitExceededError, match="lines"):
            wb.review(
                tmp_path / "model", scope="x", decision="approve", key=key, limits=self.LIMITS
            )

    def test_what_looks_like_a_bundle_counts_as_one(self, tmp_path: Path) -> None:
        chain, _ = good_chain(tmp_path)
        chain.claims += [b'"dsseEnvelope"%d' % number for number in range(1_000)]
        with pytest.raises(LimitExceededError, match="statements"):
            chain.check(limits=self.LIMITS)

    def test_a_step_with_very_many_outputs(self, tmp_path: Path) -> None:
        """Each of 20,000 files is one subject of a statement with 20,000 subjects."""
        chain, digests = good_chain(tmp_path)
        chain.claims.pop()
        many = [digest_of(str(number)) for number in range(20_000)]
        data = Dependency("data", {"sha256": digests["clean"]}, role="data")
        subjects = [Subject(f"part {n}", {"sha256": one}) for n, one in enumerate(many)]
        chain.sign(_made("", data, subjects=subjects, kind="split"))
        inputs = [Dependency(one, {"sha256": one}, role="data") for one in many]
        chain.sign(_made(digests["model"], *inputs))
        assert chain.answer() == "pass"

    def test_an_alias_of_very_many(self, tmp_path: Path) -> None:
        """20,000 inputs by one commit, to which 20,000 artifacts are bound."""
        chain, digests = good_chain(tmp_path)
        chain.claims.pop()
        subjects = [
            Subject("x", {"sha256": digest_of(str(n)), "gitCommit": COMMIT}) for n in range(20_000)
        ]
        chain.sign(_made("", subjects=subjects, kind="split"))
        inputs = [Dependency(str(n), {"gitCommit": COMMIT}, role="data") for n in range(20_000)]
        chain.sign(_made(digests["model"], *inputs))
        assert chain.answer() == "fail"

    def test_rules_that_compare_very_many_inputs(self, tmp_path: Path) -> None:
        pytest.importorskip("cel")
        chain, digests = good_chain(tmp_path)
        chain.claims.pop()
        rule = "lineage.all(n, n.inputs.all(i, n.inputs.exists_one(j, j.name == i.name)))"
        chain.write_policy(f"[[rules]]\nname = 'once'\nrequire = '''{rule}'''\n")
        for count, answer in ((3, "pass"), (50_000, "fail")):
            inputs = [Dependency(str(n), {"sha256": digest_of(str(n))}) for n in range(count)]
            chain.sign(_made(digests["model"], *inputs))
            assert chain.answer("once") == answer
            chain.claims.pop()

    def test_rules_that_see_very_much(self, tmp_path: Path) -> None:
        """A step with 20,000 outputs and 20,000 parameters is seen once, and is too large."""
        pytest.importorskip("cel")
        chain, digests = good_chain(tmp_path)
        chain.claims.pop()
        chain.write_policy("[[rules]]\nname = 'true'\nrequire = 'true'\n")
        many = [digest_of(str(number)) for number in range(20_000)]
        subjects = [Subject("x", {"sha256": one}) for one in many]
        parameters = {f"p{number}": "x" for number in range(20_000)}
        chain.sign(_made("", subjects=subjects, kind="split", parameters=parameters))
        chain.sign(_made(digests["model"], *(Dependency("x", {"sha256": one}) for one in many)))
        assert chain.answer("true") == "fail"


def test_a_builder_is_who_signs_for_it_and_nothing_like_it(tmp_path: Path) -> None:
    for builder in (f"{CLUSTER}/", CLUSTER.upper(), f"{CLUSTER}#", CLUSTER.replace("/v", "//v")):
        chain, digests = good_chain(tmp_path / f"{len(list(tmp_path.iterdir()))}")
        chain.claims.pop()
        chain.step(digests["model"], inputs={"data": digests["clean"]}, builder=builder)
        assert chain.answer() == "fail", builder
