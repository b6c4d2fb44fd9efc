from __future__ import annotations

from addresses import GATEWAY, INGRESS, WEBNET, task, web

from hivelet.network.contributions import build_fragment, build_zones
from hivelet.network.desired import DesiredState
from hivelet.network.records import ContainerRecord, ResolverRecord
from hivelet.network.rules.ruleset import EMPTY


def settled() -> DesiredState:
    state = DesiredState()
    for network in (INGRESS, GATEWAY, WEBNET):
        state.put_network(network)
    state.put_resolver(ResolverRecord(name="r1", address="169.254.52.1", networks=("webnetid",)))
    state.set_services(
        {
            "webid": web(),
            "otherid": web(service_id="otherid", name="o", vips={}, ports=[], aliases={}),
        }
    )
    state.put_container(
        ContainerRecord(
            container_id="c1",
            task_id="task1",
            addresses={"webnetid": "10.0.1.3"},
            names={"webnetid": ("myapp_web.1.x",)},
            resolver="r1",
        )
    )
    state.take_dirty()
    return state


def test_a_change_marks_only_what_it_touches():
    state = settled()
    state.admit(task(1))
    assert state.take_dirty() == ({"service:webid"}, set())
    state.admit(task(1))
    assert state.take_dirty() == (set(), set())
    state.withdraw("task1")
    assert state.take_dirty() == ({"service:webid"}, set())


def test_unchanged_services_are_not_written_again():
    state = settled()
    state.set_services(dict(state.services))
    assert state.take_dirty() == (set(), set())
    state.set_services({"webid": web(ports=[]), "otherid": state.services["otherid"]})
    assert state.take_dirty() == ({"service:webid"}, set())


def test_a_new_network_marks_the_services_in_it():
    state = settled()
    state.put_network(WEBNET.replaced(internal=True))
    owners, resolvers = state.take_dirty()
    assert owners == {"networks", "service:webid", "container:c1"}
    assert resolvers == {"r1"}


def test_what_is_gone_contributes_nothing():
    state = settled()
    state.set_services({})
    state.drop_container("c1")
    state.drop_resolver("r1")
    owners, resolvers = state.take_dirty()
    assert {owner: build_fragment(state, owner) for owner in owners} == dict.fromkeys(
        ("service:webid", "service:otherid", "container:c1"), EMPTY
    )
    assert resolvers == set()


def test_who_may_ask_a_resolver_follows_it_and_its_networks():
    state = settled()
    asker = ("askers", '"hv-webnetid" . 10.0.1.3 . 169.254.52.1')
    assert asker in build_fragment(state, "container:c1").elements
    state.drop_resolver("r1")
    assert state.take_dirty()[0] == {"container:c1"}
    assert asker not in build_fragment(state, "container:c1").elements
    state.put_resolver(ResolverRecord(name="r1", address="169.254.52.1", networks=("webnetid",)))
    assert state.take_dirty()[0] == {"container:c1"}
    state.put_network(WEBNET.replaced(bridge="br-mine"))
    assert "container:c1" in state.take_dirty()[0]
    elements = build_fragment(state, "container:c1").elements
    assert ("askers", '"br-mine" . 10.0.1.3 . 169.254.52.1') in elements
    assert asker not in elements


def test_vips_are_wanted_where_the_network_is():
    state = settled()
    assert state.vips() == {
        "hv-ingressid": set(),
        "docker_gwbridge": set(),
        "hv-webnetid": {"10.0.1.2"},
    }


def test_a_service_that_is_being_removed_has_its_vips_and_no_names():
    state = settled()
    state.set_services({"webid": web(ports=[], leaving=True)})
    state.take_dirty()
    assert state.vips()["hv-webnetid"] == {"10.0.1.2"}
    assert "vip_webid_webnetid" in build_fragment(state, "service:webid").chains
    assert build_zones(state, "r1", ["service:webid"]) == {"service:webid": {}}


def test_a_draining_task_keeps_its_addresses():
    state = settled()
    state.admit(task(1))
    state.withdraw("task1")
    assert state.addresses_of("task1") == ("10.0.1.3",)
    assert state.addresses_of("unknown") == ()


def test_records_follow():
    state = settled()
    state.admit(task(1))
    zones = build_zones(state, "r1", None)
    assert zones.keys() == {"service:webid", "service:otherid", "container:c1"}
    assert zones["service:webid"]["web"] == ("10.0.1.2",)
    assert zones["service:webid"]["tasks.web"] == ("10.0.1.3",)
    assert zones["container:c1"]["myapp_web.1.x"] == ("10.0.1.3",)
    state.drop_container("c1")
    assert state.resolvers_unused() == ["r1"]
    assert build_zones(state, "r1", ["container:c1", "networks"]) == {"container:c1": {}}
