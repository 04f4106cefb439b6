"""Claims about what a step made: whether they can be written, and writing them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.artifact import append_claims_to_each, check_claims, find_claims, read_claims
from weighbridge.core import Digest
from weighbridge.errors import IncompleteError, InputError
from weighbridge.provenance import is_remote
from weighbridge.store import open_store
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from weighbridge.core import Bundle, Limits, Subject
    from weighbridge.core.ports import BundleStore, StrPath
    from weighbridge.workflow._step_inputs import Output, StepInput

__all__ = [
    "Claimed",
    "check_claiming",
    "choose_store",
    "claim_outputs",
    "list_claims_files",
    "read_carried",
]


@dataclass(frozen=True, slots=True)
class Claimed:
    """One output, and where the claims about it are.

    Attributes:
        name: What the step calls it.
        path: The artifact.
        digest: Its digest.
        claims: The claims file.
        carried: How many claims about inputs were copied there.
    """

    name: str
    path: Path
    digest: Digest
    claims: Path
    carried: int


def choose_store(store: StrPath | BundleStore | None, *, limits: Limits) -> BundleStore | None:
    """Return the store that is meant, None for none.

    Raises:
        InputError: It is of a kind that is not known.
    """
    if isinstance(store, (str, os.PathLike)):
        return open_store(store, limits=limits)
    return store


def list_claims_files(*groups: Mapping[str, StrPath]) -> list[Path]:
    """Return the claims files of inputs and outputs, which are records and nothing else."""
    return [find_claims(path) for group in groups for path in _to_paths(group).values()]


def check_claiming(
    outputs: Mapping[str, StrPath],
    inputs: Mapping[str, StrPath],
    *,
    store: BundleStore | None,
    carry: bool,
    limits: Limits,
) -> None:
    """Refuse, before a step, what would keep its claims from being written after it.

    Args:
        outputs: Name to a path.
        inputs: Name to a path or an address.
        store: Where claims go besides.
        carry: Whether the inputs' claims are going to be copied.
        limits: ``max_signature_bytes`` applies to each claims file.

    Raises:
        InputError: A claims file is a link or no file, cannot be read or written, or is an input
            or output itself; the store cannot be written, or is in an input or output or around it.
        LimitExceededError: A claims file is too large.
        IncompleteError: The disk is full, or the store does not answer.
    """
    made, taken = _to_paths(outputs), _to_paths(inputs)
    apart = {os.path.realpath(path): f"input {name!r}" for name, path in taken.items()}
    apart |= {os.path.realpath(path): f"output {name!r}" for name, path in made.items()}
    for name, path in made.items():
        if other := apart.get(os.path.realpath(find_claims(path))):
            raise InputError(
                f"the claims about the output {name!r} go to the file that is the {other}; "
                "give that another name"
            )
        check_claims(path, limits=limits)
    for path in taken.values() if carry else ():
        read_claims(find_claims(path), limits=limits)
    if store is None:
        return
    for place in map(os.path.realpath, store.local_paths):
        for real, words in apart.items():
            if os.path.commonpath((place, real)) in (place, real):
                raise InputError(f"the store and the {words} overlap; keep them apart")
    store.check()


def read_carried(inputs: Iterable[StepInput], *, limits: Limits) -> tuple[bytes, ...]:
    """Return what the inputs' claims files hold; whether it is true, whoever reads it finds out."""
    return tuple(
        line
        for item in inputs
        if item.path is not None
        for line in read_claims(find_claims(item.path), limits=limits)
    )


def claim_outputs(
    outputs: Sequence[Output],
    subjects: Sequence[Subject],
    bundles: Sequence[Bundle],
    *,
    carried: Sequence[bytes] = (),
    store: BundleStore | None = None,
    limits: Limits,
) -> tuple[Claimed, ...]:
    """Put signed statements into the store and, with what is carried, beside each output.

    The store comes first: if it refuses, nothing is claimed. If a claims file refuses after that,
    the store has the claims, which are true, and the error says so. What is carried does not go to
    the store: it is others' and nobody has verified it.

    Args:
        outputs: Where the artifacts are.
        subjects: What each was hashed to, in the same order.
        bundles: What is said about all of them.
        carried: Claims about what they were made from, as lines.
        store: Where claims go besides.
        limits: ``max_signature_bytes`` applies to each file.

    Raises:
        InputError: A file or the store cannot be written.
        LimitExceededError: A file would be too large.
        IncompleteError: The disk is full, the store does not answer, or it has the claims and a
            file has not.
    """
    if store is not None:
        store.add(bundles)
    paths = [find_claims(output.path) for output in outputs]
    own = [bundle.raw for bundle in bundles]
    try:
        counts = append_claims_to_each(paths, (*carried, *own), limits=limits)
    except (InputError, IncompleteError) as error:
        if store is None:
            raise
        raise IncompleteError(f"{error}; the store has the claims of this step") from error
    return tuple(
        Claimed(
            output.name,
            output.path,
            Digest(subject.digest["sha256"]),
            path,
            max(0, count - len(own)),
        )
        for output, subject, path, count in zip(outputs, subjects, paths, counts, strict=True)
    )


def _to_paths(group: Mapping[str, StrPath]) -> dict[str, Path]:
    """Return those that are on this machine."""
    return {
        name: to_path(path, what=f"input or output {name!r}")
        for name, path in group.items()
        if not (isinstance(path, str) and is_remote(path))
    }
