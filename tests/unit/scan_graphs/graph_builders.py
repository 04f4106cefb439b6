"""Builders of graphs: protobuf messages, flat buffers, and what the scanner says of them."""

from __future__ import annotations

from weighbridge.core import DEFAULT_LIMITS, Answer, CoverageStatus, FileScan
from weighbridge.formats import MemorySource
from weighbridge.scanning import build_inspector

Value = "int | str | bytes | float"


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def pb(*fields: tuple[int, int | str | bytes]) -> bytes:
    """Return a message of (number, value)."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def scan(data: bytes, name: str = "model.bin") -> FileScan:
    return build_inspector(limits=DEFAULT_LIMITS)(MemorySource(name, data))


def gates(result: FileScan) -> list[str]:
    """Return what keeps a scan from exit code 0."""
    bad = [
        one.rule_id
        for one in result.findings
        if one.answer is not Answer.PASS and one.severity.rank >= 2
    ]
    rows = [
        f"{row.format}: {row.reason}"
        for row in result.coverage
        if row.status is CoverageStatus.NOT_EXAMINED
    ]
    return [*bad, *rows]


# TensorFlow


def tf_const(name: str, text: str) -> bytes:
    tensor = pb((1, 7), (2, b""), (8, text))
    return pb((1, name), (2, "Const"), (5, pb((1, "value"), (2, pb((8, tensor))))))


def tf_node(name: str, op: str, *inputs: str, **attributes: str) -> bytes:
    entries = [(5, pb((1, key), (2, pb((2, value))))) for key, value in attributes.items()]
    return pb((1, name), (2, op), *[(3, one) for one in inputs], *entries)


def tf_call(name: str, function: str, *inputs: str) -> bytes:
    entry = pb((1, "f"), (2, pb((10, pb((1, function))))))
    return pb((1, name), (2, "StatefulPartitionedCall"), *[(3, one) for one in inputs], (5, entry))


def tf_graph(*nodes: bytes, functions: tuple[bytes, ...] = ()) -> bytes:
    library = [(2, pb(*[(1, one) for one in functions]))] if functions else []
    return pb(*[(1, node) for node in nodes], *library, (4, pb((1, 2000))))


def tf_function(name: str, *nodes: bytes) -> bytes:
    return pb((1, pb((1, name))), *[(3, node) for node in nodes])


def saved_model(graph: bytes, *, assets: tuple[str, ...] = ()) -> bytes:
    files = [(6, pb((1, b""), (2, name))) for name in assets]
    return pb((1, 1), (2, pb((1, pb((4, "serve"))), (2, graph), *files)))


# Flat buffers


class Table(list):  # type: ignore[type-arg]
    """Fields in their order: None, (size, int), str, bytes, Table, or a list of those."""


def flat(root: Table, mark: bytes) -> bytes:
    """Return a flat buffer; what a field refers to stands behind it."""
    out = bytearray(4) + mark
    queue: list[tuple[int, object]] = [(0, root)]
    while queue:
        place, value = queue.pop(0)
        out += bytes(-len(out) % 8)
        if isinstance(value, Table):
            sizes = [0 if f is None else f[0] if isinstance(f, tuple) else 4 for f in value]
            vtable = len(out)
            offsets, at = [], 8
            for size in sizes:
                offsets.append(at if size else 0)
                at += 8 if size else 0
            head = [4 + 2 * len(value), at, *offsets]
            out += b"".join(one.to_bytes(2, "little") for one in head)
            out += bytes(-len(out) % 8)
            start = len(out)
            out += (start - vtable).to_bytes(4, "little") + bytes(at - 4)
            for field, offset in zip(value, offsets, strict=True):
                if isinstance(field, tuple):
                    data = (field[1] % 2 ** (8 * field[0])).to_bytes(field[0], "little")
                    out[start + offset : start + offset + field[0]] = data
                elif field is not None:
                    queue.append((start + offset, field))
        else:
            start = len(out)
            if isinstance(value, (str, bytes)):
                data = value.encode() if isinstance(value, str) else value
                out += len(data).to_bytes(4, "little") + data + b"\0"
            elif all(isinstance(one, int) for one in value):  # type: ignore[attr-defined]
                out += len(value).to_bytes(4, "little")  # type: ignore[arg-type]
                out += b"".join(one.to_bytes(4, "little", signed=True) for one in value)  # type: ignore[attr-defined]
            else:
                out += len(value).to_bytes(4, "little") + bytes(4 * len(value))  # type: ignore[arg-type]
                queue += [(start + 4 + 4 * i, one) for i, one in enumerate(value)]  # type: ignore[arg-type]
        out[place : place + 4] = (start - place).to_bytes(4, "little")
    return bytes(out)


def tflite(
    *codes: tuple[int, str],
    shape: tuple[int, ...] = (1, 4),
    data: bytes = bytes(16),
    buffer: int = 1,
    opcode: int = 0,
    inputs: tuple[int, ...] = (0,),
    external: tuple[int, int] | None = None,
) -> bytes:
    tensor = Table([list(shape), (1, 0), (4, buffer), "x"])
    operator = Table([(4, opcode), list(inputs), [0]])
    graph = Table([[tensor], [0], [0], [operator], "main"])
    operators = [
        Table([(1, min(code, 127)), name or None, (4, 1), (4, code)]) for code, name in codes
    ]
    last = Table([None, (8, external[0]), (8, external[1])]) if external else Table([data])
    return flat(Table([(4, 3), operators, [graph], "made", [Table([]), last]]), b"TFL3")


def executorch(operators: tuple[str, ...], delegates: tuple[str, ...] = ()) -> bytes:
    plan = Table(
        [
            *("forward", None, None, None, None, None),
            [Table([name, "out"]) for name in operators],
            [Table([name]) for name in delegates] or None,
        ]
    )
    return flat(Table([(4, 0), [plan]]), b"ET12")
