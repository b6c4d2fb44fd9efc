"""The SQLite journal: what it keeps, and what it says of a file it can't read."""

import base64
import sqlite3

import pytest

from hivelet.objects.network import Network
from hivelet.objects.plan import Write
from hivelet.objects.secret import Secret, SecretSpec
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.task import Task, TaskState, TaskStatus
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.journal import JournalCorrupt, JournalTooNew, encode
from hivelet.store.sealing import KeyUnusable, make_key
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
        ((data,),) = db.execute("SELECT data FROM objects")
        db.execute("UPDATE objects SET data = ?", (data[:-1] + bytes([data[-1] ^ 1]),))
    db.close()
    with pytest.raises(JournalCorrupt, match=r"service abc in .*cluster.db can't be read"):
        await open_store(path)


async def test_a_record_is_no_use_in_anothers_place(tmp_path):
    path = tmp_path / "cluster.db"
    store = await open_store(path)
    for name in ("one", "two"):
        await store.update(lambda tx, n=name: tx.create(Secret(id=n, spec=SecretSpec(name=n))))
    await store.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE objects SET data = (SELECT data FROM objects WHERE id = 'one')")
    db.close()
    with pytest.raises(JournalCorrupt, match="secret two"):
        await open_store(path)


def written(folder):
    """Every byte of every file."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


SECRET = b"correct horse battery staple"


async def test_nothing_of_a_secret_is_on_the_disk_in_plain(tmp_path):
    path = tmp_path / "cluster.db"
    store = await open_store(path)
    spec = SecretSpec(name="password", data=SECRET)
    await store.update(lambda tx: tx.create(Secret(id="s", spec=spec)))
    encoded = base64.b64encode(SECRET)
    for _ in range(2):
        assert path.with_suffix(".key").stat().st_mode & 0o777 == 0o600
        assert SECRET not in written(tmp_path)
        assert encoded not in written(tmp_path)
        assert b"password" not in written(tmp_path)
        # While it is open there is a write-ahead log, afterwards there is none.
        await store.close()
    assert by_id(await open_store(path), Secret)["s"].spec.data == SECRET


async def test_a_state_in_plain_is_sealed_when_it_is_opened(tmp_path):
    path = tmp_path / "cluster.db"
    secret = Secret(id="s", spec=SecretSpec(name="password", data=SECRET))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
        db.execute(
            "CREATE TABLE objects (kind TEXT NOT NULL, id TEXT NOT NULL, data BLOB NOT NULL, "
            "PRIMARY KEY (kind, id)) WITHOUT ROWID"
        )
        db.execute("INSERT INTO meta VALUES ('schema', 1), ('version', 7)")
        db.execute("INSERT INTO objects VALUES ('secret', 's', ?)", (encode(secret),))
    db.close()
    assert base64.b64encode(SECRET) in written(tmp_path)
    store = await open_store(path)
    assert store.version == 7
    assert by_id(store, Secret) == {"s": secret}
    assert base64.b64encode(SECRET) not in written(tmp_path)
    await store.close()
    assert by_id(await open_store(path), Secret) == {"s": secret}


async def test_a_missing_damaged_or_foreign_key_is_told(tmp_path):
    path = tmp_path / "cluster.db"
    key = path.with_suffix(".key")
    store = await open_store(path)
    await store.update(lambda tx: tx.create(Service(id="abc", spec=ServiceSpec(name="web"))))
    await store.close()
    kept = key.read_bytes()
    for content, sentence in (
        (None, "is missing"),
        (b"{}", "is damaged"),
        (kept.replace(b'"format":1', b'"format":2'), "later hivelet"),
    ):
        key.unlink(missing_ok=True)
        if content is not None:
            key.write_bytes(content)
        with pytest.raises(KeyUnusable, match=sentence):
            await open_store(path)
    make_key(key)
    with pytest.raises(KeyUnusable, match="does not fit"):
        await open_store(path)
    key.write_bytes(kept)
    assert set(by_id(await open_store(path), Service)) == {"abc"}


async def test_a_later_format_is_refused(tmp_path):
    path = tmp_path / "cluster.db"
    store = await open_store(path)
    await store.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
    db.close()
    with pytest.raises(JournalTooNew, match="format 99"):
        await open_store(path)
