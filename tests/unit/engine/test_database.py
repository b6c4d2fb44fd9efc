import sqlite3

import pytest

from hivelet.engine.database import SCHEMA_VERSION, Database
from hivelet.errors import System
from hivelet.objects.container import LogConfig


def test_records_survive_reopening(tmp_path):
    database = Database(tmp_path / "engine.db")
    database.put("log", "a", LogConfig(type="one"))
    database.put("log", "a", LogConfig(type="two"))
    database.put("log", "b", LogConfig(type="three"))
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


def test_what_cannot_be_written_is_refused_or_written_later(tmp_path):
    path = tmp_path / "engine.db"
    database = Database(path)
    database.put("k", "gone", LogConfig(type="gone"))
    database._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(System, match="can't be written"):
        database.put("k", "refused", LogConfig(type="refused"))
    database.note("k", "late", LogConfig(type="first"))
    database.note("k", "late", LogConfig(type="last"))
    database.remove("k", "gone")
    database.catch_up()
    assert database.failure
    database._connection.execute("PRAGMA query_only = OFF")
    database.catch_up()
    assert not database.failure
    assert [found.type for found in database.load("k", LogConfig)] == ["last"]
    database.close()
