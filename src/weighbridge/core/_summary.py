"""Verification summaries: a verdict as a statement, for whoever does not want to look again."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from weighbridge.core._predicates import check_type, to_time
from weighbridge.core._statement import Statement
from weighbridge.core._text import printable
from weighbridge.core._trust import MAX_BUILD_LEVEL
from weighbridge.errors import InputError, ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.core._json import JsonValue
    from weighbridge.core._statement import Subject

__all__ = ["SUMMARY_TYPE", "VerificationSummary", "build_summary", "parse_summary"]

SUMMARY_TYPE: Final = "https://slsa.dev/verification_summary/v1"

_SLSA_VERSION = "1.0"  # of the specification
_TRACK = "SLSA_BUILD_LEVEL_"
_LEVELS: Final = {f"{_TRACK}{level}": level for level in range(MAX_BUILD_LEVEL + 1)}
_FAILED = "FAILED"
_RESULTS: Final = {"PASSED": True, _FAILED: False}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
_COUNT = re.compile(r"[0-9]{1,15}")
_MAX_COUNT = 10**15  # below 2^53: a count that is also exact as a float


@dataclass(frozen=True, slots=True)
class VerificationSummary:
    """A SLSA Verification Summary Attestation.

    Attributes:
        verifier: Who judged, a URI.
        verified_at: When, aware.
        resource_uri: What was judged; a label.
        policy_uri: The policy's name; a label. May be empty.
        policy_digest: ``sha256:<hex>`` of the policy.
        passed: Whether the verdict was pass; unknown is not.
        level: The artifact's own SLSA Build level; None if the summary says none.
        dependency_levels: How many of all that it was made from, directly or not, have which
            SLSA Build level; None if the summary does not say.
        inputs: ``sha256:<hex>`` of the statements that the verdict rests on.

    Source:
        SLSA v1.0, Verification Summary Attestation.
    """

    verifier: str
    verified_at: datetime
    resource_uri: str
    policy_uri: str
    policy_digest: str
    passed: bool
    level: int | None = None
    dependency_levels: Mapping[int, int] | None = None
    inputs: tuple[str, ...] = field(default=())


def build_summary(summary: VerificationSummary, subjects: Sequence[Subject]) -> Statement:
    """Return the statement about ``subjects``.

    :func:`parse_summary` reads back exactly what was given. Nothing is written that strict readers
    do not know, so not ``verifier.version`` either: SLSA v1.1 added it, and protobuf has no such.

    Raises:
        InputError: The verifier, the resource or the policy has no name, a time has no time zone, a
            digest is no sha256, a level or a count is none, or a verdict that is not pass claims a
            level: the specification has no place for one.

    Source:
        SLSA v1.0, Verification Summary Attestation, https://slsa.dev/verification_summary/v1.
    """
    for name in ("verifier", "resource_uri", "policy_uri"):
        if not getattr(summary, name):
            raise InputError(f"a verification summary needs a {name}; give a URI")
    if summary.verified_at.utcoffset() is None:
        raise InputError("a verification summary needs a time with a time zone")
    if summary.level is not None and not summary.passed:
        raise InputError("a verification summary that is not PASSED claims no level; leave it out")
    policy: dict[str, JsonValue] = {"uri": summary.policy_uri}
    if summary.policy_digest:
        policy["digest"] = _to_digest_set(summary.policy_digest)
    predicate: dict[str, JsonValue] = {
        "verifier": {"id": summary.verifier},
        "timeVerified": to_time(summary.verified_at),
        "resourceUri": summary.resource_uri,
        "policy": policy,
        "inputAttestations": [{"digest": _to_digest_set(digest)} for digest in summary.inputs],
        "verificationResult": "PASSED" if summary.passed else _FAILED,
        "verifiedLevels": _to_levels(summary),
    }
    if summary.dependency_levels is not None:
        predicate["dependencyLevels"] = {
            _to_level(level): _check_count(count)
            for level, count in sorted(summary.dependency_levels.items(), reverse=True)
        }
    predicate["slsaVersion"] = _SLSA_VERSION
    return Statement.build(subjects, predicate_type=SUMMARY_TYPE, predicate=predicate)


def _to_levels(summary: VerificationSummary) -> list[JsonValue]:
    if not summary.passed:
        return [_FAILED]
    return [] if summary.level is None else [_to_level(summary.level)]


def _to_level(level: int) -> str:
    if level not in range(MAX_BUILD_LEVEL + 1):
        raise InputError(f"{level} is no SLSA Build level; they are 0 to {MAX_BUILD_LEVEL}")
    return f"{_TRACK}{level}"


def _check_count(count: int) -> int:
    if not 0 <= count < _MAX_COUNT:
        raise InputError(f"{count} cannot be a number of dependencies")
    return count


def _to_digest_set(digest: str) -> JsonValue:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or not _SHA256.fullmatch(value):
        raise InputError(f"{printable(digest, limit=80)} is not a digest; write sha256:<hex>")
    return {algorithm: value}


def parse_summary(statement: Statement) -> VerificationSummary:
    """Read a verification summary, ours or another verifier's; the statement may be anybody's.

    Fields that the specification does not name are ignored, as it demands. Of the levels only those
    of the Build track are read; of several, which the specification forbids, the least counts. A
    level that was not evaluated or is not known is none (``level``), and 0 of a dependency; so is a
    dependency that failed. Counts may be written as protobuf writes them: ``"5"``, ``5.0``.

    Raises:
        ParseError: It is no verification summary, a field is missing or not of its type, or it
            contradicts itself; with the place.

    Source:
        SLSA v1.0 and v1.1, Verification Summary Attestation, parsing rules and fields.
    """
    check_type(statement, SUMMARY_TYPE)
    predicate = statement.predicate
    policy = _take(predicate, "policy", dict)
    passed = _parse_result(predicate)
    return VerificationSummary(
        verifier=_take(_take(predicate, "verifier", dict), "id", str, place="verifier.id"),
        verified_at=_parse_time(_take(predicate, "timeVerified", str)),
        resource_uri=_take(predicate, "resourceUri", str),
        policy_uri=_take(policy, "uri", str, "", place="policy.uri"),
        policy_digest=_parse_digest(policy, "policy"),
        passed=passed,
        level=_parse_levels(_take(predicate, "verifiedLevels", list), passed=passed),
        dependency_levels=_parse_dependencies(predicate),
        inputs=_parse_inputs(_take(predicate, "inputAttestations", list, [])),
    )


def _take(
    value: Mapping[str, Any],
    name: str,
    kind: type,
    default: Any = None,  # noqa: ANN401 - JSON
    *,
    place: str = "",
) -> Any:  # noqa: ANN401 - JSON
    """Return a field of its type, or what stands for one that is not there."""
    if name not in value and default is not None:
        return default
    found = value.get(name)
    if not isinstance(found, kind) or (found == "" and default is None):
        words = "a string" if kind is str else "a list" if kind is list else "an object"
        message = f"the verification summary has no {name} that is {words}"
        raise ParseError(message, where=place or name)
    return found


def _parse_time(text: str) -> datetime:
    with suppress(ValueError, OverflowError):
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    shown = printable(text, limit=40)
    message = f"the verification summary has the time {shown}, which is not RFC 3339 in UTC"
    raise ParseError(message, where="timeVerified")


def _parse_result(predicate: Mapping[str, Any]) -> bool:
    result = _take(predicate, "verificationResult", str)
    if result not in _RESULTS:
        shown = printable(result, limit=40)
        message = f"the verification summary has the result {shown}, not PASSED or FAILED"
        raise ParseError(message, where="verificationResult")
    return _RESULTS[result]


def _parse_levels(levels: list[Any], *, passed: bool) -> int | None:
    known = []
    for index, level in enumerate(levels):
        where = f"verifiedLevels[{index}]"
        if not isinstance(level, str):
            raise ParseError("the verification summary has a level that is no string", where=where)
        if level == _FAILED and passed:
            raise ParseError("the verification summary is PASSED and FAILED", where=where)
        if level.startswith(_TRACK):
            known.append(_LEVELS.get(level))
    told = [level for level in known if level is not None]
    # One that cannot be told is not outweighed by another that can.
    return min(told) if told and passed and len(told) == len(known) else None


def _parse_dependencies(predicate: Mapping[str, Any]) -> Mapping[int, int] | None:
    if "dependencyLevels" not in predicate:
        return None
    levels = _take(predicate, "dependencyLevels", dict)
    counts: dict[int, int] = {}
    for name, value in levels.items():
        count = _parse_count(value, f"dependencyLevels[{printable(name, limit=80)!r}]")
        if name.startswith(_TRACK) or name == _FAILED:
            level = _LEVELS.get(name, 0)
            counts[level] = counts.get(level, 0) + count
    # Only of other tracks: nobody said that there is nothing to build.
    return None if levels and not counts else MappingProxyType(counts)


def _parse_count(value: object, where: str) -> int:
    if isinstance(value, str) and _COUNT.fullmatch(value):
        return int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):  # noqa: SIM102 - types
        if 0 <= value < _MAX_COUNT and value == int(value):
            return int(value)
    raise ParseError("the verification summary has a count that is none", where=where)


def _parse_inputs(items: list[Any]) -> tuple[str, ...]:
    digests = []
    for index, item in enumerate(items):
        where = f"inputAttestations[{index}]"
        if not isinstance(item, dict):
            message = "the verification summary has an input that is no object"
            raise ParseError(message, where=where)
        if digest := _parse_digest(item, where):
            digests.append(digest)
    return tuple(digests)


def _parse_digest(descriptor: Mapping[str, Any], where: str) -> str:
    """Return the sha256 of a resource descriptor; empty if it has another digest or none."""
    digests = _take(descriptor, "digest", dict, {}, place=f"{where}.digest")
    sha256 = digests.get("sha256", "")
    if sha256 == "" and "sha256" not in digests:
        return ""
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        message = "the verification summary has a sha256 that is not lower-case hex"
        raise ParseError(message, where=f"{where}.digest.sha256")
    return f"sha256:{sha256}"
