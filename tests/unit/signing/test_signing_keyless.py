"""Keyless verifying: whatever a bundle or a Sigstore does wrong is a refusal with a reason."""

from __future__ import annotations

import base64
import json
import socket
import time
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sigstore.models import Bundle as SigstoreBundle
from sigstore.models import ClientTrustConfig
from sigstore.verify import Verifier as SigstoreVerifier
from sigstore.verify import policy

from services.sigstore import LocalSigstore, assemble_bundle, start
from services.sigstore import authority as service_authority
from unit.signing.signing_samples import public_key_of, signed_bytes
from unit.signing.timestamp_samples import serve_raw
from weighbridge.core import DEFAULT_LIMITS, Attribution, Bundle, Limits, parse_bundle
from weighbridge.errors import (
    IncompleteError,
    InputError,
    ParseError,
    SignatureError,
    TrustError,
    WeighbridgeError,
)
from weighbridge.signing import load_keyless_verifier, update_trust_root

ALICE = "alice@example.com"
PAYLOAD = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": "0" * 64}}],
        "predicateType": "https://example.com/test/v1",
        "predicate": {},
    }
).encode()
VERSIONS = pytest.mark.parametrize("version", [1, 2])


def verify(
    local: LocalSigstore,
    document: dict[str, Any] | bytes,
    *,
    who: str = ALICE,
    issuer: str | None = None,
    config: Path | None = None,
) -> Attribution:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    bundle = parse_bundle(raw, what="model.sig", limits=DEFAULT_LIMITS)
    verifier = load_keyless_verifier(
        who, issuer or local.issuer, trust_config=config or local.trust_config(), offline=True
    )
    return verifier.verify(bundle, at=datetime.now(UTC))


def assemble(local: LocalSigstore, version: int = 2, **options: Any) -> dict[str, Any]:
    return assemble_bundle(local, PAYLOAD, rekor_version=version, **options)


@VERSIONS
def test_an_honest_signature_says_who_and_when(local_sigstore: LocalSigstore, version: int) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    found = verify(local_sigstore, assemble(local_sigstore, version))
    assert (found.signer, found.method) == ("", "keyless")
    assert (found.identity, found.issuer) == (ALICE, local_sigstore.issuer)
    assert found.existed_by is not None
    assert before <= found.existed_by <= datetime.now(UTC)


def test_the_logs_time_counts_if_there_is_no_other(local_sigstore: LocalSigstore) -> None:
    assert verify(local_sigstore, assemble(local_sigstore, 1, timestamped=False)).existed_by
    with pytest.raises(SignatureError, match="promise or signed timestamp"):
        verify(local_sigstore, assemble(local_sigstore, 2, timestamped=False))


@pytest.mark.parametrize("data", [{}, {"rfc3161Timestamps": []}])
def test_no_timestamps_in_so_many_words(local_sigstore: LocalSigstore, data: object) -> None:
    """model_signing wrote the first before 1.1; the other is sigstore-python's."""
    document = assemble(local_sigstore, 1, timestamped=False)
    document["verificationMaterial"]["timestampVerificationData"] = data
    found = verify(local_sigstore, document)
    assert found.existed_by
    assert found.notes == ()


# A wrong account: what the certificate says is said, and printable.


def test_another_account_is_named(local_sigstore: LocalSigstore) -> None:
    document = assemble(local_sigstore)
    for who, issuer in (
        ("bob@example.com", local_sigstore.issuer),
        ("Alice@example.com", local_sigstore.issuer),
        ("alice@example.co", local_sigstore.issuer),
        ("*@example.com", local_sigstore.issuer),
        (ALICE, local_sigstore.issuer + "/"),
        (ALICE, "https://accounts.google.com"),
    ):
        with pytest.raises(TrustError, match=r"by alice@example\.com, as http") as caught:
            verify(local_sigstore, document, who=who, issuer=issuer)
        assert who in str(caught.value)
        assert issuer in str(caught.value)


def test_a_hostile_name_is_printable(local_sigstore: LocalSigstore) -> None:
    token = local_sigstore.ci_token(job_workflow_ref="example/\x1b[2J@refs/heads/main")
    with pytest.raises(WeighbridgeError) as caught:
        verify(local_sigstore, assemble(local_sigstore, token=token))
    assert "\x1b" not in str(caught.value)


