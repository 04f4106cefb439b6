"""A repository in a Hugging Face cache: the one place whose links are followed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Cache", "find_cache"]


@dataclass(frozen=True, slots=True)
class Cache:
    """One repository of a Hugging Face cache: ``models--org--name/{blobs,snapshots/REVISION}``."""

    blobs: str

    def find_blob(self, link: Path) -> tuple[str, os.stat_result] | None:
        """Return the blob that ``link`` leads to, a direct child of ``blobs``, and its status.

        The text of the link must be the one way there, ``../../blobs/NAME`` or absolute. Any other
        may pass through a link on its way, and then the system would open another file than this.
        """
        folder, _, name = str(link.readlink()).rpartition("/")
        if folder not in (self.blobs, os.path.relpath(self.blobs, link.parent)):
            return None
        if name in ("", ".", ".."):
            return None
        target = f"{self.blobs}/{name}"
        try:
            status = os.lstat(target)
        except OSError:
            return None
        return (target, status) if stat.S_ISREG(status.st_mode) else None


def find_cache(folder: Path) -> Cache | None:
    """Return the cached repository whose snapshot ``folder`` is or lies in."""
    for revision in (folder, *folder.parents):
        repository = revision.parent.parent
        if revision.parent.name == "snapshots" and "--" in repository.name:
            blobs = repository / "blobs"
            return Cache(str(blobs)) if blobs.is_dir() and not blobs.is_symlink() else None
    return None
