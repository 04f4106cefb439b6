"""All services of a Sigstore behind one address, with the files that tell clients about them."""

from __future__ import annotations

import json
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.keys import YEAR, now, to_pem

from .authority import CertificateAuthority
from .faults import Faults
from .log import Log
from .oidc import GITHUB_CLAIMS, Provider
from .trust import Keys, Period, build_signing_config, build_trust_config, build_trusted_root
from .tsa import PATH as TSA_PATH
from .tsa import TimestampAuthority
from .tuf import PATH as TUF_PATH
from .tuf import UpdateRepository
from .web import Reply, Request, Server

BROWSER = """\
#!{python}
import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(sys.argv[1], timeout=20).read()
"""


class LocalSigstore:
    """Every service of a Sigstore, honest unless ``faults`` says otherwise.

    Attributes:
        url: Where the certificate authority and the transparency logs are.
        issuer: The issuer of people's tokens, where a browser logs in.
        ci_issuer: The issuer of workflows' tokens.
        tsa_url: The time-stamp authority.
        tuf_url: The update repository; ``root_json`` is its first root.
        folder: Where the documents lie.
        faults: What to do wrong; see ``failing``.
    """

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self.folder = folder
        self.faults = Faults()
        self.server = Server(self._answer, port=port)
        self.url = self.server.url
        self.issuer = self.url + "/oidc"
        self.ci_issuer = self.url + "/actions"
        self.tsa_url = self.url + TSA_PATH
        self.tuf_url = self.url + TUF_PATH.rstrip("/")
        self.people = Provider(self.issuer, faults=self.faults)
        self.workflows = Provider(self.ci_issuer, faults=self.faults)
        self._tuf = UpdateRepository(faults=self.faults)
        self.root_json = folder / "root.json"
        self.root_json.write_bytes(self._tuf.root_json)
        self._start = now() - YEAR
        self._retired: list[Keys] = []
        self._make_keys()
        self._publish()

    # What clients need.

    def trust_config(self, rekor_version: int = 2) -> Path:
        """Write a ClientTrustConfig that signs with this version of the log; return where."""
        path = self.folder / f"trust-config-v{rekor_version}.json"
        config = build_trust_config(self.trusted_root(), self.signing_config(rekor_version))
        path.write_text(json.dumps(config, indent=1))
        return path

    def trusted_root(self) -> dict[str, Any]:
        """Return the trusted root as it is now."""
        return build_trusted_root(self.url, [*self._retired, self._keys])

    def signing_config(self, *rekor_versions: int) -> dict[str, Any]:
        """Return a signing configuration that offers these versions of the log."""
        return build_signing_config(
            self.url,
            issuer=self.issuer,
            tsa_url=self.tsa_url,
            rekor_versions=list(rekor_versions),
            start=self._start,
        )

    def tsa_chain_pem(self) -> str:
        """Return the time-stamp authority's certificate and its root."""
        return to_pem(*self.tsa.chain)

    def token(
        self, email: str = "alice@example.com", *, lifetime_s: int = 600, **claims: Any
    ) -> str:
        """Return a person's identity token; ``claims`` are added or replace others.

        With ``lifetime_s=-60`` it has expired.
        """
        return self.people.email_token(email, lifetime_s=lifetime_s, **claims)

    @property
    def ci_identity(self) -> str:
        """Who a certificate names when ``ci_token()`` asked for it."""
        return f"https://github.com/{GITHUB_CLAIMS['job_workflow_ref']}"

    def ci_token(self, *, lifetime_s: int = 600, **claims: Any) -> str:
        """Return a workflow's identity token, like GitHub's; ``claims`` replace its own."""
        return self.workflows.workflow_token(lifetime_s=lifetime_s, **claims)

    def ci_environment(self) -> dict[str, str]:
        """Return the variables by which a step on GitHub Actions finds its token."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.ci_issuer + "/ambient?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.workflows.request_token,
        }

    def browser(self, user: str = "alice@example.com") -> str:
        """Log ``user`` in; return a program for ``$BROWSER`` that follows the redirects."""
        self.people.user = user
        path = self.folder / "browser"
        path.write_text(BROWSER.format(python=sys.executable))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    # What tests do to it.

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Every request so far: method and path."""
        return self.server.requests

    def failing(self, **settings: Any) -> AbstractContextManager[None]:
        """Set ``faults`` while the block runs: ``with local.failing(tsa="down"):``."""
        return self.faults.setting(**settings)

    def rotate_keys(self) -> None:
        """Replace every signing key; the trusted root then lists the old ones with their end."""
        # A second of both: time stamps have no fractions.
        self._retired.append(self._keys.until(now() + timedelta(seconds=1)))
        self._start = now()
        self._make_keys()
        self._publish()

    def rotate_tuf_root(self) -> None:
        """Replace the key of the update repository's root."""
        self._tuf.rotate_root()

    def publish(self, targets: dict[str, bytes], *, lifetime_s: int = 24 * 3600) -> None:
        """Serve other targets through the update repository."""
        self._tuf.publish(targets, lifetime_s=lifetime_s)

    def _publish(self) -> None:
        config = self.signing_config(1, 2)
        self._tuf.publish(
            {
                "trusted_root.json": json.dumps(self.trusted_root()).encode(),
                "signing_config.v0.2.json": json.dumps(config).encode(),
            }
        )

    def _make_keys(self) -> None:
        self.ca = CertificateAuthority([self.people, self.workflows], faults=self.faults)
        self.tsa = TimestampAuthority(faults=self.faults)
        host = self.server.host
        self.logs = {v: Log(host, version=v, faults=self.faults) for v in (1, 2)}
        self._keys = Keys(
            Period(self._start),
            self.ca.chain,
            self.tsa.chain,
            self.ca.ct_key,
            [(log.key, log.id) for log in self.logs.values()],
        )

    def _answer(self, request: Request) -> Reply:
        reply = self.ca.answer(request) or self.tsa.answer(request, self.server)
        reply = reply or self._tuf.answer(request)
        for log in self.logs.values():
            reply = reply or log.answer(request)
        for provider in (self.people, self.workflows):
            if request.path.startswith(provider.issuer.removeprefix(self.url) + "/"):
                reply = reply or provider.answer(request)
        return reply or Reply(404, b"there is nothing here", "text/plain")


@contextmanager
def start(*, port: int = 0) -> Iterator[LocalSigstore]:
    """Serve a Sigstore on 127.0.0.1 while the block runs; its documents go when it ends."""
    with tempfile.TemporaryDirectory(prefix="local-sigstore-") as folder:
        local = LocalSigstore(Path(folder), port=port)
        local.server.start()
        try:
            yield local
        finally:
            local.server.stop()
