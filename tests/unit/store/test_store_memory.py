"""The store: versions, names, indices, atomicity, watches, durability."""

from datetime import timedelta

import pytest

from hivelet.errors import Conflict, OutOfSequence
from hivelet.objects.common import ServiceId, TaskId
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.plan import Write
from hivelet.objects.secret import Secret, SecretSpec
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.task import Task, TaskState, TaskStatus
from hivelet.objects.transitions import Actor, InvalidTransition
from hivelet.store import Store
from hivelet.store.events import Action
from hivelet.store.journal import MemoryJournal
from hivelet.store.watch import WatchLagged
from hivelet.testing.clock import EPOCH, ManualClock


def service(name, **fields):
    return Service(id=ServiceId(""), spec=ServiceSpec(name=name), **fields)


@pytest.fixture
async def store():
    store = Store(ManualClock(), MemoryJournal())
    await store.open()
    return store


async def test_create_stamps_id_version_and_times(store):
    made = await store.update(lambda tx: tx.create(service("web")))
    assert len(made.id) == 25
    assert made.meta.version.index == 1
    assert made.meta.created_at == made.meta.updated_at == EPOCH
    assert store.view(lambda view: view.by_name(Service, "web")) == made


async def test_update_needs_the_present_version(store):
    made = await store.update(lambda tx: tx.create(service("web")))
    store.clock.advance(1)
    newer = await store.update(lambda tx: tx.update(made.replaced(pending_delete=True)))
    assert newer.meta.version.index == 2
    assert newer.meta.created_at == EPOCH
    assert newer.meta.updated_at == EPOCH + timedelta(seconds=1)
    with pytest.raises(OutOfSequence, match="update out of sequence"):
        await store.update(lambda tx: tx.update(made))


async def test_names_are_taken_once_until_removal_began(store):
    made = await store.update(lambda tx: tx.create(service("web")))
    with pytest.raises(Conflict, match="name conflicts with an existing object: service web"):
        await store.update(lambda tx: tx.create(service("web")))
    await store.update(lambda tx: tx.update(made.replaced(pending_delete=True)))
    again = await store.update(lambda tx: tx.create(service("web")))
    assert store.view(lambda view: view.by_name(Service, "web")) == again


async def test_an_exception_undoes_everything(store):
    made = await store.update(lambda tx: tx.create(service("web")))
    before = store.version

    def change(tx):
        tx.update(made.replaced(pending_delete=True))
        tx.create(service("other"))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await store.update(change)
    assert store.version == before
    assert store.view(lambda view: list(view.all(Service))) == [made]
    assert store.view(lambda view: view.by_name(Service, "other")) is None


async def test_a_stale_write_of_a_batch_is_dropped_whole(store):
    made = await store.update(lambda tx: tx.create(service("web")))
    newer = await store.update(lambda tx: tx.update(made.replaced(pending_delete=True)))
    stale = Write(create=(service("a"),), update=(made,), why="stale")
    fresh = Write(create=(service("b"),), update=(newer,), why="fresh")
    done = await store.batch([stale, fresh], Actor.ORCHESTRATOR)
    assert done.dropped == (stale,)
    names = store.view(lambda view: [s.spec.name for s in view.all(Service)])
    assert names == ["web", "b"]


def task(state=TaskState.NEW, desired=TaskState.RUNNING, **fields):
    return Task(
        id=TaskId(""),
        service_id="s",
        slot=1,
        status=TaskStatus(state=state),
        desired_state=desired,
        **fields,
    )


async def test_transitions_are_checked_at_the_write(store):
    with pytest.raises(InvalidTransition):
        store.commit([Write(create=(task(),))], Actor.SCHEDULER)
    store.commit([Write(create=(task(),))], Actor.ORCHESTRATOR)
    made = store.view(lambda view: next(view.all(Task)))
    running = made.replaced(node_id="n", status=TaskStatus(state=TaskState.RUNNING))
    with pytest.raises(InvalidTransition, match=r"orchestrator nothing->new/running") as caught:
        store.commit([Write(update=(running,))], Actor.AGENT)
    assert made.id in caught.value.message
    assert store.view(lambda view: next(view.all(Task))) == made


async def test_started_at_is_stamped_when_a_task_first_runs(store):
    store.commit([Write(create=(task(),))], Actor.ORCHESTRATOR)
    moves = [(Actor.ALLOCATOR, "pending"), (Actor.SCHEDULER, "assigned"), (Actor.AGENT, "running")]
    for actor, state in moves:
        made = store.view(lambda view: next(view.all(Task)))
        status = TaskStatus(state=TaskState(state))
        store.commit(
            [
                Write(
                    update=(
                        made.replaced(status=status, node_id="n" if state != "pending" else ""),
                    )
                )
            ],
            actor,
        )
    assert store.view(lambda view: next(view.all(Task))).started_at == EPOCH


