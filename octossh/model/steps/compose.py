"""`ComposeUp`: keep the services of a compose file running on a host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model._values import Pairs, checked, of, telling, words
from octossh.model.images import Image
from octossh.model.secrets import SecretRef
from octossh.model.steps.base import LITERAL, MAY_BE_SECRET, Step
from octossh.model.steps.compose_files import (
    Document,
    active_document,
    check_document,
    check_pinned,
    compose_text,
    image_pairs,
    secret_places,
    services_of,
    variables_of,
)
from octossh.model.steps.fields import check_plain, env_pairs, matching, seconds

__all__ = ["ComposeStep", "ComposeUp"]


def _given(images: Mapping[str, Image] | Iterable[Image]) -> Any:
    return images


@frozen(field_transformer=telling)
class ComposeStep(Step):
    """What the steps with a compose file have.

    Attributes:
        file: The text of a compose file, or its path on this machine; it is read here and now, and is part of the
            release. Braces in it are compose's own: no expressions.
        images: Images whose digests the release pins: a list, each for all services of its repository, or a mapping
            of services to images. What the file says of their tags is not used.
        env: What ``${NAME}`` in the file stands for: text, numbers, or `octossh.secret`. A secret can be the value
            of a variable in a service's ``environment``, or of a ``secrets`` entry.
        allow_unpinned: Take images that neither *images* nor a digest in the file pins.
    """

    file: str = field(kw_only=True, converter=compose_text, metadata=LITERAL)
    images: Pairs[Image] = field(factory=Pairs, kw_only=True, converter=_given)
    env: Pairs[str | SecretRef] = field(factory=Pairs, kw_only=True, converter=env_pairs, metadata=MAY_BE_SECRET)
    allow_unpinned: bool = field(default=False, kw_only=True, validator=of(bool))

    def __attrs_post_init__(self) -> None:
        try:
            check_document(self.file)
            # Which services a list of images is for, only the file tells.
            object.__setattr__(self, "images", image_pairs(self.file, self.images))
            self._check()
        except ModelError as error:
            raise ModelError(f"{type(self).__name__} {self.name!r}: {error}") from None

    def _check(self) -> None:
        document = self.document
        if not document["services"]:
            raise ModelError("no service of the compose file is without a profile; name profiles=[...]")
        if not self.allow_unpinned:
            check_pinned(self.file, document["services"], self.images)
        read = variables_of(document)
        if missing := next((name for name, optional in read.items() if not optional and name not in self.env), None):
            raise ModelError(
                f"the compose file reads ${{{missing}}}, which env= does not give; give it there, or write "
                f"${{{missing}:-default}}"
            )
        if unread := next((name for name in self.env if name not in read), None):
            raise ModelError(f"the compose file does not read ${{{unread}}}; {did_you_mean(unread, read)}")
        for name in variables_of(secret_places(document)):
            if isinstance(self.env.get(name), SecretRef):
                raise ModelError(
                    f"${{{name}}} is a secret, and stands in the compose file where docker shows it to everybody; "
                    "a secret can be the value of an environment variable of a service"
                )

    @property
    def active_profiles(self) -> tuple[str, ...]:
        """The profiles whose services are wanted too."""
        return ()

    @property
    def document(self) -> Document:
        """The compose file with the services that are wanted. The images are those of the file."""
        return active_document(self.file, self.active_profiles)


_check_project_name = matching(r"[a-z0-9][a-z0-9_-]*", "a name of a compose project (small letters, digits, _ and -)")


@frozen(field_transformer=telling)
class ComposeUp(ComposeStep):
    """Keep the services of a compose file running on each host, by ``docker compose`` or ``docker-compose``.

    Services whose containers are the wanted ones, and run, are left alone; if all are, compose is not even started.
    Otherwise compose makes it so, and the step waits until each service is up and healthy. Compose removes the old
    container of a service before it starts the new one: there is none to put back if the new one fails; deploy the
    release before, as ``rollback`` does.

    Attributes:
        profiles: The profiles whose services are wanted too.
        jobs: Services that run and end; 0 is a success. Those that another one waits for with
            ``service_completed_successfully`` count as such anyhow.
        remove_orphans: Remove containers of services that are not in the file any more.
        compose_name: Compose's name of the project. Default: project, environment and step joined by ``-``.
        healthy_timeout_s: Seconds that the services have to become healthy, once compose has started them.
        monitor_s: Seconds that they must then stay so, without a restart.
        extra_args: Further options of ``compose up``, one word each.
    """

    kind: ClassVar[str] = "compose_up"
    keeps: ClassVar[str] = "compose"

    profiles: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=LITERAL)
    jobs: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=LITERAL)
    remove_orphans: bool = field(default=True, kw_only=True, validator=of(bool))
    compose_name: str | None = field(default=None, kw_only=True, validator=checked(_check_project_name, optional=True))
    healthy_timeout_s: float = field(default=60.0, kw_only=True, validator=seconds)
    monitor_s: float = field(default=5.0, kw_only=True, validator=seconds)
    extra_args: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(check_plain))

    def _check(self) -> None:
        known = services_of(self.file)
        if unknown := next((name for name in self.jobs if name not in known), None):
            raise ModelError(f"the compose file has no service {unknown!r}; {did_you_mean(unknown, known)}")
        super()._check()
        services = self.document["services"]
        for name, service in services.items():
            deploy = service.get("deploy")
            if "0" in {str(service.get("scale")), str(deploy.get("replicas")) if isinstance(deploy, dict) else ""}:
                raise ModelError(
                    f"service {name!r} has no container; give it a profile that is not named here, or leave it out"
                )
            for needed in service.get("depends_on") or ():
                if needed not in services:
                    raise ModelError(
                        f"service {name!r} depends on {needed!r}, which these profiles do not bring; name its profile"
                    )

    @property
    def active_profiles(self) -> tuple[str, ...]:
        """The profiles whose services are wanted too."""
        return self.profiles

    @property
    def given_name(self) -> str | None:
        """Compose's name of the project, where the user gave one."""
        return self.compose_name

    @classmethod
    def docker_name(cls, project: str, environment: str, step: str) -> str:
        """Compose takes no dots."""
        return re.sub(r"[^a-z0-9_-]", "-", f"{project}-{environment}-{step}")

    @property
    def all_jobs(self) -> frozenset[str]:
        """The services that run and end."""
        waited = {
            name
            for service in self.document["services"].values()
            if isinstance(service.get("depends_on"), dict)
            for name, how in service["depends_on"].items()
            if isinstance(how, dict) and how.get("condition") == "service_completed_successfully"
        }
        return frozenset(self.jobs) | waited
