"""A case for ``weighbridge policy test`` as pydantic reads it. Imported when there is one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from weighbridge.policy._schema_types import RuleName, Text, refuse_twice, to_moment

__all__ = ["CaseDocument"]

_Answer = Literal["pass", "fail", "unknown"]
_Moment = Annotated[datetime, BeforeValidator(to_moment)]


class CaseDocument(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    artifact: Text
    policy: Text | None = None
    claims: Annotated[list[Text], AfterValidator(refuse_twice)] = Field(default_factory=list)
    at: _Moment | None = None
    expect: _Answer
    rules: dict[RuleName, _Answer] = Field(default_factory=dict)
