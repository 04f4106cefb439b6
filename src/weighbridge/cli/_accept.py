"""weighbridge accept."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import artifact_argument, json_option
from weighbridge.cli._progress import show_progress
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, signer_options
from weighbridge.cli._trust_options import offline_option
from weighbridge.cli._vouched import show_vouched, store_option
from weighbridge.core import MAX_NOTE, RootAcceptance, printable, to_time

__all__ = ["command"]

_SECTIONS = {
    "What is accepted": (
        "--reason",
        "--fetched-from",
        "--license",
        "--license-differs",
        "--expires",
        "--max-level",
    ),
    "Where the claim goes": ("--store",),
    "Who signs": SIGNER_OPTIONS,
}


@click.command("accept", cls=SectionedCommand, sections=_SECTIONS)
@artifact_argument
@click.option("--reason", required=True, metavar="TEXT", help="Why, for people.")
@click.option(
    "--fetched-from",
    required=True,
    metavar="URL",
    help="Where it is from: a URI, such as hf://ORG/NAME@REVISION.",
)
@click.option(
    "--license",
    "license_",
    required=True,
    metavar="ID",
    help="Under which licence it was taken: an SPDX expression.",
)
@click.option(
    "--license-differs",
    is_flag=True,
    help="Agree that the artifact declares another licence; both are recorded.",
)
@click.option(
    "--expires",
    required=True,
    metavar="DATE",
    help="Until when it counts: 2027-01-31, or with a time and zone; within ten years.",
)
@click.option(
    "--max-level",
    required=True,
    type=click.IntRange(0, 3),
    help="The SLSA Build level that it counts as, at most.",
)
@store_option
@signer_options
@offline_option
@json_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str,
    *,
    reason: str,
    fetched_from: str,
    license_: str,
    license_differs: bool,
    expires: str,
    max_level: int,
    store: str | None,
    signer: workflow.SignerSpec,
    offline: bool,  # noqa: ARG001 - is in the signer
    as_json: bool,
) -> None:
    """Accept PATH, which has no provenance, as a root: somebody answers for it until a date.

    Training a model again to the bit is often unaffordable, and protects little against one that
    was trained to be biased or to do harm: it would prove where the model is from, not that it is
    good. The criteria are its licence and that a person has looked; so look first.

    The statement pins the digest and says where PATH is from, under which licence it was taken,
    which licence it declares itself, and who signs. It is added to claims.jsonl in the folder, or
    NAME.claims.jsonl beside the file. Whether it counts, the policy of whoever checks decides.
    """
    with show_progress("hashing") as progress:
        vouched = workflow.accept_artifact(
            path,
            reason=reason,
            fetched_from=fetched_from,
            license=license_,
            expires=expires,
            max_level=max_level,
            signer=signer,
            license_differs=license_differs,
            store=store,
            progress=progress,
        )
    word = vouched.word
    assert isinstance(word, RootAcceptance)  # noqa: S101 - that is what was asked for
    if word.license_found:
        declared = f"it declares {printable(word.license_found)}"
    else:
        declared = "it declares none that could be found"
    show_vouched(
        vouched,
        f"accepted as a root, at most level {word.max_level}, under {word.license} ({declared})",
        {
            "reason": printable(word.reason, limit=MAX_NOTE),
            "fetched_from": word.fetched_from,
            "license": word.license,
            "license_found": word.license_found,
            "accepted_at": to_time(word.accepted_at),
            "max_level": word.max_level,
        },
        store=store,
        as_json=as_json,
    )
