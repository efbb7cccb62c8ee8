"""A small OpenID provider on this machine, for a login as people really go through it.

It speaks the authorization code flow of OpenID Connect Core 1.0 (https://openid.net/specs/openid-connect-core-1_0.html)
with PKCE (RFC 7636): discovery document, a page that asks who one is, codes that are good once, and signed identity
tokens. It believes whatever address is typed.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "dashboard"
PAGE = """<!doctype html><title>Who are you?</title><form action="/chosen">{hidden}
<label>E-mail <input name="email"></label><button>Continue</button></form>"""


@dataclass
class IdentityProvider:
    """One provider, and its claims about the people who log in."""

    url: str
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    lifetime: float = 3600.0  # seconds for which an identity token is valid
    verified: bool = True  # whether it claims that addresses are verified
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "test"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)  # code -> the request
    tokens: int = 0  # that were given out
    ended: int = 0  # sessions that people have left

    def secrets_file(self, folder: Path) -> Path:
        """The section [auth] as the README describes it."""
        path = folder / "secrets.toml"
        path.write_text(
            "[auth]\n"
            'redirect_uri = "http://localhost:{port}/oauth2callback"\n'
            f'cookie_secret = "{secrets.token_hex(32)}"\n'
            f'client_id = "{CLIENT_ID}"\n'
            f'client_secret = "{self.client_secret}"\n'
            f'server_metadata_url = "{self.url}/.well-known/openid-configuration"\n',
            encoding="utf-8",
        )
        return path

    def description(self) -> dict[str, object]:
        """The discovery document."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def new_code(self, asked: dict[str, str]) -> str:
        """A code for one identity token."""
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return code

    def token(self, form: dict[str, str]) -> dict[str, object] | None:
        """The answer to a code; None where the code, the secret or the PKCE verifier is not right."""
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("client_secret") != self.client_secret:
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        now = time.time()
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": hashlib.sha256(asked["email"].encode()).hexdigest(),
            "iat": int(now),
            "exp": int(now + self.lifetime),
            "nonce": asked["nonce"],
            "email": asked["email"],
            "email_verified": self.verified,
        }
        self.tokens += 1
        signed = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self.key)
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 60, "id_token": signed}


@contextlib.contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Run a provider until the block is left."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    provider = _Handler.provider = IdentityProvider(f"http://localhost:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    provider: IdentityProvider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self._json(self.provider.description())
        elif parts.path == "/keys":
            self._json({"keys": [self.provider.key.as_dict(private=False)]})
        elif parts.path == "/authorize":
            hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in query.items())
            self._send(200, PAGE.format(hidden=hidden).encode(), "text/html")
        elif parts.path == "/chosen":
            answer = urlencode({"code": self.provider.new_code(query), "state": query["state"]})
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{answer}")
            self.end_headers()
        elif parts.path == "/end":  # OpenID Connect RP-Initiated Logout 1.0
            self.provider.ended += 1
            self.send_response(302)
            self.send_header("Location", query["post_logout_redirect_uri"])
            self.end_headers()
        else:
            self._send(404, b"", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if (basic := self.headers.get("Authorization", "")).startswith("Basic "):
            form["client_secret"] = base64.b64decode(basic[6:]).decode().partition(":")[2]
        answer = self.provider.token(form)
        self._json(answer or {"error": "invalid_grant"}, 200 if answer else 400)

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
