"""hash: what an artifact is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.artifact import build_manifest
from weighbridge.core import DEFAULT_LIMITS, Limits
from weighbridge.engines import ThreadExecutor
from weighbridge.workflow._paths import to_optional_path, to_path

if TYPE_CHECKING:
    from weighbridge.core import Manifest
    from weighbridge.core.ports import Executor, Progress, StrPath

__all__ = ["hash_artifact"]


def hash_artifact(
    path: StrPath,
    *,
    signature: StrPath | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Manifest:
    """Hash the file or folder at ``path``; ``compute_digest()`` of the result is its digest.

    Args:
        path: A file or a folder.
        signature: The signature file, if it is not ``model.sig`` in the folder; it is left out.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on the number of files and the depth of folders.
        progress: Is told the bytes.

    Raises:
        InputError: Missing, empty, or holding something that is not a readable regular file.
        ArtifactChangedError: A file changed meanwhile.
        LimitExceededError: Too many files, or too deep.
    """
    return build_manifest(
        to_path(path, what="artifact"),
        executor=executor or ThreadExecutor(),
        limits=limits,
        signature=to_optional_path(signature, what="signature file"),
        progress=progress,
    )
