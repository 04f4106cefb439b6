"""Requests of sigstore-python with an end: in time, in bytes, and in words of ours."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from weighbridge.core import printable
from weighbridge.errors import IncompleteError, InputError, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.core import Limits

__all__ = ["bound"]

_MOST_BYTES = 16 * 1024 * 1024
# Bad request, unauthorized, forbidden: asking again with the same token will not help.
_REFUSALS = frozenset({400, 401, 403})


def bound(client: Any, what: str, limits: Limits, *, refuses_people: bool = False) -> None:  # noqa: ANN401
    """Give each request of a client of sigstore-python an end, in time and in bytes.

    Args:
        client: Its own requests have no time-out, or wait anew for each byte.
        what: Which service, for messages.
        limits: ``max_wait_s`` for each answer, from the first byte sent to the last one read.
        refuses_people: Whether a refusal is about who asks.
    """
    session = client.session if hasattr(client, "session") else client._session  # noqa: SLF001
    ask = session.request
    shown = f"the {what} {printable(client.url, limit=200)}"

    def request(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as requests has it
        deadline = time.monotonic() + limits.max_wait_s
        options |= {"timeout": limits.max_wait_s, "stream": True, "allow_redirects": False}
        try:
            response = ask(*arguments, **options)
            with closing(response.raw):
                response._content = _read(response.raw, deadline)  # noqa: SLF001 - no public way
            response._content_consumed = True  # noqa: SLF001
        except WeighbridgeError:
            raise
        except Exception as error:  # the network, in whatever words
            raise IncompleteError(
                f"{shown} does not answer ({_to_reason(error)}); no signature was made, try later"
            ) from error
        code = int(response.status_code)
        if refuses_people and code in _REFUSALS:
            said = printable(_read_message(response), limit=200)
            raise InputError(f"{shown} refuses the identity token (HTTP {code}: {said})")
        if not response.ok or response.is_redirect:
            raise IncompleteError(
                f"{shown} answers with HTTP {code}; no signature was made, try later"
            )
        return response

    session.request = request


def _read(raw: Any, deadline: float) -> bytes:  # noqa: ANN401 - a response of urllib3
    parts, size_bytes = [], 0
    while part := raw.read1(65536, decode_content=True):
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > _MOST_BYTES:
            raise IncompleteError(f"a Sigstore service answers more than {_MOST_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("too slow")
    return b"".join(parts)


def _read_message(response: Any) -> str:  # noqa: ANN401 - as requests has it
    """Return the words of a refusal: Fulcio wraps them in JSON."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return str(response.text)


def _to_reason(error: Exception) -> str:
    name = type(error).__name__
    if "Timeout" in name:
        return "no answer in time"
    if "SSL" in name:
        return "its TLS certificate is not accepted"
    if "Connection" in name or "Proxy" in name:
        return "no connection"
    return printable(name)
