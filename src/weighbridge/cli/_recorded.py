"""What is told of a step that was recorded, and the names that it is given with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from weighbridge.cli._options import print_json
from weighbridge.core import printable, to_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from weighbridge import workflow
    from weighbridge.core import JsonValue

__all__ = ["output_option", "show_recorded", "to_pairs", "to_pairs_by_last"]

_MOST_SHOWN = 10

F = TypeVar("F", bound="Callable[..., Any]")


def to_pairs(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read ``NAME=VALUE`` several times; the callback of options that take it.

    Raises:
        BadParameter: Something else, or a name twice.
    """
    return _collect_pairs(values, lambda value: value.partition("="))


def to_pairs_by_last(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Do the same where a name may hold ``=`` and a value may not.

    Raises:
        BadParameter: As :func:`to_pairs`.
    """
    return _collect_pairs(values, lambda value: value.rpartition("="))


def _collect_pairs(
    values: tuple[str, ...], split: Callable[[str], tuple[str, str, str]]
) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        name, _, rest = split(value)
        if not (name and rest):
            raise click.BadParameter(f"{printable(value)} is not NAME=VALUE")
        if name in pairs:
            raise click.BadParameter(f"{printable(name)} is given twice")
        pairs[name] = rest
    return pairs


def output_option(function: F) -> F:
    """Add ``-o NAME=PATH``."""
    return click.option(
        "-o",
        "--output",
        "outputs",
        multiple=True,
        callback=to_pairs,
        metavar="NAME=PATH",
        help="What it makes; repeatable.",
    )(function)


def show_recorded(
    recorded: workflow.Recorded,
    title: str,
    *,
    store: str | None = None,
    as_json: bool,
    more: dict[str, JsonValue] | None = None,
    notes: Iterable[str] = (),
) -> None:
    """Tell people or machines what was recorded.

    Args:
        recorded: The step.
        title: What it was, in words.
        store: Where its claims are kept as well.
        as_json: For machines.
        more: What else to say to them.
        notes: What else to say to people, a line each.
    """
    if as_json:
        kept = store and printable(store)
        print_json({**_to_json(recorded), "store": kept, **(more or {})})
        return
    click.echo(f"recorded: {title}, inputs {recorded.completeness.value}", err=True)
    for line in (*_tell(recorded), *notes):
        click.echo(f"  {line}", err=True)
    for output in recorded.outputs:
        carried = f", {to_count(output.carried, 'claim')} carried" if output.carried else ""
        click.echo(f"  {printable(output.name)}: {output.digest}", err=True)
        click.echo(f"    claims: {printable(str(output.claims))}{carried}", err=True)
    if store:
        click.echo(f"  the claims of this step are in {printable(store)} as well", err=True)


def _to_json(recorded: workflow.Recorded) -> dict[str, JsonValue]:
    return {
        "completeness": recorded.completeness.value,
        "rank": recorded.rank or None,
        "undeclared": list(recorded.undeclared),
        "gaps": list(recorded.gaps),
        "warnings": list(recorded.warnings),
        "denied": None if recorded.denied is None else list(recorded.denied),
        "removed_variables": list(recorded.removed),
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


def _tell(recorded: workflow.Recorded) -> Iterator[str]:
    yield from _list_some("read and not declared", recorded.undeclared)
    if recorded.denied is None:
        yield (
            "what the walls denied it is not known, since nothing watched it: use --observe auto, "
            "with strace"
        )
    else:
        yield from _list_some("denied by the walls", recorded.denied)
    yield from (f"warning: {words}" for words in recorded.warnings)
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
