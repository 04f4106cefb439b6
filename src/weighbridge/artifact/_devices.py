"""Devices: on which file systems an identity says that a file is still the same."""

from __future__ import annotations

import hashlib
import os
import re
from functools import partial
from itertools import islice
from pathlib import Path

__all__ = ["Devices"]

_MAX_BYTES = 8 * 1024 * 1024
_PART_BYTES = 64 * 1024  # files in /proc/sys refuse to be asked for megabytes
_MOUNT = re.compile(r"\S+ \S+ (\d+):(\d+) \S+ (\S+) [^\n]*? - (\S+) ")
_ESCAPE = re.compile(r"\\([0-7]{3})")
# Local, with a time of change that the kernel itself sets, in nanoseconds. A file server's clients
# keep sizes and times for up to a minute; images and FUSE make up inodes and times of change.
_TRUSTED = frozenset(
    {"bcachefs", "btrfs", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
)
# These have devices that no mount names, such as one for each subvolume.
_MANY_DEVICES = frozenset({"btrfs", "overlay"})


class Devices:
    """Names devices, if what is told of their files can be believed.

    Args:
        root: Where ``proc`` is.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._proc = root / "proc"
        self._names: dict[int, int | None] = {}
        self._mounts: list[tuple[int, str, str]] | None = None

    def name(self, device: int, where: str) -> int | None:
        """Return a number of 64 bits that no other device has had meanwhile, or None.

        The number of a device that is no disk is given to another one after it: it counts for as
        long as this system has been running.

        Args:
            device: As of ``stat``.
            where: An absolute path on it; looked at only for the first one of a device.
        """
        if device not in self._names:
            kind = self._find_kind(device, where)
            number: int | None = device
            if kind not in _TRUSTED:
                number = None
            elif not os.major(device):
                boot = self._read("sys/kernel/random/boot_id").strip()
                mixed = hashlib.sha256(f"{boot} {device}".encode()).digest()[:8]
                number = int.from_bytes(mixed, "little") if boot else None
            self._names[device] = number
        return self._names[device]

    def _find_kind(self, device: int, where: str) -> str:
        if self._mounts is None:
            self._mounts = [
                (os.makedev(int(major), int(minor)), _unescape(place), kind)
                for major, minor, place, kind in _MOUNT.findall(self._read("self/mountinfo"))
            ]
        kinds = {kind for number, _, kind in self._mounts if number == device}
        if kinds:
            return kinds.pop() if len(kinds) == 1 else ""
        path = os.path.realpath(where)
        above = [
            (len(place), index, kind)  # of two at one place the later one is seen
            for index, (_, place, kind) in enumerate(self._mounts)
            if path == place or path.startswith(place.rstrip("/") + "/")
        ]
        kind = max(above)[2] if above else ""
        return kind if kind in _MANY_DEVICES else ""

    def _read(self, name: str) -> str:
        try:
            with (self._proc / name).open("rb") as stream:
                parts = iter(partial(stream.read, _PART_BYTES), b"")
                return os.fsdecode(b"".join(islice(parts, _MAX_BYTES // _PART_BYTES)))
        except OSError:
            return ""


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
