#!/usr/bin/env python3
"""Push the lab's small images straight into a registry (no docker needed).

    images.py all  http://10.77.0.2:5000
    images.py push http://10.77.0.2:5000 acme/web:2.1.0 --mode never-healthy
    images.py tags http://10.77.0.2:5000 acme/many 20000 --data /var/lib/octossh-lab/lab/registry/data

Each image is two layers: busybox-static, and a few bytes of its own, so that
every tag has its own digest. The same arguments give the same digest. Only the
standard library is used.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import io
import json
import platform
import subprocess
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

BUSYBOX = "/bin/busybox"
S = 1_000_000_000  # docker counts a healthcheck's times in nanoseconds
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

RUN = r"""#!/bin/sh
# One program for all tags; MODE says how it behaves.
echo "acme/$APP $VERSION starting (mode $MODE)" >&2
mkdir -p /tmp /www
echo "$VERSION" > /www/version
echo ok > /www/health
env | sort > /www/env
[ -n "$REQUIRE" ] && for v in $REQUIRE; do
    eval "[ -n \"\$$v\" ]" || { echo "fatal: $v is not set" >&2; exit 78; }
done
case "$MODE" in
    exit)     echo "fatal: cannot start" >&2; exit 1 ;;
    crash)    (sleep 5; echo "fatal: out of luck" >&2; kill -9 -1) & ;;
    warm)     (sleep 3; touch /tmp/ready) & ;;
esac
# No new request is taken, those that are being answered come to their end: when PID 1 is gone, all are killed.
stop() {
    if [ "$APP" = web ]; then
        kill $!; wait $!; n=40
        while pidof httpd && [ $((n -= 1)) -gt 0 ]; do sleep 0.05; done
    fi >/dev/null 2>&1
    echo bye
    exit 0
}
# PID 1 has no default signal handlers: without a trap a stop takes 10 s.
if [ "$MODE" = slow-stop ]; then trap '' TERM; else trap stop TERM INT; fi
if [ "$APP" = pinger ]; then
    ping -c "$PING_COUNT" "$TARGET" & wait $! || { echo "fatal: no answer from $TARGET" >&2; exit 1; }
    echo "pinged $TARGET $PING_COUNT times"
fi
if [ "$APP" = web ]; then httpd -f -p "${PORT:-8080}" -h /www & else sleep 1000000 & fi
while :; do wait $!; kill -0 $! 2>/dev/null || exit 1; done
"""

READY = {"Test": ["CMD", "test", "-f", "/tmp/ready"], "StartPeriod": 10 * S}
NEVER = {"Test": ["CMD-SHELL", "echo 'database: connection refused'; exit 1"]}
QUICK = {"Test": ["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/health"]}
TIMES = {"Interval": S, "Timeout": 2 * S, "Retries": 3}


@dataclass(frozen=True)
class Mode:
    """How an image behaves: its MODE variable, its health check, further variables and labels."""

    run: str = "ok"
    health: dict[str, Any] | None = None
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


MODES = {
    "ok": Mode(),
    "healthy": Mode(health=QUICK),  # by HTTP, after 1 s; acme/web only
    "warm": Mode("warm", READY),  # healthy after 3 s
    "exit": Mode("exit"),  # BROKEN: ends at once, code 1
    "never-healthy": Mode(health=NEVER),  # BROKEN: unhealthy after about 3 s
    "crash": Mode("crash"),  # BROKEN: dies after 5 s, code 1
    "slow-stop": Mode("slow-stop"),  # SIGTERM is ignored
    "needs-env": Mode(env={"REQUIRE": "DATABASE_URL"}),  # code 78 without DATABASE_URL
    "labelled": Mode(labels={"service": "bench"}),  # as Kamal wants it of the images of its service
}

IMAGES = [
    ("acme/web", "1.0.0", "ok"),
    ("acme/web", "1.0.1", "ok"),
    ("acme/web", "1.1.0-rc.1", "ok"),
    ("acme/web", "1.1.0", "healthy"),
    ("acme/web", "1.2.0", "warm"),
    ("acme/web", "1.3.0", "exit"),
    ("acme/web", "1.4.0", "never-healthy"),
    ("acme/web", "1.5.0", "crash"),
    ("acme/web", "1.6.0", "slow-stop"),
    ("acme/web", "1.7.0", "needs-env"),
    ("acme/web", "1.10.0", "ok"),  # sorts after 1.9, not after 1.1
    ("acme/web", "2.0.0", "warm"),
    ("acme/worker", "1.0.0", "ok"),
    ("acme/worker", "1.1.0", "ok"),
    ("acme/pinger", "1.0.0", "ok"),  # pings TARGET PING_COUNT times, then stays
    ("acme/pinger", "1.1.0", "ok"),
]
ALIASES = [  # the same digest under a second name
    ("acme/web", "2.0.0", "latest"),
    ("acme/web", "1.1.0", "stable"),
    ("acme/web", "1.10.0", "1"),
    ("acme/web", "1.0.0", "v1.0.0"),
    ("acme/web", "1.0.1", "sha-4f2c1aa"),
    ("acme/worker", "1.1.0", "latest"),
]
PINGER_ENV = {"TARGET": "127.0.0.1", "PING_COUNT": "1"}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def tar(files: dict[str, tuple[int, bytes] | str]) -> bytes:
    """Return a tar of {path: (mode, content) or 'link target'}, with nothing in it that changes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, what in sorted(files.items()):
            info = tarfile.TarInfo(name)
            if isinstance(what, str):
                info.type, info.linkname = tarfile.SYMTYPE, what
                t.addfile(info)
            else:
                info.mode, info.size = what[0], len(what[1])
                t.addfile(info, io.BytesIO(what[1]))
    return out.getvalue()


