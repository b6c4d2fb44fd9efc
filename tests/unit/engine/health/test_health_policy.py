from datetime import UTC, datetime, timedelta

import pytest

from hivelet.engine.health.policy import (
    HealthPolicy,
    begin_health,
    build_policy,
    clip_output,
    describe_failure,
    describe_timeout,
    next_health,
    next_probe_at,
)
from hivelet.errors import InvalidParameter
from hivelet.objects.common import SECOND
from hivelet.objects.container import ContainerConfig, Health, Healthcheck, HealthProbe

T0 = datetime(2026, 1, 1, tzinfo=UTC)
STARTING = Health(status="starting")


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def probe(age, code, output=""):
    return HealthProbe(start=at(age), end=at(age), exit_code=code, output=output)


def config(*test, shell=None, **check):
    return ContainerConfig(healthcheck=Healthcheck(test=list(test), **check), shell=shell)


def run(policy, codes, health=STARTING, age=0.0):
    """Statuses after probes with these codes, each due when the policy says."""
    seen = []
    for code in codes:
        age = (next_probe_at(policy, health, T0, at(age)) - T0).total_seconds()
        health = next_health(policy, health, probe(age, code), T0)
        seen.append((age, health.status, health.failing_streak))
    return seen


@pytest.mark.parametrize(
    ("given", "command"),
    [
        (config("CMD", "check", "-q"), ("check", "-q")),
        (config("CMD-SHELL", "check || exit 1"), ("/bin/sh", "-c", "check || exit 1")),
        (config("CMD-SHELL", "x", shell=["/bin/ash", "-ec"]), ("/bin/ash", "-ec", "x")),
    ],
)
def test_commands_and_defaults(given, command):
    assert build_policy(given) == HealthPolicy(
        command=command, interval=30, timeout=30, grace=0, start_interval=5, retries=3
    )


@pytest.mark.parametrize("given", [ContainerConfig(), config(), config("NONE")])
def test_no_check_no_health(given):
    assert build_policy(given) is None
    assert begin_health(given) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (config("CURL", "x"), 'Unknown healthcheck type "CURL"'),
        (config("CMD"), "no command after it"),
    ],
)
def test_a_check_that_nobody_understands_is_refused(given, words):
    with pytest.raises(InvalidParameter, match=words):
        build_policy(given)


def test_times_are_given_in_nanoseconds():
    given = config(
        *("CMD", "x"), interval=2 * SECOND, timeout=SECOND // 2, start_period=SECOND, retries=7
    )
    policy = build_policy(given)
    assert (policy.interval, policy.timeout, policy.grace, policy.retries) == (2, 0.5, 1, 7)


def test_without_a_start_period_the_times_are_dockers():
    policy = HealthPolicy(command=("x",), interval=10, retries=3)
    assert run(policy, [1, 1, 1, 0]) == [
        (10, "starting", 1),
        (20, "starting", 2),
        (30, "unhealthy", 3),
        (40, "healthy", 0),
    ]


def test_in_the_start_period_probes_come_soon_and_failures_do_not_count():
    policy = HealthPolicy(command=("x",), interval=30, grace=10, start_interval=3, retries=2)
    assert run(policy, [1] * 8) == [
        (0.25, "starting", 0),
        (0.5, "starting", 0),
        (1, "starting", 0),
        (2, "starting", 0),
        (4, "starting", 0),
        (7, "starting", 0),
        (10, "starting", 1),
        (40, "unhealthy", 2),
    ]


def test_the_first_success_ends_the_start_period():
    policy = HealthPolicy(command=("x",), interval=30, grace=60, retries=2)
    assert run(policy, [0, 1, 1]) == [
        (0.25, "healthy", 0),
        (30.25, "healthy", 1),
        (60.25, "unhealthy", 2),
    ]


def test_a_start_interval_alone_makes_no_verdict_earlier():
    given = config("CMD", "x", interval=10 * SECOND, start_interval=4 * SECOND)
    seen = run(build_policy(given), [1] * 9)
    assert [age for age, _, streak in seen if streak] == [10, 20, 30]
    assert seen[-1] == (30, "unhealthy", 3)


def test_a_success_forgets_failures():
    policy = HealthPolicy(command=("x",), retries=2)
    assert [s for _, s, _ in run(policy, [0, 1, 0, 1, 1])] == ["healthy"] * 4 + ["unhealthy"]


def test_the_last_five_probes_are_kept():
    policy = HealthPolicy(command=("x",))
    health = STARTING
    for code in range(8):
        health = next_health(policy, health, probe(code, code), T0)
    assert [p.exit_code for p in health.log] == [3, 4, 5, 6, 7]


def test_output_is_bounded():
    assert clip_output(b"x" * 4096) == "x" * 4096
    assert clip_output(b"x" * 4097) == "x" * 4096 + "..."
    assert clip_output(b"\xff") == "\N{REPLACEMENT CHARACTER}"


def test_a_timeout_is_told_in_gos_words_with_what_was_printed():
    policy = HealthPolicy(command=("x",), timeout=0.5)
    assert describe_timeout(policy, "") == "Health check exceeded timeout (500ms)"
    policy = HealthPolicy(command=("x",), timeout=90)
    assert describe_timeout(policy, "connecting\n") == (
        "Health check exceeded timeout (1m30s): connecting\n"
    )


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (probe(0, 1, "a\nrefused\n"), "health check exited with 1: refused"),
        (probe(0, 7), "health check exited with 7"),
        (probe(0, -1, "Health check exceeded timeout (3s)"), "Health check exceeded timeout (3s)"),
        (probe(0, -1, "exceeded (3s): a\nb\n"), "exceeded (3s): a"),
    ],
)
def test_the_reason_is_what_the_last_probe_said(last, said):
    assert describe_failure(Health(log=[probe(0, 0), last])) == said
    assert describe_failure(None) == describe_failure(Health()) == ""
