"""Normal forms: what means the same to docker becomes the same text, and what docker would refuse is refused.

So ``8080:80`` and ``8080:80/tcp``, or ``512m`` and ``0.5g``, are no change.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from octossh.errors import ModelError
from octossh.model._values import Pairs
from octossh.model.steps.fields import check_plain
from octossh.templating import has_expression

__all__ = [
    "address",
    "addresses",
    "argument",
    "byte_count",
    "capability",
    "cpu_count",
    "device",
    "expose",
    "filesystem",
    "first_port",
    "host_addresses",
    "network_range",
    "number",
    "one_of",
    "path",
    "plain",
    "publish",
    "security_option",
    "signal",
    "size",
    "size_or_unlimited",
    "target_of",
    "ulimits",
    "volume",
]

Normal = Callable[[str], str]


def argument(pattern: str, advice: str) -> Normal:
    """Text that fits *pattern*, as it is; *advice* says what it should be."""
    compiled = re.compile(pattern)

    def normal(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ModelError(f"{value!r} is not {advice}")
        return value

    return normal


def plain(text: str) -> str:
    """Any text."""
    check_plain(text)
    return text


def one_of(*known: str) -> Normal:
    """One of the texts *known*; ``container:`` among them stands for it and the name of a container."""

    def normal(value: str) -> str:
        named = "container:" in known and re.fullmatch(r"container:[a-zA-Z0-9][a-zA-Z0-9_.-]*", value)
        if value not in known and not named:
            shown = ", ".join(f"'{name}NAME'" if name.endswith(":") else f"'{name}'" for name in known)
            raise ModelError(f"{value!r} is not one of {shown}")
        return value

    return normal


def number(low: int, high: int, *, unlimited: bool = False) -> Normal:
    """A whole number from *low* to *high*; -1 where that stands for no limit."""

    def normal(value: str) -> str:
        if not re.fullmatch(r"-?\d{1,18}", value):
            raise ModelError(f"{value!r} is not a whole number")
        if not low <= int(value) <= high and not (unlimited and int(value) == -1):
            raise ModelError(f"{value} is not from {low} to {high}" + (", or -1 for no limit" if unlimited else ""))
        return str(int(value))

    return normal


_UNITS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def byte_count(text: str) -> int:
    """How many bytes the size *text* is; -1 stays."""
    found = re.fullmatch(r"(-1|\d+(?:\.\d+)?) ?([bkmgtp]?)(?:i?b)?", text.strip().lower())
    if not found:
        raise ModelError(f"{text!r} is not a size; write '512m' or '2g', or a number of bytes")
    return int(Decimal(found[1]) * 1024 ** _UNITS[found[2]])


def size(value: str) -> str:
    """A size such as ``512m``, as docker reads it: units of 1024."""
    count = byte_count(value)
    if count <= 0:
        raise ModelError(f"{value!r} is not a size above zero")
    unit = max((unit for unit, power in _UNITS.items() if unit != "b" and count % 1024**power == 0), key=_UNITS.get)  # type: ignore[arg-type]
    return f"{count // 1024 ** _UNITS[unit]}{unit}"


def size_or_unlimited(value: str) -> str:
    """A size, or -1 for no limit."""
    return "-1" if value == "-1" else size(value)


def cpu_count(value: str) -> str:
    """A number of CPUs such as ``1.5``."""
    try:
        count = Decimal(value)
    except InvalidOperation:
        count = Decimal("nan")
    if not count.is_finite() or count <= 0:
        raise ModelError(f"{value!r} is not a number of CPUs above zero, such as 1.5")
    return f"{count.normalize():f}"


def address(value: str) -> str:
    """An IPv4 or IPv6 address in its shortest form."""
    try:
        return str(ipaddress.ip_address(value.strip("[]")))
    except ValueError:
        raise ModelError(f"{value!r} is not an IP address") from None


_PORTS = r"\d{1,5}(?:-\d{1,5})?"
_PUBLISH = re.compile(
    rf"(?:(?P<ip>\[[0-9a-fA-F:.]+\]|\d+(?:\.\d+){{3}}):)?(?:(?P<host>{_PORTS})?:)?(?P<inner>{_PORTS})"
    r"(?:/(?P<protocol>tcp|udp|sctp))?",
    re.IGNORECASE,
)


def _ports(text: str, whole: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    ports = int(first), int(last or first)
    for port in ports:
        if not 1 <= port <= 65535:
            raise ModelError(f"port {port} in {whole!r} is not from 1 to 65535")
    if ports[0] > ports[1]:
        raise ModelError(f"the range {text} in {whole!r} goes down; write the lower port first")
    return ports


def _range(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def network_range(value: str) -> str:
    """A subnet, without host bits."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ModelError(f"{value!r} is not a subnet; write it as '172.28.6.0/24', without host bits") from None


