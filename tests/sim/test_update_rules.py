"""Updates go as Docker Swarm's: stories that were played there, with what its `UpdateStatus` said, are played here.

`tests/conformance/record_updates.py` tells how they were recorded. "posted" marks a new spec: it takes the status away.
"""

import json
from pathlib import Path

import pytest

from hivelet.convert.service import parse_service_spec
from hivelet.errors import HiveletError
from hivelet.objects.service import Service
from hivelet.objects.task import TaskState
from hivelet.testing.cluster import SimulatedCluster, forced, scaled, with_image
from hivelet.testing.runtime import Script
from hivelet.testing.virtual_time import run_virtual

RECORD = Path(__file__).parents[1] / "conformance" / "recorded" / "update_rules.json"
STORIES = json.loads(RECORD.read_text())
# A container takes about as long to start as it took there, so that an update has come as far when a task fails.
CRASH = Script(start=0.7, exits_after=0.5, exit_code=1)
SECOND = 10**9


class Player:
    """One story on a cluster of one node."""

    def __init__(self, cluster, story):
        self.cluster = cluster
        self.story = story
        self.path = []
        self.refused = []
        self._starts = []
        self._watcher = cluster.store.watch((Service,), coalescing=False)

    async def play(self):
        host = next(iter(self.cluster.hosts.values()))
        host.scripts.update({"crash:1": CRASH, "crash:2": CRASH})
        first = self.story.get("image", "good:1")
        spec = {
            "Name": "web",
            "TaskTemplate": {
                "ContainerSpec": {"Image": first, "StopGracePeriod": 0},
                "RestartPolicy": {"Condition": "any", "Delay": 30 * SECOND},
            },
            "Mode": {"Replicated": {"Replicas": 3}},
            "UpdateConfig": self.story["update"],
            "RollbackConfig": self.story.get("rollback"),
        }
        await self.cluster.create(parse_service_spec(spec))
        # What crashes is seen running, too.
        await self.cluster.until(lambda: self.running() == 3)
        for verb, *words in self.story["steps"]:
            await self.step(verb, *words)
        self.look()

    def running(self):
        return sum(t.status.state is TaskState.RUNNING for t in self.cluster.tasks("web"))

    async def step(self, verb, *words):
        if verb == "until":
            await self.cluster.until(lambda: self.look() == words[0], within=90)
            return
        if verb == "after":
            await self.cluster.settle(words[0])
            self.look()
            return
        edits = {
            "update": lambda spec: with_image(spec, words[0]),
            "scale": lambda spec: scaled(spec, words[0]),
            "force": forced,
            "again": lambda spec: spec,
        }
        self.look()
        try:
            if verb == "rollback":
                await self.cluster.rollback("web")
            else:
                await self.cluster.change("web", edits[verb])
        except HiveletError as error:
            self.refused.append(self.masked(error.message))

    def look(self):
        """Take in what has happened since the last look; the state now."""
        for event in self._watcher.drain().events:
            self.take(event.old, event.obj)
        return self.path[-1][0] if self.path else ""

    def take(self, before, service):
        if isinstance(before, Service) and before.spec_version != service.spec_version:
            # A rollback of its own is the manager's doing, not a user's.
            status = service.update_status
            if status is None or status.message == "manually requested rollback":
                self.path.append(["posted", "", 0])
        status = service.update_status
        if status is None:
            return
        if status.started_at not in self._starts:
            self._starts.append(status.started_at)
        number = self._starts.index(status.started_at) + 1
        seen = [status.state, self.masked(status.message), number]
        if not self.path or self.path[-1] != seen:
            self.path.append(seen)

    def masked(self, message):
        known = {task.id for task in self.cluster.tasks()} | {self.cluster.service("web").id}
        return " ".join("ID" if word in known else word for word in message.split(" "))


@pytest.mark.parametrize("name", STORIES)
def test_as_recorded(name):
    story = STORIES[name]

    async def play():
        cluster = SimulatedCluster()
        await cluster.start()
        try:
            player = Player(cluster, story)
            await player.play()
            cluster.assert_sound()
            service = cluster.service("web")
            before = service.previous_spec
            return {
                "refused": player.refused,
                "status": player.path,
                "spec": image(service.spec),
                "previous": before and image(before),
            }
        finally:
            await cluster.stop()

    observed = run_virtual(play())
    assert observed == {key: story[key] for key in observed}


def image(spec):
    return spec.task_template.container_spec.image
