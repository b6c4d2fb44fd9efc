import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from hivelet.api.listeners import open_listeners
from hivelet.errors import Conflict, InvalidParameter, System


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="hv"))
    yield made
    shutil.rmtree(made)


def open_one(path, **more):
    (listener,) = open_listeners([f"unix://{path}"], **{"group": None, "secured": False, **more})
    return listener.socket


def test_a_socket_is_for_its_owner_and_group(folder):
    with open_one(folder / "sub" / "s"):
        assert stat.S_IMODE((folder / "sub" / "s").stat().st_mode) == 0o660


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(folder):
    open_one(folder / "s").close()
    with open_one(folder / "s"), pytest.raises(Conflict, match="another daemon listens"):
        open_one(folder / "s")


def test_a_file_that_is_no_socket_is_left_alone(folder):
    (folder / "s").write_text("precious")
    with pytest.raises(Conflict, match="not a socket"):
        open_one(folder / "s")
    assert (folder / "s").read_text() == "precious"


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(folder, mask):
    before = os.umask(mask)
    try:
        with open_one(folder / "a" / "b" / "s"):
            assert stat.S_IMODE((folder / "a" / "b" / "s").stat().st_mode) == 0o660
            assert stat.S_IMODE((folder / "a").stat().st_mode) & 0o022 == 0
            assert stat.S_IMODE((folder / "a" / "b").stat().st_mode) & 0o022 == 0
        assert os.umask(mask) == mask
    finally:
        os.umask(before)


@pytest.mark.parametrize("target", ["file", "socket", "nothing"])
def test_a_link_in_its_place_is_not_followed(folder, target):
    (folder / "file").write_text("precious")
    open_one(folder / "socket").close()
    (folder / "s").symlink_to(folder / target)
    with pytest.raises(Conflict, match="not a socket"):
        open_one(folder / "s")
    assert (folder / "file").read_text() == "precious"
    assert (folder / "s").is_symlink()


def test_a_directory_that_cannot_be_made(folder):
    (folder / "file").write_text("precious")
    with pytest.raises(System, match="cannot be made"):
        open_one(folder / "file" / "s")


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("tcp://127.0.0.1:2375", "only with"),
        ("http://x", "is not a host"),
        ("unix://relative", "is not a host"),
        ("nonsense", "is not a host"),
    ],
)
def test_hosts_that_are_refused(host, message):
    with pytest.raises(InvalidParameter, match=message):
        open_listeners([host], group=None, secured=False)


def test_all_or_nothing(folder):
    with pytest.raises(InvalidParameter):
        open_listeners([f"unix://{folder}/s", "nonsense"], group=None, secured=False)
    open_one(folder / "s").close()


def test_tcp_with_certificates(folder):
    (listener,) = open_listeners(["tcp://127.0.0.1:0"], group=None, secured=True)
    with listener.socket:
        assert listener.secured
        assert listener.socket.family == socket.AF_INET


@pytest.mark.parametrize("host", ["tcp://127.0.0.1", "tcp://127.0.0.1:x"])
def test_tcp_needs_a_port(host):
    with pytest.raises(InvalidParameter):
        open_listeners([host], group=None, secured=True)


def test_an_unknown_group(folder):
    with pytest.raises(InvalidParameter, match="groupadd nobody-has-this"):
        open_one(folder / "s", group="nobody-has-this")


def test_a_path_that_cannot_be_bound(folder):
    with pytest.raises(System, match="cannot be opened"):
        open_one(folder / ("x" * 120))
