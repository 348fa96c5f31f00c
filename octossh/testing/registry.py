"""A registry for tests: speaks enough of the HTTP API v2 to be asked, and lies as it is told.

::

    with octossh.testing.FakeRegistry() as fake:
        digest = fake.push("acme/web", "1.0")
        registry = octossh.Registry("fake", fake.url)

It listens on 127.0.0.1 only. `FakeRegistry.script` puts answers of your own in front of its own ones.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Seen:
    """One request that came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, list[str]]:
        """What stands behind the question mark."""
        return urllib.parse.parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def login(self) -> str | None:
        """The Authorization header."""
        return self.headers.get("Authorization")


@dataclass(frozen=True)
class Reply:
    """One answer. ``length`` is what Content-Length says, if not the truth; ``then`` is what happens after it.

    ``then``: ``"keep"`` the connection, ``"close"`` it, or ``"reset"`` it. ``pause_s`` is waited before the
    answer, and ``drip_s`` between the bytes of its body.
    """

    status: int = 200
    body: Any = b""  # bytes, text, or what JSON can hold
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    then: str = "keep"
    pause_s: float = 0.0
    drip_s: float = 0.0

    @property
    def raw(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, dict | list):
            return json.dumps(self.body).encode()
        return self.body.encode() if isinstance(self.body, str) else bytes(self.body)


