"""Store: bundles kept beyond the artifacts, and found again by what they are about."""

from __future__ import annotations

from weighbridge.store._folder import FolderStore
from weighbridge.store._open import open_store

__all__ = ["FolderStore", "open_store"]
