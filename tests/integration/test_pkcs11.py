"""Keys in a token, through the command line: SoftHSM, and SoftHSM behind a module with faults."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass
from pkcs11.util import ec

import weighbridge as wb
from services.faulty_module import build_faulty_module
from services.sigstore import start_tsa
from services.softhsm import KEYS, SoftHsm, TokenKey
from support import ROOT, WEIGHBRIDGE, build_model, run_cli
from weighbridge.errors import IncompleteError, InputError

OMS_KEYS = [kind for kind in KEYS if kind.file in {"p256", "p384", "p521", "awkward"}]


@pytest.fixture
def place(tmp_path: Path, softhsm: SoftHsm) -> Path:
    build_model(tmp_path / "model")
    (tmp_path / "pin").write_text(softhsm.pin + "\n")
    return tmp_path


def uri_of(hsm: SoftHsm, path: str, query: str = "") -> str:
    return f"pkcs11:{path}?module-path={quote(hsm.module)}{query}"


def label(kind: TokenKey) -> str:
    return f"object={quote(kind.label, safe='')}"


def sign(place: Path, uri: str, *options: str, code: int = 0, words: str = "") -> str:
    """Sign with the PIN in a file; return what was said."""
    done = run_cli("sign", "model", "--signer", uri, "--password-file", "pin", *options, cwd=place)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert words in said
    if code:
        assert done.stderr.count("\n") == 1, "one sentence"
        assert not (place / "model" / "model.sig").exists()
    return said


@pytest.mark.parametrize("kind", OMS_KEYS, ids=lambda kind: kind.file)
def test_sign_verify_and_the_peer_agrees(place: Path, softhsm: SoftHsm, kind: TokenKey) -> None:
    sign(place, uri_of(softhsm, f"token=weighbridge%20tests;{label(kind)};type=private"))
    public = softhsm.folder / f"{kind.file}.pub"
    assert run_cli("verify", "model", "--key", public, cwd=place).returncode == 0
    peer = Path(sys.executable).with_name("model_signing")
    subprocess.run(
        [peer, "verify", "key", "model", "--signature", "model/model.sig", "--public_key", public],
        cwd=place,
        check=True,
        capture_output=True,
    )
    (place / "model" / "config.json").write_text("{}")
    assert run_cli("verify", "model", "--key", public, cwd=place).returncode == 1


@pytest.mark.parametrize("kind", OMS_KEYS, ids=lambda kind: kind.file)
def test_the_public_half_can_be_taken_out(place: Path, softhsm: SoftHsm, kind: TokenKey) -> None:
    signer = ("--signer", uri_of(softhsm, label(kind)), "--password-file", "pin")
    expected = (softhsm.folder / f"{kind.file}.pub").read_text()
    done = run_cli("public-key", *signer, cwd=place)
    assert (done.returncode, done.stdout) == (0, expected)
    assert run_cli("public-key", *signer, "-o", "out.pub", cwd=place).returncode == 0
    assert (place / "out.pub").read_text() == expected
    done = run_cli("public-key", *signer, "-o", "out.pub", cwd=place)
    assert (done.returncode, "out.pub is there already" in done.stderr) == (2, True)


def test_the_public_half_of_a_file(tmp_path: Path) -> None:
    assert run_cli("keygen", "k", cwd=tmp_path).returncode == 0
    done = run_cli("public-key", "--key", "k.key", cwd=tmp_path)
    assert done.stdout == (tmp_path / "k.pub").read_text()
    assert run_cli("public-key", cwd=tmp_path).returncode == 2
    assert run_cli("public-key", "--key", "k.key", "--signer", "x:", cwd=tmp_path).returncode == 2
    assert run_cli("public-key", "--key", "k.pub", cwd=tmp_path).returncode == 2


def test_signing_again_trusts_the_same_key(place: Path, softhsm: SoftHsm) -> None:
    uri = uri_of(softhsm, "object=p384")
    sign(place, uri)
    (place / "model" / "README.md").write_text("changed\n")
    reuse = ("--reuse", "model/model.sig", "--updated", "README.md", "--json")
    told = json.loads(sign(place, uri, *reuse))
    assert told["reused"]
    public = softhsm.folder / "p384.pub"
    assert run_cli("verify", "model", "--key", public, cwd=place).returncode == 0
    other = run_cli(
        *("sign", "model", "--signer", uri_of(softhsm, "object=p256"), "--password-file", "pin"),
        *("--reuse", "model/model.sig", "--updated", "README.md"),
        cwd=place,
    )
    assert (other.returncode, "made with another key" in other.stderr) == (1, True)


def test_where_the_pin_comes_from(
    place: Path, softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_file = uri_of(softhsm, "object=p256", f"&pin-source=file:{quote(str(place / 'pin'))}")
    assert run_cli("sign", "model", "--signer", from_file, cwd=place).returncode == 0
    plain = ("sign", "model", "--signer", uri_of(softhsm, "object=p256"))
    done = run_cli(*plain, cwd=place, prefix=("setsid",))
    assert (done.returncode, "PIN of token 'weighbridge tests'" in done.stderr) == (2, True)
    monkeypatch.setenv("WEIGHBRIDGE_PASSWORD", softhsm.pin)
    assert run_cli(*plain, cwd=place).returncode == 0
    missing = uri_of(softhsm, "object=p256", "&pin-source=/nowhere/pin")
    assert run_cli("sign", "model", "--signer", missing, cwd=place).returncode == 2


def test_a_person_is_asked_for_the_pin(place: Path, softhsm: SoftHsm) -> None:
    master, slave = pty.openpty()
    command = [WEIGHBRIDGE, "sign", "model", "--signer", uri_of(softhsm, "object=p256")]
    child = subprocess.Popen(
        command, cwd=place, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    said = b""
    try:
        while b"PIN of token 'weighbridge tests': " not in said:
            assert select.select([master], [], [], 60)[0], said
            said += os.read(master, 1000)
        time.sleep(0.2)  # until the terminal stops to echo: what was typed before is dropped
        os.write(master, softhsm.pin.encode() + b"\n")
        with contextlib.suppress(OSError):  # how a terminal says that nobody is there any more
            while select.select([master], [], [], 60)[0]:
                said += os.read(master, 1000)
        assert child.wait(timeout=60) == 0, said
    finally:
        child.kill()
        child.wait()
        os.close(master)
    assert softhsm.pin.encode() not in said


@pytest.mark.parametrize("certificate", ["{folder}/p256.crt", "pkcs11:", "pkcs11:id=%01;type=cert"])
def test_with_a_certificate(place: Path, softhsm: SoftHsm, certificate: str) -> None:
    given = certificate.format(folder=softhsm.folder)
    sign(place, uri_of(softhsm, "object=p256"), "--certificate", given)
    authority = ("--certificate-authority", softhsm.folder / "ca.crt", "--identity", "p256")
    assert run_cli("verify", "model", *authority, cwd=place).returncode == 0
    again = ("--certificate", given, "--reuse", "model/model.sig", "--updated", "README.md")
    (place / "model" / "README.md").write_text("changed\n")
    sign(place, uri_of(softhsm, "object=p256"), *again)
    assert run_cli("verify", "model", *authority, cwd=place).returncode == 0
    stranger = (*authority[:2], "--identity", "p384")
    assert run_cli("verify", "model", *stranger, cwd=place).returncode == 1


def test_with_a_timestamp(place: Path, softhsm: SoftHsm) -> None:
    with start_tsa() as tsa:
        (place / "tsa.pem").write_text(tsa.chain_pem)
        given = ("--certificate", "pkcs11:", "--timestamp", tsa.url)
        sign(place, uri_of(softhsm, "object=p256"), *given)
    trust = ("--certificate-authority", softhsm.folder / "ca.crt")
    done = run_cli("verify", "model", *trust, "--timestamp-authority", "tsa.pem", cwd=place)
    assert (done.returncode, "proven" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("key", "certificate", "words"),
    [
        ("p256", "{folder}/p384.crt", "is for another key"),
        ("p256", "pkcs11:object=p384", "is for another key"),
        ("p256", "pkcs11:object=nope", "holds no certificate of that name"),
        ("p256", "pkcs11:token=other", "in the token of the key"),
        ("p256", "pkcs11:type=public", "names a public object"),
        ("id=%05", "pkcs11:", "holds no certificate with the key's id"),
        ("p256", "/nowhere.crt", "/nowhere.crt"),
    ],
)
def test_certificates_that_do_not_do(
    place: Path, softhsm: SoftHsm, key: str, certificate: str, words: str
) -> None:
    uri = uri_of(softhsm, key if "=" in key else f"object={key}")
    given = certificate.format(folder=softhsm.folder)
    sign(place, uri, "--certificate", given, code=2, words=words)


BAD_URIS = [
    ("object=twice", "2 private keys in the token 'weighbridge tests' match"),
    ("", "add object= or id="),
    ("object=nope", "holds no such private key; there is"),
    ("object=p256;id=%02", "holds no such private key"),
    ("object=rsa", "is of the kind RSA"),
    ("object=k1", "on another curve"),
    ("object=p256;type=public", "names a public object"),
    ("object=p256;type=cert", "names a cert object"),
    ("token=nope;object=p256", "no token matches the pkcs11: URI; there is 'weighbridge tests'"),
    ("slot-id=4;object=p256", "no token matches"),
    ("serial=4;object=p256", "no token matches"),
    ("manufacturer=x;object=p256", "no token matches"),
    ("library-version=9;object=p256", "library-version is '2"),
    ("library-manufacturer=x;object=p256", "library-manufacturer is 'SoftHSM'"),
]


@pytest.mark.parametrize(("path", "words"), BAD_URIS)
def test_what_is_not_there_or_not_one(place: Path, softhsm: SoftHsm, path: str, words: str) -> None:
    sign(place, uri_of(softhsm, path), code=2, words=words)


def test_every_attribute_that_names_the_token(place: Path, softhsm: SoftHsm) -> None:
    token = pkcs11.lib(softhsm.module).get_token(token_label=softhsm.label)
    slot = token.slot
    described = {
        "token": token.label,
        "serial": token.serial.decode(),
        "manufacturer": token.manufacturer_id,
        "model": token.model,
        "slot-id": str(slot.slot_id),
        "slot-description": slot.slot_description,
        "slot-manufacturer": slot.manufacturer_id,
        "library-manufacturer": "SoftHSM",
        "object": "p256",
        "type": "private",
    }
    path = ";".join(f"{name}={quote(value, safe='')}" for name, value in described.items())
    sign(place, uri_of(softhsm, path + ";id=%01"))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nowhere/module.so", "the PKCS#11 module /nowhere/module.so is missing"),
        ("{place}", "is missing"),
        ("{place}/pin", "is not a PKCS#11 module"),
        ("{libc}", "is not a PKCS#11 module"),
    ],
)
def test_modules_that_are_none(place: Path, path: str, words: str) -> None:
    maps = Path("/proc/self/maps").read_text().splitlines()
    libc = next(line.split()[-1] for line in maps if "/libc.so" in line)
    uri = f"pkcs11:object=p256?module-path={path.format(place=quote(str(place)), libc=libc)}"
    sign(place, uri, code=2, words=words)


def test_which_module_is_said_by_the_user_alone(
    place: Path, softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module named by half would be searched for, and whoever could write there would sign."""
    shutil.copy(softhsm.module, place / "libsofthsm2.so")
    sign(place, "pkcs11:object=p256", code=2, words="no PKCS#11 module is named")
    named = "pkcs11:object=p256?module-name=libsofthsm2"
    sign(place, named, code=2, words="module-name")
    monkeypatch.setenv("PKCS11_MODULE_PATH", "libsofthsm2.so")
    sign(place, "pkcs11:object=p256", code=2, words="an absolute path is wanted")
    monkeypatch.setenv("PKCS11_MODULE_PATH", softhsm.module)
    sign(place, "pkcs11:object=p256")


