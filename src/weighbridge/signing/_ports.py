"""What every way of signing has in common: bare keys now; certificates and keyless later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from weighbridge.core import Bundle, Statement

__all__ = ["Signer", "Verifier"]


class Signer(Protocol):
    """Somebody who can seal a statement."""

    def sign(self, statement: Statement) -> Bundle:
        """Return a bundle whose payload is exactly ``statement.payload``."""


class Verifier(Protocol):
    """One entry of a trust map: tells the bundles of the signer that it stands for from others."""

    def verify(self, bundle: Bundle) -> None:
        """Return if this signer signed the bundle.

        Raises:
            TrustError: The bundle says that somebody else signed it.
            SignatureError: The bundle may be this signer's, and the signature does not hold.
        """
