"""Archives and streams that cost: members without end, expansion, overlaps, nesting."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib

from benchmarks._bombs import MIB, bare_zip, bomb, gzipped, repeat, tarred, zipped


@bomb("zip-million-members.zip")
def million_members() -> bytes:
    return bare_zip([b"%d" % i for i in range(1_000_000)], b"")


@bomb("zip-many-members.zip")
def many_members() -> bytes:
    return bare_zip([b"a/%d.txt" % i for i in range(99_000)], b"hello")


@bomb("zip-many-real-members.zip")
def many_real_members() -> bytes:
    return zipped({f"src/a{i}.txt": b"some text %d\n" % i for i in range(95_000)})


@bomb("zip-many-pickles.zip")
def many_pickles() -> bytes:
    return zipped({f"{i}.pkl": pickle.dumps({"a": i}) for i in range(95_000)})


@bomb("zip-many-dangerous-pickles.zip")
def many_dangerous_pickles() -> bytes:
    return zipped({f"{i}.pkl": b"cos\nsystem\n(S'id'\ntR." for i in range(60_000)})


@bomb("zip-many-sources.zip")
def many_sources() -> bytes:
    return zipped({f"{i}.py": b"import os\nos.getcwd()\n" * 3 for i in range(60_000)})


@bomb("zip-many-json.zip")
def many_json() -> bytes:
    return zipped({f"{i}.json": b'{"auto_map": {"a": "b.c"}}' for i in range(60_000)})


@bomb("zip-overlapping.zip")
def overlapping() -> bytes:
    """Members that all are one and the same megabyte of a pickle."""
    return bare_zip(
        [b"%d.pkl" % i for i in range(50_000)], b"\x80\x04" + b"N0" * (MIB // 2) + b"N."
    )


@bomb("zip-overlapping-text.zip")
def overlapping_text() -> bytes:
    return bare_zip([b"%d.py" % i for i in range(50_000)], b"a = 1\n" * 100_000)


@bomb("zip-overlapping-numbers.zip")
def overlapping_numbers() -> bytes:
    return bare_zip([b"%d" % i for i in range(50_000)], os.urandom(MIB))


@bomb("zip-comments.zip")
def comments() -> bytes:
    return bare_zip([b"%d" % i for i in range(700)], b"x", comment=b"c" * 60_000)


@bomb("zip-extras.zip")
def extras() -> bytes:
    return bare_zip([b"%d" % i for i in range(700)], b"x", extra=b"\1\0\0\0" * 15_000)


@bomb("zip-names-long.zip")
def names_long() -> bytes:
    return bare_zip([b"%d" % i + b"/a" * 30_000 for i in range(700)], b"x")


@bomb("zip-locals.zip")
def locals_only() -> bytes:
    """Local headers without a directory."""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    return repeat(local, 30 * MIB)


@bomb("zip-locals-nested.zip")
def locals_nested() -> bytes:
    """Local headers that each hold all that follow."""
    rows = []
    for index in range(300_000):
        left = (300_000 - index) * 31
        rows.append(struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, left, left, 1, 0) + b"a")
    return b"".join(rows) + zipped({"b": b"1"})


@bomb("zip-ends.zip")
def ends() -> bytes:
    """End records without end."""
    return repeat(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0), 30 * MIB)


@bomb("zip-deflate.zip")
def deflate() -> bytes:
    return zipped({f"{i}": bytes(400 * MIB) for i in range(2)})


@bomb("zip-deflate-pickle.zip")
def deflate_pickle() -> bytes:
    return zipped({"data.pkl": b"\x80\x04" + b"N0" * (100 * MIB) + b"N."})


@bomb("zip-deflate-text.zip")
def deflate_text() -> bytes:
    return zipped({"a.txt": b"import a\n" * (40 * MIB)})


@bomb("zip-deflate-json.zip")
def deflate_json() -> bytes:
    return zipped({"a.json": b'{"auto_map":[' + b"0," * (20 * MIB) + b"0]}"})


@bomb("zip-many-deflate.zip")
def many_deflate() -> bytes:
    return zipped({f"{i}.txt": b"x = 1\n" * 100_000 for i in range(1000)})


@bomb("zip-nested.zip")
def nested() -> bytes:
    data = zipped({"a": b"1"})
    for level in range(60):
        data = zipped({f"{level}.zip": data})
    return data


@bomb("zip-nested-wide.zip")
def nested_wide() -> bytes:
    data = b"\x80\x04" + b"N0" * 100_000 + b"N."
    for _ in range(6):
        data = zipped({f"{i}.zip": data for i in range(10)})
    return data


@bomb("zip-quine-like.zip")
def quine_like() -> bytes:
    """A zip that is stored in itself again and again by its directory."""
    data = zipped({"a": b"1"}, zipfile.ZIP_STORED)
    return bare_zip([b"%d.zip" % i for i in range(20_000)], data * 3)


@bomb("zip-lzma.zip")
def in_lzma() -> bytes:
    return zipped({"a": bytes(300 * MIB)}, zipfile.ZIP_LZMA)


@bomb("zip-bzip2.zip")
def in_bzip2() -> bytes:
    return zipped({"a": bytes(300 * MIB)}, zipfile.ZIP_BZIP2)


@bomb("torch-many-storages.pt")
def many_storages() -> bytes:
    return zipped(
        {"m/data.pkl": b"\x80\x02}.", "m/version": b"3"}
        | {f"m/data/{i}": b"1234" for i in range(90_000)}
    )


@bomb("npz-many.npz")
def npz_many() -> bytes:
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }"
    head = head.ljust(117) + b"\n"
    array = b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head + bytes(8)
    return zipped({f"{i}.npy": array for i in range(80_000)})


@bomb("tar-empty-members.tar")
def tar_empty() -> bytes:
    block = tarred({"a": b""})[:512]
    return block * 100_000 + bytes(1024)


@bomb("tar-too-many-members.tar")
def tar_too_many() -> bytes:
    block = tarred({"a": b""})[:512]
    return block * 160_000 + bytes(1024)


@bomb("tar-texts.tar")
def tar_texts() -> bytes:
    block = tarred({"a.py": b"import os\n"})[:1024]
    return block * 60_000 + bytes(1024)


@bomb("tar-pax.tar")
def tar_pax() -> bytes:
    """A header with 300,000 attributes, of 100 bytes each."""
    rows = repeat(b"100 comment=" + b"v" * 87 + b"\n", 30_000_000)
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.XHDTYPE, len(rows)
    padding = bytes(-len(rows) % 512)
    return info.tobuf(tarfile.USTAR_FORMAT) + rows + padding + tarred({"a": b""})


@bomb("tar-long-names.tar")
def tar_long_names() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for index in range(300):
            archive.addfile(tarfile.TarInfo(f"{index}" + "/a" * 40_000))
    return out.getvalue()


@bomb("tar-nested.tar")
def tar_nested() -> bytes:
    data = b"1"
    for _ in range(100):
        data = tarred({"a.tar": data})
    return data


@bomb("gz-zeros.gz")
def gz_zeros() -> bytes:
    return gzipped(bytes(2048 * MIB))


@bomb("gz-zeros-under-ratio.gz")
def gz_under_ratio() -> bytes:
    """Just below one hundred bytes for each."""
    return gzipped(os.urandom(6 * MIB) + bytes(580 * MIB))


@bomb("gz-pickle.pkl.gz")
def gz_pickle() -> bytes:
    return gzipped(os.urandom(0) + b"\x80\x04" + b"N0" * (30 * MIB) + b"N.")


@bomb("gz-text.txt.gz")
def gz_text() -> bytes:
    return gzipped(b"a = b\n" * (10 * MIB))


@bomb("gz-many-streams.gz")
def gz_many() -> bytes:
    return repeat(gzipped(b""), 20 * MIB)


@bomb("gz-many-small-streams.gz")
def gz_many_small() -> bytes:
    return repeat(gzipped(b"a"), 20 * MIB)


@bomb("gz-nested.gz")
def gz_nested() -> bytes:
    data = bytes(MIB)
    for _ in range(200):
        data = gzipped(data)
    return data


@bomb("gz-laughs.gz")
def gz_laughs() -> bytes:
    data = bytes(1024 * MIB)
    for _ in range(3):
        data = gzipped(data)
    return data


@bomb("bz2-zeros.bz2")
def bz2_zeros() -> bytes:
    return bz2.compress(bytes(512 * MIB))


@bomb("bz2-many.bz2")
def bz2_many() -> bytes:
    return repeat(bz2.compress(b""), 20 * MIB)


@bomb("bz2-numbers.bz2")
def bz2_numbers() -> bytes:
    return bz2.compress(os.urandom(30 * MIB))


@bomb("xz-zeros.xz")
def xz_zeros() -> bytes:
    return lzma.compress(bytes(1024 * MIB), preset=0)


@bomb("xz-many.xz")
def xz_many() -> bytes:
    return repeat(lzma.compress(b"a"), 20 * MIB)


@bomb("xz-dictionary.xz")
def xz_dictionary() -> bytes:
    """A window of 1.5 GiB for a few bytes."""
    pack = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}])
    data = bytearray(pack.compress(b"a" * 100) + pack.flush())
    at = data.index(b"\x21\x01", 12) + 2  # the properties of the filter
    data[at] = 40
    data[20:24] = zlib.crc32(bytes(data[12:20])).to_bytes(4, "little")
    return bytes(data)


@bomb("lzma-alone.lzma")
def lzma_alone() -> bytes:
    return lzma.compress(bytes(512 * MIB), format=lzma.FORMAT_ALONE, preset=0)


@bomb("zlib-zeros.z")
def zlib_zeros() -> bytes:
    return zlib.compress(bytes(1024 * MIB), 9)


@bomb("zlib-many.z")
def zlib_many() -> bytes:
    return repeat(zlib.compress(b""), 20 * MIB)


@bomb("zstd-zeros.zst")
def zstd_zeros() -> bytes:
    import zstandard

    return zstandard.compress(bytes(1024 * MIB))


@bomb("zstd-many.zst")
def zstd_many() -> bytes:
    import zstandard

    return repeat(zstandard.compress(b""), 20 * MIB)


@bomb("zstd-skippable.zst")
def zstd_skippable() -> bytes:
    import zstandard

    return repeat(b"\x50\x2a\x4d\x18\0\0\0\0", 20 * MIB) + zstandard.compress(b"a")


@bomb("zstd-window.zst")
def zstd_window() -> bytes:
    import zstandard

    parameters = zstandard.ZstdCompressionParameters(window_log=30, compression_level=1)
    pack = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return pack.compress(bytes(1100 * MIB)) + pack.flush()


@bomb("lz4-zeros.lz4")
def lz4_zeros() -> bytes:
    import lz4.frame

    return lz4.frame.compress(bytes(512 * MIB))


@bomb("lz4-many.lz4")
def lz4_many() -> bytes:
    import lz4.frame

    return repeat(lz4.frame.compress(b""), 20 * MIB)


@bomb("7z-folders.7z")
def seven_folders() -> bytes:
    return _seven_z(60_000)


@bomb("7z-many-folders.7z")
def seven_many_folders() -> bytes:
    return _seven_z(900_000)


def _number(value: int) -> bytes:
    return b"\xff" + value.to_bytes(8, "little")


def _seven_z(count: int) -> bytes:
    """Folders of one byte each, stored, and a file in each."""
    packed = b"a" * count
    header = b"\1\4"
    header += b"\6" + _number(0) + _number(count) + b"\x09" + b"\1" * count + b"\0"
    header += b"\7\x0b" + _number(count) + b"\0" + b"\1\1\0" * count
    header += b"\x0c" + b"\1" * count + b"\0"
    header += b"\0"
    names = b"\0" + b"a\0\0\0" * count
    header += b"\5" + _number(count) + b"\x11" + _number(len(names)) + names + b"\0\0"
    start = len(packed).to_bytes(8, "little") + len(header).to_bytes(8, "little")
    start += zlib.crc32(header).to_bytes(4, "little")
    return (
        b"7z\xbc\xaf\x27\x1c\0\4"
        + zlib.crc32(start).to_bytes(4, "little")
        + start
        + packed
        + header
    )


@bomb("7z-counts.7z")
def seven_counts() -> bytes:
    header = b"\1\4\6" + _number(0) + _number(1 << 60) + b"\0\0\0"
    start = (0).to_bytes(8, "little") + len(header).to_bytes(8, "little")
    start += zlib.crc32(header).to_bytes(4, "little")
    return b"7z\xbc\xaf\x27\x1c\0\4" + zlib.crc32(start).to_bytes(4, "little") + start + header


@bomb("7z-real.7z")
def seven_real() -> bytes:
    import py7zr

    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        for index in range(20):
            archive.writestr(bytes(20 * MIB), f"{index}")
    return out.getvalue()


@bomb("joblib-zeros.joblib")
def joblib_zeros() -> bytes:
    import joblib
    import numpy as np

    out = io.BytesIO()
    joblib.dump({f"a{i}": np.zeros(10 * MIB) for i in range(5)}, out, compress=("zlib", 9))
    return out.getvalue()


@bomb("joblib-many-arrays.joblib")
def joblib_many() -> bytes:
    import joblib
    import numpy as np

    out = io.BytesIO()
    joblib.dump([np.zeros(1) + i for i in range(60_000)], out)
    return out.getvalue()
