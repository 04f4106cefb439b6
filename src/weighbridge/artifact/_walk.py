"""Walk: which files an artifact has, without following a link and without reading a byte."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from weighbridge.artifact._cache import find_cache
from weighbridge.artifact._links import resolve_link
from weighbridge.artifact._scope import WHOLE, Scope
from weighbridge.artifact._tree import Entry, Tree, identify
from weighbridge.core import (
    ArtifactKind,
    ReadFailure,
    ReadFailureKind,
    collection_paused,
    printable,
)
from weighbridge.errors import InputError, LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from weighbridge.artifact._tree import Identity
    from weighbridge.core import Limits

__all__ = [
    "CLAIMS_NAME",
    "DEFAULT_SIGNATURE_NAME",
    "OUT_OF_SCOPE_NAMES",
    "walk",
]

DEFAULT_SIGNATURE_NAME = "model.sig"
CLAIMS_NAME = "claims.jsonl"

# What is not in the scope of a folder, at its top level and only if it is of this kind: a folder
# called .gitattributes is part of the artifact, or a payload could hide in it.
_FOLDERS_OUT_OF_SCOPE = frozenset({".git", ".github"})
_FILES_OUT_OF_SCOPE = frozenset({".git", ".gitattributes", ".gitignore", CLAIMS_NAME})

OUT_OF_SCOPE_NAMES = tuple(sorted(_FOLDERS_OUT_OF_SCOPE | _FILES_OUT_OF_SCOPE))

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# sha256sum escapes these in its output, so a line of it would no longer be "<hex>  <path>".
_UNWRITABLE = frozenset("\n\r\\")

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@collection_paused()
def walk(
    root: Path,
    *,
    limits: Limits,
    signature: Path | None = None,
    scope: Scope = WHOLE,
    before: Tree | None = None,
) -> Tree:
    """List every regular file of the artifact at ``root``.

    Folders are opened relative to their parent's descriptor and without following links, so what
    is listed lies inside ``root`` even while somebody renames things.

    Args:
        root: A file or a folder.
        limits: ``max_entries`` and ``max_path_depth`` apply.
        signature: The signature file, if it is not ``model.sig`` in the folder.
        scope: What else is left out, and whether links inside a folder are followed.
        before: The artifact as it was listed earlier. Its entries stand in the result again where
            nothing changed, so that listing again takes less time and memory and is quick to
            compare; the result is the same without.

    Raises:
        InputError: ``root`` is missing, a symbolic link, a device, unreadable, an empty folder, or
            a file of which something is to be left out.
        LimitExceededError: Too many entries, or too deep.

    Source:
        design, section 1: scope of a folder; links are refused except inside a Hugging Face cache.
    """
    try:
        absolute = _resolve_parent(root)
        status = os.lstat(absolute)
    except OSError as error:
        raise _unusable(root, error) from error
    if scope.ignored and not stat.S_ISDIR(status.st_mode):
        raise InputError(f"{printable(str(root))} is one file, of which nothing can be left out")
    if stat.S_ISLNK(status.st_mode):
        return _tree_of_linked_file(root, absolute)
    if stat.S_ISREG(status.st_mode):
        return _tree_of_file(root, absolute, status)
    if not stat.S_ISDIR(status.st_mode):
        what = _SPECIAL.get(stat.S_IFMT(status.st_mode), "not a regular file")
        raise InputError(f"{printable(str(root))} is {what}; give a file or a folder")
    place = _inside(signature, absolute)
    return _Walker(absolute, limits, place, scope=scope, before=before).run(root)


def _resolve_parent(path: Path) -> Path:
    """Return ``path`` absolute, links followed in all parts but the last: those the user chose.

    As the system does it: ``link/..`` is the parent of what ``link`` leads to.

    Raises:
        OSError: A part does not exist or cannot be searched.
    """
    if path.name in ("", ".."):  # there is no last part to look at: ``.``, ``/``, ``a/..``
        return path.resolve(strict=True)
    return path.parent.resolve(strict=True) / path.name


def _unusable(root: Path, error: OSError) -> InputError:
    shown = printable(str(root))
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return InputError(f"{shown} does not exist")
    return InputError(f"cannot read {shown}: {(error.strerror or 'error').lower()}")


def _inside(signature: Path | None, folder: Path) -> str:
    """Return the signature file's top-level or nested name inside ``folder``, or ``""``."""
    if signature is None:
        return DEFAULT_SIGNATURE_NAME
    try:
        absolute = _resolve_parent(signature)
    except OSError:  # its folder does not exist, so that it is not in this one
        return ""
    inside = absolute.is_relative_to(folder)
    return _decode_name(absolute.relative_to(folder).as_posix()) if inside else ""


def _decode_name(name: str) -> str:
    """Return a name as the UTF-8 that it is on disk, whatever the locale's encoding is.

    Bytes that are no UTF-8 are kept as lone surrogates (PEP 383).
    """
    if name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _decode_label(name: str) -> str:
    """Return a folder's own name, which is only a label, so that it can always be written down."""
    return _decode_name(name).encode("utf-8", "replace").decode()


