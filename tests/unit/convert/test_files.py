"""Files of containers as the API tells of them."""

import base64
import json
import stat

import pytest

from hivelet.convert.files import encode_stat, go_mode
from hivelet.objects.files import PathStat
from hivelet.testing.sample import MOMENT


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o1777, (1 << 31) | (1 << 20) | 0o777),
        (stat.S_IFLNK | 0o777, (1 << 27) | 0o777),
        (stat.S_IFREG | 0o4755, (1 << 23) | 0o755),
        (stat.S_IFCHR | 0o600, (1 << 26) | (1 << 21) | 0o600),
    ],
)
def test_modes_as_go_has_them(mode, expected):
    assert go_mode(mode) == expected


def test_the_header():
    found = PathStat(name="x", size=3, mode=stat.S_IFREG | 0o644, mtime=MOMENT)
    said = json.loads(base64.b64decode(encode_stat(found)))
    assert (said["name"], said["size"], said["mode"], said["linkTarget"]) == ("x", 3, 0o644, "")
