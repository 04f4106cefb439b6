"""Callables of the standard library that execute, open, delete or connect; and pickles of them.

The list is found, not written: the sources of the library are parsed, nothing is imported. A
function counts if it calls something that counts, in its own module or in one that it imports; a
class counts if making an instance does. What is in C, and has no source, is where this begins.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

# Functions without a source in Python. Dotted as code calls them.
ROOTS = {
    "builtins": "eval exec compile open __import__ breakpoint",
    "os": """abort chmod chown chroot execv execve fork forkpty fwalk kill killpg lchown link mkdir
        mkfifo mknod open pipe posix_spawn posix_spawnp putenv remove rename replace rmdir sendfile
        setgid setuid startfile symlink system truncate unlink unsetenv utime write writev listdir
        scandir chdir fchdir""",
    "posix": """chmod execv execve fork kill link mkdir open posix_spawn remove rename rmdir symlink
        system truncate unlink""",
    "io": "open open_code FileIO",
    "_io": "open open_code FileIO",
    "_socket": "socket",
    "_posixsubprocess": "fork_exec",
    "_imp": "create_dynamic exec_dynamic",
    "_ctypes": "dlopen CFuncPtr",
    "_sqlite3": "connect",
    "_thread": "start_new_thread",
    "_winapi": "CreateProcess CreateFile",
    "_pickle": "load loads Unpickler",
    "marshal": "load loads",
    "mmap": "mmap",
    "readline": "read_init_file write_history_file",
    "code": "interact",
    "nt": "system startfile remove unlink",
    "types": "CodeType FunctionType",
}
# Test suites, what is there to be run by hand, windows, and what is gone since Python 3.12; and two
# that compile what they are given only to describe it.
LEFT_OUT = {
    *("test", "tests", "idlelib", "turtledemo", "turtle", "tkinter", "lib2to3", "distutils"),
    *("site-packages", "typing", "warnings"),
}


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def flatten(node: ast.stmt) -> Iterator[Definition]:
    """Yield what a statement of a module defines, also under ``if`` and ``try``."""
    if isinstance(node, Definition):
        yield node
    elif isinstance(node, ast.If | ast.Try):
        for part in [*node.body, *node.orelse]:
            yield from flatten(part)


def own_method(target: ast.expr | None) -> str:
    """Return ``b`` for ``self.b``, and nothing for anything else."""
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        return target.attr if target.value.id == "self" else ""
    return ""


class Module:
    """What one source file defines, and what the names in it mean."""

    def __init__(self, name: str, tree: ast.Module, *, is_package: bool) -> None:
        self.name = name
        self.meaning: dict[str, str] = {}
        package = name if is_package else name.rpartition(".")[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.meaning[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = package.split(".")
                    up = parts[: len(parts) - node.level + 1]
                    base = ".".join([*up, *([node.module] if node.module else [])])
                for alias in node.names:
                    self.meaning[alias.asname or alias.name] = f"{base}.{alias.name}"
        # First the names, for they may be called above where they are defined.
        self.tops = [node for part in tree.body for node in flatten(part)]
        self.calls: dict[str, set[str]] = {node.name: set() for node in self.tops}
        for node in self.tops:
            self._collect(node)

    def _collect(self, node: Definition) -> None:
        made = self.calls[node.name]
        if not isinstance(node, ast.ClassDef):
            made.update(self._calls_in(node, {}))
            return
        made.update(self._resolve(base) for base in node.bases)
        methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
        for name in ("__init__", "__new__"):
            if name in methods:
                made.update(self._calls_in(methods.pop(name), methods))

    def _calls_in(self, node: ast.AST, methods: dict[str, ast.FunctionDef]) -> Iterator[str]:
        """Yield what a body calls, also through methods of its own object; each once."""
        for part in ast.walk(node):
            target = part.func if isinstance(part, ast.Call) else None
            method = methods.pop(own_method(target), None)
            if method is not None:
                yield from self._calls_in(method, methods)
            elif target is not None:
                yield self._resolve(target)

    def _resolve(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            if node.id in self.meaning:
                return self.meaning[node.id]
            return f"{self.name}.{node.id}" if node.id in self.calls else f"builtins.{node.id}"
        if isinstance(node, ast.Attribute):
            return f"{self._resolve(node.value).removeprefix('builtins.')}.{node.attr}"
        return ""


def read_modules() -> dict[str, Module]:
    root = Path(sysconfig.get_path("stdlib"))
    modules = {}
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        if LEFT_OUT & set(parts) or not all(part.isidentifier() for part in parts):
            continue
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        tree = ast.parse(file.read_bytes())
        modules[name] = Module(name, tree, is_package=is_package)
    return modules


def list_dangerous() -> list[tuple[str, str]]:
    """Return (module, name) pairs, sorted."""
    modules = read_modules()
    bad = {f"{module}.{name}" for module, names in ROOTS.items() for name in names.split()}
    callers = {
        f"{module.name}.{name}": calls
        for module in modules.values()
        for name, calls in module.calls.items()
    }
    # os.open is posix.open: what a module imports with a star is called by its name all the same.
    for module in modules.values():
        for name, meaning in module.meaning.items():
            callers.setdefault(f"{module.name}.{name}", set()).add(meaning)
    size = -1
    while size != len(bad):
        size = len(bad)
        bad |= {name for name, calls in callers.items() if calls & bad}
    public = {f"{m.name}.{name}" for m in modules.values() for name in m.calls}
    roots = {f"{module}.{name}" for module, names in ROOTS.items() for name in names.split()}
    return sorted(
        (name.rpartition(".")[0], name.rpartition(".")[2]) for name in bad & (public | roots)
    )


def write_pickles(folder: Path) -> None:
    """Write a pickle that calls it for each: what a scanner is shown, never what is loaded."""
    folder.mkdir()
    for module, name in list_dangerous():
        stream = f"\x80\x02c{module}\n{name}\n(X\x02\x00\x00\x00idtR.".encode("latin-1")
        (folder / f"{module}.{name}.pkl").write_bytes(stream)
