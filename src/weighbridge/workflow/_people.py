"""accept and review: what a person vouches for, signed and kept with the artifact."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from weighbridge.artifact import (
    CLAIMS_NAME,
    DEFAULT_SIGNATURE_NAME,
    append_claims,
    check_claims,
    find_claims,
    refuse_changes,
    weigh,
)
from weighbridge.core import (
    DEFAULT_LIMITS,
    MAX_LIFE,
    Decision,
    Digest,
    HumanReview,
    LicenseEvidence,
    Limits,
    RootAcceptance,
    Subject,
    build_acceptance,
    build_review,
    printable,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import IncompleteError, InputError, ParseError
from weighbridge.formats import parse_license
from weighbridge.licenses import find_license
from weighbridge.provenance import check_address
from weighbridge.signing import describe_signer
from weighbridge.workflow._cards import pick_card, read_card
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._signers import choose_signer
from weighbridge.workflow._step_claims import choose_store

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.core import CardEvidence, Statement
    from weighbridge.core.ports import BundleStore, ByteSource, Executor, Progress, StrPath
    from weighbridge.signing import Signer
    from weighbridge.workflow._signers import SignerSpec

__all__ = ["ClaimPlace", "Vouched", "accept_artifact", "review_artifact"]

_MAX_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Vouched:
    """What somebody said of an artifact, and where it is kept.

    Attributes:
        artifact: The digest that the statement pins.
        claims: The claims file that it is in.
        word: What was said.
    """

    artifact: Digest
    claims: Path
    word: RootAcceptance | HumanReview


@dataclass(frozen=True, slots=True)
class _Looked:
    """What hashing gave."""

    subject: Subject
    license: LicenseEvidence


def accept_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    reason: str,
    fetched_from: str,
    license: str,  # noqa: A002 - what the option is called
    expires: datetime | date | str,
    max_level: int,
    key: StrPath | None = None,
    signer: StrPath | SignerSpec | Signer | None = None,
    license_differs: bool = False,
    store: StrPath | BundleStore | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Vouched:
    """Accept an artifact without provenance as a root: somebody answers for it, for a while.

    Training it again to the bit is often unaffordable, and would prove where it is from, not that
    it was trained on anything good. So what counts is its licence and that a person looked.

    Each file is read once; the statement pins the digest, and the licence that the artifact itself
    declares stands in it beside the one that is given. The claim goes to the store, if there is
    one, and is then added to the claims file. Nothing is written if anything is wrong before.

    Args:
        path: A file or a folder.
        reason: Why, for people.
        fetched_from: Where it is from, a URI; ``hf://ORG/NAME@REVISION`` also says that this digest
            is that revision.
        license: Under which licence it was taken: an SPDX expression or an id of the Hub.
        expires: Until when it counts: a date (its first second, UTC) or a time with its zone, in
            ISO 8601; in the future, and within ten years.
        max_level: The SLSA Build level that it counts as at most, 0 to 3.
        key: A private key in PEM; or give ``signer``.
        signer: ``file:PATH``, ``pkcs11:...``, ``sigstore:``, or anything that can sign.
        license_differs: That you know that the artifact declares another licence.
        store: A folder or a store that gets the claim as well.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on the files and on the claims file.
        progress: Is told the bytes.

    Raises:
        InputError: The artifact, the key or what is said cannot be used; the artifact declares
            another licence; or the claims file or the store cannot be written.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: Too many files, or too deep; or the claims file is too large.
        IncompleteError: A service that signing needs does not answer; the disk is full; or the
            store has the claim and the claims file has not.
    """
    _check_words("reason", reason)
    check_address(fetched_from, what="place that it was fetched from")
    accepted_at = datetime.now(UTC)
    expires_at = _to_end(expires, at=accepted_at)
    expression = _to_expression(license)
    place = ClaimPlace.open(path, store, limits)
    seal = choose_signer(signer, key, limits=limits)
    word = RootAcceptance(
        reason=reason,
        fetched_from=fetched_from,
        license=expression,
        license_found="",
        reviewer=printable(describe_signer(seal)),
        accepted_at=accepted_at,
        expires_at=expires_at,
        max_level=max_level,
    )
    build_acceptance(word, (_NOBODY,))  # what is wrong is told before anything is read
    looked = _look(place.root, executor, limits, progress)
    found = _compare_licenses(looked.license, expression, accepted=license_differs)
    word = replace(word, license_found=found)
    return place.keep(build_acceptance(word, (looked.subject,)), seal, word)


def review_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    scope: str,
    decision: Decision | str,
    note: str = "",
    expires: datetime | date | str | None = None,
    key: StrPath | None = None,
    signer: StrPath | SignerSpec | Signer | None = None,
    store: StrPath | BundleStore | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Vouched:
    """Say what a person found who looked at an artifact.

    Of one reviewer's reviews the latest counts. A reject can be lost with the claims file that it
    is in; what must never come in belongs in the policy, under ``[[denied]]``.

    Args:
        path: A file or a folder.
        scope: What was looked at, in words: ``training data``.
        decision: ``approve`` or ``reject``.
        note: What is to be said, for people.
        expires: As for :func:`accept_artifact`; None: no end of its own.
        key: As for :func:`accept_artifact`.
        signer: As for :func:`accept_artifact`.
        store: As for :func:`accept_artifact`.
        executor: As for :func:`accept_artifact`.
        limits: As for :func:`accept_artifact`.
        progress: As for :func:`accept_artifact`.

    Raises:
        WeighbridgeError: As :func:`accept_artifact`.
    """
    if decision not in tuple(Decision):
        choice = " or ".join(Decision)
        raise InputError(f"the decision is {printable(str(decision))!r}; {choice} is wanted")
    _check_words("scope", scope)
    reviewed_at = datetime.now(UTC)
    expires_at = None if expires is None else _to_end(expires, at=reviewed_at)
    place = ClaimPlace.open(path, store, limits)
    seal = choose_signer(signer, key, limits=limits)
    word = HumanReview(
        decision=Decision(decision),
        scope=scope,
        note=note,
        reviewer=printable(describe_signer(seal)),
        reviewed_at=reviewed_at,
        expires_at=expires_at,
    )
    build_review(word, (_NOBODY,))
    looked = _look(place.root, executor, limits, progress)
    return place.keep(build_review(word, (looked.subject,)), seal, word)


# Stands for the artifact while what is said of it is looked at.
_NOBODY = Subject("", {"sha256": "0" * 64})


@dataclass(frozen=True, slots=True)
class ClaimPlace:
    """Where a claim goes.

    Attributes:
        root: The artifact.
        store: What gets the claim as well, if anything.
        limits: Bounds on the claims file.
    """

    root: Path
    store: BundleStore | None
    limits: Limits

    @classmethod
    def open(cls, path: StrPath, store: StrPath | BundleStore | None, limits: Limits) -> ClaimPlace:
        """Refuse what would keep the claim from being written, before anything is read."""
        root = to_path(path, what="artifact")
        if not os.path.lexists(root):
            raise InputError(f"there is nothing at {printable(str(path))}; check the path")
        _refuse_parts(root)
        kept = choose_store(store, limits=limits)
        check_claims(root, limits=limits)
        if kept is not None:
            real = os.path.realpath(root)
            for local in map(os.path.realpath, kept.local_paths):
                if os.path.commonpath((local, real)) in (local, real):
                    raise InputError("the store and the artifact overlap; keep them apart")
            kept.check()
        return cls(root, kept, limits)

    def keep(
        self, statement: Statement, signer: Signer, word: RootAcceptance | HumanReview
    ) -> Vouched:
        """Sign and write; return what was said, and where it is."""
        return Vouched(*self.write(statement, signer), word)

    def write(self, statement: Statement, signer: Signer) -> tuple[Digest, Path]:
        """Sign; put the claim into the store, then into the claims file; return its path."""
        bundle = signer.sign(statement)
        if self.store is not None:
            self.store.add((bundle,))
        claims = find_claims(self.root)
        try:
            append_claims(claims, (bundle.raw,), limits=self.limits)
        except (InputError, IncompleteError) as error:
            if self.store is None:
                raise
            raise IncompleteError(f"{error}; the store has the claim") from error
        return Digest(statement.subjects[0].digest["sha256"]), claims


def _refuse_parts(root: Path) -> None:
    """Refuse a file of a folder that somebody spoke for: a claim beside it would change that."""
    if root.is_dir():
        return
    for name in (DEFAULT_SIGNATURE_NAME, CLAIMS_NAME):
        if os.path.lexists(root.parent / name):
            file, folder = printable(str(root)), printable(str(root.parent))
            raise InputError(
                f"{file} lies in {folder}, which has {name}: a claim beside it would change that"
                " folder; name the folder, or a copy of the file elsewhere"
            )


def _look(
    root: Path, executor: Executor | None, limits: Limits, progress: Progress | None
) -> _Looked:
    """Hash the artifact and read its card, in one read."""

    def inspect(source: ByteSource) -> CardEvidence | None:
        return read_card(source, limits=limits)

    weighed = weigh(
        root,
        executor=executor or ThreadExecutor(),
        limits=limits,
        inspector=inspect,
        progress=progress,
    )
    manifest = weighed.to_manifest()
    refuse_changes(weighed.tree, root, limits=limits)
    card = pick_card(weighed.tree.kind, weighed.inspections)
    subject = Subject(printable(manifest.label), {"sha256": manifest.compute_digest().hex})
    return _Looked(subject, find_license(card) if not card.malformed else _malformed(card))


def _malformed(card: CardEvidence) -> LicenseEvidence:
    """Return that something is declared and nobody can read it."""
    return LicenseEvidence(declared="?", problem=card.problem)


def _to_expression(text: str) -> str:
    try:
        return str(parse_license(text))
    except ParseError as error:
        raise InputError(
            f"the licence cannot be used: {error}; give an SPDX expression, or LicenseRef-NAME"
        ) from error


def _compare_licenses(found: LicenseEvidence, given: str, *, accepted: bool) -> str:
    """Return the licence as found, for the record; refuse one that differs from what is given."""
    if not found.declared:
        return ""
    words = printable(found.expression or found.declared, limit=_MAX_SHOWN)
    if found.expression != given and not accepted:
        reason = f" ({found.problem})" if found.problem else ""
        raise InputError(
            f"the artifact declares the licence {words}{reason}, and {given} is given; give what "
            "it declares, or --license-differs and why in the reason"
        )
    return words


def _check_words(what: str, words: str) -> None:
    if not words.strip():
        raise InputError(f"the {what} is empty; say it in words")


def _to_end(expires: datetime | date | str, *, at: datetime) -> datetime:
    """Return when something ends, aware; a date means its first second."""
    moment = _parse_end(expires) if isinstance(expires, str) else expires
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), tzinfo=UTC)
    if moment.tzinfo is None:
        raise InputError("the time at which it expires has no zone; add Z for UTC")
    if moment <= at:
        raise InputError(
            f"it would have expired already, at {moment.isoformat()}; give a date in the future"
        )
    if moment - at > MAX_LIFE:
        raise InputError("it may count for 10 years at most; give an earlier date")
    return moment


def _parse_end(text: str) -> datetime | date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        shown = printable(text, limit=60)
        raise InputError(
            f"{shown!r} is no date; write it as 2027-01-31, or 2027-01-31T12:00:00Z"
        ) from error
