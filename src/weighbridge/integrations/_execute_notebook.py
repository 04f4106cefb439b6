"""Execute a clean notebook from its first cell to its last: a script, never part of the package.

``weighbridge run -- notebook.ipynb`` starts it by path with the interpreter that shall run the
cells, which may know nothing of Weighbridge: it imports the standard library, nbclient, nbformat
and ipykernel. The kernel is ipykernel's own for use inside a process, so that a notebook needs no
socket and runs the same inside walls as outside of them (docs/notebooks.md).

The cells run in a child of this process. A child that dies, or ends before the last cell, is told
from one that is done by what it left in shared memory, and not by an exit code that any cell could
choose.
"""

from __future__ import annotations

import asyncio
import codecs
import ctypes
import hashlib
import json
import mmap
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

_FAILED, _INTERRUPTED, _NOT_STARTED = 1, 130, 2
_SET_PDEATHSIG = 1
_STATE = struct.Struct("=QQ")  # the number of the code cell that runs; 1 once all have run
_MOST_SHOWN = 300
# Longer than it takes to take in whatever a cell printed; only a defect ever waits for so long.
_OUTPUT_WAIT_S = 24 * 3600
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(r"^(?:Cell )?In\s?\[[0-9]+\], line ([0-9]+)|^File <.*>:([0-9]+)", re.MULTILINE)


def _say(words: str) -> None:
    """Write one line to the terminal, whatever the kernel has put in the place of ``stderr``."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    os.write(2, f"{shown}\n".encode("utf-8", "backslashreplace"))


class _Progress:
    """Which cell runs: in shared memory for the parent, and on the terminal if there is one."""

    def __init__(self, state: mmap.mmap, label: str, total: int) -> None:
        self._state = state
        self._label = label
        self._total = total
        self._terminal = os.isatty(2)
        self.number = 0

    def begin(self, **_: object) -> None:
        self.number += 1
        _STATE.pack_into(self._state, 0, self.number, 0)
        if self._terminal:
            self._show(f"{self._label}: code cell {self.number} of {self._total}")

    def end(self, *, done: bool) -> None:
        _STATE.pack_into(self._state, 0, self.number, int(done))
        if self._terminal:
            self._show("")

    def _show(self, words: str) -> None:
        os.write(2, f"\r\x1b[K{words}".encode("utf-8", "backslashreplace"))


def _is_run(cell: Any) -> bool:  # noqa: ANN401 - a cell of nbformat
    """Whether nbclient runs a cell; the numbers are then those of ``In [...]``."""
    tagged = "skip-execution" in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and not tagged


async def _ask(kernel: Any, client: Any) -> Any:  # noqa: ANN401
    """Hand the kernel what it was sent, up to the next cell, and return that one's reply."""
    execute = False
    while not execute:
        message = client.requests.pop(0)
        execute = message["header"]["msg_type"] == "execute_request"
        client.session.send(kernel.shell_stream, message)
        await kernel.dispatch_shell(kernel.shell_stream.recv_multipart())
    if kernel.shell.exit_now:
        raise SystemExit("the cell asked the kernel to exit")
    if kernel.shell_stream.queue.empty():
        raise RuntimeError("the kernel did not answer")
    return client.session.recv(kernel.shell_stream, copy=False)[1]


