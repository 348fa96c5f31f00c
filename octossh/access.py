"""What needs the authority of the user: values of secrets, and registries with their logins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from octossh import planning
from octossh.errors import ModelError
from octossh.promises import started
from octossh.registry import Registries
from octossh.shell import Secret
from octossh.vaults import find_secret, sources_of

if TYPE_CHECKING:
    from octossh.model import Image, Pin, Registry, Release
    from octossh.model.credentials import Credentials
    from octossh.planning import Plan
    from octossh.registry import Archive
    from octossh.vaults import SecretSource

__all__ = ["Access"]


class Access:
    """Looks up secrets and opens registries when they are asked for, and keeps the latter until it is closed.

    Attributes:
        registries: Their clients.

    Args:
        registries: Those of the images.
        secrets: Where their values come from; see `Space`.
        stored: Where else they come from.

    Raises:
        ModelError: *secrets* is no source of them.
    """

    def __init__(
        self,
        registries: Iterable[Registry],
        secrets: SecretSource | Iterable[SecretSource] | None = None,
        stored: SecretSource | None = None,
    ) -> None:
        self._sources = (*sources_of(secrets), *([stored] if stored is not None else []))
        self.registries = Registries(registries, self.secret)

    def secret(self, name: str) -> Secret:
        """The value of the secret *name*.

        Raises:
            ModelError: It has none.
        """
        value = find_secret(self._sources, name)
        if value is None:
            raise ModelError(
                f"secret {name!r} has no value; set the environment variable {name}, or give Space(secrets=...) one"
            )
        return Secret(value)

    def of(
        self, release: Release, environment: str, said: Mapping[str, Secret] | None = None
    ) -> tuple[dict[str, Secret], dict[str, str]]:
        """The secrets that *release* needs there, by name; and the names of those that log hosts in, by registry.

        Those that were *said* for this deployment are not looked up.

        Raises:
            ModelError: A secret has no value.
            RegistryError: A login cannot be had.
        """
        names = sorted(planning.secrets_of(release, environment))
        found = {name: said[name] if said and name in said else self.secret(name) for name in names}
        logins: dict[str, str] = {}
        for registry in {image.registry: None for image in release.process.images}:
            credentials = None
            if registry.host_login != "none":
                credentials = self.registries.client(registry).pull_credentials()
            if credentials is not None:
                logins[registry.name] = f"registry:{registry.name}"
                found[logins[registry.name]] = credentials.docker_config(registry.pull_host)
                # By itself, so that it is masked by itself, too.
                found[f"{logins[registry.name]}:password"] = credentials.password
        return found, logins

    def login(self, image: Image) -> Credentials | None:
        """See `octossh.registry.RegistryClient.pull_login`."""
        return self.registries.client(image.registry).pull_login(image)

    def ahead(self, plan: Plan, logins: Mapping[str, str]) -> None:
        """Get what hosts of *plan* log in with, in a thread of its own: beside their connections being opened.

        Clients keep it until a step wants it; what is wrong with it is said then. *logins* are from `of`.
        """
        pulling = (
            image
            for task in plan.tasks
            if task.action is not planning.Action.SKIP and task.step.runs_on == "each" and task.target.images == "pull"
            for image in task.step.needed_images
        )

        def get() -> None:
            for image in wanted:
                with contextlib.suppress(Exception):
                    self.login(image)

        if wanted := [image for image in dict.fromkeys(pulling) if image.registry.name in logins]:
            started(get, "octossh-logins")

    def meaning(self, pin: Pin, *, within_s: float) -> str | None:
        """See `octossh.registry.RegistryClient.meaning`."""
        return self.registries.client(pin.image.registry).meaning(pin.image, pin.tag, within_s=within_s)

    def archive(self, pin: Pin, tag: str, platform: str, there: Iterable[Sequence[str]]) -> Archive:
        """See `octossh.registry.RegistryClient.archive`."""
        return self.registries.client(pin.image.registry).archive(pin, tag, platform, there)

    def close(self) -> None:
        """Close the connections to registries."""
        self.registries.close()
