from datetime import UTC, datetime, timedelta

import pytest

from hivelet.agent.exec.drain import (
    DrainRule,
    News,
    describe_drain,
    describe_stop,
    drain_rule,
    poll_delay,
)
from hivelet.objects.common import SECOND, Annotations, TaskId
from hivelet.objects.defaults import DRAIN_IDLE_LABEL, DRAIN_TIMEOUT_LABEL
from hivelet.objects.task import ContainerSpec, Task, TaskSpec, TaskState, TaskStatus

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("labels", "grace", "limit", "idle_after"),
    [
        pytest.param({}, None, 10, 1, id="defaults"),
        pytest.param({}, 90 * SECOND, 90, 1, id="the-grace-period"),
        pytest.param({}, 0, 0, 1, id="no-grace-no-drain"),
        pytest.param({DRAIN_TIMEOUT_LABEL: "2m"}, 5 * SECOND, 120, 1, id="the-label-leads"),
        pytest.param({DRAIN_TIMEOUT_LABEL: "0s"}, None, 0, 1, id="turned-off"),
        pytest.param({DRAIN_TIMEOUT_LABEL: "soon"}, None, 10, 1, id="no-duration"),
        pytest.param({DRAIN_IDLE_LABEL: "15s"}, None, 10, 15, id="patient-with-the-silent"),
    ],
)
def test_the_rule_is_the_services(labels, grace, limit, idle_after):
    task = Task(
        id=TaskId("t"),
        service_annotations=Annotations(name="s", labels=labels),
        spec=TaskSpec(container_spec=ContainerSpec(image="web", stop_grace_period=grace)),
    )
    assert drain_rule(task) == DrainRule(limit=limit, idle_after=idle_after)


def test_counting_is_quick_at_first_and_calm_later():
    delays = [poll_delay(n) for n in range(10)]
    assert delays == sorted(delays)
    assert delays[-1] == delays[-2]
    assert poll_delay(0, 10_000) > 1


def test_a_short_drain_is_not_worth_a_word():
    news = News(NOW, DrainRule(limit=10, idle_after=1))
    assert [news.next(3, at(s)) for s in (0, 0.5, 0.99)] == ["", "", ""]
    assert not news.told


def test_what_holds_it_up_is_told_when_it_changes():
    news = News(NOW, DrainRule(limit=10, idle_after=1))
    assert news.next(3, at(1)) == "draining: 3 connections, until 12:00:10 UTC at the latest"
    assert news.told
    assert news.next(3, at(5)) == ""
    assert news.next(1, at(6)) == "draining: 1 connection, until 12:00:10 UTC at the latest"


def test_an_hours_drain_with_ever_other_counts_is_told_rarely():
    news = News(NOW, DrainRule(limit=3600, idle_after=1))
    told = [text for s in range(3600) if (text := news.next(s + 1, at(s)))]
    assert len(told) < 70


def test_the_words_are_those_by_which_a_leaving_task_is_known():
    for message in (describe_drain(1, NOW), describe_drain(2, NOW), describe_stop(NOW)):
        assert TaskStatus(state=TaskState.RUNNING, message=message).leaving
    assert not TaskStatus(state=TaskState.RUNNING, message="started").leaving


def test_what_follows_the_drain():
    assert describe_stop(at(7)) == (
        "stopping: its process has the stop signal, and is killed at 12:00:07 UTC"
    )
