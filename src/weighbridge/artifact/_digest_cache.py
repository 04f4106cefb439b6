"""Digest cache: what this user hashed for a step before, and nobody touched since.

What is in it stands in records without being read again, so it has to be our own: in a folder that
nobody else can enter. It is never needed: whatever is wrong with it, files are read instead, and
a sentence says so.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact._devices import Devices
from weighbridge.artifact._digest_table import MAX_TABLE_BYTES, DigestTable, to_key
from weighbridge.core import collection_paused, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from weighbridge.artifact._tree import Identity

__all__ = ["DigestCache", "find_cache_folder"]

_NAME = "digests"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# A file that is younger than this when it is read could change again without a sign of it.
_GRAIN_NS = 2_000_000_000
_SECOND_NS = 1_000_000_000


class _UnusableError(Exception):
    """Why the cache is not used; a clause that begins with what it is about."""


def find_cache_folder(environ: Mapping[str, str]) -> Path:
    """Return where the cache is kept: ``weighbridge`` in the user's folder for caches.

    Source:
        XDG Base Directory Specification: ``$XDG_CACHE_HOME`` counts if it is absolute.
    """
    given = environ.get("XDG_CACHE_HOME", "")
    home = environ.get("HOME", "")
    if given.startswith("/"):
        return Path(given, "weighbridge")
    # expanduser would ask this process's own variables.
    return Path(home if home.startswith("/") else Path("~").expanduser(), ".cache", "weighbridge")


class DigestCache:
    """The sha256 of files by their identity: device, inode, size and both times.

    Held for one step. No method raises for what is wrong with the cache; ``problems`` says it.

    Args:
        folder: Where it is kept; made if it is not there.
        devices: Which devices can be believed.
    """

    def __init__(self, folder: Path, *, devices: Devices | None = None) -> None:
        self.folder = folder
        self._devices = devices or Devices()
        self._new: dict[bytes, bytes] = {}
        self._problems: dict[str, None] = {}
        self._is_left = False

    @property
    def file(self) -> Path:
        """Where it is, once something was written."""
        return self.folder / _NAME

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it was not used, in sentences."""
        return tuple(self._problems)

    @property
    def is_left(self) -> bool:
        """Whether it is left alone."""
        return self._is_left

    def leave(self, reason: str = "") -> None:
        """Leave it alone from now on: nothing is found in it, nothing is written to it.

        Args:
            reason: Why, if that is a problem; a clause about the cache.
        """
        self._is_left = True
        if reason:
            self._tell(_UnusableError(reason))

    @collection_paused()
    def find(self, identities: Iterable[Identity], *, where: str) -> dict[Identity, str]:
        """Return the sha256 in hex of those files that were hashed as they are now.

        Args:
            identities: Of the files as they are now.
            where: A path on the device that they are on.
        """
        if self._is_left:
            return {}
        wanted = {key: i for i in identities if (key := self._to_key(i, where)) is not None}
        if not wanted:
            return {}
        try:
            with self._open(os.O_RDONLY) as table:
                found, damaged = table.find(wanted)
        except FileNotFoundError:
            return {}
        except (OSError, _UnusableError) as error:
            self._tell(error)
            return {}
        if damaged:
            self._tell(_UnusableError(f"is damaged: {damaged:,} digests in it were not used"))
        return {wanted[key]: digest.hex() for key, digest in found.items()}

    @collection_paused()
    def add(
        self, digests: Iterable[tuple[Identity, str]], *, where: str, read_from_ns: int
    ) -> None:
        """Remember what was hashed; :meth:`save` writes it.

        Files that changed shortly before they were read are left out.

        Args:
            digests: Identity before and after reading, and the sha256 in hex.
            where: A path on the device that they are on.
            read_from_ns: When reading began, in ns since 1970.
        """
        if self._is_left:
            return
        newest = read_from_ns - _GRAIN_NS
        for identity, sha256 in digests:
            if identity[3] < newest and identity[4] < newest:
                key = self._to_key(identity, where)
                if key is not None:
                    self._new[key] = bytes.fromhex(sha256)

    @collection_paused()
    def save(self) -> None:
        """Write what was added, so that a step that begins now finds nothing of it unwritten."""
        if not self._new:
            return
        try:
            self._make_folder()
            with self._open(os.O_RDWR | os.O_CREAT) as table:
                table.add(self._new)
        except (OSError, _UnusableError) as error:
            self._tell(error)
        self._new.clear()

    def drop(self) -> None:
        """Remove the cache, whoever has written it, and leave it alone from now on."""
        self._new.clear()
        self.leave()
        try:
            folder = os.open(self.folder, _FOLDER)
            try:
                os.unlink(_NAME, dir_fd=folder)
            finally:
                os.close(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            self._tell(error)

    def _to_key(self, identity: Identity, where: str) -> bytes | None:
        # Whole seconds are the times of images and archives, and of disks that know no others.
        if not identity[4] % _SECOND_NS:
            return None
        device = self._devices.name(identity[0], where)
        return None if device is None else to_key(device, identity)

    def _make_folder(self) -> None:
        if not self.folder.exists():
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def _open(self, flags: int) -> Iterator[DigestTable]:
        """Open the table, if nobody else can have written it.

        Raises:
            OSError: The system refuses.
            _UnusableError: Somebody else could have, or it is none.
        """
        folder = os.open(self.folder, _FOLDER)
        try:
            _refuse_foreign(os.fstat(folder))
            descriptor = os.open(_NAME, flags | _FILE, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            status = os.fstat(descriptor)
            _refuse_foreign(status)
            table = DigestTable(descriptor)
            if (
                not stat.S_ISREG(status.st_mode)
                or status.st_size > MAX_TABLE_BYTES
                or not table.is_ours()
            ):
                raise _UnusableError("holds something else; remove it")
            if status.st_nlink != 1:
                raise _UnusableError("has a second name (a hard link); remove it")
            yield table
        finally:
            os.close(descriptor)

    def _tell(self, error: Exception) -> None:
        why = str(error)
        if isinstance(error, OSError):
            why = f"cannot be used: {(error.strerror or 'error').lower()}"
        self._problems[f"the digest cache in {printable(str(self.folder))} {why}"] = None


def _refuse_foreign(status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise _UnusableError("belongs to somebody else, so it is not believed")
    if status.st_mode & _OTHERS:
        raise _UnusableError("may be opened by others, so it is not believed; remove it")