def _name_problem(name: str) -> str:
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            return "has a name that is not UTF-8"
    if not _UNWRITABLE.isdisjoint(name):
        return "has a line break or a backslash in its name"
    return ""


def _tree_of_file(root: Path, absolute: Path, status: os.stat_result) -> Tree:
    name = _decode_name(absolute.name)
    if problem := _name_problem(name):
        raise InputError(f"{printable(str(root))} {problem}; rename it")
    entry = _to_entry(name, str(absolute), status)
    return Tree(ArtifactKind.FILE, absolute.parent, name, (entry,), (), (), ())


def _tree_of_linked_file(root: Path, absolute: Path) -> Tree:
    """Follow the one link that is allowed: a file of a Hugging Face snapshot."""
    cache = find_cache(absolute.parent)
    blob = cache.find_blob(absolute) if cache else None
    if blob is None:
        target = printable(str(absolute.readlink()))
        raise InputError(
            f"{printable(str(root))} is a symbolic link; give the path that it leads to ({target})"
        )
    name = _decode_name(absolute.name)
    target, status = blob
    entry = _to_entry(name, target, status)
    return Tree(ArtifactKind.FILE, absolute.parent, name, (entry,), (), (), ())


def _to_entry(name: str, path: str, status: os.stat_result) -> Entry:
    return Entry(name, path, status.st_size, identify(status), in_scope=True)


class _Place(NamedTuple):
    """A folder below the artifact's, with a slash at its end; empty for the artifact's own.

    ``name`` is UTF-8 whatever the locale, ``path`` is what the system has to be given; one object
    if they are equal.
    """

    name: str
    path: str


