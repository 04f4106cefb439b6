"""weighbridge sign."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import (
    artifact_argument,
    json_option,
    print_json,
    signature_option,
)
from weighbridge.cli._progress import show_progress
from weighbridge.cli._reuse_options import reuse_options, reused_to_json, show_reused
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import signer_options
from weighbridge.cli._trust_options import offline_option
from weighbridge.cli._warnings import describe_collisions, warn
from weighbridge.core import (
    DEFAULT_SHARD_BYTES,
    Dialect,
    HashType,
    Method,
    Serialization,
    printable,
    to_size,
)
from weighbridge.errors import InputError

__all__ = ["command"]


_SECTIONS = {
    "Who signs": (
        "--key",
        "--keyless",
        "--signer",
        "--certificate",
        "--certificate-chain",
        "--password-file",
        "--identity-token-file",
        "--trust-config",
        "--timestamp",
    ),
    "What is listed": ("--method", "--shard-size", "--hash", "--compat"),
    "The old signature, to sign again": (
        "--reuse",
        "--reuse-key",
        "--reuse-certificate-authority",
        "--reuse-identity",
        "--reuse-issuer",
        "--reuse-trust-config",
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
        "--strict",
        "--audit",
        "--full",
    ),
}


@click.command("sign", cls=SectionedCommand, sections=_SECTIONS)
@artifact_argument
@signer_options
@signature_option
@click.option(
    "--method",
    type=click.Choice([method.value for method in Method]),
    default=Method.FILES.value,
    show_default=True,
    help="List a digest of each file, or of each shard of a file.",
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
    default=HashType.SHA256.value,
    show_default=True,
    help="The hash of those digests; blake3 needs the extra of that name.",
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
@offline_option
@json_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str,
    *,
    signer: workflow.SignerSpec,
    signature: str | None,
    method: str,
    shard_size: int | None,
    hash_type: str,
    compat: str | None,
    ignore: tuple[str, ...],
    reuse: workflow.Reuse | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Sign the file or folder PATH: an OpenSSF Model Signing v1.0 bundle.

    The bundle lists every file with its digest; anybody with the public key can verify it, with
    this tool or another.

    With --reuse only what changed since an old signature is read: say what did, or let git tell.
    Paths are inside PATH. A file that is declared unchanged is not read, so that its digest rests
    on your word; --audit tests it.
    """
    serialization = _build_serialization(Method(method), HashType(hash_type), shard_size)
    with show_progress("hashing") as progress:
        signed = workflow.sign_artifact(
            path,
            signer=signer,
            signature=signature,
            serialization=serialization,
            dialect=Dialect(compat) if compat else Dialect.SPECIFICATION,
            ignore=ignore,
            reuse=reuse,
            offline=offline,
            progress=progress,
        )
    manifest = signed.manifest
    warnings = [
        *signed.notes,
        *describe_collisions(signed.collisions),
        *(f"{printable(p)} is not there to be ignored" for p in signed.ignored_in_vain),
    ]
    warn(warnings)
    digest = str(manifest.compute_digest())
    if as_json:
        print_json(
            {
                "artifact": digest,
                "signature": printable(str(signed.signature)),
                "file_count": len(manifest.resources),
                "size_bytes": manifest.size_bytes,
                "ignored": [printable(path) for path in signed.ignored],
                "warnings": [*warnings],
                **({} if signed.reused is None else {"reused": reused_to_json(signed.reused)}),
            }
        )
        return
    click.echo(f"signed {len(manifest.resources):,} files, {to_size(manifest.size_bytes)}")
    click.echo(f"artifact:  {digest}")
    click.echo(f"signature: {printable(str(signed.signature))}")
    for path_ignored in signed.ignored:
        click.echo(f"left out:  {printable(path_ignored)}")
    if signed.reused is not None:
        show_reused(signed.reused)


def _build_serialization(
    method: Method, hash_type: HashType, shard_size: int | None
) -> Serialization:
    if shard_size is None:
        shard_size = DEFAULT_SHARD_BYTES if method is Method.SHARDS else 0
    elif method is Method.FILES:
        raise InputError("--shard-size goes with --method shards")
    return Serialization(method, hash_type, shard_size)
