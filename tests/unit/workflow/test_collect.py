"""Claims from lines that anybody may have written: what counts, what is set aside, and why."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support import build_model, digest_of, write_claims
from unit.workflow.claim_samples import (
    AT,
    build_step,
    change_payload,
    collect,
    make_key,
    respell,
    to_base64,
    with_payload,
)
from weighbridge.core import (
    DEFAULT_LIMITS,
    Attribution,
    Bundle,
    Digest,
    SignedFiles,
    Statement,
    StepRecord,
    Subject,
    TestResult,
)
from weighbridge.errors import IncompleteError, InputError, LimitExceededError
from weighbridge.provenance import SCAI_TYPE
from weighbridge.signing import KeySigner
from weighbridge.workflow import sign_artifact
from weighbridge.workflow._collect import collect_claims


@pytest.fixture
def key(tmp_path: Path) -> KeySigner:
    return make_key(tmp_path, "cluster")


@pytest.fixture
def other(tmp_path: Path) -> KeySigner:
    return make_key(tmp_path, "stranger")


def test_a_step_is_a_claim(tmp_path: Path, key: KeySigner) -> None:
    statement = build_step("model", "data")
    folder = write_claims(tmp_path / "m", [key.sign(statement).raw])
    found = collect(folder, {"cluster": key.public_key})
    (claim,) = found.claims
    assert claim.id == Digest(hashlib.sha256(statement.payload).hexdigest())
    assert claim.subjects == statement.subjects
    assert claim.attributions == (Attribution("cluster", "key", key.public_key.fingerprint),)
    assert isinstance(claim.content, StepRecord)
    assert claim.content.inputs[0].digest == {"sha256": digest_of("data")}
    assert not claim.problem
    assert found.set_aside == ()


def test_what_a_stranger_signed_again_is_set_aside(
    tmp_path: Path, key: KeySigner, other: KeySigner
) -> None:
    """The same statement re-signed by an untrusted key."""
    statement = build_step("model", "data")
    folder = write_claims(tmp_path / "m", [other.sign(statement).raw])
    found = collect(folder, {"cluster": key.public_key})
    assert found.claims == ()
    (aside,) = found.set_aside
    assert "another key" in aside.reason
    assert aside.where == f"{folder}/claims.jsonl:1"
    assert aside.predicate_type == statement.predicate_type
    assert aside.subjects == (f"sha256:{digest_of('model')}",)


def test_two_envelopes_with_one_payload_are_one_claim(
    tmp_path: Path, key: KeySigner, other: KeySigner
) -> None:
    statement = build_step("model", "data")
    lines = [key.sign(statement).raw, other.sign(statement).raw, key.sign(statement).raw]
    trusted = {"cluster": key.public_key, "audit": other.public_key}
    for order in (lines, lines[::-1], [*lines, *lines]):
        found = collect(write_claims(tmp_path / "m", order), trusted)
        (claim,) = found.claims
        assert claim.signers == ("audit", "cluster")
        assert found.set_aside == ()
    found = collect(write_claims(tmp_path / "m", lines), {"cluster": key.public_key})
    assert [claim.signers for claim in found.claims] == [("cluster",)]
    assert [aside.where[-2:] for aside in found.set_aside] == [":2"]


def test_one_key_under_two_names_is_two_signers(tmp_path: Path, key: KeySigner) -> None:
    folder = write_claims(tmp_path / "m", [key.sign(build_step("model")).raw])
    found = collect(folder, {"b": key.public_key, "a": key.public_key})
    assert found.claims[0].signers == ("a", "b")


def test_two_people_under_one_name_are_both_kept(tmp_path: Path, key: KeySigner) -> None:
    """As of an authority that certifies many; the order of their envelopes is no matter."""

    class Staff:
        def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:  # noqa: ARG002
            identity = hashlib.sha256(bundle.envelope.signatures[0].sig).hexdigest()
            return Attribution("", "certificate", identity, "CA")

    lines = [key.sign(build_step("model")).raw for _ in range(2)]
    (claim,) = collect(write_claims(tmp_path / "m", lines), {"staff": Staff()}).claims
    (again,) = collect(write_claims(tmp_path / "m", lines[::-1]), {"staff": Staff()}).claims
    assert claim == again
    assert len(claim.attributions) == 2
    assert claim.signers == ("staff",)


def test_the_attribution_that_is_proven_earliest_stays(tmp_path: Path, key: KeySigner) -> None:
    """Whichever of two envelopes comes first."""

    class Dated:
        def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:  # noqa: ARG002
            last = bundle.envelope.signatures[0].sig[-1]
            existed_by = AT.replace(minute=last % 60) if last % 2 else None
            return Attribution("", "key", "id", existed_by=existed_by)

    bundles = [key.sign(build_step("model")) for _ in range(6)]
    dated = [b for b in bundles if b.envelope.signatures[0].sig[-1] % 2]
    expected = min((bundle.envelope.signatures[0].sig[-1] % 60 for bundle in dated), default=None)
    results = set()
    for seed in range(5):
        lines = [bundle.raw for bundle in bundles]
        random.Random(seed).shuffle(lines)
        (claim,) = collect(write_claims(tmp_path / "m", lines), {"k": Dated()}).claims
        (attribution,) = claim.attributions
        found = attribution.existed_by
        assert (None if found is None else found.minute) == expected
        results.add(attribution)
    assert len(results) == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_lines_does_not_matter(tmp_path: Path, key: KeySigner, seed: int) -> None:
    lines = [key.sign(build_step(f"m{n}", f"m{n + 1}")).raw for n in range(20)]
    straight = collect(write_claims(tmp_path / "m", lines), {"k": key.public_key}).claims
    random.Random(seed).shuffle(lines)
    assert collect(write_claims(tmp_path / "m", lines), {"k": key.public_key}).claims == straight
    assert [claim.id for claim in straight] == sorted(claim.id for claim in straight)


def test_a_line_that_was_deleted_is_gone_and_nothing_else(tmp_path: Path, key: KeySigner) -> None:
    lines = [key.sign(build_step("model", "data")).raw, key.sign(build_step("data", "raw")).raw]
    whole = collect(write_claims(tmp_path / "m", lines), {"k": key.public_key}).claims
    rest = collect(write_claims(tmp_path / "m", lines[:1]), {"k": key.public_key}).claims
    assert len(whole) == 2
    assert rest == tuple(claim for claim in whole if claim.id == rest[0].id)
    assert rest[0].subjects[0].name == "model"


# What a statement or an envelope may be, though somebody who is trusted signed it.
def twice(document: bytes) -> bytes:
    return document.replace(b'"predicateType":', b'"predicateType":"x","predicateType":', 1)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (twice, "'predicateType' appears twice"),
        (lambda p: p.replace(b'"role":"data"', b'"role":"data","role":"source"'), "'role' appears"),
        (lambda p: p.replace(b'"byproducts":[]', b'"byproducts":[],"n":9007199254740993'), r"2^53"),
        (lambda p: p.replace(b'"byproducts":[]', b'"byproducts":[],"n":NaN'), "NaN"),
        (lambda p: p[:-1], "not JSON"),
        (lambda p: b"\xff" + p, "not UTF-8"),
        (lambda _: b"[" * 5_000, "nested deeper"),
        (lambda _: b"{}", "of the type none"),
    ],
)
def test_a_signed_text_that_can_be_read_in_two_ways_is_not_read(
    tmp_path: Path, key: KeySigner, payload: Any, words: str
) -> None:
    statement = build_step("model", "data")
    strange = with_payload(statement, payload(statement.payload))
    good = key.sign(build_step("other"))
    folder = write_claims(tmp_path / "m", [key.sign(strange).raw, good.raw])
    found = collect(folder, {"cluster": key.public_key})
    assert [claim.subjects[0].name for claim in found.claims] == ["other"]
    assert [words in aside.reason for aside in found.set_aside] == [True], found.set_aside


@pytest.mark.parametrize(
    ("spell", "words"),
    [
        (lambda b: respell(b, payloadType="application/json"), "payload of the type"),
        (lambda b: respell(b, payloadType="application/vnd.in-toto+json "), "payload of the type"),
        (lambda b: respell(b, payload=to_base64(b"{}")), "does not hold"),
        (lambda b: b.raw.replace(b'"payload":', b'"payload":"eA==","payload":'), "appears twice"),
        (lambda b: b.raw.replace(b'"sig":', b'"sig":"eA==","sig":'), "appears twice"),
        (lambda b: b.raw.replace(b"bundle.v0.3", b"bundle.v0.4"), "media type"),
        (lambda b: b.raw + b.raw, "not JSON"),
        (lambda b: b.raw.replace(b"{", b'{"x":1,', 1), "'x', which is not known"),
    ],
)
def test_a_bundle_that_was_changed_is_set_aside(
    tmp_path: Path, key: KeySigner, spell: Any, words: str
) -> None:
    """The payload's type swapped, its payload too, keys that are there twice."""
    folder = write_claims(tmp_path / "m", [spell(key.sign(build_step("model")))])
    found = collect(folder, {"cluster": key.public_key})
    assert found.claims == ()
    assert [words in aside.reason for aside in found.set_aside] == [True], found.set_aside