class _Walker:
    """Collects while walking; lives for one call of :func:`walk`."""

    def __init__(
        self, folder: Path, limits: Limits, signature: str, *, scope: Scope, before: Tree | None
    ) -> None:
        self._folder = folder
        self._root = -1
        self._scope = scope
        self._limits = limits
        self._names_out_of_scope = _FILES_OUT_OF_SCOPE | {signature}
        self._cache = find_cache(folder)
        self._before = {entry.name: entry for entry in before.entries} if before else {}
        self._entries: list[Entry] = []
        self._folders: list[tuple[str, Identity]] = []
        self._failures: list[ReadFailure] = []
        self._left_out: list[str] = []
        self._unwalked: list[str] = []
        self._count = 0

    def run(self, root: Path) -> Tree:
        try:
            descriptor = os.open(self._folder, _OPEN_FOLDER)
        except OSError as error:
            raise _unusable(root, error) from error
        with _closing(descriptor):
            self._root = descriptor
            self._walk(descriptor, _Place("", ""), depth=0, in_scope=True)
        self._entries.sort(
            key=itemgetter(0)
        )  # by name; by whole entries it takes four times as long
        if not self._failures and not any(entry.in_scope for entry in self._entries):
            raise InputError(
                f"{printable(str(root))} is an empty folder: there is nothing to weigh"
            )
        return Tree(
            kind=ArtifactKind.FOLDER,
            folder=self._folder,
            label=_decode_label(self._folder.name),
            entries=tuple(self._entries),
            failures=tuple(sorted(self._failures, key=lambda failure: failure.name)),
            left_out=tuple(sorted(self._left_out)),
            unwalked=tuple(sorted(self._unwalked)),
            folders=tuple(self._folders),
        )

    def _walk(self, descriptor: int, place: _Place, *, depth: int, in_scope: bool) -> None:
        if depth > self._limits.max_path_depth:
            raise LimitExceededError(
                "max_path_depth",
                limit=self._limits.max_path_depth,
                actual=depth,
                subject=printable(place.name),
            )
        try:
            self._folders.append((place.path, identify(os.fstat(descriptor))))
            with os.scandir(descriptor) as listing:
                folders = self._list(listing, place, in_scope=in_scope)
        except OSError as error:
            self._fail_folder(place, f"cannot be listed: {error.strerror}")
            return
        for name in folders:
            self._check_folder_name(name, place)
            inside = in_scope and not self._leave_out(name, place)
            if not place.name and name == ".git":
                self._unwalked.append(name)
            else:
                self._enter(descriptor, name, place, depth=depth + 1, in_scope=inside)

    def _list(
        self, listing: Iterable[os.DirEntry[str]], place: _Place, *, in_scope: bool
    ) -> list[str]:
        """Add the files of one folder and return the names of its folders.

        Runs once for each file, so it calls nothing of its own for an ordinary one.
        """
        folders: list[str] = []
        limit, count, ignored = self._limits.max_entries, self._count, self._scope.ignored
        entries, before, others = self._entries, self._before, self._names_out_of_scope
        prefix, is_same = place.path, place.name is place.path
        for item in listing:
            count += 1
            if count > limit:
                self._refuse_more(count)
            if ignored and self._ignore(item, place):
                continue
            own_name = item.name
            try:
                status = item.stat(follow_symlinks=False)
            except OSError:
                self._add(item, place, in_scope=in_scope)
                continue
            mode = status.st_mode
            if stat.S_ISDIR(mode):
                folders.append(own_name)
                continue
            path, size = prefix + own_name, status.st_size
            now = (status.st_dev, status.st_ino, size, status.st_mtime_ns, status.st_ctime_ns)
            is_usual = is_same and path not in others and stat.S_ISREG(mode)
            known = before.get(path)
            if is_usual and known is not None and known == (path, path, size, now, in_scope):
                entries.append(known)
            elif is_usual and own_name.isascii() and own_name.isprintable() and "\\" not in path:
                # Not Entry(...), which takes twice as long.
                entries.append(tuple.__new__(Entry, (path, path, size, now, in_scope)))
            else:
                self._add(item, place, in_scope=in_scope)
        self._count = count
        return folders

    def _ignore(self, item: os.DirEntry[str], place: _Place) -> bool:
        """Note and tell whether the caller leaves this out; it is not looked at then."""
        name = place.name + _decode_name(item.name)
        if name not in self._scope.ignored:
            return False
        self._left_out.append(name)
        if item.is_dir(follow_symlinks=False):
            self._unwalked.append(name)
        return True

    def _refuse_more(self, count: int) -> NoReturn:
        raise LimitExceededError(
            "max_entries",
            limit=self._limits.max_entries,
            actual=count,
            subject=printable(str(self._folder)),
        )

    def _check_folder_name(self, own_name: str, place: _Place) -> None:
        name = _decode_name(own_name)
        if problem := _name_problem(name):
            self._refuse(place.name + name, problem)

    def _leave_out(self, name: str, place: _Place) -> bool:
        """Note and tell whether a top-level folder is outside the scope."""
        if place.name or name not in _FOLDERS_OUT_OF_SCOPE:
            return False
        self._left_out.append(name)
        return True

    def _enter(self, parent: int, name: str, place: _Place, *, depth: int, in_scope: bool) -> None:
        inner_path = f"{place.path}{name}/"
        inner_name = f"{place.name}{_decode_name(name)}/"
        inner = _Place(inner_path if inner_name == inner_path else inner_name, inner_path)
        try:
            descriptor = os.open(name, _OPEN_FOLDER, dir_fd=parent)
        except OSError as error:
            self._fail_folder(inner, f"cannot be opened: {error.strerror}")
            return
        with _closing(descriptor):
            self._walk(descriptor, inner, depth=depth, in_scope=in_scope)

    def _fail_folder(self, place: _Place, reason: str) -> None:
        """Note a folder that cannot be looked into: it may hide files, so it is never skipped."""
        name = place.name.rstrip("/") or self._folder.name
        self._fail(name, ReadFailureKind.UNREADABLE, reason)

    def _add(self, item: os.DirEntry[str], place: _Place, *, in_scope: bool) -> None:
        """Add what is no folder, whatever it is."""
        own_name = _decode_name(item.name)
        name, path = place.name + own_name, place.path + item.name
        if problem := _name_problem(own_name):
            self._refuse(name, problem)
            return
        try:
            status = item.stat(follow_symlinks=False)
            mode = status.st_mode
            if stat.S_ISREG(mode):
                self._add_file(name, path, status, in_scope=in_scope)
            elif stat.S_ISLNK(mode):
                self._add_link(name, path, in_scope=in_scope)
            else:
                self._refuse(name, f"is {_SPECIAL.get(stat.S_IFMT(mode), 'not a regular file')}")
        except OSError as error:
            self._fail(name, ReadFailureKind.CHANGED, f"went away: {error.strerror}")

    def _add_file(self, name: str, path: str, status: os.stat_result, *, in_scope: bool) -> None:
        if in_scope and name in self._names_out_of_scope:
            self._left_out.append(name)
            in_scope = False
        self._entries.append(Entry(name, path, status.st_size, identify(status), in_scope))

    def _add_link(self, name: str, path: str, *, in_scope: bool) -> None:
        link = self._folder / path
        blob = self._cache.find_blob(link) if self._cache else None
        if blob is not None:
            self._add_file(name, *blob, in_scope=in_scope)
        elif self._scope.follow_links:
            self._follow(name, path, in_scope=in_scope)
        else:
            target = printable(str(link.readlink()), limit=120)
            self._refuse(name, f"is a symbolic link to {target}{self._scope.link_advice}")

    def _follow(self, name: str, path: str, *, in_scope: bool) -> None:
        depth = self._limits.max_path_depth
        found = resolve_link(self._root, path, folder=self._folder, max_depth=depth)
        if isinstance(found, str):
            self._refuse(name, found)
        else:
            self._add_file(name, *found, in_scope=in_scope)

    def _refuse(self, name: str, reason: str) -> None:
        self._fail(name, ReadFailureKind.REFUSED, reason)

    def _fail(self, name: str, kind: ReadFailureKind, reason: str) -> None:
        self._failures.append(ReadFailure(name, kind, reason))


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
