"""Jobs: how many run at a time, what counts, what is tried again, and when they run anew. Virtual time."""

import pytest

from hivelet.errors import HiveletError
from hivelet.objects.node import NodeSpec
from hivelet.objects.service import GlobalJobMode, ReplicatedJobMode, ServiceMode
from hivelet.objects.task import RestartPolicy, TaskState
from hivelet.testing.cluster import SimulatedCluster, forced, replicated
from hivelet.testing.runtime import FakeHost, Script
from hivelet.testing.virtual_time import run_virtual

SCRIPTS = {
    "quick:1": Script(exits_after=2.0),
    "endless:1": Script(),
    "fails:1": Script(exits_after=1.0, exit_code=3),
}


def simulated(story, nodes=1):
    async def play():
        cluster = SimulatedCluster()
        await cluster.start()
        for number in range(1, nodes):
            await cluster.add_node(f"worker{number}", FakeHost(f"worker{number}"))
        for host in cluster.hosts.values():
            host.scripts.update(SCRIPTS)
        try:
            await story(cluster)
            cluster.assert_sound()
        finally:
            await cluster.stop()

    run_virtual(play())


def job(name, image="quick:1", **numbers):
    spec = replicated(name, 0, image=image)
    return spec.replaced(mode=ServiceMode(replicated_job=ReplicatedJobMode(**numbers)))


def global_job(name, image="quick:1"):
    return replicated(name, 0, image=image).replaced(mode=ServiceMode(global_job=GlobalJobMode()))


def with_policy(spec, **policy):
    template = spec.task_template.replaced(restart_policy=RestartPolicy(**policy))
    return spec.replaced(task_template=template)


def of_state(cluster, name, state):
    return [task for task in cluster.tasks(name) if task.status.state is state]


def completed(cluster, name):
    iteration = cluster.service(name).job_status.job_iteration
    done = of_state(cluster, name, TaskState.COMPLETE)
    return [task for task in done if task.job_iteration == iteration]


def test_never_more_at_a_time_and_as_many_as_asked_for_in_all():
    async def story(cluster):
        await cluster.create(job("mail", max_concurrent=2, total_completions=5))
        most = 0
        while len(completed(cluster, "mail")) < 5:
            await cluster.settle(0.1)
            most = max(most, len(cluster.containers()))
        assert most == 2
        assert sorted(task.slot for task in cluster.tasks("mail")) == [1, 2, 3, 4, 5]
        assert {task.desired_state for task in cluster.tasks("mail")} == {TaskState.COMPLETE}
        await cluster.settle(100)
        assert len(cluster.tasks("mail")) == 5

    simulated(story)


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [({}, 1), ({"max_concurrent": 3}, 3), ({"total_completions": 2}, 2)],
)
def test_what_is_not_said_is_as_in_dockers_api(numbers, wanted):
    async def story(cluster):
        await cluster.create(job("mail", **numbers))
        await cluster.settle(30)
        assert len(completed(cluster, "mail")) == len(cluster.tasks("mail")) == wanted

    simulated(story)


def test_a_failed_task_is_tried_again_and_keeps_its_place():
    async def story(cluster):
        policy = {"condition": "on-failure", "delay": 3 * 10**9}
        await cluster.create(with_policy(job("mail", "fails:1", total_completions=2), **policy))
        await cluster.settle(20)
        assert {task.slot for task in cluster.tasks("mail")} == {1}
        assert len(of_state(cluster, "mail", TaskState.FAILED)) > 2
        host = next(iter(cluster.hosts.values()))
        host.scripts["fails:1"] = Script(exits_after=1.0)
        await cluster.until(lambda: len(completed(cluster, "mail")) == 2)

    simulated(story)


