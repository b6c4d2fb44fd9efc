"""Filters of containers: whatever is asked for is refused with a reason, or picks some of what there is, in its order."""

from __future__ import annotations

import json
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from hivelet.convert.container_filters import FILTERS, STATUSES, select_containers
from hivelet.convert.filters import parse_filters
from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.container import ContainerState
from hivelet.testing.sample import MOMENT, make_container

WORDS = st.sampled_from(
    ["", "running", "exited", "0", "137", "web", "a", "a=b", "80", "80/tcp", "70-90", "none", "true", "net", "^/web", "(", "x" * 9]
)  # fmt: skip
ASKED = st.dictionaries(st.sampled_from(FILTERS), st.lists(WORDS, max_size=2), max_size=3)


@st.composite
def worlds(draw):
    """Containers of every state and age."""
    return [
        make_container(slot).replaced(
            id=f"{slot:064x}",
            created=MOMENT - timedelta(seconds=draw(st.integers(0, 100))),
            state=ContainerState(
                status=draw(st.sampled_from(STATUSES)),
                exit_code=draw(st.sampled_from([0, 137])),
                started_at=MOMENT,
            ),
        )
        for slot in (1, 2)
    ]


def select(containers, asked, *, old=False, **more):
    text = json.dumps({k: dict.fromkeys(v, True) for k, v in asked.items()} if old else asked)
    options = {"everything": True, "limit": 0, **more}
    return select_containers(containers, parse_filters(text, FILTERS), **options)


@given(containers=worlds(), asked=ASKED, limit=st.integers(0, 3))
def test_what_is_picked_is_some_of_it_newest_first(containers, asked, limit):
    try:
        found = select(containers, asked, limit=limit)
    except (InvalidParameter, NotFound):
        return
    newest = sorted(containers, key=lambda container: container.created, reverse=True)
    assert [each for each in newest if each in found] == found
    assert len(found) <= (limit or len(containers))
    # The old form of filters asks for the same.
    assert select(containers, asked, old=True, limit=limit) == found


@given(containers=worlds(), asked=ASKED, key=st.sampled_from(["name", "id", "label", "status"]))
def test_one_more_filter_never_picks_more(containers, asked, key):
    more = {**asked, key: ["running" if key == "status" else "web"]}
    if key in asked:
        return
    try:
        few, many = select(containers, more), select(containers, asked)
    except (InvalidParameter, NotFound):
        return
    assert all(each in many for each in few)


@given(st.text(max_size=30))
def test_anything_that_is_no_filter_is_refused(text):
    try:
        found = parse_filters(text, FILTERS)
    except InvalidParameter:
        return
    assert not any(key in found for key in FILTERS)
