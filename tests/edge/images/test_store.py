import asyncio
import bz2
import gzip
import io
import json
import os
import tarfile

import pytest
import zstandard
from tests.edge.images.tars import (
    busybox_rootfs,
    digest,
    directory,
    docker_archive,
    entry,
    hard_link,
    image_config,
    oci_archive,
    symlink,
    tar,
)

from hivelet.errors import Conflict, InvalidParameter, NotFound, System
from hivelet.kit.process import run_command
from hivelet.runtime.images.creation import ImportOptions
from hivelet.runtime.images.pull import Pull, fetch_image
from hivelet.runtime.images.removal import ImageUse
from hivelet.runtime.images.store import ImageStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

BASE = tar(directory("etc"), entry("etc/base", b"base"))
TOP = tar(entry("etc/top", b"top"))
OTHER = tar(entry("etc/other", b"other"))


@pytest.fixture
async def store(tmp_path):
    store = ImageStore(tmp_path / "images")
    await store.start()
    yield store
    await store.close()


async def stream(data, size=10_000):
    for at in range(0, len(data), size):
        yield data[at : at + size]


def rubbish(tmp_path):
    """What lies on disk beside the database."""
    root = tmp_path / "images"
    return sorted(os.listdir(root / "layers")), sorted(os.listdir(root / "tmp"))


async def test_an_import_is_an_image(store, tmp_path):
    options = ImportOptions(changes=['CMD ["/bin/sh"]', "ENV A=1"], message="made here")
    image = await store.import_rootfs(stream(gzip.compress(BASE)), "web", options)
    assert (await store.resolve("web")).id == image.id
    assert image.config.cmd == ["/bin/sh"]
    described = await store.inspect(image.id[7:15])
    assert described.repo_tags == ["web:latest"]
    assert described.layers == [digest(BASE)]
    assert described.size == 4
    (step,) = await store.history("web")
    assert step.comment == "made here"
    (path,) = store.layer_paths(image)
    assert (path / "etc/base").read_text() == "base"
    assert rubbish(tmp_path)[1] == []


async def test_what_is_there_is_there_after_a_restart(store, tmp_path):
    await store.load(stream(docker_archive([BASE, TOP])))
    before = await store.list_images()
    again = ImageStore(tmp_path / "images")
    await again.start()
    assert await again.list_images() == before
    assert again.layers_of(before[0]) == store.layers_of(before[0])
    await again.close()


COMPRESSIONS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "bzip2": bz2.compress,
}
ALL = pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)


@ALL
async def test_oci_layers_of_all_compressions_are_read(store, compress):
    assert await store.load(stream(oci_archive([BASE, TOP], compress))) == ["web:1"]
    image = await store.resolve("web:1")
    assert image.diff_ids == (digest(BASE), digest(TOP))


@ALL
async def test_docker_archives_may_be_compressed_whole(store, compress, tmp_path):
    path = tmp_path / "archive"
    path.write_bytes(compress(docker_archive([BASE], tags=["web:1", "acme/web:2"])))
    assert await store.load(path) == ["web:1", "acme/web:2"]
    assert rubbish(tmp_path)[1] == []


async def test_an_archive_without_names_gives_the_id(store):
    config = image_config([BASE])
    assert await store.load(stream(docker_archive([BASE], tags=[]))) == [digest(config)]


async def test_old_archives_link_to_layers_they_share(store):
    config = image_config([BASE, BASE])
    link = entry("1/layer.tar", type=tarfile.SYMTYPE, linkname="../0/layer.tar")
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": ["0/layer.tar", "1/layer.tar"]}]
    archive = tar(
        entry("0/layer.tar", BASE),
        link,
        entry("c.json", config),
        entry("manifest.json", json.dumps(manifest).encode()),
    )
    await store.load(stream(archive))
    assert len(store.layers_of(await store.resolve(digest(config)))) == 2


async def test_a_layout_may_be_a_directory(store, tmp_path):
    path = tmp_path / "layout"
    with tarfile.open(fileobj=io.BytesIO(oci_archive([BASE]))) as archive:
        archive.extractall(path, filter="data") if hasattr(tarfile, "data_filter") else (
            archive.extractall(path)
        )
    assert await store.load(path) == ["web:1"]


async def test_of_an_index_this_machines_platform_is_taken(store):
    architecture = json.loads(image_config([BASE]))["architecture"]

    def index(descriptor):
        other = {"platform": {"os": "linux", "architecture": "pdp11"}, "digest": digest(b"none")}
        attested = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
        mine = {"platform": {"os": "linux", "architecture": architecture}}
        return {"manifests": [other, descriptor | attested, descriptor | mine]}

    assert await store.load(stream(oci_archive([BASE], index_of=index))) == ["web:1"]


