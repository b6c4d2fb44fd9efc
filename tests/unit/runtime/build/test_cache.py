"""The build cache's records, and which of them a prune takes."""

from datetime import UTC, datetime

import pytest

from hivelet.objects.build import BuildPruneRequest
from hivelet.runtime.build.cache import read_records, select_pruned

LAYERS = [{"id": "l1", "diff-size": 100}, {"id": "l2", "parent": "l1", "diff-size": 10}]
IMAGES = [
    {"id": "c3", "layer": "l2", "created": "2026-01-03T00:00:00.5Z"},
    {"id": "a1", "layer": "l1", "created": "2026-01-01T00:00:00Z", "names": ["localhost/base:a1"]},
    {"id": "b2", "layer": "l2", "created": "2026-01-02T00:00:00Z"},
    {"id": "d4"},
]


def records():
    return read_records(IMAGES, LAYERS, {"sha256:b2"})


def test_a_layer_counts_for_the_oldest_that_has_it():
    assert [(r.id, r.size, r.in_use) for r in records()] == [
        ("d4", 0, False),
        ("a1", 100, False),
        ("b2", 10, True),
        ("c3", 0, False),
    ]
    assert records()[1].description == "image localhost/base:a1"


@pytest.mark.parametrize(
    ("rule", "ids"),
    [
        (BuildPruneRequest(), ["c3", "a1", "d4"]),
        (BuildPruneRequest(everything=True), ["c3", "b2", "a1", "d4"]),
        (BuildPruneRequest(everything=True, before=datetime(2026, 1, 2, tzinfo=UTC)), ["a1", "d4"]),
        (BuildPruneRequest(everything=True, ids=["b"]), ["b2"]),
        (BuildPruneRequest(everything=True, keep_bytes=10), ["a1", "d4"]),
        (BuildPruneRequest(everything=True, keep_bytes=1000), []),
    ],
)
def test_a_prune_takes(rule, ids):
    assert select_pruned(records(), rule) == ids
