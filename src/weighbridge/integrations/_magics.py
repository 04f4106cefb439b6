"""``%load_ext weighbridge``: steps in a live kernel, with the cells that it executed.

What is recorded so is no build: cells run in any order, again, or not at all, and the text that
ran is not what is saved. It bears a builder of its own, and the record holds the order.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError

from weighbridge.core import NOTEBOOK_BUILDER, Dependency, printable
from weighbridge.errors import InputError, WeighbridgeError
from weighbridge.integrations._cells import CellLog, CellState, digest_cells, to_facts
from weighbridge.workflow import step

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_MAGIC = "weighbridge"
_SESSION = "weighbridge_session"  # where the shell keeps ours
_USAGE = """\
%weighbridge start --kind KIND [-i NAME=PATH]... [-o NAME=PATH]... --key FILE
%weighbridge end [-o NAME=PATH]...   hash the outputs, sign, and put the claims beside them
%weighbridge status                  what is recorded so far
%weighbridge cancel                  forget the step; nothing is claimed
%%weighbridge --kind KIND ...        this one cell is the step

Also: --name LABEL, --param NAME=VALUE, --signer URI (instead of --key), --no-carry.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in a sentence, and does not end the kernel."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{printable(message)}; %weighbridge alone shows how it is used")


class _Session:
    """The step of one kernel, and its cells."""

    def __init__(self, shell: Any) -> None:  # noqa: ANN401 - IPython's shell
        self._shell = shell
        self._log = CellLog(max(0, int(shell.execution_count) - 1))
        self._step: step | None = None
        self._first = 0
        self._named: dict[str, str] = {}
        self._has_failed_to_end = False

    def connect(self) -> None:
        for event, callback in self._callbacks():
            self._shell.events.register(event, callback)

    def disconnect(self) -> None:
        for event, callback in self._callbacks():
            self._shell.events.unregister(event, callback)
        if self._step is not None:
            _tell("the step that was open is forgotten; nothing is claimed")

    def _callbacks(self) -> tuple[tuple[str, Any], ...]:
        log = self._log
        return (
            ("pre_execute", log.count_execution),
            ("pre_run_cell", log.begin),
            ("post_run_cell", log.end),
        )

    def run_magic(self, line: str, cell: str | None = None) -> None:
        """Do what ``%weighbridge LINE`` or a cell under ``%%weighbridge LINE`` says."""
        try:
            words = _split(line)
            if cell is not None:
                self._run_cell(words, cell)
            else:
                self._run_line(words)
        except WeighbridgeError as error:
            raise UsageError(f"weighbridge: {error}") from None

    def _run_line(self, words: list[str]) -> None:
        match ["help"] if {"-h", "--help"} & {*words} else words[:1]:
            case ["start"]:
                self._start(words[1:])
            case ["end"]:
                self._end(words[1:])
            case ["cancel"]:
                self._refuse_none()
                self._step = None
                _tell("the step is forgotten; nothing is claimed")
            case ["status"]:
                _tell(*self._describe())
            case [] | ["help"]:
                sys.stdout.write(_USAGE)
            case other:
                raise InputError(
                    f"{printable(other[0])} is not start, end, status or cancel; "
                    "%weighbridge alone shows how it is used"
                )

    def _start(self, words: list[str]) -> None:
        if self._step is not None:
            raise InputError("a step is open already; end it, or cancel it, and then start another")
        given = _parse_start(words)
        begun = step(
            given.kind,
            inputs=_to_pairs(given.inputs),
            outputs=_to_pairs(given.outputs),
            params=_to_pairs(given.parameters),
            name=given.name,
            signer=Path(given.key) if given.key else given.signer,
            builder=NOTEBOOK_BUILDER,
            carry=not given.no_carry,
            entry_point=("notebook", *_find_name(self._shell)),
        )
        self._first = max(0, len(self._log.cells) - 1)
        begun.__enter__()
        self._step, self._named, self._has_failed_to_end = begun, {}, False
        _tell(f"{printable(given.kind)} step begun; inputs hashed: {len(given.inputs):,}")

    def _end(self, words: list[str]) -> None:
        ended = self._refuse_none()
        parser = _Parser(prog="%weighbridge end", add_help=False, allow_abbrev=False)
        _add_pairs(parser, "-o", "--output", "outputs")
        outputs = _to_pairs(parser.parse_args(words).outputs)
        for name, path in outputs.items():
            if not Path(path).exists():  # once named, it could not be taken back
                raise InputError(
                    f"there is no output {name!r} yet; make it, and end the step again"
                )
        for name, path in outputs.items():
            if self._named.get(name) != path:  # it may have been named before the end failed
                ended.output(name, path)
                self._named[name] = path
        self._record(ended)
        self._step = None

    def _run_cell(self, words: list[str], cell: str) -> None:
        self._start(words)
        begun = self._refuse_none()
        self._step = None  # whatever becomes of the cell, the step ends with it
        result = self._shell.run_cell(cell)
        if not result.success:
            error = result.error_before_exec or result.error_in_exec
            raise InputError(
                f"the cell raised {type(error).__name__}; the step's outputs are unclaimed"
            )
        self._record(begun)

    def _record(self, ended: step) -> None:
        log = self._log
        digest = {"sha256": digest_cells(log.cells)}
        ended.describe(
            "notebook",
            to_facts(log, first=self._first),
            byproducts=(Dependency("cells", digest, annotations={"count": str(len(log.cells))}),),
            gaps=self._list_gaps(),
        )
        self._has_failed_to_end = True  # nothing watches any more, whatever comes of it
        ended.__exit__(None, None, None)
        recorded = ended.recorded
        assert recorded is not None  # noqa: S101 - __exit__ raised otherwise
        lines = [f"recorded; inputs {recorded.completeness.value}, cells: {len(log.cells):,}"]
        for output in recorded.outputs:
            lines.append(f"  {printable(output.name)}: {output.digest}")
            lines.append(f"    claims: {printable(str(output.claims))}")
        _tell(*lines, *(f"  gap: {gap}" for gap in recorded.gaps))

    def _list_gaps(self) -> tuple[str, ...]:
        before, silent = self._log.before, self._log.silent
        gaps = []
        if before:
            gaps.append(f"cells ran before Weighbridge was loaded ({before}); they are not listed")
        if silent:
            gaps.append(f"a front end ran code silently ({silent}x); it is not listed")
        if self._has_failed_to_end:
            gaps.append(
                "the step went on after it could not be ended; it was not watched from then"
            )
        return tuple(gaps)

    def _describe(self) -> list[str]:
        cells = self._log.cells
        raised = sum(cell.state is CellState.RAISED for cell in cells)
        state = "a step is open" if self._step is not None else "no step is open"
        return [f"{state}; cells recorded: {len(cells):,}, of which raised: {raised:,}"]

    def _refuse_none(self) -> step:
        if self._step is None:
            raise InputError("no step is open; begin one with %weighbridge start")
        return self._step


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise InputError("a quote is opened and not closed; close it") from error


