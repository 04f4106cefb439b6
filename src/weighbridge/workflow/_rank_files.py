"""Reading what ranks left in their folder, all of it hostile until its signature holds."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.artifact import identify, read_claims, read_document
from weighbridge.core import parse_bundle, printable
from weighbridge.errors import InputError, ParseError, VerificationError, WeighbridgeError
from weighbridge.provenance import (
    PREDICATE_TYPE,
    RankProblem,
    VerifiedRank,
    check_rank,
    name_report,
    parse_provenance,
    parse_rank_report,
    parse_report_name,
)
from weighbridge.signing import verify_bundle
from weighbridge.workflow._ranks import CLAIMS_END, FOLDER, list_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from weighbridge.artifact import Identity
    from weighbridge.core import Bundle, Limits, VerifiedStatement
    from weighbridge.signing import Verifier

__all__ = ["RankSource", "Reading", "read_ranks"]

_OURS = ".weighbridge-"


@dataclass(frozen=True, slots=True)
class RankSource:
    """Where ranks are read, and whose signatures are taken.

    Attributes:
        folder: Of the reports.
        verifier: Whose signatures are taken.
        world_size: How many ranks there have to be; 0: as the names say.
        limits: Bound everything that is read.
        known: What was read before, by rank, with what its files looked like then.
    """

    folder: Path
    verifier: Verifier
    world_size: int
    limits: Limits
    known: dict[int, tuple[object, _Found]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found.

    Attributes:
        world_size: How many ranks there have to be; 0 if nothing says so.
        ranks: Those whose signature holds, by rank.
        claims: The lines of their claims files, in the order of ranks; each is a bundle.
        problems: Why one cannot be used.
        ignored: Names that are neither a report's nor its claims'.
        junk_count: How many lines of claims files are no bundles.
    """

    world_size: int
    ranks: tuple[VerifiedRank, ...] = ()
    claims: tuple[bytes, ...] = ()
    problems: tuple[RankProblem, ...] = ()
    ignored: tuple[str, ...] = ()
    junk_count: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    rank: VerifiedRank | None = None
    claims: tuple[bytes, ...] = ()
    junk_count: int = 0
    problem: RankProblem | None = None


def read_ranks(source: RankSource, *, at: datetime) -> Reading:
    """Read and verify every rank that there is.

    Args:
        source: Where.
        at: When signatures are judged, aware.

    Raises:
        InputError: The folder cannot be read.
        LimitExceededError: There is too much in it.
    """
    try:
        names = list_names(source.folder, limits=source.limits)
    except OSError as error:
        shown, reason = printable(str(source.folder)), (error.strerror or "error").lower()
        raise InputError(f"the {FOLDER} {shown} cannot be read: {reason}") from error
    reports = [numbers for name in names if (numbers := parse_report_name(name))]
    ignored = tuple(
        name
        for name in names
        if not parse_report_name(name.removesuffix(CLAIMS_END)) and not name.startswith(_OURS)
    )
    world_size, problems = _choose_size(reports, source.world_size)
    found = [_look(source, rank, world_size, at=at) for rank, size in reports if size == world_size]
    problems += [item.problem for item in found if item.problem is not None]
    return Reading(
        world_size,
        tuple(item.rank for item in found if item.rank is not None),
        tuple(line for item in found for line in item.claims),
        tuple(problems),
        ignored,
        sum(item.junk_count for item in found),
    )


def _choose_size(reports: Iterable[tuple[int, int]], wanted: int) -> tuple[int, list[RankProblem]]:
    """Return the size that is wanted, or that most reports are of, and a word about others."""
    counts = Counter(size for _, size in reports)
    if not wanted and not counts:
        return 0, [RankProblem((), "there is no report of any rank", may_pass=True)]
    size = wanted or max(counts, key=lambda size: (counts[size], size))
    others = tuple(sorted(rank for rank, other in reports if other != size))
    if not others:
        return size, []
    words = (
        f"there are reports of a job of another size than {size:,}; remove what is left over "
        "from another run"
    )
    return size, [RankProblem(others, words, may_pass=True)]


