import socket

from hivelet.daemon.notify import notify


def test_the_listener_hears_and_an_absent_one_is_no_error(tmp_path):
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        assert notify("READY=1", address)
        assert listener.recv(64) == b"READY=1"
    assert not notify("READY=1", address)
    assert not notify("READY=1", "")
