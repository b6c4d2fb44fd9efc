import os
import stat
from pathlib import Path

import pytest

from hivelet.convert.create import parse_create
from hivelet.engine.readings.devices import read_block_limits
from hivelet.errors import InvalidParameter
from hivelet.runtime.cgroups import linux_resources


def host_of(**wishes):
    return parse_create({"Image": "bb", "HostConfig": wishes}).host_config


def a_disk() -> Path:
    for path in sorted(Path("/dev").iterdir()):
        if stat.S_ISBLK(path.stat().st_mode):
            return path
    pytest.skip("there is no block device here")


def test_rates_and_weights_of_devices_reach_the_runtime():
    disk = a_disk()
    number = disk.stat().st_rdev
    device = {"major": os.major(number), "minor": os.minor(number)}
    path = str(disk)
    host = host_of(
        BlkioWeight=300,
        BlkioWeightDevice=[{"Path": path, "Weight": 200}],
        BlkioDeviceReadBps=[{"Path": path, "Rate": 1000}],
        BlkioDeviceWriteBps=[{"Path": path, "Rate": 2000}],
        BlkioDeviceReadIOps=[{"Path": path, "Rate": 3}],
        BlkioDeviceWriteIOps=[{"Path": path, "Rate": 4}],
    )
    found = linux_resources(
        host, cgroup_version=2, swap_limit=True, block_limits=read_block_limits(host)
    )
    assert found["blockIO"] == {
        "weight": 300,
        "weightDevice": [{**device, "weight": 200}],
        "throttleReadBpsDevice": [{**device, "rate": 1000}],
        "throttleWriteBpsDevice": [{**device, "rate": 2000}],
        "throttleReadIOPSDevice": [{**device, "rate": 3}],
        "throttleWriteIOPSDevice": [{**device, "rate": 4}],
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [("/dev/nosuch", "stat /dev/nosuch: no such file"), ("/dev/null", "is no block device")],
)
def test_what_is_no_device_is_named(path, words):
    with pytest.raises(InvalidParameter, match=words):
        read_block_limits(host_of(BlkioDeviceReadBps=[{"Path": path, "Rate": 1}]))


def test_without_a_wish_there_is_nothing():
    assert read_block_limits(host_of()) == {}
