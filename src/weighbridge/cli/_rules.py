"""weighbridge rules."""

from __future__ import annotations

from difflib import get_close_matches

import click

from weighbridge.cli._options import json_option, print_json, terminal
from weighbridge.core import printable
from weighbridge.errors import InputError

__all__ = ["command"]


@click.command("rules")
@click.argument("rule_id", metavar="[ID]", required=False)
@json_option
def command(rule_id: str | None, *, as_json: bool) -> None:
    """Explain the rule ID of the scan, such as WB-PKL-001; without an ID, list all of them."""
    from weighbridge import export  # noqa: PLC0415 - costs start-up time
    from weighbridge.workflow import list_rules  # noqa: PLC0415

    rules = list_rules()
    if rule_id:
        wanted = rule_id.strip().upper()
        shown = tuple(rule for rule in rules if rule.rule_id == wanted)
        if not shown:
            close = get_close_matches(wanted, [rule.rule_id for rule in rules], n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise InputError(f"there is no rule {printable(rule_id, limit=80)}{hint}")
        rules = shown
    if as_json:
        print_json(export.rules_to_json(rules))
    else:
        click.echo(export.rules_to_text(rules, is_page=bool(rule_id), **terminal()))
