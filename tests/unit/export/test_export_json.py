"""JSON documents agree with the schemas that ship, and hold everything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from unit.export import lineages, samples
from weighbridge.core import (
    Answer,
    ArtifactKind,
    Manifest,
    Resource,
    Rule,
    ScanTerms,
    Severity,
)
from weighbridge.core import to_json as dump
from weighbridge.export import (
    ScannedPath,
    load_schema,
    manifest_to_json,
    scan_to_json,
    scans_to_json,
    to_json,
    to_trace_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("check-v1", "manifest-v1", "scan-v1", "trace-v1")
MANIFEST = Manifest(
    ArtifactKind.FOLDER,
    "model",
    (Resource("a.txt", 3, "ab" * 32), Resource("sub/b.bin", 0, "cd" * 32)),
    (".git",),
)


def _schema(name: str) -> Any:
    return load_schema(name)  # type: ignore[arg-type]


def _errors(name: str, document: Any) -> list[str]:
    validator = Draft202012Validator(_schema(name), format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(document)]


def _documents() -> Iterator[tuple[str, Any]]:
    terms = ScanTerms(
        policy="p", policy_digest="sha256:" + "0" * 64, allowed=frozenset({("m", "n")})
    )
    rule = Rule("R", Answer.FAIL, Severity.HIGH, "t", "w", "e", "f", (502,), ("AML.T0011.000",))
    bare = samples.failing().evidence.scan
    scan = replace(bare, rules=(rule,))
    scanned = ScannedPath("a", scan, Answer.FAIL, terms, samples.DIGEST, "claims.jsonl")
    yield "scan-v1", scans_to_json([scanned])
    failing = samples.failing()
    yield "check-v1", to_json(replace(failing, evidence=replace(failing.evidence, scan=scan)))
    reports = [make() for make in samples.ALL.values()]
    reports += [samples.hostile(name) for name in samples.HOSTILE_NAMES]
    for report in reports:
        yield "check-v1", to_json(report)
        yield "scan-v1", scan_to_json(report.evidence.scan)
    yield "manifest-v1", manifest_to_json(MANIFEST)
    for lineage in lineages.EVERY.values():
        yield "trace-v1", to_trace_json(lineage())
    for name in lineages.HOSTILE:
        yield "trace-v1", to_trace_json(lineages.hostile(name))


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, f"{path}/{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, f"{path}[]")


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_is_valid_and_strict_and_describes_its_fields(name: str) -> None:
    schema = _schema(name)
    Draft202012Validator.check_schema(schema)
    kind = name.removesuffix("-v1")
    assert schema["$id"] == f"https://weighbridge.dev/schemas/{kind}/v1"
    for path, item in _walk(schema):
        if isinstance(item, dict) and "properties" in item and isinstance(item["properties"], dict):
            assert item["additionalProperties"] is False, path
            assert item["required"] == list(item["properties"]), path
            for field, about in item["properties"].items():
                assert "$ref" in about or about.get("description"), f"{path}: {field}"


def test_every_document_agrees_with_its_schema_and_can_be_written() -> None:
    for name, document in _documents():
        assert _errors(name, document) == []
        assert json.loads(dump(document).encode()) == document


def test_every_field_of_the_schemas_is_really_produced() -> None:
    produced = {name: set[str]() for name in NAMES}
    for name, document in _documents():
        produced[name] |= {path for path, _ in _walk(document)}
    for name in NAMES:
        wanted = set(_fields(_schema(name), _schema(name)))
        assert wanted - produced[name] == set(), name


def _fields(node: Any, root: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every field that a schema names."""
    if "$ref" in node:
        yield from _fields(root["$defs"][node["$ref"].rpartition("/")[2]], root, path)
    for part in node.get("anyOf", ()):
        yield from _fields(part, root, path)
    for key, part in node.get("properties", {}).items():
        yield f"{path}/{key}"
        yield from _fields(part, root, f"{path}/{key}")
    if "items" in node:
        yield from _fields(node["items"], root, f"{path}[]")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("answer",), "ok"),
        (("artifact", "size_bytes"), "91600000"),
        (("artifact", "digest"), "md5:" + "0" * 32),
        (("at",), "2026-11-21T09:30:00+01:00"),
        (("policy", "extra"), 1),
        (("rules",), []),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: tuple[str, ...], value: object) -> None:
    document: Any = to_json(samples.passing())
    target = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    assert _errors("check-v1", document)


def test_definitions_that_two_schemas_share_are_the_same() -> None:
    check, scan, manifest = (_schema(name)["$defs"] for name in ("check-v1", "scan-v1", NAMES[1]))
    for name in scan:
        assert check[name] == scan[name]
    trace = _schema("trace-v1")
    assert all(check[name] == about for name, about in trace["$defs"].items())
    own = {"$schema", "version"}
    assert check["lineage"]["properties"] == {
        name: about for name, about in trace["properties"].items() if name not in own
    }
    assert check["digest"] == manifest["digest"]


