"""Taking in what was written aside while the store took no records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from octossh.errors import ModelError, RecordError
from octossh.model import Deployment, Event, Outcome
from octossh.model.serialising import from_dict
from octossh.recording.aside import SideFile
from octossh.recording.controllers import whoami
from octossh.recording.rows import clean, time_text
from octossh.recording.transactions import Transaction

__all__ = ["CatchingUp"]

_GIVE_BACK = """
    UPDATE leases SET holder = ''
    WHERE project = :project AND environment = :environment AND holder = :holder AND since <= :then
"""


class CatchingUp(Transaction):
    """Records that come late, within one transaction."""

    fenced = False  # what they tell has happened, whoever holds the lease by now
    _then: Any = None

    def actor(self) -> Any:
        """Who acted, as the side file has it; or who takes it in."""
        return self._then or super().actor()

    def take_in(self, file: SideFile) -> int:
        """Record what stands in *file*, in its order, and that it came late; returns how many records it was.

        A file that was taken in before, and could not be removed then, is not taken in twice.
        """
        name = f"aside:{file.path.name}"
        if self.find("meta", name=name) is not None:
            return 0
        for entry in file.entries:
            self._then = entry.get("actor")
            self._take_in(dict(entry))
        self._then = None
        data = {
            "file": file.path.name,
            "records": len(file.entries),
            "whole": file.whole,
            "sha256": file.sha256,
            "by": whoami(),
        }
        self.append(Event(type="side_file_taken_in", at=datetime.now(UTC), deployment="", data=data), "")
        self.insert("meta", {"name": name, "value": file.sha256})
        return len(file.entries)

    def _take_in(self, entry: dict[str, Any]) -> None:
        try:
            if entry["what"] == "finish":
                ended = from_dict(Deployment, entry["deployment"])
                if self.deployment(ended.id) != ended:
                    self.finish(ended, None)
                self._give_back(ended)
                return
            outcome = entry["outcome"] and from_dict(Outcome, entry["outcome"])
            event = from_dict(Event, entry["event"])
            if not self._stands_there(event):
                self.record(event, outcome, None)
        except (KeyError, ModelError, RecordError) as error:
            # Somebody else has ended that deployment meanwhile: its record stays, and what came late beside it.
            data = {"why": str(error), "entry": entry}
            self.append(Event(type="late_record", at=datetime.now(UTC), deployment="", data=data), "")

    def _stands_there(self, event: Event) -> bool:
        """Whether *event* was recorded: a link that is lost while the server commits does not tell."""
        key = {name: clean(getattr(event, name)) for name in ("deployment", "type", "step", "target")}
        return next(self.find_all("events", **key, at=time_text(event.at)), None) is not None

    def _give_back(self, ended: Deployment) -> None:
        """The lease under which *ended* ran: it could not be given back then, and its process may live on."""
        values = {
            "project": ended.project,
            "environment": ended.environment,
            "holder": ended.controller,
            "then": time_text(ended.finished_at or datetime.now(UTC)),
        }
        self.connection.run(_GIVE_BACK, values)
