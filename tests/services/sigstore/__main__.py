"""Serve a local Sigstore until Ctrl-C, and say how to use it."""

from __future__ import annotations

import argparse
import signal
import threading

from .local import start


def main() -> None:
    """Serve, print the addresses and files, and wait."""
    parser = argparse.ArgumentParser(prog="local-sigstore", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--user", default="alice@example.com", help="who a browser logs in as")
    asked = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with start(port=asked.port) as local:
        token = local.folder / "token"
        token.write_text(local.token(asked.user, lifetime_s=24 * 3600))
        browser = local.browser(asked.user)
        rows = {
            "address": local.url,
            "trust config": local.trust_config(2),
            "... with log version 1": local.trust_config(1),
            "token (a day)": token,
            "issuer": local.issuer,
            "time stamps": local.tsa_url,
            "updates (TUF)": local.tuf_url,
            "their first root": local.root_json,
            "log in": f"BROWSER={browser}",
            "as a workflow": " ".join(f"{k}='{v}'" for k, v in local.ci_environment().items()),
        }
        for name, value in rows.items():
            print(f"{name:<23} {value}", flush=True)  # noqa: T201
        print("Ctrl-C stops it and removes the files.", flush=True)  # noqa: T201
        stopped.wait()


if __name__ == "__main__":
    main()
