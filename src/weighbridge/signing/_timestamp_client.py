"""The one conversation with a time-stamp authority: a query over HTTP, bounded in bytes and time.

The only module of this project that opens a connection of its own.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from weighbridge.core import printable
from weighbridge.errors import IncompleteError, InputError, LimitExceededError

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from weighbridge.core import Limits

__all__ = ["TIMEOUT_S", "Answer", "check_url", "post"]

TIMEOUT_S = 20.0
_CHUNK_BYTES = 16 * 1024
_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"
_OK = 200
_REDIRECTS = range(300, 400)


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        status: Of HTTP.
        kind: Its content type, as it says.
        location: Where it redirects to, as it says; nobody goes there.
        body: Whole.
    """

    status: int
    kind: str
    location: str
    body: bytes


def check_url(url: str) -> None:
    """Refuse what is not the plain address of a server.

    Raises:
        InputError: Another scheme than http or https, no host, a password or a fragment in it, or
            characters that no address has.
    """
    shown = printable(url, limit=200)
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - raises if it is not a number
    except ValueError as error:
        raise InputError(f"{shown!r} is not an address: {error}") from error
    if not url.isascii() or any(sign <= " " or sign == "\x7f" for sign in url):
        raise InputError(f"{shown!r} is not an address: write other characters as %XX")
    if parts.scheme not in ("http", "https") or not host:
        raise InputError(
            f"{shown!r} is not the address of a time-stamp authority; "
            "give one that begins with http:// or https://"
        )
    if parts.username is not None or parts.fragment:
        raise InputError(
            "the address of a time-stamp authority holds a user name or a fragment; "
            "give it without one"
        )


def post(url: str, body: bytes, *, limits: Limits, timeout_s: float = TIMEOUT_S) -> Answer:
    """Send a query and return the answer; what is in it is for the caller to judge.

    No redirect is followed. A proxy is used if the environment names one. TLS trusts what Python
    trusts by default, ``SSL_CERT_FILE`` included.

    Args:
        url: As :func:`check_url` lets it pass.
        body: The query in DER.
        limits: ``max_timestamp_bytes`` bounds the answer.
        timeout_s: For everything together: finding, connecting, asking, and the last byte.

    Raises:
        IncompleteError: Nobody answers, not in time, or not with what was asked for.
        LimitExceededError: The answer is too large.
    """
    # The whole conversation has one end, and no call of the standard library takes one: each byte
    # that drips in sets the socket's own time-out back. Who waits here does not depend on that.
    done: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put(_exchange(url, body, limits=limits, timeout_s=timeout_s))
        except Exception as error:  # noqa: BLE001 - raised again, or told, by who waits
            done.put(error)

    threading.Thread(target=work, daemon=True, name="timestamp").start()
    try:
        answer = done.get(timeout=timeout_s)
    except queue.Empty:
        answer = TimeoutError()
    return _judge(url, answer, timeout_s=timeout_s)


def _judge(url: str, answer: Answer | Exception, *, timeout_s: float) -> Answer:
    """Return an answer that may hold what was asked for."""
    who = f"the time-stamp authority at {printable(url, limit=200)}"
    if isinstance(answer, IncompleteError):
        raise answer
    if isinstance(answer, Exception):
        # urllib wraps the error that says why.
        reason = getattr(answer, "reason", answer)
        if isinstance(answer, TimeoutError) or isinstance(reason, TimeoutError):
            raise IncompleteError(
                f"{who} did not answer within {timeout_s:g} s; try again, or name another"
            ) from answer
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        words = printable(str(words), limit=200)
        raise IncompleteError(
            f"{who} cannot be reached ({words}); check the address, or name another"
        ) from answer
    if answer.status in _REDIRECTS:
        raise IncompleteError(
            f"{who} redirects to {printable(answer.location, limit=200) or 'nowhere'}, which is "
            "not followed; give that address if you trust it"
        )
    if answer.status != _OK:
        raise IncompleteError(
            f"{who} answers HTTP {answer.status}; try again later, or name another"
        )
    return answer


def _exchange(url: str, body: bytes, *, limits: Limits, timeout_s: float) -> Answer:
    import urllib.request as web  # noqa: PLC0415 - start-up time

    deadline = time.monotonic() + timeout_s
    opener = web.OpenerDirector()
    # Neither redirects nor any other scheme, and every status comes back as an answer.
    for handler in (web.ProxyHandler(), web.HTTPHandler(), web.HTTPSHandler()):
        opener.add_handler(handler)
    headers = {"Content-Type": _QUERY, "Accept": _REPLY, "User-Agent": "weighbridge"}
    request = web.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checked
    with opener.open(request, timeout=timeout_s) as response:
        kind = response.headers.get_content_type()
        location = response.headers.get("Location") or ""
        data = _read(response, url=url, limits=limits, deadline=deadline)
        return Answer(response.status, kind, location, data)


def _read(response: HTTPResponse, *, url: str, limits: Limits, deadline: float) -> bytes:
    limit, data = limits.max_timestamp_bytes, b""
    while chunk := response.read1(_CHUNK_BYTES):
        data += chunk
        if len(data) > limit:
            subject = f"the answer of {printable(url, limit=200)}"
            raise LimitExceededError(
                "max_timestamp_bytes", limit=limit, actual=len(data), subject=subject
            )
        if time.monotonic() > deadline:
            raise TimeoutError
    return data
