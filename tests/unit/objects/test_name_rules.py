"""What may be written to a container's name files and to a resolver's configuration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.errors import InvalidParameter
from hivelet.objects.name_rules import (
    check_extra_host,
    check_hostname,
    check_nameserver,
    check_word,
)


@pytest.mark.parametrize("value", ["192.0.2.53", "2001:db8::53", "::1"])
def test_nameservers(value):
    check_nameserver(value)


@pytest.mark.parametrize(
    "value",
    [
        "dns.example.com",
        "fe80::1%eth0",
        "1.1.1.1\nlog-facility=/x",
        "1.1.1.1#54",
        "",
        " 1.1.1.1",
        "1.1.1",
    ],
)
def test_no_nameservers(value):
    with pytest.raises(InvalidParameter) as caught:
        check_nameserver(value)
    assert repr(value) in caught.value.message


@pytest.mark.parametrize("value", ["a b", "a\nb", "a\tb", "", "a\x00", "a\u2028b", "a\x85"])
def test_no_words(value):
    with pytest.raises(InvalidParameter, match="one word"):
        check_word("search domain", value)


@given(st.text(max_size=20))
def test_a_word_is_one_line_and_one_field(value):
    try:
        check_word("search domain", value)
    except InvalidParameter:
        return
    assert value.split() == value.splitlines() == [value]


@pytest.mark.parametrize("value", ["box\n192.0.2.1 evil", "a b", "x" * 65])
def test_no_hostnames(value):
    with pytest.raises(InvalidParameter, match="invalid hostname"):
        check_hostname(value)


def test_hostnames():
    for value in ("", "box", "box.example", "x" * 64):
        check_hostname(value)


@pytest.mark.parametrize("address", ["192.0.2.7", "::1", "[2001:db8::1]", "host-gateway"])
def test_extra_hosts(address):
    check_extra_host("db", address)


@pytest.mark.parametrize("address", ["junk", "", "1.1.1.1\n2.2.2.2", "fe80::1%eth0"])
def test_no_extra_hosts(address):
    with pytest.raises(InvalidParameter, match="invalid IP address in add-host"):
        check_extra_host("db", address)
