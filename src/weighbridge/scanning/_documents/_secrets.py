"""Secrets that were left in a text: only what has the exact form of one, and is no example."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.scanning._notes import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.core.ports import ByteSource
    from weighbridge.scanning._notes import Note

__all__ = ["COMMON_NEEDLES", "SECRET_NEEDLES", "find_secrets"]

_PIECE_BYTES = 4 * 1024 * 1024
_OVERLAP_BYTES = 8 * 1024
_MAX_FINDINGS = 20
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of secret: what a text must hold for the pattern to be tried, and the pattern.

    ``bits`` is the least entropy of a character of the secret, which is what group 1 matches.
    """

    needle: bytes
    pattern: re.Pattern[bytes]
    what: str
    rule_id: str = "WB-SEC-001"
    bits: float = 3.0


def _token(start: str, tail: str, what: str, bits: float = 3.0) -> _Kind:
    """Return a kind whose secrets begin with ``start``: searching is fast for such patterns."""
    literal = re.escape(start)
    pattern = rf"({literal}(?<![A-Za-z0-9_-]{literal}){tail})(?![A-Za-z0-9])"
    needle = "sk-" if start.startswith("sk-") else start
    return _Kind(needle.encode(), re.compile(pattern.encode()), what, bits=bits)


def _kind(needle: str, pattern: str, what: str, rule: str = "001", bits: float = 3.0) -> _Kind:
    return _Kind(needle.encode(), re.compile(pattern.encode()), what, f"WB-SEC-{rule}", bits)