def test_a_module_that_does_not_start(
    place: Path, softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", "/nowhere")
    sign(place, uri_of(softhsm, "object=p256"), code=2, words="does not start (GeneralError)")


def test_without_the_extra(place: Path, softhsm: SoftHsm) -> None:
    script = "import sys; sys.modules['pkcs11'] = None; from weighbridge.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "sign", "model", "--signer", uri_of(softhsm, "object=p256")],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "pip install 'weighbridge[pkcs11]'" in done.stderr


@pytest.mark.parametrize("pin", ["mistaken", "1234-Pi", "1234-Pin ", "x" * 300, "ünï"])
def test_a_wrong_pin(place: Path, softhsm: SoftHsm, pin: str) -> None:
    (place / "pin").write_text(pin)
    said = sign(place, uri_of(softhsm, "object=p256"), code=2, words="refused the PIN")
    assert pin not in said


def test_an_empty_pin_and_one_that_is_no_text(
    place: Path, softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = wb.SignerSpec(uri_of(softhsm, "object=p256"))
    with pytest.raises(InputError, match="is needed"):
        wb.sign(place / "model", signer=spec)
    for pin, words in (("", "is empty"), ("a\udcffb", "is not UTF-8")):
        spec = wb.SignerSpec(uri_of(softhsm, "object=p256"), ask_secret=lambda _, pin=pin: pin)
        with pytest.raises(InputError, match=words):
            wb.sign(place / "model", signer=spec)


# Tokens of a test's own.

ONE_TOKEN = "pin-of-the-spare-one"


class Spare:
    """A SoftHSM whose tokens a test may break."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder, self.module, self.environment = folder, module, dict(os.environ)
        (folder / "tokens").mkdir(parents=True)
        self.configure("")
        self.environment["SOFTHSM2_CONF"] = str(folder / "conf")

    def configure(self, more: str) -> None:
        (self.folder / "conf").write_text(
            f"directories.tokendir = {self.folder / 'tokens'}\n"
            f"objectstore.backend = file\nlog.level = ERROR\n{more}"
        )

    def add_token(self, name: str) -> None:
        command = ["softhsm2-util", "--init-token", "--free", "--label", name]
        pins = ["--pin", ONE_TOKEN, "--so-pin", "officer-1"]
        subprocess.run(
            [*command, *pins], check=True, env=self.environment, capture_output=True, timeout=60
        )

    def fill(self, fill: Callable[[pkcs11.Session], object], name: str = "spare") -> None:
        pkcs11.unload(self.module)
        try:
            token = pkcs11.lib(self.module).get_token(token_label=name)
            with token.open(rw=True, user_pin=ONE_TOKEN) as session:
                fill(session)
        finally:
            pkcs11.unload(self.module)


@pytest.fixture
def spare(place: Path, softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spare]:
    made = Spare(place / "spare", softhsm.module)
    monkeypatch.setenv("SOFTHSM2_CONF", made.environment["SOFTHSM2_CONF"])
    made.add_token("spare")
    (place / "pin").write_text(ONE_TOKEN)
    yield made
    pkcs11.unload(made.module)


def make_pair(
    session: pkcs11.Session, **more: object
) -> tuple[pkcs11.PublicKey, pkcs11.PrivateKey]:
    curve = {Attribute.EC_PARAMS: ec.encode_named_curve_parameters("secp256r1")}
    parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
    named = {"label": "k", "id": b"\x01", "store": True}
    return parameters.generate_keypair(**{**named, **more})


def test_a_token_without_keys(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    sign(place, uri_of(softhsm, "object=k"), code=2, words="it holds none at all")


def test_two_tokens_of_one_name(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    spare.fill(make_pair)
    serial = pkcs11.lib(spare.module).get_token(token_label="spare").serial.decode()
    spare.add_token("spare")
    words = "2 tokens match the pkcs11: URI"
    said = sign(place, uri_of(softhsm, "token=spare;object=k"), code=2, words=words)
    assert f"serial {serial}" in said
    sign(place, uri_of(softhsm, f"token=spare;serial={serial};object=k"))


def test_no_token_at_all(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    shutil.rmtree(spare.folder / "tokens")
    (spare.folder / "tokens").mkdir()
    sign(place, uri_of(softhsm, "object=k"), code=2, words="the module sees none at all")


def test_a_key_that_may_not_sign(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    spare.fill(lambda session: make_pair(session, capabilities=MechanismFlag.DERIVE))
    words = "does not let this key sign (CKA_SIGN)"
    sign(place, uri_of(softhsm, "object=k"), code=2, words=words)


def test_a_token_that_cannot_sign_with_ecdsa(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    spare.fill(make_pair)
    spare.configure("slots.mechanisms = CKM_RSA_PKCS,CKM_SHA256\n")
    words = "cannot sign with ECDSA (CKM_ECDSA)"
    sign(place, uri_of(softhsm, "object=k"), code=2, words=words)


def test_a_key_that_wants_its_pin_each_time(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    always = {Attribute.ALWAYS_AUTHENTICATE: True}
    spare.fill(lambda session: make_pair(session, private_template=always))
    sign(place, uri_of(softhsm, "object=k"))


def test_a_private_key_without_its_public_half(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    spare.fill(lambda session: make_pair(session)[0].destroy())
    words = "holds neither the public key nor a certificate"
    sign(place, uri_of(softhsm, "object=k"), code=2, words=words)


def test_the_public_half_may_be_in_a_certificate(place: Path, softhsm: SoftHsm) -> None:
    """Smart cards often hold a key and its certificate and no public key."""
    kind = KEYS[0]
    copy = place / "copy"
    shutil.copytree(softhsm.folder / "tokens", copy / "tokens")
    spare = Spare.__new__(Spare)
    spare.folder, spare.module = copy, softhsm.module
    spare.configure("")
    os.environ["SOFTHSM2_CONF"] = str(copy / "conf")
    pkcs11.unload(softhsm.module)
    token = pkcs11.lib(softhsm.module).get_token(token_label=softhsm.label)
    with token.open(rw=True, user_pin=softhsm.pin) as session:
        session.get_key(ObjectClass.PUBLIC_KEY, label=kind.label).destroy()
    sign(place, uri_of(softhsm, label(kind)))
    public = softhsm.folder / f"{kind.file}.pub"
    assert run_cli("verify", "model", "--key", public, cwd=place).returncode == 0


def test_halves_that_do_not_belong_together(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    def mix_up(session: pkcs11.Session) -> None:
        public, _ = make_pair(session, id=b"\x01")
        other, _ = make_pair(session, id=b"\x02", label="other")
        other.destroy()
        public[Attribute.ID] = b"\x02"

    spare.fill(mix_up)
    words = "private and public key do not belong together"
    sign(place, uri_of(softhsm, "object=other"), code=2, words=words)


def test_two_public_halves(place: Path, softhsm: SoftHsm, spare: Spare) -> None:
    def fill(session: pkcs11.Session) -> None:
        make_pair(session)
        make_pair(session, label="other")

    spare.fill(fill)
    words = "holds 2 public keys with the private key's id"
    sign(place, uri_of(softhsm, "object=k"), code=2, words=words)


def test_a_token_that_is_taken_away_while_hashing(
    place: Path, softhsm: SoftHsm, spare: Spare
) -> None:
    spare.fill(make_pair)

    class Thief:
        def start(self, total_bytes: int) -> None:  # noqa: ARG002
            shutil.move(spare.folder / "tokens", spare.folder / "gone")

        def advance(self, done_bytes: int) -> None:
            pass

    spec = wb.SignerSpec(uri_of(softhsm, "object=k"), ask_secret=lambda _: ONE_TOKEN)
    with pytest.raises(IncompleteError, match="the token 'spare' "):
        wb.sign(place / "model", signer=spec, progress=Thief())
    assert not (place / "model" / "model.sig").exists()


# What SoftHSM never does.


@pytest.fixture(scope="session")
def faulty_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module = build_faulty_module(tmp_path_factory.mktemp("faulty"))
    if module is None:
        pytest.skip("no C compiler: a module with faults cannot be made")
    return module


LOGIN, SIGN_INIT, FIND_OBJECTS, OPEN_SESSION, GET_SLOTS = 18, 42, 27, 12, 4
FAULTS = [
    ({"RETURN": f"{LOGIN}:0xA4"}, 2, "is locked after too many wrong PINs"),
    ({"FLAGS": "0x40000"}, 2, "is locked after too many wrong PINs"),
    ({"RETURN": f"{LOGIN}:0xA3"}, 2, "wants a new PIN"),
    ({"RETURN": f"{LOGIN}:0x102"}, 2, "has no PIN yet"),
    ({"RETURN": f"{LOGIN}:0x32"}, 3, "is no longer there"),
    ({"RETURN": f"{LOGIN}:0x30"}, 3, "failed (DeviceError)"),
    ({"RETURN": f"{LOGIN}:0x80000001"}, 3, "Unmapped error code 0x80000001"),
    ({"RETURN": f"{OPEN_SESSION}:0xB1"}, 3, "has no session free"),
    ({"RETURN": f"{SIGN_INIT}:0x68"}, 2, "does not let this key sign"),
    ({"RETURN": f"{SIGN_INIT}:0x70"}, 2, "cannot sign with ECDSA"),
    ({"RETURN": f"{SIGN_INIT}:0x54"}, 2, "cannot sign"),
    ({"RETURN": f"{SIGN_INIT}:0x200"}, 3, "rejected the signature"),
    ({"RETURN": f"{SIGN_INIT}:0x32"}, 3, "is no longer there"),
    ({"RETURN": f"{GET_SLOTS}:0x5"}, 3, "the PKCS#11 module failed (GeneralError)"),
    ({"GONE": "1"}, 2, "the module sees none at all"),
    ({"GONE": "2"}, 3, "is no longer there"),
    ({"GONE": "3"}, 3, "is no longer there"),
    ({"BITS": "1"}, 2, "do not belong together"),
]


@pytest.mark.parametrize(("fault", "code", "words"), FAULTS)
def test_what_a_module_may_do(  # noqa: PLR0917
    place: Path,
    softhsm: SoftHsm,
    faulty_module: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, str],
    code: int,
    words: str,
) -> None:
    monkeypatch.setenv("FAULTY_MODULE", softhsm.module)
    for name, value in fault.items():
        monkeypatch.setenv(f"FAULTY_{name}", value)
    uri = f"pkcs11:object=p256?module-path={quote(str(faulty_module))}"
    sign(place, uri, code=code, words=words)


def test_one_signature_and_one_wrong_pin(
    place: Path, softhsm: SoftHsm, faulty_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many files there are; and a wrong PIN is not tried again, which would lock."""
    monkeypatch.setenv("FAULTY_MODULE", softhsm.module)
    monkeypatch.setenv("FAULTY_LOG", str(place / "log"))
    uri = f"pkcs11:object=p256?module-path={quote(str(faulty_module))}"
    for number in range(500):
        (place / "model" / f"{number}.txt").write_text("x")
    sign(place, uri)
    assert (place / "log").read_text() == "PIN\n" * 2, "once to look, once to sign"
    (place / "log").unlink()
    (place / "model" / "model.sig").unlink()
    (place / "pin").write_text("wrong")
    sign(place, uri, code=2)
    assert (place / "log").read_text() == "PIN\n"


def test_a_key_pad(
    place: Path, softhsm: SoftHsm, faulty_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTY_MODULE", softhsm.module)
    monkeypatch.setenv("FAULTY_LOG", str(place / "log"))
    monkeypatch.setenv("FAULTY_FLAGS", "0x100")
    monkeypatch.setenv("FAULTY_PIN", softhsm.pin)
    uri = f"pkcs11:object=p256?module-path={quote(str(faulty_module))}"
    assert run_cli("sign", "model", "--signer", uri, cwd=place).returncode == 0
    assert set((place / "log").read_text().split("\n")) == {"key pad", ""}


# Secrets stay secret.


def test_the_pin_is_never_shown(
    place: Path, softhsm: SoftHsm, faulty_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = "PLANTED-5f2e"
    (place / "pin").write_text(planted)
    monkeypatch.setenv("WEIGHBRIDGE_TRACEBACK", "1")
    monkeypatch.setenv("FAULTY_MODULE", softhsm.module)
    faulty = f"pkcs11:object=p256?module-path={quote(str(faulty_module))}"
    said = ""
    for path, _ in BAD_URIS:
        said += sign(place, uri_of(softhsm, path), code=2)
    for fault, _, _ in FAULTS:
        with monkeypatch.context() as patch:
            for name, value in fault.items():
                patch.setenv(f"FAULTY_{name}", value)
            done = run_cli("sign", "model", "--signer", faulty, "--password-file", "pin", cwd=place)
            said += done.stdout + done.stderr
    in_the_uri = uri_of(softhsm, "object=p256", f"&pin-value={planted}")
    for uri in (in_the_uri, in_the_uri.replace("pkcs11:", "pkcs12:")):
        said += sign(place, uri, code=2)
    assert planted not in said

    spec = wb.SignerSpec(uri_of(softhsm, "object=p256"), ask_secret=lambda _: planted)
    with pytest.raises(InputError) as caught:
        wb.sign(place / "model", signer=spec)
    assert planted not in "".join(traceback.format_exception(caught.value))
    assert planted not in repr(spec)
    from weighbridge.signing import open_signer  # noqa: PLC0415

    right = wb.SignerSpec(uri_of(softhsm, "object=p256"), ask_secret=lambda _: softhsm.pin)
    assert softhsm.pin not in repr(open_signer(right))


def test_the_module_is_loaded_for_its_scheme_only(tmp_path: Path) -> None:
    build_model(tmp_path / "model")
    wb.keygen(tmp_path / "k")
    script = (
        "import sys, weighbridge as wb; wb.sign('model', key='k.key'); "
        "wb.verify('model', key='k.pub'); "
        "print(*(name for name in ('pkcs11', 'importlib.metadata') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.stdout == "\n"
