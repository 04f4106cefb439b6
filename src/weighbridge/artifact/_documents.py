"""The small documents around an artifact: reading keys and policies, writing results."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from weighbridge.core import printable
from weighbridge.errors import (
    IncompleteError,
    InputError,
    LimitExceededError,
    WeighbridgeError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = [
    "LEFTOVER",
    "check_writable",
    "draft_document",
    "read_document",
    "remove_leftovers",
    "write_atomically",
    "write_document",
    "write_report",
]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
# What file systems without nameless files say, and kernels that do not know of them.
_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
LEFTOVER = re.compile(r"\.weighbridge-[0-9a-f]{16}\.tmp")


def read_document(
    path: Path, *, what: str, limit_name: str, limit_bytes: int, follow: bool = True
) -> bytes:
    """Read a small file whole.

    A pipe or device is refused, not waited for; the size is judged before anything is read.

    Args:
        path: The file.
        what: What it is, for messages: ``signature file``.
        limit_name: The field of ``Limits`` that bounds it.
        limit_bytes: That bound.
        follow: Whether a symbolic link is followed, as it is where the path is the user's own; not
            where somebody else may have put the link there.

    Raises:
        InputError: Missing, not a regular file, or unreadable.
        LimitExceededError: Larger than ``limit_bytes``.
    """
    shown = printable(str(path))
    try:
        mode, size_bytes, data = _read_bounded(path, limit_bytes, follow=follow)
    except FileNotFoundError as error:
        raise InputError(f"there is no {what} at {shown}") from error
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        if isinstance(error, OSError) and error.errno == errno.ELOOP and not follow:
            message = f"the {what} {shown} is a symbolic link; put the file itself there"
            raise InputError(message) from error
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputError(f"cannot read the {what} {shown}: {reason}") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise InputError(f"the {what} {shown} is {kind}; name the file itself")
    if size_bytes > limit_bytes:
        raise LimitExceededError(limit_name, limit=limit_bytes, actual=size_bytes, subject=shown)
    return data


def _read_bounded(path: Path, limit_bytes: int, *, follow: bool) -> tuple[int, int, bytes]:
    """Return mode, size and content; no content of what is no regular file or too large."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit_bytes:
            return status.st_mode, status.st_size, b""
        data = _read_at_most(descriptor, limit_bytes + 1, status.st_size + 1)
        return status.st_mode, len(data), data  # it may have grown, or be empty as /proc says
    finally:
        os.close(descriptor)


def _read_at_most(descriptor: int, size_bytes: int, step_bytes: int) -> bytes:
    """Read to the end, or so many bytes; as a rule in one step."""
    parts: list[bytes] = []
    step_bytes = max(step_bytes, 1024 * 1024)
    while size_bytes > 0 and (part := os.read(descriptor, min(size_bytes, step_bytes))):
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o666, overwrite: bool = True) -> None:
    """Write a file so that others see the old content or the whole new one, whatever happens.

    The bytes go to a file that has no name yet, are flushed to the disk, and only then get their
    name. File systems without nameless files (NFS, some FUSE) get a hidden one beside the target
    instead. A run that is killed in the instant in which an old file is replaced can leave a
    hidden ``.weighbridge-….tmp`` behind; :func:`remove_leftovers` removes it.

    Args:
        path: The target. If it is a symbolic link, the link is replaced and not followed.
        data: The whole content.
        mode: Permission bits; the process's umask is taken off. 0o600 for private keys. A file
            that is replaced keeps its own.
        overwrite: Whether an existing file may be replaced.

    Raises:
        InputError: The file exists and ``overwrite`` is false, what is there is a folder, a pipe
            or a device, or the system refuses.
        IncompleteError: The disk is full, or fails.
    """
    shown = printable(str(path))
    with contextlib.ExitStack() as stack:
        with _refusing(shown):
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, folder)
        draft = draft_document(folder, path.name, data, shown=shown, mode=mode, overwrite=overwrite)
        stack.enter_context(draft)()


@contextlib.contextmanager
def draft_document(
    folder: int,
    name: str,
    data: bytes,
    *,
    shown: str,
    mode: int = 0o666,
    overwrite: bool = True,
) -> Iterator[Callable[[], None]]:
    """Write a file where nobody sees it; calling what is yielded gives it its name.

    Several files can so be filled before the first of them is there: a full disk is met while all
    are as they were.

    Args:
        folder: A descriptor of the folder; stays open as long as the draft.
        name: Of the file in it.
        data: The whole content.
        shown: What to call the file in messages.
        mode: As for :func:`write_atomically`.
        overwrite: As for :func:`write_atomically`.

    Raises:
        InputError: As :func:`write_atomically`, also from what is yielded.
        IncompleteError: As :func:`write_atomically`, also from what is yielded.
    """
    with _refusing(shown):
        beside = f".weighbridge-{os.urandom(8).hex()}.tmp"
        target = _Target(folder, name, beside, mode, _look_at(name, folder, shown=shown))
    with contextlib.ExitStack() as stack:
        stack.callback(target.tidy)
        with _refusing(shown):
            try:
                nameless = stack.enter_context(_open_nameless(target, data))
            except OSError:  # O_TMPFILE is not to be had; anything else fails again below
                nameless = None
                _fill_beside(target, data)

        def publish() -> None:
            with _refusing(shown):
                try:
                    if nameless is None:
                        _name_beside(target, overwrite=overwrite)
                    else:
                        _name_nameless(nameless, target, overwrite=overwrite)
                except FileExistsError:
                    raise
                except OSError:  # /proc is not to be had; anything else fails again below
                    if nameless is None:
                        raise
                    _copy_beside(nameless, target)
                    _name_beside(target, overwrite=overwrite)
                os.fsync(folder)

        yield publish


