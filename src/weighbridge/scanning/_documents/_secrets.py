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

__all__ = ["SECRET_NEEDLES", "find_secrets"]

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


def _kind(needle: str, pattern: str, what: str, rule: str = "001", bits: float = 3.0) -> _Kind:
    return _Kind(needle.encode(), re.compile(pattern.encode()), what, f"WB-SEC-{rule}", bits)


_KINDS = (
    _kind("hf_", r"(?<![A-Za-z0-9_])(hf_[A-Za-z]{34})(?![A-Za-z0-9_])", "a token of Hugging Face"),
    _kind("api_org_", r"(?<![\w])(api_org_[A-Za-z]{34})(?![\w])", "a token of Hugging Face"),
    _kind(
        "AKIA",
        r"(?<![A-Za-z0-9])(AKIA[A-Z2-7]{16})(?![A-Za-z0-9])",
        "an access key of AWS",
        bits=2.8,
    ),
    _kind(
        "ASIA",
        r"(?<![A-Za-z0-9])(ASIA[A-Z2-7]{16})(?![A-Za-z0-9])",
        "a session key of AWS",
        bits=2.8,
    ),
    _kind(
        "aws_secret_access_key",
        r"aws_secret_access_key[\"']?\s*[=:]\s*[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "a secret key of AWS",
        bits=3.8,
    ),
    _kind(
        "AWS_SECRET_ACCESS_KEY",
        r"AWS_SECRET_ACCESS_KEY[\"']?\s*[=:]\s*[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "a secret key of AWS",
        bits=3.8,
    ),
    _kind("ghp_", r"(?<![A-Za-z0-9_])(ghp_[A-Za-z0-9]{36})(?![A-Za-z0-9])", "a token of GitHub"),
    _kind("gho_", r"(?<![A-Za-z0-9_])(gho_[A-Za-z0-9]{36})(?![A-Za-z0-9])", "a token of GitHub"),
    _kind("ghs_", r"(?<![A-Za-z0-9_])(ghs_[A-Za-z0-9]{36})(?![A-Za-z0-9])", "a token of GitHub"),
    _kind("github_pat_", r"(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})", "a token of GitHub"),
    _kind("glpat-", r"(?<![\w-])(glpat-[\w-]{20,})", "a token of GitLab"),
    _kind("sk-ant-", r"(sk-ant-[a-z]+[0-9]{2}-[\w-]{80,})", "a key of Anthropic"),
    _kind(
        "sk-",
        r"(?<![\w-])(sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,})",
        "a key of OpenAI",
    ),
    _kind("sk-", r"(?<![\w-])(sk-[A-Za-z0-9]{48})(?![\w-])", "a key of OpenAI"),
    _kind("sk-or-", r"(?<![\w-])(sk-or-v1-[0-9a-f]{64})", "a key of OpenRouter"),
    _kind("xox", r"(?<!\w)(xox[abprs]-[0-9]{10,13}-[0-9A-Za-z-]{20,})", "a token of Slack"),
    _kind(
        "hooks.slack.com",
        r"(hooks\.slack\.com/services/T\w{8,12}/B\w{8,12}/\w{20,})",
        "a web hook of Slack",
    ),
    _kind("AIza", r"(?<![\w-])(AIza[\w-]{35})(?![\w-])", "a key of Google"),
    _kind("npm_", r"(?<!\w)(npm_[A-Za-z0-9]{36})(?!\w)", "a token of npm"),
    _kind("pypi-", r"(pypi-AgEIcHlwaS5vcmc[\w-]{50,})", "a token of PyPI"),
    _kind("r8_", r"(?<!\w)(r8_[A-Za-z0-9]{37})(?!\w)", "a token of Replicate"),
    _kind("gsk_", r"(?<!\w)(gsk_[A-Za-z0-9]{52})(?!\w)", "a key of Groq"),
    _kind("sk_live_", r"(?<!\w)(sk_live_[A-Za-z0-9]{24,})(?!\w)", "a key of Stripe"),
    _kind("SG.", r"(?<![\w.])(SG\.[\w-]{22}\.[\w-]{43})(?![\w-])", "a key of SendGrid"),
    _kind(
        "WANDB_API_KEY",
        r"WANDB_API_KEY[\"']?\]?\s*[=:]\s*[\"']?([0-9a-f]{40})(?![0-9a-f])",
        "a key of Weights & Biases",
        bits=2.8,
    ),
    _kind(
        "wandb",
        r"(?:wandb[_.](?:api[_.])?(?:key|login\(key)|api\.wandb\.ai[^\n]*\n[^\n]*\n\s*password)[\"']?\s*[=: ]\s*[\"']?([0-9a-f]{40})(?![0-9a-f])",
        "a key of Weights & Biases",
        bits=2.8,
    ),
    _kind("AccountKey=", r"AccountKey=([A-Za-z0-9+/]{86}==)", "a key of Azure storage", bits=4.0),
    _kind(
        "eyJ",
        r"(?<![\w-])(eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{40,1000})",
        "a signed web token",
        bits=3.5,
    ),
    _kind(
        "PRIVATE KEY",
        r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY(?: BLOCK)?-----(?:\\n|\s|\\r)*((?:[A-Za-z0-9+/=:,. -]|\\n|\s){100,20000})",
        "a private key",
        "002",
        3.5,
    ),
    _kind(
        "://",
        r"(?<![\w])[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>{}$%()\[\]|\\`,;]{1,80}:([^\s/@\"'<>{}$()\[\]|\\`,;]{6,120})@(?!(?:localhost|127\.|example|host\b|0\.0))[a-z0-9][\w.-]*",
        "a password in an address",
        "003",
        2.0,
    ),
)
SECRET_NEEDLES = tuple(dict.fromkeys(kind.needle for kind in _KINDS))
"""What must occur in a text before it is searched for secrets."""

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
    kinds = tuple(kind for kind in _KINDS if kind.needle in hits)
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
    head = secret.partition(b".")[0]
    try:
        decoded = base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
    except ValueError:
        return False
    # The body of the example of jwt.io, which hundreds of documents quote: "sub": "1234567890".
    return b'"alg"' in decoded and b"eyJzdWIiOiIxMjM0NTY3ODkw" not in secret


def _measure_bits(text: bytes) -> float:
    """Return the entropy of the characters, in bits for each."""
    total = len(text)
    if not total:
        return 0.0
    counts = Counter(text).values()
    return -sum(count / total * math.log2(count / total) for count in counts)