_KEY_BODY = r"((?:[A-Za-z0-9+/=:,. -]|\\{1,3}n|\s){100,20000}+)"
_AWS = r"[\"']?\s*[=:]\s*[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
_WANDB = r"[\"']?\]?\s*[=:(]\s*[\"']?([0-9a-f]{40})(?![0-9a-f])"
_USER = r"://[^\s/:@\"'<>{}$%()\[\]|\\`,;]{1,80}:"
_BEHIND = r"([^\s/@\"'<>{}$()\[\]|\\`,;]{6,120})"
_HOST = r"@(?!localhost|127\.|example|host\b|0\.0)[a-z0-9][\w.-]*"
_KINDS = (
    _token("hf_", "[A-Za-z]{34}", "a token of Hugging Face"),
    _token("api_org_", "[A-Za-z]{34}", "a token of Hugging Face"),
    _token("AKIA", "[A-Z2-7]{16}", "an access key of AWS", 2.8),
    _kind("aws_secret_access_key", "aws_secret_access_key" + _AWS, "a secret key of AWS", bits=3.8),
    _kind("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY" + _AWS, "a secret key of AWS", bits=3.8),
    _token("ghp_", "[A-Za-z0-9]{36}", "a token of GitHub"),
    _token("gho_", "[A-Za-z0-9]{36}", "a token of GitHub"),
    _token("ghs_", "[A-Za-z0-9]{36}", "a token of GitHub"),
    _token("github_pat_", "[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", "a token of GitHub"),
    _token("glpat-", r"[\w-]{20,64}", "a token of GitLab"),
    _token("sk-ant-", r"[a-z]+[0-9]{2}-[\w-]{80,200}", "a key of Anthropic"),
    _token(
        "sk-", r"(?:proj-|svcacct-|admin-)?[\w-]{20,200}T3BlbkFJ[\w-]{20,200}", "a key of OpenAI"
    ),
    _token("sk-", "[A-Za-z0-9]{48}", "a key of OpenAI"),
    _token("sk-or-", "v1-[0-9a-f]{64}", "a key of OpenRouter"),
    _kind("xox", r"(xox[abprs]-[0-9]{10,13}-[0-9A-Za-z-]{20,200})", "a token of Slack"),
    _kind(
        "hooks.slack", r"(hooks\.slack\.com/services/T\w{8,12}/B\w{8,12}/\w{20,40})", "a Slack hook"
    ),
    _token("AIza", r"[\w-]{35}", "a key of Google"),
    _token("npm_", "[A-Za-z0-9]{36}", "a token of npm"),
    _token("pypi-", r"AgEIcHlwaS5vcmc[\w-]{50,300}", "a token of PyPI"),
    _token("r8_", "[A-Za-z0-9]{37}", "a token of Replicate"),
    _token("gsk_", "[A-Za-z0-9]{52}", "a key of Groq"),
    _token("sk_live_", "[A-Za-z0-9]{24,120}", "a key of Stripe"),
    _token("dop_v1_", "[0-9a-f]{64}", "a token of DigitalOcean"),
    _token("dapi", "[0-9a-f]{32}", "a token of Databricks", 2.8),
    _token("nvapi-", r"[\w-]{60,80}", "a key of NVIDIA"),
    _token("pplx-", "[A-Za-z0-9]{48}", "a key of Perplexity"),
    _token("xai-", "[A-Za-z0-9]{80}", "a key of xAI"),
    _token("shpat_", "[0-9a-f]{32}", "a token of Shopify", 2.8),
    _token("lin_api_", "[A-Za-z0-9]{40}", "a key of Linear"),
    _token("dp.pt.", "[A-Za-z0-9]{40,44}", "a token of Doppler"),
    _token("AGE-SECRET-KEY-1", "[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", "a key of age"),
    _kind("api.telegram.org", r"api\.telegram\.org/bot([0-9]{8,10}:[\w-]{35})", "a Telegram token"),
    _kind(
        "discord",
        r"discord(?:app)?\.com/api/webhooks/([0-9]{17,20}/[\w-]{60,72})",
        "a Discord hook",
    ),
    _kind(":AA", r"(?<![\w:])([0-9]{8,10}:AA[\w-]{33})(?![\w-])", "a token of Telegram", bits=3.5),
    _kind(
        "password ",
        r"machine\s+\S{3,80}\s+login\s+\S{1,80}\s+password\s+([^\s\"'\\]{8,120})",
        "a password of a machine",
        "003",
        2.8,
    ),
    _token("SG.", r"[\w-]{22}\.[\w-]{43}", "a key of SendGrid"),
    _kind("WANDB_API_KEY", "WANDB_API_KEY" + _WANDB, "a key of Weights & Biases", bits=2.8),
    _kind(
        "wandb",
        r"wandb[._](?:api_key|key|login\(key)" + _WANDB,
        "a key of Weights & Biases",
        bits=2.8,
    ),
    _kind("AccountKey=", r"AccountKey=([A-Za-z0-9+/]{86}==)", "a key of Azure storage", bits=4.0),
    _token("eyJ", r"[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{40,1000}", "a signed web token", 3.5),
    _kind(
        "PRIVATE KEY",
        r"PRIVATE KEY(?: BLOCK)?-----(?:\\{1,3}n|\s|\\{1,3}r){0,200}+" + _KEY_BODY,
        "a private key",
        "002",
        3.5,
    ),
    _kind("://", _USER + _BEHIND + _HOST, "a password in an address", "003", 2.0),
)
SECRET_NEEDLES = tuple(dict.fromkeys(kind.needle for kind in _KINDS))
"""What must occur in a text before it is searched for secrets."""

COMMON_NEEDLES = (b"hf_", b"PRIVATE KEY")
"""The same for large texts, which are vocabularies and tables: each costs a second a gigabyte."""

