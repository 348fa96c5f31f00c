"""What happened: releases, deployments, events and their audit chain, kept in a database.

The door of sqlalchemy, which enters where tables are made, and for PostgreSQL. Nothing here speaks to a host.
"""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.recording.actors import actor_here
    from octossh.recording.controllers import alive, controller_here, groups_here, whoami
    from octossh.recording.exports import exported
    from octossh.recording.leases import Lease, in_the_way
    from octossh.recording.origins import Origin, origin_here
    from octossh.recording.parcels import pack, unpack
    from octossh.recording.signatures import Key, read_key
    from octossh.recording.store import Record, Store
    from octossh.recording.verification import Verification

__all__ = [
    "Key",
    "Lease",
    "Origin",
    "Record",
    "Store",
    "Verification",
    "actor_here",
    "alive",
    "controller_here",
    "exported",
    "groups_here",
    "in_the_way",
    "origin_here",
    "pack",
    "read_key",
    "unpack",
    "whoami",
]
