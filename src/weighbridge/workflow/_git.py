"""Asking git what changed, without letting the repository run anything.

The repository lies beside what is examined, so its configuration is a stranger's;
``artifact.open_git`` disarms it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.artifact import open_git
from weighbridge.core import ArtifactKind, printable
from weighbridge.errors import InputError
from weighbridge.formats import (
    parse_git_attributes,
    parse_git_diff,
    parse_git_files,
)
from weighbridge.signing import Operation, OperationKind
from weighbridge.workflow._git_text import TEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from weighbridge.artifact import GitRepository, Tree
    from weighbridge.core import Limits
    from weighbridge.formats import GitDiff, GitFile

__all__ = ["list_git_operations"]

# What makes the bytes on disk others than those that git keeps.
_CONVERSIONS = ("text", "eol", "crlf", "ident", "filter", "working-tree-encoding")
_FILTER = _CONVERSIONS.index("filter")
# git prints each name once for each attribute; of so many at once that is little.
_ASKED_FILES = 5_000
_NO = frozenset({"unspecified", "unset"})
_ATTRIBUTE_FILES = ":(top,glob)**/.gitattributes"
_ADVICE = "name the changed files instead"


def list_git_operations(
    tree: Tree, revision: str, *, known: AbstractSet[str], limits: Limits
) -> list[Operation]:
    """Ask git what may differ from ``revision``; it vouches for nothing but what it tracks.

    Everything that it does not track, is told to assume unchanged, or sees with other file times
    counts as changed. No content is read and no filter is run for it.

    Args:
        tree: The artifact; git is asked in its folder.
        revision: What was checked out when the old signature was made.
        known: Names on disk and in the old signature; git is heard about no others.
        limits: ``max_list_bytes`` bounds what git prints.

    Raises:
        InputError: No git, no repository, no such revision, or submodules or unmerged files.
        LimitExceededError: git prints too much.
    """
    git = open_git(tree.folder, advice=_ADVICE, limits=limits)
    _refuse_replacements(git)
    commit = _resolve(git, revision)
    where = "." if tree.kind is ArtifactKind.FOLDER else tree.label
    limit_to = ("--literal-pathspecs",)
    files = list(parse_git_files(git.ask(*limit_to, "ls-files", "-z", "-v", "-s", "--", where)))
    _refuse_unusable(files)
    compare = ("--raw", "-z", "--relative", "--ignore-submodules=all", "--no-ext-diff")
    staged = git.ask(*limit_to, "diff-index", "--cached", "-M100%", *compare, commit, "--", where)
    on_disk = git.ask(*limit_to, "diff-files", "--no-renames", *compare, "--", where)
    differences = [*parse_git_diff(staged), *parse_git_diff(on_disk)]
    vouched = {file.name for file in files if file.is_checked}
    found = _convert(git, vouched & known)
    if _attributes_changed(git, commit):
        found = {name: how for name, how in found.items() if how[_FILTER] == "lfs"}
    large = {entry.name for entry in tree.entries if entry.size_bytes >= TEXT_BYTES}
    is_text = _converts_by_content(git)
    vouched = {
        n for n, how in found.items() if _keeps_bytes(how, is_text=is_text and n not in large)
    }
    moves = _keep_same_conversion(git, [d for d in differences if d.old])
    changed = {entry.name for entry in tree.entries if entry.in_scope} - vouched
    for difference in {*differences} - moves:
        changed |= {difference.name, difference.old}
    # A file that is both moved and changed counts as changed when these are reconciled.
    return [
        *(Operation(OperationKind.MOVED, move.name, move.old) for move in moves),
        *(Operation(OperationKind.CHANGED, name) for name in sorted(changed & known)),
    ]


def _refuse_replacements(git: GitRepository) -> None:
    """Refuse a repository in which an id may stand for other contents than when it was signed.

    ``git filter-repo`` leaves such replacements: the old commit's id then means the rewritten one.
    """
    if git.ask("for-each-ref", "--count=1", "refs/replace/"):
        raise InputError(
            "the git repository replaces objects (git replace -l), so that a revision may be "
            "another than the one that was signed; name the changed files instead"
        )


def _refuse_unusable(files: Iterable[GitFile]) -> None:
    for file in files:
        if file.is_submodule:
            raise InputError(
                f"{printable(file.name)} is a git submodule, which git does not look into; "
                "name the changed files instead"
            )
        if file.is_unmerged:
            raise InputError(f"{printable(file.name)} is not merged; end the merge first")


def _resolve(git: GitRepository, revision: str) -> str:
    """Return the id of a commit, so that no revision is taken for an option."""
    if not revision or revision.startswith("-") or "\0" in revision:
        raise InputError(f"'{printable(revision)}' is not a git revision; give a commit or a tag")
    try:
        found = git.ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except InputError as error:
        raise InputError(
            f"git knows no commit {printable(revision)}; give the one that was signed"
        ) from error
    return found.decode("ascii", "replace").strip()


def _attributes_changed(git: GitRepository, commit: str) -> bool:
    """Return whether what says how files are converted is another than at ``commit``."""
    names = ("--name-only", "-z", "--no-renames")
    where = ("--", _ATTRIBUTE_FILES)
    return bool(
        git.ask("diff-index", "--cached", *names, commit, *where)
        or git.ask("diff-files", *names, *where)
        or git.ask("ls-files", "-z", "--others", *where)  # files are checked out by those too
    )


def _convert(git: GitRepository, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return for each file the attributes by which git converts it, in one order."""
    wanted = list(names)
    found: dict[str, tuple[str, ...]] = {}
    known: dict[tuple[str, ...], tuple[str, ...]] = {}  # most files are converted in one way
    for first in range(0, len(wanted), _ASKED_FILES):
        batch = wanted[first : first + _ASKED_FILES]
        given = "".join(f"{name}\0" for name in batch).encode("utf-8", "surrogateescape")
        printed = git.ask("check-attr", "-z", "--stdin", *_CONVERSIONS, given=given)
        attributes = parse_git_attributes(printed)
        for name in batch:
            how = tuple(attributes.get(name, {}).get(what, "") for what in _CONVERSIONS)
            found[name] = known.setdefault(how, how)
    return found


def _converts_by_content(git: GitRepository) -> bool:
    """Return whether line ends are converted in whatever looks like text (``core.autocrlf``)."""
    printed = git.ask("config", "--get", "core.autocrlf", none_is_1=True).strip().lower()
    return printed not in {b"", b"false", b"no", b"off", b"0"}


def _keeps_bytes(how: tuple[str, ...], *, is_text: bool) -> bool:
    """Return whether no difference for git means the same bytes on disk.

    Where git converts, several contents on disk are one for it: with other line ends, for instance.
    Git LFS files are what their id says, or pointers, which are read in any case.

    Args:
        how: What :func:`_convert` gives for a file.
        is_text: Whether its line ends are converted if no attribute speaks of them.

    Source:
        gitattributes(5), Effects; convert.c of git for what goes before what.
    """
    text, eol, crlf, ident, content_filter, encoding = how
    if text == "unspecified":
        text = crlf
    plain_ends = text == "unset" or (text == eol == "unspecified" and not is_text)
    return plain_ends and {ident, encoding} <= _NO and content_filter in {*_NO, "lfs"}


def _keep_same_conversion(git: GitRepository, moves: Sequence[GitDiff]) -> set[GitDiff]:
    """Return the renames whose bytes on disk are the same because those that git keeps are."""
    found = _convert(git, {name for move in moves for name in (move.name, move.old)})
    return {move for move in moves if found[move.name] == found[move.old]}
