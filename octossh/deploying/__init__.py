"""Looking at hosts and applying plans: the road from a plan to what happened."""

from octossh.deploying.applying import apply
from octossh.deploying.approving import Approver
from octossh.deploying.checking import check
from octossh.deploying.observing import connect, find_runners, look_again, observe
from octossh.deploying.orders import scripts

__all__ = ["Approver", "apply", "check", "connect", "find_runners", "look_again", "observe", "scripts"]
