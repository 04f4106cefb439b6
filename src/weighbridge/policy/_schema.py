"""The policy file as pydantic reads it: which keys there are, and of which type.

Imported by ``parse_policy`` alone, when there is a policy to parse: pydantic is slow to load.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from weighbridge.core import printable
from weighbridge.errors import ParseError
from weighbridge.formats import LicenseChoice, parse_license

__all__ = ["Document"]

T = TypeVar("T")


def _refuse_twice(entries: list[T]) -> list[T]:
    seen: set[str] = set()
    for entry in entries:
        text = repr(entry)
        if text in seen:
            raise ValueError(f"{printable(text, limit=80)} is listed twice; remove one")
        seen.add(text)
    return entries


def _to_list(value: object) -> object:
    """Return one text as a list of one, for keys that take either."""
    return [value] if isinstance(value, str) else value


def _to_license_id(text: str) -> str:
    license_ = parse_license(text)
    if isinstance(license_, LicenseChoice):
        shown = printable(text, limit=80)
        raise ParseError(f"{shown!r} is a choice; list licences one by one, without AND and OR")
    return str(license_)


_Text = Annotated[str, StringConstraints(min_length=1, max_length=4_096, pattern=r"^\S(.*\S)?$")]
_License = Annotated[_Text, AfterValidator(_to_license_id)]
# A list of two and not a tuple: TOML has lists, and strict does not convert.
_Pair = Annotated[list[_Text], Field(min_length=2, max_length=2)]
_Files = Annotated[
    list[_Text], BeforeValidator(_to_list), Field(min_length=1), AfterValidator(_refuse_twice)
]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
_Role = Literal["publisher", "builder", "scanner", "reviewer", "verifier"]
_Severity = Literal["info", "low", "medium", "high", "critical"]


class _Table(BaseModel):
    """A table of the policy: no other keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SignerTable(_Table):
    """``[trust.signers.NAME]``."""

    key: _Text | None = None
    certificate_authority: Annotated[_Files | None, Field(alias="certificate-authority")] = None
    identity: _Text | None = None
    issuer: _Text | None = None
    trust_config: Annotated[_Text | None, Field(alias="trust-config")] = None
    instance: _Text | None = None
    timestamp_authority: Annotated[_Files | None, Field(alias="timestamp-authority")] = None
    roles: Annotated[list[_Role], Field(min_length=1), AfterValidator(_refuse_twice)]


class TrustTable(_Table):
    """``[trust]``."""

    signers: dict[_Name, SignerTable] = Field(default_factory=dict)


class SignatureTable(_Table):
    """``require.signature``."""

    by: Annotated[list[_Name], Field(min_length=1), AfterValidator(_refuse_twice)]


class ScanTable(_Table):
    """``require.scan``."""

    fail_on: Annotated[_Severity, Field(alias="fail-on")] = "medium"
    coverage: Literal["complete", "any"] = "complete"
    allow: Annotated[list[_Pair], AfterValidator(_refuse_twice)] = Field(default_factory=list)


class LicensesTable(_Table):
    """``require.licenses``."""

    allow: Annotated[list[_License], Field(min_length=1), AfterValidator(_refuse_twice)]
    through_lineage: Annotated[Literal[False], Field(alias="through-lineage")] = False


class CardTable(_Table):
    """``require.card``."""

    profile: Literal["huggingface"]


class RequireTable(_Table):
    """``[require]``."""

    signature: SignatureTable | None = None
    scan: ScanTable | None = None
    licenses: LicensesTable | None = None
    card: CardTable | None = None


class Document(_Table):
    """The whole file."""

    version: Annotated[int, Field(ge=1, le=1)]
    trust: TrustTable = Field(default_factory=TrustTable)
    require: RequireTable = Field(default_factory=RequireTable)
