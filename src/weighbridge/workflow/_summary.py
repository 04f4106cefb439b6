"""A verdict as a signed SLSA Verification Summary."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from weighbridge.core import LOCAL_VERIFIER
from weighbridge.errors import InputError
from weighbridge.export import to_summary
from weighbridge.provenance import is_uri

if TYPE_CHECKING:
    from weighbridge.core import Bundle
    from weighbridge.export import CheckReport
    from weighbridge.signing import Signer

__all__ = ["sign_summary"]


def sign_summary(
    report: CheckReport,
    *,
    signer: Signer,
    verifier: str = LOCAL_VERIFIER,
    resource_uri: str = "",
) -> Bundle:
    """Sign what a check came to, for whoever trusts this verifier and the policy.

    Args:
        report: From ``check``.
        signer: Who judges.
        verifier: The name under which the signer is trusted as a verifier, a URI.
        resource_uri: What was judged, a URI; by default the artifact's name and digest, as a
            package URL.

    Raises:
        InputError: The verifier or the resource is no URI.
        IncompleteError: The artifact has no digest.

    Source:
        SLSA v1.0, Verification Summary Attestation.
    """
    for what, uri in (("verifier", verifier), ("resource", resource_uri)):
        if uri and not is_uri(uri):
            raise InputError(f"the {what} is no URI; give one such as https://example.com/gate/v1")
    statement = to_summary(
        report, verifier=verifier, resource_uri=resource_uri or _name_resource(report)
    )
    return signer.sign(statement)


def _name_resource(report: CheckReport) -> str:
    """Return a package URL with the digest as its version."""
    artifact = report.evidence.artifact
    name = quote(PurePath(artifact.path).name or "artifact", safe="")
    version = quote(str(artifact.digest), safe="")
    return f"pkg:generic/{name}@{version}"
