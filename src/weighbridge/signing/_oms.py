"""OpenSSF Model Signing v1.0: a manifest as a signed statement, and back.

Files and shards, with every hash that the specification knows. Where the reference implementation
strays from the specification, this module writes what the specification says and reads both.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from weighbridge.core import (
    PLAIN,
    ArtifactKind,
    Dialect,
    Digest,
    Listing,
    Method,
    Part,
    Resource,
    Statement,
    Subject,
    collection_paused,
    covers,
    diff_manifests,
)
from weighbridge.errors import InputError, ParseError
from weighbridge.signing._listing import (
    BARE_FILE,
    NAME,
    diff_listings,
    list_found,
    list_parts,
    list_signed,
    not_plain,
    parse_files,
    parse_part,
    parse_serialization,
    to_algorithm,
    to_names,
)
from weighbridge.signing._relisting import index_listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from weighbridge.core import Manifest, ManifestDiff, Serialization
    from weighbridge.signing._ports import Signer

__all__ = [
    "SignedManifest",
    "compare_signed",
    "compute_root",
    "parse_signed_manifest",
    "sign_manifest",
]

_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_PREDICATE_TYPES = re.compile(r"https://model_signing/signature/v1\.(?:0|[1-9][0-9]{0,3})")
_BEFORE_V1 = "https://model_signing/Digests/"


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """The list of files that a signature covers.

    Attributes:
        label: What the signer called the model; never trusted.
        root: The root digest; does not cover names.
        resources: In the order that was signed; sizes are -1, for they are not recorded. Empty if
            there is a ``listing``: then no file's sha256 is known.
        ignore_paths: What the signer says that it left out, in the order given.
        listing: What was signed if it is not the sha256 of whole files, in the order signed.
        allow_symlinks: Whether the signer followed links, listing files under the links' names.
    """

    label: str
    root: Digest
    resources: tuple[Resource, ...]
    ignore_paths: tuple[str, ...]
    listing: Listing | None = None
    allow_symlinks: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Return the names of the files that are listed, as the signer spelled them."""
        if self.listing is not None:
            return frozenset(part.name for part in self.listing.parts)
        return frozenset(resource.name for resource in self.resources)

    @property
    def serialization(self) -> Serialization:
        """How the files have to be hashed to be compared."""
        return self.listing.serialization if self.listing else PLAIN

    def index_for(self, kind: ArtifactKind, label: str) -> dict[str, str]:
        """Return the sha256 of each name, as an artifact of this kind and label spells them.

        For a ``listing`` it is what :func:`index_listing` gives. A bare file that another tool
        signed as ``.`` goes by its label.
        """
        if self.listing is not None:
            return index_listing(self.listing, kind, label)
        digests = {resource.name: resource.sha256 for resource in self.resources}
        if kind is ArtifactKind.FILE and digests.keys() == {BARE_FILE}:
            return {label: digests[BARE_FILE]}
        return digests


