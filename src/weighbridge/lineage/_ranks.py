"""Ranks: whether the statements of all ranks of a distributed step are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core import StepRecord
    from weighbridge.lineage._believe import Step

__all__ = ["find_missing_ranks", "list_rank_claims"]

_LONGEST = 12  # digits of a number of ranks


def list_rank_claims(record: StepRecord) -> dict[str, str]:
    """Return the hex of each rank's statement, by the rank's number as it is written."""
    return {
        item.annotations["rank"]: item.digest.get("sha256", "")
        for item in record.byproducts
        if "rank" in item.annotations and "predicateType" in item.annotations
    }


def find_missing_ranks(record: StepRecord, by_claim: Mapping[str, Step]) -> str:
    """Return which ranks are missing, in words; empty if none is, or the step has no ranks.

    Each rank of a job has to have a statement of its own by somebody who may sign for a builder. A
    rank's own provenance, which names its number, is not asked for others.

    Args:
        record: What was signed for all ranks.
        by_claim: Provenance that is believed, by the hex of its statement.
    """
    topology = record.facts.get("topology")
    if not isinstance(topology, Mapping) or "rank" in topology:
        return ""
    size = topology.get("worldSize", "1")
    if not isinstance(size, str) or not (size.isascii() and size.isdigit()):
        return "how many ranks the step had cannot be read"
    if len(size) > _LONGEST:
        return "it names more ranks than any job has"
    count = int(size)
    if count <= 1:
        return ""
    claims = list_rank_claims(record)
    there = {
        number
        for number, key in claims.items()
        if key in by_claim and _read_rank(by_claim[key].record) in ("", number)
    }
    # No more than the statement has: what it says of their number may be anything.
    missing = [str(n) for n in range(min(count, len(claims) + 1)) if str(n) not in there]
    different = len({claims[number] for number in there})
    if not missing and different == len(there) == count:
        return ""
    if not missing:
        return f"two of its {count:,} ranks have one statement"
    return f"the statement of rank {missing[0]} of {count:,} is missing" + (
        f", and {count - len(there) - 1:,} more" if count - len(there) > 1 else ""
    )


def _read_rank(record: StepRecord) -> str:
    topology = record.facts.get("topology")
    number = topology.get("rank", "") if isinstance(topology, Mapping) else ""
    return number if isinstance(number, str) else "?"
