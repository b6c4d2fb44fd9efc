from pathlib import Path

import pytest

from hivelet.engine.database import Database
from hivelet.engine.events import EventBus
from hivelet.engine.volumes.local import Volumes
from hivelet.errors import Conflict, InvalidParameter, NotFound
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
    made = await volumes.ensure("data", labels={"a": "b"})
    assert await volumes.ensure("data") == made
    (Path(made.mountpoint) / "file").write_text("x")
    assert make().get("data") == made
    await volumes.remove("data")
    assert not Path(made.mountpoint).parent.exists()
    with pytest.raises(NotFound):
        volumes.get("data")


async def test_a_volume_in_use_stays(make):
    volumes = make()
    await volumes.ensure("data")
    with pytest.raises(Conflict, match=r"volume is in use - \[c1\]"):
        await volumes.remove("data", ("c1",))
    assert volumes.get("data")


async def test_what_cannot_be_a_volume_is_refused(make):
    volumes = make()
    with pytest.raises(InvalidParameter, match="invalid characters"):
        await volumes.ensure("../etc")
    with pytest.raises(NotFound, match='plugin "nfs" not found'):
        await volumes.ensure("xy", driver="nfs")
    assert volumes.list() == []


async def test_without_a_name_it_is_anonymous(make):
    volume = await make().ensure()
    assert volume.anonymous
    assert len(volume.name) == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"foo": "bar"}, 'create xy: invalid option: "foo"'),
        ({"type": "tmpfs"}, 'create xy: missing required option: "device"'),
        ({"o": "bind"}, 'create xy: missing required option: "device"'),
        ({"o": "bind", "device": "/x"}, 'create xy: missing required option: "type"'),
        ({"size": "10m"}, "create xy: quota size requested but no quota support"),
        (
            {"type": "cifs", "device": "//server:445/share"},
            "create xy: port not allowed in CIFS device URL",
        ),
    ],
)
async def test_options_that_make_no_mount_are_refused(make, options, message):
    volumes = make()
    with pytest.raises(InvalidParameter) as caught:
        await volumes.ensure("xy", options=options)
    assert caught.value.message.startswith(message)
    assert volumes.list() == []


async def test_options_are_kept(make):
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    await make().ensure("xy", options=options)
    assert make().get("xy").options == options


async def test_what_is_mounted_on_a_plain_volume_is_not_deleted_with_it(make):
    volumes = make()
    made = Path((await volumes.ensure("data")).mountpoint)
    made.rmdir()
    made.symlink_to("/proc")  # a mount point, as far as anybody can see, without being root
    with pytest.raises(Conflict, match="something is mounted on"):
        await volumes.remove("data")
    assert volumes.get("data")


async def test_a_name_is_no_longer_than_that_of_a_directory(make):
    with pytest.raises(InvalidParameter, match="longer than 255 characters"):
        await make().ensure("x" * 256)
    assert (await make().ensure("x" * 255)).name == "x" * 255
