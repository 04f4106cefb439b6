"""Collecting claims: from lines that anybody may have written to statements with known signers."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.core import (
    DEFAULT_LIMITS,
    Claim,
    Digest,
    SetAside,
    StepRecord,
    collection_paused,
    parse_bundle,
    parse_statement,
    printable,
)
from weighbridge.errors import (
    IncompleteError,
    LimitExceededError,
    TrustError,
    WeighbridgeError,
)
from weighbridge.signing import verify_bundle
from weighbridge.workflow._claim_content import ContentReader
from weighbridge.workflow._claim_sources import list_own_lines, open_sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from weighbridge.core import Attribution, Bundle, Limits, Statement, VerifiedStatement
    from weighbridge.core.ports import BundleStore, StrPath
    from weighbridge.signing import Verifier
    from weighbridge.workflow._claim_sources import ClaimLines

__all__ = ["Collected", "collect_claims"]

# What every bundle of a statement has in it; whatever else is no JSON worth parsing.
_MARK = b'"dsseEnvelope"'
_MAX_GARBAGE = 200
_MAX_SUBJECTS = 1_000
_NOBODY = "nobody is trusted: there is no policy that names a signer"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Collected(NamedTuple):
    """What was found.

    Attributes:
        claims: What somebody who is trusted signed, each statement once; sorted by id.
        set_aside: What was not used, and why; in the order of places.
    """

    claims: tuple[Claim, ...]
    set_aside: tuple[SetAside, ...]


@collection_paused()
def collect_claims(  # noqa: PLR0913 - each is one thing that varies
    artifact: Path,
    digests: Sequence[Digest],
    verifiers: Mapping[str, Verifier],
    *,
    at: datetime,
    signature: Path,
    sources: Sequence[StrPath | BundleStore] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Collected:
    """Find what people who are trusted say of an artifact and of all that it was made from.

    Read are the artifact's own claims file and signature, and all files that ``sources`` name.
    Stores among them are asked by digest: for the artifact, then for what verified statements name
    as its inputs, and so on. A line that cannot be used never hides another.

    Args:
        artifact: A file or a folder.
        digests: Its digest, and whatever else stores are to be asked about.
        verifiers: Whoever is trusted, by the policy's name for them.
        at: When it is judged, aware.
        signature: Where its signature is, or would be.
        sources: Claims files, bundles, folders and stores.
        limits: ``max_claims`` bounds the statements that are looked at, ``max_signature_bytes``
            each file.

    Raises:
        InputError: One of ``sources`` cannot be used.
        LimitExceededError: There are more than ``max_claims`` statements, or a source is too large.
        IncompleteError: A store does not answer, or a Sigstore instance could not be asked.
    """
    intake = _Intake(verifiers, at, limits)
    lines, stores = open_sources(sources, limits=limits)
    for source in (*list_own_lines(artifact, signature, limits=limits), *lines):
        intake.take_lines(source)
    asked: set[str] = set()
    waiting: list[str] = []
    if stores:
        waiting += [digest.hex for digest in digests]
        waiting += [name for claim in intake.list_claims() for name in _list_inputs(claim)]
    while waiting:
        level, waiting = dict.fromkeys(waiting), []
        for name in level:
            if name in asked:
                continue
            asked.add(name)
            for claim in _ask(stores, Digest(name), intake):
                waiting += _list_inputs(claim)
    return intake.conclude()


def _ask(
    stores: Sequence[tuple[str, BundleStore]], digest: Digest, intake: _Intake
) -> Iterable[Claim]:
    """Ask each store; return what was not known before."""
    found = []
    for place, store in stores:
        for number, line in enumerate(store.find(digest), 1):
            claim = intake.take(line, f"{place}, {digest}", number)
            if claim is not None:
                found.append(claim)
    return found


def _list_inputs(claim: Claim) -> list[str]:
    """Return the sha256 of what a step took in, as far as lineages follow it."""
    record = claim.content
    if not isinstance(record, StepRecord):
        return []
    digests = [item.digest.get("sha256", "") for item in record.followed]
    return [digest for digest in digests if _SHA256.fullmatch(digest)]


class _Intake:
    """Takes lines one by one, verifies them, and keeps each statement once.

    Args:
        verifiers: Whoever is trusted.
        at: When it is judged.
        limits: ``max_claims`` and those of bundles and statements.
    """

    def __init__(self, verifiers: Mapping[str, Verifier], at: datetime, limits: Limits) -> None:
        self._verifiers = verifiers
        self._at = at
        self._limits = limits
        # What nobody vouches for is worth a short look.
        self._brief = replace(limits, max_entries=min(limits.max_entries, _MAX_SUBJECTS))
        self._contents = ContentReader()
        self._seen: set[bytes] = set()
        self._claims: dict[str, Claim] = {}
        self._set_aside: list[SetAside] = []
        self._count = 0
        self._garbage = 0

    def take_lines(self, source: ClaimLines) -> None:
        """Take all bundles of one place."""
        if source.problem:
            self._set_aside.append(SetAside(source.place, "", (), source.problem))
        for number, line in enumerate(source.split(), 1):
            self.take(line, source.place, number if source.numbered else 0)

    def take(self, line: bytes, place: str, number: int) -> Claim | None:
        """Take one bundle; return the claim if it is one that was not known.

        Args:
            line: As it was read.
            place: Where it is from.
            number: Which one it is there, from 1; 0 if there is only one.
        """
        if not line.strip():
            return None
        if _MARK not in line:
            self._drop(place, number, "it is no signature bundle")
            return None
        key = hashlib.sha256(line).digest()
        if key in self._seen:
            return None
        self._seen.add(key)
        self._count += 1
        if self._count > self._limits.max_claims:
            raise LimitExceededError(
                "max_claims",
                limit=self._limits.max_claims,
                actual=self._count,
                subject=f"statements, at {_where(place, number)}",
            )
        try:
            bundle = parse_bundle(line, what="it", limits=self._limits)
        except WeighbridgeError as error:
            self._drop(place, number, str(error))
            return None
        try:
            verified = self._verify(bundle)
        except WeighbridgeError as error:
            if isinstance(error, IncompleteError) and not isinstance(error, LimitExceededError):
                raise  # the network: nobody's fault, and no verdict
            where = _where(place, number)
            self._set_aside.append(_describe(bundle, where, str(error), self._brief))
            return None
        return self._keep(verified.statement, verified.attributions)

    def _verify(self, bundle: Bundle) -> VerifiedStatement:
        if not self._verifiers:
            raise TrustError(_NOBODY)
        return verify_bundle(bundle, self._verifiers, at=self._at, limits=self._limits)

    def _keep(self, statement: Statement, attributions: tuple[Attribution, ...]) -> Claim | None:
        """Keep a statement; several envelopes of one payload are one claim by all their signers."""
        name = hashlib.sha256(statement.payload).hexdigest()
        known = self._claims.get(name)
        if known is not None:
            merged = _merge((*known.attributions, *attributions))
            self._claims[name] = replace(known, attributions=merged)
            return None
        content, problem = self._contents.read(statement)
        claim = Claim(
            Digest(name),
            statement.subjects,
            sys.intern(statement.predicate_type),
            attributions,
            content,
            problem,
        )
        self._claims[name] = claim
        return claim

    def _drop(self, place: str, number: int, reason: str) -> None:
        """Set aside what is no bundle; of a flood the first are named and the others counted."""
        self._garbage += 1
        if self._garbage <= _MAX_GARBAGE:
            self._set_aside.append(SetAside(_where(place, number), "", (), reason))

    def list_claims(self) -> Iterable[Claim]:
        """Return the claims so far."""
        return list(self._claims.values())

    def conclude(self) -> Collected:
        """Return everything, in an order that does not depend on where it was found."""
        rest = self._garbage - _MAX_GARBAGE
        if rest > 0:
            words = f"{rest:,} more lines or files are no signature bundles"
            self._set_aside.append(SetAside("everywhere", "", (), words))
        claims = tuple(self._claims[name] for name in sorted(self._claims))
        return Collected(claims, tuple(self._set_aside))


def _where(place: str, number: int) -> str:
    return f"{place}:{number}" if number else place


def _merge(attributions: Iterable[Attribution]) -> tuple[Attribution, ...]:
    """Return each person once under each name: the attribution that was proven earliest."""
    people: dict[tuple[str, ...], Attribution] = {}
    for attribution in sorted(attributions, key=_to_order):
        people.setdefault(attribution.person, attribution)
    return tuple(people.values())


def _to_order(attribution: Attribution) -> tuple[tuple[str, ...], float, tuple[str, ...]]:
    proven = attribution.existed_by
    stamp = float("inf") if proven is None else proven.timestamp()
    return attribution.person, stamp, attribution.notes


def _describe(bundle: Bundle, where: str, reason: str, limits: Limits) -> SetAside:
    """Say what a bundle says that it is; nobody vouches for a word of it."""
    try:
        statement = parse_statement(bundle.envelope.payload, limits=limits)
    except WeighbridgeError:
        return SetAside(where, "", (), reason)
    subjects = tuple(
        f"sha256:{subject.digest['sha256']}"
        if "sha256" in subject.digest
        else printable(subject.name, limit=200)
        for subject in statement.subjects[:_MAX_SUBJECTS]
    )
    return SetAside(where, printable(statement.predicate_type, limit=200), subjects, reason)