def _build_client(kernel: Any, loop: asyncio.AbstractEventLoop) -> Any:  # noqa: ANN401
    """Return a client of the kernel in this process, as nbclient wants one: not blocking."""
    from ipykernel.inprocess.channels import InProcessChannel  # noqa: PLC0415
    from ipykernel.inprocess.client import InProcessKernelClient  # noqa: PLC0415

    class Channel(InProcessChannel):  # type: ignore[misc]
        """What the kernel says; it says part of it from a thread of its own."""

        def __init__(self, client: Any = None) -> None:  # noqa: ANN401
            super().__init__(client)
            self._messages: asyncio.Queue[Any] = asyncio.Queue()

        def call_handlers(self, msg: Any) -> None:  # noqa: ANN401
            loop.call_soon_threadsafe(self._messages.put_nowait, msg)

        async def get_msg(self, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109
            return await asyncio.wait_for(self._messages.get(), timeout)

    class ShellChannel(Channel):
        """Requests run when their reply is waited for, in the main thread, where signals arrive."""

        async def get_msg(self, timeout: float | None = None) -> Any:  # noqa: ANN401, ARG002, ASYNC109
            return await _ask(kernel, self.client)

        def send(self, message: Any) -> None:  # noqa: ANN401
            """Keep what a widget tells the kernel until the next cell runs, as any kernel does."""
            self.client.requests.append(message)

    class Client(InProcessKernelClient):  # type: ignore[misc]
        shell_channel_class = ShellChannel
        iopub_channel_class = Channel
        stdin_channel_class = Channel
        control_channel_class = Channel

        def execute(self, code: str, **options: Any) -> str:  # noqa: ANN401
            content = {"code": code, "silent": False, "user_expressions": {}, "allow_stdin": False}
            message = self.session.msg("execute_request", {**content, **options})
            self.requests.append(message)
            return str(message["header"]["msg_id"])

        async def is_alive(self) -> bool:
            return True  # it is this process

    client = Client(kernel=kernel, session=kernel.session)
    client.requests = []
    client.start_channels()
    client.allow_stdin = False
    return client


def _build_system(shell: Any) -> Callable[[str], None]:  # noqa: ANN401
    """Return what ``!command`` does: IPython's own needs a terminal device, which walls deny."""

    def system(command: str) -> None:
        words = [os.environ.get("SHELL") or "/bin/sh", "-c", shell.var_expand(command, depth=1)]
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with subprocess.Popen(  # noqa: S603 - what the notebook's author asked for
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            while data := process.stdout.read1(65_536):  # type: ignore[attr-defined]
                sys.stdout.write(decoder.decode(data))
        shell.user_ns["_exit_code"] = process.returncode

    return system


def _start_kernel() -> Any:  # noqa: ANN401
    from ipykernel.inprocess.ipkernel import InProcessKernel  # noqa: PLC0415
    from tornado.ioloop import IOLoop  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    class Kernel(InProcessKernel):  # type: ignore[misc]
        """ipykernel 7 asks which thread runs the cells, and does not say so inside a process."""

        _supports_kernel_subshells = False

    config = Config()
    config.HistoryManager.enabled = False  # what was typed elsewhere is none of the notebook's
    kernel = Kernel.instance(config=config)  # so that widgets find it
    kernel.shell_channel_thread = SimpleNamespace(parent_thread=threading.main_thread())
    kernel.io_loop = IOLoop.current()
    kernel.shell.system = _build_system(kernel.shell)
    sys.stdout, sys.stderr = kernel.stdout, kernel.stderr
    os.register_at_fork(after_in_child=_restore_streams)  # the kernel hears no other process
    sys.argv = [""]
    sys.path.insert(0, "")
    return kernel


def _restore_streams() -> None:
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


async def _stop_kernel(kernel: Any) -> None:  # noqa: ANN401
    """End the kernel's thread, and before it the task that ipykernel leaves behind."""
    _restore_streams()
    thread = kernel.iopub_thread
    task = getattr(thread, "_event_pipe_gc_task", None)

    async def end() -> None:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    if thread.thread.is_alive():
        asyncio.run_coroutine_threadsafe(end(), thread.io_loop.asyncio_loop).result()
    thread.stop()


async def _run_cells(notebook: Any, progress: _Progress) -> None:  # noqa: ANN401
    """Run each cell once.

    Raises:
        CellExecutionError: One failed, and is not tagged ``raises-exception``.
        KeyboardInterrupt: Somebody pressed Ctrl-C.
        SystemExit: A cell asked the kernel to exit.
    """
    from nbclient import NotebookClient  # noqa: PLC0415

    kernel = _start_kernel()

    def refuse_interrupt(*, execute_reply: Any, **_: object) -> None:  # noqa: ANN401
        if execute_reply["content"].get("ename") == "KeyboardInterrupt":
            raise KeyboardInterrupt

    client = NotebookClient(
        notebook,
        timeout=None,
        iopub_timeout=_OUTPUT_WAIT_S,
        raise_on_iopub_timeout=True,
        record_timing=False,
        on_cell_execute=progress.begin,
        on_cell_executed=refuse_interrupt,
    )
    client.kc = _build_client(kernel, asyncio.get_running_loop())
    notebook.metadata["language_info"] = kernel.language_info
    try:
        for index, cell in enumerate(notebook.cells):
            await client.async_execute_cell(cell, index)
    finally:
        client.set_widgets_metadata()
        await _stop_kernel(kernel)


def _describe(error: Any) -> str:  # noqa: ANN401 - nbclient's CellExecutionError
    """Return ``line 2: ZeroDivisionError: division by zero``."""
    lines = _LINE.findall(_COLOURS.sub("", error.traceback))
    where = f"line {lines[0][0] or lines[0][1]}: " if lines else ""
    said = _COLOURS.sub("", str(error.evalue)).strip().partition("\n")[0]
    return f"{where}{error.ename}: {said}"[:_MOST_SHOWN] if said else f"{where}{error.ename}"


def _write(path: str, data: bytes) -> None:
    """Write the executed copy; whole, unless walls make it all that can be written."""
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        with open(beside, "xb") as stream:  # noqa: PTH123
            stream.write(data)
        os.replace(beside, path)  # noqa: PTH105
    except OSError:
        with suppress(OSError):
            os.unlink(beside)  # noqa: PTH108
        with open(path, "wb") as stream:  # noqa: PTH123
            stream.write(data)


def _look_at(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _execute(data: bytes, label: str, result: str, state: mmap.mmap) -> int:
    """Run the cells, write the executed copy as far as it got, and return the exit code."""
    import nbformat  # noqa: PLC0415
    from nbclient.exceptions import CellExecutionError  # noqa: PLC0415

    notebook = nbformat.from_dict(json.loads(data))
    total = sum(map(_is_run, notebook.cells))
    progress = _Progress(state, label, total)
    before = _look_at(result) if result else ()
    words, code = "", 0
    # Not asyncio.run, which takes Ctrl-C from the cell that runs.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_run_cells(notebook, progress))
    except CellExecutionError as error:
        words, code = f"failed, {_describe(error)}", _FAILED
    except SystemExit:
        words, code = "asked the kernel to exit", _FAILED
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough: the rest tidies up
        words, code = "was interrupted", _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, the notebook did not end well
        words, code = f"could not be run, {type(error).__name__}: {error}"[:_MOST_SHOWN], _FAILED
    progress.end(done=False)
    if words:
        _say(f"{label}: code cell {progress.number} of {total} {words}")
    if result and _look_at(result) != before:
        _say(f"{label}: its cells wrote {result}, where the executed copy goes; name another")
        return _FAILED
    if result:
        _write(result, nbformat.writes(notebook).encode("utf-8", "backslashreplace"))
    if result and code:
        _say(f"{label}: how far it got is in {result}")
    progress.end(done=code == 0)
    return code


def _supervise(child: int, label: str, state: mmap.mmap) -> int:
    """Wait for the child; return 0 only if it ran every cell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child is told too
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    number, done = _STATE.unpack_from(state, 0)
    if code < 0:
        _say(f"{label}: the kernel was ended by signal {-code} in code cell {number}")
        return _FAILED
    if code == 0 and not done:
        _say(f"{label}: the kernel ended in code cell {number}, before the end of the notebook")
        return _FAILED
    return code


def _prepare(folder: str, result: str) -> str:
    """Make this process what a kernel begins in; return a folder for IPython's own files."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH120, PTH100
    sys.path[:] = [path for path in sys.path if path != here]
    if result:
        os.makedirs(os.path.dirname(result), exist_ok=True)  # noqa: PTH103, PTH120
    os.chdir(folder)
    own = tempfile.mkdtemp(prefix="weighbridge-")
    os.environ["IPYTHONDIR"] = own  # what the user's profile holds is none of the notebook's
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    return own


def main(arguments: list[str]) -> int:
    """Run the notebook in a child: its clean copy, that one's sha256, folder, label and result."""
    clean, sha256, folder, label, result = arguments
    with open(clean, "rb") as stream:  # noqa: PTH123
        data = stream.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        _say(f"{label}: its clean copy was changed before it ran; run again")
        return _NOT_STARTED
    own = _prepare(folder, result)
    state = mmap.mmap(-1, _STATE.size)
    child = None
    try:
        child = os.fork()
        if child:
            return _supervise(child, label, state)
        # Whoever ends the parent ends the cells.
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
        return _execute(data, label, result, state)
    except ImportError as error:
        _say(f"{label}: {sys.executable} has no {error.name}; install ipykernel and nbclient there")
        return _NOT_STARTED
    except OSError as error:
        _say(f"{label}: {error}")
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        if child != 0:
            shutil.rmtree(own, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
