"""A state that was hurt on the disk: refused with the file's name and the way out, and left as it is."""

import random
import shutil
import sqlite3

import pytest

from hivelet.errors import HiveletError
from hivelet.objects.cluster import Cluster
from hivelet.objects.secret import Secret, SecretSpec
from hivelet.store import Store
from hivelet.store.journal import SCHEMA
from hivelet.store.sqlite import SqliteJournal
from hivelet.testing.clock import ManualClock


async def open_in(folder):
    store = Store(ManualClock(), SqliteJournal(folder / "state.db"))
    await store.open()
    return store


def content(store):
    return store.version, store.view(lambda view: [*view.all(Cluster), *view.all(Secret)])


@pytest.fixture
async def state(tmp_path):
    """A folder with a state of some pages, and what is in it."""
    folder = tmp_path / "swarm"
    store = await open_in(folder)
    await store.update(lambda tx: tx.create(Cluster(id="c")))
    for number in range(30):
        spec = SecretSpec(name=f"s{number}", data=bytes([number]) * 700)
        await store.update(lambda tx, n=number, s=spec: tx.create(Secret(id=f"id{n}", spec=s)))
    expected = content(store)
    await store.close()
    return folder, expected


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def write(name, change):
    def hurt(folder):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return hurt


def replace_by_directory(folder):
    (folder / "state.db").unlink()
    (folder / "state.db").mkdir()


DAMAGES = {
    "empty": write("state.db", lambda data: b""),
    "zeros": write("state.db", lambda data: b"\0" * len(data)),
    "cut in half": write("state.db", lambda data: data[: len(data) // 2]),
    "cut by some bytes": write("state.db", lambda data: data[:-1000]),
    "a zero page": write("state.db", lambda data: data[:8192] + b"\0" * 4096 + data[12288:]),
    "text": write("state.db", lambda data: b"what is this? " * 1000),
    "a directory": replace_by_directory,
    "key empty": write("state.key", lambda data: b""),
    "key cut": write("state.key", lambda data: data[:-10]),
    "key zeros": write("state.key", lambda data: b"\0" * len(data)),
    "key of another": write("state.key", lambda data: data.replace(b'"key":"', b'"key":"AAAA', 1)),
    "key lost": lambda folder: (folder / "state.key").unlink(),
    "log alone": lambda folder: (folder / "state.db").rename(folder / "state.db-wal"),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_told_by_name_and_nothing_is_overwritten(state, name):
    folder, expected = state
    sound = folder.with_name("sound")
    shutil.copytree(folder, sound)
    DAMAGES[name](folder)
    before = files_of(folder)
    with pytest.raises(HiveletError) as caught:
        await open_in(folder)
    assert str(folder / "state.") in caught.value.message
    assert any(word in caught.value.message for word in ("Restore", "back", "later hivelet"))
    assert files_of(folder) == before
    shutil.rmtree(folder)
    shutil.copytree(sound, folder)
    store = await open_in(folder)
    assert content(store) == expected
    await store.close()


@pytest.mark.parametrize("seed", range(4))
async def test_no_flipped_bit_changes_what_is_read(state, seed):
    """Wherever it is, it is noticed, or hits what nothing is read from."""
    folder, expected = state
    data = (folder / "state.db").read_bytes()
    dice = random.Random(seed)
    noticed = 0
    for _ in range(60):
        place = dice.randrange(len(data))
        hurt = bytearray(data)
        hurt[place] ^= 1 << dice.randrange(8)
        (folder / "state.db").write_bytes(hurt)
        try:
            store = await open_in(folder)
        except HiveletError:
            noticed += 1
        else:
            assert content(store) == expected, place
            await store.close()
        for path in folder.glob("state.db-*"):
            path.unlink()
    assert noticed


async def test_a_file_of_another_user_is_refused(state, monkeypatch):
    folder, _ = state
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(HiveletError, match=r"belongs to user .*chown root"):
        await open_in(folder)


async def test_a_log_that_is_hurt_before_its_last_commit_is_noticed(state):
    folder, _ = state
    store = await open_in(folder)
    for number in range(5):
        spec = SecretSpec(name=f"t{number}", data=b"x")
        await store.update(lambda tx, s=spec: tx.create(Secret(id="", spec=s)))
    expected = content(store)
    crashed = folder.with_name("crashed")
    shutil.copytree(folder, crashed)
    await store.close()
    log = crashed / "state.db-wal"
    data = log.read_bytes()
    for place in (40, 3000, len(data) // 2):
        log.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        before = files_of(crashed)
        with pytest.raises(HiveletError, match=r"state\.db-wal is damaged, and with it"):
            await open_in(crashed)
        assert files_of(crashed) == before
    log.write_bytes(data)
    again = await open_in(crashed)
    assert content(again) == expected
    await again.close()


async def test_a_crash_before_the_first_commit_leaves_nothing_in_the_way(tmp_path):
    """The key is made first; without a state it is used, not replaced."""
    store = await open_in(tmp_path)
    await store.close()
    key = (tmp_path / "state.key").read_bytes()
    (tmp_path / "state.db").unlink()
    store = await open_in(tmp_path)
    assert (tmp_path / "state.key").read_bytes() == key
    assert not store.locked
    await store.close()


@pytest.mark.parametrize("number", [1, 0, None])
async def test_a_damaged_number_of_the_format_seals_nothing_twice(state, number):
    folder, expected = state
    db = sqlite3.connect(folder / "state.db", isolation_level=None)
    db.execute("PRAGMA synchronous=OFF")
    if number is None:
        db.execute("DELETE FROM meta WHERE key = 'schema'")
    else:
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (number,))
    with pytest.raises(HiveletError, match=r"state\.db can't be read.*hivelet restore"):
        await open_in(folder)
    db.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (SCHEMA,))
    db.close()
    store = await open_in(folder)
    assert content(store) == expected
    await store.close()
