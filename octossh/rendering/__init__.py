"""What to send: steps rendered as POSIX sh. Templates are in ``templates/``, one for each kind of step."""

from octossh.rendering.scripts import Order, observe, render

__all__ = ["Order", "observe", "render"]
