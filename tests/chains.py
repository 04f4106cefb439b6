"""Whole chains for tests: keys, folders on disk, and signed claims about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import weighbridge as wb
from support import CARD, write_claims
from weighbridge.core import (
    Bundle,
    Decision,
    Dependency,
    HumanReview,
    RootAcceptance,
    Statement,
    StepRecord,
    Subject,
    VerificationSummary,
    build_acceptance,
    build_review,
    build_summary,
)
from weighbridge.export import CheckReport
from weighbridge.provenance import build_provenance
from weighbridge.signing import KeySigner, load_signer
from weighbridge.workflow import create_key_files

NOW = datetime.now(UTC).replace(microsecond=0)
CLUSTER = "https://example.com/cluster/v1"
OTHER_CLUSTER = "https://example.com/other-cluster/v1"
GATE = "https://example.com/gate/v1"
SIGNERS = ("release", "cluster", "other", "reviewer", "second", "gate", "stranger")

POLICY = f"""\
version = 1
[trust.signers.release]
key = "keys/release.pub"
roles = ["publisher"]
[trust.signers.cluster]
key = "keys/cluster.pub"
roles = ["builder"]
[trust.signers.other]
key = "keys/other.pub"
roles = ["builder"]
[trust.signers.reviewer]
key = "keys/reviewer.pub"
roles = ["reviewer"]
[trust.signers.second]
key = "keys/second.pub"
roles = ["reviewer"]
[trust.signers.gate]
key = "keys/gate.pub"
roles = ["verifier"]
[trust.builders."{CLUSTER}"]
signers = ["cluster"]
level = 3
[trust.builders."{OTHER_CLUSTER}"]
signers = ["other"]
level = 2
"""
REQUIRE = '[require]\nprovenance = { level = 2, completeness = "observed", depth = "all" }\n'


def completeness(name: str) -> dict[str, str]:
    return {"class": name}


@dataclass
class Chain:
    """A folder with keys, artifacts and a policy; ``claims`` will be in the model's file."""

    folder: Path
    claims: list[bytes] = field(default_factory=list)
    keys: dict[str, KeySigner] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "keys").mkdir(parents=True)
        for name in SIGNERS:
            pair = create_key_files(self.folder / "keys" / name)
            self.keys[name] = load_signer(pair.private)
        self.write_policy(REQUIRE)

    def write_policy(self, rules: str) -> Path:
        policy = self.folder / "weighbridge.toml"
        policy.write_text(POLICY + rules)
        return policy

    def make(self, name: str, files: Mapping[str, str]) -> str:
        """Write a folder and return its digest in hex."""
        root = self.folder / name
        root.mkdir(exist_ok=True)
        for file, text in files.items():
            (root / file).write_text(text)
        return wb.hash(root).compute_digest().hex

    def sign(self, statement: Statement, by: str = "cluster") -> Bundle:
        bundle = self.keys[by].sign(statement)
        self.claims.append(bundle.raw)
        return bundle

    def step(self, output: str, by: str = "cluster", **changes: object) -> Bundle:
        """Sign that ``output`` was trained; ``inputs`` maps roles to digests."""
        return self.sign(build_step(output, **changes), by)  # type: ignore[arg-type]

    def accept(self, digest: str, by: str = "reviewer", **changes: object) -> Bundle:
        values: dict[str, object] = {
            "reason": "known",
            "fetched_from": "https://example.com/x",
            "license": "Apache-2.0",
            "license_found": "",
            "reviewer": "somebody",
            "accepted_at": NOW - timedelta(days=2),
            "expires_at": NOW + timedelta(days=90),
            "max_level": 3,
        }
        acceptance = RootAcceptance(**{**values, **changes})  # type: ignore[arg-type]
        return self.sign(build_acceptance(acceptance, [Subject("x", {"sha256": digest})]), by)

    def review(self, digest: str, decision: str, by: str = "reviewer", **changes: object) -> Bundle:
        values: dict[str, object] = {
            "scope": "training data",
            "note": "",
            "reviewer": "somebody",
            "reviewed_at": NOW - timedelta(days=1),
        }
        review = HumanReview(Decision(decision), **{**values, **changes})  # type: ignore[arg-type]
        return self.sign(build_review(review, [Subject("x", {"sha256": digest})]), by)

    def summarize(self, digest: str, by: str = "gate", **changes: object) -> Bundle:
        values: dict[str, object] = {
            "verifier": GATE,
            "verified_at": NOW - timedelta(days=1),
            "resource_uri": "pkg:generic/x",
            "policy_uri": "file:gate.toml",
            "policy_digest": f"sha256:{'ab' * 32}",
            "passed": True,
            "level": 3,
            "dependency_levels": {3: 2},
        }
        summary = VerificationSummary(**{**values, **changes})  # type: ignore[arg-type]
        return self.sign(build_summary(summary, [Subject("x", {"sha256": digest})]), by)

    def check(self, name: str = "model", **options: object) -> CheckReport:
        """Write the claims beside the artifact and judge it."""
        write_claims(self.folder / name, self.claims)
        policy = self.folder / "weighbridge.toml"
        return wb.check(self.folder / name, policy=policy, **options)  # type: ignore[arg-type]

    def answer(self, rule: str = "provenance", **options: object) -> str:
        report = self.check(**options)
        found = {item.rule: item for item in report.verdict.rules}
        return str(found[rule].answer)


def build_step(
    output: str,
    *,
    inputs: Mapping[str, str] | None = None,
    dependencies: Sequence[Dependency] = (),
    subjects: Sequence[Subject] = (),
    kind: str = "train",
    builder: str = CLUSTER,
    seen: str = "observed",
    **changes: object,
) -> Statement:
    values: dict[str, object] = {
        "kind": kind,
        "name": kind,
        "builder": builder,
        "entry_point": ("python", "train.py"),
        "parameters": {},
        "inputs": tuple(
            Dependency(role, {"sha256": digest}, role=role)
            for role, digest in (inputs or {}).items()
        )
        + tuple(dependencies),
        "started_at": NOW - timedelta(hours=2),
        "finished_at": NOW - timedelta(hours=1),
        "invocation": "urn:x:1",
        "facts": {"completeness": completeness(seen)},
    }
    record = StepRecord(**{**values, **changes})  # type: ignore[arg-type]
    return build_provenance(record, subjects or [Subject("out", {"sha256": output})])


def good_chain(folder: Path) -> tuple[Chain, dict[str, str]]:
    """A model fine-tuned from an accepted base, on data that was cleaned from accepted raw data."""
    chain = Chain(folder)
    digests = {
        "raw": chain.make("raw", {"a.csv": "a", "b.csv": "b"}),
        "clean": chain.make("clean", {"all.csv": "ab"}),
        "base": chain.make("base", {"w.txt": "base"}),
        "model": chain.make("model", {"one.txt": "1", "two.txt": "2", "README.md": CARD}),
    }
    chain.accept(digests["raw"])
    chain.accept(digests["base"])
    chain.step(digests["clean"], inputs={"raw": digests["raw"]}, kind="clean")
    chain.step(digests["model"], inputs={"data": digests["clean"], "base-model": digests["base"]})
    return chain, digests
