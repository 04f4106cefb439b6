"""weighbridge sign."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import (
    FILE,
    json_option,
    print_json,
    signature_option,
    stat_cache_option,
)
from weighbridge.cli._progress import show_progress
from weighbridge.cli._reuse_options import reuse_options
from weighbridge.cli._reuse_output import reused_to_json, show_reused, tell_reused
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, signer_options
from weighbridge.cli._trust_options import offline_option
from weighbridge.cli._warnings import describe_collisions, warn
from weighbridge.core import (
    DEFAULT_SHARD_BYTES,
    Dialect,
    HashType,
    Method,
    Serialization,
    printable,
    to_count,
    to_size,
)
from weighbridge.errors import InputError

__all__ = ["command"]

_UNKNOWN = "not known; the files that were not read have no sha256 in the old signature"


_SECTIONS = {
    "Who signs": SIGNER_OPTIONS,
    "What is listed": (
        "--ignore",
        "--method",
        "--shard-size",
        "--hash",
        "--compat",
        "--from-manifest",
        "--name",
    ),
    "The old signature, to sign again": (
        "--reuse",
        "--reuse-key",
        "--reuse-certificate-authority",
        "--reuse-identity",
        "--reuse-issuer",
        "--reuse-trust-config",
        "--reuse-instance",
        "--reuse-timestamp-authority",
    ),
    "What changed since then": (
        "--changed",
        "-z",
        "--updated",
        "--deleted",
        "--renamed",
        "--git-status",
        "--git-diff",
        "--git-status-from",
        "--git-diff-from",
        "--git-prefix",
        "--digests",
        "--strict",
        "--audit",
        "--full",
        "--stat-cache",
    ),
}


@click.command("sign", cls=SectionedCommand, sections=_SECTIONS)
@click.argument("path", type=FILE, required=False)
@signer_options
@signature_option
@click.option(
    "--method",
    type=click.Choice([method.value for method in Method]),
    help="List a digest of each file, or of each shard of a file  [default: files]",
)
@click.option(
    "--shard-size",
    type=int,
    metavar="BYTES",
    help=f"How long a shard is  [default: {DEFAULT_SHARD_BYTES}]",
)
@click.option(
    "--hash",
    "hash_type",
    type=click.Choice([hash_type.value for hash_type in HashType]),
    help="The hash of those digests; blake3 needs the extra of that name  [default: sha256]",
)
@click.option(
    "--compat",
    type=click.Choice([Dialect.MODEL_SIGNING_1_1.value]),
    help="Write what this release takes where it strays from the specification.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="P",
    help="Leave P in PATH out, with everything below it, and record that; repeatable.",
)
@reuse_options
@stat_cache_option
@click.option(
    "--from-manifest",
    type=FILE,
    metavar="FILE",
    help="Sign what this list of files says, and read none of them; needs --signature, no PATH.",
)
@click.option(
    "--name",
    metavar="LABEL",
    help="What to call the artifact in the signature, if --from-manifest does not say it.",
)
@offline_option
@json_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str | None,
    *,
    signer: workflow.SignerSpec,
    signature: str | None,
    method: str | None,
    shard_size: int | None,
    hash_type: str | None,
    compat: str | None,
    ignore: tuple[str, ...],
    reuse: workflow.Reuse | None,
    stat_cache: str | None,
    from_manifest: str | None,
    name: str | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Sign the file or folder PATH: an OpenSSF Model Signing v1.0 bundle.

    The bundle lists every file with its digest; anybody with the public key can verify it, with
    this tool or another.

    With --reuse only what changed since an old signature is read: say what did, or let git tell.
    Paths are inside PATH. A file that is declared unchanged is not read, so that its digest rests
    on your word; --audit tests it.

    With --from-manifest you vouch for a list of files: what it says is signed, and nothing is read.
    """
    serialization = _build_serialization(method, hash_type, shard_size)
    dialect = Dialect(compat) if compat else Dialect.SPECIFICATION
    if from_manifest is not None:
        if any(item is not None for item in (path, reuse, serialization, stat_cache, *ignore)):
            raise click.UsageError(
                "--from-manifest goes without PATH, --reuse, --stat-cache, --ignore, --method "
                "and --hash: no file is read"
            )
        if signature is None:
            raise click.UsageError("--from-manifest needs --signature FILE")
        signed = workflow.sign_file_list(
            from_manifest, signer=signer, signature=signature, name=name, dialect=dialect
        )
    elif path is None:
        raise click.UsageError("Missing argument 'PATH'.")
    elif name is not None:
        raise click.UsageError("--name needs --from-manifest FILE")
    else:
        with show_progress("hashing") as progress:
            signed = workflow.sign_artifact(
                path,
                signer=signer,
                signature=signature,
                serialization=serialization,
                dialect=dialect,
                ignore=ignore,
                reuse=reuse,
                offline=offline,
                stat_cache=stat_cache,
                progress=progress,
            )
    _show(signed, as_json=as_json)


def _show(signed: workflow.Signed, *, as_json: bool) -> None:
    manifest = signed.manifest
    warnings = [
        *signed.notes,
        *describe_collisions(signed.collisions),
        *(f"{printable(p)} is not there to be ignored" for p in signed.ignored_in_vain),
    ]
    warn(warnings)
    if signed.reused is not None:
        tell_reused(signed.reused)
    if signed.listed_in is not None:
        listed_in = printable(str(signed.listed_in))
        click.echo(f"weighbridge: signed what {listed_in} says; no file was read", err=True)
    # A list need not say how large the files are.
    size_bytes = manifest.size_bytes if all(r.size_bytes >= 0 for r in manifest.resources) else None
    digest = str(manifest.compute_digest()) if manifest.is_known else None
    if as_json:
        print_json(
            {
                "artifact": digest,
                "signature": printable(str(signed.signature)),
                "file_count": len(manifest.resources),
                "size_bytes": size_bytes,
                "listed_in": printable(str(signed.listed_in)) if signed.listed_in else None,
                "ignored": [printable(path) for path in signed.ignored],
                "warnings": [*warnings],
                **({} if signed.reused is None else {"reused": reused_to_json(signed.reused)}),
            }
        )
        return
    size = "of unknown size" if size_bytes is None else to_size(size_bytes)
    click.echo(f"signed {to_count(len(manifest.resources), 'file')}, {size}")
    click.echo(f"artifact:  {digest or _UNKNOWN}")
    click.echo(f"signature: {printable(str(signed.signature))}")
    for path_ignored in signed.ignored:
        click.echo(f"left out:  {printable(path_ignored)}")
    if signed.reused is not None:
        show_reused(signed.reused)


def _build_serialization(
    method: str | None, hash_type: str | None, shard_size: int | None
) -> Serialization | None:
    """Return what is asked for; None if nothing is."""
    if method is None and hash_type is None and shard_size is None:
        return None
    chosen = Method(method or Method.FILES)
    if shard_size is None:
        shard_size = DEFAULT_SHARD_BYTES if chosen is Method.SHARDS else 0
    elif chosen is Method.FILES:
        raise InputError("--shard-size goes with --method shards")
    return Serialization(chosen, HashType(hash_type or HashType.SHA256), shard_size)
