"""weighbridge run."""

from __future__ import annotations

import click

from weighbridge import workflow
from weighbridge.cli._options import json_option, no_carry_option
from weighbridge.cli._progress import show_progress
from weighbridge.cli._rank_options import RANK_OPTIONS, rank_options
from weighbridge.cli._recorded import output_option, show_recorded, to_pairs
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, signer_options
from weighbridge.cli._streams import keep_stdout
from weighbridge.cli._trust_options import offline_option
from weighbridge.core import LOCAL_BUILDER

__all__ = ["command"]

_SECTIONS = {
    "The step": ("--kind", "--name", "--input", "--output", "--param", "--builder"),
    "Where claims go": ("--store", "--no-carry"),
    "What is known of it": ("--observe", "--enforce", "--no-digest-cache"),
    "One rank of a distributed step": RANK_OPTIONS,
    "Who signs": SIGNER_OPTIONS,
}


@click.command(
    "run",
    cls=SectionedCommand,
    sections=_SECTIONS,
    context_settings={"allow_interspersed_args": False},
)
@click.option("--kind", required=True, metavar="KIND", help="train, clean, quantize, ...")
@click.option("--name", default="", metavar="LABEL", help="What to call it  [default: the kind]")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    callback=to_pairs,
    metavar="NAME=PATH",
    help="What it takes in, or an address with its digest (hf://ORG/NAME@REVISION); repeatable.",
)
@output_option
@click.option(
    "--param",
    "parameters",
    multiple=True,
    callback=to_pairs,
    metavar="NAME=VALUE",
    help="A parameter, for the record; repeatable.",
)
@click.option(
    "--builder",
    metavar="URI",
    help=f"Who runs it  [default: {LOCAL_BUILDER}]",
)
@click.option(
    "--observe",
    type=click.Choice([observe.value for observe in workflow.Observe]),
    default=workflow.Observe.AUTO.value,
    show_default=True,
    help="Watch what COMMAND reads; auto: with strace, else with an audit hook in Python.",
)
@click.option(
    "--enforce",
    is_flag=True,
    help="Let COMMAND read its inputs and write its outputs, and deny the rest and the network.",
)
@click.option(
    "--no-digest-cache",
    is_flag=True,
    help="Read every file, though it was hashed for a step before and nobody touched it since.",
)
@click.option(
    "--store", metavar="STORE", help="Keep the claims in this folder as well: PATH or file:PATH."
)
@no_carry_option
@rank_options
@signer_options
@offline_option
@json_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(  # noqa: PLR0913 - each is one thing that a user may say
    *,
    kind: str,
    name: str,
    inputs: dict[str, str],
    outputs: dict[str, str],
    parameters: dict[str, str],
    builder: str | None,
    observe: str,
    enforce: bool,
    store: str | None,
    no_digest_cache: bool,
    no_carry: bool,
    ranks: workflow.RankChoice,
    signer: workflow.SignerSpec,
    offline: bool,  # noqa: ARG001 - is in the signer
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND as a step and sign what it made from what: SLSA provenance.

    The inputs are hashed before, the outputs afterwards; the claim is put beside each output, in
    claims.jsonl. A step that fails is not claimed. COMMAND may be a notebook (.ipynb), alone or
    behind the Python that shall run it: a clean copy is executed, and goes with its outputs to the
    output whose name ends in .ipynb.
    """
    plan = workflow.StepPlan(
        kind=kind,
        name=name,
        inputs=inputs,
        outputs=outputs,
        parameters=parameters,
        builder=builder or LOCAL_BUILDER,
        carry=not no_carry,
        ranks=ranks,
        store=store,
    )
    with workflow.end_by_signal(), keep_stdout(as_json), show_progress("hashing") as progress:
        recorded = workflow.run_step(
            command,
            plan,
            signer=signer,
            observe=workflow.Observe(observe),
            enforce=enforce,
            digest_cache=not no_digest_cache,
            progress=progress,
        )
    rank = f", rank {recorded.rank}" if recorded.rank else ""
    show_recorded(recorded, f"{kind} step{rank}", store=store, as_json=as_json)
