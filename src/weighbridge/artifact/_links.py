"""Links: to which file of the same artifact a link leads, found without leaving the artifact."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import closing
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from weighbridge.core import printable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["resolve_link"]

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What Linux follows at most; a circle is longer.
_MAX_LINKS = 40


def resolve_link(
    root: int, link: str, *, folder: Path, max_depth: int
) -> tuple[str, os.stat_result] | str:
    """Return the regular file that ``link`` leads to, or half a sentence that says why none.

    The way is walked part by part, each opened relative to the one before and never through a
    link, and ``..`` goes back to a folder that is still open. So the file lies inside the artifact
    even while somebody renames things, as with ``openat2`` and ``RESOLVE_BENEATH``. Only the last
    part may be a link again: a link to a folder is no part of an artifact.

    Args:
        root: The artifact's folder, open.
        link: Path of the link inside it.
        folder: Its absolute path, for links that spell it out.
        max_depth: Folders below each other.

    Returns:
        The path of the file inside the artifact, and what it was.

    Raises:
        OSError: The way changed while it was walked.
    """
    target = link
    with closing(_Way(root)) as way:
        for _ in range(_MAX_LINKS + 1):
            parts = target.split("/")
            if target.startswith("/"):
                way.restart()
                path = PurePosixPath(target)
                if not path.is_relative_to(folder):
                    return _leads("outside the artifact", target)
                parts = list(path.relative_to(folder).parts)
            found = _go(way, parts, max_depth)
            if isinstance(found, str):
                return _leads(found, target)
            name, status = found
            if stat.S_ISREG(status.st_mode):
                return way.spell(name), status
            if not stat.S_ISLNK(status.st_mode):
                return _leads("to something that is not a regular file", target)
            target = os.readlink(name, dir_fd=way.last)
    return _leads("in a circle", target)


def _leads(where: str, target: str) -> str:
    return f"is a symbolic link that leads {where} ({printable(target, limit=120)})"


def _go(way: _Way, parts: list[str], max_depth: int) -> tuple[str, os.stat_result] | str:
    """Walk all parts but the last, which is looked at; it may be a link."""
    for index, name in enumerate(parts):
        if name in ("", "."):
            continue
        if name == "..":
            if not way.go_back():
                return "outside the artifact"
            continue
        try:
            status = os.stat(name, dir_fd=way.last, follow_symlinks=False)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENAMETOOLONG}:
                return "nowhere"
            raise
        if not stat.S_ISDIR(status.st_mode):
            return (name, status) if index == len(parts) - 1 else "through what is no folder"
        if way.depth >= max_depth:
            return "through too many folders"
        way.enter(name)
    return "to a folder"


class _Way:
    """The folders from the artifact's own to where we are, all open."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._opened: list[int] = []
        self._names: list[str] = []

    @property
    def last(self) -> int:
        return self._opened[-1] if self._opened else self._root

    @property
    def depth(self) -> int:
        return len(self._opened)

    def spell(self, name: str) -> str:
        return "/".join((*self._names, name))

    def enter(self, name: str) -> None:
        self._opened.append(os.open(name, _OPEN_FOLDER, dir_fd=self.last))
        self._names.append(name)

    def go_back(self) -> bool:
        if not self._opened:
            return False
        os.close(self._opened.pop())
        self._names.pop()
        return True

    def restart(self) -> None:
        while self.go_back():
            pass

    def close(self) -> None:
        self.restart()
