"""Nodes: specs from clients, JSON for answers, and the filters of `GET /nodes`."""

from __future__ import annotations

from collections.abc import Iterable

from hivelet.convert.body import convert_json
from hivelet.convert.filters import Filters
from hivelet.convert.shape import Json, encode, encode_meta
from hivelet.errors import InvalidParameter
from hivelet.objects.node import Node, NodeSpec

FILTERS = ("name", "id", "label", "node.label", "role", "membership")
"""What `GET /nodes` filters by."""

ROLES = ("worker", "manager")
AVAILABILITIES = ("active", "pause", "drain")
MEMBERSHIPS = ("accepted", "pending")


def parse_node_spec(data: Json) -> NodeSpec:
    """A client's node spec.

    Raises:
        InvalidParameter: there is no such role or availability.
    """
    spec = convert_json(data, NodeSpec)
    if spec.role not in ROLES:
        raise InvalidParameter(f'invalid Role: "{spec.role}"')
    if spec.availability not in AVAILABILITIES:
        raise InvalidParameter(f'invalid Availability: "{spec.availability}"')
    return spec


def encode_node(node: Node) -> Json:
    """A node as `GET /nodes/{id}` answers it."""
    answer = encode_meta(node.id, node.meta)
    answer["Spec"] = encode(node.spec)
    answer["Description"] = encode(node.description)
    answer["Status"] = encode(node.status)
    if node.manager_status is not None:
        answer["ManagerStatus"] = encode(node.manager_status)
    return answer


def select_nodes(nodes: Iterable[Node], filters: Filters) -> list[Node]:
    """The nodes that a list call asked for; all known nodes count as accepted members."""
    filters.one_of("role", ROLES)
    filters.one_of("membership", MEMBERSHIPS)
    return [
        node
        for node in nodes
        if filters.prefix("name", node.spec.name, node.description.hostname)
        and filters.prefix("id", node.id)
        and filters.labels("label", node.description.engine.labels)
        and filters.labels("node.label", node.spec.labels)
        and filters.exact("role", node.spec.role)
        and filters.exact("membership", "accepted")
    ]
