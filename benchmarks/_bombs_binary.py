"""Headers, graphs and pictures that cost: counts that lie, fields and chunks without end."""

from __future__ import annotations

import io
import json
import struct
import zlib

from benchmarks._bombs import MIB, bomb, field, repeat, varint


def _safetensors(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


@bomb("safetensors-many.safetensors")
def safetensors_many() -> bytes:
    row = '"t%d":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}'
    header = ",".join(row % (i, i * 4, i * 4 + 4) for i in range(1_300_000))
    return _safetensors(b"{" + header.encode() + b"}")


@bomb("safetensors-blank.safetensors")
def safetensors_blank() -> bytes:
    return _safetensors(b"{}" + b" " * 99_000_000)


@bomb("safetensors-deep.safetensors")
def safetensors_deep() -> bytes:
    return _safetensors(b'{"a":' + b"[" * 99_000_000)


@bomb("safetensors-metadata.safetensors")
def safetensors_metadata() -> bytes:
    return _safetensors(
        json.dumps({"__metadata__": {f"k{i}": "v" * 20 for i in range(1_500_000)}}).encode()
    )


@bomb("safetensors-metadata-one.safetensors")
def safetensors_metadata_one() -> bytes:
    return _safetensors(b'{"__metadata__":{"a":"' + b"\\u0041" * 16_000_000 + b'"}}')


@bomb("safetensors-shape.safetensors")
def safetensors_shape() -> bytes:
    shape = b"1," * 40_000_000
    return _safetensors(b'{"a":{"dtype":"F32","shape":[' + shape + b'1],"data_offsets":[0,4]}}')


@bomb("safetensors-integer.safetensors")
def safetensors_integer() -> bytes:
    return _safetensors(
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 90_000_000 + b'],"data_offsets":[0,4]}}'
    )


@bomb("npy-header.npy")
def npy_header() -> bytes:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"1," * 20_000_000 + b"), }\n"
    return b"\x93NUMPY\2\0" + len(header).to_bytes(4, "little") + header


@bomb("npy-header-nested.npy")
def npy_header_nested() -> bytes:
    header = b"{'descr': " + b"[" * 30_000 + b"'fortran_order': False, 'shape': (1,), }\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header


@bomb("npy-fields.npy")
def npy_fields() -> bytes:
    fields = ",".join(f"('f{i}','<f8')" for i in range(3000))
    header = f"{{'descr': [{fields}], 'fortran_order': False, 'shape': (1,), }}\n".encode()
    return b"\x93NUMPY\2\0" + len(header).to_bytes(4, "little") + header + bytes(24_000)


def _gguf(tensors: int, pairs: int, body: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + body


def _string(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


@bomb("gguf-counts.gguf")
def gguf_counts() -> bytes:
    return _gguf(1 << 60, 1 << 60, b"")


@bomb("gguf-pairs.gguf")
def gguf_pairs() -> bytes:
    rows = b"".join(_string(b"key%d" % i) + struct.pack("<IB", 0, 1) for i in range(2_000_000))
    return _gguf(0, 2_000_000, rows)


@bomb("gguf-tensors.gguf")
def gguf_tensors() -> bytes:
    rows = b"".join(
        _string(b"t%d" % i) + struct.pack("<IQIQ", 1, 1, 0, i * 32) for i in range(1_500_000)
    )
    return _gguf(1_500_000, 0, rows)


@bomb("gguf-strings.gguf")
def gguf_strings() -> bytes:
    body = _string(b"a") + struct.pack("<IIQ", 9, 8, 5_000_000) + bytes(8) * 5_000_000
    return _gguf(0, 1, body)


@bomb("gguf-arrays-nested.gguf")
def gguf_arrays_nested() -> bytes:
    return _gguf(0, 1, _string(b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 1_500_000)


@bomb("gguf-arrays-empty.gguf")
def gguf_arrays_empty() -> bytes:
    body = (
        _string(b"a") + struct.pack("<IIQ", 9, 9, 3_000_000) + struct.pack("<IQ", 0, 0) * 3_000_000
    )
    return _gguf(0, 1, body)


@bomb("gguf-template.gguf")
def gguf_template() -> bytes:
    value = b"{% if a %}" * 300_000
    return _gguf(0, 1, _string(b"tokenizer.chat_template") + struct.pack("<I", 8) + _string(value))


def _onnx(graph: bytes) -> bytes:
    return (
        field(1, 8)
        + field(2, b"pytorch")
        + field(7, graph)
        + field(8, field(1, b"") + field(2, 17))
    )


@bomb("onnx-nodes.onnx")
def onnx_nodes() -> bytes:
    return _onnx(
        repeat(field(1, field(1, b"a") + field(2, b"b") + field(4, b"Add")), 30 * MIB)
        + field(2, b"g")
    )


@bomb("onnx-nodes-unknown.onnx")
def onnx_nodes_unknown() -> bytes:
    nodes = b"".join(field(1, field(4, b"Op%d" % i) + field(7, b"d%d" % i)) for i in range(700_000))
    return _onnx(nodes + field(2, b"g"))


@bomb("onnx-empty-nodes.onnx")
def onnx_empty_nodes() -> bytes:
    return _onnx(repeat(field(1, b""), 20 * MIB) + field(2, b"g"))


@bomb("onnx-tensors.onnx")
def onnx_tensors() -> bytes:
    tensor = field(1, 1) + field(2, 1) + field(8, b"t") + field(9, b"\0\0\0\0")
    return _onnx(repeat(field(5, tensor), 30 * MIB) + field(2, b"g"))


@bomb("onnx-tensor-shape.onnx")
def onnx_tensor_shape() -> bytes:
    return _onnx(
        field(5, repeat(field(1, 1), 20 * MIB) + field(2, 1) + field(8, b"t")) + field(2, b"g")
    )


@bomb("onnx-external.onnx")
def onnx_external() -> bytes:
    entry = field(13, field(1, b"location") + field(2, b"../../etc/passwd"))
    return _onnx(repeat(field(5, field(2, 1) + field(8, b"t") + entry + field(14, 1)), 20 * MIB))


@bomb("onnx-graphs-nested.onnx")
def onnx_graphs_nested() -> bytes:
    graph = field(2, b"g")
    for _ in range(3000):
        graph = field(
            1, field(4, b"If") + field(5, field(1, b"then_branch") + field(20, 5) + field(6, graph))
        )
    return _onnx(graph)


@bomb("onnx-functions.onnx")
def onnx_functions() -> bytes:
    call = field(7, field(4, b"f") + field(7, b"d"))
    function = field(1, b"f") + call + call + field(10, b"d")
    return _onnx(field(2, b"g")) + repeat(field(25, function), 20 * MIB)


@bomb("onnx-metadata.onnx")
def onnx_metadata() -> bytes:
    return _onnx(field(2, b"g")) + repeat(field(14, field(1, b"k") + field(2, b"v")), 20 * MIB)


@bomb("onnx-names-long.onnx")
def onnx_names_long() -> bytes:
    return _onnx(
        field(1, field(4, b"A" * (20 * MIB)) + field(7, b"d" * (20 * MIB))) + field(2, b"g")
    )


@bomb("tensorflow-nodes.pb")
def tensorflow_nodes() -> bytes:
    return repeat(field(1, field(1, b"a") + field(2, b"Add") + field(3, b"b")), 30 * MIB)


@bomb("tensorflow-nodes-unknown.pb")
def tensorflow_nodes_unknown() -> bytes:
    return b"".join(field(1, field(1, b"n%d" % i) + field(2, b"Op%d" % i)) for i in range(900_000))


@bomb("tensorflow-inputs.pb")
def tensorflow_inputs() -> bytes:
    return field(1, field(1, b"a") + field(2, b"Add") + repeat(field(3, b"b"), 30 * MIB))


@bomb("tensorflow-attributes.pb")
def tensorflow_attributes() -> bytes:
    pair = field(5, field(1, b"T") + field(2, field(6, 1)))
    return field(1, field(1, b"a") + field(2, b"Add") + repeat(pair, 30 * MIB))


@bomb("tensorflow-attributes-nested.pb")
def tensorflow_attributes_nested() -> bytes:
    value = field(6, 1)
    for _ in range(5000):
        value = field(10, field(1, b"f") + field(2, field(1, b"a") + field(2, value)))
    return field(1, field(1, b"a") + field(2, b"Add") + field(5, field(1, b"T") + field(2, value)))


@bomb("tensorflow-saved.pb")
def tensorflow_saved() -> bytes:
    graph = repeat(field(1, field(1, b"a") + field(2, b"ReadFile")), 20 * MIB)
    return field(1, 1) + field(2, field(1, field(4, b"serve")) + field(2, graph))


@bomb("tensorflow-functions.pb")
def tensorflow_functions() -> bytes:
    function = field(1, field(1, b"f")) + field(3, field(1, b"a") + field(2, b"f"))
    return field(1, field(1, b"a") + field(2, b"f")) + field(
        2, repeat(field(1, function), 20 * MIB)
    )


@bomb("protobuf-groups.pb")
def protobuf_groups() -> bytes:
    return b"\x0b" * (20 * MIB)


@bomb("protobuf-varints.pb")
def protobuf_varints() -> bytes:
    return b"\x08" + b"\xff" * (20 * MIB)


@bomb("protobuf-nested.pb")
def protobuf_nested() -> bytes:
    data = b""
    for _ in range(20_000):
        data = b"\x0a" + varint(len(data)) + data
    return data


@bomb("coreml.mlmodel")
def coreml() -> bytes:
    layers = repeat(
        field(1, field(1, b"l") + field(2, b"a") + field(3, b"b") + field(500, field(1, b"c"))),
        20 * MIB,
    )
    return field(1, 4) + field(2, field(1, b"")) + field(500, layers)


@bomb("coreml-pipeline.mlmodel")
def coreml_pipeline() -> bytes:
    model = field(1, 4) + field(500, b"")
    for _ in range(2000):
        model = field(1, 4) + field(202, field(1, model))
    return model


@bomb("tflite-vectors.tflite")
def tflite_vectors() -> bytes:
    """Tables that all lie over each other."""
    body = bytearray(20 * MIB)
    body[0:8] = struct.pack("<I4s", 32, b"TFL3")
    body[8:28] = struct.pack("<10H", 20, 20, 4, 8, 12, 16, 4, 8, 12, 16)
    body[32:52] = struct.pack("<iIIII", 24, 3, 20, 16, 12)
    for place in range(52, 52 + 16, 4):
        body[place : place + 4] = struct.pack("<I", 5_000_000)
    return bytes(body)


@bomb("msgpack-nested.msgpack")
def msgpack_nested() -> bytes:
    return b"\x91" * (20 * MIB)


@bomb("msgpack-maps.msgpack")
def msgpack_maps() -> bytes:
    return b"\xdd" + struct.pack(">I", 10 * MIB) + b"\x80" * (10 * MIB)


@bomb("msgpack-wide.msgpack")
def msgpack_wide() -> bytes:
    return b"\xdd" + struct.pack(">I", 40 * MIB) + b"\xc0" * (40 * MIB)


@bomb("msgpack-ext.msgpack")
def msgpack_ext() -> bytes:
    return b"\xdd" + struct.pack(">I", 4 * MIB) + b"\xd4\1\0" * (4 * MIB)


@bomb("msgpack-lies.msgpack")
def msgpack_lies() -> bytes:
    return b"\xdf\xff\xff\xff\xff" + b"\xa1a\xdf\xff\xff\xff\xff" * 3_000_000


@bomb("ubjson.ubj")
def ubjson() -> bytes:
    return b"{L" + bytes(7) + b"\x07learner" + b"[" * (20 * MIB)


@bomb("ubjson-wide.ubj")
def ubjson_wide() -> bytes:
    return b"{L" + bytes(7) + b"\x07learner[" + b"Z" * (30 * MIB) + b"]}"


@bomb("ubjson-typed.ubj")
def ubjson_typed() -> bytes:
    return b"{L" + bytes(7) + b"\x07learner[$Z#L\x0f" + b"\xff" * 7 + b"}"


def _hdf5(write: object) -> bytes:
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        write(file)  # type: ignore[operator]
    return out.getvalue()


@bomb("hdf5-groups.h5")
def hdf5_groups() -> bytes:
    def write(file: object) -> None:
        for index in range(60_000):
            file.create_group(f"g{index}")  # type: ignore[attr-defined]

    return _hdf5(write)


@bomb("hdf5-deep.h5")
def hdf5_deep() -> bytes:
    def write(file: object) -> None:
        file.create_group("/".join("g" * 2000))  # type: ignore[attr-defined]

    return _hdf5(write)


@bomb("hdf5-links.h5")
def hdf5_links() -> bytes:
    import h5py

    def write(file: object) -> None:
        for index in range(60_000):
            file[f"l{index}"] = h5py.ExternalLink("/etc/passwd", "/a")  # type: ignore[index]

    return _hdf5(write)


@bomb("hdf5-hard-links.h5")
def hdf5_hard_links() -> bytes:
    def write(file: object) -> None:
        group = file.create_group("a")  # type: ignore[attr-defined]
        for index in range(1, 60):
            inner = group.create_group("x")
            group["y"] = inner
            group = inner
            del index

    return _hdf5(write)


@bomb("hdf5-strings.h5")
def hdf5_strings() -> bytes:
    import h5py

    def write(file: object) -> None:
        data = [f"text {i}" for i in range(500_000)]
        file.create_dataset("a", data=data, dtype=h5py.string_dtype())  # type: ignore[attr-defined]

    return _hdf5(write)


@bomb("hdf5-chunks.h5")
def hdf5_chunks() -> bytes:
    import numpy as np

    def write(file: object) -> None:
        file.create_dataset("a", data=np.zeros(300_000, "u1"), chunks=(1,))  # type: ignore[attr-defined]

    return _hdf5(write)


@bomb("hdf5-attributes.h5")
def hdf5_attributes() -> bytes:
    def write(file: object) -> None:
        group = file.create_group("a", track_order=True)  # type: ignore[attr-defined]
        for index in range(30_000):
            group.attrs[f"a{index}"] = "b" * 100

    return _hdf5(write)


@bomb("hdf5-config.h5")
def hdf5_config() -> bytes:
    def write(file: object) -> None:
        layer = '{"class_name":"Lambda","config":{}},'
        value = '{"class_name":"Sequential","config":{"layers":[' + layer * 80_000 + "0]}}"
        file.create_dataset("model_config", data=value)  # type: ignore[attr-defined]

    return _hdf5(write)


@bomb("hdf5-continuations.h5")
def hdf5_continuations() -> bytes:
    """A header whose messages go on in themselves."""
    data = bytearray(_hdf5(lambda file: file.create_group("a")))
    return bytes(data) + repeat(b"TREE\0\0\x01\0" + b"\xff" * 16, 30 * MIB)


def _rds(body: bytes) -> bytes:
    return b"X\n" + struct.pack(">III", 2, 0x40000, 0x20300) + body


@bomb("r-lists.rds")
def r_lists() -> bytes:
    return _rds(struct.pack(">II", 19, 1) * 2_000_000)


@bomb("r-pairs.rds")
def r_pairs() -> bytes:
    return _rds(struct.pack(">I", 2) * 5_000_000)


@bomb("r-nulls.rds")
def r_nulls() -> bytes:
    return _rds(struct.pack(">II", 19, 5_000_000) + struct.pack(">I", 254) * 5_000_000)


@bomb("r-calls.rds")
def r_calls() -> bytes:
    call = struct.pack(">III", 6, 1, 9) + struct.pack(">I", 4) + b"syst" + struct.pack(">I", 254)
    return _rds(struct.pack(">II", 19, 800_000) + call * 800_000)


@bomb("r-promises.rds")
def r_promises() -> bytes:
    return _rds(struct.pack(">I", 5) * 5_000_000)


@bomb("pdf-objects.pdf")
def pdf_objects() -> bytes:
    return b"%PDF-1.7\n" + b"".join(
        b"%d 0 obj<</S/JavaScript/JS(a)>>endobj\n" % i for i in range(500_000)
    )


@bomb("pdf-streams.pdf")
def pdf_streams() -> bytes:
    data = zlib.compress(bytes(20 * MIB), 9)
    stream = (
        b"1 0 obj<</Filter/FlateDecode/Length %d>>stream\n" % len(data)
        + data
        + b"\nendstream endobj\n"
    )
    return b"%PDF-1.7\n" + stream * 500


@bomb("pdf-open.pdf")
def pdf_open() -> bytes:
    return b"%PDF-1.7\n" + repeat(b"1 0 obj<<stream\n", 20 * MIB)


@bomb("pdf-names.pdf")
def pdf_names() -> bytes:
    return b"%PDF-1.7\n" + repeat(b"/#4a#61vaScript ", 20 * MIB)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_PNG = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))


@bomb("png-chunks.png")
def png_chunks() -> bytes:
    return _PNG + repeat(_chunk(b"tEXt", b""), 20 * MIB) + _chunk(b"IEND", b"")


@bomb("png-texts.png")
def png_texts() -> bytes:
    return (
        _PNG
        + repeat(_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(MIB))), 20 * MIB)
        + _chunk(b"IEND", b"")
    )


