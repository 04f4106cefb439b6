"""Rank reports: what one rank of a distributed job signs, since outputs are not its alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weighbridge.core import parse_json, printable
from weighbridge.errors import ParseError
from weighbridge.provenance._topology import MAX_WORLD_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core import Limits

__all__ = ["RankReport", "parse_rank_report", "to_rank_report"]

_TYPE = "https://weighbridge.dev/rank-report/v1"
_FIELDS = {
    "type": str,
    "job": str,
    "rank": int,
    "worldSize": int,
    "kind": str,
    "name": str,
    "inputs": dict,
    "outputs": dict,
    "began": str,
    "ended": str,
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class RankReport:
    """What one rank says of its part in a job.

    Attributes:
        job: Which job.
        rank: From 0.
        world_size: How many ranks there are.
        kind: The step's kind.
        name: The step's name.
        inputs: Name to digests.
        outputs: Name to path as a URI: what all ranks together make.
        began_at: When the last report of this rank, if there was one, was gone; aware.
        ended_at: When its part had ended; aware.
    """

    job: str
    rank: int
    world_size: int
    kind: str
    name: str
    inputs: Mapping[str, Mapping[str, str]]
    outputs: Mapping[str, str]
    began_at: datetime
    ended_at: datetime


def to_rank_report(report: RankReport) -> bytes:
    """Write a report; of all ways to write it in JSON the only one that is read again."""
    document = {
        "type": _TYPE,
        "job": report.job,
        "rank": report.rank,
        "worldSize": report.world_size,
        "kind": report.kind,
        "name": report.name,
        "inputs": {name: dict(digest) for name, digest in report.inputs.items()},
        "outputs": dict(report.outputs),
        "began": _to_time(report.began_at),
        "ended": _to_time(report.ended_at),
    }
    return (json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n").encode()


def parse_rank_report(data: bytes, *, what: str, limits: Limits) -> RankReport:
    """Read a report.

    Args:
        data: The whole file.
        what: What it is, for messages: ``rank-00002-of-00004.json``.
        limits: ``max_json_depth`` and ``max_json_values`` apply.

    Raises:
        ParseError: It is not one, or not written as :func:`to_rank_report` writes it.
    """
    document = parse_json(data, what=what, limits=limits)
    if not isinstance(document, dict) or document.get("type") != _TYPE:
        raise ParseError(f"{what} is not the report of a rank")
    for name in document.keys() | _FIELDS.keys():
        if name not in _FIELDS or type(document.get(name)) is not _FIELDS[name]:
            shown = printable(name, limit=80)
            raise ParseError(f"{what} lacks a field, has one too many, or of another type: {shown}")
    inputs, outputs = document["inputs"], document["outputs"]
    if not (_is_text(outputs) and all(type(v) is dict and _is_text(v) for v in inputs.values())):
        raise ParseError(f"{what} has inputs or outputs that are not text")
    if not 0 <= document["rank"] < document["worldSize"] <= MAX_WORLD_SIZE:
        raise ParseError(f"{what} has a rank that there cannot be")
    report = RankReport(
        job=document["job"],
        rank=document["rank"],
        world_size=document["worldSize"],
        kind=document["kind"],
        name=document["name"],
        inputs=inputs,
        outputs=outputs,
        began_at=_parse_time(document["began"], what),
        ended_at=_parse_time(document["ended"], what),
    )
    if to_rank_report(report) != data:
        raise ParseError(f"{what} is not written as reports are")
    return report


def _is_text(items: dict[str, Any]) -> bool:
    return all(type(value) is str for value in items.values())


def _to_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _parse_time(text: str, what: str) -> datetime:
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ParseError(f"{what} has {printable(text, limit=40)!r} for a time")
