"""A Sigstore on this machine: authority, logs, time stamps, identities and their updates.

``with start() as sigstore:`` serves it; ``start_tsa()`` serves a time-stamp authority alone.
``python -m services.sigstore`` serves it for a person.
"""

from __future__ import annotations

from .bundles import assemble_bundle
from .faults import Faults
from .local import LocalSigstore, start
from .tsa import LocalTsa, start_tsa

__all__ = ["Faults", "LocalSigstore", "LocalTsa", "assemble_bundle", "start", "start_tsa"]
