"""A store that is a folder: one file for each bundle and subject."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from weighbridge.artifact import LEFTOVER, check_writable, draft_document
from weighbridge.core import parse_statement, printable
from weighbridge.errors import (
    IncompleteError,
    InputError,
    LimitExceededError,
    ParseError,
    WeighbridgeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from weighbridge.core import Bundle, Digest, Limits

__all__ = ["FolderStore"]

_ROOT = "sha256"
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME = re.compile(r"[0-9a-f]{64}\.json")
_HEX = re.compile(r"[0-9a-f]{64}")
_SHARD_DIGITS = 2
_AT_ONCE = 64  # files that are filled before the first is there; each takes two descriptors
# What opening says of a link, a file where a folder is wanted, a socket or pipe.
_STRANGE = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO})
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE})


class FolderStore:
    """Bundles in ``FOLDER/sha256/AB/<subject's sha256>/<bundle's sha256>.json``.

    Names are made of digests alone, which are computed or are hex; links inside are not followed.
    Files are never changed, and each appears whole, so that any number of processes may add at
    the same time and may be killed.

    Args:
        folder: Made when something is added, if the folder above is there.
        limits: ``max_signature_bytes`` bounds all bundles about one artifact together,
            ``max_entries`` their number.
    """

    def __init__(self, folder: Path, *, limits: Limits) -> None:
        self._folder = folder.absolute()
        self._limits = limits
        self._shown = printable(str(folder))

    @property
    def local_paths(self) -> tuple[Path, ...]:
        """The folder."""
        return (self._folder,)

    def check(self) -> None:
        """Find out whether bundles can be added; nothing is made.

        Raises:
            InputError: The folder is no store, or cannot be written or made.
            IncompleteError: The disk is full, or fails.
        """
        if not os.path.lexists(self._folder):
            if not os.path.lexists(self._folder.parent):
                raise InputError(
                    f"the store {self._shown} cannot be made: its folder is missing; make that"
                )
            check_writable(self._folder.parent)
            return
        with self._opened() as root:
            self._refuse_other(root)
            check_writable(self._folder)
            try:
                inner = os.open(_ROOT, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=root)
            except FileNotFoundError:
                return
            except OSError as error:
                raise self._refusal(error, _ROOT) from error
            os.close(inner)
            check_writable(self._folder / _ROOT)

    def add(self, bundles: Sequence[Bundle]) -> int:
        """Keep bundles under the sha256 of each of their subjects, each once.

        What can go wrong while files are filled leaves the store as it was.

        Returns:
            How many of the bundles were not there yet under all of their subjects.

        Raises:
            InputError: One has a subject without a sha256, or the folder is no store or cannot be
                written.
            IncompleteError: The disk is full, or fails.
            LimitExceededError: A bundle is larger than ``max_signature_bytes``.
        """
        wanted = [(s, b.raw) for b in bundles for s in self._find_subjects(b)]
        if not wanted:
            return 0
        new: set[bytes] = set()
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise self._refusal(error) from error
        with self._opened() as root:
            self._refuse_other(root)
            for start in range(0, len(wanted), _AT_ONCE):
                new |= self._add_some(root, wanted[start : start + _AT_ONCE])
        return len(new)

    def find(self, digest: Digest) -> Iterator[bytes]:
        """Yield the bundles about an artifact as they were added, unread and unverified.

        They come in the order of their digests.

        Raises:
            InputError: There is no such store.
            IncompleteError: It holds something that it did not write, or cannot be read.
            LimitExceededError: More than ``max_entries``, or ``max_signature_bytes`` together.
        """
        left_bytes = limit = self._limits.max_signature_bytes
        with ExitStack() as stack:
            place = stack.enter_context(self._opened())
            for name in (_ROOT, digest.hex[:_SHARD_DIGITS], digest.hex):
                try:
                    place = os.open(name, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=place)
                except FileNotFoundError:
                    return
                except OSError as error:
                    raise self._refusal(error, name) from error
                stack.callback(os.close, place)
            names = self._list(place)
            for name in names:
                data = self._read(place, name, left_bytes)
                left_bytes -= len(data)
                if left_bytes < 0:
                    raise LimitExceededError(
                        "max_signature_bytes",
                        limit=limit,
                        actual=limit - left_bytes,
                        subject=f"bundles about {digest} in {self._shown}",
                    )
                yield data

    def _find_subjects(self, bundle: Bundle) -> list[str]:
        limit = self._limits.max_signature_bytes
        if len(bundle.raw) > limit:
            actual = len(bundle.raw)
            raise LimitExceededError(
                "max_signature_bytes", limit=limit, actual=actual, subject="a bundle for the store"
            )
        try:
            statement = parse_statement(bundle.envelope.payload, limits=self._limits)
        except ParseError as error:
            raise InputError(f"the store takes signed statements only: {error}") from error
        digests = [subject.digest.get("sha256", "") for subject in statement.subjects]
        if not all(map(_HEX.fullmatch, digests)):
            raise InputError(
                "a subject has no sha256, so that the store could not find its bundle again; "
                "name every subject by its sha256"
            )
        return list(dict.fromkeys(digests))

    def _add_some(self, root: int, wanted: Sequence[tuple[str, bytes]]) -> set[bytes]:
        """Fill all files, then name them; return the bundles of which one was not there."""
        new: set[bytes] = set()
        with ExitStack() as stack:
            drafts = []
            for subject, data in wanted:
                place = stack.enter_context(self._made(root, subject))
                name = f"{hashlib.sha256(data).hexdigest()}.json"
                if self._has(place, name, data):
                    continue
                new.add(data)
                shown = f"{self._shown}/…/{name}"
                drafts.append(stack.enter_context(draft_document(place, name, data, shown=shown)))
            for publish in drafts:
                publish()
        return new

    @contextmanager
    def _made(self, root: int, subject: str) -> Iterator[int]:
        """Open the folder of a subject, and make those on the way that are missing."""
        place = os.dup(root)
        try:
            for name in (_ROOT, subject[:_SHARD_DIGITS], subject):
                above = place
                try:
                    place = _make(name, above)
                except OSError as error:
                    raise self._refusal(error, name) from error
                os.close(above)
            yield place
        finally:
            os.close(place)

    def _has(self, place: int, name: str, data: bytes) -> bool:
        """Return whether the file holds these bytes; one that was damaged is written again."""
        try:
            return self._read(place, name, len(data)) == data
        except WeighbridgeError:
            return False

    def _list(self, place: int) -> list[str]:
        names: list[str] = []
        with os.scandir(place) as entries:
            for count, entry in enumerate(entries, 1):
                if count > self._limits.max_entries:
                    raise LimitExceededError(
                        "max_entries",
                        limit=self._limits.max_entries,
                        actual=count,
                        subject=f"bundles about one artifact in {self._shown}",
                    )
                if _NAME.fullmatch(entry.name):
                    names.append(entry.name)
                elif not LEFTOVER.fullmatch(entry.name):  # of a writer that works, or was killed
                    raise self._strange(entry.name)
        return sorted(names)

    def _read(self, place: int, name: str, limit_bytes: int) -> bytes:
        """Return a file, one byte beyond the limit at most."""
        try:
            descriptor = os.open(name, _OPEN_FILE, dir_fd=place)
        except OSError as error:
            raise self._refusal(error, name) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise self._strange(name)
        try:
            with os.fdopen(descriptor, "rb") as file:
                return file.read(limit_bytes + 1)
        except OSError as error:
            raise self._refusal(error) from error

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            root = os.open(self._folder, _OPEN_FOLDER)
        except FileNotFoundError as error:
            raise InputError(f"there is no store at {self._shown}; check its name") from error
        except OSError as error:
            raise self._refusal(error) from error
        try:
            yield root
        finally:
            os.close(root)

    def _refuse_other(self, root: int) -> None:
        """Refuse a folder that is something else: the store would be in the midst of it."""
        with os.scandir(root) as entries:
            is_empty = next(entries, None) is None
        if not is_empty and not _is_there(_ROOT, root):
            raise InputError(
                f"{self._shown} holds other things and is no store; give a folder of its own"
            )

    def _strange(self, name: str) -> IncompleteError:
        return IncompleteError(
            f"the store {self._shown} holds {printable(name)}, which is no bundle that it wrote; "
            "find out who put it there, and move it away"
        )

    def _refusal(self, error: OSError, name: str = "") -> WeighbridgeError:
        if name and error.errno in _STRANGE:
            return self._strange(name)
        reason = (error.strerror or "error").lower()
        if error.errno in _PASSING:
            return IncompleteError(f"the store {self._shown} cannot be used: {reason}; try again")
        return InputError(f"the store {self._shown} cannot be used: {reason}")


def _make(name: str, folder: int) -> int:
    """Open a folder in one that is open; make it if it is missing, and let the disk know."""
    try:
        os.mkdir(name, dir_fd=folder)
        os.fsync(folder)
    except FileExistsError:
        pass
    return os.open(name, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except OSError:
        return False
    return True
