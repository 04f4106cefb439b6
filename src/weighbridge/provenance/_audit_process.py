"""Watching what this process does itself, by an audit hook, for as long as a step is open."""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS
from weighbridge.provenance._audit_hook import build_hook
from weighbridge.provenance._audit_log import AuditReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Limits, Observation

__all__ = ["ProcessWatch", "unwatched", "watch_process"]

_MANY = 2_000
_TOO_MANY = 1_000_000
_IS_OURS: ContextVar[bool] = ContextVar("weighbridge_unwatched", default=False)


class ProcessWatch:
    """What happens in this process until it is closed; made by ``watch_process``."""

    def __init__(self, limits: Limits) -> None:
        """Begin with nothing."""
        self._records: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._reader = AuditReader(limits, has_begun=True)

    def add(self, record: bytes) -> None:
        """Take in a record, from any thread; now and then, make sense of what has come."""
        self._records.append(record)
        count = len(self._records)
        if count > _TOO_MANY:
            self._records.clear()
            self._reader.note("it opened files faster than the monitor could follow")
        elif count > _MANY and self._lock.acquire(blocking=False):
            try:
                self._drain()
            finally:
                self._lock.release()

    def _drain(self) -> None:
        while self._records:
            try:
                record = self._records.popleft()
            except IndexError:  # another thread emptied it
                return
            self._reader.read(record)

    def close(self) -> Observation:
        """Stop, and return what was seen."""
        _install().discard(self)
        with self._lock:
            self._drain()
            return self._reader.conclude()


class _Switch:
    """The one hook of this process: it cannot be removed, so it looks whether anybody listens."""

    def __init__(self) -> None:
        self._open: tuple[ProcessWatch, ...] = ()
        self._lock = threading.Lock()
        hook = build_hook(self._send)

        def switched(event: str, args: tuple[object, ...]) -> None:
            if self._open and not _IS_OURS.get():
                hook(event, args)

        sys.addaudithook(switched)

    def _send(self, record: bytes) -> None:
        for watch in self._open:
            watch.add(record)

    def add(self, watch: ProcessWatch) -> None:
        with self._lock:
            self._open = (*self._open, watch)

    def discard(self, watch: ProcessWatch) -> None:
        with self._lock:
            self._open = tuple(one for one in self._open if one is not watch)


@cache
def _install() -> _Switch:
    return _Switch()


def watch_process(*, limits: Limits = DEFAULT_LIMITS) -> ProcessWatch:
    """Record from now on what this process opens, in whichever thread.

    Watches may overlap: each gets all that happens while it is open. An audit hook is installed
    at the first, and stays.

    Args:
        limits: As for ``parse_audit``.
    """
    watch = ProcessWatch(limits)
    _install().add(watch)
    return watch


@contextmanager
def unwatched() -> Iterator[None]:
    """Do work that is the runner's and not the step's: no watch records it."""
    token = _IS_OURS.set(True)
    try:
        yield
    finally:
        _IS_OURS.reset(token)