async def test_an_index_of_other_platforms_is_refused(store):
    def index(descriptor):
        return {"manifests": [descriptor | {"platform": {"os": "linux", "architecture": "pdp11"}}]}

    with pytest.raises(InvalidParameter, match="no matching manifest for linux"):
        await store.load(stream(oci_archive([BASE], index_of=index)))


async def test_shared_layers_are_unpacked_once_and_go_last(store, tmp_path):
    await store.load(stream(docker_archive([BASE, TOP], tags=["a"])))
    await store.load(stream(docker_archive([BASE, OTHER], tags=["b"])))
    assert len(rubbish(tmp_path)[0]) == 3
    usage = await store.disk_usage()
    assert usage.layers_size == len("basetopother")
    assert set(usage.shared_sizes.values()) == {len("base")}
    removed = await store.remove("a")
    assert removed[0].untagged == "a:latest"
    assert len(removed) == 3
    assert rubbish(tmp_path) == (sorted(store.layers_of(await store.resolve("b"))), [])
    await store.remove("b")
    assert rubbish(tmp_path) == ([], [])
    assert await store.list_images() == []


async def test_loads_at_once_share_their_work(store, tmp_path):
    archives = [docker_archive([BASE, TOP], tags=[f"web:{n}"]) for n in range(5)]
    await asyncio.gather(*[store.load(stream(archive)) for archive in archives])
    assert len((await store.resolve("web:3")).tags) == 5
    assert len(rubbish(tmp_path)[0]) == 2


async def test_imports_of_the_same_bytes_at_once_share_the_layer(store, tmp_path):
    await asyncio.gather(*[store.import_rootfs(stream(BASE), f"web:{n}") for n in range(4)])
    assert len(rubbish(tmp_path)[0]) == 1


async def test_tags_move(store):
    await store.load(stream(docker_archive([BASE], tags=["a"])))
    await store.load(stream(docker_archive([TOP], tags=["b"])))
    await store.tag("a", "b")
    assert (await store.resolve("b")).repo_tags == ["a:latest", "b:latest"]
    (dangling,) = await store.list_images({"dangling": ["true"]})
    assert dangling.diff_ids == (digest(TOP),)
    with pytest.raises(NotFound, match="No such image: nope:latest"):
        await store.tag("nope", "c")


async def test_a_used_image_stays(store):
    await store.load(stream(docker_archive([BASE])))
    image = await store.resolve("web")
    use = ImageUse(image_id=image.id, container_id="c" * 64, running=True)
    with pytest.raises(Conflict, match="container cccccccccccc is using"):
        await store.remove("web", uses=[use])
    assert await store.resolve("web") == image


async def test_layers_of_containers_outlive_their_image(tmp_path):
    in_use: set[str] = set()
    store = ImageStore(tmp_path / "images", layers_in_use=lambda: in_use)
    await store.start()
    await store.load(stream(docker_archive([BASE, TOP])))
    image = await store.resolve("web")
    in_use.update(store.layers_of(image))
    await store.remove("web", force=True)
    assert len(rubbish(tmp_path)[0]) == 2
    in_use.clear()
    assert len(await store.collect_layers()) == 2
    assert rubbish(tmp_path) == ([], [])
    await store.close()


async def test_a_start_sweeps_what_a_crash_left(store, tmp_path):
    await store.load(stream(docker_archive([BASE])))
    root = tmp_path / "images"
    (root / "layers" / "feedbeef" / "diff").mkdir(parents=True)
    (root / "tmp" / "layer-x" / "diff" / "deep").mkdir(parents=True)
    (root / "tmp" / "spool-x").write_bytes(b"half")
    await store.close()
    again = ImageStore(root)
    await again.start()
    assert rubbish(tmp_path) == (again.layers_of(await again.resolve("web")), [])
    await again.close()


def altered(archive, old, new):
    assert old in archive
    return archive.replace(old, new, 1)


