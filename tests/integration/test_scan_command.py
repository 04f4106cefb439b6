"""weighbridge scan and weighbridge rules, as a person calls them, on files on disk."""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft202012Validator
from referencing import Registry, Resource

from support import EVIL_PICKLE, ROOT, WEIGHBRIDGE, run_cli
from weighbridge.export import load_schema

GOOD = pickle.dumps({"weights": [0.5] * 300})
# What nobody vouches for: mymodels.Net is made and given a state.
UNKNOWN = b"\x80\x02cmymodels\nNet\n)\x81}b."
SARIF = json.loads((ROOT / "tests/unit/export/sarif-2.1.0-rtm.4.json").read_text(encoding="utf-8"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with something clean, something malicious in a zip, and something unknown."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "good.pkl").write_bytes(GOOD)
    (folder / "net.pkl").write_bytes(UNKNOWN)
    with zipfile.ZipFile(folder / "pack.zip", "w") as archive:
        archive.writestr("in/evil.pkl", EVIL_PICKLE)
    return folder


def _validate(document: Any, name: str) -> None:
    known = [load_schema(one) for one in ("scan-v1", "scans-v1", "explain-v1")]  # type: ignore[arg-type]
    registry: Any = Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in known]  # type: ignore[index, call-overload]
    )
    schema: Any = load_schema(name)  # type: ignore[arg-type]
    validator = Draft202012Validator(schema, registry=registry)
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("good.pkl", GOOD, 0, "PASS  clean."),
        ("evil.bin", EVIL_PICKLE, 1, "FAIL  malicious."),
        ("net.dat", UNKNOWN, 3, "UNKNOWN  unknown."),
        ("what.is", bytes(range(7, 255)) * 9, 3, "UNKNOWN  unknown."),
    ],
)
def test_the_exit_code_and_the_last_line_say_the_same(
    tmp_path: Path, name: str, content: bytes, code: int, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run_cli("scan", tmp_path / name)
    assert done.returncode == code
    assert words in done.stdout.splitlines()[-1]
    assert done.stderr == ""


def test_of_several_paths_the_worst_counts_and_one_that_is_missing_hides_no_other(
    model: Path,
) -> None:
    good, net, evil = model / "good.pkl", model / "net.pkl", model / "pack.zip"
    assert run_cli("scan", good, good).returncode == 0
    assert run_cli("scan", good, net).returncode == 3
    assert run_cli("scan", good, net, evil).returncode == 1
    done = run_cli("scan", good, model / "missing", "--json")
    assert done.returncode == 2
    assert "missing does not exist" in done.stderr
    assert json.loads(done.stdout)["path"] == str(good)
    assert run_cli("scan", model / "missing", evil).returncode == 1
    assert run_cli("scan", model / "missing").returncode == 2
    together = " ".join(run_cli("scan", good, net, evil).stdout.split()[-10:])
    assert together.endswith("Together 3 paths: 1 clean, 1 malicious, 1 unknown")


def test_json_of_one_path_is_a_scan_and_of_several_a_list(model: Path) -> None:
    one = json.loads(run_cli("scan", model, "--json").stdout)
    _validate(one, "scan-v1")
    assert one["verdict"] == "malicious"
    assert one["artifact"].startswith("sha256:")
    assert {rule["rule_id"] for rule in one["rules"]} == {
        finding["rule_id"] for finding in one["findings"]
    }
    several = json.loads(run_cli("scan", model, model / "good.pkl", "--json").stdout)
    _validate(several, "scans-v1")
    assert several["answer"] == "fail"
    assert [scan["answer"] for scan in several["scans"]] == ["fail", "pass"]


def test_standard_input_is_scanned_as_one_file() -> None:
    done = subprocess.run(
        [WEIGHBRIDGE, "scan", "-"], input=EVIL_PICKLE, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"WB-PKL-001" in done.stdout
    done = subprocess.run(
        [WEIGHBRIDGE, "scan", "-", "--json"],
        input=gzip.compress(EVIL_PICKLE),
        capture_output=True,
        check=False,
    )
    assert json.loads(done.stdout)["findings"][0]["location"]["file"] == "-"


def test_findings_say_where_with_which_opcode_and_what_would_run(model: Path) -> None:
    text = run_cli("scan", model).stdout
    flat = " ".join(text.split())
    assert "WB-PKL-001 in/evil.pkl, byte 27, opcode REDUCE" in flat
    assert "calls os.system" in flat or "calls posix.system" in flat
    assert "echo pwned" in flat
    # The file with the worst comes first.
    assert text.index("\npack.zip\n") < text.index("\nnet.pkl\n")
    assert "? medium WB-PKL-004 byte" in flat


def test_the_same_finding_in_many_files_is_told_once_with_a_count(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"shard-{number:03}.bin").write_bytes(UNKNOWN)
    flat = " ".join(run_cli("scan", tmp_path).stdout.split())
    assert flat.count("WB-PKL-004") == 1
    assert "The same in 299 other places: shard-001.bin@" in flat
    assert flat.count('["mymodels", "Net"]') == 1
    assert flat.count("--allow mymodels Net") == 1


def test_what_is_shown_to_paste_works_as_options_and_in_a_policy(model: Path) -> None:
    net = model / "net.pkl"
    text = run_cli("scan", net).stdout
    (option,) = [line.split() for line in text.splitlines() if line.strip().startswith("--allow")]
    assert run_cli("scan", net, *option).returncode == 0
    lines = text.splitlines()
    begin = lines.index("  [require.scan]")
    entry = lines[begin : lines.index("  ]", begin) + 1]
    policy = model.parent / "weighbridge.toml"
    policy.write_text("\n".join(["version = 1", *entry]))
    assert run_cli("scan", net, "--policy", policy).returncode == 0


def test_coverage_is_a_table_and_what_was_not_examined_has_its_reason(model: Path) -> None:
    (model / "what.is").write_bytes(bytes(range(7, 255)) * 9)
    flat = " ".join(run_cli("scan", model).stdout.split())
    assert "format examined inert not examined bytes" in flat
    assert "pickle 3 - - " in flat
    assert "unknown - - 1 2.2 KiB" in flat
    assert "? what.is: its format is not known" in flat


def test_a_policy_says_what_counts(model: Path) -> None:
    (model / "what.is").write_bytes(bytes(range(7, 255)) * 9)
    policy = model.parent / "weighbridge.toml"

    def scan(rule: str, path: str) -> int:
        policy.write_text(f"version = 1\n[require]\n{rule}\n")
        return run_cli("scan", model / path, "--policy", policy).returncode

    assert scan('scan = { coverage = "any" }', "what.is") == 0
    told = run_cli("scan", model / "what.is", "--policy", policy).stdout
    assert "1 thing nobody examined, which the policy accepts." in " ".join(told.split())
    assert scan("scan = {}", "what.is") == 3
    assert scan('scan = { fail-on = "high" }', "net.pkl") == 0
    assert scan('scan = { allow = [["mymodels", "Net"]] }', "net.pkl") == 0
    assert scan("scan = { warn-only = true }", "pack.zip") == 0
    assert scan("card = {}", "pack.zip") == 2
    policy.write_text("version = 1\n[require]\nscan = { warn-only = true }\n")
    told = " ".join(run_cli("scan", model / "pack.zip", "--policy", policy).stdout.split())
    assert "FAIL malicious. Do not load it." in told
    assert told.endswith("The policy only warns.")


def test_sarif_is_one_valid_run_with_rules_and_taxonomies(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.sarif"
    done = run_cli("scan", model, model / "net.pkl", "--sarif", file)
    assert done.returncode == 1
    assert "WB-PKL-001" in done.stdout  # the text is still printed
    log = json.loads(file.read_text())
    assert [error.message for error in Draft4Validator(SARIF).iter_errors(log)] == []
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    rule = next(one for one in rules if one["id"] == "WB-PKL-001")
    assert rule["helpUri"] == "https://weighbridge.dev/rules/WB-PKL-001"
    assert "What to do" in rule["help"]["markdown"]
    assert "external/cwe/cwe-502" in rule["properties"]["tags"]
    assert any(tag.startswith("external/atlas/AML.") for tag in rule["properties"]["tags"])
    names = [taxonomy["name"] for taxonomy in run["taxonomies"]]
    assert names == ["CWE", "ATLAS"]
    for taxon in (
        *(one["target"] for one in rule["relationships"]),
        *run["results"][0]["taxa"],
    ):
        component = run["taxonomies"][taxon["toolComponent"]["index"]]
        assert component["name"] == taxon["toolComponent"]["name"]
        assert component["taxa"][taxon["index"]]["id"] == taxon["id"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["fingerprints"] == result["partialFingerprints"]
    bases = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"]
        for result in run["results"]
    }
    assert bases == {"ARTIFACT", "ARTIFACT-2"} == set(run["originalUriBaseIds"])
    member = next(one for one in run["results"] if one["ruleId"] == "WB-PKL-001")
    (place,) = member["locations"]
    assert "region" not in place["physicalLocation"]  # the offset is inside the member
    assert place["properties"]["memberOffsetBytes"] == 27
    assert member["properties"]["opcode"] == "REDUCE"
    on_disk = next(one for one in run["results"] if one["ruleId"] == "WB-PKL-004")
    assert "byteOffset" in on_disk["locations"][0]["physicalLocation"]["region"]


def test_check_describes_the_same_rules(model: Path, tmp_path: Path) -> None:
    logs = []
    for command in ("scan", "check"):
        run_cli(command, model, "--sarif", tmp_path / f"{command}.sarif")
        log = json.loads((tmp_path / f"{command}.sarif").read_text())
        rules = log["runs"][0]["tool"]["driver"]["rules"]
        logs.append({one["id"]: one for one in rules if "GATE" not in one["id"]})
    assert logs[0] == logs[1]
    run_cli("check", model, "--html", tmp_path / "check.html")
    assert "Loading calls a function that runs commands" in (tmp_path / "check.html").read_text()


def test_explain_lists_a_pickle_inside_a_container_in_words(model: Path) -> None:
    done = run_cli("scan", "--explain", model / "pack.zip")
    assert done.returncode == 1
    flat = " ".join(done.stdout.split())
    assert "Pickle pack.zip!in/evil.pkl, at byte 0" in flat
    assert "GLOBAL os system import os.system" in flat
    assert "REDUCE call" in flat
    assert "('echo pwned')" in flat
    assert "WB-PKL-001: Dangerous call" in flat
    assert "pack.zip zip, examined" in flat
    picked = run_cli("scan", "--explain", model / "pack.zip", "--member", "in/evil.pkl").stdout
    assert "REDUCE" in picked
    nothing = run_cli("scan", "--explain", model / "pack.zip", "--member", "other").stdout
    assert "REDUCE" not in nothing


def test_explain_folds_runs_that_only_build_data_and_has_json(model: Path) -> None:
    done = run_cli("scan", "--explain", model / "good.pkl")
    assert done.returncode == 0
    assert "opcodes that build data" in done.stdout
    assert len(done.stdout.splitlines()) < 40
    document = json.loads(run_cli("scan", "--explain", model / "good.pkl", "--json").stdout)
    _validate(document, "explain-v1")
    (listing,) = document["pickles"]
    assert sum(step["folded"] or 1 for step in listing["steps"]) == listing["opcodes"]
    assert listing["is_whole"]


def test_explain_shows_what_is_no_pickle_as_a_tree(model: Path) -> None:
    (model / "config.json").write_text('{"a": 1}')
    done = run_cli("scan", "--explain", model / "config.json")
    assert done.returncode == 0
    assert "Pickle" not in done.stdout
    assert "config.json json, inert" in " ".join(done.stdout.split())
    assert run_cli("scan", "--explain", model).returncode == 2


def test_a_scan_can_be_signed_and_inspect_tells_it(model: Path) -> None:
    key = model.parent / "k"
    assert run_cli("keygen", key).returncode == 0
    done = run_cli(
        *("scan", model, "--sign", "--key", f"{key}.key", "--store", model.parent / "store"),
        *("--allow", "mymodels", "Net"),
    )
    assert done.returncode == 1
    assert "claims.jsonl" in done.stdout
    (line,) = json.loads(run_cli("inspect", model / "claims.jsonl", "--json").stdout)["claims"]
    assert line["problem"] == ""
    predicate = line["predicate"]
    schema: Any = load_schema("scan-statement-v1")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(predicate)
    assert predicate["result"] == "fail"
    assert predicate["configuration"]["allow"] == [["mymodels", "Net"]]
    digest = run_cli("hash", model).stdout.split()[0]
    assert line["subjects"][0]["digest"]["sha256"] in digest
    flat = " ".join(run_cli("inspect", model / "claims.jsonl").stdout.split())
    assert "1. scan about: sha256:" in flat
    assert "result: fail; 1 found" in flat
    assert "WB-PKL-001 at pack.zip!in/evil.pkl@27" in flat
    assert "allowed: mymodels.Net" in flat


def test_what_cannot_be_hashed_is_reported_and_not_signed(model: Path) -> None:
    key = model.parent / "k"
    assert run_cli("keygen", key).returncode == 0
    for broken in model.rglob("*.zip"):
        broken.unlink()
    (model / "link.bin").symlink_to(model.parent / "k.pub")
    done = run_cli("scan", model, "--sign", "--key", f"{key}.key")
    assert done.returncode == 1  # the link is a finding
    assert "WB-ART-001" in done.stdout
    assert "Not signed: there is no digest of all of it: link.bin" in " ".join(done.stdout.split())
    assert "was not signed" in done.stderr
    assert not (model / "claims.jsonl").exists()


def test_check_takes_a_signed_scan_as_known(model: Path) -> None:
    key = model.parent / "k"
    run_cli("keygen", key)
    run_cli("scan", model / "good.pkl", "--sign", "--key", f"{key}.key")
    policy = model.parent / "weighbridge.toml"
    policy.write_text(
        'version = 1\n[trust.signers.gate]\nkey = "k.pub"\nroles = ["scanner"]\n'
        "[require]\nscan = {}\n"
    )
    done = run_cli("check", model / "good.pkl", "--policy", policy, "--json")
    document = json.loads(done.stdout)
    assert document["answer"] == "pass"
    assert document["lineage"]["set_aside"] == []
    policy.write_text(policy.read_text().replace('"scanner"', '"reviewer"'))
    document = json.loads(run_cli("check", model / "good.pkl", "--policy", policy, "--json").stdout)
    assert len(document["lineage"]["set_aside"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sign",),
        ("--member", "a"),
        ("--store", "s"),
        ("--explain", "--sarif", "f"),
        ("--key", "k"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    model: Path, arguments: tuple[str, ...]
) -> None:
    assert run_cli("scan", model, *arguments, cwd=model.parent).returncode == 2


def test_rules_are_listed_and_explained(model: Path) -> None:
    listed = run_cli("rules")
    assert listed.returncode == 0
    assert "WB-PKL-001" in listed.stdout
    page = run_cli("rules", "wb-pkl-001").stdout
    assert "Dangerous call" in page
    assert "What to do" in page
    assert "cwe.mitre.org/data/definitions/502" in page
    (one,) = json.loads(run_cli("rules", "WB-PKL-001", "--json").stdout)
    assert one["rule_id"] == "WB-PKL-001"
    missing = run_cli("rules", "WB-PKL-1")
    assert missing.returncode == 2
    assert "did you mean" in missing.stderr