def publish(text: str) -> str:
    """What ``--publish`` takes: ``[[ADDRESS:]PORT:]PORT[/PROTOCOL]``, with ranges; tcp is left out."""
    found = _PUBLISH.fullmatch(text)
    if not found:
        raise ModelError(f"{text!r} is not a port mapping; write '8080:80', '127.0.0.1:8080:80' or '53:53/udp'")
    inner = _ports(found["inner"], text)
    made = _range(inner) + ("" if (protocol := (found["protocol"] or "tcp").lower()) == "tcp" else f"/{protocol}")
    if found["host"]:
        outer = _ports(found["host"], text)
        if inner[0] != inner[1] and outer[1] - outer[0] != inner[1] - inner[0]:
            raise ModelError(f"the two ranges in {text!r} are not of the same length")
        made = f"{_range(outer)}:{made}"
    if found["ip"]:
        shown = address(found["ip"])
        made = f"{f'[{shown}]' if ':' in shown else shown}:{'' if found['host'] else ':'}{made}"
    return made


def first_port(text: str) -> tuple[str, int, str] | None:
    """Address, first port on the host and protocol of what `publish` gave; None where docker picks the port."""
    found = _PUBLISH.fullmatch(text)
    if not found or not found["host"]:
        return None
    return found["ip"] or "", int(found["host"].partition("-")[0]), found["protocol"] or "tcp"


def expose(value: str) -> str:
    """A port or range of the container, such as ``53/udp``; tcp is left out."""
    found = re.fullmatch(rf"({_PORTS})(?:/(tcp|udp|sctp))?", value.lower())
    if not found:
        raise ModelError(f"{value!r} is not a port; write '8080', '53/udp' or '9000-9010'")
    return _range(_ports(found[1], value)) + ("" if found[2] in {None, "tcp"} else f"/{found[2]}")


def path(text: str) -> str:
    """An absolute path, without a slash at its end."""
    if not text.startswith("/"):
        raise ModelError(f"{text!r} is not an absolute path; begin it with '/'")
    return posixpath.normpath("/" + text.lstrip("/"))


def target_of(value: str) -> str:
    """A path inside of a container, which is not the root."""
    if (made := path(value)) == "/":
        raise ModelError("nothing can be mounted over the root '/' of a container")
    return made


_SHARED = {"shared", "rshared", "slave", "rslave", "private", "rprivate"}
_VOLUME_OPTIONS = {"ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated"} | _SHARED


def volume(value: str) -> str:
    """What ``--volume`` takes: ``[SOURCE:]TARGET[:OPTIONS]``; ``rw`` is left out."""
    advice = "write '/on/host:/in/container' or 'name:/in/container', and ':ro' if need be"
    parts = value.split(":")
    given = parts.pop().split(",") if len(parts) > 1 and not parts[-1].startswith("/") else []
    if not 1 <= len(parts) <= 2 or not parts[-1].startswith("/"):
        raise ModelError(f"{value!r} is not a volume; {advice}")
    if unknown := set(given) - _VOLUME_OPTIONS:
        raise ModelError(f"{min(unknown)!r} in {value!r} is no option of a volume, such as 'ro'; {advice}")
    if len(set(given) & {"ro", "rw"}) > 1 or len(set(given) & _SHARED) > 1:
        raise ModelError(f"the options in {value!r} contradict each other")
    made = target_of(parts[-1])
    if len(parts) == 2:
        source = parts[0]
        if not source.startswith("/") and not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", source):
            raise ModelError(f"{source!r} in {value!r} is neither an absolute path nor the name of a volume; {advice}")
        made = f"{path(source) if source.startswith('/') else source}:{made}"
    kept = sorted(set(given) - {"rw"})
    return f"{made}:{','.join(kept)}" if kept else made


def filesystem(value: str) -> str:
    """What ``--tmpfs`` takes: ``/in/container[:size=64m,mode=1777]``; options are sorted."""
    target, colon, given = value.partition(":")
    if not target.startswith("/") or (colon and not re.fullmatch(r"[a-z]+(=[\w.%-]+)?(,[a-z]+(=[\w.%-]+)?)*", given)):
        raise ModelError(f"{value!r} is not a tmpfs; write '/in/container' or '/in/container:size=64m,mode=1777'")
    return target_of(target) + (f":{','.join(sorted(given.split(',')))}" if colon else "")


