"""SQLite's errors, made with real files."""

import os
import sqlite3

import pytest

from hivelet.kit.sqlite_faults import describe_sqlite_fault


def failure(path, statement, before=()):
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        for line in before:
            connection.execute(line)
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(statement)
    finally:
        connection.close()
    return caught.value


def test_a_file_that_may_not_grow_is_full(tmp_path):
    path = tmp_path / "a.db"
    error = failure(path, "CREATE TABLE u (x)", ["CREATE TABLE t (x)", "PRAGMA max_page_count = 2"])
    assert describe_sqlite_fault(path, error).startswith(
        "database or disk is full (no space left on device); make space: "
    )


def test_another_program_holds_it(tmp_path):
    path = tmp_path / "a.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    error = failure(path, "CREATE TABLE t (x)")
    holder.close()
    assert describe_sqlite_fault(path, error) == (
        "database is locked; another program has it open: end that"
    )


def test_a_folder_that_is_gone(tmp_path):
    path = tmp_path / "gone" / "a.db"
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(path)
    assert describe_sqlite_fault(path, caught.value) == (
        "unable to open database file (no such file or directory); "
        "its file system is full, read-only or broken: mend that"
    )


def test_what_is_in_the_file_is_the_file_s_affair(tmp_path):
    path = tmp_path / "a.db"
    assert not describe_sqlite_fault(path, failure(path, "SELECT * FROM nothing"))
    assert not describe_sqlite_fault(path, sqlite3.DatabaseError("it is cut off"))
    path.write_bytes(b"no database at all " * 200)
    assert not describe_sqlite_fault(path, failure(path, "SELECT * FROM sqlite_schema"))


@pytest.mark.parametrize(("inodes", "free", "full"), [(0, 0, False), (9, 0, True), (9, 1, False)])
def test_a_file_system_without_a_number_of_inodes_has_room(
    tmp_path, monkeypatch, inodes, free, full
):
    found = os.statvfs(tmp_path)
    fields = list(found)
    fields[5:8] = inodes, free, free
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "gone" / "a.db")
    said = describe_sqlite_fault(tmp_path / "a.db", caught.value)
    assert ("no space left" in said) == full
