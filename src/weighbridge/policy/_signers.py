"""The signers of a policy file: in which way each is known, and who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.errors import ParseError
from weighbridge.policy._policy import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.policy._schema import SignerTable

__all__ = ["build_signer", "check_roles"]

_MAY = {
    "publisher": "may not publish",
    "builder": "may not speak for a builder",
    "reviewer": "may not review",
    "verifier": "may not verify for others",
    "evaluator": "may not evaluate",
}


def build_signer(signer: str, table: SignerTable) -> Signer:
    """Check that a signer is known in one way, with what belongs to it and nothing else.

    Raises:
        ParseError: As said, with the place.
    """
    where = f"trust.signers.{signer}"
    ways = {
        "key": table.key,
        "certificate-authority": table.certificate_authority,
        "issuer": table.issuer,
    }
    named = [way for way, value in ways.items() if value is not None]
    if len(named) > 1:
        message = f"{named[0]!r} and {named[1]!r} exclude each other; keep one"
        raise ParseError(message, where=f"{where}.{named[1]}")
    if not named:
        message = (
            f"the signer {signer!r} is known by nothing; add 'key', "
            "'certificate-authority', or 'identity' with 'issuer'"
        )
        raise ParseError(message, where=where)
    for key, value, ways_with_it in (
        ("identity", table.identity, ("certificate-authority", "issuer")),
        ("trust-config", table.trust_config, ("issuer",)),
        ("instance", table.instance, ("issuer",)),
        ("timestamp-authority", table.timestamp_authority, ("key", "certificate-authority")),
    ):
        if value is not None and named[0] not in ways_with_it:
            message = f"{key!r} does not go with {named[0]!r}; remove one"
            raise ParseError(message, where=f"{where}.{key}")
    if table.issuer is not None and table.identity is None:
        raise ParseError("'issuer' needs 'identity'; add it", where=f"{where}.issuer")
    return Signer(
        name=signer,
        key=table.key or "",
        roles=tuple(table.roles),
        certificate_authorities=tuple(table.certificate_authority or ()),
        identity=table.identity or "",
        issuer=table.issuer or "",
        trust_config=table.trust_config or "",
        instance=table.instance or "",
        timestamp_authorities=tuple(table.timestamp_authority or ()),
    )


def check_roles(
    by: Sequence[str], signers: Mapping[str, Signer], *, roles: Sequence[str], where: str
) -> None:
    """Check that each signer is there and has one of ``roles``.

    Args:
        by: Names of signers.
        signers: Those that there are.
        roles: The role that is needed; the first of several is the one to suggest.
        where: The place of the list.

    Raises:
        ParseError: As said, with the place in the list.
    """
    for index, signer in enumerate(by):
        place = f"{where}[{index}]"
        if signer not in signers:
            message = f"there is no signer {signer!r}; add [trust.signers.{signer}]"
            raise ParseError(message, where=place)
        if not set(roles) & set(signers[signer].roles):
            message = f"the signer {signer!r} {_MAY[roles[0]]}; if it may, add that role"
            raise ParseError(f"{message} ({' or '.join(roles)})", where=place)
