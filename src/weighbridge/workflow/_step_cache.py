"""The digest cache of a step: whether it is used, and that the step itself does not write it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.artifact import DigestCache, find_cache_folder
from weighbridge.core import printable
from weighbridge.errors import InputError
from weighbridge.provenance import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import Observation
    from weighbridge.core.ports import StrPath

__all__ = [
    "CACHE_VARIABLE",
    "drop_if_written",
    "find_step_cache",
    "keep_from_outputs",
    "list_hidden",
]

CACHE_VARIABLE = "WEIGHBRIDGE_DIGEST_CACHE"
_SAID = {"": True, "on": True, "off": False}


def find_step_cache(
    inputs: Mapping[str, StrPath], environ: Mapping[str, str], *, wanted: bool
) -> DigestCache:
    """Return this user's cache, which is left alone if that is asked for.

    Args:
        inputs: Of the step. A cache in one of them is not used: it would change the input.
        environ: Says where it is, and may turn it off.
        wanted: Whether the caller wants it.

    Raises:
        InputError: The variable says neither on nor off.
    """
    said = environ.get(CACHE_VARIABLE, "")
    if said not in _SAID:
        raise InputError(f"{CACHE_VARIABLE} is {printable(said, limit=40)}; set it to on or off")
    cache = DigestCache(find_cache_folder(environ))
    if not (wanted and _SAID[said]):
        cache.leave()
        return cache
    paths = (p for p in inputs.values() if not (isinstance(p, str) and is_remote(p)))
    if any(_overlap(cache.folder, path) for path in paths):
        cache.leave("lies in an input, so it is not used")
    return cache


def keep_from_outputs(cache: DigestCache, outputs: Iterable[StrPath]) -> None:
    """Refuse outputs that would let the step write what later steps are told.

    Raises:
        InputError: One lies in the cache's folder, or around it.
    """
    for output in outputs:
        if _overlap(cache.folder, output):
            raise InputError(
                f"the output {printable(str(output))} and the digest cache in "
                f"{printable(str(cache.folder))} overlap; keep them apart"
            )


def list_hidden(cache: DigestCache) -> tuple[Path, ...]:
    """Return what a step inside walls must not be able to open."""
    return () if cache.is_left else (cache.folder, cache.file)


def drop_if_written(cache: DigestCache, observation: Observation) -> Observation:
    """Remove the cache if the step was seen to touch it, and add a gap that says so."""
    folder = os.path.realpath(cache.folder)
    names = {folder, *map(str, Path(folder).parents)}
    if not any(path in names or path.startswith(f"{folder}/") for path in observation.writes):
        return observation
    cache.drop()
    gap = "the step wrote to the digest cache, which was removed"
    return replace(observation, gaps=(*observation.gaps, gap))


def _overlap(folder: Path, path: StrPath) -> bool:
    first, second = Path(os.path.realpath(folder)), Path(os.path.realpath(path))
    return first == second or first in second.parents or second in first.parents