def _add_pairs(parser: argparse.ArgumentParser, *names: str) -> None:
    *flags, target = names
    parser.add_argument(*flags, dest=target, action="append", default=[])


def _parse_start(words: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="%weighbridge start", add_help=False, allow_abbrev=False)
    parser.add_argument("--kind", required=True)
    parser.add_argument("--name", default="")
    _add_pairs(parser, "-i", "--input", "inputs")
    _add_pairs(parser, "-o", "--output", "outputs")
    _add_pairs(parser, "--param", "parameters")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--key")
    who.add_argument("--signer")
    parser.add_argument("--no-carry", action="store_true")
    return parser.parse_args(words)


def _to_pairs(values: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not (name and equals and rest):
            raise InputError(f"{printable(value)} is not NAME=VALUE; write it so")
        if name in pairs:
            raise InputError(f"{printable(name)} is given twice; name them apart")
        pairs[name] = rest
    return pairs


def _find_name(shell: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return what the front end calls the notebook, if it says so: Jupyter and VS Code do."""
    said = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__") or ""
    return (printable(Path(str(said)).name),) if said else ()


def _tell(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 - IPython's shell
    """Record cells from here on, and give the shell ``%weighbridge``; for ``%load_ext``."""
    session = _Session(shell)
    session.connect()
    setattr(shell, _SESSION, session)
    shell.register_magic_function(session.run_magic, magic_kind="line_cell", magic_name=_MAGIC)


def unload_ipython_extension(shell: Any) -> None:  # noqa: ANN401 - IPython's shell
    """Record no more cells; for ``%unload_ext`` and ``%reload_ext``."""
    session = getattr(shell, _SESSION, None)
    if isinstance(session, _Session):
        session.disconnect()
        delattr(shell, _SESSION)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop(_MAGIC, None)
