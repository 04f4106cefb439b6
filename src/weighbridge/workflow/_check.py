"""check: the gate. One artifact, one policy, one verdict, with reasons."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from weighbridge._version import __version__
from weighbridge.artifact import weigh
from weighbridge.core import (
    DEFAULT_LIMITS,
    PLAIN,
    ArtifactEvidence,
    CardEvidence,
    Evidence,
    FileScan,
    Limits,
    Manifest,
    SignatureEvidence,
    parse_statement,
    printable,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import (
    IncompleteError,
    InputError,
    LimitExceededError,
    ParseError,
    WeighbridgeError,
)
from weighbridge.export import CheckReport
from weighbridge.licenses import find_license
from weighbridge.policy import Policy, evaluate
from weighbridge.scanning import build_inspector, conclude
from weighbridge.signing import (
    SignedManifest,
    compare_signed,
    parse_signed_manifest,
    verify_bundle,
)
from weighbridge.workflow._cards import pick_card, read_card
from weighbridge.workflow._lineage import gather_lineage, read_manifests, to_judged_at
from weighbridge.workflow._paths import to_optional_path, to_path
from weighbridge.workflow._policy_trust import load_policy, load_verifiers
from weighbridge.workflow._scan import changes_as_failures
from weighbridge.workflow._signatures import find_signature_path, read_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from weighbridge.core import Attribution, Bundle
    from weighbridge.core.ports import (
        BundleStore,
        ByteSource,
        Executor,
        Inspector,
        Progress,
        StrPath,
    )
    from weighbridge.signing import Verifier

__all__ = ["check_artifact"]

_SPARE_ENTRIES = 10_000


class _Inspection(NamedTuple):
    """What was seen of one file in the one read that it gets."""

    scan: FileScan
    card: CardEvidence | None


def check_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    policy: StrPath | None = None,
    signature: StrPath | None = None,
    claims: Sequence[StrPath | BundleStore] = (),
    manifests: Sequence[StrPath] = (),
    profile: Literal["", "checklist"] = "",
    document: StrPath | None = None,
    offline: bool = False,
    at: datetime | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> CheckReport:
    """Judge whether the artifact at ``path`` may enter.

    Every file is read once: what is scanned is what is hashed. Before the verdict the artifact is
    listed again, and a file that is no longer what it was fails the integrity rule. What signed
    claims say of it, and of what it was made from, is followed as far as the policy trusts whoever
    signed.

    Args:
        path: A file or a folder.
        policy: A ``weighbridge.toml``; without one the built-in policy applies.
        signature: The bundle; by default ``model.sig`` in a folder, ``NAME.sig`` beside a file.
        claims: More claims than the artifact's claims file: files, bundles, folders and stores.
        manifests: Lists of files of what the artifact was made from, as ``hash --manifest-out``
            writes them.
        profile: ``checklist``: answer the three checklists as well.
        document: A ``provenance.yaml`` that is held against the files and the lineage.
        offline: Whether the network must not be used to verify the signature.
        at: When it is judged, aware; by default now.
        executor: Where to work; by default threads, one for each processor.
        limits: Bounds on all work.
        progress: Is told the bytes.

    Returns:
        The verdict and the evidence; hostile content gives a verdict, never an exception.

    Raises:
        InputError: ``path`` cannot be weighed at all; or the policy, or what is known of a Sigstore
            instance that it trusts, cannot be used; nor can a manifest or one of ``claims``.
        LimitExceededError: Too many files, shards or claims, or too deep.
        MissingExtraError: A trusted signer lists BLAKE3 digests, and the extra is not installed.
        IncompleteError: A Sigstore instance that the policy trusts could not be asked for news, or
            a store does not answer.
    """
    judged_at = to_judged_at(at)
    root = to_path(path, what="artifact")
    policy_file = to_optional_path(policy, what="policy")
    rules = load_policy(policy_file, limits=limits)
    if profile:
        rules = replace(rules, profile=profile)
    lists = read_manifests(manifests, limits=limits)
    verifiers = load_verifiers(rules, policy_file, limits=limits, offline=offline)
    target = find_signature_path(root, signature)
    bundle, problem = _read_signature(target, limits, named=signature is not None)
    claim = None
    if bundle and verifiers:
        claim = _verify_signature(bundle, verifiers, at=judged_at, limits=limits)
    weighed = weigh(
        root,
        executor=executor or ThreadExecutor(),
        limits=limits,
        inspector=_build_inspector(rules, limits),
        signature=target,
        serialization=claim.signed.serialization if claim and claim.signed else PLAIN,
        progress=progress,
    )
    changes = changes_as_failures(
        weighed.tree, root, limits=limits, signature=target, known=weighed.failures
    )
    failures = (*weighed.failures, *changes)
    manifest = None if failures else weighed.to_manifest()
    card = pick_card(weighed.tree.kind, (seen.card for seen in weighed.inspections))
    lineage = None
    if manifest:
        lineage = gather_lineage(
            root,
            (manifest, *lists),
            rules,
            verifiers,
            at=judged_at,
            signature=target,
            claims=claims,
            limits=limits,
        )
    files = {resource.name: resource.sha256 for resource in weighed.resources}
    digest = manifest.compute_digest() if manifest else None
    evidence = Evidence(
        artifact=ArtifactEvidence(
            path=str(path),
            kind=weighed.tree.kind,
            digest=digest,
            file_count=len(weighed.resources),
            size_bytes=sum(resource.size_bytes for resource in weighed.resources),
            failures=failures,
            left_out=weighed.tree.left_out,
        ),
        signature=_weigh_signature(
            target,
            bundle,
            problem,
            claim=claim,
            manifest=manifest,
            # A stranger's list that is far longer than the artifact need not be read.
            limits=replace(limits, max_entries=len(weighed.tree.entries) + _SPARE_ENTRIES),
        ),
        scan=conclude(
            (inspection.scan for inspection in weighed.inspections),
            failures=failures,
            out_of_scope=weighed.tree.unwalked,
        ),
        card=card,
        license=find_license(card),
        lineage=lineage,
        files=files,
    )
    if document is not None:
        from weighbridge.workflow._provenance_yaml import check_document  # noqa: PLC0415 - seldom

        held = check_document(
            document, root=root, files=files, digest=digest, lineage=lineage, limits=limits
        )
        evidence = replace(evidence, document=held)
    verdict = evaluate(rules, evidence, at=judged_at, limits=limits)
    return CheckReport(verdict=verdict, evidence=evidence, version=__version__)


def _build_inspector(rules: Policy, limits: Limits) -> Inspector[_Inspection]:
    scanner = build_inspector(limits=limits, allowed=rules.allowed)

    def inspect(source: ByteSource) -> _Inspection:
        return _Inspection(scanner(source), read_card(source, limits=limits))

    return inspect


def _read_signature(target: Path, limits: Limits, *, named: bool) -> tuple[Bundle | None, str]:
    """Return the parsed bundle, or why there is none; neither if there is no signature file.

    Raises:
        InputError: The user named a signature file and it is not there.
    """
    if not os.path.lexists(target):
        if named:
            raise InputError(f"there is no signature file at {printable(str(target))}")
        return None, ""
    try:
        return read_bundle(target, limits=limits), ""
    except WeighbridgeError as error:
        return None, str(error)


class _Claim(NamedTuple):
    """What a signature says and who vouches for it, or why it cannot be used."""

    attributions: tuple[Attribution, ...]
    signed: SignedManifest | None
    problem: str = ""


def _verify_signature(
    bundle: Bundle, verifiers: Mapping[str, Verifier], *, at: datetime, limits: Limits
) -> _Claim:
    """Verify before anything is weighed: only who is trusted may say how to hash."""
    attributions: tuple[Attribution, ...] = ()
    try:
        verified = verify_bundle(bundle, verifiers, at=at, limits=limits)
        attributions = verified.attributions
        return _Claim(attributions, parse_signed_manifest(verified.statement))
    except IncompleteError as error:
        if not isinstance(error, LimitExceededError):  # the network: nobody's fault, no verdict
            raise
        return _Claim(attributions, None, str(error))
    except InputError as error:
        # The policy names an instance, or this machine has a cache, that cannot be used: that says
        # nothing about the signature. What is wrong with the signature is a ParseError.
        if not isinstance(error, ParseError):
            raise
        return _Claim(attributions, None, str(error))
    except WeighbridgeError as error:
        return _Claim(attributions, None, str(error))


def _read_claim(bundle: Bundle, limits: Limits) -> _Claim:
    """Nobody can be trusted, but whether the files are those of the list is worth knowing."""
    try:
        signed = parse_signed_manifest(parse_statement(bundle.envelope.payload, limits=limits))
    except WeighbridgeError as error:
        return _Claim((), None, str(error))
    if signed.serialization == PLAIN:
        return _Claim((), signed)
    kind = f"{signed.serialization.hash_type.value} digests of {signed.serialization.method.value}"
    message = f"the signature lists {kind}, which are compared only for a signer in the policy"
    return _Claim((), None, message)


def _weigh_signature(
    target: Path,
    bundle: Bundle | None,
    problem: str,
    *,
    claim: _Claim | None,
    manifest: Manifest | None,
    limits: Limits,
) -> SignatureEvidence:
    """Say whose signature it is and whether the files are those that it lists."""
    path = str(target)
    if bundle is None:
        return SignatureEvidence(path, found=bool(problem), problem=problem)
    claim = claim or _read_claim(bundle, limits)
    if claim.signed is None:
        return SignatureEvidence(
            path, found=True, problem=claim.problem, attributions=claim.attributions
        )
    diff = compare_signed(claim.signed, manifest, accept_ignored=()) if manifest else None
    return SignatureEvidence(path, found=True, attributions=claim.attributions, diff=diff)
