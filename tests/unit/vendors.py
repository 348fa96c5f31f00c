"""The registries of vendors, each with what it does in its own way, by their own names, behind a proxy.

::

    with Internet(folder) as internet:                   # HTTPS_PROXY and REQUESTS_CA_BUNDLE as internet.env says
        octossh.Registry("hub", "https://docker.io")

No packet leaves this machine: the proxy makes every connection end here. What a vendor does is told from its own
documentation and from the reports of those who use it; only what a client notices is here.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from octossh.testing.registry import MANIFEST, Reply, Seen, error

VERSIONS = ("1.0.0", "1.1.0", "1.2.0-rc.1", "latest")


class Vendor:
    """A registry that gives tokens, as most do; the vendors differ in what is set and done otherwise below.

    Attributes:
        host: Of the registry.
        realm: Of its token service; empty: it wants the password itself.
        service: What it calls itself there.
        user: Who may log in; the password is ``geheim``.
        most: How many tags a page has at most.
        usual: How many it has where nobody says.
        repositories: Tags by repository.
        seen: The requests that came in, with the host that was asked.
    """

    host = ""
    realm = ""
    service = ""
    user = ""
    most = 1000
    usual = 100

    def __init__(self) -> None:
        self.repositories: dict[str, list[str]] = {}
        self.seen: list[tuple[str, Seen]] = []
        self.set_up()

    def set_up(self) -> None:
        """Push something."""

    @property
    def hosts(self) -> set[str]:
        return {self.host, *([urllib.parse.urlsplit(self.realm).netloc] if self.realm else [])}

    def answer(self, host: str, seen: Seen) -> Reply:
        self.seen.append((host, seen))
        if self.realm and f"https://{host}{seen.path}" == self.realm:
            return self.token(seen)
        if host != self.host or not seen.path.startswith("/v2/"):
            return Reply(404, "page not found")
        found = re.fullmatch(r"/v2/(.+)/(tags|manifests|blobs)/([^/]+)", seen.path)
        repository = found[1] if found else ""
        if not self.lets_in(seen, repository):
            return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": self.challenge(seen, repository)})
        if not found:
            return Reply(200, {}) if seen.path == "/v2/" else error(404, "NAME_UNKNOWN")
        if repository not in self.repositories:
            return self.missing(repository)
        if found[2] == "tags":
            return self.tags(repository, seen)
        return self.manifest(repository, found[3], seen)

    # ---- logging in

    def challenge(self, seen: Seen, repository: str) -> str:
        if not self.realm:
            return f'Basic realm="{self.service}"'
        scope = f',scope="{self.scope(seen, repository)}"' if repository else ""
        return f'Bearer realm="{self.realm}",service="{self.service}"{scope}'

    def scope(self, seen: Seen, repository: str) -> str:
        return f"repository:{repository}:pull"

    def lets_in(self, seen: Seen, repository: str) -> bool:
        kind, _, value = (seen.login or "").partition(" ")
        if not self.realm:
            return kind == "Basic" and value == self.basic
        token = json.loads(base64.b64decode(value)) if kind == "Bearer" else {}
        # A token is for what it was asked for.
        return bool(token) and (not repository or self.scope(seen, repository) in token["scope"])

    @property
    def basic(self) -> str:
        return base64.b64encode(f"{self.user}:geheim".encode()).decode()

    def token(self, seen: Seen) -> Reply:
        if self.user and seen.login != f"Basic {self.basic}":
            return error(401, "UNAUTHORIZED")
        if seen.query.get("service") != [self.service]:
            return error(400, "UNSUPPORTED")
        return Reply(200, self.grant(seen.query.get("scope", [])))

    def grant(self, scope: list[str]) -> dict[str, Any]:
        return {"token": self.sealed(scope), "expires_in": 300, "issued_at": "2026-01-01T00:00:00Z"}

    def sealed(self, scope: list[str]) -> str:
        return base64.b64encode(json.dumps({"scope": scope}).encode()).decode()

    # ---- tags and digests

    def tags(self, repository: str, seen: Seen) -> Reply:
        n = int(seen.query.get("n", [str(self.usual)])[0])
        last = seen.query.get("last", [""])[0]
        left = sorted(tag for tag in self.repositories[repository] if tag > last)
        page = left[: min(n, self.most)]
        link = {}
        if len(page) < len(left):
            link = {"Link": f'<{self.next_page(repository, page[-1], n)}>; rel="next"'}
        return Reply(200, {"name": repository, "tags": page}, {"Content-Type": "application/json", **link})

    def next_page(self, repository: str, last: str, n: int) -> str:
        return f"/v2/{repository}/tags/list?last={last}&n={n}"

    def manifest(self, repository: str, tag: str, seen: Seen) -> Reply:
        known = {name: self.raw(name) for name in self.repositories[repository]}
        raw = known.get(tag) or next((body for body in known.values() if digest_of(body) == tag), None)
        if raw is None:
            return error(404, "MANIFEST_UNKNOWN")
        return Reply(200, raw, {"Content-Type": MANIFEST, "Docker-Content-Digest": digest_of(raw)})

    def raw(self, tag: str) -> bytes:
        """The manifest of *tag*."""
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": [], "of": tag}
        return json.dumps(manifest).encode()

    def missing(self, repository: str) -> Reply:
        return error(404, "NAME_UNKNOWN")


def digest_of(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


class DockerHub(Vendor):
    """A token service of another name; official images are in ``library/``; all tags in one answer, whatever n says."""

    host, realm, service, user = "registry-1.docker.io", "https://auth.docker.io/token", "registry.docker.io", "acme"
    most = 100_000

    def set_up(self) -> None:
        self.repositories = {"library/nginx": [*VERSIONS, *(f"0.{n}.0" for n in range(1500))], "acme/web": [*VERSIONS]}

    def tags(self, repository: str, seen: Seen) -> Reply:
        return super().tags(repository, Seen(seen.method, seen.path + "?n=100000", seen.headers, seen.body))

    def missing(self, repository: str) -> Reply:
        return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": self.challenge(self.seen[-1][1], repository)})


class GHCR(Vendor):
    """Names the same repository in each challenge; a hundred tags where nobody says more."""

    host, realm, service, user = "ghcr.io", "https://ghcr.io/token", "ghcr.io", "ann"

    def set_up(self) -> None:
        self.repositories = {"acme/web": [*VERSIONS, *(f"0.{n}.0" for n in range(150))]}

    def challenge(self, seen: Seen, repository: str) -> str:
        return f'Bearer realm="{self.realm}",service="{self.service}",scope="repository:user/image:pull"'


class ECR(Vendor):
    """The user is AWS and the password a token of half a day; no more than 1000; HEAD has no digest."""

    host, user, service = "123456789012.dkr.ecr.eu-central-1.amazonaws.com", "AWS", "https://ecr.amazonaws.com/"

    def set_up(self) -> None:
        self.repositories = {"acme/web": [*VERSIONS, *(f"0.{n}.0" for n in range(1500))]}

    def tags(self, repository: str, seen: Seen) -> Reply:
        if int(seen.query.get("n", ["1"])[0]) > 1000:
            return error(405, "UNSUPPORTED")
        return super().tags(repository, seen)

    def next_page(self, repository: str, last: str, n: int) -> str:
        return f"https://{self.host}" + super().next_page(repository, last, n)

    def manifest(self, repository: str, tag: str, seen: Seen) -> Reply:
        made = super().manifest(repository, tag, seen)
        return Reply(made.status, made.body, {"Content-Type": made.headers["Content-Type"]})


class ACR(Vendor):
    """Lists of tags need another right than images, and tokens come by POST as well."""

    host, user = "acme.azurecr.io", "00000000-0000-0000-0000-000000000000"
    realm, service = "https://acme.azurecr.io/oauth2/token", "acme.azurecr.io"

    def set_up(self) -> None:
        self.repositories = {"web": [*VERSIONS, *(f"0.{n}.0" for n in range(150))]}

    def scope(self, seen: Seen, repository: str) -> str:
        return f"repository:{repository}:{'metadata_read' if '/tags/' in seen.path else 'pull'}"

    def token(self, seen: Seen) -> Reply:
        form = urllib.parse.parse_qs(seen.body.decode())
        if seen.method != "POST" or form.get("refresh_token") != ["geheim"]:
            return super().token(seen)
        return Reply(200, {"access_token": self.sealed(form["scope"][0].split())})


class GoogleArtifactRegistry(Vendor):
    """The user says what the password is; a list of tags holds much more than them."""

    host, realm, service = "europe-docker.pkg.dev", "https://europe-docker.pkg.dev/v2/token", "europe-docker.pkg.dev"
    user = "_json_key_base64"

    def set_up(self) -> None:
        self.repositories = {"acme-prod/images/web": [*VERSIONS, *(f"0.{n}.0" for n in range(1500))]}

    def tags(self, repository: str, seen: Seen) -> Reply:
        made = super().tags(repository, seen)
        manifests = {digest_of(self.raw(tag)): {"tag": [tag], "timeUploadedMs": "1760000000000"} for tag in VERSIONS}
        return Reply(200, {**made.body, "child": [], "manifest": manifests}, made.headers)  # type: ignore[dict-item]


class Quay(Vendor):
    """Fifty tags a page, whatever n says, in no order, and the next page by a word of its own; nothing on the life."""

    host, realm, service, user = "quay.io", "https://quay.io/v2/auth", "quay.io", "acme+ci"

    def set_up(self) -> None:
        self.repositories = {"acme/web": [*(f"0.{n}.0" for n in range(120)), *VERSIONS]}

    def grant(self, scope: list[str]) -> dict[str, Any]:
        return {"token": self.sealed(scope)}

    def tags(self, repository: str, seen: Seen) -> Reply:
        begin = int(base64.b32decode(seen.query["next_page"][0])) if "next_page" in seen.query else 0
        tags = self.repositories[repository]
        link = {}
        if begin + 50 < len(tags):
            word = urllib.parse.quote(base64.b32encode(str(begin + 50).encode()).decode(), safe="")
            link = {"Link": f'</v2/{repository}/tags/list?n=50&next_page={word}>; rel="next"'}
        return Reply(200, {"name": repository, "tags": tags[begin : begin + 50]}, link)


class Artifactory(Vendor):
    """The next page is named without the folder that it is in, and by number; digests are among the tags."""

    host, user, service = "acme.jfrog.io", "ci", "Artifactory Realm"

    def set_up(self) -> None:
        self.repositories = {"docker/acme/web": [*VERSIONS, f"sha256:{'a' * 64}", *(f"0.{n}.0" for n in range(1500))]}

    def tags(self, repository: str, seen: Seen) -> Reply:
        begin, n = int(seen.query.get("last", ["0"])[0]), int(seen.query.get("n", ["100"])[0])
        tags = sorted(self.repositories[repository])
        link = {}
        if begin + n < len(tags):
            lost = repository.partition("/")[2]
            link = {"Link": f'</v2/{lost}/tags/list?last={begin + n}&n={n}>; rel="next"'}
        return Reply(200, {"name": repository, "tags": tags[begin : begin + n]}, link)


class Harbor(Vendor):
    """Robots have a dollar in their names; tokens tell nothing of when they were given."""

    host, user = "harbor.example.com", "robot$shop+ci"
    realm, service = "https://harbor.example.com/service/token", "harbor-registry"

    def set_up(self) -> None:
        self.repositories = {"shop/web": [*VERSIONS, *(f"0.{n}.0" for n in range(150))]}

    def grant(self, scope: list[str]) -> dict[str, Any]:
        return {"token": self.sealed(scope), "access_token": "", "expires_in": 1800}


class Nexus(Vendor):
    """A port for each repository; a list of a group is cut, and nothing says so; no tags are an empty text."""

    host, user, service = "nexus.example.com:8443", "ci", "Sonatype Nexus Repository Manager"

    def set_up(self) -> None:
        self.repositories = {"acme/web": [*VERSIONS, *(f"0.{n}.0" for n in range(1500))], "acme/empty": []}

    def tags(self, repository: str, seen: Seen) -> Reply:
        made = super().tags(repository, seen)
        body: Any = made.body
        return Reply(200, {**body, "tags": body["tags"] or ""})


class GitLab(Vendor):
    """Its token service is the GitLab beside it; an old store gives all tags, whatever n says."""

    host, realm, service = "registry.gitlab.example.com", "https://gitlab.example.com/jwt/auth", "container_registry"
    user, most = "gitlab+deploy-token-7", 100_000

    def set_up(self) -> None:
        self.repositories = {"acme/shop/web": [*VERSIONS, *(f"0.{n}.0" for n in range(1500))]}

    def grant(self, scope: list[str]) -> dict[str, Any]:
        return {"token": self.sealed(scope)}

    def tags(self, repository: str, seen: Seen) -> Reply:
        return super().tags(repository, Seen(seen.method, seen.path + "?n=100000", seen.headers, seen.body))


VENDORS: tuple[type[Vendor], ...] = (
    DockerHub, GHCR, ECR, ACR, GoogleArtifactRegistry, Quay, Artifactory, Harbor, Nexus, GitLab,
)  # fmt: skip


class Internet:
    """A proxy on 127.0.0.1 to the vendors, which it plays itself.

    Args:
        folder: For the certificates.

    Attributes:
        vendors: By host.
        refused: The places that somebody wanted to reach and that no vendor has.
    """

    def __init__(self, folder: Path) -> None:
        self.vendors: dict[str, Vendor] = {}
        for kind in VENDORS:
            vendor = kind()
            self.vendors.update(dict.fromkeys(vendor.hosts, vendor))
        self.refused: list[str] = []
        self.ca = folder / "internet-ca.pem"
        self.context = _context(folder, self.ca, sorted({host.partition(":")[0] for host in self.vendors}))
        self._server = _Proxy(("127.0.0.1", 0), _Connect)
        self._server.internet = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def env(self) -> Mapping[str, str]:
        """What sends clients here."""
        proxy = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "REQUESTS_CA_BUNDLE": str(self.ca)}

    def vendor(self, kind: type[Vendor]) -> Vendor:
        return self.vendors[kind.host]


class _Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True
    internet: Internet

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Proxy
    host = ""

    def log_message(self, *_: object) -> None:
        pass


class _Connect(_Quiet):
    def do_CONNECT(self) -> None:
        self.close_connection = True
        host = self.path.removesuffix(":443")
        if host not in self.server.internet.vendors:
            self.server.internet.refused.append(host)
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        with self.server.internet.context.wrap_socket(self.connection, server_side=True) as inner:
            type("_Of", (_Serve,), {"host": host})(inner, self.client_address, self.server)

    def do_GET(self) -> None:
        self.server.internet.refused.append(self.path)
        self.send_error(502)


class _Serve(_Quiet):
    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, self.path, dict(self.headers), body)
        reply = self.server.internet.vendors[self.host].answer(self.host, seen)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.raw)

    do_GET = do_HEAD = do_POST = _serve  # noqa: N815


def _context(folder: Path, ca: Path, names: list[str]) -> ssl.SSLContext:
    """TLS with a certificate for all of *names*; who signed it is written to *ca*."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the internet of the tests")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    ca.write_bytes(pem)
    both = folder / "internet.pem"
    both.write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context
