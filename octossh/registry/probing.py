"""What answers at a URL that is no registry as octossh speaks to them. Asked only when something went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from octossh.errors import RegistryError
from octossh.registry.bodies import is_web_page
from octossh.registry.manifests import error_code

if TYPE_CHECKING:
    from octossh.registry.exchanges import Answer

__all__ = ["what_is_wrong"]


def what_is_wrong(ask: Callable[[str], Answer], url: str) -> str | None:
    """What is wrong with the server at *url*, in words and with what to do; None if it is a registry after all.

    Args:
        ask: Asks for one page, without a login.
        url: Of the server, without a path.
    """
    try:
        answer = ask(f"{url}/v2/")
        if answer.status in {200, 401, 403, 429} and not is_web_page(answer):
            return None
        if error_code(answer.body) or "Docker-Distribution-Api-Version" in answer.headers:
            return None
        ping = ask(f"{url}/v1/_ping")
    except RegistryError:
        return None
    said = ping.body.strip().lower()
    if ping.status == 200 and ("X-Docker-Registry-Version" in ping.headers or said in {b"true", b'"true"', b"{}"}):
        return (
            "it speaks the registry API v1 only, which is out of use since 2015; run a registry of API v2, such as the "
            "image registry:2"
        )
    if is_web_page(answer):
        return "there is a web page at its url, and no registry; see the url, host and port"
    return "there is no registry at its url: it does not know /v2/; see the url, host and port"
