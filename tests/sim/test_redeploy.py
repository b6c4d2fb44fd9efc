"""Unchanged means untouched, for any service spec, by the way it really goes: JSON in, store, JSON out, JSON in again."""

import json

import msgspec
from hypothesis import HealthCheck, given, settings
from sim_full_specs import CONFIGS, NETWORKS, SECRETS, full_specs

from hivelet.convert.service import encode_service, encode_spec, parse_service_spec
from hivelet.convert.shape import parse_json
from hivelet.objects.secret import ConfigSpec, SecretSpec
from hivelet.objects.swarm import ServiceUpdate
from hivelet.testing.cluster import SimulatedCluster, overlay
from hivelet.testing.virtual_time import run_virtual

EXAMPLES = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], database=None)


def sent(value):
    """What a client sends that spells everything out, zeros too. (Our own encoder leaves out what Docker's does.)"""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        return {f.encode_name: sent(getattr(value, f.name)) for f in fields}
    if isinstance(value, list):
        return [sent(part) for part in value]
    return value


def over_the_wire(body):
    """What the daemon reads of what a client sends."""
    return parse_service_spec(parse_json(json.dumps(body).encode()))


@EXAMPLES
@given(full_specs)
def test_a_spec_that_goes_out_and_comes_back_is_the_same(made):
    spec = over_the_wire(sent(made))
    assert over_the_wire(encode_spec(spec)) == spec
    # Twice, as what is spelled out on the way in must not be spelled out anew each time.
    assert encode_spec(over_the_wire(encode_spec(spec))) == encode_spec(spec)


@EXAMPLES
@given(full_specs)
def test_the_same_again_touches_no_task(made):
    body = json.dumps(sent(made))

    async def play():
        cluster = SimulatedCluster()
        await cluster.start()
        try:
            asked = await _resolved(cluster, body)
            await cluster.create(over_the_wire(asked))
            await cluster.settle(2)
            before = tasks_of(cluster)
            # What a client has read and sends back, then what a client makes afresh of its file.
            read = encode_service(cluster.service("web"))["Spec"]
            for again in (read, asked, read):
                service = cluster.service("web")
                version = service.meta.version.index
                await cluster.api.update_service(
                    service.id, version, over_the_wire(again), ServiceUpdate()
                )
                await cluster.settle(2)
                assert tasks_of(cluster) == before
                assert cluster.service("web").update_status is None
            cluster.assert_sound()
        finally:
            await cluster.stop()

    run_virtual(play())


async def _resolved(cluster, body):
    """The JSON with the ids that the cluster has given."""
    for name in NETWORKS:
        await cluster.api.create_network(overlay(name))
    for name in SECRETS:
        made = await cluster.api.create_secret(SecretSpec(name=name, data=b"x"))
        body = body.replace(f"id of {name}", made)
    for name in CONFIGS:
        made = await cluster.api.create_config(ConfigSpec(name=name, data=b"x"))
        body = body.replace(f"id of {name}", made)
    return json.loads(body)


def tasks_of(cluster):
    return {
        task.id: (task.desired_state, task.status.state, task.meta.created_at)
        for task in cluster.tasks("web")
    }
