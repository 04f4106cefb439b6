"""Signing again keeps the method and the hash of the old signature, whatever they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import weighbridge as wb
from support import build_model, run_cli
from weighbridge.core import Dialect, HashType, Method, Serialization
from weighbridge.errors import DigestMismatchError, InputError

BIG = 3000
SHARDS = {
    hash_type: Serialization(Method.SHARDS, hash_type, 1200)
    for hash_type in (HashType.SHA256, HashType.BLAKE2B, HashType.BLAKE3)
}
OTHERS = [
    *SHARDS.values(),
    Serialization(hash_type=HashType.BLAKE2B),
    Serialization(hash_type=HashType.BLAKE3),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    model = build_model(tmp_path / "model")
    for number in range(4):
        (model / f"w{number}:0.bin").write_bytes(bytes([number]) * BIG)
    wb.keygen(tmp_path / "k")
    return tmp_path


def read_payload(signature: Path) -> str:
    payload: str = json.loads(signature.read_text())["dsseEnvelope"]["payload"]
    return payload


@pytest.mark.parametrize("serialization", OTHERS, ids=str)
def test_it_is_what_a_full_signing_signs(place: Path, serialization: Serialization) -> None:
    if serialization.hash_type is HashType.BLAKE3:
        pytest.importorskip("blake3")
    model, key = place / "model", place / "k.key"
    wb.sign(model, key=key, serialization=serialization)
    (model / "w1:0.bin").write_bytes(b"new" * BIG)
    (model / "w2:0.bin").unlink()
    (model / "w3:0.bin").rename(model / "vocab" / "w3.bin")
    (model / "added.bin").write_bytes(b"added" * BIG)
    reuse = wb.Reuse(
        model / "model.sig",
        changed=["w1:0.bin", "w2:0.bin", "added.bin"],
        renamed=[("w3:0.bin", "vocab/w3.bin")],
        strict=True,
    )
    again = wb.sign(model, key=key, reuse=reuse)
    assert again.reused is not None
    assert (again.reused.reused_count, again.reused.in_full) == (1, False)
    assert not again.manifest.is_known
    for ask in (again.manifest.compute_digest, again.manifest.compute_oms_root):
        with pytest.raises(InputError, match="not known"):
            ask()
    payload = read_payload(model / "model.sig")
    full = wb.sign(model, key=key, serialization=serialization)
    assert read_payload(model / "model.sig") == payload
    assert full.manifest.listing == again.manifest.listing
    wb.verify(model, key=place / "k.pub")


def test_the_sha256_of_one_shard_is_that_of_the_file(place: Path) -> None:
    model, key = place / "model", place / "k.key"
    wb.sign(model, key=key, serialization=Serialization(Method.SHARDS, HashType.SHA256, 10**9))
    again = wb.sign(model, key=key, reuse=wb.Reuse(model / "model.sig", changed=[]))
    assert again.manifest.resources == wb.hash(model).resources
    assert again.manifest.compute_digest() == wb.hash(model).compute_digest()


@pytest.mark.parametrize("serialization", OTHERS, ids=str)
def test_a_bare_file_in_both_dialects(place: Path, serialization: Serialization) -> None:
    if serialization.hash_type is HashType.BLAKE3:
        pytest.importorskip("blake3")
    file = place / "w.bin"
    file.write_bytes(b"1" * BIG)
    for dialect in Dialect:
        wb.sign(file, key=place / "k.key", serialization=serialization, dialect=dialect)
        old = read_payload(place / "w.bin.sig")
        reuse = wb.Reuse(place / "w.bin.sig", changed=[])
        again = wb.sign(file, key=place / "k.key", reuse=reuse, dialect=dialect)
        assert again.reused is not None
        assert again.reused.reused_count == 1
        assert read_payload(place / "w.bin.sig") == old
        wb.verify(file, key=place / "k.pub")


def test_shards_tell_the_size_of_a_file_that_is_not_read(place: Path) -> None:
    model, key = place / "model", place / "k.key"
    wb.sign(model, key=key, serialization=SHARDS[HashType.SHA256])
    old = (model / "model.sig").read_bytes()
    for size in (BIG + 1, BIG - 1, 2400, 1200):
        (model / "w1:0.bin").write_bytes(b"\1" * size)
        with pytest.raises(DigestMismatchError, match="size") as caught:
            wb.sign(model, key=key, reuse=wb.Reuse(model / "model.sig", changed=[]))
        assert any("w1:0.bin" in line for line in caught.value.diff.to_lines())
        assert (model / "model.sig").read_bytes() == old
    assert (
        run_cli(
            *("sign", "model", "--key", "k.key", "--reuse", "model/model.sig"),
            *("--changed", os.devnull),
            cwd=place,
        ).returncode
        == 1
    )


@pytest.mark.parametrize("serialization", OTHERS[:2] + OTHERS[3:4], ids=str)
def test_an_audit_finds_what_changed(place: Path, serialization: Serialization) -> None:
    model, key = place / "model", place / "k.key"
    wb.sign(model, key=key, serialization=serialization)
    (model / "w1:0.bin").write_bytes(b"\xff" * BIG)
    reuse = wb.Reuse(model / "model.sig", audit_ratio=1.0)
    with pytest.raises(DigestMismatchError, match="one file is not as declared") as caught:
        wb.sign(model, key=key, reuse=reuse)
    assert any("w1:0.bin" in line for line in caught.value.diff.to_lines())


def test_small_files_and_pointers_are_read_in_every_serialization(place: Path) -> None:
    model, key = place / "model", place / "k.key"
    wb.sign(model, key=key, serialization=OTHERS[3])
    card = (model / "README.md").read_bytes()
    (model / "README.md").write_bytes(card.upper())
    with pytest.raises(DigestMismatchError):
        wb.sign(model, key=key, reuse=wb.Reuse(model / "model.sig", changed=[]))
    (model / "README.md").write_bytes(card)
    (model / "w1:0.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(InputError, match="git lfs pull"):
        wb.sign(model, key=key, reuse=wb.Reuse(model / "model.sig", updated=["w1:0.bin"]))


def test_asking_for_another_serialization_reads_everything_and_says_so(place: Path) -> None:
    model = place / "model"
    wb.sign(model, key=place / "k.key")
    (model / "w1:0.bin").write_bytes(b"\xff" * BIG)
    again = ("sign", "model", "--key", "k.key", "--reuse", "model/model.sig")
    done = run_cli(*again, "--changed", os.devnull, "--hash", "blake2b", "--json", cwd=place)
    assert (done.returncode, "everything was read" in done.stderr) == (0, True)
    told = json.loads(done.stdout)
    assert (told["reused"]["in_full"], told["reused"]["reused_count"]) == (True, 0)
    assert told["artifact"] == str(wb.hash(model).compute_digest())
    assert run_cli("verify", "model", "--key", "k.pub", cwd=place).returncode == 0
    done = run_cli(*again, "--changed", os.devnull, cwd=place)
    assert "artifact:  not known" in done.stdout
    done = run_cli(*again, "--changed", os.devnull, "--hash", "blake2b", "--json", cwd=place)
    assert json.loads(done.stdout)["artifact"] is None
    assert run_cli(*again, "--deleted", "w1:0.bin", "--hash", "sha256", cwd=place).returncode == 2


def test_shards_cannot_list_an_empty_file_that_came(place: Path) -> None:
    model, key = place / "model", place / "k.key"
    wb.sign(model, key=key, serialization=SHARDS[HashType.SHA256])
    (model / "empty").touch()
    with pytest.raises(InputError, match="is empty"):
        wb.sign(model, key=key, reuse=wb.Reuse(model / "model.sig", changed=["empty"]))


@pytest.mark.parametrize("hash_type", [HashType.SHA256, HashType.BLAKE2B])
def test_shards_that_model_signing_signed_are_a_base(place: Path, hash_type: HashType) -> None:
    """Its order, its words and its float of a shard size; names with colons it cannot read."""
    peer = pytest.importorskip("model_signing")
    model = place / "model"
    for file in model.glob("*:*"):
        file.rename(model / file.name.replace(":", ""))
    (model / "w1").mkdir()
    (model / "w1" / "a.bin").write_bytes(b"a" * BIG)
    algorithm = hash_type.value.removesuffix("b")
    hashing = peer.hashing.Config().use_shard_serialization(
        hashing_algorithm=algorithm, shard_size=1200
    )
    hashing.set_ignored_paths(paths=[model / "model.sig"], ignore_git_paths=True)
    signing = peer.signing.Config().use_elliptic_key_signer(private_key=place / "k.key")
    signing.set_hashing_config(hashing).sign(model, model / "model.sig")
    (model / "w10.bin").write_bytes(b"new" * BIG)
    reuse = wb.Reuse(model / "model.sig", updated=["w10.bin"], strict=True)
    again = wb.sign(model, key=place / "k.key", reuse=reuse, dialect=Dialect.MODEL_SIGNING_1_1)
    assert again.reused is not None
    assert again.reused.reused_count == 4
    wb.verify(model, key=place / "k.pub")
    peer.verifying.Config().use_elliptic_key_verifier(
        public_key=place / "k.pub"
    ).set_hashing_config(hashing).verify(model, model / "model.sig")
