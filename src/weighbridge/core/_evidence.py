"""Evidence: everything that a policy judges, gathered."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core._answer import Answer
    from weighbridge.core._digest import Digest
    from weighbridge.core._findings import ScanReport
    from weighbridge.core._lineage import LineageReport
    from weighbridge.core._manifest import ArtifactKind, ManifestDiff
    from weighbridge.core._reading import ReadFailure
    from weighbridge.core._statement import Attribution

__all__ = [
    "ArtifactEvidence",
    "Card",
    "CardEvidence",
    "DocumentCheck",
    "DocumentEntry",
    "Evidence",
    "LicenseEvidence",
    "SignatureEvidence",
]


@dataclass(frozen=True, slots=True)
class ArtifactEvidence:
    """What weighing gave.

    Attributes:
        path: As the user gave it; for people.
        kind: File or folder.
        digest: The artifact digest, or None if there are ``failures``.
        file_count: Files that were hashed.
        size_bytes: Their sizes, added up.
        failures: What could not be hashed, and why.
        left_out: Names that are there and outside the scope; not counted above.
    """

    path: str
    kind: ArtifactKind
    digest: Digest | None
    file_count: int
    size_bytes: int
    failures: tuple[ReadFailure, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignatureEvidence:
    """What the signature file says, and whose it is.

    Attributes:
        path: Where it was looked for; for people.
        found: Whether there is one.
        problem: Why it cannot be used (malformed, unsupported, wrong key); empty if none.
        attributions: Whom the policy's trust map says that it is by, sorted by their names there.
            Empty without a policy.
        diff: How the files differ from what was signed; None if the signed list could not be read
            or the files not be hashed. Whether anybody vouches for that list, only
            ``attributions`` say.
    """

    path: str
    found: bool
    problem: str = ""
    attributions: tuple[Attribution, ...] = ()
    diff: ManifestDiff | None = None

    @property
    def signers(self) -> tuple[str, ...]:
        """The policy's names for whoever signed, sorted."""
        return tuple(attribution.signer for attribution in self.attributions)


@dataclass(frozen=True, slots=True)
class Card:
    """The metadata of a model card, as declared.

    Attributes:
        file: POSIX path inside the artifact.
        licenses: As declared (``license``), in order; usually one.
        license_name: ``license_name``, for ``license: other``; may be empty.
        license_link: ``license_link``; may be empty.
        base_models: ``base_model``, in order.
        datasets: ``datasets``, in order.
        languages: ``language``, in order.
        library_name: ``library_name``; may be empty.
        pipeline_tag: ``pipeline_tag``; may be empty.
        tags: ``tags``, in order.
        has_body: Whether there is any text below the metadata.
    """

    file: str
    licenses: tuple[str, ...] = ()
    license_name: str = ""
    license_link: str = ""
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    library_name: str = ""
    pipeline_tag: str = ""
    tags: tuple[str, ...] = ()
    has_body: bool = False


@dataclass(frozen=True, slots=True)
class CardEvidence:
    """What reading the model card gave.

    Attributes:
        card: The card, or None.
        problem: Why there is none: missing, or malformed and where; empty if there is one.
        malformed: Whether a card is there and cannot be read.
    """

    card: Card | None
    problem: str = ""
    malformed: bool = False


@dataclass(frozen=True, slots=True)
class LicenseEvidence:
    """Which licence is declared.

    Attributes:
        declared: As written in the card, such as ``apache-2.0``, several joined by ``, ``; empty if
            none.
        expression: The SPDX expression that it stands for, such as ``Apache-2.0``; empty if it
            cannot be told.
        problem: Why there is no expression; empty if there is one.
    """

    declared: str = ""
    expression: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """One thing that a document kept by hand says, held against the files and the lineage.

    Attributes:
        place: Where it stands: ``training_data[0].sha256``.
        answer: PASS: it is so. FAIL: it is not so. UNKNOWN: nothing here tells.
        message: One sentence: what was compared with what.
    """

    place: str
    answer: Answer
    message: str


@dataclass(frozen=True, slots=True)
class DocumentCheck:
    """A document that people keep by hand, such as ``provenance.yaml``, and how it compares.

    Attributes:
        path: As the user gave it; for people.
        entries: What it says, in its order.
        problem: Why it cannot be read; empty if it can.
    """

    path: str
    entries: tuple[DocumentEntry, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about an artifact when it is judged.

    Attributes:
        artifact: What weighing gave.
        signature: What its signature file says.
        scan: What was found in it.
        card: Its model card.
        license: The licence that it declares.
        lineage: What it was made from, as far as verified statements tell; None if nobody looked.
        files: POSIX path to sha256 in hex of each file that was hashed.
        document: What a document kept by hand says; None if none was given.
    """

    artifact: ArtifactEvidence
    signature: SignatureEvidence
    scan: ScanReport
    card: CardEvidence
    license: LicenseEvidence
    lineage: LineageReport | None = None
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    document: DocumentCheck | None = None
