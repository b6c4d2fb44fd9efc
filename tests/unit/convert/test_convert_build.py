"""The query of `POST /build`."""

from base64 import urlsafe_b64encode

import pytest

from hivelet.convert.build import (
    encode_build,
    encode_build_error,
    parse_build,
    parse_registry_config,
)
from hivelet.errors import InvalidParameter, NotImplemented, System
from hivelet.objects.build import BuildFailed, BuildProgress
from hivelet.objects.image import ImageProgress


def test_a_whole_query():
    query = {
        "dockerfile": "./sub/Dockerfile",
        "buildargs": '{"A":"1","UNSET":null}',
        "labels": '{"l":"2"}',
        "ulimits": '[{"Name":"nofile","Soft":1,"Hard":2}]',
        "memory": "67108864",
        "shmsize": "8388608",
        "cpusetcpus": "0",
        "networkmode": "none",
        "target": "t",
        "nocache": "1",
        "pull": "true",
        "q": "0",
        "outputs": "[]",
    }
    found = parse_build(query, {"t": ["a:1", "b", ""], "extrahosts": ["h:1.2.3.4"]}, "")
    assert found.tags == ["a:1", "b"]
    assert found.dockerfile == "sub/Dockerfile"
    assert found.build_args == {"A": "1"}
    assert found.labels == {"l": "2"}
    assert found.limits.memory == 64 << 20
    assert found.limits.ulimits[0].hard == 2
    assert (found.no_cache, found.pull, found.quiet) == (True, True, False)
    assert found.extra_hosts == ["h:1.2.3.4"]


@pytest.mark.parametrize(
    ("query", "error", "words"),
    [
        ({"version": "2"}, NotImplemented, "DOCKER_BUILDKIT=0"),
        ({"outputs": '[{"Type":"local"}]'}, NotImplemented, "hivelet build"),
        ({"squash": "1"}, InvalidParameter, "squash is only supported with experimental mode"),
        ({"dockerfile": "../x"}, InvalidParameter, "forbidden path outside the build context"),
        ({"buildargs": "{"}, InvalidParameter, "error reading build args"),
        ({"labels": "[]"}, InvalidParameter, "error reading labels"),
        ({"memory": "much"}, InvalidParameter, "memory=much"),
        ({"ulimits": "7"}, InvalidParameter, "error reading ulimit settings"),
    ],
)
def test_what_cannot_be_built_is_refused(query, error, words):
    with pytest.raises(error, match=words):
        parse_build(query, {}, "")


def test_credentials_of_several_registries():
    header = urlsafe_b64encode(b'{"r:5000":{"username":"u","password":"p"}}').decode()
    assert parse_registry_config(header)["r:5000"].username == "u"
    assert parse_registry_config("") == {}
    with pytest.raises(InvalidParameter, match="X-Registry-Config"):
        parse_registry_config("%")


def test_lines():
    assert encode_build(BuildProgress()) is None
    assert encode_build(BuildProgress(stream="a\n")) == {"stream": "a\n"}
    assert encode_build(BuildProgress(image_id="sha256:1")) == {"aux": {"ID": "sha256:1"}}
    assert encode_build(BuildProgress(pull=ImageProgress(status="s"))) == {"status": "s"}
    assert encode_build_error(BuildFailed("m", 3), "m") == {
        "errorDetail": {"code": 3, "message": "m"},
        "error": "m",
    }
    assert encode_build_error(System("m"), "m")["errorDetail"] == {"message": "m"}
