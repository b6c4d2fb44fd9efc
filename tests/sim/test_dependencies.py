"""Services that wait for others: at deployment, at a cold start of the host, and not otherwise. Virtual time."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from hivelet.errors import HiveletError
from hivelet.objects.common import ServiceId
from hivelet.objects.service import (
    DEPENDS_ON_LABEL,
    STACK_LABEL,
    ReplicatedJobMode,
    Service,
    ServiceMode,
    UpdateConfig,
)
from hivelet.objects.task import ResourceRequirements, Resources, RestartPolicy, TaskState
from hivelet.objects.transitions import Actor
from hivelet.testing.cluster import SimulatedCluster, forced, replicated, scaled
from hivelet.testing.runtime import Script
from hivelet.testing.virtual_time import run_virtual

SCRIPTS = {
    "slow:1": Script(start=5.0),
    "done:1": Script(exits_after=2.0),
    "fails:1": Script(exits_after=1.0, exit_code=1),
}


def simulated(story):
    async def play():
        cluster = SimulatedCluster()
        await cluster.start()
        host_of(cluster).scripts.update(SCRIPTS)
        try:
            await story(cluster)
            cluster.assert_sound()
        finally:
            await cluster.stop()

    run_virtual(play())


def host_of(cluster):
    return next(iter(cluster.hosts.values()))


def awaiting(spec, label, stack=""):
    labels = {DEPENDS_ON_LABEL: label} | ({STACK_LABEL: stack} if stack else {})
    return spec.replaced(labels=labels)


def begun(cluster, name):
    """When a task of the service first ran."""
    moments = [task.started_at for task in cluster.tasks(name) if task.started_at]
    return min(moments, default=None)


def completed(cluster, name):
    return [task for task in cluster.tasks(name) if task.status.state is TaskState.COMPLETE]


def errors(cluster, name):
    return {task.status.err for task in cluster.tasks(name)}


def test_a_service_starts_after_what_it_depends_on():
    async def story(cluster):
        await cluster.create(awaiting(replicated("web", 2), "rabbit:healthy"))
        await cluster.settle(10)
        assert not cluster.containers()
        assert errors(cluster, "web") == {"waiting for rabbit, which does not exist"}
        await cluster.create(replicated("rabbit", 1, image="slow:1"))
        await cluster.settle(1)
        assert errors(cluster, "web") == {
            "waiting for rabbit to be healthy (nothing of it runs yet)"
        }
        assert {t.status.state for t in cluster.tasks("web")} == {TaskState.PENDING}
        await cluster.until(lambda: len(cluster.running("web")) == 2, within=10)
        assert begun(cluster, "rabbit") < begun(cluster, "web")
        assert errors(cluster, "web") == {""}

    simulated(story)


def test_short_names_are_those_of_the_own_stack_first():
    async def story(cluster):
        await cluster.create(replicated("rabbit", 1))
        await cluster.create(awaiting(replicated("app_web", 1), "rabbit", stack="app"))
        await cluster.until(lambda: len(cluster.running("app_web")) == 1)
        await cluster.create(replicated("app_rabbit", 0))
        await cluster.change("app_web", lambda spec: scaled(spec, 0))
        await cluster.settle(5)
        await cluster.change("app_web", lambda spec: scaled(spec, 1))
        await cluster.settle(5)
        sentence = "waiting for app_rabbit to be started (it is scaled to 0)"
        assert errors(cluster, "app_web") == {sentence}
        await cluster.change("app_rabbit", lambda spec: scaled(spec, 1))
        await cluster.until(lambda: len(cluster.running("app_web")) == 1)

    simulated(story)


def test_what_keeps_the_dependency_from_starting_is_told():
    async def story(cluster):
        await cluster.create(replicated("rabbit", 1, image="fails:1"))
        host_of(cluster).scripts["fails:1"] = Script(failing_starts=99)
        await cluster.create(awaiting(replicated("web", 1), "rabbit"))
        await cluster.settle(10)
        (error,) = errors(cluster, "web")
        assert error.startswith("waiting for rabbit to be started (nothing of it runs yet: task:")

    simulated(story)


@pytest.mark.parametrize("policy", [None, RestartPolicy(condition="none")])
def test_a_service_waits_for_a_job_or_a_task_to_complete(policy):
    async def story(cluster):
        migrate = replicated("migrate", 1, image="done:1")
        if policy is None:
            migrate = migrate.replaced(mode=ServiceMode(replicated_job=ReplicatedJobMode()))
        else:
            template = migrate.task_template.replaced(restart_policy=policy)
            migrate = migrate.replaced(task_template=template)
        await cluster.create(migrate)
        await cluster.create(awaiting(replicated("web", 1), "migrate:completed"))
        await cluster.settle(1)
        assert not cluster.running("web")
        (error,) = errors(cluster, "web")
        assert error.startswith("waiting for migrate to be completed (")
        await cluster.until(lambda: len(cluster.running("web")) == 1)

    simulated(story)


def test_a_replica_beside_others_is_never_held():
    async def story(cluster):
        await cluster.create(replicated("rabbit", 1))
        await cluster.create(awaiting(replicated("web", 2), "rabbit"))
        await cluster.until(lambda: len(cluster.running("web")) == 2)
        await cluster.change("rabbit", lambda spec: scaled(spec, 0))
        await cluster.settle(5)
        host_of(cluster).kill(cluster.running("web")[0].id)
        await cluster.until(lambda: len(cluster.running("web")) == 1)
        await cluster.until(lambda: len(cluster.running("web")) == 2, within=10)
        await cluster.change("web", forced)
        await cluster.settle(40)
        assert len(cluster.running("web")) == 2

    simulated(story)


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_an_update_waits_for_a_job_that_runs_anew_and_the_old_tasks_go_on(order):
    """A release: first its migration, then its tasks. A crash of the old release meanwhile is mended at once."""

    async def story(cluster):
        migrate = replicated("migrate", 1, image="done:1")
        migrate = migrate.replaced(mode=ServiceMode(replicated_job=ReplicatedJobMode()))
        web = replicated("web", 3).replaced(update_config=UpdateConfig(order=order, parallelism=1))
        await cluster.create(migrate)
        await cluster.create(awaiting(web, "migrate:completed"))
        await cluster.until(lambda: len(cluster.running("web")) == 3)
        old = {task.id for task in cluster.running("web")}
        # A job that runs anew by itself holds nobody: a replica that crashes is replaced beside the others.
        await cluster.change("migrate", forced)
        host_of(cluster).kill(cluster.running("web")[0].id)
        await cluster.settle(1)
        assert len(cluster.running("web")) == 3
        old |= {task.id for task in cluster.running("web")}
        await cluster.until(lambda: len(completed(cluster, "migrate")) == 2, within=10)

        await cluster.change("migrate", forced)
        await cluster.change("web", forced)
        await cluster.settle(1)
        assert {task.id for task in cluster.running("web")} <= old
        assert len(cluster.running("web")) == 3
        assert "waiting for migrate to be completed (0 of 1)" in errors(cluster, "web")
        await cluster.until(
            lambda: len([t for t in cluster.running("web") if t.id not in old]) == 3, within=60
        )
        new = [task for task in cluster.running("web") if task.id not in old]
        done = max(task.status.timestamp for task in completed(cluster, "migrate"))
        assert done <= min(task.started_at for task in new)

    simulated(story)


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_a_job_that_fails_holds_the_new_release_back(order):
    async def story(cluster):
        migrate = replicated("migrate", 1, image="done:1")
        migrate = migrate.replaced(mode=ServiceMode(replicated_job=ReplicatedJobMode()))
        web = replicated("web", 2).replaced(update_config=UpdateConfig(order=order, parallelism=1))
        await cluster.create(migrate)
        await cluster.create(awaiting(web, "migrate:completed"))
        await cluster.until(lambda: len(cluster.running("web")) == 2)
        old = {task.id for task in cluster.running("web")}
        host_of(cluster).scripts["done:1"] = Script(exits_after=1.0, exit_code=1)
        await cluster.change("migrate", forced)
        await cluster.change("web", forced)
        await cluster.settle(60)
        assert {task.id for task in cluster.running("web")} == old

    simulated(story)


MOST = Resources(nano_cpus=40 * 10**9)
"""So much that a node of the simulation (64 CPUs) has room for one task of it."""


def released(**template):
    """A job, and a service that waits for it and stops its old task first."""
    migrate = replicated("migrate", 1, image="done:1")
    migrate = migrate.replaced(mode=ServiceMode(replicated_job=ReplicatedJobMode()))
    web = replicated("web", 1).replaced(
        update_config=UpdateConfig(order="stop-first", parallelism=1)
    )
    web = web.replaced(task_template=web.task_template.replaced(**template))
    return migrate, awaiting(web, "migrate:completed")


def test_a_predecessor_makes_room_once_the_job_is_done():
    """The new task finds no room beside its predecessor, and waits for nothing else: then that one stops."""

    async def story(cluster):
        reserved = ResourceRequirements(reservations=MOST)
        migrate, web = released(resources=reserved)
        await cluster.create(migrate)
        await cluster.create(web)
        await cluster.until(lambda: len(cluster.running("web")) == 1)
        (old,) = cluster.running("web")
        await cluster.change("migrate", forced)
        await cluster.change("web", forced)
        await cluster.settle(1)
        assert [task.id for task in cluster.running("web")] == [old.id]
        await cluster.until(
            lambda: [t for t in cluster.running("web") if t.id != old.id], within=60
        )

    simulated(story)


def test_a_second_release_while_the_first_is_held():
    async def story(cluster):
        migrate, web = released()
        await cluster.create(migrate)
        await cluster.create(web)
        await cluster.until(lambda: len(cluster.running("web")) == 1)
        (old,) = cluster.running("web")
        host_of(cluster).scripts["done:1"] = Script(exits_after=1.0, exit_code=1)
        await cluster.change("migrate", forced)
        await cluster.change("web", forced)
        await cluster.settle(5)
        await cluster.change("web", forced)
        await cluster.settle(5)
        assert [task.id for task in cluster.running("web")] == [old.id]
        host_of(cluster).scripts["done:1"] = Script(exits_after=1.0)
        await cluster.change("migrate", forced)
        await cluster.until(
            lambda: cluster.running("web") and not cluster.service("web").is_updating, within=90
        )
        (new,) = cluster.running("web")
        assert new.id != old.id
        assert new.spec.force_update == 2

    simulated(story)


def test_a_cold_start_of_the_host_goes_in_order():
    async def story(cluster):
        host = host_of(cluster)
        host.scripts["slow:1"] = Script(start=5.0)
        await cluster.create(awaiting(replicated("web", 3), "celery"))
        await cluster.create(awaiting(replicated("celery", 2), "rabbit:healthy"))
        await cluster.create(replicated("rabbit", 1, image="slow:1"))
        await cluster.until(lambda: len(cluster.running()) == 6)
        await cluster.crash()
        host.reboot()
        host.starts.clear()
        await cluster.settle(60)
        await cluster.recover()
        order = []
        while len(order) < 6:
            await cluster.settle(0.01)
            order += [t.service_annotations.name for t in host.running() if t.id in host.starts]
            for task in host.running():
                host.starts.pop(task.id, None)
        assert order == ["rabbit", "celery", "celery", "web", "web", "web"]

    simulated(story)


def test_a_circle_is_refused_by_name():
    async def story(cluster):
        await cluster.create(awaiting(replicated("a", 1), "b"))
        await cluster.create(awaiting(replicated("b", 1), "c"))
        with pytest.raises(HiveletError, match="would wait for itself: c -> a -> b -> c"):
            await cluster.create(awaiting(replicated("c", 1), "a"))
        with pytest.raises(HiveletError, match="d -> d"):
            await cluster.create(awaiting(replicated("d", 1), "d"))

    simulated(story)


def test_a_rollback_puts_no_circle_in_place():
    async def story(cluster):
        await cluster.create(awaiting(replicated("a", 1), "b"))
        await cluster.create(replicated("b", 1))
        await cluster.change("a", lambda spec: spec.replaced(labels={}))
        await cluster.change("b", lambda spec: awaiting(spec, "a"))
        with pytest.raises(HiveletError, match="would wait for itself: a -> b -> a"):
            await cluster.rollback("a")

    simulated(story)


def test_a_circle_of_an_older_state_is_named_by_those_that_wait():
    async def story(cluster):
        await cluster.create(awaiting(replicated("a", 1), "b"))
        for name, awaited in (("b", "c"), ("c", "b")):
            spec = awaiting(replicated(name, 1), awaited)
            made = Service(id=ServiceId(""), spec=spec)
            await cluster.store.update(lambda tx, m=made: tx.create(m), Actor.USER)
        await cluster.settle(1)
        assert not cluster.containers()
        assert errors(cluster, "b") == {
            "waiting for itself, and would for ever: b -> c -> b; "
            "take one of these out of the label com.hivelet.depends-on"
        }
        (waits,) = errors(cluster, "a")
        assert waits.startswith("waiting for b to be started (nothing of it runs yet")

    simulated(story)


@pytest.mark.parametrize("label", ["rabbit:ready", "-rabbit", "a b"])
def test_a_label_that_cannot_be_understood_is_refused(label):
    async def story(cluster):
        with pytest.raises(HiveletError, match=DEPENDS_ON_LABEL):
            await cluster.create(awaiting(replicated("web", 1), label))

    simulated(story)


@settings(max_examples=25)
@given(st.data())
def test_whatever_waits_for_whatever_all_start_and_in_order(data):
    names = [f"s{number}" for number in range(6)]
    graph = {
        name: data.draw(st.lists(st.sampled_from(names[:place]), unique=True, max_size=3))
        if place
        else []
        for place, name in enumerate(names)
    }
    order = data.draw(st.permutations(names))

    async def story(cluster):
        for name in order:
            await cluster.create(awaiting(replicated(name, 1), ",".join(graph[name])))
        await cluster.until(lambda: len(cluster.running()) == len(names), within=60)
        for name, awaited in graph.items():
            assert all(begun(cluster, each) < begun(cluster, name) for each in awaited)

    simulated(story)
