"""Keys, manifests and bundles to take apart."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from weighbridge.core import (
    DEFAULT_LIMITS,
    ArtifactKind,
    Bundle,
    Manifest,
    Resource,
    Statement,
    Subject,
    VerifiedStatement,
    parse_bundle,
    parse_statement,
)
from weighbridge.signing import (
    KeySigner,
    PublicKey,
    SignedManifest,
    generate_key,
    load_public_key,
    load_signer,
    parse_signed_manifest,
    sign_manifest,
    verify_bundle,
)

NOW = datetime.now(UTC)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODEL_SIGNATURE = "https://model_signing/signature/v1.0"


@cache
def signer_of(name: str) -> KeySigner:
    """Return the same new P-256 key for the same name."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "key.pem")
        path.write_bytes(generate_key().private_pem)
        return load_signer(path)


def public_key_of(name: str) -> PublicKey:
    return signer_of(name).public_key


def openssl(*args: str, data: bytes = b"") -> bytes:
    if not shutil.which("openssl"):
        pytest.skip("the openssl command is not installed")
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


def read_key(folder: Path, pem: bytes) -> PublicKey:
    path = folder / "public.pem"
    path.write_bytes(pem)
    return load_public_key(path)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def manifest_of(files: Mapping[str, bytes], *, label: str = "model") -> Manifest:
    resources = tuple(Resource(n, len(files[n]), sha256(files[n])) for n in sorted(files))
    return Manifest(ArtifactKind.FOLDER, label, resources)


def manifest_of_folder(root: Path, *, but: str = "model.sig") -> Manifest:
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    files.pop(but, None)
    return manifest_of(files, label=root.name)


FILES = {"a": b"1", "b/c": b"2"}


def signed_bytes(files: Mapping[str, bytes] = FILES, *, by: str = "release") -> bytes:
    return sign_manifest(manifest_of(files), signer=signer_of(by), ignore_paths=["model.sig"])


def bundle_document(files: Mapping[str, bytes] = FILES) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(signed_bytes(files))
    return document


def read_bundle(data: bytes) -> Bundle:
    return parse_bundle(data, what="model.sig", limits=DEFAULT_LIMITS)


def verified(data: bytes, *, by: str = "release") -> VerifiedStatement:
    return verify_bundle(read_bundle(data), {by: public_key_of(by)}, at=NOW)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def oms_document(files: Mapping[str, bytes] = FILES) -> dict[str, Any]:
    """Return the statement about some files as a dictionary that a test can spoil."""
    bundle = read_bundle(signed_bytes(files))
    document: dict[str, Any] = json.loads(bundle.envelope.payload)
    return document


def rooted(document: dict[str, Any]) -> dict[str, Any]:
    """Make the subject fit the resources again, so that nothing but the fault at hand is wrong."""
    raw = b"".join(bytes.fromhex(r["digest"]) for r in document["predicate"]["resources"])
    document["subject"][0]["digest"] = {"sha256": sha256(raw)}
    return document


def read_oms(document: object) -> SignedManifest:
    payload = json.dumps(document).encode()
    return parse_signed_manifest(parse_statement(payload, limits=DEFAULT_LIMITS))


def spoil(change: Callable[[dict[str, Any]], object]) -> SignedManifest:
    document = oms_document()
    change(document)
    return read_oms(document)


def seal(payload: bytes, *, by: str = "release") -> bytes:
    """Sign any bytes at all as if they were a statement."""
    statement = Statement((Subject("", {}),), "", {}, payload)
    return signer_of(by).sign(statement).raw
