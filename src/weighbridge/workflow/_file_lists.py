"""Lists of files that are kept beside an artifact: reading one, and signing what one says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.artifact import (
    DEFAULT_SIGNATURE_NAME,
    OUT_OF_SCOPE_NAMES,
    read_document,
    remove_leftovers,
)
from weighbridge.core import (
    DEFAULT_LIMITS,
    ArtifactKind,
    Dialect,
    Limits,
    Manifest,
    covers,
    find_collisions,
    printable,
)
from weighbridge.errors import InputError
from weighbridge.formats import parse_file_list
from weighbridge.signing import sign_manifest
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._sign import Signed, list_notes
from weighbridge.workflow._signatures import check_wording, refuse_to_replace, write_bundle
from weighbridge.workflow._signers import choose_signer

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.core.ports import StrPath
    from weighbridge.formats import FileList
    from weighbridge.signing import Signer, SignerSpec

__all__ = ["read_file_list", "sign_file_list"]

_NEVER_LISTED = frozenset({*OUT_OF_SCOPE_NAMES, DEFAULT_SIGNATURE_NAME})
# Of these a whole folder is out of scope too; a folder of another such name is not.
_FOLDERS = (".git/", ".github/")


def read_file_list(path: Path, *, limits: Limits) -> FileList:
    """Read a list of files: JSON, or as ``sha256sum`` prints it.

    Raises:
        InputError: Missing or unreadable, malformed, empty, or made by git-lfs, which lists only
            some of the files.
        LimitExceededError: Larger than ``max_list_bytes``, or more files than ``max_entries``.
    """
    data = read_document(
        path, what="list of files", limit_name="max_list_bytes", limit_bytes=limits.max_list_bytes
    )
    found = parse_file_list(data, what=printable(path.name), limits=limits)
    if not found.resources or found.is_lfs:
        problem = "is of git-lfs, which lists only some files" if found.is_lfs else "is empty"
        raise InputError(f"the list {printable(str(path))} {problem}; give one of all files")
    return found


def sign_file_list(  # noqa: PLR0913 - each is one thing that a user may say
    manifest_file: StrPath,
    *,
    signature: StrPath,
    key: StrPath | None = None,
    signer: str | SignerSpec | Signer | None = None,
    name: str | None = None,
    dialect: Dialect = Dialect.SPECIFICATION,
    limits: Limits = DEFAULT_LIMITS,
) -> Signed:
    """Sign what a list of files says; no file is read, and none has to be there.

    This is the one way to sign digests that were neither computed now nor verified: whoever signs
    vouches for the list. The signature itself looks like any other, so ask for this only where the
    list comes from a place that is trusted as much as the key.

    Args:
        manifest_file: The list, of all files, with sha256: JSON of
            ``weighbridge hash --manifest-out``, a JSON object of paths and digests, or what
            ``sha256sum`` prints.
        signature: Where to write.
        key: A private key in PEM; or give ``signer``.
        signer: As for :func:`sign_artifact`.
        name: What to call the artifact in the signature; by default what the list calls it.
        dialect: As for :func:`sign_artifact`.
        limits: Bounds on the list.

    Returns:
        What was signed; ``listed_in`` says that nothing was read.

    Raises:
        InputError: The list or the key cannot be used, or the signature cannot be written; the
            list has a file that is never part of an artifact.
        LimitExceededError: The list is too large.
    """
    file = to_path(manifest_file, what="list of files")
    target = to_path(signature, what="signature file")
    check_wording(None, dialect)
    refuse_to_replace(target, source=file)
    found = read_file_list(file, limits=limits)
    label = found.label if name is None else name.encode("utf-8", "replace").decode()
    if not label:
        raise InputError("the list does not say what the artifact is called; give it a name")
    kind = found.kind or ArtifactKind.FOLDER
    manifest = Manifest(kind, label, found.resources)
    if kind is ArtifactKind.FOLDER:
        _refuse_out_of_scope(manifest)
    seal = choose_signer(signer, key, limits=limits)
    remove_leftovers(target.parent)
    bundle = sign_manifest(
        manifest, signer=seal, ignore_paths=_list_ignored(manifest), dialect=dialect
    )
    write_bundle(target, bundle, limits=limits)
    names = (resource.name for resource in manifest.resources)
    return Signed(manifest, target, find_collisions(names), notes=list_notes(seal), listed_in=file)


def _refuse_out_of_scope(manifest: Manifest) -> None:
    """Refuse what verifying would never find, so that the signature would never hold."""
    names = frozenset(resource.name for resource in manifest.resources)
    for resource in manifest.resources:
        if covers(names, resource.name.rpartition("/")[0]):
            raise InputError(
                f"the list has {printable(resource.name)} and a file that would be its folder; "
                "make the list again"
            )
        if resource.name in _NEVER_LISTED or resource.name.startswith(_FOLDERS):
            raise InputError(
                f"the list has {printable(resource.name)}, which is never part of an artifact; "
                "leave it out"
            )


def _list_ignored(manifest: Manifest) -> list[str]:
    """Return what signing the folder itself would record as left out."""
    if manifest.kind is ArtifactKind.FILE:
        return []
    first_parts = {resource.name.partition("/")[0] for resource in manifest.resources}
    return sorted(_NEVER_LISTED - first_parts)
