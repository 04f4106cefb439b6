"""Watching a step by an audit hook in its Python: the folder that brings it in, and its log."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Observation
from weighbridge.provenance._audit_hook import LOG, SITE
from weighbridge.provenance._audit_log import AUDIT_MONITOR, SILENT, parse_audit
from weighbridge.provenance._interpreter import find_interpreter
from weighbridge.provenance._log_pipe import LogPipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from weighbridge.core import Limits

__all__ = ["AuditWatch", "explain_audit", "watch_by_audit"]

_FLAGS = re.compile("[cmWX]")  # the rest of the word, or the next, is theirs
_BLINDING = re.compile("[IES]")
_STRAGGLERS = "processes of it were still running when it ended; what they read later is not known"


def explain_audit(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Say why an audit hook will not come up in the program of a command; empty if it should.

    A shell that starts Python is not seen through, and neither are options in a script's first
    line: whether the hook came up is known when the step has ended.
    """
    if find_interpreter(command, environment) is None:
        return "the command is no Python, and an audit hook is part of one"
    words = iter(command[1:])
    for word in words:
        if word in {"-", "--"} or not word.startswith("-"):
            break
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                next(words, "")
            continue
        flags = _FLAGS.split(word, maxsplit=1)[0]
        blinding = _BLINDING.search(flags)
        if blinding:
            return f"Python is started with -{blinding[0]}, which keeps the audit hook out"
        rest = word[len(flags) :]
        if rest[:1] in {"c", "m"}:
            break
        if rest in {"W", "X"}:
            next(words, "")
    return ""


class AuditWatch:
    """A folder that brings the hook into a step, and its log; made by ``watch_by_audit``.

    Attributes:
        folder: What the step has to be able to read.
        log: What the step has to be able to write to.
        has_begun: Whether a hook came up; known when it is finished.
    """

    def __init__(self, folder: Path, *, limits: Limits) -> None:
        """Put the hook there, make the pipe, and start to read it."""
        from weighbridge.provenance import _audit_hook  # noqa: PLC0415

        self.folder, self.log = folder / "site", folder / "site" / LOG
        self.folder.mkdir(0o700)
        (self.folder / f"{SITE}.py").write_bytes(Path(_audit_hook.__file__).read_bytes())
        self.has_begun = False
        self._limits = limits
        self._observation: Observation | None = None
        self._pipe = LogPipe(self.log, self._parse)

    def _parse(self, log: BinaryIO) -> None:
        self._observation = parse_audit(log, limits=self._limits)
        self.has_begun = SILENT not in self._observation.gaps

    def extend(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the step's variables with the hook's folder first on ``PYTHONPATH``."""
        own = environment.get("PYTHONPATH")
        path = os.pathsep.join([str(self.folder), *([own] if own else [])])
        return {**environment, "PYTHONPATH": path}

    def finish(self) -> Observation:
        """Return what was seen; call it when the step has ended."""
        self._pipe.end(waits=False)
        if self._observation is None:
            return Observation(AUDIT_MONITOR, gaps=("the monitor's log could not be read",))
        gaps = self._observation.gaps
        if self._pipe.has_stragglers and _STRAGGLERS not in gaps:
            self._observation = replace(self._observation, gaps=(*gaps, _STRAGGLERS))
        return self._observation


@contextmanager
def watch_by_audit(*, limits: Limits = DEFAULT_LIMITS) -> Iterator[AuditWatch]:
    """Offer an audit hook to a step, and read what it tells as it comes.

    Args:
        limits: As for ``parse_audit``.
    """
    with tempfile.TemporaryDirectory(prefix="weighbridge-") as folder:
        watch = AuditWatch(Path(folder).resolve(), limits=limits)
        try:
            yield watch
        finally:
            watch.finish()
