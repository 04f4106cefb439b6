"""trust: whom the keyless signatures of a Sigstore instance are verified against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS
from weighbridge.signing import TrustRoot, read_trust_root, update_trust_root
from weighbridge.workflow._paths import to_optional_path

if TYPE_CHECKING:
    from weighbridge.core import Limits
    from weighbridge.core.ports import StrPath

__all__ = ["TrustRoot", "show_trust", "update_trust"]


def update_trust(
    instance: str = "", *, root: StrPath | None = None, limits: Limits = DEFAULT_LIMITS
) -> TrustRoot:
    """Ask a Sigstore instance for news and keep them in the cache.

    Args:
        instance: The address of its update repository (TUF); by default the public instance.
        root: Its first TUF root; needed once for an instance that is not known yet.
        limits: Bounds on what is read.

    Raises:
        InputError: ``root`` cannot be used or is missing, or the cache cannot be used.
        IncompleteError: The instance could not be asked, or its answer does not hold.
    """
    return update_trust_root(instance, root=to_optional_path(root, what="TUF root"), limits=limits)


def show_trust(instance: str = "") -> TrustRoot:
    """Return what is cached of a Sigstore instance, without the network.

    Args:
        instance: The address of its update repository; by default the public instance.

    Raises:
        InputError: Nothing is cached of it, or the cache is damaged.
    """
    return read_trust_root(instance)
