"""Ids of nodes: what a set of digests is called, and which digests are good enough to match by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["list_aliases", "list_ids", "name_digest", "shown"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{1,256}")
# Two artifacts with one md5 or SHA-1 can be made, so these match nothing. The digests of git are
# SHA-1 too, with its collision detection, and the only names that many sources have.
_HEX_DIGITS: Final = {
    "sha384": (96,),
    "sha512": (128,),
    "sha3_256": (64,),
    "sha3_384": (96,),
    "sha3_512": (128,),
    "blake2b": (128,),
    "blake3": (64,),
    "gitBlob": (40, 64),
    "gitCommit": (40, 64),
    "gitTag": (40, 64),
    "gitTree": (40, 64),
}
_LABEL = 200


def list_ids(digest: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ids that may be matched: the sha256 alone if there is one, else all, sorted."""
    if _SHA256.fullmatch(value := digest.get("sha256", "")):
        return (f"sha256:{value}",)
    return _list_others(digest)


def list_aliases(digest: Mapping[str, str]) -> tuple[str, ...]:
    """Return what else goes by this sha256, as the same set of digests says."""
    return _list_others(digest) if len(digest) > 1 else ()


def name_digest(digest: Mapping[str, str]) -> str:
    """Return the id of a set of digests; a weak one if there is no other, empty if there is none.

    What is not lower-case hex is no digest.
    """
    if ids := list_ids(digest):
        return ids[0]
    weak = [
        f"{shown(name)}:{value}"
        for name, value in digest.items()
        if name != "sha256" and _HEX.fullmatch(value)
    ]
    return min(weak, default="")


def shown(text: str) -> str:
    """Return a stranger's word as people may see it; at most 200 characters."""
    return text if len(text) <= _LABEL and text.isprintable() else printable(text, limit=_LABEL)


def _list_others(digest: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        sorted(
            f"{name}:{value}"
            for name, value in digest.items()
            if len(value) in _HEX_DIGITS.get(name, ()) and _HEX.fullmatch(value)
        )
    )