def check_writable(folder: Path) -> None:
    """Refuse a folder in which no file could be made; nothing is left there.

    Raises:
        InputError: It is missing, is no folder, or the system refuses.
        IncompleteError: The disk is full, or fails.
    """
    with _refusing(printable(str(folder))):
        try:
            os.close(os.open(folder, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600))
        except OSError as error:
            if error.errno not in _NO_TMPFILE:
                raise
            if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from error


def write_document(
    path: Path, data: bytes, *, limit_name: str, limit_bytes: int, overwrite: bool = True
) -> None:
    """Write what :func:`read_document` can read again, whole or not at all.

    Args:
        path: As for :func:`write_atomically`.
        data: The whole content.
        limit_name: The field of ``Limits`` that bounds it.
        limit_bytes: That bound.
        overwrite: As for :func:`write_atomically`.

    Raises:
        InputError: As :func:`write_atomically`.
        IncompleteError: As :func:`write_atomically`.
        LimitExceededError: Larger than ``limit_bytes``: nobody could read it again.
    """
    if len(data) > limit_bytes:
        raise LimitExceededError(
            limit_name, limit=limit_bytes, actual=len(data), subject=printable(str(path))
        )
    write_atomically(path, data, overwrite=overwrite)


def write_report(path: Path, data: bytes) -> None:
    """Write a document that the user asked for: as a whole file, or into a pipe or terminal.

    Args:
        path: The target; ``/dev/stdout`` and named pipes are written into.
        data: The whole content.

    Raises:
        InputError: What is there is a folder or a disk, or the system refuses.
        IncompleteError: The disk is full, or fails.
    """
    try:
        status = path.stat()
    except OSError:
        status = None
    if status is None or not (stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode)):
        write_atomically(path, data)
        return
    try:
        with path.open("wb") as stream:
            stream.write(data)
    except OSError as error:
        raise _refusal(printable(str(path)), error) from error


@contextlib.contextmanager
def _refusing(shown: str) -> Iterator[None]:
    """Turn what the system says about writing ``shown`` into our errors."""
    try:
        yield
    except FileExistsError as error:
        raise InputError(f"{shown} exists already; move it away first") from error
    except OSError as error:
        raise _refusal(shown, error) from error


def _refusal(shown: str, error: OSError) -> WeighbridgeError:
    """Return what to raise: a full disk is nobody's mistake, a missing folder is one."""
    reason = (error.strerror or "error").lower()
    if error.errno in _FULL:
        return IncompleteError(
            f"{shown} cannot be written: {reason}; make room and try again, nothing was replaced"
        )
    if error.errno == errno.ENOENT:
        return InputError(f"{shown} cannot be written: its folder is missing; make it first")
    return InputError(f"{shown} cannot be written: {reason}")


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed :func:`write_atomically` left in ``folder``; nothing else.

    Raises:
        InputError: One is there and the system refuses to remove it.
    """
    try:
        for path in folder.glob(".weighbridge-*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # another run tidied it, or needed it
                if LEFTOVER.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
                    path.unlink()
    except OSError as error:
        shown = printable(str(folder))
        raise InputError(f"{shown} cannot be tidied: {error.strerror}") from error


def _look_at(name: str, folder: int, *, shown: str) -> int | None:
    """Return the permissions of the regular file that is there, or None; refuse what is neither."""
    try:
        status = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(status.st_mode):
        return stat.S_IMODE(status.st_mode)
    if not stat.S_ISLNK(status.st_mode):
        raise InputError(f"{shown} is there and is not a regular file; choose another name")
    return None


class _Target(NamedTuple):
    folder: int
    name: str
    beside: str
    mode: int
    kept_mode: int | None

    def link(self, source: str, name: str) -> None:
        os.link(source, name, src_dir_fd=self.folder, dst_dir_fd=self.folder, follow_symlinks=True)

    def replace(self) -> None:
        os.replace(self.beside, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def tidy(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.beside, dir_fd=self.folder)


def _open_nameless(target: _Target, data: bytes) -> BinaryIO:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_TMPFILE
    file = os.fdopen(os.open(".", flags, target.mode, dir_fd=target.folder), "w+b")
    try:
        _fill(file, data, target)
    except BaseException:
        with contextlib.suppress(OSError):  # closing tries once more to write what did not fit
            file.close()
        raise
    return file


def _name_nameless(file: BinaryIO, target: _Target, *, overwrite: bool) -> None:
    source = f"/proc/self/fd/{file.fileno()}"
    try:
        target.link(source, target.name)
    except FileExistsError:
        if not overwrite:
            raise
        # A link cannot replace a name, a rename can.
        target.link(source, target.beside)
        target.replace()


def _open_beside(target: _Target) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.fdopen(os.open(target.beside, flags, target.mode, dir_fd=target.folder), "wb")


def _fill_beside(target: _Target, data: bytes) -> None:
    with _open_beside(target) as file:
        _fill(file, data, target)


def _copy_beside(source: BinaryIO, target: _Target) -> None:
    source.seek(0)
    with _open_beside(target) as file:
        _fill(file, b"", target)
        while part := source.read(1024 * 1024):
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _name_beside(target: _Target, *, overwrite: bool) -> None:
    if overwrite:
        target.replace()
    else:
        target.link(target.beside, target.name)


def _fill(file: BinaryIO, data: bytes, target: _Target) -> None:
    if target.kept_mode is not None:
        os.fchmod(file.fileno(), target.kept_mode)
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
