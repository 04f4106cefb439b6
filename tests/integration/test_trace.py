"""weighbridge trace, as a user runs it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import weighbridge as wb
from support import build_model, run_cli
from weighbridge.errors import InputError
from weighbridge.export import load_schema


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return build_model(tmp_path / "model")


def test_without_a_policy_nothing_is_believed_and_nothing_is_known(model: Path) -> None:
    done = run_cli("trace", model)
    assert done.returncode == 3
    assert done.stdout.startswith("? UNKNOWN  model  sha256:")
    assert "There is no policy that says whom to trust" in done.stdout
    assert done.stderr == ""


def test_json_is_one_document_that_the_schema_describes(model: Path) -> None:
    done = run_cli("trace", model, "--json")
    assert done.returncode == 3
    document: Any = json.loads(done.stdout)
    schema: Any = load_schema("trace-v1")
    assert list(Draft202012Validator(schema).iter_errors(document)) == []
    assert document["artifact"] == str(wb.hash(model).compute_digest())
    assert document["answer"] == "unknown"
    assert document["is_judged"] is False


def test_the_graph_and_the_page_are_written(model: Path, tmp_path: Path) -> None:
    dot, html = tmp_path / "graph.dot", tmp_path / "page.html"
    assert run_cli("trace", model, "--dot", dot, "--html", html).returncode == 3
    assert dot.read_text().startswith("digraph lineage {")
    assert html.read_text().startswith("<!DOCTYPE html>")


def test_nothing_is_written_into_the_artifact_or_over_what_is_read(
    model: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text("version = 1\n")
    for options in (
        ("--html", model / "page.html"),
        ("--policy", policy, "--dot", policy),
        ("--dot", tmp_path / "x", "--html", tmp_path / "x"),
    ):
        done = run_cli("trace", model, *options)
        assert done.returncode == 2, options
        assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "p.toml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing",), "missing does not exist"),
        (("model", "--claims", "missing"), "no claims at missing"),
        (("model", "--policy", "missing"), "no policy at missing"),
        ((), "Missing argument 'PATH'"),
    ],
)
def test_what_is_not_there_is_said(model: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run_cli("trace", *arguments, cwd=model.parent)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize("name", ["k.key", "k.pub"])
def test_no_key_is_written_over(model: Path, name: str) -> None:
    """Whichever option reads it: the key that signs a summary, or one that a policy names."""
    folder = model.parent
    wb.keygen(folder / "k")
    before = (folder / name).read_bytes()
    for words in (
        ("check", "model", "--vsa", name, "--key", "k.key"),
        ("check", "model", "--html", name),
        ("trace", "model", "--dot", name),
        ("hash", "model", "--manifest-out", name),
    ):
        done = run_cli(*words, cwd=folder)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert f"{name} holds a key or a certificate; name another file" in done.stderr
        assert (folder / name).read_bytes() == before


def test_one_path_where_a_list_is_wanted_is_said(model: Path) -> None:
    """A string is a sequence of letters, each of which would be looked for."""
    (model.parent / "c.jsonl").write_text("{}")
    for given in (str(model.parent / "c.jsonl"), model.parent / "c.jsonl"):
        with pytest.raises(InputError, match=r"write claims=\[...\]"):
            wb.trace(model, claims=given)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"write manifests=\[...\]"):
            wb.check(model, manifests=given)  # type: ignore[arg-type]


def test_a_time_without_a_zone_and_a_profile_that_there_is_not_are_said(model: Path) -> None:
    naive = datetime(2027, 1, 1, 12)  # noqa: DTZ001 - what is tested
    for judge in (wb.trace, wb.check):
        with pytest.raises(InputError, match="has no zone"):
            judge(model, at=naive)
    with pytest.raises(InputError, match="there is no profile 'checklists'; checklist is wanted"):
        wb.check(model, profile="checklists")  # type: ignore[arg-type]


@pytest.mark.parametrize(("role", "answer"), [("verifier", "pass"), ("publisher", "unknown")])
def test_a_signature_is_a_question_for_publishers(model: Path, role: str, answer: str) -> None:
    """Whoever trusts a gate alone is not kept out by the signature of a publisher unknown there."""
    folder = model.parent
    for name in ("release", "gate"):
        wb.keygen(folder / name)
    wb.sign(model, key=folder / "release.key")
    policy = folder / "p.toml"
    policy.write_text(
        f'version = 1\n[trust.signers.gate]\nkey = "gate.pub"\nroles = ["{role}"]\n'
        '[require]\ncard = { profile = "huggingface" }\n'
    )
    rules = {rule.rule: rule.answer for rule in wb.check(model, policy=policy).verdict.rules}
    assert rules["integrity"] == answer
    (model / "config.json").write_text("{}")
    rules = {rule.rule: rule.answer for rule in wb.check(model, policy=policy).verdict.rules}
    assert rules["integrity"] == ("fail" if role == "verifier" else "unknown")
