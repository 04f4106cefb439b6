"""What one file says that has to be compared with others of its folder; see ``_folder``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Fact", "NamedFile", "ShapeWish", "ShardIndex", "TensorEntry", "TensorTable"]


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor of a file.

    Attributes:
        name: As the file has it.
        dtype: As safetensors writes it, such as ``F32`` or ``BF16``.
        shape: Lengths of the axes.
        digest: sha256 of its bytes in row-major order, little-endian; empty if not computed.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class TensorTable:
    """The tensors of one file.

    Attributes:
        file: POSIX path inside the artifact.
        format: ``safetensors``, ``torch`` and so on.
        tensors: In the order of the file.
    """

    file: str
    format: str
    tensors: tuple[TensorEntry, ...]


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """What an index such as ``model.safetensors.index.json`` says.

    Attributes:
        file: POSIX path of the index inside the artifact.
        shards: (name of a tensor, name of the file that should hold it).
    """

    file: str
    shards: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ShapeWish:
    """What a ``config.json`` says of the shapes of tensors.

    Attributes:
        file: POSIX path of the config inside the artifact.
        sizes: (key, number), such as ``("vocab_size", 32000)``.
    """

    file: str
    sizes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that another one names.

    Attributes:
        file: POSIX path, inside the artifact, of the file that names it.
        target: The path as written, relative to the folder of ``file``.
        purpose: Why, such as ``external data`` or ``code``.
    """

    file: str
    target: str
    purpose: str


Fact = TensorTable | ShardIndex | ShapeWish | NamedFile
