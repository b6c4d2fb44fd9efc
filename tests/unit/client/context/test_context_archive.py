"""Contexts as tars."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from hivelet.client.context.archive import Context, pack_context, pack_dockerfile, pack_stream
from hivelet.errors import InvalidParameter


def names(pieces):
    return read(pieces).getnames()


def read(pieces):
    return tarfile.open(fileobj=io.BytesIO(b"".join(pieces)))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/keep").write_text("keep")
    (tmp_path / "sub/drop").write_text("drop")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "big").write_bytes(os.urandom(700_001))
    (tmp_path / "run").write_text("x")
    (tmp_path / "run").chmod(0o755)
    return tmp_path


def test_a_folder_is_packed_as_it_is(folder):
    with read(pack_context(Context(folder=folder))) as tar:
        assert tar.getnames() == ["Dockerfile", "big", "link", "run", "sub", "sub/drop", "sub/keep"]
        assert tar.getmember("link").linkname == "/etc/passwd"
        assert tar.getmember("run").mode == 0o755
        assert {member.uid for member in tar.getmembers()} == {0}
        assert tar.extractfile("big").read() == (folder / "big").read_bytes()


def test_what_is_ignored_stays_at_home(folder):
    (folder / ".dockerignore").write_text("*\n!sub/keep\n")
    assert names(pack_context(Context(folder=folder))) == [
        ".dockerignore",
        "Dockerfile",
        "sub/keep",
    ]


def test_a_dockerfile_from_elsewhere(folder):
    context = Context(folder=folder, dockerfile=".other", text=b"FROM b\n")
    with read(pack_context(context)) as tar:
        assert tar.extractfile(".other").read() == b"FROM b\n"


def test_streams():
    tar = b"".join(pack_dockerfile(b"FROM a\n"))
    assert b"".join(pack_stream(io.BytesIO(tar))) == tar
    assert names(pack_stream(io.BytesIO(b"FROM a\n"))) == ["Dockerfile"]
    assert b"".join(pack_stream(io.BytesIO(b"\x1f\x8bzipped"))) == b"\x1f\x8bzipped"


def test_a_file_that_shrinks_keeps_the_tar_whole(folder):
    pieces = pack_context(Context(folder=folder))
    whole = []
    for piece in pieces:
        whole.append(piece)
        if piece[:3] == b"big":
            (folder / "big").write_bytes(b"less")
    assert names(whole)[-1] == "sub/keep"


def test_what_cannot_be_packed_is_named(tmp_path):
    with pytest.raises(InvalidParameter, match="no such folder"):
        list(pack_context(Context(folder=tmp_path / "nope")))
    (tmp_path / ".dockerignore").mkdir()
    with pytest.raises(InvalidParameter, match="dockerignore cannot be read"):
        list(pack_context(Context(folder=Path(tmp_path))))
