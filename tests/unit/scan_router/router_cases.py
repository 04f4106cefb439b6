"""Hostile and ordinary files for the router's tests, built by code."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, FileScan, Limits, Severity
from weighbridge.formats import MemorySource
from weighbridge.scanning import build_inspector

if TYPE_CHECKING:
    from collections.abc import Iterable

# Runs a command when it is loaded; nothing here ever loads it.
EVIL = b"cos\nsystem\n(S'echo pwned'\ntR."
PLAIN = pickle.dumps({"a": [1, 2, 3]}, protocol=4)


def scan(data: bytes, name: str = "file", limits: Limits = DEFAULT_LIMITS) -> FileScan:
    return build_inspector(limits=limits)(MemorySource(name, data))


def rules(result: FileScan) -> set[str]:
    return {finding.rule_id for finding in result.findings}


def has_evil(result: FileScan) -> bool:
    return any(f.rule_id.startswith("WB-PKL") and f.answer == "fail" for f in result.findings)


def rows(result: FileScan) -> dict[str, tuple[str, str]]:
    """Return place -> (status, format), without the name of the file."""
    return {
        "!".join(row.location.member): (row.status.value, row.format) for row in result.coverage
    }


def statuses(result: FileScan) -> set[str]:
    return {row.status.value for row in result.coverage}


def gates(result: FileScan) -> bool:
    """Return whether something keeps a scan from exiting with 0."""
    return "not-examined" in statuses(result) or any(
        finding.answer != "pass" and finding.severity.rank >= Severity.MEDIUM.rank
        for finding in result.findings
    )


def build_zip(
    members: dict[str, bytes] | Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_STORED
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in dict(members).items():
            # At a fixed time: the clock would put any byte into the header.
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


def build_tar(
    members: dict[str, bytes],
    format_id: int = tarfile.PAX_FORMAT,
    headers: dict[str, str] | None = None,
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format_id) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = headers or {}
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def build_torch_pickle(keys: Iterable[str]) -> bytes:
    """Return what ``torch.save`` writes for a dict of tensors, built without torch."""
    out = [b"\x80\x02}q\x00("]
    for key in keys:
        out += [
            _text(f"t{key}"),
            b"ctorch._utils\n_rebuild_tensor_v2\n",
            b"((",
            _text("storage"),
            b"ctorch\nFloatStorage\n",
            _text(key),
            _text("cpu"),
            b"K\x02tQK\x00K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR",
        ]
    return b"".join([*out, b"u."])


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw


def build_torch_zip(count: int, *, extra: dict[str, bytes] | None = None) -> bytes:
    keys = [str(n) for n in range(count)]
    members = {"m/data.pkl": build_torch_pickle(keys), "m/byteorder": b"little"}
    members |= {f"m/data/{key}": b"\0\0\x80\x3f\0\0\0\x80" for key in keys}
    return build_zip({**members, **(extra or {}), "m/version": b"3\n"})
