"""Placement constraints."""

import pytest

from hivelet.errors import InvalidParameter
from hivelet.manager.constraints import parse_constraints, unmet
from hivelet.objects.common import Platform
from hivelet.objects.node import (
    EngineDescription,
    Node,
    NodeDescription,
    NodeSpec,
    NodeStatus,
)

NODE = Node(
    id="n1",
    spec=NodeSpec(role="manager", labels={"disk": "ssd", "Zone": "A"}),
    status=NodeStatus(addr="192.0.2.7"),
    description=NodeDescription(
        hostname="box",
        platform=Platform(architecture="x86_64", os="linux"),
        engine=EngineDescription(labels={"gpu": "yes"}),
    ),
)


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("node.id==n1", True),
        ("node.id != n1", False),
        ("node.hostname == BOX", True),
        ("node.role==manager", True),
        ("node.role!=worker", True),
        ("node.labels.disk==ssd", True),
        ("node.labels.Zone==a", True),
        ("node.labels.zone==a", False),
        ("node.labels.none==x", False),
        ("node.labels.none!=x", True),
        ("engine.labels.gpu==yes", True),
        ("node.platform.os==linux", True),
        ("node.platform.arch==amd64", True),
        ("node.ip==192.0.2.0/24", True),
        ("node.ip!=192.0.2.7", False),
        ("nonsense.key==x", False),
    ],
)
def test_matching(expression, met):
    assert (unmet(parse_constraints([expression]), NODE) is None) is met


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("node.id=n1", "constraint expected one operator from ==, !="),
        ("=n==x", "key '=n' is invalid"),
        ("node.id==", "value '' is invalid"),
    ],
)
def test_refusals(expression, message):
    with pytest.raises(InvalidParameter, match=message):
        parse_constraints([expression])