@collection_paused()
def sign_manifest(
    manifest: Manifest,
    *,
    signer: Signer,
    ignore_paths: Sequence[str],
    dialect: Dialect = Dialect.SPECIFICATION,
) -> bytes:
    """Sign the list of an artifact's files: its ``listing`` if it has one, else its resources.

    Resources stand in the order of code points; a bare file goes by its own name.

    Args:
        manifest: What was weighed.
        signer: Who vouches for it.
        ignore_paths: POSIX paths inside the artifact that were left out, for the record.
        dialect: Whose words to use where the reference implementation strays from the
            specification; it takes its own only.

    Returns:
        The bundle: JSON on a single line, to be written as ``model.sig``.

    Raises:
        InputError: The manifest is empty, a name in it cannot be signed, or a file in it cannot
            be listed as shards because it is empty.

    Source:
        OpenSSF Model Signing v1.0, sections on serialization and on the predicate.
    """
    if not manifest.resources:
        raise InputError(f"{manifest.label} holds no file that could be signed")
    paths = [*ignore_paths, *[resource.name for resource in manifest.resources]]
    if not all(map(NAME.fullmatch, paths)):
        wrong = next(path for path in paths if not NAME.fullmatch(path))
        raise InputError(f"{wrong[:200]!r} cannot be signed: it is not a plain relative path")
    serialization, parts = list_parts(manifest, dialect=dialect)
    algorithm = to_algorithm(serialization, dialect)
    is_sharded = serialization.method is Method.SHARDS
    predicate = {
        "serialization": {
            "method": serialization.method.value,
            "hash_type": serialization.hash_type.value,
            **({"shard_size": serialization.shard_size_bytes} if is_sharded else {}),
            "allow_symlinks": False,
            "ignore_paths": sorted(set(ignore_paths)),
        },
        "resources": [
            {"name": name, "algorithm": algorithm, "digest": digest} for name, digest in parts
        ],
    }
    root = compute_root([digest for _, digest in parts])
    subject = Subject(manifest.label, {"sha256": root.hex})
    statement = Statement.build([subject], predicate_type=_PREDICATE_TYPE, predicate=predicate)
    return signer.sign(statement).raw


