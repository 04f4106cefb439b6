"""SLSA Provenance v1, read: from a statement to the record of a step."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from weighbridge.core import Dependency, StepRecord, printable
from weighbridge.errors import ParseError
from weighbridge.provenance._slsa import BUILD_TYPE, KINDS, OWN_ROLES, PREDICATE_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import Statement

__all__ = ["SharedMaterials", "parse_provenance"]

# Each with the item that it was read from.
SharedMaterials: TypeAlias = dict[str, tuple[dict[str, Any], Dependency]]

_EXTERNAL = frozenset({"entryPoint", "parameters", "inputs", "source"})
_SOURCE = frozenset({"uri", "path"})
_KIND_BY_TYPE = {BUILD_TYPE.format(kind=kind): kind for kind in KINDS}
_NOTHING: dict[str, Any] = {}
_MAX_SHARED = 10_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")


def parse_provenance(statement: Statement, *, shared: SharedMaterials | None = None) -> StepRecord:
    """Read what ``build_provenance`` writes; the statement may be anybody's.

    The record says what the statement says. Whether that is so, its signature, the trust in whoever
    made it, and the digests decide. What SLSA tells readers to ignore is ignored; an external
    parameter that is not known is refused, as it could have changed everything, and so is an input
    that was asked for and of which nothing says what came.

    Args:
        statement: Of any type.
        shared: The materials of steps that were read before, by name: an environment is the same
            for many steps, and what is equal is there once. Grows.

    Raises:
        ParseError: It is no provenance, of a build type that is not ours, has an external
            parameter that is not known, an input that is not among the dependencies, or a field
            that is missing or not of its type.

    Source:
        SLSA v1.0, Build Provenance, parsing rules; Verifying artifacts, step 2.
    """
    if statement.predicate_type != PREDICATE_TYPE:
        shown = printable(statement.predicate_type, limit=120)
        raise ParseError(f"the statement is of the type {shown}, not {PREDICATE_TYPE}")
    definition = _take(statement.predicate, "buildDefinition", dict)
    details = _take(statement.predicate, "runDetails", dict)
    external = _take(definition, "externalParameters", dict)
    _refuse_unknown(external, _EXTERNAL)
    facts = _take(definition, "internalParameters", dict, {})
    resolved = _take(definition, "resolvedDependencies", list, [])
    inputs, materials = _parse_resolved(resolved, {} if shared is None else shared)
    _refuse_unresolved(_to_text_map(_take(external, "inputs", dict, {}), "inputs"), inputs)
    metadata = _take(details, "metadata", dict)
    source = _take(external, "source", dict, {})
    _refuse_unknown(source, _SOURCE)
    return StepRecord(
        kind=_parse_kind(_take(definition, "buildType", str)),
        name=_take(_take(facts, "step", dict, {}), "name", str, ""),
        builder=sys.intern(_take(_take(details, "builder", dict), "id", str)),
        entry_point=tuple(_to_texts(_take(external, "entryPoint", list), "entryPoint")),
        parameters=_to_text_map(_take(external, "parameters", dict, {}), "parameters"),
        inputs=tuple(inputs),
        materials=tuple(materials),
        started_at=_parse_time(metadata, "startedOn"),
        finished_at=_parse_time(metadata, "finishedOn"),
        invocation=_take(metadata, "invocationId", str, ""),
        facts={name: value for name, value in facts.items() if name != "step"},
        byproducts=tuple(
            _parse_descriptor(item, "byproducts", index)
            for index, item in enumerate(_take(details, "byproducts", list, []))
        ),
        source=_take(source, "uri", str, ""),
        source_path=_take(source, "path", str, ""),
    )


def _refuse_unknown(external: Mapping[str, Any], known: frozenset[str]) -> None:
    if external.keys() <= known:
        return
    for name in external:
        if name not in known:
            raise ParseError(
                f"{printable(name, limit=80)!r} is an external parameter that is not known",
                where="buildDefinition.externalParameters",
            )


def _refuse_unresolved(asked: Mapping[str, str], inputs: Iterable[Dependency]) -> None:
    """Refuse an input that was asked for and of which no dependency says what came."""
    found = {item.name for item in inputs} if asked else set()
    for name in asked:
        if name not in found:
            raise ParseError(
                f"the input {printable(name, limit=80)!r} is not among the dependencies",
                where="buildDefinition.externalParameters.inputs",
            )


def _take(value: Mapping[str, Any], name: str, kind: type, default: Any = None) -> Any:  # noqa: ANN401 - JSON
    """Return a field of its type, or what stands for one that is not there."""
    found = value.get(name, default)
    if not isinstance(found, kind):
        words = "a string" if kind is str else "a list" if kind is list else "an object"
        raise ParseError(f"the provenance has no {name} that is {words}", where=name)
    return found


def _parse_kind(build_type: str) -> str:
    kind = _KIND_BY_TYPE.get(build_type)
    if kind is None:
        shown = printable(build_type, limit=120)
        raise ParseError(f"{shown} is not a build type that is known", where="buildType")
    return kind


def _parse_resolved(
    items: list[Any], shared: SharedMaterials
) -> tuple[list[Dependency], list[Dependency]]:
    """Return inputs and materials."""
    inputs: list[Dependency] = []
    materials: list[Dependency] = []
    for index, item in enumerate(items):
        name = item.get("name", "") if isinstance(item, dict) else ""
        known = shared.get(name) if isinstance(name, str) else None
        # Whatever counts of what was read before is text, and equal to nothing but the same text.
        if known is not None and known[0] == item:
            materials.append(known[1])
            continue
        dependency = _parse_descriptor(item, "resolvedDependencies", index)
        if dependency.role not in OWN_ROLES:
            inputs.append(dependency)
            continue
        materials.append(dependency)
        if len(shared) < _MAX_SHARED:
            shared[dependency.name] = (item, dependency)
    return inputs, materials


def _parse_descriptor(item: object, group: str, index: int) -> Dependency:
    if not isinstance(item, dict):
        raise ParseError("a dependency is not an object", where=f"{group}[{index}]")
    name = item.get("name", "")
    digest = item.get("digest", _NOTHING)
    uri = item.get("uri", "")
    annotations = item.get("annotations", _NOTHING)
    if not (type(name) is type(uri) is str and type(digest) is type(annotations) is dict):
        for field, kind in (("name", str), ("digest", dict), ("uri", str), ("annotations", dict)):
            _take(item, field, kind, kind())
    role = _to_text_map(annotations, group, index).get("role", "")
    if role:
        annotations = {key: value for key, value in annotations.items() if key != "role"}
    return Dependency(name, _to_text_map(digest, group, index), uri, sys.intern(role), annotations)


def _to_texts(items: list[object], where: str) -> list[str]:
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) != len(items):
        raise ParseError("an item of the list is not a string", where=where)
    return texts


def _to_text_map(items: dict[str, Any], group: str, index: int = -1) -> dict[str, str]:
    """Return an object all of whose values are strings."""
    for value in items.values():
        if not isinstance(value, str):
            where = group if index < 0 else f"{group}[{index}]"
            raise ParseError("a value is not a string", where=where)
    return items


def _parse_time(metadata: Mapping[str, Any], where: str) -> datetime | None:
    if where not in metadata:
        return None
    text = _take(metadata, where, str)
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(f"{text[:19]}+00:00")
    except ValueError:
        pass
    raise ParseError(f"{printable(text, limit=40)!r} is not a time in UTC (RFC 3339)", where=where)
