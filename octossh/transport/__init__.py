"""The only way to a host: one script in, frames and a log out. The door of fabric, paramiko and invoke.

Importing it is cheap: paramiko enters at the first connection, and fabric with the first script.
"""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.transport.contract import Feed, Interactive, Transport
    from octossh.transport.local import Local
    from octossh.transport.openssh import OpenSSH
    from octossh.transport.pools import Pool
    from octossh.transport.replay import Call, Replay
    from octossh.transport.ssh import SSH

__all__ = ["SSH", "Call", "Feed", "Interactive", "Local", "OpenSSH", "Pool", "Replay", "Transport"]
