from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hivelet.engine.database import Database
from hivelet.engine.plain.links import check_links, find_linked, link_environment, linked_from
from hivelet.engine.registry import LegRecord, Record, Registry
from hivelet.errors import InvalidParameter, System
from hivelet.objects.container import ContainerConfig, ContainerState, HostConfig
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.engine import Container
from hivelet.objects.links import shown_links, split_link

BRIDGE = BridgeNetwork(id="b" * 64, name="bridge", kind="bridge")
USER = BridgeNetwork(id="u" * 64, name="user", kind="bridge")


def record(name: str, leg: LegRecord, **fields: object) -> Record:
    config = ContainerConfig(
        env=["PATH=/bin", "FOO=bar"], exposed_ports={"80/tcp": {}, "53/udp": {}}
    )
    return Record(
        container=Container(
            id=name.ljust(64, "0"),
            name=name,
            created=datetime(2026, 1, 1, tzinfo=UTC),
            config=config,
            state=ContainerState(status="running"),
            host_config=HostConfig(**fields),
        ),
        legs=[leg],
    )


@pytest.fixture
def registry(tmp_path):
    database = Database(tmp_path / "engine.db")
    yield Registry(database)
    database.close()


def test_links_as_they_are_written_and_shown():
    assert split_link("db:data") == ("db", "data")
    assert split_link("db") == ("db", "db")
    assert split_link("/db:/web/data") == ("db", "data")
    assert shown_links(["db:data"], "web") == ["/db:/web/data"]
    with pytest.raises(InvalidParameter, match="bad format for links: a:b:c"):
        split_link("a:b:c")


async def test_a_link_of_the_default_bridge_is_told_by_variables_too(registry):
    db = record("db", LegRecord(network=BRIDGE))
    web = record("web", LegRecord(network=BRIDGE), links=["db:my-data"])
    await registry.add(db)
    await registry.add(web)
    found = find_linked(web, registry, lambda *_: "172.17.0.2")
    assert [(link.address, link.names) for link in found] == [
        ("172.17.0.2", ("my-data", "db0000000000", "db"))
    ]
    assert link_environment(web, found) == [
        "MY_DATA_PORT=udp://172.17.0.2:53",
        "MY_DATA_PORT_53_UDP=udp://172.17.0.2:53",
        "MY_DATA_PORT_53_UDP_ADDR=172.17.0.2",
        "MY_DATA_PORT_53_UDP_PORT=53",
        "MY_DATA_PORT_53_UDP_PROTO=udp",
        "MY_DATA_PORT_80_TCP=tcp://172.17.0.2:80",
        "MY_DATA_PORT_80_TCP_ADDR=172.17.0.2",
        "MY_DATA_PORT_80_TCP_PORT=80",
        "MY_DATA_PORT_80_TCP_PROTO=tcp",
        "MY_DATA_NAME=/web/my-data",
        "MY_DATA_ENV_FOO=bar",
    ]
    assert linked_from(db, registry.all()) == [web]
    with pytest.raises(System, match="Cannot link to a non running container: /db AS /web/my-data"):
        find_linked(web, registry, lambda *_: "")


async def test_a_link_of_a_user_s_network_waits_for_its_target(registry):
    leg = LegRecord(network=USER, links=["db:data", "gone:x"])
    web = record("web", leg)
    await registry.add(record("db", LegRecord(network=USER)))
    assert find_linked(web, registry, lambda *_: "") == []
    found = find_linked(web, registry, lambda *_: "172.18.0.2")
    assert [link.alias for link in found] == ["data"]
    assert link_environment(web, found) == []


def test_links_that_lead_nowhere(registry):
    with pytest.raises(InvalidParameter, match="could not get container for nope: No such"):
        check_links(HostConfig(links=["nope:x"]), registry)