async def test_indices_follow_the_objects(store):
    store.commit([Write(create=(task(), task()))], Actor.ORCHESTRATOR)
    one, two = store.view(lambda view: view.tasks_of_slot(("s", "1")))
    store.commit(
        [Write(update=(one.replaced(status=TaskStatus(state=TaskState.PENDING)),))], Actor.ALLOCATOR
    )
    one = store.view(lambda view: view.task(one.id))
    placed = one.replaced(node_id="n1", status=TaskStatus(state=TaskState.ASSIGNED))
    store.commit([Write(update=(placed,))], Actor.SCHEDULER)
    assert [t.id for t in store.view(lambda view: view.tasks_on_node("n1"))] == [one.id]
    assert [t.id for t in store.view(lambda view: view.tasks_on_node(""))] == [two.id]
    assert len(store.view(lambda view: view.tasks_of_service("s"))) == 2


async def test_a_watcher_gets_coalesced_batches(store):
    with store.watch([Service]) as watcher:
        made = await store.update(lambda tx: tx.create(service("web")))
        newer = await store.update(lambda tx: tx.update(made.replaced(pending_delete=True)))
        await store.update(
            lambda tx: tx.create(Node(id="n", description=NodeDescription(hostname="h")))
        )
        batch = watcher.drain()
        assert [(e.action, e.obj) for e in batch.events] == [(Action.CREATE, newer)]
        assert batch.version == 3
        await store.update(lambda tx: tx.delete(newer))
        batch = await anext(watcher)
        assert [e.action for e in batch.events] == [Action.REMOVE]


async def test_what_came_and_went_unseen_is_no_event(store):
    with store.watch([Service]) as watcher:
        made = await store.update(lambda tx: tx.create(service("web")))
        await store.update(lambda tx: tx.delete(made))
        assert not watcher.pending


async def test_a_watch_resumes_after_a_version(store):
    await store.update(lambda tx: tx.create(service("a")))
    await store.update(lambda tx: tx.create(service("b")))
    with store.watch([Service], since=1) as watcher:
        assert [e.obj.spec.name for e in watcher.drain().events] == ["b"]


async def test_a_watch_from_before_memory_is_refused():
    journal = MemoryJournal()
    first = Store(ManualClock(), journal)
    await first.open()
    await first.update(lambda tx: tx.create(service("a")))
    second = Store(ManualClock(), journal)
    await second.open()
    with pytest.raises(WatchLagged):
        second.watch([Service], since=0)
    with second.watch([Service], since=1) as watcher:
        assert not watcher.pending


async def test_what_was_acknowledged_survives():
    journal = MemoryJournal()
    first = Store(ManualClock(), journal)
    await first.open()
    made = await first.update(lambda tx: tx.create(service("a")))
    second = Store(ManualClock(), journal)
    await second.open()
    assert second.version == 1
    assert second.view(lambda view: view.service(made.id)) == made


async def test_an_answer_waits_for_the_disk():
    journal = MemoryJournal(latency=0.002)
    store = Store(ManualClock(), journal)
    await store.open()
    assert store.apply(lambda tx: tx.create(service("a")), Actor.USER).meta.version.index == 1
    assert (await journal.survivors().load()).objects == ()
    await store.durable(1)
    assert len((await journal.survivors().load()).objects) == 1


async def test_wiping_leaves_nothing_and_is_kept():
    journal = MemoryJournal()
    store = Store(ManualClock(), journal)
    await store.open()
    await store.update(lambda tx: tx.create(service("a")))
    with store.watch([Service]) as watcher:
        await store.wipe()
        assert [e.action for e in watcher.drain().events] == [Action.REMOVE]
    assert store.view(lambda view: view.count(Service)) == 0
    assert (await journal.load()).objects == ()


@pytest.mark.parametrize(
    ("kind", "made", "message"),
    [
        pytest.param(
            Service,
            lambda name: Service(id="", spec=ServiceSpec(name=name)),
            "name conflicts with an existing object: service WEB already exists",
            id="service",
        ),
        pytest.param(
            Secret,
            lambda name: Secret(id="", spec=SecretSpec(name=name)),
            "secret WEB already exists",
            id="secret",
        ),
    ],
)
async def test_names_differ_in_more_than_case(store, kind, made, message):
    first = await store.update(lambda tx: tx.create(made("web")), Actor.USER)
    with pytest.raises(Conflict, match=message):
        await store.update(lambda tx: tx.create(made("WEB")), Actor.USER)
    assert store.view(lambda view: view.by_name(kind, "web")) == first
    assert store.view(lambda view: view.by_name(kind, "WEB")) is None


async def test_names_that_an_older_state_has_twice_stay_and_can_be_written(store):
    table = store._tables[Service]
    for id_, name in (("1", "web"), ("2", "WEB")):
        table.put(Service(id=id_, spec=ServiceSpec(name=name)))
    for name in ("web", "WEB"):
        held = store.view(lambda view, n=name: view.by_name(Service, n))
        assert held.spec.name == name
        await store.update(
            lambda tx, s=held: tx.update(s.replaced(pending_delete=True)), Actor.USER
        )
    await store.update(
        lambda tx: tx.create(Service(id="", spec=ServiceSpec(name="Web"))), Actor.USER
    )
