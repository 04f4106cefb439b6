"""Chromium without a window: opens a page and tells what a person would see of it.

It is driven through a pipe, so that no port is opened: messages are JSON, each ended by a zero
byte (https://chromedevtools.github.io/devtools-protocol/, ``--remote-debugging-pipe``).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_PATIENCE_S = 60


class MissingError(Exception):
    """There is no Chromium."""


@dataclass
class View:
    """One page, as it was opened.

    Attributes:
        messages: What the console said, errors and all else.
        requests: Addresses that were asked for, besides the page itself.
    """

    browser: Browser
    session: str
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page; the tests' own, the page has none."""
        given = {"expression": script, "returnByValue": True}
        answer = self.browser.call("Runtime.evaluate", given, session=self.session)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self) -> bytes:
        """Return the whole page as PNG."""
        given = {"format": "png", "captureBeyondViewport": True}
        answer = self.browser.call("Page.captureScreenshot", given, session=self.session)
        return base64.b64decode(answer["data"])


class Browser:
    """A running Chromium."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self._process = process
        self._write, self._read = write, read
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def call(self, method: str, given: dict[str, Any], *, session: str = "") -> dict[str, Any]:
        """Send a command and wait for its answer; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            self._events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(end - time.monotonic(), 0))
            data = os.read(self._read, 1 << 16) if ready else b""
            assert data, "Chromium does not answer"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    @contextmanager
    def open(self, page: Path, *, width: int = 1280, dark: bool = False) -> Iterator[View]:
        """Open a page in a window of its own and wait until it is drawn."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        given = {"targetId": target, "flatten": True}
        view = View(self, self.call("Target.attachToTarget", given)["sessionId"])
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        for method, given in (
            ("Page.enable", {}),
            ("Runtime.enable", {}),
            ("Log.enable", {}),
            ("Network.enable", {}),
            ("Emulation.setDeviceMetricsOverride", metrics),
            ("Emulation.setEmulatedMedia", {"features": [scheme]}),
        ):
            self.call(method, given, session=view.session)
        self._events.clear()
        address = page.as_uri()
        answer = self.call("Page.navigate", {"url": address}, session=view.session)
        assert not answer.get("errorText"), answer
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._events.append(self._receive())
        # What the page asks for late, and how it looks when it stands still.
        wait = "new Promise(done => setTimeout(done, 300))"
        given = {"expression": wait, "awaitPromise": True}
        self.call("Runtime.evaluate", given, session=view.session)
        for event in self._events:
            _note(event, view, address)
        self._events.clear()
        yield view
        self.call("Target.closeTarget", {"targetId": target})

    def close(self) -> None:
        """End it."""
        for end in (self._write, self._read):
            os.close(end)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _note(event: dict[str, Any], view: View, address: str) -> None:
    method, given = event.get("method"), event.get("params", {})
    if method == "Network.requestWillBeSent" and given["request"]["url"] != address:
        view.requests.append(given["request"]["url"])
    elif method in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}:
        view.messages.append(json.dumps(given))


@contextmanager
def start() -> Iterator[Browser]:
    """Start a Chromium with a profile of its own, and end it.

    Raises:
        MissingError: There is none; ``scripts/services`` installs it.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise MissingError("there is no chromium; run scripts/services, or install it")
    profile = tempfile.mkdtemp(prefix="weighbridge-chromium-")
    theirs_in, write = os.pipe()
    read, theirs_out = os.pipe()
    # The browser reads from descriptor 3 and writes to 4.
    shell = 'in=$1 out=$2; shift 2; eval "exec \\"\\$@\\" 3<&$in 4>&$out"'
    command = ["bash", "-c", shell, "bash", str(theirs_in), str(theirs_out), program, *FLAGS]
    try:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        browser = Browser(process, write, read)
        try:
            yield browser
        finally:
            browser.close()
    finally:
        shutil.rmtree(profile, ignore_errors=True)
