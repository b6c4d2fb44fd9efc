from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.container import ContainerConfig
from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.filters import matches_reference, parse_until, select_images
from hivelet.runtime.images.records import ImageRecord, render_time

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def image(number: int, **labels: str) -> ImageRecord:
    return ImageRecord(
        id=f"sha256:{number:064x}",
        config=ContainerConfig(labels=labels),
        raw=b"",
        created=render_time(NOW - timedelta(hours=number)),
    )


@pytest.fixture
def catalog():
    catalog = Catalog()
    for record in (image(1, env="prod"), image(2, env="test", team="a"), image(3)):
        catalog.add_image(record, ())
    catalog.add_name("docker.io/library/web:latest", image(1).id)
    catalog.add_name("docker.io/acme/web:1", image(2).id)
    return catalog


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({}, [1, 2, 3]),
        ({"dangling": ["true"]}, [3]),
        ({"dangling": ["0"]}, [1, 2]),
        ({"label": ["env"]}, [1, 2]),
        ({"label": ["env=test"]}, [2]),
        ({"label": ["env", "team=a"]}, [2]),
        ({"label!": ["env=test"]}, [1, 3]),
        ({"reference": ["web"]}, [1]),
        ({"reference": ["*"]}, [1]),
        ({"reference": ["*/web"]}, [2]),
        ({"reference": ["web:l*", "acme/*:1"]}, [1, 2]),
        ({"before": ["web"]}, [2, 3]),
        ({"since": ["acme/web:1"]}, [1]),
        ({"until": ["90m"]}, [2, 3]),
    ],
)
def test_filters_choose(catalog, filters, numbers):
    chosen = select_images(catalog, filters, now=NOW)
    assert [int(found.id.removeprefix("sha256:"), 16) for found in chosen] == numbers


@pytest.mark.parametrize("filters", [{"size": ["1"]}, {"dangling": ["maybe"]}, {"until": ["soon"]}])
def test_filters_that_mean_nothing_are_refused(catalog, filters):
    with pytest.raises(InvalidParameter, match="invalid filter"):
        select_images(catalog, filters, now=NOW)


def test_before_needs_an_image(catalog):
    with pytest.raises(NotFound, match="No such image: nope:latest"):
        select_images(catalog, {"before": ["nope"]}, now=NOW)


@pytest.mark.parametrize(
    ("pattern", "reference", "fits"),
    [
        ("b*x", "busybox:1", True),
        ("busybox:?", "busybox:1", True),
        ("busybox:[0-9]", "busybox:1", True),
        ("busybox:[^0-9]", "busybox:1", False),
        ("*", "acme/busybox", False),
        ("*/*", "acme/busybox", True),
        ("busy", "busybox", False),
        (r"busy\box", "busybox", True),
    ],
)
def test_patterns_are_gos(pattern, reference, fits):
    assert matches_reference(pattern, reference) is fits


@given(st.text(max_size=20))
def test_any_pattern_is_read_or_refused(pattern):
    try:
        matches_reference(pattern, "busybox")
    except InvalidParameter:
        return


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24h", NOW - timedelta(days=1)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("2024-04-30T12:00:00Z", NOW - timedelta(days=1)),
        (str(int(NOW.timestamp())), NOW),
    ],
)
def test_until_is_a_time_or_a_duration(text, moment):
    assert parse_until(text, NOW) == moment
