"""What a plain container may ask for."""

import re

import pytest

from hivelet.convert.create import named_fields, parse_create
from hivelet.engine.plain.names import new_name
from hivelet.engine.plain.wish import check_name, split_create, warnings_for
from hivelet.errors import InvalidParameter


def test_the_two_halves_of_a_request():
    config, host = split_create(
        parse_create(
            {
                "Image": "bb",
                "Cmd": "ls",
                "entrypoint": ["sh", "-c"],
                "ExposedPorts": {"80/tcp": {}},
                "HostConfig": {"Memory": 1 << 26, "PortBindings": {"80/tcp": [{"HostPort": "1"}]}},
                "NetworkingConfig": {"EndpointsConfig": {"n": {"Aliases": ["a"]}}},
            }
        )
    )
    assert (config.image, config.cmd, config.entrypoint) == ("bb", ["ls"], ["sh", "-c"])
    assert (host.memory, host.network_mode, host.restart_policy.name) == (1 << 26, "default", "no")


@pytest.mark.parametrize("name", ["a", "-ab", "a b", "bad/name", "ä1", ""])
def test_names_that_cannot_be(name):
    with pytest.raises(InvalidParameter, match="are allowed"):
        check_name(name)


def test_names_with_their_slash():
    assert check_name("/web_1.x-y") == "web_1.x-y"


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ({"Memory": 1}, "Minimum memory limit allowed is 6MB"),
        ({"Memory": 1 << 26, "MemorySwap": 1 << 25}, "Minimum memoryswap limit"),
        ({"MemorySwap": 1 << 25}, "You should always set the Memory limit"),
        ({"Memory": 1 << 26, "MemoryReservation": 1 << 27}, "memory reservation limit"),
        ({"NanoCpus": 1, "CpuPeriod": 1}, "Conflicting options: Nano CPUs and CPU Period"),
        ({"BlkioWeight": 5}, "Range of blkio weight is from 10 to 1000"),
        ({"OomScoreAdj": 2000}, "Invalid value 2000, range for oom score adj"),
        ({"RestartPolicy": {"Name": "x"}}, "invalid restart policy 'x'"),
    ],
)
def test_limits_that_cannot_be(host, message):
    with pytest.raises(InvalidParameter, match=re.escape(message)):
        split_create(parse_create({"Image": "bb", "HostConfig": host}))


def test_a_host_name_of_another_network_cannot_be():
    wish = {"Image": "bb", "Hostname": "h", "HostConfig": {"NetworkMode": "container:x"}}
    with pytest.raises(InvalidParameter, match="conflicting options: hostname"):
        split_create(parse_create(wish))


def test_ports_in_the_hosts_network_are_warned_of():
    wish = {"HostConfig": {"NetworkMode": "host", "PortBindings": {"80/tcp": [{"HostPort": "1"}]}}}
    assert warnings_for(parse_create(wish).host_config) == [
        "Published ports are discarded when using host network mode"
    ]


def test_an_update_names_what_is_not_zero():
    host = parse_create({"HostConfig": {"Memory": 7, "CpuShares": 0}}).host_config
    assert named_fields(host) == {"memory"}


def test_new_names_are_nobodys_and_can_be():
    taken = set()
    for _ in range(300):
        name = new_name(taken)
        assert name not in taken
        assert check_name(name) == name
        taken.add(name)
