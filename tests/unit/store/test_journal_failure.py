"""The journal can't be written for a while: memory goes back to what is on the disk, and waits for it."""

import asyncio
import sqlite3

import pytest

from hivelet.errors import System
from hivelet.objects.plan import Write
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.task import Task, TaskState, TaskStatus
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.durability import JournalFailed
from hivelet.store.events import Action, Event
from hivelet.store.journal import MemoryJournal
from hivelet.store.sqlite import SqliteJournal
from hivelet.store.undoing import inverse
from hivelet.testing.clock import ManualClock


class FullDisk(MemoryJournal):
    """Refuses while it is full, also what was appended before that became known."""

    full = False

    def append(self, entry):
        if not self.full:
            return super().append(entry)
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, System("disk is full"))
        return future

    async def retry(self):
        await asyncio.sleep(0)
        if self.full:
            raise System("disk is full")


def service(name):
    return Service(id="", spec=ServiceSpec(name=name))


def names(store):
    return sorted(found.spec.name for found in store.view(lambda view: list(view.all(Service))))


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def disk():
    return FullDisk()


@pytest.fixture
async def store(disk):
    store = Store(ManualClock(), disk)
    await store.open()
    background = asyncio.ensure_future(store.keep_writable())
    yield store
    background.cancel()


async def test_what_could_not_be_kept_is_taken_back(store, disk):
    made = await store.update(lambda tx: tx.create(service("a")))
    task = Task(id="", service_id="s", slot=1, desired_state=TaskState.RUNNING)
    store.commit([Write(create=(task,))], Actor.ORCHESTRATOR)
    (before,) = store.view(lambda view: list(view.all(Task)))
    disk.full = True
    with store.watch([Service, Task], coalescing=False) as watcher:
        store.commit(
            [Write(update=(before.replaced(status=TaskStatus(message="x")),))], Actor.ALLOCATOR
        )
        store.apply(lambda tx: tx.delete(made), Actor.USER)
        with pytest.raises(JournalFailed, match=r"disk is full\. Nothing was changed"):
            await store.update(lambda tx: tx.create(service("b")))
        await settle()
        told = [event.action for event in watcher.drain().events]
    assert told == [
        *(Action.UPDATE, Action.REMOVE, Action.CREATE),
        *(Action.REMOVE, Action.CREATE, Action.UPDATE),
    ]
    assert names(store) == ["a"]
    assert store.view(lambda view: list(view.all(Task))) == [before]
    assert names_of(await disk.load()) == ["a"]


def names_of(saved):
    return sorted(obj.spec.name for obj in saved.objects if isinstance(obj, Service))


async def test_nothing_is_taken_while_it_fails_and_all_is_after_that(store, disk):
    disk.full = True
    with pytest.raises(JournalFailed):
        await store.update(lambda tx: tx.create(service("a")))
    with pytest.raises(JournalFailed):
        store.apply(lambda tx: tx.create(service("a")), Actor.USER)
    assert store.failure
    await settle()
    waiting = asyncio.ensure_future(store.writable())
    await settle()
    assert not waiting.done()
    disk.full = False
    await waiting
    assert not store.failure
    made = await store.update(lambda tx: tx.create(service("a")))
    assert made.meta.version.index == store.version == 3  # made, taken back, made
    assert store.setbacks == 1
    assert (await disk.load()).version == 3


async def test_the_file_keeps_nothing_that_follows_what_it_could_not_keep(tmp_path):
    path = tmp_path / "state.db"
    journal = SqliteJournal(path)
    store = Store(ManualClock(), journal)
    await store.open()
    await store.update(lambda tx: tx.create(service("kept")))
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute(
        "CREATE TRIGGER full BEFORE INSERT ON objects BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    )
    with pytest.raises(JournalFailed, match="disk is full"):
        await store.update(lambda tx: tx.create(service("lost")))
    blocker.execute("DROP TRIGGER full")
    # It can be written by now. What was refused stays so until the store, having taken it back, tries again.
    with pytest.raises(JournalFailed):
        await store.update(lambda tx: tx.create(service("lost")))
    await journal.retry()
    blocker.close()
    await store.close()
    again = Store(ManualClock(), SqliteJournal(path))
    await again.open()
    assert names(again) == ["kept"]
    await again.close()


def test_the_inverse_of_events_is_itself_undone_by_their_order():
    old, new = service("old"), service("new")
    events = (
        Event(Action.CREATE, old),
        Event(Action.UPDATE, new, old),
        Event(Action.REMOVE, new, new),
    )
    assert inverse(events) == (
        Event(Action.CREATE, new),
        Event(Action.UPDATE, old, new),
        Event(Action.REMOVE, old, old),
    )
