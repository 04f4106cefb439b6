"""Source: which commit a step's code is, and what differs from it."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import open_git
from weighbridge.core import DEFAULT_LIMITS, Dependency, printable
from weighbridge.errors import InputError, LimitExceededError, WeighbridgeError
from weighbridge.formats import parse_git_files, parse_git_status_text
from weighbridge.provenance._secrets import strip_credentials
from weighbridge.provenance._uris import to_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.artifact import GitRepository
    from weighbridge.core import Limits

__all__ = ["Source", "read_source"]

_ADVICE = "the step's source is then not recorded"
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES = 1024 * 1024
_EXECUTABLE = 0o100
_MAX_NESTED = 8  # submodules inside submodules


@dataclass(frozen=True, slots=True)
class Source:
    """A work tree of git.

    Attributes:
        remote: Where the branch is fetched from, else ``origin`` or the only remote, without
            credentials; empty if there is none.
        ref: ``refs/heads/...``; empty if no branch is checked out.
        commit: Of HEAD, in hex.
        path: The step's folder inside the work tree; ``.`` for all of it.
        changes_digest: The sha256 of what differs from the commit (:func:`read_source`); empty if
            nothing does, or if it could not be computed.
        changes: Names that differ from the commit, sorted.
        is_shallow: Whether older commits are missing here.
        submodules: Path and source of each one that is checked out, sorted.
        covered: Absolute paths of the files, also of submodules, of which the commit or the digest
            of the changes says what is in them.
    """

    remote: str
    ref: str
    commit: str
    path: str
    changes_digest: str = ""
    changes: tuple[str, ...] = ()
    is_shallow: bool = False
    submodules: tuple[tuple[str, Source], ...] = ()
    covered: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def is_dirty(self) -> bool:
        """Whether anything differs from the commit, here or in a submodule."""
        return bool(self.changes) or any(source.is_dirty for _, source in self.submodules)

    @property
    def is_detached(self) -> bool:
        """Whether no branch is checked out."""
        return not self.ref

    @property
    def uri(self) -> str:
        """``git+https://HOST/PATH@REF`` as in SLSA; empty without a remote."""
        if not self.remote:
            return ""
        return to_uri(f"git+{self.remote.removeprefix('git+')}@{self.ref or self.commit}")

    def to_dependencies(self, name: str = "source") -> tuple[Dependency, ...]:
        """Return the commit, then what differs from it, then the submodules likewise."""
        facts = {
            "dirty": self.is_dirty,
            "detached": self.is_detached,
            "shallow": self.is_shallow,
        }
        own = Dependency(
            name=name,
            digest={"gitCommit": self.commit},
            uri=self.uri,
            role="source",
            annotations={key: str(value).lower() for key, value in facts.items()}
            | {"path": _to_label(self.path)},
        )
        changes = Dependency(
            name=f"{name}-changes",
            digest={"sha256": self.changes_digest} if self.changes_digest else {},
            uri="" if self.changes_digest else "tag:weighbridge.dev,2026:source-changes",
            role="source-changes",
            annotations={"files": str(len(self.changes))},
        )
        below = (
            dependency
            for path, source in self.submodules
            for dependency in source.to_dependencies(f"{name}/{_to_label(path)}")
        )
        return (own, *((changes,) if self.changes else ()), *below)


def read_source(
    folder: Path, *, left_out: Iterable[Path] = (), limits: Limits = DEFAULT_LIMITS
) -> tuple[Source | None, tuple[str, ...]]:
    """Ask git which commit ``folder`` is at, and hash what differs from it in the work tree.

    Nothing of the repository is run and nothing is written. What differs are tracked files whose
    contents, mode or kind is another, and files that git neither tracks nor ignores. Their digest
    is the sha256 of one record each, ``KIND SHA256 NAME`` and a NUL, in the order of the names'
    bytes; the kind is ``file``, ``executable``, ``link`` (the sha256 of where it leads), ``commit``
    (that of a submodule) or ``gone`` (``-`` for the sha256). It depends on names and contents
    alone. Files that git was told to assume unchanged count as changed, and so do files of Git LFS
    that have other times than in git's index. Ignored files are not part of the source.

    Args:
        folder: Any folder in the work tree; the whole work tree is looked at.
        left_out: Files and folders that are recorded elsewhere, such as inputs and outputs.
        limits: ``max_list_bytes`` bounds what git prints, ``max_source_bytes`` what is hashed,
            ``max_entries`` the number of files.

    Returns:
        The source, or None without git, repository or commit; and what could not be found out, in
        sentences. Nothing is left out without one.

    Source:
        SLSA v1.0, resolvedDependencies; in-toto DigestSet, ``gitCommit``.
    """
    gone = frozenset(os.path.realpath(path) for path in left_out)
    try:
        source, problems = _read(Path(os.path.realpath(folder)), gone, limits, depth=0)
    except (WeighbridgeError, OSError) as error:
        return None, (f"the source is not known: {error}",)
    return source, tuple(problems)


