"""Choosing what watches a step."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.errors import IncompleteError
from weighbridge.provenance import (
    AuditWatch,
    StraceWatch,
    explain_audit,
    find_strace,
    watch_by_audit,
    watch_by_strace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weighbridge.core import Limits

__all__ = ["Monitor", "Observe", "choose_monitor", "open_monitor", "refuse_silence"]


class Observe(StrEnum):
    """How a step is watched.

    ``auto``: by strace if that can be done, else by an audit hook. ``strace``, ``audit``: by that,
    or the step is not run. ``none``: not at all.
    """

    AUTO = "auto"
    STRACE = "strace"
    AUDIT = "audit"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Monitor:
    """What watches a step.

    Attributes:
        observe: As it was asked for.
        strace: The program; empty if it is not strace.
        is_audit: Whether it is an audit hook.
        gaps: Why it is no better one, in words.
    """

    observe: Observe
    strace: str = ""
    is_audit: bool = False
    gaps: tuple[str, ...] = ()


def choose_monitor(
    observe: Observe, command: Sequence[str], environment: Mapping[str, str]
) -> Monitor:
    """Return what can watch a command here.

    Raises:
        IncompleteError: What was asked for cannot.
    """
    if observe is Observe.NONE:
        return Monitor(observe)
    if observe is Observe.AUDIT:
        reason = explain_audit(command, environment)
        if reason:
            raise IncompleteError(
                f"the step cannot be watched: {reason}; use --observe strace, or none"
            )
        return Monitor(observe, is_audit=True)
    support = find_strace()
    if support.program:
        return Monitor(observe, support.program)
    if observe is Observe.STRACE:
        raise IncompleteError(f"the step cannot be watched: {support.reason}")
    return Monitor(observe, is_audit=True, gaps=(support.reason,))


@contextmanager
def open_monitor(monitor: Monitor, *, limits: Limits) -> Iterator[StraceWatch | AuditWatch | None]:
    """Open what a monitor writes to, for one step that starts in the current folder."""
    if monitor.strace:
        with watch_by_strace(cwd=Path.cwd(), limits=limits) as strace:
            yield strace
    elif monitor.is_audit:
        with watch_by_audit(limits=limits) as audit:
            yield audit
    else:
        yield None


def refuse_silence(monitor: Monitor, watch: StraceWatch | AuditWatch | None) -> None:
    """Hold that an audit hook that was asked for has come up.

    Raises:
        IncompleteError: It has not.
    """
    if monitor.observe is Observe.AUDIT and isinstance(watch, AuditWatch) and not watch.has_begun:
        raise IncompleteError(
            "the step was not watched: the audit hook did not come up in its Python; nothing is "
            "claimed; use --observe strace, or none"
        )
