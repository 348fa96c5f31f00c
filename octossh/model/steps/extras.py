"""``extra_args``: options of ``docker create`` without a field of their own, and what cannot stand among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from octossh.model.steps.flagging import flags
from octossh.templating import has_expression

if TYPE_CHECKING:
    from octossh.model.steps.base import Step

__all__ = ["check_extra_args"]

_OURS = {
    "--name": "write container_name='...'",
    "--restart": "write restart='...'",
    "--env-file": "write env={**octossh.env_file('...')}, which is read on this machine",
    "--label-file": "write labels={...}",
    "--net": "write networks=[...]",
    "--net-alias": "write aliases=[...]",
    "--ip": "write networks=[octossh.Join('name', ip='...')]",
    "--ip6": "write networks=[octossh.Join('name', ip6='...')]",
    "--dns-opt": "write dns_options=[...]",
    "--rm": "octossh keeps containers, and removes them itself",
    "--detach": "a step of octossh always detaches",
    "--attach": "a step of octossh never attaches; the logs are docker's",
    "--sig-proxy": "a step of octossh never attaches",
    "--detach-keys": "a step of octossh never attaches",
    "--cidfile": "it writes a file on the host; {{ steps.NAME.inspect.Id }} is the id",
    "--quiet": "leave it out",
    "--help": "leave it out",
}
_SWITCHES = {"--disable-content-trust", "--use-api-socket"}
_VALUED = {
    "--annotation", "--blkio-weight-device", "--cpu-count", "--cpu-percent", "--cpu-rt-period", "--cpu-rt-runtime",
    "--device-read-bps", "--device-read-iops", "--device-write-bps", "--device-write-iops", "--io-maxbandwidth",
    "--io-maxiops", "--isolation", "--kernel-memory", "--link", "--link-local-ip",
}  # fmt: skip


def check_extra_args(step: Step) -> str | None:
    """What cannot stand in the field ``extra_args`` of *step*, in a sentence; None where all may."""
    certain = possible = False  # whether the option before takes this word: whatever it is, or where it looks like one
    for word in getattr(step, "extra_args", ()):
        if certain or has_expression(word):
            certain = possible = False
            continue
        name, equals, _ = word.partition("=")
        if word.startswith("--") and len(word) > 2:
            if said := _own(name, type(step)):
                return said
            certain = not equals and name in _VALUED
            possible = not equals and name not in _SWITCHES
        elif word.startswith("-") and not (possible and word[1:2].isdigit()):
            return f"{word!r} in extra_args is a short option; write the field, or the long option"
        elif not possible:
            return f"{word!r} in extra_args belongs to no option, so docker would take it for the image; take it out"
        else:
            possible = False
    return None


def _own(name: str, kind: type[Step]) -> str | None:
    """What is wrong with the option *name* in a step of that *kind*."""
    if name in _OURS or name.startswith("--health-"):
        return f"{name} cannot stand in extra_args; {_OURS.get(name, 'write healthcheck=octossh.HealthCheck(...)')}"
    if own := next((field for field, made in flags(kind).items() if made.name == name), None):
        return f"{name} in extra_args has a field of its own; write {own}=..."
    return None
