"""The gate under attack: whole chains on disk, real keys, one lie each."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import weighbridge as wb
from chains import (
    CLUSTER,
    GATE,
    NOW,
    OTHER_CLUSTER,
    REQUIRE,
    Chain,
    build_step,
    good_chain,
)
from support import digest_of
from weighbridge.core import (
    DEFAULT_LIMITS,
    Dependency,
    Statement,
    Subject,
    parse_bundle,
    parse_statement,
)
from weighbridge.provenance import build_provenance, parse_provenance
from weighbridge.store import open_store

VERIFIER = f"""\
[trust.verifiers."{GATE}"]
signers = ["gate"]
policies = ["sha256:{"ab" * 32}"]
max-age-days = 30
"""


def resign(chain: Chain, statement: Statement, payload: bytes, by: str = "cluster") -> None:
    changed = Statement(statement.subjects, statement.predicate_type, statement.predicate, payload)
    chain.sign(changed, by)


def test_a_good_chain_passes(tmp_path: Path) -> None:
    chain, _ = good_chain(tmp_path)
    report = chain.check()
    assert report.verdict.answer == "pass", report.verdict
    lineage = report.evidence.lineage
    assert lineage is not None
    assert lineage.level == 3
    assert len(lineage.nodes) == 4


def test_the_verdict_does_not_depend_on_the_order_of_claims(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.review(digests["model"], "approve")
    chain.review(digests["base"], "reject", reviewed_at=NOW - timedelta(days=9))
    lines, said = list(chain.claims), []
    for seed in range(6):
        random.Random(seed).shuffle(lines)
        chain.claims = lines
        report = chain.check()
        rules = tuple((rule.rule, rule.answer, rule.reason) for rule in report.verdict.rules)
        said.append((rules, report.evidence.lineage and report.evidence.lineage.nodes))
    assert all(one == said[0] for one in said)


@pytest.mark.parametrize("gone", range(4))
def test_a_deleted_line_never_passes(tmp_path: Path, gone: int) -> None:
    chain, _ = good_chain(tmp_path)
    del chain.claims[gone]
    assert chain.answer() != "pass"


def test_swapped_shards_are_another_model(tmp_path: Path) -> None:
    chain, _ = good_chain(tmp_path)
    model = tmp_path / "model"
    (model / "one.txt").write_text("2")
    (model / "two.txt").write_text("1")
    assert chain.answer() == "fail"


def test_statements_about_single_shards_do_not_make_a_folder(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims = chain.claims[:3]
    for text in ("1", "2"):
        chain.step(digest_of(text), inputs={"data": digests["clean"]})
    assert chain.answer() == "fail"


def test_a_model_renamed_under_the_same_oms_root(tmp_path: Path) -> None:
    """What was said of the signed names is not said of others that hash to the same root."""
    chain, digests = good_chain(tmp_path)
    chain.claims = chain.claims[:3]
    model = tmp_path / "model"
    root = wb.hash(model).compute_oms_root().hex
    chain.step(root, inputs={"data": digests["clean"]})
    wb.sign(model, key=tmp_path / "keys" / "release.key")
    assert chain.answer() == "pass"
    (model / "two.txt").rename(model / "zwo.txt")
    assert wb.hash(model).compute_oms_root().hex == root
    (tmp_path / "model.sig").write_bytes((model / "model.sig").read_bytes())
    (model / "model.sig").unlink()
    assert chain.answer(claims=[tmp_path / "model.sig"]) == "fail"


def test_a_statement_by_a_stranger(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    last = chain.claims.pop()
    assert chain.answer() == "fail"
    payload = base64.b64decode(json.loads(last)["dsseEnvelope"]["payload"])
    statement = build_step(digests["model"])
    resign(chain, statement, payload, by="stranger")
    report = chain.check()
    assert report.verdict.answer == "fail"
    lineage = report.evidence.lineage
    assert lineage is not None
    assert any(f"sha256:{digests['model']}" in item.subjects for item in lineage.set_aside)


@pytest.mark.parametrize(
    ("by", "builder"),
    [("other", CLUSTER), ("cluster", OTHER_CLUSTER), ("reviewer", CLUSTER), ("release", CLUSTER)],
)
def test_a_builder_that_the_signer_may_not_speak_for(tmp_path: Path, by: str, builder: str) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    chain.step(digests["model"], by, inputs={"data": digests["clean"]}, builder=builder)
    assert chain.answer() == "fail"


def test_an_unlisted_builder_is_level_0(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    chain.step(
        digests["model"], inputs={"data": digests["clean"]}, builder="https://example.com/laptop"
    )
    report = chain.check()
    assert report.verdict.answer == "fail"
    assert report.evidence.lineage is not None
    assert report.evidence.lineage.level == 0
    assert len(report.evidence.lineage.nodes) == 3


def test_a_level_in_the_statement_is_not_read(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    chain.step(
        digests["model"],
        "other",
        inputs={"data": digests["clean"]},
        builder=OTHER_CLUSTER,
        facts={"completeness": {"class": "observed"}, "level": "3", "slsaBuildLevel": "3"},
    )
    chain.write_policy(REQUIRE.replace("level = 2", "level = 3"))
    assert chain.answer() == "fail"


class TestSummaries:
    @pytest.fixture
    def chain(self, tmp_path: Path) -> Chain:
        chain, digests = good_chain(tmp_path)
        chain.write_policy(VERIFIER + REQUIRE)
        chain.claims.clear()
        self.model = digests["model"]
        assert chain.answer() == "fail"
        return chain

    def test_a_fresh_one_stands_for_the_chain(self, chain: Chain) -> None:
        chain.summarize(self.model)
        assert chain.answer() == "pass"

    @pytest.mark.parametrize(
        "changes",
        [
            {"verified_at": NOW - timedelta(days=31)},
            {"verified_at": NOW + timedelta(hours=1)},
            {"policy_digest": f"sha256:{'cd' * 32}"},
            {"verifier": "https://example.com/other-gate/v1"},
            {"passed": False, "level": None},
            {"level": 1},
            {"level": None},
            {"dependency_levels": {3: 1, 0: 1}},
            {"dependency_levels": None},
        ],
        ids=lambda changes: "-".join(map(str, changes)),
    )
    def test_others_do_not(self, chain: Chain, changes: dict[str, object]) -> None:
        chain.summarize(self.model, **changes)
        assert chain.answer() == "fail"

    @pytest.mark.parametrize("by", ["stranger", "cluster", "reviewer", "release"])
    def test_nor_by_others(self, chain: Chain, by: str) -> None:
        chain.summarize(self.model, by)
        assert chain.answer() == "fail"

    def test_nor_of_something_else(self, chain: Chain) -> None:
        chain.summarize("ef" * 32)
        assert chain.answer() == "fail"


def change(statement: Statement, old: str, new: str) -> bytes:
    payload = statement.payload.replace(old.encode(), new.encode())
    assert payload != statement.payload
    return payload


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"externalParameters":{', '"externalParameters":{"deploy":"yes",'),
        ("buildtypes/train/v1", "buildtypes/conjure/v1"),
        ("buildtypes/train/v1", "buildtypes/train/v2"),
        ('"predicateType":', '"predicateType":"https://slsa.dev/provenance/v1","predicateType":'),
        ('"builder":{', '"builder":{"id":"https://example.com/laptop",'),
        ('"subject":[', '"subject":[],"subject":['),
        (
            '"_type":"https://in-toto.io/Statement/v1"',
            '"_type":"https://in-toto.io/Statement/v0.1"',
        ),
    ],
    ids=["external", "build-type", "version", "twice", "builder-twice", "subject-twice", "type"],
)
def test_what_no_strict_reader_takes(tmp_path: Path, old: str, new: str) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    statement = build_step(digests["model"], inputs={"data": digests["clean"]})
    resign(chain, statement, statement.payload)
    assert chain.answer() == "pass"
    chain.claims.pop()
    resign(chain, statement, change(statement, old, new))
    assert chain.answer() == "fail"


def test_integers_beyond_2_to_53_keep_their_digits(tmp_path: Path) -> None:
    """A reader that takes them for floats would see another number than was signed."""
    chain, digests = good_chain(tmp_path)
    statement = build_step(digests["model"], inputs={"data": digests["clean"]})
    big = '"externalParameters":{"seed":9007199254740993,'
    resign(chain, statement, change(statement, '"externalParameters":{', big))
    assert chain.answer() == "pass", "one strange statement does not hide the good one"


def test_two_envelopes_of_one_payload_are_one_statement(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.write_policy(REQUIRE + 'review = { by = ["reviewer", "second"], at-least = 2 }\n')
    first = chain.review(digests["model"], "approve")
    assert chain.answer("review") != "pass"
    again = chain.keys["reviewer"].sign(  # ECDSA: other bytes
        Statement((), "", {}, first.envelope.payload)
    )
    assert again.raw != first.raw
    chain.claims.append(again.raw)
    assert chain.answer("review") != "pass"
    chain.claims.append(
        chain.keys["second"].sign(Statement((), "", {}, first.envelope.payload)).raw
    )
    assert chain.answer("review") == "pass"


def test_another_payload_type(tmp_path: Path) -> None:
    chain, _ = good_chain(tmp_path)
    bundle = json.loads(chain.claims.pop())
    bundle["dsseEnvelope"]["payloadType"] = "application/json"
    chain.claims.append(json.dumps(bundle).encode())
    assert chain.answer() == "fail"


def test_a_claims_file_of_garbage(tmp_path: Path) -> None:
    chain, _ = good_chain(tmp_path)
    numbers = random.Random(1)
    chain.claims[:0] = [numbers.randbytes(20).hex().encode() for _ in range(100_000)]
    report = chain.check()
    assert report.verdict.answer == "pass"
    assert report.evidence.lineage is not None
    assert len(report.evidence.lineage.set_aside) < 1_000


def test_a_chain_that_is_10_000_deep(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    below = digests["base"]
    for number in range(10_000):
        made = digest_of(f"step {number}")
        chain.step(made, inputs={"base-model": below}, kind="fine-tune")
        below = made
    chain.step(digests["model"], inputs={"base-model": below})
    report = chain.check()
    assert report.verdict.answer == "pass"
    assert report.evidence.lineage is not None
    assert len(report.evidence.lineage.nodes) == 10_002


def test_a_circle(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    other = digest_of("other")
    chain.step(digests["model"], inputs={"base-model": other})
    chain.step(other, inputs={"base-model": digests["model"]})
    assert chain.answer() == "fail"


def test_two_stories_about_one_model(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.step(digests["model"], inputs={"data": digests["raw"]}, kind="convert")
    assert chain.answer() == "fail"


def test_the_same_step_run_again_is_no_contradiction(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.step(
        digests["model"],
        inputs={"data": digests["clean"], "base-model": digests["base"]},
        invocation="urn:x:2",
    )
    assert chain.answer() == "pass"


def test_a_rank_that_is_missing(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    ranks = [
        chain.step(digest_of(f"rank {n}"), inputs={"data": digests["clean"]}, name=f"rank {n}")
        for n in range(2)
    ]
    byproducts = tuple(
        Dependency(
            f"rank-{n}",
            {"sha256": digest_of_payload(bundle.envelope.payload)},
            annotations={"predicateType": "https://slsa.dev/provenance/v1", "rank": str(n)},
        )
        for n, bundle in enumerate(ranks)
    )
    chain.step(
        digests["model"],
        inputs={"data": digests["clean"]},
        byproducts=byproducts,
        facts={"completeness": {"class": "observed"}, "topology": {"worldSize": "2"}},
    )
    assert chain.answer() == "pass"
    del chain.claims[-2]
    assert chain.answer() == "fail"


def digest_of_payload(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def test_an_acceptance_that_has_ended(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    del chain.claims[1]
    chain.accept(digests["base"], expires_at=NOW - timedelta(hours=1))
    assert chain.answer() == "fail"


@pytest.mark.parametrize("by", ["stranger", "cluster", "release", "gate"])
def test_an_acceptance_by_somebody_else(tmp_path: Path, by: str) -> None:
    chain, digests = good_chain(tmp_path)
    del chain.claims[1]
    chain.accept(digests["base"], by)
    assert chain.answer() == "fail"


def test_an_input_that_nobody_declared(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    materials = (Dependency("/data/x", {"sha256": "ee" * 32}, role="undeclared"),)
    chain.step(digests["model"], inputs={"data": digests["clean"]}, materials=materials)
    assert chain.answer() == "fail"
    chain.accept("ee" * 32)
    assert chain.answer() == "pass"


def test_a_denied_ancestor(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    denied = f'[[denied]]\ndigest = "sha256:{digests["raw"]}"\nreason = "leaked"\n'
    chain.write_policy(REQUIRE + denied)
    assert chain.answer("denied") == "fail"
    chain.claims.clear()
    chain.write_policy(REQUIRE + denied.replace(digests["raw"], digest_of("1")))
    assert chain.answer("denied") == "fail", "a file of the model"


def test_a_later_reject_beats_an_earlier_approval(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    chain.write_policy(REQUIRE + 'review = { by = ["reviewer"] }\n')
    chain.review(digests["model"], "approve", reviewed_at=NOW - timedelta(days=3))
    assert chain.answer("review") == "pass"
    chain.review(digests["model"], "reject", "second", reviewed_at=NOW - timedelta(days=2))
    assert chain.answer("review") == "fail"
    chain.review(digests["model"], "approve", "second", reviewed_at=NOW - timedelta(days=1))
    assert chain.answer("review") == "pass"


def test_claims_in_a_store_are_found_down_the_chain(tmp_path: Path) -> None:
    chain, _ = good_chain(tmp_path)
    store = open_store(tmp_path / "store", limits=DEFAULT_LIMITS)
    store.add([parse_bundle(line, what="it", limits=DEFAULT_LIMITS) for line in chain.claims])
    chain.claims.clear()
    assert chain.answer() == "fail"
    assert chain.answer(claims=[tmp_path / "store"]) == "pass"


def test_a_file_and_a_subset_of_what_is_known(tmp_path: Path) -> None:
    """A step took one file of the cleaned folder: that is so where the folder's files are known."""
    chain, digests = good_chain(tmp_path)
    chain.claims.pop()
    chain.step(digests["model"], inputs={"data": digest_of("ab")})
    assert chain.answer() == "fail"
    manifest = tmp_path / "clean.sha256"
    manifest.write_bytes(wb.hash(tmp_path / "clean").to_sha256sum())
    assert chain.answer(manifests=[manifest]) == "pass"