def test_the_verdict_and_its_evidence_are_told_in_full() -> None:
    document: Any = to_json(samples.failing())
    assert document["answer"] == "fail"
    assert document["at"] == "2026-11-21T09:30:00Z"
    assert document["artifact"]["digest"] is None
    assert [rule["rule"] for rule in document["rules"]] == [
        rule.rule for rule in samples.failing().verdict.rules
    ]
    assert len(document["scan"]["findings"]) == len(samples.BAD_FINDINGS)
    assert document["scan"]["findings"][2]["location"] == {
        "file": "pytorch_model.bin",
        "member": ["archive/data.pkl"],
        "offset_bytes": 2048,
    }
    assert document["scan"]["coverage_count"] == {
        "files": 12,
        "examined": 4,
        "inert": 6,
        "not_examined": 2,
        "out_of_scope": 1,
    }
    (changed,) = document["signature"]["diff"]["changed"]
    assert changed["expected"]["size_bytes"] is None
    assert changed["actual"]["size_bytes"] == 90_000_000


def test_no_signature_and_no_card_are_null_and_not_absent() -> None:
    document: Any = to_json(samples.unknown())
    assert document["signature"]["diff"] is None
    assert document["card"]["declared"] is None
    assert document["policy"]["digest"] is None


def test_a_name_that_is_not_utf8_shows_its_bytes_and_other_names_stay_exact() -> None:
    document: Any = to_json(samples.hostile("byte\udce9.bin"))
    assert document["artifact"]["failures"][0]["name"] == "byte\\xe9.bin"
    document = to_json(samples.hostile("invoice\u202efdp.pkl"))
    assert document["artifact"]["failures"][0]["name"] == "invoice\u202efdp.pkl"


def test_large_numbers_stay_integers() -> None:
    resource = Resource("a", 2**60 + 1, "ab" * 32)
    document: Any = manifest_to_json(Manifest(ArtifactKind.FOLDER, "m", (resource,)))
    assert json.loads(dump(document))["resources"][0]["size_bytes"] == 2**60 + 1


def test_a_manifest_names_its_artifact() -> None:
    document: Any = manifest_to_json(MANIFEST)
    assert document["artifact"] == str(MANIFEST.compute_digest())
    assert document["left_out"] == [".git"]


def test_an_unknown_schema_is_named_and_no_path_is_followed() -> None:
    with pytest.raises(KeyError, match=r"'\.\./x' is none of check-v1"):
        _schema("../x")


def test_a_report_tells_its_lineage_its_warnings_and_its_document() -> None:
    document: Any = to_json(samples.traced())
    lineage: Any = to_trace_json(lineages.good())
    assert {**document["lineage"], "$schema": lineage["$schema"], "version": 1} == lineage
    assert document["document"]["entries"][1]["answer"] == "fail"
    told = {rule["rule"]: rule for rule in document["rules"]}
    assert told["review"]["is_warning"] is True
    assert told["evaluation"]["waiver"].startswith("allowed until")
    plain: Any = to_json(samples.passing())
    assert (plain["lineage"], plain["document"]) == (None, None)


def test_a_step_stands_once_however_many_nodes_it_made() -> None:
    """Otherwise parameters times outputs would be written, and both are a tenant's to choose."""
    report = lineages.good()
    made = next(node for node in report.nodes if node.step is not None)
    assert made.step is not None
    step = replace(made.step, parameters={f"p{n}": "x" * 100 for n in range(500)})
    nodes = tuple(replace(made, id=f"sha256:{n:064x}", step=step) for n in range(500))
    document: Any = to_trace_json(replace(report, nodes=nodes, edges=(), weakest_path=()))
    assert [node["step"] for node in document["nodes"]] == [0] * 500
    assert document["steps"][0]["parameters"] == step.parameters
    assert len(json.dumps(document)) < 1_000_000


def test_a_trace_tells_every_node_edge_and_reason() -> None:
    report = lineages.good()
    document: Any = to_trace_json(report)
    assert document["answer"] == "pass"
    assert [node["id"] for node in document["nodes"]] == [node.id for node in report.nodes]
    assert len(document["edges"]) == len(report.edges)
    assert [item["is_unrelated"] for item in document["set_aside"]] == [False, False, True]
    model = next(node for node in document["nodes"] if node["label"] == "model")
    assert model["own_level"] == 3
    assert model["level"] == 1
    assert model["made_at"] == "2026-11-17T09:30:00Z"
    assert model["results"] == [{"passed": True, "metrics": {"accuracy": "0.93"}, "failed": []}]
