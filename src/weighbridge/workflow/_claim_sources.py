"""Where claims lie: files, folders and stores, as a user names them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.artifact import (
    CLAIMS_NAME,
    DEFAULT_SIGNATURE_NAME,
    check_lines,
    find_claims,
    read_document,
)
from weighbridge.core import printable
from weighbridge.errors import InputError, LimitExceededError, WeighbridgeError
from weighbridge.store import open_store
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from weighbridge.core import Limits
    from weighbridge.core.ports import BundleStore, StrPath

__all__ = ["ClaimLines", "list_own_lines", "open_sources"]

_STORE_FOLDER = "sha256"  # as FolderStore makes it
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class ClaimLines:
    """Bundles of one place, unread and unverified.

    Attributes:
        place: Where they are from, for people.
        data: As it was read.
        numbered: Whether each line is a bundle, and people find them by their line.
        problem: Why there are none although there should be; empty if there is no reason.
    """

    place: str
    data: bytes = field(default=b"", repr=False)
    numbered: bool = True
    problem: str = ""

    def split(self) -> Iterator[bytes]:
        """Yield the bundles, one by one, for they may be many."""
        if not self.numbered:
            yield self.data
            return
        start = 0
        while (end := self.data.find(b"\n", start)) >= 0:
            yield self.data[start:end]
            start = end + 1
        yield self.data[start:]


def list_own_lines(artifact: Path, signature: Path, *, limits: Limits) -> list[ClaimLines]:
    """Return what lies with an artifact: its claims file and its signature, as far as they exist.

    Whoever made the artifact made these too: what is wrong with them (a link, a file that is far
    too large) is said and is no error, and no link is followed.

    Args:
        artifact: A file or a folder.
        signature: Where its signature is, or would be.
        limits: ``max_signature_bytes`` applies to each.
    """
    found = []
    for path, split in ((find_claims(artifact), True), (signature, False)):
        if not os.path.lexists(path):
            continue
        place = printable(str(path))
        try:
            found.append(_read(path, limits, split=split, follow=False))
        except WeighbridgeError as error:
            found.append(ClaimLines(place, problem=str(error)))
    return found


def open_sources(
    sources: Sequence[StrPath | BundleStore], *, limits: Limits
) -> tuple[list[ClaimLines], list[tuple[str, BundleStore]]]:
    """Read what a user names as ``--claims``; stores are opened, and asked later.

    A path may be a claims file, a single bundle, a folder with ``claims.jsonl`` (an artifact), a
    folder that is a store, or a folder of bundles: ``*.jsonl``, ``*.json`` and ``*.sig`` in it,
    not below it. A string that begins as a URI does names a store.

    Args:
        sources: From the user.
        limits: ``max_signature_bytes`` applies to each file, and to the files of a folder together.

    Raises:
        InputError: A place is missing, cannot be read, or holds no claims at all.
        LimitExceededError: A file is too large, or there are too many.
    """
    if isinstance(sources, (str, os.PathLike)):
        raise InputError("claims is a list of places; write claims=[...]")
    lines: list[ClaimLines] = []
    stores: list[tuple[str, BundleStore]] = []
    for source in sources:
        if not isinstance(source, (str, os.PathLike)):
            stores.append((type(source).__name__, source))
            continue
        is_uri = isinstance(source, str) and _URI.match(source) and not os.path.lexists(source)
        path = None if is_uri else to_path(source, what="claims")
        if path is None or _is_store(path):
            shown = printable(os.fspath(source), limit=200)
            stores.append((shown, open_store(path or source, limits=limits)))
        elif path.is_dir():
            lines += _read_folder(path, limits)
        else:
            lines.append(_read_named(path, limits))
    return lines, stores


def _is_store(path: Path) -> bool:
    """Tell a store by its one folder; an artifact may have one of that name."""
    return (path / _STORE_FOLDER).is_dir() and not os.path.lexists(path / CLAIMS_NAME)


def _read_named(path: Path, limits: Limits) -> ClaimLines:
    if not os.path.lexists(path):
        raise InputError(f"there are no claims at {printable(str(path))}; check the path")
    return _read(path, limits, split=None, follow=True)


def _read_folder(folder: Path, limits: Limits) -> list[ClaimLines]:
    """Read an artifact's claims file and signature, or each file with the name of a bundle."""
    claims = folder / CLAIMS_NAME
    if os.path.lexists(claims):
        return list_own_lines(folder, folder / DEFAULT_SIGNATURE_NAME, limits=limits)
    found: list[ClaimLines] = []
    left_bytes = limits.max_signature_bytes
    for name in _list_bundles(folder, limits):
        read = _read(folder / name, limits, split=None, follow=True)
        left_bytes -= len(read.data)
        if left_bytes < 0:
            limit = limits.max_signature_bytes
            raise LimitExceededError(
                "max_signature_bytes",
                limit=limit,
                actual=limit - left_bytes,
                subject=f"claims in {printable(str(folder))}",
            )
        found.append(read)
    if not found:
        raise InputError(
            f"{printable(str(folder))} holds no claims: neither {CLAIMS_NAME}, nor bundles "
            "(*.jsonl, *.json, *.sig), nor a store"
        )
    return found


def _list_bundles(folder: Path, limits: Limits) -> list[str]:
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.endswith((".jsonl", ".json", ".sig")) or entry.is_dir():
                    continue
                names.append(entry.name)
                if len(names) > limits.max_claims:
                    raise LimitExceededError(
                        "max_claims",
                        limit=limits.max_claims,
                        actual=len(names),
                        subject=f"claims in {printable(str(folder))}",
                    )
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise InputError(f"{printable(str(folder))} cannot be read: {reason}") from error
    return sorted(names)


def _read(path: Path, limits: Limits, *, split: bool | None, follow: bool) -> ClaimLines:
    """Read a file.

    Args:
        path: The file.
        limits: ``max_signature_bytes`` applies, and ``max_entries`` to lines.
        split: Whether each line is a bundle; None: as it looks.
        follow: Whether it may be a link.
    """
    data = read_document(
        path,
        what="claims file",
        limit_name="max_signature_bytes",
        limit_bytes=limits.max_signature_bytes,
        follow=follow,
    )
    place = printable(str(path))
    if split or (split is None and _is_split(path.name, data)):
        check_lines(data, shown=place, limits=limits)
        return ClaimLines(place, data)
    return ClaimLines(place, data, numbered=False)


def _is_split(name: str, data: bytes) -> bool:
    """Tell lines of bundles from one bundle that somebody spread over several lines."""
    if name.endswith(".jsonl"):
        return True
    first, _, rest = data.strip().partition(b"\n")
    return bool(rest) and not (first.startswith(b"{") and not first.rstrip().endswith(b"}"))
