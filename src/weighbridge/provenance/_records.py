"""RECORD: what an installed distribution says that its files are."""

from __future__ import annotations

import binascii
import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import collection_paused
from weighbridge.errors import LimitExceededError, ParseError

if TYPE_CHECKING:
    from weighbridge.core import Limits

__all__ = ["RecordedFile", "parse_metadata", "parse_record"]

# As in the specification: "sha256 or better". A weaker one proves nothing.
_ALGORITHMS = {"sha256": 32, "sha384": 48, "sha512": 64}
_MAX_FIELD_CHARS = 4096
_COLUMNS = 3
# A row as installers write nearly all: nothing quoted, sha256. What is not, the csv module reads.
_PLAIN_ROW = r"([^\",\r\n]{1,4096}),(?:sha256=([A-Za-z0-9_\-]{43}))?,([0-9]{0,18})\r?\n"
_PLAIN_ROWS = re.compile(_PLAIN_ROW)
_URL_SAFE = str.maketrans("-_", "+/")
_PLAIN_FILE = re.compile(f"(?:{_PLAIN_ROW})*+")


class RecordedFile(NamedTuple):
    """One row.

    Attributes:
        name: The path, relative to the folder that holds the ``.dist-info``, or absolute.
        algorithm: ``sha256``, ``sha384`` or ``sha512``; empty if there is no digest.
        digest: In lower-case hex.
        size_bytes: -1 if it is not said.
    """

    name: str
    algorithm: str
    digest: str
    size_bytes: int


@collection_paused()
def parse_record(data: bytes, *, limits: Limits) -> list[RecordedFile]:
    """Read a RECORD file.

    Raises:
        ParseError: It is no UTF-8, no CSV of three columns, or has a digest that is none.
        LimitExceededError: More than ``max_entries`` rows.

    Source:
        PyPA, Recording installed projects, The RECORD file.
    """
    rows: list[RecordedFile] = []
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ParseError("it is not UTF-8", where="RECORD") from error
    if "\0" in text:
        raise ParseError("it holds NUL", where="RECORD")
    if _PLAIN_FILE.fullmatch(text) and text.count("\n") <= limits.max_entries:
        return _read_plain(_PLAIN_ROWS.findall(text))
    # RFC 4180; the limit of the csv module is one for the whole process and is left alone.
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1):
            if row:
                rows.append(_parse_row(row, number))
            if len(rows) > limits.max_entries:
                raise LimitExceededError(
                    "max_entries",
                    limit=limits.max_entries,
                    actual=len(rows),
                    subject="files of a package",
                )
    except csv.Error as error:
        raise ParseError(f"it is not CSV: {error}", where="RECORD") from error
    return rows


def parse_metadata(data: bytes) -> tuple[str, str]:
    """Return the name and the version at the head of METADATA or PKG-INFO; empty if not there."""
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if colon and key.lower() in {"name", "version"}:
            found.setdefault(key.lower(), value.strip())
    name, version = found.get("name", ""), found.get("version", "")
    if not re.fullmatch(r"[A-Za-z0-9._\-]{1,256}", name):
        name = ""
    if not re.fullmatch(r"[A-Za-z0-9._+!\-]{1,256}", version):
        version = ""
    return name, version


def _parse_row(row: list[str], number: int) -> RecordedFile:
    if len(row) != _COLUMNS or not row[0] or len(row[0]) > _MAX_FIELD_CHARS:
        raise ParseError("it has not three columns", where=_name_row(number))
    name, digest, size = row
    size_bytes = int(size) if size.isdecimal() and len(size) < 19 else -1  # noqa: PLR2004 - 63 bits
    if not digest:
        return RecordedFile(name, "", "", size_bytes)
    algorithm, _, encoded = digest.partition("=")
    if algorithm not in _ALGORITHMS:
        raise ParseError(
            "its algorithm is weaker than sha256 or not known", where=_name_row(number)
        )
    padded = encoded + "=" * (-len(encoded) % 4)
    try:
        value = binascii.a2b_base64(padded.replace("-", "+").replace("_", "/"), strict_mode=True)
    except ValueError as error:
        raise ParseError("its digest is not base64", where=_name_row(number)) from error
    if len(value) != _ALGORITHMS[algorithm]:
        raise ParseError("its digest has not the length of one", where=_name_row(number))
    return RecordedFile(name, algorithm, value.hex(), size_bytes)


def _read_plain(rows: list[tuple[str, str, str]]) -> list[RecordedFile]:
    """Return plain rows; their digests are decoded all at once.

    43 digits of base64 are 256 bits and two that are zero. With an ``A``, six more zeros, behind
    each they are 33 bytes, of which the last is 0.
    """
    digits = "".join([f"{encoded}A" for _, encoded, _ in rows if encoded])
    decoded = binascii.a2b_base64(digits.translate(_URL_SAFE)).hex()
    step = 2 * (_ALGORITHMS["sha256"] + 1)
    digests = iter([decoded[start : start + step - 2] for start in range(0, len(decoded), step)])
    return [
        RecordedFile(name, "sha256", next(digests), int(size) if size else -1)
        if encoded
        else RecordedFile(name, "", "", int(size) if size else -1)
        for name, encoded, size in rows
    ]


def _name_row(number: int) -> str:
    return f"RECORD, row {number}"
