"""The validated way in: what is refused, in whose words, and what is seen afterwards."""

import pytest

from hivelet.errors import (
    Conflict,
    Forbidden,
    InvalidParameter,
    NotASwarmManager,
    NotFound,
    NotImplemented,
    OutOfSequence,
    Unavailable,
)
from hivelet.manager.controlapi import ControlApi
from hivelet.objects.cluster import ClusterSpec, OrchestrationConfig
from hivelet.objects.common import Driver
from hivelet.objects.container import Healthcheck
from hivelet.objects.network import IpamConfig, IpamOptions
from hivelet.objects.secret import ConfigSpec, SecretSpec
from hivelet.objects.service import GlobalMode, ServiceMode
from hivelet.objects.swarm import ServiceUpdate, SwarmInit, SwarmJoin, SwarmRotation
from hivelet.objects.task import (
    ConfigReference,
    ContainerSpec,
    PortConfig,
    SecretReference,
    SecretReferenceFile,
)
from hivelet.store import Store
from hivelet.store.journal import MemoryJournal
from hivelet.testing.clock import ManualClock
from hivelet.testing.cluster import overlay, replicated, scaled, with_image


class Host:
    hostname = "box"
    without_ipv6 = ""
    image_check = None

    def __init__(self):
        self.told = []

    def address(self, asked):
        return asked or "192.0.2.1"

    async def used_subnets(self):
        return {"198.51.100.0/24": "interface eth0"}

    async def joined(self, node_id):
        self.told.append(node_id)

    async def unlocked(self):
        self.told.append("unlocked")

    async def left(self):
        self.told.append("left")

    async def health_check(self, spec):
        return spec.healthcheck or self.image_check


@pytest.fixture
async def empty():
    store = Store(ManualClock(), MemoryJournal())
    await store.open()
    return ControlApi(store, Host())


@pytest.fixture
async def api(empty):
    await empty.init_swarm(SwarmInit())
    return empty


async def update(api, ref, edit, **how):
    service = await api.get_service(ref)
    version = service.meta.version.index
    await api.update_service(ref, version, edit(service.spec), ServiceUpdate(**how))
    return await api.get_service(ref)


async def test_without_a_swarm(empty):
    assert (await empty.status()).local_node_state == "inactive"
    for work in (
        empty.list_services(),
        empty.create_service(replicated("web", 1)),
        empty.get_node("self"),
        empty.create_network(overlay("n")),
        empty.inspect_swarm(),
    ):
        with pytest.raises(NotASwarmManager):
            await work
    with pytest.raises(Unavailable, match="not part of a swarm"):
        await empty.leave_swarm(force=True)
    with pytest.raises(NotImplemented, match="can't join"):
        await empty.join_swarm(SwarmJoin())


async def test_init_makes_cluster_node_and_ingress(api):
    status = await api.status()
    assert (status.local_node_state, status.nodes, status.managers) == ("active", 1, 1)
    assert status.remote_managers[0].addr == "192.0.2.1:2377"
    node = await api.get_node("self")
    assert await api.get_node("box") == await api.get_node(node.id[:6]) == node
    assert (node.spec.role, node.manager_status.leader) == ("manager", True)
    (ingress,) = await api.list_networks()
    assert (ingress.spec.name, ingress.spec.ingress) == ("ingress", True)
    assert (await api.inspect_swarm()).join_tokens.worker.startswith("SWMTKN-1-")
    with pytest.raises(Unavailable, match="already part of a swarm"):
        await api.init_swarm(SwarmInit())
    with pytest.raises(Unavailable, match="Use `--force`"):
        await api.leave_swarm(force=False)


async def test_swarm_update_and_tokens(api):
    before = await api.inspect_swarm()
    spec = ClusterSpec(orchestration=OrchestrationConfig(task_history_retention_limit=2))
    await api.update_swarm(before.meta.version.index, spec, SwarmRotation(worker_token=True))
    after = await api.inspect_swarm()
    assert after.spec.orchestration.task_history_retention_limit == 2
    assert after.join_tokens.manager == before.join_tokens.manager
    assert after.join_tokens.worker != before.join_tokens.worker
    with pytest.raises(OutOfSequence, match="code = Unknown desc = update out of sequence"):
        await api.update_swarm(before.meta.version.index, spec, SwarmRotation())


async def test_services_by_id_name_and_prefix(api):
    made = await api.create_service(replicated("web", 2))
    for ref in (made.id, "web", made.id[:5]):
        assert (await api.get_service(ref)).id == made.id
    with pytest.raises(NotFound, match="service nope not found"):
        await api.get_service("nope")
    with pytest.raises(
        Conflict, match="AlreadyExists desc = name conflicts with an existing object"
    ):
        await api.create_service(replicated("web", 2))
    await api.remove_service("web")
    assert await api.list_services() == []
    with pytest.raises(NotFound):
        await api.remove_service("web")
    await api.create_service(replicated("web", 2))


