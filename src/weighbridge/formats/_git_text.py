"""What git printed elsewhere: status and diff, in every form that is made for programs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GitChange", "parse_git_diff_text", "parse_git_status_text"]

_SUBMODULE_MODE = "160000"
_FOLDER_MODE = "040000"
_UNMERGED = frozenset({"DD", "AU", "UD", "UA", "DU", "AA", "UU"})
_STATUS_LETTERS = frozenset(" MTADRCU")
# Ids that are printed whole: SHA-1 and SHA-256. Zeros stand for what git did not hash.
_WHOLE_ID = re.compile(r"(?!0+\Z)(?:[0-9a-f]{40}|[0-9a-f]{64})")
_DIFF_STATUS = re.compile(r"([ACDMRTUXB])([0-9]{0,3})")
_MODE = re.compile(r"[0-7]{6}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\([0-3][0-7]{2}|.)")
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    '"': '"',
    "\\": "\\",
}


@dataclass(frozen=True, slots=True)
class GitChange:
    """One path that git lists as not being as it was.

    Attributes:
        name: The path; a slash at its end says that it stands for a whole folder.
        old: The path that it was renamed from, if git's ids show that the bytes are the same.
        is_gone: Whether nothing has to be there any more.
        is_submodule: Whether it is another repository.
        is_unmerged: Whether a merge left it in conflict.
    """

    name: str
    old: str = ""
    is_gone: bool = False
    is_submodule: bool = False
    is_unmerged: bool = False


def parse_git_status_text(data: bytes) -> list[GitChange]:
    """Read ``git status --porcelain``, version 1 or 2; NUL in it shows that ``-z`` was given.

    A rename counts as the same bytes only in version 2, which tells the ids: git's similarity of
    100% holds for files with the same lines in another order too.

    Raises:
        ParseError: It is something else, is cut off, or a path cannot be told apart.

    Source:
        git-status(1), Short Format, Porcelain Format Version 1 and 2, Pathname Format Notes.
    """
    records = _Records(data)
    changes: list[GitChange] = []
    for head in records:
        if head[:2] in {"1 ", "2 ", "u "}:
            changes += _parse_status_2(head, records)
        elif head[:2] in {"? ", "! "}:
            changes.append(GitChange(records.unquote(head[2:])))
        elif head[:2] != "# " and head[:3] != "## ":
            changes += _parse_status_1(head, records)
    return changes


def parse_git_diff_text(data: bytes) -> list[GitChange]:
    """Read ``git diff --raw`` or ``--name-status``; NUL in it shows that ``-z`` was given.

    A rename counts as the same bytes only if both ids are there, whole (``--raw --no-abbrev``).

    Raises:
        ParseError: It is something else, such as a patch or a combined diff, or is cut off.

    Source:
        git-diff(1), RAW OUTPUT FORMAT, and OPTIONS, ``--name-status``.
    """
    records = _Records(data)
    changes: list[GitChange] = []
    for record in records:
        head, *paths = [record] if records.has_nul else record.split("\t")
        modes, status, same = _parse_diff_head(head, records.number)
        if records.has_nul:
            paths = [records.take() for _ in range(2 if status in "RC" else 1)]
        if len(paths) != (2 if status in "RC" else 1):
            raise _unknown(records.number)
        names = [records.unquote(path) for path in paths]
        if _FOLDER_MODE in modes:
            raise ParseError("git lists a folder as one; run it with -r", where=records.where)
        flags = _Flags(status == "D", _SUBMODULE_MODE in modes, status in "UX")
        changes += _to_changes(names, status, flags, same_bytes=same)
    return changes


@dataclass(frozen=True, slots=True)
class _Flags:
    is_gone: bool
    is_submodule: bool = False
    is_unmerged: bool = False


def _to_changes(
    names: list[str], status: str, flags: _Flags, *, same_bytes: bool
) -> Iterator[GitChange]:
    """Yield what ``names`` mean: one path, or the old and the new one of a rename or copy."""
    *old, new = names
    moved = old[0] if old and status == "R" and same_bytes and not flags.is_gone else ""
    yield GitChange(new, moved, flags.is_gone, flags.is_submodule, flags.is_unmerged)
    if old and status == "R" and not moved:
        yield GitChange(old[0], is_gone=True, is_submodule=flags.is_submodule)


class _Records:
    """The records of one text, each without what ends it; lives for one parsing."""

    def __init__(self, data: bytes) -> None:
        self.has_nul = b"\0" in data
        end = "\0" if self.has_nul else "\n"
        text = data.decode("utf-8", "surrogateescape")
        if text and not text.endswith(end):
            raise ParseError("what git printed is cut off; give all of it", where="its end")
        self.number = 0
        self._rest = iter(text.split(end)[:-1])

    @property
    def where(self) -> str:
        return f"record {self.number}"

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        record = next(self._rest)
        self.number += 1
        return record

    def take(self) -> str:
        """Return the next record, which has to be there: the second path of a rename."""
        record = next(self, "")
        if not record:
            raise ParseError("what git printed is cut off; give all of it", where=self.where)
        return record

    def unquote(self, path: str) -> str:
        """Return a path as it is on disk, without git's quotes."""
        if not self.has_nul and path.startswith('"'):
            quoted = _QUOTED.fullmatch(path)
            if quoted is None:
                raise _unknown(self.number)
            return _unescape(quoted[1], self.where)
        if not path:
            raise _unknown(self.number)
        return path