def test_a_file_that_lists_a_folder_was_made_and_not_the_folder(tmp_path: Path) -> None:
    """Its digest is the folder's; the bytes of the files were never there when it was made."""
    chain, digests = good_chain(tmp_path)
    listing = wb.hash(tmp_path / "model").to_sha256sum()
    assert hashlib.sha256(listing).hexdigest() == digests["model"]
    chain.claims.pop()
    facts = {"completeness": {"class": "observed"}, "outputs": {"out": "file"}}
    chain.step(digests["model"], inputs={"data": digests["clean"]}, facts=facts)
    assert chain.answer() == "fail"
    chain.claims.pop()
    chain.step(
        digests["model"],
        inputs={"data": digests["clean"]},
        facts={**facts, "outputs": {"out": "folder"}},
    )
    assert chain.answer() == "pass"


def test_the_same_of_a_folder_that_a_step_took_in(tmp_path: Path) -> None:
    chain, digests = good_chain(tmp_path)
    seen = {"class": "observed"}
    del chain.claims[2:]
    chain.step(
        digests["clean"],
        inputs={"raw": digests["raw"]},
        facts={"completeness": seen, "outputs": {"out": "file"}},
    )
    for kind, answer in (("file", "pass"), ("folder", "fail")):
        data = Dependency(
            "data", {"sha256": digests["clean"]}, role="data", annotations={"kind": kind}
        )
        base = Dependency("base-model", {"sha256": digests["base"]}, role="base-model")
        statement = build_step(digests["model"], facts={"completeness": seen})
        record = parse_provenance(statement)
        chain.sign(
            build_provenance(
                replace(record, inputs=(data, base)), [Subject("m", {"sha256": digests["model"]})]
            )
        )
        assert chain.answer() == answer
        chain.claims.pop()


def test_the_recorder_says_what_it_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wb.keygen("k")
    with wb.step("convert", inputs={}, signer="file:k.key") as step:
        (tmp_path / "list").write_text("x")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "a").write_text("x")
        step.output("list", "list")
        step.output("folder", "folder")
    record = parse_provenance(
        parse_statement(step.recorded.bundle.envelope.payload, limits=DEFAULT_LIMITS)
    )
    assert record.facts["outputs"] == {"list": "file", "folder": "folder"}
