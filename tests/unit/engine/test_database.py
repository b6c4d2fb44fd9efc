import asyncio
import sqlite3
import threading

import pytest

from hivelet.engine.database import SCHEMA_VERSION, Database
from hivelet.engine.writer import Write
from hivelet.errors import System
from hivelet.objects.container import LogConfig


async def test_records_survive_reopening(tmp_path):
    database = Database(tmp_path / "engine.db")
    await database.put("log", "a", LogConfig(type="one"))
    await database.put("log", "a", LogConfig(type="two"))
    await database.put("log", "b", LogConfig(type="three"))
    database.remove("log", "b")
    database.remove("log", "never-there")
    database.close()
    again = Database(tmp_path / "engine.db")
    assert [r.type for r in again.load("log", LogConfig)] == ["two"]
    again.close()


def test_a_damaged_file_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "engine.db"
    path.write_bytes(b"no database at all " * 200)
    with pytest.raises(System, match=r"engine\.db cannot be read .*backup"):
        Database(path)


def test_a_newer_file_is_refused(tmp_path):
    path = tmp_path / "engine.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(System, match="newer hivelet"):
        Database(path)


async def test_what_cannot_be_written_is_refused_or_written_later(tmp_path):
    path = tmp_path / "engine.db"
    database = Database(path)
    await database.put("k", "gone", LogConfig(type="gone"))
    database._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(System, match="can't be written"):
        await database.put("k", "refused", LogConfig(type="refused"))
    database.note("k", "late", LogConfig(type="first"))
    database.note("k", "late", LogConfig(type="last"))
    database.remove("k", "gone")
    await database.written()
    await database.catch_up()
    assert database.failure
    database._connection.execute("PRAGMA query_only = OFF")
    await database.catch_up()
    assert not database.failure
    assert [found.type for found in database.load("k", LogConfig)] == ["last"]
    database.close()


async def test_what_is_caught_up_with_does_not_replace_what_is_newer(tmp_path):
    database = Database(tmp_path / "engine.db")
    slow, held = threading.Event(), threading.Event()

    def hold(statement):
        if statement == "COMMIT":
            held.set()
            slow.wait(10)

    database._connection.execute("PRAGMA query_only = ON")
    database.note("k", "late", LogConfig(type="first"))
    await database.written()
    database._connection.execute("PRAGMA query_only = OFF")
    database._connection.set_trace_callback(hold)
    other = asyncio.ensure_future(database.put("other", "a", LogConfig(type="a")))
    while not held.is_set():
        await asyncio.sleep(0)
    database.note("k", "late", LogConfig(type="last"))
    catching = asyncio.ensure_future(database.catch_up())
    await asyncio.sleep(0)
    slow.set()
    await asyncio.gather(other, catching)
    database._connection.set_trace_callback(None)
    assert [found.type for found in database.load("k", LogConfig)] == ["last"]
    assert not database.failure
    database.close()


async def test_nobody_waits_for_a_disk_but_who_asks_for_it(tmp_path):
    database = Database(tmp_path / "engine.db")
    slow, held = threading.Event(), threading.Event()

    def hold(statement):
        if statement == "COMMIT":
            held.set()
            slow.wait(10)

    await database.written()
    database._connection.set_trace_callback(hold)
    first = asyncio.ensure_future(database.put("k", "a", LogConfig(type="first")))
    while not held.is_set():
        await asyncio.sleep(0)
    later = [
        asyncio.ensure_future(database.put("k", key, LogConfig(type=key), forced=False))
        for key in "bcd"
    ]
    database.note("k", "a", LogConfig(type="noted"))
    last = asyncio.ensure_future(database.written())
    await asyncio.sleep(0)
    assert not any(one.done() for one in (first, *later, last))
    slow.set()
    await asyncio.gather(first, *later, last)
    assert {one.type for one in database.load("k", LogConfig)} == {"noted", "b", "c", "d"}
    database.close()


async def test_one_that_is_refused_takes_no_other_with_it(tmp_path):
    database = Database(tmp_path / "engine.db")
    database._connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON records WHEN NEW.key = 'bad' BEGIN SELECT RAISE(FAIL, 'no luck today'); END"
    )
    found = await asyncio.gather(
        *(database.put("k", key, LogConfig(type=key)) for key in ("one", "bad", "two")),
        return_exceptions=True,
    )
    assert [str(error) for error in found if error is not None] == [
        f"the engine's database {tmp_path}/engine.db can't be written: no luck today, and try again"
    ]
    assert {one.type for one in database.load("k", LogConfig)} == {"one", "two"}
    database.close()


async def test_an_order_after_the_close_is_refused(tmp_path):
    database = Database(tmp_path / "engine.db")
    await database.put("k", "a", LogConfig(type="a"))
    database.close()
    async with asyncio.timeout(10):
        for late in (database.put("k", "b", LogConfig(type="b")), database.written()):
            with pytest.raises(System, match="hiveletd is ending"):
                await late
    database.note("k", "c", LogConfig(type="c"))  # nobody waits for it
    again = Database(tmp_path / "engine.db")
    assert [found.type for found in again.load("k", LogConfig)] == ["a"]
    again.close()


async def test_whoever_comes_beside_the_close_is_answered(tmp_path):
    """Each is written or refused, none is forgotten, and what was answered is in the file."""
    database = Database(tmp_path / "engine.db")
    told = [database._writer.take(Write(kind="k", key="0", body=b"{}", must=True))]
    closing = threading.Thread(target=database.close)
    closing.start()
    while closing.is_alive():
        told.append(
            database._writer.take(Write(kind="k", key=str(len(told)), body=b"{}", must=True))
        )
    closing.join()
    failures = [one.exception(timeout=10) for one in told]
    written = failures.count(None)
    assert all("is ending" in str(error) for error in failures[written:])
    again = Database(tmp_path / "engine.db")
    assert len(list(again.load("k", LogConfig))) == written
    again.close()
