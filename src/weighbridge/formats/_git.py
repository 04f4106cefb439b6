"""What git prints about files, with NUL between the fields so that no name needs quotes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "GitDiff",
    "GitFile",
    "parse_git_attributes",
    "parse_git_diff",
    "parse_git_files",
    "parse_path_list",
]

_SUBMODULE_MODE = "160000"
_EXACT_RENAME = "R100"


@dataclass(frozen=True, slots=True)
class GitFile:
    """One entry of git's index.

    Attributes:
        name: Its path, relative to the folder that git was asked in.
        is_checked: Whether git compares it with the disk, and does not assume that it is unchanged.
        is_submodule: Whether it is another repository.
        is_unmerged: Whether a merge left it in conflict.
    """

    name: str
    is_checked: bool
    is_submodule: bool
    is_unmerged: bool


@dataclass(frozen=True, slots=True)
class GitDiff:
    """One difference.

    Attributes:
        name: The path; for a rename the new one.
        old: The old path of a rename whose contents are the same, else empty.
    """

    name: str
    old: str = ""


def parse_git_files(data: bytes) -> Iterator[GitFile]:
    """Read ``git ls-files -z -v -s``: ``TAG MODE ID STAGE<tab>PATH``.

    Raises:
        ParseError: It is something else.

    Source:
        git-ls-files(1), OUTPUT and ``-v``: lower case is "assume unchanged", ``S`` is skipped.
    """
    for record in _split(data):
        head, tab, name = record.partition("\t")
        fields = head.split(" ")
        if not tab or len(fields) != 4 or not name:  # noqa: PLR2004 - as in the docstring
            raise ParseError("git lists its files in a form that is not understood", where="git")
        tag, mode, _, stage = fields
        yield GitFile(
            name=name,
            is_checked=tag == "H",
            is_submodule=mode == _SUBMODULE_MODE,
            is_unmerged=stage != "0",
        )


def parse_git_diff(data: bytes) -> Iterator[GitDiff]:
    """Read ``git diff-index --raw -z``: ``:MODE MODE ID ID STATUS``, then one path or two.

    The paths of a rename whose contents differ come as two differences.

    Raises:
        ParseError: It is something else.

    Source:
        git-diff-index(1), RAW OUTPUT FORMAT.
    """
    records = _split(data)
    for head in records:
        status = head.rpartition(" ")[2]
        name = next(records, "")
        if not head.startswith(":") or not status or not name:
            raise ParseError("git tells differences in a form that is not understood", where="git")
        if status[0] not in "RC":
            yield GitDiff(name)
            continue
        new = next(records, "")
        if not new:
            raise ParseError("git tells of a rename without a new name", where="git")
        if status == _EXACT_RENAME:
            yield GitDiff(new, name)
        else:
            yield GitDiff(name)
            yield GitDiff(new)


def parse_git_attributes(data: bytes) -> dict[str, dict[str, str]]:
    """Read ``git check-attr -z``: path, attribute, value, over and over.

    Raises:
        ParseError: It is something else.
    """
    found: dict[str, dict[str, str]] = {}
    fields = list(_split(data))
    if len(fields) % 3:
        raise ParseError("git tells attributes in a form that is not understood", where="git")
    for index in range(0, len(fields), 3):
        found.setdefault(fields[index], {})[fields[index + 1]] = fields[index + 2]
    return found


def parse_path_list(data: bytes, *, nul: bool = False) -> list[str]:
    """Read a list of paths, one a line or each ended by NUL; a leading ``./`` is taken off.

    Args:
        data: As a tool printed it.
        nul: Whether NUL ends a path; then a path may hold anything.

    Raises:
        ParseError: A path is not UTF-8, or stands in quotes as git writes odd ones.
    """
    paths = []
    for number, item in enumerate(data.split(b"\0" if nul else b"\n"), 1):
        raw = item if nul else item.removesuffix(b"\r")
        try:
            path = raw.decode()
        except UnicodeDecodeError as error:
            raise ParseError("a path in the list is not UTF-8", where=f"entry {number}") from error
        if not nul and path.startswith('"'):
            raise ParseError(
                "a path in the list stands in quotes; write the list with NUL (git: -z) and say so",
                where=f"entry {number}",
            )
        if path:
            paths.append(path.removeprefix("./"))
    return paths


def _split(data: bytes) -> Iterator[str]:
    """Yield the fields; bytes that are no UTF-8 become lone surrogates (PEP 383)."""
    if data and not data.endswith(b"\0"):
        raise ParseError("what git printed is cut off", where="git")
    return iter(data.decode("utf-8", "surrogateescape").split("\0")[:-1])
