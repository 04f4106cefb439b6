"""Relisting: the parts of a verified signature, taken over for files that are not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import ArtifactKind, HashType, Listing, Method, Part, Resource
from weighbridge.signing._listing import BARE_FILE, group_parts, to_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import Manifest, Serialization

__all__ = ["index_listing", "measure_listing", "relist"]


def index_listing(listing: Listing, kind: ArtifactKind, label: str) -> dict[str, str]:
    """Return for each file what stands for its bytes, good to compare and for :func:`relist`.

    A bare file that another tool signed as ``.`` goes by its label.
    """
    grouped = group_parts(listing.parts)
    if kind is ArtifactKind.FILE and grouped.keys() == {BARE_FILE}:
        grouped = {label: grouped[BARE_FILE]}
    return {name: to_token(parts) for name, parts in grouped.items()}


def measure_listing(listing: Listing) -> dict[str, int]:
    """Return how long the files were, for shards tell: what :func:`index_listing` gives to bytes.

    The size is -1, which no file has, if the shards leave something out. Empty for whole files.
    """
    if listing.serialization.method is Method.FILES:
        return {}
    found = _index_tokens(listing).items()
    return {token: _measure(parts, listing.serialization) for token, parts in found}


def relist(
    old: Listing, reused: Mapping[str, str], read: Manifest, sizes: Mapping[str, int]
) -> tuple[tuple[Resource, ...], Listing]:
    """Put together what was read and what is taken from ``old``, in the order of ``sizes``.

    Args:
        old: From a signature that was verified; its sizes fit (:func:`measure_listing`).
        reused: Name to what :func:`index_listing` gave for it, or for its old name.
        read: What was hashed now, with a listing in the same serialization.
        sizes: Name to size in bytes of every file.

    Returns:
        The files, and their listing. The sha256 of a file that is taken over is empty, unless one
        sha256 of all of it was signed.
    """
    by_token = _index_tokens(old)
    found = group_parts(read.listing.parts if read.listing else ())
    read_resources = {resource.name: resource for resource in read.resources}
    parts: list[Part] = []
    resources: list[Resource] = []
    for name, size_bytes in sizes.items():
        if name in reused:
            own = tuple(part._replace(name=name) for part in by_token[reused[name]])
            resources.append(Resource(name, size_bytes, _find_sha256(own, old.serialization)))
        else:
            own = found.get(name, ())
            resources.append(read_resources[name])
        parts += own
    return tuple(resources), Listing(old.serialization, tuple(parts))


def _index_tokens(listing: Listing) -> dict[str, tuple[Part, ...]]:
    return {to_token(parts): parts for parts in group_parts(listing.parts).values()}


def _measure(parts: tuple[Part, ...], serialization: Serialization) -> int:
    """Return the size of a file that was cut into these shards; -1 if they are not all of it."""
    size_bytes = parts[-1].end
    shard = serialization.shard_size_bytes
    cut = [(start, min(start + shard, size_bytes)) for start in range(0, size_bytes, shard)]
    return size_bytes if cut == [(part.start, part.end) for part in parts] else -1


def _find_sha256(parts: Iterable[Part], serialization: Serialization) -> str:
    """Return the sha256 of a file whose only shard is all of it."""
    digests = [part.digest for part in parts]
    known = serialization.hash_type is HashType.SHA256 and len(digests) == 1
    return digests[0] if known else ""
