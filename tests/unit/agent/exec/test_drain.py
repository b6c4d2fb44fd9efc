import pytest

from hivelet.agent.exec.drain import drain_limit, parse_duration, poll_delay
from hivelet.objects.common import Annotations, TaskId
from hivelet.objects.defaults import DRAIN_TIMEOUT_LABEL
from hivelet.objects.task import Task


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        ("250ms", 0.25),
        ("0", 0.0),
        ("0s", 0.0),
        ("", None),
        ("30", None),
        ("s", None),
        ("30s!", None),
        ("-1s", None),
    ],
)
def test_durations_are_read_as_go_writes_them(text, seconds):
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("labels", "seconds"),
    [
        ({}, 10),
        ({DRAIN_TIMEOUT_LABEL: "2s"}, 2),
        ({DRAIN_TIMEOUT_LABEL: "0s"}, 0),
        ({DRAIN_TIMEOUT_LABEL: "soon"}, 10),
    ],
)
def test_the_services_label_sets_the_limit(labels, seconds):
    task = Task(id=TaskId("t"), service_annotations=Annotations(name="s", labels=labels))
    assert drain_limit(task) == seconds


def test_counting_is_quick_at_first_and_calm_later():
    delays = [poll_delay(n) for n in range(10)]
    assert delays == sorted(delays)
    assert delays[-1] == delays[-2]
