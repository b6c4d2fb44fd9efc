"""What SQLite does not notice of its files, made with real files."""

import sqlite3

import pytest

from hivelet.kit.sqlite_files import (
    checksum,
    connect,
    look_after_opening,
    look_before_opening,
    lost_commits,
)

HEAD = 32
FRAME = 24 + 4096


@pytest.fixture
def log(tmp_path):
    """A write-ahead log with five commits that nobody has closed."""
    path = tmp_path / "a.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (x)")
    for number in range(4):
        db.execute("INSERT INTO t VALUES (?)", (number,))
    yield path.with_name("a.db-wal")
    db.close()


def read_by_sqlite(folder, log, data):
    """How many rows SQLite reads with this log."""
    copy = folder / "copy.db"
    copy.write_bytes(log.with_name("a.db").read_bytes())
    copy.with_name("copy.db-wal").write_bytes(data)
    db = sqlite3.connect(copy)
    try:
        ((count,),) = db.execute("SELECT count(*) FROM t")
    except sqlite3.OperationalError:
        count = 0  # not even the table
    db.close()
    return count


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_a_sound_log_and_one_whose_end_is_torn(log):
    data = log.read_bytes()
    assert lost_commits(data) == 0
    assert lost_commits(b"") == 0
    # Cut off anywhere, or hurt in its last commit: as a power cut leaves it.
    for cut in (1, FRAME - 1, FRAME, FRAME + 1):
        assert lost_commits(data[:-cut]) == 0
    assert lost_commits(flipped(data, len(data) - 100)) == 0


def test_a_damaged_frame_before_others_is_noticed_where_sqlite_drops_what_follows(log, tmp_path):
    data = log.read_bytes()
    frames = (len(data) - HEAD) // FRAME
    assert read_by_sqlite(tmp_path, log, data) == 4
    for frame in range(frames - 1):
        # One whose salts are hurt looks like a frame of an earlier round: two commits must follow to tell it from a torn end.
        salts = (9,) if frame < frames - 2 else ()
        for place in (4, *salts, 17, 24, 2000, FRAME - 1):
            hurt = flipped(data, HEAD + frame * FRAME + place)
            assert read_by_sqlite(tmp_path, log, hurt) < 4
            assert lost_commits(hurt) > 0, (frame, place)
    assert lost_commits(data[:HEAD] + b"\0" * FRAME + data[HEAD + FRAME :]) > 0


def test_a_damaged_head_is_noticed(log):
    data = log.read_bytes()
    for place in range(0, HEAD, 3):
        assert lost_commits(flipped(data, place)) > 0


def test_a_log_that_was_begun_again_has_old_frames_at_its_end(tmp_path):
    path = tmp_path / "b.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (x)")
    for number in range(20):
        db.execute("INSERT INTO t VALUES (?)", (number,))
    db.execute("PRAGMA wal_checkpoint(FULL)")
    db.execute("INSERT INTO t VALUES (99)")
    data = path.with_name("b.db-wal").read_bytes()
    assert len(data) > HEAD + 10 * FRAME
    assert lost_commits(data) == 0
    db.close()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.mkdir(), "is no file"),
        (lambda path: path.touch(), "it is empty"),
        (lambda path: path.symlink_to("/dev/null"), "is no file"),
        (lambda path: path.with_name("a.db-wal").write_bytes(b"x"), "is there without it"),
    ],
    ids=["directory", "empty", "link", "log-alone"],
)
def test_what_is_no_database_is_refused_and_stays(tmp_path, make, sentence):
    path = tmp_path / "a.db"
    make(path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(sqlite3.DatabaseError, match=sentence):
        look_before_opening(path, flushed=True, known=True)
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_new_is_let_through(tmp_path):
    look_before_opening(tmp_path / "a.db", flushed=True)
    (tmp_path / "a.db").touch()
    look_before_opening(tmp_path / "a.db", flushed=True)


def test_pages_that_do_not_fit_are_noticed(tmp_path):
    path = tmp_path / "a.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t (x)")
    db.executemany("INSERT INTO t VALUES (?)", [(f"{number:0500}",) for number in range(100)])
    db.commit()
    look_after_opening(db)
    db.close()
    data = path.read_bytes()
    path.write_bytes(data[: 2 * 4096] + b"\0" * 4096 + data[3 * 4096 :])
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        look_after_opening(db)
    db.close()


def test_a_checksum_is_of_all_parts_and_where_they_end():
    sums = {
        checksum(*parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), (b"abc", ""), ("abc", 1))
    }
    assert len(sums) == 5
    assert checksum("a", b"b", 1) == checksum("a", b"b", 1)


@pytest.mark.parametrize("known", [True, False])
def test_a_log_that_is_gone_before_anything_came_out_of_it_is_noticed(tmp_path, known):
    """SQLite begins such a database anew: all that was ever written into it was in the log."""
    path = tmp_path / "a.db"
    db = connect(path, lambda db: db.execute("PRAGMA journal_mode=WAL"))
    db.execute("CREATE TABLE t (x)")
    copy = tmp_path / "b.db"
    copy.write_bytes(path.read_bytes())
    db.close()
    if known:
        with pytest.raises(
            sqlite3.DatabaseError, match=r"nothing in it, and .*/b\.db-wal is missing"
        ):
            look_before_opening(copy, flushed=True, known=True)
    else:
        look_before_opening(copy, flushed=True)
    look_before_opening(path, flushed=True, known=True)


def test_no_other_user_reads_a_database_or_its_log(tmp_path):
    path = tmp_path / "a.db"
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("PRAGMA journal_mode=WAL")
    old.execute("CREATE TABLE t (x)")
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    for _ in range(2):
        db = connect(path, lambda db: db.execute("PRAGMA journal_mode=WAL"))
        db.execute("INSERT INTO t VALUES (1)")
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        assert modes == dict.fromkeys(("a.db", "a.db-wal", "a.db-shm"), 0o600)
        db.close()
        old.close()
        path.unlink()
        db = connect(path, lambda db: db.execute("PRAGMA journal_mode=WAL"))
        db.execute("CREATE TABLE t (x)")
        db.close()
