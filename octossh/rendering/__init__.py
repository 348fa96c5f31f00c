"""What to send: steps rendered as POSIX sh. Templates are in ``templates/``, one for each kind of step."""

from octossh.rendering.orders import Order
from octossh.rendering.scripts import check, forget, observe, render

__all__ = ["Order", "check", "forget", "observe", "render"]
