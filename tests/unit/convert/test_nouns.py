"""Requests and answers of the smaller nouns."""

from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from hivelet.convert.event import FILTERS, encode_event, matches, parse_span
from hivelet.convert.filters import parse_filters
from hivelet.convert.image import (
    FILTERS as IMAGE_FILTERS,
)
from hivelet.convert.image import (
    encode_progress,
    join_reference,
    parse_auth,
    prune_selection,
    select_images,
    until_moment,
)
from hivelet.convert.log import LogFormat, encode_record
from hivelet.convert.network import parse_connection, parse_network_spec
from hivelet.convert.node import parse_node_spec
from hivelet.convert.secret import encode_secret, parse_secret_spec
from hivelet.convert.swarm import parse_cluster_spec, parse_swarm_init
from hivelet.convert.volume import select_prunable
from hivelet.errors import InvalidParameter
from hivelet.objects.cluster import ClusterSpec
from hivelet.objects.common import SecretId
from hivelet.objects.event import Event
from hivelet.objects.image import Image, ImageProgress, RegistryAuth
from hivelet.objects.log import LogRecord
from hivelet.objects.network import IpamConfig
from hivelet.objects.secret import Secret
from hivelet.objects.volume import Volume
from hivelet.testing.sample import MOMENT


def test_the_seeds_gateway_network():
    spec = parse_network_spec(
        {
            "Name": "docker_gwbridge",
            "Driver": "bridge",
            "IPAM": {
                "Driver": "default",
                "Config": [{"Subnet": "172.20.0.0/20", "Gateway": "172.20.0.1"}],
            },
            "Options": {"com.docker.network.bridge.enable_icc": "false"},
        }
    )
    assert (spec.name, spec.scope, spec.driver_configuration.name) == (
        "docker_gwbridge",
        "local",
        "bridge",
    )
    assert spec.driver_configuration.options == {"com.docker.network.bridge.enable_icc": "false"}
    assert spec.ipam.configs == [IpamConfig(subnet="172.20.0.0/20", gateway="172.20.0.1")]


def test_networks_of_both_scopes():
    overlay = parse_network_spec({"Name": "o", "Driver": "overlay", "Attachable": True})
    assert (overlay.scope, overlay.attachable, overlay.ipam) == ("swarm", True, None)
    assert parse_network_spec({"Name": "b"}).driver_configuration.name == "bridge"


@pytest.mark.parametrize("data", [{}, {"Name": " "}, {"Name": "x", "ConfigOnly": True}])
def test_networks_that_are_refused(data):
    with pytest.raises(InvalidParameter):
        parse_network_spec(data)


def test_a_connection_with_a_fixed_address():
    container, settings, force = parse_connection(
        {
            "Container": "c",
            "Force": True,
            "EndpointConfig": {"Aliases": ["a"], "IPAMConfig": {"IPv4Address": "10.0.0.9"}},
        }
    )
    assert (container, settings.aliases, settings.ipam_config.ipv4_address, force) == (
        "c",
        ["a"],
        "10.0.0.9",
        True,
    )


def test_zeros_of_the_docker_cli_mean_defaults():
    spec = parse_cluster_spec(
        {
            "Raft": {"ElectionTick": 0},
            "Dispatcher": {"HeartbeatPeriod": 0},
            "CAConfig": {"NodeCertExpiry": 0},
        }
    )
    assert spec == ClusterSpec()
    assert parse_swarm_init({"Availability": ""}).availability == "active"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"Role": "king"}, 'invalid Role: "king"'),
        ({"Role": "worker", "Availability": "x"}, "invalid Availability"),
    ],
)
def test_bad_node_specs(data, message):
    with pytest.raises(InvalidParameter, match=message):
        parse_node_spec(data)


def test_a_secrets_data_comes_in_and_never_goes_out():
    spec = parse_secret_spec({"Name": "s", "Data": b64encode(b"\xfb\xff!").decode()})
    assert spec.data == b"\xfb\xff!"
    lines = parse_secret_spec({"Name": "s", "Data": "+/8h\r\n+/8h\n"})
    assert lines.data == b"\xfb\xff!" * 2
    assert "Data" not in encode_secret(Secret(id=SecretId("x"), spec=spec))["Spec"]


def test_data_that_is_not_base64():
    with pytest.raises(InvalidParameter, match="base64"):
        parse_secret_spec({"Name": "s", "Data": "?"})


@pytest.mark.parametrize(
    ("text", "at"), [("-_-_", 0), ("eA", 0), ("e A==", 1), ("eAeA-A==", 4), ("eA==eA==", 2)]
)
def test_where_base64_ends_to_be_such(text, at):
    """As dockerd says it; the other alphabet is none."""
    with pytest.raises(InvalidParameter, match=f"illegal base64 data at input byte {at}$"):
        parse_secret_spec({"Name": "s", "Data": text})


