from __future__ import annotations

import copy
import hashlib
import json
import re
import string
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weighbridge.policy._explain import _KEYS

from weighbridge.core import DEFAULT_LIMITS, Severity
from weighbridge.errors import LimitExceededError, ParseError
from weighbridge.policy import (
    CardRule,
    LicensesRule,
    Policy,
    ScanRule,
    SignatureRule,
    Signer,
    parse_policy,
)
from weighbridge.policy._parse import _NOT_YET

# The same examples everywhere; no deadline, because the first one loads slow packages.
LAW = settings(deadline=None, derandomize=True)

DOCS = Path(__file__).parents[3] / "docs" / "policy.md"

FULL: dict[str, Any] = {
    "version": 1,
    "trust": {
        "signers": {
            "release": {"key": "release.pub", "roles": ["publisher", "reviewer"]},
            "cluster": {"key": "/keys/cluster.pub", "roles": ["builder", "scanner", "verifier"]},
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
        }
    },
    "require": {
        "signature": {"by": ["release"]},
        "scan": {
            "fail-on": "high",
            "coverage": "any",
            "allow": [["sklearn.svm", "SVC"], ["numpy", "load"]],
        },
        "licenses": {"allow": ["apache-2.0", "MIT", "llama3.1", "LicenseRef-Ours"]},
        "card": {"profile": "huggingface"},
    },
}

TABLES = [
    (),
    ("trust",),
    ("trust", "signers", "release"),
    ("trust", "signers", "company"),
    ("trust", "signers", "workflow"),
    ("require",),
    ("require", "signature"),
    ("require", "scan"),
    ("require", "licenses"),
    ("require", "card"),
]

LEAVES = [
    ("version",),
    ("trust",),
    ("trust", "signers"),
    ("trust", "signers", "release"),
    ("trust", "signers", "release", "key"),
    ("trust", "signers", "release", "roles"),
    ("trust", "signers", "company", "certificate-authority"),
    ("trust", "signers", "company", "timestamp-authority"),
    ("trust", "signers", "workflow", "identity"),
    ("trust", "signers", "workflow", "issuer"),
    ("trust", "signers", "workflow", "trust-config"),
    ("trust", "signers", "person", "instance"),
    ("require",),
    *(("require", rule) for rule in FULL["require"]),
    ("require", "signature", "by"),
    ("require", "scan", "fail-on"),
    ("require", "scan", "coverage"),
    ("require", "scan", "allow"),
    ("require", "licenses", "allow"),
    ("require", "card", "profile"),
]


def to_toml(value: object) -> str:
    """Write plain values as TOML: tables inline, texts as JSON writes them."""
    if isinstance(value, dict):
        items = (f"{json.dumps(key)} = {to_toml(inner)}" for key, inner in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return json.dumps(value)


def parse(document: dict[str, Any] | str | bytes) -> Policy:
    if isinstance(document, dict):
        lines = (f"{json.dumps(key)} = {to_toml(value)}\n" for key, value in document.items())
        document = "".join(lines)
    data = document.encode() if isinstance(document, str) else document
    return parse_policy(data, name="weighbridge.toml", limits=DEFAULT_LIMITS)


def put(document: dict[str, Any], place: tuple[str, ...], value: object) -> dict[str, Any]:
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
            )
        ),
        card=CardRule(profile="huggingface"),
        allowed=frozenset({("sklearn.svm", "SVC"), ("numpy", "load")}),
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


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("trust", "builders"), {"https://example.com/b/v1": {"signers": ["release"], "level": 3}}),
        (("require", "provenance"), {"level": 2}),
        (("require", "licenses", "through-lineage"), True),
        (("require", "review"), {"by": ["release"]}),
        (("require", "evaluation"), [{"name": "accuracy", "at-least": "0.92"}]),
        (("require", "reproduction"), {"level": "L2"}),
        (("roots",), [{"digest": "sha256:...", "reason": "..."}]),
        (("rules",), [{"name": "x", "require": "true"}]),
    ],
)
def test_keys_of_the_format_that_cannot_be_judged_are_never_passed_over(
    place: tuple[str, ...], value: object
) -> None:
    with pytest.raises(ParseError, match="this version cannot") as caught:
        parse(put(FULL, place, value))
    assert caught.value.where == ".".join(place)


@pytest.mark.parametrize("value", [False, 0, {}, []])
def test_empty_values_do_not_hide_what_cannot_be_judged(value: object) -> None:
    for place in (("require", "provenance"), ("require", "review"), ("roots",), ("rules",)):
        with pytest.raises(ParseError, match="this version cannot"):
            parse(put(FULL, place, value))


def test_every_key_that_is_suggested_is_known() -> None:
    """``did you mean`` may not lead to another error."""
    suggested = {(*table, key) for table, keys in _KEYS.items() for key in keys}
    anyone = ("trust", "signers", "*")
    works = {(*anyone, place[-1]) if len(place) == 4 else place for place in LEAVES}
    whole = {("trust", "signers", name) for name in FULL["trust"]["signers"]}
    assert suggested == (works - {anyone} - whole) | set(_NOT_YET)


def test_not_following_the_lineage_can_be_said() -> None:
    assert parse(put(FULL, ("require", "licenses", "through-lineage"), False)) is not None
    with pytest.raises(ParseError, match="this version cannot"):
        parse(put(FULL, ("require", "licenses", "through-lineage"), 0))


@LAW
@given(st.sampled_from(TABLES), st.text(string.ascii_letters + "-_", min_size=1, max_size=12))
def test_unknown_keys_are_refused_in_every_table(table: tuple[str, ...], key: str) -> None:
    known = {part for place in LEAVES for part in place}
    later = {"builders", "provenance", "review"}
    later |= {"through-lineage", "evaluation", "reproduction", "roots", "rules"}
    if key in known | later:
        return
    with pytest.raises(ParseError, match="there is no key") as caught:
        parse(put(FULL, (*table, key), 1))
    assert caught.value.where == ".".join((*table, key))


WRONG = st.one_of(
    st.none().map(lambda _: 7.5),
    st.integers(min_value=2, max_value=9),
    st.booleans(),
    st.just([[[]]]),
    st.just({"x": 1}),
    st.just(""),
    st.just("no such value"),
)


@LAW
@given(st.sampled_from(LEAVES), WRONG)
def test_wrong_values_are_refused_at_their_place(place: tuple[str, ...], value: object) -> None:
    files = {"key", "certificate-authority", "timestamp-authority", "trust-config"}
    if place[-1] in files | {"identity", "issuer", "instance"} and value == "no such value":
        return  # a path or a name like any other
    with pytest.raises(ParseError) as caught:
        parse(put(FULL, place, value))
    assert re.split(r"[.\[]", caught.value.where)[0] == place[0]
    assert str(caught.value).isprintable()


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
    for place in LEAVES:
        assert place[-1] in text
    for role in ("publisher", "builder", "scanner", "reviewer", "verifier"):
        assert f"`{role}`" in text


def test_documented_error_is_the_error() -> None:
    documented = [tuple(block.strip().splitlines()) for block in _read_blocks("console")]
    assert documented
    for lines in documented:
        policy, expected = lines[0].removeprefix("# "), lines[1]
        with pytest.raises(ParseError) as caught:
            parse("version = 1\n" + policy)
        assert str(caught.value) == expected
