"""What a verification summary says is read by strict readers: the specification's schema, protobuf,
sigstore; and the specification's own example is read by ours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import statement_pb2
from jsonschema import ValidationError
from sigstore.dsse import Statement as SigstoreStatement

from conformance.test_step_statements import load_schema, refuse_twice
from unit.export import lineages, samples
from weighbridge.core import (
    SUMMARY_TYPE,
    Digest,
    Statement,
    Subject,
    VerificationSummary,
    parse_statement,
    parse_summary,
)
from weighbridge.export import CheckReport, to_summary

VERIFIER = "https://example.com/verifier"
URI = "hf://org/all-MiniLM-L6-v2"


def write(report: CheckReport) -> Statement:
    return to_summary(report, verifier=VERIFIER, resource_uri=URI)


def to_message(predicate: dict[str, Any]) -> vsa_pb2.VerificationSummary:
    """The package has one string where the specification has a list of levels."""
    rest = {name: value for name, value in predicate.items() if name != "verifiedLevels"}
    return json_format.ParseDict(rest, vsa_pb2.VerificationSummary(), ignore_unknown_fields=False)


def check(payload: bytes) -> dict[str, Any]:
    statement = json.loads(payload, object_pairs_hook=refuse_twice)
    SigstoreStatement(payload)
    load_schema("statement-v1").validate(statement)
    load_schema("slsa-vsa-v1").validate(statement["predicate"])
    json_format.Parse(payload, statement_pb2.Statement(), ignore_unknown_fields=False)
    message = to_message(statement["predicate"])
    counts = {name: int(n) for name, n in message.dependency_levels.items()}
    assert counts == statement["predicate"].get("dependencyLevels", {})
    assert isinstance(statement, dict)
    return statement


REPORTS = {
    **{name: make() for name, make in samples.ALL.items()},
    "summarised": replace(
        samples.passing(),
        evidence=replace(samples.passing().evidence, lineage=lineages.summarised()),
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_summaries_agree_with_the_specification(name: str) -> None:
    report = REPORTS[name]
    evidence = report.evidence
    whole = replace(evidence, artifact=replace(evidence.artifact, digest=Digest("3f" * 32)))
    named = replace(report.verdict, policy_digest="sha256:" + "77" * 32)
    statement = check(write(replace(report, evidence=whole, verdict=named)).payload)
    assert statement["subject"][0]["digest"] == {"sha256": "3f" * 32}


@pytest.mark.parametrize(
    "change",
    [
        "p['extra'] = 1",
        "p['verifier']['version'] = {}",
        "p['verifier']['id'] = 'me'",
        "p['timeVerified'] = '2026-11-21 09:30'",
        "p['verificationResult'] = 'UNKNOWN'",
        "p['verifiedLevels'] = ['SLSA_BUILD_LEVEL_1', 'SLSA_BUILD_LEVEL_2']",
        "p['dependencyLevels'] = {'SLSA_BUILD_LEVEL_4': 1}",
        "del p['policy']['uri']",
        "del p['inputAttestations'][0]['digest']",
    ],
)
def test_the_checks_can_fail(change: str) -> None:
    statement = json.loads(write(samples.traced()).payload)
    exec(change, {"p": statement["predicate"]})
    with pytest.raises(ValidationError):
        check(json.dumps(statement).encode())


# SLSA v1.0, Verification Summary Attestation, "Example"; digests written out.
EXAMPLE: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "out/example-1.2.3.tar.gz", "digest": {"sha256": "56" * 32}}],
    "predicateType": SUMMARY_TYPE,
    "predicate": {
        "verifier": {"id": "https://example.com/publication_verifier"},
        "timeVerified": "1985-04-12T23:20:50.52Z",
        "resourceUri": "https://example.com/example-1.2.3.tar.gz",
        "policy": {
            "uri": "https://example.com/example_tarball.policy",
            "digest": {"sha256": "12" * 32},
        },
        "inputAttestations": [
            {
                "uri": "https://example.com/provenances/example-1.2.3.tar.gz.intoto.jsonl",
                "digest": {"sha256": "ab" * 32},
            }
        ],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
        "dependencyLevels": {
            "SLSA_BUILD_LEVEL_3": 5,
            "SLSA_BUILD_LEVEL_2": 7,
            "SLSA_BUILD_LEVEL_1": 1,
        },
        "slsaVersion": "1.0",
    },
}


def test_the_example_of_the_specification_is_read() -> None:
    payload = json.dumps(EXAMPLE).encode()
    check(payload)
    summary = parse_summary(parse_statement(payload))
    assert summary.verifier == "https://example.com/publication_verifier"
    assert summary.verified_at.isoformat() == "1985-04-12T23:20:50.520000+00:00"
    assert (summary.passed, summary.level) == (True, 3)
    assert summary.dependency_levels == {3: 5, 2: 7, 1: 1}
    assert summary.policy_digest == "sha256:" + "12" * 32
    assert summary.inputs == ("sha256:" + "ab" * 32,)


def test_what_protobuf_writes_is_read_alike() -> None:
    """Protobuf writes 64-bit counts as text, and as floats inside a Struct."""
    payload = json.dumps(EXAMPLE).encode()
    expected = parse_summary(parse_statement(payload))
    levels = {"verifiedLevels": ["SLSA_BUILD_LEVEL_3"]}
    for predicate in (
        json_format.MessageToDict(to_message(EXAMPLE["predicate"])) | levels,
        json_format.MessageToDict(json_format.Parse(payload, statement_pb2.Statement()))[
            "predicate"
        ],
    ):
        written = Statement.build(
            [Subject("x", {"sha256": "56" * 32})],
            predicate_type=SUMMARY_TYPE,
            predicate=predicate,
        )
        assert isinstance(expected, VerificationSummary)
        assert parse_summary(parse_statement(written.payload)) == expected
