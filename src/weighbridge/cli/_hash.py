"""weighbridge hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from weighbridge import workflow
from weighbridge.cli._options import (
    FILE,
    artifact_argument,
    json_option,
    print_json,
    signature_option,
    stat_cache_option,
)
from weighbridge.cli._outputs import check_outputs, write_output
from weighbridge.cli._progress import show_progress
from weighbridge.cli._reuse_options import change_options, has_changes, refuse_changes, to_reuse
from weighbridge.cli._reuse_output import reused_to_json, show_reused, tell_reused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core import Manifest

__all__ = ["command"]


@click.command("hash")
@artifact_argument
@click.option(
    "--manifest-out",
    "--manifest",
    "manifest_file",
    type=FILE,
    metavar="FILE",
    help="Also write the list of files; as sha256sum prints it if FILE ends in .sha256, else JSON.",
)
@click.option(
    "--manifest-in",
    type=FILE,
    metavar="FILE",
    help="A list of files, in either form: PATH has to be just that, unless you say what changed.",
)
@change_options
@stat_cache_option
@click.option(
    "--oms-root",
    is_flag=True,
    help="Also print the root digest of OpenSSF Model Signing, which does not cover names.",
)
@signature_option
@json_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str,
    *,
    manifest_file: str | None,
    manifest_in: str | None,
    changes: Mapping[str, Any],
    stat_cache: str | None,
    oms_root: bool,
    signature: str | None,
    as_json: bool,
) -> None:
    """Print the digest of the file or folder PATH.

    A file's is its sha256. A folder's is the sha256 of what sha256sum prints for its files, sorted
    by path; top-level .git, .github, .gitignore, .gitattributes, claims.jsonl and the signature
    file are left out.

    With --manifest-in and what changed since, only that is read; the rest is taken from the list
    on its word, and yours.
    """
    check_outputs((manifest_file,), artifact=path, inputs=(signature, stat_cache))
    reused: workflow.Reused | None = None
    with show_progress("hashing") as progress:
        if manifest_in is not None and has_changes(changes):
            if stat_cache is not None:
                raise click.UsageError("--stat-cache goes without a list and what changed since")
            reuse = to_reuse(changes, signature=manifest_in)
            again = workflow.rehash_artifact(
                path, reuse=reuse, signature=signature, progress=progress
            )
            manifest, reused = again.manifest, again.reused
        else:
            refuse_changes(changes, wanted="--manifest-in FILE")
            manifest = workflow.hash_artifact(
                path,
                signature=signature,
                expected=manifest_in,
                stat_cache=stat_cache,
                progress=progress,
            )
    if reused is not None:
        tell_reused(reused)
    if manifest_file is not None:
        _write_manifest(manifest, manifest_file)
    if as_json:
        _print_as_json(manifest, reused, oms_root=oms_root)
        return
    if reused is not None:
        show_reused(reused, err=True)
    click.echo(str(manifest.compute_digest()))
    if oms_root:
        click.echo(f"oms-root {manifest.compute_oms_root()}")


def _write_manifest(manifest: Manifest, file: str) -> None:
    from weighbridge.core import to_json  # noqa: PLC0415 - costs start-up time
    from weighbridge.export import manifest_to_json  # noqa: PLC0415

    if file.endswith(".sha256"):
        write_output(file, manifest.to_sha256sum().decode())
    else:
        write_output(file, to_json(manifest_to_json(manifest)) + "\n")


def _print_as_json(manifest: Manifest, reused: workflow.Reused | None, *, oms_root: bool) -> None:
    print_json(
        {
            "artifact": str(manifest.compute_digest()),
            "kind": manifest.kind.value,
            "file_count": len(manifest.resources),
            "size_bytes": manifest.size_bytes,
            **({"oms_root": str(manifest.compute_oms_root())} if oms_root else {}),
            "left_out": list(manifest.left_out),
            **({} if reused is None else {"reused": reused_to_json(reused)}),
        }
    )
