"""Our table as the kernel has it, read from nft's JSON. Pure.

Rules are known by their tags alone: a rule cannot be changed in the kernel, only replaced by another one, which has the
comment that it was given; and what a rule holds (an anonymous set or map) cannot be changed either. So equal tags in
equal order are equal chains, whatever the canonical form is into which nft has put them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hivelet.network.rules.ruleset import Key

_PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}
_ACCEPT = "accept"
_UNLISTED = "dynamic"
"""A flag of sets that nft 1.0.6 forgets to list, and later ones list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """What a table consists of; the same for one that is there and one that is wanted."""

    containers: Mapping[str, str] = field(default_factory=dict)
    """Sets and maps: what each is and its type, in the words of `base.CONTAINERS`."""
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Base chains: type, hook and priority of each."""
    policies: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """All chains: the tags of their rules in order, "" for one that has none."""
    elements: Mapping[Key, str] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()


def parse_listing(entries: Iterable[Mapping[str, Any]]) -> TableState:
    """A table from the list "nftables" of nft's JSON."""
    containers: dict[str, str] = {}
    hooks: dict[str, str] = {}
    policies: dict[str, str] = {}
    chains: dict[str, list[str]] = {}
    elements: dict[Key, str] = {}
    objects: set[str] = set()
    for entry in entries:
        match entry:
            case {"set": found} | {"map": found}:
                name = found["name"]
                containers[name] = _definition("map" if "map" in entry else "set", found)
                types = [found["type"]] if isinstance(found["type"], str) else found["type"]
                for item in found.get("elem", ()):
                    key, value = _element(item, types)
                    elements[name, key] = value
            case {"chain": {"name": name, "hook": hook} as found}:
                hooks[name] = f"type {found['type']} hook {hook} priority {found['prio']}"
                policies[name] = found.get("policy", _ACCEPT)
                chains.setdefault(name, [])
            case {"chain": {"name": name}}:
                chains.setdefault(name, [])
            case {"rule": found}:
                chains.setdefault(found["chain"], []).append(found.get("comment", ""))
            case {"ct timeout": found}:
                objects.add(found["name"])
            case _:
                continue
    return TableState(
        containers=containers,
        hooks=hooks,
        policies=policies,
        chains={name: tuple(tags) for name, tags in chains.items()},
        elements=elements,
        objects=frozenset(objects),
    )


def plain(key: str) -> str:
    """An element's key as a listing has it: without the quotes around link names."""
    return key.replace('"', "")


def as_listed(definition: str) -> str:
    """A set's or map's definition as `parse_listing` has it."""
    return definition.replace(f"{_UNLISTED}, ", "")


def _definition(kind: str, found: Mapping[str, Any]) -> str:
    text = f"{kind} type {_join(found['type'])}"
    if kind == "map":
        text += f" : {_join(found['map'])}"
    if flags := [flag for flag in found.get("flags", ()) if flag != _UNLISTED]:
        text += f"; flags {', '.join(sorted(flags))}"
    return f"{text}; timeout {found['timeout']}s" if "timeout" in found else text


def _join(words: str | list[str]) -> str:
    return words if isinstance(words, str) else " . ".join(words)


def _element(found: Any, types: list[str]) -> tuple[str, str]:
    match found:
        case [key, value]:
            return _element(key, types)[0], _value(value)
        case {"elem": {"val": inner}}:
            return _element(inner, types)
        case {"concat": parts}:
            return " . ".join(map(_part, parts, types)), ""
        case _:
            return _part(found, types[0]), ""


def _part(found: Any, kind: str) -> str:
    match found:
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"range": [low, high]}:
            return f"{low}-{high}"
        case _ if kind == "inet_proto":
            # Where the host has no /etc/protocols, protocols are listed by number.
            return _PROTOCOLS.get(str(found), str(found))
        case _:
            return str(found)


def _value(found: Any) -> str:
    match found:
        case {"goto": {"target": target}}:
            return f"goto {target}"
        case {"jump": {"target": target}}:
            return f"jump {target}"
        case dict():
            return " ".join(found)
        case _:
            return str(found)
