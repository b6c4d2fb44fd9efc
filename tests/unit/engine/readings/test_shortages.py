"""What a machine is short of, in sentences."""

import pytest

from hivelet.engine.readings.shortages import Room, describe_shortages, read_shortages

MIB = 1 << 20


def room(free=1000 * MIB, inodes=10_000, read_only=False):
    return Room(path="/var/lib/x", bytes_free=free, inodes=inodes, read_only=read_only)


@pytest.mark.parametrize(
    ("found", "files", "words"),
    [
        pytest.param(room(), 10, [], id="plenty"),
        pytest.param(room(inodes=None), 10, [], id="no fixed number of inodes"),
        pytest.param(room(free=3 * MIB), 10, ["has 3 MiB left"], id="little room"),
        pytest.param(room(inodes=2), 10, ["2 inodes left"], id="few inodes"),
        pytest.param(room(read_only=True, free=0), 10, ["read-only"], id="read-only"),
        pytest.param(room(), 950, ["950 of 1000 files open"], id="many files"),
    ],
)
def test_shortages(found, files, words):
    said = list(describe_shortages([found], files, 1000))
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_this_machine_can_be_read(tmp_path):
    assert all(isinstance(sentence, str) for sentence in read_shortages(tmp_path))
