from __future__ import annotations

from hivelet.network.dns.fileset import FileSet


def test_a_file_is_written_only_where_it_differs(tmp_path):
    files, path = FileSet(), tmp_path / "zone"
    assert files.write(path, "a\n")
    before = path.stat()
    assert not files.write(path, "a\n")
    assert not FileSet().write(path, "a\n")
    assert path.stat().st_ino == before.st_ino
    assert files.write(path, "b\n")
    assert path.read_text() == "b\n"


def test_an_empty_file_is_not_a_missing_one(tmp_path):
    files, path = FileSet(), tmp_path / "zone"
    assert files.write(path, "")
    assert path.exists()


def test_what_somebody_touched_is_seen(tmp_path):
    files, kept, edited, gone = FileSet(), *(tmp_path / name for name in "abc")
    for path in (kept, edited, gone):
        files.write(path, "text")
    assert files.find_touched() == []
    edited.write_text("other")
    gone.unlink()
    assert files.find_touched() == [edited, gone]
    files.remove(gone)
    assert gone not in files
    assert kept in files
