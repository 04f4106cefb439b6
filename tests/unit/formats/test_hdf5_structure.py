"""The reader of HDF5 sees what h5py wrote, in every layout that h5py writes."""

from __future__ import annotations

import io
from typing import Any

import h5py
import numpy as np
import pytest

from weighbridge.errors import LimitExceededError
from weighbridge.formats import (
    Hdf5File,
    Hdf5Link,
    Hdf5Object,
    Hdf5Problem,
    MemorySource,
    find_hdf5_start,
    list_hdf5_heap_objects,
    read_hdf5,
)

OPTIONS: list[dict[str, Any]] = [
    {},
    {"libver": "latest"},
    {"libver": ("v108", "v110")},
    {"track_order": True},
    {"userblock_size": 512},
    {"userblock_size": 4096, "libver": "latest"},
]


def _fill(file: h5py.File) -> None:
    file["numbers"] = np.arange(10.0)
    file["words"] = ["a", "bb"]
    file["hard"] = file["numbers"]
    file["soft"] = h5py.SoftLink("/numbers")
    file["external"] = h5py.ExternalLink("other.h5", "/x")
    file["group/loop"] = file["/"]
    file["kind"] = np.dtype([("a", "f4"), ("b", "S3"), ("c", "i2", (2, 3)), ("d", "u1")])
    file.create_dataset("typed", shape=(3,), dtype=file["kind"])
    file.create_dataset("chunks", data=np.arange(999), chunks=(10,), compression="gzip")
    for number in range(3_000):
        file.create_group(f"many/group-{number:06}")
    for number in range(200):
        file["many"].attrs[f"attribute-{number}"] = "x" * number
    file.attrs["huge"] = "y" * 200_000
    file.attrs["large"] = np.zeros(5_000)


def _build(options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        if "latest" not in str(options):
            _fill(file)
            del file.attrs["large"]
        else:
            _fill(file)  # only new files keep attributes of more than 64 KiB outside the header
            file.attrs["larger"] = np.zeros(20_000)
    return stream.getvalue()


def _read(data: bytes) -> list[Any]:
    return list(read_hdf5(MemorySource("x", data), spend=lambda _: None))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_objects_and_attributes_are_those_of_h5py(options: dict[str, Any]) -> None:
    data = _build(options)
    events = _read(data)
    assert not [event for event in events if isinstance(event, Hdf5Problem)]
    head = events[0]
    assert isinstance(head, Hdf5File)
    assert head.start == options.get("userblock_size", 0) == find_hdf5_start(MemorySource("", data))
    assert head.end == len(data)
    objects = {event.path: event for event in events if isinstance(event, Hdf5Object)}
    names = {"/"}
    with h5py.File(io.BytesIO(data)) as file:
        file.visit(lambda name: names.add(f"/{name}"))
        many = {name: value.encode() for name, value in file["many"].attrs.items()}
        large = set(file.attrs)
    # Of several names of one object, any is told.
    assert objects.keys() - {"/hard", "/numbers"} == names - {"/hard", "/numbers"}
    assert {one.name: one.values[0] for one in objects["/many"].attributes} == many
    assert {one.name for one in objects["/"].attributes} == large
    chunks = objects["/chunks"].dataset
    assert chunks is not None
    assert len(chunks.runs) == 100
    assert [one.number for one in chunks.filters] == [1]
    typed = objects["/typed"].dataset
    assert typed is not None
    assert [part.kind for part in typed.type.parts] == ["float", "string", "array", "integer"]
    links = {event.path: event for event in events if isinstance(event, Hdf5Link)}
    assert links["/external"] == Hdf5Link("/external", "external", "other.h5", "/x")
    assert links["/soft"].target == "/numbers"
    values = list_hdf5_heap_objects(MemorySource("x", data), head, spend=lambda _: None)
    assert b"bb" in {data[offset : offset + size] for offset, size in values}


def test_what_is_read_is_counted_and_can_be_stopped() -> None:
    data = _build({})
    spent = []

    def spend(count: int) -> None:
        spent.append(count)
        if sum(spent) > 10_000:
            raise LimitExceededError("max", limit=10_000, actual=sum(spent), subject="x")

    with pytest.raises(LimitExceededError):
        list(read_hdf5(MemorySource("x", data), spend=spend))


@pytest.mark.parametrize(
    "data", [b"", b"\x89HDF\r\n\x1a\n", b"a" * 600, b"\x89HDF\r\n\x1a\n\x09" * 9]
)
def test_what_is_no_hdf5_is_one_problem(data: bytes) -> None:
    (event,) = _read(data)
    assert isinstance(event, Hdf5Problem)
