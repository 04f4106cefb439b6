"""The first line of a script."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from weighbridge.provenance._shebang import HEAD_BYTES, find_named, parse_shebang, read_head


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"#!/bin/sh\n", (b"/bin/sh", b"")),
        (b"#! \t/bin/sh \t-e -u \necho", (b"/bin/sh", b"-e -u")),
        (b"#!/bin/sh", (b"/bin/sh", b"")),
        (b"#!\n/bin/sh", (b"", b"")),
        (b" #!/bin/sh\n", (b"", b"")),
        (b"\x7fELF", (b"", b"")),
        (b"", (b"", b"")),
        (b"#!/\xff\n", (b"/\xff", b"")),
        (b"#!/" + b"x" * 999, (b"/" + b"x" * (HEAD_BYTES - 3), b"")),
    ],
)
def test_a_line_as_the_kernel_reads_it(head: bytes, expected: tuple[bytes, bytes]) -> None:
    assert parse_shebang(head) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"#!/opt/python -u\n", Path("/opt/python")),
        (b"#!/usr/bin/env python\n", Path("/found/python")),
        (b"#!/usr/bin/env -S A=1 python -u\n", Path("/found/python")),
        (b"#!/usr/bin/env\n", None),
        (b"#!python\n", None),
        (b"echo", None),
    ],
)
def test_env_is_looked_through(head: bytes, expected: Path | None) -> None:
    assert find_named(head, lambda name: f"/found/{name}" if name else None) == expected


def test_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_head(tmp_path / "pipe") == b""
    assert read_head("/dev/zero") == b""
    (tmp_path / "script").write_bytes(b"#!/bin/sh\n" + bytes(999))
    assert len(read_head(tmp_path / "script")) == HEAD_BYTES
    with pytest.raises(OSError, match="No such file"):
        read_head(tmp_path / "missing")
