"""An update that cannot prove anything says so; all others are silent."""

import pytest

from hivelet.manager.controlapi.warnings import label_warnings, service_warnings, update_warnings
from hivelet.objects.container import Healthcheck
from hivelet.objects.service import GlobalJobMode, ServiceMode, UpdateConfig
from hivelet.testing.cluster import replicated, scaled, with_image

SECOND = 10**9
SLOW = Healthcheck(test=["CMD", "true"], start_period=60 * SECOND)


def web(**update):
    return replicated("web", 2, update=UpdateConfig(**update) if update else None)


@pytest.mark.parametrize(
    ("spec", "watched"),
    [
        pytest.param(web(), "5s", id="default"),
        pytest.param(web(parallelism=2), "5s", id="no-monitor-given"),
        pytest.param(web(monitor=59 * SECOND), "59s", id="a-second-too-short"),
        pytest.param(web(monitor=0), "0s", id="not-watched-at-all"),
        pytest.param(web(failure_action="rollback", monitor=SECOND), "1s", id="rollback"),
    ],
)
def test_a_monitor_shorter_than_the_start_period_is_told(spec, watched):
    (said,) = update_warnings(spec, SLOW)
    assert said.startswith(f"service web: an update watches a new task for {watched} (monitor), ")
    assert "(1m0s)" in said
    assert said.endswith("Give the update a monitor of 1m0s or more.")


@pytest.mark.parametrize(
    ("spec", "check"),
    [
        pytest.param(web(), None, id="no-check"),
        pytest.param(web(), SLOW.replaced(test=["NONE"]), id="switched-off"),
        pytest.param(web(), SLOW.replaced(start_period=5 * SECOND), id="short-start"),
        pytest.param(web(monitor=60 * SECOND), SLOW, id="long-monitor"),
        pytest.param(web(failure_action="continue"), SLOW, id="failures-do-not-matter"),
        pytest.param(
            web().replaced(mode=ServiceMode(global_job=GlobalJobMode())), SLOW, id="a-job"
        ),
    ],
)
def test_nothing_to_tell(spec, check):
    assert update_warnings(spec, check) == []


def test_it_is_told_again_only_where_something_of_an_update_has_changed():
    before = web(monitor=SECOND)
    assert update_warnings(scaled(before, 9), SLOW, before) == []
    assert update_warnings(with_image(before, "web:2"), SLOW, before)
    assert update_warnings(web(monitor=2 * SECOND), SLOW, before)


def labelled(*names: str):
    return web().replaced(labels=dict.fromkeys(names, "5s"))


def test_a_label_like_ours_that_means_nothing_is_told():
    (said,) = service_warnings(labelled("com.hivelet.drain-time", "com.example.drain"), None)
    assert said == (
        "service web: label com.hivelet.drain-time is unknown and has no effect; "
        "did you mean com.hivelet.drain-timeout?"
    )
    (said,) = label_warnings(labelled("com.hivelet.zzz"))
    assert "there are com.hivelet.affinity, com.hivelet.depends-on, " in said


def test_labels_of_ours_and_those_that_were_there_are_not_told():
    assert label_warnings(labelled("com.hivelet.drain-idle", "com.hivelet.ready-timeout")) == []
    before = labelled("com.hivelet.drain-time")
    assert label_warnings(before, before) == []
