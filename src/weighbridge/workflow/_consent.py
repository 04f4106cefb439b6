"""Consent: what a verifier agrees to, beyond the strict reading of a signature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from weighbridge.artifact import WHOLE, Scope
from weighbridge.core import ArtifactKind, covers, parse_ignored
from weighbridge.signing import (
    parse_before_v1,
    parse_signed_manifest,
    says_before_v1,
    verify_before_v1,
    verify_bundle,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from weighbridge.core import Attribution, Bundle, Limits, Manifest, ManifestDiff, Resource
    from weighbridge.signing import SignedManifest, Verifier

__all__ = ["STRICT", "Consent", "choose_scope", "find_unsigned", "read_claim", "set_aside"]


@dataclass(frozen=True, slots=True)
class Consent:
    """What may be otherwise than a signature strictly says. What is signed is compared anyway.

    Attributes:
        ignore: Paths inside the artifact; what is there and not signed does not fail.
        ignore_unsigned: As ``ignore``, for every path.
        allow_symlinks: Follow links to regular files inside the artifact if the signer did.
        before_v1: Read signatures by model_signing 0.1 and 0.2 too.
    """

    ignore: Sequence[str] = ()
    ignore_unsigned: bool = False
    allow_symlinks: bool = False
    before_v1: bool = False

    def __post_init__(self) -> None:
        """Refuse paths that can be none, before anything is hashed.

        Raises:
            InputError: A path to ignore is not a plain path inside the artifact.
        """
        parse_ignored(self.ignore)


STRICT = Consent()


class Claim(NamedTuple):
    """What a verified signature lists, and whom it is by."""

    signed: SignedManifest
    attribution: Attribution
    before_v1: bool = False


def read_claim(
    bundle: Bundle,
    verifiers: Mapping[str, Verifier],
    consent: Consent,
    *,
    at: datetime,
    limits: Limits,
) -> Claim:
    """Verify a bundle and read its list; also tell whether it is from before version 1.

    Raises:
        SignatureError: Nobody in ``verifiers`` signed it; ParseError if it is no list of files.
    """
    if consent.before_v1 and says_before_v1(bundle):
        old = verify_before_v1(bundle, verifiers, at=at, limits=limits)
        return Claim(parse_before_v1(old.statement), old.attributions[0], before_v1=True)
    verified = verify_bundle(bundle, verifiers, at=at, limits=limits)
    return Claim(parse_signed_manifest(verified.statement), verified.attributions[0])


def choose_scope(signed: SignedManifest, consent: Consent) -> Scope:
    """Return how links are met: followed only if signer and verifier both say so."""
    if not signed.allow_symlinks:
        return WHOLE
    if consent.allow_symlinks:
        return Scope(follow_links=True)
    return Scope(link_advice=" (the signer followed links; --allow-symlinks agrees to that)")


def set_aside(diff: ManifestDiff, consent: Consent) -> ManifestDiff:
    """Take the unsigned files out of ``diff`` that the verifier agrees to."""
    ignored = parse_ignored(consent.ignore)
    if consent.ignore_unsigned:
        return replace(diff, extra=())
    return replace(diff, extra=tuple(r for r in diff.extra if not covers(ignored, r.name)))


def find_unsigned(signed: SignedManifest, manifest: Manifest) -> tuple[Resource, ...]:
    """Return the files that are there and that the signature says nothing about."""
    if manifest.kind is ArtifactKind.FILE:
        return ()
    names = signed.names
    return tuple(resource for resource in manifest.resources if resource.name not in names)
