"""Which authorities sign what a registry shows, and what is shown to it: TLS contexts out of files."""

from __future__ import annotations

import ssl
from pathlib import Path

from urllib3.util.ssl_ import create_urllib3_context

from octossh.errors import RegistryError
from octossh.model.images import Registry

__all__ = ["showing", "trusting"]


def trusting(registry: Registry, subject: str) -> ssl.SSLContext | None:
    """A context that also trusts the authority of *registry*; None: it names none.

    ``requests`` adds its own authorities to it, and always verifies.

    Raises:
        RegistryError: The file cannot be read, or holds no certificate.
    """
    if registry.ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(Path(registry.ca).expanduser()))
    except ssl.SSLError:
        raise RegistryError(
            f"{subject}: the file ca={registry.ca!r} holds no certificate in PEM; give that of the authority"
        ) from None
    except (OSError, RuntimeError) as error:
        raise _unreadable(subject, "ca", registry.ca, error) from None


def showing(registry: Registry, subject: str) -> ssl.SSLContext | None:
    """The same with the client certificate that *registry* wants; None: it wants none.

    Raises:
        RegistryError: A file cannot be read, the key is not that of the certificate, or has a password.
    """
    if registry.cert is None:
        return None
    context = trusting(registry, subject) or create_urllib3_context()
    files = {"cert": registry.cert, "key": registry.key or registry.cert}
    for name, file in files.items():
        try:
            Path(file).expanduser().read_bytes()
        except (OSError, RuntimeError) as error:
            raise _unreadable(subject, name, file, error) from None
    try:
        # An empty password: without one OpenSSL would ask for it on the terminal.
        cert, key = (str(Path(file).expanduser()) for file in files.values())
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        fault = "are not of each other" if mismatch else "hold no certificate and key in PEM, or the key has a password"
        raise RegistryError(
            f"{subject}: the files cert={registry.cert!r} and key={files['key']!r} {fault}; give both, and the key "
            "without a password"
        ) from None
    return context


def _unreadable(subject: str, name: str, file: str, error: BaseException) -> RegistryError:
    reason = getattr(error, "strerror", None) or "no such place"
    return RegistryError(f"{subject}: the file {name}={file!r} cannot be read: {reason}; see its path")