def test_a_signature_over_another_type_is_none(tmp_path: Path, key: KeySigner) -> None:
    """What was signed as something else is not taken for a statement."""
    statement = build_step("model")
    unsigned = replace(key.sign(statement).envelope, payload_type="application/json", signatures=())
    sig = key._key.sign(unsigned.to_signed_bytes(), ecdsa())
    swapped = respell(key.sign(statement), signatures=[{"sig": to_base64(sig), "keyid": ""}])
    found = collect(write_claims(tmp_path / "m", [swapped]), {"k": key.public_key})
    assert found.claims == ()
    assert "does not hold" in found.set_aside[0].reason


def ecdsa() -> Any:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return ec.ECDSA(hashes.SHA256())


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (
            lambda d: d["predicate"]["buildDefinition"]["externalParameters"].update(seed="1"),
            "'seed' is an external parameter that is not known",
        ),
        (
            lambda d: d["predicate"]["buildDefinition"].update(
                buildType="https://example.com/own/v1"
            ),
            "is not a build type that is known",
        ),
        (
            lambda d: d["predicate"]["buildDefinition"].update(
                buildType="https://weighbridge.dev/buildtypes/train/v2"
            ),
            "is not a build type that is known",
        ),
        (lambda d: d["predicate"].pop("runDetails"), "runDetails"),
    ],
)
def test_provenance_that_is_not_understood_is_a_claim_without_content(
    tmp_path: Path, key: KeySigner, how: Any, words: str
) -> None:
    strange = change_payload(build_step("model", "data"), how)
    folder = write_claims(tmp_path / "m", [key.sign(strange).raw])
    (claim,) = collect(folder, {"cluster": key.public_key}).claims
    assert claim.content is None
    assert words in claim.problem


