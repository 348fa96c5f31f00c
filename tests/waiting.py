"""A shop whose deployments come to an approval that nobody gives now."""

from __future__ import annotations

import pytest
from worlds import says

import octossh as oc

FIRST = oc.RunScript("first", script="echo {{ Count }}")
GO = oc.Approve("Go live", instructions="Is the backup there?", approvers=["ann", "@ops"])
THEN = oc.RunScript(
    "then", script="echo {{ steps.first.outputs.token }} {{ steps['Go live'].outputs.notes }} {{ Count }}"
)
ANN = oc.Approval(True, by="ann", notes="it is")
NO = oc.Approval(False, by="ann", notes="not today")
TOKEN = {"token": "abc"}
COUNT = (oc.Variable("Count", 2),)


class Telling(oc.Replay):
    """Remembers the values of the secrets that went with scripts."""

    values = set()  # noqa: RUF012

    def run(self, target, script, *, secrets=None, **given):
        Telling.values |= {value.reveal() for value in (secrets or {}).values()}
        return super().run(target, script, secrets=secrets or {}, **given)


class Shop:
    """A shop that is deployed to hosts which answer as they are told; each `space` is another process, as it were."""

    def __init__(self, url, *steps, hosts=2, variables=COUNT, **more):
        self.answers, self.sent, self.scripts = {"first": says(outputs=TOKEN)}, [], []
        self.url, self.events, self.off = url, [], set()
        self.targets = [oc.Target(f"h{n}", f"h{n}", environments=["Dev"]) for n in range(1, hosts + 1)]
        self.more = more
        self.project = oc.Project(
            "shop",
            process=steps or (FIRST, GO, THEN),
            variables=variables,
            rollout=more.pop("rollout", oc.Rollout()),
        )
        self._kept = None

    @property
    def space(self):
        if self._kept is not None:
            self._kept.close()

        self._kept = oc.Space(
                self.url, projects=[self.project], targets=self.targets, transport=Telling(self._answer, self._connect),
                anchors=False, on_event=self.events.append, **self.more,
            )  # fmt: skip
        return self._kept

    def _connect(self, target):
        if target.name in self.off:
            raise oc.ConnectError(f"{target.name}: nothing listens there", "refused")

    def _answer(self, target, script):
        name = script.name.partition(" ")[2]
        self.sent.append(f"{name} {target.name}")
        self.scripts.append(script.body)
        answer = self.answers.get(f"{name} {target.name}", self.answers.get(name, says()))
        return answer() if callable(answer) else answer

    def waiting(self, **options):
        """The deployment that waits."""
        space = self.space
        with pytest.raises(oc.DeployWaits) as caught:
            space.deploy(space.create_release(), "Dev", **options)
        return caught.value.deployment

    def approve(self, made, answer=ANN, step="Go live"):
        return self.space.schedules.approve(made.id, step, answer)

    def go_on(self):
        """What `run_due` has handled."""
        return [one.state for one in self.space.run_due()]

    def ended(self, made):
        return self.space.deployment(made.id)

    def close(self):
        if self._kept is not None:
            assert self._kept.verify().ok, self._kept.verify()
            self._kept.close()
