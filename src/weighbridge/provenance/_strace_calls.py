"""What each system call means for what a step read and wrote."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from weighbridge.core import printable
from weighbridge.formats import StraceCall, StraceFile, parse_strace_file, parse_strace_text
from weighbridge.provenance._strace_network import find_address
from weighbridge.provenance._strace_programs import find_program
from weighbridge.provenance._strace_state import (
    Folder,
    Process,
    Watch,
    add,
    add_read,
    add_write,
    locate,
    note,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FORKS", "GAPS", "READERS", "TRACED_CALLS", "find_flags"]

FORKS = frozenset({"fork", "vfork", "clone", "clone3"})
_MOUNTS = "it changed what paths lead to ({}), so names may be those of other files"
GAPS: Final[Mapping[str, str]] = {
    "io_uring_setup": "it used io_uring, whose reads and opens nobody sees",
    "io_uring_register": "it used io_uring, whose reads and opens nobody sees",
    "ptrace": "it reached into a process by ptrace",
    "process_vm_readv": "it read the memory of a process",
    "pidfd_getfd": "it took an open file from another process",
    "shmat": "it attached memory that processes share (System V)",
    "mq_open": "it opened a message queue",
} | {
    name: _MOUNTS.format(name)
    for name in (
        *("chroot", "pivot_root", "mount", "umount", "umount2", "move_mount", "fsmount"),
        *("fsopen", "open_tree", "mount_setattr", "setns"),
    )
}
_DIRECT: Final = (
    "open openat openat2 creat open_by_handle_at rename renameat renameat2 link linkat symlink "
    "symlinkat unlink unlinkat mkdir mkdirat rmdir mknod mknodat truncate truncate64 execve "
    "execveat uselib chdir fchdir unshare connect bind socket"
)
# All that is asked of strace; a call that this machine does not have is left out by it.
TRACED_CALLS: Final = (*_DIRECT.split(), *sorted(FORKS), *GAPS)


_FOREIGN_MEMORY: Final = re.compile(rb"/proc/([0-9]{1,10})/(?:task/[0-9]{1,10}/)?mem")


def _paths(watch: Watch, process: Process, call: StraceCall) -> list[bytes]:
    """Return the one or two paths of a call that names files, with their descriptors or without."""
    paths: list[bytes] = []
    at: StraceFile | None = None
    for token in call.args[:4]:
        text = parse_strace_text(token)
        if text is None:
            at = parse_strace_file(token)
        elif not text and at is not None:  # AT_EMPTY_PATH
            paths.append(at.path)
        else:
            paths.append(locate(watch, process, text, at))
    return paths


def _arg(call: StraceCall, index: int) -> bytes:
    return call.args[index] if index < len(call.args) else b""


def find_flags(call: StraceCall) -> frozenset[bytes]:
    """Return the flags with which a file is opened, wherever the call has them."""
    if call.name == "creat":
        return frozenset({b"O_WRONLY", b"O_CREAT", b"O_TRUNC"})
    index = {"open": 1, "open_by_handle_at": -1}.get(call.name, 2)
    if index >= len(call.args):
        return frozenset()
    return _splitfind_flags(call.args[index])


@lru_cache(maxsize=256)
def _splitfind_flags(text: bytes) -> frozenset[bytes]:
    return frozenset(text.removeprefix(b"{flags=").rstrip(b"}").split(b"|"))


def _open(watch: Watch, process: Process, call: StraceCall) -> None:
    flags = find_flags(call)
    if call.error:  # killed while it opened: nothing was read, but the file may be there now
        if flags & {b"O_CREAT", b"O_TRUNC"}:
            _write(watch, process, call)
        return
    file = parse_strace_file(call.result)
    if file is None or not file.path:
        note(watch, "which file it opened could not be told")
    elif not file.path.startswith(b"/") or flags & {b"O_PATH", b"O_DIRECTORY"}:
        pass  # a pipe and the like; nothing that is read
    elif b"O_TMPFILE" in flags:
        watch.origins.make_nameless(file.path)
    elif not (file.is_deleted and file.path.startswith(b"/memfd:")):
        _open_file(watch, file, flags)
        if (found := _FOREIGN_MEMORY.fullmatch(file.path)) and not _is_known(watch, int(found[1])):
            note(watch, "it opened the memory of a process that was not watched")


def _is_known(watch: Watch, pid: int) -> bool:
    return pid in watch.processes or pid in watch.children


def _open_file(watch: Watch, file: StraceFile, flags: frozenset[bytes]) -> None:
    """Note what is read and written; a file that begins empty holds only what the step puts in."""
    is_empty = b"O_TRUNC" in flags or {b"O_CREAT", b"O_EXCL"} <= flags
    writes = b"O_RDONLY" not in flags or is_empty
    if writes and not file.is_deleted:
        add_write(watch, file.path)
        if is_empty and not _is_device(file.path):
            watch.origins.make(file.path)
    if b"O_WRONLY" not in flags and (not is_empty or _is_device(file.path)):
        add_read(watch, file.path, is_deleted=file.is_deleted)


def _is_device(path: bytes) -> bool:
    """Tell whether emptying ``path`` does not empty it."""
    folder = path.split(b"/", 3)[1:3]
    return folder[0] in {b"dev", b"proc", b"sys"} and folder[:2] != [b"dev", b"shm"]


def _rename(watch: Watch, process: Process, call: StraceCall) -> None:
    paths = _paths(watch, process, call)
    if len(paths) != 2 or not all(paths):  # noqa: PLR2004
        return
    is_swap = any(b"RENAME_EXCHANGE" in arg for arg in call.args)
    for path in paths if is_swap else paths[:1]:
        add_read(watch, path)  # what it put elsewhere came from before, though nothing opened it
    for path in paths:
        add(watch, watch.writes, path)
    if call.error:  # nobody knows whether it happened: what is there may be either
        for path in paths:
            watch.origins.keep(path, path)
    elif is_swap:
        watch.origins.swap(*paths)
    else:
        watch.origins.move(*paths)


def _link(watch: Watch, process: Process, call: StraceCall) -> None:
    paths = _paths(watch, process, call)
    if len(paths) != 2 or not all(paths):  # noqa: PLR2004
        return
    old, new = paths
    add(watch, watch.writes, new)
    given = parse_strace_file(_arg(call, 0))
    if given is not None and given.is_deleted:
        watch.origins.make(new)  # only a nameless file of its own may get a name (O_TMPFILE)
    elif old.startswith((b"/proc/", b"/dev/fd")):
        watch.origins.keep(new, new)
    else:
        source = new if call.error else watch.origins.find(old)
        add_read(watch, old)
        if source:
            watch.origins.keep(new, source)
        else:
            watch.origins.make(new)


def _unlink(watch: Watch, process: Process, call: StraceCall) -> None:
    for path in _paths(watch, process, call):
        if path and b"AT_REMOVEDIR" not in call.args:
            add(watch, watch.writes, path)
        if path and not call.error:
            watch.origins.remove(path)


def _rmdir(watch: Watch, process: Process, call: StraceCall) -> None:
    for path in _paths(watch, process, call):
        if path and not call.error:
            watch.origins.remove(path)


def _mkdir(watch: Watch, process: Process, call: StraceCall) -> None:
    for path in _paths(watch, process, call):
        if path:
            add(watch, watch.folders, path)
            if not call.error:
                watch.origins.make(path)


def _symlink(watch: Watch, process: Process, call: StraceCall) -> None:
    _write(watch, process, StraceCall(call.pid, call.name, call.args[1:], "", b""))


def _write(watch: Watch, process: Process, call: StraceCall) -> None:
    for path in _paths(watch, process, call):
        if path:
            add(watch, watch.writes, path)


def _chdir(watch: Watch, process: Process, call: StraceCall) -> None:
    process.folder.token = b""
    if call.name == "fchdir":
        file = parse_strace_file(_arg(call, 0))
        process.folder.path = file.path if file else b""
        return
    text = parse_strace_text(_arg(call, 0))
    path = locate(watch, process, text) if text else b""
    process.folder.path = b"" if path.startswith(b"/proc/") else os.path.realpath(path or b"/")


def _unshare(watch: Watch, process: Process, call: StraceCall) -> None:
    process.folder = Folder(process.folder.path)
    if any(b"CLONE_NEWNS" in arg for arg in call.args):
        note(watch, _MOUNTS.format("unshare"))


def _exec(watch: Watch, process: Process, call: StraceCall) -> None:
    text = parse_strace_text(_arg(call, 1 if call.name == "execveat" else 0))
    at = parse_strace_file(_arg(call, 0)) if call.name == "execveat" else None
    if text == b"" and at is not None:
        path = at.path
    elif text in {b"/proc/self/exe", b"/proc/thread-self/exe"}:
        path = process.program
    else:
        path = locate(watch, process, text, at) if text else b""
    if path.startswith(b"/memfd:") and at is not None and at.is_deleted:
        return
    if not path.startswith(b"/") or path.startswith((b"/proc/", b"/dev/fd")):
        note(watch, "which program it ran could not be told")
        return
    found = find_program(path)
    process.program = found.path
    for used in (found.path, *found.interpreters):
        add_read(watch, used)
    for gap in found.gaps:
        note(watch, gap)


def _network(watch: Watch, process: Process, call: StraceCall) -> None:
    address = find_address(call.args[1:])
    if call.name == "bind":
        if address.is_local:
            name = address.path if address.is_abstract else locate(watch, process, address.path)
            watch.sockets.add(name)
        elif address.words:
            _connect(watch, f"bound to {address.words}")
        return
    if call.error not in {"", "EINPROGRESS", "EINTR", "?"} or not address.words:
        return
    _connect(watch, address.words)
    if address.is_local:
        name = address.path if address.is_abstract else locate(watch, process, address.path)
        if name not in watch.sockets:
            where = printable(os.fsdecode(address.path))
            note(watch, f"a process that was not watched may have read for it, by {where}")


def _connect(watch: Watch, words: str) -> None:
    if len(watch.connections) < watch.limits.max_rows:
        watch.connections.add(words)
    else:
        note(watch, f"it connected to more than {watch.limits.max_rows} addresses")


def _socket(watch: Watch, _process: Process, call: StraceCall) -> None:
    family, kind = _arg(call, 0), _arg(call, 1)
    if family in {b"AF_INET", b"AF_INET6"} and b"SOCK_STREAM" not in kind:
        _connect(watch, "datagrams")
    elif family in {b"AF_PACKET", b"AF_ALG", b"AF_VSOCK", b"AF_XDP"}:
        _connect(watch, f"a socket of kind {family.decode()}")


READERS: Final[Mapping[str, Callable[[Watch, Process, StraceCall], None]]] = {
    **dict.fromkeys(("open", "openat", "openat2", "creat", "open_by_handle_at"), _open),
    **dict.fromkeys(("rename", "renameat", "renameat2"), _rename),
    **dict.fromkeys(("link", "linkat"), _link),
    **dict.fromkeys(("unlink", "unlinkat"), _unlink),
    **dict.fromkeys(("mkdir", "mkdirat"), _mkdir),
    **dict.fromkeys(("symlink", "symlinkat"), _symlink),
    **dict.fromkeys(("mknod", "mknodat", "truncate", "truncate64"), _write),
    **dict.fromkeys(("chdir", "fchdir"), _chdir),
    **dict.fromkeys(("execve", "execveat", "uselib"), _exec),
    **dict.fromkeys(("connect", "bind"), _network),
    "rmdir": _rmdir,
    "unshare": _unshare,
    "socket": _socket,
}
