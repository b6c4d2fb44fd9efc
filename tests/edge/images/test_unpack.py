import io
import os
import stat
import tarfile

import pytest
from tests.edge.images.tars import directory, entry, hard_link, symlink, tar

from hivelet.runtime.images.tarstream import BrokenArchive
from hivelet.runtime.images.unpack import OPAQUE_XATTR, unpack_layer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "inside" / "diff"
    path.mkdir(parents=True)
    return path


def unpack(target, *entries):
    return unpack_layer(io.BytesIO(tar(*entries)), target)


def is_whiteout(path):
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def test_files_keep_what_they_have(target):
    unpacked = unpack(
        target,
        directory("./", 0o1777, uid=5),
        directory("d", 0o2750, uid=3, gid=4, mtime=1_600_000_000),
        entry("d/su", b"12345", mode=0o4755, uid=7, gid=8),
        symlink("d/link", "/etc/../x", uid=9),
        hard_link("d/hard", "d/su"),
        entry("d/fifo", type=tarfile.FIFOTYPE, mode=0o600),
        entry("d/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("d/late", b""),
    )
    file, link = (target / "d/su").lstat(), (target / "d/link").lstat()
    assert stat.S_IMODE(file.st_mode) == 0o4755
    assert (file.st_uid, file.st_gid, file.st_mtime) == (7, 8, 1_700_000_000)
    assert (link.st_uid, link.st_mtime) == (9, 1_700_000_000)
    assert os.readlink(target / "d/link") == "/etc/../x"
    assert (target / "d/hard").samefile(target / "d/su")
    assert stat.S_ISFIFO((target / "d/fifo").lstat().st_mode)
    assert (target / "d/null").lstat().st_rdev == os.makedev(1, 3)
    found = (target / "d").lstat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o2750, 3, 4)
    assert found.st_mtime == 1_600_000_000
    assert (stat.S_IMODE(target.lstat().st_mode), target.lstat().st_uid) == (0o1777, 5)
    assert unpacked.size == 5


def test_xattrs_come_along_but_not_overlayfs_own(target):
    capability = b"\x01\x00\x00\x02\x00\x04\x00\x00" + bytes(12)
    file = entry("f", b"x", mode=0o755)
    file[0].pax_headers = {
        "SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape"),
        "SCHILY.xattr.user.note": "hello",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
    }
    folder = directory("d")
    folder[0].pax_headers = {"SCHILY.xattr.trusted.overlay.opaque": "y"}
    unpack(target, file, folder)
    assert os.getxattr(target / "f", "security.capability") == capability
    assert os.getxattr(target / "f", "user.note") == b"hello"
    assert "trusted.overlay.redirect" not in os.listxattr(target / "f")
    assert os.listxattr(target / "d") == []


