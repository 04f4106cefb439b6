"""Certificates, passwords and other kinds of keys through the command line, and beside the peer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from support import ROOT, build_model, run_cli
from unit.signing.certificate_samples import (
    DAY,
    NOW,
    SERVER,
    Cert,
    Chain,
    build_chain,
    issue,
)

PEER = str(Path(sys.executable).with_name("model_signing"))


@pytest.fixture(scope="module")
def chain() -> Chain:
    return build_chain()


@pytest.fixture
def place(tmp_path: Path, chain: Chain) -> Path:
    """A folder with a model and the files of a chain."""
    chain.write(tmp_path)
    build_model(tmp_path / "model")
    return tmp_path


SIGN = ("sign", "model", "--key", "leaf.key", "--certificate", "leaf.pem")
FULL = (*SIGN, "--certificate-chain", "middle.pem")
TRUST = ("--certificate-authority", "root.pem")


def peer(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PEER, *arguments], cwd=cwd, check=False, capture_output=True, text=True, timeout=120
    )


def test_sign_verify_and_check_with_certificates(place: Path) -> None:
    assert run_cli(*FULL, cwd=place).returncode == 0
    done = run_cli("verify", "model", *TRUST, "--identity", "release@example.com", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "proof:     certificate release@example.com, by CN=Root" in done.stdout
    said = json.loads(run_cli("verify", "model", *TRUST, "--json", cwd=place).stdout)
    assert said["signed_by"] == {
        "signer": "root.pem",
        "method": "certificate",
        "identity": "release@example.com",
        "issuer": "CN=Root",
        "existed_by": None,
        "notes": [],
    }
    other = run_cli("verify", "model", *TRUST, "--identity", "me@example.com", cwd=place)
    assert other.returncode == 1
    assert "and not of me@example.com" in other.stderr
    (place / "model" / "config.json").write_text("{}")
    assert run_cli("verify", "model", *TRUST, cwd=place).returncode == 1


POLICY = """\
version = 1
[trust.signers.company]
certificate-authority = "keys/root.pem"
identity = "{identity}"
roles = ["publisher"]
[require]
signature.by = ["company"]
"""


@pytest.mark.parametrize(
    ("identity", "code"), [("release@example.com", 0), ("somebody@example.com", 1)]
)
def test_a_policy_knows_signers_by_certificate(place: Path, identity: str, code: int) -> None:
    assert run_cli(*FULL, cwd=place).returncode == 0
    (place / "policy" / "keys").mkdir(parents=True)
    shutil.move(place / "root.pem", place / "policy" / "keys" / "root.pem")
    (place / "policy" / "p.toml").write_text(POLICY.format(identity=identity))
    page = place / "report.html"
    check = ("check", "model", "--policy", "policy/p.toml", "--offline", "--html", page)
    done = run_cli(*check, "--json", cwd=place)
    assert done.returncode == code, done.stdout
    said = json.loads(done.stdout)["signature"]
    if code == 0:
        assert said["signers"] == ["company"]
        assert said["attributions"][0] == {
            "signer": "company",
            "method": "certificate",
            "identity": identity,
            "issuer": "CN=Root",
            "existed_by": None,
            "notes": [],
        }
        assert f"certificate {identity}, by CN=Root" in page.read_text()
        text = run_cli(*check, cwd=place).stdout
        assert f"certificate of {identity}" in " ".join(text.split())
    else:
        assert said["attributions"] == []
        assert f"and not of {identity}" in said["problem"]
    schema = json.loads((ROOT / "src/weighbridge/export/schemas/check-v1.schema.json").read_text())
    import jsonschema  # noqa: PLC0415

    jsonschema.validate(json.loads(done.stdout), schema)


def test_a_policy_whose_authority_is_missing_is_an_input_error(place: Path) -> None:
    (place / "p.toml").write_text(POLICY.format(identity="x"))
    done = run_cli("check", "model", "--policy", "p.toml", cwd=place)
    assert done.returncode == 2
    assert "there is no certificate at keys/root.pem" in done.stderr


def test_signing_again_knows_its_own_certificate(place: Path) -> None:
    assert run_cli(*FULL, cwd=place).returncode == 0
    (place / "model" / "README.md").write_text("---\nlicense: mit\n---\n# New\n")
    again = (*FULL, "--reuse", "model/model.sig", "--updated", "README.md")
    done = run_cli(*again, cwd=place)
    assert done.returncode == 0, done.stderr
    assert run_cli("verify", "model", *TRUST, cwd=place).returncode == 0
    strange = build_chain().write(place / "strange")
    theirs = (
        *("sign", "model", "--key", strange / "leaf.key"),
        *("--certificate", strange / "leaf.pem", "--reuse", "model/model.sig", "--changed"),
    )
    done = run_cli(*theirs, os.devnull, cwd=place)
    assert done.returncode == 1
    assert "made with another key" in done.stderr
    told = run_cli(*theirs, os.devnull, "--reuse-certificate-authority", "root.pem", cwd=place)
    assert told.returncode == 0, told.stderr


# -- the peer


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1", "secp521r1"])
def test_the_peer_and_we_verify_each_other_with_chains_by_openssl(
    tmp_path: Path, curve: str
) -> None:
    build_chain_by_openssl(tmp_path, curve)
    build_model(tmp_path / "model")
    assert run_cli(*FULL, cwd=tmp_path).returncode == 0
    theirs = ("--signature", "model/model.sig", "--certificate_chain", "root.pem")
    done = peer("verify", "certificate", "model", *theirs, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run_cli("verify", "model", *TRUST, "--identity", "signer", cwd=tmp_path).returncode == 0

    (tmp_path / "model" / "model.sig").unlink()
    signing = ("--private_key", "leaf.key", "--signing_certificate", "leaf.pem")
    chain = ("--certificate_chain", "middle.pem", "--certificate_chain", "root.pem")
    done = peer(
        *("sign", "certificate", "model", "--signature", "model/model.sig", *signing, *chain),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    done = run_cli("verify", "model", *TRUST, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "by CN=root" in done.stdout


def build_chain_by_openssl(folder: Path, curve: str) -> None:
    if not shutil.which("openssl"):
        pytest.skip("the openssl command is not installed")
    extensions = {
        "root": "basicConstraints=critical,CA:true",
        "middle": "basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign",
        "leaf": "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning",
    }
    for name, text in extensions.items():
        (folder / f"{name}.ext").write_text(text)
        subject = "signer" if name == "leaf" else name
        for command in (
            ("ecparam", "-name", curve, "-genkey", "-noout", "-out", f"{name}.key"),
            (
                "req",
                "-new",
                "-key",
                f"{name}.key",
                "-subj",
                f"/CN={subject}",
                "-out",
                f"{name}.csr",
            ),
        ):
            subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    by = {"root": "root", "middle": "root", "leaf": "middle"}
    for name, issuer in by.items():
        way = (
            ("-signkey", "root.key")
            if name == "root"
            else ("-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial")
        )
        subprocess.run(
            [
                *("openssl", "x509", "-req", "-in", f"{name}.csr", "-days", "30", *way),
                *("-extfile", f"{name}.ext", "-out", f"{name}.pem"),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )


STRICTER = {
    "expired": Cert(starts=NOW - 9 * DAY, ends=NOW - DAY),
    "for TLS servers": Cert(purposes=(SERVER,)),
    "not for code signing": Cert(purposes=()),
}


@pytest.mark.parametrize("name", STRICTER)
def test_what_the_peer_signs_and_takes_with_a_bad_certificate_we_refuse(
    place: Path, chain: Chain, name: str
) -> None:
    """Tried against model_signing 1.1.1: it signs with each of these and verifies it."""
    bad = issue(STRICTER[name], chain.middle)
    if name == "expired":  # the authorities were valid then
        old = replace(STRICTER[name], starts=NOW - DAY / 2, ends=NOW - DAY / 4)
        bad = issue(old, chain.middle)
    (place / "leaf.key").write_bytes(bad.key_pem)
    (place / "leaf.pem").write_bytes(bad.pem)
    done = run_cli(*FULL, cwd=place)
    assert done.returncode == 2
    assert "nobody could verify" in done.stderr
    assert not (place / "model" / "model.sig").exists()
    signing = ("--private_key", "leaf.key", "--signing_certificate", "leaf.pem")
    sig = ("--signature", "model/model.sig")
    roots = ("--certificate_chain", "root.pem")
    done_by_peer = peer(
        *("sign", "certificate", "model", *sig, *signing, "--certificate_chain", "middle.pem"),
        cwd=place,
    )
    assert done_by_peer.returncode == 0, done_by_peer.stderr
    assert peer("verify", "certificate", "model", *sig, *roots, cwd=place).returncode == 0
    assert run_cli("verify", "model", *TRUST, cwd=place).returncode == 1


# -- bad input


def test_bad_roots_and_certificates_are_input_errors(place: Path) -> None:
    assert run_cli(*FULL, cwd=place).returncode == 0
    (place / "empty.pem").write_bytes(b"")
    for file, words in (
        ("leaf.key", "holds a private key"),
        ("empty.pem", "holds no certificate in PEM"),
        ("missing.pem", "there is no certificate at missing.pem"),
    ):
        done = run_cli("verify", "model", "--certificate-authority", file, cwd=place)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        done = run_cli("sign", "model", "--key", "leaf.key", "--certificate", file, cwd=place)
        assert done.returncode == 2, done.stderr
    (place / "rsa.key").write_bytes(issue(Cert(key=rsa.generate_private_key(65537, 2048))).key_pem)
    done = run_cli("sign", "model", "--key", "rsa.key", cwd=place)
    assert done.returncode == 2
    assert "rsa.key is an RSA key; an EC key on P-256" in done.stderr


def sign_with_password(
    folder: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weighbridge", "sign", "model", "--key", "n.key", *options],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("curve", ["P-384", "Ed25519"])
def test_a_key_under_a_password_from_its_making_to_its_use(tmp_path: Path, curve: str) -> None:
    build_model(tmp_path / "model")
    (tmp_path / "password").write_text("secret ä\n")
    options = ("keygen", "n", "--curve", curve, "--password-file", "password")
    done = run_cli(*options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("model_signing 1.1.1 cannot verify" in done.stderr) == (curve == "Ed25519")
    assert "ENCRYPTED" in (tmp_path / "n.key").read_text()
    nobody = sign_with_password(tmp_path)
    assert nobody.returncode == 2
    assert "give --password-file FILE or set WEIGHBRIDGE_PASSWORD" in nobody.stderr
    wrong = sign_with_password(tmp_path, WEIGHBRIDGE_PASSWORD="secret")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "the password of n.key is wrong" in wrong.stderr
    assert not (tmp_path / "model" / "model.sig").exists()
    assert sign_with_password(tmp_path, WEIGHBRIDGE_PASSWORD="secret ä").returncode == 0
    done = sign_with_password(tmp_path, "--password-file", "password", "--json")
    assert done.returncode == 0, done.stderr
    assert ("model_signing 1.1.1" in str(json.loads(done.stdout)["warnings"])) == (
        curve == "Ed25519"
    )
    assert run_cli("verify", "model", "--key", "n.pub", cwd=tmp_path).returncode == 0
    if curve == "Ed25519":
        theirs = ("--signature", "model/model.sig", "--public_key", "n.pub")
        assert peer("verify", "key", "model", *theirs, cwd=tmp_path).returncode != 0
