"""HDF5 files: what they read elsewhere, what is pickled in them, and what is broken."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
import pytest

from unit.scan_keras.keras_cases import (
    DENSE,
    build_h5,
    build_model,
    build_pickle,
    gates,
    rules,
    scan,
    to_h5,
    to_keras,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS: dict[str, dict[str, Any]] = {
    "old": {},
    "latest": {"libver": "latest"},
    "v110": {"libver": ("v108", "v110")},
    "ordered": {"track_order": True},
    "user-block": {"userblock_size": 2048},
}


def _fill_all_kinds(file: h5py.File) -> None:
    file["floats"] = np.arange(10.0)
    file["words"] = ["a", "bb", "naïve"]
    file["fixed"] = np.array([b"ab", b"c"])
    file["bytes"] = np.arange(256, dtype="u1")
    file["void"] = np.void(b"\x01\x02\xff")
    file["empty"] = h5py.Empty("f4")
    file["flags"] = np.array([True, False])
    file["records"] = np.zeros(3, dtype=[("a", "f4"), ("b", "S3"), ("c", "i2", (2, 3))])
    file["type"] = np.dtype("f8")
    file.create_dataset("typed", shape=(4,), dtype=file["type"])
    file.create_dataset("reference", data=file["floats"].ref, dtype=h5py.ref_dtype)
    file.create_dataset("gzip", data=np.arange(10_000), chunks=(100,), compression="gzip")
    file.create_dataset("lzf", data=np.arange(10_000), compression="lzf", shuffle=True)
    file.create_dataset("packed-words", data=np.array([b"ab\xe9", b"c"] * 500), compression="gzip")
    file["soft"] = h5py.SoftLink("/floats")
    file["group/loop"] = file["/"]
    many = file.create_group("many")
    for number in range(600):
        many.create_group(f"group-{number:05}").attrs["number"] = number
    for number in range(60):
        many.attrs[f"attribute-{number}"] = "x" * number
    file.attrs["long"] = "y" * 100_000


@pytest.mark.parametrize("options", OPTIONS)
def test_benign(options: str) -> None:
    result = scan(build_h5(_fill_all_kinds, **OPTIONS[options]))
    assert not gates(result), (result.findings, result.coverage)
    assert rules(result) <= {"WB-HDF-006"}


@pytest.mark.parametrize("options", OPTIONS)
def test_models_in_hdf5(options: str) -> None:
    result = scan(to_h5(build_model(DENSE), **OPTIONS[options]))
    assert not gates(result), (result.findings, result.coverage)
    assert any(row.format == "keras config" for row in result.coverage)


def test_a_member_of_an_archive_may_begin_where_a_superblock_may() -> None:
    model = build_h5(_fill_all_kinds)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("a.h5", "b.h5"):
            member = tarfile.TarInfo(name)
            member.size = len(model)
            archive.addfile(member, io.BytesIO(model))
    assert not gates(scan(stream.getvalue()))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", b"a" * (512 - 30 - 5 - 30 - 4))
        archive.writestr("b.h5", model)
    assert stream.getvalue().startswith(b"\x89HDF", 512)
    assert not gates(scan(stream.getvalue()))
    assert not gates(scan(to_keras(build_model(DENSE))))


def test_the_header_of_matlab_is_known() -> None:
    data = bytearray(build_h5(lambda file: file.create_dataset("x", data=1.0), userblock_size=512))
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Nov 30 2026 HDF5 schema 1.00 ."
    data[: len(text)] = text
    data[124:128] = b"\x00\x02IM"
    assert not gates(scan(bytes(data)))


def _add_external(name: str) -> Callable[[h5py.File], None]:
    def fill(file: h5py.File) -> None:
        file["x"] = h5py.ExternalLink(name, "/secret")

    return fill


def _add_storage(name: str) -> Callable[[h5py.File], None]:
    def fill(file: h5py.File) -> None:
        file.create_dataset("x", shape=(10,), dtype="u1", external=[(name, 0, 10)])

    return fill


def _add_virtual(*names: str) -> Callable[[h5py.File], None]:
    def fill(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape=(len(names), 10), dtype="i4")
        for number, name in enumerate(names):
            layout[number] = h5py.VirtualSource(name, "data", shape=(10,))
        file.create_virtual_dataset("x", layout)

    return fill


FILES: dict[str, tuple[str, Callable[[h5py.File], None]]] = {
    "link": ("WB-HDF-001", _add_external("/etc/passwd")),
    "link-up": ("WB-HDF-001", _add_external("../../x.h5")),
    "link-home": ("WB-HDF-001", _add_external("~/x.h5")),
    "link-windows": ("WB-HDF-001", _add_external("C:\\x.h5")),
    "link-url": ("WB-HDF-001", _add_external("https://evil/x.h5")),
    "link-beside": ("WB-HDF-002", _add_external("x.h5")),
    # CVE-2025-12058's kin: weights that are the bytes of any file of the machine.
    "storage": ("WB-HDF-001", _add_storage("/etc/passwd")),
    "storage-up": ("WB-HDF-001", _add_storage("../x.raw")),
    "storage-beside": ("WB-HDF-002", _add_storage("x.raw")),
    "virtual": ("WB-HDF-001", _add_virtual("/home/a/x.h5")),
    "virtual-second": ("WB-HDF-001", _add_virtual("a.h5", "../../x.h5")),
    "virtual-beside": ("WB-HDF-002", _add_virtual("x.h5")),
}


@pytest.mark.parametrize("options", ["old", "latest"])
@pytest.mark.parametrize("name", FILES)
def test_other_files(name: str, options: str) -> None:
    rule, fill = FILES[name]
    result = scan(build_h5(fill, **OPTIONS[options]))
    assert rule in rules(result)
    assert gates(result)


def test_links_among_many() -> None:
    def fill(file: h5py.File) -> None:
        _fill_all_kinds(file)
        file["many/zzz"] = h5py.ExternalLink("/etc/passwd", "/")

    for options in OPTIONS.values():
        assert "WB-HDF-001" in rules(scan(build_h5(fill, **options)))


def _add_attribute(value: object) -> Callable[[h5py.File], None]:
    return lambda file: file.create_group("a/b").attrs.create("x", value)


def _add_data(value: object, **options: Any) -> Callable[[h5py.File], None]:
    return lambda file: file.create_dataset("a/x", data=value, **options)


def _add_sequence(data: bytes, **options: Any) -> Callable[[h5py.File], None]:
    def fill(file: h5py.File) -> None:
        kind = h5py.vlen_dtype(np.uint8)
        file.create_dataset("x", (2,), dtype=kind, **options)[1] = np.frombuffer(data, "u1")

    return fill


def _list_pickled(protocol: int) -> list[Callable[[h5py.File], None]]:
    data = build_pickle(protocol)
    numbers = np.frombuffer(data, "u1")
    return [
        _add_attribute(np.void(data)),
        _add_attribute(np.bytes_(data)),
        _add_attribute(numbers),
        _add_attribute(data if protocol == 0 else np.bytes_(data)),
        _add_data(np.void(data)),
        _add_data(np.bytes_(data)),
        _add_data(np.array([b"abc", data])),
        _add_data(np.array([b"abc", data]), compression="gzip", shuffle=True),
        _add_data(numbers),
        _add_data(numbers.view("i1"), compression="gzip", fletcher32=True, chunks=(8,)),
        _add_sequence(data),
        _add_sequence(data, compression="gzip", chunks=(1,)),
    ]


@pytest.mark.parametrize("options", ["old", "latest"])
@pytest.mark.parametrize("protocol", range(6))
def test_pickles(protocol: int, options: str) -> None:
    for number, fill in enumerate(_list_pickled(protocol)):
        result = scan(build_h5(fill, **OPTIONS[options]))
        assert "WB-PKL-001" in rules(result), number
        assert gates(result)


def test_pickles_outside_of_the_structure() -> None:
    plain = build_h5(_fill_all_kinds, userblock_size=512)
    assert not gates(scan(plain))
    assert gates(scan(plain + build_pickle()))
    assert gates(scan(build_pickle() + plain[len(build_pickle()) :]))
    assert gates(scan(b"#!/bin/sh\necho pwned\n" + plain[21:]))
    assert gates(scan(plain + b"\0" * 70_000 + build_pickle()))


def test_filters_that_load_plug_ins() -> None:
    data = build_h5(lambda file: file.create_dataset("x", data=np.arange(99), compression="lzf"))
    assert rules(scan(data)) == {"WB-HDF-006"}
    at = data.index((32000).to_bytes(2, "little") + (8).to_bytes(2, "little"))
    changed = data[:at] + (31999).to_bytes(2, "little") + data[at + 2 :]
    assert "WB-HDF-005" in rules(scan(changed))


def test_a_file_that_was_cut() -> None:
    data = build_h5(_fill_all_kinds)
    for size in (9, 30, 100, 900, 5_000, len(data) - 1):
        assert gates(scan(data[:size])), size
    assert "WB-HDF-003" in rules(scan(data[:-1]))


def test_data_outside_the_file() -> None:
    data = bytearray(build_h5(lambda file: file.create_dataset("x", data=np.full(100, 7.5))))
    at = bytes(data).index(
        b"\x03\x01" + data.index(np.full(2, 7.5).tobytes()).to_bytes(8, "little")
    )
    data[at + 2 : at + 10] = (2**40).to_bytes(8, "little")
    assert "WB-HDF-003" in rules(scan(bytes(data)))


def test_trees_and_headers_that_lead_back() -> None:
    data = bytearray(build_h5(_fill_all_kinds))
    tree = bytes(data).index(b"TREE")
    data[tree + 5] = 1
    data[tree + 32 : tree + 40] = tree.to_bytes(8, "little")
    assert "WB-HDF-004" in rules(scan(bytes(data)))


def test_a_config_that_is_no_json_is_not_examined() -> None:
    assert gates(scan(build_h5(lambda file: file.attrs.create("model_config", "lambda: 1"))))
    assert gates(scan(build_h5(lambda file: file.attrs.create("model_config", "{"))))


def test_pandas_that_writes_numbers_only() -> None:
    """What pandas calls a fixed store, as h5py would write it: words in pickles are read by it."""
    frame = pd.DataFrame({"a": [1.0, 2.0]})

    def fill(file: h5py.File) -> None:
        group = file.create_group("df")
        group.attrs["CLASS"] = np.bytes_(b"GROUP")
        group.attrs["values_version"] = np.bytes_(b"N.")
        group.attrs["axis"] = np.bytes_(b"(lp0\nV1\np1\na.")
        group.create_dataset("block0_values", data=frame.to_numpy())

    assert not gates(scan(build_h5(fill)))
