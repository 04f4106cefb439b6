from __future__ import annotations

import copy
import hashlib
import json
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import (
    DEFAULT_LIMITS,
    BuilderTrust,
    Completeness,
    DeniedDigest,
    Digest,
    PolicyRoot,
    Severity,
    TrustMap,
    VerifierTrust,
)
from weighbridge.errors import LimitExceededError, MissingExtraError, ParseError
from weighbridge.policy import (
    AllowedDigest,
    CardRule,
    EvaluationRule,
    FormatsRule,
    LicensesRule,
    OwnRule,
    Policy,
    ProvenanceRule,
    ReproductionRule,
    ReviewRule,
    ScanRule,
    SignatureRule,
    Signer,
    SourceRule,
    parse_policy,
)
from weighbridge.policy._faults import POLICY_KEYS

# The same examples everywhere; no deadline, because the first one loads slow packages.
LAW = settings(deadline=None, derandomize=True)

DOCS = Path(__file__).parents[3] / "docs" / "policy.md"

FULL: dict[str, Any] = {
    "version": 1,
    "trust": {
        "signers": {
            "release": {"key": "release.pub", "roles": ["publisher", "reviewer"]},
            "cluster": {"key": "/keys/cluster.pub", "roles": ["builder", "scanner", "verifier"]},
            "tester": {"key": "tester.pub", "roles": ["evaluator"]},
            "company": {
                "certificate-authority": ["ca.pem", "old.pem"],
                "identity": "release@example.com",
                "timestamp-authority": "tsa.pem",
                "roles": ["publisher"],
            },
            "workflow": {
                "identity": "https://example.com/repo/.github/workflows/release.yml",
                "issuer": "https://token.example.com",
                "trust-config": "sigstore.json",
                "roles": ["publisher"],
            },
            "person": {
                "identity": "alice@example.com",
                "issuer": "https://login.example.com",
                "instance": "https://tuf.example.com",
                "roles": ["publisher"],
            },
        },
        "builders": {
            "https://example.com/cluster/v1": {"signers": ["cluster"], "level": 3},
            "https://weighbridge.dev/builders/local/v1": {"signers": ["cluster"], "level": 1},
        },
        "verifiers": {
            "https://example.com/verifier": {
                "signers": ["cluster"],
                "policies": ["sha256:" + "a1" * 32],
                "max-age-days": 7,
            }
        },
    },
    "require": {
        "signature": {"by": ["release"]},
        "scan": {
            "fail-on": "high",
            "coverage": "any",
            "allow": [["sklearn.svm", "SVC"], ["numpy", "load"]],
        },
        "licenses": {
            "allow": ["apache-2.0", "MIT", "llama3.1", "LicenseRef-Ours"],
            "through-lineage": True,
        },
        "card": {"profile": "huggingface", "warn-only": True},
        "provenance": {
            "level": 2,
            "completeness": "observed",
            "depth": 5,
            "max-age-days": 90,
            "warn-only": False,
        },
        "review": {
            "by": ["release"],
            "at-least": 1,
            "max-age-days": 180,
            "scope": "training data",
        },
        "evaluation": [
            {"name": "accuracy", "at-least": "0.92", "by": ["tester", "cluster"]},
            {"name": "toxicity", "at-most": "0.01"},
        ],
        "reproduction": {"level": "L2"},
        "formats": {"allow": ["safetensors", "gguf"]},
        "source": {"from": ["hf://org/*"], "revision": "pinned"},
    },
    "roots": [
        {
            "digest": "sha256:" + "b1" * 32,
            "reason": "the base",
            "license": "mit OR apache-2.0",
            "max-level": 2,
            "expires": datetime(2027, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))),
        }
    ],
    "denied": [{"digest": "sha256:" + "c1" * 32, "reason": "poisoned"}],
    "allowed": [
        {
            "digest": "sha256:" + "d1" * 32,
            "reason": "until the new one is ready",
            "expires": date(2027, 2, 1),
            "rules": ["card", "evaluation.accuracy", "no laptops"],
        }
    ],
    "rules": [{"name": "no laptops", "require": "lineage.all(n, n.level > 0)"}],
}


