"""An OpenID Connect provider that logs a chosen user in without asking anybody.

Source: OpenID Connect Core and Discovery 1.0; RFC 7636 (PKCE); RFC 8252 for the loopback redirect.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

from services.keys import new_key

from .faults import Faults
from .web import Reply, Request, to_json

AUDIENCE = "sigstore"
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
# What GitHub's tokens say about the run that asks, and what a test may override.
GITHUB_CLAIMS = {
    "actor": "octocat",
    "event_name": "push",
    "job_workflow_ref": "example/models/.github/workflows/release.yml@refs/heads/main",
    "job_workflow_sha": "1" * 40,
    "ref": "refs/heads/main",
    "repository": "example/models",
    "repository_id": "1234",
    "repository_owner": "example",
    "repository_owner_id": "56",
    "repository_visibility": "public",
    "run_attempt": "1",
    "run_id": "789",
    "runner_environment": "github-hosted",
    "sha": "1" * 40,
    "workflow": "release",
    "workflow_ref": "example/models/.github/workflows/release.yml@refs/heads/main",
    "workflow_sha": "1" * 40,
}


class Provider:
    """An issuer of tokens with its own key; ``user`` is who is logged in by a browser."""

    def __init__(self, issuer: str, *, faults: Faults, user: str = "alice@example.com") -> None:
        self.issuer = issuer
        self.user = user
        self._faults = faults
        self._key = new_key()
        self._key_id = secrets.token_hex(8)
        self._codes: dict[str, dict[str, str]] = {}
        self.request_token = secrets.token_urlsafe(24)

    def token(
        self, claims: dict[str, Any], *, audience: str = AUDIENCE, lifetime_s: int = 600
    ) -> str:
        """Return a signed token with these claims and the registered ones."""
        issued = int(time.time())
        registered = {"iss": self.issuer, "aud": audience, "iat": issued, "nbf": issued}
        body = {**registered, "exp": issued + lifetime_s, "jti": secrets.token_hex(8), **claims}
        return jwt.encode(body, self._key, algorithm="ES256", headers={"kid": self._key_id})

    def email_token(self, email: str, *, lifetime_s: int = 600, **claims: Any) -> str:
        """Return a person's token, as the public instance's federation issues it."""
        person = {"sub": email, "email": email, "email_verified": True, **claims}
        return self.token(person, lifetime_s=lifetime_s)

    def workflow_token(
        self, *, audience: str = AUDIENCE, lifetime_s: int = 600, **claims: Any
    ) -> str:
        """Return a workflow's token, as GitHub Actions issues it."""
        said = {**GITHUB_CLAIMS, **claims}
        said.setdefault("sub", f"repo:{said['repository']}:ref:{said['ref']}")
        return self.token(said, audience=audience, lifetime_s=lifetime_s)

    def keys(self) -> dict[str, Any]:
        """Return the key set with which others verify the tokens."""
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**key, "kid": self._key_id, "alg": "ES256", "use": "sig"}]}

    def answer(self, request: Request) -> Reply | None:
        """Answer what lies under the issuer's address; None if there is no such page."""
        match request.method, request.path.removeprefix(urlsplit(self.issuer).path):
            case "GET", "/.well-known/openid-configuration":
                return to_json(self._configuration())
            case "GET", "/keys":
                return to_json(self.keys())
            case "GET", "/auth":
                return self._log_in(request.query)
            case "POST", "/token":
                return self._exchange(request)
            case "GET", "/ambient":
                return self._ambient(request)
        return None

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _log_in(self, asked: dict[str, str]) -> Reply:
        """Send the browser back with a code, or show the code where there is no way back."""
        target = asked.get("redirect_uri", "")
        local = urlsplit(target).hostname in ("localhost", "127.0.0.1")
        if asked.get("response_type") != "code" or not (local or target == OUT_OF_BAND):
            return Reply(400, b"a code can be sent to this machine only", "text/plain")
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return Reply(400, b"a code challenge (S256) is needed", "text/plain")
        state = {"state": asked.get("state", "")}
        if self._faults.oidc_refuses:
            query = urlencode({"error": "access_denied", **state})
            return Reply(302, b"", "text/plain", headers={"Location": f"{target}?{query}"})
        code = secrets.token_urlsafe(16)
        self._codes[code] = {**asked, "user": self.user}
        if target == OUT_OF_BAND:
            return Reply(200, code.encode(), "text/plain")
        query = urlencode({"code": code, **state})
        return Reply(302, b"", "text/plain", headers={"Location": f"{target}?{query}"})

    def _exchange(self, request: Request) -> Reply:
        """Give a token for a code: once, to the client that proves that it asked for it."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        client = b64decode(request.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or challenge != asked["code_challenge"]
            or form.get("redirect_uri") != asked["redirect_uri"]
            or client.partition(":")[0] != asked["client_id"]
        ):
            return to_json({"error": "invalid_grant"}, status=400)
        token = self.token(
            {"sub": asked["user"], "email": asked["user"], "email_verified": True},
            audience=asked["client_id"],
        )
        return to_json({"access_token": token, "id_token": token, "token_type": "Bearer"})

    def _ambient(self, request: Request) -> Reply:
        """Give a workflow its token, as GitHub's runner does."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token != self.request_token:
            return to_json({"message": "unauthorized"}, status=401)
        audience = request.query.get("audience", AUDIENCE)
        return to_json({"value": self.workflow_token(audience=audience)})
