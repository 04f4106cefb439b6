"""What a statement says, for those types of which a lineage is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import (
    HUMAN_REVIEW_TYPE,
    ROOT_ACCEPTANCE_TYPE,
    SCAN_TYPE,
    SUMMARY_TYPE,
    TEST_RESULT_TYPE,
    SignedFiles,
    parse_acceptance,
    parse_review,
    parse_scan,
    parse_summary,
    parse_test_result,
)
from weighbridge.errors import WeighbridgeError
from weighbridge.provenance import (
    PREDICATE_TYPE,
    SCAI_TYPE,
    parse_environment,
    parse_provenance,
)
from weighbridge.signing import parse_signed_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from weighbridge.core import (
        Environment,
        HumanReview,
        RootAcceptance,
        ScanClaim,
        Statement,
        StepRecord,
        TestResult,
        VerificationSummary,
    )
    from weighbridge.provenance import SharedMaterials

    Content: TypeAlias = (
        StepRecord
        | RootAcceptance
        | HumanReview
        | VerificationSummary
        | SignedFiles
        | TestResult
        | Environment
        | ScanClaim
    )

__all__ = ["Content", "ContentReader", "is_claim_type"]

_SIGNED_FILES = "https://model_signing/signature/v1."
_CLAIM_TYPES = frozenset(
    {
        *(PREDICATE_TYPE, SCAI_TYPE, ROOT_ACCEPTANCE_TYPE, HUMAN_REVIEW_TYPE),
        *(SUMMARY_TYPE, TEST_RESULT_TYPE, SCAN_TYPE),
    }
)


def is_claim_type(predicate_type: str) -> bool:
    """Tell whether statements of a type are claims, which an OMS signature is not."""
    return predicate_type in _CLAIM_TYPES


class ContentReader:
    """Reads what statements say; what many of them say alike is kept once."""

    def __init__(self) -> None:
        self._materials: SharedMaterials = {}
        self._environment: Environment | None = None
        self._readers: dict[str, Callable[[Statement], Content]] = {
            PREDICATE_TYPE: self._read_provenance,
            SCAI_TYPE: self._read_environment,
            ROOT_ACCEPTANCE_TYPE: parse_acceptance,
            HUMAN_REVIEW_TYPE: parse_review,
            SUMMARY_TYPE: parse_summary,
            TEST_RESULT_TYPE: parse_test_result,
            SCAN_TYPE: parse_scan,
        }

    def read(self, statement: Statement) -> tuple[Content | None, str]:
        """Return what a statement says, or why that cannot be read; neither for a type not known.

        Never raises on content: a statement that is signed well and says something strange must
        not keep the others from being judged.
        """
        read = self._readers.get(statement.predicate_type)
        if read is None and statement.predicate_type.startswith(_SIGNED_FILES):
            read = _read_signed_files
        if read is None:
            return None, ""
        try:
            return read(statement), ""
        except WeighbridgeError as error:
            return None, str(error)

    def _read_provenance(self, statement: Statement) -> StepRecord:
        return parse_provenance(statement, shared=self._materials)

    def _read_environment(self, statement: Statement) -> Environment:
        """Return what a step ran on: the value of the step before if that ran on the same."""
        environment = parse_environment(statement)
        if self._environment != environment:
            self._environment = environment
        return self._environment


def _read_signed_files(statement: Statement) -> SignedFiles:
    """Return the files that an OMS signature lists by sha256; none if it lists them otherwise."""
    signed = parse_signed_manifest(statement)
    return SignedFiles(
        signed.root, {resource.name: resource.sha256 for resource in signed.resources}
    )
