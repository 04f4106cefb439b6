"""weighbridge run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge import workflow
from weighbridge.cli._options import json_option, print_json
from weighbridge.cli._progress import show_progress
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, signer_options
from weighbridge.cli._trust_options import offline_option
from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["command"]

_MOST_SHOWN = 10

_SECTIONS = {
    "The step": ("--kind", "--name", "--input", "--output", "--param", "--builder"),
    "Where claims go": ("--store", "--no-carry"),
    "What is known of it": ("--observe", "--enforce", "--no-digest-cache"),
    "Who signs": SIGNER_OPTIONS,
}


def _to_pairs(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not (name and equals and rest):
            raise click.BadParameter(f"{printable(value)} is not NAME=VALUE")
        if name in pairs:
            raise click.BadParameter(f"{printable(name)} is given twice")
        pairs[name] = rest
    return pairs


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
    callback=_to_pairs,
    metavar="NAME=PATH",
    help="What it takes in, or an address with its digest (hf://ORG/NAME@REVISION); repeatable.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    callback=_to_pairs,
    metavar="NAME=PATH",
    help="What it makes; repeatable.",
)
@click.option(
    "--param",
    "parameters",
    multiple=True,
    callback=_to_pairs,
    metavar="NAME=VALUE",
    help="A parameter, for the record; repeatable.",
)
@click.option(
    "--builder",
    metavar="URI",
    help=f"Who runs it  [default: {workflow.LOCAL_BUILDER}]",
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
@click.option("--no-carry", is_flag=True, help="Do not copy the inputs' claims to the outputs.")
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
        builder=builder or workflow.LOCAL_BUILDER,
        carry=not no_carry,
        store=store,
    )
    with workflow.end_by_signal(), show_progress("hashing") as progress:
        recorded = workflow.run_step(
            command,
            plan,
            signer=signer,
            observe=workflow.Observe(observe),
            enforce=enforce,
            digest_cache=not no_digest_cache,
            progress=progress,
        )
    if as_json:
        print_json(
            {
                "completeness": recorded.completeness.value,
                "undeclared": list(recorded.undeclared),
                "gaps": list(recorded.gaps),
                "denied": None if recorded.denied is None else list(recorded.denied),
                "removed_variables": list(recorded.removed),
                "store": store and printable(store),
                "outputs": [
                    {
                        "name": output.name,
                        "path": printable(str(output.path)),
                        "digest": str(output.digest),
                        "claims": printable(str(output.claims)),
                        "carried_count": output.carried,
                    }
                    for output in recorded.outputs
                ],
            }
        )
        return
    click.echo(f"recorded: {kind} step, inputs {recorded.completeness.value}", err=True)
    for line in _tell(recorded):
        click.echo(f"  {line}", err=True)
    for output in recorded.outputs:
        carried = f", {output.carried:,} claims carried" if output.carried else ""
        click.echo(f"  {printable(output.name)}: {output.digest}", err=True)
        click.echo(f"    claims: {printable(str(output.claims))}{carried}", err=True)
    if store:
        click.echo(f"  the claims of this step are in {printable(store)} as well", err=True)


def _tell(recorded: workflow.Recorded) -> Iterator[str]:
    yield from _list_some("read and not declared", recorded.undeclared)
    if recorded.denied is None:
        yield "what the walls denied it is not known without a monitor: use --observe auto"
    else:
        yield from _list_some("denied by the walls", recorded.denied)
    yield from (f"gap: {gap}" for gap in recorded.gaps)
    if recorded.removed:
        names = ", ".join(map(printable, recorded.removed))
        yield f"variables kept from the step: {names}"


def _list_some(words: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        yield f"{words}: {len(names):,}"
        yield from (f"  {name}" for name in names[:_MOST_SHOWN])
        if len(names) > _MOST_SHOWN:
            yield f"  and {len(names) - _MOST_SHOWN:,} more"
