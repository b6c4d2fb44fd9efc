"""Docker's client does not know host settings: what it sends back must not lose them."""

from __future__ import annotations

from hivelet.convert.service import EXTENSIONS, carry_extensions, encode_spec, parse_service_spec
from hivelet.objects.container import DeviceMapping
from hivelet.objects.service import ServiceSpec
from hivelet.objects.task import ContainerSpec, TaskSpec

HELD = ContainerSpec(
    image="a:1",
    privileged=True,
    shm_size=1 << 20,
    domainname="d",
    devices=[DeviceMapping(path_on_host="/dev/x")],
)


def spec(container: ContainerSpec | None) -> ServiceSpec:
    return ServiceSpec(name="s", task_template=TaskSpec(container_spec=container))


def test_what_docker_cannot_say_stays() -> None:
    carried = carry_extensions(spec(ContainerSpec(image="a:2")), spec(HELD))
    assert carried.task_template.container_spec == HELD.replaced(image="a:2")


def test_without_a_container_nothing_is_carried() -> None:
    assert carry_extensions(spec(None), spec(HELD)) == spec(None)
    assert carry_extensions(spec(HELD), spec(None)) == spec(HELD)


def test_extensions_have_dockers_names() -> None:
    shown = encode_spec(spec(HELD))["TaskTemplate"]["ContainerSpec"]
    assert shown["Privileged"] is True
    assert shown["Devices"][0]["PathOnHost"] == "/dev/x"
    again = parse_service_spec(
        {"Name": "s", "TaskTemplate": {"ContainerSpec": {"Image": "a", "UTSMode": "host"}}}
    )
    container = again.task_template.container_spec
    assert container is not None
    assert container.uts_mode == "host"
    assert {"privileged", "uts_mode", "domainname"} <= set(EXTENSIONS)
