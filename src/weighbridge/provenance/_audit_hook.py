"""An audit hook that tells which files a Python opens.

A step's interpreter runs a copy of this file as ``sitecustomize``, so it imports the standard
library only. The hook is told of each call before it happens: what would fail is left out as far as
a look at the file shows it.

A record is one letter and what belongs to it:

=========== ==========================================================
``H``       the hook is in place
``r``       PATH is read
``w``       PATH is written to, and keeps what it holds
``u``       PATH is read and written to
``n``       PATH is made or emptied
``f``       PATH may not be read
``d``       PATH is removed
``x``       the folder PATH is removed
``k``       the folder PATH is made
``s``       PATH becomes a symbolic link
``m``       ``LENGTH:`` and two paths: the first, so long, becomes the second
``l``       the same: the first gets the second as another name
``c`` ``b`` the ADDRESS is connected to, bound to
``U`` ``B`` the local socket NAME is connected to, bound to
``p``       the program NAME is started
``P``       a process is forked
``y``       a library is loaded by ctypes
``o``       a name that could not be told
=========== ==========================================================

Source:
    PEP 578; the Python library reference, Audit events table.
"""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False  # as of typing, whose import would cost the step
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["HELLO", "LOG", "RECORD_BYTES", "SITE", "build_hook"]

SITE, LOG = "sitecustomize", "log"
HELLO = b"H"
RECORD_BYTES = 4096  # PIPE_BUF: so much is written at once, whoever else writes
_NAME_BYTES = 1000
_UNTOLD = b"o"
_OWN_VIEW = (b"/proc/", b"/dev/fd/", b"/dev/std")  # lead elsewhere for another process
# Bound here: when Python ends, modules lose their names before their functions are gone.
_stat, _lstat, _access, _readlink = os.stat, os.lstat, os.access, os.readlink
_getcwdb, _fsencode = os.getcwdb, os.fsencode
_realpath, _is_link, _is_file = os.path.realpath, stat.S_ISLNK, stat.S_ISREG
_OUT_OF_REACH = 0
_DESCRIPTOR_ONLY = getattr(os, "O_PATH", 0)


def _to_path(value: str | bytes | os.PathLike[str], folder: int = -1) -> bytes:
    path = _fsencode(value)
    if not path.startswith(b"/"):
        above = _readlink(b"/proc/self/fd/%d" % folder) if folder >= 0 else _getcwdb()
        path = above + b"/" + path
    return _realpath(path) if path.startswith(_OWN_VIEW) else path


def _follow(path: bytes) -> tuple[bytes, int | None]:
    """Return where a name leads and what is there; by the time that it is told, it may differ.

    What is there is None if nothing is, and no kind of file if nobody can get there: links that go
    in a circle, a folder that may not be searched.
    """
    try:
        found = _lstat(path).st_mode
        if _is_link(found):
            path = _realpath(path)
            found = _stat(path).st_mode
    except FileNotFoundError:
        return path, None
    except OSError:
        return path, _OUT_OF_REACH
    return path, found


def _open(args: tuple[Any, ...]) -> bytes:
    name, mode, flags = args
    if isinstance(name, int) or flags & _DESCRIPTOR_ONLY:
        return b""
    named = _to_path(name)
    path, found = _follow(named)
    is_new = flags & os.O_CREAT and flags & os.O_EXCL
    if found is None and flags & os.O_CREAT:  # a link that leads nowhere is there for O_EXCL
        return b"" if is_new and _exists(named) else b"n" + path
    if not found:
        # os.open does not tell the folder that a name counts from.
        return _UNTOLD if mode is None and not _fsencode(name).startswith(b"/") else b""
    writes = flags & os.O_ACCMODE
    if is_new or not _is_file(found):
        return b""
    if flags & os.O_TRUNC:
        return (b"n" if _access(path, os.W_OK) else b"w") + path
    if writes == os.O_WRONLY:
        return b"w" + path
    if not _access(path, os.R_OK):
        return b"f" + path
    return (b"u" if writes else b"r") + path


def _exists(path: bytes) -> bool:
    try:
        _lstat(path)
    except OSError:
        return False
    return True


def _one(
    kind: bytes, index: int = 0, folder: int = -1, *, exists: bool | None = None
) -> Callable[[tuple[Any, ...]], bytes]:
    """Read an event that has one path, and perhaps the folder that it counts from.

    With ``exists`` the call cannot work unless the path is there, or is not; it is about the name
    then, and else about the file that the name leads to.
    """

    def read(args: tuple[Any, ...]) -> bytes:
        name = args[index]
        if name is None or isinstance(name, int):
            return b""
        path = _to_path(name, args[folder] if folder > 0 else -1)
        if exists is None:
            return kind + _follow(path)[0]
        return kind + path if _exists(path) is exists else b""

    return read


def _rename(args: tuple[Any, ...]) -> bytes:
    return _two(b"m", args)


def _link(args: tuple[Any, ...]) -> bytes:
    return b"" if _exists(_to_path(args[1], args[3])) else _two(b"l", args)


def _two(kind: bytes, args: tuple[Any, ...]) -> bytes:
    old, new = _to_path(args[0], args[2]), _to_path(args[1], args[3])
    return kind + b"%d:" % len(old) + old + new if _exists(old) else b""


