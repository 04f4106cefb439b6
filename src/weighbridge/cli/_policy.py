"""weighbridge policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge import workflow
from weighbridge.cli._exit import exit_with
from weighbridge.cli._options import FILE, json_option, print_json
from weighbridge.core import Answer, printable, to_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weighbridge.core import JsonValue

__all__ = ["command"]

_HEADINGS = {
    "rule": "It demands",
    "trust": "It trusts",
    "root": "Roots that it accepts",
    "denied": "What it denies",
    "allowed": "What it lets in all the same",
}


@click.group("policy")
def command() -> None:
    """Explain or test a policy (docs/policy.md)."""


@command.command("explain")
@click.argument("policy", type=FILE, required=False)
@json_option
def explain(policy: str | None, *, as_json: bool) -> None:
    """Print in words what POLICY demands and whom it trusts; without one, the built-in policy."""
    explained = workflow.explain_policy(policy)
    if as_json:
        print_json(_explained_to_json(explained))
        return
    for line in _explained_to_lines(explained):
        click.echo(line)


@command.command("test")
@click.argument("folder", type=FILE, metavar="DIR")
@click.option(
    "--policy",
    type=FILE,
    metavar="FILE",
    help="For cases that name none  [default: weighbridge.toml in DIR]",
)
@json_option
def test(folder: str, *, policy: str | None, as_json: bool) -> None:
    """Judge every case in DIR, and compare the verdicts with what the cases expect.

    A case is DIR/NAME.toml or DIR/NAME/case.toml: artifact = "model", expect = "fail", and if
    wanted policy, claims, at, and [rules] with an answer for each. Exit codes: 0 all as expected,
    1 some not, 2 a case cannot be used, 3 there is no case.
    """
    results = workflow.run_policy_cases(folder, policy=policy)
    answer = _sum_up(results)
    if as_json:
        print_json(_results_to_json(results, answer))
    else:
        for line in _results_to_lines(results):
            click.echo(line)
        if not results:
            shown = printable(folder)
            message = f"there is no case in {shown}; add NAME.toml, or NAME/case.toml"
            click.echo(f"weighbridge: {message}", err=True)
    exit_with(answer)


def _sum_up(results: Sequence[workflow.CaseResult]) -> Answer:
    if not results:
        return Answer.UNKNOWN
    return Answer.FAIL if any(result.differences for result in results) else Answer.PASS


def _explained_to_lines(explained: workflow.ExplainedPolicy) -> Iterator[str]:
    yield f"policy: {printable(explained.name)}"
    if explained.digest:
        yield f"digest: {explained.digest}"
    for kind, heading in _HEADINGS.items():
        demands = [demand for demand in explained.demands if demand.kind == kind]
        if demands:
            yield ""
            yield f"{heading}:"
        for demand in demands:
            only = " (a warning only)" if demand.warn_only else ""
            yield f"  {demand.name}{only}"
            yield f"    {demand.text}"


def _explained_to_json(explained: workflow.ExplainedPolicy) -> JsonValue:
    return {
        "policy": printable(explained.name),
        "digest": explained.digest,
        "demands": [
            {
                "kind": demand.kind,
                "name": demand.name,
                "text": demand.text,
                "warn_only": demand.warn_only,
            }
            for demand in explained.demands
        ],
    }


def _results_to_lines(results: Sequence[workflow.CaseResult]) -> Iterator[str]:
    width = max((len(printable(result.name)) for result in results), default=0)
    for result in results:
        mark = "differs" if result.differences else "ok     "
        name = printable(result.name).ljust(width)
        yield f"{mark}  {name}  expected {result.expected}, got {result.actual}"
        for difference in result.differences:
            yield f"         {difference}"
    if results:
        wrong = sum(bool(result.differences) for result in results)
        yield f"{to_count(len(results), 'case')}, {wrong:,} not as expected"


def _results_to_json(results: Sequence[workflow.CaseResult], answer: Answer) -> JsonValue:
    return {
        "answer": answer.value,
        "cases": [
            {
                "name": printable(result.name),
                "expected": result.expected.value,
                "actual": result.actual.value,
                "differences": list(result.differences),
            }
            for result in results
        ],
    }
