"""Reverse proxies as images: the programs of Debian's own packages, unpacked and not installed."""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from .images import ARCHITECTURES, CONFIG, LAYER, MANIFEST, Registry, base_layer, sha, tar

PACKAGES = {
    "nginx": ["nginx"],
    "haproxy": ["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"],
}
COMMANDS = {
    "nginx": ["/bin/nginx", "-g", "daemon off;", "-c", "/etc/proxy.conf"],
    "haproxy": ["/bin/haproxy", "-f", "/etc/proxy.conf"],
}
PLACES = ["run", "tmp", "var/lib/nginx", "var/log/nginx", "usr/share/nginx"]
USERS = "root:x:0:0:root:/:/bin/sh\nwww-data:x:33:33:www-data:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
GROUPS = "root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n"


def unpack(name: str, folder: Path) -> Path:
    """Download the packages of the proxy *name* and unpack them below *folder*."""
    command = ["apt-get", "-q", "download", *PACKAGES[name]]
    if subprocess.run(command, cwd=folder, capture_output=True).returncode:
        subprocess.run(["apt-get", "-q", "update"], cwd=folder, capture_output=True, check=True)
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "root")], check=True)
    return folder / "root"


def program(root: Path, name: str) -> dict[str, tuple[int, bytes] | str]:
    """The program and all that it is linked with."""
    binary = root / "usr/sbin" / name
    own = ":".join(sorted({str(file.parent) for file in root.rglob("*.so*")}))
    linked = subprocess.run(
        ["ldd", str(binary)], env=os.environ | {"LD_LIBRARY_PATH": own}, capture_output=True, text=True, check=True
    ).stdout
    files: dict[str, tuple[int, bytes] | str] = {f"bin/{name}": (0o755, binary.read_bytes())}
    for soname, path in re.findall(r"^\s*(\S+) => (\S+) \(", linked, re.MULTILINE):
        files[f"lib/{soname}"] = (0o755, Path(path).read_bytes())
    for path in re.findall(r"^\s*(/\S+) \(", linked, re.MULTILINE):
        files[path.lstrip("/")] = (0o755, Path(path).read_bytes())
    return files


def push_proxy(url: str, name: str, folder: Path) -> str:
    """Push the proxy *name* as ``proxy/NAME:1.0.0``; it reads ``/etc/proxy.conf``. Returns its digest."""
    files = program(unpack(name, folder), name)
    files |= {f"{place}/.keep": (0o644, b"") for place in PLACES}
    files |= {"etc/passwd": (0o644, USERS.encode()), "etc/group": (0o644, GROUPS.encode())}
    own = tar(files)
    base_id, base = base_layer()
    registry = Registry(url)
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Env": ["PATH=/bin", "LD_LIBRARY_PATH=/lib"], "Cmd": COMMANDS[name], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [base_id, sha(own)]},
    }

    def part(kind: str, data: bytes) -> dict[str, object]:
        return {"mediaType": kind, "size": len(data), "digest": registry.blob(f"proxy/{name}", data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": part(CONFIG, json.dumps(config).encode()),
        "layers": [part(LAYER, base), part(LAYER, gzip.compress(own, 1, mtime=0))],
    }
    return registry.manifest(f"proxy/{name}", "1.0.0", json.dumps(manifest).encode())
