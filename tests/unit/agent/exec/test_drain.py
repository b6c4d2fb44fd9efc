import pytest

from hivelet.agent.exec.drain import drain_limit, poll_delay
from hivelet.objects.common import Annotations, TaskId
from hivelet.objects.defaults import DRAIN_TIMEOUT_LABEL
from hivelet.objects.task import Task


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