def test_attempts_that_are_used_up_leave_the_job_failed():
    async def story(cluster):
        policy = {"condition": "on-failure", "max_attempts": 2, "delay": 0}
        await cluster.create(with_policy(job("mail", "fails:1", total_completions=2), **policy))
        await cluster.settle(60)
        failed = of_state(cluster, "mail", TaskState.FAILED)
        assert len(failed) == 6
        assert {task.slot for task in failed} == {1, 2}
        assert not cluster.containers()
        assert all(not task.wanted for task in failed)

    simulated(story)


def test_a_changed_job_stops_what_runs_and_begins_anew():
    async def story(cluster):
        await cluster.create(job("mail", "endless:1", max_concurrent=2))
        await cluster.until(lambda: len(cluster.containers()) == 2)
        first = {task.id for task in cluster.containers()}
        await cluster.change("mail", forced)
        assert cluster.service("mail").job_status.job_iteration.index == 1
        await cluster.until(lambda: len({t.id for t in cluster.containers()} - first) == 2)
        assert not first & {task.id for task in cluster.containers()}

    simulated(story)


def test_a_job_that_is_deployed_again_unchanged_stays_done():
    async def story(cluster):
        await cluster.create(job("mail"))
        await cluster.until(lambda: len(completed(cluster, "mail")) == 1)
        before = cluster.tasks("mail")
        await cluster.change("mail", lambda spec: spec.replaced(labels={"a": "b"}))
        await cluster.settle(20)
        assert cluster.tasks("mail") == before

    simulated(story)


def test_a_global_job_runs_once_on_each_node_also_on_a_later_one():
    async def story(cluster):
        await cluster.create(global_job("clean"))
        await cluster.until(lambda: len(completed(cluster, "clean")) == 2)
        host = FakeHost("late")
        host.scripts.update(SCRIPTS)
        late = await cluster.add_node("late", host)
        await cluster.until(lambda: len(completed(cluster, "clean")) == 3)
        assert late in {task.node_id for task in cluster.tasks("clean")}
        await cluster.settle(60)
        assert len(cluster.tasks("clean")) == 3

    simulated(story, nodes=2)


def test_a_global_job_leaves_a_drained_node_and_comes_back():
    async def story(cluster):
        await cluster.create(global_job("clean", "endless:1"))
        await cluster.until(lambda: len(cluster.containers()) == 2)
        worker = next(node for node in cluster.nodes() if node.manager_status is None)

        async def put(availability):
            node = await cluster.api.get_node(worker.id)
            spec = NodeSpec(availability=availability)
            await cluster.api.update_node(node.id, node.meta.version.index, spec)

        await put("drain")
        await cluster.until(lambda: len(cluster.containers()) == 1)
        await put("active")
        await cluster.until(lambda: len(cluster.containers()) == 2)

    simulated(story, nodes=2)


def test_the_daemon_dies_in_the_middle_of_a_job():
    async def story(cluster):
        await cluster.create(job("mail", max_concurrent=2, total_completions=6))
        await cluster.until(lambda: len(completed(cluster, "mail")) == 2)
        await cluster.crash()
        await cluster.recover()
        await cluster.until(lambda: len(completed(cluster, "mail")) == 6)
        host = next(iter(cluster.hosts.values()))
        assert len(host.starts) == 6

    simulated(story)


def test_history_of_many_runs_is_bounded_and_what_counts_is_kept():
    async def story(cluster):
        await cluster.create(job("mail", max_concurrent=3))
        for _ in range(12):
            await cluster.until(lambda: len(completed(cluster, "mail")) == 3)
            await cluster.change("mail", forced)
        await cluster.until(lambda: len(completed(cluster, "mail")) == 3)
        assert len(cluster.tasks("mail")) <= 3 * 6

    simulated(story)


def test_a_job_has_no_update_settings_and_no_other_mode():
    async def story(cluster):
        await cluster.create(job("mail"))
        with pytest.raises(HiveletError, match="mode change is not allowed"):
            await cluster.change("mail", lambda spec: replicated("mail", 2))

    simulated(story)
