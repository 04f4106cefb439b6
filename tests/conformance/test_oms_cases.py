"""Every class of cases of the OpenSSF Model Signing conformance suite, through our adapter.

The models and bundles are made here. What the suite asks of each bundle that is written is asked
here of every round trip, in :func:`check_bundle`; sections are those of the v1.0 specification.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support import WEIGHBRIDGE
from weighbridge.core import pae
from weighbridge.signing import generate_key

ADAPTER = Path(__file__).resolve().parent / "adapter" / "weighbridge_adapter.py"
DATA = Path(__file__).resolve().parent / "data" / "model_signing"
Document = dict[str, Any]


def adapter(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, ADAPTER, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "WEIGHBRIDGE": WEIGHBRIDGE, "NO_COLOR": "1"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


class Keys(NamedTuple):
    private: Path
    public: Path


def make_keys(folder: Path, curve: str = "P-256") -> Keys:
    pair = generate_key(curve)
    keys = Keys(folder / f"{curve}.key", folder / f"{curve}.pub")
    keys.private.write_bytes(pair.private_pem)
    keys.public.write_bytes(pair.public_pem)
    return keys


def build(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def ignoring(model: Path, names: tuple[str, ...]) -> list[str]:
    return [part for name in names for part in ("--ignore-paths", str(model / name))]


def sign(
    model: Path, bundle: Path, keys: Keys, *more: str | Path
) -> subprocess.CompletedProcess[str]:
    return adapter(
        *("sign-model", "--method", "key", "--model-path", model),
        *("--output-bundle", bundle, "--private-key", keys.private, *more),
    )


def verify(
    model: Path, bundle: Path, key: Path, *more: str | Path
) -> subprocess.CompletedProcess[str]:
    return adapter(
        *("verify-model", "--method", "key", "--model-path", model),
        *("--bundle", bundle, "--public-key", key, *more),
    )


def statement_of(bundle: Path) -> Document:
    envelope = json.loads(bundle.read_bytes())["dsseEnvelope"]
    value: Document = json.loads(base64.b64decode(envelope["payload"]))
    return value


def check_bundle(bundle: Path, model: Path, expected: list[str]) -> None:
    """What the specification asks of a bundle by key: 4.1, 5, 6.1.2, 6.2, 6.4, 6.5, 8.1."""
    document = json.loads(bundle.read_bytes())
    assert document["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert document["verificationMaterial"]["publicKey"].keys() == {"hint"}
    assert document["verificationMaterial"]["publicKey"]["hint"]
    assert document["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert len(document["dsseEnvelope"]["signatures"]) == 1
    statement = statement_of(bundle)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://model_signing/signature/v1.0"
    assert statement["predicate"].keys() == {"resources", "serialization"}
    serialization = statement["predicate"]["serialization"]
    assert serialization["method"] == "files"
    assert "shard_size" not in serialization
    assert serialization["allow_symlinks"] is False
    resources = statement["predicate"]["resources"]
    assert [r["name"] for r in resources] == sorted(expected)
    assert {r["algorithm"] for r in resources} == {serialization["hash_type"]} == {"sha256"}
    raw = b"".join(bytes.fromhex(r["digest"]) for r in resources)
    subject = {"name": model.name, "digest": {"sha256": hashlib.sha256(raw).hexdigest()}}
    assert statement["subject"] == [subject]


@dataclass(frozen=True)
class Model:
    """Files that are signed, and files that are not: by everybody's rule, or because asked."""

    signed: dict[str, bytes]
    out_of_scope: dict[str, bytes] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


