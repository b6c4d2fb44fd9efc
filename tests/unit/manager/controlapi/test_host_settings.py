"""What of a host no container of a service can be given."""

from __future__ import annotations

from typing import Any

import pytest

from hivelet.errors import InvalidParameter
from hivelet.manager.controlapi.host_settings import validate_host_settings
from hivelet.objects.container import DeviceMapping, HostSettings


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"privileged": True, "shm_size": 4096, "ipc_mode": "host", "pid_mode": "host"},
        {"uts_mode": "host", "userns_mode": "host", "cgroupns_mode": "private"},
        {
            "security_opt": [
                "no-new-privileges",
                "seccomp=unconfined",
                "apparmor:x",
                "label=disable",
            ]
        },
        {"device_cgroup_rules": ["c 1:3 rwm", "a *:* r"], "cgroup_parent": "/a/b.c"},
        {"devices": [DeviceMapping(path_on_host="/dev/null")]},
    ],
)
def test_what_can_be_had(given: dict[str, Any]) -> None:
    validate_host_settings(HostSettings(**given))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ipc_mode": "container:x"}, 'IpcMode "container:x" is not one of host, private, shareable, none'),
        ({"pid_mode": "service:x"}, 'PidMode "service:x" is not one of host'),
        ({"uts_mode": "private"}, 'UTSMode "private" is not one of host'),
        ({"userns_mode": "remap"}, 'UsernsMode "remap" is not one of host'),
        ({"cgroupns_mode": "x"}, 'CgroupnsMode "x" is not one of host, private'),
        ({"shm_size": 1}, "ShmSize 1 must be at least 4096"),
        ({"cgroup_parent": "a/../.."}, "CgroupParent \"a/../..\" leads out of hivelet's cgroup"),
        ({"security_opt": ["x=y"]}, 'SecurityOpt "x=y" is not one of apparmor, label, no-new-privileges, seccomp'),
        ({"device_cgroup_rules": ["c 1:3"]}, 'DeviceCgroupRules: "c 1:3" is no rule; write it like "c 7:* rwm"'),
        ({"devices": [DeviceMapping(path_on_host="dev/x")]}, 'device "dev/x" is not an absolute path'),
    ],
)  # fmt: skip
def test_what_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        validate_host_settings(HostSettings(**given))
    assert caught.value.message.endswith(f"ContainerSpec: {told}")
