"""Bundles of every release of model_signing, made by ``make_model_signing_bundles.py``."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from support import run_cli
from weighbridge.core import HashType, Method
from weighbridge.errors import DigestMismatchError, InputError, MissingExtraError, SignatureError
from weighbridge.workflow import Inspected, inspect_signature, verify_artifact

DATA = Path(__file__).resolve().parent / "data" / "model_signing"
KEY = DATA / "TEST-ONLY.pub"
BUNDLES = sorted(DATA.glob("*/*.sig"))
BEFORE_V1 = [path for path in BUNDLES if path.parent.name < "0.3"]
SINCE_V1 = [path for path in BUNDLES if path.parent.name >= "0.3"]
RELEASES = ["0.1.0", "0.1.1", "0.2.0", "0.3.0", "0.3.1", "1.0.0", "1.0.1", "1.1.0", "1.1.1"]


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "model", tmp_path / "model"))


def artifact_of(bundle: Path, model: Path) -> Path:
    return model if bundle.stem.startswith("folder") else model / "weights.bin"


def verify(bundle: Path, model: Path) -> None:
    if "blake3" in bundle.stem:
        pytest.importorskip("blake3", reason="the extra blake3 is not installed")
    # Shards do not list the empty file, so that the verifier has to agree to it.
    accepted = ["empty.txt"] if "shards" in bundle.stem else []
    artifact = artifact_of(bundle, model)
    verify_artifact(artifact, key=KEY, signature=bundle, accept_ignored=accepted)


def payload_of(bundle: Path) -> dict[str, Any]:
    envelope = json.loads(bundle.read_bytes())["dsseEnvelope"]
    value: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return value


def test_no_release_is_forgotten() -> None:
    assert sorted({path.parent.name for path in BUNDLES}) == RELEASES
    assert len(SINCE_V1) == 4 * 8 + 2 * 12


@pytest.mark.parametrize("bundle", SINCE_V1, ids=name_of)
def test_it_verifies(bundle: Path, model: Path) -> None:
    verify(bundle, model)


@pytest.mark.parametrize("bundle", SINCE_V1, ids=name_of)
def test_a_changed_byte_is_noticed(bundle: Path, model: Path) -> None:
    data = bytearray((model / "weights.bin").read_bytes())
    data[777] ^= 1
    (model / "weights.bin").write_bytes(data)
    with pytest.raises(DigestMismatchError) as caught:
        verify(bundle, model)
    assert list(caught.value.diff.to_lines()) == ["changed: weights.bin (1,234 bytes)"]


@pytest.mark.parametrize(
    "bundle", [path for path in SINCE_V1 if path.stem.startswith("folder")], ids=name_of
)
def test_what_is_added_moved_or_gone_is_noticed(bundle: Path, model: Path) -> None:
    (model / "a.txt").rename(model / "b.txt")
    (model / "a" / "b").unlink()
    (model / "new.txt").write_bytes(b"new")
    with pytest.raises(DigestMismatchError) as caught:
        verify(bundle, model)
    lines = list(caught.value.diff.to_lines())
    assert lines == ["missing: a/b", "extra: new.txt (3 bytes)", "renamed: a.txt -> b.txt"]


@pytest.mark.parametrize(
    "bundle", [path for path in SINCE_V1 if "folder-shards-sha256" in path.stem], ids=name_of
)
def test_an_empty_file_that_shards_cannot_list_is_extra(bundle: Path, model: Path) -> None:
    """In model_signing adding one to a package (``__init__.py``) is not noticed."""
    (model / "__init__.py").write_bytes(b"")
    with pytest.raises(DigestMismatchError) as caught:
        verify_artifact(model, key=KEY, signature=bundle, accept_ignored=["empty.txt"])
    assert list(caught.value.diff.to_lines()) == ["extra: __init__.py (0 bytes)"]
    (model / "__init__.py").unlink()
    (model / "empty.txt").write_bytes(b"no longer")
    with pytest.raises(DigestMismatchError) as caught:
        verify_artifact(model, key=KEY, signature=bundle, accept_ignored=["empty.txt"])
    assert list(caught.value.diff.to_lines()) == ["extra: empty.txt (9 bytes)"]


@pytest.mark.parametrize("bundle", BEFORE_V1, ids=name_of)
def test_what_is_from_before_version_1_is_refused_by_name(bundle: Path, model: Path) -> None:
    """Their signatures are over a text that is not the DSSE one, so none of them could hold."""
    with pytest.raises(SignatureError, match=r"from before version 1 .*Digests/v0\.1"):
        verify(bundle, model)
    inspected = inspect_signature(bundle)
    assert inspected.manifest is None
    assert "from before version 1" in inspected.problem
    assert "Digests/v0.1" in run_cli("inspect", bundle).stdout


def test_the_bundles_hold_what_they_were_made_to_show() -> None:
    """Each way in which the releases differ from the specification is among the bundles."""
    forms: dict[str, list[object]] = {}
    for bundle in SINCE_V1:
        predicate = payload_of(bundle)["predicate"]
        for key, value in predicate["serialization"].items():
            forms.setdefault(key, []).append(value)
        names = [r["name"] for r in predicate["resources"]]
        forms.setdefault("ordered", []).append(names == sorted(names))
        forms.setdefault("bare", []).append(names[0].startswith("."))
        forms.setdefault("algorithm", []).extend(r["algorithm"] for r in predicate["resources"])
        material = json.loads(bundle.read_bytes())["verificationMaterial"]["publicKey"]
        forms.setdefault("key", []).append(min(material))
        forms.setdefault("ignores", []).append("ignore_paths" in predicate["serialization"])
    assert {type(size) for size in forms["shard_size"]} == {float}
    assert {"sha256-sharded-100", "blake2b-sharded-100", "blake2b"} < set(forms["hash_type"])
    assert {"sha256-sharded-100", "blake2b-sharded-100", "blake3"} < set(forms["algorithm"])
    assert {"hint", "keyDetails"} == set(forms["key"])
    for both in ("ordered", "bare", "ignores"):
        assert set(forms[both]) == {True, False}


def test_inspecting_tells_method_and_hash() -> None:
    bundle = DATA / "1.1.1" / "folder-shards-blake2.sig"
    inspected = inspect_signature(bundle)
    assert isinstance(inspected, Inspected)
    assert inspected.manifest is not None
    serialization = inspected.manifest.serialization
    assert (serialization.method, serialization.hash_type) == (Method.SHARDS, HashType.BLAKE2B)
    assert serialization.shard_size_bytes == 100


def test_without_the_extra_blake3_is_refused_with_what_to_install(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "blake3", None)
    bundle = DATA / "1.1.1" / "folder-files-blake3.sig"
    with pytest.raises(MissingExtraError, match=r"weighbridge\[blake3\]") as caught:
        verify_artifact(model, key=KEY, signature=bundle)
    assert isinstance(caught.value, InputError)