FLAT = {"one.bin": b"first\n", "two.bin": b"second"}
MODELS = {
    "flat": Model(FLAT),
    "nested": Model({"w.bin": b"\xab" * 999, "c.json": b"{}", "sub/a.bin": b"\xcd" * 99}),
    "deep": Model({"a/rather/deep/folder/of/it/w.bin": b"deep"}),
    "order-of-code-points": Model({"a/b": b"1", "a-b/c": b"2", "a.txt": b"3", "A": b"4"}),
    "one-file-in-a-folder": Model({"model.bin": b"\xef" * 256}),
    "dotfiles": Model({".config": b"c", ".env.example": b"e", "w": b"w"}),
    "hidden-folders": Model({"w": b"w", ".cache/w": b"c", ".local/share/d": b"d"}),
    "default-ignores": Model(
        {"w": b"w"},
        {".git/HEAD": b"h", ".gitignore": b"", ".gitattributes": b"", ".github/ci.yml": b"y"},
    ),
    "nested-git-is-signed": Model(
        {"w": b"w", "sub/.gitignore": b"i", "sub/.git/HEAD": b"h", "sub/.github/x": b"x"},
        {".git/HEAD": b"top"},
    ),
    "ignore-a-file": Model(FLAT, {"skip-me": b""}, ("skip-me",)),
    "ignore-is-exact": Model({"w": b"w", "sub/skip-me": b"in"}, {"skip-me": b"top"}, ("skip-me",)),
    "ignore-a-folder": Model({"w": b"w", "logs2/x": b"x"}, {"logs/a/b": b"l"}, ("logs",)),
    "ignore-below": Model({"w": b"w", "sub/keep": b"k"}, {"sub/skip": b"s"}, ("sub/skip",)),
    "ignore-out-of-scope": Model({"w": b"w"}, {".git/HEAD": b"h"}, (".git/HEAD",)),
    "unicode": Model({"w": b"w", "模型.bin": b"m", "é/ü.bin": b"e"}),
    "special-characters": Model(
        {
            "file (copy).bin": b"1",
            "with spaces/m.bin": b"2",
            "#%&'+,;=@~$!{}.bin": b"3",
            "a:b": b"4",
        }
    ),
    "binary": Model({"h.bin": b"\x00\x01\xff\xfe\r\n\x89PNG", "w.bin": bytes(range(256)) * 4}),
    "empty-file": Model({"empty.bin": b"", "w": b"w"}),
}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return make_keys(tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_round_trip(name: str, tmp_path: Path, keys: Keys) -> None:
    case = MODELS[name]
    model = build(tmp_path / "model", {**case.signed, **case.out_of_scope})
    bundle = tmp_path / "bundle.sig"
    more = ignoring(model, case.ignored)
    done = sign(model, bundle, keys, *more)
    assert done.returncode == 0, done.stderr
    check_bundle(bundle, model, [*case.signed])
    assert set(case.ignored) <= {
        *statement_of(bundle)["predicate"]["serialization"]["ignore_paths"]
    }
    done = verify(model, bundle, keys.public, *more)
    assert done.returncode == 0, done.stderr
    if case.ignored and name != "ignore-out-of-scope":  # what a signer left out needs consent
        done = verify(model, bundle, keys.public)
        assert done.returncode == 1
        assert "1 extra" in done.stderr


@pytest.mark.parametrize("curve", ["P-384", "P-521"])
def test_round_trip_by_curve(curve: str, tmp_path: Path) -> None:
    """4.2: P-384 and P-521 have to be supported beside P-256."""
    keys = make_keys(tmp_path, curve)
    model = build(tmp_path / "model", FLAT)
    assert sign(model, tmp_path / "b.sig", keys).returncode == 0
    check_bundle(tmp_path / "b.sig", model, [*FLAT])
    assert verify(model, tmp_path / "b.sig", keys.public).returncode == 0


def test_round_trip_of_a_bare_file(tmp_path: Path, keys: Keys) -> None:
    """6.1.2: a model that is one file goes by its own name."""
    file = build(tmp_path / "folder", {"model.bin": b"\xef" * 256}) / "model.bin"
    bundle = tmp_path / "b.sig"
    # A path beside the file is nothing in the model; the suite names such paths.
    more = ("--ignore-paths", file.with_name("skip-me"))
    assert sign(file, bundle, keys, *more).returncode == 0
    check_bundle(bundle, file, ["model.bin"])
    assert verify(file, bundle, keys.public, *more).returncode == 0


def test_round_trip_with_the_signature_inside(tmp_path: Path, keys: Keys) -> None:
    """6.2 and 9: the signature is not in its own list, whatever it is called."""
    model = build(tmp_path / "model", FLAT)
    bundle = model / "bundle.sig"
    assert sign(model, bundle, keys).returncode == 0
    check_bundle(bundle, model, [*FLAT])
    assert "bundle.sig" in statement_of(bundle)["predicate"]["serialization"]["ignore_paths"]
    assert verify(model, bundle, keys.public).returncode == 0


def test_signing_twice_gives_the_same_list(tmp_path: Path, keys: Keys) -> None:
    model = build(tmp_path / "model", MODELS["nested"].signed)
    assert sign(model, tmp_path / "1.sig", keys).returncode == 0
    assert sign(model, tmp_path / "2.sig", keys).returncode == 0
    assert statement_of(tmp_path / "1.sig") == statement_of(tmp_path / "2.sig")


@pytest.mark.parametrize(
    ("files", "ignored", "reason"),
    [
        ({}, (), "is an empty folder"),
        ({".gitignore": b"*\n"}, (), "is an empty folder"),
        ({"skip-me": b"x"}, ("skip-me",), "is an empty folder"),
    ],
)
def test_an_empty_model_is_not_signed(
    files: dict[str, bytes], ignored: tuple[str, ...], reason: str, tmp_path: Path, keys: Keys
) -> None:
    """6.1: at least one file after exclusions."""
    model = build(tmp_path / "model", files)
    done = sign(model, tmp_path / "b.sig", keys, *ignoring(model, ignored))
    assert done.returncode == 2
    assert reason in done.stderr
    assert not (tmp_path / "b.sig").exists()


@pytest.mark.parametrize("target", ["one.bin", ".", "/etc/hostname", "/tmp/nothing-there", "../x"])
def test_links_are_not_signed(target: str, tmp_path: Path, keys: Keys) -> None:
    """6.1.1: a link is an error: to a file, in a circle, out of the model, to nothing."""
    model = build(tmp_path / "model", FLAT)
    (model / "link").symlink_to(target)
    done = sign(model, tmp_path / "b.sig", keys)
    assert done.returncode == 2
    assert "link is a symbolic link to" in done.stderr
    assert not (tmp_path / "b.sig").exists()


class Signed(NamedTuple):
    model: Path
    bundle: Path
    keys: Keys


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    folder = tmp_path_factory.mktemp("signed")
    keys = make_keys(folder)
    model = build(folder / "model", {**FLAT, "skip-me": b""})
    done = sign(model, folder / "b.sig", keys, *ignoring(model, ("skip-me",)))
    assert done.returncode == 0, done.stderr
    return Signed(model, folder / "b.sig", keys)


@pytest.fixture
def signed(original: Signed, tmp_path: Path) -> Signed:
    model = build(tmp_path / "model", {**FLAT, "skip-me": b""})
    bundle = tmp_path / "b.sig"
    bundle.write_bytes(original.bundle.read_bytes())
    return Signed(model, bundle, original.keys)


def verify_signed(
    signed: Signed, *more: str | Path, key: Path | None = None
) -> subprocess.CompletedProcess[str]:
    ignored = ignoring(signed.model, ("skip-me",))
    return verify(signed.model, signed.bundle, key or signed.keys.public, *ignored, *more)


def test_the_original_verifies(signed: Signed) -> None:
    done = verify_signed(signed)
    assert done.returncode == 0, done.stderr
    assert "not signed: skip-me (0 bytes)" in done.stdout


@pytest.mark.parametrize("more", [(), ("--ignore-unsigned-files",)])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model: (model / "one.bin").write_bytes(b"tampered"), "changed: one.bin"),
        (lambda model: (model / "two.bin").unlink(), "missing: two.bin"),
        (lambda model: (model / "two.bin").rename(model / "2.bin"), "renamed: two.bin -> 2.bin"),
    ],
)
def test_what_was_signed_is_always_compared(
    change: Callable[[Path], object], said: str, more: tuple[str, ...], signed: Signed
) -> None:
    """8.4; 8.5: also if unsigned files are to be ignored."""
    change(signed.model)
    done = verify_signed(signed, *more)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_file_that_was_not_signed(signed: Signed) -> None:
    """8.4 and 8.5: it fails, unless the verifier ignores such files; then each is said."""
    (signed.model / "new.bin").write_bytes(b"new")
    done = verify_signed(signed)
    assert done.returncode == 1
    assert "extra: new.bin (3 bytes)" in done.stderr
    done = verify_signed(signed, "--ignore-unsigned-files")
    assert done.returncode == 0, done.stderr
    assert "verified 2 files" in done.stdout
    assert "not signed: new.bin (3 bytes)" in done.stdout