def list_places(value: object, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield every place in a document, tables and lists included."""
    if place:
        yield place
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from list_places(inner, (*place, key))


def get(document: dict[str, Any], place: tuple[Any, ...]) -> Any:
    value: Any = document
    for key in place:
        value = value[key]
    return value


PLACES = sorted(list_places(FULL), key=str)
# Names and URIs are keys of these, chosen by whoever writes the policy.
NAMED = {("trust", "signers"), ("trust", "builders"), ("trust", "verifiers")}
TABLES = [
    place for place in [(), *PLACES] if isinstance(get(FULL, place), dict) and place not in NAMED
]


def to_toml(value: object) -> str:
    """Write plain values as TOML: tables inline, texts as JSON writes them."""
    if isinstance(value, dict):
        items = (f"{json.dumps(key)} = {to_toml(inner)}" for key, inner in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value)


def parse(document: dict[str, Any] | str | bytes) -> Policy:
    if isinstance(document, dict):
        lines = (f"{json.dumps(key)} = {to_toml(value)}\n" for key, value in document.items())
        document = "".join(lines)
    data = document.encode() if isinstance(document, str) else document
    return parse_policy(data, name="weighbridge.toml", limits=DEFAULT_LIMITS)


def put(document: dict[str, Any], place: tuple[Any, ...], value: object) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    table = changed
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    return changed


def test_every_key_that_works() -> None:
    policy = parse(FULL)
    assert replace(policy, digest="") == Policy(
        name="weighbridge.toml",
        signers=(
            Signer("release", "release.pub", ("publisher", "reviewer")),
            Signer("cluster", "/keys/cluster.pub", ("builder", "scanner", "verifier")),
            Signer("tester", "tester.pub", ("evaluator",)),
            Signer(
                "company",
                "",
                ("publisher",),
                certificate_authorities=("ca.pem", "old.pem"),
                identity="release@example.com",
                timestamp_authorities=("tsa.pem",),
            ),
            Signer(
                "workflow",
                "",
                ("publisher",),
                identity="https://example.com/repo/.github/workflows/release.yml",
                issuer="https://token.example.com",
                trust_config="sigstore.json",
            ),
            Signer(
                "person",
                "",
                ("publisher",),
                identity="alice@example.com",
                issuer="https://login.example.com",
                instance="https://tuf.example.com",
            ),
        ),
        signature=SignatureRule(by=("release",)),
        scan=ScanRule(fail_on=Severity.HIGH, complete=False),
        licenses=LicensesRule(
            allow=(
                "Apache-2.0",
                "MIT",
                "LicenseRef-scancode-llama-3.1-license-2024",
                "LicenseRef-Ours",
            ),
            through_lineage=True,
        ),
        card=CardRule(profile="huggingface", warn_only=True),
        allowed=frozenset({("sklearn.svm", "SVC"), ("numpy", "load")}),
        provenance=ProvenanceRule(2, Completeness.OBSERVED, depth=5, max_age_days=90),
        review=ReviewRule(("release",), 1, max_age_days=180, scope="training data"),
        evaluation=(
            EvaluationRule("accuracy", at_least=Decimal("0.92"), by=("tester", "cluster")),
            EvaluationRule("toxicity", at_most=Decimal("0.01")),
        ),
        reproduction=ReproductionRule("L2"),
        formats=FormatsRule(("safetensors", "gguf")),
        source=SourceRule(("hf://org/*",), pinned=True),
        own_rules=(OwnRule("no laptops", "lineage.all(n, n.level > 0)"),),
        builders=(
            BuilderTrust("https://example.com/cluster/v1", ("cluster",), 3),
            BuilderTrust("https://weighbridge.dev/builders/local/v1", ("cluster",), 1),
        ),
        verifiers=(
            VerifierTrust(
                "https://example.com/verifier", ("cluster",), ("sha256:" + "a1" * 32,), 7
            ),
        ),
        roots=(
            PolicyRoot(
                Digest("b1" * 32),
                "the base",
                license="MIT OR Apache-2.0",
                max_level=2,
                expires=datetime(2027, 1, 31, 10, tzinfo=UTC),
            ),
        ),
        denied=(DeniedDigest(Digest("c1" * 32), "poisoned"),),
        waivers=(
            AllowedDigest(
                Digest("d1" * 32),
                "until the new one is ready",
                expires=datetime(2027, 2, 1, tzinfo=UTC),
                rules=("card", "evaluation.accuracy", "no laptops"),
            ),
        ),
    )


def test_the_trust_map_is_that_of_the_policy() -> None:
    policy = parse(FULL)
    roles = {name: frozenset(table["roles"]) for name, table in FULL["trust"]["signers"].items()}
    assert policy.trust == TrustMap(
        roles=roles,
        builders={builder.builder: builder for builder in policy.builders},
        verifiers={verifier.verifier: verifier for verifier in policy.verifiers},
        roots=policy.roots,
        denied=policy.denied,
    )


def test_what_is_not_said_has_the_strict_value() -> None:
    text = "version = 1\nrequire.provenance = { level = 1 }\nrequire.source.from = ['hf://o/*']"
    policy = parse(text)
    assert policy.provenance == ProvenanceRule(1, Completeness.UNKNOWN, depth=None)
    assert policy.source == SourceRule(("hf://o/*",), pinned=False)
    assert parse(put(FULL, ("require", "provenance", "depth"), "all")).provenance == replace(
        ProvenanceRule(2, Completeness.OBSERVED, max_age_days=90), depth=None
    )


def test_digest_is_that_of_the_bytes() -> None:
    data = b"version = 1\n[require]\nscan = {}\n"
    assert parse(data).digest == "sha256:" + hashlib.sha256(data).hexdigest()


def test_scan_rule_is_strict_unless_told() -> None:
    assert parse("version = 1\nrequire.scan = {}").scan == ScanRule(
        fail_on=Severity.MEDIUM, complete=True
    )


def test_only_the_rules_of_the_file_are_there() -> None:
    policy = parse("version = 1\nrequire.card.profile = 'huggingface'")
    assert (policy.signature, policy.scan, policy.licenses) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "words", "where"),
    [
        ("", "'version' is missing", "version"),
        ("version = 2\nrequire.scan = {}", "write 1", "version"),
        ("version = true\nrequire.scan = {}", "whole number", "version"),
        ("version = 1.0\nrequire.scan = {}", "whole number", "version"),
        ("version = 1", "there is no rule", "require"),
        ("version = 1\n[require]", "there is no rule", "require"),
        ("version = 1\nrequire.scan.fail_on = 'low'", "did you mean 'fail-on'?", "fail_on"),
        ("version = 1\nrequire.scan.failon = 'low'", "did you mean 'fail-on'?", "failon"),
        ("version = 1\nrequire.licences.allow = ['MIT']", "did you mean 'licenses'?", "licences"),
        ("version = 1\nrequires.scan = {}", "did you mean 'require'?", "requires"),
        ("version = 1\nzzz = 1", "remove it", "zzz"),
        ("version = 1\nrequire.scan.fail-on = 'bad'", "'low', 'medium'", "require.scan.fail-on"),
        ("version = 1\nrequire.scan.coverage = 'all'", "'complete' or 'any'", "coverage"),
        ("version = 1\nrequire.scan.allow = [['a']]", "wrong number", "require.scan.allow[0]"),
        ("version = 1\nrequire.scan.allow = [['a', '']]", "cannot be used", "allow[0][1]"),
        ("version = 1\nrequire.scan.allow = [['a', 'b'], ['a', 'b']]", "twice", "scan.allow"),
        ("version = 1\nrequire.licenses.allow = []", "wrong number", "require.licenses.allow"),
        ("version = 1\nrequire.licenses.allow = ['MIT', 'mit']", "twice", "licenses.allow"),
        ("version = 1\nrequire.licenses.allow = ['Apache2']", "'Apache2'", "licenses.allow[0]"),
        ("version = 1\nrequire.licenses.allow = ['MIT OR ISC']", "one by one", "allow[0]"),
        ("version = 1\nrequire.licenses = {}", "'allow' is missing", "require.licenses.allow"),
        ("version = 1\nrequire.card.profile = 'none'", "'huggingface'", "require.card.profile"),
        ("version = 1\nrequire.signature.by = []", "wrong number", "require.signature.by"),
        ("version = 1\nrequire.signature.by = ['a']", "no signer 'a'", "require.signature.by[0]"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, words: str, where: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith("weighbridge.toml: ")
    assert words in message
    assert caught.value.where.endswith(where)
    assert message.count("(at ") == 1


SIGNER = "[trust.signers.a]\nkey = 'a.pub'\nroles = {roles}\n[require]\nsignature.by = {by}"


@pytest.mark.parametrize(
    ("roles", "by", "words"),
    [
        ("['builder']", "['a']", "may not publish"),
        ("[]", "['a']", "wrong number"),
        ("['boss']", "['a']", "'publisher', 'builder'"),
        ("['publisher', 'publisher']", "['a']", "twice"),
        ("['publisher']", "['a', 'a']", "twice"),
        ("['publisher']", "['a', 'b']", "no signer 'b'"),
    ],
)
def test_signers_are_checked(roles: str, by: str, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        parse("version = 1\n" + SIGNER.format(roles=roles, by=by))


WAYS = """\
[trust.signers.a]
roles = ["publisher"]
{lines}
[require]
signature.by = ["a"]
"""


@pytest.mark.parametrize(
    ("lines", "words", "where"),
    [
        ("", "known by nothing; add 'key'", "a"),
        ("identity = 'x'", "known by nothing", "a"),
        ("timestamp-authority = 'x'", "known by nothing", "a"),
        ("trust-config = 'x'", "known by nothing", "a"),
        ("key = 'k'\ncertificate-authority = 'c'", "exclude each", "a.certificate-authority"),
        ("key = 'k'\nidentity = 'x'\nissuer = 'y'", "exclude each other", "a.issuer"),
        ("certificate-authority = 'c'\nissuer = 'y'", "exclude each other", "a.issuer"),
        ("key = 'k'\nidentity = 'x'", "'identity' does not go with 'key'", "a.identity"),
        ("issuer = 'y'", "'issuer' needs 'identity'", "a.issuer"),
        ("key = 'k'\ntrust-config = 't'", "does not go with 'key'", "a.trust-config"),
        ("key = 'k'\ninstance = 't'", "does not go with 'key'", "a.instance"),
        (
            "certificate-authority = 'c'\ntrust-config = 't'",
            "does not go with 'certificate-authority'",
            "a.trust-config",
        ),
        (
            "identity = 'x'\nissuer = 'y'\ntimestamp-authority = 't'",
            "'timestamp-authority' does not go with 'issuer'",
            "a.timestamp-authority",
        ),
        ("certificate-authority = []", "wrong number of entries", "a.certificate-authority"),
        ("certificate-authority = ['c', 'c']", "listed twice", "a.certificate-authority"),
        ("certificate-authority = ['c', 1]", "write text", "a.certificate-authority[1]"),
        ("certificate-authority = ''", "cannot be used", "a.certificate-authority[0]"),
        ("certificate-authority = 1", "write a list", "a.certificate-authority"),
        ("identitty = 'x'", "did you mean 'identity'?", "a.identitty"),
    ],
)
def test_a_signer_is_known_in_exactly_one_way(lines: str, words: str, where: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse("version = 1\n" + WAYS.format(lines=lines))
    assert words in str(caught.value)
    assert caught.value.where == f"trust.signers.{where}"


@pytest.mark.parametrize(
    "lines",
    [
        "key = 'k'",
        "key = 'k'\ntimestamp-authority = ['t', 'u']",
        "certificate-authority = 'c'",
        "certificate-authority = ['c']\nidentity = 'x'\ntimestamp-authority = 't'",
        "identity = 'x'\nissuer = 'y'",
        "identity = 'x'\nissuer = 'y'\ntrust-config = 't'",
    ],
)
def test_the_ways_to_know_a_signer(lines: str) -> None:
    assert parse("version = 1\n" + WAYS.format(lines=lines)).signers[0].name == "a"


@pytest.mark.parametrize("name", ["a b", "", "\u202e", "x" * 101, "-a", "a\n"])
def test_names_of_signers_are_plain(name: str) -> None:
    document = put(FULL, ("trust", "signers", name), {"key": "k", "roles": ["builder"]})
    with pytest.raises(ParseError):
        parse(document)


DIGEST = '"sha256:' + "e1" * 32 + '"'
ROLES = """
version = 1
trust.signers.release = { key = "r.pub", roles = ["publisher"] }
trust.signers.cluster = { key = "c.pub", roles = ["builder"] }
trust.signers.person = { key = "p.pub", roles = ["reviewer"] }
require.scan = {}
"""


@pytest.mark.parametrize(
    ("text", "words", "where"),
    [
        ("require.review.by = ['release']", "may not review", "require.review.by[0]"),
        ("require.review.by = ['nobody']", "no signer 'nobody'", "require.review.by[0]"),
        ("require.review = { by = ['person'], at-least = 2 }", "2 reviewers", "review.at-least"),
        ("require.review = { by = ['person'], at-least = 0 }", "1 or more", "review.at-least"),
        ("require.review = { by = ['person'], max-age-days = 0 }", "1 or more", "max-age-days"),
        ("require.signature.by = ['person']", "may not publish", "require.signature.by[0]"),
        ("require.provenance = {}", "'level' is missing", "require.provenance.level"),
        ("require.provenance.level = 4", "3 or less", "require.provenance.level"),
        ("require.provenance = { level = 1, depth = 'some' }", "write 'all', 0", ".depth"),
        ("require.provenance = { level = 1, depth = -1 }", "write 'all', 0", ".depth"),
        ("require.provenance = { level = 1, depth = true }", "write 'all', 0", ".depth"),
        ("require.provenance = { level = 1, completed = 'x' }", "'completeness'?", "completed"),
        ("require.evaluation = []", "wrong number", "require.evaluation"),
        ("require.evaluation = [{ name = 'a' }]", "add 'at-least'", "require.evaluation[0]"),
        ("require.evaluation = [{ name = 'a', at_least = '1' }]", "'at-least'?", "[0].at_least"),
        ("require.evaluation = [{ name = 'a', at-least = '1e3' }]", "'0.92'", "[0].at-least"),
        ("require.evaluation = [{ name = 'a', at-least = 0.9 }]", "write text", "[0].at-least"),
        (
            "require.evaluation = [{ name = 'a', at-least = '2', at-most = '1' }]",
            "no number",
            "evaluation[0]",
        ),
        (
            "require.evaluation = [{ name = 'a', at-most = '1', by = ['person'] }]",
            "may not evaluate; if it may, add that role (evaluator or builder)",
            "evaluation[0].by[0]",
        ),
        (
            "require.evaluation = [{name='a', at-most='1'}, {name='a', at-least='0'}]",
            "listed twice",
            "evaluation[1].name",
        ),
        ("require.reproduction.level = 'L9'", "'L0'", "require.reproduction.level"),
        ("require.formats.allow = ['unknown']", "nobody could tell", "formats.allow[0]"),
        ("require.formats.allows = ['gguf']", "'allow'?", "require.formats.allows"),
        ("require.source.from = ['*']", "no pattern of URIs", "require.source.from[0]"),
        ("require.source.from = ['hf://*/x']", "anybody's", "require.source.from[0]"),
        ("require.source.from = ['hf://o/**/x']", "at the end", "require.source.from[0]"),
        ("require.source.from = ['hf://o/x**']", "at the end", "require.source.from[0]"),
        ("require.source = { from = ['hf://o/*'], revision = 'x' }", "'pinned'", "revision"),
        ("require.licenses = { allow = ['MIT'], through-lineage = 1 }", "true or", "lineage"),
        ("require.card = { profile = 'huggingface', warn-only = 'yes' }", "true or", "warn-only"),
        ("[trust.builders.x]\nsigners = ['cluster']\nlevel = 1", "no URI", "trust.builders.x"),
        (
            "[trust.builders.'https://b/v1']\nsigners = ['release']\nlevel = 1",
            "may not speak for a builder",
            "trust.builders.https://b/v1.signers[0]",
        ),
        (
            "[trust.builders.'https://b/v1']\nsigners = ['cluster']\nlevl = 1",
            "'level'?",
            "trust.builders.https://b/v1.levl",
        ),
        (
            (
                "[trust.builders.'https://weighbridge.dev/builders/local/v1']\n"
                "signers = ['cluster']\nlevel = 2"
            ),
            "signs for itself, or for what nobody saw",
            "builders/local/v1.level",
        ),
        (
            (
                "[trust.verifiers.'https://v']\nsigners = ['cluster']\nmax-age-days = 1\n"
                f"policies = [{DIGEST}]"
            ),
            "may not verify for others",
            "trust.verifiers.https://v.signers[0]",
        ),
        (
            (
                "[trust.verifiers.'https://v']\nsigners = ['cluster']\nmax-age-days = 1\n"
                "policies = ['abc']"
            ),
            "no digest; write sha256:",
            "trust.verifiers.https://v.policies[0]",
        ),
        ("[[roots]]\ndigest = 'sha256:AB'\nreason = 'x'", "no digest", "roots[0].digest"),
        (f"[[roots]]\ndigest = {DIGEST}", "'reason' is missing", "roots[0].reason"),
        (f"[[roots]]\ndigest = {DIGEST}\nreason = 'x'\nexpire = 1", "'expires'?", ".expire"),
        (
            f"[[roots]]\ndigest = {DIGEST}\nreason = 'x'\nlicense = 'No Such'",
            "'No' is no licence",
            "roots[0].license",
        ),
        (
            f"[[roots]]\ndigest = {DIGEST}\nreason = 'x'\nexpires = 2027-01-01T00:00:00",
            "add Z",
            "roots[0].expires",
        ),
        (
            f"[[roots]]\ndigest = {DIGEST}\nreason = 'x'\nexpires = '2027-01-01'",
            "is no date; write",
            "roots[0].expires",
        ),
        (f"[[allowed]]\ndigest = {DIGEST}\nreason = 'x'", "'expires' is missing", ".expires"),
        (
            (
                f"[[allowed]]\ndigest = {DIGEST}\nreason = 'x'\nexpires = 2027-01-01\n"
                "rules = ['integrity']"
            ),
            "never waived",
            "allowed[0].rules[0]",
        ),
        (
            f"[[allowed]]\ndigest = {DIGEST}\nreason = 'x'\nexpires = 2027-01-01\nrules = ['card']",
            "no rule 'card' in this policy",
            "allowed[0].rules[0]",
        ),
        (
            (
                f"[[denied]]\ndigest = {DIGEST}\nreason = 'x'\n"
                f"[[denied]]\ndigest = {DIGEST}\nreason = 'y'"
            ),
            "listed twice",
            "denied[1].digest",
        ),
        (
            (
                f"[[denied]]\ndigest = {DIGEST}\nreason = 'x'\n"
                f"[[roots]]\ndigest = {DIGEST}\nreason = 'y'"
            ),
            "in 'denied', too",
            "roots[0].digest",
        ),
        ("[[rules]]\nname = 'scan'\nrequire = 'true'", "take another", "rules[0].name"),
        ("[[rules]]\nname = 'x'\nrequire = 'a =='", "not CEL: Syntax", "rules[0].require"),
        ("[[rules]]\nname = ''\nrequire = 'true'", "cannot be used", "rules[0].name"),
        ('[[rules]]\nname = "\\u202e"\nrequire = "true"', "cannot be shown", "rules[0].name"),
        (
            "[[rules]]\nname = 'x'\nrequire = 'true'\n[[rules]]\nname = 'x'\nrequire = 'true'",
            "two rules",
            "rules[1].name",
        ),
        ("[[rule]]\nname = 'x'\nrequire = 'true'", "did you mean 'rules'?", "rule"),
    ],
)
def test_what_is_wrong_with_lineage_rules_is_said_with_its_place(
    text: str, words: str, where: str
) -> None:
    with pytest.raises(ParseError) as caught:
        parse(ROLES + text)
    message = str(caught.value)
    assert message.startswith("weighbridge.toml: ")
    assert words in message
    assert caught.value.where.endswith(where)
    assert message.count("(at ") == 1


def test_only_what_is_denied_is_no_rule() -> None:
    text = f"version = 1\n[[denied]]\ndigest = {DIGEST}\nreason = 'x'"
    with pytest.raises(ParseError, match="there is no rule"):
        parse(text)
    assert parse(f"{text}\n[[rules]]\nname = 'x'\nrequire = 'true'").denied


def test_every_key_that_is_suggested_is_known_and_the_other_way_round() -> None:
    """``did you mean`` may not lead to another error, nor leave a key out."""
    suggested = {(*table, key) for table, keys in POLICY_KEYS.items() for key in keys}
    works = set()
    for place in PLACES:
        generic = tuple("*" if isinstance(part, int) else part for part in place)
        if generic[:2] in NAMED and len(generic) > 2:
            generic = (*generic[:2], "*", *generic[3:])
        if generic[-1] != "*":
            works.add(generic)
    anywhere = {(*table, "warn-only") for table in POLICY_KEYS if "warn-only" in POLICY_KEYS[table]}
    assert suggested == works | anywhere


@pytest.mark.parametrize("rule", [*FULL["require"], "rules"])
def test_every_rule_may_be_a_warning_only(rule: str) -> None:
    place: tuple[Any, ...] = ("rules", 0) if rule == "rules" else ("require", rule)
    place = (*place, 0) if rule == "evaluation" else place
    policy = parse(put(FULL, (*place, "warn-only"), True))
    own = policy.own_rules if rule == "rules" else getattr(policy, rule)
    first = own[0] if isinstance(own, tuple) else own
    assert first.warn_only is True


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel", None)
    with pytest.raises(MissingExtraError, match=r"weighbridge\[cel\]"):
        parse(FULL)
    without = {key: value for key, value in FULL.items() if key not in ("rules", "allowed")}
    assert parse(without).own_rules == ()


@LAW
@given(st.sampled_from(TABLES), st.text(string.ascii_letters + "-_", min_size=1, max_size=12))
def test_unknown_keys_are_refused_in_every_table(table: tuple[Any, ...], key: str) -> None:
    if key in {part for keys in POLICY_KEYS.values() for part in keys}:
        return
    with pytest.raises(ParseError, match="there is no key") as caught:
        parse(put(FULL, (*table, key), 1))
    assert caught.value.where.endswith(key)


WRONG = st.one_of(
    st.none().map(lambda _: 7.5),
    st.integers(min_value=2, max_value=9),
    st.booleans(),
    st.just([[[]]]),
    st.just({"x": 1}),
    st.just(""),
    st.just("no such value"),
)


# Texts that may be anything, and numbers that may be as great as those.
FREE = {"key", "certificate-authority", "timestamp-authority", "trust-config", "identity"}
FREE |= {"issuer", "instance", "name", "reason", "scope", "require"}
GREAT = {"max-age-days", "depth", "at-least", "level", "max-level"}


@LAW
@given(st.sampled_from(PLACES), WRONG)
def test_wrong_values_are_refused_at_their_place(place: tuple[Any, ...], value: object) -> None:
    last = [part for part in place if isinstance(part, str)][-1]
    if last in FREE and value == "no such value" and place[0] != "rules":
        return  # a path or a name like any other
    if (last in GREAT and type(value) is int) or (last == "warn-only" and type(value) is bool):
        return
    if last in ("formats", "allow") and value == "no such value":
        return  # what a later scan may call a file
    if last == "through-lineage" and type(value) is bool:
        return
    with pytest.raises(ParseError) as caught:
        parse(put(FULL, place, value))
    assert str(caught.value).isprintable()
    assert caught.value.where


@LAW
@given(st.binary(max_size=200))
def test_any_bytes_are_a_policy_or_an_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"version = \xff",
        b"\xef\xbb\xbfversion = 1",
        b"version = 1\nversion = 1",
        b"x = " + b"[" * 100_000,
        b"version = 1" + b"0" * 5_000,
        b"version",
    ],
)
def test_what_is_not_toml_is_said_so(data: bytes) -> None:
    with pytest.raises(ParseError, match=r"weighbridge\.toml is (not TOML|nested too deeply)"):
        parse(data)


def test_size_is_bounded() -> None:
    limits = replace(DEFAULT_LIMITS, max_policy_bytes=10)
    with pytest.raises(LimitExceededError, match="max_policy_bytes"):
        parse_policy(b"version = 1\n", name="p.toml", limits=limits)


def test_messages_are_safe_to_print() -> None:
    with pytest.raises(ParseError) as caught:
        parse_policy(
            b'version = 1\n"\\u202e\\u001b[2J" = 1', name="p\x1b.toml", limits=DEFAULT_LIMITS
        )
    assert str(caught.value).isprintable()


def test_pydantic_is_loaded_only_to_parse() -> None:
    code = "import sys, weighbridge.policy; print('pydantic' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def _read_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)


def test_examples_of_the_documentation_are_policies() -> None:
    blocks = _read_blocks("toml")
    assert len(blocks) >= 5
    for block in blocks:
        assert parse(block).digest


def test_documentation_has_every_key() -> None:
    text = DOCS.read_text()
    for key in {key for keys in POLICY_KEYS.values() for key in keys}:
        assert (
            f"`{key}" in text or f".{key}`" in text or f"[[{key}]]" in text or f".{key}." in text
        ), key
    for role in ("evaluator", "publisher", "builder", "scanner", "reviewer", "verifier"):
        assert f"`{role}`" in text


def test_documented_error_is_the_error() -> None:
    documented = [tuple(block.strip().splitlines()) for block in _read_blocks("console")]
    assert documented
    for lines in documented:
        policy, expected = lines[0].removeprefix("# "), lines[1]
        with pytest.raises(ParseError) as caught:
            parse("version = 1\n" + policy)
        assert str(caught.value) == expected
