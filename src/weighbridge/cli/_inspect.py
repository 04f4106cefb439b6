"""weighbridge inspect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge import workflow
from weighbridge.cli._inspect_claims import claims_to_json, claims_to_lines
from weighbridge.cli._materials import describe_material, material_to_json
from weighbridge.cli._options import FILE, json_option, print_json
from weighbridge.core import Method, Part, printable, to_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.core import JsonValue, Serialization
    from weighbridge.signing import SignedManifest
    from weighbridge.workflow import Inspected

__all__ = ["command"]

_FILES = 10
_MOST_SHOWN = 20
_WARNING = "nothing was verified: this is what the file says, whoever wrote it"


@click.command("inspect")
@click.argument("signature", type=FILE, metavar="FILE")
@click.option(
    "--files",
    type=click.IntRange(min=0),
    default=_FILES,
    show_default=True,
    metavar="N",
    help="How many of the digests to print.",
)
@json_option
def command(signature: str, *, files: int, as_json: bool) -> None:
    """Print what a signature (model.sig) or claims (claims.jsonl) say; verify nothing.

    The hash, the files, the key that it names: all of it may have been written by anybody. Whether
    it is so, weighbridge verify tells of signatures and weighbridge trace of claims.
    """
    if workflow.is_claims_file(signature):
        _tell_claims(signature, workflow.inspect_claims(signature), as_json=as_json)
        return
    inspected = workflow.inspect_signature(signature)
    if inspected.claim is not None:
        _tell_claims(signature, [inspected.claim], as_json=as_json)
    elif as_json:
        print_json(_to_json(signature, inspected, files))
    else:
        for line in _to_lines(signature, inspected, files):
            click.echo(line)


def _tell_claims(path: str, claims: Sequence[workflow.InspectedClaim], *, as_json: bool) -> None:
    if as_json:
        print_json(claims_to_json(path, claims))
        return
    click.echo(_WARNING)
    for line in claims_to_lines(path, claims):
        click.echo(line)


def _list_parts(manifest: SignedManifest) -> Sequence[Part]:
    if manifest.listing is not None:
        return manifest.listing.parts
    return [Part(r.name, 0, -1, r.sha256) for r in manifest.resources]


def _to_words(serialization: Serialization) -> str:
    if serialization.method is Method.FILES:
        return f"{serialization.hash_type.value} of each file"
    size = f"{serialization.shard_size_bytes:,}"
    return f"{serialization.hash_type.value} of each shard of {size} bytes"


def _to_lines(signature: str, inspected: Inspected, files: int) -> Iterator[str]:
    yield _WARNING
    yield f"signature: {printable(signature)}"
    yield f"proof:     {describe_material(inspected.bundle.material)}"
    for time in inspected.claimed_times:
        words = f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else "that cannot be read"
        yield f"time:      a timestamp {words}, not verified"
    yield f"type:      {printable(inspected.statement.predicate_type)}"
    manifest = inspected.manifest
    if manifest is None:
        yield f"problem:   {printable(inspected.problem)}"
        return
    parts = _list_parts(manifest)
    count = len({part.name for part in parts})
    yield f"label:     {printable(manifest.label) or 'none'}"
    yield f"root:      {manifest.root}"
    yield f"lists:     {to_count(count, 'file')}, {_to_words(manifest.serialization)}"
    shown = [printable(path) for path in manifest.ignore_paths[:_MOST_SHOWN]]
    more = len(manifest.ignore_paths) - len(shown)
    yield f"left out:  {', '.join(shown) or 'nothing'}{f' and {more:,} more' if more else ''}"
    yield from (f"  {part.digest}  {printable(part.full_name)}" for part in parts[:files])
    if len(parts) > files:
        yield f"  and {len(parts) - files:,} more digests"


def _to_json(signature: str, inspected: Inspected, files: int) -> JsonValue:
    value: dict[str, JsonValue] = {
        "verified": False,
        "signature": printable(signature),
        **material_to_json(inspected.bundle.material),
        "claimed_times": [
            time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None
            for time in inspected.claimed_times
        ],
        "predicate_type": inspected.statement.predicate_type,
    }
    manifest = inspected.manifest
    if manifest is None:
        return {**value, "problem": inspected.problem}
    parts = _list_parts(manifest)
    serialization = manifest.serialization
    return {
        **value,
        "label": manifest.label,
        "root": str(manifest.root),
        "method": serialization.method.value,
        "hash": serialization.hash_type.value,
        "shard_size_bytes": serialization.shard_size_bytes or None,
        "file_count": len({part.name for part in parts}),
        "digest_count": len(parts),
        "ignored_paths": list(manifest.ignore_paths),
        "digests": [{"name": part.full_name, "digest": part.digest} for part in parts[:files]],
    }
