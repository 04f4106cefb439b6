"""Test results: what an evaluation gave, as a statement."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from weighbridge.core._lineage import TestResult
from weighbridge.core._predicates import check_type
from weighbridge.core._text import printable
from weighbridge.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core._statement import Statement

__all__ = ["TEST_RESULT_TYPE", "parse_test_result"]

TEST_RESULT_TYPE: Final = "https://in-toto.io/attestation/test-result/v0.1"

_RESULTS: Final = ("PASSED", "WARNED", "FAILED")
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_MAX_METRICS: Final = 10_000
_MAX_FAILED: Final = 10_000


def parse_test_result(statement: Statement) -> TestResult:
    """Read a test result, ours or another tool's; the statement may be anybody's.

    Fields that are not known are ignored, as the framework demands of every reader. A result that
    says PASSED and names tests that failed has not passed.

    Raises:
        ParseError: It is of another type, says no result, or a field is not as it should be: a
            metric is no decimal number written as a string.

    Source:
        in-toto Attestation Framework, test-result v0.1.
    """
    check_type(statement, TEST_RESULT_TYPE)
    predicate = statement.predicate
    result = predicate.get("result")
    if not isinstance(result, str) or result not in _RESULTS:
        choice = ", ".join(_RESULTS)
        raise ParseError(f"the test result is none of {choice}", where="predicate.result")
    failed = _take_failed(predicate)
    return TestResult(
        passed=result == "PASSED" and not failed, metrics=_take_metrics(predicate), failed=failed
    )


def _take_failed(predicate: Mapping[str, Any]) -> tuple[str, ...]:
    where = "predicate.failedTests"
    failed = predicate.get("failedTests") or []
    if not isinstance(failed, list) or len(failed) > _MAX_FAILED:
        raise ParseError(f"a list of {_MAX_FAILED:,} tests at most is wanted here", where=where)
    if not all(isinstance(name, str) for name in failed):
        raise ParseError("a test is named by something that is no string", where=where)
    return tuple(failed)


def _take_metrics(predicate: Mapping[str, Any]) -> Mapping[str, str]:
    where = "predicate.metrics"
    metrics = predicate.get("metrics") or {}
    if not isinstance(metrics, dict) or len(metrics) > _MAX_METRICS:
        raise ParseError(f"an object of {_MAX_METRICS:,} metrics at most is wanted", where=where)
    for name, value in metrics.items():
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            raise ParseError(
                f"the metric {printable(name, limit=80)!r} is no decimal number as a string",
                where=where,
            )
    return metrics