async def test_updates_keep_the_previous_spec_and_roll_back(api):
    await api.create_service(replicated("web", 2))
    first = await api.get_service("web")
    second = await update(api, "web", lambda s: with_image(s, "web:2"))
    assert second.previous_spec == first.spec
    assert second.spec_version.index > first.spec_version.index
    back = await update(api, "web", lambda s: s, rollback="previous")
    assert (back.spec, back.previous_spec) == (first.spec, second.spec)
    assert back.spec_version == first.spec_version
    assert back.update_status.message == "manually requested rollback"


async def test_credentials_stay_with_the_spec_they_came_with(api):
    """Docker's rules: none in an update keeps them, `previous-spec` takes those before, a rollback brings its own back."""
    await api.create_service(replicated("web", 2), registry_auth="one")

    async def after(**how):
        service = await update(api, "web", lambda s: with_image(s, f"web:{len(how)}"), **how)
        return service.registry_auth, service.previous_registry_auth

    assert await after() == ("one", "one")
    assert await after(registry_auth="two") == ("two", "one")
    assert await after(rollback="previous") == ("one", "two")
    assert await after(registry_auth_from="previous-spec") == ("two", "one")
    assert await after(registry_auth_from="spec") == ("two", "two")


async def test_update_refusals(api):
    await api.create_service(replicated("web", 2))
    service = await api.get_service("web")
    with pytest.raises(InvalidParameter, match="does not have a previous spec"):
        await update(api, "web", lambda s: s, rollback="previous")
    with pytest.raises(NotImplemented, match="renaming services is not supported"):
        await update(api, "web", lambda s: s.replaced(name="other"))
    with pytest.raises(NotImplemented, match="service mode change is not allowed"):
        await update(api, "web", lambda s: s.replaced(mode=ServiceMode(global_=GlobalMode())))
    with pytest.raises(OutOfSequence):
        await api.update_service("web", 1, service.spec, ServiceUpdate())
    assert await api.get_service("web") == service


async def test_networks_are_resolved_and_guarded(api):
    network_id = await api.create_network(overlay("webnet"))
    await api.create_service(replicated("web", 1, networks=["webnet"]))
    service = await api.get_service("web")
    assert service.spec.task_template.networks[0].target == network_id
    same = await update(api, "web", lambda s: replicated("web", 1, networks=["webnet"]))
    assert same.spec == service.spec
    with pytest.raises(InvalidParameter, match=f"network {network_id} is in use by service"):
        await api.remove_network("webnet")
    await api.remove_service("web")
    await api.remove_network("webnet")
    with pytest.raises(NotFound, match="network webnet not found"):
        await api.create_service(replicated("web", 1, networks=["webnet"]))
    with pytest.raises(InvalidParameter, match="explicitly attached to the ingress network"):
        await api.create_service(replicated("web", 1, networks=["ingress"]))


async def test_network_refusals(api):
    await api.create_network(overlay("n", "10.9.0.0/24"))
    with pytest.raises(Conflict, match="network with name n already exists"):
        await api.create_network(overlay("n"))
    with pytest.raises(Forbidden, match=r"10\.9\.0\.128/25 .* in use by network n"):
        await api.create_network(overlay("m", "10.9.0.128/25"))
    with pytest.raises(Forbidden, match=r"198\.51\.100\.0/24, in use by interface eth0"):
        await api.create_network(overlay("m", "198.51.0.0/16"))
    with pytest.raises(InvalidParameter, match=r"10\.9\.1\.0/31 is too small"):
        await api.create_network(overlay("m", "10.9.1.0/31"))
    with pytest.raises(InvalidParameter, match="invalid subnet 10"):
        await api.create_network(overlay("m", "10.9.0.0/33"))
    with pytest.raises(Forbidden, match="pre-defined network"):
        await api.create_network(overlay("host"))
    outside = IpamOptions(configs=[IpamConfig(subnet="10.8.0.0/24", gateway="10.7.0.1")])
    with pytest.raises(InvalidParameter, match="does not contain gateway"):
        await api.create_network(overlay("m").replaced(ipam=outside))
    mtu = Driver(options={"com.docker.network.driver.mtu": "abc"})
    with pytest.raises(InvalidParameter, match=r'driver\.mtu "abc": give a number from 68'):
        await api.create_network(overlay("m").replaced(driver_configuration=mtu))
    small = Driver(options={"com.docker.network.driver.mtu": "1279"})
    with pytest.raises(InvalidParameter, match="from 1280"):
        await api.create_network(
            overlay("m").replaced(driver_configuration=small, ipv6_enabled=True)
        )


