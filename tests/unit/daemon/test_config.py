from pathlib import Path

import pytest

from hivelet.daemon.config import DEFAULT_FILE, DEFAULT_HOST, DaemonConfig, load_config
from hivelet.errors import InvalidParameter


def test_without_anything_the_defaults_hold(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("")
    assert load_config(file, {"host": (), "root": None}) == DaemonConfig()
    assert DaemonConfig().host == (DEFAULT_HOST,)


def test_the_command_line_wins_over_the_file(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(
        'root = "/a"\nrun = "/b"\ncgroup-parent = "c"\nhost = ["unix:///x", "unix:///y"]\n'
    )
    config = load_config(file, {"run": "/z"})
    assert (config.root, config.run, config.cgroup_parent) == (Path("/a"), Path("/z"), "c")
    assert config.host == ("unix:///x", "unix:///y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('rot = "/a"', 'unknown key "rot"; did you mean "root"?', id="typo"),
        pytest.param("root = 3", '"root" must be a string', id="type"),
        pytest.param("root = ", "this is not TOML", id="syntax"),
        pytest.param('log-level = "loud"', 'log-level: "loud" is none of debug, info', id="choice"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path, text, message):
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(InvalidParameter) as caught:
        load_config(file, {})
    assert message in str(caught.value)


def test_a_given_file_must_exist_and_the_default_one_need_not(tmp_path):
    with pytest.raises(InvalidParameter, match="there is no such file"):
        load_config(tmp_path / "absent.toml", {})
    if not DEFAULT_FILE.exists():
        assert load_config(DEFAULT_FILE, {}) == DaemonConfig()
