"""A verdict as a signed SLSA Verification Summary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from weighbridge.core import DEFAULT_LIMITS, LOCAL_VERIFIER, Limits
from weighbridge.export import to_summary
from weighbridge.policy import built_in_policy, digest_policy
from weighbridge.provenance import check_address
from weighbridge.workflow._signers import choose_signer

if TYPE_CHECKING:
    from weighbridge.core import Bundle
    from weighbridge.core.ports import StrPath
    from weighbridge.export import CheckReport
    from weighbridge.signing import Signer
    from weighbridge.workflow._signers import SignerSpec

__all__ = ["SummaryPlan", "plan_summary", "sign_summary"]


@dataclass(frozen=True, slots=True)
class SummaryPlan:
    """Who is going to sign a verdict, and under which names; made by :func:`plan_summary`.

    Attributes:
        signer: Who judges.
        verifier: The name under which the signer is trusted as a verifier, a URI.
        resource_uri: What is judged, a URI; empty: the artifact's name and digest.
    """

    signer: Signer
    verifier: str
    resource_uri: str


def plan_summary(
    signer: StrPath | SignerSpec | Signer,
    *,
    verifier: str = "",
    resource_uri: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> SummaryPlan:
    """Find out, before anything is judged, whether the verdict could be signed.

    Args:
        signer: ``file:PATH``, ``pkcs11:...``, ``sigstore:``, a ``Path``, or anything that can sign.
        verifier: A URI; by default a name that every machine has.
        resource_uri: A URI.
        limits: Bounds on what is read.

    Raises:
        InputError: The signer cannot sign, or a name is no URI.
    """
    if resource_uri:
        check_address(resource_uri, what="judged resource")
    name = verifier or LOCAL_VERIFIER
    check_address(name, what="verifier")
    return SummaryPlan(choose_signer(signer, None, limits=limits), name, resource_uri)


def sign_summary(report: CheckReport, plan: SummaryPlan) -> Bundle:
    """Sign what a check came to, for whoever trusts this verifier and the policy.

    Raises:
        IncompleteError: The artifact has no digest.

    Source:
        SLSA v1.0, Verification Summary Attestation.
    """
    statement = to_summary(
        report,
        verifier=plan.verifier,
        resource_uri=plan.resource_uri or _name_resource(report),
        policy_digest=report.verdict.policy_digest or digest_policy(built_in_policy()),
    )
    return plan.signer.sign(statement)


def _name_resource(report: CheckReport) -> str:
    """Return a package URL with the digest as its version."""
    artifact = report.evidence.artifact
    name = quote(PurePath(artifact.path).name or "artifact", safe="")
    version = quote(str(artifact.digest), safe="")
    return f"pkg:generic/{name}@{version}"
