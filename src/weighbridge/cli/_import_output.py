"""What ``weighbridge import`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge.cli._warnings import warn
from weighbridge.core import Answer, printable, to_count

if TYPE_CHECKING:
    from weighbridge.core import JsonValue
    from weighbridge.integrations import DvcImport, ImportedStage, MlflowImport
    from weighbridge.workflow import Recorded

__all__ = ["dvc_to_json", "mlflow_to_json", "show_dvc", "show_mlflow", "to_exit"]

_EXIT = {Answer.PASS: 0, Answer.FAIL: 1, Answer.UNKNOWN: 3}
_WORDS = {Answer.PASS: "claimed", Answer.FAIL: "not claimed", Answer.UNKNOWN: "not claimed"}
_WHY = {"caller": "as given", "name": "by its name", "dvc": "as DVC fetched it", "": ""}


def to_exit(answer: Answer) -> int:
    """Return the exit code."""
    return _EXIT[answer]


def show_dvc(done: DvcImport) -> None:
    """Say what became of each stage, on stderr."""
    claimed = sum(stage.answer is Answer.PASS for stage in done.stages)
    click.echo(f"imported: {claimed:,} of {len(done.stages):,} stages", err=True)
    for stage in done.stages:
        _show_stage(stage)
    if done.tracked:
        count = to_count(len(done.tracked), ".dvc file")
        click.echo(f"  nothing to claim of {count}: no stage made that data", err=True)
    warn([printable(note) for note in done.notes])


def dvc_to_json(done: DvcImport) -> JsonValue:
    """Return the same for machines."""
    return {
        "answer": done.answer.value,
        "repository": printable(str(done.root)),
        "stages": [
            {
                "name": printable(stage.name),
                "answer": stage.answer.value,
                "kind": stage.kind or None,
                "kind_from": stage.kind_from or None,
                "reasons": [printable(reason, limit=1000) for reason in stage.reasons],
                **recorded_to_json(stage.recorded),
            }
            for stage in done.stages
        ],
        "tracked": [printable(name) for name in done.tracked],
        "notes": [printable(note) for note in done.notes],
    }


def show_mlflow(done: MlflowImport, kind: str) -> None:
    """Say what was claimed of a run, on stderr."""
    click.echo(f"imported: run {printable(done.run_id)}, {kind} step", err=True)
    show_recorded(done.recorded)
    for name in done.fetched:
        click.echo(f"    fetched: {printable(name)}", err=True)
    for gap in done.recorded.gaps:
        click.echo(f"  gap: {printable(gap)}", err=True)


def mlflow_to_json(done: MlflowImport) -> JsonValue:
    """Return the same for machines."""
    return {
        "answer": Answer.PASS.value,
        "run": printable(done.run_id),
        "fetched": [printable(name) for name in done.fetched],
        **recorded_to_json(done.recorded),
    }


def recorded_to_json(recorded: Recorded | None) -> dict[str, JsonValue]:
    """Return what was claimed."""
    if recorded is None:
        return {"completeness": None, "gaps": [], "outputs": []}
    return {
        "completeness": recorded.completeness.value,
        "gaps": list(recorded.gaps),
        "outputs": [
            {
                "name": printable(output.name),
                "path": printable(str(output.path)),
                "digest": str(output.digest),
                "claims": printable(str(output.claims)),
                "carried_count": output.carried,
            }
            for output in recorded.outputs
        ],
    }


def show_recorded(recorded: Recorded) -> None:
    """Say what was claimed, on stderr."""
    for output in recorded.outputs:
        carried = f", {to_count(output.carried, 'claim')} carried" if output.carried else ""
        click.echo(f"    {printable(output.name)}: {output.digest}", err=True)
        click.echo(f"      claims: {printable(str(output.claims))}{carried}", err=True)


def _show_stage(stage: ImportedStage) -> None:
    kind = f"{stage.kind} step, {_WHY[stage.kind_from]}" if stage.kind else ""
    words = ": ".join(part for part in (_WORDS[stage.answer], kind) if part)
    click.echo(f"  {printable(stage.name)}: {words}", err=True)
    for reason in stage.reasons:
        click.echo(f"    {stage.answer.value}: {printable(reason, limit=1000)}", err=True)
    if stage.recorded is not None:
        show_recorded(stage.recorded)
        for gap in stage.recorded.gaps:
            click.echo(f"    gap: {printable(gap)}", err=True)
