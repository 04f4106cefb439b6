"""Steps that others than a key in a file sign, verified by whoever made the format."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy

from services.sigstore import LocalSigstore
from services.softhsm import SoftHsm
from support import WEIGHBRIDGE, bare_python
from weighbridge.core import DEFAULT_LIMITS, parse_bundle
from weighbridge.signing import load_public_key, verify_bundle

PYTHON = bare_python()
STEP = "import os; open('out/w', 'w').write(' '.join(sorted(os.environ)))"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text("x,y\n1,2\n")
    (tmp_path / "out").mkdir()
    return tmp_path


def run(place: Path, *signer: str, env: dict[str, str] | None = None) -> list[bytes]:
    """Run a step that writes the names of its variables; return the claims."""
    done = subprocess.run(
        [
            *(WEIGHBRIDGE, "run", "--kind", "clean", "-i", "data=data.csv", "-o", "out=out"),
            *(*signer, "--", PYTHON, "-c", STEP),
        ],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, done.stderr
    return (place / "out" / "claims.jsonl").read_bytes().splitlines()


def test_the_job_signs_and_the_step_has_not_its_token(
    local_sigstore: LocalSigstore, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "data"))
    ambient = local_sigstore.ci_environment()
    config = local_sigstore.trust_config(2)
    claims = run(place, "--keyless", "--trust-config", str(config), env=ambient)
    had = (place / "out" / "w").read_text().split()
    assert not [name for name in had if "TOKEN" in name]
    assert "PATH" in had
    verifier = Verifier(
        trusted_root=ClientTrustConfig.from_json(config.read_text()).trusted_root,
    )
    expected = policy.Identity(identity=local_sigstore.ci_identity, issuer=local_sigstore.ci_issuer)
    kinds = []
    for line in claims:
        kind, payload = verifier.verify_dsse(Bundle.from_json(line), expected)
        assert kind == "application/vnd.in-toto+json"
        kinds.append(json.loads(payload)["predicateType"])
    assert kinds[-1] == "https://slsa.dev/provenance/v1"


def test_a_token_of_hardware_signs(softhsm: SoftHsm, place: Path) -> None:
    (place / "pin").write_text(softhsm.pin)
    uri = f"pkcs11:object=p256?module-path={quote(softhsm.module)}"
    *_, provenance = run(place, "--signer", uri, "--password-file", "pin")
    keys = {"token": load_public_key(softhsm.folder / "p256.pub")}
    bundle = parse_bundle(provenance, what="claim", limits=DEFAULT_LIMITS)
    assert verify_bundle(bundle, keys, at=datetime.now(UTC)).signers == ("token",)
