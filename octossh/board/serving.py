"""Serving a board to browsers on this machine."""

from __future__ import annotations

import functools
import posixpath
import sys
import urllib.parse
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from octossh.errors import ModelError, OctosshError
from octossh.promises import NoThreads, started

__all__ = ["PORT", "serve"]

PORT = 8686

_HOST = "127.0.0.1"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_SECURE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def serve(
    page: Callable[[str], bytes | None], event: Callable[[], int], port: int, on_ready: Callable[[str], None]
) -> None:
    """Answer browsers on this machine until this process is interrupted.

    Args:
        page: Gives a file by its path; None: there is none.
        event: Gives the number by which pages know whether they are old.
        port: 0: one that is free.
        on_ready: Is called with the address.

    Raises:
        ModelError: The port is taken.
    """

    class Handler(_Handler):
        given = staticmethod(page)
        newest = staticmethod(event)

    try:
        server = _Server((_HOST, port), Handler)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise ModelError(f"port {port} cannot be had: {why}; name another, or 0 for one that is free") from None
    with server:
        answering = started(functools.partial(server.serve_forever, 0.1), "octossh-board")
        if answering is None:
            raise OctosshError(f"the page cannot be shown: {NoThreads()}; end something, and try again")
        try:
            on_ready(f"http://{_HOST}:{server.server_address[1]}/")
            answering.join()
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        # A browser that goes away in the middle is nothing to tell of.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    given: Callable[[str], bytes | None]
    newest: Callable[[], int]
    server_version, sys_version = "octossh", ""
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/") or "index.html"
        try:
            if not self._asked_here():
                self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"this board is for 127.0.0.1 and localhost\n")
            elif path == "event":
                self._answer(HTTPStatus.OK, "text/plain", str(self.newest()).encode())
            elif (content := self.given(path)) is None:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there is no such page\n")
            else:
                self._answer(HTTPStatus.OK, _TYPES[posixpath.splitext(path)[1]], content)
        except OctosshError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{error}\n".encode())

    do_HEAD = do_GET  # noqa: N815 - its name tells which requests come here

    def _asked_here(self) -> bool:
        # A page from elsewhere may have its own name lead here, and read what is answered.
        try:
            name = urllib.parse.urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            return False
        return name in {_HOST, "localhost"}

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in _SECURE.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - of the class above
        """Nothing: what a browser asks for is of no interest."""