@bomb("jpeg-segments.jpg")
def jpeg_segments() -> bytes:
    return b"\xff\xd8" + repeat(b"\xff\xe1\0\2", 20 * MIB) + b"\xff\xd9"


@bomb("gif-blocks.gif")
def gif_blocks() -> bytes:
    return b"GIF89a\1\0\1\0\0\0\0" + repeat(b"\x21\xfe\1a\0", 20 * MIB) + b";"


@bomb("riff.wav")
def riff() -> bytes:
    return b"RIFF" + struct.pack("<I", 20 * MIB) + b"WAVE" + repeat(b"abcd\0\0\0\0", 20 * MIB)


@bomb("mp4.mp4")
def mp4() -> bytes:
    return b"\0\0\0\x10ftypisom\0\0\0\0" + repeat(b"\0\0\0\x08free", 20 * MIB)


@bomb("elf.so")
def elf() -> bytes:
    return b"\x7fELF\2\1\1" + bytes(9) + b"\xff" * 48 + bytes(20 * MIB)


@bomb("numbers.bin")
def numbers() -> bytes:
    import random

    return random.Random(0).randbytes(100 * MIB)


@bomb("zeros.bin")
def zeros() -> bytes:
    return bytes(200 * MIB)


@bomb("ones.bin")
def ones() -> bytes:
    return b"\xff" * (50 * MIB)


@bomb("paddle.pdmodel")
def paddle() -> bytes:
    op = field(4, field(3, b"py_func"))
    return field(1, field(1, 0) + field(2, 0) + repeat(op, 20 * MIB))


@bomb("sentencepiece.model")
def sentencepiece() -> bytes:
    return repeat(field(1, field(1, b"abc") + b"\x15\0\0\0\0"), 20 * MIB)


@bomb("parquet.parquet")
def parquet() -> bytes:
    footer = b"\x15\2" + b"\x19\xfc" + varint(20_000_000) + b"\x48\1a\0" * 3_000_000
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


@bomb("arrow.arrow")
def arrow() -> bytes:
    return b"ARROW1\0\0" + repeat(b"\xff\xff\xff\xff\x08\0\0\0" + bytes(8), 20 * MIB) + b"ARROW1"


@bomb("catboost.cbm")
def catboost() -> bytes:
    return b"CBM1" + struct.pack("<I", 20 * MIB) + b"\x10\0\0\0" * (5 * MIB)
