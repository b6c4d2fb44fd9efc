"""Placement constraints: `node.labels.disk==ssd` and its kin, parsed and matched. Pure.

SwarmKit's rules: keys and values are compared without regard to case, except label names; an unknown label equals the empty
value for `!=` and never for `==`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from hivelet.errors import InvalidParameter
from hivelet.kit.architecture import go_architecture
from hivelet.objects.node import Node

_KEY = re.compile(r"[a-z0-9][a-z0-9\-_.]+", re.IGNORECASE)
_VALUE = re.compile(r"[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+", re.IGNORECASE)
_OPERATORS = ("==", "!=")

_NODE_LABEL = "node.labels."
_ENGINE_LABEL = "engine.labels."

_FIELDS: dict[str, Callable[[Node], str]] = {
    "node.id": lambda node: node.id,
    "node.hostname": lambda node: node.description.hostname,
    "node.role": lambda node: node.spec.role,
    "node.platform.os": lambda node: node.description.platform.os,
    "node.platform.arch": lambda node: node.description.platform.architecture,
}


@dataclass(frozen=True, slots=True)
class Constraint:
    """One parsed constraint."""

    key: str
    equal: bool
    value: str

    def matches(self, node: Node) -> bool:
        """Whether `node` satisfies it; a key that no node has satisfies nothing."""
        lowered = self.key.lower()
        if lowered == "node.ip":
            return self._matches_address(node.status.addr)
        if lowered.startswith(_NODE_LABEL):
            return self._same(node.spec.labels.get(self.key[len(_NODE_LABEL) :]))
        if lowered.startswith(_ENGINE_LABEL):
            labels = node.description.engine.labels
            return self._same(labels.get(self.key[len(_ENGINE_LABEL) :]))
        field = _FIELDS.get(lowered)
        return field is not None and self._same(field(node))

    def _same(self, actual: str | None) -> bool:
        if actual is None:
            return not self.equal
        one, other = self.value.lower(), actual.lower()
        if self.key.lower() == "node.platform.arch":
            one, other = go_architecture(one), go_architecture(other)
        return (one == other) is self.equal

    def _matches_address(self, address: str) -> bool:
        try:
            network = ipaddress.ip_network(self.value, strict=False)
            inside = ipaddress.ip_address(address) in network
        except ValueError:
            return False
        return inside is self.equal


def parse_constraints(expressions: Iterable[str]) -> tuple[Constraint, ...]:
    """The parsed constraints.

    Raises:
        InvalidParameter: one of them is none, in SwarmKit's words.
    """
    return _parse(tuple(expressions))


@lru_cache(maxsize=1024)
def _parse(expressions: tuple[str, ...]) -> tuple[Constraint, ...]:
    return tuple(_parse_one(expression) for expression in expressions)


def _parse_one(expression: str) -> Constraint:
    for operator in _OPERATORS:
        if operator not in expression:
            continue
        key, value = (part.strip() for part in expression.split(operator, 1))
        if not _KEY.fullmatch(key):
            raise InvalidParameter(_grpc(f"key '{key}' is invalid"))
        if not _VALUE.fullmatch(value):
            raise InvalidParameter(_grpc(f"value '{value}' is invalid"))
        return Constraint(key, operator == "==", value)
    raise InvalidParameter(_grpc("constraint expected one operator from ==, !="))


def _grpc(message: str) -> str:
    return f"rpc error: code = Unknown desc = {message}"


def unmet(constraints: Iterable[Constraint], node: Node) -> Constraint | None:
    """The first constraint that `node` does not satisfy."""
    return next((each for each in constraints if not each.matches(node)), None)
