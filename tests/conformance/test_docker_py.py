"""docker-py, unmodified, against the API."""

from __future__ import annotations

import asyncio

import docker
import pytest
from docker.types import EndpointSpec, ServiceMode

from hivelet.objects.log import LogRecord
from hivelet.testing.sample import CONTAINERS, TASKS


@pytest.fixture
async def client(world):
    made = await asyncio.to_thread(docker.DockerClient, base_url=world.host, version="auto")
    yield made
    await asyncio.to_thread(made.close)


async def ask(work, *args, **more):
    return await asyncio.to_thread(work, *args, **more)


async def test_versions_are_negotiated(client):
    assert client.api.api_version == "1.44" or client.api.api_version <= "1.47"
    assert await ask(client.ping)


async def test_lists(client):
    assert [s.name for s in await ask(client.services.list)] == ["web"]
    assert [n.attrs["Description"]["Hostname"] for n in await ask(client.nodes.list)] == ["node-1"]
    names = {c.name for c in await ask(client.containers.list)}
    assert names == {f"web.{slot}.{TASKS[slot - 1]}" for slot in (1, 2)}
    assert [i.tags for i in await ask(client.images.list)] == [["myweb:latest"]]
    assert len(await ask(client.networks.list)) == 4
    assert await ask(client.volumes.list) == []
    assert await ask(client.secrets.list) == []


async def test_a_services_life(client, world):
    service = await ask(
        client.services.create,
        "myweb:latest",
        command=["run"],
        name="py",
        mode=ServiceMode("replicated", replicas=3),
        endpoint_spec=EndpointSpec(ports={8080: 80}),
    )
    kept = await world.swarm.get_service("py")
    assert kept.replicas == 3
    assert kept.spec.endpoint_spec.ports[0].published_port == 8080
    await ask(service.scale, 5)
    assert (await world.swarm.get_service("py")).replicas == 5
    await ask(service.reload)
    assert await ask(service.force_update)
    await ask(service.remove)
    with pytest.raises(docker.errors.NotFound):
        await ask(client.services.get, "py")


async def test_logs(client, world):
    world.engine.logs[CONTAINERS[0]] = [LogRecord(line=b"hello\n")]
    container = await ask(client.containers.get, CONTAINERS[0])
    assert await ask(container.logs) == b"hello\n"
    service = await ask(client.services.get, "web")
    assert b"".join(await ask(lambda: list(service.logs(stdout=True)))) == b"hello\n"


async def test_errors(client):
    with pytest.raises(docker.errors.NotFound, match="No such container"):
        await ask(client.containers.get, "nope")
    with pytest.raises(docker.errors.APIError, match="501"):
        await ask(client.images.search, "myweb")
