"""A hardware security module in software: SoftHSM with a token in a folder of the test's own.

``python -m services.softhsm FOLDER`` makes one and prints how to use it. Keys are made inside the
token by a process of its own, so that the library in the test's process has not been told yet where
tokens are (it reads SOFTHSM2_CONF once).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from .keys import (
    YEAR,
    build_ca,
    identifiers,
    new_key,
    now,
    to_name,
    to_pem,
    usage,
)

# Where Debian, Fedora, Homebrew and a build from source put it.
MODULES = (
    "usr/lib/softhsm/libsofthsm2.so",
    "usr/lib/*/softhsm/libsofthsm2.so",
    "usr/lib64/softhsm/libsofthsm2.so",
    "usr/lib64/pkcs11/libsofthsm2.so",
    "usr/local/lib/softhsm/libsofthsm2.so",
    "opt/homebrew/lib/softhsm/libsofthsm2.so",
)
LABEL = "weighbridge tests"
PIN = "1234-Pin"
SO_PIN = "5678-Officer"


class TokenKey(NamedTuple):
    """A key inside; ``file`` names its files outside."""

    file: str
    label: str
    identifier: bytes
    curve: str
    certified: bool = False


# One label needs escapes in a URI, two keys share one, and one curve is none that OMS knows.
KEYS = (
    TokenKey("p256", "p256", b"\x01", "secp256r1", certified=True),
    TokenKey("p384", "p384", b"\x02", "secp384r1", certified=True),
    TokenKey("p521", "p521", b"\x03", "secp521r1", certified=True),
    TokenKey("awkward", "release key; 50% ü/β", b"\x04", "secp256r1"),
    TokenKey("twice-5", "twice", b"\x05", "secp256r1"),
    TokenKey("twice-6", "twice", b"\x06", "secp384r1"),
    TokenKey("k1", "k1", b"\x07", "secp256k1"),
)
RSA = ("rsa", b"\x08")


class MissingError(Exception):
    """SoftHSM is not installed; says what to install."""


@dataclass(frozen=True, slots=True)
class SoftHsm:
    """A token and what opens it.

    Attributes:
        module: The PKCS#11 library.
        configuration: What SOFTHSM2_CONF has to name.
        folder: Holds ``FILE.pub`` for each of ``KEYS``, ``FILE.crt`` for those with a certificate
            in the token, and ``ca.crt``, which signed them.
    """

    module: str
    configuration: Path
    folder: Path
    label: str = LABEL
    pin: str = PIN
    so_pin: str = SO_PIN

    @property
    def environment(self) -> dict[str, str]:
        """The variable by which the library finds the token."""
        return {"SOFTHSM2_CONF": str(self.configuration)}


def find_module() -> str:
    """Return the path of SoftHSM's library: ``$SOFTHSM2_MODULE``, or where it usually lies.

    Raises:
        MissingError: It is not installed.
    """
    said = os.environ.get("SOFTHSM2_MODULE")
    usual = (path for pattern in MODULES for path in Path("/").glob(pattern))
    for path in [Path(said)] if said else usual:
        if path.exists() and shutil.which("softhsm2-util"):
            return str(path)
    raise MissingError(
        "SoftHSM is not installed; run scripts/services as root, or install the package softhsm2 "
        "(Debian, Ubuntu) or softhsm (Fedora, Homebrew)"
    )


def make_token(folder: Path) -> SoftHsm:
    """Make a token with its keys and certificates in ``folder``.

    Raises:
        MissingError: SoftHSM is not installed.
    """
    hsm = SoftHsm(find_module(), folder / "softhsm2.conf", folder)
    (folder / "tokens").mkdir(parents=True)
    hsm.configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\n"
        "objectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    )
    environment = {**os.environ, **hsm.environment, "PYTHONPATH": str(Path(__file__).parents[1])}
    opened = ["--label", hsm.label, "--pin", hsm.pin, "--so-pin", hsm.so_pin]
    for command in (
        ["softhsm2-util", "--init-token", "--free", *opened],
        [sys.executable, "-c", FILL, str(folder)],
    ):
        done = subprocess.run(
            command, env=environment, check=False, capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
    return hsm


FILL = "import pathlib, sys, services.softhsm as s; s.fill_token(pathlib.Path(sys.argv[1]))"


def fill_token(folder: Path) -> None:
    """Make the keys inside the token, and certificates for them; in a process of its own."""
    import pkcs11  # noqa: PLC0415 - an extra: the message for SoftHSM comes first

    ca_key = new_key()
    ca = build_ca(ca_key, "model signers")
    (folder / "ca.crt").write_text(to_pem(ca))
    token = pkcs11.lib(find_module()).get_token(token_label=LABEL)
    with token.open(rw=True, user_pin=PIN) as session:
        for kind in KEYS:
            public = make_key(session, kind)
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (folder / f"{kind.file}.pub").write_bytes(pem)
            if kind.certified:
                certificate = certify(public, kind.label, ca=ca, ca_key=ca_key)
                (folder / f"{kind.file}.crt").write_text(to_pem(certificate))
                store_certificate(session, certificate, kind)
        session.generate_keypair(pkcs11.KeyType.RSA, 2048, label=RSA[0], id=RSA[1], store=True)


def make_key(session: Any, kind: TokenKey) -> Any:
    """Make a key pair inside; return its public half."""
    from pkcs11 import Attribute, KeyType  # noqa: PLC0415
    from pkcs11.util import ec  # noqa: PLC0415

    curve = {Attribute.EC_PARAMS: ec.encode_named_curve_parameters(kind.curve)}
    parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
    public, _ = parameters.generate_keypair(label=kind.label, id=kind.identifier, store=True)
    return load_der_public_key(ec.encode_ec_public_key(public))


def certify(key: Any, label: str, *, ca: x509.Certificate, ca_key: Any) -> x509.Certificate:
    """Return a certificate for code signing."""
    signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    builder = (
        x509.CertificateBuilder()
        .subject_name(to_name(label))
        .issuer_name(ca.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - YEAR / 12)
        .not_valid_after(now() + YEAR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(digital_signature=True), critical=True)
        .add_extension(signing, critical=False)
    )
    return identifiers(builder, key, ca_key).sign(ca_key, hashes.SHA256())


def store_certificate(session: Any, certificate: x509.Certificate, kind: TokenKey) -> None:
    """Put a certificate into the token, beside its key."""
    from pkcs11 import Attribute  # noqa: PLC0415
    from pkcs11.util.x509 import decode_x509_certificate  # noqa: PLC0415

    der = certificate.public_bytes(Encoding.DER)
    named = {Attribute.TOKEN: True, Attribute.LABEL: kind.label, Attribute.ID: kind.identifier}
    session.create_object({**decode_x509_certificate(der), **named})


def lock_pin(hsm: SoftHsm, *, tries: int = 20) -> bool:
    """Try wrong PINs; tell whether the token is locked now.

    SoftHSM up to 2.6.1 never locks a PIN: it only raises the token's flag USER_PIN_COUNT_LOW.
    """
    environment = {**os.environ, **hsm.environment}
    command = [sys.executable, "-c", GUESS, hsm.module, hsm.label, str(tries), hsm.pin]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=120
    )
    return "PinLocked" in done.stdout


GUESS = """\
import sys, pkcs11
module, label, tries, pin = sys.argv[1:]
token = pkcs11.lib(module).get_token(token_label=label)
for guess in [*["wrong"] * int(tries), pin]:
    try:
        token.open(user_pin=guess).close()
    except pkcs11.PKCS11Error as error:
        print(type(error).__name__)
"""


if __name__ == "__main__":
    made = make_token(Path(sys.argv[1]).absolute())
    print(f"export SOFTHSM2_CONF={made.configuration}")  # noqa: T201
    print(f"module {made.module}, token {made.label!r}, PIN {made.pin!r}")  # noqa: T201
    print("keys", *[repr(kind.label) for kind in KEYS])  # noqa: T201
