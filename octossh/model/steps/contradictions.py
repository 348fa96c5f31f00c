"""Fields of a container that cannot stand beside each other: what docker would refuse, or take no notice of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from octossh.model.steps.normal import byte_count, first_port
from octossh.model.steps.parts import Join
from octossh.templating import has_expression

if TYPE_CHECKING:
    from octossh.model.steps.container_steps import ContainerStep

__all__ = ["contradiction"]


def contradiction(step: ContainerStep) -> str | None:
    """What contradicts itself in *step*, in a sentence that says what to do; None where nothing does."""
    return next((said for rule in _RULES for said in rule(step)), None)


def _known(*texts: str | None) -> bool:
    """Whether all of *texts* are there, and none waits for its expressions."""
    return all(text is not None and not has_expression(text) for text in texts)


def _networks(step: ContainerStep) -> Iterator[str]:
    mode = step.network_mode or ""
    if step.networks and mode:
        yield f"it joins networks and has network_mode={mode!r}; take one of the two"
    if step.aliases and not step.networks:
        yield "aliases need a network of your own; add networks=[...]"
    names = Counter(item.network if isinstance(item, Join) else item for item in step.networks)
    if twice := next((name for name, count in names.items() if count > 1), None):
        yield f"it joins the network {twice!r} twice; name it once"
    if mode == "host" or mode == "none" or mode.startswith("container:"):
        for name in ("publish", "publish_all", "mac_address"):
            if getattr(step, name):
                yield f"{name} has no effect with network_mode={mode!r}, which has no ports of its own; leave it out"
    if mode.startswith("container:"):
        for name in ("hostname", "domainname", "hosts", "dns", "dns_search", "dns_options", "expose"):
            if getattr(step, name):
                yield f"{name} is that of the other container with network_mode={mode!r}; leave it out"
    if step.uts == "host" and (step.hostname or step.domainname):
        yield "with uts='host' its name is that of the host; leave hostname and domainname out"


def _ports(step: ContainerStep) -> Iterator[str]:
    taken: set[tuple[str, int, str]] = set()
    for text in step.publish:
        if has_expression(text) or (port := first_port(text)) is None:
            continue
        if port in taken:
            yield f"publish gives port {port[1]} of the host twice; give each port once"
        taken.add(port)


def _mounts(step: ContainerStep) -> Iterator[str]:
    if step.files and step.read_only:
        yield "files cannot be put into a container that is read_only; keep them by PutFile and mount their folder"
    targets = [next(part for part in reversed(text.split(":")) if part.startswith("/"))
               for text in step.volumes if _known(text)]  # fmt: skip
    targets += [
        *step.secret_files,
        *step.files,
        *(mount.target for mount in step.mounts),
        *(text.partition(":")[0] for text in step.tmpfs),
    ]
    counted = Counter(target for target in targets if _known(target))
    if twice := next((target for target, count in counted.items() if count > 1), None):
        yield f"two things are mounted at {twice}; a place in the container takes one"


def _memory(step: ContainerStep) -> Iterator[str]:
    limit = step.memory
    if _known(limit) and byte_count(limit or "") < byte_count("6m"):
        yield f"memory={limit!r} is less than the 6m that docker asks for; give more"
    if limit is None:
        if step.memory_swap is not None:
            yield "memory_swap needs memory beside it; add memory='...'"
        if step.oom_kill_disable:
            yield "oom_kill_disable without a limit can take all memory of the host; add memory='...'"
        return
    if _known(limit, step.memory_reservation) and byte_count(step.memory_reservation or "") > byte_count(limit):
        yield f"memory_reservation={step.memory_reservation!r} is more than memory={limit!r}; give less"
    swap = step.memory_swap
    if _known(limit, swap) and swap != "-1" and byte_count(swap or "") < byte_count(limit):
        yield f"memory_swap={swap!r} is memory and swap together, so it is at least memory={limit!r}"


def _rest(step: ContainerStep) -> Iterator[str]:
    if step.cpus is not None and (step.cpu_quota is not None or step.cpu_period is not None):
        yield "cpus sets cpu_quota and cpu_period itself; take cpus, or the other two"
    if both := set(step.cap_add) & set(step.cap_drop):
        yield f"{min(both)} stands in cap_add and in cap_drop; take one of the two"
    if step.healthcheck is not None and step.no_healthcheck:
        yield "healthcheck and no_healthcheck contradict each other; take one of the two"
    if step.log_driver == "none" and step.log_options:
        yield "log_options have no effect with log_driver='none'; leave them out"
    if "" in step.entrypoint and step.entrypoint != ("",):
        yield "entrypoint holds an empty word; write [''] for no entrypoint at all"
    if step.volume_driver and not step.volumes:
        yield "volume_driver is for named volumes in volumes; add volumes=['name:/in/container']"


_RULES: tuple[Callable[[ContainerStep], Iterator[str]], ...] = (_networks, _ports, _mounts, _memory, _rest)
