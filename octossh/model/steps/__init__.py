"""The kinds of steps. Text fields may hold ``{{ }}`` over variables and the outputs of earlier steps.

A new kind is a class in a module here, a line in ``KINDS``, what it keeps in ``octossh.planning.wanting`` if it
keeps something, its values in ``octossh.rendering`` and its template of the same name.
"""

from __future__ import annotations

from octossh.model.steps.approvals import Approve
from octossh.model.steps.base import CONDITIONS, Part, Step, changed, mapped, texts
from octossh.model.steps.compose import ComposeStep, ComposeUp
from octossh.model.steps.containers import RunContainer
from octossh.model.steps.flags import Flag, flags, kept, options
from octossh.model.steps.networks import CreateNetwork, Subnet
from octossh.model.steps.once import RunOnce
from octossh.model.steps.options import ContainerStep
from octossh.model.steps.parts import ConfigFile, HealthCheck, Join, Mount, SecretFile
from octossh.model.steps.probes import PROBES, Command, Http, LogLine, Probe, Tcp
from octossh.model.steps.prunes import Prune
from octossh.model.steps.pulls import PullImage
from octossh.model.steps.puts import PutFile
from octossh.model.steps.scripts import Evaluated, RunScript
from octossh.model.steps.stops import StopResource
from octossh.model.steps.strategies import STRATEGIES, Replace, StartFirst, Strategy
from octossh.model.steps.swarm import SwarmService, SwarmStack, SwarmUpdate
from octossh.model.steps.volumes import CreateVolume
from octossh.model.steps.waits import WaitFor

__all__ = [
    "CONDITIONS",
    "KINDS",
    "PROBES",
    "STRATEGIES",
    "Approve",
    "Command",
    "ComposeStep",
    "ComposeUp",
    "ConfigFile",
    "ContainerStep",
    "CreateNetwork",
    "CreateVolume",
    "Evaluated",
    "Flag",
    "HealthCheck",
    "Http",
    "Join",
    "LogLine",
    "Mount",
    "Part",
    "Probe",
    "Prune",
    "PullImage",
    "PutFile",
    "Replace",
    "RunContainer",
    "RunOnce",
    "RunScript",
    "SecretFile",
    "StartFirst",
    "Step",
    "StopResource",
    "Strategy",
    "Subnet",
    "SwarmService",
    "SwarmStack",
    "SwarmUpdate",
    "Tcp",
    "WaitFor",
    "changed",
    "flags",
    "kept",
    "mapped",
    "options",
    "texts",
]

KINDS: dict[str, type[Step]] = {
    kind.kind: kind
    for kind in (
        Approve,
        ComposeUp,
        CreateNetwork,
        CreateVolume,
        Prune,
        PullImage,
        PutFile,
        RunContainer,
        RunOnce,
        RunScript,
        StopResource,
        SwarmService,
        SwarmStack,
        WaitFor,
    )
}
