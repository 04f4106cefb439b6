"""weighbridge import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge import integrations, workflow
from weighbridge.cli._import_output import (
    dvc_to_json,
    mlflow_to_json,
    show_dvc,
    show_mlflow,
    to_exit,
)
from weighbridge.cli._options import FILE, json_option, no_carry_option, print_json
from weighbridge.cli._progress import show_progress
from weighbridge.cli._recorded import to_pairs_by_last
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, signer_options
from weighbridge.cli._trust_options import offline_option
from weighbridge.core import DVC_BUILDER, MLFLOW_BUILDER, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["command"]

_SECTIONS = {"Who signs": SIGNER_OPTIONS}


def _to_kinds(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for value in values:
        name, _, kind = value.rpartition("=")
        if name in kinds:
            shown = printable(name) or "all other stages"
            raise click.BadParameter(f"the kind of {shown} is given twice")
        kinds[name] = kind
    return kinds


@click.group("import")
def command() -> None:
    """Claim steps that another tool recorded: SLSA provenance of what is here now.

    Files are hashed here and held against that tool's record; the class of the inputs is declared.
    """


@command.command("dvc", cls=SectionedCommand, sections=_SECTIONS)
@click.argument("repository", type=FILE, default=".", metavar="[REPOSITORY]")
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="This one only; repeatable.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    callback=_to_kinds,
    metavar="[STAGE=]KIND",
    help="What a stage does: train, clean, ...; without STAGE: all that are not called so.",
)
@click.option(
    "--builder",
    metavar="URI",
    help=f"Who imports  [default: {DVC_BUILDER}]",
)
@no_carry_option
@signer_options
@offline_option
@json_option
@click.pass_context
def dvc(  # noqa: PLR0913 - each is one thing that a user may say
    context: click.Context,
    *,
    repository: str,
    stages: tuple[str, ...],
    kinds: Mapping[str, str],
    builder: str | None,
    no_carry: bool,
    signer: workflow.SignerSpec,
    offline: bool,  # noqa: ARG001 - is in the signer
    as_json: bool,
) -> None:
    """Claim the stages of dvc.lock and what dvc import fetched.

    Each file is read once, for its sha256 and for DVC's md5. A stage is claimed if all that it
    takes in and makes is here and is what DVC recorded. DVC itself is not needed; nothing is run.
    """
    with show_progress("hashing") as progress:
        done = integrations.import_dvc(
            repository,
            stages=stages,
            kinds=kinds,
            signer=signer,
            builder=builder or DVC_BUILDER,
            carry=not no_carry,
            progress=progress,
        )
    if as_json:
        print_json(dvc_to_json(done))
    else:
        show_dvc(done)
    context.exit(to_exit(done.answer))


@command.command("mlflow", cls=SectionedCommand, sections=_SECTIONS)
@click.argument("run_id", metavar="RUN_ID")
@click.option(
    "--tracking-uri",
    required=True,
    metavar="URI",
    help="Where the run is: a folder of runs, sqlite:///FILE or http(s)://HOST.",
)
@click.option("--kind", required=True, metavar="KIND", help="What the run did: train, ...")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    callback=to_pairs_by_last,
    metavar="ARTIFACT=PATH",
    help="An artifact of the run and where it is; fetched if it is not there; repeatable.",
)
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    callback=to_pairs_by_last,
    metavar="DATASET=PATH",
    help="Where a dataset of the run is; repeatable.",
)
@click.option(
    "--artifact-root",
    default="",
    metavar="PLACE",
    help="Where else the run's artifacts may be: a folder, or the beginning of an address.",
)
@click.option(
    "--builder",
    metavar="URI",
    help=f"Who imports  [default: {MLFLOW_BUILDER}]",
)
@no_carry_option
@signer_options
@offline_option
@json_option
def mlflow(  # noqa: PLR0913 - each is one thing that a user may say
    run_id: str,
    *,
    tracking_uri: str,
    kind: str,
    outputs: Mapping[str, str],
    inputs: Mapping[str, str],
    artifact_root: str,
    builder: str | None,
    no_carry: bool,
    signer: workflow.SignerSpec,
    offline: bool,  # noqa: ARG001 - is in the signer
    as_json: bool,
) -> None:
    """Claim what a finished run of MLflow made.

    What is here already has to be the run's artifact, byte for byte; what is not here is fetched.
    Nothing is asked but the tracking URI.
    """
    with show_progress("hashing") as progress:
        done = integrations.import_mlflow(
            run_id,
            tracking_uri=tracking_uri,
            kind=kind,
            outputs=outputs,
            inputs=inputs,
            artifact_root=artifact_root,
            signer=signer,
            builder=builder or MLFLOW_BUILDER,
            carry=not no_carry,
            progress=progress,
        )
    if as_json:
        print_json(mlflow_to_json(done))
    else:
        show_mlflow(done, kind)
