"""Passwords out of the keyring of the system. The door of ``keyring``, which need not be installed."""

from __future__ import annotations

from octossh.errors import ModelError

__all__ = ["ask_keyring"]


def ask_keyring(service: str, user: str) -> str | None:
    """The password of *user* that is filed under *service*; None if there is none.

    Raises:
        ModelError: The keyring cannot be asked, or the library is not installed.
    """
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise ModelError(
            "the library that asks keyrings is not installed; run pip install 'octossh[keyring]'"
        ) from None
    try:
        return keyring.get_password(service, user) or None
    except keyring.errors.NoKeyringError:
        raise ModelError(
            "there is no keyring on this machine; see 'keyring --list-backends', or keep the password elsewhere"
        ) from None
    except Exception as error:  # noqa: BLE001  # a backend raises what it likes, and may quote the password
        raise ModelError(
            f"the keyring could not be asked for user {user!r} of {service!r} ({type(error).__name__}); run "
            f"'keyring get {service} {user}' by hand to see why"
        ) from None
