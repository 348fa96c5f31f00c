"""Scripts as root: by sudo, whose password goes ahead of the script on standard input, and is nowhere else."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from octossh.errors import AuthError, ModelError
from octossh.model.targets import Target
from octossh.shell import Result, Secret
from octossh.transport.contract import Sealed
from octossh.transport.faults import Where

__all__ = ["PLAIN", "Start", "refusal", "start"]

_REFUSED = 93
_LEAST = ":"


@frozen
class Start:
    """How the shell for a script is started.

    Attributes:
        command: What is executed on the host.
        ahead: What its standard input begins with.
    """

    command: str
    ahead: bytes = field(default=b"", repr=False)


PLAIN = Start("exec sh -s")

_FREE = f"exec sh -c 'sudo -n -- sh -c {_LEAST} || exit {_REFUSED}; exec sudo -n -- sh -s'"

# The password is tried first by itself, once: a wrong one shall not become three, with the script for the others. Where
# none comes, nothing is tried: accounts are locked for that.
# sudo may ask for it or not: what it has not read is skipped, up to the line behind which the script begins. That line
# also tells which process lives as long as the connection, since from below sudo it cannot be found.
_ASKED = (
    "exec sh -c '"
    f"IFS= read -r octossh_word || exit {_REFUSED}; "
    f'printf "%s\\n" "$octossh_word" | sudo -k -S -p "" -- sh -c {_LEAST} || exit {_REFUSED}; '
    '{ printf "%s\\noctossh_script %s\\n" "$octossh_word" "$PPID"; unset octossh_word; exec cat; } | '
    'sudo -k -S -p "" -- sh -c "'
    "while read -r octossh_word octossh_session_pid; do "
    'case \\$octossh_word in octossh_script) export octossh_session_pid; exec sh -s ;; esac; done"'
    "'"
)


def start(target: Target, where: Where, password: Callable[[str], Secret | None], *, feed: bool = False) -> Start:
    """How the shell for a script on *target* is started.

    Args:
        target: As it says itself.
        where: The same, as messages name it.
        feed: Whether more is sent while the script runs.
        password: Gives the one of ``user@host`` for sudo, or None where sudo asks for none.

    Raises:
        ModelError: The password is none that can be typed, or more is to be sent.
    """
    if not target.sudo:
        return PLAIN
    secret = password(where.account)
    if secret is None:
        return Start(_FREE)
    if feed:
        raise ModelError(
            f"{where}: what goes to a script while it runs cannot go through sudo with a password; do it without, such "
            "as by a rule with NOPASSWD"
        )
    if not secret.reveal() or "\n" in secret.reveal():
        raise ModelError(f"{where}: the password for sudo is empty, or has a line break; give what one types")
    return Start(_ASKED, Sealed(f"{secret.reveal()}\n".encode()))


def refusal(target: Target, where: Where, result: Result) -> AuthError | None:
    """Why no script ran, where it was sudo that said no."""
    if not target.sudo or result.exit_code != _REFUSED or result.frames:
        return None
    said = result.log.strip().splitlines()
    why = f": {said[-1][:200]}" if said else ""
    return AuthError(
        f"{where}: sudo does not let {where.user} start sh as root there{why}; check the sudo_password of the "
        "transport, and the rules in sudoers"
    )
