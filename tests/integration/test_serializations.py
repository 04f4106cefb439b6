"""sign, verify, inspect and check as a user runs them, in every serialization."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from support import build_model, run_cli
from weighbridge.workflow import hash_artifact

SHARDS = ("--method", "shards", "--shard-size", "100")
POLICY = """
version = 1
[trust.signers.release]
key = "release.pub"
roles = ["publisher"]
[require]
signature = { by = ["release"] }
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    assert run_cli("keygen", tmp_path / "release").returncode == 0
    return build_model(tmp_path / "model")


def sign(model: Path, *options: str) -> None:
    done = run_cli("sign", model, "--key", model.parent / "release.key", *options)
    assert done.returncode == 0, done.stderr


def needs(hash_type: str) -> None:
    if hash_type == "blake3" and not importlib.util.find_spec("blake3"):
        pytest.skip("the extra blake3 is not installed")


@pytest.mark.parametrize("hash_type", ["sha256", "blake2b", "blake3"])
@pytest.mark.parametrize("method", [(), SHARDS])
def test_the_bundle_decides_how_it_is_verified(
    model: Path, method: tuple[str, ...], hash_type: str
) -> None:
    needs(hash_type)
    digest = str(hash_artifact(model).compute_digest())
    sign(model, *method, "--hash", hash_type)
    verify = ("verify", model, "--key", model.parent / "release.pub")
    done = run_cli(*verify, "--json")
    assert json.loads(done.stdout)["artifact"] == digest
    assert json.loads(done.stdout)["warnings"] == []
    said = json.loads(run_cli("inspect", model / "model.sig", "--json").stdout)
    assert said["hash"] == hash_type
    assert said["shard_size_bytes"] == (100 if method else None)
    (model / "vocab" / "vocab.txt").write_text("hello\nworle\n")
    done = run_cli(*verify)
    assert done.returncode == 1
    assert "changed: vocab/vocab.txt (12 bytes)" in done.stderr


@pytest.mark.parametrize("options", [("--hash", "blake2b"), SHARDS])
def test_check_compares_every_serialization_for_a_trusted_signer(
    model: Path, options: tuple[str, ...]
) -> None:
    policy = model.parent / "weighbridge.toml"
    policy.write_text(POLICY)
    sign(model, *options)
    done = run_cli("check", model, "--policy", policy)
    assert done.returncode == 0, done.stdout
    (model / "config.json").write_text("{}")
    (model / "vocab" / "vocab.txt").unlink()
    done = run_cli("check", model, "--policy", policy, "--json")
    assert done.returncode == 1
    diff = json.loads(done.stdout)["signature"]["diff"]
    assert diff["changed"][0]["expected"]["sha256"] is None
    assert diff["missing"][0]["name"] == "vocab/vocab.txt"


def test_a_stranger_does_not_decide_how_check_hashes(model: Path) -> None:
    sign(model, "--method", "shards", "--shard-size", "1")
    done = run_cli("check", model, "--json")
    signature = json.loads(done.stdout)["signature"]
    assert "compared only for a signer in the policy" in signature["problem"]
    assert signature["diff"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--shard-size", "5"), "--shard-size goes with --method shards"),
        (("--method", "shards", "--shard-size", "0"), "0 bytes cannot be used"),
        (("--hash", "md5"), "'md5' is not one of"),
        (("--compat", "model-signing-9"), "model-signing-1.1"),
    ],
)
def test_what_cannot_be_signed_so_is_refused(
    model: Path, options: tuple[str, ...], words: str
) -> None:
    done = run_cli("sign", model, "--key", model.parent / "release.key", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (model / "model.sig").exists()


def test_an_empty_file_stops_signing_in_shards_and_the_old_signature_stays(model: Path) -> None:
    sign(model)
    before = (model / "model.sig").read_bytes()
    (model / "__init__.py").touch()
    done = run_cli("sign", model, "--key", model.parent / "release.key", *SHARDS)
    assert done.returncode == 2
    assert "__init__.py is empty, and shards cannot list it" in done.stderr
    assert (model / "model.sig").read_bytes() == before


def test_inspect_says_first_that_nothing_was_verified(model: Path) -> None:
    sign(model, *SHARDS)
    done = run_cli("inspect", model / "model.sig", "--files", "2")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("nothing was verified")
    assert "lists:     4 files, sha256 of each shard of 100 bytes" in lines
    assert "left out:  .git, .gitattributes, .github, .gitignore" in done.stdout
    assert lines[-1].startswith("  and ")
    assert lines[-1].endswith(" more digests")
    assert len([line for line in lines if line.startswith("  ")]) == 3


def test_inspect_lets_no_name_act_on_the_terminal(model: Path) -> None:
    (model / "\x1b[2Jevil\u202etxt").write_bytes(b"1")
    sign(model)
    done = run_cli("inspect", model / "model.sig")
    assert "\\x1b[2Jevil\\u202etxt" in done.stdout
    done = run_cli("inspect", model / "model.sig", "--json")
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_inspect_reads_what_nobody_would_verify(model: Path, tmp_path: Path) -> None:
    sign(model)
    document = json.loads((model / "model.sig").read_bytes())
    document["dsseEnvelope"]["signatures"][0]["sig"] = "AAAA"
    file = tmp_path / "forged.sig"
    file.write_text(json.dumps(document))
    done = run_cli("inspect", file)
    assert done.returncode == 0
    assert done.stdout.startswith("nothing was verified")
    file.write_text("{}")
    assert run_cli("inspect", file).returncode == 2


def test_names_that_collide_elsewhere_are_a_warning(model: Path) -> None:
    (model / "readme.md").write_text("another")
    (model / "cafe\u0301").write_text("1")
    (model / "caf\u00e9").write_text("2")
    sign(model)
    done = run_cli("verify", model, "--key", model.parent / "release.pub", "--json")
    assert done.returncode == 0
    assert "warning: 'README.md', 'readme.md' are one file where case" in done.stderr
    assert "'cafe\\u0301', 'caf\\xe9' are one file" in done.stderr
    assert len(json.loads(done.stdout)["warnings"]) == 2
