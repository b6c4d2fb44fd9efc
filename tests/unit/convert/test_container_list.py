from datetime import timedelta

import pytest

from hivelet.convert.container import encode_summary, status_text
from hivelet.convert.container_filters import FILTERS, select_containers
from hivelet.convert.filters import parse_filters
from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.container import ContainerState, Health
from hivelet.testing.sample import MOMENT, TASKS, make_container

STARTED = MOMENT - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (ContainerState(), "Created"),
        (ContainerState(status="running", started_at=STARTED), "Up 5 minutes"),
        (ContainerState(status="paused", paused=True, started_at=STARTED), "Up 5 minutes (Paused)"),
        (
            ContainerState(status="running", started_at=STARTED, health=Health(status="starting")),
            "Up 5 minutes (health: starting)",
        ),
        (
            ContainerState(status="running", started_at=STARTED, health=Health(status="healthy")),
            "Up 5 minutes (healthy)",
        ),
        (
            ContainerState(status="exited", exit_code=137, started_at=STARTED, finished_at=STARTED),
            "Exited (137) 5 minutes ago",
        ),
        (ContainerState(status="dead", dead=True, started_at=STARTED), "Dead"),
        (ContainerState(status="removing"), "Removal In Progress"),
        (
            ContainerState(status="restarting", restarting=True, exit_code=1, finished_at=STARTED),
            "Restarting (1) 5 minutes ago",
        ),
    ],
)
def test_status_in_words(state, text):
    assert status_text(state, MOMENT) == text


def test_an_argument_with_a_space_is_quoted():
    container = make_container(1).replaced(path="sh", args=["-c", "sleep 1"])
    assert encode_summary(container, MOMENT)["Command"] == "sh -c 'sleep 1'"


def ended(slot):
    state = ContainerState(status="exited", exit_code=1, started_at=STARTED, finished_at=MOMENT)
    return make_container(slot).replaced(state=state)


def select(text="", *, everything=False, limit=0):
    containers = [make_container(1), ended(2)]
    filters = parse_filters(text, FILTERS)
    chosen = select_containers(containers, filters, everything=everything, limit=limit)
    return [container.name.split(".")[1] for container in chosen]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1"]),
        ('{"status":["exited"]}', ["2"]),
        ('{"exited":["1"]}', ["2"]),
        ('{"exited":["0"]}', []),
        ('{"name":["web.1"]}', ["1"]),
        ('{"name":["^/web"]}', ["1"]),
        ('{"id":["c1c1"]}', ["1"]),
        (f'{{"label":["com.docker.swarm.task.id={TASKS[0]}"]}}', ["1"]),
        ('{"is-task":["true"]}', ["1"]),
        ('{"is-task":["false"]}', []),
        ('{"network":["myapp_webnet"]}', ["1"]),
        ('{"network":["net1"]}', ["1"]),
        ('{"network":["other"]}', []),
        ('{"publish":["8000-8001"]}', ["1"]),
        ('{"publish":["9000"]}', []),
        ('{"expose":["8000/tcp"]}', ["1"]),
        ('{"health":["none"]}', ["1", "2"]),
        ('{"volume":["/data"]}', []),
        (f'{{"before":["web.1.{TASKS[0]}"]}}', ["2"]),
        ('{"since":["c2c2"]}', ["1"]),
    ],
)
def test_filters(text, expected):
    assert select(text) == expected


@pytest.mark.parametrize(("found", "expected"), [(True, ["1", "2"]), (False, [])])
def test_the_images_that_a_filter_names_are_known_by_their_ids(found, expected):
    containers = [make_container(1), ended(2)]
    chosen = select_containers(
        containers,
        parse_filters('{"ancestor":["myweb:latest"]}', FILTERS),
        everything=True,
        limit=0,
        ancestors=[containers[0].image_id] if found else [],
    )
    assert [container.name.split(".")[1] for container in chosen] == expected


def test_one_that_waits_for_its_next_start_is_among_those_that_run():
    state = ContainerState(status="restarting", restarting=True, exit_code=1, finished_at=STARTED)
    waits = make_container(1).replaced(state=state)
    chosen = select_containers([waits], parse_filters("", FILTERS), everything=False, limit=0)
    assert chosen == [waits]


def test_newest_first_and_limited():
    assert select(everything=True) == ["1", "2"]
    assert select(limit=1) == ["1"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"status":["x"]}', InvalidParameter),
        ('{"exited":["x"]}', InvalidParameter),
        ('{"publish":["x"]}', InvalidParameter),
        ('{"before":["nope"]}', NotFound),
    ],
)
def test_bad_values_are_refused(text, error):
    with pytest.raises(error):
        select(text)