def test_another_key(signed: Signed, tmp_path: Path) -> None:
    done = verify_signed(signed, key=make_keys(tmp_path, "P-384").public)
    assert done.returncode == 1
    assert "made with another key" in done.stderr


def test_another_key_under_the_hint_of_the_right_one(signed: Signed, tmp_path: Path) -> None:
    stranger = Signed(signed.model, signed.bundle, make_keys(tmp_path))
    document = json.loads(signed.bundle.read_bytes())
    hint = document["verificationMaterial"]["publicKey"]["hint"]
    assert sign(signed.model, tmp_path / "other.sig", stranger.keys).returncode == 0
    document = json.loads((tmp_path / "other.sig").read_bytes())
    document["verificationMaterial"]["publicKey"]["hint"] = hint
    signed.bundle.write_text(json.dumps(document))
    done = verify_signed(signed)
    assert done.returncode == 1
    assert "does not hold" in done.stderr


def set_at(document: Document, path: str, value: object) -> None:
    *above, last = path.split(".")
    for name in above:
        document = document[name]
    if value is None:
        del document[last]
    else:
        document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("mediaType", "application/json", "media type"),
        ("dsseEnvelope.payloadType", "application/octet-stream", "payload of the type"),
        ("dsseEnvelope.signatures", [], "0 signatures"),
        ("dsseEnvelope", None, "dsseEnvelope"),
        ("verificationMaterial", None, "verificationMaterial"),
    ],
)
def test_a_bundle_of_another_kind(path: str, value: object, reason: str, signed: Signed) -> None:
    """6.7 and 8.1."""
    document = json.loads(signed.bundle.read_bytes())
    set_at(document, path, value)
    signed.bundle.write_text(json.dumps(document))
    done = verify_signed(signed)
    assert done.returncode in (1, 2)
    assert reason in done.stderr


