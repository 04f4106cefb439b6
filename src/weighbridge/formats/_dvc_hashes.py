"""DVC's md5: of a file, of a text file as DVC 1 and 2 took it, and of a folder's list."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.core.ports import ByteSource

__all__ = ["DvcHashes", "compute_dvc_folder", "hash_dvc", "hash_dvc_legacy"]

# As DVC reads; where a piece ends decides which line ends it sees.
_PIECE_BYTES = 1024 * 1024
_LOOKED_AT_BYTES = 512
_TEXT_BYTES = bytes(range(32, 127)) + b"\n\r\t\f\b"
_MOST_BINARY_RATIO = 0.30


class DvcHashes(NamedTuple):
    """The md5 of one file, in lower-case hex.

    Attributes:
        name: POSIX path inside the artifact.
        md5: Of its bytes.
        legacy: What DVC 1 and 2 may have recorded for it, the newest way first; empty if nobody
            asked.
    """

    name: str
    md5: str
    legacy: tuple[str, ...] = ()


def hash_dvc(source: ByteSource) -> DvcHashes:
    """Hash a file while it is being hashed for its digest."""
    plain = hashlib.md5(usedforsecurity=False)
    offset = 0
    while piece := source.read_at(offset, _PIECE_BYTES):
        plain.update(piece)
        offset += len(piece)
    return DvcHashes(source.name, plain.hexdigest())


def hash_dvc_legacy(source: ByteSource) -> DvcHashes:
    r"""Hash a file as :func:`hash_dvc` does, and as DVC before 3 did too.

    That took the CR out of each ``\r\n`` of what looked like text in its first 512 bytes: of the
    whole file in early releases, of each MiB in later ones. A ``\r\n`` that lies across the end of
    a MiB stays.

    Source:
        ``dvc_data/hashfile/hash.py`` and ``istextfile.py``; DVC 1.0, ``dvc/utils/__init__.py``.
    """
    plain, each, whole = (hashlib.md5(usedforsecurity=False) for _ in range(3))
    offset = 0
    is_text_file = True
    while piece := source.read_at(offset, _PIECE_BYTES):
        is_text = _looks_like_text(piece[:_LOOKED_AT_BYTES])
        if offset == 0:
            is_text_file = is_text
        unix = piece.replace(b"\r\n", b"\n")
        plain.update(piece)
        each.update(unix if is_text else piece)
        whole.update(unix if is_text_file else piece)
        offset += len(piece)
    found = dict.fromkeys((each.hexdigest(), whole.hexdigest()))
    return DvcHashes(source.name, plain.hexdigest(), tuple(found))


def compute_dvc_folder(files: Iterable[tuple[str, str]]) -> str:
    """Return the md5 of a folder's list, without ``.dir``.

    Args:
        files: POSIX path inside the folder, and md5.

    Source:
        ``dvc_data/hashfile/tree.py``, ``Tree.as_bytes``.
    """
    listed = [{"md5": md5, "relpath": name} for name, md5 in sorted(files)]
    text = json.dumps(listed, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _looks_like_text(block: bytes) -> bool:
    if b"\0" in block:
        return False
    binary = block.translate(None, _TEXT_BYTES)
    return len(binary) <= _MOST_BINARY_RATIO * len(block)
