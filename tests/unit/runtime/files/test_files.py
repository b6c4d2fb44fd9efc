"""Files of containers: nothing leaves its root, what is copied comes back, and changes are told as overlayfs shows them."""

import io
import os
import stat
import tarfile

import pytest

from hivelet.errors import InvalidParameter, NotFound
from hivelet.runtime.files.changes import (
    ADDED,
    DELETED,
    MODIFIED,
    Change,
    list_changes,
    write_changes,
)
from hivelet.runtime.files.extract import ExtractOptions, extract_archive
from hivelet.runtime.files.look import check_directory, stat_path, write_path, write_root
from hivelet.runtime.images.tarstream import BrokenArchive

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners need root")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("inside")
    (root / "data").mkdir()
    (root / "data/file").write_text("content")
    os.link(root / "data/file", root / "data/twin")
    (root / "data/link").symlink_to("/etc/passwd")
    (root / "out").symlink_to("/../../../../etc")
    (tmp_path / "outside").write_text("secret")
    return root


def names(data):
    return tarfile.open(fileobj=io.BytesIO(data)).getnames()


def copied(root, path):
    out = io.BytesIO()
    write_path(out, root, path)
    return out.getvalue()


def archive(tmp_path, *entries):
    path = tmp_path / "in.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind, value in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value))
            else:
                info.linkname = value
                tar.addfile(info)
    return path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/file", ["file"]),
        ("data", ["data", "data/file", "data/link", "data/twin"]),
        ("/data/", ["data", "data/file", "data/link", "data/twin"]),
        ("/data/link", ["link"]),
        ("/out/passwd", ["passwd"]),
        ("/../../data/file", ["file"]),
        ("/data/.", [".", "./file", "./link", "./twin"]),
    ],
)
def test_what_is_copied_out(root, path, expected):
    assert names(copied(root, path)) == expected


def test_the_whole_root_without_what_is_the_kernel_s(root):
    (root / "proc").mkdir()
    (root / "proc/1").write_text("")
    out = io.BytesIO()
    write_path(out, root, "/.", kernels=("proc",))
    found = names(out.getvalue())
    assert "./proc" in found
    assert "./proc/1" not in found
    assert "./data/file" in found
    out = io.BytesIO()
    write_path(out, root, "/proc", kernels=("proc",))
    assert names(out.getvalue()) == ["proc", "proc/1"]


def test_a_link_out_of_the_root_stays_inside(root):
    with tarfile.open(fileobj=io.BytesIO(copied(root, "/out/passwd"))) as tar:
        assert tar.extractfile("passwd").read() == b"inside"


def test_hard_links_stay_links(root):
    with tarfile.open(fileobj=io.BytesIO(copied(root, "/data"))) as tar:
        assert tar.getmember("data/twin").islnk()
        assert tar.getmember("data/twin").linkname == "data/file"


@pytest.mark.parametrize("path", ["/nope", "/data/file/x", "/nope/x", "/data/file/"])
def test_what_is_not_there(root, path):
    with pytest.raises(NotFound):
        stat_path(root, path)
    with pytest.raises(NotFound):
        copied(root, path)


def test_what_is_said_of_a_path(root):
    assert (stat_path(root, "/data/file").name, stat_path(root, "/data/file").size) == ("file", 7)
    link = stat_path(root, "/data/link")
    assert stat.S_ISLNK(link.mode)
    assert link.link_target == "/etc/passwd"
    assert stat.S_ISDIR(stat_path(root, "/out/").mode)
    assert stat_path(root, "/").name == "/"


def test_the_whole_root(root):
    out = io.BytesIO()
    write_root(out, root)
    assert names(out.getvalue()) == [
        "data", "data/file", "data/link", "data/twin", "etc", "etc/passwd", "out",
    ]  # fmt: skip


