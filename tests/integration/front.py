"""A door before a real registry that cuts lists of tags into pages, as newer registries do, takes its time, and counts.

::

    with Front("http://10.77.0.2:5000") as front:
        registry = octossh.Registry("paged", front.url)

All that it says is what the registry behind it says, who also decides whom it lets in.
"""

from __future__ import annotations

import http.client
import http.server
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

_PASSED_ON = ("Authorization", "Accept")
_PASSED_BACK = ("Content-Type", "WWW-Authenticate", "Docker-Content-Digest", "Docker-Distribution-Api-Version")


Answer = tuple[int, dict[str, str], bytes]


class Front:
    """Listens by plain http.

    Args:
        url: Of the registry behind.
        ca: Who signed its certificate.
        delay_s: How long each answer is held back.
        address: On which it listens; hosts of a lab reach the first one of its net.

    Attributes:
        asked: Method and target of each request, in order.
        before_page: Is called with the number of the page (from 1) and the Authorization header, before a page of
            tags is asked for behind.
        instead: Is called with method and target; what it gives is the answer, unless that is None.
    """

    def __init__(self, url: str, *, ca: Path | None = None, delay_s: float = 0.0, address: str = "127.0.0.1") -> None:
        self._behind = urllib.parse.urlsplit(url)
        self._context = ssl.create_default_context(cafile=ca) if ca else None
        self.delay_s = delay_s
        self.asked: list[tuple[str, str]] = []
        self.before_page: Callable[[int, str], None] = lambda _number, _login: None
        self.instead: Callable[[str, str], Answer | None] = lambda _method, _target: None
        self._over = threading.Event()
        self._server = http.server.ThreadingHTTPServer((address, 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{self.place}"

    @property
    def place(self) -> str:
        """Address and port."""
        return f"{self._server.server_address[0]!s}:{self._server.server_address[1]}"

    def lists(self) -> list[str]:
        """The targets of those requests that were for tags."""
        return [target for _, target in self.asked if "/tags/list" in target]

    def behind(self, method: str, target: str, headers: dict[str, str]) -> Answer:
        """What the registry answers: status, headers and body."""
        made: http.client.HTTPConnection
        if self._behind.scheme == "https":
            made = http.client.HTTPSConnection(self._behind.netloc, context=self._context, timeout=60)
        else:
            made = http.client.HTTPConnection(self._behind.netloc, timeout=60)
        try:
            made.request(method, target, headers=headers)
            answer = made.getresponse()
            found = {name: value for name in _PASSED_BACK if (value := answer.headers.get(name)) is not None}
            if method == "HEAD":
                found["Content-Length"] = answer.headers.get("Content-Length", "0")
            return answer.status, found, answer.read()
        finally:
            made.close()

    def answer(self, method: str, target: str, headers: dict[str, str]) -> Answer:
        self.asked.append((method, target))
        self._over.wait(self.delay_s)
        if (instead := self.instead(method, target)) is not None:
            return instead
        path, _, query = target.partition("?")
        if not path.endswith("/tags/list"):
            return self.behind(method, target, headers)
        asked = urllib.parse.parse_qs(query)
        last = asked.get("last", [""])[0]
        self.before_page(len(self.lists()), headers.get("Authorization", ""))
        status, found, body = self.behind(method, path, headers)
        if status != 200:
            return status, found, body
        page = json.loads(body)
        left = sorted(tag for tag in page["tags"] or () if tag > last)
        n = int(asked.get("n", ["100"])[0])
        if len(left) > n:
            more = urllib.parse.urlencode({"last": left[n - 1], "n": n})
            found["Link"] = f'<{path}?{more}>; rel="next"'
        return status, found, json.dumps(page | {"tags": left[:n]}).encode()


def _handler_of(front: Front) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

        def _serve(self) -> None:
            given = {name: value for name in _PASSED_ON if (value := self.headers.get(name)) is not None}
            status, headers, body = front.answer(self.command, self.path, given)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = _serve  # noqa: N815

    return Handler
