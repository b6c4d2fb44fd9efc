import os

import pytest

from hivelet.kit.trees import DEPTH, TooDeep, check_depth, remove_tree, tree_size


def nest(base, depth):
    """Directories in each other, each with a file; further down than a path can say."""
    here = os.open(base, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("directory", dir_fd=here)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.truncate(f"/proc/self/fd/{here}/file", 10)
        there = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)


@pytest.mark.parametrize("depth", [0, 1, 30, 1_200])
def test_any_depth_is_measured_and_removed(tmp_path, depth):
    top = tmp_path / "top"
    top.mkdir()
    nest(top, depth)
    files = len(os.listdir("/proc/self/fd"))
    assert tree_size(top) == 10 * depth
    remove_tree(top)
    assert not top.exists()
    assert len(os.listdir("/proc/self/fd")) == files


def test_what_links_lead_to_stays(tmp_path):
    outside, top = tmp_path / "outside", tmp_path / "top"
    outside.mkdir()
    (outside / "file").write_text("precious")
    (top / "a" / "b").mkdir(parents=True)
    (top / "link").symlink_to(outside)
    (top / "a" / "b" / "link").symlink_to(outside)
    (top / "a" / "file").hardlink_to(outside / "file")
    assert tree_size(top) == 8
    remove_tree(top)
    assert (outside / "file").read_text() == "precious"
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(OSError, match="link"):
        remove_tree(tmp_path / "link")


def test_names_that_are_ours_may_be_there_already(tmp_path):
    top = tmp_path / "top"
    for name in (".lifted-1", ".lifted-2/x", "a/.lifted-1/y", "a/b/c", "z/.lifted-3/.lifted-3"):
        (top / name).mkdir(parents=True)
    (top / ".lifted-4").write_text("a file")
    parent = os.open(tmp_path, os.O_RDONLY)
    remove_tree("top", dir_fd=parent)
    os.close(parent)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there(tmp_path):
    assert tree_size(tmp_path / "none") == 0
    with pytest.raises(FileNotFoundError):
        remove_tree(tmp_path / "none")


def test_a_path_that_cannot_be_told():
    check_depth("/".join(["d"] * DEPTH))
    with pytest.raises(TooDeep, match="more than 256 deep below d/d/d"):
        check_depth("/".join(["d"] * 5000))
