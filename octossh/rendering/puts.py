"""The values for ``put_file.sh.j2``, and for looking at files."""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from octossh.model import SecretRef, is_put_file
from octossh.planning.puts import advice, version
from octossh.shell import Words, quote

if TYPE_CHECKING:
    from octossh.rendering.orders import Order, Secrets

__all__ = ["looking_at_files", "put_file"]


def put_file(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert is_put_file(step)
    assert wanted is not None
    fields, folder = wanted.fields, posixpath.dirname(step.path)
    beside = _beside(step.path)
    secret = isinstance(step.content, SecretRef)
    owners = {name: fields[name] for name in ("owner", "group") if name in fields}
    formats = {name: "ug"[name == "group"] for name in owners}
    letters = [letter if owners[name].isdigit() else letter.upper() for name, letter in formats.items()]
    return {
        "path": step.path,
        "folder": folder,
        "folder_umask": f"{0o777 & ~int(step.folder_mode, 8):03o}",
        "new": f"{beside}new.",
        "made": f"{beside}new.XXXXXXXX",
        "old": f"{beside}old",
        "absent": f"{beside}none",
        "content": _content(step.content, secrets),
        "digest": None if secret else str(fields["content"]).removeprefix("sha256:"),
        "mode": fields["mode"],
        "owner": ":".join((owners.get("owner", ""), owners["group"])) if "group" in owners else owners.get("owner"),
        "inherits": len(owners) < 2,
        "look_format": "/".join(["%a", *(f"%{letter}" for letter in letters)]),
        "look": "/".join([_short(fields["mode"]), *owners.values()]),
        "inspect": json.dumps({"Name": step.path, "Version": version(wanted), "Mode": fields["mode"]})[:-1],
        "changed": base64.b64encode(b"yes").decode(),
        "checks_before": step.validate is not None and any("{}" in word for word in step.validate),
        "validate": [_with_path(word) for word in step.validate or ()],
        "validate_name": (step.validate or ("",))[0],
        "reload": step.reload or (),
        "advice": {status: advice(status) for status in ("link", "unreadable")},
        "needs_docker": False,
    }


def looking_at_files(paths: Iterable[str], contents: Mapping[str, str], secrets: Secrets) -> list[dict[str, Any]]:
    """What the observing script needs for the files at *paths*; *contents* names the secrets that some shall hold."""
    return [
        {
            "path": path,
            "name": json.dumps(path),
            "secret": _content(SecretRef(contents[path]), secrets) if path in contents else None,
            "old": f"{_beside(path)}old",
            "absent": f"{_beside(path)}none",
        }
        for path in paths
    ]


def _beside(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".{name}.octossh-")


def _short(mode: str) -> str:
    return f"{int(mode, 8):o}"


def _content(content: str | SecretRef, secrets: Secrets) -> str:
    return Words(f'"{secrets.variable(content.name)}"') if isinstance(content, SecretRef) else content


def _with_path(word: str) -> Words:
    """*word* with the path of the new file for each ``{}``."""
    return Words('"$octossh_made"'.join(quote(part) if part else "" for part in word.split("{}")) or "''")
