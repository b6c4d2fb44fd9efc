"""One task on a node: steps, interruptions, retries, adoption, removal. Virtual time."""

import asyncio

import pytest
import structlog

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


class Defective(FakeController):
    """Meets an error that nobody had foreseen."""

    where = ""
    times = 10**9

    async def prepare(self):
        self.stumble("prepare")
        await super().prepare()

    async def start(self):
        self.stumble("start")
        await super().start()

    async def wait(self):
        self.stumble("wait")
        return await super().wait()

    async def shutdown(self):
        self.stumble("shutdown")
        await super().shutdown()

    async def remove(self):
        self.stumble("remove")
        await super().remove()

    async def adopt(self):
        self.stumble("adopt")
        return await super().adopt()

    def stumble(self, step):
        if step == self.where and self.times:
            self.times -= 1
            raise OverflowError("Python int too large to convert to C long")


def defective(step, count=10**9):
    return type("Here", (Defective,), {"where": step, "times": count})


@pytest.fixture
def complaints():
    logged = []

    def keep(_, method, event):
        if method in ("error", "exception"):
            logged.append(event)
        raise structlog.DropEvent

    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    yield logged
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("step", "state"), [("prepare", "rejected"), ("start", "failed"), ("wait", "failed")]
)
def test_an_unforeseen_error_is_the_end_of_the_task_and_its_reason(step, state, complaints):
    async def story(world, running):
        async with asyncio.timeout(5):
            await running
        assert world.states[-1] == state
        assert world.reports[-1].err == (
            "internal error: OverflowError: Python int too large to convert to C long"
            " (the log of hiveletd has more)"
        )

    played(story, controller=defective(step))
    assert [bool(entry["exc_info"]) for entry in complaints] == [True]


def test_an_unforeseen_error_while_stopping_is_tried_again_ever_less_often_and_logged_once(
    complaints,
):
    async def story(world, running):
        await asyncio.sleep(1)
        world.want("shutdown")
        await asyncio.sleep(60)
        assert not running.done()
        assert world.reports[-1].err.startswith("internal error: OverflowError")
        tries = 10**9 - world.controller.times
        assert 5 <= tries <= 10
        world.controller.times = 0
        async with asyncio.timeout(60):
            await running
        assert world.states[-1] == "shutdown"

    played(story, controller=defective("shutdown"))
    assert len(complaints) == 1


def test_unforeseen_errors_of_adoption_and_removal_do_not_hold_the_agent_up(complaints):
    async def adopted(world, running):
        async with asyncio.timeout(5):
            await world.runner.adopted.wait()
            await running
        assert world.states[-1] == "failed"

    played(adopted, start=task("running"), controller=defective("adopt"))

    async def removed(world, running):
        await asyncio.sleep(1)
        world.runner.dismiss()
        async with asyncio.timeout(10):
            await running
        assert world.runner.removed

    played(removed, controller=defective("remove", 3))
    assert len(complaints) == 2


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
