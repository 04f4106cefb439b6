"""weighbridge policy: explain and test, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import EVIL_PICKLE, ROOT, build_model, run_cli
from weighbridge import workflow
from weighbridge.core import DEFAULT_LIMITS, Answer
from weighbridge.errors import InputError, ParseError
from weighbridge.policy import parse_case

POLICY = """\
version = 1

[require]
scan = {}
card = { profile = "huggingface" }
reproduction = { level = "L1", warn-only = true }
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Return a folder with a policy, a good model, a bad one, and a case for each."""
    folder = tmp_path / "cases"
    build_model(folder / "models" / "good")
    build_model(folder / "models" / "bad")
    (folder / "models" / "bad" / "evil.pkl").write_bytes(EVIL_PICKLE)
    (folder / "weighbridge.toml").write_text(POLICY)
    (folder / "good.toml").write_text('artifact = "models/good"\nexpect = "pass"\n')
    (folder / "bad").mkdir()
    (folder / "bad" / "case.toml").write_text(
        'artifact = "../models/bad"\nexpect = "fail"\n'
        '[rules]\nscan = "fail"\ncard = "pass"\nreproduction = "unknown"\n'
    )
    return folder


def test_cases_that_are_as_expected(cases: Path) -> None:
    done = run_cli("policy", "test", cases)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ok       bad   expected fail, got fail",
        "ok       good  expected pass, got pass",
        "2 cases, 0 not as expected",
    ]


def test_a_case_that_differs_says_where_and_why(cases: Path) -> None:
    (cases / "good.toml").write_text(
        'artifact = "models/good"\nexpect = "unknown"\n[rules]\nscan = "fail"\nnone = "pass"\n'
    )
    done = run_cli("policy", "test", cases)
    assert done.returncode == 1
    assert "differs  good  expected unknown, got pass" in done.stdout
    assert "the verdict is pass, not unknown" in done.stdout
    assert "there is no rule 'none' in the verdict" in done.stdout
    assert "scan is pass, not fail: Nothing dangerous" in done.stdout.replace("'", "")


def test_the_table_for_machines(cases: Path) -> None:
    (cases / "good.toml").write_text('artifact = "models/good"\nexpect = "fail"\n')
    done = run_cli("policy", "test", cases, "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["answer"] == "fail"
    assert [case["name"] for case in document["cases"]] == ["bad", "good"]
    assert document["cases"][1] == {
        "name": "good",
        "expected": "fail",
        "actual": "pass",
        "differences": ["the verdict is pass, not fail"],
    }


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("expect = 'pass'", "the key 'artifact' is missing"),
        ("artifact = 'x'\nexpect = 'maybe'", "write 'pass', 'fail' or 'unknown' (at expect)"),
        ("artifact = 'x'\nexpected = 'pass'", "did you mean 'expect'?"),
        ("artifact = 'x'\nexpect = 'pass'\nat = 2026-01-01T00:00:00", "add Z"),
        ("artifact = 'x'\nexpect = 'pass'\nclaims = 'c'", "write a list"),
        ("artifact = 'x'\nexpect = 'pass'\n[rules]\nscan = true", "'pass', 'fail' or 'unknown'"),
        ("artifact", "is not TOML"),
        ("artifact = 'nowhere'\nexpect = 'pass'", "nowhere"),
    ],
)
def test_a_case_that_cannot_be_used(cases: Path, case: str, words: str) -> None:
    (cases / "good.toml").write_text(case)
    done = run_cli("policy", "test", cases)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_without_a_case_there_is_no_answer(tmp_path: Path) -> None:
    done = run_cli("policy", "test", tmp_path)
    assert done.returncode == 3
    assert "there is no case in" in done.stderr
    assert run_cli("policy", "test", tmp_path / "none").returncode == 2
    done = run_cli("policy", "test", tmp_path, "--json")
    assert (done.returncode, json.loads(done.stdout)) == (3, {"answer": "unknown", "cases": []})


def test_which_policy_a_case_is_judged_by(cases: Path, tmp_path: Path) -> None:
    strict = tmp_path / "strict.toml"
    strict.write_text('version = 1\nrequire.licenses.allow = ["MIT"]\n')
    (result,) = [r for r in workflow.run_policy_cases(cases, policy=strict) if r.name == "good"]
    assert (result.actual, result.expected) == (Answer.FAIL, Answer.PASS)
    assert "licenses: Apache-2.0 is declared" in result.differences[0]
    own = 'artifact = "models/good"\nexpect = "pass"\npolicy = "weighbridge.toml"\n'
    (cases / "good.toml").write_text(own)
    assert {r.name: bool(r.differences) for r in workflow.run_policy_cases(cases)} == {
        "bad": False,
        "good": False,
    }
    (cases / "weighbridge.toml").unlink()
    with pytest.raises(InputError, match=r"case\.toml names no policy"):
        workflow.run_policy_cases(cases)


def test_the_policy_itself_is_no_case(cases: Path) -> None:
    (cases / "weighbridge.toml").rename(cases / "mine.toml")
    results = workflow.run_policy_cases(cases, policy=cases / "mine.toml")
    assert [result.name for result in results] == ["bad", "good"]


def test_a_file_and_a_folder_of_one_name_are_refused(cases: Path) -> None:
    (cases / "bad.toml").write_text((cases / "good.toml").read_text())
    with pytest.raises(InputError, match="two cases 'bad'"):
        workflow.run_policy_cases(cases)


def test_the_documented_case_is_one() -> None:
    page = (ROOT / "docs" / "policy.md").read_text()
    block = page[page.index("```\nartifact = ") + 4 :]
    case = parse_case(block[: block.index("```")].encode(), name="x", limits=DEFAULT_LIMITS)
    assert case.expect is Answer.FAIL
    assert case.claims == ("poisoned.claims.jsonl",)
    assert case.rules["evaluation.accuracy"] is Answer.UNKNOWN
    assert case.at is not None


def test_explain_says_all_that_the_documented_policy_demands(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "policy.md").read_text()
    example = page[page.index("## A complete example") :]
    example = example[example.index("```toml\n") + 8 :]
    policy = tmp_path / "weighbridge.toml"
    policy.write_text(example[: example.index("```")])
    done = run_cli("policy", "explain", policy)
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "It is signed by release",
        "one of these formats: safetensors, gguf",
        "at SLSA Build level 2 or above; that no input is missing is observed or better",
        "It was made at most 365 days ago",
        "hf://org/*, https://data.example.com/**, at a fixed revision",
        "2 people among alice, bob approved it for training data, at most 180 days ago",
        "accuracy was measured by lab and is at least 0.92",
        "evaluation.toxicity (a warning only)",
        "This is true: lineage.all(n,",
        "Whoever holds the key keys/cluster.pub may speak as builder",
        "What it made is at most level 3, if cluster says so",
        "if gate signed them, for 30 days. Only for sha256:9f86d0",
        "as level 2, under Apache-2.0, until 2027-06-30 00:00 UTC: Our own corpus",
        "It never comes in: Poisoned training data",
        "It comes in without evaluation.accuracy, review, until 2027-01-31 00:00 UTC",
    ):
        assert words in done.stdout, words
    document = json.loads(run_cli("policy", "explain", policy, "--json").stdout)
    rules = [d["name"] for d in document["demands"] if d["kind"] == "rule"]
    assert rules[:3] == ["integrity", "denied", "signature"]
    assert rules[-1] == "no laptop builds"
    assert [d["warn_only"] for d in document["demands"]].count(True) == 1


def test_explain_without_a_policy_is_about_the_built_in_one() -> None:
    done = run_cli("policy", "explain")
    assert done.returncode == 0
    assert done.stdout.startswith("policy: built-in\n")


def test_explain_refuses_what_is_no_policy(tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text("version = 1\nrequire.scan.failon = 'low'\n")
    done = run_cli("policy", "explain", policy)
    assert done.returncode == 2
    assert "did you mean 'fail-on'?" in done.stderr
    with pytest.raises(ParseError):
        workflow.explain_policy(policy)
    assert run_cli("policy", "explain", tmp_path / "none").returncode == 2
