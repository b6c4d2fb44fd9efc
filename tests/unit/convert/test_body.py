"""Requests are read as Go reads them; what dockerd 20.10 answered stands beside each that is refused."""

import msgspec.inspect as shapes
import pytest

from hivelet.convert.body import convert_json
from hivelet.convert.shape import parse_json
from hivelet.errors import InvalidParameter
from hivelet.objects.cluster import ClusterSpec
from hivelet.objects.common import GO_RANGES
from hivelet.objects.node import NodeSpec
from hivelet.objects.secret import ConfigSpec, SecretSpec
from hivelet.objects.service import ServiceSpec
from hivelet.objects.swarm import SwarmInit, SwarmJoin

HUGE = 10**22
BODIES = (ServiceSpec, ClusterSpec, NodeSpec, SecretSpec, ConfigSpec, SwarmInit, SwarmJoin)


def test_a_go_clients_spec_is_read():
    data = parse_json(b'{"Name":"web","Labels":null,"TaskTemplate":{"Networks":null},"Unknown":1}')
    assert convert_json(data, ServiceSpec) == ServiceSpec(name="web")


def test_keys_are_read_in_any_case():
    data = {"name": "web", "Mode": {"replicated": {"replicas": 3}}, "labels": {"a": "b", "A": "c"}}
    spec = convert_json(data, ServiceSpec)
    assert spec.mode.replicated.replicas == 3
    assert (spec.name, spec.labels) == ("web", {"a": "b", "A": "c"})
    data = {"TaskTemplate": {"Networks": [{"target": "n"}], "containerspec": {"IMAGE": "i"}}}
    template = convert_json(data, ServiceSpec).task_template
    assert template.networks[0].target == "n"
    assert template.container_spec.image == "i"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Placement": {"MaxReplicas": -1}}, "number -1 into Go struct field Placement.TaskTemplate.Placement.MaxReplicas of type uint64"),
        ({"ForceUpdate": -1}, "number -1 into Go struct field TaskSpec.TaskTemplate.ForceUpdate of type uint64"),
        ({"ForceUpdate": 1.5}, "number 1.5 into Go struct field TaskSpec.TaskTemplate.ForceUpdate of type uint64"),
        ({"ForceUpdate": 1000.0}, "number 1000.0 into Go struct field TaskSpec.TaskTemplate.ForceUpdate of type uint64"),
        ({"ForceUpdate": "1"}, "string into Go struct field TaskSpec.TaskTemplate.ForceUpdate of type uint64"),
        ({"ForceUpdate": True}, "bool into Go struct field TaskSpec.TaskTemplate.ForceUpdate of type uint64"),
        ({"ForceUpdate": [1]}, "array into Go struct field TaskSpec.TaskTemplate.ForceUpdate of type uint64"),
        ({"RestartPolicy": {"Window": HUGE}}, f"number {HUGE} into Go struct field RestartPolicy.TaskTemplate.RestartPolicy.Window of type time.Duration"),
        ({"Resources": {"Limits": {"NanoCPUs": HUGE}}}, f"number {HUGE} into Go struct field Limit.TaskTemplate.Resources.Limits.NanoCPUs of type int64"),
        (
            {"Resources": {"Reservations": {"GenericResources": [{"DiscreteResourceSpec": {"Value": HUGE}}]}}},
            f"number {HUGE} into Go struct field DiscreteGenericResource.TaskTemplate.Resources.Reservations.GenericResources.DiscreteResourceSpec.Value of type int64",
        ),
        ({"ContainerSpec": {"Healthcheck": {"Retries": HUGE}}}, f"number {HUGE} into Go struct field HealthConfig.TaskTemplate.ContainerSpec.Healthcheck.Retries of type int"),
        ({"ContainerSpec": {"Secrets": [{"File": {"Mode": -1}}]}}, "number -1 into Go struct field SecretReferenceFileTarget.TaskTemplate.ContainerSpec.Secrets.File.Mode of type fs.FileMode"),
        ({"ContainerSpec": {"Image": 5}}, "number into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Image of type string"),
        ({"ContainerSpec": {"Env": "x"}}, "string into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Env of type []string"),
        ({"ContainerSpec": {"Labels": [1]}}, "array into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Labels of type map[string]string"),
        ({"ContainerSpec": {"TTY": 1}}, "number into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.TTY of type bool"),
        ({"ContainerSpec": {"Init": "x"}}, "string into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Init of type bool"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_refused_in_gos_words(value, message):
    with pytest.raises(InvalidParameter) as caught:
        convert_json({"TaskTemplate": value}, ServiceSpec)
    assert caught.value.message == f"json: cannot unmarshal {message}"


def test_labels_and_modes_too():
    for body, message in (
        ({"Labels": {"a": 1}}, "number into Go struct field ServiceSpec.Labels of type string"),
        ({"Mode": []}, "array into Go struct field ServiceSpec.Mode of type ServiceMode"),
        (
            {"UpdateConfig": {"MaxFailureRatio": 1e300}},
            "number 1e+300 into Go struct field UpdateConfig.UpdateConfig.MaxFailureRatio of type float32",
        ),
    ):
        with pytest.raises(InvalidParameter) as caught:
            convert_json(body, ServiceSpec)
        assert caught.value.message == f"json: cannot unmarshal {message}"


def integers(shape, put=lambda value: value):
    """Every integer that a request of this shape may have: the name of its Go type, and how to make a body with a value for it."""
    if isinstance(shape, shapes.UnionType):
        shape = next(one for one in shape.types if not isinstance(one, shapes.NoneType))
    match shape:
        case shapes.StructType():
            for field in shapes.type_info(shape.cls).fields:
                key = field.encode_name
                yield from integers(field.type, lambda value, k=key: put({k: value}))
        case shapes.ListType():
            yield from integers(shape.item_type, lambda value: put([value]))
        case shapes.DictType():
            yield from integers(shape.value_type, lambda value: put({"key": value}))
        case shapes.Metadata() if isinstance(shape.type, shapes.IntType):
            yield shape.extra["go"], put
        case shapes.IntType():
            yield "int64", put


NUMBERS = [
    pytest.param(body, go, put, id=f"{body.__name__}-{number}")
    for body in BODIES
    for number, (go, put) in enumerate(integers(shapes.type_info(body)))
]


@pytest.mark.parametrize(("body", "go", "put"), NUMBERS)
def test_no_number_of_any_request_leaves_the_range_of_its_go_type(body, go, put):
    least, most = GO_RANGES[go]
    for value in (least - 1, most + 1, float(most) * 2, 10**30):
        with pytest.raises(InvalidParameter, match=f"of type {go}"):
            convert_json(put(value), body)


def test_there_are_many_such_numbers():
    assert len(NUMBERS) > 40
