"""What the fields of steps share: docker's ways to write ports, volumes, names, environment and labels."""

from __future__ import annotations

import re
from typing import Any

import attrs

from octossh.errors import ModelError
from octossh.model._values import Pairs
from octossh.model.secrets import SecretRef

__all__ = [
    "check_container",
    "check_content",
    "check_docker_name",
    "check_driver_name",
    "check_host",
    "check_host_name",
    "check_idle",
    "check_network_name",
    "check_place",
    "check_plain",
    "check_restart_policy",
    "env_pairs",
    "label_pairs",
    "matching",
    "option_pairs",
    "seconds",
]


def seconds(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """An attrs validator: seconds, from none to a day."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise ModelError(f"{attribute.name} is {value!r}; give seconds, from 0 to 86400")


def check_idle(step: Any, idle_timeout_s: float | None) -> None:
    """Raise `ModelError` where *step* may not be silent for a moment."""
    if idle_timeout_s == 0:
        raise ModelError(
            f"{type(step).__name__} {step.name!r}: idle_timeout_s is 0; give seconds, or None for any silence"
        )


def matching(pattern: str, advice: str) -> Any:
    """A check of a text against *pattern*; *advice* says what it should be."""
    compiled = re.compile(pattern)

    def check(text: str) -> None:
        if not compiled.fullmatch(text):
            raise ModelError(f"{text!r} is not {advice}")

    return check


check_docker_name = matching(
    r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}", "a docker name (letters, digits and _ . -, at least two)"
)
_is_network_name = matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", "a network name (letters, digits and _ . -)")


def check_network_name(text: str) -> None:
    """Raise `ModelError` unless *text* is the name of a network, and not one of docker's modes."""
    if text in {"host", "none", "default"} or text.startswith("container:"):
        raise ModelError(f"{text!r} is not a network to join; write network_mode={text!r}")
    _is_network_name(text)


check_host_name = matching(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9_])?", "a host name")
check_restart_policy = matching(
    r"no|always|unless-stopped|on-failure(:\d+)?", "no, always, unless-stopped or on-failure[:N]"
)
check_container = matching(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]*", "the name or id of a container")
check_host = matching(
    r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_.])?|\[?[0-9a-fA-F:.]+\]?", "a host name or an IP address"
)
check_place = matching(r"host|controller", "a place; write 'host' or 'controller'")
check_driver_name = matching(r"[a-zA-Z0-9][a-zA-Z0-9_./:-]*", "a driver name")


def env_pairs(value: Any) -> Pairs[str | SecretRef]:
    """Environment variables: names, and text, numbers or secrets."""
    pairs: Pairs[Any] = Pairs(value)
    made: dict[str, str | SecretRef] = {}
    for name, text in pairs.items():
        if not re.fullmatch(r"[^=\s\0]+", name) or not name.isprintable():
            raise ModelError(f"environment variable {name!r}: a name has no '=', no blank and no control character")
        if isinstance(text, bool):
            made[name] = "true" if text else "false"
        elif isinstance(text, int | float):
            made[name] = str(text)
        elif isinstance(text, str | SecretRef):
            made[name] = text
        else:
            raise ModelError(f"environment variable {name}: {text!r} is not text, a number or octossh.secret(...)")
        if isinstance(made[name], str) and "\0" in str(made[name]):
            raise ModelError(f"environment variable {name} holds a NUL character, which none can; take it out")
        try:
            str(made[name]).encode()
        except UnicodeEncodeError:
            raise ModelError(f"environment variable {name} holds half of a surrogate pair; take it out") from None
    return Pairs(made)


def label_pairs(value: Any) -> Pairs[str]:
    """Labels of the user, beside those of octossh."""
    pairs: Pairs[Any] = Pairs(value)
    for name, text in pairs.items():
        if not name or "=" in name or "\0" in name or name.startswith("octossh."):
            raise ModelError(f"label {name!r}: a name is not empty, has no '=', and does not start with 'octossh.'")
        if not isinstance(text, str) or "\0" in text:
            raise ModelError(f"label {name}: {text!r} is not text without NUL characters")
    return pairs


def option_pairs(value: Any) -> Pairs[str]:
    """Options of a driver: names, and text or numbers."""
    made: dict[str, str] = {}
    for name, text in Pairs[Any](value).items():
        if not name or "=" in name or "\0" in name:
            raise ModelError(f"option {name!r}: a name is not empty and has no '='")
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise ModelError(f"option {name}: {text!r} is neither text nor a number")
        made[name] = str(text)
        if "\0" in made[name]:
            raise ModelError(f"option {name} holds a NUL character, which no command line can; take it out")
    return Pairs(made)


_MOST = 1 << 20  # bytes of a file; it travels with each script, and stands in each release


def check_content(text: str) -> None:
    """Raise `ModelError` unless *text* can be what a file holds."""
    if "\0" in text:
        raise ModelError("it holds a NUL character, which no text does; take it out")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ModelError("it holds half of a surrogate pair, which is not text; take it out") from None
    if size > _MOST:
        raise ModelError("it is larger than 1 MiB; put it into an image, or fetch it with RunScript")


def check_plain(text: str) -> None:
    """Raise `ModelError` unless *text* can be a word of a command line."""
    if "\0" in text:
        raise ModelError(f"{text[:40]!r} holds a NUL character, which no command line can; take it out")