def digest_of(raw: bytes) -> str:
    """As registries write it."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


RESET = Reply(then="reset", status=0)
CLOSE = Reply(then="close", status=0)


def error(status: int, code: str, message: str = "no", **headers: str) -> Reply:
    """An error as registries write it."""
    body = {"errors": [{"code": code, "message": message, "detail": None}]}
    return Reply(status, body, {"Content-Type": "application/json", **headers})


class FakeRegistry:
    """A registry on 127.0.0.1 with repositories, pages, a login, and scripted answers.

    Attributes:
        repositories: Tags and digests to (media type, manifest) by repository.
        blobs: Configurations by digest.
        catalog: What ``_catalog`` lists; None: the repositories that there are.
        page: How many tags a page has at most.
        login: None; or a user and a password that are wanted.
        bearer: Whether the login goes by tokens of ``/token``; else it is Basic.
        token_life_s: What ``expires_in`` says.
        challenge: The WWW-Authenticate header, if not the right one.
        seen: The requests that came in, in order.
        connections: How many connections were made.
    """

    def __init__(self, tls: tuple[str, str] | None = None, client_ca: str | None = None) -> None:
        self.repositories: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.blobs: dict[str, bytes] = {}
        self.catalog: list[str] | None = None
        self.page = 1000
        self.login: tuple[str, str] | None = None
        self.bearer = False
        self.token_life_s: object = 300
        self.challenge: str | None = None
        self.seen: list[Seen] = []
        self.connections = 0
        self.tokens: set[str] = set()
        self._scripts: list[tuple[str, str, list[Reply | Callable[[Seen], Reply]], bool]] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self._scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FakeRegistry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The same with its scheme."""
        return f"{self._scheme}://{self.host}"

    def push(self, repository: str, *tags: str, content: object = None, media_type: str = MANIFEST) -> str:
        """Put a manifest under *tags*; its digest. Without tags the repository exists and has none."""
        manifest = {"schemaVersion": 2, "mediaType": media_type, "config": {}, "layers": [], "of": [*tags]}
        raw = content if isinstance(content, bytes) else json.dumps(content or manifest).encode()
        known = self.repositories.setdefault(repository, {})
        if tags:
            known.update(dict.fromkeys([*tags, digest_of(raw)], (media_type, raw)))
        return digest_of(raw)

    def push_image(
        self, repository: str, *tags: str, annotations: dict[str, str] | None = None, **config: object
    ) -> str:
        """Put an image with a configuration under *tags*; its digest, under which it can be had too."""
        raw = json.dumps({"os": "linux", "architecture": "amd64", **config}).encode()
        self.blobs[digest_of(raw)] = raw
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"digest": digest_of(raw), "size": len(raw)},
            "layers": [],
            "annotations": annotations or {},
        }
        digest = digest_of(json.dumps(manifest).encode())
        return self.push(repository, *tags, digest, content=manifest)

    def push_index(
        self, repository: str, tag: str, *platforms: str, annotations: dict[str, str] | None = None, **config: object
    ) -> str:
        """Put an index of an image for each of *platforms* under *tag*; its digest."""
        entries = []
        for text in platforms:
            words = dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))
            digest = self.push_image(repository, annotations=None, **{**words, **config})
            entries.append({"mediaType": MANIFEST, "digest": digest, "size": 7, "platform": words})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": annotations or {}}
        return self.push(repository, tag, content=index, media_type=INDEX)

    def script(self, start: str, *replies: Reply | Callable[[Seen], Reply], forever: bool = False) -> None:
        """Answer requests of ``"METHOD /path..."`` by *replies*, one after the other, before its own answers.

        *forever* repeats the last one.
        """
        method, _, path = start.partition(" ")
        with self._lock:
            self._scripts.append((method, path, list(replies), forever))

    def asked(self, path: str = "") -> list[Seen]:
        """The requests whose target starts with *path*."""
        with self._lock:
            return [seen for seen in self.seen if seen.target.startswith(path)]

    def answer(self, seen: Seen) -> Reply:
        """The answer to a request: what `script` says, or else its own."""
        with self._lock:
            self.seen.append(seen)
            for method, path, replies, forever in self._scripts:
                if seen.method == method and seen.target.startswith(path) and replies:
                    reply = replies[0] if forever and len(replies) == 1 else replies.pop(0)
                    break
            else:
                return self._answer(seen)
        return reply(seen) if callable(reply) else reply

    def _answer(self, seen: Seen) -> Reply:
        if seen.path == "/token":
            return self._token(seen)
        if not self._let_in(seen):
            scheme = f'Bearer realm="{self.url}/token",service="fake"' if self.bearer else 'Basic realm="fake"'
            challenge = self.challenge or scheme
            return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})
        repository, _, rest = seen.path.removeprefix("/v2/").rpartition("/tags/")
        if rest == "list":
            return self._tags(repository, seen)
        repository, _, tag = seen.path.removeprefix("/v2/").rpartition("/manifests/")
        if repository:
            return self._manifest(repository, tag)
        repository, _, digest = seen.path.removeprefix("/v2/").rpartition("/blobs/")
        if repository:
            found = self.blobs.get(digest)
            return error(404, "BLOB_UNKNOWN") if found is None else Reply(200, found)
        if seen.path == "/v2/_catalog":
            names = sorted(self.repositories) if self.catalog is None else self.catalog
            return self._page("repositories", names, {}, seen)
        return Reply(200, {}) if seen.path == "/v2/" else Reply(404, "page not found")

    def _let_in(self, seen: Seen) -> bool:
        if self.login is None:
            return True
        kind, _, value = (seen.login or "").partition(" ")
        return value in self.tokens if self.bearer else kind == "Basic" and value == self._basic()

    def _basic(self) -> str:
        return base64.b64encode(":".join(self.login or ()).encode()).decode()

    def _token(self, seen: Seen) -> Reply:
        form = urllib.parse.parse_qs(seen.body.decode())
        refresh = form.get("refresh_token", [""])[0]
        if self.login and seen.login != f"Basic {self._basic()}" and refresh != self.login[1]:
            return Reply(401, {"details": "incorrect username or password"})
        token = f"token-{len(self.tokens)}-{hash(seen.target) & 0xFFFF:x}"
        self.tokens.add(token)
        return Reply(200, {"token": token, "expires_in": self.token_life_s})

    def _tags(self, repository: str, seen: Seen) -> Reply:
        if repository not in self.repositories:
            return error(404, "NAME_UNKNOWN")
        tags = sorted(tag for tag in self.repositories[repository] if not tag.startswith("sha256:"))
        return self._page("tags", tags, {"name": repository}, seen)

    def _page(self, key: str, tags: list[str], more: dict[str, Any], seen: Seen) -> Reply:
        last = seen.query.get("last", [""])[0]
        n = min(self.page, int(seen.query.get("n", ["1000"])[0]))
        left = [tag for tag in tags if tag > last]
        headers = {"Content-Type": "application/json"}
        if len(left) > n:
            headers["Link"] = f'<{seen.path}?last={left[n - 1]}&n={n}>; rel="next"'
        return Reply(200, {**more, key: left[:n] or None}, headers)

    def _manifest(self, repository: str, tag: str) -> Reply:
        known = self.repositories.get(repository)
        if known is None:
            return error(404, "NAME_UNKNOWN")
        if tag not in known:
            return error(404, "MANIFEST_UNKNOWN")
        media_type, raw = known[tag]
        return Reply(200, raw, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(raw)})

    def wait(self, seconds: float) -> None:
        """Wait, but not after the end of the registry."""
        self._over.wait(seconds)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    fake: FakeRegistry

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away, or does not trust us, is what some tests want."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.fake.connections += 1

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fake = self.server.fake
        reply = fake.answer(Seen(self.command, self.path, dict(self.headers), body))
        if reply.pause_s:
            fake.wait(reply.pause_s)
        if reply.status:
            self._send(reply)
        if reply.then != "keep":
            self.close_connection = True
        if reply.then == "reset":
            self.wfile.flush()
            linger = b"\x01\0\0\0\0\0\0\0"
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def _send(self, reply: Reply) -> None:
        raw = reply.raw
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        chunked = reply.headers.get("Transfer-Encoding") == "chunked"
        if not chunked and reply.length != -1:
            self.send_header("Content-Length", str(len(raw) if reply.length is None else reply.length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if not reply.drip_s:
            self.wfile.write(raw)
            return
        for number in range(len(raw)):
            self.wfile.write(raw[number : number + 1])
            self.wfile.flush()
            self.server.fake.wait(reply.drip_s)

    do_GET = do_HEAD = do_POST = _serve  # noqa: N815


__all__ = ["CLOSE", "INDEX", "MANIFEST", "RESET", "FakeRegistry", "Reply", "Seen", "digest_of", "error"]
