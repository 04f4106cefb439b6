"""From what strace wrote to what a step read and wrote."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from weighbridge.core import DEFAULT_LIMITS, Observation
from weighbridge.formats import (
    StraceBegun,
    StraceCall,
    StraceEnd,
    StraceProblem,
    parse_strace_file,
    read_strace,
)
from weighbridge.provenance._origins import Origins
from weighbridge.provenance._strace_calls import FORKS, GAPS, READERS
from weighbridge.provenance._strace_refusals import note_refusal
from weighbridge.provenance._strace_state import Folder, Process, Watch, list_refusals, note

if TYPE_CHECKING:
    from typing import BinaryIO

    from weighbridge.core import Limits

__all__ = ["MONITOR", "parse_strace"]

MONITOR: Final = "https://weighbridge.dev/monitors/strace/v1"


def parse_strace(
    log: BinaryIO, *, cwd: str, log_path: str = "", limits: Limits = DEFAULT_LIMITS
) -> Observation:
    """Read what ``build_strace_command`` had strace write, to its end.

    ``log`` may be a pipe that is still written to: it is read as it comes, and memory depends on
    the number of different files and of processes, never on the length. A read file is told by the
    name that it had when the step began; what the step made itself, and read again, is only in
    ``writes``. Nothing in the log raises: what cannot be understood is a gap.

    Args:
        log: Bytes.
        cwd: The folder in which the step was started, absolute and without links.
        log_path: Where the log is; a step that touches it leaves a gap.
        limits: ``max_entries`` applies to what is read, and to what is written.
    """
    watch = Watch(
        first_folder=os.fsencode(cwd),
        limits=limits,
        origins=Origins(max_nodes=limits.max_entries),
    )
    for event in read_strace(log):
        match event:
            case StraceCall():
                _read_call(watch, event)
            case StraceBegun() if event.name in FORKS:
                _process(watch, event.pid).forking = event.args
            case StraceEnd():
                _end(watch, event.pid)
            case StraceProblem():
                note(watch, event.reason)
            case _:
                pass
    return _conclude(watch, os.fsencode(log_path))


def _conclude(watch: Watch, log_path: bytes) -> Observation:
    if not watch.has_calls:
        note(watch, "the monitor saw nothing of it")
    if watch.processes:
        note(watch, f"the monitor ended before {len(watch.processes)} of its processes did")
    if watch.origins.is_full:
        note(watch, "it made and moved more files than are kept apart")
    if log_path and log_path in watch.reads | watch.writes:
        note(watch, "it touched the monitor's log")
    # What was opened to be listed; a file that was replaced by a folder since stays.
    others = watch.listed - watch.writes - watch.folders
    reads = watch.reads - {path for path in others if os.path.isdir(path)}  # noqa: PTH112
    return Observation(
        monitor=MONITOR,
        reads=tuple(sorted(map(os.fsdecode, reads))),
        writes=tuple(sorted(map(os.fsdecode, watch.writes))),
        connections=tuple(sorted(watch.connections)),
        gaps=tuple(watch.gaps),
        refusals=list_refusals(watch),
    )


def _read_call(watch: Watch, call: StraceCall) -> None:
    watch.has_calls = True
    process = _process(watch, call.pid)
    if call.name in FORKS:
        _fork(watch, process, call)
        return
    if call.args and call.args[0] != process.folder.token and call.args[0].startswith(b"AT_FDCWD<"):
        _look_around(process, call.args[0])
    if call.name in GAPS:
        if not call.error:
            note(watch, GAPS[call.name])
    elif (reader := READERS.get(call.name)) and _may_count(call):
        reader(watch, process, call)
    else:
        note_refusal(watch, process, call)


def _look_around(process: Process, token: bytes) -> None:
    """Take over the working folder, as the system sees it, which most calls carry."""
    here = parse_strace_file(token)
    if here and here.path:
        process.folder.path = here.path
        process.folder.token = token


def _may_count(call: StraceCall) -> bool:
    """Tell whether a call did something: it worked, nobody knows, or it goes on behind."""
    return call.error in {"", "?"} or call.name == "connect"


def _end(watch: Watch, pid: int) -> None:
    process = watch.processes.pop(pid, None)
    watch.children.pop(pid, None)
    if process is not None and not process.is_claimed:
        watch.orphans.add(pid)


def _process(watch: Watch, pid: int) -> Process:
    """Return who ``pid`` is; a stranger is a child of one that is just forking."""
    process = watch.processes.get(pid)
    if process is None:
        process = watch.children.pop(pid, None) or _adopt(watch)
        watch.processes[pid] = process
    return process


def _adopt(watch: Watch) -> Process:
    if not watch.has_calls or not watch.processes:
        return Process(Folder(watch.first_folder))
    forking = [one for one in watch.processes.values() if one.forking is not None]
    if len(forking) == 1:
        child = _to_child(forking[0], forking[0].forking or ())
    else:
        folders = {one.folder.path for one in forking}
        child = Process(Folder(folders.pop() if len(folders) == 1 else b""))
    child.is_claimed = False
    return child


def _to_child(parent: Process, args: tuple[bytes, ...]) -> Process:
    shares = any(b"CLONE_FS" in arg for arg in args)
    folder = parent.folder if shares else Folder(parent.folder.path)
    return Process(folder, parent.program)


def _fork(watch: Watch, parent: Process, call: StraceCall) -> None:
    parent.forking = None
    if call.error:
        return
    if any(b"CLONE_UNTRACED" in arg for arg in call.args):
        note(watch, "it started a process that nobody may watch (CLONE_UNTRACED)")
    pid = call.result.split(b" ")[0]
    if not pid.isdigit():
        return
    if int(pid) in watch.orphans:  # it was born and died before its parent heard of it
        watch.orphans.discard(int(pid))
        return
    known = watch.processes.get(int(pid))
    child = _to_child(parent, call.args)
    if known is None:
        watch.children[int(pid)] = child
        return
    known.is_claimed = True
    if not known.folder.path or child.folder is parent.folder:
        known.folder = child.folder
