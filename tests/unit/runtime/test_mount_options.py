import pytest

from hivelet.runtime.mount_options import (
    MS_BIND,
    MS_NOEXEC,
    MS_RDONLY,
    MS_REC,
    MS_SHARED,
    MountOptions,
    parse_mount_options,
)
from hivelet.runtime.mountinfo import MountEntry, mount_of, parse_mountinfo


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", MountOptions()),
        ("size=10m,uid=1000", MountOptions(data="size=10m,uid=1000")),
        ("bind,ro", MountOptions(flags=MS_BIND | MS_RDONLY)),
        ("ro,rw", MountOptions()),
        ("rbind,rshared", MountOptions(flags=MS_BIND | MS_REC, propagation=MS_SHARED | MS_REC)),
        ("defaults,noexec,addr=192.0.2.1", MountOptions(flags=MS_NOEXEC, data="addr=192.0.2.1")),
        ("relatime,resvport", MountOptions(flags=1 << 21, data="resvport")),
    ],
)
def test_options(text, expected):
    assert parse_mount_options(text) == expected


def test_mountinfo():
    text = (
        b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        b"30 22 0:5 /x /mnt/a\\040b rw master:1 - tmpfs tmpfs rw\n"
        b"31 22 0:6 / /mnt rw - tmpfs tmpfs rw\n"
    )
    entries = parse_mountinfo(text)
    assert entries == [
        MountEntry(target="/", type="ext4", shared=True),
        MountEntry(target="/mnt/a b", type="tmpfs", slave=True),
        MountEntry(target="/mnt", type="tmpfs"),
    ]
    assert mount_of("/mnt/a b/c", entries).target == "/mnt/a b"
    assert mount_of("/mntx", entries).target == "/"
    assert mount_of("/mnt", entries).target == "/mnt"