def test_what_is_copied_in(root, tmp_path):
    tar = archive(
        tmp_path, ("dir", tarfile.DIRTYPE, ""), ("dir/.wh.file", tarfile.REGTYPE, b"kept"),
        ("twin", tarfile.LNKTYPE, "dir/.wh.file"), ("sym", tarfile.SYMTYPE, "/etc"),
        ("sym/new", tarfile.REGTYPE, b"through the link, inside"),
    )  # fmt: skip
    extract_archive(tar, root, "/data", ExtractOptions(owner=(33, 44)))
    assert (root / "data/dir/.wh.file").read_bytes() == b"kept"
    assert (root / "data/twin").stat().st_nlink == 2
    assert (root / "etc/new").read_bytes() == b"through the link, inside"
    assert ((root / "etc/new").stat().st_uid, (root / "etc/new").stat().st_gid) == (33, 44)


@pytest.mark.parametrize(
    "entry",
    [
        ("../outside", tarfile.REGTYPE, b"x"),
        ("a/../../../outside", tarfile.REGTYPE, b"x"),
        ("link", tarfile.LNKTYPE, "../../outside"),
        ("link", tarfile.LNKTYPE, "nothing"),
    ],
)
def test_hostile_entries_are_refused(root, tmp_path, entry):
    with pytest.raises(BrokenArchive):
        extract_archive(archive(tmp_path, entry), root, "/data", ExtractOptions())
    assert (tmp_path / "outside").read_text() == "secret"


def test_a_link_that_was_there_leads_nowhere_else(root, tmp_path):
    (root / "data/up").symlink_to("../../../../../..")
    extract_archive(
        archive(tmp_path, ("up/planted", tarfile.REGTYPE, b"x")), root, "/data", ExtractOptions()
    )
    assert (root / "planted").exists()


def test_kinds_are_kept_where_that_is_asked_for(root, tmp_path):
    options = ExtractOptions(keep_kinds=True)
    with pytest.raises(InvalidParameter, match="cannot overwrite non-directory"):
        extract_archive(archive(tmp_path, ("file", tarfile.DIRTYPE, "")), root, "/data", options)
    with pytest.raises(InvalidParameter, match="cannot overwrite directory"):
        extract_archive(archive(tmp_path, ("data", tarfile.REGTYPE, b"")), root, "/", options)


@pytest.fixture
def layered(tmp_path):
    top, bottom, upper = tmp_path / "top", tmp_path / "bottom", tmp_path / "upper"
    for name in ("etc", "var/log", "gone", "redone"):
        (bottom / name).mkdir(parents=True)
    (bottom / "etc/passwd").write_text("")
    (bottom / "etc/old").write_text("")
    (bottom / "redone/before").write_text("")
    (top / "etc").mkdir(parents=True)
    os.mknod(top / "etc/old", stat.S_IFCHR, 0)
    for name in ("etc", "var/log", "dev", "redone"):
        (upper / name).mkdir(parents=True)
    (upper / "etc/passwd").write_text("changed")
    (upper / "etc/old").write_text("new again")
    (upper / "etc/hosts").write_text("")
    (upper / "var/log/x").write_text("")
    os.mknod(upper / "gone", stat.S_IFCHR, 0)
    os.setxattr(upper / "redone", "trusted.overlay.opaque", b"y")
    return upper, [top, bottom]


def test_changes(layered):
    upper, lower = layered
    assert list_changes(upper, lower, ["/etc/hosts", "/dev"]) == [
        Change("/etc", MODIFIED),
        Change("/etc/old", ADDED),
        Change("/etc/passwd", MODIFIED),
        Change("/gone", DELETED),
        Change("/redone", MODIFIED),
        Change("/redone/before", DELETED),
        Change("/var", MODIFIED),
        Change("/var/log", MODIFIED),
        Change("/var/log/x", ADDED),
    ]


def test_changes_as_a_layer(layered):
    upper, lower = layered
    out = io.BytesIO()
    write_changes(out, upper, list_changes(upper, lower, ["/etc/hosts", "/dev"]))
    assert names(out.getvalue()) == [
        "etc", "etc/old", "etc/passwd", ".wh.gone", "redone", "redone/.wh.before", "var", "var/log", "var/log/x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/a\0b", "/data\0/../out", "x" * 300, "/data/" + "x" * 5000, "/circle/x", "/circle/"]
)
def test_nothing_is_at_a_path_that_can_be_none(root, path):
    (root / "circle").symlink_to("circle")
    for look in (stat_path, copied, check_directory):
        with pytest.raises(NotFound):
            look(root, path)
