"""Autolock, as users turn it on and off, rotate its key, and meet it after a restart; in dockerd's words."""

import pytest

from hivelet.errors import (
    Conflict,
    InvalidParameter,
    NotASwarmManager,
    SwarmLocked,
    Unauthorized,
    Unavailable,
)
from hivelet.manager.controlapi import ControlApi
from hivelet.objects.cluster import EncryptionConfig
from hivelet.objects.swarm import SwarmInit, SwarmJoin, SwarmRotation
from hivelet.store import Store
from hivelet.store.journal import MemoryJournal
from hivelet.store.unlocking import new_unlock_key
from hivelet.testing.clock import ManualClock
from hivelet.testing.cluster import replicated


class Host:
    hostname = "box"
    without_ipv6 = ""

    def __init__(self):
        self.told = []

    def address(self, asked):
        return asked or "192.0.2.1"

    async def joined(self, node_id):
        self.told.append("joined")

    async def health_check(self, spec):
        return spec.healthcheck

    async def unlocked(self):
        self.told.append("unlocked")


async def start(journal):
    """A control API, as a daemon has it that has just started."""
    store, host = Store(ManualClock(), journal), Host()
    try:
        await store.open()
    except SwarmLocked:
        assert store.locked
    return ControlApi(store, host), host


async def lock(api, locked, **rotation):
    cluster = await api.inspect_swarm()
    spec = cluster.spec.replaced(encryption_config=EncryptionConfig(auto_lock_managers=locked))
    await api.update_swarm(cluster.meta.version.index, spec, SwarmRotation(**rotation))
    return await api.unlock_key()


async def test_a_key_comes_and_goes_with_the_setting():
    api, _ = await start(MemoryJournal())
    await api.init_swarm(SwarmInit())
    assert await api.unlock_key() == await lock(api, False, unlock_key=True) == ""
    first = await lock(api, True)
    assert first == await lock(api, True) == await lock(api, True, worker_token=True)
    second = await lock(api, True, unlock_key=True)
    assert second not in {"", first}
    assert await lock(api, False) == ""
    assert await lock(api, True) not in {"", first, second}


async def test_locked_and_unlocked():
    journal = MemoryJournal()
    api, _ = await start(journal)
    await api.init_swarm(SwarmInit(auto_lock_managers=True))
    await api.create_service(replicated("web", 1))
    assert (await api.inspect_swarm()).spec.encryption_config.auto_lock_managers
    key = await api.unlock_key()
    with pytest.raises(Conflict, match="swarm is not locked"):
        await api.unlock_swarm(key)

    api, host = await start(journal)
    status = await api.status()
    assert (status.local_node_state, status.control_available, status.cluster) == (
        "locked",
        False,
        None,
    )
    assert status.error == SwarmLocked().message
    for work in (
        api.list_services(),
        api.create_service(replicated("db", 1)),
        api.unlock_key(),
        api.inspect_swarm(),
    ):
        with pytest.raises(SwarmLocked, match="needs to be unlocked before it can be used"):
            await work
    for work in (api.init_swarm(SwarmInit()), api.join_swarm(SwarmJoin())):
        with pytest.raises(Unavailable, match="already part of a swarm"):
            await work
    with pytest.raises(NotASwarmManager, match="not a swarm manager"):
        await api.init_swarm(SwarmInit(force_new_cluster=True))
    with pytest.raises(Unavailable, match="Please unlock it first or use `--force`"):
        await api.leave_swarm(force=False)
    with pytest.raises(InvalidParameter, match="invalid key string"):
        await api.unlock_swarm("x")
    with pytest.raises(Unauthorized, match="invalid key provided"):
        await api.unlock_swarm(new_unlock_key())
    assert host.told == []
    await api.unlock_swarm(key)
    assert host.told == ["unlocked"]
    assert [service.spec.name for service in await api.list_services()] == ["web"]
    assert await api.unlock_key() == key


async def test_without_a_swarm_there_is_nothing_to_unlock():
    api, _ = await start(MemoryJournal())
    with pytest.raises(NotASwarmManager):
        await api.unlock_swarm("x")
    with pytest.raises(NotASwarmManager):
        await api.unlock_key()