async def test_ports_are_published_once(api):
    port = PortConfig(target_port=80, published_port=8000)
    made = await api.create_service(replicated("web", 1, ports=[port]))
    other = replicated("other", 1, ports=[port])
    with pytest.raises(
        InvalidParameter,
        match=rf"port '8000' is already in use by service 'web' \({made.id}\) as an ingress port",
    ):
        await api.create_service(other)
    await update(api, "web", lambda s: scaled(s, 2))
    await api.remove_service("web")
    await api.create_service(other)
    with pytest.raises(InvalidParameter, match="ingress network cannot be removed because"):
        await api.remove_network("ingress")
    await api.remove_service("other")
    await api.remove_network("ingress")
    with pytest.raises(InvalidParameter, match="no ingress network is present"):
        await api.create_service(other)


def using(secret_id, config_id):
    container = ContainerSpec(
        image="web",
        secrets=[
            SecretReference(
                secret_id=secret_id, secret_name="key", file=SecretReferenceFile(name="k")
            )
        ],
        configs=[
            ConfigReference(
                config_id=config_id, config_name="conf", file=SecretReferenceFile(name="c")
            )
        ],
    )
    spec = replicated("web", 1)
    return spec.replaced(task_template=spec.task_template.replaced(container_spec=container))


async def test_secrets_and_configs(api):
    secret = await api.create_secret(SecretSpec(name="key", data=b"x"))
    config = await api.create_config(ConfigSpec(name="conf", data=b"y"))
    with pytest.raises(Conflict, match="secret key already exists"):
        await api.create_secret(SecretSpec(name="key", data=b"x"))
    with pytest.raises(InvalidParameter, match="larger than 0 and less than 512000"):
        await api.create_secret(SecretSpec(name="big", data=b"x" * 512000))
    with pytest.raises(InvalidParameter, match="secret not found: key"):
        await api.create_service(using("wrong", config))
    await api.create_service(using(secret, config))
    with pytest.raises(
        InvalidParameter, match="secret 'key' is in use by the following service: web"
    ):
        await api.remove_secret("key")
    with pytest.raises(InvalidParameter, match="config 'conf' is in use"):
        await api.remove_config("conf")
    version = (await api.get_secret("key")).meta.version.index
    with pytest.raises(InvalidParameter, match="only updates to Labels are allowed"):
        await api.update_secret("key", version, SecretSpec(name="key", data=b"z"))
    await api.update_secret("key", version, SecretSpec(name="key", labels={"a": "b"}))
    assert (await api.get_secret(secret)).spec == SecretSpec(
        name="key", labels={"a": "b"}, data=b"x"
    )
    await api.remove_service("web")
    await api.remove_secret("key")
    await api.remove_config("conf")


async def test_nodes_are_guarded(api):
    node = await api.get_node("self")
    version = node.meta.version.index
    with pytest.raises(InvalidParameter, match="demote the last manager"):
        await api.update_node("self", version, node.spec.replaced(role="worker"))
    with pytest.raises(InvalidParameter, match='invalid Availability: "off"'):
        await api.update_node("self", version, node.spec.replaced(availability="off"))
    with pytest.raises(InvalidParameter, match="must be demoted to worker"):
        await api.remove_node("self", force=True)
    await api.update_node("self", version, node.spec.replaced(labels={"a": "b"}))
    assert (await api.get_node("self")).spec.labels == {"a": "b"}


async def test_events_since_the_beginning(api):
    start = api._store.clock.now()
    await api.create_service(replicated("web", 1))
    await update(api, "web", lambda s: scaled(s, 3))
    await api.remove_service("web")
    until = api._store.clock.advance(1)
    api._store.clock.advance(1)
    told = [
        (e.type, e.action, e.attributes.get("replicas.new"))
        async for e in api.swarm_events(start, until)
        if e.type == "service"
    ]
    assert told == [
        ("service", "create", None),
        ("service", "update", "3"),
        ("service", "remove", None),
    ]


async def test_what_an_update_cannot_prove_is_told_by_the_image_too(api):
    slow = Healthcheck(test=["CMD", "true"], start_period=60_000_000_000)
    assert (await api.create_service(replicated("plain", 1))).warnings == []
    api._host.image_check = slow
    (said,) = (await api.create_service(replicated("web", 1))).warnings
    assert "start period" in said

    async def warned(edit, **how):
        service = await api.get_service("web")
        version = service.meta.version.index
        return await api.update_service("web", version, edit(service.spec), ServiceUpdate(**how))

    assert list(await warned(lambda spec: with_image(spec, "web:2"))) == [said]
    assert list(await warned(lambda spec: scaled(spec, 3))) == []
    assert list(await warned(lambda spec: spec, rollback="previous")) == []
