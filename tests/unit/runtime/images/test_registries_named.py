"""Which registries need no TLS."""

import pytest

from hivelet.errors import InvalidParameter
from hivelet.runtime.images.registries import InsecureRegistries, parse_insecure


@pytest.mark.parametrize(
    ("domain", "covered"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.9.8.7:5000", True),
        ("[::1]:5000", True),
        ("reg.example:5000", True),
        ("reg.example", False),
        ("reg.example:5001", False),
        ("10.1.2.3", True),
        ("10.1.2.3:80", True),
        ("11.1.2.3:80", False),
        ("[fd00::7]:80", True),
        ("docker.io", False),
        ("localhost.example", False),
    ],
)
def test_named_and_local_ones(domain, covered):
    named = parse_insecure(["reg.example:5000", "10.0.0.0/8", "fd00::/8"])
    assert named.covers(domain) is covered


def test_nobody_else_is_by_default():
    assert not InsecureRegistries().covers("10.0.0.1:5000")


@pytest.mark.parametrize("entry", ["http://reg.example", "10.0.0.0/99", "a b", "reg.example/path"])
def test_what_is_no_registry_is_refused(entry):
    with pytest.raises(InvalidParameter, match="insecure registry"):
        parse_insecure([entry])
