"""What ``sign`` writes in each serialization, verified by the released model_signing itself."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from support import run_cli

MODEL = {"a/b": b"1" * 250, "a-b/c": b"2" * 100, "a.txt": b"3", "w.bin": bytes(range(256)) * 8}
HASHES = {"sha256": "sha256", "blake2b": "blake2", "blake3": "blake3"}


@pytest.fixture
def peer() -> ModuleType:
    return pytest.importorskip(
        "model_signing", reason="the peer is not installed: pip install --group peers"
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, data in MODEL.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "model"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    assert run_cli("keygen", tmp_path / "release").returncode == 0
    return tmp_path / "release.key"


def sign(model: Path, key: Path, *options: str) -> None:
    done = run_cli("sign", model, "--key", key, *options)
    assert done.returncode == 0, done.stderr
    assert run_cli("verify", model, "--key", key.with_suffix(".pub")).returncode == 0


def verify_with_peer(peer: ModuleType, model: Path, key: Path, hashing: object) -> None:
    config = peer.verifying.Config().use_elliptic_key_verifier(public_key=key.with_suffix(".pub"))
    signature = model / "model.sig" if model.is_dir() else model.with_name(model.name + ".sig")
    config.set_hashing_config(hashing).verify(model, signature)


@pytest.mark.parametrize("ours", HASHES)
def test_the_peer_verifies_files_in_every_hash(
    model: Path, key: Path, peer: ModuleType, ours: str
) -> None:
    if ours == "blake3" and not importlib.util.find_spec("blake3"):
        pytest.skip("the extra blake3 is not installed")
    sign(model, key, "--hash", ours)
    hashing = peer.hashing.Config().use_file_serialization(hashing_algorithm=HASHES[ours])
    hashing.set_ignored_paths(paths=[model / "model.sig"])
    verify_with_peer(peer, model, key, hashing)
    (model / "a.txt").write_bytes(b"4")
    with pytest.raises(ValueError, match=r"a\.txt"):
        verify_with_peer(peer, model, key, hashing)


# It knows no shards with BLAKE3: asked for them it signs whole files.
@pytest.mark.parametrize("ours", ["sha256", "blake2b"])
def test_the_peer_verifies_shards_in_its_own_words_only(
    model: Path, key: Path, peer: ModuleType, ours: str
) -> None:
    options = ("--method", "shards", "--shard-size", "100", "--hash", ours)
    hashing = peer.hashing.Config().use_shard_serialization(
        hashing_algorithm=HASHES[ours], shard_size=100
    )
    hashing.set_ignored_paths(paths=[model / "model.sig"])
    sign(model, key, *options, "--compat", "model-signing-1.1")
    verify_with_peer(peer, model, key, hashing)
    sign(model, key, *options)
    with pytest.raises(ValueError, match="mismatch"):
        verify_with_peer(peer, model, key, hashing)


def test_the_command_of_the_peer_verifies_a_bare_file_in_its_own_words_only(
    model: Path, key: Path, peer: ModuleType
) -> None:
    file = model / "w.bin"
    signature, public = f"{file}.sig", str(key.with_suffix(".pub"))
    line = (sys.executable, "-m", "model_signing", "verify", "key", str(file))
    line += ("--signature", signature, "--public_key", public)
    sign(file, key, "--compat", "model-signing-1.1")
    assert subprocess.run(line, capture_output=True, check=False).returncode == 0
    sign(file, key)
    assert subprocess.run(line, capture_output=True, check=False).returncode != 0


def test_a_bare_file_in_shards_in_the_words_of_the_peer(
    model: Path, key: Path, peer: ModuleType
) -> None:
    file = model / "w.bin"
    options = ("--method", "shards", "--shard-size", "100", "--compat", "model-signing-1.1")
    sign(file, key, *options)
    hashing = peer.hashing.Config().use_shard_serialization(shard_size=100)
    verify_with_peer(peer, file, key, hashing)


def test_a_colon_in_a_name_is_read_by_us_and_refused_in_the_words_of_the_peer(
    model: Path, key: Path
) -> None:
    (model / "a:1:2").write_bytes(b"colons")
    options = ("--method", "shards", "--shard-size", "4")
    sign(model, key, *options)
    done = run_cli("sign", model, "--key", key, *options, "--compat", "model-signing-1.1")
    assert done.returncode == 2
    assert "a:1:2 has a colon" in done.stderr
