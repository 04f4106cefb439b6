"""weighbridge review."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import artifact_argument, json_option
from weighbridge.cli._progress import show_progress
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, signer_options
from weighbridge.cli._trust_options import offline_option
from weighbridge.cli._vouched import show_vouched, store_option
from weighbridge.core import MAX_NOTE, Decision, HumanReview, printable, to_time

__all__ = ["command"]

_SECTIONS = {
    "The review": ("--scope", "--decision", "--note", "--expires"),
    "Where the claim goes": ("--store",),
    "Who signs": SIGNER_OPTIONS,
}
_WORDS = {Decision.APPROVE: "approved", Decision.REJECT: "rejected"}


@click.command("review", cls=SectionedCommand, sections=_SECTIONS)
@artifact_argument
@click.option("--scope", required=True, metavar="TEXT", help='What was looked at: "training data".')
@click.option(
    "--decision",
    required=True,
    type=click.Choice([decision.value for decision in Decision]),
    help="What it came to.",
)
@click.option("--note", default="", metavar="TEXT", help="What is to be said, for people.")
@click.option(
    "--expires",
    metavar="DATE",
    help="Until when it counts: 2027-01-31, or with a time and zone  [default: no end of its own]",
)
@store_option
@signer_options
@offline_option
@json_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    path: str,
    *,
    scope: str,
    decision: str,
    note: str,
    expires: str | None,
    store: str | None,
    signer: workflow.SignerSpec,
    offline: bool,  # noqa: ARG001 - is in the signer
    as_json: bool,
) -> None:
    """Sign what you found when you looked at PATH: a human review.

    A model that trains again to the same bits can still be biased; what protects against that is a
    person who looks at the data, the licence and the behaviour, and says so.

    The statement pins the digest and says what was looked at, what it came to and who signs. It is
    added to claims.jsonl in the folder, or NAME.claims.jsonl beside the file. Your latest review
    counts. Whoever holds that file can drop a reject: what must never come in belongs into the
    policy, under [[denied]].
    """
    with show_progress("hashing") as progress:
        vouched = workflow.review_artifact(
            path,
            scope=scope,
            decision=decision,
            note=note,
            expires=expires,
            signer=signer,
            store=store,
            progress=progress,
        )
    word = vouched.word
    assert isinstance(word, HumanReview)  # noqa: S101 - that is what was asked for
    show_vouched(
        vouched,
        f"{_WORDS[word.decision]}: {printable(word.scope)}",
        {
            "decision": word.decision.value,
            "scope": printable(word.scope),
            "note": printable(word.note, limit=MAX_NOTE),
            "reviewed_at": to_time(word.reviewed_at),
        },
        store=store,
        as_json=as_json,
    )
