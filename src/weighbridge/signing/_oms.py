"""OpenSSF Model Signing v1.0: a manifest as a signed statement, and back.

Only the method ``files`` with sha256. Where the reference implementation strays from the
specification, this module writes what the specification says and reads both.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from weighbridge.core import (
    ArtifactKind,
    Digest,
    Resource,
    Statement,
    Subject,
    diff_manifests,
)
from weighbridge.errors import InputError, ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from weighbridge.core import Manifest, ManifestDiff
    from weighbridge.signing._ports import Signer

__all__ = ["SignedManifest", "compare_signed", "parse_signed_manifest", "sign_manifest"]

_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_PREDICATE_TYPES = re.compile(r"https://model_signing/signature/v1\.(?:0|[1-9][0-9]{0,3})")
_BEFORE_V1 = "https://model_signing/Digests/"

# Relative, POSIX, in normal form: no empty part, no ``.``, no ``..``. A newline, a backslash, NUL
# and half a surrogate pair cannot be in a manifest of ours either.
_PART = r"(?!\.{1,2}(?:/|\Z))[^/\\\n\0\ud800-\udfff]+"
_NAME = re.compile(f"{_PART}(?:/{_PART})*")

# What model_signing 1.x calls a model that is a single file.
_BARE_FILE = "."


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """The list of files that a signature covers.

    Attributes:
        label: What the signer called the model; never trusted.
        root: The root digest; does not cover names.
        resources: In the order that was signed; sizes are -1, for they are not recorded.
        ignore_paths: What the signer says that it left out, in the order given.
    """

    label: str
    root: Digest
    resources: tuple[Resource, ...]
    ignore_paths: tuple[str, ...]

    def index_for(self, kind: ArtifactKind, label: str) -> dict[str, str]:
        """Return the sha256 of each name, as an artifact of this kind and label spells them.

        A bare file that another tool signed as ``.`` goes by its label.
        """
        digests = {resource.name: resource.sha256 for resource in self.resources}
        if kind is ArtifactKind.FILE and digests.keys() == {_BARE_FILE}:
            return {label: digests[_BARE_FILE]}
        return digests


def sign_manifest(manifest: Manifest, *, signer: Signer, ignore_paths: Sequence[str]) -> bytes:
    """Sign the list of an artifact's files.

    Resources stand in the order of code points; a bare file goes by its own name.

    Args:
        manifest: What was weighed.
        signer: Who vouches for it.
        ignore_paths: POSIX paths inside the artifact that were left out, for the record.

    Returns:
        The bundle: JSON on a single line, to be written as ``model.sig``.

    Raises:
        InputError: The manifest is empty, or a name in it cannot be signed.

    Source:
        OpenSSF Model Signing v1.0, sections on serialization and on the predicate.
    """
    if not manifest.resources:
        raise InputError(f"{manifest.label} holds no file that could be signed")
    resources = sorted(manifest.resources, key=lambda resource: resource.name)
    for path in (*ignore_paths, *(resource.name for resource in resources)):
        if not _NAME.fullmatch(path):
            raise InputError(f"{path[:200]!r} cannot be signed: it is not a plain relative path")
    predicate = {
        "serialization": {
            "method": "files",
            "hash_type": "sha256",
            "allow_symlinks": False,
            "ignore_paths": sorted(set(ignore_paths)),
        },
        "resources": [
            {"name": r.name, "algorithm": "sha256", "digest": r.sha256} for r in resources
        ],
    }
    subject = Subject(manifest.label, {"sha256": _compute_root(resources).hex})
    statement = Statement.build([subject], predicate_type=_PREDICATE_TYPE, predicate=predicate)
    return signer.sign(statement).raw


def parse_signed_manifest(statement: Statement) -> SignedManifest:
    """Read the list of files out of a statement, whoever made it.

    Fields that version 1.0 does not know are refused in the predicate and in ``serialization``,
    also in a later 1.x: one of them could change what the list means. In resources they are
    ignored, as the schema allows.

    Raises:
        ParseError: Another predicate type; another method or hash than files and sha256; not
            exactly one subject; no resources; a name that is not a plain relative path, or comes
            twice; a digest that is not sha256 in lower-case hex; or a root that does not fit.

    Source:
        OpenSSF Model Signing v1.0, predicate schema and root digest.
    """
    _check_type(statement.predicate_type)
    if len(statement.subjects) != 1:
        count = len(statement.subjects)
        raise ParseError(
            f"the signature has {count} subjects; exactly one is wanted", where="subject"
        )
    subject = statement.subjects[0]
    if "sha256" not in subject.digest:
        raise ParseError("the signature's subject has no sha256", where="subject[0].digest")
    predicate = _object(
        statement.predicate, where="predicate", known={"serialization", "resources"}
    )
    ignore_paths = _parse_serialization(predicate.get("serialization"))
    resources = _parse_resources(predicate.get("resources"))
    root = _compute_root(resources)
    if subject.digest["sha256"] != root.hex:
        message = f"the signature's root digest is not that of its own resources ({root.hex})"
        raise ParseError(message, where="subject[0].digest.sha256")
    return SignedManifest(subject.name, root, resources, ignore_paths)


def compare_signed(
    signed: SignedManifest, manifest: Manifest, *, accept_ignored: Sequence[str] = ()
) -> ManifestDiff:
    """Compare what was signed with what is there.

    What the signer chose to ignore is not ignored here: whoever verifies decides. A file that is
    there and not signed is an extra file, unless a path in ``accept_ignored`` *and* a path that
    the signer recorded both cover it. A path covers itself and everything below it. A file that
    was signed is compared in any case. What is outside every artifact's scope (``.git``, the
    signature file, ...) is not in ``manifest`` to begin with; if it was signed all the same, it
    is reported as missing, for nobody has looked at it.

    Args:
        signed: From a statement; only a verified one says anything about who vouches for it.
        manifest: What was weighed.
        accept_ignored: POSIX paths inside the artifact that the verifier agrees to leave out.
    """
    resources = signed.resources
    if manifest.kind is ArtifactKind.FILE and [r.name for r in resources] == [_BARE_FILE]:
        resources = (Resource(manifest.label, -1, resources[0].sha256),)
    names = {resource.name for resource in resources}
    accepted = frozenset(PurePosixPath(path).as_posix() for path in accept_ignored)
    both = (frozenset(signed.ignore_paths), accepted)
    return diff_manifests(
        resources,
        tuple(
            resource
            for resource in manifest.resources
            if resource.name in names or not all(_covers(paths, resource.name) for paths in both)
        ),
    )


def _covers(paths: AbstractSet[str], name: str) -> bool:
    parts = name.split("/")
    return any("/".join(parts[:count]) in paths for count in range(1, len(parts) + 1))


def _compute_root(resources: Iterable[Resource]) -> Digest:
    raw = b"".join(bytes.fromhex(resource.sha256) for resource in resources)
    return Digest(hashlib.sha256(raw).hexdigest())


def _check_type(predicate_type: str) -> None:
    if _PREDICATE_TYPES.fullmatch(predicate_type):
        return
    shown = repr(predicate_type[:120])
    if predicate_type.startswith(_BEFORE_V1):
        message = (
            f"the signature is of a kind from before version 1 ({shown}); sign the model again"
        )
    else:
        message = f"this is not a model signature: the statement's type is {shown}"
    raise ParseError(message, where="predicateType")


def _parse_serialization(value: object) -> tuple[str, ...]:
    where = "predicate.serialization"
    known = {"method", "hash_type", "shard_size", "allow_symlinks", "ignore_paths"}
    serialization = _object(value, where=where, known=known)
    for name, wanted in (("method", "files"), ("hash_type", "sha256")):
        found = serialization.get(name)
        if not isinstance(found, str):
            raise ParseError(f"the signature does not name its {name}", where=f"{where}.{name}")
        if found != wanted:
            message = f"the signature's {name} is {found[:80]!r}; only {wanted!r} is supported yet"
            raise ParseError(message, where=f"{where}.{name}")
    if "shard_size" in serialization:
        raise ParseError("the method 'files' has no shards", where=f"{where}.shard_size")
    if not isinstance(serialization.get("allow_symlinks"), bool):
        message = "the signature does not say whether links were allowed"
        raise ParseError(message, where=f"{where}.allow_symlinks")
    paths = serialization.get("ignore_paths", [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ParseError("a list of strings is wanted", where=f"{where}.ignore_paths")
    return tuple(paths)


def _parse_resources(value: object) -> tuple[Resource, ...]:
    where = "predicate.resources"
    if not isinstance(value, list) or not value:
        raise ParseError("the signature lists no files", where=where)
    resources = tuple(
        _parse_resource(item, index, bare=len(value) == 1) for index, item in enumerate(value)
    )
    if len({resource.name for resource in resources}) != len(resources):
        seen: set[str] = set()
        for index, resource in enumerate(resources):
            if resource.name in seen:
                message = f"the signature lists {resource.name[:200]!r} twice"
                raise ParseError(message, where=f"{where}[{index}].name")
            seen.add(resource.name)
    return resources


def _parse_resource(item: object, index: int, *, bare: bool) -> Resource:
    where = f"predicate.resources[{index}]"
    if not isinstance(item, dict):
        raise ParseError("the signature lists something that is not an object", where=where)
    name, algorithm, digest = item.get("name"), item.get("algorithm"), item.get("digest")
    if not isinstance(name, str) or not (_NAME.fullmatch(name) or (bare and name == _BARE_FILE)):
        shown = repr(name[:200]) if isinstance(name, str) else "something that is not a string"
        message = f"the signature names {shown}, which is not a plain path inside the artifact"
        raise ParseError(message, where=f"{where}.name")
    if algorithm != "sha256":
        message = f"the signature's digest of {name[:200]!r} is not of the kind that it announces"
        raise ParseError(message, where=f"{where}.algorithm")
    if not isinstance(digest, str):
        message = f"the signature has no digest of {name[:200]!r}"
        raise ParseError(message, where=f"{where}.digest")
    try:
        return Resource(name, -1, Digest(digest).hex)
    except ParseError as error:
        raise ParseError(str(error), where=f"{where}.digest") from error


def _object(value: object, *, where: str, known: AbstractSet[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ParseError("an object is wanted here", where=where)
    if unknown := sorted(value.keys() - known):
        message = f"the signature holds {unknown[0][:80]!r}, which version 1.0 does not know"
        raise ParseError(message, where=where)
    return value