def _look(source: RankSource, rank: int, world_size: int, *, at: datetime) -> _Found:
    """Read a rank, or take what is known of it if its files have not changed since."""
    path = source.folder / name_report(rank, world_size)
    files = (path, _name_claims(path))
    before = [_identify(file) for file in files]
    if rank in source.known and source.known[rank][0] == before:
        return source.known[rank][1]
    try:
        found = _read_rank(source, path, (rank, world_size), at=at)
    except WeighbridgeError as error:
        found = _Found(problem=RankProblem((rank,), str(error)))
    if before[0] is None or before[1] is None or [_identify(file) for file in files] != before:
        # It is being written.
        words = "has left its report and not yet its claims"
        return _Found(problem=RankProblem((rank,), words, may_pass=True))
    source.known[rank] = (before, found)
    return found


def _name_claims(report: Path) -> Path:
    """Return where the claims about a report are, also if what is there is no file."""
    return report.with_name(f"{report.name}{CLAIMS_END}")


def _identify(path: Path) -> Identity | None:
    try:
        return identify(path.lstat())
    except OSError:
        return None


def _read_rank(source: RankSource, path: Path, numbers: tuple[int, int], *, at: datetime) -> _Found:
    """Read a rank's report and its claims.

    Raises:
        WeighbridgeError: Either cannot be used; says why.
    """
    limits = source.limits
    claims = _name_claims(path)
    for file in (path, claims):
        if os.path.lexists(file) and not stat.S_ISREG(file.lstat().st_mode):
            raise InputError(f"{file.name} is not a regular file")
    data = read_document(
        path, what="report", limit_name="max_report_bytes", limit_bytes=limits.max_report_bytes
    )
    report = parse_rank_report(data, what=path.name, limits=limits)
    if (report.rank, report.world_size) != numbers:
        raise VerificationError(f"{path.name} is the report of rank {report.rank:,}")
    lines = read_claims(claims, limits=limits)
    bundles = _parse_bundles(lines, limits)
    verified = _find_provenance(bundles, path.name, hashlib.sha256(data).hexdigest(), source, at)
    record = parse_provenance(verified.statement)
    check_rank(report, record)
    there = {hashlib.sha256(bundle.envelope.payload).hexdigest() for bundle in bundles}
    for item in record.byproducts:
        is_statement = "predicateType" in item.annotations
        if is_statement and item.digest.get("sha256") not in there:
            raise VerificationError(
                f"its claims lack the {printable(item.name, limit=80)} that its provenance names"
            )
    attribution = verified.attributions[0]
    rank = VerifiedRank(
        report,
        record,
        hashlib.sha256(verified.statement.payload).hexdigest(),
        f"{attribution.method} {attribution.identity}",
    )
    return _Found(rank, tuple(bundle.raw for bundle in bundles), len(lines) - len(bundles))


def _parse_bundles(lines: Iterable[bytes], limits: Limits) -> list[Bundle]:
    """Return those lines that are bundles; others came with an input, where nobody read them."""
    bundles = []
    for line in lines:
        with suppress(ParseError):
            bundles.append(parse_bundle(line, what="a claim", limits=limits))
    return bundles


def _find_provenance(
    bundles: Sequence[Bundle], name: str, digest: str, source: RankSource, at: datetime
) -> VerifiedStatement:
    """Return the one provenance of this report by somebody who is trusted.

    Raises:
        VerificationError: There is none, or more than one.
    """
    found: dict[bytes, VerifiedStatement] = {}
    refusal, is_of_another = "nobody has signed its report", False
    for bundle in bundles:
        payload = bundle.envelope.payload
        # Only to leave out what speaks of something else; what is believed is compared below.
        if digest.encode() not in payload and name.encode() not in payload:
            continue
        try:
            verified = verify_bundle(
                bundle, {"ranks": source.verifier}, at=at, limits=source.limits
            )
        except VerificationError as error:
            refusal = str(error)
            continue
        if verified.statement.predicate_type != PREDICATE_TYPE:
            continue
        if [subject.digest.get("sha256") for subject in verified.statement.subjects] == [digest]:
            found[payload] = verified
        else:
            is_of_another = True
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise VerificationError(f"its report has {len(found)} provenances")
    raise VerificationError(
        "its report is not the one that was signed" if is_of_another else refusal
    )
