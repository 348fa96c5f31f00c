#!/usr/bin/env python3
"""The lab's token service, as the token specification of the Docker Registry describes it.

    tokens.py 10.77.0.2:5445 FOLDER

FOLDER holds ``tls.crt`` and ``tls.key`` (of the service itself), ``key`` and ``crt`` (RSA; they sign, and the registry
trusts them) and ``accounts.json``: for each user its password, which actions it has on which repositories (shell
patterns), and perhaps how many seconds its tokens live. The user "" is everybody.

Who asks by GET shows the password by HTTP Basic; by POST in a form, or a refresh token in its place. A refresh token
is given to those who ask for one (``offline_token=true``, ``access_type=offline``). What is not allowed is left out of
the token, and it is the registry that says no. The log, on stdout, has a line of JSON for each request.
Only the standard library is used, and openssl to sign.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import http.server
import json
import secrets
import ssl
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

SERVICE = "registry.lab"
ISSUER = "octossh lab"
LIFE_S = 300
# The registry takes a token for a minute more than it says, for the sake of clocks that differ.
LEEWAY_S = 60


class Refusal(Exception):
    """A request that gets no token: the HTTP status, and why."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code)
        self.status, self.code = status, code


class Tokens:
    """Knows the accounts, and makes and signs tokens."""

    def __init__(self, folder: Path) -> None:
        self.accounts: dict[str, dict[str, Any]] = json.loads((folder / "accounts.json").read_text())
        self._key = folder / "key"
        public = subprocess.run(
            ["openssl", "pkey", "-in", self._key, "-pubout", "-outform", "DER"], capture_output=True, check=True
        ).stdout
        # How the registry names a key: 240 bits of its hash, in twelve groups of letters.
        name = base64.b32encode(hashlib.sha256(public).digest()[:30]).decode()
        self._key_name = ":".join(name[at : at + 4] for at in range(0, 48, 4))
        self._refreshing = self._key.read_bytes()

    def answer(self, user: str, asked: dict[str, list[str]], *, offline: bool) -> dict[str, Any]:
        """What *user* gets who asks for *asked*."""
        if asked.get("service", [SERVICE]) != [SERVICE]:
            raise Refusal(400, "UNSUPPORTED")
        life_s = self.accounts[user].get("life_s", LIFE_S)
        scopes = [scope for text in asked.get("scope", []) for scope in text.split()]
        token = self._token(user, self._access(user, scopes), life_s)
        answer = {"token": token, "access_token": token, "scope": " ".join(scopes)}
        # A service may not say less than a minute; where it says nothing, a minute is meant.
        if life_s >= 60:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            answer |= {"expires_in": life_s, "issued_at": now}
        return answer | ({"refresh_token": self.refresh_token(user)} if offline and user else {})

    def password_is(self, user: str, password: str) -> bool:
        known = self.accounts.get(user, {}).get("password")
        return known is not None and hmac.compare_digest(known.encode(), password.encode())

    def refresh_token(self, user: str) -> str:
        made = hmac.new(self._refreshing, user.encode(), hashlib.sha256).hexdigest()
        return f"{user}.{made}"

    def user_of(self, refresh_token: str) -> str | None:
        user = refresh_token.rpartition(".")[0]
        known = user in self.accounts and hmac.compare_digest(self.refresh_token(user).encode(), refresh_token.encode())
        return user if known and user else None

    def _access(self, user: str, scopes: list[str]) -> list[dict[str, Any]]:
        """What of *scopes* (``repository:NAME:ACTION,...``) *user* is allowed."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = {
                action
                for pattern, may in self.accounts[user].get("access", {}).items()
                if fnmatch.fnmatchcase(name, pattern)
                for action in may
            }
            granted = [action for action in actions.split(",") if action in allowed]
            if granted:
                access.append({"type": kind, "name": name, "actions": granted})
        return access

    def _token(self, user: str, access: list[dict[str, Any]], life_s: float) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": user, "aud": SERVICE, "iat": now, "nbf": now - 5, "exp": now + life_s - LEEWAY_S,
            "jti": secrets.token_hex(8), "access": access,
        }  # fmt: skip
        header = {"typ": "JWT", "alg": "RS256", "kid": self._key_name}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self._key], input=signed.encode(), capture_output=True, check=True
        ).stdout
        return f"{signed}.{_base64url(signature)}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /token."""

    protocol_version = "HTTP/1.1"
    tokens: Tokens
    timeout = 30

    def log_message(self, *_: object) -> None:
        """The log is written by _note."""

    def do_GET(self) -> None:
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self._reply(asked, offline=asked.get("offline_token") == ["true"])

    def do_POST(self) -> None:
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
        self._reply(form, offline=form.get("access_type") == ["offline"])

    def _reply(self, asked: dict[str, list[str]], *, offline: bool) -> None:
        user, status = "", 200
        try:
            if urllib.parse.urlsplit(self.path).path != "/token":
                raise Refusal(404, "UNSUPPORTED")
            user = self._user(asked)
            answer = self.tokens.answer(user, asked, offline=offline)
        except Refusal as refusal:
            status, answer = refusal.status, {"errors": [{"code": refusal.code, "message": "no"}]}
        said = {
            "from": self.client_address[0], "method": self.command, "user": user, "scope": asked.get("scope", []),
            "grant": asked.get("grant_type", [""])[0], "status": status,
        }  # fmt: skip
        print(json.dumps(said), flush=True)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header("WWW-Authenticate", f'Basic realm="{ISSUER}"')
        self.end_headers()
        self.wfile.write(body)

    def _user(self, asked: dict[str, list[str]]) -> str:
        def given(name: str) -> str:
            return asked.get(name, [""])[0]

        if self.command == "POST":
            user = self.tokens.user_of(given("refresh_token")) if given("grant_type") == "refresh_token" else None
            if given("grant_type") == "password" and self.tokens.password_is(given("username"), given("password")):
                user = given("username")
            if user is None:
                raise Refusal(401, "UNAUTHORIZED")
            return user
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return ""
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            user, password = "", ""
        if scheme.lower() != "basic" or not self.tokens.password_is(user, password):
            raise Refusal(401, "UNAUTHORIZED")
        return user


class Server(http.server.ThreadingHTTPServer):
    """TLS for each connection in the thread of its own, so that a client that is silent holds up nobody."""

    context: ssl.SSLContext
    request_queue_size = 128

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            request.settimeout(30)
            request = self.context.wrap_socket(request, server_side=True)
        except OSError:
            self.shutdown_request(request)
            return
        super().process_request_thread(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


def main() -> None:
    """Serve until killed."""
    address, folder = sys.argv[1], Path(sys.argv[2])
    host, _, port = address.rpartition(":")
    Handler.tokens = Tokens(folder)
    server = Server((host, int(port)), Handler)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.serve_forever()


if __name__ == "__main__":
    main()
