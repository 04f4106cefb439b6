"""Claims for tests: keys, steps and bundles, made by code."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support import digest_of
from weighbridge.core import Bundle, Dependency, Digest, Statement, StepRecord, Subject
from weighbridge.provenance import build_provenance
from weighbridge.signing import KeySigner, Verifier, load_signer
from weighbridge.workflow import create_key_files
from weighbridge.workflow._collect import Collected, collect_claims

AT = datetime(2026, 11, 30, tzinfo=UTC)
OWN = ("undeclared", "source")
BUILDER = "https://example.com/cluster/v1"


def make_key(folder: Path, name: str) -> KeySigner:
    return load_signer(create_key_files(folder / name).private)


def build_step(output: str, *inputs: str, role: str = "data") -> Statement:
    """Return the provenance of what is called ``output`` and has the digest of its name."""
    taken = tuple(Dependency(name, {"sha256": digest_of(name)}, role=role) for name in inputs)
    record = StepRecord(
        kind="train",
        name=output,
        builder=BUILDER,
        entry_point=("train",),
        parameters={},
        inputs=() if role in OWN else taken,
        materials=taken if role in OWN else (),
        started_at=AT,
        finished_at=AT,
        invocation=f"urn:step:{output}",
    )
    return build_provenance(record, [Subject(output, {"sha256": digest_of(output)})])


def change_payload(statement: Statement, how: Callable[[Any], object]) -> Statement:
    """Return the statement with another payload; only that is signed."""
    document = json.loads(statement.payload)
    how(document)
    payload = json.dumps(document).encode()
    return Statement(statement.subjects, statement.predicate_type, document["predicate"], payload)


def with_payload(statement: Statement, payload: bytes) -> Statement:
    return Statement(statement.subjects, statement.predicate_type, statement.predicate, payload)


def respell(bundle: Bundle, **fields: object) -> bytes:
    """Return a bundle with other fields in its envelope."""
    document = json.loads(bundle.raw)
    document["dsseEnvelope"].update(fields)
    return json.dumps(document).encode()


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def collect(
    folder: Path, verifiers: dict[str, Verifier], *sources: Any, name: str = "model"
) -> Collected:
    return collect_claims(
        folder,
        (Digest(digest_of(name)),),
        verifiers,
        at=AT,
        signature=folder / "model.sig",
        sources=sources,
    )
