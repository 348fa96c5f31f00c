"""`CreateNetwork`: keep a network."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any, ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Pairs, checked, of
from octossh.model.steps.base import Part, Step
from octossh.model.steps.fields import check_docker_name, check_driver_name, label_pairs, option_pairs
from octossh.model.steps.flagging import flag, normalised, text
from octossh.model.steps.normal import address, addresses, network_range, plain
from octossh.templating import has_expression

__all__ = ["CreateNetwork", "Subnet", "subnets"]


@frozen(field_transformer=normalised)
class Subnet(Part):
    """A range of addresses of a network.

    Attributes:
        subnet: Such as ``172.28.6.0/24`` or ``fd00:6::/64``.
        gateway: An address in it; docker's default is the first one.
        ip_range: The part of it from which docker gives addresses to containers; default: all of it.
        aux_addresses: Addresses in it that docker gives to nobody, by name.
    """

    subnet: str = field(converter=text, validator=of(str), metadata=flag("--subnet", network_range))
    gateway: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--gateway", address))
    ip_range: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--ip-range", network_range))
    aux_addresses: Pairs[str] = field(factory=Pairs, kw_only=True, converter=addresses, metadata=flag("--aux-address"))

    def __attrs_post_init__(self) -> None:
        if has_expression(self.subnet):
            return
        whole = ipaddress.ip_network(self.subnet)
        inside = [self.gateway, self.ip_range and self.ip_range.partition("/")[0], *self.aux_addresses.values()]
        for given in inside:
            if given and not has_expression(given) and ipaddress.ip_address(given) not in whole:
                raise ModelError(f"{given} is not in the subnet {self.subnet}; give an address that is")

    def __str__(self) -> str:
        """The range, and what is special in it."""
        pairs = [("gateway", self.gateway), ("ip_range", self.ip_range), *self.aux_addresses.items()]
        return " ".join([self.subnet, *(f"{name}={given}" for name, given in pairs if given)])


def subnets(value: Any) -> tuple[Subnet, ...]:
    """A list of subnets, as `Subnet` or text."""
    if not isinstance(value, list | tuple):
        raise ModelError(f"it takes a list of subnets, not {value!r}; write [...] around it")
    made = tuple(Subnet(item) if isinstance(item, str) else item for item in value)
    if wrong := [item for item in made if not isinstance(item, Subnet)]:
        raise ModelError(f"{wrong[0]!r} is neither text nor an octossh.Subnet")
    return made


@frozen(field_transformer=normalised)
class CreateNetwork(Step):
    """Keep a network.

    A network that is there and differs is not replaced unless that was asked for, since containers hang on it: the
    step fails and says what differs.

    Attributes:
        driver: ``bridge``, ``macvlan``, ``ipvlan``, ``overlay``, or that of a plugin.
        subnet: Such as ``172.28.6.0/24``. None: docker picks one.
        gateway: An address of that subnet.
        ip_range: The part of that subnet from which docker gives addresses to containers.
        aux_addresses: Addresses of that subnet that docker gives to nobody, by name.
        subnets: Further ones, such as one of IPv6, as text or `Subnet`.
        ipv6: With IPv6; before docker 27 it needs a subnet of IPv6, too.
        internal: Without a way out of the host.
        attachable: Of an overlay: containers may join, and not only services.
        parent: Of a macvlan or ipvlan: the network device of the host.
        options: Of the driver, by name, such as ``{"com.docker.network.driver.mtu": 1400}``.
        ipam_driver: Gives out the addresses; ``default`` is docker's own.
        ipam_options: Of that driver, by name.
        labels: Further labels.
        network_name: Default: project, environment and step joined by ``-``.
        replace: Make a network that differs anew. Containers of this project and environment lose it, and join the
            new one when their own steps run; while others hang on it, it stays, and the step fails.
    """

    kind: ClassVar[str] = "create_network"
    keeps: ClassVar[str] = "network"

    driver: str = field(
        default="bridge", kw_only=True, validator=checked(check_driver_name), metadata=flag("--driver", by_hand=True)
    )
    subnet: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--subnet", network_range))
    gateway: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--gateway", address))
    ip_range: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--ip-range", network_range))
    aux_addresses: Pairs[str] = field(factory=Pairs, kw_only=True, converter=addresses, metadata=flag("--aux-address"))
    subnets: tuple[Subnet, ...] = field(default=(), kw_only=True, converter=subnets, metadata=flag("--subnet"))
    ipv6: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--ipv6"))
    internal: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--internal"))
    attachable: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--attachable"))
    parent: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--opt", plain, form="parent={}")
    )
    options: Pairs[str] = field(factory=Pairs, kw_only=True, converter=option_pairs, metadata=flag("--opt"))
    ipam_driver: str = field(
        default="default", kw_only=True, validator=checked(check_driver_name), metadata=flag("--ipam-driver")
    )
    ipam_options: Pairs[str] = field(factory=Pairs, kw_only=True, converter=option_pairs, metadata=flag("--ipam-opt"))
    labels: Pairs[str] = field(
        factory=Pairs, kw_only=True, converter=label_pairs, metadata=flag("--label", by_hand=True)
    )
    network_name: str | None = field(
        default=None,
        kw_only=True,
        validator=checked(check_docker_name, optional=True),
        metadata=flag("NAME", by_hand=True, kept=False),
    )

    replace: bool = field(default=False, kw_only=True, validator=of(bool))

    def __attrs_post_init__(self) -> None:
        if said := self._contradiction():
            raise ModelError(f"CreateNetwork {self.name!r}: {said}")

    def _contradiction(self) -> str | None:
        if self.subnet is None:
            for name in ("gateway", "ip_range", "aux_addresses"):
                if getattr(self, name):
                    return f"{name} needs its subnet; add subnet='...'"
        else:
            Subnet(self.subnet, gateway=self.gateway, ip_range=self.ip_range, aux_addresses=self.aux_addresses)
        if self.driver in {"host", "null", "none"}:
            return f"docker has one network of the driver {self.driver!r}, and no other can be made"
        if self.parent is not None and (self.driver not in {"macvlan", "ipvlan"} or "parent" in self.options):
            return "parent is the option 'parent' of macvlan and ipvlan; choose one of these drivers, and say it once"
        given = [*([self.subnet] if self.subnet else []), *(item.subnet for item in self.subnets)]
        ranges = [ipaddress.ip_network(item) for item in given if not has_expression(item)]
        for one, other in itertools.combinations(ranges, 2):
            if one.version == other.version and one.overlaps(other):
                return f"the subnets {one} and {other} overlap; take ranges apart from each other"
        if not self.ipv6 and (six := next((item for item in ranges if item.version == 6), None)):
            return f"the subnet {six} is one of IPv6; add ipv6=True"
        return None

    @property
    def given_name(self) -> str | None:
        """Docker's name for the network, where the user gave one."""
        return self.network_name

    @property
    def replaces(self) -> bool:
        """Only where that was asked for: containers hang on it."""
        return self.replace
