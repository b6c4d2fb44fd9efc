"""What a deploy refuses before it changes anything."""

from __future__ import annotations

from typing import Any

import pytest

from hivelet.cli.messages import plain_message
from hivelet.cli.stack_checks import check_images, check_ports
from hivelet.errors import Conflict, InvalidParameter, NotFound, Unavailable


def port(published: int, **more: Any) -> dict[str, Any]:
    return {
        "PublishedPort": published,
        "TargetPort": 80,
        "Protocol": "tcp",
        "PublishMode": "ingress",
        **more,
    }


def spec(name: str, *ports: dict[str, Any], image: str = "web:1") -> dict[str, Any]:
    return {
        "Name": name,
        "TaskTemplate": {"ContainerSpec": {"Image": image}},
        "EndpointSpec": {"Ports": list(ports)},
    }


def service(name: str, *ports: dict[str, Any]) -> dict[str, Any]:
    return {"Spec": {"Name": name}, "Endpoint": {"Ports": list(ports)}}


def test_a_port_of_another_service_is_refused_with_both_names() -> None:
    with pytest.raises(Conflict) as caught:
        check_ports([spec("x_a", port(8000))], [service("myapp_web", port(8000))])
    assert str(caught.value) == (
        "port 8000/tcp of service x_a is already published by service myapp_web: "
        "publish another port, or remove that service"
    )


def test_two_services_of_one_file_cannot_share_a_port() -> None:
    with pytest.raises(Conflict, match="of service x_b is already published by service x_a"):
        check_ports([spec("x_a", port(8000)), spec("x_b", port(8000))], [])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(service("o", port(8000, Protocol="udp")), id="another-protocol"),
        pytest.param(service("o", port(8001)), id="another-port"),
        pytest.param(service("o", port(8000, PublishMode="host")), id="host-mode"),
        pytest.param(service("x_a", port(8000)), id="the-service-itself"),
        pytest.param({"Spec": {"Name": "o"}}, id="no-endpoint"),
    ],
)
def test_what_does_not_clash_passes(other: dict[str, Any]) -> None:
    check_ports([spec("x_a", port(8000))], [other])


def test_two_addresses_of_the_host_do_not_clash_and_any_address_does() -> None:
    mine = spec("x_a", port(8000, HostIP="127.0.0.1"))
    check_ports([mine], [service("o", port(8000, HostIP="10.0.0.1"))])
    with pytest.raises(Conflict):
        check_ports([mine], [service("o", port(8000))])


class Images:
    def __init__(self, here: set[str], there: set[str]) -> None:
        self.here, self.there, self.asked = here, there, []  # type: ignore[var-annotated]

    def image(self, ref: str) -> dict[str, Any]:
        self.asked.append(ref)
        if ref not in self.here:
            raise NotFound(f"No such image: {ref}")
        return {}

    def registry_image(self, ref: str, *, registry_auth: str) -> dict[str, Any]:
        assert registry_auth == f"for {ref}"
        if ref not in self.there:
            raise Unavailable("no registry answers")
        return {}


def test_an_image_that_cannot_be_had_is_refused_with_its_service() -> None:
    engine: Any = Images({"web:1"}, {"far:1"})
    check_images(engine, [spec("a"), spec("b"), spec("c", image="far:1")], "for {}".format)
    assert engine.asked == ["web:1", "far:1"], "each is asked for once"
    with pytest.raises(
        InvalidParameter,
        match=r"image nope:9 of service d is neither on this node .*no registry answers",
    ):
        check_images(engine, [spec("d", image="nope:9")], "for {}".format)


def test_messages_lose_what_only_programs_want() -> None:
    assert plain_message("rpc error: code = InvalidArgument desc = port taken") == "port taken"
    assert plain_message('Use "docker swarm init" or') == 'Use "hivelet swarm init" or'
