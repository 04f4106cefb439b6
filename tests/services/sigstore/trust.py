"""The documents by which clients know the services: trusted root and signing configuration.

Source: https://github.com/sigstore/protobuf-specs, sigstore_trustroot.proto.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from services.keys import ORGANIZATION, PrivateKey, b64, key_id, to_spki

MEDIA = "application/vnd.dev.sigstore."


@dataclass(frozen=True, slots=True)
class Period:
    """From when until when something is trusted; the end is open until it is replaced."""

    start: datetime
    end: datetime | None = None

    def to_json(self) -> dict[str, str]:
        """Return it as the documents write it."""
        said = {"start": self.start, "end": self.end}
        return {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in said.items() if at}


@dataclass(frozen=True, slots=True)
class Keys:
    """What the services sign with during one period.

    Attributes:
        logs: The transparency logs' keys with their names, version 1 first.
    """

    period: Period
    ca_chain: list[x509.Certificate]
    tsa_chain: list[x509.Certificate]
    ct_key: PrivateKey
    logs: list[tuple[PrivateKey, bytes]]

    def until(self, end: datetime) -> Keys:
        """Return them with an end."""
        return replace(self, period=replace(self.period, end=end))


def build_trusted_root(url: str, generations: list[Keys]) -> dict[str, Any]:
    """Return the trusted root over all generations of keys, the oldest first."""
    return {
        "mediaType": MEDIA + "trustedroot+json;version=0.1",
        "tlogs": [
            _to_log(url, key, name, keys.period) for keys in generations for key, name in keys.logs
        ],
        "certificateAuthorities": [
            _to_authority(url, keys.ca_chain, keys.period) for keys in generations
        ],
        "ctlogs": [
            _to_log(url, keys.ct_key, key_id(keys.ct_key), keys.period) for keys in generations
        ],
        "timestampAuthorities": [
            _to_authority(url, keys.tsa_chain, keys.period) for keys in generations
        ],
    }


def build_signing_config(
    url: str, *, issuer: str, tsa_url: str, rekor_versions: list[int], start: datetime
) -> dict[str, Any]:
    """Return where to sign: clients take the highest version of the log that they know."""

    def to_service(address: str, version: int) -> dict[str, Any]:
        valid = {"majorApiVersion": version, "validFor": Period(start).to_json()}
        return {"url": address, "operator": ORGANIZATION, **valid}

    return {
        "mediaType": MEDIA + "signingconfig.v0.2+json",
        "caUrls": [to_service(url, 1)],
        "oidcUrls": [to_service(issuer, 1)],
        "rekorTlogUrls": [to_service(url, version) for version in rekor_versions],
        "tsaUrls": [to_service(tsa_url, 1)],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    }


def build_trust_config(
    trusted_root: dict[str, Any], signing_config: dict[str, Any]
) -> dict[str, Any]:
    """Return both in one document, as ``--trust-config`` options take it."""
    return {
        "mediaType": MEDIA + "clienttrustconfig.v0.1+json",
        "trustedRoot": trusted_root,
        "signingConfig": signing_config,
    }


def _to_log(url: str, key: PrivateKey, name: bytes, period: Period) -> dict[str, Any]:
    edwards = isinstance(key, ed25519.Ed25519PrivateKey)
    public = {
        "rawBytes": b64(to_spki(key)),
        "keyDetails": "PKIX_ED25519" if edwards else "PKIX_ECDSA_P256_SHA_256",
        "validFor": period.to_json(),
    }
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": public,
        "logId": {"keyId": b64(name)},
    }


def _to_authority(url: str, chain: list[x509.Certificate], period: Period) -> dict[str, Any]:
    name = str(chain[0].subject.rfc4514_string())
    return {
        "subject": {"organization": ORGANIZATION, "commonName": name},
        "uri": url,
        "certChain": {
            "certificates": [{"rawBytes": b64(c.public_bytes(Encoding.DER))} for c in chain]
        },
        "validFor": period.to_json(),
    }