def _program(index: int) -> Callable[[tuple[Any, ...]], bytes]:
    def read(args: tuple[Any, ...]) -> bytes:
        name = args[index]
        name = name[0] if isinstance(name, (list, tuple)) else name
        return b"p" + _fsencode(name)[:_NAME_BYTES]

    return read


def _popen(args: tuple[Any, ...]) -> bytes:
    return _program(1 if args[0] is None else 0)(args)


def _library(args: tuple[Any, ...]) -> bytes:
    return b"" if args[0] is None else b"y"


def _database(args: tuple[Any, ...]) -> bytes:
    name = _fsencode(args[0])
    if name in {b"", b":memory:"} or name.startswith(b"file:"):
        return b""
    path, found = _follow(_to_path(name))
    return (b"n" if found is None else b"u") + path


def _address(kind: bytes) -> Callable[[tuple[Any, ...]], bytes]:
    def read(args: tuple[Any, ...]) -> bytes:
        address = args[1]
        if isinstance(address, tuple):
            host, port = address[0], address[1]
            shown = "[%s]:%s" if isinstance(host, str) and ":" in host else "%s:%s"
            return kind + (shown % (host, port)).encode("utf-8", "replace")[:_NAME_BYTES]
        name = address.encode("utf-8", "surrogateescape") if isinstance(address, str) else address
        local = b"U" if kind == b"c" else b"B"
        if name.startswith(b"\0"):
            return local + b"@" + name[1:].split(b"\0")[0]
        return local + _to_path(name)

    return read


_READERS: dict[str, Callable[[tuple[Any, ...]], bytes]] = {
    "open": _open,
    "import": _one(b"r", 1),
    "os.rename": _rename,
    "os.link": _link,
    "os.remove": _one(b"d", 0, 1, exists=True),
    "os.rmdir": _one(b"x", 0, 1, exists=True),
    "os.mkdir": _one(b"k", 0, 2, exists=False),
    "os.symlink": _one(b"s", 1, 2, exists=False),
    "os.truncate": _one(b"w"),
    "sqlite3.connect": _database,
    "ctypes.dlopen": _library,
    "subprocess.Popen": _popen,
    "os.exec": _program(0),
    "os.posix_spawn": _program(0),
    "os.spawn": _program(1),
    "os.system": lambda _args: b"psh",
    "os.fork": lambda _args: b"P",
    "os.forkpty": lambda _args: b"P",
    "socket.connect": _address(b"c"),
    "socket.bind": _address(b"b"),
    "socket.sendto": _address(b"c"),
}


def build_hook(send: Callable[[bytes], object]) -> Callable[[str, tuple[Any, ...]], None]:
    """Return a hook that hands each record to ``send``; it never raises."""
    readers = _READERS

    def hook(event: str, args: tuple[Any, ...]) -> None:
        reader = readers.get(event)
        if reader is None:
            return
        try:
            record = reader(args)
        except Exception:  # noqa: BLE001 - whatever is odd about it, the call goes on
            record = _UNTOLD
        if record:
            send(record if len(record) < RECORD_BYTES else _UNTOLD)

    return hook


def _open_log(path: str) -> Callable[[bytes], None]:
    """Return what writes records to a pipe that somebody reads.

    Each time it is looked whether the descriptor is still that pipe: a step that closes what it
    does not know may have a file of its own under the number.

    Raises:
        OSError: Nobody reads.
    """
    opener, fstat, write, set_blocking = os.open, os.fstat, os.write, os.set_blocking
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
    log = opener(path, flags)
    set_blocking(log, True)
    found = fstat(log)
    device, inode = found.st_dev, found.st_ino

    def is_ours(descriptor: int) -> bool:
        try:
            found = fstat(descriptor)
        except OSError:
            return False
        return (found.st_ino, found.st_dev) == (inode, device)

    def send(record: bytes) -> None:
        nonlocal log
        try:
            if not is_ours(log):
                log = opener(path, flags)
                set_blocking(log, True)
            if is_ours(log):
                write(log, record + b"\0")
        except Exception:  # noqa: BLE001 - whoever read is gone, or Python ends
            return

    return send


def _leave_no_trace(folder: str) -> None:
    """Take the folder of this file out of what the step sees; its children still get it."""
    sys.path[:] = [item for item in sys.path if item != folder]
    sys.path_importer_cache.pop(folder, None)
    items = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    rest = os.pathsep.join(item for item in items if item != folder)
    shown: dict[bytes, bytes] | None = getattr(os.environ, "_data", None)
    if shown is not None:  # not os.environ itself, which would tell the children
        shown.pop(b"PYTHONPATH", None)
        if rest:
            shown[b"PYTHONPATH"] = os.fsencode(rest)


def _start() -> None:
    """Install the hook, then give way to the ``sitecustomize`` that this one hides.

    Raises:
        ImportError: There is none; as ``site`` expects it.
    """
    folder = os.path.dirname(__file__)  # noqa: PTH120 - pathlib costs more than all of this
    _leave_no_trace(folder)
    if hasattr(sys, "addaudithook"):  # Python 3.8
        try:
            send = _open_log(folder + "/" + LOG)
        except OSError:
            pass
        else:
            sys.addaudithook(build_hook(send))
            send(HELLO)
    sys.modules.pop(SITE, None)
    from importlib import import_module  # noqa: PLC0415 - after the hook

    import_module(SITE)


if __name__ == SITE:
    _start()
