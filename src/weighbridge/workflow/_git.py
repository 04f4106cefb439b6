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
    if _attributes_changed(git, commit):
        found = _convert(git, vouched & known)
        vouched = {name for name in found if found[name][_FILTER] == "lfs"}
    moves = _keep_same_conversion(git, [d for d in differences if d.old])
    changed = {entry.name for entry in tree.entries if entry.in_scope} - vouched
    for difference in {*differences} - moves:
        changed |= {difference.name, difference.old}
    # A file that is both moved and changed counts as changed when these are reconciled.
    return [
        *(Operation(OperationKind.MOVED, move.name, move.old) for move in moves),
        *(Operation(OperationKind.CHANGED, name) for name in sorted(changed & known)),
    ]


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
    if not wanted:
        return {}
    given = "".join(f"{name}\0" for name in wanted).encode("utf-8", "surrogateescape")
    printed = git.ask("check-attr", "-z", "--stdin", *_CONVERSIONS, given=given)
    attributes = parse_git_attributes(printed)
    return {
        name: tuple(attributes.get(name, {}).get(what, "") for what in _CONVERSIONS)
        for name in wanted
    }


def _keep_same_conversion(git: GitRepository, moves: Sequence[GitDiff]) -> set[GitDiff]:
    """Return the renames whose bytes on disk are the same because those that git keeps are."""
    found = _convert(git, {name for move in moves for name in (move.name, move.old)})
    return {move for move in moves if found[move.name] == found[move.old]}