@pytest.mark.parametrize(
    ("kind", "predicate"),
    [
        (SCAI_TYPE, {"attributes": 1}),
        ("https://in-toto.io/attestation/test-result/v0.1", {"result": "MAYBE"}),
        ("https://weighbridge.dev/attestation/root-acceptance/v1", {}),
        ("https://weighbridge.dev/attestation/human-review/v1", {"result": "approve"}),
        ("https://model_signing/signature/v1.0", {"resources": []}),
        ("https://model_signing/signature/v1.7", {"resources": []}),
    ],
)
def test_every_type_that_cannot_be_read_says_why(
    tmp_path: Path, key: KeySigner, kind: str, predicate: Any
) -> None:
    subjects = [Subject("m", {"sha256": digest_of("model")})]
    statement = Statement.build(subjects, predicate_type=kind, predicate=predicate)
    folder = write_claims(tmp_path / "m", [key.sign(statement).raw])
    (claim,) = collect(folder, {"k": key.public_key}).claims
    assert claim.content is None
    assert claim.problem


def test_a_type_that_is_not_known_is_kept_for_reference(tmp_path: Path, key: KeySigner) -> None:
    subjects = [Subject("m", {"sha256": digest_of("model")})]
    statement = Statement.build(subjects, predicate_type="https://x/y", predicate={"a": 1})
    folder = write_claims(tmp_path / "m", [key.sign(statement).raw])
    (claim,) = collect(folder, {"k": key.public_key}).claims
    assert (claim.content, claim.problem) == (None, "")


def test_a_test_result_is_content(tmp_path: Path, key: KeySigner) -> None:
    kind = "https://in-toto.io/attestation/test-result/v0.1"
    subjects = [Subject("m", {"sha256": digest_of("model")})]
    predicate = {"result": "PASSED", "metrics": {"accuracy": "0.92"}}
    statement = Statement.build(subjects, predicate_type=kind, predicate=predicate)
    folder = write_claims(tmp_path / "m", [key.sign(statement).raw])
    (claim,) = collect(folder, {"k": key.public_key}).claims
    assert claim.content == TestResult(True, {"accuracy": "0.92"})


def test_the_signature_file_is_a_claim(tmp_path: Path, key: KeySigner) -> None:
    model = build_model(tmp_path / "m")
    manifest = sign_artifact(model, signer=key).manifest
    found = collect(model, {"release": key.public_key})
    (claim,) = found.claims
    assert isinstance(claim.content, SignedFiles)
    assert claim.content.files == {r.name: r.sha256 for r in manifest.resources}
    assert claim.content.root.hex == claim.subjects[0].digest["sha256"]
    assert claim.signers == ("release",)


