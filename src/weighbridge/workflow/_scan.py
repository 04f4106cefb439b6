"""scan: what is dangerous in an artifact, and what was not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.artifact import find_changes, weigh
from weighbridge.core import DEFAULT_LIMITS, Limits, ReadFailure, ReadFailureKind
from weighbridge.engines import ThreadExecutor
from weighbridge.scanning import build_inspector, conclude
from weighbridge.workflow._paths import to_optional_path, to_path

if TYPE_CHECKING:
    from pathlib import Path

    from weighbridge.artifact import Tree
    from weighbridge.core import ScanReport
    from weighbridge.core.ports import Executor, Progress, StrPath

__all__ = ["changes_as_failures", "scan_artifact"]


def scan_artifact(
    path: StrPath,
    *,
    allowed: frozenset[tuple[str, str]] = frozenset(),
    signature: StrPath | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> ScanReport:
    """Examine every file of the artifact at ``path``; nothing is executed, imported or unpickled.

    Args:
        path: A file or a folder.
        allowed: (module, name) pairs that a pickle may refer to, besides the built-in list.
        signature: The signature file, if it is not ``model.sig`` in the folder.
        executor: Where to work; by default threads, one for each processor.
        limits: Bounds on all work.
        progress: Is told the bytes.

    Returns:
        Findings and coverage; a file that is no part of an artifact (a link, a device) or that
        changed meanwhile is a finding.

    Raises:
        InputError: ``path`` is missing, empty, a link or a device.
        LimitExceededError: Too many files, or too deep.
    """
    root = to_path(path, what="artifact")
    own_signature = to_optional_path(signature, what="signature file")
    weighed = weigh(
        root,
        executor=executor or ThreadExecutor(),
        limits=limits,
        inspector=build_inspector(limits=limits, allowed=allowed),
        signature=own_signature,
        progress=progress,
    )
    changes = changes_as_failures(
        weighed.tree, root, limits=limits, signature=own_signature, known=weighed.failures
    )
    return conclude(
        weighed.inspections,
        failures=(*weighed.failures, *changes),
        out_of_scope=weighed.tree.unwalked,
    )


def changes_as_failures(
    tree: Tree,
    path: Path,
    *,
    limits: Limits,
    signature: Path | None,
    known: tuple[ReadFailure, ...],
) -> tuple[ReadFailure, ...]:
    """List the artifact again and return a failure for each file that is not as it was.

    Args:
        tree: The artifact as it was listed.
        path: Where it is.
        limits: As for listing it first.
        signature: As for listing it first.
        known: Failures that are known already; their files are not named again.
    """
    named = {failure.name for failure in known}
    return tuple(
        ReadFailure(name, ReadFailureKind.CHANGED, "changed after it was examined")
        for name in find_changes(tree, path, limits=limits, signature=signature, out_of_scope=True)
        if name not in named
    )
