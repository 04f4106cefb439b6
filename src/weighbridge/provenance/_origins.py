"""Where the bytes under a name come from: from before the step, under which name, or from it."""

from __future__ import annotations

__all__ = ["Origins"]


class _Node:
    """One name in a folder.

    ``source`` is where what is here was before the step; empty: the step made it; None: as the
    folder says.
    """

    __slots__ = ("children", "source")

    def __init__(self) -> None:
        self.children: dict[bytes, _Node] = {}
        self.source: bytes | None = None


class Origins:
    """What a step made, moved and linked, so that a name leads back to what was there before.

    Every answer errs on the side of "from before": a file that the step wrote into without
    emptying it is one that it did not make. Each operation costs the depth of the path, however
    much is beneath a folder that is moved.

    Attributes:
        is_full: Whether more was made and moved than is kept; every name then leads to itself.
    """

    def __init__(self, *, max_nodes: int) -> None:
        self._root = _Node()
        self._max_nodes = self._left = max_nodes
        self._gone: set[bytes] = set()
        self.is_full = False

    def find(self, path: bytes, *, is_deleted: bool = False) -> bytes:
        """Return where ``path`` was before the step; empty if the step made what is there."""
        if self.is_full:
            return path
        if is_deleted and path in self._gone:
            return b""
        node, source, start = self._root, b"/", 1
        position = 1
        for part in path[1:].split(b"/"):
            child = node.children.get(part)
            if child is None:
                break
            node = child
            position += len(part) + 1
            if node.source is not None:
                source, start = node.source, position
        if not source:
            return b""
        rest = path[start:]
        return source.rstrip(b"/") + b"/" + rest if rest else source

    def make(self, path: bytes) -> None:
        """Note that what is at ``path``, and in it if it is a folder, is the step's own."""
        self._put(path, _Node(), b"")

    def make_nameless(self, path: bytes) -> None:
        """Note that the step has a file of its own open that the system calls ``path``."""
        if len(self._gone) < self._max_nodes:
            self._gone.add(path)

    def keep(self, path: bytes, source: bytes) -> None:
        """Note that what is at ``path`` now was at ``source`` before the step."""
        self._put(path, _Node(), source)

    def move(self, old: bytes, new: bytes) -> None:
        """Note that ``old``, with everything in it, is now ``new``."""
        source = self.find(old)
        if source and source == self.find(new):
            return  # two names of one file: rename(2) leaves both
        self._put(new, self._take(old) or _Node(), source)

    def swap(self, one: bytes, other: bytes) -> None:
        """Note that two names were exchanged."""
        sources = self.find(one), self.find(other)
        nodes = self._take(one) or _Node(), self._take(other) or _Node()
        self._put(other, nodes[0], sources[0])
        self._put(one, nodes[1], sources[1])

    def remove(self, path: bytes) -> None:
        """Note that ``path`` is gone; who has it open may still read it."""
        if self.find(path):
            self._gone.discard(path)
        else:
            self.make_nameless(path)
        taken = self._take(path)
        if taken and not taken.children:
            self._left += 1

    def _pay(self) -> bool:
        self._left -= 1
        self.is_full = self.is_full or self._left < 0
        return not self.is_full

    def _put(self, path: bytes, node: _Node, source: bytes) -> None:
        *parents, name = path[1:].split(b"/")
        folder = self._root
        for part in parents:
            child = folder.children.get(part)
            if child is None:
                if not self._pay():
                    return
                child = folder.children[part] = _Node()
            folder = child
        if name in folder.children or self._pay():
            node.source = source
            folder.children[name] = node

    def _take(self, path: bytes) -> _Node | None:
        *parents, name = path[1:].split(b"/")
        folder: _Node | None = self._root
        for part in parents:
            folder = folder.children.get(part) if folder else None
        return folder.children.pop(name, None) if folder else None
