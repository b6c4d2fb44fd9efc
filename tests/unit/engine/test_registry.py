from datetime import UTC, datetime

import pytest

from hivelet.engine.database import Database
from hivelet.engine.registry import Record, Registry
from hivelet.errors import Conflict, InvalidParameter, NotFound
from hivelet.objects.common import ContainerId, TaskId
from hivelet.objects.container import ContainerState
from hivelet.objects.engine import Container, MountPoint

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make_record(id_="a" * 64, name="web", **changes):
    return Record(
        container=Container(
            id=ContainerId(id_), name=name, created=NOW, image_id="sha256:1", **changes
        ),
        task_id=TaskId("task-" + name),
    )


@pytest.fixture
def database(tmp_path):
    made = Database(tmp_path / "engine.db")
    yield made
    made.close()


async def test_containers_are_found_by_id_name_and_beginning(database):
    registry = Registry(database)
    first, second = make_record("ab" * 32, "one"), make_record("ac" * 32, "two")
    await registry.add(first)
    await registry.add(second)
    assert registry.find("ab" * 32) == first
    assert registry.find("two") == registry.find("/two") == second
    assert registry.find("ab") == first
    assert registry.of_task(TaskId("task-two")) == second
    with pytest.raises(InvalidParameter, match="multiple IDs found with provided prefix: a"):
        registry.find("a")
    with pytest.raises(NotFound, match="No such container: zz"):
        registry.find("zz")
    with pytest.raises(NotFound):
        registry.find("")


async def test_a_name_belongs_to_one_container(database):
    registry = Registry(database)
    await registry.add(make_record())
    with pytest.raises(Conflict, match='name "/web" is already in use'):
        await registry.add(make_record("b" * 64))
    assert len(registry.all()) == 1


async def test_everything_survives_the_process_and_forgetting_frees_the_name(database):
    registry = Registry(database)
    record = make_record(mounts=[MountPoint(type="volume", name="data", destination="/d")])
    await registry.add(record)
    registry.write(record.with_state(ContainerState(status="running", pid=7)))
    await registry.written()
    again = Registry(database)
    assert again.find("web").container.state == ContainerState(status="running", pid=7)
    assert again.volume_users("data") == (record.id,)
    assert again.image_users() == {"sha256:1": [record.id]}
    again.forget(record.id)
    await again.add(make_record("b" * 64))
    assert [r.id for r in Registry(database).all()] == ["b" * 64]
