"""weighbridge trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weighbridge import workflow
from weighbridge.cli._options import FILE, json_option, print_json, refuse_empty
from weighbridge.core import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from typing import Any

    from weighbridge.core import JsonValue

__all__ = ["command"]


def _instance_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--instance",
        callback=refuse_empty,
        metavar="URL",
        help="The update repository of a Sigstore of your own  [default: the public one]",
    )(function)


@click.group("trust")
def command() -> None:
    """Refresh or show whom keyless signatures are verified against.

    A Sigstore instance has authorities and logs, and replaces them from time to time. What it
    said last is cached, so that verify --offline needs no network.
    """


@command.command("update")
@_instance_option
@click.option(
    "--root",
    type=FILE,
    metavar="FILE",
    help="The first TUF root of that instance, from whoever runs it; needed once.",
)
@json_option
def update(instance: str | None, *, root: str | None, as_json: bool) -> None:
    """Ask the instance for news and cache them."""
    _tell(workflow.update_trust(instance or "", root=root), as_json=as_json)


@command.command("show")
@_instance_option
@json_option
def show(instance: str | None, *, as_json: bool) -> None:
    """Print what is cached; no network."""
    _tell(workflow.show_trust(instance or ""), as_json=as_json)


def _tell(root: workflow.TrustRoot, *, as_json: bool) -> None:
    if as_json:
        print_json(_to_json(root))
        return
    for line in _to_lines(root):
        click.echo(line)


def _to_lines(root: workflow.TrustRoot) -> Iterator[str]:
    never = "never; it came with sigstore-python"
    yield f"instance:  {printable(root.url)}"
    yield f"file:      {printable(str(root.file))}"
    yield f"refreshed: {never if root.refreshed_at is None else _to_words(root.refreshed_at)}"
    for party in root.parties:
        since = "always" if party.valid_from is None else f"{party.valid_from:%Y-%m-%d}"
        until = "" if party.valid_until is None else f" until {party.valid_until:%Y-%m-%d}"
        yield f"{party.role}: {printable(party.name)}"
        yield f"  since {since}{until}, sha256:{party.fingerprint}"


def _to_words(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _to_json(root: workflow.TrustRoot) -> JsonValue:
    return {
        "instance": printable(root.url),
        "file": printable(str(root.file)),
        "refreshed_at": _to_iso(root.refreshed_at),
        "parties": [
            {
                "role": party.role,
                "name": printable(party.name),
                "sha256": party.fingerprint,
                "valid_from": _to_iso(party.valid_from),
                "valid_until": _to_iso(party.valid_until),
            }
            for party in root.parties
        ],
    }


def _to_iso(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
