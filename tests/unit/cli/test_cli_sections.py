from __future__ import annotations

import click
import pytest

from weighbridge.cli import _main
from weighbridge.cli._sections import SectionedCommand

COMMANDS = [
    command
    for name in _main.cli.list_commands(click.Context(_main.cli))
    if isinstance(
        command := _main.cli.get_command(click.Context(_main.cli), name), SectionedCommand
    )
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_option_stands_in_the_help_once_and_each_heading_names_real_ones(
    command: SectionedCommand,
) -> None:
    options = [name for parameter in command.params for name in parameter.opts]
    listed = [name for names in command.sections.values() for name in names]
    assert sorted(set(listed) - set(options)) == []
    assert len(set(listed)) == len(listed)
    text = command.get_help(click.Context(command, terminal_width=100, max_content_width=100))
    options_text = text[text.index(next(iter(command.sections))) :]
    for heading in (*command.sections, "Options"):
        assert f"{heading}:" in text
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            rows = [line.strip() for line in options_text.splitlines() if line.startswith("  -")]
            names = ", ".join(parameter.opts)
            assert sum(row == names or row.startswith(f"{names} ") for row in rows) == 1, names
