"""sign and verify: OpenSSF Model Signing with a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.artifact import build_manifest, remove_leftovers, write_atomically
from weighbridge.core import (
    DEFAULT_LIMITS,
    PLAIN,
    Dialect,
    Limits,
    Serialization,
    find_collisions,
    printable,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import DigestMismatchError, InputError, LimitExceededError
from weighbridge.signing import (
    compare_signed,
    load_public_key,
    load_signer,
    parse_signed_manifest,
    sign_manifest,
    verify_bundle,
)
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._reuse import Reused, Weighing, read_base, rebuild_manifest
from weighbridge.workflow._signatures import (
    find_signature_path,
    list_ignored,
    read_bundle,
    refuse_to_replace,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from weighbridge.core import Manifest
    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.workflow._reuse import Reuse

__all__ = ["Signed", "Verified", "sign_artifact", "verify_artifact"]


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and where the signature is.

    Attributes:
        manifest: What was weighed.
        signature: Where the bundle was written.
        collisions: Names that are one file where case or Unicode form does not count.
        reused: What was taken from an old signature, if one was used.
    """

    manifest: Manifest
    signature: Path
    collisions: tuple[tuple[str, ...], ...] = ()
    reused: Reused | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified: the files are those that the key's holder signed.

    Attributes:
        manifest: What was weighed.
        signature: Where the bundle was read.
        key: Where the key was read.
        collisions: Names that are one file where case or Unicode form does not count.
    """

    manifest: Manifest
    signature: Path
    key: Path
    collisions: tuple[tuple[str, ...], ...] = ()


def sign_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    key: StrPath,
    signature: StrPath | None = None,
    serialization: Serialization = PLAIN,
    dialect: Dialect = Dialect.SPECIFICATION,
    reuse: Reuse | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Signed:
    """Hash the artifact at ``path`` and write its OpenSSF Model Signing bundle.

    The signature file appears whole or not at all; one that is there already stays until then.

    Args:
        path: A file or a folder.
        key: An EC private key in PEM.
        signature: Where to write; by default ``model.sig`` in a folder, ``NAME.sig`` beside a file.
        serialization: What is listed: digests of files or of shards, by which hash. The artifact
            digest is computed in the same read.
        dialect: Whose words to use where the reference implementation strays from the
            specification.
        reuse: An old signature and what changed since; only that is read again.
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
    """
    root = to_path(path, what="artifact")
    signer = load_signer(to_path(key, what="key"), limits=limits)
    target = find_signature_path(root, signature)
    refuse_to_replace(target)
    remove_leftovers(target.parent)
    weighing = Weighing(executor or ThreadExecutor(), limits, target, progress)
    reused: Reused | None = None
    if reuse is None:
        manifest = weighing.build_manifest(root, serialization=serialization)
    elif serialization != PLAIN or dialect is not Dialect.SPECIFICATION:
        raise InputError(
            "signing again keeps sha256 digests of files; leave out the other serialization, "
            "or sign in full without reuse"
        )
    else:
        base = read_base(reuse, signer.public_key, limits=limits)
        manifest, reused = rebuild_manifest(root, base, reuse, weighing=weighing)
    bundle = sign_manifest(
        manifest,
        signer=signer,
        ignore_paths=list_ignored(manifest, root, target),
        dialect=dialect,
    )
    if len(bundle) > limits.max_signature_bytes:  # nobody could read it again
        raise LimitExceededError(
            "max_signature_bytes",
            limit=limits.max_signature_bytes,
            actual=len(bundle),
            subject=printable(str(target)),
        )
    write_atomically(target, bundle)
    return Signed(manifest, target, _find_collisions(manifest), reused)


def verify_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: StrPath,
    *,
    key: StrPath,
    signature: StrPath | None = None,
    accept_ignored: Sequence[str] = (),
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Verified:
    """Verify that the artifact at ``path`` is the one that the holder of ``key`` signed.

    The signature is verified before any file is hashed.

    Args:
        path: A file or a folder.
        key: An EC public key in PEM.
        signature: The bundle; by default ``model.sig`` in a folder, ``NAME.sig`` beside a file.
        accept_ignored: Paths that the signer left out, beyond the usual scope, and you accept.
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
    """
    root = to_path(path, what="artifact")
    target = find_signature_path(root, signature)
    key_file = to_path(key, what="key")
    public_key = load_public_key(key_file, limits=limits)
    bundle = read_bundle(target, limits=limits)
    statement = verify_bundle(bundle, {str(key): public_key}, limits=limits)
    signed = parse_signed_manifest(statement.statement)
    del bundle, statement  # of a long list they take more memory than the list itself
    manifest = build_manifest(
        root,
        executor=executor or ThreadExecutor(),
        limits=limits,
        signature=target,
        serialization=signed.serialization,
        progress=progress,
    )
    diff = compare_signed(signed, manifest, accept_ignored=accept_ignored)
    if diff:
        raise DigestMismatchError(
            f"{printable(str(path))} is not what was signed: {diff.to_words()}", diff=diff
        )
    return Verified(manifest, target, key_file, _find_collisions(manifest))


def _find_collisions(manifest: Manifest) -> tuple[tuple[str, ...], ...]:
    return find_collisions(resource.name for resource in manifest.resources)
