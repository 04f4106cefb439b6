"""The rules of the scan: literal tables, one module for each kind of content.

``scripts/rules`` writes a page of ``docs/rules/`` for each.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.core import Rule

__all__ = ["FAMILIES", "find_rule", "list_rules"]

FAMILIES: dict[str, tuple[str, ...]] = {
    "_code": ("COD", "NBK", "TPL"),
    "_containers": ("CMP", "SVZ", "TAR", "TSC", "ZIP"),
    "_data": ("ARW", "BST", "MSG", "RDS", "SKO"),
    "_documents": ("DOC", "HID", "REQ", "SEC", "XML"),
    "_general": ("ART", "BIN", "SCN"),
    "_graphs": ("CAF", "CML", "MXN", "ONX", "OVN", "PDL", "PMM", "TFG", "TFL"),
    "_keras": ("HDF", "KER"),
    "_pickle": ("PKL",),
    "_tensors": ("GGF", "NPY", "STN", "TNS"),
}
"""Module -> the middle parts of the ids whose rules it holds."""


@cache
def find_rule(rule_id: str) -> Rule:
    """Return the rule ``rule_id``; a module of rules is loaded when one of them is first found."""
    family = rule_id.split("-")[1]
    name = next(name for name, families in FAMILIES.items() if family in families)
    return _load(name)[rule_id]


def list_rules() -> tuple[Rule, ...]:
    """Return all rules, by id."""
    rules = (rule for name in FAMILIES for rule in _load(name).values())
    return tuple(sorted(rules, key=lambda rule: rule.rule_id))


@cache
def _load(name: str) -> dict[str, Rule]:
    module = import_module(f"{__name__}.{name}")
    return {rule.rule_id: rule for rule in module.RULES}