def test_a_workflow_is_named_exactly(local_sigstore: LocalSigstore) -> None:
    document = assemble(local_sigstore, token=local_sigstore.ci_token())
    ci, who = local_sigstore.ci_issuer, "https://github.com/example/models/.github/workflows/"
    name = who + "release.yml@refs/heads/main"
    assert verify(local_sigstore, document, who=name, issuer=ci).identity == name
    for other in (who, name[:-1], name + "/", name.replace("main", "dev"), name.upper()):
        with pytest.raises(TrustError):
            verify(local_sigstore, document, who=other, issuer=ci)


@pytest.mark.parametrize(("who", "issuer"), [("", "https://x"), (ALICE, "")])
def test_both_are_required(local_sigstore: LocalSigstore, who: str, issuer: str) -> None:
    with pytest.raises(InputError, match="identity and issuer"):
        load_keyless_verifier(who, issuer, trust_config=local_sigstore.trust_config())


def test_other_ways_of_signing_are_not_this_one(local_sigstore: LocalSigstore) -> None:
    document = assemble(local_sigstore)
    material = document["verificationMaterial"]
    chain = {"certificates": [material["certificate"]]}
    document["verificationMaterial"] = {"x509CertificateChain": chain}
    with pytest.raises(TrustError, match="not keyless"):
        verify(local_sigstore, document)
    with pytest.raises(TrustError, match="not keyless"):
        verify(local_sigstore, signed_bytes())
    with pytest.raises(TrustError, match="certificate"):
        public_key_of("release").verify(
            parse_bundle(
                json.dumps(assemble(local_sigstore)).encode(), what="x", limits=DEFAULT_LIMITS
            ),
            at=datetime.now(UTC),
        )


