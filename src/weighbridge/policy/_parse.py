"""Policy files: bytes -> Policy, strictly.

A key that is not known is an error, because a misspelt rule would otherwise be a rule that never
fails. So is a key that the format has and this version cannot judge yet.
"""

from __future__ import annotations

import hashlib
import tomllib
from typing import TYPE_CHECKING, Any

from weighbridge.core import Severity, check_depth, printable
from weighbridge.errors import LimitExceededError, ParseError
from weighbridge.policy._explain import to_place, to_words
from weighbridge.policy._policy import (
    CardRule,
    LicensesRule,
    Policy,
    ScanRule,
    SignatureRule,
    Signer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weighbridge.core import Limits
    from weighbridge.policy._schema import Document, SignerTable

__all__ = ["parse_policy"]

# Keys of the format that no room can judge yet; `*` stands for any name.
_NOT_YET: dict[tuple[str, ...], str] = {
    ("trust", "builders"): "judge builders",
    ("require", "provenance"): "judge provenance",
    ("require", "licenses", "through-lineage"): "follow licences through the lineage",
    ("require", "review"): "judge reviews",
    ("require", "evaluation"): "judge evaluations",
    ("require", "reproduction"): "judge reproductions",
    ("roots",): "judge roots",
    ("rules",): "judge rules of your own",
}


def parse_policy(data: bytes, *, name: str, limits: Limits) -> Policy:
    """Read a policy file.

    Args:
        data: TOML in UTF-8.
        name: The file's name, for messages and the verdict.
        limits: ``max_policy_bytes`` applies.

    Returns:
        The policy. Paths of keys are as written; licences are SPDX ids.

    Raises:
        LimitExceededError: Larger than ``max_policy_bytes``.
        ParseError: Not TOML, a key that is not known or that this version cannot judge, a wrong
            type or value, no rule, or a rule that names a signer who is not there or has no right
            to publish. The message names the place.
    """
    shown = printable(name)
    if len(data) > limits.max_policy_bytes:
        raise LimitExceededError(
            "max_policy_bytes", limit=limits.max_policy_bytes, actual=len(data), subject=shown
        )
    raw = _load_toml(data, name=shown)
    check_depth(raw, what=shown, limit=limits.max_json_depth)
    _refuse_what_cannot_be_judged(raw, name=shown)
    document = _validate(raw, name=shown)
    return _to_policy(document, name=name, digest=hashlib.sha256(data).hexdigest())


def _load_toml(data: bytes, *, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ParseError(f"{name} is not TOML: byte {error.start:,} is not UTF-8") from error
    except RecursionError as error:
        raise ParseError(f"{name} is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and integers of thousands of digits
        raise ParseError(f"{name} is not TOML: {printable(str(error))}") from error


def _refuse_what_cannot_be_judged(raw: dict[str, Any], *, name: str) -> None:
    for pattern, what in _NOT_YET.items():
        for place, value in _find(raw, pattern, ()):
            if place[-1] == "through-lineage" and value is False:
                continue  # it asks for what this version does
            raise ParseError(
                f"{name}: this version cannot {what} yet;"
                " remove the key, or use a version that can",
                where=to_place(place),
            )


def _find(
    value: object, pattern: tuple[str, ...], place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield where ``pattern`` leads to in ``value``, and what is there."""
    if len(place) == len(pattern):
        yield place, value
        return
    if not isinstance(value, dict):
        return
    wanted = pattern[len(place)]
    for key, inner in value.items():
        if wanted in ("*", key):
            yield from _find(inner, pattern, (*place, key))


def _validate(raw: dict[str, Any], *, name: str) -> Document:
    from pydantic import ValidationError  # noqa: PLC0415 - slow to load

    from weighbridge.policy._schema import Document  # noqa: PLC0415

    try:
        return Document.model_validate(raw)
    except ValidationError as error:
        # One at a time: what else is wrong is often wrong because of the first.
        first = error.errors(include_url=False)[0]
        raise ParseError(f"{name}: {to_words(first)}", where=to_place(first["loc"])) from error


def _to_policy(document: Document, *, name: str, digest: str) -> Policy:
    """Check what concerns several tables, and leave pydantic's values behind."""
    require = document.require
    if not require.model_fields_set:
        message = f"{printable(name)}: there is no rule; add one, such as scan = {{}}"
        raise ParseError(message, where="require")
    signers = {
        signer: _to_signer(signer, table, name=printable(name))
        for signer, table in document.trust.signers.items()
    }
    signature = scan = licenses = card = None
    allowed: frozenset[tuple[str, str]] = frozenset()
    if require.signature:
        _check_publishers(require.signature.by, signers, name=printable(name))
        signature = SignatureRule(by=tuple(require.signature.by))
    if require.scan:
        fail_on = Severity(require.scan.fail_on)
        scan = ScanRule(fail_on=fail_on, complete=require.scan.coverage == "complete")
        allowed = frozenset((module, attribute) for module, attribute in require.scan.allow)
    if require.licenses:
        licenses = LicensesRule(allow=tuple(require.licenses.allow))
    if require.card:
        card = CardRule(profile=require.card.profile)
    return Policy(
        name=name,
        digest=f"sha256:{digest}",
        signers=tuple(signers.values()),
        signature=signature,
        scan=scan,
        licenses=licenses,
        card=card,
        allowed=allowed,
    )


def _to_signer(signer: str, table: SignerTable, *, name: str) -> Signer:
    """Check that a signer is known in one way, with what belongs to it and nothing else."""
    where = f"trust.signers.{signer}"
    ways = {
        "key": table.key,
        "certificate-authority": table.certificate_authority,
        "issuer": table.issuer,
    }
    named = [way for way, value in ways.items() if value is not None]
    if len(named) > 1:
        message = f"{name}: {named[0]!r} and {named[1]!r} exclude each other; keep one"
        raise ParseError(message, where=f"{where}.{named[1]}")
    if not named:
        message = (
            f"{name}: the signer {signer!r} is known by nothing; add 'key', "
            "'certificate-authority', or 'identity' with 'issuer'"
        )
        raise ParseError(message, where=where)
    for key, value, ways_with_it in (
        ("identity", table.identity, ("certificate-authority", "issuer")),
        ("trust-config", table.trust_config, ("issuer",)),
        ("instance", table.instance, ("issuer",)),
        ("timestamp-authority", table.timestamp_authority, ("key", "certificate-authority")),
    ):
        if value is not None and named[0] not in ways_with_it:
            message = f"{name}: {key!r} does not go with {named[0]!r}; remove one"
            raise ParseError(message, where=f"{where}.{key}")
    if table.issuer is not None and table.identity is None:
        raise ParseError(f"{name}: 'issuer' needs 'identity'; add it", where=f"{where}.issuer")
    return Signer(
        name=signer,
        key=table.key or "",
        roles=tuple(table.roles),
        certificate_authorities=tuple(table.certificate_authority or ()),
        identity=table.identity or "",
        issuer=table.issuer or "",
        trust_config=table.trust_config or "",
        instance=table.instance or "",
        timestamp_authorities=tuple(table.timestamp_authority or ()),
    )


def _check_publishers(by: Sequence[str], signers: Mapping[str, Signer], *, name: str) -> None:
    for index, signer in enumerate(by):
        where = f"require.signature.by[{index}]"
        if signer not in signers:
            message = f"{name}: there is no signer {signer!r}; add [trust.signers.{signer}]"
            raise ParseError(message, where=where)
        if "publisher" not in signers[signer].roles:
            message = f"{name}: the signer {signer!r} may not publish; if it may, add that role"
            raise ParseError(message, where=where)
