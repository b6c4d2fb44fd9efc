"""Where commands put files: never in the place of what is none, never two into one, and nothing is asked for where that fails."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Hivelet = Callable[..., Any]


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def make_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("a device can't be made here")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_device, "a character device file"),
        (make_fifo, "a named pipe (FIFO)"),
        (make_link, "a symbolic link"),
        (make_socket, "a socket"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("backup",),
        ("backup", "other", "--key"),
        ("save", "bb", "-o"),
        ("export", "c1", "-o"),
    ],
    ids=" ".join,
)
def test_what_is_no_file_is_not_replaced(
    hivelet: Hivelet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    make: Callable[[Path], None],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("place"))
    before = Path("place").lstat()
    result = hivelet(*command, "place")
    assert result.code == 1
    assert f"place: cannot write to {words}" in result.err
    assert Path("place").lstat().st_ino == before.st_ino
    assert os.listdir() == ["place"]


@pytest.mark.parametrize("key", ["b.tar", "./b.tar", "folder/../b.tar"])
def test_the_key_does_not_replace_the_backup(
    hivelet: Hivelet, daemon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("b.tar").write_bytes(b"the backup of yesterday")
    result = hivelet("backup", "--key", key, "b.tar")
    assert result.code == 1
    assert "another file than the backup" in result.err
    assert Path("b.tar").read_bytes() == b"the backup of yesterday"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--key", "nowhere/k", "b.tar"), "nowhere/k: there is no directory nowhere"),
        (("nowhere/b.tar",), "nowhere/b.tar: there is no directory nowhere"),
        (("--no-key", "--key", "k", "b.tar"), "--key and --no-key exclude each other"),
    ],
)
def test_half_a_backup_is_not_begun(
    hivelet: Hivelet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = hivelet("backup", *arguments)
    assert result.code == 1
    assert words in result.err
    assert os.listdir() == []