_FILES = re.compile(
    r"(?:^|/)(?:\.?_?netrc|\.git-credentials|\.pypirc|\.pgpass|\.env(?:\.\w+)?|credentials)$"
)
_ASSIGNED = re.compile(
    rb"""(?im)(?:^|[\s_])(?:pass(?:word|wd)?|secret(?:_?key)?|api_?key|token|auth_?token|access_?key)"""
    rb"""[\"']?(?:\s*[=:]\s*|[ \t]+)[\"']?([^\s\"'#]{8,200})"""
)
# What people write where a secret would stand.
_PLACEHOLDER = re.compile(
    rb"(?i)x{4}|\*{3}|\.{3}|your|example|placeholder|change[-_]?me|dummy|redacted|<|>|\$\{|secret"
    rb"|password|passwd|token|insert|sample|fake|todo|abcdef|0123|12345|foobar|replace|test"
)
# Names of services in the words of the secrets' own prefixes do not count against them.
_OPENING = re.compile(rb"^(?:[a-z]{2,10}[-_]){1,2}|^AKIA|^ASIA|^AIza|^pypi-Ag")


def find_secrets(
    source: ByteSource, data: bytes | None, hits: frozenset[bytes], path: str, at: Location
) -> Iterator[Note]:
    """Yield the secrets of a text; never more of one than its first four characters.

    A leaked secret is UNKNOWN, not FAIL: it does not harm who loads the model, but somebody has to
    look, and to revoke it.

    Args:
        source: The text.
        data: All of it, if it is held in memory.
        hits: Which of ``SECRET_NEEDLES`` occur.
        path: The whole name, in small letters.
        at: Where.
    """
    prose = path.endswith((".md", ".markdown", ".rst"))  # which shows how addresses are written
    kinds = tuple(k for k in _KINDS if k.needle in hits and not (prose and k.needle == b"://"))
    is_store = _FILES.search(path) is not None
    if not kinds and not is_store:
        return
    seen: set[bytes] = set()
    for offset, piece in _list_pieces(source, data):
        for kind in kinds:
            yield from _search(kind, piece, offset, at, seen)
        if is_store:
            yield from _search(_STORED, piece, offset, at, seen)
        if len(seen) >= _MAX_FINDINGS:
            return


_STORED = _Kind(b"", _ASSIGNED, "a password or key", "WB-SEC-003", 2.5)


def _list_pieces(source: ByteSource, data: bytes | None) -> Iterator[tuple[int, bytes]]:
    if data is not None:
        yield 0, data
        return
    for offset in range(0, source.size_bytes, _PIECE_BYTES):
        yield offset, source.read_at(offset, _PIECE_BYTES + _OVERLAP_BYTES)


def _search(
    kind: _Kind, piece: bytes, offset: int, at: Location, seen: set[bytes]
) -> Iterator[Note]:
    for match in kind.pattern.finditer(piece):
        secret = match[1]
        if secret in seen or len(seen) >= _MAX_FINDINGS or not _is_real(secret, kind):
            continue
        seen.add(secret)
        start = secret[:_SHOWN].decode("ascii", "replace")
        plain = start if kind.rule_id == "WB-SEC-001" else ""
        length = f"{len(secret):,} characters"
        detail = f"{plain}… ({length})" if plain else f"({length})"
        message = f"This holds {kind.what}; whoever reads the file can use it."
        yield found(kind.rule_id, at, message, detail=detail, offset=offset + match.start(1))


def _is_real(secret: bytes, kind: _Kind) -> bool:
    """Return whether what has the form of a secret is none of the examples that people write."""
    tail = _OPENING.sub(b"", secret, count=1)
    if kind.what == "a signed web token":
        return _is_web_token(secret)
    if kind.what != "a private key" and _PLACEHOLDER.search(tail):
        return False
    return _measure_bits(tail) >= kind.bits


def _is_web_token(secret: bytes) -> bool:
    """Return whether the head of a token is JSON that names an algorithm, and no known example."""
    try:
        head, body = (
            base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
            for part in secret.split(b".")[:2]
        )
    except ValueError:
        return False
    # Examples in documents have neither an issuer nor an end.
    return b'"alg"' in head and any(claim in body for claim in (b'"iss"', b'"exp"', b'"aud"'))


def _measure_bits(text: bytes) -> float:
    """Return the entropy of the characters, in bits for each."""
    total = len(text)
    if not total:
        return 0.0
    counts = Counter(text).values()
    return -sum(count / total * math.log2(count / total) for count in counts)
