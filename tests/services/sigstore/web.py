"""A small HTTP server on this machine: requests in, replies out, one thread each."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What it gets."""

    status: int
    body: bytes
    kind: str
    headers: dict[str, str] = field(default_factory=dict)


def to_json(value: object, *, status: int = 200) -> Reply:
    """Return a reply that holds ``value``."""
    return Reply(status, json.dumps(value).encode(), "application/json")


class Server:
    """Serves ``answer`` on 127.0.0.1 at a free port and keeps what was asked in ``requests``."""

    def __init__(self, answer: Callable[[Request], Reply], *, port: int = 0) -> None:
        self.requests: list[tuple[str, str]] = []
        self.stopped = threading.Event()
        self._answer = answer
        self._http = ThreadingHTTPServer(("127.0.0.1", port), self._build_handler())
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _build_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing: ``requests`` keeps what was asked."""

            def serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(
                    self.command, parts.path, dict(parse_qsl(parts.query)), self.headers, body
                )
                server.requests.append((request.method, request.path))
                try:
                    reply = server._answer(request)
                except Exception:  # noqa: BLE001 - a bug here must show in the client's test
                    words = traceback.format_exc()
                    reply = Reply(500, words.encode(), "text/plain")
                # A client that did not wait is no news.
                with suppress(BrokenPipeError, ConnectionResetError):
                    self.send(reply)

            def send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.kind)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = serve  # noqa: N815 - the names that http.server asks for

        return Handler
