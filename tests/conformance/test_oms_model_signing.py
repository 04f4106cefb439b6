"""Interoperation with the reference implementation of OpenSSF Model Signing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unit.signing.signing_samples import manifest_of_folder, read_bundle, sha256
from weighbridge.core import ArtifactKind, Manifest, Resource
from weighbridge.errors import SignatureError
from weighbridge.signing import (
    SignedManifest,
    compare_signed,
    generate_key,
    load_public_key,
    load_signer,
    parse_signed_manifest,
    sign_manifest,
    verify_bundle,
)

if TYPE_CHECKING:
    from types import ModuleType

FILES = {
    "a/b": b"component order puts this first",
    "a-b/c": b"code points put this first",
    "a.txt": b"and this second",
    "empty": b"",
    "sub/empty": b"",
    "name with spaces.bin": b"1",
    "ünïcödé/模型.bin": b"2",
    "\U0001f600.txt": b"3",
    "\uff5e.txt": b"4",
    "nested/.git/config": b"5",
    "nested/.gitignore": b"6",
    "quote'\"and:colon": b"7",
    "...": b"8",
}


@pytest.fixture(scope="module")
def peer() -> ModuleType:
    return pytest.importorskip(
        "model_signing", reason="the peer is not installed: pip install --group peers"
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    for name, data in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


@pytest.fixture(params=["P-256", "P-384", "P-521"])
def keys(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    return write_keys(tmp_path, request.param)


def write_keys(folder: Path, curve: str) -> tuple[Path, Path]:
    pair = generate_key(curve)
    private, public = folder / "release.key", folder / "release.pub"
    private.write_bytes(pair.private_pem)
    public.write_bytes(pair.public_pem)
    return private, public


def sign(model: Path, private: Path) -> Path:
    signature = model / "model.sig"
    data = sign_manifest(
        manifest_of_folder(model), signer=load_signer(private), ignore_paths=["model.sig"]
    )
    signature.write_bytes(data)
    return signature


def read(signature: Path, public: Path) -> SignedManifest:
    keys = {"release": load_public_key(public)}
    return parse_signed_manifest(
        verify_bundle(read_bundle(signature.read_bytes()), keys, at=datetime.now(UTC)).statement
    )


def test_the_peer_verifies_what_we_sign(
    model: Path, keys: tuple[Path, Path], peer: ModuleType
) -> None:
    private, public = keys
    signature = sign(model, private)
    config = peer.verifying.Config().use_elliptic_key_verifier(public_key=public)
    config.verify(model, signature)
    (model / "a.txt").write_bytes(b"changed")
    again = peer.verifying.Config().use_elliptic_key_verifier(public_key=public)
    with pytest.raises(ValueError, match=r"a\.txt"):
        again.verify(model, signature)


def test_we_verify_what_the_peer_signs(
    model: Path, keys: tuple[Path, Path], peer: ModuleType
) -> None:
    private, public = keys
    signature = model / "model.sig"
    hashing = peer.hashing.Config().set_ignored_paths(paths=[signature], ignore_git_paths=True)
    config = peer.signing.Config().use_elliptic_key_signer(private_key=private)
    config.set_hashing_config(hashing).sign(model, signature)
    signed = read(signature, public)
    assert "model.sig" in signed.ignore_paths
    assert [r.name for r in signed.resources] != sorted(FILES)
    assert not compare_signed(signed, manifest_of_folder(model))
    (model / "a.txt").write_bytes(b"changed")
    assert compare_signed(signed, manifest_of_folder(model)).names == ("a.txt",)


def test_the_peer_refuses_our_signature_with_another_key(
    model: Path, tmp_path: Path, peer: ModuleType
) -> None:
    private, _ = write_keys(tmp_path, "P-256")
    signature = sign(model, private)
    _, public = write_keys(tmp_path, "P-256")
    config = peer.verifying.Config().use_elliptic_key_verifier(public_key=public)
    with pytest.raises(ValueError, match="Key mismatch"):
        config.verify(model, signature)
    with pytest.raises(SignatureError, match="another key"):
        read(signature, public)


def command(*args: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "model_signing", *map(str, args)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_the_commands_of_the_peer_agree_both_ways(
    model: Path, tmp_path: Path, peer: ModuleType
) -> None:
    private, public = write_keys(tmp_path, "P-256")
    signature = sign(model, private)
    verify = ("verify", "key", model, "--signature", signature, "--public_key", public)
    assert command(*verify).returncode == 0
    made = command("sign", "key", model, "--signature", signature, "--private_key", private)
    assert made.returncode == 0, made.stderr
    assert not compare_signed(read(signature, public), manifest_of_folder(model))


def test_a_bare_file_that_the_peer_signed(tmp_path: Path, peer: ModuleType) -> None:
    private, public = write_keys(tmp_path, "P-256")
    file, signature = tmp_path / "w.bin", tmp_path / "w.bin.sig"
    file.write_bytes(b"weights")
    peer.signing.Config().use_elliptic_key_signer(private_key=private).sign(file, signature)
    signed = read(signature, public)
    assert [resource.name for resource in signed.resources] == ["."]
    resource = Resource("w.bin", 7, sha256(b"weights"))
    assert not compare_signed(signed, Manifest(ArtifactKind.FILE, "w.bin", (resource,)))
    other = Resource("w.bin", 7, sha256(b"Weights"))
    assert compare_signed(signed, Manifest(ArtifactKind.FILE, "w.bin", (other,)))


def test_an_empty_model_that_the_peer_signs_is_refused(tmp_path: Path, peer: ModuleType) -> None:
    private, public = write_keys(tmp_path, "P-256")
    empty, signature = tmp_path / "empty", tmp_path / "empty.sig"
    empty.mkdir()
    peer.signing.Config().use_elliptic_key_signer(private_key=private).sign(empty, signature)
    with pytest.raises(ValueError, match="lists no files"):
        read(signature, public)


def test_what_the_peer_would_leave_out_is_an_extra_file_to_us(
    model: Path, tmp_path: Path, peer: ModuleType
) -> None:
    """A payload below an ignored path passes the peer; here the verifier has to agree to it."""
    private, public = write_keys(tmp_path, "P-256")
    hashing = peer.hashing.Config().set_ignored_paths(paths=[model / "logs"])
    config = peer.signing.Config().use_elliptic_key_signer(private_key=private)
    config.set_hashing_config(hashing).sign(model, tmp_path / "x.sig")
    (model / "logs").mkdir()
    (model / "logs" / "evil.py").write_bytes(b"import os")
    checker = peer.verifying.Config().use_elliptic_key_verifier(public_key=public)
    checker.verify(model, tmp_path / "x.sig")
    signed = read(tmp_path / "x.sig", public)
    there = manifest_of_folder(model)
    assert compare_signed(signed, there).names == ("logs/evil.py",)
    assert not compare_signed(signed, there, accept_ignored=["logs"])


def test_the_form_of_bundle_is_that_of_the_peer(
    model: Path, tmp_path: Path, peer: ModuleType
) -> None:
    private, _ = write_keys(tmp_path, "P-256")
    ours = json.loads(sign(model, private).read_bytes())
    peer.signing.Config().use_elliptic_key_signer(private_key=private).sign(
        model, tmp_path / "x.sig"
    )
    theirs = json.loads((tmp_path / "x.sig").read_bytes())
    for document in (ours, theirs):
        document["dsseEnvelope"]["payload"] = ""
        document["dsseEnvelope"]["signatures"][0]["sig"] = ""
    assert ours == theirs
