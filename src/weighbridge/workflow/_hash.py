"""hash: what an artifact is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.artifact import build_manifest
from weighbridge.core import DEFAULT_LIMITS, Limits, diff_manifests, printable
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import DigestMismatchError, InputError
from weighbridge.workflow._paths import to_optional_path, to_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from weighbridge.core import Manifest
    from weighbridge.core.ports import Executor, Progress, StrPath
    from weighbridge.workflow._rebuild import Reused
    from weighbridge.workflow._reread import Weighing
    from weighbridge.workflow._reuse import Reuse

__all__ = ["Rehashed", "hash_artifact", "rehash_artifact"]


@dataclass(frozen=True, slots=True)
class Rehashed:
    """What hashing again gave.

    Attributes:
        manifest: The list; what was not read is as the old list says.
        reused: What was read and what was not.
    """

    manifest: Manifest
    reused: Reused


def hash_artifact(  # noqa: PLR0913 - each is one thing that a caller may say
    path: StrPath,
    *,
    signature: StrPath | None = None,
    expected: StrPath | None = None,
    digests: Mapping[str, str] | None = None,
    stat_cache: StrPath | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Manifest:
    """Hash the file or folder at ``path``; ``compute_digest()`` of the result is its digest.

    With ``digests`` the result rests on the caller's word: those files are not read. Nothing here
    signs such a result; :func:`sign_artifact` hashes for itself, or takes what a verified signature
    lists.

    Args:
        path: A file or a folder.
        signature: The signature file, if it is not ``model.sig`` in the folder; it is left out.
        expected: A list of files, as ``weighbridge hash --manifest-out`` or ``sha256sum`` writes
            them, that the artifact has to be.
        digests: The sha256 of files that the caller wrote and hashed meanwhile, in hex, with or
            without ``sha256:``. All other files are hashed, and those below 1 KiB in any case.
        stat_cache: A file of ours that remembers what was hashed: a file with the same device,
            inode, size and times is not read again.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on the number of files and the depth of folders.
        progress: Is told the bytes.

    Raises:
        InputError: Missing, empty, or holding something that is not a readable regular file; a
            list that is malformed; a digest of a file that is not there; a stat cache that others
            may write.
        DigestMismatchError: The files are not those that ``expected`` lists, or a small file has
            not the digest that was given; ``diff`` says which.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: Too many files, or too deep.
    """
    root = to_path(path, what="artifact")
    left_out = to_optional_path(signature, what="signature file")
    wanted = None if expected is None else to_path(expected, what="list of files")
    if digests is not None or stat_cache is not None:
        from weighbridge.workflow._reread import Weighing  # noqa: PLC0415 - start-up time

        weighing = Weighing(executor or ThreadExecutor(), limits, left_out, progress)
        manifest = _hash_unknown(root, digests, stat_cache, weighing)
    else:
        manifest = build_manifest(
            root,
            executor=executor or ThreadExecutor(),
            limits=limits,
            signature=left_out,
            progress=progress,
        )
    if wanted is not None:
        _compare(manifest, wanted, shown=printable(str(path)), limits=limits)
    return manifest


def rehash_artifact(
    path: StrPath,
    *,
    reuse: Reuse,
    signature: StrPath | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Rehashed:
    """Hash what changed since a list of files was written; for those who keep such lists.

    A list is nobody's signature. What it says of files that are declared unchanged is taken on its
    word, and their sizes are compared if it has them.

    Args:
        path: A file or a folder.
        reuse: What changed; its ``signature`` is the list of files, in a form of
            ``weighbridge hash --manifest-out`` or ``sha256sum``, and its ``key`` is not used.
        signature: As for :func:`hash_artifact`.
        executor: As for :func:`hash_artifact`.
        limits: As for :func:`hash_artifact`.
        progress: As for :func:`hash_artifact`.

    Raises:
        WeighbridgeError: As :func:`hash_artifact`, and :func:`sign_artifact` with ``reuse``.
    """
    from weighbridge.workflow._declare import Base, check_reuse  # noqa: PLC0415 - start-up time
    from weighbridge.workflow._file_lists import read_file_list  # noqa: PLC0415
    from weighbridge.workflow._rebuild import list_files, rebuild_manifest  # noqa: PLC0415
    from weighbridge.workflow._reread import Weighing  # noqa: PLC0415

    check_reuse(reuse)
    root = to_path(path, what="artifact")
    old = read_file_list(to_path(reuse.signature, what="list of files"), limits=limits)
    left_out = to_optional_path(signature, what="signature file")
    weighing = Weighing(executor or ThreadExecutor(), limits, left_out, progress)
    tree = list_files(root, weighing)
    if old.kind is not None and old.kind is not tree.kind:
        raise InputError(f"the list is of a {old.kind.value}, and this is a {tree.kind.value}")
    base = Base(
        digests={resource.name: resource.sha256 for resource in old.resources},
        sizes={r.sha256: r.size_bytes for r in old.resources if r.size_bytes >= 0},
    )
    return Rehashed(*rebuild_manifest(root, tree, base, reuse, weighing=weighing))


def _hash_unknown(
    root: Path,
    digests: Mapping[str, str] | None,
    stat_cache: StrPath | None,
    weighing: Weighing,
) -> Manifest:
    """Hash the files of which no digest is given, or known from before."""
    if digests is None:
        from weighbridge.workflow._stat_cached import rebuild_cached  # noqa: PLC0415 - start-up

        file = to_path(stat_cache or "", what="stat cache")
        return rebuild_cached(root, file, weighing=weighing)[0]
    if stat_cache is not None:
        raise InputError("a stat cache and given digests exclude each other; give one")
    from weighbridge.signing import Names  # noqa: PLC0415 - start-up time
    from weighbridge.workflow._declare import Base, check_digests  # noqa: PLC0415
    from weighbridge.workflow._rebuild import list_files, rebuild_manifest  # noqa: PLC0415
    from weighbridge.workflow._reuse import Reuse  # noqa: PLC0415

    tree = list_files(root, weighing)
    names = frozenset(entry.name for entry in tree.entries if entry.in_scope)
    base = Base(check_digests(digests, Names(names, frozenset(tree.left_out))))
    rest = Reuse("", changed=sorted(names - base.digests.keys()))
    return rebuild_manifest(root, tree, base, rest, weighing=weighing)[0]


def _compare(manifest: Manifest, file: Path, *, shown: str, limits: Limits) -> None:
    from weighbridge.workflow._file_lists import read_file_list  # noqa: PLC0415 - start-up time

    wanted = read_file_list(file, limits=limits)
    if wanted.kind is not None and wanted.kind is not manifest.kind:
        raise InputError(
            f"the list is of a {wanted.kind.value}, and this is a {manifest.kind.value}"
        )
    if diff := diff_manifests(wanted.resources, manifest.resources):
        raise DigestMismatchError(
            f"{shown} is not what {printable(str(file))} lists: {diff.to_words()}", diff=diff
        )
