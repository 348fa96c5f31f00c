"""Targets out of files, commands and functions."""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.inventory.ansible import AnsibleTargets
    from octossh.inventory.commands import CommandTargets
    from octossh.inventory.giving import TargetSource, read_targets, targets_of
    from octossh.inventory.ssh_configs import SSHConfigTargets

__all__ = ["AnsibleTargets", "CommandTargets", "SSHConfigTargets", "TargetSource", "read_targets", "targets_of"]
