from datetime import UTC, datetime

import pytest

from hivelet.convert.shape import drop_nulls, encode, parse_json, rfc3339, rfc3339_fixed
from hivelet.errors import InvalidParameter
from hivelet.objects.common import Annotations
from hivelet.objects.service import ReplicatedMode, UpdateConfig
from hivelet.objects.task import ContainerSpec, PortConfig, SecretReferenceFile, TaskSpec


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Annotations(name="a"), {"Name": "a", "Labels": {}}, id="labels-always"),
        pytest.param(ReplicatedMode(replicas=0), {"Replicas": 0}, id="pointer-to-zero"),
        pytest.param(ReplicatedMode(), {}, id="nil-pointer"),
        pytest.param(
            PortConfig(target_port=80),
            {"Protocol": "tcp", "TargetPort": 80, "PublishMode": "ingress"},
            id="port",
        ),
        pytest.param(
            UpdateConfig(max_failure_ratio=0.5),
            {"Parallelism": 0, "MaxFailureRatio": 0.5, "Order": ""},
            id="update-config",
        ),
        pytest.param(1.0, 1, id="whole-float"),
        pytest.param(
            TaskSpec(container_spec=ContainerSpec(stop_grace_period=0)),
            {"ContainerSpec": {"StopGracePeriod": 0}, "ForceUpdate": 0},
            id="grace-zero",
        ),
        pytest.param(
            SecretReferenceFile(name="x"),
            {"Name": "x", "UID": "0", "GID": "0", "Mode": 0o444},
            id="secret-file",
        ),
        pytest.param(b"ab", "YWI=", id="bytes"),
        pytest.param((1, "a"), [1, "a"], id="tuple"),
    ],
)
def test_encode_follows_go(value, expected):
    assert encode(value) == expected


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, "0001-01-01T00:00:00Z"),
        (datetime(2024, 5, 6, 7, 8, 9, 120000, UTC), "2024-05-06T07:08:09.12Z"),
        (datetime(2024, 5, 6, 7, 8, 10, tzinfo=UTC), "2024-05-06T07:08:10Z"),
        (datetime.fromisoformat("2024-05-06T09:08:10+02:00"), "2024-05-06T07:08:10Z"),
    ],
)
def test_moments(moment, text):
    assert rfc3339(moment) == text


def test_log_times_keep_nine_digits():
    assert rfc3339_fixed(1_714_979_289_000_000_001) == "2024-05-06T07:08:09.000000001Z"


def test_nulls_are_dropped_at_every_depth():
    assert drop_nulls({"a": None, "b": [{"c": None, "d": 0}], "e": False}) == {
        "b": [{"d": 0}],
        "e": False,
    }


def test_no_body_is_an_empty_object():
    assert parse_json(b" \n") == {}


@pytest.mark.parametrize("raw", [b"{bad", b"[", b"\xff"])
def test_what_is_not_json_is_refused(raw):
    with pytest.raises(InvalidParameter, match="not valid JSON"):
        parse_json(raw)
