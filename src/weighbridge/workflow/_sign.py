"""sign and verify: OpenSSF Model Signing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.artifact import Scope, build_manifest, remove_leftovers
from weighbridge.core import (
    DEFAULT_LIMITS,
    PLAIN,
    Dialect,
    Limits,
    Serialization,
    covers,
    find_collisions,
    parse_ignored,
    printable,
    refuse_one,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import DigestMismatchError, InputError
from weighbridge.signing import (
    KeySigner,
    compare_signed,
    sign_manifest,
)
from weighbridge.workflow._consent import (
    STRICT,
    Consent,
    choose_scope,
    find_unsigned,
    read_claim,
    set_aside,
)
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._reread import Weighing
from weighbridge.workflow._reuse import read_base, rebuild_signed
from weighbridge.workflow._signatures import (
    check_wording,
    find_signature_path,
    list_ignored,
    read_bundle,
    refuse_to_replace,
    write_bundle,
)
from weighbridge.workflow._signers import choose_signer
from weighbridge.workflow._trust import KeyTrust, describe_trust, load_verifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from weighbridge.core import Attribution, Manifest, Resource
    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.signing import SignedManifest, Signer, SignerSpec
    from weighbridge.workflow._rebuild import Reused
    from weighbridge.workflow._reuse import Reuse
    from weighbridge.workflow._trust import Trust

__all__ = ["Signed", "Verified", "list_notes", "sign_artifact", "verify_artifact"]


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and where the signature is.

    Attributes:
        manifest: What was weighed. Its ``is_known`` is False if ``reuse`` took over files from a
            signature that does not list their sha256; then nobody knows the artifact digest.
        signature: Where the bundle was written.
        collisions: Names that are one file where case or Unicode form does not count.
        reused: What was taken from an old signature, if one was used.
        notes: Who cannot verify the signature, in words.
        ignored: What was left out because the caller said so, sorted.
        ignored_in_vain: Paths that were to be left out and are not there, sorted.
        listed_in: The list of files that was signed without reading a file; else None.
    """

    manifest: Manifest
    signature: Path
    collisions: tuple[tuple[str, ...], ...] = ()
    reused: Reused | None = None
    notes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    ignored_in_vain: tuple[str, ...] = ()
    listed_in: Path | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified: the files are those that somebody who is trusted signed.

    Attributes:
        manifest: What was weighed.
        signature: Where the bundle was read.
        attribution: Whom the signature is by.
        collisions: Names that are one file where case or Unicode form does not count.
        unsigned: Files that are there, are not signed, and that the caller agreed to. They are in
            the manifest, so that its digest names more than what was signed.
        before_v1: Whether the signature is of the kind from before version 1.
    """

    manifest: Manifest
    signature: Path
    attribution: Attribution
    collisions: tuple[tuple[str, ...], ...] = ()
    unsigned: tuple[Resource, ...] = ()
    before_v1: bool = False


def sign_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    key: StrPath | None = None,
    signer: str | SignerSpec | Signer | None = None,
    signature: StrPath | None = None,
    serialization: Serialization | None = None,
    dialect: Dialect = Dialect.SPECIFICATION,
    ignore: Sequence[str] = (),
    reuse: Reuse | None = None,
    stat_cache: StrPath | None = None,
    offline: bool = False,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Signed:
    """Hash the artifact at ``path`` and write its OpenSSF Model Signing bundle.

    The signature file appears whole or not at all; one that is there already stays until then.

    Args:
        path: A file or a folder.
        key: A private key in PEM; or give ``signer``.
        signer: ``file:PATH``, ``pkcs11:...``, ``sigstore:``, or anything that can sign.
        signature: Where to write; by default ``model.sig`` in a folder, ``NAME.sig`` beside a file.
        serialization: What is listed: digests of files or of shards, by which hash. The artifact
            digest is computed in the same read. By default sha256 of files, or what the old
            signature lists; with ``reuse`` any other makes everything be read.
        dialect: Whose words to use where the reference implementation strays from the
            specification.
        ignore: Paths inside the folder that are left out with everything below them. They are
            recorded as they are given, and whoever verifies has to agree to them.
        reuse: An old signature and what changed since; only that is read again.
        stat_cache: A file of ours that remembers what was hashed: a file with the same device,
            inode, size and times is not read again. Verifying never believes it.
        offline: Whether the old signature must be verified without the network.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on the number of files and the depth of folders.
        progress: Is told the bytes.

    Raises:
        InputError: The artifact or the key cannot be used, the signature cannot be written, or
            what ``reuse`` declares does not fit.
        SignatureError: The old signature does not hold, or was made with another key.
        DigestMismatchError: A file is not what ``reuse`` declares it to be; ``diff`` says which.
        MissingExtraError: BLAKE3 is asked for and not installed.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: Too many files or shards, or too deep.
        IncompleteError: A service that signing needs does not answer, or the disk is full.
    """
    root = to_path(path, what="artifact")
    target = find_signature_path(root, signature)
    check_wording(serialization, dialect)
    refuse_to_replace(target, source=root)
    seal = choose_signer(signer, key, limits=limits)
    remove_leftovers(target.parent)
    ignored = parse_ignored(ignore)
    scope = Scope(ignored=ignored)
    weighing = Weighing(executor or ThreadExecutor(), limits, target, progress, scope)
    reused: Reused | None = None
    base: SignedManifest | None = None
    if reuse is not None:
        base = read_base(reuse, seal.own_verifier(), limits=limits, offline=offline)
    if stat_cache is not None:
        from weighbridge.workflow._stat_cached import rebuild_cached  # noqa: PLC0415 - start-up

        file = to_path(stat_cache, what="stat cache")
        manifest, reused = rebuild_cached(
            root, file, weighing=weighing, signed=base, reuse=reuse, wanted=serialization
        )
    elif reuse is None or base is None:
        manifest = weighing.build_manifest(root, serialization=serialization or PLAIN)
    else:
        manifest, reused = rebuild_signed(
            root, base, reuse, weighing=weighing, wanted=serialization
        )
    bundle = sign_manifest(
        manifest,
        signer=seal,
        ignore_paths=sorted({*list_ignored(manifest, root, target), *ignored}),
        dialect=dialect,
    )
    write_bundle(target, bundle, limits=limits)
    return Signed(
        manifest,
        target,
        _find_collisions(manifest),
        reused,
        notes=list_notes(seal),
        ignored=tuple(sorted(ignored & {*manifest.left_out})),
        ignored_in_vain=tuple(sorted(p for p in ignored if not _is_left_out(p, manifest))),
    )


def verify_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    key: StrPath | None = None,
    trust: Trust | None = None,
    signature: StrPath | None = None,
    offline: bool = False,
    accept_ignored: Sequence[str] = (),
    consent: Consent = STRICT,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Verified:
    """Verify that the artifact at ``path`` is the one that somebody who is trusted signed.

    The signature is verified before any file is hashed.

    Args:
        path: A file or a folder.
        key: A public key in PEM; or give ``trust``.
        trust: Whose signature is taken.
        signature: The bundle; by default ``model.sig`` in a folder, ``NAME.sig`` beside a file.
        offline: Whether the network must not be used.
        accept_ignored: Paths that the signer left out, beyond the usual scope, and you accept.
        consent: What else you agree to.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on the files and on the signature's size.
        progress: Is told the bytes.

    Raises:
        InputError: The artifact, the key or the signature file cannot be used.
        SignatureError: The signature does not hold, or was made with another key.
        MissingExtraError: It lists BLAKE3 digests, and the extra is not installed.
        DigestMismatchError: The files are not those that were signed; ``diff`` says which.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: Something is too large.
        IncompleteError: A Sigstore instance could not be asked for news.
    """
    root = to_path(path, what="artifact")
    target = find_signature_path(root, signature)
    refuse_one(accept_ignored, what="accepted paths")
    if (key is None) == (trust is None):
        raise InputError("say whose signature is trusted: a key or another trust, and one of them")
    trusted = trust or KeyTrust(key or "")
    verifier = load_verifier(trusted, limits=limits, offline=offline)
    bundle = read_bundle(target, limits=limits)
    names = {describe_trust(trusted): verifier}
    claim = read_claim(bundle, names, consent, at=datetime.now(UTC), limits=limits)
    signed = claim.signed
    del bundle  # of a long list it takes more memory than the list itself
    manifest = build_manifest(
        root,
        executor=executor or ThreadExecutor(),
        limits=limits,
        signature=target,
        scope=choose_scope(signed, consent),
        serialization=signed.serialization,
        progress=progress,
    )
    diff = set_aside(compare_signed(signed, manifest, accept_ignored=accept_ignored), consent)
    if diff:
        raise DigestMismatchError(
            f"{printable(str(path))} is not what was signed: {diff.to_words()}", diff=diff
        )
    return Verified(
        manifest,
        target,
        claim.attribution,
        _find_collisions(manifest),
        unsigned=find_unsigned(signed, manifest),
        before_v1=claim.before_v1,
    )


def list_notes(signer: Signer) -> tuple[str, ...]:
    """Return who cannot verify what ``signer`` signs, in words."""
    if isinstance(signer, KeySigner) and signer.public_key.curve == "Ed25519":
        return ("model_signing 1.1.1 cannot verify this signature; it knows EC keys alone",)
    return ()


def _is_left_out(path: str, manifest: Manifest) -> bool:
    return covers(frozenset(manifest.left_out), path)


def _find_collisions(manifest: Manifest) -> tuple[tuple[str, ...], ...]:
    return find_collisions(resource.name for resource in manifest.resources)
