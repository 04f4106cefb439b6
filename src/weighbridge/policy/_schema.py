"""The policy file as pydantic reads it: which keys there are, and of which type.

Imported by ``parse_policy`` alone, when there is a policy to parse: pydantic is slow to load.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from weighbridge.policy._schema_types import (
    Days,
    DecimalText,
    DigestText,
    Files,
    License,
    LicenseExpression,
    Name,
    Pair,
    Pattern,
    Reason,
    RuleName,
    ScannedFormat,
    Text,
    Uri,
    refuse_twice,
    to_depth,
    to_moment,
)

__all__ = ["Document", "SignerTable"]

_Role = Literal["publisher", "builder", "scanner", "reviewer", "verifier", "evaluator"]
_Severity = Literal["info", "low", "medium", "high", "critical"]
_Level = Annotated[int, Field(ge=0, le=3)]
_Quorum = Annotated[int, Field(ge=1, le=100)]
_Names = Annotated[list[Name], Field(min_length=1), AfterValidator(refuse_twice)]
_Moment = Annotated[datetime, BeforeValidator(to_moment)]
# The number of steps; -1 stands for all of them, which no file can write.
_Depth = Annotated[int, BeforeValidator(to_depth)]


class _Table(BaseModel):
    """A table of the policy: no other keys, no conversions."""

    # Built once, as part of the whole document, and not each by itself before.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class SignerTable(_Table):
    """``[trust.signers.NAME]``."""

    key: Text | None = None
    certificate_authority: Annotated[Files | None, Field(alias="certificate-authority")] = None
    identity: Text | None = None
    issuer: Text | None = None
    trust_config: Annotated[Text | None, Field(alias="trust-config")] = None
    instance: Text | None = None
    timestamp_authority: Annotated[Files | None, Field(alias="timestamp-authority")] = None
    roles: Annotated[list[_Role], Field(min_length=1), AfterValidator(refuse_twice)]


class BuilderTable(_Table):
    """``[trust.builders."URI"]``."""

    signers: _Names
    level: _Level


class VerifierTable(_Table):
    """``[trust.verifiers."URI"]``."""

    signers: _Names
    policies: Annotated[list[DigestText], Field(min_length=1), AfterValidator(refuse_twice)]
    max_age_days: Annotated[Days, Field(alias="max-age-days")]


class TrustTable(_Table):
    """``[trust]``."""

    signers: dict[Name, SignerTable] = Field(default_factory=dict)
    builders: dict[Uri, BuilderTable] = Field(default_factory=dict)
    verifiers: dict[Uri, VerifierTable] = Field(default_factory=dict)


class _RuleTable(_Table):
    """Any rule: each may be a warning only."""

    warn_only: Annotated[bool, Field(alias="warn-only")] = False


class SignatureTable(_RuleTable):
    """``require.signature``."""

    by: _Names


class ScanTable(_RuleTable):
    """``require.scan``."""

    fail_on: Annotated[_Severity, Field(alias="fail-on")] = "medium"
    coverage: Literal["complete", "any"] = "complete"
    allow: Annotated[list[Pair], AfterValidator(refuse_twice)] = Field(default_factory=list)


class LicensesTable(_RuleTable):
    """``require.licenses``."""

    allow: Annotated[list[License], Field(min_length=1), AfterValidator(refuse_twice)]
    through_lineage: Annotated[bool, Field(alias="through-lineage")] = False


class CardTable(_RuleTable):
    """``require.card``."""

    profile: Literal["huggingface"]


class ProvenanceTable(_RuleTable):
    """``require.provenance``."""

    level: _Level
    completeness: Literal["unknown", "declared", "observed", "enforced"] = "unknown"
    depth: _Depth = -1
    max_age_days: Annotated[Days | None, Field(alias="max-age-days")] = None


class ReviewTable(_RuleTable):
    """``require.review``."""

    by: _Names
    at_least: Annotated[_Quorum, Field(alias="at-least")] = 1
    max_age_days: Annotated[Days | None, Field(alias="max-age-days")] = None
    scope: Text | None = None


class EvaluationTable(_RuleTable):
    """An entry of ``require.evaluation``."""

    name: RuleName
    at_least: Annotated[DecimalText | None, Field(alias="at-least")] = None
    at_most: Annotated[DecimalText | None, Field(alias="at-most")] = None
    by: _Names | None = None


class ReproductionTable(_RuleTable):
    """``require.reproduction``."""

    level: Literal["L0", "L1", "L2", "L3", "L4"]


class FormatsTable(_RuleTable):
    """``require.formats``."""

    allow: Annotated[list[ScannedFormat], Field(min_length=1), AfterValidator(refuse_twice)]


class SourceTable(_RuleTable):
    """``require.source``."""

    from_: Annotated[list[Pattern], Field(alias="from", min_length=1), AfterValidator(refuse_twice)]
    revision: Literal["pinned", "any"] = "any"


class RequireTable(_Table):
    """``[require]``."""

    signature: SignatureTable | None = None
    scan: ScanTable | None = None
    licenses: LicensesTable | None = None
    card: CardTable | None = None
    provenance: ProvenanceTable | None = None
    review: ReviewTable | None = None
    evaluation: Annotated[list[EvaluationTable] | None, Field(min_length=1)] = None
    reproduction: ReproductionTable | None = None
    formats: FormatsTable | None = None
    source: SourceTable | None = None


class RootTable(_Table):
    """``[[roots]]``."""

    digest: DigestText
    reason: Reason
    license: LicenseExpression | None = None
    max_level: Annotated[_Level, Field(alias="max-level")] = 3
    expires: _Moment | None = None


class DeniedTable(_Table):
    """``[[denied]]``."""

    digest: DigestText
    reason: Reason


class AllowedTable(_Table):
    """``[[allowed]]``."""

    digest: DigestText
    reason: Reason
    expires: _Moment
    rules: Annotated[
        list[RuleName] | None, Field(min_length=1), AfterValidator(lambda v: v and refuse_twice(v))
    ] = None


class OwnRuleTable(_RuleTable):
    """``[[rules]]``."""

    name: RuleName
    require: Text


class Document(_Table):
    """The whole file."""

    version: Annotated[int, Field(ge=1, le=1)]
    trust: TrustTable = Field(default_factory=TrustTable)
    require: RequireTable = Field(default_factory=RequireTable)
    roots: list[RootTable] = Field(default_factory=list)
    denied: list[DeniedTable] = Field(default_factory=list)
    allowed: list[AllowedTable] = Field(default_factory=list)
    rules: list[OwnRuleTable] = Field(default_factory=list)
