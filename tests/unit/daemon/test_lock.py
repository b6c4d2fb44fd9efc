import ctypes
import os

import pytest

from hivelet.daemon.lock import hold_lock, hold_network
from hivelet.errors import Conflict


def test_one_daemon_for_each_root(tmp_path):
    held = hold_lock(tmp_path)
    with pytest.raises(Conflict, match=f"process {os.getpid()}"):
        hold_lock(tmp_path)
    os.close(held)
    os.close(hold_lock(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a network namespace of its own")
def test_one_daemon_for_each_network():
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(0x40000000) == 0
    try:
        held = hold_network()
        with pytest.raises(Conflict, match="another hiveletd runs in this network namespace"):
            hold_network()
        held.close()
        hold_network().close()
    finally:
        assert libc.setns(home, 0x40000000) == 0
        os.close(home)
