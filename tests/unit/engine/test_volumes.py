from pathlib import Path

import pytest

from hivelet.engine.database import Database
from hivelet.engine.events import EventBus
from hivelet.engine.volumes import Volumes
from hivelet.errors import Conflict, InvalidParameter, NotFound, NotImplemented
from hivelet.kit.clock import SystemClock


@pytest.fixture
def make(tmp_path):
    opened = []

    def _make():
        database = Database(tmp_path / "engine.db")
        opened.append(database)
        return Volumes(tmp_path / "volumes", database, EventBus(SystemClock()), SystemClock())

    yield _make
    for database in opened:
        database.close()


async def test_a_volume_is_made_once_remembered_and_removed_with_its_files(make):
    volumes = make()
    made = volumes.ensure("data", labels={"a": "b"})
    assert volumes.ensure("data") == made
    (Path(made.mountpoint) / "file").write_text("x")
    assert make().get("data") == made
    await volumes.remove("data")
    assert not Path(made.mountpoint).parent.exists()
    with pytest.raises(NotFound):
        volumes.get("data")


async def test_a_volume_in_use_stays(make):
    volumes = make()
    volumes.ensure("data")
    with pytest.raises(Conflict, match=r"volume is in use - \[c1\]"):
        await volumes.remove("data", ("c1",))
    assert volumes.get("data")


def test_what_cannot_be_a_volume_is_refused(make):
    volumes = make()
    with pytest.raises(InvalidParameter, match="invalid characters"):
        volumes.ensure("../etc")
    with pytest.raises(NotImplemented, match='driver "nfs"'):
        volumes.ensure("xy", driver="nfs")
    assert volumes.list() == []


def test_without_a_name_it_is_anonymous(make):
    volume = make().ensure()
    assert volume.anonymous
    assert len(volume.name) == 64
