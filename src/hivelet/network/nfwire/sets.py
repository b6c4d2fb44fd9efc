"""Sets and maps: the elements of ours, and the anonymous ones that a rule brings with it. Pure.

An anonymous set is constant, lives and dies with its rule, and is known within its transaction by an id. What always
holds: an element list is split over messages before it outgrows the 64 KiB of an attribute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from hivelet.network.family import Family
from hivelet.network.netlink.nlmsg import attribute, big_number, nested, text
from hivelet.network.nfwire import uapi
from hivelet.network.nfwire.datatypes import NAMED, DataType, number_of, pack, size_of
from hivelet.network.nfwire.unspoken import NotSpoken
from hivelet.network.rules.sets import containers

_ROOM = 32 << 10
_VERDICT = "verdict"
_GOTO = "goto "


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A set or map of our table: of what its keys are made, and its values (none: a set; `to_chain`: chains)."""

    key: tuple[DataType, ...]
    data: tuple[DataType, ...] = ()
    to_chain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymousSet:
    """A set or map of one rule; its number is its own among all that there are."""

    number: int
    key: tuple[DataType, ...]
    data: tuple[DataType, ...] = ()
    flags: int = 0
    userdata: bytes
    elements: tuple[bytes, ...]

    @property
    def name(self) -> str:
        """A name that no other set has. nft leaves the choice to the kernel ("__map%d"), which asks all sets of the table for it."""
        return f"__{'map' if self.data else 'set'}_{self.number:x}"

    @property
    def id(self) -> int:
        """Its number within a transaction."""
        return self.number & 0xFFFFFFFF


@cache
def named_sets(family: Family) -> dict[str, NamedSet]:
    """The sets and maps of our table whose elements can be written here: those without flags."""
    found: dict[str, NamedSet] = {}
    for container in containers(family):
        words, _, flags = container.definition.removeprefix("type ").partition(";")
        key, _, data = words.partition(" : ")
        kinds = tuple(NAMED[name] for name in key.split(" . ") if name in NAMED)
        if flags or len(kinds) != key.count(" . ") + 1:
            continue
        if data in NAMED:
            found[container.name] = NamedSet(kinds, (NAMED[data],))
        elif data in ("", _VERDICT):
            found[container.name] = NamedSet(kinds, to_chain=data == _VERDICT)
    return found


def element(key: bytes, data: bytes | None = None) -> bytes:
    """An element of a list: its key and, in a map, the value."""
    value = [] if data is None else [_value(uapi.NFTA_SET_ELEM_DATA, data)]
    return nested(uapi.NFTA_LIST_ELEM, _value(uapi.NFTA_SET_ELEM_KEY, key), *value)


def interval_end(key: bytes) -> bytes:
    """The element behind an interval's last one."""
    return nested(
        uapi.NFTA_LIST_ELEM,
        big_number(uapi.NFTA_SET_ELEM_FLAGS, uapi.NFT_SET_ELEM_INTERVAL_END),
        _value(uapi.NFTA_SET_ELEM_KEY, key),
    )


def read_element(words: str, where: NamedSet, *, with_data: bool) -> bytes:
    """An element as a script has it ("key" or "key : value")."""
    key, colon, value = words.partition(" : ")
    is_map = where.to_chain or bool(where.data)
    if bool(colon) is not (with_data and is_map):
        raise NotSpoken(words)
    packed = pack(key, where.key)
    if not colon:
        return element(packed)
    if not where.to_chain:
        return element(packed, pack(value, where.data))
    if not value.startswith(_GOTO):
        raise NotSpoken(words)
    target = nested(
        uapi.NFTA_DATA_VERDICT,
        big_number(uapi.NFTA_VERDICT_CODE, uapi.NFT_GOTO),
        text(uapi.NFTA_VERDICT_CHAIN, value.removeprefix(_GOTO)),
    )
    return nested(
        uapi.NFTA_LIST_ELEM,
        _value(uapi.NFTA_SET_ELEM_KEY, packed),
        nested(uapi.NFTA_SET_ELEM_DATA, target),
    )


def element_lists(
    table: str, name: str, elements: Sequence[bytes], set_id: int | None = None
) -> Iterator[bytes]:
    """The bodies of the messages that name these elements; `set_id` is that of a set of the same transaction."""
    head = text(uapi.NFTA_SET_ELEM_LIST_TABLE, table) + text(uapi.NFTA_SET_ELEM_LIST_SET, name)
    if set_id is not None:
        head += big_number(uapi.NFTA_SET_ELEM_LIST_SET_ID, set_id)
    group: list[bytes] = []
    size = 0
    for one in elements:
        if size + len(one) > _ROOM:
            yield head + _numbered(group)
            group, size = [], 0
        group.append(one)
        size += len(one)
    yield head + _numbered(group)


def new_set(table: str, anonymous: AnonymousSet) -> bytes:
    """The body of the message that makes an anonymous set."""
    flags = uapi.NFT_SET_ANONYMOUS | uapi.NFT_SET_CONSTANT | anonymous.flags
    data = b""
    if anonymous.data:
        flags |= uapi.NFT_SET_MAP
        data = big_number(uapi.NFTA_SET_DATA_TYPE, number_of(anonymous.data))
        data += big_number(uapi.NFTA_SET_DATA_LEN, size_of(anonymous.data))
    return b"".join(
        (
            text(uapi.NFTA_SET_TABLE, table),
            text(uapi.NFTA_SET_NAME, anonymous.name),
            big_number(uapi.NFTA_SET_FLAGS, flags),
            big_number(uapi.NFTA_SET_KEY_TYPE, number_of(anonymous.key)),
            big_number(uapi.NFTA_SET_KEY_LEN, size_of(anonymous.key)),
            data,
            big_number(uapi.NFTA_SET_ID, anonymous.id),
            nested(
                uapi.NFTA_SET_DESC,
                big_number(uapi.NFTA_SET_DESC_SIZE, len(anonymous.elements)),
            ),
            attribute(uapi.NFTA_SET_USERDATA, anonymous.userdata),
        )
    )


def _numbered(elements: Sequence[bytes]) -> bytes:
    # libnftnl numbers the elements of a list, which the kernel allows and ignores; here they all have one number.
    return nested(uapi.NFTA_SET_ELEM_LIST_ELEMENTS, *elements)


def _value(kind: int, value: bytes) -> bytes:
    return nested(kind, attribute(uapi.NFTA_DATA_VALUE, value))
