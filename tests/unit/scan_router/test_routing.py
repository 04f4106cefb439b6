"""Every file is tried for what it could be, whatever it is called."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import struct
import tarfile
import zipfile
import zlib

import joblib
import numpy as np
import pytest
from safetensors.numpy import save

from unit.scan_router.router_cases import (
    EVIL,
    PLAIN,
    build_tar,
    build_torch_zip,
    build_zip,
    has_evil,
    rows,
    rules,
    scan,
    statuses,
)
from weighbridge.core import Limits, Severity

PNG = (
    b"\x89PNG\r\n\x1a\n"
    + struct.pack(">L4s", 13, b"IHDR")
    + bytes(17)
    + struct.pack(">L4sL", 0, b"IEND", 0xAE426082)
)


def npy(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asanyarray(array), allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    "name", ["a.pkl", "README.md", "model.safetensors", "a.json", "x", "a.png"]
)
def test_a_pickle_is_found_under_any_name(name: str) -> None:
    assert has_evil(scan(EVIL, name))
    assert not has_evil(scan(PLAIN, name))


WRAPPED = {
    "gzip": gzip.compress(EVIL),
    "zlib": zlib.compress(EVIL),
    "zlib fast": zlib.compress(EVIL, 1),
    "zlib best": zlib.compress(EVIL, 9),
    "bzip2": bz2.compress(EVIL),
    "xz": lzma.compress(EVIL),
    "lzma": lzma.compress(EVIL, format=lzma.FORMAT_ALONE),
    "zfile": b"ZF" + hex(len(EVIL)).ljust(19).encode() + zlib.compress(EVIL),
    "zfile of Python 2": b"ZF" + hex(len(EVIL)).ljust(20).encode() + zlib.compress(EVIL),
    "gzip in gzip": gzip.compress(gzip.compress(EVIL)),
    "second gzip stream": gzip.compress(b"") + gzip.compress(EVIL),
    "broken after the pickle": gzip.compress(EVIL + random.Random(1).randbytes(9000))[:-50],
    "zip": build_zip({"a": EVIL}),
    "deflated": build_zip({"a": EVIL * 3}, zipfile.ZIP_DEFLATED),
    "zip by bzip2": build_zip({"a": EVIL}, zipfile.ZIP_BZIP2),
    "zip by lzma": build_zip({"a": EVIL}, zipfile.ZIP_LZMA),
    "zip in zip": build_zip({"a": build_zip({"b": EVIL})}),
    "zip behind a PNG": PNG + build_zip({"a": EVIL}),
    "zip behind a script": b"#!/bin/sh\nexit\n" + build_zip({"a": EVIL}),
    "zip before junk": build_zip({"a": EVIL}) + b"\xff" * 5000,
    "pickle before a zip": EVIL + build_zip({"a": b"x"}),
    "pickle before a safetensors name": EVIL,
    "object array": npy(np.array([None])).partition(b"\n")[0] + b"\n" + EVIL,
    "npz of objects": build_zip({"a.npy": npy(np.array([1], dtype=object))[:128] + EVIL}),
    "dtype that only NumPy understands": npy(np.zeros(1)).replace(b"'<f8'", b"'O,O'")[:128] + EVIL,
    "torch": build_torch_zip(2, extra={"m/evil.pkl": EVIL}),
    "torch data.pkl": build_zip({"m/data.pkl": EVIL, "m/version": b"3\n"}),
    "storage that no pickle names": build_torch_zip(2, extra={"m/data/99": EVIL}),
    "tar": build_tar({"a": b"x", "b": EVIL}),
    "tar of GNU with a long name": build_tar({"n" * 300: EVIL}, tarfile.GNU_FORMAT),
    "tar with a size only in the extended header": build_tar(
        {"a": EVIL}, tarfile.PAX_FORMAT, {"size": str(len(EVIL)), "path": "b"}
    ),
    "tar in gzip": gzip.compress(build_tar({"a": EVIL})),
    "tar that begins like a zip": build_tar({"PK\3\4": b"x", "b": EVIL}),
    "tar whose name is a whole zip": build_tar({"a": b"x", "b": EVIL}) + build_zip({"c": b"x"}),
    "code in a zip": build_zip({"m/code/a.py": EVIL}),
    "tar cut short": build_tar({"a": EVIL, "b": b"x" * 2000})[:1700],
}


@pytest.mark.parametrize("case", WRAPPED)
def test_a_pickle_is_found_in_any_wrapping(case: str) -> None:
    assert has_evil(scan(WRAPPED[case], "model.bin"))


def test_location_names_every_container() -> None:
    (finding, *_) = scan(build_zip({"a.zip": build_zip({"b": gzip.compress(EVIL)})})).findings
    assert finding.location.member == ("a.zip", "b", "(gzip)")


def test_torch_storages_are_one_row_and_are_not_read() -> None:
    result = scan(build_torch_zip(412))
    assert rows(result) == {
        "": ("examined", "pytorch zip"),
        "m/data.pkl": ("examined", "pickle"),
        "m/byteorder": ("inert", "text"),
        "m/version": ("inert", "text"),
        "m/data/": ("inert", "raw tensors"),
    }
    assert "412" in result.coverage[-1].reason
    assert result.findings == ()


def test_storage_that_no_pickle_names_is_not_inert() -> None:
    result = scan(build_torch_zip(2, extra={"m/data/99": b"\xff\xfe\xfd" * 9}))
    assert rows(result)["m/data/99"] == ("not-examined", "unknown")


def test_torchscript_code_has_a_row() -> None:
    extra = {"m/code/__torch__/a.py": b"x: int\n", "m/constants.pkl": PLAIN}
    result = scan(build_torch_zip(1, extra=extra))
    assert rows(result)[""] == ("examined", "torchscript zip")
    assert "m/code/__torch__/a.py" in rows(result)
    assert rows(result)["m/constants.pkl"][0] == "examined"


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_files_are_examined_to_their_end(
    tmp_path_factory: pytest.TempPathFactory, compress: object
) -> None:
    path = tmp_path_factory.mktemp("joblib") / "m.joblib"
    joblib.dump({"a": np.arange(1000.0), "b": [1, "x"]}, path, compress=compress)
    result = scan(path.read_bytes())
    assert statuses(result) == {"examined"}
    assert result.findings == ()


def test_ordinary_files() -> None:
    cases = {
        "empty": (b"", ("inert", "empty")),
        "config.json": (b'{"a": [1, null]}', ("inert", "json")),
        "m.safetensors": (save({"a": np.zeros(3)}), ("examined", "safetensors")),
        "renamed.bin": (save({"a": np.zeros(3)}), ("examined", "safetensors")),
        "a.npy": (npy(np.zeros((3, 4))), ("examined", "numpy")),
        "a.png": (PNG, ("inert", "png")),
        "a.gif": (b"GIF89a" + bytes(7) + b"\x3b", ("inert", "gif")),
        "a.jpg": (b"\xff\xd8\xff\xe0\x00\x12" + bytes(16) + b"\xff\xd9", ("inert", "jpeg")),
        "a.webp": (b"RIFF" + struct.pack("<L", 24) + b"WEBP" + bytes(20), ("inert", "webp")),
        "a.h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), ("not-examined", "hdf5")),
        "late.h5": (bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(99), ("not-examined", "hdf5")),
        "a.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(9), ("not-examined", "7z")),
        "noise": (bytes(range(1, 256)) * 9, ("not-examined", "unknown")),
        "a.onnx": (b"\x08\x07\x12\x07pytorch\xff", ("not-examined", "onnx")),
        "looks like zlib": (b"x^2 + y^2 = z^2\n", ("inert", "text")),
        "looks like bzip2": (b"BZh is how bzip2 begins\n", ("inert", "text")),
        "looks like zip": (b"PK is a party\n", ("inert", "text")),
    }
    for name, (data, expected) in cases.items():
        result = scan(data, name)
        assert rows(result) == {"": expected}, name
        assert result.findings == (), name


@pytest.mark.parametrize("magic", [b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe", b"\0asm"])
def test_native_code_is_a_finding_and_not_examined(magic: bytes) -> None:
    result = scan(magic + bytes(200), "model.safetensors.index")
    assert rules(result) == {"WB-BIN-001"}
    assert statuses(result) == {"not-examined"}


def test_broken_headers_are_findings() -> None:
    good = save({"a": np.zeros(3)})
    assert rules(scan(good[:-1])) == {"WB-STN-003"}
    assert rules(scan(good.replace(b'"F64"', b'"F32"'))) == {"WB-STN-002"}
    assert rules(scan(b"\xff" * 40, "m.safetensors")) == {"WB-STN-001"}
    assert rules(scan(npy(np.zeros(3))[:-1])) == {"WB-NPY-002"}
    assert rules(scan(npy(np.zeros(3)).replace(b"'<f8'", b"'?!?'"))) == {"WB-NPY-001"}
    assert "WB-NPY-003" in rules(scan(npy(np.array([None]))[:128]))
    assert rules(scan(b"GGUF" + bytes(20))) == {"WB-GGF-001"}


def test_chat_template_of_a_gguf_is_a_row() -> None:
    key = b"tokenizer.chat_template"
    raw = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, len(key)) + key
    raw += struct.pack("<IQ", 8, 2) + b"{{" + bytes(32)
    result = scan(raw)
    assert rows(result)[""] == ("examined", "gguf")
    assert rows(result)["tokenizer.chat_template"] == ("not-examined", "jinja template")


def test_limits_become_rows_and_keep_what_was_found() -> None:
    nested = EVIL
    for _ in range(12):
        nested = build_zip({"a": nested})
    result = scan(nested)
    assert not has_evil(result)
    assert "max_nesting = 8" in result.coverage[-1].reason
    many = build_zip({"evil": EVIL, **{f"{n}": b"x" for n in range(20)}})
    result = scan(many, limits=Limits(max_members=10))
    assert has_evil(result)
    assert result.coverage[-1].status.value == "not-examined"
    assert "max_members = 10" in result.coverage[-1].reason
    bomb = gzip.compress(bytes(72 * 1024 * 1024), 9)
    result = scan(bomb, limits=Limits(max_ratio=100))
    assert "max_ratio = 100" in result.coverage[-1].reason
    result = scan(gzip.compress(bytes(9000)), limits=Limits(max_expanded_bytes=100))
    assert "max_expanded_bytes = 100" in result.coverage[-1].reason


def test_quine_like_nesting_is_bounded_over_the_whole_file() -> None:
    """Many members that each expand a lot share one budget."""
    blow = {f"{n}": bytes(1024 * 1024) for n in range(8)}
    raw = build_zip(blow, zipfile.ZIP_DEFLATED)
    result = scan(raw, limits=Limits(max_expanded_bytes=3 * 1024 * 1024))
    assert "max_expanded_bytes" in result.coverage[-1].reason


def test_findings_are_bounded_and_the_worst_is_kept() -> None:
    members = {f"../{n}": b"x" for n in range(30)} | {"z": EVIL}
    result = scan(build_zip(members), limits=Limits(max_findings=10))
    assert len(result.findings) == 11
    assert result.findings[-1].rule_id == "WB-SCN-001"
    assert result.findings[-1].severity is Severity.CRITICAL


def test_index_of_shards_is_plain_json() -> None:
    index = {"metadata": {"total_size": 9}, "weight_map": {f"l.{n}": "m" for n in range(5000)}}
    result = scan(json.dumps(index).encode(), "model.safetensors.index.json")
    assert statuses(result) == {"inert"}
    assert result.facts


def test_tar_rows_and_findings() -> None:
    good = scan(build_tar({"a": b"text", "b/c": b""}))
    assert rows(good) == {
        "a": ("inert", "text"),
        "b/c": ("inert", "empty"),
        "": ("examined", "tar"),
    }
    assert good.findings == ()
    assert rules(scan(build_tar({"../a": b"x"}))) == {"WB-TAR-001"}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        device = tarfile.TarInfo("device")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    result = scan(stream.getvalue())
    assert rules(result) == {"WB-TAR-001"}
    assert rows(result)["device"] == ("not-examined", "unknown")
    for broken in (build_tar({"a": b"x" * 600})[:1000], build_tar({"a": b"x"}) + b"more"):
        result = scan(broken)
        assert rules(result) == {"WB-TAR-002"}
        assert "not-examined" in statuses(result)
    damaged = bytearray(build_tar({"a": b"x"}))
    damaged[130] ^= 1
    assert rules(scan(bytes(damaged))) == {"WB-TAR-002"}


def test_a_zip_is_not_taken_for_a_pickle_that_begins_with_a_persistent_id() -> None:
    """The byte P is the opcode PERSID, which reads on to the first line feed."""
    result = scan(build_zip({"a": b"line\n.", "b": b"line\n0."}))
    assert result.findings == ()
    assert rows(result)[""] == ("examined", "zip")
    assert has_evil(scan(build_zip({"a": b"line\n" + EVIL})))


def test_what_comes_before_a_bomb_is_examined() -> None:
    """A loader that reads as it goes calls the payload long before it meets the zeros."""
    for limits in (Limits(max_ratio=100), Limits(max_expanded_bytes=20_000_000)):
        for raw in (
            zlib.compress(EVIL + bytes(70_000_000)),
            build_zip({"a": EVIL + bytes(70_000_000)}, zipfile.ZIP_DEFLATED),
        ):
            result = scan(raw, limits=limits)
            assert has_evil(result)
            assert "is over the limit" in result.coverage[-1].reason