@pytest.mark.parametrize("encoder", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("strip", [True, False], ids=["unpadded", "padded"])
def test_registry_credentials(encoder, strip):
    header = encoder(b'{"username":"u","password":"p>?"}').decode()
    auth = parse_auth(header.rstrip("=") if strip else header)
    assert auth == RegistryAuth(username="u", password="p>?")


@pytest.mark.parametrize("header", ["", b64encode(b"{}").decode()])
def test_no_credentials(header):
    assert parse_auth(header) is None


@pytest.mark.parametrize(
    ("name", "tag", "joined"),
    [("a", "", "a"), ("a", "1", "a:1"), ("h:5000/a", "sha256:00", "h:5000/a@sha256:00")],
)
def test_references(name, tag, joined):
    assert join_reference(name, tag) == joined


def image(name, days):
    tags = [name] if name else []
    return Image(id=f"sha256:{days:064}", repo_tags=tags, created=MOMENT - timedelta(days=days))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [1, 2, 3]),
        ('{"reference":["we*"]}', [1]),
        ('{"reference":["*/web:1"]}', [2]),
        ('{"reference":["*:1"]}', []),
        ('{"dangling":["true"]}', [3]),
        ('{"dangling":["false"]}', [1, 2]),
        ('{"before":["web"]}', [2, 3]),
        ('{"since":["h/web:1"]}', [1]),
        ('{"until":["36h"]}', [2, 3]),
    ],
)
def test_image_filters(text, expected):
    images = [image("h/web:1", 2), image("", 3), image("web:latest", 1)]
    chosen = select_images(images, parse_filters(text, IMAGE_FILTERS), now=MOMENT)
    assert [int(one.id[-1]) for one in chosen] == expected


def test_a_prune_means_images_without_a_name():
    assert prune_selection(parse_filters("", IMAGE_FILTERS)).boolean("dangling") is True
    everything = parse_filters('{"dangling":["false"],"label":["a"]}', IMAGE_FILTERS)
    assert prune_selection(everything).boolean("dangling") is None
    assert prune_selection(everything).get("label") == ("a",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", MOMENT - timedelta(hours=2)),
        ("1714979289", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)),
        ("2024-05-06T07:00:00Z", datetime(2024, 5, 6, 7, tzinfo=UTC)),
    ],
)
def test_until(text, expected):
    assert until_moment(text, MOMENT) == expected


@pytest.mark.parametrize("text", ["soon", "2024-99-99"])
def test_until_that_is_no_time(text):
    with pytest.raises(InvalidParameter):
        until_moment(text, MOMENT)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (ImageProgress(status="done"), {"status": "done"}),
        (ImageProgress(status="w", id="a"), {"status": "w", "id": "a", "progressDetail": {}}),
        (
            ImageProgress(status="w", id="a", current=1, total=2),
            {"status": "w", "id": "a", "progressDetail": {"current": 1, "total": 2}},
        ),
    ],
)
def test_progress(progress, expected):
    assert encode_progress(progress) == expected


EVENT = Event(
    type="container",
    action="exec_create: sh",
    actor_id="c1c1",
    attributes={"name": "web.1", "image": "myweb:latest", "l": "1"},
    at=MOMENT,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ('{"type":["container","image"]}', True),
        ('{"type":["network"]}', False),
        ('{"event":["exec_create"]}', True),
        ('{"container":["web.1"]}', True),
        ('{"container":["/web.1"]}', True),
        ('{"container":["c1"]}', True),
        ('{"image":["myweb"]}', True),
        ('{"image":["other"]}', False),
        ('{"service":["web"]}', False),
        ('{"label":["l=1"]}', True),
        ('{"scope":["swarm"]}', False),
    ],
)
def test_event_filters(text, expected):
    assert matches(EVENT, parse_filters(text, FILTERS)) is expected


def test_events_of_containers_carry_the_old_keys():
    answer = encode_event(EVENT)
    assert answer["timeNano"] == 1714979289123456000
    assert answer["time"] == 1714979289
    assert (answer["id"], answer["from"], answer["status"]) == (
        "c1c1",
        "myweb:latest",
        EVENT.action,
    )


def test_a_span_the_wrong_way_round():
    assert parse_span("", "") == (None, None)
    with pytest.raises(InvalidParameter, match="cannot be after"):
        parse_span("2", "1")


RECORD = LogRecord(stream=2, time_ns=1_714_979_289_000_000_001, line=b"hi\n")


@pytest.mark.parametrize(
    ("form", "details", "expected"),
    [
        (LogFormat(), {}, b"\x02\0\0\0\0\0\0\x03hi\n"),
        (LogFormat(raw=True, timestamps=True), {}, b"2024-05-06T07:08:09.000000001Z hi\n"),
        (LogFormat(raw=True, details=True), {"b": "2", "a": "1"}, b"a=1,b=2 hi\n"),
        (LogFormat(raw=True, details=True), {}, b" hi\n"),
    ],
)
def test_log_lines(form, details, expected):
    assert encode_record(RECORD, form, details) == expected


def test_which_volumes_a_prune_means():
    volumes = [
        Volume(name="named", created_at=MOMENT),
        Volume(name="anonymous", created_at=MOMENT, anonymous=True),
        Volume(name="used", created_at=MOMENT, anonymous=True),
    ]
    none = parse_filters("", ())
    assert select_prunable(volumes, none, {"used"}, named=False) == ["anonymous"]
    assert select_prunable(volumes, none, {"used"}, named=True) == ["named", "anonymous"]