def sha(data: bytes) -> str:
    """Return a digest as registries write it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@functools.cache
def base_layer() -> tuple[str, bytes]:
    """Return the busybox layer: the digest of its tar, and the tar compressed."""
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    files: dict[str, tuple[int, bytes] | str] = {f"bin/{a}": "busybox" for a in listed if a != "busybox"}
    files["bin/busybox"] = (0o755, Path(BUSYBOX).read_bytes())
    files["etc/passwd"] = (0o644, b"root:x:0:0:root:/:/bin/sh\n")
    files["etc/group"] = (0o644, b"root:x:0:\n")
    raw = tar(files)
    return sha(raw), gzip.compress(raw, 6, mtime=0)


class Registry:
    """The few registry calls that a push needs."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method: str, path: str, data: bytes | None = None, kind: str = "") -> HTTPResponse:
        """Send one request; an HTTP error is an exception."""
        url = urllib.parse.urljoin(self.url + "/", path)
        headers = {"Content-Type": kind or "application/octet-stream"}
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        response: HTTPResponse = self._opener.open(request, timeout=30)
        return response

    def blob(self, repo: str, data: bytes) -> str:
        """Upload a blob that the repository lacks; return its digest."""
        digest = sha(data)
        try:
            self.call("HEAD", f"/v2/{repo}/blobs/{digest}").close()
        except urllib.error.HTTPError as missing:
            missing.close()
            with self.call("POST", f"/v2/{repo}/blobs/uploads/", b"") as begun:
                where = begun.headers["Location"]
            self.call("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", data).close()
        return digest

    def manifest(self, repo: str, tag: str, data: bytes) -> str:
        """Give a manifest a tag; return its digest."""
        self.call("PUT", f"/v2/{repo}/manifests/{tag}", data, MANIFEST).close()
        return sha(data)


