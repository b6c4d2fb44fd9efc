"""Files of every earlier format are taken over whole, and those of a later one are refused as they are."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from hivelet.engine.database import SCHEMA_VERSION, Database
from hivelet.engine.registry import Registry
from hivelet.errors import HiveletError
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Service
from hivelet.objects.task import Task
from hivelet.runtime.images.database import VERSION as IMAGES_VERSION
from hivelet.runtime.images.database import ImageDatabase
from hivelet.store import Store
from hivelet.store.journal import SCHEMA
from hivelet.store.sqlite import SqliteJournal
from hivelet.testing.clock import ManualClock

FORMATS = Path(__file__).parents[1] / "formats"


def restored(name, path):
    """A database as it was recorded, with its key where it has one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path)
    db.executescript((FORMATS / f"{name}.sql").read_text())
    db.close()
    if (FORMATS / f"{name}.key").exists():
        shutil.copy(FORMATS / f"{name}.key", path.with_suffix(".key"))
    return path


@pytest.mark.parametrize("number", range(1, SCHEMA + 1))
async def test_the_cluster_state(tmp_path, number):
    path = restored(f"state-{number}", tmp_path / "state.db")
    for _ in range(2):
        store = Store(ManualClock(), SqliteJournal(path))
        await store.open()
        (service,) = store.view(lambda view: list(view.all(Service)))
        assert service.spec.name == "web"
        assert store.view(lambda view: view.count(Task)) == 2
        (secret,) = store.view(lambda view: list(view.all(Secret)))
        assert secret.spec.data == b"correct horse battery staple"
        (config,) = store.view(lambda view: list(view.all(Config)))
        assert (config.spec.name, config.spec.labels) == ("settings", {"a": "b"})
        assert store.version == 16
        await store.close()


@pytest.mark.parametrize("number", range(1, SCHEMA_VERSION + 1))
def test_the_engines_database(tmp_path, number):
    path = restored(f"engine-{number}", tmp_path / "engine.db")
    for _ in range(2):
        database = Database(path)
        names = sorted(
            record.container.name.partition(".")[0] for record in Registry(database).all()
        )
        assert names == ["plain", "web", "web"]
        database.close()


@pytest.mark.parametrize("number", range(1, IMAGES_VERSION + 1))
def test_the_images(tmp_path, number):
    path = restored(f"images-{number}", tmp_path / "images.db")
    for _ in range(2):
        database = ImageDatabase(path)
        catalog = database.load()
        assert catalog.resolve("bb:latest").tags == ("docker.io/library/bb:latest",)
        assert len(catalog.layers) == 1
        database.close()


async def open_state(path):
    await Store(ManualClock(), SqliteJournal(path)).open()


async def open_engine(path):
    Database(path)


async def open_images(path):
    ImageDatabase(path)


OPEN = {"state": open_state, "engine": open_engine, "images": open_images}


@pytest.mark.parametrize("name", OPEN)
async def test_a_later_format_is_refused_and_left_alone(tmp_path, name):
    newest = {"state": SCHEMA, "engine": SCHEMA_VERSION, "images": IMAGES_VERSION}[name]
    path = restored(f"{name}-{newest}", tmp_path / f"{name}.db")
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    if name == "state":
        db.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
        db.commit()
    else:
        db.execute("PRAGMA user_version=99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(HiveletError, match="99"):
        await OPEN[name](path)
    assert path.read_bytes() == before
