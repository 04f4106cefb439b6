"""What people say about an artifact: that it may be a root, and what a review came to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from weighbridge._version import __version__
from weighbridge.core._predicates import check_type, take_object, take_text, take_time, to_time
from weighbridge.core._statement import Statement
from weighbridge.core._trust import MAX_BUILD_LEVEL
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.core._json import JsonValue
    from weighbridge.core._statement import Subject

__all__ = [
    "HUMAN_REVIEW_TYPE",
    "MAX_LIFE",
    "MAX_NOTE",
    "ROOT_ACCEPTANCE_TYPE",
    "Decision",
    "HumanReview",
    "RootAcceptance",
    "build_acceptance",
    "build_review",
    "parse_acceptance",
    "parse_review",
]

ROOT_ACCEPTANCE_TYPE: Final = "https://weighbridge.dev/attestation/root-acceptance/v1"
HUMAN_REVIEW_TYPE: Final = "https://weighbridge.dev/attestation/human-review/v1"

# Whoever says yes for longer than this will not be there to say no.
MAX_LIFE: Final = timedelta(days=3653)
MAX_NOTE: Final = 4000  # characters
_MAX_URI: Final = 2000
_MAX_LICENSE: Final = 400
_MAX_REVIEWER: Final = 400
_MAX_SCOPE: Final = 200
_MAX_SCOPES: Final = 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

_TOOL: Final = "weighbridge"
_ACCEPTED: Final = "accepted"
# What whoever accepts or reviews vouches for, and what nobody has looked at.
_ACCEPTANCE_COVERED: Final = ("files by digest", "origin as told", "licence")
_ACCEPTANCE_NOT_COVERED: Final = ("provenance", "training data", "behaviour")
_REVIEW_NOT_COVERED: Final = ("everything outside the scope",)
_CHECKED: Final = frozenset({"tool", "covered", "notCovered", "result", "reviewer", "expiresAt"})
_ACCEPTANCE_FIELDS: Final = _CHECKED | {
    *("reason", "fetchedFrom", "license", "licenseFound", "acceptedAt", "maxLevel")
}
_REVIEW_FIELDS: Final = _CHECKED | {"note", "reviewedAt"}


class Decision(StrEnum):
    """What a review came to."""

    APPROVE = "approve"
    REJECT = "reject"


_DECISIONS: Final = tuple(decision.value for decision in Decision)


@dataclass(frozen=True, slots=True)
class RootAcceptance:
    """Somebody takes an artifact without provenance as it is.

    Attributes:
        reason: Why; for people.
        fetched_from: Where it is from, a URI, as the reviewer says it.
        license: The licence under which it was taken, an SPDX expression.
        license_found: As the artifact itself declares it; empty if it declares none.
        reviewer: Who looked, as the signer's proof tells: a key's fingerprint, a name, an account.
        accepted_at: Aware.
        expires_at: Until when it counts, aware.
        max_level: The SLSA Build level that it counts as, at most; 0 to 3.
    """

    reason: str
    fetched_from: str
    license: str
    license_found: str
    reviewer: str
    accepted_at: datetime
    expires_at: datetime
    max_level: int


@dataclass(frozen=True, slots=True)
class HumanReview:
    """What a person found who looked at an artifact.

    Attributes:
        decision: Approve or reject.
        scope: What was looked at: ``training data``; for people.
        note: What is to be said; may be empty.
        reviewer: As in :class:`RootAcceptance`.
        reviewed_at: Aware.
        expires_at: Until when an approval counts, aware; None: no end of its own.
    """

    decision: Decision
    scope: str
    note: str
    reviewer: str
    reviewed_at: datetime
    expires_at: datetime | None = None


def build_acceptance(acceptance: RootAcceptance, subjects: Sequence[Subject]) -> Statement:
    """Return the statement that accepts ``subjects``.

    Args:
        acceptance: What is said.
        subjects: Each with a sha256: what is pinned.

    Raises:
        ParseError: A text is empty or too long, the time ends before it begins or lasts more than
            ten years, the level is none, or a subject has no sha256; says which.
    """
    predicate: dict[str, JsonValue] = {
        "tool": {"name": _TOOL, "version": __version__},
        "covered": list(_ACCEPTANCE_COVERED),
        "notCovered": list(_ACCEPTANCE_NOT_COVERED),
        "result": _ACCEPTED,
        "reason": acceptance.reason,
        "fetchedFrom": acceptance.fetched_from,
        "license": acceptance.license,
        "licenseFound": acceptance.license_found,
        "reviewer": acceptance.reviewer,
        "acceptedAt": to_time(acceptance.accepted_at),
        "expiresAt": to_time(acceptance.expires_at),
        "maxLevel": acceptance.max_level,
    }
    statement = Statement.build(subjects, predicate_type=ROOT_ACCEPTANCE_TYPE, predicate=predicate)
    parse_acceptance(statement)
    return statement


def parse_acceptance(statement: Statement) -> RootAcceptance:
    """Read what :func:`build_acceptance` writes, strictly; the statement may be anybody's.

    Raises:
        ParseError: It is of another type, has a field that is not known, or lacks one or has one
            that is not as the schema says; says where.
    """
    check_type(statement, ROOT_ACCEPTANCE_TYPE)
    where = "predicate"
    fields = take_object(statement.predicate, where=where, known=_ACCEPTANCE_FIELDS)
    _check_subjects(statement.subjects)
    _check_checked(fields)
    if fields.get("result") != _ACCEPTED:
        raise ParseError(f"the result can only be {_ACCEPTED!r}", where=f"{where}.result")
    level = fields.get("maxLevel")
    if type(level) is not int or not 0 <= level <= MAX_BUILD_LEVEL:
        raise ParseError(
            f"a level from 0 to {MAX_BUILD_LEVEL} is wanted here", where=f"{where}.maxLevel"
        )
    accepted_at = take_time(fields, "acceptedAt", where=where)
    return RootAcceptance(
        reason=take_text(fields, "reason", where=where, limit=MAX_NOTE),
        fetched_from=take_text(fields, "fetchedFrom", where=where, limit=_MAX_URI),
        license=take_text(fields, "license", where=where, limit=_MAX_LICENSE),
        license_found=take_text(
            fields, "licenseFound", where=where, limit=_MAX_LICENSE, may_be_empty=True
        ),
        reviewer=take_text(fields, "reviewer", where=where, limit=_MAX_REVIEWER),
        accepted_at=accepted_at,
        expires_at=_take_end(fields, since=accepted_at),
        max_level=level,
    )


def build_review(review: HumanReview, subjects: Sequence[Subject]) -> Statement:
    """Return the statement about ``subjects``.

    Args:
        review: What is said.
        subjects: Each with a sha256: what was looked at.

    Raises:
        ParseError: As :func:`build_acceptance`.
    """
    predicate: dict[str, JsonValue] = {
        "tool": {"name": _TOOL, "version": __version__},
        "covered": [review.scope],
        "notCovered": list(_REVIEW_NOT_COVERED),
        "result": review.decision.value,
        "note": review.note,
        "reviewer": review.reviewer,
        "reviewedAt": to_time(review.reviewed_at),
    }
    if review.expires_at is not None:
        predicate["expiresAt"] = to_time(review.expires_at)
    statement = Statement.build(subjects, predicate_type=HUMAN_REVIEW_TYPE, predicate=predicate)
    parse_review(statement)
    return statement


def parse_review(statement: Statement) -> HumanReview:
    """Read what :func:`build_review` writes, strictly; the statement may be anybody's.

    Raises:
        ParseError: As :func:`parse_acceptance`.
    """
    check_type(statement, HUMAN_REVIEW_TYPE)
    where = "predicate"
    fields = take_object(statement.predicate, where=where, known=_REVIEW_FIELDS)
    _check_subjects(statement.subjects)
    covered = _check_checked(fields)
    if len(covered) != 1:
        raise ParseError("exactly one scope is wanted here", where=f"{where}.covered")
    result = fields.get("result")
    if not isinstance(result, str) or result not in _DECISIONS:
        choice = " or ".join(_DECISIONS)
        raise ParseError(f"{choice} is wanted here", where=f"{where}.result")
    reviewed_at = take_time(fields, "reviewedAt", where=where)
    ends = "expiresAt" in fields
    return HumanReview(
        decision=Decision(result),
        scope=covered[0],
        note=take_text(fields, "note", where=where, limit=MAX_NOTE, may_be_empty=True),
        reviewer=take_text(fields, "reviewer", where=where, limit=_MAX_REVIEWER),
        reviewed_at=reviewed_at,
        expires_at=_take_end(fields, since=reviewed_at) if ends else None,
    )


def _check_subjects(subjects: Sequence[Subject]) -> None:
    """Refuse a subject that pins no artifact."""
    for index, subject in enumerate(subjects):
        if not _SHA256.fullmatch(subject.digest.get("sha256", "")):
            raise ParseError(
                "a subject has no sha256, so that nothing is pinned", where=f"subject[{index}]"
            )


def _check_checked(fields: Mapping[str, Any]) -> list[str]:
    """Read with what was looked, and at what; return the latter."""
    where = "predicate.tool"
    tool = take_object(fields.get("tool"), where=where, known={"name", "version"})
    for name in ("name", "version"):
        take_text(tool, name, where=where, limit=_MAX_SCOPE)
    _take_scopes(fields, "notCovered")
    return _take_scopes(fields, "covered")


def _take_scopes(fields: Mapping[str, Any], name: str) -> list[str]:
    items, where = fields.get(name), f"predicate.{name}"
    if not isinstance(items, list) or len(items) > _MAX_SCOPES:
        raise ParseError(f"a list of {_MAX_SCOPES} strings at most is wanted here", where=where)
    return [
        take_text({str(index): item}, str(index), where=where, limit=_MAX_SCOPE)
        for index, item in enumerate(items)
    ]


def _take_end(fields: Mapping[str, Any], *, since: datetime) -> datetime:
    end = take_time(fields, "expiresAt", where="predicate")
    if not timedelta() < end - since <= MAX_LIFE:
        raise ParseError(
            f"it has to end after it begins, and within {MAX_LIFE.days:,} days (10 years)",
            where="predicate.expiresAt",
        )
    return end
