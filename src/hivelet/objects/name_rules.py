"""What may stand in the files that a container's names are written to. Pure.

Such a file has a line for each entry and words between spaces, so a value with a space or a line break in it would be
several: in a resolver's configuration, that is an order to a process of root's.
"""

from __future__ import annotations

from ipaddress import ip_address

from hivelet.errors import InvalidParameter

_LONGEST_HOSTNAME = 64
HOST_GATEWAY = "host-gateway"


def check_word(what: str, value: str) -> None:
    """Refuse a value that is not one printable word.

    Raises:
        InvalidParameter: names the field and the value.
    """
    if not value or not value.isprintable() or any(letter.isspace() for letter in value):
        raise InvalidParameter(
            f"invalid {what} {value!r}: it must be one word without spaces and control characters"
        )


def check_hostname(value: str) -> None:
    """Refuse a host name that no machine can have; "" means none was given.

    Raises:
        InvalidParameter: names the value.
    """
    if value:
        check_word("hostname", value)
    if len(value.encode()) > _LONGEST_HOSTNAME:
        raise InvalidParameter(
            f"invalid hostname {value!r}: it has more than {_LONGEST_HOSTNAME} characters"
        )


def check_nameserver(value: str) -> None:
    """Refuse a name server that is no IP address.

    Raises:
        InvalidParameter: names the value.
    """
    try:
        if "%" not in value:
            ip_address(value)
            return
    except ValueError:
        pass
    raise InvalidParameter(
        f"invalid nameserver {value!r}: it must be an IPv4 or IPv6 address, such as 192.0.2.53, without a zone"
    )


def check_extra_host(name: str, address: str) -> None:
    """Refuse a line of /etc/hosts that is none; the address may stand in brackets, or be `host-gateway`.

    Raises:
        InvalidParameter: names the value.
    """
    check_word("name in add-host", name)
    if address == HOST_GATEWAY:
        return
    try:
        if "%" not in address:
            ip_address(address.removeprefix("[").removesuffix("]"))
            return
    except ValueError:
        pass
    raise InvalidParameter(f"invalid IP address in add-host: {address!r} (for {name})")
