"""Signers of other distributions: the worked example of docs/signing/tokens.md, and bad ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support import ROOT, build_model, run_cli


def read_example(name: str) -> str:
    """Return the block of docs/signing/tokens.md that begins with the name of its file."""
    page = (ROOT / "docs" / "signing" / "tokens.md").read_text()
    return re.findall(rf"^```\w* {re.escape(name)}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[0]


class Kms(HTTPServer):
    """Keeps a key and signs digests for whoever knows the token; asks for nothing else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), KmsHandler)
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.digests: list[bytes] = []

    @property
    def url(self) -> str:
        return f"kms://127.0.0.1:{self.server_port}/release"

    def to_pem(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class KmsHandler(BaseHTTPRequestHandler):
    server: Kms

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Bearer letmein":
            self.answer(403, b"no")
        elif self.path == "/release/public":
            self.answer(200, self.server.to_pem())
        else:
            self.server.digests.append(body)
            self.answer(200, self.server.key.sign(body, ec.ECDSA(Prehashed(hashes.SHA384()))))

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def kms() -> Iterator[Kms]:
    with Kms() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def install(folder: Path, name: str, code: str, entry: str) -> None:
    """Lay a distribution down as pip does: a module, and metadata with an entry point."""
    module = name.replace("-", "_")
    information = folder / f"{module}-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / f"{module}.py").write_text(code)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[weighbridge.signers]\n{entry}\n")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    build_model(tmp_path / "model")
    (tmp_path / "plugins").mkdir()
    paths = [str(tmp_path / "plugins"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("WEIGHBRIDGE_PASSWORD", "letmein")
    return tmp_path


def sign(place: Path, uri: str, *, code: int, words: str = "") -> str:
    done = run_cli("sign", "model", "--signer", uri, cwd=place)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert words in said
    assert (place / "model" / "model.sig").exists() == (code == 0)
    return said


def install_kms(place: Path) -> None:
    project = read_example("pyproject.toml")
    (entry,) = re.findall(r'^(kms = ".*")$', project, re.MULTILINE)
    code = read_example("weighbridge_kms.py")
    install(place / "plugins", "weighbridge-kms", code, entry.replace('"', ""))


def test_the_worked_example_signs_with_a_key_in_another_process(place: Path, kms: Kms) -> None:
    install_kms(place)
    sign(place, kms.url, code=0)
    assert [len(digest) for digest in kms.digests] == [48], "one digest, however many files"
    done = run_cli("public-key", "--signer", kms.url, "-o", "kms.pub", cwd=place)
    assert (done.returncode, (place / "kms.pub").read_bytes()) == (0, kms.to_pem())
    assert run_cli("verify", "model", "--key", "kms.pub", cwd=place).returncode == 0
    peer = Path(sys.executable).with_name("model_signing")
    subprocess.run(
        [peer, "verify", "key", "model", "--signature=model/model.sig", "--public_key=kms.pub"],
        cwd=place,
        check=True,
        capture_output=True,
    )
    (place / "model" / "README.md").write_text("changed\n")
    again = ("--reuse", "model/model.sig", "--updated", "README.md")
    assert run_cli("sign", "model", "--signer", kms.url, *again, cwd=place).returncode == 0
    assert run_cli("verify", "model", "--key", "kms.pub", cwd=place).returncode == 0


def test_what_may_go_wrong_with_it(place: Path, kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(place, kms.url, code=2, words="no signer is known for kms: URIs")
    install_kms(place)
    sign(place, "kms://127.0.0.1:9/release", code=3, words="plug-in 'weighbridge-kms' failed (URL")
    monkeypatch.setenv("WEIGHBRIDGE_PASSWORD", "PLANTED")
    assert "PLANTED" not in sign(place, kms.url, code=3, words="403")
    monkeypatch.delenv("WEIGHBRIDGE_PASSWORD")
    done = run_cli("sign", "model", "--signer", kms.url, cwd=place, prefix=("setsid",))
    assert (done.returncode, "nobody can be asked" in done.stderr) == (2, True)


def test_two_plug_ins_for_one_scheme(place: Path, kms: Kms) -> None:
    install_kms(place)
    install(place / "plugins", "other-kms", "def open_key(spec, *, limits): ...", "kms = x:y")
    words = "'other-kms' and 'weighbridge-kms' both sign for kms: URIs"
    sign(place, kms.url, code=2, words=words)


@pytest.mark.parametrize("scheme", ["file", "pkcs11", "sigstore"])
def test_our_own_schemes_cannot_be_taken(place: Path, scheme: str) -> None:
    code = "raise SystemExit('taken over')"
    install(place / "plugins", "thief", code, f"{scheme} = thief:open_key")
    done = run_cli("sign", "model", "--signer", f"{scheme}:nothing=x", cwd=place)
    assert done.returncode != 0
    assert "taken over" not in done.stderr
    assert "thief" not in done.stderr


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        ("import nothing_of_the_kind", 2, "cannot be imported (ModuleNotFoundError"),
        ("raise SystemExit(0)", 2, "cannot be imported (SystemExit"),
        ("open_key = 1", 2, "registers something that cannot be called"),
        ("", 2, "cannot be imported (AttributeError"),
        ("def open_key(): ...", 3, "failed (TypeError"),
        ("def open_key(spec, *, limits): 1/0", 3, "failed (ZeroDivisionError: division by zero)"),
        ("def open_key(spec, *, limits): raise SystemExit(0)", 3, "failed (SystemExit: 0)"),
        (r"def open_key(spec, *, limits): raise OSError('\x1b[2J\nx')", 3, r"OSError: \x1b[2J\nx"),
        ("def open_key(spec, *, limits): return 1", 3, "gave no signer"),
        ("def open_key(spec, *, limits): return Signer(1)", 3, "gave something else than a sign"),
        (
            (
                "def open_key(spec, *, limits):\n"
                "    from weighbridge.errors import InputError\n    raise InputError('no such key')"
            ),
            2,
            "weighbridge: no such key\n",
        ),
        (
            (
                "def open_key(spec, *, limits): return Signer(Bundle.build(PublicKeyMaterial(''), "
                "Envelope(b'{}', (EnvelopeSignature(b'x'),))))"
            ),
            3,
            "gave something else than a signature over what it was handed",
        ),
        (
            (
                "def open_key(spec, *, limits): return Signer(Bundle(PublicKeyMaterial(''), "
                "Envelope(b'{}', (EnvelopeSignature(b'x'),)), b'{}'))"
            ),
            3,
            "gave something else than a signature over what it was handed",
        ),
    ],
)
def test_bad_plug_ins(place: Path, code: str, exit_code: int, words: str) -> None:
    helper = (
        "\nfrom weighbridge.core import Bundle, Envelope, EnvelopeSignature, PublicKeyMaterial\n"
        "class Signer:\n"
        "    def __init__(self, bundle): self.bundle = bundle\n"
        "    def sign(self, statement): return self.bundle\n"
        "    def own_verifier(self): return None\n"
    )
    install(place / "plugins", "bad", code + helper, "bad = bad:open_key")
    said = sign(place, "bad:S3CRET-in-the-URI", code=exit_code, words=words)
    assert said.count("\n") == 1
    assert "S3CRET" not in said
    assert exit_code == 2 or "plug-in 'bad'" in said


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("3", "gave no verifier"),
        ("Own(lambda: 3)", "does not say who signed"),
        ("Own(lambda: 1 / 0)", "failed (ZeroDivisionError: division by zero)"),
        ("Own(lambda: sys.exit(0))", "failed (SystemExit: 0)"),
    ],
)
def test_a_plug_ins_verifier_is_believed_no_more_than_its_signer(
    place: Path, own: str, words: str
) -> None:
    """sign --reuse asks it for the old signature; one that exits with 0 signed nothing."""
    code = (
        "import sys\n"
        "class Own:\n"
        "    def __init__(self, act): self.act = act\n"
        "    def verify(self, bundle, *, at): return self.act()\n"
        "class Signer:\n"
        "    def sign(self, statement): return None\n"
        f"    def own_verifier(self): return {own}\n"
        "def open_key(spec, *, limits): return Signer()\n"
    )
    install(place / "plugins", "bad", code, "bad = bad:open_key")
    run_cli("keygen", "old", cwd=place)
    run_cli("sign", "model", "--key", "old.key", "--signature", "old.sig", cwd=place)
    done = run_cli("sign", "model", "--signer", "bad:x", "--reuse", "old.sig", cwd=place)
    assert done.returncode == 3, done.stderr
    assert words in done.stderr


@pytest.mark.parametrize("uri", ["release.key", "", ":", "Ä:x", "1x:y", "../x:y", "a" * 60 + ":x"])
def test_what_is_no_uri(place: Path, uri: str) -> None:
    sign(place, uri, code=2, words="a signer is named by a URI such as file:release.key")
