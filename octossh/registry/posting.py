"""Posting to a web server that is no registry: one request, no redirects, no login of anybody's ``~/.netrc``."""

from __future__ import annotations

from collections.abc import Mapping

import requests

from octossh.registry.connections import NoNetrc

__all__ = ["post"]

_SUCCESS = range(200, 300)


def post(url: str, body: bytes, headers: Mapping[str, str], *, ca: str | None, timeout_s: float) -> None:
    """Send *body*; whatever the server says besides its status is not read.

    Args:
        url: http or https.
        body: What to send.
        headers: Of the request.
        ca: A file with the authorities that are trusted; None: those of the system.
        timeout_s: Seconds to wait for a connection, and for the answer.

    Raises:
        OSError: It was not taken; the text says why, without the URL.
    """
    try:
        with requests.Session() as session:
            session.trust_env = True  # proxies
            response = session.post(
                url,
                data=body,
                headers={"User-Agent": "octossh", **headers},
                auth=NoNetrc(),
                timeout=timeout_s,
                verify=ca or True,
                allow_redirects=False,
                stream=True,
            )
            response.close()
    except requests.exceptions.SSLError:
        raise OSError("its TLS certificate is not trusted; set ca= to the file of its authority") from None
    except requests.Timeout:
        raise OSError(f"it did not answer within {timeout_s:g} s") from None
    except (requests.RequestException, OSError, ValueError) as error:
        # The foreign text may quote a URL with a token in it.
        raise OSError(f"it cannot be reached ({type(error).__name__})") from None
    if response.status_code not in _SUCCESS:
        raise OSError(f"it answered with status {response.status_code}")
