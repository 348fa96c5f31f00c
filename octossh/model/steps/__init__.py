"""The kinds of steps. Text fields may hold ``{{ }}`` over variables and the outputs of earlier steps.

A new kind is a class in a module here, its name in ``octossh.model.steps.kinds``, what it keeps in
``octossh.planning.wanting`` if it keeps something, and in ``octossh.rendering`` a function and a template of that name.
"""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.model.steps.approvals import Approve
    from octossh.model.steps.base import CONDITIONS, Evaluated, Part, Step, changed, mapped, texts
    from octossh.model.steps.compose import ComposeStep, ComposeUp
    from octossh.model.steps.container_steps import ContainerStep
    from octossh.model.steps.containers import RunContainer
    from octossh.model.steps.flagging import Flag, flags, kept, options
    from octossh.model.steps.kinds import (
        KINDS,
        is_approve,
        is_compose_step,
        is_container_step,
        is_prune,
        is_put_file,
        is_run_container,
        is_run_script,
        is_stop_resource,
        is_swarm_service,
    )
    from octossh.model.steps.networks import CreateNetwork, Subnet
    from octossh.model.steps.once import RunOnce
    from octossh.model.steps.parts import ConfigFile, HealthCheck, Join, Mount, SecretFile
    from octossh.model.steps.probes import PROBES, Command, Http, LogLine, Probe, Tcp
    from octossh.model.steps.prunes import Prune
    from octossh.model.steps.pulls import PullImage
    from octossh.model.steps.puts import PutFile
    from octossh.model.steps.scripts import RunScript
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
    "is_approve",
    "is_compose_step",
    "is_container_step",
    "is_prune",
    "is_put_file",
    "is_run_container",
    "is_run_script",
    "is_stop_resource",
    "is_swarm_service",
    "kept",
    "mapped",
    "options",
    "texts",
]