def test_two_issuers_in_one_certificate_are_refused(
    local_sigstore: LocalSigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sigstore-python looks at the older of the two extensions only."""
    honest = service_authority.to_extensions

    def contradict(claims: dict[str, Any]) -> dict[str, bytes]:
        other = honest({**claims, "iss": "https://evil.example"})
        return {**honest(claims), "8": other["8"]}

    monkeypatch.setattr(service_authority, "to_extensions", contradict)
    document = assemble(local_sigstore)
    peer_verify(local_sigstore, document)
    with pytest.raises(SignatureError, match="OIDCIssuerV2"):
        verify(local_sigstore, document)


# Services that do something wrong.

FAULTS = {
    "without proof": ({"log_without_proof": True}, "inclusionProof"),
    "checkpoint by another key": ({"wrong_checkpoint_key": True}, "checkpoint"),
    "root of another tree": ({"wrong_root": True}, "root"),
    "no SCT": ({"without_sct": True}, "signed certificate timestamp"),
    "SCT by another key": ({"wrong_sct_key": True}, "SCT"),
    "expired at signing": ({"ca_clock_offset_s": -3600}, "valid at|validity"),
    "not valid yet at signing": ({"ca_clock_offset_s": 3600}, "valid at|validity"),
    "time-stamp clock ahead": ({"tsa_clock_offset_s": 3600}, "valid at|validity"),
    "replayed timestamp": ({"tsa": "replayed"}, "nobody whom this Sigstore instance names proves"),
    "rejected timestamp": ({"tsa": "rejected"}, "SignedData"),
}


@pytest.mark.parametrize("fault", FAULTS)
@VERSIONS
def test_a_failing_service_is_refused(
    local_sigstore: LocalSigstore, fault: str, version: int
) -> None:
    faults, words = FAULTS[fault]
    assemble(local_sigstore)  # so that there is a timestamp to replay
    if version == 1 and fault.startswith("replayed"):
        return  # the log proves the time: see the next test
    with local_sigstore.failing(**faults):
        document = assemble(local_sigstore, version)
    with pytest.raises(SignatureError, match=words):
        verify(local_sigstore, document)


def test_a_timestamp_that_proves_nothing_is_noted(local_sigstore: LocalSigstore) -> None:
    assert verify(local_sigstore, assemble(local_sigstore, 1)).notes == ()
    with local_sigstore.failing(tsa="replayed"):
        document = assemble(local_sigstore, 1)
    (note,) = verify(local_sigstore, document).notes
    assert "timestamps that this Sigstore instance does not vouch for: 1" in note


def test_an_untrue_time_of_the_log_is_refused(local_sigstore: LocalSigstore) -> None:
    """The time of version 1 is covered by the log's promise, and the promise by its key."""
    document = assemble(local_sigstore, 1, timestamped=False)
    (entry,) = document["verificationMaterial"]["tlogEntries"]
    entry["integratedTime"] = str(int(entry["integratedTime"]) + 1)
    with pytest.raises(SignatureError, match="promise"):
        verify(local_sigstore, document)


def test_the_same_name_at_another_instance_is_somebody_else(
    local_sigstore: LocalSigstore,
) -> None:
    with start() as other:
        for version in (1, 2):
            document = assemble(other, version)
            assert verify(other, document)
            with pytest.raises(SignatureError):
                verify(other, document, config=local_sigstore.trust_config())
            # Only the log, or only the authority, is the right one.
            mixed = deepcopy(document)
            ours = assemble(local_sigstore, version)["verificationMaterial"]
            mixed["verificationMaterial"]["tlogEntries"] = ours["tlogEntries"]
            with pytest.raises(SignatureError):
                verify(other, mixed, config=local_sigstore.trust_config())
            for part in ("certificateAuthorities", "tlogs", "ctlogs", "timestampAuthorities"):
                root = {**other.trusted_root(), part: local_sigstore.trusted_root()[part]}
                path = other.folder / "mixed.json"
                path.write_text(json.dumps(root))
                if (version, part) == (1, "timestampAuthorities"):
                    assert verify(other, document, config=path).notes
                    continue
                with pytest.raises(SignatureError):
                    verify(other, document, config=path)


# Bundles that were put together from others.


@VERSIONS
def test_parts_of_other_bundles_do_not_fit(local_sigstore: LocalSigstore, version: int) -> None:
    good, other = assemble(local_sigstore, version), assemble(local_sigstore, version)
    verify(local_sigstore, good)
    for part in ("certificate", "tlogEntries", "timestampVerificationData"):
        mixed = deepcopy(good)
        mixed["verificationMaterial"][part] = other["verificationMaterial"][part]
        if (version, part) == (1, "timestampVerificationData"):
            continue  # the log's own time is enough
        with pytest.raises(SignatureError):
            verify(local_sigstore, mixed)
    mixed = deepcopy(good)
    mixed["dsseEnvelope"] = other["dsseEnvelope"]
    with pytest.raises(SignatureError):
        verify(local_sigstore, mixed)


@VERSIONS
def test_another_payload_is_refused(local_sigstore: LocalSigstore, version: int) -> None:
    document = assemble(local_sigstore, version)
    tampered = PAYLOAD.replace(b'"0', b'"1', 1)
    document["dsseEnvelope"]["payload"] = base64.b64encode(tampered).decode()
    with pytest.raises(SignatureError, match="invalid signature"):
        verify(local_sigstore, document)


def test_another_payload_type_is_refused(local_sigstore: LocalSigstore) -> None:
    document = assemble(local_sigstore, payload_type="application/json")
    with pytest.raises(ParseError, match="payload"):
        verify(local_sigstore, document)


def test_entries_are_counted(local_sigstore: LocalSigstore) -> None:
    document = assemble(local_sigstore)
    material = document["verificationMaterial"]
    for entries, words in (([], "no entries"), (material["tlogEntries"] * 2, "2 entries")):
        material["tlogEntries"] = entries
        with pytest.raises(SignatureError, match=words):
            verify(local_sigstore, document)


def test_an_unknown_field_in_an_entry_is_refused(local_sigstore: LocalSigstore) -> None:
    document = assemble(local_sigstore)
    document["verificationMaterial"]["tlogEntries"][0]["note"] = "more"
    with pytest.raises(SignatureError):
        verify(local_sigstore, document)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_changed_bundle_never_says_something_else(
    local_sigstore: LocalSigstore, data: st.DataObject
) -> None:
    """Whatever a stranger changes: the same statement by the same account, or a refusal."""
    raw = bytearray(json.dumps(_sample(local_sigstore)).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(32, 126))
    try:
        found = verify(local_sigstore, bytes(raw))
        assert _read(bytes(raw)).envelope.payload == PAYLOAD
        assert (found.identity, found.issuer) == (ALICE, local_sigstore.issuer)
    except WeighbridgeError as error:
        assert str(error).isprintable()  # noqa: PT017 - both outcomes are right


_SAMPLES: dict[str, dict[str, Any]] = {}


def _sample(local: LocalSigstore) -> dict[str, Any]:
    return _SAMPLES.setdefault(local.url, assemble(local))


def _read(raw: bytes) -> Bundle:
    return parse_bundle(raw, what="model.sig", limits=DEFAULT_LIMITS)


# Authorities and logs that were retired before the signature was made.


def peer_verify(local: LocalSigstore, document: dict[str, Any], config: Path | None = None) -> None:
    text = (config or local.trust_config()).read_text()
    root = ClientTrustConfig.from_json(text).trusted_root
    expected = policy.Identity(identity=ALICE, issuer=local.issuer)
    bundle = SigstoreBundle.from_json(json.dumps(document))
    SigstoreVerifier(trusted_root=root).verify_dsse(bundle, expected)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("certificateAuthorities", "certificate authority"),
        ("tlogs", "transparency log"),
        ("ctlogs", "log of certificates"),
    ],
)
@VERSIONS
def test_a_retired_key_signs_nothing_new(
    local_sigstore: LocalSigstore, tmp_path: Path, part: str, words: str, version: int
) -> None:
    document = assemble(local_sigstore, version)
    config = json.loads(local_sigstore.trust_config().read_text())
    for one in config["trustedRoot"][part]:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        period = one.get("validFor") or one["publicKey"]["validFor"]
        period["end"] = f"{yesterday:%Y-%m-%dT%H:%M:%SZ}"
    path = tmp_path / "retired.json"
    path.write_text(json.dumps(config))
    peer_verify(local_sigstore, document, path)  # sigstore-python takes it
    with pytest.raises(SignatureError, match=f"no {words} of this Sigstore instance was in use"):
        verify(local_sigstore, document, config=path)


