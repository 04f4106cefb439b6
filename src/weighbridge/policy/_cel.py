"""Rules of somebody's own, in CEL: an expression must be exactly true, and any error denies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from weighbridge.core import collection_paused, printable
from weighbridge.errors import LimitExceededError, MissingExtraError, ParseError
from weighbridge.policy._results import fail, get_lineage, pass_, unknown_lineage
from weighbridge.policy._view import build_view

if TYPE_CHECKING:
    from datetime import datetime
    from types import ModuleType

    from weighbridge.core import Evidence, Limits, RuleResult
    from weighbridge.policy._policy import OwnRule

__all__ = ["check_expression", "judge_own_rules"]

_SHOWN_CHARACTERS = 160
# Nodes looked at by loops inside loops; some seconds.
_MOST_TURNS = 5_000_000
# Texts and comments, to be passed over; the beginning of a loop over what may be long, or over
# what one step may have many of; brackets.
_LOOPS = re.compile(
    r"""
    (?:[rR]|[bB]|[rR][bB]|[bB][rR])?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    | //[^\n]*
    | (?P<loop>(?:\blineage|\bfindings|\))\s*\.\s*(?:all|exists|exists_one|map|filter)\s*\()
    | (?P<wide>\b(?:inputs|parameters)\s*\.\s*(?:all|exists|exists_one|map|filter)\s*\()
    | (?P<open>\()
    | (?P<close>\))
    """,
    re.VERBOSE,
)


def check_expression(expression: str, *, where: str) -> None:
    """Refuse what is not CEL.

    Args:
        expression: As in the policy.
        where: Its place there.

    Raises:
        MissingExtraError: The extra ``cel`` is not installed.
        ParseError: It is not CEL; with the words of the engine.
    """
    cel = _load_cel()
    try:
        cel.compile(expression)
    except ValueError as error:
        reason = printable(_to_words(error), limit=_SHOWN_CHARACTERS)
        raise ParseError(f"this is not CEL: {reason}", where=where) from error


@collection_paused()
def judge_own_rules(
    rules: tuple[OwnRule, ...], evidence: Evidence, *, at: datetime, limits: Limits
) -> tuple[RuleResult, ...]:
    """Judge each rule: true passes; false, another value and every error fail.

    A rule that asks for the lineage where nobody looked at one is unknown.

    Raises:
        MissingExtraError: The extra ``cel`` is not installed.
    """
    if not rules:
        return ()
    cel = _load_cel()
    try:
        view = build_view(evidence, at=at, limits=limits)
    except LimitExceededError as error:
        return tuple(_deny(rule, str(error)) for rule in rules)
    context = cel.Context(variables=view)
    return tuple(_judge(rule, cel, context, evidence) for rule in rules)


def _judge(rule: OwnRule, cel: ModuleType, context: Any, evidence: Evidence) -> RuleResult:  # noqa: ANN401
    try:
        program = cel.compile(rule.require)
        if get_lineage(evidence) is None and "lineage" in program.variables():
            return unknown_lineage(rule.name)
        turns = _count_turns(rule.require, evidence)
        if turns > _MOST_TURNS:
            return _deny(rule, f"its loops inside loops would take {turns:,} turns")
        value = program.execute(context)
    except Exception as error:  # noqa: BLE001 - whatever the engine raises, the rule denies
        return _deny(rule, _to_words(error))
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how a defect of the engine arrives
            raise
        return _deny(rule, _to_words(error))
    if value is True:
        return pass_(rule.name, "It is true of this artifact")
    said = "it is false" if value is False else f"it gives {type(value).__name__}, not true"
    return _deny(rule, said)


def _deny(rule: OwnRule, why: str) -> RuleResult:
    return fail(
        rule.name,
        f"The policy's own rule denies: {printable(why, limit=_SHOWN_CHARACTERS)}",
        remedy="Look at its expression in [[rules]], and at what weighbridge trace shows.",
    )


def _count_turns(expression: str, evidence: Evidence) -> int:
    """Return how often the innermost of loops over long lists may run."""
    nodes = evidence.lineage.nodes if evidence.lineage is not None else ()
    longest = max(len(nodes), len(evidence.scan.findings), 1)
    widths = [max(len(n.step.inputs), len(n.step.parameters)) for n in nodes if n.step is not None]
    widest, total = max(widths, default=1), max(longest, sum(widths))
    turns = 1
    for long, wide in _list_nests(expression):
        # All inputs of all nodes are fewer than the nodes times the most inputs that one has.
        some = total if long and wide else longest if long else widest if wide else 1
        turns = max(turns, some * longest ** max(long - 1, 0) * widest ** max(wide - 1, 0))
    return turns


def _list_nests(expression: str) -> set[tuple[int, int]]:
    """Return in how many loops over long lists, and over what steps have, each loop begins."""
    nests = {(0, 0)}
    brackets: list[str] = []  # of each that is open, whether it is that of a loop, and of which
    for token in _LOOPS.finditer(expression):
        if token["loop"] or token["wide"]:
            if token["loop"] and token["loop"].startswith(")") and brackets:
                brackets.pop()
            brackets.append("long" if token["loop"] else "wide")
            nests.add((brackets.count("long"), brackets.count("wide")))
        elif token["open"]:
            brackets.append("")
        elif token["close"] and brackets:
            brackets.pop()
    return nests


def _to_words(error: BaseException) -> str:
    """Return what the engine says, without the expression and the picture that it adds."""
    text = str(error)
    found = re.search(r"ERROR: <input>:(\d+:\d+): ([^\n]*)", text)
    if found:
        return f"{found[2]} (line and column {found[1]})"
    return text.partition("\n")[0] or type(error).__name__


def _load_cel() -> ModuleType:
    try:
        import cel  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("cel", purpose="a policy with [[rules]]") from error
    return cel
