"""What every way of signing and of verifying has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.core import Attribution, Bundle, Statement

__all__ = ["Signer", "TimeSource", "Verifier"]


class Verifier(Protocol):
    """One entry of a trust map: tells the bundles of the signer that it stands for from others."""

    def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:
        """Return whom the proof says that the bundle is by; its ``signer`` is left empty.

        Args:
            bundle: By anybody.
            at: When it is judged, aware; certificates are judged at a time that was proven
                instead, if there is one.

        Raises:
            TrustError: Somebody else signed it, or in another way than this verifier looks for.
            SignatureError: The bundle may be this signer's, and the signature does not hold.
        """


class Signer(Protocol):
    """Somebody who can seal a statement."""

    def sign(self, statement: Statement) -> Bundle:
        """Return a bundle whose payload is exactly ``statement.payload``."""

    def own_verifier(self) -> Verifier | None:
        """Return what verifies this signer's earlier signatures, or None if that cannot be told."""


class TimeSource(Protocol):
    """Whoever can prove that a signature existed at some time: trusted RFC 3161 timestamps."""

    def prove(self, bundle: Bundle, *, at: datetime) -> datetime | None:
        """Return when the bundle's signature existed at the latest, aware.

        None if the bundle carries no timestamp.

        Args:
            bundle: By anybody.
            at: When it is judged, aware; a proven time lies before it.

        Raises:
            SignatureError: A timestamp does not hold, or none is by anybody who is believed.
        """
