"""Log drivers and their options."""

import pytest

from hivelet.errors import InvalidParameter
from hivelet.objects.common import Driver
from hivelet.objects.log_driver import LogPolicy, log_policy


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("json-file", {}, LogPolicy()),
        ("json-file", {"max-size": "10m"}, LogPolicy(limit=10 << 20)),
        ("json-file", {"max-size": "1k", "max-file": "3"}, LogPolicy(limit=1024, files=3)),
        ("json-file", {"max-size": "-1"}, LogPolicy()),
        ("json-file", {"max-file": "3"}, LogPolicy()),
        ("", {"max-size": "2g", "tag": "x"}, LogPolicy(limit=2 << 30)),
        ("local", {}, LogPolicy(limit=20 << 20, files=5)),
        ("local", {"max-size": "1m", "max-file": "2"}, LogPolicy(limit=1 << 20, files=2)),
        ("none", {}, LogPolicy(kept=False)),
    ],
)
def test_what_is_kept(name, options, expected):
    assert log_policy(Driver(name=name, options=options)) == expected


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("syslog", {}, 'no log driver named "syslog"'),
        ("", {"nix": "1"}, "unknown log opt 'nix' for json-file log driver"),
        ("json-file", {"max-file": "0", "max-size": "1m"}, "must be a number from 1"),
        ("json-file", {"max-size": "many"}, "is no size"),
        ("json-file", {"max-size": "1m", "max-file": "5000"}, "is more than 1000"),
    ],
)
def test_what_is_refused(name, options, message):
    with pytest.raises(InvalidParameter, match=message):
        log_policy(Driver(name=name, options=options))


def test_without_a_driver_everything_is_kept():
    assert log_policy(None) == LogPolicy()