def _read(
    folder: Path, left_out: frozenset[str], limits: Limits, *, depth: int
) -> tuple[Source, list[str]]:
    git = replace(open_git(folder, advice=_ADVICE, limits=limits), advice=_ADVICE)
    git = replace(git, folder=git.top)
    source = _read_head(git, folder)
    problems: list[str] = []
    path = source.path.encode("utf-8", "surrogateescape")
    if path != b"." and git.ask("check-ignore", "-z", "--stdin", given=path, none_is_1=True):
        problems.append(
            f"git ignores the folder {printable(source.path)}; "
            "the commit says nothing about what is in it"
        )
    files = list(parse_git_files(git.ask("ls-files", "-z", "-v", "-s")))
    submodules, said = _read_submodules(
        git, sorted({f.name for f in files if f.is_submodule}), left_out, depth
    )
    problems += said
    unchecked = {f.name for f in files if not (f.is_checked or f.is_submodule or f.is_unmerged)}
    names = _list_changes(git, left_out) | {
        name for name in unchecked if os.path.lexists(git.top / name)
    }
    nested = {name for name in names if name.endswith("/")}
    problems += [
        f"{printable(name)} is a repository of its own that the source does not track"
        for name in sorted(nested)
    ]
    kept = tuple(sorted(names - nested, key=_to_bytes))
    commits = {name: below.commit for name, below in submodules}
    digest, said = _digest_changes(git.top, kept, commits, limits) if kept else ("", [])
    source = replace(
        source,
        changes=tuple(sorted({*kept, *nested}, key=_to_bytes)),
        changes_digest=digest,
        submodules=submodules,
    )
    tracked = {f.name for f in files if not f.is_submodule}
    own = {git.top / name for name in {*(tracked - names), *(kept if digest else ())}}
    covered = {str(path) for path in own if not _is_left_out(path, left_out)}
    return (
        replace(source, covered=frozenset(covered).union(*(s.covered for _, s in submodules))),
        problems + said,
    )


def _read_head(git: GitRepository, folder: Path) -> Source:
    try:
        found = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except InputError as error:
        raise InputError("the git repository has no commit yet; make one") from error
    ref = _to_line(git.ask("symbolic-ref", "--quiet", "HEAD", none_is_1=True))
    printed = git.ask("config", "-z", "--get-regexp", r"^(remote|branch)\.", none_is_1=True)
    shallow = git.ask("rev-parse", "--is-shallow-repository")
    return Source(
        remote=_choose_remote(printed.decode("utf-8", "surrogateescape"), ref),
        ref=ref,
        commit=_to_line(found),
        path=folder.relative_to(git.top).as_posix(),
        is_shallow=_to_line(shallow) == "true",
    )


def _choose_remote(printed: str, ref: str) -> str:
    """Find the URL in what ``git config -z`` printed; the first URL of a remote is fetched from."""
    urls: dict[str, str] = {}
    branch = ref.removeprefix("refs/heads/")
    chosen = ""
    for item in printed.split("\0"):
        key, _, value = item.partition("\n")
        kind, _, rest = key.partition(".")
        name, _, what = rest.rpartition(".")
        if kind == "remote" and what == "url":
            urls.setdefault(name, value)
        elif kind == "branch" and what == "remote" and name == branch:
            chosen = value
    only = next(iter(urls)) if len(urls) == 1 else ""
    url = urls.get(chosen) or urls.get("origin") or urls.get(only, "")
    return printable(strip_credentials(url)) if url else ""


def _list_changes(git: GitRepository, left_out: frozenset[str]) -> set[str]:
    printed = git.ask(
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--ignored=no",
        "--ignore-submodules=dirty",  # its commit is compared, nothing is run inside
        "--no-renames",
    )
    names = {change.name for change in parse_git_status_text(printed)}
    return {name for name in names if not _is_left_out(git.top / name, left_out)}