def capability(value: str) -> str:
    """A capability such as ``NET_ADMIN``: in capitals, and without ``CAP_``."""
    made = value.upper().removeprefix("CAP_")
    if not re.fullmatch(r"[A-Z][A-Z_]*", made):
        raise ModelError(f"{value!r} is not a capability; write 'NET_ADMIN' or 'ALL'")
    return made


def device(text: str) -> str:
    """What ``--device`` takes: ``/dev/a[:/dev/b][:rwm]``, or a name such as ``vendor.com/class=name``."""
    if re.fullmatch(r"[\w.-]+/[\w.-]+=[\w.:-]+", text):
        return text
    found = re.fullmatch(r"(/[^:]+?)(?::(/[^:]+?))?(?::([rwm]{1,3}))?", text)
    if not found:
        raise ModelError(f"{text!r} is not a device; write '/dev/ttyUSB0' or '/dev/sda:/dev/xvda:r'")
    made = path(found[1])
    rights = "".join(right for right in "rwm" if right in (found[3] or "rwm"))
    inner = path(found[2]) if found[2] else made
    made += f":{inner}" if inner != made or rights != "rwm" else ""
    return made + (f":{rights}" if rights != "rwm" else "")


def security_option(text: str) -> str:
    """What ``--security-opt`` takes, such as ``no-new-privileges`` or ``seccomp=unconfined``."""
    if re.fullmatch(r"no-new-privileges([:=]true)?", text):
        return "no-new-privileges"
    made = text if "=" in text else text.replace(":", "=", 1)
    if not re.fullmatch(
        r"(apparmor|credentialspec|label|no-new-privileges|seccomp|systempaths|writable-cgroups)=.+", made
    ):
        raise ModelError(f"{text!r} is not a security option; write 'no-new-privileges' or 'seccomp=unconfined'")
    return made


def signal(value: str) -> str:
    """A signal by its name with ``SIG``, or its number."""
    made = value.upper()
    if not re.fullmatch(r"[A-Z]+\d?([+-]\d{1,2})?|\d{1,2}", made):
        raise ModelError(f"{value!r} is not a signal; write 'SIGTERM' or '15'")
    return made if made.isdigit() else f"SIG{made.removeprefix('SIG')}"


def _pairs(value: Any, what: str, normal: Callable[[str, Any], str]) -> Pairs[str]:
    made = {}
    for name, item in Pairs(value).items():
        if isinstance(item, str) and has_expression(item):
            made[name] = item
            continue
        try:
            made[name] = normal(name, item)
        except ModelError as error:
            raise ModelError(f"{what} {name}: {error}") from None
    return Pairs(made)


def host_addresses(value: Any) -> Pairs[str]:
    """Names with an address each, or ``host-gateway``."""

    def normal(name: str, item: Any) -> str:
        if not re.fullmatch(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?", name):
            raise ModelError(f"{name!r} is not a host name; write {{'db': '10.0.0.5'}}")
        return "host-gateway" if item == "host-gateway" else address(str(item))

    return _pairs(value, "host", normal)


def addresses(value: Any) -> Pairs[str]:
    """Names with an address each."""
    return _pairs(value, "address", lambda _name, item: address(str(item)))


_LIMITS = {"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
           "rttime", "sigpending", "stack"}  # fmt: skip


def ulimits(value: Any) -> Pairs[str]:
    """Limits by name: ``SOFT[:HARD]``, where -1 is no limit."""

    def normal(name: str, item: Any) -> str:
        if name not in _LIMITS:
            raise ModelError(f"there is no such limit; take one of {', '.join(sorted(_LIMITS))}")
        text = str(item)
        if isinstance(item, bool) or not re.fullmatch(r"(-1|\d{1,18})(:(-1|\d{1,18}))?", text):
            raise ModelError(f"{item!r} is not a limit; write 1024 or '1024:4096', and -1 for none")
        soft, _, hard = text.partition(":")
        if int(hard or soft) != -1 and (int(soft) > int(hard or soft) or int(soft) == -1):
            raise ModelError(f"in {text!r} the soft limit is above the hard one")
        return text if hard and hard != soft else soft

    return _pairs(value, "ulimit", normal)
