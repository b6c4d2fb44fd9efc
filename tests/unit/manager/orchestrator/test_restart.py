"""Whether and when an ended task is followed by another."""

from datetime import timedelta

import pytest

from hivelet.manager.orchestrator.restart import should_restart
from hivelet.objects.common import Version
from hivelet.objects.service import Service
from hivelet.objects.task import (
    RestartHistory,
    RestartPolicy,
    Task,
    TaskSpec,
    TaskState,
    TaskStatus,
)
from hivelet.testing.clock import EPOCH

SECOND = 1_000_000_000
NOW = EPOCH + timedelta(hours=1)


def verdict(state="failed", *, ran=1.0, history=None, version=1, **policy):
    task = Task(
        id="t",
        service_id="s",
        slot=1,
        spec=TaskSpec(restart_policy=RestartPolicy(**policy) if policy else None),
        spec_version=Version(index=1),
        status=TaskStatus(state=TaskState(state), timestamp=NOW),
        started_at=NOW - timedelta(seconds=ran) if ran is not None else None,
        restarts=history or RestartHistory(),
    )
    return should_restart(task, Service(id="s", spec_version=Version(index=version)), NOW)


@pytest.mark.parametrize(
    ("state", "condition", "wanted"),
    [
        pytest.param("failed", "", True, id="default-failed"),
        pytest.param("complete", "", True, id="default-complete"),
        pytest.param("rejected", "any", True, id="any-rejected"),
        pytest.param("failed", "on-failure", True, id="on-failure-failed"),
        pytest.param("complete", "on-failure", False, id="on-failure-complete"),
        pytest.param("failed", "none", False, id="none"),
    ],
)
def test_condition(state, condition, wanted):
    assert verdict(state, condition=condition).wanted is wanted


def test_without_a_delay_the_first_is_at_once_and_the_next_ones_back_off():
    history, delays = RestartHistory(), []
    for _ in range(9):
        found = verdict(history=history)
        history = found.history
        delays.append(found.delay)
    assert delays[0] == 0
    for delay, plain in zip(delays[1:], [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert plain * 0.9 <= delay <= plain * 1.1
    assert history.total == 9


def test_a_stable_run_starts_the_backoff_afresh():
    history = RestartHistory(total=7, failures=7)
    assert verdict(history=history, ran=9).delay > 10
    found = verdict(history=history, ran=10)
    assert (found.delay, found.history.failures, found.history.total) == (0, 1, 8)


def test_never_started_counts_as_a_failure():
    assert verdict("rejected", ran=None, history=RestartHistory(failures=3, total=3)).delay > 3


def test_a_given_delay_is_kept_to():
    for total in (0, 5):
        history = RestartHistory(total=total, failures=total)
        assert verdict(delay=3 * SECOND, history=history).delay == 3


def test_a_delay_of_nothing_is_kept_to_until_it_would_spin():
    for failures, delay in ((0, 0), (4, 0), (5, 1.0), (100, 1.0)):
        history = RestartHistory(failures=failures, total=failures)
        assert verdict(delay=0, history=history).delay == delay


def test_attempts_are_limited_per_spec():
    assert verdict(max_attempts=2, history=RestartHistory(total=1)).wanted
    assert not verdict(max_attempts=2, history=RestartHistory(total=2)).wanted
    fresh = verdict(max_attempts=2, history=RestartHistory(total=1), version=2)
    assert fresh.wanted
    assert fresh.history.total == 1


def test_attempts_within_a_window():
    moments = [NOW - timedelta(seconds=s) for s in (30, 8, 2)]
    recent = RestartHistory(total=3, moments=moments)
    within = {"window": 10 * SECOND, "history": recent}
    assert not verdict(max_attempts=2, **within).wanted
    found = verdict(max_attempts=3, **within)
    assert found.wanted
    assert found.history.moments == [*moments[1:], NOW]
