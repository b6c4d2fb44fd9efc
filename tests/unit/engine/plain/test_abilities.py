"""What a plain container is refused since this engine or this machine does not have it."""

import re

import pytest

from hivelet.convert.create import parse_create
from hivelet.engine.plain.abilities import check_abilities
from hivelet.errors import InvalidParameter


def check(host):
    given = parse_create({"Image": "bb", "HostConfig": host})
    check_abilities(given.host_config, runtimes={"crun", "runc"}, cpus=frozenset({0, 1, 3}))


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ({"Runtime": "kata"}, "Unknown runtime specified kata"),
        ({"VolumeDriver": "nosuch"}, 'plugin "nosuch" not found'),
        ({"CpuRealtimeRuntime": 1000}, "the CPU real-time scheduler is not supported"),
        ({"Isolation": "hyperv"}, "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
        (
            {"DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu", "utility"]]}]},
            'could not select device driver "nvidia" with capabilities: [[gpu utility]]',
        ),
        ({"StorageOpt": {"size": "1G"}}, "--storage-opt is supported only for overlay over xfs"),
        ({"StorageOpt": {"foo": "1"}}, "Unknown option foo"),
        ({"Tmpfs": {"/t": "size=1m,nosuch"}}, 'invalid tmpfs option ["nosuch"]'),
        ({"Tmpfs": {"/t": "size"}}, 'invalid tmpfs option ["size"]'),
        ({"CpuPeriod": 10}, "CPU cfs period can not be less than 1ms"),
        ({"CpuQuota": 10}, "CPU cfs quota can not be less than 1ms"),
        ({"CpusetCpus": "x"}, "Invalid value x for cpuset cpus"),
        (
            {"CpusetCpus": "0-2"},
            "Requested CPUs are not available - requested 0-2, available: 0-1,3",
        ),
        ({"CpusetCpus": "0-99999999999"}, "Requested CPUs are not available"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)  # fmt: skip
def test_what_there_is_not(host, message):
    with pytest.raises(InvalidParameter, match=re.escape(message)):
        check(host)


@pytest.mark.parametrize(
    "host",
    [
        {},
        {"Runtime": "runc", "Isolation": "default"},
        {"Tmpfs": {"/t": "", "/u": "rw,noexec,size=64m,mode=1777,uid=3"}},
        {"CpuPeriod": 1000, "CpuQuota": 1000, "CpusetCpus": "0-1,3"},
        {"CpuQuota": -1},
    ],
    ids=str,
)
def test_what_there_is(host):
    check(host)
