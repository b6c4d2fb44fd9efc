"""Every test here works in a network and a mount namespace of its own, and leaves nothing behind."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from network_lab import GATEWAY, INGRESS, WEBNET, Lab, backend, web_service

_NET, _MOUNT, _FS = 0x40000000, 0x00020000, 0x00000200
_PRIVATE_RECURSIVE = 0x4000 | 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(autouse=True)
def private_namespaces():
    """Unshare the thread that runs the test, and bring it back."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    homes = [os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY) for kind in ("net", "mnt")]
    here = os.getcwd()
    assert _libc.unshare(_NET | _MOUNT) == 0
    assert _libc.mount(None, b"/", None, _PRIVATE_RECURSIVE, None) == 0
    try:
        yield
    finally:
        # A thread that still ends shares our file system attributes, and setns refuses to move what is shared.
        assert _libc.unshare(_FS) == 0
        for home, kind in zip(homes, (_NET, _MOUNT), strict=True):
            assert _libc.setns(home, kind) == 0
            os.close(home)
        os.chdir(here)


@pytest.fixture
def home(private_namespaces):
    path = Path(tempfile.mkdtemp(prefix="hivelet-lab."))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def lab(home):
    laboratory = Lab(home)
    await laboratory.start()
    yield laboratory
    await laboratory.close()


@pytest.fixture
async def web(lab):
    """The seed's web service with three tasks, and a caller in the same network."""
    lab.plane.set_services(web_service())
    for number in (1, 2, 3):
        legs = ((WEBNET, f"10.0.1.{number + 2}/24"), (INGRESS, f"10.0.0.{number + 2}/24"))
        sandbox = await lab.task(f"web{number}", *legs)
        await lab.plane.admit(backend(sandbox, f"web{number}"))
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None), serve=False)
    return lab
