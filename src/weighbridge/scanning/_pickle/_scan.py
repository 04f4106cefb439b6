"""The pickle engine's way in: which bytes are pickles, one after another, and what they do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.errors import LimitExceededError, ParseError
from weighbridge.formats import Blob, MemorySource, PickleOpcode, SliceSource
from weighbridge.scanning._context import PickleScan
from weighbridge.scanning._pickle._joblib import find_array_end, may_act, measure_array
from weighbridge.scanning._pickle._judge import Judge
from weighbridge.scanning._pickle._machine import Machine
from weighbridge.scanning._pickle._machine_parts import Outcome
from weighbridge.scanning._pickle._plain_text import is_text
from weighbridge.scanning._pickle._templates import MAX_TEMPLATE_BYTES, is_template
from weighbridge.scanning._pickle._torch_storage import TORCH_MAGIC, find_storages_end
from weighbridge.scanning._pickle._values import KEPT_ITEMS, Made
from weighbridge.scanning._rules._pickle import PICKLE_RULES

if TYPE_CHECKING:
    from weighbridge.core import Finding, Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._context import ScanContext
    from weighbridge.scanning._pickle._trace import ListingBuilder
from weighbridge.scanning._pickle._values import Value

__all__ = ["scan_pickles"]

_PROTO = int(PickleOpcode.PROTO)
_HIGHEST_PROTOCOL = 5
_HEADER = re.compile(rb"\x80[\x02-\x05]")
_HEADER_BYTES = 2
_CHUNK_BYTES = 1 << 17
# What looks like the begin of a pickle behind the last one is tried so often and no more.
_MAX_PROBES = 4_096
# The legacy format of PyTorch: magic number, protocol, system, the object, keys of its storages.
_TORCH_PICKLES = 5
_MAX_BLANKS = 64
_MAX_KEYS = 1_000_000
# What beginning a pickle costs, in opcodes.
_OPS_PER_PICKLE = 1_600
# Slots of memos that are copied to see what pickles inside pickles are for other readers.
_MAX_COPIED = 50_000_000
_HARM = frozenset(PICKLE_RULES[rule].rule_id for rule in ("dangerous-call", "dangerous-name"))

_ACTS = frozenset(
    PICKLE_RULES[rule].rule_id
    for rule in ("dangerous-call", "dangerous-name", "extension", "foreign-call")
)

# Findings whose offset is that of an opcode.
_AT_OPCODES = frozenset(
    rule.rule_id
    for name, rule in PICKLE_RULES.items()
    if name not in ("broken", "limit", "not-followed")
)
_OPCODES = {bytes((op,)): op.name for op in PickleOpcode}


def scan_pickles(
    source: ByteSource, *, at: Location, context: ScanContext, start: int = 0
) -> PickleScan | None:
    """Follow the pickles that begin at ``start``, one behind another, and judge what they do.

    Nothing is imported, called or unpickled. Whether bytes are a pickle is decided by what an
    unpickler would do with them, whatever they are called: a protocol header, or a stream that
    gets to a call, or one that ends with the source.

    Args:
        source: The bytes.
        at: Where they are; findings get offsets in ``source``.
        context: Limits, budget and the user's own allow-list.
        start: Where the first pickle would begin.

    Returns:
        None if the bytes are no pickle. Otherwise the findings, and how far they reach: a file
        that was not followed to its end is never complete, or has an ``end`` before its size.
    """
    return _Run(source, at, context).scan(start)


class _Run:
    """One scan: the pickles in a row that begin at one offset, and what lies behind them."""

    def __init__(self, source: ByteSource, at: Location, context: ScanContext) -> None:
        self._source = source
        self._at = at
        self._context = context
        self._judge = Judge(at, context)
        self._format = "pickle"
        self._pickles = 0
        self._problem = ""
        self._unknown = False
        self._note = ""
        self._first: Machine | None = None
        self._copied = 0
        self._listings: list[ListingBuilder] = []
        self._twins: list[tuple[Machine, Judge, int]] = []

    def scan(self, start: int) -> PickleScan | None:
        """Follow pickles as far as they go."""
        size = self._source.size_bytes
        end, counted = self._follow_row(start)
        if self._pickles and not self._problem and end < size and not self._legacy:
            end = size if self._is_blank(end) else self._search(end)
        counted = counted or self._judge.acted > 0
        if not counted and (self._problem or end != size or not self._pickles):
            return None
        if self._problem and not self._unknown and self._is_mere_text():
            return None
        if self._problem and self._judge.acted and not self._unknown:
            message = f"breaks off after it acted: {self._problem}"
            self._judge.record("broken", message, at=end)
        for twin, judge, position in self._twins:
            self._follow_otherwise(twin, judge, position)
        self._scan_nested()
        self._check_templates()
        if not self._problem and not self._note and end < size:
            self._note = f"{size - end:,} bytes from byte {end} on are no pickle"
        if self._context.tracer is not None:
            self._context.tracer.keep(self._at, self._listings)
        return PickleScan(
            findings=tuple(map(self._name_opcode, self._judge.conclude())),
            format=self._format,
            end=end,
            complete=not self._problem,
            reason=self._problem or self._note,
            storage_keys=frozenset(self._judge.storages),
        )

    def _is_mere_text(self) -> bool:
        """Return whether what broke off is a text whose letters only happened to be opcodes.

        ``const {`` is the opcode GLOBAL with a name that nobody can import. An unpickler fails
        there and does nothing before; so it is one only if a name that can be one, or an object of
        the loader's, was called, or a bad name was met.
        """
        judge = self._judge
        called = judge.called and (judge.named or judge.has_ids)
        if self._pickles or called or judge.has_rule(_ACTS):
            return False
        return is_text(self._source)

    def _name_opcode(self, finding: Finding) -> Finding:
        """Add what stands at the offset, for findings about one opcode of these bytes."""
        offset = finding.location.offset
        if offset is None or finding.rule_id not in _AT_OPCODES:
            return finding
        if finding.location.member != self._at.member:
            return finding
        name = _OPCODES.get(self._source.read_at(offset, 1), "")
        return replace(finding, opcode=name)

    def _is_blank(self, end: int) -> bool:
        """Return whether nothing but a few ends of lines, blanks or zeros follow."""
        rest = self._source.size_bytes - end
        return rest <= _MAX_BLANKS and not self._source.read_at(end, rest).strip(b"\r\n \0")

    @property
    def _legacy(self) -> bool:
        return self._format == "torch-legacy"

    # -- pickles in a row ------------------------------------------------------------------------

    def _follow_row(self, start: int) -> tuple[int, bool]:
        """Follow pickles from ``start``; return where they end and whether a header says so."""
        position, counted = start, False
        while position < self._source.size_bytes:
            header = self._has_header(position)
            outcome = self._attempt(position, probe=False)
            if outcome is None:
                break
            counted = counted or header
            if outcome.problem:
                self._problem = outcome.problem
                self._unknown = outcome.limited or outcome.unknown
                return outcome.end, True
            if self._first is not None and self._pickles and self._first.memo_size:
                judge = Judge(self._at, self._context)
                self._first.load_again(judge)
                self._follow_otherwise(self._first, judge, position)
            self._pickles += 1
            position = outcome.end
            if self._pickles == 1 and outcome.value == TORCH_MAGIC:
                self._format = "torch-legacy"
            if self._legacy and self._pickles == _TORCH_PICKLES:
                return self._follow_storages(position, outcome.value), True
        if self._legacy:
            self._problem = "the PyTorch file ends before its storages"
        return position, counted

    def _follow_storages(self, position: int, keys: Value) -> int:
        try:
            return find_storages_end(self._source, position, keys, self._judge.storages)
        except ParseError as error:
            self._problem = str(error)
            return position

    def _has_header(self, position: int) -> bool:
        head = self._source.read_at(position, _HEADER_BYTES)
        return len(head) == _HEADER_BYTES and head[0] == _PROTO and head[1] <= _HIGHEST_PROTOCOL

    def _attempt(self, position: int, *, probe: bool) -> Outcome | None:
        """Follow what may be a pickle; None, and nothing remembered, if it is none.

        What ends well is a pickle; a mere ``probe`` must use a name in any case. What breaks off is
        one if it called something before, or (not for a probe) has a header and one opcode more.
        """
        before, listings = self._judge.checkpoint(), len(self._listings)
        outcome = self._follow(position, 0)
        named = self._judge.named > before.named
        acted, called = self._judge.acted > before.acted, self._judge.called > before.called
        matters = called if outcome.problem else acted
        if probe:
            matters = matters and named
        else:
            header = self._has_header(position) and (
                outcome.ops > 1 or position + _HEADER_BYTES >= self._source.size_bytes
            )
            matters = matters or not outcome.problem or header or outcome.limited or outcome.split
        if matters:
            self._judge.settle(followed=not (outcome.limited or outcome.unknown))
            return outcome
        self._judge.rollback(before)
        del self._listings[listings:]
        return None

    # -- one pickle ------------------------------------------------------------------------------

    def _follow(self, position: int, depth: int) -> Outcome:
        """Follow one pickle, and the arrays that joblib puts into it."""
        keys_next = self._legacy and self._pickles == _TORCH_PICKLES - 1
        machine = self._build_machine(position, _MAX_KEYS if keys_next else KEPT_ITEMS)
        if not self._pickles and not depth:
            self._first = machine
        try:
            self._context.budget.spend_pickle_ops(_OPS_PER_PICKLE)
        except LimitExceededError as error:
            self._judge.record("limit", f"was not followed further: {error}", at=position)
            return Outcome(end=position, problem=str(error), limited=True)
        outcome = machine.run(position)
        while outcome.wrapper is not None:
            self._format = "joblib"
            array = self._follow_array(machine, outcome, depth)
            if array.problem:
                self._judge.record("not-followed", array.problem, at=outcome.end)
                return array
            machine.push_array(Made("numpy.ndarray", trusted=True))
            outcome = machine.run(array.end)
        return outcome

    def _build_machine(self, position: int, kept_items: int) -> Machine:
        budget = self._context.budget
        if self._context.tracer is None:
            return Machine(self._source, self._judge, budget=budget, kept_items=kept_items)
        from weighbridge.scanning._pickle._trace import (  # noqa: PLC0415 - seldom asked for
            ListingBuilder,
            TracedMachine,
        )

        listing = ListingBuilder(position)
        self._listings.append(listing)
        return TracedMachine(
            self._source, self._judge, budget=budget, kept_items=kept_items, listing=listing
        )

    def _follow_array(self, machine: Machine, outcome: Outcome, depth: int) -> Outcome:
        """Pass over the array behind its wrapper, or follow the pickle that stands for it."""
        layout = measure_array(outcome.wrapper)
        if layout is None:
            problem = "holds an array whose size cannot be computed"
            return replace(outcome, problem=problem, unknown=True)
        if outcome.end < outcome.frame_end:
            return replace(outcome, problem="holds an array in the middle of a frame")
        if not layout.objects:
            end = find_array_end(self._source, outcome.end, layout)
            if end is None:
                return replace(outcome, problem="holds an array that is cut off")
            if may_act(self._source, outcome.end, end) and not self._follow_later(machine, outcome):
                problem = "holds too many arrays that could be opcodes for its size"
                return replace(outcome, problem=problem, unknown=True)
            return replace(outcome, end=end)
        if depth >= self._context.limits.max_nesting:
            return replace(outcome, problem="holds arrays of objects inside each other too deeply")
        if not self._follow_later(machine, outcome):
            return replace(outcome, problem="holds too many arrays of objects for its size")
        return self._follow(outcome.end, depth + 1)

    def _follow_later(self, machine: Machine, outcome: Outcome) -> bool:
        """Keep the machine's state, to see at the end what a reader makes of it that is not joblib.

        Not at once: containers are shared, and what the twin does to them must not change what the
        machine itself sees.
        """
        self._copied += machine.memo_size
        if self._copied > _MAX_COPIED:
            return False
        judge = Judge(self._at, self._context)
        self._twins.append((machine.fork(judge), judge, outcome.end))
        return True

    def _follow_otherwise(self, machine: Machine, judge: Judge, position: int) -> None:
        """Follow a pickle as it is for a reader whose memo still has what came before.

        One unpickler may load several pickles in a row, and ``pickle.load`` does not know that
        joblib puts pickles into pickles. Then numbers of memo slots stand for other things. What
        was made for fresh memos makes no sense that way, mostly; only harm counts.
        """
        machine.run(position)
        for finding in judge.conclude():
            if finding.rule_id in _HARM and not self._judge.has(finding):
                message = f"does harm if the memo is kept from the pickle before: {finding.detail}"
                self._judge.record("not-followed", message, at=finding.location.offset or position)

    # -- what lies behind ------------------------------------------------------------------------

    def _search(self, end: int) -> int:
        """Look for further pickles behind other bytes; return the end of the last."""
        probes = 0
        position = end
        while (candidate := self._find_header(position)) is not None:
            probes += 1
            if probes > _MAX_PROBES:
                message = "is followed by more bytes that may be pickles than are tried"
                self._judge.record("limit", message, at=candidate)
                self._note = "not all that may be pickles behind the first was tried"
                break
            outcome = self._attempt(candidate, probe=True)
            if outcome is None:
                position = candidate + 1
                continue
            self._note = "there are other bytes between pickles"
            end = position = max(outcome.end, candidate + 1)
        return end

    def _find_header(self, position: int) -> int | None:
        """Return where the next bytes are that may begin a pickle, or None."""
        while chunk := self._source.read_at(position, _CHUNK_BYTES):
            match = _HEADER.search(chunk)
            if match is not None:
                return position + match.start()
            position += max(1, len(chunk) - 1)
        return None

    def _scan_nested(self) -> None:
        """Scan the byte strings that a listed function unpickles."""
        for blob in {blob.offset: blob for blob in self._judge.nested}.values():
            part = self._open_nested(blob)
            at = replace(self._at, member=(*self._at.member, f"bytes@{blob.offset}"))
            context = replace(self._context, nesting=self._context.nesting + 1)
            scan = None
            if part is not None and context.nesting <= self._context.limits.max_nesting:
                scan = scan_pickles(part, at=at, context=context)
            if part is None or scan is None or not scan.complete or scan.end < part.size_bytes:
                message = "unpickles bytes inside it that could not be followed to their end"
                self._judge.record("not-followed", message, at=blob.offset)
            if scan is not None:
                self._judge.adopt(scan.findings)

    def _check_templates(self) -> None:
        """Look at the source code that listed classes execute."""
        for blob in {blob.offset: blob for blob in self._judge.templates}.values():
            size_bytes = min(blob.size_bytes, MAX_TEMPLATE_BYTES)
            text = self._source.read_at(blob.offset, size_bytes)
            if blob.kind == "escaped":  # protocol 0: each end of a line is six bytes there
                text = self._source.read_at(blob.offset, MAX_TEMPLATE_BYTES).split(b"\n")[0]
                text = text.replace(b"\\u000a", b"\n")
            if not is_template(text):
                self._judge.record_template(blob, blob.offset)

    def _open_nested(self, blob: Blob) -> ByteSource | None:
        """Return the bytes that a constant stands for: itself, or its text as latin-1."""
        if blob.kind == "bytes":
            return SliceSource(self._source.name, self._source, blob.offset, blob.size_bytes)
        if blob.size_bytes > self._context.limits.max_kept_bytes:
            return None
        try:
            text = self._source.read_at(blob.offset, blob.size_bytes).decode("utf-8")
            return MemorySource(self._source.name, text.encode("latin-1"))
        except UnicodeError:
            return None
