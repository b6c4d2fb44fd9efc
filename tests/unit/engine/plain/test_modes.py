"""Which wishes contradict the namespaces that a plain container shares."""

import re

import pytest

from hivelet.convert.create import parse_create
from hivelet.engine.plain.modes import check_modes
from hivelet.errors import InvalidParameter

LENT = {"NetworkMode": "container:x"}


@pytest.mark.parametrize(
    ("config", "host", "message"),
    [
        ({}, {"IpcMode": "foo"}, "Invalid IPC mode: foo"),
        ({}, {"IpcMode": "container:"}, "Invalid IPC mode: container:"),
        ({}, {"CgroupnsMode": "foo"}, "invalid cgroup namespace mode: foo"),
        ({"Hostname": "h"}, {"UTSMode": "host"}, "conflicting options: hostname and the UTS mode"),
        ({}, {"NetworkMode": "host", "Links": ["a"]}, "host type networking can't be used with links"),
        ({"Hostname": "h"}, LENT, "hostname and the network mode"),
        ({}, {**LENT, "Links": ["a"]}, "container type network can't be used with links"),
        ({}, {**LENT, "Dns": ["1.1.1.1"]}, "dns and the network mode"),
        ({}, {**LENT, "ExtraHosts": ["a:1.1.1.1"]}, "custom host-to-IP mapping and the network mode"),
        ({"MacAddress": "02:00:00:00:00:01"}, LENT, "mac-address and the network mode"),
        (
            {"NetworkingConfig": {"EndpointsConfig": {"container:x": {"MacAddress": "02:00:00:00:00:01"}}}},
            LENT,
            "mac-address and the network mode",
        ),
        (
            {},
            {**LENT, "PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
            "port publishing and the container type network mode",
        ),
        ({}, {**LENT, "PublishAllPorts": True}, "port publishing and the container type network mode"),
        ({"ExposedPorts": {"80/tcp": {}}}, LENT, "port exposing and the container type network mode"),
    ],
)  # fmt: skip
def test_contradictions(config, host, message):
    with pytest.raises(InvalidParameter, match=re.escape(message)):
        check_modes(parse_create({"Image": "bb", **config, "HostConfig": host}))


@pytest.mark.parametrize(
    "host",
    [
        {},
        LENT,
        {"IpcMode": "shareable", "CgroupnsMode": "private"},
        {"IpcMode": "container:x", "UTSMode": "host"},
        {"NetworkMode": "host", "ExtraHosts": ["a:1.1.1.1"]},
    ],
    ids=str,
)
def test_what_goes_together(host):
    check_modes(parse_create({"Image": "bb", "HostConfig": host}))