BROKEN = {
    "an altered layer": (
        lambda: docker_archive([BASE], config=image_config([TOP])),
        "is altered: its content is",
    ),
    "an altered blob": (
        lambda: altered(oci_archive([BASE]), b"\0base\0", b"\0evil\0"),
        "is altered",
    ),
    "an altered config": (
        lambda: altered(oci_archive([BASE]), b"/bin/sh", b"/bin/rm"),
        "is altered",
    ),
    "an altered manifest": (
        lambda: altered(oci_archive([BASE]), b"layer.v1.tar+x", b"layer.v1.tar+y"),
        "is altered",
    ),
    "a missing layer": (
        lambda: altered(docker_archive([BASE]), b"0/layer.tar\0", b"9/layer.tar\0"),
        "checksum|has no file",
    ),
    "too few layers": (
        lambda: docker_archive([BASE], config=image_config([BASE, TOP])),
        "layers length mismatch: expected 2, got 1",
    ),
    "no archive at all": (lambda: b"hello " * 1000, "checksum"),
    "a tar of something else": (lambda: BASE, "neither a `docker save` archive"),
    "a cut gzip": (lambda: gzip.compress(docker_archive([BASE]))[:-30], "cut off"),
    "a cut tar": (lambda: docker_archive([BASE])[:2500], "unexpected EOF|has no file"),
    "no JSON": (lambda: tar(entry("manifest.json", b"{{{")), "is not JSON"),
    "deep JSON": (lambda: tar(entry("manifest.json", b"[" * 100_000)), "is not JSON"),
    "JSON of another shape": (lambda: tar(entry("manifest.json", b'["x"]')), "is not a dict"),
    "a config that leads out": (
        lambda: tar(
            entry(
                "manifest.json",
                b'[{"Config": "../../../etc/passwd", "Layers": [], "RepoTags": []}]',
            )
        ),
        "has no file",
    ),
    "a digest that leads out": (
        lambda: tar(
            entry("oci-layout", b"{}"),
            entry("index.json", b'{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}'),
        ),
        "not a digest",
    ),
    "a hostile layer": (
        lambda: docker_archive([tar(entry("ok"), entry("../../evil", b"x"))]),
        "outside of the layer",
    ),
    "a bad tag": (lambda: docker_archive([BASE], tags=["UPPER"]), "must be lowercase"),
}


