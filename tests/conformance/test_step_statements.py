"""What a step says is read by strict readers: schemas of the specifications, protobuf, sigstore."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.scai.v0 import scai_pb2
from in_toto_attestation.v1 import resource_descriptor_pb2, statement_pb2
from jsonschema import Draft202012Validator, FormatChecker
from sigstore.dsse import Statement as SigstoreStatement

import weighbridge as wb
from support import bare_python, build_model, run_cli
from weighbridge.core import DEFAULT_LIMITS, parse_bundle

PYTHON = bare_python()
TYPES = Path(__file__).parent / "data" / "step-statements"
COPY = "import shutil; shutil.copy('data.csv', 'out/w.bin')"

# RFC 3986, appendix B, and then the characters that its appendix A allows.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=.)(//[^/?#]*)?[^?#\[\]]*(\?[^#\[\]]*)?(#[^#\[\]]*)?")
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
FORMATS = FormatChecker(formats=())


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(
        _URI.fullmatch(value) and _CHARACTERS.fullmatch(value)
    )


@FORMATS.checks("date-time")
def is_time(value: object) -> bool:
    """RFC 3339 in UTC."""
    if not isinstance(value, str):
        return True
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value):
        return False
    return bool(datetime.fromisoformat(value))


def load_schema(name: str) -> Draft202012Validator:
    schema = json.loads((TYPES / f"{name}.schema.json").read_text())
    descriptor = json.loads((TYPES / "resource-descriptor.schema.json").read_text())
    schema["$defs"] = {**schema.get("$defs", {}), "descriptor": descriptor}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FORMATS)


PREDICATES = {
    "https://slsa.dev/provenance/v1": "slsa-provenance-v1",
    "https://in-toto.io/attestation/runtime-trace/v0.1": "runtime-trace-v0.1",
    "https://in-toto.io/attestation/scai/v0.3": "scai-v0.3",
}
MESSAGES = {
    "https://slsa.dev/provenance/v1": provenance_pb2.Provenance,
    "https://in-toto.io/attestation/scai/v0.3": scai_pb2.AttributeReport,
}


def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a key is there twice"
    return dict(pairs)


def check_payload(payload: bytes) -> dict[str, Any]:
    statement = json.loads(payload, object_pairs_hook=refuse_twice)
    SigstoreStatement(payload)
    load_schema("statement-v1").validate(statement)
    kind, predicate = statement["predicateType"], statement["predicate"]
    load_schema(PREDICATES[kind]).validate(predicate)
    message = json_format.Parse(payload, statement_pb2.Statement(), ignore_unknown_fields=False)
    assert message.predicate_type == kind
    if kind in MESSAGES:
        read = json_format.ParseDict(predicate, MESSAGES[kind](), ignore_unknown_fields=False)
        # Nothing is lost on the way: no number is turned, no field has two names.
        assert json_format.MessageToDict(read) == drop_empty(predicate)
    for item in predicate.get("monitorLog", {}).get("fileAccess", []):
        json_format.ParseDict(item, resource_descriptor_pb2.ResourceDescriptor())
    return statement


def drop_empty(value: Any) -> Any:
    """Protobuf does not write empty lists of its own; inside a Struct it does."""
    kept = dict(value)
    details = kept.get("runDetails")
    if details is not None and not details["byproducts"]:
        kept["runDetails"] = {k: v for k, v in details.items() if k != "byproducts"}
    return kept


def check_claims(path: Path) -> list[dict[str, Any]]:
    return [
        check_payload(
            parse_bundle(line, what="claim", limits=DEFAULT_LIMITS).envelope.payload,
        )
        for line in path.read_bytes().splitlines()
    ]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    build_model(work / "base")
    (work / "data.csv").write_text("x,y\n1,2\n")
    (work / "out").mkdir()
    wb.keygen(tmp_path / "k")
    return work


GIVEN = ("-i", "base=base", "-i", "data=data.csv", "-o", "model=out")


def run(place: Path, code: str, *options: str) -> list[dict[str, Any]]:
    done = run_cli(
        *("run", "--kind", "train", "--key", "../k.key", *(options or GIVEN)),
        *("--", PYTHON, "-c", code),
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    return check_claims(place / "out" / "claims.jsonl")


def test_a_plain_step(place: Path) -> None:
    scai, provenance = run(place, COPY, *GIVEN, "--observe", "none")
    assert scai["subject"] == provenance["subject"]


@pytest.mark.parametrize("options", [("--observe", "strace"), ("--observe", "strace", "--enforce")])
def test_a_step_that_is_watched(place: Path, options: tuple[str, ...]) -> None:
    trace, _, provenance = run(place, COPY, *GIVEN, *options)
    names = [item["name"] for item in provenance["predicate"]["runDetails"]["byproducts"]]
    assert names == ["runtime-trace", "environment"]
    started = provenance["predicate"]["runDetails"]["metadata"]["startedOn"]
    assert trace["predicate"]["metadata"]["buildStartedOn"] == started


def test_undeclared_and_odd_names(place: Path) -> None:
    odd = ["a b#?.txt", "größe", "new\nline", "\x1b[2J", "x%41", "[]{}|\\^`<>\"'"]
    for name in [*odd, os.fsdecode(b"\xff\xfe")]:
        (place / name).write_text("x")
    code = (
        f"{COPY}\nimport os\nfor n in os.listdir(b'.'):\n"
        "    if os.path.isfile(n): open(n).read()\n"
        "open('gone', 'w'); os.rename('größe', 'out/gone')\n"
    )
    options = (
        *GIVEN[2:],
        *(
            "-i",
            "ähm\n\x1b=a b#?.txt",
            "--param",
            "größe=1e-4\n\x1b",
            "--param",
            "n=9007199254740993",
        ),
        *("-i", "r=hf://org/m@" + "1f" * 20, "-i", f"o=oci://r.io/m@sha256:{'ab' * 32}"),
        *("--name", "Größe\n", "--observe", "strace"),
    )
    *_, provenance = run(place, code, *options)
    external = provenance["predicate"]["buildDefinition"]["externalParameters"]
    assert external["parameters"] == {"größe": "1e-4\n\x1b", "n": "9007199254740993"}
    roles = [
        item["annotations"]["role"]
        for item in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    ]
    assert roles.count("undeclared") >= 5


def test_a_repository_with_odd_names(place: Path) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (
        ("init", "-q", "-b", "zweig/größe"),
        ("remote", "add", "origin", "git@example.com:org/re po.git"),
        ("add", "data.csv"),
        ("commit", "-qm", "x"),
    ):
        subprocess.run([*git, *words], cwd=place, check=True)
    (place / "changed").symlink_to("base")
    os.mkfifo(place / "pipe")  # its digest cannot be computed
    *_, provenance = run(place, COPY, *GIVEN, "--observe", "none")
    source = provenance["predicate"]["buildDefinition"]["externalParameters"]["source"]["uri"]
    assert source.startswith("git+ssh://git@example.com/org/re%20po.git@refs/heads/zweig/gr%C3%B6")


def test_a_step_in_a_program(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    params = {"lr": 1e-4, "seed": 2**60, "layers": [1, 2], "none": None}
    key = place.parent / "k.key"
    with wb.step("fine-tune", inputs={"b": "base"}, params=params, signer=key) as step:
        Path("w").write_text("w")
        step.output("weights", "w")
    assert len(check_claims(Path("w.claims.jsonl"))) == 2


def test_the_checks_can_fail(place: Path) -> None:
    """Each of these is a mistake that a producer makes."""
    scai, provenance = run(place, COPY, *GIVEN, "--observe", "none")
    del scai

    def spoil(change: str) -> bytes:
        statement = json.loads(json.dumps(provenance))
        exec(change, {"s": statement, "p": statement["predicate"]})
        return json.dumps(statement).encode()

    check_payload(spoil("pass"))
    for change in (
        "s['extra'] = 1",
        "p['extra'] = 1",
        "p['runDetails']['builder']['level'] = '3'",
        "p['buildDefinition']['resolvedDependencies'][0]['role'] = 'data'",
        "p['buildDefinition']['resolvedDependencies'][0]['digest']['sha256'] = 'AB' * 32",
        "p['buildDefinition']['resolvedDependencies'].append({'name': 'x'})",
        "p['buildDefinition']['resolvedDependencies'][0]['uri'] = 'data x.csv'",
        "p['runDetails']['metadata']['startedOn'] = '2026-01-01 10:00'",
        "p['runDetails']['metadata']['startedOn'] = '2026-13-01T10:00:00Z'",
        "p['runDetails']['builder']['id'] = 'me'",
        "s['subject'][0]['digest'] = {}",
        "s['subject'].append(s['subject'][0])",
        "del p['buildDefinition']['externalParameters']",
    ):
        with pytest.raises(Exception, match=r"."):
            check_payload(spoil(change))
    assert datetime.now(UTC)
