"""When a plain container starts again."""

import pytest

from hivelet.engine.plain.restart_policy import (
    Ended,
    check_policy,
    next_pause,
    starts_with_the_daemon,
)
from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerRestartPolicy


def policy(name, count=0):
    return ContainerRestartPolicy(name=name, maximum_retry_count=count)


def ended(code=1, **more):
    return Ended(**{"code": code, "ran": 1.0, "by_hand": False, "restarts": 0} | more)


@pytest.mark.parametrize(
    ("wish", "how", "pause"),
    [
        (policy("no"), ended(), None),
        (policy(""), ended(), None),
        (policy("always"), ended(0), 0.1),
        (policy("always"), ended(by_hand=True), None),
        (policy("unless-stopped"), ended(0), 0.1),
        (policy("on-failure"), ended(0), None),
        (policy("on-failure"), ended(3, restarts=100, last_pause=1.0), 2.0),
        (policy("on-failure", 2), ended(3, restarts=1), 0.1),
        (policy("on-failure", 2), ended(3, restarts=2), None),
        (policy("always"), ended(last_pause=0.1), 0.2),
        (policy("always"), ended(last_pause=40.0), 60.0),
        (policy("always"), ended(last_pause=40.0, ran=11.0), 0.1),
    ],
)
def test_the_next_pause(wish, how, pause):
    assert next_pause(wish, how) == pause


@pytest.mark.parametrize(
    ("name", "by_hand", "code", "starts"),
    [
        ("no", False, 1, False),
        ("always", True, 0, True),
        ("unless-stopped", True, 1, False),
        ("unless-stopped", False, 0, True),
        ("on-failure", False, 0, False),
        ("on-failure", False, 2, True),
        ("on-failure", True, 2, False),
    ],
)
def test_what_starts_with_the_daemon(name, by_hand, code, starts):
    assert starts_with_the_daemon(policy(name), by_hand=by_hand, code=code) is starts


@pytest.mark.parametrize(
    ("wish", "remove", "message"),
    [
        (policy("sometimes"), False, "invalid restart policy 'sometimes'"),
        (policy("on-failure", -1), False, "maximum retry count cannot be negative"),
        (policy("always", 3), False, "cannot be used with restart policy 'always'"),
        (policy("always"), True, "can't create 'AutoRemove' container with restart policy"),
    ],
)
def test_policies_that_cannot_be(wish, remove, message):
    with pytest.raises(InvalidParameter, match=message):
        check_policy(wish, auto_remove=remove)