def test_what_a_key_signed_before_it_was_retired_holds(local_sigstore: LocalSigstore) -> None:
    documents = [assemble(local_sigstore, version) for version in (1, 2)]
    local_sigstore.rotate_keys()
    for document in documents:
        verify(local_sigstore, document)


# Trust configs.


def write_config(local: LocalSigstore, path: Path, **changes: Any) -> Path:
    config = json.loads(local.trust_config().read_text())
    config["trustedRoot"].update(changes)
    path.write_text(json.dumps(config))
    return path


def test_a_trusted_root_alone_will_do(local_sigstore: LocalSigstore, tmp_path: Path) -> None:
    path = tmp_path / "root.json"
    path.write_text(json.dumps(local_sigstore.trusted_root()))
    verify(local_sigstore, assemble(local_sigstore), config=path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "neither"),
        ('{"mediaType": 1}', "neither"),
        ('{"mediaType": []}', "neither"),
        ('{"mediaType": {}}', "neither"),
        ('{"mediaType": "x", "mediaType": "x"}', "twice|duplicate"),
        (
            '{"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"}',
            "cannot be used",
        ),
        ('{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}', "cannot"),
    ],
)
def test_what_is_no_trust_config_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        load_keyless_verifier(ALICE, "https://issuer.example", trust_config=path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("part", ["tlogs", "ctlogs", "certificateAuthorities"])
def test_a_root_that_names_nobody_is_refused(
    local_sigstore: LocalSigstore, tmp_path: Path, part: str
) -> None:
    path = write_config(local_sigstore, tmp_path / "c.json", **{part: []})
    with pytest.raises(InputError, match="cannot be used"):
        load_keyless_verifier(ALICE, local_sigstore.issuer, trust_config=path)


def test_a_root_without_timestamp_authority_needs_the_logs_time(
    local_sigstore: LocalSigstore, tmp_path: Path
) -> None:
    path = write_config(local_sigstore, tmp_path / "c.json", timestampAuthorities=[])
    verify(local_sigstore, assemble(local_sigstore, 1, timestamped=False), config=path)
    with pytest.raises(SignatureError, match="Timestamp Authorit"):
        verify(local_sigstore, assemble(local_sigstore), config=path)


@pytest.mark.parametrize("url", ["ftp://x", "https://", "x", "https://a\nb", "file:///etc"])
def test_an_instance_is_on_the_web(url: str) -> None:
    with pytest.raises(InputError, match="not the address") as caught:
        load_keyless_verifier(ALICE, "https://x", instance=url, offline=True)
    assert str(caught.value).isprintable()


def test_an_instance_is_named_once(local_sigstore: LocalSigstore) -> None:
    with pytest.raises(InputError, match="give one"):
        load_keyless_verifier(
            ALICE,
            "https://x",
            trust_config=local_sigstore.trust_config(),
            instance="https://sigstore.example",
        )


@pytest.mark.parametrize(
    "before", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["in the head", "in the body"]
)
def test_news_that_drip_in_do_not_hold_anybody_up(
    local_sigstore: LocalSigstore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: bytes,
) -> None:
    """Each byte sets the time-out of the library's requests back; the refresh still has an end."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def drip(connection: socket.socket) -> None:
        connection.sendall(before)
        for _ in range(600):
            connection.sendall(b"H")
            time.sleep(0.05)

    with serve_raw(drip) as url:
        began = time.monotonic()
        with pytest.raises(IncompleteError, match=r"could not be refreshed"):
            update_trust_root(url, root=local_sigstore.root_json, limits=Limits(max_wait_s=1))
        assert time.monotonic() - began < 10
