import os

import pytest

from hivelet.daemon.lock import hold_lock
from hivelet.errors import Conflict


def test_one_daemon_for_each_root(tmp_path):
    held = hold_lock(tmp_path)
    with pytest.raises(Conflict, match=f"process {os.getpid()}"):
        hold_lock(tmp_path)
    os.close(held)
    os.close(hold_lock(tmp_path))