@collection_paused()
def parse_signed_manifest(statement: Statement) -> SignedManifest:
    """Read the list of files out of a statement, whoever made it.

    Fields that version 1.0 does not know are refused in the predicate and in ``serialization``,
    also in a later 1.x: one of them could change what the list means. In resources they are
    ignored, as the schema allows.

    Raises:
        ParseError: Another predicate type; a method or hash that the specification does not know;
            not exactly one subject; no resources; a name that is not a plain relative path (for
            shards with the offsets of one whole shard), or comes twice; a digest in another
            spelling than lower-case hex; or a root that does not fit.

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
    serialization, ignore_paths, links = _parse_serialization(predicate.get("serialization"))
    listed = predicate.get("resources")
    is_files = serialization.method is Method.FILES
    digests = parse_files(listed, serialization) if is_files else None
    parts: tuple[Part, ...] = ()
    if digests is None:  # one after the other, to say which of them is wrong, and where
        parts = _parse_parts(listed, serialization)
        digests = [(part.name, part.digest) for part in parts]
    root = compute_root([digest for _, digest in digests])
    if subject.digest["sha256"] != root.hex:
        message = f"the signature's root digest is not that of its own resources ({root.hex})"
        raise ParseError(message, where="subject[0].digest.sha256")
    if serialization == PLAIN:
        resources = tuple([Resource(name, -1, digest) for name, digest in digests])
        return SignedManifest(subject.name, root, resources, ignore_paths, None, links)
    listing = Listing(serialization, parts or tuple([Part(n, 0, -1, d) for n, d in digests]))
    return SignedManifest(subject.name, root, (), ignore_paths, listing, links)


@collection_paused()
def compare_signed(
    signed: SignedManifest, manifest: Manifest, *, accept_ignored: Sequence[str] = ()
) -> ManifestDiff:
    """Compare what was signed with what is there.

    What the signer chose to ignore is not ignored here: whoever verifies decides. A file that is
    there and not signed is an extra file, unless a path in ``accept_ignored`` *and* a path that
    the signer recorded both cover it. A path covers itself and everything below it. Of an empty
    file a signature in shards says nothing, so that ``accept_ignored`` alone decides about it. A
    file that was signed is compared in any case. What is outside every artifact's scope (``.git``,
    the signature file, ...) is not in ``manifest`` to begin with; if it was signed all the same,
    it is reported as missing, for nobody has looked at it.

    Args:
        signed: From a statement; only a verified one says anything about who vouches for it.
        manifest: What was weighed, in the serialization of ``signed``.
        accept_ignored: POSIX paths inside the artifact that the verifier agrees to leave out.

    Raises:
        InputError: ``manifest`` was not weighed in the serialization of ``signed``.
    """
    if signed.listing is not None:
        wanted = list_signed(signed.listing, manifest)
        found = list_found(manifest, signed.serialization)
    else:
        wanted, found = signed.resources, manifest.resources
        if manifest.kind is ArtifactKind.FILE and [r.name for r in wanted] == [BARE_FILE]:
            wanted = (Resource(manifest.label, -1, wanted[0].sha256),)
    names = {resource.name for resource in wanted}
    accepted = frozenset(PurePosixPath(path).as_posix() for path in accept_ignored)
    both = (frozenset(signed.ignore_paths), accepted)
    unlisted = (accepted,) if signed.serialization.method is Method.SHARDS else both
    kept = tuple(
        resource
        for resource in found
        if resource.name in names
        or not all(
            covers(paths, resource.name) for paths in (both if resource.size_bytes else unlisted)
        )
    )
    if signed.listing is not None:
        return diff_listings(wanted, kept, manifest)
    return diff_manifests(wanted, kept)


def compute_root(digests: Iterable[str]) -> Digest:
    """Return the root, which is always a sha256, whatever the digests are."""
    return Digest(hashlib.sha256(bytes.fromhex("".join(digests))).hexdigest())


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


def _parse_serialization(value: object) -> tuple[Serialization, tuple[str, ...], bool]:
    where = "predicate.serialization"
    known = {"method", "hash_type", "shard_size", "allow_symlinks", "ignore_paths"}
    fields = _object(value, where=where, known=known)
    serialization = parse_serialization(fields, where=where)
    allow_symlinks = fields.get("allow_symlinks")
    if not isinstance(allow_symlinks, bool):
        message = "the signature does not say whether links were allowed"
        raise ParseError(message, where=f"{where}.allow_symlinks")
    paths = fields.get("ignore_paths", [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ParseError("a list of strings is wanted", where=f"{where}.ignore_paths")
    return serialization, tuple(paths), allow_symlinks


def _parse_parts(value: object, serialization: Serialization) -> tuple[Part, ...]:
    where = "predicate.resources"
    if not isinstance(value, list) or not value:
        raise ParseError("the signature lists no files", where=where)
    algorithms = to_names(serialization)
    parts = tuple(
        _parse_part(item, f"{where}[{index}]", serialization, algorithms)
        for index, item in enumerate(value)
    )
    _check_names(parts, where)
    return parts


def _check_names(parts: tuple[Part, ...], where: str) -> None:
    """Refuse what is listed twice, and ``.`` unless it is the only file."""
    files = {part.name for part in parts}
    if len({part.full_name for part in parts}) == len(parts) and not (
        BARE_FILE in files and len(files) > 1
    ):
        return
    seen: set[str] = set()
    for index, part in enumerate(parts):
        at = f"{where}[{index}].name"
        if part.full_name in seen:
            raise ParseError(f"the signature lists {part.full_name[:200]!r} twice", where=at)
        if part.name == BARE_FILE and len(files) > 1:
            raise not_plain(part.name, where=at)
        seen.add(part.full_name)


def _parse_part(
    item: object, where: str, serialization: Serialization, algorithms: AbstractSet[str]
) -> Part:
    if not isinstance(item, dict):
        raise ParseError("the signature lists something that is not an object", where=where)
    part = parse_part(
        item.get("name"), item.get("digest"), serialization=serialization, where=where
    )
    algorithm = item.get("algorithm")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        message = (
            f"the signature's digest of {part.name[:200]!r} is not of the kind that it announces"
        )
        raise ParseError(message, where=f"{where}.algorithm")
    return part


def _object(value: object, *, where: str, known: AbstractSet[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ParseError("an object is wanted here", where=where)
    if unknown := sorted(value.keys() - known):
        message = f"the signature holds {unknown[0][:80]!r}, which version 1.0 does not know"
        raise ParseError(message, where=where)
    return value
