"""sign with an old signature: what a caller says, and the signature that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError, SignatureError
from weighbridge.signing import (
    measure_listing,
    parse_signed_manifest,
    verify_bundle,
)
from weighbridge.workflow._declare import Base, check_reuse
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._rebuild import list_files, rebuild_manifest
from weighbridge.workflow._signatures import read_bundle
from weighbridge.workflow._trust import KeyTrust, describe_trust, load_verifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from weighbridge.artifact import Tree
    from weighbridge.core import Limits, Manifest, Serialization
    from weighbridge.core.ports import StrPath
    from weighbridge.signing import SignedManifest, Verifier
    from weighbridge.workflow._rebuild import Reused
    from weighbridge.workflow._reread import Weighing
    from weighbridge.workflow._trust import Trust

__all__ = ["Reuse", "find_base", "read_base", "rebuild_signed"]


@dataclass(frozen=True, slots=True)
class Reuse:
    """An old signature, and what changed since it was made.

    At least one way of saying what changed has to be given, or a whole audit; ``changed=[]`` says
    that nothing changed. All that are given are combined. Paths are POSIX and inside the artifact.
    What is declared unchanged is not read: its digest is taken from the old signature on the
    caller's word.

    Attributes:
        signature: The old bundle; the one that is going to be replaced, or another.
        key: The public key in PEM that it has to be verified with.
        trust: The same in general. With neither it has to be by whoever signs now.
        changed: Files that are new, gone or have other bytes; the disk tells which.
        updated: Files that are there with new bytes.
        deleted: Files that are gone.
        renamed: Pairs of old and new path; the bytes are the same.
        git_since: A revision of the git repository that the folder is in, at which it was signed;
            ``HEAD`` for what is not committed yet.
        git_status: What ``git status --porcelain`` printed, in any of its forms.
        git_diff: What ``git diff --raw`` or ``--name-status`` printed.
        git_prefix: The folder in the repository that is the artifact, or in which the bare file
            is, for the paths in ``git_status`` and ``git_diff``.
        digests: The sha256 of files as they are now, in hex, with or without ``sha256:``. What the
            old signature lists with the same digest is unchanged or renamed; every other file is
            hashed, and has to have the digest that is given.
        strict: Whether a new or missing file that is not declared is an error.
        audit_ratio: Which share of the reused files is hashed all the same, 0 to 1, chosen at
            random; a difference is an error.
    """

    signature: StrPath
    key: StrPath | None = None
    trust: Trust | None = None
    changed: Sequence[str] | None = None
    updated: Sequence[str] = ()
    deleted: Sequence[str] = ()
    renamed: Sequence[tuple[str, str]] = ()
    git_since: str | None = None
    git_status: bytes | None = None
    git_diff: bytes | None = None
    git_prefix: str = ""
    digests: Mapping[str, str] | None = None
    strict: bool = False
    audit_ratio: float = 0.0


def read_base(
    reuse: Reuse, own: Verifier | None, *, limits: Limits, offline: bool = False
) -> SignedManifest:
    """Read and verify the old signature.

    Args:
        reuse: Says where it is and whose it has to be.
        own: Trusted if ``reuse`` names nobody.
        limits: Bounds on the signature's size.
        offline: Whether the network must not be used.

    Raises:
        InputError: The signature or what is trusted cannot be used.
        SignatureError: It does not hold, or somebody else made it.
        LimitExceededError: It is too large.
    """
    if not isinstance(reuse, Reuse):
        raise InputError("an old signature is given as Reuse, which says what changed as well")
    if reuse.key is not None and reuse.trust is not None:
        raise InputError("the old signature is trusted by a key and by something else; give one")
    name, verifier = "the signer's own earlier signatures", own
    trust = reuse.trust if reuse.key is None else KeyTrust(reuse.key)
    if trust is not None:
        name = describe_trust(trust)
        verifier = load_verifier(trust, limits=limits, offline=offline)
    if verifier is None:
        raise InputError(
            "whose the old signature has to be cannot be told from this signer; "
            "say it, for instance with a public key"
        )
    old = to_path(reuse.signature, what="old signature")
    bundle = read_bundle(old, limits=limits)
    try:
        verified = verify_bundle(bundle, {name: verifier}, at=datetime.now(UTC), limits=limits)
    except SignatureError as error:
        hint = "" if trust else "; if somebody else made it, say who: --reuse-key PUBLIC"
        raise type(error)(f"the old signature {printable(str(old))}: {error}{hint}") from error
    return parse_signed_manifest(verified.statement)


def rebuild_signed(
    root: Path,
    signed: SignedManifest,
    reuse: Reuse,
    *,
    weighing: Weighing,
    wanted: Serialization | None = None,
) -> tuple[Manifest, Reused]:
    """Build the manifest that hashing everything would give, and hash what changed.

    Args:
        root: A file or a folder.
        signed: From a signature that was verified.
        reuse: What changed.
        weighing: How.
        wanted: The serialization to list; another than that of ``signed`` makes everything be
            read.

    Raises:
        WeighbridgeError: As :func:`rebuild_manifest`.
    """
    check_reuse(reuse)
    tree = list_files(root, weighing)
    base = find_base(signed, tree)
    return rebuild_manifest(root, tree, base, reuse, weighing=weighing, wanted=wanted)


def find_base(signed: SignedManifest, tree: Tree) -> Base:
    """Return what a verified signature tells of an artifact's files."""
    return Base(
        digests=signed.index_for(tree.kind, tree.label),
        sizes=measure_listing(signed.listing) if signed.listing else {},
        listing=signed.listing,
    )
