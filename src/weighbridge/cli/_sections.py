"""Help in sections, for commands with many options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SectionedCommand"]


class SectionedCommand(click.Command):
    """A command whose help lists its options under headings; the method is one that click calls."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - what click passes
        sections: Mapping[str, Sequence[str]],
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Keep the sections.

        Args:
            args: For click.
            sections: Heading to the options under it, ``--long`` names; what is not named stands
                under the last heading, ``Options``.
            kwargs: For click.
        """
        super().__init__(*args, **kwargs)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        rows: dict[str, list[tuple[str, str]]] = {heading: [] for heading in self.sections}
        rows["Options"] = []
        headings = {name: heading for heading, names in self.sections.items() for name in names}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                named = [headings[name] for name in parameter.opts if name in headings]
                rows[named[0] if named else "Options"].append(record)
        for heading, records in rows.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
