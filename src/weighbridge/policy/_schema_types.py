"""The kinds of values in a policy file, for pydantic. Imported by the schemas alone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from weighbridge.core import Digest, printable
from weighbridge.errors import ParseError
from weighbridge.formats import LicenseChoice, parse_license

__all__ = [
    "Days",
    "DecimalText",
    "DigestText",
    "Files",
    "License",
    "LicenseExpression",
    "Name",
    "Pair",
    "Pattern",
    "Reason",
    "RuleName",
    "ScannedFormat",
    "Text",
    "Uri",
    "refuse_twice",
    "to_depth",
    "to_moment",
]

T = TypeVar("T")

_SHOWN_CHARACTERS = 80
_MOST_DAYS = 36_500
_MOST_STEPS = 1_000_000
# A scheme and something behind it; what belongs there, whoever wrote the statement decides.
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
_DECIMAL = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_DATE_KINDS = "write a date, such as 2027-01-31, or a time with its zone, 2027-01-31T12:00:00Z"


def refuse_twice(entries: list[T]) -> list[T]:
    """Refuse a list that says something twice: one of the two was meant to be something else.

    Raises:
        ValueError: It does; pydantic makes a fault with its place of it.
    """
    seen: set[str] = set()
    for entry in entries:
        text = repr(entry)
        if text in seen:
            raise ValueError(f"{_show(text)} is listed twice; remove one")
        seen.add(text)
    return entries


def to_depth(value: object) -> object:
    """Read ``"all"`` as -1, or a number of steps.

    Raises:
        ValueError: As :func:`refuse_twice`, for anything else.
    """
    if value == "all":
        return -1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_STEPS:
        raise ValueError(f"{_show(repr(value))} is no number of steps; write 'all', 0, 1, 2, ...")
    return value


def to_moment(value: object) -> object:
    """Read a TOML date as its first moment in UTC, and a time with a zone in UTC.

    Raises:
        ValueError: As :func:`refuse_twice`, for anything else.
    """
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(f"{value.isoformat()} has no time zone; add Z for UTC")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{value.isoformat()} is out of range") from None
    if isinstance(value, date):
        return datetime.combine(value, time(), tzinfo=UTC)
    raise ValueError(f"{_show(repr(value))} is no date; {_DATE_KINDS}")


def _to_list(value: object) -> object:
    """Return one text as a list of one, for keys that take either."""
    return [value] if isinstance(value, str) else value


def _to_license_id(text: str) -> str:
    license_ = parse_license(text)
    if isinstance(license_, LicenseChoice):
        shown = printable(text, limit=_SHOWN_CHARACTERS)
        raise ParseError(f"{shown!r} is a choice; list licences one by one, without AND and OR")
    return str(license_)


def _check_digest(text: str) -> str:
    try:
        return str(Digest.parse(text))
    except ParseError:
        message = f"{_show(repr(text))} is no digest; write sha256: and 64 lower-case hex digits"
        raise ValueError(message) from None


def _check_uri(text: str) -> str:
    if not _URI.fullmatch(text):
        raise ValueError(f"{_show(repr(text))} is no URI; write the id as the statements do")
    return text


def _check_decimal(text: str) -> str:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{_show(repr(text))} is no decimal number; write it as '0.92'")
    return text


def _check_pattern(text: str) -> str:
    scheme, colon, rest = text.partition("://")
    segments = rest.split("/")
    if not colon or not scheme.isascii() or "*" in scheme or not segments[0]:
        shown = _show(repr(text))
        raise ValueError(f"{shown} is no pattern of URIs; write one such as 'hf://org/*'")
    if "*" in segments[0]:
        raise ValueError(f"{_show(repr(text))} would be anybody's; write the first name out")
    if "**" in "/".join(segments).removesuffix("/**"):
        raise ValueError(f"{_show(repr(text))}: '**' stands at the end, behind a '/', or nowhere")
    return text


def _check_format(text: str) -> str:
    if text == "unknown":
        raise ValueError("'unknown' is what nobody could tell; name the formats that may be there")
    return text


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{_show(repr(text))} has characters that cannot be shown; remove them")
    return text


def _show(text: str) -> str:
    return printable(text, limit=_SHOWN_CHARACTERS)


Text = Annotated[str, StringConstraints(min_length=1, max_length=4_096, pattern=r"^\S(.*\S)?$")]
Reason = Annotated[Text, AfterValidator(_check_printable)]
License = Annotated[Text, AfterValidator(_to_license_id)]
LicenseExpression = Annotated[Text, AfterValidator(lambda text: str(parse_license(text)))]
# A list of two and not a tuple: TOML has lists, and strict does not convert.
Pair = Annotated[list[Text], Field(min_length=2, max_length=2)]
Files = Annotated[
    list[Text], BeforeValidator(_to_list), Field(min_length=1), AfterValidator(refuse_twice)
]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
RuleName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$"),
    AfterValidator(_check_printable),
]
Uri = Annotated[Text, AfterValidator(_check_uri)]
DigestText = Annotated[str, AfterValidator(_check_digest)]
Days = Annotated[int, Field(ge=1, le=_MOST_DAYS)]
DecimalText = Annotated[str, AfterValidator(_check_decimal)]
Pattern = Annotated[Text, AfterValidator(_check_printable), AfterValidator(_check_pattern)]
ScannedFormat = Annotated[Text, AfterValidator(_check_format)]