def test_whiteouts_are_overlayfs(target):
    unpack(target, directory("d"), entry("d/.wh.gone"), entry("e/.wh..wh..opq"), entry("e/new"))
    assert is_whiteout(target / "d/gone")
    assert os.getxattr(target / "e", OPAQUE_XATTR) == b"y"
    assert sorted(os.listdir(target / "e")) == ["new"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_directory_that_replaces_one_is_opaque_in_either_order(target, order):
    entries = [entry(".wh.d"), directory("d")][::order]
    unpack(target, *entries)
    assert os.getxattr(target / "d", OPAQUE_XATTR) == b"y"


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_that_replaces_one_wins_in_either_order(target, order):
    unpack(target, *[entry(".wh.f"), entry("f", b"new")][::order])
    assert (target / "f").read_bytes() == b"new"


def test_aufs_leftovers_are_nothing(target):
    unpack(target, directory(".wh..wh.plnk"), entry(".wh..wh.plnk/1", b"x"), entry(".wh..wh.aufs"))
    assert os.listdir(target) == []


def test_later_entries_replace_earlier_ones(target):
    unpack(
        target,
        directory("a"),
        entry("a/f", b"1"),
        entry("a", b"file"),
        entry("b", b"file"),
        directory("b"),
        entry("c", b"1"),
        entry("c", b"2"),
        symlink("l", "c"),
        entry("l", b"3"),
    )
    assert (target / "a").read_bytes() == b"file"
    assert (target / "b").is_dir()
    assert (target / "c").read_bytes() == b"2"
    assert (target / "l").read_bytes() == b"3"


def test_a_symlinked_parent_leads_within_the_root(target):
    unpack(target, directory("usr/lib"), symlink("lib", "/usr/lib"), entry("lib/x", b"1"))
    assert (target / "usr/lib/x").read_bytes() == b"1"


def test_parents_that_nobody_names_are_made(target):
    old = os.umask(0o077)
    try:
        unpack(target, entry("a/b/c", b"1"))
    finally:
        os.umask(old)
    assert stat.S_IMODE((target / "a/b").lstat().st_mode) == 0o755


def test_many_directories_keep_their_times_and_descriptors(target):
    before = len(os.listdir("/proc/self/fd"))
    names = [f"d{n % 7}/e{n % 5}/f{n}" for n in range(200)]
    unpack(target, *[directory(name, mtime=1000 + at) for at, name in enumerate(names)])
    assert [(target / name).lstat().st_mtime for name in names] == [*range(1000, 1200)]
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def outside(target):
    """A place beside the root that no archive may touch."""
    place = target.parent.parent / "outside"
    place.mkdir()
    (place / "secret").write_text("secret")
    return place


def tree(path):
    return sorted((str(p.relative_to(path)), p.lstat().st_mode) for p in path.rglob("*"))


HOSTILE = {
    "dotdot": lambda out: [entry("../outside/x", b"x")],
    "dotdot in the middle": lambda out: [directory("a"), entry("a/../../outside/x", b"x")],
    "hard link by dotdot": lambda out: [hard_link("x", "../outside/secret")],
    "hard link to an absolute path": lambda out: [hard_link("x", f"{out}/secret")],
    "hard link to a directory": lambda out: [directory("d"), hard_link("x", "d")],
    "hard link to the root": lambda out: [hard_link("x", ".")],
    "hard link through a symlink": lambda out: [
        symlink("l", str(out)),
        hard_link("x", "l/secret"),
    ],
    "whiteout of dotdot": lambda out: [directory("a"), entry("a/.wh...")],
    "whiteout of nothing": lambda out: [entry(".wh.")],
    "a file as the root": lambda out: [entry(".", b"")],
    "a NUL in a name": lambda out: [pax(entry("x", b"1"), path="a\0b")],
    "a name that is too long": lambda out: [entry("n" * 300, b"1")],
    "a path that is too long": lambda out: [entry("/".join(["d" * 250] * 20), b"1")],
    "a symlink loop as a parent": lambda out: [symlink("a", "b"), symlink("b", "a"), entry("a/x")],
    "a file as a parent": lambda out: [entry("f", b"1"), entry("f/x", b"1")],
    "a dangling symlink's target too long": lambda out: [symlink("l", "t" * 5000)],
    "an unknown kind": lambda out: [entry("x", type=b"Z")],
    "an owner out of range": lambda out: [pax(entry("x"), uid="4294967295")],
    "a capability that is none": lambda out: [
        pax(entry("x"), **{"SCHILY.xattr.security.capability": "1"})
    ],
    "an xattr that is too large": lambda out: [
        pax(entry("x"), **{"SCHILY.xattr.user.big": "x" * 70000})
    ],
}


def pax(item, **headers):
    item[0].pax_headers = headers
    return item


@pytest.mark.parametrize("build", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_entry_is_refused_and_nothing_outside_is_touched(target, outside, build):
    before = tree(outside)
    with pytest.raises(BrokenArchive):
        unpack(target, *build(outside))
    assert tree(outside) == before
    assert (outside / "secret").stat().st_nlink == 1


CONTAINED = {
    "an absolute name": lambda out: [entry(f"{out}/x", b"x")],
    "an absolute symlink as a parent": lambda out: [symlink("l", str(out)), entry("l/x", b"x")],
    "a climbing symlink as a parent": lambda out: [
        directory("d"),
        symlink("d/l", "../../../../../.." + str(out)),
        entry("d/l/x", b"x"),
    ],
    "symlinks one after another": lambda out: [
        symlink("a", ".."),
        symlink("b", "a/.."),
        entry("b/outside/x", b"x"),
    ],
    "a symlink instead of a file": lambda out: [
        symlink("l", f"{out}/secret"),
        entry("l", b"overwritten"),
    ],
    "a whiteout behind a symlink": lambda out: [symlink("l", str(out)), entry("l/.wh.secret")],
    "an opaque mark behind a symlink": lambda out: [
        symlink("l", str(out)),
        entry("l/.wh..wh..opq"),
    ],
    "a directory over a symlink": lambda out: [
        symlink("l", str(out)),
        directory("l", 0o777, uid=1),
        entry("l/x", b"x"),
    ],
    "modes and owners of a symlink": lambda out: [symlink("l", str(out), mode=0o777, uid=12)],
}


@pytest.mark.parametrize("build", CONTAINED.values(), ids=CONTAINED)
def test_what_points_outside_stays_inside(target, outside, build):
    before = tree(outside), outside.lstat()
    unpack(target, *build(outside))
    after = tree(outside), outside.lstat()
    assert before[0] == after[0]
    assert (before[1].st_uid, before[1].st_mtime_ns) == (after[1].st_uid, after[1].st_mtime_ns)
    assert os.listxattr(outside) == []
    assert (outside / "secret").read_text() == "secret"


def test_the_refused_entry_is_named(target):
    with pytest.raises(BrokenArchive, match=r"'bad/\.\./name'.*outside"):
        unpack(target, entry("good"), entry("bad/../name"))
