"""What a service can be told to do wrong. Every default is honest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Literal

TsaFault = Literal["", "down", "hangs", "wrong-nonce", "rejected", "html", "replayed"]


@dataclass(slots=True)
class Faults:
    """Plain settings, read at each request; ``setting`` sets and restores them.

    Attributes:
        ca_refuses: The authority answers 401 to every request.
        ca_clock_offset_s: Added to the authority's clock, so to the validity of certificates.
        certificate_lifetime_s: How long a certificate is valid; Fulcio's is ten minutes.
        without_sct: Certificates carry no signed certificate timestamp.
        wrong_sct_key: The timestamp is signed by a key that nobody trusts.
        log_down: The transparency log answers 503.
        log_without_proof: Entries come without their proof of inclusion.
        wrong_checkpoint_key: Checkpoints are signed by a key that nobody trusts.
        wrong_promise: Version 1 promises with a key that nobody trusts.
        wrong_root: The proof leads to another root than the checkpoint's.
        log_clock_offset_s: Added to the log's clock (version 1 says when it took an entry in).
        tsa: down (503), hangs, wrong-nonce, rejected (by status), html, or replayed (an earlier
            reply, for other bytes).
        tsa_clock_offset_s: Added to the time-stamp authority's clock.
        tuf_down: The update repository answers 503.
        oidc_refuses: The login page sends the browser back with ``access_denied``.
    """

    ca_refuses: bool = False
    ca_clock_offset_s: int = 0
    certificate_lifetime_s: int = 600
    without_sct: bool = False
    wrong_sct_key: bool = False
    log_down: bool = False
    log_without_proof: bool = False
    wrong_checkpoint_key: bool = False
    wrong_promise: bool = False
    wrong_root: bool = False
    log_clock_offset_s: int = 0
    tsa: TsaFault = ""
    tsa_clock_offset_s: int = 0
    tuf_down: bool = False
    oidc_refuses: bool = False

    @contextmanager
    def setting(self, **settings: Any) -> Iterator[None]:
        """Set these while the block runs."""
        before = {name: getattr(self, name) for name in settings}
        for name, value in settings.items():
            setattr(self, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def clear(self) -> None:
        """Be honest again."""
        for field in fields(self):
            setattr(self, field.name, field.default)
