"""Services that several tests share: started when first asked for, honest in every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.sigstore import LocalSigstore


@pytest.fixture(scope="session")
def _sigstore() -> Iterator[LocalSigstore]:
    from services.sigstore import start  # noqa: PLC0415 - most tests need none of it

    with start() as local:
        yield local


@pytest.fixture
def local_sigstore(_sigstore: LocalSigstore) -> Iterator[LocalSigstore]:
    """A Sigstore on this machine; what a test breaks is mended after it."""
    _sigstore.faults.clear()
    yield _sigstore
    _sigstore.faults.clear()
