"""Each database on a file system that is full or read-only: the sentence names that and the way out, never a backup."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

OPEN = """
import pathlib, sys
from hivelet.errors import HiveletError
from hivelet.engine.database import Database
from hivelet.runtime.images.database import ImageDatabase
from hivelet.store.state_file import StateFile

root = pathlib.Path(sys.argv[1])
ways = {
    "engine": lambda: Database(root / "engine.db").close(),
    "images": lambda: ImageDatabase(root / "images.db").close(),
    "state": lambda: state.open(""),
}
state = StateFile(root / "state.db")
try:
    ways[sys.argv[2]]()
except HiveletError as error:
    print(error.message)
else:
    print("opened")
"""

FULL = 'cat /dev/zero > "$1/filler" 2>/dev/null || true'
READ_ONLY = 'mount -o remount,ro "$1"'
SCRIPT = """
set -e
mount -t tmpfs -o size=2m tmpfs "$1"
if [ "$3" = old ]; then "$4" -c "$5" "$1" "$2"; fi
eval "$6"
"$4" -c "$5" "$1" "$2"
"""


def opened(folder: Path, database: str, age: str, fault: str) -> list[str]:
    """What is said of a database, new or `old`, that is opened under a fault; before it, where it is old."""
    words = ["sh", "-c", SCRIPT, "sh", str(folder), database, age, sys.executable, OPEN, fault]
    done = subprocess.run(
        ["unshare", "--mount", *words], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("database", ["engine", "images", "state"])
@pytest.mark.parametrize("age", ["new", "old"])
def test_a_full_disk_is_no_damage(tmp_path: Path, database: str, age: str) -> None:
    *before, said = opened(tmp_path, database, age, FULL)
    assert before == ["opened"] * (age == "old")
    assert f"{database}.db" in said
    assert "no space left on device" in said or "is full" in said, said
    assert "make space" in said
    assert "start again" in said
    assert "backup" not in said
    assert "move it away" not in said


@pytest.mark.parametrize("database", ["engine", "images", "state"])
def test_a_read_only_disk_is_no_damage(tmp_path: Path, database: str) -> None:
    *_, said = opened(tmp_path, database, "old", READ_ONLY)
    assert "read-only" in said, said
    assert "remount it" in said
    assert "backup" not in said
