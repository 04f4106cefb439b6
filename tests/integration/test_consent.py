"""What a signer leaves out and what a verifier agrees to, on the command line and with the peer."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from model_signing import hashing, signing, verifying

import weighbridge as wb
from support import ROOT, build_model, run_cli
from weighbridge.errors import DigestMismatchError, InputError

LEGACY = ROOT / "tests" / "conformance" / "data" / "model_signing"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    model = build_model(tmp_path / "model")
    (model / "logs").mkdir()
    (model / "logs" / "run.txt").write_text("secret notes\n")
    wb.keygen(tmp_path / "k")
    return model


def key_of(model: Path, kind: str) -> Path:
    return model.parent / f"k.{kind}"


def sign(model: Path, *more: str) -> Any:
    done = run_cli("sign", model, "--key", key_of(model, "key"), "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def verify(model: Path, *more: str) -> tuple[int, str]:
    done = run_cli("verify", model, "--key", key_of(model, "pub"), *more)
    return done.returncode, done.stdout + done.stderr


def signed_paths(model: Path) -> list[str]:
    envelope = json.loads((model / "model.sig").read_bytes())["dsseEnvelope"]
    predicate = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    paths: list[str] = predicate["serialization"]["ignore_paths"]
    return paths


def test_what_is_ignored_is_said_recorded_and_needs_consent(model: Path) -> None:
    said = sign(model, "--ignore", "./logs/", "--ignore", "nothing")
    assert said["ignored"] == ["logs"]
    assert said["warnings"] == ["nothing is not there to be ignored"]
    assert {"logs", "nothing"} <= {*signed_paths(model)}
    code, text = verify(model)
    assert code == 1
    assert "extra: logs/run.txt (13 bytes)" in text
    for consent in (
        ["--accept-ignored", "logs"],
        ["--ignore", "logs"],
        ["--ignore-unsigned-files"],
    ):
        code, text = verify(model, *consent)
        assert code == 0
        assert "verified 4 files" in text
        assert "not signed: logs/run.txt (13 bytes)" in text
        assert "(with the files that are not signed)" in text


def test_to_accept_needs_both_and_to_ignore_needs_the_verifier_only(model: Path) -> None:
    sign(model, "--ignore", "logs")
    (model / "new.bin").write_bytes(b"new")
    code, text = verify(model, "--accept-ignored", "logs", "--accept-ignored", "new.bin")
    assert code == 1
    assert "extra: new.bin" in text
    done = run_cli(
        *("verify", model, "--key", key_of(model, "pub"), "--json"),
        *("--ignore", "logs/run.txt", "--ignore", "new.bin"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unsigned"] == ["logs/run.txt", "new.bin"]


def test_a_file_that_is_not_ignored_by_name_stays_an_error(model: Path) -> None:
    sign(model, "--ignore", "logs")
    (model / "logs2").write_bytes(b"x")
    code, text = verify(model, "--ignore", "logs")
    assert code == 1
    assert "extra: logs2" in text


@pytest.mark.parametrize("more", [["--ignore-unsigned-files"], ["--ignore", "config.json"]])
def test_a_signed_file_is_compared_whatever_is_ignored(model: Path, more: list[str]) -> None:
    sign(model)
    (model / "config.json").write_text("{}")
    code, text = verify(model, *more)
    assert code == 1
    assert "changed: config.json" in text


@pytest.mark.parametrize("path", ["*.txt", "../x", "/etc", "a\\b", "", ".", "a//b", "a/../b"])
def test_a_path_to_ignore_is_exact(model: Path, path: str) -> None:
    for command, kind in (("sign", "key"), ("verify", "pub")):
        if command == "verify":
            sign(model)
        done = run_cli(command, model, "--key", key_of(model, kind), "--ignore", path)
        assert done.returncode == 2
        assert "pattern" in done.stderr or "plain path" in done.stderr


def test_of_a_bare_file_nothing_is_ignored(model: Path) -> None:
    with pytest.raises(InputError, match="one file, of which nothing can be left out"):
        wb.sign(model / "config.json", key=key_of(model, "key"), ignore=["x"])


def test_what_is_ignored_is_not_looked_at(model: Path) -> None:
    """A link or an unreadable file in it stops nobody."""
    (model / "logs" / "latest").symlink_to("/nowhere")
    assert sign(model, "--ignore", "logs")["ignored"] == ["logs"]


def test_signing_again_leaves_the_same_out(model: Path) -> None:
    sign(model, "--ignore", "logs")
    full = wb.sign(model, key=key_of(model, "key"), ignore=["logs"])
    again = wb.sign(
        model,
        key=key_of(model, "key"),
        ignore=["logs"],
        reuse=wb.Reuse(model / "model.sig", changed=["logs/run.txt", "README.md"]),
    )
    assert again.manifest == full.manifest
    assert again.reused is not None
    assert again.reused.skipped == ("logs/run.txt",)
    assert "logs" in signed_paths(model)


def test_the_peer_reads_what_was_left_out(model: Path) -> None:
    sign(model, "--ignore", "logs")
    config = verifying.Config().use_elliptic_key_verifier(public_key=key_of(model, "pub"))
    config.verify(model, model / "model.sig")


# Links


def sign_with_links(model: Path) -> None:
    ignored = [model / "model.sig"]
    config = hashing.Config().set_allow_symlinks(True).set_ignored_paths(paths=ignored)
    signer = signing.Config().use_elliptic_key_signer(private_key=key_of(model, "key"))
    signer.set_hashing_config(config).sign(model, model / "model.sig")


def test_a_signature_with_links_by_the_peer(model: Path) -> None:
    """model_signing 1.1.1 signs these and cannot verify them by its command line."""
    (model / "weights").symlink_to("model.safetensors")
    (model / "vocab" / "up").symlink_to("../config.json")
    sign_with_links(model)
    code, text = verify(model)
    assert code == 2
    assert "the signer followed links; --allow-symlinks agrees to that" in text
    code, text = verify(model, "--allow-symlinks")
    assert code == 0, text
    assert "verified 7 files" in text
    (model / "config.json").write_text("{}")
    code, text = verify(model, "--allow-symlinks")
    assert code == 1
    assert "changed: config.json" in text
    assert "changed: vocab/up" in text


def test_a_folder_link_added_after_signing_does_not_pass(model: Path) -> None:
    """In model_signing it is neither followed nor noticed."""
    sign_with_links(model)
    (model.parent / "evil").mkdir()
    (model.parent / "evil" / "code.py").write_text("evil")
    for target, reason in (("../evil", "outside the artifact"), ("vocab", "to a folder")):
        (model / "code").symlink_to(target)
        code, text = verify(model, "--allow-symlinks", "--ignore-unsigned-files")
        assert code == 2
        assert f"code is a symbolic link that leads {reason} ({target})" in text
        (model / "code").unlink()


def test_a_signed_link_that_leads_outside_fails_by_name(model: Path) -> None:
    """The peer signs what is behind it without a word."""
    (model.parent / "outside").write_text("outside")
    (model / "link").symlink_to("../outside")
    sign_with_links(model)
    code, text = verify(model, "--allow-symlinks")
    assert code == 2
    assert "link is a symbolic link that leads outside the artifact (../outside)" in text


def test_links_need_the_signer_too(model: Path) -> None:
    sign(model)
    (model / "link").symlink_to("config.json")
    code, text = verify(model, "--allow-symlinks", "--ignore-unsigned-files")
    assert code == 2
    assert "link is a symbolic link to config.json; remove it" in text


def test_a_link_that_was_not_signed_is_extra(model: Path) -> None:
    sign_with_links(model)
    (model / "link").symlink_to("config.json")
    code, text = verify(model, "--allow-symlinks")
    assert code == 1
    assert "extra: link" in text


def test_a_snapshot_of_the_hugging_face_cache_needs_no_flag(model: Path) -> None:
    repository = model.parent / "hub" / "models--org--tiny"
    snapshot = repository / "snapshots" / "0a1b2c"
    (repository / "blobs").mkdir(parents=True)
    for number, path in enumerate(sorted(p for p in model.rglob("*") if p.is_file())):
        blob = repository / "blobs" / f"{number:040x}"
        shutil.copy(path, blob)
        link = snapshot / path.relative_to(model)
        link.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (len(path.relative_to(model).parts) + 1)
        link.symlink_to(f"{up}blobs/{blob.name}")
    assert wb.hash(snapshot).resources == wb.hash(model).resources
    for arguments in (
        ("sign", snapshot, "--key", key_of(model, "key")),
        ("verify", snapshot, "--key", key_of(model, "pub")),
        ("hash", snapshot),
        ("scan", snapshot),
        ("check", snapshot),
    ):
        done = run_cli(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to("../../../../k.pub")
    done = run_cli("verify", snapshot, "--key", key_of(model, "pub"), "--allow-symlinks")
    assert done.returncode == 2
    assert "config.json is a symbolic link to ../../../../k.pub" in done.stderr


# Signatures from before version 1


@pytest.mark.parametrize("release", ["0.1.0", "0.1.1", "0.2.0"])
def test_a_legacy_signature_is_said_to_be_one(release: str) -> None:
    common = ("verify", LEGACY / "model", "--key", LEGACY / "TEST-ONLY.pub")
    signature = ("--signature", LEGACY / release / "folder-files-sha256.sig")
    done = run_cli(*common, *signature)
    assert done.returncode == 1
    assert "--accept-legacy" in done.stderr
    done = run_cli(*common, *signature, "--accept-legacy")
    assert done.returncode == 0, done.stderr
    assert "verified 5 files" in done.stdout
    assert "from before version 1, by model_signing 0.1 or 0.2, as accepted" in done.stdout
    done = run_cli(*common, *signature, "--accept-legacy", "--json")
    assert json.loads(done.stdout)["before_version_1"] is True


def test_to_accept_what_is_old_changes_nothing_for_what_is_new(model: Path) -> None:
    sign(model)
    code, text = verify(model, "--accept-legacy")
    assert code == 0
    assert "before version 1" not in text


# A bare file, and a folder that holds nothing but this file


def test_a_file_and_a_folder_with_that_file_alone_have_one_list(tmp_path: Path) -> None:
    """The specification lists names and bytes, and a folder's own name does not count (6.5.1).

    What tells the two apart is the artifact digest, which is not what is signed here.
    """
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "w.bin").write_bytes(b"weights")
    keys = wb.keygen(tmp_path / "k")
    wb.sign(folder / "w.bin", key=keys.private, signature=tmp_path / "bare.sig")
    wb.sign(folder, key=keys.private, signature=tmp_path / "folder.sig")
    for artifact in (folder, folder / "w.bin"):
        for signature in ("bare.sig", "folder.sig"):
            wb.verify(artifact, key=keys.public, signature=tmp_path / signature)
    assert wb.hash(folder).compute_digest() != wb.hash(folder / "w.bin").compute_digest()


@pytest.mark.parametrize("change", ["more", "renamed", "deeper"])
def test_a_folder_with_anything_else_is_not_what_the_bare_file_was(
    tmp_path: Path, change: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "w.bin").write_bytes(b"weights")
    keys = wb.keygen(tmp_path / "k")
    wb.sign(folder / "w.bin", key=keys.private, signature=tmp_path / "bare.sig")
    if change == "more":
        (folder / "evil.py").write_text("evil")
    elif change == "renamed":
        (folder / "w.bin").rename(folder / "v.bin")
    else:
        (folder / "sub").mkdir()
        (folder / "w.bin").rename(folder / "sub" / "w.bin")
    with pytest.raises(DigestMismatchError):
        wb.verify(folder, key=keys.public, signature=tmp_path / "bare.sig")


def test_a_bare_file_that_the_peer_calls_a_dot_is_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "w.bin").write_bytes(b"weights")
    keys = wb.keygen(tmp_path / "k")
    signer = signing.Config().use_elliptic_key_signer(private_key=keys.private)
    signer.sign(folder / "w.bin", tmp_path / "bare.sig")
    wb.verify(folder / "w.bin", key=keys.public, signature=tmp_path / "bare.sig")
    with pytest.raises(DigestMismatchError):
        wb.verify(folder, key=keys.public, signature=tmp_path / "bare.sig")
