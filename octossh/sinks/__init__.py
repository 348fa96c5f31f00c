"""Sinks: where the events of the record are sent while they happen, such as syslog or a web server."""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.sinks.calling import Hook, Hooks
    from octossh.sinks.hooks import CommandHook, Webhook
    from octossh.sinks.http import HttpSink
    from octossh.sinks.pumping import Backlog, Pump, Sink
    from octossh.sinks.spans import Spans
    from octossh.sinks.syslog import SyslogSink

__all__ = ["Backlog", "CommandHook", "Hook", "Hooks", "HttpSink", "Pump", "Sink", "Spans", "SyslogSink", "Webhook"]
