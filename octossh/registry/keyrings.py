"""Passwords out of the keyring of the system. The door of ``keyring``, which need not be installed."""

from __future__ import annotations

from octossh.errors import RegistryError
from octossh.shell import Secret

__all__ = ["ask_keyring"]


def ask_keyring(service: str, user: str) -> Secret:
    """The password of *user* that is filed under *service*.

    Raises:
        RegistryError: There is none, the keyring cannot be asked, or the library is not installed.
    """
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise RegistryError(
            "its login is in the keyring, and the library for that is not installed; run pip install 'octossh[keyring]'"
        ) from None
    try:
        password = keyring.get_password(service, user)
    except keyring.errors.NoKeyringError:
        raise RegistryError(
            "its login is in the keyring, and there is none on this machine; see 'keyring --list-backends', or log in "
            "another way"
        ) from None
    except Exception as error:  # noqa: BLE001  # a backend raises what it likes, and may quote the password
        raise RegistryError(
            f"the keyring could not be asked for user {user!r} of {service!r} ({type(error).__name__}); run "
            f"'keyring get {service} {user}' by hand to see why"
        ) from None
    if not password:
        raise RegistryError(
            f"the keyring has no password of user {user!r} for {service!r}; run 'keyring set {service} {user}'"
        )
    return Secret(password)
