"""One task on a node: steps, interruptions, retries, adoption, removal. Virtual time."""

import asyncio

import pytest

from hivelet.agent.exec.controller import PermanentError
from hivelet.agent.runner import TaskRunner
from hivelet.objects.task import ContainerSpec, Task, TaskSpec, TaskState, TaskStatus
from hivelet.testing.runtime import FakeController, FakeHost, Script
from hivelet.testing.virtual_time import VirtualClock, run_virtual


def task(state="assigned", desired="running"):
    return Task(
        id="t",
        node_id="n",
        spec=TaskSpec(container_spec=ContainerSpec(image="web")),
        status=TaskStatus(state=TaskState(state)),
        desired_state=TaskState(desired),
    )


class World:
    """A runner on a fake host, and what it has reported."""

    def __init__(self, script=None, start=None, controller=FakeController):
        self.host = FakeHost()
        self.host.scripts["web"] = script or Script()
        self.reports = []
        clock = VirtualClock()
        given = start or task()
        self.controller = controller(self.host, given, clock)
        self.runner = TaskRunner(
            given, self.controller, lambda _, status: self.reports.append(status), clock
        )

    @property
    def states(self):
        return [status.state.value for status in self.reports]

    def want(self, desired):
        changed = self.runner.task.replaced(desired_state=TaskState(desired))
        self.runner.update(changed)


def played(story, **how):
    async def play():
        world = World(**how)
        running = asyncio.get_running_loop().create_task(world.runner.run())
        await story(world, running)
        running.cancel()

    run_virtual(play())


def test_the_whole_way():
    async def story(world, running):
        await asyncio.sleep(1)
        assert world.states == ["accepted", "preparing", "ready", "starting", "running"]
        world.want("shutdown")
        await running
        assert world.states[-1] == "shutdown"

    played(story)


def test_it_waits_ready_until_it_may_start():
    async def story(world, running):
        await asyncio.sleep(1)
        assert world.states[-1] == "ready"
        world.want("running")
        await asyncio.sleep(1)
        assert world.states[-1] == "running"

    played(story, start=task(desired="ready"))


@pytest.mark.parametrize(
    "script",
    [Script(prepare=100), Script(hangs_in_start=True), Script()],
    ids=["preparing", "starting", "running"],
)
def test_any_step_is_interrupted_by_shutdown(script):
    async def story(world, running):
        await asyncio.sleep(1)
        world.want("shutdown")
        async with asyncio.timeout(1):
            await running
        assert world.states[-1] == "shutdown"
        assert not world.host.running()

    played(story, script=script)


def test_what_passes_is_tried_again_and_told():
    async def story(world, running):
        await asyncio.sleep(5)
        assert world.states[-1] == "running"
        assert "the registry did not answer" in {status.err for status in world.reports}
        assert world.reports[-1].err == ""

    played(story, script=Script(flaky_prepares=2))


def test_what_does_not_pass_is_final():
    async def story(world, running):
        await running
        assert (world.states[-1], world.reports[-1].err) == ("rejected", "No such image: web")

    played(story, script=Script(missing=True))


def test_a_running_task_is_adopted_not_started():
    async def story(world, running):
        running.cancel()
        await world.controller.prepare()
        await world.controller.start()
        again = asyncio.get_running_loop().create_task(world.runner.run())
        await world.runner.adopted.wait()
        await asyncio.sleep(1)
        assert world.reports == []
        world.host.kill("t", 9)
        await again
        assert world.reports[-1].err == "task: non-zero exit (9)"
        assert world.host.starts["t"] == 1

    played(story, start=task("running"))


def test_an_interrupted_start_goes_on_after_a_crash():
    async def story(world, running):
        await asyncio.sleep(1)
        assert world.states[-1] == "running"

    played(story, start=task("preparing"))
    played(story, start=task("ready"))


class Stubborn(FakeController):
    """Resists being stopped and removed a few times."""

    resistance = 3

    async def shutdown(self):
        self.resist()
        await super().shutdown()

    async def remove(self):
        self.resist()
        await super().remove()

    def resist(self):
        if self.resistance:
            self.resistance -= 1
            raise PermanentError("the process does not die")


def test_stopping_is_tried_until_it_works():
    async def story(world, running):
        await asyncio.sleep(1)
        world.want("shutdown")
        await running
        assert world.states[-1] == "shutdown"
        assert "the process does not die" in {status.err for status in world.reports}

    played(story, controller=Stubborn)


def test_a_dismissed_task_is_stopped_and_removed_whatever_it_takes():
    async def story(world, running):
        await asyncio.sleep(1)
        world.runner.dismiss()
        await running
        assert world.runner.removed
        assert not world.host.containers

    played(story, controller=Stubborn)


def test_a_manager_that_is_behind_is_told_again():
    async def story(world, running):
        await asyncio.sleep(1)
        count = len(world.reports)
        world.runner.update(task())
        assert len(world.reports) == count + 1

    played(story)


def test_what_holds_up_a_leaving_task_is_reported_and_its_state_stays():
    async def story(world, running):
        await asyncio.sleep(1)
        world.want("shutdown")
        await asyncio.sleep(1)
        last = world.reports[-1]
        assert (last.state, last.message) == (TaskState.RUNNING, "draining: 1 connection")
        assert last.timestamp == world.reports[-2].timestamp
        await running
        assert world.states[-1] == "shutdown"
        assert world.reports[-1].message == "shutdown"

    played(story, script=Script(drains=5))


def test_a_stop_by_hand_that_died_with_the_daemon_is_forgotten():
    left = task(state="running").replaced(
        status=TaskStatus(state=TaskState.RUNNING, message="draining: 1 connection")
    )

    async def play():
        world = World(start=left)
        await world.controller.prepare()
        running = asyncio.get_running_loop().create_task(world.runner.run())
        await asyncio.sleep(1)
        assert world.reports[-1].message == "started"
        running.cancel()

    run_virtual(play())
