"""A power cut at its worst: all that was not flushed is gone. What was acknowledged is there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.harness.figures import measured

from hivelet.objects.secret import Secret
from hivelet.store import Store
from hivelet.store.sqlite import SqliteJournal
from hivelet.testing.clock import ManualClock

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The library that remembers what was flushed."""
    library = tmp_path_factory.mktemp("power") / "power.so"
    words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "power.c"), "-ldl"]
    subprocess.run(words, check=True)
    return library


def acknowledged(shim, state, shadow, count):
    """Ids that a writer was told of before it was killed, some hundred bytes after a flush or before the next."""
    writer = subprocess.Popen(
        [sys.executable, str(HERE / "writer.py"), str(state / "state.db")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LD_PRELOAD": str(shim), "POWER_SHADOW": str(shadow)},
    )
    ids = [writer.stdout.readline().strip() for _ in range(count)]
    writer.kill()
    rest, _ = writer.communicate()
    whole = rest if rest.endswith("\n") else rest.rpartition("\n")[0]
    return {*ids, *whole.split()}


def after_the_cut(state, shadow, place):
    """The folder as the disk has it."""
    names = shadow / str(state.stat().st_ino)
    place.mkdir()
    for line in names.read_text().splitlines():
        inode, name = line.split()
        if (shadow / inode).is_file() and name not in {".", ".."}:
            shutil.copy(shadow / inode, place / name)
    return place


@pytest.mark.parametrize("count", [1, 7, 400], ids=str)
async def test_what_was_acknowledged_survives_a_power_cut(shim, tmp_path, count):
    state, shadow = tmp_path / "swarm", tmp_path / "shadow"
    state.mkdir()
    shadow.mkdir()
    told = acknowledged(shim, state, shadow, count)
    assert len(told) >= count
    left = after_the_cut(state, shadow, tmp_path / "left")
    assert {"state.db", "state.key"} <= {path.name for path in left.iterdir()}
    store = Store(ManualClock(), SqliteJournal(left / "state.db"))
    await store.open()
    found = {secret.id for secret in store.view(lambda view: list(view.all(Secret)))}
    await store.close()
    assert told <= found
    measured("the power is cut", injected=1, requests=len(told), lost=len(told - found))
