"""Contexts of builds: nothing of one can lie outside of its folder, and its Dockerfile comes from nowhere else."""

import os

import pytest
from tests.edge.images.tars import entry, symlink, tar

from hivelet.engine.build.context import read_dockerfile, unpack_context
from hivelet.errors import InvalidParameter

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


async def pieces(data):
    yield data[:100]
    yield data[100:]


async def unpacked(tmp_path, *entries):
    return await unpack_context(pieces(tar(*entries)), tmp_path)


async def test_names_that_mean_something_in_a_layer_are_files_here(tmp_path):
    context = await unpacked(
        tmp_path, entry("Dockerfile", b"FROM a\n"), entry(".wh.x", b"1"), entry(".wh..wh..opq")
    )
    assert sorted(os.listdir(context)) == [".wh..wh..opq", ".wh.x", "Dockerfile"]
    assert read_dockerfile(context, "Dockerfile") == "FROM a\n"
    assert os.listdir(tmp_path) == ["context"], "the archive is gone"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil"])
async def test_a_context_leads_nowhere(tmp_path, name):
    with pytest.raises(InvalidParameter, match="outside"):
        await unpacked(tmp_path, entry(name, b"x"))
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path.parent / "evil").exists()


async def test_links_lead_within_the_context(tmp_path):
    (tmp_path / "outside").mkdir()
    context = await unpacked(
        tmp_path,
        symlink("l", str(tmp_path / "outside")),
        entry("l/x", b"x"),
        symlink("Dockerfile", "/etc/passwd"),
    )
    assert os.listdir(tmp_path / "outside") == []
    with pytest.raises(InvalidParameter, match="Cannot locate specified Dockerfile"):
        read_dockerfile(context, "Dockerfile")
    (context / "etc").mkdir()
    (context / "etc/passwd").write_text("FROM within\n")
    assert read_dockerfile(context, "Dockerfile") == "FROM within\n"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "can't be read"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda path: os.mkfifo(path), "can't be read"),
        (lambda path: path.write_bytes(b"#" * (5 << 20)), "larger than 4 MiB"),
    ],
)
async def test_a_dockerfile_that_cannot_be_read_is_named(tmp_path, make, words):
    context = await unpacked(tmp_path)
    make(context / "Dockerfile")
    with pytest.raises(InvalidParameter, match=words):
        read_dockerfile(context, "Dockerfile")


async def test_what_is_no_archive_is_refused(tmp_path):
    with pytest.raises(InvalidParameter):
        await unpack_context(pieces(b"this is no archive" * 100), tmp_path)
