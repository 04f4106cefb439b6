"""weighbridge gather."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE, json_option, refuse_empty
from weighbridge.cli._progress import show_progress
from weighbridge.cli._rank_options import apart_option, say
from weighbridge.cli._recorded import output_option, show_recorded
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, signer_options
from weighbridge.cli._trust_options import build_trust, offline_option
from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["command"]

_TRUST = (
    click.option(
        "--ranks-key",
        type=FILE,
        metavar="PUBLIC",
        help="Public key of the ranks  [default: they are signed by whoever signs now]",
    ),
    click.option(
        "--ranks-certificate-authority",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Root certificates of the ranks' signers, PEM; repeatable.",
    ),
    click.option(
        "--ranks-identity",
        callback=refuse_empty,
        metavar="NAME",
        help="Who signed the ranks; exactly.",
    ),
    click.option(
        "--ranks-issuer",
        callback=refuse_empty,
        metavar="URL",
        help="Who vouches for that account; exactly.",
    ),
    click.option(
        "--ranks-trust-config",
        type=FILE,
        metavar="FILE",
        help="The Sigstore instance of the ranks' signatures.",
    ),
    click.option(
        "--ranks-instance",
        callback=refuse_empty,
        metavar="URL",
        help="Or the instance's update repository.",
    ),
    click.option(
        "--ranks-timestamp-authority",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Whose timestamps on them are believed, PEM; repeatable.",
    ),
)
_NAMES = (
    "key",
    "certificate_authority",
    "identity",
    "issuer",
    "trust_config",
    "instance",
    "timestamp_authority",
)
_SECTIONS = {
    "The ranks": ("--job", "--wait", "--apart"),
    "Where claims go": ("--store", "--no-carry"),
    "What they made": ("--output", "--builder"),
    "Whose signatures of ranks are taken": tuple(
        f"--ranks-{name.replace('_', '-')}" for name in _NAMES
    ),
    "Who signs": SIGNER_OPTIONS,
}


def _trust_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add those that say who signed the ranks; the command is given them as ``trust``."""

    @wraps(function)
    def command(**given: Any) -> Any:  # noqa: ANN401 - what click passes
        mine = {name: given.pop(f"ranks_{name}") for name in _NAMES}
        return function(**given, trust=build_trust(mine, prefix="--ranks-"))

    for option in reversed(_TRUST):
        command = option(command)
    return command


@click.command("gather", cls=SectionedCommand, sections=_SECTIONS)
@click.argument("folder", type=FILE, metavar="RANKS")
@output_option
@click.option(
    "--job",
    callback=refuse_empty,
    metavar="NAME",
    help="Which job they have to be of  [default: whichever, as long as it is one]",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0,
    metavar="SECONDS",
    help="How long to wait for ranks that have not ended  [default: not at all]",
)
@apart_option
@click.option(
    "--builder",
    callback=refuse_empty,
    metavar="URI",
    help="Who joins them  [default: as the ranks say]",
)
@click.option(
    "--store", metavar="STORE", help="Keep the claim in this folder as well: PATH or file:PATH."
)
@click.option("--no-carry", is_flag=True, help="Do not copy the ranks' claims to the outputs.")
@_trust_options
@signer_options
@offline_option
@json_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    *,
    folder: str,
    outputs: dict[str, str],
    job: str | None,
    wait_s: float,
    apart: bool,
    builder: str | None,
    store: str | None,
    no_carry: bool,
    trust: workflow.Trust | None,
    signer: workflow.SignerSpec,
    offline: bool,
    as_json: bool,
) -> None:
    """Join the ranks of a distributed step and sign what they made: SLSA provenance.

    RANKS is the folder in which weighbridge run left one report for each rank. Every rank has to be
    there, signed, and of one job; otherwise nothing is written.
    """
    with show_progress("hashing") as progress:
        gathered = workflow.gather_ranks(
            folder,
            outputs=outputs,
            signer=signer,
            trust=trust,
            job=job or "",
            wait_s=wait_s,
            apart=apart,
            builder=builder or "",
            carry=not no_carry,
            store=store,
            offline=offline,
            tell=say,
            progress=progress,
        )
    ignored = [printable(name) for name in gathered.ignored]
    notes = [f"not of a rank, and left alone: {name}" for name in ignored]
    if gathered.junk_count:
        notes.append(f"lines among the ranks' claims that are no claims: {gathered.junk_count:,}")
    notes += [printable(words, limit=1000) for words in gathered.moved]
    show_recorded(
        gathered.recorded,
        f"{gathered.world_size:,} ranks of the job {printable(gathered.job)}",
        store=store,
        as_json=as_json,
        more={
            "job": printable(gathered.job),
            "world_size": gathered.world_size,
            "ignored": [*ignored],
            "junk_count": gathered.junk_count,
            "moved": [printable(words, limit=1000) for words in gathered.moved],
        },
        notes=notes,
    )
