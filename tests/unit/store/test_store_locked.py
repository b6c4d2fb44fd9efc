"""A state that needs an unlock key: what its files tell without it, and what happens between two writes of it."""

import re

import pytest

from hivelet.errors import Conflict, InvalidParameter, SwarmLocked
from hivelet.objects.cluster import Cluster
from hivelet.store import Store
from hivelet.store.sealing import is_locked, read_key
from hivelet.store.sqlite import SqliteJournal
from hivelet.store.unlocking import UnlockKeyWrong, new_unlock_key, parse_unlock_key
from hivelet.testing.clock import ManualClock


def store_in(folder):
    return Store(ManualClock(), SqliteJournal(folder / "state.db"))


def key_of(store):
    return store.view(lambda view: view.cluster().unlock_key)


async def set_key(store, key):
    await store.update(lambda tx: tx.update(tx.cluster().replaced(unlock_key=key)))


async def locked_in(folder):
    """A closed state, and its unlock key."""
    store, key = store_in(folder), new_unlock_key()
    await store.open()
    await store.update(lambda tx: tx.create(Cluster(id="c", unlock_key=key)))
    await store.protect()
    await store.close()
    return key


def test_keys_are_written_as_docker_writes_them():
    key = new_unlock_key()
    assert re.fullmatch(r"SWMKEY-1-[A-Za-z0-9+/]{43}", key)
    assert len(parse_unlock_key(key)) == 32
    for wrong in ("", "x", key[:-1], key + "A", key.removeprefix("SWMKEY-1-"), key[:-1] + "ä"):
        with pytest.raises(InvalidParameter, match="invalid key string"):
            parse_unlock_key(wrong)


async def test_it_opens_with_its_key_alone(tmp_path):
    key = await locked_in(tmp_path)
    assert key.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    store = store_in(tmp_path)
    with pytest.raises(SwarmLocked):
        await store.open()
    assert store.locked
    with pytest.raises(SwarmLocked):
        await store.update(lambda tx: tx.create(Cluster(id="another")))
    with pytest.raises(UnlockKeyWrong):
        await store.unlock(new_unlock_key())
    assert store.locked
    await store.unlock(key)
    assert not store.locked
    assert key_of(store) == key
    with pytest.raises(Conflict, match="swarm is not locked"):
        await store.unlock(key)
    await store.close()


async def test_the_key_file_follows_the_cluster(tmp_path):
    key = await locked_in(tmp_path)
    file, store, newer = tmp_path / "state.key", store_in(tmp_path), new_unlock_key()
    await store.open(key)
    await set_key(store, newer)
    await store.protect()
    with pytest.raises(UnlockKeyWrong):
        read_key(file, key)
    assert read_key(file, newer).key
    await set_key(store, "")
    await store.protect()
    assert not is_locked(file)
    assert file.stat().st_mode & 0o777 == 0o600
    await store.close()


@pytest.mark.parametrize("now", ["another", "none"])
async def test_a_crash_before_the_key_file_was_written_leaves_the_key_that_is_known(tmp_path, now):
    key = await locked_in(tmp_path)
    newer = new_unlock_key() if now == "another" else ""
    store = store_in(tmp_path)
    await store.open(key)
    await set_key(store, newer)
    await store.close()  # what protect() would have written is missing
    store = store_in(tmp_path)
    await store.open(key)
    assert key_of(store) == newer
    await store.close()
    assert is_locked(tmp_path / "state.key") is bool(newer)
    assert read_key(tmp_path / "state.key", newer).key


async def test_whoever_has_lost_the_key_can_only_begin_anew(tmp_path):
    await locked_in(tmp_path)
    store = store_in(tmp_path)
    with pytest.raises(SwarmLocked):
        await store.open()
    await store.wipe()
    assert not store.locked
    assert store.view(lambda view: view.cluster()) is None
    await store.update(lambda tx: tx.create(Cluster(id="another")))
    await store.close()
    store = store_in(tmp_path)
    await store.open()
    assert store.view(lambda view: view.cluster()).id == "another"
    await store.close()


async def test_leaving_a_swarm_leaves_no_lock(tmp_path):
    key = await locked_in(tmp_path)
    store = store_in(tmp_path)
    await store.open(key)
    await store.wipe()
    await store.close()
    await store_in(tmp_path).open()
