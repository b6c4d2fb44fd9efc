"""The SQLite journal: what it keeps, and what it says of a file it can't read."""

import sqlite3

import pytest

from hivelet.objects.network import Network
from hivelet.objects.plan import Write
from hivelet.objects.secret import Secret, SecretSpec
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.task import Task, TaskState, TaskStatus
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.journal import JournalCorrupt, JournalTooNew
from hivelet.store.sqlite import SqliteJournal
from hivelet.testing.clock import ManualClock


def task():
    return Task(id="", service_id="s", slot=1, desired_state=TaskState.RUNNING)


async def open_store(path):
    store = Store(ManualClock(), SqliteJournal(path))
    await store.open()
    return store


def by_id(store, kind):
    return store.view(lambda view: {obj.id: obj for obj in view.all(kind)})


async def test_everything_comes_back(tmp_path):
    path = tmp_path / "state" / "cluster.db"
    store = await open_store(path)
    made = await store.update(lambda tx: tx.create(Service(id="", spec=ServiceSpec(name="web"))))
    secret = await store.update(
        lambda tx: tx.create(Secret(id="", spec=SecretSpec(name="s", data=b"\x00\xff")))
    )
    store.commit([Write(create=(task(), task()))], Actor.ORCHESTRATOR)
    await store.update(lambda tx: tx.update(made.replaced(pending_delete=True)))
    await store.close()
    again = await open_store(path)
    assert again.version == store.version == 4
    for kind in (Service, Secret, Task, Network):
        assert by_id(again, kind) == by_id(store, kind)
    assert again.view(lambda v: v.secret(secret.id)).spec.data == b"\x00\xff"
    assert path.stat().st_mode & 0o777 == 0o600
    await again.close()


async def test_many_commits_need_few_transactions_and_last_values_win(tmp_path):
    store = await open_store(tmp_path / "cluster.db")
    store.commit([Write(create=(task(),))], Actor.ORCHESTRATOR)
    for n in range(50):
        made = store.view(lambda view: next(view.all(Task)))
        status = TaskStatus(message=str(n))
        store.commit([Write(update=(made.replaced(status=status),))], Actor.ALLOCATOR)
    await store.durable(store.version)
    await store.close()
    with sqlite3.connect(tmp_path / "cluster.db") as db:
        ((count,),) = db.execute("SELECT count(*) FROM objects")
    db.close()
    assert count == 1


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "cluster.db"
    path.write_bytes(b"not a database at all, but long enough to be taken for one" * 20)
    with pytest.raises(JournalCorrupt, match=r"cluster\.db can't be read"):
        await open_store(path)


async def test_a_damaged_object_is_refused_by_name(tmp_path):
    path = tmp_path / "cluster.db"
    store = await open_store(path)
    await store.update(lambda tx: tx.create(Service(id="abc", spec=ServiceSpec(name="web"))))
    await store.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE objects SET data = '{'")
    db.close()
    with pytest.raises(JournalCorrupt, match="service abc in the journal"):
        await open_store(path)


async def test_a_later_format_is_refused(tmp_path):
    path = tmp_path / "cluster.db"
    store = await open_store(path)
    await store.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
    db.close()
    with pytest.raises(JournalTooNew, match="format 99"):
        await open_store(path)
