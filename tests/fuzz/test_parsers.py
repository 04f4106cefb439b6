"""One target for each parser: whatever the bytes are, it answers or raises what it promises."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import CARD, EVIL_PICKLE, to_safetensors
from weighbridge.core import (
    DEFAULT_LIMITS,
    TEST_RESULT_TYPE,
    Answer,
    CoverageStatus,
    Decision,
    Dependency,
    HumanReview,
    Observation,
    RootAcceptance,
    ScanReport,
    ScanTerms,
    Statement,
    StepRecord,
    Subject,
    build_acceptance,
    build_review,
    build_scan,
    parse_bundle,
    parse_json,
    parse_summary,
)
from weighbridge.core import parse_statement as parse_in_toto
from weighbridge.errors import IncompleteError, ParseError
from weighbridge.formats import (
    MemorySource,
    parse_card,
    parse_file_list,
    parse_git_diff_text,
    parse_git_status_text,
    parse_license,
    parse_provenance_yaml,
)
from weighbridge.policy import parse_case, parse_policy
from weighbridge.provenance import (
    SCAI_TYPE,
    build_provenance,
    parse_audit,
    parse_rank_report,
    parse_strace,
    to_scai,
)
from weighbridge.scanning import build_inspector
from weighbridge.signing import parse_before_v1
from weighbridge.workflow._claim_content import ContentReader

POLICY = b"""version = 1
[trust.signers.a]
key = "a.pub"
roles = ["publisher"]
[require]
signature = { by = ["a"] }
scan = { fail-on = "low", coverage = "any", allow = [["m", "n"]] }
licenses = { allow = ["MIT"] }
card = { profile = "huggingface" }
provenance = { level = 1, completeness = "declared", depth = 3, max-age-days = 9 }
evaluation = [{ name = "accuracy", at-least = "0.9" }]
formats = { allow = ["gguf"] }
source = { from = ["hf://org/*"], revision = "pinned" }
[[roots]]
digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
reason = "r"
license = "MIT"
expires = 2027-01-01
[[rules]]
name = "n"
require = "lineage.all(n, n.level > 0)"
"""
CASE = b"""artifact = "a"
expect = "fail"
claims = ["c"]
at = 2027-01-01T00:00:00Z
[rules]
scan = "pass"
"""
BUNDLE = json.dumps(
    {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "00"}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": "e30=",
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": "AAAA", "keyid": ""}],
        },
    }
).encode()
STATEMENT = b"""{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x",
"subject": [{"name": "n", "digest": {"sha256": "00"}}], "predicate": {}}"""

SUBJECTS = [Subject("m", {"sha256": "ab" * 32})]
AT = datetime(2026, 11, 30, tzinfo=UTC)
ENDS = datetime(2027, 1, 1, tzinfo=UTC)
STEP = StepRecord(
    kind="train",
    name="n",
    builder="https://example.com/builder",
    entry_point=("a",),
    parameters={"p": "1"},
    inputs=(Dependency("data", {"sha256": "cd" * 32}, "file:data", "data"),),
    started_at=AT,
    finished_at=AT,
    invocation="urn:x",
)
TESTED = {"result": "PASSED", "metrics": {"a": "0.5"}, "failedTests": []}
CLAIMS = [
    build_provenance(STEP, SUBJECTS).payload,
    build_acceptance(
        RootAcceptance("r", "https://x", "MIT", "", "me", AT, ENDS, 1), SUBJECTS
    ).payload,
    build_review(HumanReview(Decision.APPROVE, "s", "n", "me", AT, ENDS), SUBJECTS).payload,
    build_scan(
        ScanReport("e 1", (), ()), ScanTerms(), SUBJECTS, scanner="me", scanned_at=AT
    ).payload,
    Statement.build(SUBJECTS, predicate_type=TEST_RESULT_TYPE, predicate=TESTED).payload,
    Statement.build(
        SUBJECTS, predicate_type=SCAI_TYPE, predicate=to_scai({"cpu.model": "x"})
    ).payload,
]
RANK_REPORT = (
    b'{"began":"2026-11-22T03:00:00.000000Z","ended":"2026-11-22T04:00:00.000000Z","inputs":{"a":'
    b'{"sha256":"00"}},"job":"j","kind":"train","name":"n","outputs":{"m":"file:m"},"rank":1,'
    b'"type":"https://weighbridge.dev/rank-report/v1","worldSize":2}\n'
)

SUMMARY = STATEMENT.replace(b'"x"', b'"https://slsa.dev/verification_summary/v1"').replace(
    b'"predicate": {}',
    b'"predicate": {"verifier": {"id": "v:"}, "timeVerified": "2026-11-30T00:00:00Z", '
    b'"resourceUri": "r:", "policy": {"uri": "p:", "digest": {"sha256": "%b"}}, '
    b'"inputAttestations": [{"digest": {"sha256": "%b"}}], "verificationResult": "PASSED", '
    b'"verifiedLevels": ["SLSA_BUILD_LEVEL_2"], "dependencyLevels": {"SLSA_BUILD_LEVEL_3": 5}}'
    % (b"7" * 64, b"8" * 64),
)


def to_zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def to_npy(header: str) -> bytes:
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64)


IDS = b"1" * 40 + b" " + b"1" * 40
GIT_STATUS = [
    b'## main\n M a\nR  "b c" -> d\n?? "\\303\\274/"\n',
    b" M a\0R  d\0b c\0",
    b"1 .M N... 100644 100644 100644 " + IDS + b" a\n",
    b"2 R. N... 100644 100644 100644 " + IDS + b" R100 b\ta\n",
]
GIT_DIFF = [b'M\ta\nR100\tb\t"c\\t"\n', b":100644 100644 " + IDS + b" R100\0b\0c\0"]
FILE_LISTS = [
    b"0" * 64 + b"  a\n" + b"1" * 64 + b" *./b\n",
    b"0" * 64 + b" * a\n" + b"1" * 64 + b" - b/c\n",
    b'{"a": "sha256:%b", "b": "%b"}' % (b"0" * 64, b"1" * 64),
    b'{"version": 1, "kind": "folder", "label": "x", "artifact": "sha256:%b", "resources": '
    b'[{"name": "a", "size_bytes": 1, "sha256": "%b"}]}' % (b"0" * 64, b"1" * 64),
]
FILES = [
    EVIL_PICKLE,
    pickle.dumps({"a": [1, 2.5, "x", b"y", None], "b": {1, 2}}, protocol=4),
    to_safetensors(),
    to_zip({"archive/data.pkl": EVIL_PICKLE, "archive/data/0": b"x" * 40, "archive/version": b"3"}),
    to_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (16,), }"),
    b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"a" + struct.pack("<II", 4, 7),
    CARD.encode(),
    POLICY,
    BUNDLE,
]


PROVENANCE = b"""model: {name: x, path: ., sha256: "sha256:%b"}
base_model: [{uri: hf://a/b, revision: main, license: mit}, a/c]
training_data: {train: {path: d.csv, checksum: %b, size: 1}}
dependencies: {lock: uv.lock, packages: [torch==2.1, {name: a, version: 1}], cuda: "12.1"}
training: {script: {path: t.py}, seeds: {a: 1}, params: {b: [1, {c: 2}]}, gpu: [x]}
files: {w: %b}
""" % (b"0" * 64, b"1" * 64, b"2" * 64)
STRACE_LOGS = [
    b"""7 execve("\\x2f\\x62", [...], 0x7ffd /* 9 vars */) = 0
7 openat(AT_FDCWD<\\x2f\\x77>, "\\x61", O_RDONLY|O_CLOEXEC) = 3<\\x2f\\x77\\x2f\\x61>
7 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>
8 chdir("\\x64") = 0
7 <... clone resumed>) = 8
8 openat(AT_FDCWD<\\x2f\\x77>, "\\x62", O_WRONLY|O_CREAT, 0666) = -1 EACCES (Permission denied)
8 rename("\\x61", "\\x62") = 0
8 connect(3, {sa_family=AF_UNIX, sun_path="\\x2f\\x73"}, 110) = 0
8 +++ exited with 0 +++
7 +++ exited with 0 +++
""",
]
AUDIT_LOGS = [
    b"H\0r/a\0n/b\0u/c\0w/d\0m2:/a/e\0l2:/b/f\0d/e\0k/g\0x/g\0s/h\0f/i\0P\0y\0o\0",
    b"H\0c127.0.0.1:9\0bh:1\0U/sock\0B/own\0U@a\0pcat\0r/a\xff\n\0",
]


def check_observation(seen: Observation) -> None:
    """Hold what every reader of a monitor's log promises."""
    for paths in (seen.reads, seen.writes, [refusal.path for refusal in seen.refusals]):
        assert all(path.startswith("/") and "\0" not in path for path in paths)
        assert len(paths) < 400
    for words in (*seen.gaps, *seen.connections):
        assert words.isprintable()


def check_content(statement: Statement) -> None:
    """Hold that a statement of any type has content, or a reason, or is of a type not known."""
    content, problem = ContentReader().read(statement)
    assert content is None or not problem


@dataclass(frozen=True)
class Target:
    parse: Callable[[bytes], object]
    seeds: list[bytes]


TARGETS = {
    "json": Target(lambda data: parse_json(data, what="x", limits=DEFAULT_LIMITS), [BUNDLE]),
    "bundle": Target(lambda data: parse_bundle(data, what="x", limits=DEFAULT_LIMITS), [BUNDLE]),
    "statement": Target(lambda data: parse_in_toto(data, limits=DEFAULT_LIMITS), [STATEMENT]),
    "claim": Target(lambda data: check_content(parse_in_toto(data, limits=DEFAULT_LIMITS)), CLAIMS),
    "rank report": Target(
        lambda data: parse_rank_report(data, what="x", limits=DEFAULT_LIMITS), [RANK_REPORT]
    ),
    "before-v1": Target(
        lambda data: parse_before_v1(parse_in_toto(data, limits=DEFAULT_LIMITS)),
        [
            STATEMENT.replace(b'"x"', b'"https://model_signing/Digests/v0.1"').replace(
                b"00", b"0" * 64
            )
        ],
    ),
    "policy": Target(lambda data: parse_policy(data, name="x", limits=DEFAULT_LIMITS), [POLICY]),
    "case": Target(lambda data: parse_case(data, name="x", limits=DEFAULT_LIMITS), [CASE]),
    "card": Target(
        lambda data: parse_card(data, file="README.md", limits=DEFAULT_LIMITS), [CARD.encode()]
    ),
    "provenance document": Target(
        lambda data: parse_provenance_yaml(data, what="x", limits=DEFAULT_LIMITS),
        [PROVENANCE, b"- {path: w, sha256: %b}" % (b"0" * 64), b"w: %b" % (b"0" * 64)],
    ),
    "git status": Target(parse_git_status_text, GIT_STATUS),
    "git diff": Target(parse_git_diff_text, GIT_DIFF),
    "file list": Target(
        lambda data: parse_file_list(data, what="x", limits=DEFAULT_LIMITS), FILE_LISTS
    ),
    "strace log": Target(
        lambda data: check_observation(parse_strace(io.BytesIO(data), cwd="/w")), STRACE_LOGS
    ),
    "audit log": Target(lambda data: check_observation(parse_audit(io.BytesIO(data))), AUDIT_LOGS),
    "license": Target(
        lambda data: parse_license(data.decode("utf-8", "replace")), [b"MIT OR (A AND B WITH C)"]
    ),
    "verification summary": Target(
        lambda data: parse_summary(parse_in_toto(data, limits=DEFAULT_LIMITS)), [SUMMARY]
    ),
}


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with some of its bytes replaced, dropped, doubled or cut off."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.binary(max_size=6) | st.sampled_from([b"\xff" * 8, b"\0" * 4, b"[" * 70]))
        data[at : at + draw(st.integers(0, 8))] = piece
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_parser_raises_only_what_it_promises(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    text = data.draw(st.binary(max_size=200) | mutated(target.seeds))
    message = ""
    try:
        target.parse(text)
    except (ParseError, IncompleteError) as error:
        message = str(error)
    assert message.isprintable()


@settings(max_examples=400, deadline=None)
@given(
    content=st.binary(max_size=300) | mutated(FILES), name=st.sampled_from(["w", "w.bin", "w.pt"])
)
def test_the_scanner_accounts_for_every_file(content: bytes, name: str) -> None:
    scan = build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, content))
    assert scan.coverage
    for row in scan.coverage:
        assert "examiner failed" not in row.reason
        assert row.status is not CoverageStatus.NOT_EXAMINED or row.reason
    for finding in scan.findings:
        assert finding.location.file == name
        assert finding.answer in Answer