def build(registry: Registry, repo: str, tag: str, mode: str = "ok") -> bytes:
    """Upload an image's blobs; return its manifest."""
    if mode not in MODES:
        raise ValueError(f"no such mode: {mode} (there are {', '.join(MODES)})")
    how, app = MODES[mode], repo.rsplit("/", 1)[-1]
    own = tar({"app/run.sh": (0o755, RUN.encode()), "app/version": (0o644, f"{tag}\n".encode())})
    base_id, base = base_layer()
    env = {"PATH": "/bin", "APP": app, "VERSION": tag, "MODE": how.run, **how.env}
    if app == "pinger":
        env |= PINGER_ENV
    run: dict[str, Any] = {
        "Env": [f"{k}={v}" for k, v in env.items()],
        "Cmd": ["/app/run.sh"],
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.version": tag,
            "org.opencontainers.image.source": f"https://example.com/{repo}",
            **how.labels,
        },
    }
    if app == "web":
        run["ExposedPorts"] = {"8080/tcp": {}}
    if how.health:
        run["Healthcheck"] = TIMES | how.health
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [base_id, sha(own)]},
        "history": [{"created_by": "busybox-static"}, {"created_by": f"{repo}:{tag}"}],
    }

    def part(kind: str, data: bytes) -> dict[str, Any]:
        return {"mediaType": kind, "size": len(data), "digest": registry.blob(repo, data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": part(CONFIG, json.dumps(config, sort_keys=True).encode()),
        "layers": [part(LAYER, base), part(LAYER, gzip.compress(own, 6, mtime=0))],
    }
    return json.dumps(manifest).encode()


def push_image(url: str, repo: str, tag: str, mode: str = "ok") -> str:
    """Push one image; return its digest. A tag that is there already moves."""
    registry = Registry(url)
    return registry.manifest(repo, tag, build(registry, repo, tag, mode))


def many_tags(count: int) -> list[str]:
    """Return names of tags as a busy repository has them: versions with variants and candidates, and builds."""
    names = []
    for n in range((count + 3) // 4):
        version = f"{1 + n // 1000}.{n // 50 % 20}.{n % 50}"
        build = hashlib.sha256(version.encode()).hexdigest()
        names += [version, f"{version}-alpine", f"{version}-rc.1", f"sha-{build[:7]}"]
    return names[:count]


def push_tags(url: str, repo: str, count: int, data: Path) -> str:
    """Give one image many tags; return its digest.

    By the API this takes minutes. So one tag is pushed, and the others are links to its folder in the data of the
    registry: it lists and serves each as its own. Pushing to one of them would move all.
    """
    first, *more = many_tags(count)
    digest = push_image(url, repo, first)
    tags = data / "docker/registry/v2/repositories" / repo / "_manifests/tags"
    for tag in more:
        (tags / tag).symlink_to(first)
    return digest


def push_all(url: str) -> None:
    """Push all of IMAGES and ALIASES."""
    registry = Registry(url)
    manifests = {(repo, tag): build(registry, repo, tag, mode) for repo, tag, mode in IMAGES}
    for (repo, tag), manifest in manifests.items():
        registry.manifest(repo, tag, manifest)
    for repo, tag, alias in ALIASES:
        registry.manifest(repo, alias, manifests[repo, tag])
    print(f"{len(IMAGES)} images, {len(ALIASES)} aliases pushed to {url}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("all", help="push the lab's images")
    one.add_argument("url")
    one = commands.add_parser("push", help="push one more image")
    one.add_argument("url")
    one.add_argument("image", metavar="REPO:TAG")
    one.add_argument("--mode", choices=list(MODES), default="ok")
    one = commands.add_parser("tags", help="push one image, and give it many tags")
    one.add_argument("url")
    one.add_argument("repo", metavar="REPO")
    one.add_argument("count", type=int)
    one.add_argument("--data", type=Path, required=True, help="the folder in which the registry keeps its data")
    args = parser.parse_args()
    if args.command == "all":
        push_all(args.url)
        return
    if args.command == "tags":
        print(f"{args.repo} {push_tags(args.url, args.repo, args.count, args.data)}")
        return
    repo, colon, tag = args.image.rpartition(":")
    if not colon or "/" in tag:
        parser.error(f"{args.image} is not REPO:TAG")
    print(f"{repo}:{tag} {push_image(args.url, repo, tag, args.mode)}")


if __name__ == "__main__":
    main()
