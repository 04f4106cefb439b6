"""The policy, read, and whom it trusts: what verifies the signatures of its signers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import read_document
from weighbridge.policy import Policy, built_in_policy, parse_policy
from weighbridge.workflow._trust import (
    CertificateTrust,
    KeylessTrust,
    KeyTrust,
    Trust,
    load_verifier,
)

if TYPE_CHECKING:
    from weighbridge.core import Limits
    from weighbridge.policy import Signer
    from weighbridge.signing import Verifier

__all__ = ["load_policy", "load_verifiers"]


def load_policy(path: Path | None, *, limits: Limits) -> Policy:
    """Read a policy file; without one return the built-in policy.

    Raises:
        InputError: Missing, unreadable; ParseError if it is no policy, with the place of the fault.
        LimitExceededError: Larger than ``max_policy_bytes``.
    """
    if path is None:
        return built_in_policy()
    data = read_document(
        path,
        what="policy",
        limit_name="max_policy_bytes",
        limit_bytes=limits.max_policy_bytes,
    )
    return parse_policy(data, name=str(path), limits=limits)


def load_verifiers(
    rules: Policy, policy: Path | None, *, limits: Limits, offline: bool
) -> dict[str, Verifier]:
    """Load what the policy's signers are known by, under their names there.

    Args:
        rules: The policy.
        policy: Its file; paths in it are relative to its folder.
        limits: Bounds on what is read.
        offline: Whether the network must not be used.

    Raises:
        InputError: A file is missing or is not what it is named as.
        IncompleteError: A Sigstore instance could not be asked for news.
    """
    folder = policy.parent if policy is not None else Path()
    return {
        signer.name: load_verifier(_to_trust(signer), limits=limits, offline=offline, folder=folder)
        for signer in rules.signers
    }


def _to_trust(signer: Signer) -> Trust:
    """Return the trust that a policy's signer stands for."""
    if signer.certificate_authorities:
        return CertificateTrust(
            signer.certificate_authorities, signer.identity or None, signer.timestamp_authorities
        )
    if signer.issuer:
        config = signer.trust_config or None
        return KeylessTrust(signer.identity, signer.issuer, config, signer.instance)
    return KeyTrust(signer.key, signer.timestamp_authorities)