def _is_left_out(path: Path, left_out: frozenset[str]) -> bool:
    return bool(left_out) and not left_out.isdisjoint(map(str, (path, *path.parents)))


def _read_submodules(
    git: GitRepository, names: Sequence[str], left_out: frozenset[str], depth: int
) -> tuple[tuple[tuple[str, Source], ...], list[str]]:
    found: list[tuple[str, Source]] = []
    problems: list[str] = []
    for name in names:
        folder = git.top / name
        shown = printable(name)
        if not os.path.lexists(folder / ".git"):
            problems.append(f"the submodule {shown} is not checked out")
            continue
        if depth >= _MAX_NESTED or folder.resolve() != folder:
            problems.append(f"the submodule {shown} is nested too deep or is a link; not looked at")
            continue
        try:
            source, said = _read(folder, left_out, git.limits, depth=depth + 1)
        except (WeighbridgeError, OSError) as error:
            problems.append(f"the submodule {shown} is not known: {error}")
            continue
        if source.path != ".":
            problems.append(f"the submodule {shown} is no repository of its own; not looked at")
            continue
        found.append((name, source))
        problems += [f"in the submodule {shown}: {words}" for words in said]
    return tuple(found), problems


def _digest_changes(
    top: Path, names: Sequence[str], commits: Mapping[str, str], limits: Limits
) -> tuple[str, list[str]]:
    """Hash what is on disk under ``names``; no digest at all rather than one of a part."""
    whole = hashlib.sha256()
    left_bytes = limits.max_source_bytes
    try:
        if len(names) > limits.max_entries:
            raise LimitExceededError(
                "max_entries",
                limit=limits.max_entries,
                actual=len(names),
                subject="files that differ from the commit",
            )
        for name in names:
            if name in commits:
                whole.update(f"commit {commits[name]} ".encode() + _to_bytes(name) + b"\0")
                continue
            kind, digest, size_bytes = _hash_change(top, name, left_bytes)
            left_bytes -= size_bytes
            if left_bytes < 0:
                raise LimitExceededError(
                    "max_source_bytes",
                    limit=limits.max_source_bytes,
                    actual=limits.max_source_bytes - left_bytes,
                    subject="files that differ from the commit",
                )
            whole.update(f"{kind} {digest} ".encode() + _to_bytes(name) + b"\0")
    except (WeighbridgeError, OSError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        said = f"the changes to the source have no digest: {words}"
        return "", [f"{said}; commit, ignore, or declare them as inputs"]
    return whole.hexdigest(), []


def _hash_change(top: Path, name: str, limit_bytes: int) -> tuple[str, str, int]:
    """Return the kind, the sha256 and the size of what is there, without going through links."""
    path = top / name
    if path.parent.resolve() != path.parent:
        return "gone", "-", 0
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "gone", "-", 0
    if stat.S_ISLNK(status.st_mode):
        target = os.fsencode(path.readlink())
        return "link", hashlib.sha256(target).hexdigest(), len(target)
    if stat.S_ISDIR(status.st_mode):
        return "gone", "-", 0  # a folder took the place of the file
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{printable(name)} is not a regular file")
    kind = "executable" if status.st_mode & _EXECUTABLE else "file"
    digest, size_bytes = _hash_file(path, name, limit_bytes)
    return kind, digest, size_bytes


def _hash_file(path: Path, name: str, limit_bytes: int) -> tuple[str, int]:
    hasher = hashlib.sha256()
    done_bytes = 0
    descriptor = os.open(path, _OPEN)
    try:
        before = os.fstat(descriptor)
        if before.st_size > limit_bytes:
            return "", before.st_size
        while done_bytes <= before.st_size and (data := os.read(descriptor, _CHUNK_BYTES)):
            hasher.update(data)
            done_bytes += len(data)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if done_bytes != before.st_size or _times(after) != _times(before):
        raise InputError(f"{printable(name)} changed while it was read")
    return hasher.hexdigest(), done_bytes


def _times(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_ctime_ns


def _to_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _to_label(name: str) -> str:
    """Return a name that can stand in a signed document, whatever its bytes are."""
    return printable(name)


def _to_line(printed: bytes) -> str:
    return printable(printed.decode("utf-8", "surrogateescape").strip())