def seal(document: Document, statement: Document, keys: Keys) -> None:
    """Sign a statement again, so that nothing but its contents can be the reason for a refusal."""
    payload = json.dumps(statement).encode()
    key = serialization.load_pem_private_key(keys.private.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(
        pae(document["dsseEnvelope"]["payloadType"], payload), ec.ECDSA(hashes.SHA256())
    )
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1", "Statement/v0.1"),
        ("predicateType", "https://example.com/other/v1.0", "not a model signature"),
        ("predicate.resources", [], "lists no files"),
        ("predicate.serialization", None, "predicate.serialization"),
        ("predicate", None, "no predicate"),
        ("subject", [], "no subject"),
    ],
)
def test_a_statement_of_another_kind(
    path: str, value: object, reason: str, *, sealed: bool, signed: Signed
) -> None:
    """5.1, 5.2 and 8.3; whether the signature holds for the changed statement or not."""
    document = json.loads(signed.bundle.read_bytes())
    statement = statement_of(signed.bundle)
    set_at(statement, path, value)
    if sealed:
        seal(document, statement, signed.keys)
    else:
        payload = base64.b64encode(json.dumps(statement).encode()).decode()
        document["dsseEnvelope"]["payload"] = payload
    signed.bundle.write_text(json.dumps(document))
    done = verify_signed(signed)
    assert done.returncode in (1, 2)
    assert (reason if sealed else "does not hold") in done.stderr


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b'{"garbage": true}',
        lambda data: data[:100],
        lambda data: data[:-1],
        lambda data: data[:300] + b"\x00" + data[301:],
        lambda data: b"\xff\xfe" + data,
    ],
    ids=["empty", "garbage", "truncated", "last-byte", "nul-inside", "not-utf-8"],
)
def test_a_damaged_bundle(damage: Callable[[bytes], bytes], signed: Signed) -> None:
    signed.bundle.write_bytes(damage(signed.bundle.read_bytes()))
    done = verify_signed(signed)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(("error:", "Error:")) or "b.sig" in done.stderr


@pytest.mark.parametrize(
    "more",
    [
        ("--method", "certificate", "--cert-chain", "CA"),
        ("--method", "sigstore", "--identity", "a@b.c", "--identity-provider", "https://b.c"),
    ],
)
def test_a_signature_by_key_under_another_method(more: tuple[str, ...], signed: Signed) -> None:
    """4.1: the material has to be that of the method."""
    chosen = [str(signed.keys.public) if part == "CA" else part for part in more]
    done = adapter("verify-model", "--model-path", signed.model, "--bundle", signed.bundle, *chosen)
    assert done.returncode in (1, 2)


@pytest.mark.parametrize("name", ["x509CertificateChain", "certificate"])
def test_another_method_under_a_key(name: str, signed: Signed) -> None:
    document = json.loads(signed.bundle.read_bytes())
    one = {"rawBytes": base64.b64encode(b"0").decode()}
    value = one if name == "certificate" else {"certificates": [one]}
    document["verificationMaterial"] = {name: value}
    signed.bundle.write_text(json.dumps(document))
    assert verify_signed(signed).returncode in (1, 2)


HISTORICAL = sorted(DATA.glob("*/*-files-sha256.sig"))


@pytest.mark.parametrize("bundle", HISTORICAL, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_historical(bundle: Path) -> None:
    """11: what every release of the reference implementation wrote."""
    model = DATA / "model"
    artifact = model if bundle.stem.startswith("folder") else model / "weights.bin"
    done = verify(artifact, bundle, DATA / "TEST-ONLY.pub")
    assert done.returncode == 0, done.stderr
    assert ("from before version 1" in done.stdout) == (bundle.parent.name < "0.3")


def test_a_request_that_cannot_be_translated() -> None:
    done = adapter("verify-model", "--method", "key", "--model-path", "/m", "--bundle", "/b")
    assert done.returncode == 2
    assert "needs --public-key" in done.stderr
    common = ("--model-path", "/m", "--output-bundle", "/b")
    done = adapter("sign-model", "--method", "sigstore", *common, "--use-staging")
    assert done.returncode == 2
    assert "WEIGHBRIDGE_TRUST_CONFIG" in done.stderr