def test_nobody_is_trusted_without_a_policy(tmp_path: Path, key: KeySigner) -> None:
    folder = write_claims(tmp_path / "m", [key.sign(build_step("model")).raw])
    found = collect(folder, {})
    assert found.claims == ()
    assert "nobody is trusted" in found.set_aside[0].reason


def test_garbage_is_counted_and_hides_nothing(tmp_path: Path, key: KeySigner) -> None:
    """A claims file of 100,000 lines of garbage, with one good line in the middle."""
    lines = [b"garbage %d" % number for number in range(50_000)]
    lines += [key.sign(build_step("model")).raw]
    lines += [b'{"dsseEnvelope":{"payload":%d}}' % number for number in range(50_000)]
    found = collect(write_claims(tmp_path / "m", lines), {"k": key.public_key})
    assert [claim.subjects[0].name for claim in found.claims] == ["model"]
    assert len(found.set_aside) == 201
    assert "99,800 more" in found.set_aside[-1].reason


def test_blank_lines_and_line_ends_of_windows(tmp_path: Path, key: KeySigner) -> None:
    lines = [b"", b"\r", key.sign(build_step("model")).raw + b"\r", b"  "]
    found = collect(write_claims(tmp_path / "m", lines), {"k": key.public_key})
    assert len(found.claims) == 1
    assert found.set_aside == ()


def test_more_statements_than_are_judged(tmp_path: Path, key: KeySigner) -> None:
    lines = [key.sign(build_step(f"m{number}")).raw for number in range(4)]
    folder = write_claims(tmp_path / "m", [*lines, b"garbage", *lines])

    def collect_at_most(most: int) -> int:
        limits = replace(DEFAULT_LIMITS, max_claims=most)
        options: dict[str, Any] = {"at": AT, "signature": folder / "model.sig", "limits": limits}
        return len(collect_claims(folder, (), {"k": key.public_key}, **options).claims)

    assert collect_at_most(4) == 4
    with pytest.raises(LimitExceededError, match="max_claims"):
        collect_at_most(3)


def test_a_verifier_that_needs_the_network_ends_it(tmp_path: Path, key: KeySigner) -> None:
    class Away:
        def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:  # noqa: ARG002
            raise IncompleteError("the instance does not answer")

    folder = write_claims(tmp_path / "m", [key.sign(build_step("model")).raw])
    with pytest.raises(IncompleteError, match="does not answer"):
        collect(folder, {"k": key.public_key, "away": Away()})


def test_an_instance_that_is_not_known_sets_aside(tmp_path: Path, key: KeySigner) -> None:
    class Unknown:
        def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:  # noqa: ARG002
            raise InputError("nothing is known of the instance")

    folder = write_claims(tmp_path / "m", [key.sign(build_step("model")).raw])
    found = collect(folder, {"x": Unknown()})
    assert found.claims == ()
    assert "nothing is known" in found.set_aside[0].reason


def test_what_a_stranger_says_is_shown_without_harm(
    tmp_path: Path, key: KeySigner, other: KeySigner
) -> None:
    subjects = [Subject("\x1b[31mx", {"sha512": "ab"}), Subject("y", {"sha256": "cd"})]
    statement = Statement.build(subjects, predicate_type="\u202ex", predicate={})
    lines = [other.sign(statement).raw, other.sign(with_payload(statement, b"\x00")).raw]
    found = collect(write_claims(tmp_path / "m", lines), {"k": key.public_key})
    first, second = found.set_aside
    assert first.subjects == ("\\x1b[31mx", "sha256:cd")
    assert first.predicate_type == "\\u202ex"
    assert (second.subjects, second.predicate_type) == ((), "")
    assert json.dumps(first.reason).isascii()


def test_many_keys_do_not_hide_whose_it_is(
    tmp_path: Path, key: KeySigner, other: KeySigner
) -> None:
    """A bundle that names its key is tried with that one; one that names none with all."""
    named = key.sign(build_step("named"))
    unnamed = key.sign(build_step("unnamed"))
    hint = key.public_key.hint.encode()
    lines = [named.raw, unnamed.raw.replace(hint, b""), named.raw.replace(hint, b"00" * 32)]
    folder = write_claims(tmp_path / "m", lines)
    found = collect(folder, {"a": other.public_key, "b": key.public_key, "c": other.public_key})
    assert sorted(claim.subjects[0].name for claim in found.claims) == ["named", "unnamed"]
    assert {claim.signers for claim in found.claims} == {("b",)}
    (aside,) = found.set_aside
    assert all(f"{name}: the signature was made with another key" in aside.reason for name in "abc")
