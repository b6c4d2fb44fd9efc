"""All devices of a host, as a privileged container has them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hivelet.engine.provision import _devices
from hivelet.engine.readings.devices import host_devices, read_devices
from hivelet.errors import InvalidParameter
from hivelet.objects.container import DeviceMapping, HostConfig


@pytest.mark.skipif(os.geteuid() != 0, reason="making device nodes needs root")
def test_every_device_but_those_that_the_runtime_makes(tmp_path: Path) -> None:
    for name in ("null", "own", "deep/other", "pts/0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.mknod(tmp_path / name, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("own")
    assert host_devices(tmp_path) == (
        DeviceMapping(path_on_host=f"{tmp_path}/deep/other", path_in_container="/dev/deep/other"),
        DeviceMapping(path_on_host=f"{tmp_path}/own", path_in_container="/dev/own"),
    )


def test_what_is_asked_for_by_name_is_not_given_twice() -> None:
    asked = DeviceMapping(path_on_host="/dev/zero", path_in_container="/dev/own")
    assert _devices(HostConfig(devices=[asked])) == [asked]
    everything = _devices(HostConfig(devices=[asked], privileged=True))
    assert everything[0] == asked
    assert [d.path_in_container for d in everything].count("/dev/own") == 1


def test_a_path_that_is_no_device(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidParameter, match="is not a device"):
        read_devices([DeviceMapping(path_on_host=f"{tmp_path}/file")])
