"""What a document that a team keeps by hand says, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["DocumentSection", "DocumentValue", "ProvenanceDocument"]


class DocumentSection(StrEnum):
    """What a value is about."""

    MODEL = "model"
    BASE = "base_model"
    DATA = "training_data"
    LOCK = "lock"
    PACKAGE = "package"
    SCRIPT = "script"
    TRAINING = "training"
    SEED = "seed"
    PARAMETER = "parameter"
    FILE = "file"
    UNKNOWN = "unknown"


class DocumentValue(NamedTuple):
    """One thing that a document says.

    Attributes:
        place: Where it stands, in its own spelling: ``training_data[0].sha256``.
        section: What it is about.
        item: Which of several, from 0; values of one item belong together.
        field: Which property, in one spelling: ``sha256``, ``uri``, ``commit``; of a package, a
            seed or a parameter its name; of UNKNOWN empty.
        text: As it is written.
    """

    place: str
    section: DocumentSection
    item: int
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class ProvenanceDocument:
    """What a document says, in its order."""

    values: tuple[DocumentValue, ...]

    def group(self) -> dict[tuple[DocumentSection, int], dict[str, str]]:
        """Return the properties of each item: field to text."""
        items: dict[tuple[DocumentSection, int], dict[str, str]] = {}
        for value in self.values:
            items.setdefault((value.section, value.item), {})[value.field] = value.text
        return items