def _unescape(text: str, where: str) -> str:
    """Undo C escapes: octal ones are bytes, of which several make a letter."""

    def replace(match: re.Match[str]) -> str:
        escape = match[1]
        if len(escape) > 1:
            return bytes([int(escape, 8)]).decode("latin-1")
        if escape not in _ESCAPES:
            raise ParseError("a path is quoted in a way that git does not know", where=where)
        return _ESCAPES[escape]

    # Each byte as one letter, so that escapes and letters beside them are put together again.
    raw = text.encode("utf-8", "surrogateescape").decode("latin-1")
    return _ESCAPE.sub(replace, raw).encode("latin-1").decode("utf-8", "surrogateescape")


def _unknown(number: int) -> ParseError:
    message = "what git printed is not in a form that is understood; give it with -z"
    return ParseError(message, where=f"record {number}")


def _parse_status_1(head: str, records: _Records) -> Iterator[GitChange]:
    """Read ``XY PATH``, with ``ORIG -> PATH`` for a rename, or ORIG in a record of its own."""
    status, path = head[:2], head[3:]
    if head[2:3] != " " or not path:
        raise _unknown(records.number)
    if status in {"??", "!!"}:
        yield GitChange(records.unquote(path))
        return
    if status == "  " or not _STATUS_LETTERS.issuperset(status):
        raise _unknown(records.number)
    letter = _letter(status)
    if letter not in "RC":
        names = [records.unquote(path)]
    elif records.has_nul:
        names = [records.take(), path]
    else:
        names = [records.unquote(part) for part in _split_arrow(path, records.number)]
    flags = _Flags(status.endswith("D") or status == "D ", is_unmerged=status in _UNMERGED)
    yield from _to_changes(names, letter, flags, same_bytes=False)


def _letter(status: str) -> str:
    """Return R or C if one of both letters is; a record has two paths then."""
    return next((letter for letter in status if letter in "RC"), status.strip()[:1])


def _split_arrow(path: str, number: int) -> list[str]:
    """Split ``ORIG -> PATH``; a path that holds an arrow of its own stands in quotes."""
    quoted = _QUOTED.match(path)
    first = quoted[0] if quoted else path.partition(" -> ")[0]
    arrow, second = path[len(first) : len(first) + 4], path[len(first) + 4 :]
    if arrow != " -> " or not second or (" -> " in second and not second.startswith('"')):
        raise _unknown(number)
    return [first, second]


def _parse_status_2(head: str, records: _Records) -> Iterator[GitChange]:
    """Read ``1 XY SUB MODES IDS PATH``, ``2 ... SCORE PATH<tab>ORIG`` or ``u XY SUB ... PATH``."""
    kind = head[0]
    count = {"1": 8, "2": 9, "u": 10}[kind]
    fields = head.split(" ", count)
    if len(fields) != count + 1 or len(fields[1]) != 2 or fields[2][:1] not in {"N", "S"}:  # noqa: PLR2004
        raise _unknown(records.number)
    status, path = fields[1], fields[count]
    flags = _Flags(status.endswith("D") or status == "D.", fields[2][0] == "S", kind == "u")
    if kind != "2":
        yield from _to_changes([records.unquote(path)], "M", flags, same_bytes=False)
        return
    if records.has_nul:
        names = [records.take(), path]
    else:
        new, _, old = path.partition("\t")
        names = [records.unquote(old), records.unquote(new)]
    same = status == "R." and _is_same(fields[6], fields[7])
    yield from _to_changes(names, fields[8][:1], flags, same_bytes=same)


def _parse_diff_head(head: str, number: int) -> tuple[tuple[str, str], str, bool]:
    """Return the modes, the letter, and whether the ids say that the bytes are the same."""
    modes, ids, status = ("", ""), ("", ""), head
    if head.startswith(":"):
        fields = head[1:].split(" ")
        if len(fields) != 5 or not (_MODE.fullmatch(fields[0]) and _MODE.fullmatch(fields[1])):  # noqa: PLR2004
            raise _unknown(number)
        modes, ids, status = (fields[0], fields[1]), (fields[2], fields[3]), fields[4]
    letter = _DIFF_STATUS.fullmatch(status)
    if letter is None:
        raise _unknown(number)
    return modes, letter[1], _is_same(*ids)


def _is_same(old: str, new: str) -> bool:
    return old == new and _WHOLE_ID.fullmatch(old) is not None
