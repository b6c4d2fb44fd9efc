"""A backup is taken over whole, wherever the taking over was cut short, and the state before it is kept."""

from pathlib import Path

import pytest

from hivelet.convert.backup import EngineRow, pack_engine
from hivelet.daemon.backup.staged import take_over_backup
from hivelet.engine.database import Database


class Crash(BaseException):
    """The daemon dies here."""


def prepare(root):
    (root / "swarm").mkdir(parents=True)
    (root / "swarm/state.db").write_text("old")
    database = Database(root / "engine.db")
    database.add("volume", "both", {"of": "machine"})
    database.close()
    (root / "restore/swarm").mkdir(parents=True)
    (root / "restore/swarm/state.db").write_text("new")
    rows = [EngineRow("volume", name, {"of": "backup"}) for name in ("both", "one")]
    (root / "restore/engine.json").write_bytes(pack_engine(rows))


def check(root):
    assert (root / "swarm/state.db").read_text() == "new"
    assert (root / "swarm.before-restore/state.db").read_text() == "old"
    assert not (root / "restore").exists()
    database = Database(root / "engine.db")
    assert list(database.load("volume", dict)) == [{"of": "machine"}, {"of": "backup"}]
    database.close()


def test_it_is_taken_over_once(tmp_path):
    take_over_backup(tmp_path)
    assert list(tmp_path.iterdir()) == []
    prepare(tmp_path)
    take_over_backup(tmp_path)
    take_over_backup(tmp_path)
    check(tmp_path)


@pytest.mark.parametrize("step", range(4))
def test_a_crash_at_any_step_is_made_good_at_the_next_start(tmp_path, monkeypatch, step):
    prepare(tmp_path)
    steps = iter(range(100))

    def dying(real):
        def wrapped(*args, **options):
            if next(steps) == step:
                raise Crash
            return real(*args, **options)

        return wrapped

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dying(Path.rename))
        patched.setattr(Database, "add", dying(Database.add))
        with pytest.raises(Crash):
            take_over_backup(tmp_path)
    take_over_backup(tmp_path)
    check(tmp_path)
