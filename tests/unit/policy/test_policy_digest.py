"""A policy without a file has a digest too: it names what it demands."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from weighbridge.core import Severity
from weighbridge.policy import Policy, ScanRule, Signer, built_in_policy, digest_policy


def test_a_file_has_the_digest_of_its_bytes() -> None:
    named = replace(built_in_policy(), digest="sha256:" + "ab" * 32)
    assert digest_policy(named) == named.digest


def test_the_built_in_policy_always_has_the_same_digest() -> None:
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest_policy(built_in_policy()))
    assert digest_policy(built_in_policy()) == digest_policy(built_in_policy())


def test_whatever_differs_gives_another_digest() -> None:
    plain = built_in_policy()
    others = [
        replace(plain, scan=ScanRule(Severity.HIGH, complete=True)),
        replace(plain, scan=ScanRule(Severity.MEDIUM, complete=False)),
        replace(plain, scan=None),
        replace(plain, signers=(Signer("a", "a.pub", ("publisher",)),)),
        replace(plain, allowed=frozenset({("m", "n")})),
        *(replace(plain, **{f.name: None}) for f in fields(Policy) if f.name == "card"),
    ]
    digests = {digest_policy(policy) for policy in (plain, *others)}
    assert len(digests) == len(others) + 1


def test_the_order_of_a_set_does_not_matter() -> None:
    pairs = [(f"m{i}", "n") for i in range(50)]
    one = replace(built_in_policy(), allowed=frozenset(pairs))
    other = replace(built_in_policy(), allowed=frozenset(reversed(pairs)))
    assert digest_policy(one) == digest_policy(other)


def test_what_cannot_be_written_is_refused() -> None:
    odd = replace(built_in_policy(), name=b"x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bytes"):
        digest_policy(odd)
