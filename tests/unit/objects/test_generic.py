"""Generic resources: how a node's are written, and who gets what of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.objects.generic import (
    claim,
    discrete,
    environment,
    named,
    parse_generic_resources,
)


def test_numbers_and_names():
    found = parse_generic_resources(["GPU=id1", "GPU=id2", "SSD=3"])
    assert found == [named("GPU", "id1"), named("GPU", "id2"), discrete("SSD", 3)]


@pytest.mark.parametrize(
    "entries", [["GPU"], ["=1"], ["GPU="], ["GPU=1", "GPU=2"], ["GPU=1", "GPU=a"]]
)
def test_nonsense_is_refused(entries):
    with pytest.raises(ValueError, match="generic resource"):
        parse_generic_resources(entries)


THERE = [named("GPU", "a"), named("GPU", "b"), discrete("SSD", 3)]


@pytest.mark.parametrize(
    ("wanted", "taken", "given_"),
    [
        ([], [], []),
        ([discrete("SSD", 2)], [], [discrete("SSD", 2)]),
        ([discrete("SSD", 2)], [discrete("SSD", 2)], None),
        ([discrete("GPU", 1)], [], [named("GPU", "a")]),
        ([discrete("GPU", 1)], [named("GPU", "a")], [named("GPU", "b")]),
        ([discrete("GPU", 3)], [], None),
        ([named("GPU", "b")], [], [named("GPU", "b")]),
        ([named("GPU", "b")], [named("GPU", "b")], None),
        ([discrete("FPGA", 1)], [], None),
    ],
)
def test_who_gets_what(wanted, taken, given_):
    assert claim(wanted, THERE, taken) == given_


@given(st.lists(st.integers(1, 3), max_size=8), st.integers(0, 6))
def test_nothing_is_given_twice(wishes, count):
    there = [named("GPU", str(number)) for number in range(count)]
    taken = []
    for wish in wishes:
        taken.extend(claim([discrete("GPU", wish)], there, taken) or [])
    values = [each.named_resource_spec.value for each in taken]
    assert len(values) == len(set(values)) <= count


def test_the_container_is_told():
    told = environment([named("gpu", "a"), discrete("ssd", 2), named("gpu", "b")])
    assert told == ["DOCKER_RESOURCE_GPU=a,b", "DOCKER_RESOURCE_SSD=2"]
