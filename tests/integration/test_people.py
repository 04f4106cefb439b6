"""weighbridge accept and review, as processes: real keys, real files, wrong inputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import weighbridge as wb
from support import build_model, run_cli, without_privileges
from unit.signing.certificate_samples import build_chain
from weighbridge.core import (
    DEFAULT_LIMITS,
    Digest,
    parse_acceptance,
    parse_bundle,
    parse_review,
    parse_statement,
)
from weighbridge.errors import IncompleteError, InputError
from weighbridge.signing import load_certificate_verifier, load_public_key, verify_bundle
from weighbridge.store import open_store

NOW = datetime.now(UTC)
SOON = (NOW + timedelta(days=90)).date().isoformat()
REVISION = "0123456789abcdef" * 2 + "01234567"
ACCEPT = {
    "--reason": "base of our assistant",
    "--fetched-from": f"hf://org/tiny@{REVISION}",
    "--license": "Apache-2.0",
    "--expires": SOON,
    "--max-level": "1",
}
REVIEW = {"--scope": "training data", "--decision": "approve"}


def to_words(options: dict[str, str], **changes: str | None) -> list[str]:
    """Return options; a change of None leaves one out."""
    named = {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    merged = {**options, **named}
    return [word for name, value in merged.items() if value is not None for word in (name, value)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return build_model(tmp_path / "model")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    wb.keygen(tmp_path / "reviewer")
    return tmp_path / "reviewer.key"


def read_claims(artifact: Path) -> list[bytes]:
    return artifact.read_bytes().splitlines()


def test_an_acceptance_pins_what_was_hashed(model: Path, key: Path) -> None:
    before = run_cli("hash", model).stdout.split()[0]
    done = run_cli("accept", model, "--key", key, *to_words(ACCEPT))
    assert done.returncode == 0, done.stderr
    assert before.removeprefix("sha256:") in done.stdout
    assert "it declares Apache-2.0" in done.stdout
    (line,) = read_claims(model / "claims.jsonl")
    public = load_public_key(key.with_suffix(".pub"))
    bundle = parse_bundle(line, what="it", limits=DEFAULT_LIMITS)
    verified = verify_bundle(bundle, {"me": public}, at=datetime.now(UTC))
    word = parse_acceptance(verified.statement)
    (subject,) = verified.statement.subjects
    assert subject.digest["sha256"] in before
    assert word.license_found == word.license == "Apache-2.0"
    assert word.reviewer == public.fingerprint == verified.attributions[0].identity
    assert word.fetched_from == ACCEPT["--fetched-from"]
    assert word.max_level == 1
    assert word.expires_at.isoformat() == f"{SOON}T00:00:00+00:00"
    assert NOW - timedelta(seconds=1) <= word.accepted_at <= datetime.now(UTC)
    # What is outside the artifact does not change what it is called.
    assert run_cli("hash", model).stdout.split()[0] == before


def test_a_review_of_a_file_for_machines(tmp_path: Path, key: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(b"weights")
    words = to_words(REVIEW, decision="reject", note="it is biased\nvery", expires=SOON)
    done = run_cli("review", file, "--key", key, *words, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (line,) = read_claims(tmp_path / "w.bin.claims.jsonl")
    payload = parse_bundle(line, what="it", limits=DEFAULT_LIMITS).envelope.payload
    word = parse_review(parse_statement(payload))
    assert (word.decision, word.scope, word.note) == (
        "reject",
        "training data",
        "it is biased\nvery",
    )
    assert told["decision"] == "reject"
    assert told["artifact"] == run_cli("hash", file).stdout.split()[0]
    assert told["claims"] == f"{file}.claims.jsonl"
    assert told["expires_at"] == f"{SOON}T00:00:00Z"
    assert told["store"] is None


def test_both_stand_beside_what_was_there(model: Path, key: Path) -> None:
    (model / "claims.jsonl").write_bytes(b"what somebody else wrote\n")
    assert run_cli("accept", model, "--key", key, *to_words(ACCEPT)).returncode == 0
    assert run_cli("review", model, "--key", key, *to_words(REVIEW)).returncode == 0
    lines = read_claims(model / "claims.jsonl")
    assert lines[0] == b"what somebody else wrote"
    assert len(lines) == 3


def test_a_certificate_names_its_holder(tmp_path: Path, model: Path) -> None:
    folder = build_chain().write(tmp_path / "ca")
    signer = [
        *("--key", str(folder / "leaf.key"), "--certificate", str(folder / "leaf.pem")),
        *("--certificate-chain", str(folder / "middle.pem")),
    ]
    done = run_cli("review", model, *signer, *to_words(REVIEW))
    assert done.returncode == 0, done.stderr
    assert "reviewer: release@example.com" in done.stdout
    bundle = parse_bundle(read_claims(model / "claims.jsonl")[0], what="it", limits=DEFAULT_LIMITS)
    verifier = load_certificate_verifier([folder / "root.pem"])
    verified = verify_bundle(bundle, {"release": verifier}, at=datetime.now(UTC))
    assert parse_review(verified.statement).reviewer == verified.attributions[0].identity


def test_a_store_gets_it_too(tmp_path: Path, model: Path, key: Path) -> None:
    store = tmp_path / "store"
    done = run_cli("accept", model, "--key", key, *to_words(ACCEPT), "--store", store)
    assert done.returncode == 0, done.stderr
    assert f"store:    {store}" in done.stdout
    digest = Digest.parse(run_cli("hash", model).stdout.split()[0])
    assert list(open_store(store).find(digest)) == read_claims(model / "claims.jsonl")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"license": "MIT"}, "declares the licence Apache-2.0, and MIT is given"),
        ({"license": "no licence at all"}, "the licence cannot be used"),
        ({"license": ""}, "the licence cannot be used"),
        ({"expires": "2020-01-01"}, "would have expired already"),
        ({"expires": NOW.date().isoformat()}, "would have expired already"),
        ({"expires": "2099-01-01"}, "10 years at most"),
        ({"expires": "tomorrow"}, "is no date"),
        ({"expires": "2027-02-30"}, "is no date"),
        ({"expires": f"{SOON}T12:00:00"}, "has no zone"),
        ({"expires": None}, "--expires"),
        ({"max_level": "4"}, "--max-level"),
        ({"max_level": "-1"}, "--max-level"),
        ({"fetched_from": "the internet"}, "no URI"),
        ({"fetched_from": "https://me:secret@example.com/m"}, "name or password"),
        ({"fetched_from": "https://example.com/m?token=hf_" + "a1B2" * 9}, "secret"),
        ({"fetched_from": "http://[::1"}, "no URI"),
        ({"reason": " "}, "the reason is empty"),
        ({"reason": "x" * 4001}, "predicate.reason"),
        ({"key": "nothing.key"}, "nothing.key"),
        ({"key": None}, "who signs"),
    ],
)
def test_what_cannot_be_accepted_leaves_nothing_behind(
    model: Path, key: Path, changes: dict[str, str | None], words: str
) -> None:
    done = run_cli("accept", model, *to_words({"--key": str(key), **ACCEPT}, **changes))
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert not (model / "claims.jsonl").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"decision": "maybe"}, "--decision"),
        ({"scope": ""}, "the scope is empty"),
        ({"scope": None}, "--scope"),
        ({"note": "x" * 4001}, "predicate.note"),
        ({"expires": "2020-01-01"}, "would have expired already"),
    ],
)
def test_what_is_no_review(
    model: Path, key: Path, changes: dict[str, str | None], words: str
) -> None:
    done = run_cli("review", model, *to_words({"--key": str(key), **REVIEW}, **changes))
    assert done.returncode == 2
    assert words in done.stderr
    assert not (model / "claims.jsonl").exists()


@pytest.mark.parametrize(
    ("card", "found"),
    [
        ("---\nlicense: mit\n---\n", "MIT"),
        ("---\nlicense: other\nlicense_name: own terms\n---\n", "LicenseRef-own-terms"),
        ("---\nlicense: a-made-up-one\n---\n", "a-made-up-one"),
        ("---\nlicense: [mit\n---\n", "?"),
    ],
)
def test_another_licence_is_accepted_only_if_somebody_says_so(
    model: Path, key: Path, card: str, found: str
) -> None:
    (model / "README.md").write_text(card)
    words = ["accept", str(model), "--key", str(key), *to_words(ACCEPT)]
    refused = run_cli(*words)
    assert refused.returncode == 2
    assert f"declares the licence {found}" in refused.stderr
    assert "--license-differs" in refused.stderr
    done = run_cli(*words, "--license-differs", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["license"], told["license_found"]) == ("Apache-2.0", found)


def test_no_licence_at_all_is_recorded_as_none(model: Path, key: Path) -> None:
    (model / "README.md").unlink()
    done = run_cli("accept", model, "--key", key, *to_words(ACCEPT))
    assert done.returncode == 0, done.stderr
    assert "declares none" in done.stdout


def test_other_spellings_of_one_licence_are_one(model: Path, key: Path) -> None:
    done = run_cli("accept", model, "--key", key, *to_words(ACCEPT, license="apache-2.0"), "--json")
    assert json.loads(done.stdout)["license"] == "Apache-2.0"


def test_an_artifact_that_cannot_be_hashed_is_not_vouched_for(model: Path, key: Path) -> None:
    (model / "link").symlink_to("/etc/passwd")
    done = run_cli("review", model, "--key", key, *to_words(REVIEW))
    assert done.returncode == 2
    assert "link is a symbolic link" in done.stderr
    assert run_cli("review", model / "nothing", "--key", key, *to_words(REVIEW)).returncode == 2


def test_a_claims_file_that_cannot_be_written_is_told_before(
    tmp_path: Path, model: Path, key: Path
) -> None:
    (model / "claims.jsonl").symlink_to(tmp_path / "elsewhere")
    done = run_cli("accept", model, "--key", key, *to_words(ACCEPT))
    assert done.returncode == 2
    assert "claims.jsonl" in done.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_may_not_be_written(model: Path, key: Path, tmp_path: Path) -> None:
    model.chmod(0o555)
    words = to_words({"--store": str(tmp_path / "store"), **ACCEPT})
    done = run_cli("accept", model, "--key", key, *words, prefix=without_privileges())
    model.chmod(0o755)
    assert done.returncode == 2, done.stdout
    assert "written" in done.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("place", ["model/store", "."])
def test_a_store_that_overlaps_the_artifact_is_refused(
    tmp_path: Path, model: Path, key: Path, place: str
) -> None:
    done = run_cli(
        "review", "model", "--key", key, *to_words(REVIEW), "--store", place, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "keep them apart" in done.stderr


def test_the_store_has_it_if_the_claims_file_fails(tmp_path: Path, model: Path, key: Path) -> None:
    """A claims file that becomes too large is only noticed when it is written."""
    from dataclasses import replace  # noqa: PLC0415

    wb.review(model, scope="x", decision="approve", key=key)
    size = (model / "claims.jsonl").stat().st_size
    limits = replace(DEFAULT_LIMITS, max_signature_bytes=size + 10)
    with pytest.raises(IncompleteError, match="the store has the claim"):
        wb.review(model, scope="y", decision="reject", key=key, store=tmp_path / "s", limits=limits)
    assert len(read_claims(model / "claims.jsonl")) == 1
    digest = wb.hash(model).compute_digest()
    assert len(list(open_store(tmp_path / "s").find(digest))) == 1


def test_from_python(model: Path, key: Path) -> None:
    ends = datetime.now(UTC) + timedelta(days=1)
    found = wb.accept(
        model,
        reason="r",
        fetched_from="https://example.com",
        license="Apache-2.0",
        expires=ends,
        max_level=0,
        key=key,
    )
    assert found.word.expires_at == ends
    assert found.artifact == wb.hash(model).compute_digest()
    with pytest.raises(InputError, match="approve or reject"):
        wb.review(model, scope="x", decision="perhaps", key=key)
    reviewed = wb.review(
        model, scope="x", decision="approve", key=key, expires=(NOW + timedelta(days=9)).date()
    )
    assert reviewed.word.expires_at is not None


@pytest.mark.parametrize(
    ("verb", "caution"), [("accept", "often unaffordable"), ("review", "[[denied]]")]
)
def test_the_help_says_what_counts(verb: str, caution: str) -> None:
    words = " ".join(run_cli(verb, "--help").stdout.split())
    assert "biased" in words
    assert "licence" in words
    assert caution in words


@pytest.mark.parametrize("name", ["model.sig", "claims.jsonl"])
def test_a_file_of_a_folder_that_somebody_spoke_for(model: Path, key: Path, name: str) -> None:
    """A claim beside it would make another artifact of the folder, and break its signature."""
    if name == "model.sig":
        wb.sign(model, key=key)
    else:
        wb.review(model, scope="all", decision="approve", key=key)
    before = wb.hash(model).compute_digest()
    done = run_cli("review", model / "config.json", *to_words({"--key": str(key), **REVIEW}))
    assert done.returncode == 2
    assert f"which has {name}: a claim beside it would change that folder" in done.stderr
    assert wb.hash(model).compute_digest() == before
