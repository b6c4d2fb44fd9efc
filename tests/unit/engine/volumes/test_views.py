import pytest

from hivelet.engine.volumes.views import check_writable
from hivelet.errors import Forbidden
from hivelet.objects.container import HostConfig
from hivelet.objects.engine import MountPoint

POINTS = [
    MountPoint(type="volume", destination="/data"),
    MountPoint(type="volume", destination="/data/kept/", rw=False),
    MountPoint(type="bind", destination="/host", rw=False),
]


@pytest.mark.parametrize(
    ("path", "read_only_root", "words"),
    [
        ("/", False, None),
        ("/", True, "container rootfs is marked read-only"),
        ("/database", True, "container rootfs is marked read-only"),
        ("/data", True, None),
        ("/data/kept2", True, None),
        ("/data/kept", False, "mounted volume is marked read-only"),
        ("/data/kept/deep", False, "mounted volume is marked read-only"),
        ("/host/x", True, "mounted volume is marked read-only"),
        ("/hosts", False, None),
    ],
)
def test_where_a_copy_may_write(path, read_only_root, words):
    host = HostConfig(readonly_rootfs=read_only_root)
    if words is None:
        check_writable(path, POINTS, host)
    else:
        with pytest.raises(Forbidden, match=words):
            check_writable(path, POINTS, host)
