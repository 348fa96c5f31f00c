"""What a host logs in with when it pulls: a token that is good for that and not for long, or the login itself."""

from __future__ import annotations

import threading
import time

from octossh.errors import RegistryError
from octossh.model.credentials import Credentials
from octossh.model.images import Registry
from octossh.registry.logins import Asking
from octossh.registry.questions import Question

__all__ = ["Pulls"]

# How long a token service may take where there is the login itself to fall back on: it may be that nothing has to be
# pulled, and the registry need not even be there.
MINTING_S = 5.0
# A pull of many layers shows the token again for each.
_LIFE_S = 240.0
# Until a service that gave no token is asked again.
_AGAIN_S = 300.0


class Pulls:
    """The logins of the hosts that pull from one registry. Safe for threads.

    Args:
        registry: Its ``host_login`` says which.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[Credentials, float]] = {}
        self._not_before = 0.0

    @property
    def minting_s(self) -> float | None:
        """Seconds that getting a token may take; None: as long as any question."""
        return None if self._registry.host_login == "token" else MINTING_S

    def login(self, known: Credentials | None, question: Question) -> Credentials | None:
        """What logs in a host for what *question* is about, out of the login that is *known*.

        Raises:
            RegistryError: It shall be a token, and there is none.
        """
        how = self._registry.host_login
        elsewhere = self._registry.registry_path and self._registry.pull_host != self._registry.host
        if known is None or known.kind == "bearer" or how == "password" or (how == "auto" and elsewhere):
            return known
        # One at a time: the others find the token of the first.
        with self._lock:
            kept = self._tokens.get(question.scope)
            if kept and time.monotonic() < kept[1]:
                return kept[0]
            if how == "token":
                return self._keep(question.scope, _mint(question))
            if time.monotonic() < self._not_before:
                return known
            try:
                token = _mint(question)
                if (token.lifetime_s or 0) >= _LIFE_S:
                    return self._keep(question.scope, token)
            except RegistryError:
                pass  # hosts may reach what cannot be reached from here, or need not pull at all
            self._not_before = time.monotonic() + _AGAIN_S
            return known

    def _keep(self, scope: str, token: Credentials) -> Credentials:
        # Half: who gets it last shall have time for the pull.
        self._tokens[scope] = token, time.monotonic() + (token.lifetime_s or 0) / 2
        return token


def _mint(question: Question) -> Credentials:
    answer = question.exchange.ask("GET", f"{question.url}/v2/", {}, deadline=question.deadline)
    asking = Asking(question.scope, question.exchange, question.deadline)
    token = question.login.mint(asking, answer) if answer.status == 401 else None
    if token is None:
        raise question.error("it has no token service that could give hosts a token; see its host_login")
    return token