@pytest.mark.parametrize(("build", "message"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_archive_is_refused_and_leaves_nothing(store, tmp_path, build, message):
    with pytest.raises(InvalidParameter, match=message):
        await store.load(stream(build()))
    assert rubbish(tmp_path) == ([], [])
    assert await store.list_images() == []
    assert not (tmp_path / "evil").exists()


async def test_one_good_layer_of_a_broken_image_does_not_stay(store, tmp_path):
    archive = docker_archive([BASE, TOP], config=image_config([BASE, OTHER]))
    with pytest.raises(InvalidParameter, match="is altered"):
        await store.load(stream(archive))
    assert rubbish(tmp_path) == ([], [])


@pytest.mark.parametrize(
    ("data", "options", "reference", "message"),
    [
        (BASE[:700], None, "web", "unexpected EOF"),
        (BASE, ImportOptions(changes=["RUN x"]), "web", "not a valid change"),
        (BASE, ImportOptions(platform="windows"), "web", "not supported"),
        (BASE, None, "UPPER", "must be lowercase"),
    ],
)
async def test_a_bad_import_leaves_nothing(store, tmp_path, data, options, reference, message):
    with pytest.raises(InvalidParameter, match=message):
        await store.import_rootfs(stream(data), reference, options)
    assert rubbish(tmp_path) == ([], [])


async def test_a_client_that_goes_away_leaves_nothing(store, tmp_path):
    started = asyncio.Event()

    async def endless():
        yield busybox_rootfs()[:100_000]
        started.set()
        await asyncio.Event().wait()

    background = asyncio.ensure_future(store.import_rootfs(endless(), "web"))
    await started.wait()
    background.cancel()
    with pytest.raises(asyncio.CancelledError):
        await background
    assert rubbish(tmp_path) == ([], [])


@pytest.mark.parametrize("transport", ["docker-archive", "oci", "oci-archive"])
async def test_skopeo_and_we_understand_each_other(store, tmp_path, transport):
    """An archive of ours goes through skopeo into its own forms, and comes back as the same layers."""
    source = tmp_path / "ours.tar"
    source.write_bytes(docker_archive([BASE, TOP], tags=["acme/web:1"]))
    target = tmp_path / "theirs"
    await run_command(
        [
            *("skopeo", "--insecure-policy", "copy", "-q", f"docker-archive:{source}"),
            f"{transport}:{target}:acme/web:1",
        ]
    )
    assert await store.load(target) == ["acme/web:1"]
    image = await store.resolve("acme/web:1")
    assert image.diff_ids == (digest(BASE), digest(TOP))


async def test_skopeo_fetches_from_other_stores(store, tmp_path):
    source = tmp_path / "ours.tar"
    source.write_bytes(docker_archive([BASE, TOP], tags=["acme/web:1"]))
    news = []
    request = Pull(reference="mine:2", source=f"docker-archive:{source}")
    image = await fetch_image(store, request, news.append)
    assert image.repo_tags == ["mine:2"]
    assert image.id == digest(image_config([BASE, TOP]))
    assert news[-1].status == "Status: Downloaded newer image for mine:2"
    assert rubbish(tmp_path)[1] == []


async def test_a_failed_fetch_leaves_nothing(store, tmp_path):
    request = Pull(reference="mine", source=f"oci:{tmp_path}/nothing:x")
    with pytest.raises(Exception, match="skopeo failed on mine:latest"):
        await fetch_image(store, request, lambda _: None)
    assert rubbish(tmp_path) == ([], [])


ODD = tar(
    directory("./", 0o1777),
    directory("d"),
    entry("d/empty"),
    entry("d/big", b"0123456789" * 100_000),
    symlink("l", "d"),
    entry("l/through", b"a link"),
    hard_link("h", "d/big"),
    entry("d/.wh.gone"),
    entry("d/.wh..wh..opq"),
    entry("d/.wh.back"),
    entry("d/back", b"again"),
    entry("n" * 200, b"long"),
)


async def collect(pieces):
    return b"".join([piece async for piece in pieces])


async def test_what_is_saved_is_what_was_loaded(store, tmp_path):
    original = docker_archive([ODD, TOP], tags=["web:1", "acme/web:2"])
    await store.load(stream(original))
    saved = await collect(store.save(["web:1"]))
    assert saved == await collect(store.save(["web:1"]))
    other = ImageStore(tmp_path / "other")
    await other.start()
    assert await other.load(stream(saved)) == ["web:1"]
    image = await other.resolve("web:1")
    assert image.raw == (await store.resolve("web:1")).raw
    assert image.diff_ids == (digest(ODD), digest(TOP))
    await other.close()


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
async def test_skopeo_reads_what_we_save(store, tmp_path, form):
    await store.load(stream(docker_archive([ODD, TOP], tags=["acme/web:2"])))
    path = tmp_path / "saved.tar"
    path.write_bytes(await collect(store.save(["acme/web:2"])))
    target = tmp_path / "dir"
    await run_command(
        ["skopeo", "--insecure-policy", "copy", "-q", f"{form}:{path}", f"dir:{target}"]
    )
    manifest = json.loads((target / "manifest.json").read_bytes())
    assert len(manifest["layers"]) == 2


async def test_a_repository_is_saved_with_all_its_tags_and_an_id_with_none(store):
    await store.load(stream(docker_archive([BASE], tags=["web:1", "web:latest", "acme/web:1"])))
    await store.load(stream(docker_archive([TOP], tags=["web:2"])))
    with tarfile.open(fileobj=io.BytesIO(await collect(store.save(["web"])))) as archive:
        items = json.load(archive.extractfile("manifest.json"))
    assert sorted(tag for item in items for tag in item["RepoTags"]) == [
        *("web:1", "web:2", "web:latest"),
    ]
    image = await store.resolve("web:2")
    with tarfile.open(fileobj=io.BytesIO(await collect(store.save([image.id])))) as archive:
        assert json.load(archive.extractfile("manifest.json"))[0]["RepoTags"] is None
    with pytest.raises(NotFound):
        await collect(store.save(["web:1", "nope"]))


async def test_a_layer_that_was_changed_on_disk_is_not_saved(store):
    await store.load(stream(docker_archive([BASE])))
    (path,) = store.layer_paths(await store.resolve("web"))
    (path / "etc/base").write_text("evil")
    with pytest.raises(System, match="its files have changed"):
        await collect(store.save(["web"]))


async def test_a_tar_that_holds_a_name_twice_is_loaded_but_not_saved(store):
    await store.load(stream(docker_archive([tar(entry("f", b"1"), entry("f", b"2"))])))
    with pytest.raises(System, match="held a name twice"):
        await collect(store.save(["web"]))


async def test_a_reader_that_goes_away_frees_the_layers(store):
    await store.load(stream(docker_archive([ODD])))
    pieces = store.save(["web"])
    await anext(pieces)
    await pieces.aclose()
    await store.remove("web")
    assert await store.list_images() == []
    assert (await store.disk_usage()).layers_size == 0
