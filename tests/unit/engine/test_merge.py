import pytest

from hivelet.engine.merge import merge_config, merge_env, merge_healthcheck
from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerConfig, Healthcheck


@pytest.mark.parametrize(
    ("request_", "image", "expected"),
    [
        pytest.param((None, None), (None, ["sh"]), (None, ["sh"]), id="image-command"),
        pytest.param((None, ["ls"]), (None, ["sh"]), (None, ["ls"]), id="command-replaces-command"),
        pytest.param(
            (None, None), (["ep"], ["a"]), (["ep"], ["a"]), id="image-entrypoint-and-command"
        ),
        pytest.param(
            (None, ["b"]), (["ep"], ["a"]), (["ep"], ["b"]), id="command-after-image-entrypoint"
        ),
        pytest.param(
            (["e2"], None), (["ep"], ["a"]), (["e2"], None), id="entrypoint-voids-image-command"
        ),
        pytest.param(([""], ["b"]), (["ep"], ["a"]), (None, ["b"]), id="empty-entrypoint-resets"),
    ],
)
def test_program(request_, image, expected):
    merged = merge_config(
        ContainerConfig(entrypoint=request_[0], cmd=request_[1]),
        ContainerConfig(entrypoint=image[0], cmd=image[1]),
    )
    assert (merged.entrypoint, merged.cmd) == expected


def test_nothing_to_run_is_an_error_that_says_so():
    with pytest.raises(InvalidParameter, match="No command specified"):
        merge_config(ContainerConfig(), ContainerConfig())


def test_env_of_the_request_wins_and_a_bare_name_removes():
    assert merge_env(["A=1", "C"], ["A=0", "B=2", "C=3"]) == ["A=1", "B=2"]


def test_labels_volumes_and_ports_are_united():
    merged = merge_config(
        ContainerConfig(cmd=["x"], labels={"a": "1"}, volumes={"/v": {}}),
        ContainerConfig(
            labels={"a": "0", "b": "2"}, volumes={"/w": {}}, exposed_ports={"80/tcp": {}}, user="7"
        ),
    )
    assert merged.labels == {"a": "1", "b": "2"}
    assert set(merged.volumes) == {"/v", "/w"}
    assert merged.exposed_ports == {"80/tcp": {}}
    assert merged.user == "7"


def test_healthcheck_fields_left_open_come_from_the_image():
    image = Healthcheck(test=["CMD", "ok"], interval=5, retries=3)
    assert merge_healthcheck(Healthcheck(interval=9), image) == Healthcheck(
        test=["CMD", "ok"], interval=9, retries=3
    )
    assert merge_healthcheck(None, image) is image
