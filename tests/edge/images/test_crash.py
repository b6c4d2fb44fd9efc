"""A process that is killed at any step of its work leaves a store that is whole."""

import asyncio
import os
import sys

import pytest
from tests.edge.images.tars import digest, directory, docker_archive, entry, image_config, tar

from hivelet.runtime.images.store import ImageStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

BASE = tar(directory("d"), entry("d/base", b"base"))
TOP = tar(entry("d/top", b"top"), entry("d/.wh.base"))
ARCHIVE = docker_archive([BASE, TOP], tags=["web:new"])
OLD = docker_archive([BASE], tags=["web:old"])
_STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.utime", "shutil.rmtree"}


async def stream(data):
    yield data


async def with_store(root, work):
    store = ImageStore(root)
    await store.start()
    await work(store)
    await store.close()


async def load_new(store):
    await store.load(stream(ARCHIVE))


async def remove_old(store):
    await store.remove("web:old")


def killed_at(step, root, work):
    """Do `work` in a process that dies at its `step`th step; whether it died."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event, arguments):
            nonlocal left
            inside = event in _STEPS and str(root) in str(arguments[:2])
            left -= inside
            if inside and left < 0:
                os._exit(9)

        sys.addaudithook(count)
        asyncio.run(with_store(root, work))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


async def check(store):
    """What can be resolved is whole, and there is nothing else on disk."""
    directories = set()
    images = await store.list_images()
    for image in images:
        directories |= set(store.layers_of(image))
        for path in store.layer_paths(image):
            assert (path / "d").is_dir()
            assert len(os.listdir(path / "d")) > 0
    root = store._root
    assert set(os.listdir(root / "layers")) == directories
    assert os.listdir(root / "tmp") == []
    return {tag for image in images for tag in image.repo_tags}


@pytest.mark.parametrize(
    ("work", "outcomes"),
    [
        (load_new, [{"web:old"}, {"web:old", "web:new"}]),
        (remove_old, [{"web:old"}, set()]),
    ],
    ids=["load", "remove"],
)
def test_killed_at_any_step(tmp_path, work, outcomes):
    seen = []
    for step in range(200):
        root = tmp_path / str(step)
        asyncio.run(with_store(root, lambda store: store.load(stream(OLD))))
        died = killed_at(step, root, work)

        async def look(store):
            found = await check(store)
            assert found in outcomes
            seen.append(found)
            await store.load(stream(ARCHIVE))
            image = await store.resolve("web:new")
            assert image.id == digest(image_config([BASE, TOP]))
            await check(store)

        asyncio.run(with_store(root, look))
        if not died:
            break
    else:
        raise AssertionError("there was no end of steps")
    assert seen[0] == outcomes[0]
    assert seen[-1] == outcomes[1]
    assert len(seen) > 5
