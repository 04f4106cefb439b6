"""A monitor's log: a pipe that is read while the step writes to it."""

from __future__ import annotations

import fcntl
import io
import os
import select
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from _typeshed import WriteableBuffer

__all__ = ["LogPipe"]

_NAP_S = 0.004
_POLL_MS = 100
_PIPE_BYTES = 1024 * 1024


class LogPipe:
    """A named pipe and who reads it.

    A pipe and no file: nothing is kept on disk however long the log is, and what the step did
    cannot be taken back from it.

    Attributes:
        log: Where the pipe is.
        has_stragglers: Whether somebody still had the pipe open when it was ended.
    """

    def __init__(self, log: Path, parse: Callable[[BinaryIO], None]) -> None:
        """Make the pipe, and start to read it.

        Args:
            log: Where; it does not exist.
            parse: Reads the log to its end, in a thread of its own.
        """
        self.log = log
        self.has_stragglers = False
        os.mkfifo(log, 0o600)
        self._is_closing = threading.Event()
        self._is_over = threading.Event()
        # Our own writer keeps the pipe open until whoever writes has come and gone.
        self._reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._writer = os.open(log, os.O_WRONLY | os.O_CLOEXEC)
        with suppress(OSError):  # more than this user may have; the pipe is as it is, then
            fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._thread = threading.Thread(target=self._follow, args=(parse,), daemon=True)
        self._thread.start()

    def _follow(self, parse: Callable[[BinaryIO], None]) -> None:
        with io.BufferedReader(_Batches(self), _PIPE_BYTES) as log:
            try:
                parse(log)
            finally:
                while log.read(1 << 16):  # never let the step wait for a reader that failed
                    pass

    def read_into(self, buffer: WriteableBuffer) -> int:
        """Wait for bytes; 0 at the end."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        while True:
            self._is_closing.wait(_NAP_S)  # waking for each line would slow the step
            is_over = self._is_over.is_set()
            try:
                return os.readv(self._reader, [buffer])
            except BlockingIOError:
                if is_over:
                    self.has_stragglers = True
                    return 0
            poll.poll(_POLL_MS)

    def close_reader(self) -> None:
        """Give the descriptor back."""
        os.close(self._reader)

    def end(self, *, waits: bool) -> None:
        """Read what is left, and stop.

        Args:
            waits: Whether to wait until nobody has the pipe open any more.
        """
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1
        (self._is_closing if waits else self._is_over).set()
        self._thread.join()


class _Batches(io.RawIOBase):
    """The reading end, as a stream."""

    def __init__(self, pipe: LogPipe) -> None:
        super().__init__()
        self._pipe = pipe

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._pipe.read_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._pipe.close_reader()
        super().close()
